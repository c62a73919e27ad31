"""From claims to a scenario: it loads as it is, every line has a claim or an assumption, and what is open is asked."""

import pytest
from tests.evidence.test_reading import PLAN, TAILS

from outlay.catalog import Catalog
from outlay.errors import InfeasibleError, InputError
from outlay.scenario.draft import draft
from outlay.scenario.load import read_scenario
from outlay.scenario.what_if import what_if
from outlay.units import Money


@pytest.fixture
def drafted(told, names):
    """Draft a scenario from texts, and load it."""

    def make(*texts, **options):
        made = draft(told(*texts, **options), names, Catalog.load())
        return made, read_scenario(made.text, "draft.yaml")

    return make


def test_plan_becomes_two_budgets_and_two_shares(drafted):
    """The parts of the total are the budgets; the share is of its own budget; the floor asks for its base."""
    made, scenario = drafted(PLAN)
    assert [(b.name, str(b.amount), str(b.first), str(b.last)) for b in scenario.budgets] == [
        ("china", "30.0 bn CNY", "2025Q1", "2025Q4"),
        ("abroad", "5.10 bn USD", "2025Q1", "2025Q4"),
    ]
    assert scenario.budgets[1].where.not_countries == ["CN"]
    assert scenario.budgets[1].where.vendors == ["Nvidia"]
    shares = [(s.share, s.kind, s.budget, s.of.vendor_countries) for s in scenario.sourcing]
    assert shares == [(0.7, "exact", "china", ["CN"]), (0.25, "floor", "china", ["CN"])]
    assert any("What is the floor of" in question.text for question in made.questions)


def test_every_figure_keeps_its_claim(drafted, told):
    """Status, witness, denial, date, name and words of the claim stand in the scenario."""
    _, scenario = drafted(PLAN)
    claim = next(c for c in told(PLAN).claims if c.quantity == 30e9)
    evidence = scenario.budgets[0].evidence["amount"]
    assert (evidence.status, evidence.claim, evidence.date) == ("denied", claim.id, "2025-01-22")
    assert evidence.quote == claim.sentence
    assert "Hailong spokesperson" in evidence.denied_by


def test_lines_name_a_claim_or_an_assumption(drafted):
    """No value of a budget, share or site stands without a word on where it is from."""
    made, _ = drafted(PLAN)
    keys = (
        "amount:",
        "share:",
        "of:",
        "power:",
        "pue:",
        "energy_price:",
        "first:",
        "last:",
        "where:",
        "pays_for:",
        "maximise:",
    )
    lines = [line for line in made.text.split("\n") if line.strip().startswith(keys) and line.strip() not in keys]
    values = [line for line in lines if not line.strip().endswith(":")]
    assert len(values) > 15
    assert all("#" in line for line in values), [line for line in values if "#" not in line]


@pytest.mark.parametrize("tail", TAILS)
def test_tail_changes_no_draft(drafted, tail):
    """One body with another tail gives the same scenario, to the letter."""
    assert drafted(PLAN + tail)[0].text == drafted(PLAN)[0].text


def test_day_unknown_is_asked(drafted):
    """Without a date the first day of the plan's year is taken, and asked about."""
    made, scenario = drafted(PLAN, day=None)
    assert scenario.knowledge_date.isoformat() == "2025-01-01"
    assert scenario.evidence["knowledge_date"].status == "assumed"
    assert any("On which day are rules and prices" in question.text for question in made.questions)


def test_power_of_the_story_is_the_sites(drafted):
    """A site takes the megawatts that are told."""
    _, scenario = drafted("Orla said it will invest $4 billion in a campus in Malaysia in 2025. The campus has 300 MW.")
    assert [(site.country, site.power) for site in scenario.sites] == [("MY", 300e6)]


def test_another_telling_is_asked_about_and_not_added(drafted):
    """Money of another source is neither summed nor dropped unsaid."""
    made, scenario = drafted(
        "Orla will spend $9 billion on sites in Malaysia, Bloomberg reported. "
        "Reuters reported Orla plans to spend $4 billion."
    )
    assert len(scenario.budgets) == 1
    assert any("is not in the budgets" in question.text for question in made.questions)


def test_no_money_no_scenario(told, names):
    """A story of chips alone drafts nothing."""
    with pytest.raises(InputError, match="no claim is of money"):
        draft(told("Orla plans to make 600,000 chips next year, people familiar said."), names, Catalog.load())


def test_without_denied_leaves_no_money(drafted):
    """If the spokesperson is right there is nothing to plan with; the answer is no, by name."""
    _, scenario = drafted(PLAN)
    with pytest.raises(InfeasibleError, match=r"without budgets china, abroad \(denied\).*no money is left"):
        what_if(scenario, ("denied",))


def test_a_claim_set_anew_stays(drafted):
    """A figure of the user's own is no longer the denied one; what hangs on dropped budgets goes."""
    _, scenario = drafted(PLAN)
    name = scenario.budgets[0].evidence["amount"].claim
    changed, told = what_if(scenario, ("denied",), (f"{name}=20 billion CNY",))
    assert [budget.amount for budget in changed.budgets] == [Money.parse("20 billion CNY")]
    assert [rule.kind for rule in changed.sourcing] == ["floor"]
    assert told[0] == f"{name} set to 20 billion CNY"
    assert f"{name} set to 20 billion CNY" in changed.title


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("c99=4 billion USD", "unknown claim 'c99'"),
        ("china.amount", "expected CLAIM=value"),
        ("china.amount=much", "is not an amount of money"),
        ("china.amount=-4 billion USD", "must be more than zero"),
    ],
)
def test_claims_that_do_not_fit_are_refused(drafted, claim, message):
    """The value is parsed as the field's own is."""
    with pytest.raises(InputError, match=message):
        what_if(drafted(PLAN)[1], (), (claim,))


def test_statuses_are_known_names(drafted):
    """A slip of the pen names the nearest status."""
    with pytest.raises(InputError, match="unknown status 'denyed'; nearest: denied"):
        what_if(drafted(PLAN)[1], ("denyed",))
