"""Fronts of two goals: exact ends, nothing beaten, the whole front of a small case known by enumeration."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tests.planning import options

import outlay
from outlay.errors import InputError
from outlay.planning.instance import Budget, Instance, Option, Service, Site
from outlay.planning.pareto import Front, Search, front, named
from outlay.planning.solve import optimise
from outlay.report.front import of_record
from outlay.units import Quarter

QUARTERS = (Quarter(2025, 1), Quarter(2025, 2))


def option(system: str, price: float, watts: float) -> Option:
    """Return one that is legal in the first quarter alone."""
    return options.option(system, price, 2, watts=watts, legal=(True, False))


@pytest.fixture(scope="module")
def small() -> Instance:
    """Two systems of one speed, one cheap and hungry, one dear and thrifty, for 4 units of work."""
    worth = 4e6 / (1e3 * 91 * 86400)
    return Instance(
        quarters=QUARTERS,
        currency="USD",
        rate={"USD": 1.0},
        discount=0.0,
        salvage_per_year=0.0,
        reserve_value=1.0,
        objective="value",
        options=(option("Cheap", 1e6, 2e4), option("Thrifty", 2e6, 1e4)),
        sites=(Site("Here", "US", 1.0, (1e9, 1e9)),),
        budgets=(Budget("money", 1e9, "USD", 0.0, frozenset({(0, 0), (1, 0)})),),
        supply=(),
        sourcing=(),
        runs=(),
        blocks=(),
        services=(Service("chat", (0.0, 4e3), 1.0, worth, 0.0, {0: 1e3, 1: 1e3}),),
    )


def test_the_front_is_that_of_all_plans(small: Instance) -> None:
    """Every plan of 0 to 5 units each, by hand: the search finds the points of their front, and no others."""
    hours = sum(q.days for q in QUARTERS) * 24
    every = [
        (4.0 * min(4, a + b) - a - 2 * b, (2e4 * a + 1e4 * b) / 1e6 * hours) for a, b in product(range(6), range(6))
    ]
    best = {
        (round(v, 6), round(e, 6))
        for v, e in every
        if not any((w >= v and f <= e) and (w > v or f < e) for w, f in every)
    }
    found = Search(small, named("USD", "value", "energy"), gap=0.0, time_limit_s=60).walk(40)
    assert {(round(v, 6), round(e, 6)) for v, e in (point.reached for point in found)} == best
    assert found[0].reached == pytest.approx((12.0, 8e4 / 1e6 * hours))
    assert found[-1].reached == pytest.approx((0.0, 0.0))


def test_the_order_of_goals_only_turns_the_front_round(small: Instance) -> None:
    """The front of energy against value has the ends of value against energy."""
    one = Search(small, named("USD", "value", "energy"), gap=0.0, time_limit_s=60).walk(9)
    other = Search(small, named("USD", "energy", "value"), gap=0.0, time_limit_s=60).walk(9)
    assert one[0].reached == pytest.approx(other[-1].reached[::-1])
    assert one[-1].reached == pytest.approx(other[0].reached[::-1])


@pytest.fixture(scope="module")
def lab() -> Front:
    """Cost against energy of the bundled laboratory."""
    return front(outlay.load("us-lab-2025"), "cost", "energy", points=4)


def test_points_trade_one_goal_for_the_other(lab: Front) -> None:
    """From the cheapest to the thriftiest, every step saves energy for money; every plan passes its audit."""
    first = [point.first for point in lab.points]
    second = [point.second for point in lab.points]
    assert first == sorted(first)
    assert second == sorted(second, reverse=True)
    assert len(lab.points) == 4
    assert all(point.plan.audit.ok for point in lab.points)
    assert max(point.gap for point in lab.points) <= 0.01


def test_the_end_is_the_plan_of_that_goal_alone(lab: Front, built: Callable[[str], Instance]) -> None:
    """The cheapest point costs what the plan of least cost does, within the gaps of both."""
    alone = optimise(built("us-lab-2025"), gap=0.005, time_limit_s=60)
    assert alone is not None
    assert lab.points[0].first == pytest.approx(alone.solution.objective * 1e6, rel=0.01)
    assert np.isclose(lab.points[0].plan.objective, lab.points[0].first)


def test_goals_that_are_none_are_refused() -> None:
    """An unknown goal names the nearest; a goal against itself is no front."""
    with pytest.raises(InputError, match="nearest: value"):
        named("USD", "valeu", "cost")
    with pytest.raises(InputError, match="two goals, not 'cost' twice"):
        named("USD", "cost", "cost")
    with pytest.raises(InputError, match="expected 2 to 50"):
        front(outlay.load("us-lab-2025"), "cost", "energy", points=1)


def test_the_command_shows_the_front(tmp_path: Path) -> None:
    """As JSON the points with their orders; on the page the chart with a table; nonsense is refused by name."""
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "outlay.cli.main", "plan", "us-lab-2025", "--front", "cost", "energy"]
    done = subprocess.run(
        [*command, "--points", "2", "--json", "--html", str(page)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [told["first"]["name"], told["second"]["name"]] == ["cost", "energy"]
    assert len(told["points"]) == 2
    assert all(point["audit_ok"] and point["purchases"] for point in told["points"])
    drawn = of_record(told)
    assert drawn.data[0]["x"] == [point["second"] for point in told["points"]]
    text = page.read_text(encoding="utf-8")
    assert 'id="title-front"' in text
    assert "What energy costs in cost" in text
    refused = subprocess.run([*command[:-1], "enrgy"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "nearest: energy" in refused.stderr
