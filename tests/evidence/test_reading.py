"""Stories read as a whole: who says it, who denies it, what is a share of what, what is only arithmetic."""

from datetime import date
from pathlib import Path

import pytest

from outlay.evidence.reading import read
from outlay.evidence.reading.article import article_of
from outlay.evidence.reading.score import Score, score, stories
from outlay.evidence.reading.story import read_story

STORIES = Path(__file__).parent / "stories"
PLAN = (
    "Hailong, the owner of Pondskip, is reportedly preparing a $9 billion build-out of AI infrastructure in 2025, "
    "according to the Financial Times. The report suggests Hailong plans to allocate 30 billion yuan ($4.1 billion) "
    "for AI chip purchases in China while investing approximately $5.1 billion overseas to train models on advanced "
    "Nvidia chips. However, a Hailong spokesperson has refuted these claims, stating the information is inaccurate. "
    "Nvidia declined to comment on the matter. The report indicates 70% of Hailong's semiconductor purchases in China "
    "will involve domestic suppliers like Huawei and Cambricon. The remaining 30% will target Nvidia chips. Beijing "
    "has reportedly encouraged Chinese tech firms to source at least 25% of their chips locally. The government under "
    "President Joe Biden's administration has kept its stance. A ban, initially set for January 19, has been delayed."
)
TAILS = (
    "\n\n\nBanks Weigh $38 Billion for Oracle\nTesla Expands Its Lineup in Europe\n",
    "\n\n\nIntel Boosts Malaysia Operations with RM860 Million\nSign up for our newsletter.\nPhoto: Getty Images\n",
    "\n\nReporting by A. Person; editing by B. Person.\n© 2025 The Paper. All rights reserved.\nShare on Facebook\n",
)


def by_size(reading, quantity, unit):
    """Return the claim of a size."""
    (claim,) = [c for c in reading.claims if c.quantity == quantity and c.unit == unit and not c.arithmetic]
    return claim


def test_own_stories_hold_the_bars(names):
    """Precision 0.95 and recall 0.85 over stories in the project's own words."""
    total = Score()
    for path, labels in stories(STORIES):
        claims = read_story(article_of(path.read_bytes(), path.name), names)
        score(claims, labels, names, path.name, total)
    assert total.labels > 200
    assert total.precision >= 0.95, total.wrong
    assert total.recall >= 0.85, total.missed


def test_a_wrong_reading_scores_low(names):
    """The score can fail: the claims of another story match nothing."""
    (_, labels), (other, _), *_ = stories(STORIES)
    total = Score()
    score(read_story(article_of(other.read_bytes(), other.name), names), labels, names, "", total)
    assert total.recall < 0.3
    assert total.precision < 0.3


def test_denial_reaches_back_and_keeps_the_numbers(told):
    """Refuted is denied: status changes, value does not; what the report says later of the same plan goes with it."""
    reading = told(PLAN)
    for quantity, unit in ((9e9, "USD"), (30e9, "CNY"), (5.1e9, "USD"), (0.7, "share"), (0.3, "share")):
        claim = by_size(reading, quantity, unit)
        assert claim.status == "denied", claim
        assert "Hailong spokesperson" in claim.denied_by


def test_shares_know_what_they_are_of(told):
    """70 % and the rest are of the yuan, not of the total; the floor's base stays open."""
    reading = told(PLAN)
    chips = by_size(reading, 30e9, "CNY")
    planned, rest, floor = (by_size(reading, share, "share") for share in (0.7, 0.3, 0.25))
    assert planned.share_of == rest.share_of == chips.id
    assert rest.derived_from == (planned.id,)
    assert (floor.bound, floor.modality, floor.status) == ("at least", "encouraged", "reported")
    assert floor.share_of == "their chips locally"
    amounts = {claim.quantity: claim.derived_from for claim in reading.claims if claim.arithmetic}
    assert amounts == {21e9: (planned.id, chips.id), 9e9: (rest.id, chips.id)}


