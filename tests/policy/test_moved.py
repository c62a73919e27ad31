"""What if a rule came earlier or later: its own days move, all others stay."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import ScenarioError
from outlay.policy import Item, Transaction, decide
from outlay.policy.rules import rule
from outlay.policy.timeline import days_of_change
from outlay.scenario.load import bundled_text, read_scenario

H100 = Item("H100 SXM", "Nvidia", "US", {8: 1979.0}, 814.0, 900.0, 3350.0, True)
START = rule("US-06").effective_from


def _deal(day):
    return Transaction(on=day, destination="MY", buyer_hq="MY", parent_hq="MY")


def test_a_rule_that_comes_later_leaves_the_days_before_open():
    """The diffusion rule closes Malaysia from May 2025; moved by a quarter, from August."""
    moved = {"US-06": START + timedelta(days=92)}
    known = date(2025, 1, 22)
    june, late = _deal(date(2025, 6, 15)), _deal(date(2025, 9, 15))
    assert "US-06" in [firing.rule for firing in decide(H100, june, known_on=known).firings]
    assert decide(H100, june, known_on=known).verdict != "allowed"
    assert decide(H100, june, known_on=known, moved=moved).code != decide(H100, june, known_on=known).code
    assert decide(H100, late, known_on=known, moved=moved).code == decide(H100, june, known_on=known).code


@given(st.integers(-60, 200), st.integers(0, 400))
def test_moving_a_rule_is_asking_on_another_day_where_nothing_else_changes(by, after):
    """Where the rule alone decides, the answer on a day is the old answer on the day less what it moved."""
    day = date(2025, 1, 25) + timedelta(days=after)
    other = day - timedelta(days=by)
    between = sorted((day, other))
    steps = set(days_of_change()) - {START, *rule("US-06").steps}
    if any(between[0] < change <= between[1] for change in steps):
        return
    known = date(2025, 1, 22)
    one = decide(H100, _deal(day), known_on=known, moved={"US-06": START + timedelta(days=by)})
    assert one.code == decide(H100, _deal(other), known_on=known).code


def test_days_of_change_move_with_their_rule():
    """The planner looks at the days on which the moved rule changes."""
    moved = {"US-06": START + timedelta(days=10)}
    assert {day + timedelta(days=10) for day in (START, *rule("US-06").steps)} <= set(days_of_change(moved))


def test_a_scenario_moves_a_rule_by_name_and_an_unknown_one_is_refused():
    """The message names the nearest rule and its line."""
    text = bundled_text("us-lab-2025").replace("\nobjective:", "\npolicy: {dates: {US-06: 2025-09-01}}\nobjective:", 1)
    assert read_scenario(text, "x.yaml").policy.dates == {"US-06": date(2025, 9, 1)}
    with pytest.raises(ScenarioError, match=r"unknown rule 'US-O6'; nearest: "):
        read_scenario(text.replace("US-06", "US-O6"), "x.yaml")
