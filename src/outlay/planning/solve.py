"""From an instance to an outcome: the best plan, its bound and gap, and what one more unit of each limit is worth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from outlay.errors import SolverError
from outlay.planning.instance import MONEY, Instance
from outlay.planning.least_change import InForce, nearest
from outlay.planning.linear import INFINITY, Floats, LinearModel, Solution, Standing, Watch, solve
from outlay.planning.model import BuildOut, assemble

Progress = Callable[[str], None]
MONEY_OBJECTIVES = {"value", "cost"}
"""Counted in millions inside the model."""


@dataclass(frozen=True)
class Outcome:
    """A plan by index.

    Attributes
    ----------
    orders
        (option, quarter, budget) -> whole units.
    serving
        (service, option, quarter) -> units at work at the peak.
    unmet
        (service, quarter) -> peak tokens/s left unserved.
    blocks
        Indices of the training blocks chosen.
    draws
        (credit, quarter) -> money drawn, in the loan's currency.
    duals
        By row: objective per unit of the row's bound, with the training blocks held and units divisible.
    """

    built: BuildOut
    solution: Solution
    build_s: float
    orders: dict[tuple[int, int, int], int]
    serving: dict[tuple[int, int, int], float]
    unmet: dict[tuple[int, int], float]
    blocks: list[int]
    duals: list[float]
    draws: dict[tuple[int, int], float] = field(default_factory=dict)


def optimise(
    instance: Instance,
    *,
    gap: float,
    time_limit_s: float,
    progress: Progress = lambda _: None,
    watch: Watch | None = None,
    before: InForce | None = None,
) -> Outcome | None:
    """Return the best plan of an instance, or ``None`` where its limits cannot hold together.

    Parameters
    ----------
    watch
        Shown where the search stands, in the units of the plan's objective and seconds since this call.
    before
        Of plans within the gap, the one that changes least from this is returned.

    Raises
    ------
    SolverError
        If the solver finds no plan within the time, or one whose whole units do not stand up to a second solve.
    """
    started = time.perf_counter()
    built = assemble(instance)
    build_s = time.perf_counter() - started
    progress(f"solving {len(built.model.columns):,} columns, {len(built.model.rows):,} rows")
    seen = None if watch is None else _in_units(watch, started, 1e6 if instance.objective in MONEY_OBJECTIVES else 1.0)
    best = _best(built, gap, time_limit_s, seen)
    if best.status == "infeasible":
        return None
    if best.status == "unbounded":
        msg = "the plan is unbounded: something is worth more than it costs and no budget or supply limits it"
        raise SolverError(msg)
    if instance.objective in {"served", "compute", "finish"}:
        best = _cheapest_among_best(instance, built, best, gap, time_limit_s)
    if before is not None:
        progress("looking for the least change from the plan in force")
        best = nearest(built, instance, best, before, gap=gap, time_limit_s=time_limit_s)
    whole = {c: float(round(best.values[c])) for c, integer in enumerate(built.model.integer) if integer}
    exact = solve(built.model, maximise=built.maximise, fixed=whole)
    if exact.status != "optimal":
        msg = "the solver's whole units break a limit once rounded; report this scenario as a defect"
        raise SolverError(msg)
    progress("pricing the limits")
    duals = _duals(built, whole)
    told = replace(best, objective=exact.objective, gap=_gap(exact.objective, best.bound), values=exact.values)
    return outcome_of(built, told, build_s, duals)


def outcome_of(built: BuildOut, solution: Solution, build_s: float, duals: list[float]) -> Outcome:
    """Return an outcome by index from the values of a solution, whole units rounded."""
    values = solution.values
    return Outcome(
        built=built,
        solution=solution,
        build_s=build_s,
        orders={key: round(values[column]) for key, column in built.order.items() if round(values[column]) > 0},
        serving={key: float(values[column]) for key, column in built.serve.items() if values[column] > 1e-9},
        unmet={key: float(values[column]) * 1e6 for key, column in built.unmet.items() if values[column] > 1e-12},
        blocks=[i for i, column in built.block.items() if round(values[column])],
        duals=duals,
        draws={key: float(values[column]) * MONEY for key, column in built.draw.items() if values[column] > 1e-9},
    )


def _in_units(watch: Watch, started: float, unit: float) -> Watch:
    """Return a watcher of one solve out of several, which passes on the plan's units and its whole time."""

    def look(standing: Standing) -> bool:
        seconds = time.perf_counter() - started
        incumbent, bound = (None if v is None else v * unit for v in (standing.incumbent, standing.bound))
        return watch(replace(standing, seconds=seconds, incumbent=incumbent, bound=bound))

    return look