def test_periods_are_inherited_and_dates_without_a_year_wait_for_the_story(told):
    """The year of the total holds for its parts; January 19 is settled by the day the story was told."""
    reading = told(PLAN)
    assert by_size(reading, 30e9, "CNY").period == by_size(reading, 5.1e9, "USD").period == "2025"
    assert [c.quantity for c in reading.claims if c.kind == "date"] == ["2025-01-19"]
    undated = told(PLAN, day=None)
    assert [c.quantity for c in undated.claims if c.kind == "date"] == ["XXXX-01-19"]
    assert any("Which year is XXXX-01-19" in question.text for question in undated.questions)


def test_sums_are_checked_with_room_for_hedges(told):
    """Parts against total, 100 %, the month's rate, the floor over both bases, an administration out of office."""
    outcome = {check.what: check.ok for check in told(PLAN).checks}
    assert outcome == {
        "quoted rate": True,
        "parts against total": True,
        "shares against 100%": True,
        "floor against plan, base as planned": True,
        "floor against plan, base all money": True,
        "calendar": False,
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Orla said it will invest 40 billion yuan ($55 billion) in chips in 2025.", "quoted rate"),
        (
            "Orla said it will spend 40 billion yuan on chips in China. It said 70% of the money goes to Huawei and "
            "50% of the money goes to Nvidia.",
            "shares against 100%",
        ),
        (
            "Orla plans $220 billion centre\n\nOrla said it will invest $22 billion in a centre.",
            "headline against body",
        ),
        ("Orla said it has 2,000 servers of 10 kW each. The site has 90 MW, it said.", "units"),
        ("Orla said it raised $4 billion, including a $7 billion loan.", "part inside whole"),
    ],
)
def test_sums_that_do_not_hold_are_flagged(told, text, what):
    """Each check can fail."""
    assert [check.ok for check in told(text).checks if check.what == what] == [False]


@pytest.mark.parametrize("tail", TAILS)
def test_tail_changes_nothing(told, tail):
    """Headlines, captions and boilerplate are listed as ignored; the claims are the same."""
    plain, tailed = told(PLAN), told(PLAN + tail)
    assert tailed.claims == plain.claims
    assert len(tailed.articles[0].ignored) >= 2


def test_spans_point_at_the_words(told):
    """The span of a claim is where its figure stands in the body."""
    reading = told(PLAN)
    body = reading.articles[0].body
    for claim in reading.claims:
        assert body[slice(*claim.span)] in claim.sentence
        assert body.index(claim.sentence) <= claim.span[0]
    assert body[slice(*by_size(reading, 30e9, "CNY").span)] == "30 billion yuan ($4.1 billion"


@pytest.mark.parametrize(
    ("sentence", "status", "who"),
    [
        ("Vendoria declined to comment.", "declined", "Vendoria"),
        ("Vendoria would not comment on the plan.", "declined", "Vendoria"),
        ("Vendoria did not immediately respond to a request for comment.", "no response", "Vendoria"),
        ("Vendoria could not be reached for comment.", "no response", "Vendoria"),
        ("Reuters could not independently verify the report.", "not verified", "Reuters"),
        ("Vendoria denied the report.", "denied", "Vendoria"),
        ('A Vendoria spokesman called the figures "not accurate".', "denied", "Vendoria spokesman"),
        ("Vendoria said the information was incorrect.", "denied", "Vendoria"),
    ],
)
def test_answers_are_four_states(told, sentence, status, who):
    """Denied, declined, silent and unverified are told apart, with who."""
    (claim,) = told(f"Orla plans to spend $2 billion on chips, sources said. {sentence}").claims[1:]
    assert (claim.kind, claim.status, claim.attribution.who) == ("comment", status, who)


def test_refusing_a_connection_is_no_denial(told):
    """An operator that denies a request says nothing of the figures."""
    reading = told("Orla plans a site of 300 MW, sources said. The grid operator denied its request for a connection.")
    assert by_size(reading, 300.0, "MW").status == "reported"


@pytest.mark.parametrize(
    ("text", "status", "who"),
    [
        ("Orla will spend $2 billion on chips, two people briefed on the plan said.", "reported", "two people"),
        ("Orla will spend $2 billion on chips, Bloomberg reported.", "reported", "Bloomberg"),
        ("Orla said it will spend $2 billion on chips.", "company statement", "Orla"),
        ("Chief executive Ada Reyes said Orla will spend $2 billion on chips.", "company statement", "Ada Reyes"),
        ("The Commerce Department said the sale of $2 billion was cleared.", "official", "Commerce Department"),
        ("Orla will spend $2 billion on chips, TrendForce estimates.", "analyst estimate", "TrendForce"),
        ("Orla's market value is about $2 billion.", "market data", ""),
    ],
)
def test_who_says_it_decides_the_status(told, text, status, who):
    """People familiar, papers, companies, officials, analysts and markets."""
    claim = by_size(told(text), 2e9, "USD")
    assert (claim.status, claim.attribution.who) == (status, who)


