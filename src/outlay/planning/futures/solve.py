"""Picks the way to solve a plan over futures, solves it, and says why it was that way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from outlay.errors import InfeasibleError, InputError
from outlay.planning.futures import extensive
from outlay.planning.futures.audit import Deployment
from outlay.planning.futures.benders import FEW_BLOCKS, Benders, Progress
from outlay.planning.futures.checkpoint import Checkpoint
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Ensemble, Floats
from outlay.planning.futures.program import Answer, Program, solve
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.risk import Risk
from outlay.planning.futures.subproblems import Answers, Subproblems
from outlay.planning.futures.workers import Alone, Cluster, Job, Kept, Local, Team
from outlay.planning.instance import Instance

Method = Literal["auto", "extensive", "benders"]
SMALL_COLUMNS = 25_000
"""Columns up to which all futures at once are the faster way; beyond, simplex on them grows as their number squared."""


@dataclass(frozen=True)
class Settings:
    """How to solve: gap, risk, method, workers, cluster, checkpoint."""

    gap: float = 0.005
    risk: Risk = field(default_factory=Risk)
    method: Method = "auto"
    goal: Literal["value", "regret"] = "value"
    workers: int = 1
    cluster: str | None = None
    checkpoint: Path | None = None
    resume: bool = False
    time_limit_s: float = 600.0
    name: str = ""


@dataclass(frozen=True)
class Solved:
    """Decisions with their proof, and what comes of them.

    Attributes
    ----------
    x
        Orders, then training blocks.
    value
        Of each future, millions.
    """

    decisions: Decisions
    x: Floats
    objective: float
    bound: float
    value: Floats
    method: str
    why: str
    rounds: int = 0
    cuts: int = 0
    retries: int = 0
    reused: int = 0

    @property
    def gap(self) -> float:
        """Relative distance of the objective to the bound."""
        return max(0.0, self.bound - self.objective) / max(1e-9, abs(self.objective))


def optimise(
    instance: Instance,
    ensemble: Ensemble,
    settings: Settings,
    *,
    waiver: float | None = None,
    offset: Floats | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Solved:
    """Return the best plan over the futures, within the gap.

    Raises
    ------
    InputError
        If the objective is not money, or the cluster or checkpoint cannot be used.
    InfeasibleError
        If no orders hold in every future.
    """
    if instance.objective not in {"value", "cost"}:
        msg = (
            f"planning over futures weighs money; objective {instance.objective!r} is none: "
            "use maximise: value or minimise: cost"
        )
        raise InputError(msg)
    decisions = Decisions(instance, ensemble, waiver=waiver)
    recourse = Recourse(decisions)
    columns = sum(len(quarter.cost) for quarter in recourse.quarters) * len(ensemble) + decisions.size
    method = settings.method
    if method == "auto":
        alone = not settings.checkpoint and not settings.cluster and offset is None
        few = decisions.blocks <= FEW_BLOCKS or len(ensemble) == 1
        method = "extensive" if columns <= SMALL_COLUMNS and few and alone else "benders"
    why = (
        f"{len(ensemble)} futures at once are {columns:,} columns, "
        f"{'at most' if columns <= SMALL_COLUMNS else 'more than'} the {SMALL_COLUMNS:,} up to which one "
        f"programme is faster"
    )
    if method == "benders" and columns <= SMALL_COLUMNS:
        why = f"{columns:,} columns in all, but {decisions.blocks:,} training blocks, or workers or regret, want it"
    why = why if settings.method == "auto" else f"asked for; {columns:,} columns in all"
    if method == "extensive":
        return _extensive(decisions, recourse, settings, offset, why)
    return _benders(decisions, settings, offset, why, progress)


def _extensive(decisions: Decisions, recourse: Recourse, settings: Settings, offset: Floats | None, why: str) -> Solved:
    risk = settings.risk
    if offset is not None:
        msg = "regret is planned by decomposition; leave the method to `auto` or `benders`"
        raise InputError(msg)
    found = _in_two_steps(decisions, extensive.assemble(recourse, risk), settings)
    if found.status not in {"optimal", "feasible"}:
        raise infeasible(decisions)
    x = decisions.rounded(found.values[: decisions.size])
    value = evaluate(decisions, x)
    objective = risk.measure(value, decisions.ensemble.probability) + decisions.waived(x)
    return Solved(decisions, x, objective, max(found.bound, objective), value, "extensive form", why)


def _in_two_steps(decisions: Decisions, program: Program, settings: Settings) -> Answer:
    """Solve with divisible units first, the training blocks whole; then whole units with these blocks.

    The first step's bound holds for whole units too and lies close to what the second reaches, as orders run to many
    units. Where that does not prove the gap, all is searched at once, from the plan found.
    """
    gap, limit, started = settings.gap, settings.time_limit_s, time.perf_counter()
    if not decisions.blocks:
        return solve(program, gap=gap, time_limit_s=limit)
    divisible = program.integer.copy()
    divisible[: decisions.size] = False
    divisible[decisions.training] = True
    first = solve(replace(program, integer=divisible), gap=0.7 * gap, time_limit_s=limit)
    if first.status == "infeasible":
        return first
    held = replace(program, lower=program.lower.copy(), upper=program.upper.copy())
    held.lower[decisions.training] = held.upper[decisions.training] = np.rint(first.values[decisions.training])
    second = solve(held, gap=0.2 * gap, time_limit_s=limit)
    if second.status != "infeasible" and first.bound - second.objective <= gap * max(1e-9, abs(second.objective)):
        return replace(second, bound=first.bound)
    left = max(1.0, limit - (time.perf_counter() - started))
    return solve(program, gap=gap, time_limit_s=left, start=None if second.status == "infeasible" else second.values)


def _benders(
    decisions: Decisions, settings: Settings, offset: Floats | None, why: str, progress: Callable[[str], None]
) -> Solved:
    nobody = Alone(Job(decisions, [], settings.risk, np.zeros(0)))
    run = Benders(decisions, settings.risk, nobody, gap=settings.gap, offset=offset, progress=Progress(progress))
    job = Job(decisions, run.chunks, settings.risk, run.offset, settings.checkpoint)
    kept = None
    if settings.checkpoint is not None:
        kept = Checkpoint(settings.checkpoint, job, resume=settings.resume, name=settings.name)
    team: Team = _team(job, settings)
    asked: Team = team if kept is None else Kept(team, kept)
    run.team = asked
    try:
        found = run.solve()
    except InfeasibleError as error:
        raise infeasible(decisions) from error
    finally:
        team.close()
    return Solved(
        decisions,
        found.x,
        found.objective,
        found.bound,
        found.value,
        "Benders decomposition",
        why,
        found.rounds,
        found.cuts,
        team.retries,
        kept.reused if kept else 0,
    )


def _team(job: Job, settings: Settings) -> Team:
    if settings.cluster is not None:
        return Cluster(job, settings.cluster)
    return Local(job, settings.workers) if settings.workers > 1 else Alone(job)


def infeasible(decisions: Decisions) -> InfeasibleError:
    """Say in which future nothing is feasible, and what it lacks: the least that limits must give way there."""
    ensemble = decisions.ensemble
    for n in range(len(ensemble)):
        alone = Decisions(decisions.instance, ensemble.take([n]), waiver=decisions.waiver)
        lacking = shortfalls(alone)
        if lacking:
            happened = (
                ", ".join(ensemble.happenings[n]) if ensemble.happenings and ensemble.happenings[n] else "nothing"
            )
            msg = f"nothing is feasible in future {ensemble.names[n]} ({happened} happens)"
            return InfeasibleError(msg, lacking, [f"relax {text}" for text in lacking])
    msg = "each future alone has a plan, but the orders placed before they are told apart suit no plan in all"
    return InfeasibleError(msg)


def shortfalls(decisions: Decisions) -> list[str]:
    """Return by how much limits of a first stage must give way for a plan to exist; nothing where one does."""
    first = decisions.program
    rows, width = len(first.row_lower), len(first.cost)
    row, column, value = first.matrix
    index = np.arange(rows)
    scale = np.array(
        [
            max(1.0, abs(b) if np.isfinite(b) else 0.0, abs(a) if np.isfinite(a) else 0.0)
            for a, b in zip(first.row_lower, first.row_upper, strict=True)
        ]
    )
    elastic = replace(
        first,
        cost=np.concatenate([np.zeros(width), -1.0 / scale, -1.0 / scale]),
        lower=np.concatenate([first.lower, np.zeros(2 * rows)]),
        upper=np.concatenate([first.upper, np.full(2 * rows, np.inf)]),
        integer=np.zeros(width + 2 * rows, dtype=bool),
        matrix=(
            np.concatenate([row, index, index]),
            np.concatenate([column, width + index, width + rows + index]),
            np.concatenate([value, np.ones(rows), -np.ones(rows)]),
        ),
    )
    found = solve(elastic, relaxed=True)
    if found.objective > -1e-7:
        return []
    missing = found.values[width : width + rows] + found.values[width + rows :]
    return [
        f"{first.rows[i].group}: {missing[i]:,.4g} {first.rows[i].unit} short"
        for i in np.flatnonzero(missing > 1e-6 * scale)
    ]


def evaluate(decisions: Decisions, x: Floats) -> Floats:
    """Return the value of each future at decisions ``x``, millions."""
    found = Subproblems(Recourse(decisions)).answer(x)
    return np.asarray(found.value + decisions.cash() @ x)


def deployments(decisions: Decisions, x: Floats) -> tuple[list[Deployment], Answers, Recourse]:
    """Return what is done in each future at decisions ``x``."""
    recourse = Recourse(decisions)
    found = Subproblems(recourse).answer(x, work=True)
    value = found.value + decisions.cash() @ x
    done = []
    for n in range(len(decisions.ensemble)):
        serving: dict[tuple[int, int, int], float] = {}
        unmet: dict[tuple[int, int], float] = {}
        missing: dict[tuple[int, int], float] = {}
        for t, (quarter, work) in enumerate(zip(recourse.quarters, found.work, strict=True)):
            y, wide = work[n], len(quarter.serve)
            for c in np.flatnonzero(y[:wide] > 1e-9):
                w, pool = quarter.serve[c]
                serving[int(w), int(pool), t] = float(y[c])
            for w in range(len(decisions.instance.services)):
                unmet[w, t] = float(y[wide + w]) * 1e6
            for m, group in enumerate(quarter.blocks):
                missing[int(group[0]), t] = float(y[wide + len(decisions.instance.services) + m])
        done.append(Deployment(serving, unmet, missing, float(value[n])))
    return done, found, recourse