def _of_step(watch: Watch | None, step: str, bound: float | None = None) -> Watch | None:
    """Return a watcher of one step; ``bound`` holds for the plan where the step's own holds for less."""
    if watch is None:
        return None

    def look(standing: Standing) -> bool:
        at = standing if bound is None else replace(standing, bound=bound)
        gap = None if at.incumbent is None or at.bound is None else _gap(at.incumbent, at.bound)
        return watch(replace(at, step=step, gap=gap))

    return look


def _best(built: BuildOut, gap: float, time_limit_s: float, watch: Watch | None) -> Solution:
    return in_two_steps(built, built.model, gap=gap, time_limit_s=time_limit_s, maximise=built.maximise, watch=watch)


def in_two_steps(
    built: BuildOut,
    model: LinearModel,
    *,
    maximise: bool,
    gap: float,
    time_limit_s: float,
    start: Floats | None = None,
    watch: Watch | None = None,
    **how: Any,
) -> Solution:
    """Solve in two steps where that proves the gap: the training blocks with divisible units, then whole units.

    Orders run to thousands of units, so the first step's bound, which holds for whole units too, lies close to what the
    second reaches; the two cost a fraction of both at once. Where they do not prove the gap, both are solved at once
    with the time that is left, from the plan found.

    Parameters
    ----------
    model
        With the columns of ``built``; rows may be added to its own.
    start, watch, how
        As for :func:`outlay.planning.linear.solve`.
    """
    asked: dict[str, Any] = {"maximise": maximise, **how}
    orders, blocks = frozenset(built.order.values()), list(built.block.values())
    if not orders or not blocks:
        return solve(model, gap=gap, time_limit_s=time_limit_s, start=start, watch=_of_step(watch, "both"), **asked)
    first = _of_step(watch, "blocks")
    divisible = solve(model, relax=orders, gap=0.7 * gap, time_limit_s=time_limit_s, start=start, watch=first, **asked)
    if divisible.status in {"infeasible", "unbounded"}:
        return divisible
    held = {column: float(round(divisible.values[column])) for column in blocks}
    left = max(time_limit_s - divisible.seconds, 1.0)
    proven = _of_step(watch, "units", divisible.bound)
    whole = solve(model, fixed=held, gap=0.2 * gap, time_limit_s=left, watch=proven, **asked)
    seconds = divisible.seconds + whole.seconds
    if whole.status in {"optimal", "feasible"} and _gap(whole.objective, divisible.bound) <= gap:
        return replace(whole, status="optimal", bound=divisible.bound, seconds=seconds)
    left = max(time_limit_s - seconds, 1.0)
    if whole.status in {"optimal", "feasible"} and start is None:
        start = whole.values
    both = solve(model, gap=gap, time_limit_s=left, start=start, watch=_of_step(watch, "both"), **asked)
    return replace(both, seconds=seconds + both.seconds)


def _gap(objective: float, bound: float) -> float:
    return abs(bound - objective) / max(1e-9, abs(objective))


def _duals(built: BuildOut, whole: dict[int, float]) -> list[float]:
    """Return the worth of one more unit of each row's bound, with the training blocks held and units divisible."""
    blocks = {column: whole[column] for column in built.block.values()}
    priced = solve(built.model, maximise=built.maximise, relax=True, fixed=blocks)
    return [float(dual) for dual in priced.duals] if priced.status == "optimal" else [0.0] * len(built.model.rows)


def _cheapest_among_best(
    instance: Instance, built: BuildOut, best: Solution, gap: float, time_limit_s: float
) -> Solution:
    """Hold what was asked for and spend the least on it: these objectives leave money out, and many plans tie."""
    held = built.model.copy()
    terms = [(column, cost) for column, cost in enumerate(built.model.cost) if cost]
    slack = gap * abs(best.objective)
    lower = best.objective - slack if built.maximise else -INFINITY
    upper = INFINITY if built.maximise else best.objective + 1e-6
    held.add_row("objective", "objective", (), terms, lower=lower, upper=upper)
    spending = assemble(replace(instance, objective="cost")).model.cost
    second = solve(held, maximise=False, gap=gap, time_limit_s=time_limit_s, cost=np.array(spending))
    if second.status not in {"optimal", "feasible"}:
        return best
    return replace(best, values=second.values, seconds=best.seconds + second.seconds)
