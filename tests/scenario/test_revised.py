"""A person goes over a reading: what is rejected is gone, what is edited says so, the marks cover the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.catalog.lexicon import lexicon
from outlay.errors import InputError
from outlay.evidence.reading import read
from outlay.evidence.reading.article import article_of
from outlay.evidence.reading.records import StoryClaim
from outlay.scenario.load import read_scenario
from outlay.scenario.revised import Verdict, edited, marked, redrafted, revised

STORY = """# date: 2025-01-22
ByteDance plans to spend more than $12 billion on AI infrastructure in 2025, the Financial Times reported on Wednesday.

The company has budgeted 40 billion yuan ($5.5 billion) for AI chips in China in 2025, two people familiar said.

It plans to invest about $6.8 billion overseas. A ByteDance spokesperson said the information was incorrect.
"""


@pytest.fixture(scope="module")
def known():
    """The reading of the story, with names and catalogue."""
    catalog = Catalog.load()
    names = lexicon(catalog)
    return read([article_of(STORY.encode(), "story.txt")], names), names, catalog


def _yuan(reading):
    return next(claim for claim in reading.claims if claim.unit == "CNY")


def test_marks_cover_the_text_and_point_at_its_claims(known):
    """Every claim with a span is marked where it stands; nothing of the text is lost."""
    reading, _, _ = known
    body = reading.articles[0].body
    pieces = marked(body, list(reading.claims))
    assert "".join(text for text, _ in pieces) == body
    yuan = _yuan(reading)
    assert "40 billion yuan" in "".join(text for text, names in pieces if yuan.id in names)


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6))
def test_any_spans_cut_the_text_into_pieces_that_join_again(body, spans):
    """Overlapping, empty and overlong spans do no harm."""
    claims = [StoryClaim(f"c{at}", "money", 1.0, "USD", span=(min(s), max(s))) for at, s in enumerate(spans)]
    assert "".join(text for text, _ in marked(body, claims)) == body


def test_a_rejected_claim_leaves_the_draft(known):
    """Without the yuan the draft has no budget of them."""
    reading, names, catalog = known
    yuan = _yuan(reading)
    assert "40 billion CNY" in redrafted(reading, {}, names, catalog).text
    left = revised(reading, {yuan.id: Verdict("rejected")})
    assert yuan.id not in {claim.id for claim in left.claims}
    assert not any(yuan.id in claim.derived_from for claim in left.claims)
    assert "40 billion CNY" not in redrafted(reading, {yuan.id: Verdict("rejected")}, names, catalog).text


def test_an_edited_amount_is_planned_with_and_says_whose_it_is(known):
    """The draft loads with the person's amount, assumed and set by hand."""
    reading, names, catalog = known
    yuan = _yuan(reading)
    made = redrafted(reading, {yuan.id: Verdict("edited", "30 billion CNY")}, names, catalog)
    scenario = read_scenario(made.text, "draft.yaml", catalog=catalog)
    budget = next(budget for budget in scenario.budgets if budget.amount.currency == "CNY")
    assert budget.amount.amount == 30_000_000_000
    assert (budget.evidence["amount"].status, budget.evidence["amount"].by) == ("assumed", "set by hand")


@pytest.mark.parametrize(
    ("kind", "unit", "typed", "value"),
    [
        ("share", "", "45%", 0.45),
        ("power", "MW", "80 MW", 80.0),
        ("power", "W", "1 GW", 1e9),
        ("count", "chips", "5000 chips", 5000.0),
    ],
)
def test_amounts_are_read_as_their_kind_is(kind, unit, typed, value):
    """A share takes per cent, power takes watts, a count its own unit."""
    assert edited(StoryClaim("c1", kind, 1.0, unit), typed).quantity == pytest.approx(value)


@pytest.mark.parametrize(
    ("kind", "typed"), [("money", "40 billion"), ("share", "x"), ("comment", "1"), ("power", "3 kg")]
)
def test_what_is_no_such_amount_is_refused(kind, typed):
    """The message says what was expected."""
    with pytest.raises(InputError, match=r"currency|expected|no amount|is not"):
        edited(StoryClaim("c1", kind, 1.0, "W" if kind == "power" else ""), typed)


def test_nothing_left_is_said(known):
    """A story whose every claim is rejected gives no scenario, and says why."""
    reading, names, catalog = known
    with pytest.raises(InputError, match="no budget"):
        redrafted(reading, {claim.id: Verdict("rejected") for claim in reading.claims}, names, catalog)
