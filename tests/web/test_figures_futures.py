"""Figures of the view of futures say what the plan says, and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import outlay
from outlay.planning.futures.events import courses
from outlay.planning.futures.stress import EventEffect, Mend, Stress
from outlay.scenario.load import bundled_text
from outlay.web.page import figures_futures, figures_outcomes, tables_futures
from outlay.web.page.finished import finished_futures
from outlay.web.page.texts import LANGUAGES, say

NAME = "gulf-sovereign-2025"


def english(key, **values):
    """Return a text in English."""
    return say(key, "en", **values)


@pytest.fixture(scope="module")
def plan():
    """The packaged plan over the futures of a bundled scenario."""
    return finished_futures(bundled_text(NAME))


@pytest.fixture(scope="module")
def outcomes(plan):
    """Its courses of events."""
    return figures_futures.outcomes_of_plan(plan)


def test_courses_of_a_plan_keep_probability_and_value(plan, outcomes):
    """Draws of one course are joined by their probabilities; nothing is lost."""
    assert sum(one.probability for one in outcomes) == pytest.approx(1)
    assert sum(one.probability * one.value for one in outcomes) == pytest.approx(plan.expected)
    assert min(one.low for one in outcomes) == pytest.approx(plan.worst)
    assert len(outcomes) == plan.courses


def test_courses_of_a_scenario_are_those_that_are_planned_over():
    """Before a plan is made the tree shows the same courses with the same odds."""
    scenario = outlay.load(NAME)
    found = figures_futures.outcomes_of_scenario(scenario)
    expected = sorted(course.probability for course in courses(scenario, scenario.futures))
    assert sorted(one.probability for one in found) == pytest.approx(expected)
    assert all(one.value is None for one in found)


@pytest.mark.slow
def test_packaged_plan_is_what_the_planner_finds(hedged):
    """A packaged plan over futures is as good as one made now, within what is proven; `make plans` renews it."""
    packaged = finished_futures(bundled_text("us-lab-2025"))
    now = hedged("us-lab-2025").plan
    assert [future.happenings for future in packaged.futures] == [future.happenings for future in now.futures]
    assert packaged.objective == pytest.approx(now.objective, rel=packaged.gap + now.gap)


def _lines(chart):
    return [trace for trace in chart.data if trace["mode"] == "lines"]


def test_tree_ends_in_a_leaf_for_each_course_and_no_branches_cross(plan, outcomes):
    """Every course has its end; at each quarter the branches stand in the order of their ends."""
    chart = figures_futures.tree(outcomes, plan.quarters, plan.currency, english)
    (ends,) = [trace for trace in chart.data if trace["mode"] == "markers+text"]
    assert len(ends["y"]) == len(outcomes)
    assert ends["y"] == sorted(ends["y"])
    assert sum(row[1] for row in chart.values) == pytest.approx(1)
    last = [line["y"][-1] for line in _lines(chart) if line["x"][-1] == len(plan.quarters)]
    assert sorted(last) == pytest.approx(ends["y"])


def test_tree_branches_are_as_wide_as_they_are_likely(plan, outcomes):
    """The trunk carries everything, and parts carry what they split."""
    chart = figures_futures.tree(outcomes, plan.quarters, plan.currency, english)
    trunk, *others = _lines(chart)
    assert trunk["line"]["width"] == pytest.approx(figures_futures.WIDEST_PX)
    first = [line for line in others if line["x"][0] == trunk["x"][-1]]
    narrowest = figures_futures.NARROWEST_PX
    spread = figures_futures.WIDEST_PX - narrowest
    assert sum((line["line"]["width"] - narrowest) / spread for line in first) == pytest.approx(1)


def test_tree_names_every_event_in_its_key(plan, outcomes):
    """A letter on a branch is explained."""
    chart = figures_futures.tree(outcomes, plan.quarters, plan.currency, english)
    keys = [trace["name"] for trace in chart.data if "name" in trace]
    names = {name for one in outcomes for _, name in one.events}
    assert len(keys) == len(names)
    assert all(any(name in key for key in keys) for name in names)


def test_course_without_events_is_one_straight_line():
    """Where nothing may happen there is one branch."""
    chart = figures_futures.tree([figures_futures.Outcome(1.0, ())], ["2026Q1", "2026Q2"], "USD", english)
    assert len(_lines(chart)) == 1
    assert chart.rows == [["nothing happens", "100.0 %", "–", "–"]]


@given(
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0.01, 1.0)), min_size=1, max_size=30),
    st.floats(0.0, 1.0),
)
def test_weighted_quantile_has_its_share_below(pairs, level):
    """Of the weight at least the level lies at or below the quantile, and less than it below."""
    values, weights = map(list, zip(*pairs, strict=True))
    (found,) = figures_outcomes.weighted_quantiles(values, weights, [level])
    total = sum(weights)
    assert sum(w for v, w in pairs if v <= found) >= level * total - 1e-9 * total
    assert sum(w for v, w in pairs if v < found) <= level * total + 1e-9 * total


def test_fan_opens_in_order(plan):
    """A lower quantile never lies above a higher one."""
    chart = figures_outcomes.fan(plan, english)
    for row in chart.values:
        assert row[1:] == sorted(row[1:])
        assert 0 <= row[1] <= row[-1] <= 1


def test_values_rise_to_the_whole_probability(plan):
    """The worst future stands first, and all the probability is there at the end."""
    chart = figures_outcomes.distribution(plan, english)
    line = chart.data[0]
    assert line["x"][-1] == pytest.approx(100)
    assert list(line["y"]) == sorted(line["y"])
    assert chart.values[0][2] == pytest.approx(plan.worst)


def test_regret_shows_every_simple_plan(plan):
    """Each plan has its two bars, and the table the same numbers."""
    chart = figures_outcomes.regret(plan, english)
    assert [row[0] for row in chart.values] == [one.name for one in plan.simple]
    assert [row[1] for row in chart.values] == [one.mean_regret for one in plan.simple]


def test_what_to_do_now_is_what_the_plan_orders_now(plan):
    """A system that is ordered now says how much; one that is not waits or is left."""
    page = tables_futures.now_or_wait(plan, english)
    ordered = {}
    for order in plan.orders:
        if order.now:
            ordered[order.system] = ordered.get(order.system, 0) + order.units
    said = {row[1].text: (row[0].text, row[2].sort) for row in page.rows}
    for system, (deed, units) in said.items():
        assert (units or 0) == ordered.get(system, 0)
        assert deed.startswith("order now") == (system in ordered)
    assert set(ordered) <= set(said)


def test_orders_knowing_and_events_have_a_row_each(plan):
    """Tables hold every record."""
    scenario = outlay.load(NAME)
    assert len(tables_futures.orders(plan, english).rows) == len(plan.orders)
    assert len(tables_futures.knowing(plan, english).rows) == len(plan.knowing)
    assert len(tables_futures.events(scenario, english).rows) == len(scenario.futures.events)


STRESS = Stress(
    scenario="s", currency="USD", futures=100, as_known=2e9, mean=1e9, quantiles={"5%": -1e9, "50%": 1.5e9, "95%": 2e9},
    worst_tenth=-1e9, broken=0.25, served=0.8, seed=1,
    events=[EventEffect("power is late <b>", 0.5, -1e8, 1.9e9, 0.5, 0.0)],
    mends=[Mend("buy a rack", 3e6, 1e6, "one more")],
    worst=[],
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_stress_is_drawn_with_its_numbers(language):
    """Quantiles and events stand as the stress test found them; a name with markup stays a name."""

    def said(key, **values):
        return say(key, language, **values)

    quantiles, events = figures_outcomes.quantiles(STRESS, said), figures_outcomes.events(STRESS, said)
    assert [value for _, value in quantiles.values] == list(STRESS.quantiles.values())
    assert np.isclose(events.values[0][2], -1e8)
    assert "<b>" not in events.data[1]["y"][0].replace("<br>", "")
    assert tables_futures.mends(STRESS, said).rows[0][3].sort == 3.0
