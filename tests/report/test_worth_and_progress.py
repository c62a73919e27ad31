"""What limits are worth, as bars; and a search that closes in, as it is told event by event."""

from dataclasses import replace

import pytest

from outlay.report.progress import MOST_POINTS, progress_chart
from outlay.report.worth import limits_chart


def test_each_limit_is_a_bar_of_its_worth_over_a_step_one_can_picture(plan):
    """Supply counts by 100 chips, power by the MW; what costs goes to the left and is hatched."""
    supply = replace(plan.limits[0], name="supply of X", family="supply", dual=0.002, unit="chip")
    share = replace(plan.limits[0], name="share of Y", family="sourcing", dual=-3.0, unit="percentage point")
    bars = limits_chart(replace(plan, limits=[supply, share], objective_name="value")).data[0]
    assert bars["x"] == pytest.approx([200_000.0, -3_000_000.0])
    assert bars["y"] == ["supply of X, 100 chips", "share of Y, 1 point"]
    assert bars["marker"]["pattern"]["shape"] == ["", "/"]
    assert limits_chart(replace(plan, limits=[])) is None


def _standing(seconds, incumbent, bound):
    gap = None if incumbent is None else abs(bound - incumbent) / abs(incumbent)
    return {"seconds": seconds, "incumbent": incumbent, "bound": bound, "gap": gap}


def test_a_search_without_a_plan_says_so_and_one_with_says_how_near_it_is():
    """The words below the figure follow the last standing."""
    assert progress_chart([_standing(0.2, None, 9.0)], "USD").alt == "No plan is found yet."
    chart = progress_chart([_standing(0.2, None, 9.0), _standing(0.5, 8.0, 9.0), _standing(0.9, 8.8, 8.8)], "USD")
    assert chart.alt == "The plan found is within 0.00 % of the best."
    assert chart.data[1]["y"] == [None, 8.0, 8.8]
    assert chart.data[2]["y"] == [None, 12.5, None]  # a gap of zero has no place on a logarithmic axis


def test_searches_that_follow_each_other_stand_one_after_the_other():
    """A second search begins its clock anew; the figure does not go back in time."""
    chart = progress_chart([_standing(1.0, 1.0, 2.0), _standing(3.0, 1.0, 2.0), _standing(0.5, 1.5, 1.6)], "USD")
    assert chart.data[0]["x"] == [1.0, 3.0, 3.5]


def test_what_lies_between_plan_and_bound_is_an_area_for_each_search():
    """A plan holds until a better one, the bound falls evenly; nothing is filled across the break between two steps."""
    first, second = _standing(1.0, 1.0, 4.0) | {"step": "a"}, _standing(3.0, 2.0, 3.0) | {"step": "a"}
    area = progress_chart([first, second, _standing(4.0, 2.5, 2.6) | {"step": "b"}], "USD").data[-1]
    assert area["x"] == [1.0, 3.0, 3.0, 3.0, 1.0, None, 4.0, 4.0, None]
    assert area["y"] == [1.0, 1.0, 2.0, 3.0, 4.0, None, 2.5, 2.6, None]


@pytest.mark.parametrize("count", [1, MOST_POINTS, MOST_POINTS + 1, 5 * MOST_POINTS + 3])
def test_a_long_search_is_thinned_and_keeps_its_end(count):
    """However long it takes, the browser gets a bounded figure that ends where the search is."""
    chart = progress_chart([_standing(float(at), 1.0, 2.0) for at in range(count)], "USD")
    assert len(chart.data[0]["x"]) <= 2 * MOST_POINTS
    assert chart.data[0]["x"][-1] == count - 1
