"""The extensive form, the decomposition and the deterministic plan agree, on any workers, after any kill."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest_futures import futures_of, random_instance

from outlay.errors import InfeasibleError, InputError, SolverError
from outlay.planning.futures import extensive
from outlay.planning.futures.audit import audit
from outlay.planning.futures.benders import Benders
from outlay.planning.futures.checkpoint import Checkpoint
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import certain
from outlay.planning.futures.explain import relaxed
from outlay.planning.futures.program import solve
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.risk import Risk
from outlay.planning.futures.solve import Settings, deployments, evaluate, optimise
from outlay.planning.futures.told import decided
from outlay.planning.futures.workers import Alone, Job, Kept, Local
from outlay.planning.instance import Instance
from outlay.planning.solve import optimise as optimise_one

GAP = 1e-3


@pytest.mark.parametrize("seed", range(50))
def test_decomposition_and_extensive_form_agree(seed: int) -> None:
    """On random instances with every kind of limit both ways agree within the gap, and the audit passes."""
    draw = np.random.default_rng(seed)
    plan = random_instance(draw, training=seed % 3 == 0)
    ensemble = futures_of(plan, int(draw.integers(2, 9)), draw, tree=seed % 2 == 0)
    risk = Risk(0.4, 0.8) if seed % 5 == 0 else Risk()
    whole = optimise(plan, ensemble, Settings(gap=1e-6, risk=risk, method="extensive"))
    parts = optimise(plan, ensemble, Settings(gap=GAP, risk=risk, method="benders"))
    slack = 2e-6 * max(1.0, abs(whole.objective))
    assert parts.objective <= whole.objective + slack
    assert parts.bound >= whole.objective - slack
    assert parts.gap <= GAP + 1e-9
    assert whole.objective - parts.objective <= (GAP + 1e-6) * max(0.1, abs(parts.objective))
    for solved in (whole, parts):
        done, _, recourse = deployments(solved.decisions, solved.x)
        pools = {k: int(pool) for k, pool in enumerate(recourse.pool)}
        found = audit(plan, ensemble, decided(solved), done, pools)
        assert found.ok, [check for check in found.checks if not check.ok]


def test_most_random_instances_close_the_gap() -> None:
    """Without training runs the decomposition proves the gap it was asked for nearly always, with the rest told."""
    proven = 0
    for seed in range(12):
        draw = np.random.default_rng(1000 + seed)
        plan = random_instance(draw, training=False)
        ensemble = futures_of(plan, 6, draw, tree=True)
        found = optimise(plan, ensemble, Settings(gap=0.02, method="benders"))
        proven += found.gap <= 0.02
    assert proven >= 10


@pytest.mark.parametrize("seed", range(6))
def test_one_future_is_the_plan_without_futures(seed: int) -> None:
    """With one future, as known, both models are the same, training runs included."""
    plan = random_instance(np.random.default_rng(seed), training=True)
    one = optimise_one(plan, gap=1e-7, time_limit_s=30)
    assert one is not None
    found = optimise(plan, certain(plan), Settings(gap=1e-7, method="extensive"))
    assert found.objective == pytest.approx(one.solution.objective, rel=1e-6, abs=1e-6)


def test_a_rule_that_leaves_a_held_run_no_machines_is_refused() -> None:
    """Nothing may be ordered and a training run is held: no plan, not orders below zero put to the recourse."""
    plan = random_instance(np.random.default_rng(0), training=True)
    decisions = Decisions(plan, certain(plan))
    closed = np.ones(decisions.orders, dtype=bool)
    with pytest.raises(InfeasibleError, match="cannot hold together"):
        relaxed(decisions, Risk(), closed=closed, held={decisions.orders: 1.0})


def test_pooling_machines_changes_nothing() -> None:
    """A workload does not see which site of its region serves it: pooled and unpooled recourse are equal."""
    draw = np.random.default_rng(3)
    plan = random_instance(draw, training=True)
    rates = {k: 1000.0 + 100 * (k // 2) for k in range(len(plan.options))}
    plan = replace(plan, services=tuple(replace(service, rates=rates) for service in plan.services))
    ensemble = replace(futures_of(plan, 4, draw, tree=True), power=certain(plan).power.repeat(4, axis=0))
    decisions = Decisions(plan, ensemble)
    pooled, apart = Recourse(decisions), Recourse(decisions, pooled=False)
    assert pooled.pools < apart.pools
    answers = [solve(extensive.assemble(way, Risk()), relaxed=True).objective for way in (pooled, apart)]
    assert answers[0] == pytest.approx(answers[1], rel=1e-9)


def test_a_limit_missed_by_the_masters_tolerance_is_met_and_by_more_is_refused() -> None:
    """A run at work on five millionths of a machine that nobody ordered is a rounding, on a hundredth an error."""
    plan = random_instance(np.random.default_rng(8), training=True)
    decisions = Decisions(plan, certain(plan))
    none = np.zeros(decisions.orders + decisions.blocks)
    for short, refused in ((5e-6, False), (1e-2, True)):
        point = none.copy()
        point[decisions.orders] = short / plan.blocks[0].units
        if refused:
            with pytest.raises(SolverError, match="was not solved: Infeasible"):
                evaluate(decisions, point)
        else:
            assert evaluate(decisions, point) == pytest.approx(evaluate(decisions, none), abs=1e-3)


def test_cuts_are_tight_where_made_and_valid_elsewhere() -> None:
    """A cut equals the recourse at its point and is never below it anywhere else."""
    draw = np.random.default_rng(8)
    plan = random_instance(draw, training=True)
    ensemble = futures_of(plan, 5, draw, tree=True)
    decisions = Decisions(plan, ensemble)
    run = Benders(decisions, Risk(), Alone(Job(decisions, [], Risk(), np.zeros(0))), gap=GAP)
    team = Alone(Job(decisions, run.chunks, Risk(), run.offset))
    count = decisions.orders + decisions.blocks
    points = [np.zeros(count), draw.integers(0, 3, count).astype(float), draw.integers(0, 2, count).astype(float)]
    points = [np.minimum(point, decisions.program.upper[:count]) for point in points]
    for point in points:
        point[decisions.orders :] = 0.0
    cuts = [team.map([(0, c, points[1], 0.0) for c in range(len(run.chunks))])]
    constant = np.concatenate([part.constant for part in cuts[0]])
    slope = np.vstack([part.slope for part in cuts[0]])
    for i, point in enumerate(points):
        true = ensemble.probability * evaluate(decisions, point)
        model = constant + slope @ point
        assert (model >= true - 1e-7).all()
        if i == 1:
            assert model == pytest.approx(true, abs=1e-7)


def job_of(plan: Instance, folder: Path | None = None) -> tuple[Benders, Job]:
    """Return a run over a few futures and its job."""
    ensemble = futures_of(plan, 12, np.random.default_rng(5), tree=False)
    decisions = Decisions(plan, ensemble)
    risk = Risk(0.3, 0.9)
    run = Benders(decisions, risk, Alone(Job(decisions, [], risk, np.zeros(0))), gap=GAP)
    return run, Job(decisions, run.chunks, risk, run.offset, folder)


def test_same_plan_on_any_number_of_workers_and_after_one_is_killed() -> None:
    """One process, two, and two of which one is killed in mid-run give the same plan to the last bit."""
    plan = random_instance(np.random.default_rng(21), training=False)
    run, job = job_of(plan)
    run.team = Alone(job)
    alone = run.solve()
    for kill in (False, True):
        run, job = job_of(plan)
        with Local(job, 2) as team:
            if kill:
                ask = team.map

                def once(tasks: list[object], ask: object = ask, team: Local = team) -> object:
                    if tasks[0][0] == 2:  # type: ignore[index]
                        os.kill(team.pids[0], signal.SIGKILL)
                    return ask(tasks)  # type: ignore[operator]

                team.map = once  # type: ignore[method-assign,assignment]
            run.team = team
            together = run.solve()
            assert team.retries <= 1
        assert np.array_equal(alone.x, together.x)
        assert (alone.objective, alone.bound) == (together.objective, together.bound)


class StopsError(Exception):
    """Stands for the driver being killed."""


def test_a_resumed_run_repeats_no_answer(tmp_path: Path) -> None:
    """A run cut off in mid-round and resumed solves only what was not answered, and ends with the same plan."""
    plan = random_instance(np.random.default_rng(21), training=False)
    run, job = job_of(plan)
    run.team = Alone(job)
    whole = run.solve()

    class Counting(Alone):
        asked = 0
        limit = 10**9

        def map(self, tasks):  # type: ignore[no-untyped-def]
            found = []
            for task in tasks:
                if type(self).asked >= type(self).limit:
                    raise StopsError
                type(self).asked += 1
                found.append(self.bench.answer(task))
            return found

    folder = tmp_path / "run"
    run, job = job_of(plan, folder)
    Counting.limit = 19
    run.team = Kept(Counting(job), Checkpoint(folder, job, resume=False, name="x"))
    with pytest.raises(StopsError):
        run.solve()
    first = Counting.asked
    run, job = job_of(plan, folder)
    Counting.limit = 10**9
    kept = Checkpoint(folder, job, resume=True, name="x")
    run.team = Kept(Counting(job), kept)
    resumed = run.solve()
    assert np.array_equal(whole.x, resumed.x)
    assert kept.reused == first == 19
    total = whole.rounds * len(run.chunks)
    assert Counting.asked == total


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    """Another scenario, a run not asked to be resumed, and a resume of nothing are told apart."""
    plan = random_instance(np.random.default_rng(21), training=False)
    other = random_instance(np.random.default_rng(22), training=False)
    _, job = job_of(plan)
    _, wrong = job_of(other)
    with pytest.raises(InputError, match="holds no run to resume"):
        Checkpoint(tmp_path / "none", job, resume=True)
    Checkpoint(tmp_path / "run", job, resume=False, name="first")
    with pytest.raises(InputError, match="holds a run already; go on with --resume"):
        Checkpoint(tmp_path / "run", job, resume=False)
    with pytest.raises(InputError, match="holds a run of scenario 'first' with other data or settings"):
        Checkpoint(tmp_path / "run", wrong, resume=True, name="second")
    assert Checkpoint(tmp_path / "run", job, resume=True).reused == 0
