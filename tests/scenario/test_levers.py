"""Levers: each turns what it says, to what it shows, and nothing else."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.scenario.levers import levers, turned
from outlay.scenario.load import bundled, bundled_text, read_scenario
from outlay.scenario.tree import at, parse, plain

TEXT = bundled_text("bytedance-2025")
VALUES = plain(parse(TEXT, "x"), "x")
LEVERS = levers(read_scenario(TEXT, "x.yaml"), VALUES, ["US-06"])


def _lever(name):
    return next(lever for lever in LEVERS if lever.id == name)


def test_every_group_has_levers():
    """Shares, budgets, prices and dates can be turned."""
    assert {lever.group for lever in LEVERS} == {"shares", "budgets", "prices", "dates"}


@pytest.mark.parametrize(
    ("name", "to", "shown", "written"),
    [
        ("share domestic-60", 45, "45%", ["45%"]),
        ("budget china-chips", 75, "30.0 bn CNY", ["30000000000 CNY"]),
        ("rent of H200 SXM", 50, "1.70 USD/chip/hour", ["1.7 USD/chip/hour"]),
        ("price of doubao", 200, "2.08 CNY/million tokens", ["2.08 CNY/million tokens"]),
        ("rule US-06", 2, "2025-07-13", ["2025-07-13"]),
        ("deadline of moe-670b", -1, "2026Q1", ["2026Q1"]),
    ],
)
def test_a_lever_writes_what_it_shows(name, to, shown, written):
    """What a person reads beside the slider is what the scenario gets."""
    assert (_lever(name).shown(to), _lever(name).written(to)) == (shown, written)


def test_a_price_of_several_places_turns_all_of_them():
    """Energy moves at every site by the same part."""
    text = turned(TEXT, LEVERS, {"price of energy": 150})
    found = plain(parse(text, "x"), "x")["sites"]
    before = VALUES["sites"]
    for old, new in zip(before, found, strict=True):
        assert float(str(new["energy_price"]).split()[0]) == pytest.approx(
            1.5 * float(str(old["energy_price"]).split()[0])
        )


def test_levers_at_their_base_leave_the_text():
    """Nothing turned, nothing changed."""
    assert turned(TEXT, LEVERS, {lever.id: lever.base for lever in LEVERS}) == TEXT


@settings(max_examples=12)
@given(st.sampled_from(LEVERS), st.floats(0, 1))
def test_a_turned_scenario_says_it_at_its_place_alone(lever, part):
    """Each lever sets its fields, wherever in its range, and no other."""
    to = round((lever.low + part * (lever.high - lever.low)) / lever.step) * lever.step
    found = plain(parse(turned(TEXT, LEVERS, {lever.id: to}), "x"), "x")
    if to != lever.base:
        assert [str(at(found, where)) for where in lever.wheres] == lever.written(to)
    before = plain(parse(TEXT, "x"), "x")
    if lever.group != "dates" or lever.quarter is not None:
        for where in lever.wheres:
            at(before, where[:-1])[where[-1]] = at(found, where)
        assert found == before


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("name", bundled())
def test_every_bundled_scenario_can_be_turned_to_both_ends(name, end):
    """With budgets, prices and rules all at one end the scenario can be read; shares may contradict each other."""
    text = bundled_text(name)
    found = levers(read_scenario(text, name), plain(parse(text, name), name), ["US-03"])
    ends = {lever.id: getattr(lever, end) for lever in found if lever.group != "shares" and lever.quarter is None}
    assert read_scenario(turned(text, found, ends), f"{name}.yaml").name == name


def test_a_rule_moved_is_read_back():
    """The scenario's policy has the day."""
    text = turned(TEXT, LEVERS, {"rule US-06": 2})
    assert read_scenario(text, "x.yaml").policy.dates == {"US-06": date(2025, 7, 13)}
