"""Explanations: prices hold as far as told, limits name their source, ties go to the least change."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_model import instance as small_instance

import outlay
from outlay.errors import InputError
from outlay.planning.conflict import explain
from outlay.planning.instance import Instance
from outlay.planning.least_change import InForce, changed_chips, in_force
from outlay.planning.linear import LinearModel, solve
from outlay.planning.ranging import price_ranges
from outlay.planning.result import Plan
from outlay.planning.solve import optimise
from outlay.planning.sources import rules_that_close, source_of

FILE = Path(__file__).parent / "futures" / "small.yaml"
SMALL = small_instance()
SMALL_OPTION = SMALL.options[0]


def programme(draw: np.random.Generator) -> LinearModel:
    """Return a random linear programme: five columns, four limits with room to spare or not."""
    model = LinearModel()
    for c in range(5):
        model.add_column("x", (c,), cost=float(draw.uniform(1, 5)), upper=float(draw.uniform(2, 10)))
    for r in range(4):
        terms = [(c, float(draw.uniform(0.2, 3))) for c in range(5) if draw.random() < 0.7]
        model.add_row("limit", f"limit {r}", (r,), terms, upper=float(draw.uniform(4, 20)))
    return model


def value_at(model: LinearModel, group: list[int], step: float) -> float:
    """Solve with the bounds of some rows moved together."""
    lower = np.array([row.lower for row in model.rows])
    upper = np.array([row.upper for row in model.rows])
    upper[group] += step
    return solve(model, maximise=True, row_bounds=(lower, upper)).objective


@given(st.integers(0, 10_000), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_prices_hold_as_far_as_told_and_no_further(seed: int, size: int) -> None:
    """Within the range the objective moves by the price; beyond it by less for more, and by more for less."""
    draw = np.random.default_rng(seed)
    model = programme(draw)
    best = solve(model, maximise=True)
    group = [int(i) for i in draw.choice(4, size, replace=False) if abs(best.duals[int(i)]) > 1e-9]
    if not group:
        return
    price = float(sum(best.duals[i] for i in group))
    less, more = price_ranges(model, maximise=True, fixed={}, groups=[group])[0]
    for step in (-0.9 * less, 0.9 * min(more, 100.0)):
        assert value_at(model, group, step) == pytest.approx(best.objective + price * step, abs=1e-6)
    room = min(model.rows[i].upper for i in group)
    if less + 0.5 < room:
        assert value_at(model, group, -less - 0.5) < best.objective - price * (less + 0.5) + 1e-9
    if np.isfinite(more):
        assert value_at(model, group, more + 1.0) < best.objective + price * (more + 1.0) + 1e-9


def test_each_limit_says_how_far_its_price_holds_and_what_sets_it(planned: Callable[[str], Plan]) -> None:
    """On the bundled laboratory: a range in words and numbers, and the block of the scenario with its witness."""
    found = planned("us-lab-2025")
    assert found.limits
    for limit in found.limits:
        assert limit.less is None or limit.less >= 0
        assert "; so from " in limit.words or "changes at once" in limit.words
        assert limit.source
    api = next(limit for limit in found.limits if limit.family == "demand")
    assert api.source.startswith("services api: demand, ")


def test_limits_name_what_sets_them() -> None:
    """A figure set by hand says so; supply and budgets name their block; rules are counted by what they close."""
    from outlay.scenario.what_if import what_if

    changed, _ = what_if(outlay.load("us-lab-2025"), (), ("Abilene.power=1 MW",))
    assert source_of(changed, "power", "power at Abilene").startswith("sites Abilene: power, assumed, set by --claim")
    assert source_of(changed, "budget", "budget machines").startswith("budgets machines: amount, ")
    assert source_of(changed, "capacity", "machines in service") == ""
    closed = replace(SMALL_OPTION, legal=(False, False), rules=(("a", "b"), ("b",)))
    assert rules_that_close(replace(SMALL, options=(closed,))) == "b, a"


def test_a_conflict_names_its_sources(built: Callable[[str], Instance]) -> None:
    """What cannot hold together is told with what sets it."""
    scenario = outlay.load("us-lab-2025")
    instance = built("us-lab-2025")
    poor = replace(instance, budgets=tuple(replace(budget, limit=1.0) for budget in instance.budgets))
    sites = tuple(replace(site, power=(1e3,) * len(site.power)) for site in instance.sites)
    found = explain(replace(poor, sites=sites), scenario)
    assert found.limits
    assert all("(" in limit or limit.startswith("the export") for limit in found.limits)
    assert any("(sites " in limit or "(budgets " in limit or "(services " in limit for limit in found.limits)


def test_ties_go_to_the_least_change(built: Callable[[str], Instance]) -> None:
    """Against a plan in force that is within the gap, nothing changes; a worse gap never means more change."""
    instance = built("us-lab-2025")
    first = optimise(instance, gap=0.02, time_limit_s=60)
    assert first is not None
    chips = sum(units * instance.options[k].chips for (k, _, _), units in first.orders.items())
    before = InForce(first.orders, frozenset(first.blocks), chips, ())
    again = optimise(instance, gap=0.02, time_limit_s=60, before=before)
    assert again is not None
    assert changed_chips(instance, again.orders, before) == 0
    (k, t, b), units = max(first.orders.items(), key=lambda item: item[1])
    other = replace(before, orders={**first.orders, (k, t, b): units + 1})
    near = optimise(instance, gap=0.02, time_limit_s=60, before=other)
    assert near is not None
    assert changed_chips(instance, near.orders, other) <= instance.options[k].chips
    assert near.solution.gap <= 0.02 + 1e-6


def test_the_command_goes_on_from_a_plan(tmp_path: Path) -> None:
    """`--from` keeps the orders where they are as good, and says so; the plan of another scenario is refused."""
    command = [sys.executable, "-m", "outlay.cli.main", "plan", str(FILE)]
    first = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    held = tmp_path / "held.json"
    held.write_text(first.stdout, encoding="utf-8")
    again = subprocess.run([*command, "--from", str(held), "--json"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert told["purchases"]
    assert told["purchases"] == json.loads(first.stdout)["purchases"]
    assert "changes least from the plan in force: 0 chips" in told["notes"][0]
    both = subprocess.run([*command, "--from", str(held), "--futures"], capture_output=True, text=True, check=False)
    assert both.returncode == 2
    assert "neither --futures nor --front" in both.stderr


def test_the_plan_of_another_scenario_is_not_in_force(
    planned: Callable[[str], Plan], built: Callable[[str], Instance]
) -> None:
    """Named, with the scenario it is of."""
    instance = built("us-lab-2025")
    other = replace(planned("texas-wisconsin-2025"), purchases=[])
    with pytest.raises(InputError, match="of scenario 'texas-wisconsin-2025', not of 'us-lab-2025'"):
        in_force(other, instance, "us-lab-2025")
