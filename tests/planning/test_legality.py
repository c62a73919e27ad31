"""The rules of a scenario, asked once for all chips, sites, modes and days."""

from datetime import date

import pytest

import outlay
from outlay.catalog import Catalog
from outlay.planning.legality import Law, blocked_ways
from outlay.policy import Transaction, decide_grid, item_of
from outlay.policy.codes import STRICTNESS
from outlay.units import Quarter

CATALOG = Catalog.load()
CHIPS = [CATALOG.chip(name) for name in ("H20", "H100", "H200", "L20", "Ascend 910B3", "Trainium1")]


@pytest.fixture(scope="module")
def scenario():
    """Return the bundled scenario of the story."""
    return outlay.load("bytedance-2025")


def site(scenario, country):
    """Return the first site in a country."""
    return next(one for one in scenario.sites if one.country == country)


@pytest.mark.parametrize("known_on", [date(2025, 1, 22), date(2026, 9, 1)])
def test_ruling_is_that_of_the_strictest_day_of_the_quarter(scenario, known_on):
    """Asked about every single day of every quarter, no day is stricter than the ruling, and one is as strict."""
    law = Law(scenario, CHIPS, known_on=known_on)
    for country, mode in (("CN", "buy"), ("NO", "lease")):
        place = site(scenario, country)
        for t, quarter in enumerate(scenario.horizon.all):
            first = max(quarter.start, scenario.knowledge_date)
            days = [date.fromordinal(number) for number in range(first.toordinal(), quarter.end.toordinal() + 1)]
            owner = place.owner_headquarters if mode == "lease" else None
            deals = [
                Transaction(day, country, "CN", "CN", mode=mode, owner_hq=owner, new_site=place.new_build)
                for day in days
            ]
            daily = decide_grid(
                [item_of(chip) for chip in CHIPS], deals, known_on=known_on, flags=scenario.policy.flags
            )
            for i, chip in enumerate(CHIPS):
                ruling = law.of(chip, place, mode, 0).rulings[t]
                assert STRICTNESS.index(ruling.verdict) == daily.verdict[i].max()


def test_order_that_would_arrive_too_late_has_no_ruling(scenario):
    """A lead of two quarters leaves the last two without."""
    found = Law(scenario, CHIPS).of(CHIPS[0], site(scenario, "CN"), "buy", 2)
    assert [ruling is None for ruling in found.rulings[-3:]] == [False, True, True]
    assert found.legal[-1] is False


def test_another_future_is_another_law(scenario):
    """What was known later, and a bill by its switch, change what is open."""
    chip, place = CHIPS[0], site(scenario, "CN")
    assert all(Law(scenario, CHIPS).of(chip, place, "buy", 0).legal)
    later = Law(scenario, CHIPS, known_on=date(2025, 6, 1)).of(chip, place, "buy", 0)
    assert later.codes[1] == "LETTER_LICENCE"
    assert not later.legal[1]
    bill = Law(scenario, CHIPS, flags=["remote_access_enacted"], known_on=date(2026, 2, 1))
    abroad = site(scenario, "NO")
    assert bill.of(CHIPS[1], abroad, "lease", 0).codes[-1] == "PROPOSED_DENY"


def test_closed_way_names_its_rule_and_its_quarters(scenario):
    """Quarters in a row are one span; the rule stands by title and identifier, with the figure that is missing."""
    law = Law(scenario, CHIPS)
    ways = [(chip.name, chip, "buy", "CN", law.of(chip, site(scenario, "CN"), "buy", 0)) for chip in CHIPS]
    blocked = {way.chip: way for way in blocked_ways(scenario.horizon.all, ways)}
    assert set(blocked) == {"H100 SXM", "H200 SXM", "Trainium1"}
    assert blocked["H100 SXM"].words.endswith("(US-03.scope)")
    assert blocked["H100 SXM"].quarters == "2025Q1 to 2026Q4"
    assert blocked["Trainium1"].words.endswith("; missing: die_area_mm2")


def test_tariff_is_offered_as_a_multiplier_of_the_price(scenario):
    """25 % on licensed H200 from 2026 on; nothing in 2025."""
    law = Law(scenario, [CATALOG.chip("H200")], flags=["certifications"], known_on=date(2026, 3, 1))
    place = site(scenario, "CN")
    found = [law.price_multiplier(CATALOG.chip("H200"), place, "buy", Quarter.parse(q)) for q in ("2025Q4", "2026Q2")]
    assert found == [1.0, 1.25]
