"""The bundled scenarios have futures that hold together, and the back-test says what happened."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import outlay
from outlay.planning.futures.backtest import BackTest, backtest
from outlay.planning.futures.events import courses
from outlay.planning.futures.plan import Hedged, plan_futures
from outlay.planning.futures.solve import Settings, deployments
from outlay.report.backtest import chart
from outlay.scenario.load import bundled


@pytest.mark.parametrize("name", bundled())
def test_bundled_scenarios_have_sourced_futures(name: str) -> None:
    """Courses sum to one; every event, drift and answer says where it is from, or why it is assumed."""
    scenario = outlay.load(name)
    assert scenario.futures is not None
    found = courses(scenario, scenario.futures)
    assert sum(course.probability for course in found) == pytest.approx(1.0)
    futures = scenario.futures
    answers = [futures.reserve, futures.cancel, futures.resell, futures.move]
    assert any(answers)
    for block in [*futures.events, *futures.drifts, *(answer for answer in answers if answer)]:
        assert block.evidence, block
        assert all(e.reason or e.address or e.date for e in block.evidence.values()), block


def test_a_bundled_scenario_plans_over_its_futures() -> None:
    """A few futures of the laboratory: proven, audited in each, nothing ordered that is known to be closed."""
    hedged = plan_futures(outlay.load("us-lab-2025"), Settings(gap=0.01), draws=1, branches=4, explain=False)
    assert hedged.plan.audit.ok
    assert hedged.plan.gap <= 0.01
    ensemble, at = hedged.made.ensemble, hedged.solved.decisions.columns
    placed = np.flatnonzero(hedged.solved.x[: len(at)] > 0)
    for j in placed:
        here = np.flatnonzero(ensemble.node[:, at.quarter[j]] == at.node[j])
        assert (ensemble.share[here, at.option[j], at.quarter[j]] > 0).any()


@pytest.fixture(scope="module")
def rolled() -> BackTest:
    """Return the back-test of the case that started it."""
    return backtest(outlay.load("bytedance-2025"))


def test_foresight_is_never_beaten(rolled: BackTest) -> None:
    """Knowing everything is at least as good as any other way to plan, up to rounding down to whole units."""
    gain = {outcome.name: outcome.gain for outcome in rolled.outcomes}
    assert list(gain) == ["reported", "blind", "outlay", "foresight"]
    assert max(gain.values()) <= gain["foresight"] + 0.002 * abs(gain["foresight"])
    assert gain["reported"] < gain["outlay"]


def test_what_struck_is_what_the_rules_say(rolled: BackTest) -> None:
    """The letter of 9 April 2025 leaves the H20 nine days of the quarter; the summer brings none."""
    assert any("2025Q2: H20 96GB let in for 1" in words for words in rolled.struck)
    for outcome in rolled.outcomes:
        for step in outcome.steps:
            assert 0 <= step.delivered <= step.ordered * (1 + 1e-9)
    early = next(outcome for outcome in rolled.outcomes if outcome.name == "reported").steps[0]
    assert early.delivered / early.ordered < 0.5


def test_budgets_hold_with_what_comes_back(rolled: BackTest) -> None:
    """Nobody orders more than the 40 bn yuan and what was refunded."""
    limit = 40e9 / 7.0
    for outcome in rolled.outcomes:
        ordered = sum(step.ordered for step in outcome.steps)
        refunded = sum(0.9 * (step.ordered - step.delivered) for step in outcome.steps)
        assert ordered - refunded <= limit


def test_the_chart_names_every_way_to_plan(rolled: BackTest) -> None:
    """The picture holds each way to plan with its gain."""
    drawn = chart(rolled)
    for outcome in rolled.outcomes:
        assert f">{outcome.name}</text>" in drawn
    assert drawn.count("<rect") > 2 * len(rolled.outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled())
def test_every_bundled_scenario_is_planned_and_explained(name: str) -> None:
    """A few branches from the command line: a clean exit, an audit that holds, nothing lacking in any future."""
    command = [sys.executable, "-m", "outlay.cli.main", "plan", name, "--futures", "--json"]
    done = subprocess.run([*command, "--branches", "2", "--draws", "2"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["audit"]["ok"]
    assert len(told["futures"]) == 4
    assert not any(future["lacks"] for future in told["futures"])
    assert {"ours", "mean future"} <= {plan["name"] for plan in told["simple"]}
    for plan in told["simple"]:
        assert not any(repr(plan["name"]) in note for note in told["notes"])


def test_musts_hold_in_rare_futures(hedged: Callable[[str], Hedged]) -> None:
    """A run that must be done loses no machines to a service that pays well, though some orders turn dearer."""
    found = hedged("us-lab-2025")
    assert [future.lacks for future in found.plan.futures] == [[]] * len(found.plan.futures)
    done, _, recourse = deployments(found.solved.decisions, found.solved.x)
    assert max((units for one in done for units in one.missing.values()), default=0.0) <= 1e-6
    assert recourse.elastic * found.made.ensemble.probability.min() >= 1.0