def test_two_outlets_in_one_sentence(told):
    """Each clause keeps its own witness."""
    reading = told("The FT reported a $12 billion plan; earlier The Information reported up to $7 billion of chips.")
    assert by_size(reading, 12e9, "USD").attribution.who == "FT"
    assert by_size(reading, 7e9, "USD").attribution.who == "The Information"


def test_one_source_told_by_two_is_one_claim(told):
    """The same plan in two tellings is merged, with both named; a denial in either holds."""
    again = "Hailong will spend more than $9 billion on AI infrastructure in 2025, the Financial Times reported."
    reading = told(again, PLAN)
    claim = by_size(reading, 9e9, "USD")
    assert claim.told_by == ("story-1", "story-2")
    assert (claim.bound, claim.status) == ("more than", "denied")


def test_nothing_is_merged_by_amount_alone(told):
    """The same sum of another firm, for another time or by another source stays apart."""
    first = "Orla plans to spend $38 billion on sites in 2025, Bloomberg reported."
    for other in (
        "Tamsin plans to spend $38 billion on sites in 2025, Bloomberg reported.",
        "Orla plans to spend $38 billion on sites in 2027, Bloomberg reported.",
        "Orla plans to spend $38 billion on sites in 2025, Reuters reported.",
    ):
        assert len(told(first, other).claims) == 2


def test_a_story_that_repeats_itself_claims_once(told):
    """The later telling lends its witness; the same size of another firm stays apart."""
    reading = told(
        "The site comes online in 2026 with 100,000 Nvidia chips. "
        "Orla gave no figure; TrendForce estimates 100,000 chips. "
        "Tamsin has bought 90,000 chips. Quarry has bought 90,000 chips."
    )
    chips = [(claim.quantity, claim.status) for claim in reading.claims if claim.unit == "chips"]
    assert chips == [(100000.0, "analyst estimate"), (90000.0, "reported"), (90000.0, "reported")]


def test_claims_that_disagree_stay_side_by_side(told):
    """Both are kept, and the reader is asked."""
    reading = told(
        "Orla plans to spend $12 billion on sites in 2025, Bloomberg reported.",
        "Orla plans to spend $21 billion on sites in 2025, Reuters reported.",
    )
    assert [claim.quantity for claim in reading.claims] == [12e9, 21e9]
    assert any("which holds?" in question.text for question in reading.questions)


def test_both_languages_tell_the_same(told):
    """A story and its Chinese telling give the same sizes, statuses and bases."""
    english = told(
        "Yunqi plans to spend more than 40 billion yuan (about $5.5 billion) on chips this year, people familiar said. "
        "About 60% of it goes to Huawei and Cambricon. A Yunqi spokesperson said the information was incorrect. "
        "Nvidia declined to comment."
    )
    chinese = told(
        "据知情人士透露，云栖科技计划今年投入超过400亿元人民币（约55亿美元）采购芯片。其中约60%来自华为和寒武纪。"
        "云栖科技发言人表示，有关消息不实。英伟达拒绝置评。"
    )

    def sizes(reading):
        return [(c.kind, c.quantity, c.unit, c.bound, c.status, c.share_of) for c in reading.claims]

    assert sizes(english) == sizes(chinese)


def test_each_sentence_is_read_once(names):
    """A story of a thousand words gives each figure once, in order."""
    own = [path.read_text(encoding="utf-8").split("\n\n", 1)[1].strip() for path, _ in stories(STORIES)]
    body = " ".join(text for text in own if text.isascii())
    reading = read([article_of(body.encode(), "a", told=date(2025, 1, 22))], names)
    spans = [claim.span for claim in reading.claims if not claim.arithmetic]
    assert len(body.split()) > 1000
    assert spans == sorted(spans)
    assert len(spans) > 100
