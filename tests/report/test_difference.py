"""The difference of two plans: only what changed, with its sign; and fronts that nothing beats."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.report.difference import (
    changes,
    front,
    front_chart,
    measures,
    orders_change,
    served_change,
    spending_change,
)


@pytest.fixture
def other(plan):
    """The plan with one order doubled and one service unserved."""
    first = plan.purchases[0]
    doubled = replace(first, chips=2 * first.chips, units=2 * first.units, cost=2 * first.cost)
    idle = replace(plan.services[0], served=dict.fromkeys(plan.quarters, 0.0))
    orders, services = [doubled, *plan.purchases[1:]], [idle, *plan.services[1:]]
    return replace(plan, purchases=orders, services=services, objective=plan.objective / 2)


def test_equal_plans_have_no_bars(plan):
    """Nothing is drawn where nothing changed, and every line says so."""
    assert orders_change(plan, plan) is served_change(plan, plan) is spending_change(plan, plan) is None
    assert {change.change for change in changes(plan, plan)} <= {"=", "–"}
    assert {change.better for change in changes(plan, plan)} == {None}


def test_what_changed_is_told_with_its_sign(plan, other):
    """The doubled order is a bar to the right of its own chips; the objective's fall is no gain."""
    first = plan.purchases[0]
    chart = orders_change(plan, other)
    assert chart.data[0]["x"] == [first.chips]
    assert chart.rows[0][3] == f"+{first.chips:,}"
    lines = {change.what: change for change in changes(plan, other)}
    objective = lines[f"{plan.objective_name} of the plan"]
    assert objective.change.startswith("−" if plan.objective > 0 else "+")
    assert objective.better is (plan.objective < 0)
    served = lines[f"{plan.services[0].name} served"]
    assert (served.after, served.better) == ("0.0 %", False)
    assert any(value < 0 for value in served_change(plan, other).data[0]["y"])
    assert sum(sum(bar["y"]) for bar in spending_change(plan, other).data) > 0


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_no_point_beats_one_on_the_front_and_every_other_is_beaten(points, more_x, more_y):
    """The front is exactly the points that are not dominated."""
    kept = front(points, more_x=more_x, more_y=more_y)
    assert kept

    def beats(one, two):
        x = one[0] >= two[0] if more_x else one[0] <= two[0]
        y = one[1] >= two[1] if more_y else one[1] <= two[1]
        return x and y and one != two

    for at, point in enumerate(points):
        assert (at in kept) is not any(beats(other, point) for other in points)


def test_a_front_is_drawn_of_plans_one_can_click_on(plan, other):
    """Each plan is a point in the order it was given; the chosen one is larger."""
    by_name = {measure.name: measure for measure in measures(plan)}
    chart = front_chart([("in hand", plan), ("doubled", other)], by_name["spent"], by_name["objective"], chosen=1)
    assert chart.data[1]["text"] == ["in hand", "doubled"]
    assert chart.data[1]["marker"]["size"] == [11, 15]
    assert [row[0] for row in chart.rows] == ["in hand", "doubled"]
    assert chart.rows[0][3] == "yes"
