"""What one goal of a plan costs in another: the Pareto front of two goals, each point an audited plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from outlay.errors import InfeasibleError, InputError, SolverError, unknown
from outlay.planning.instance import MONEY, Instance
from outlay.planning.linear import Floats, Solution, solve
from outlay.planning.model import BuildOut, assemble
from outlay.planning.solve import in_two_steps, outcome_of

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.planning.build import Problem
    from outlay.planning.result import Plan
    from outlay.scenario.schema import Scenario

HOURS_PER_DAY = 24
TIE = 1e-4
"""Weight of the second goal beside the first, over both ranges: of plans that tie in the first, the better one."""
POINTS, MOST_POINTS = 7, 50


@dataclass(frozen=True)
class Goal:
    """Something a plan can be best at, with the unit it is told in; ``scale`` is that unit over the model's."""

    name: str
    words: str
    unit: str
    maximise: bool
    scale: float


@dataclass(frozen=True)
class Point:
    """A plan of the front: what it reaches in both goals, in their units.

    Attributes
    ----------
    gap
        Proven: nothing reaches more than this over ``first`` with at least as good a ``second``, relative to the range
        of the front in the first goal (to the value itself where the range is nothing).
    """

    first: float
    second: float
    gap: float
    plan: Plan


@dataclass(frozen=True)
class Front:
    """The Pareto front of two goals, from the best in the first to the best in the second."""

    scenario: str
    currency: str
    first: Goal
    second: Goal
    points: list[Point]
    asked: int
    """Points looked for; those beaten in both goals are left out."""


def goals(currency: str) -> dict[str, Goal]:
    """Return every goal by name."""
    found = (
        Goal("value", "value", currency, True, MONEY),
        Goal("cost", "cost, what is kept at the end taken off", currency, False, MONEY),
        Goal("compute", "peak bf16 compute over time", "EFLOP/s-days", True, 1.0),
        Goal("served", "tokens served, later ones discounted", "tokens", True, 1e12),
        Goal("finish", "quarters until training runs end, summed", "quarters", False, 1.0),
        Goal("energy", "energy at the meter", "MWh", False, 1.0),
    )
    return {goal.name: goal for goal in found}


def front(
    scenario: Scenario,
    first: str,
    second: str,
    *,
    points: int = POINTS,
    gap: float = 0.005,
    time_limit_s: float = 120.0,
    catalog: Catalog | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Front:
    """Return the Pareto front of two goals, by the augmented epsilon-constraint method.

    Both ends are lexicographic: the best of one goal and, among those, the best of the other. Between them the second
    goal is held to evenly spaced levels while the first is made best, with a little weight on the second so that no
    point is beaten (Mavrotas, Effective implementation of the epsilon-constraint method in multi-objective mathematical
    programming problems, Appl. Math. Comput. 213, 2009, section 3). Each search starts from the plan before.

    Parameters
    ----------
    first, second
        Names of :func:`goals`.
    points
        Points looked for, both ends included.
    gap, time_limit_s
        Of each search, relative to what it reaches.

    Raises
    ------
    InputError
        If a goal is unknown, or both are the same.
    InfeasibleError
        If the scenario has no plan, or none in which every training run ends where ``finish`` is a goal.
    """
    from outlay.catalog import Catalog
    from outlay.planning.build import build

    pair = named(scenario.currency, first, second)
    if not 2 <= points <= MOST_POINTS:
        msg = f"a front of {points} points: expected 2 to {MOST_POINTS}"
        raise InputError(msg)
    catalog = catalog or Catalog.load(Path(scenario.catalog) if scenario.catalog else None)
    problem = build(scenario, catalog, progress)
    search = Search(problem.instance, pair, gap=gap, time_limit_s=time_limit_s)
    found = search.walk(points, progress)
    progress("auditing")
    told = [
        Point(
            point.reached[0] * pair[0].scale,
            point.reached[1] * pair[1].scale,
            point.gap,
            _plan(problem, search, point, pair, catalog),
        )
        for point in found
    ]
    return Front(scenario.name, scenario.currency, *pair, told, points)


def named(currency: str, first: str, second: str) -> tuple[Goal, Goal]:
    """Return two goals by their names.

    Raises
    ------
    InputError
        If one is unknown, or both are the same.
    """
    known = goals(currency)
    for name in (first, second):
        if name not in known:
            raise InputError(unknown("goal", name, known, see=f"goals: {', '.join(known)}"))
    if first == second:
        msg = f"a front needs two goals, not {first!r} twice; goals: {', '.join(known)}"
        raise InputError(msg)
    return known[first], known[second]


@dataclass(frozen=True)
class Reached:
    """A point by index: values of the columns, both goals in the model's units, the gap proven."""

    values: Floats
    reached: tuple[float, float]
    gap: float


class Search:
    """The front of one instance in numbers: one model, two objectives, a row for each."""

    def __init__(self, instance: Instance, pair: tuple[Goal, Goal], *, gap: float, time_limit_s: float) -> None:
        self.pair, self.gap, self.time_limit_s = pair, gap, time_limit_s
        self.built = assemble(instance)
        self.vectors = tuple(_vector(instance, self.built, goal) for goal in pair)
        self.signs = tuple(1.0 if goal.maximise else -1.0 for goal in pair)
        model = self.built.model.copy()
        for goal, vector in zip(pair, self.vectors, strict=True):
            used = np.flatnonzero(vector)
            model.add_row("objective", f"goal {goal.name}", (), [(int(c), float(vector[c])) for c in used])
        self.model = model
        self.lower, self.upper = (
            np.array(side) for side in zip(*((r.lower, r.upper) for r in model.rows), strict=True)
        )
        if "finish" in {goal.name for goal in pair}:
            runs = [i for i, row in enumerate(model.rows) if row.family == "run"]
            self.lower[runs] = 1.0

    def walk(self, points: int, progress: Callable[[str], None] = lambda _: None) -> list[Reached]:
        """Return the points that no other beats, from the best in the first goal to the best in the second."""
        names = [goal.name for goal in self.pair]
        progress(f"best {names[0]}")
        start = self._end(0)
        progress(f"best {names[1]}")
        stop = self._end(1, start.values)
        found = [start]
        for step in range(1, points - 1):
            level = start.reached[1] + (stop.reached[1] - start.reached[1]) * step / (points - 1)
            progress(f"best {names[0]} at {names[1]} {level:,.4g}")
            found.append(self._at(level, start, stop, found[-1].values))
        return self._unbeaten([*found, stop])

    def _end(self, goal: int, start: Floats | None = None) -> Reached:
        """Return the best of one goal and, among those, the best of the other."""
        best = self._best(self.vectors[goal], self.pair[goal].maximise, {}, start)
        held = float(self.vectors[goal] @ best.values)
        other = 1 - goal
        again = self._best(self.vectors[other], self.pair[other].maximise, {goal: held}, best.values)
        return Reached(again.values, self._reached(again.values), _apart(best.bound, held))

    def _at(self, level: float, start: Reached, stop: Reached, before: Floats) -> Reached:
        """Return the best of the first goal with the second at least as good as a level."""
        ranges = [abs(a - b) for a, b in zip(start.reached, stop.reached, strict=True)]
        tie = TIE * ranges[0] / ranges[1] if ranges[1] else 0.0
        same = self.signs[0] * self.signs[1]
        cost = self.vectors[0] + tie * same * self.vectors[1]
        # The stop reaches every level, so a start always exists; the plan before may miss a level by its rounding.
        found = self._best(
            cost, self.pair[0].maximise, {1: level}, before if self._meets(before, level) else stop.values
        )
        reached = self._reached(found.values)
        size = ranges[0] or max(1e-9, abs(reached[0]))
        return Reached(found.values, reached, abs(found.bound - float(cost @ found.values)) / size)

    def _meets(self, values: Floats, level: float) -> bool:
        return self.signs[1] * (self._reached(values)[1] - level) >= 0

    def _reached(self, values: Floats) -> tuple[float, float]:
        return float(self.vectors[0] @ values), float(self.vectors[1] @ values)

    def _best(self, cost: Floats, maximise: bool, held: dict[int, float], start: Floats | None) -> Solution:
        """Solve with goals held at levels or better; whole units are put in and the rest solved once more."""
        lower, upper = self.lower.copy(), self.upper.copy()
        for goal, level in held.items():
            row, slack = len(self.model.rows) - 2 + goal, 1e-9 * max(1.0, abs(level))
            if self.signs[goal] > 0:
                lower[row] = level - slack
            else:
                upper[row] = level + slack
        how = {"maximise": maximise, "row_bounds": (lower, upper), "cost": cost}
        limits = {"gap": self.gap, "time_limit_s": self.time_limit_s}
        found = in_two_steps(self.built, self.model, start=start, **limits, **how)  # type: ignore[arg-type]
        if found.status == "infeasible":
            msg = "the limits cannot hold together" + (
                " with every training run done" if (self.lower > self._asked()).any() else "; `outlay plan` says which"
            )
            raise InfeasibleError(msg)
        if found.status == "unbounded":
            msg = "a goal is unbounded: no budget or supply limits it"
            raise SolverError(msg)
        whole = {c: float(round(found.values[c])) for c, kind in enumerate(self.model.integer) if kind}
        exact = solve(self.model, fixed=whole, **how)  # type: ignore[arg-type]
        if exact.status != "optimal":
            return found
        return replace(found, values=exact.values, objective=exact.objective)

    def _asked(self) -> Floats:
        return np.array([row.lower for row in self.model.rows])

    def _unbeaten(self, found: list[Reached]) -> list[Reached]:
        """Leave out points another is at least as good as in both goals, and copies."""
        kept: list[Reached] = []
        for point in found:
            here = [s * r for s, r in zip(self.signs, point.reached, strict=True)]
            rivals = [[s * r for s, r in zip(self.signs, other.reached, strict=True)] for other in found]
            slack = [1e-9 * max(1.0, abs(v)) for v in here]
            beaten = any(
                all(r >= h - s for r, h, s in zip(rival, here, slack, strict=True))
                and any(r > h + s for r, h, s in zip(rival, here, slack, strict=True))
                for rival in rivals
            )
            same = any(
                all(abs(a - b) <= s for a, b, s in zip(point.reached, other.reached, slack, strict=True))
                for other in kept
            )
            if not beaten and not same:
                kept.append(point)
        return kept


def _apart(bound: float, reached: float) -> float:
    return abs(bound - reached) / max(1e-9, abs(reached))


def _vector(instance: Instance, built: BuildOut, goal: Goal) -> Floats:
    """Return a goal as an objective of shape (columns,), in the model's units."""
    if goal.name == "energy":
        cost = np.zeros(len(built.model.columns))
        for (k, t, _), column in built.order.items():
            option = instance.options[k]
            days = sum(instance.quarters[q].days for q in option.in_use(t, len(instance.quarters)))
            cost[column] = option.watts * instance.sites[option.site].pue / 1e6 * days * HOURS_PER_DAY
        return cost
    return np.array(assemble(replace(instance, objective=goal.name)).model.cost)


def _plan(problem: Problem, search: Search, point: Reached, pair: tuple[Goal, Goal], catalog: Catalog) -> Plan:
    """Return a point's plan with its audit: its objective is the scenario's own, its gap that of the point."""
    from outlay.planning.audit import audit, require
    from outlay.planning.plan import records

    own = float(np.array(search.built.model.cost) @ point.values)
    solution = Solution("feasible", own, own, point.gap, 0.0, point.values, np.zeros(0))
    # The worth of limits is of one goal; between two it has no one meaning.
    outcome = outcome_of(search.built, solution, 0.0, [0.0] * len(search.built.model.rows))
    made = records(problem, outcome, 0.0)
    reached = ", ".join(
        f"{goal.name} {value * goal.scale:,.6g} {goal.unit}" for goal, value in zip(pair, point.reached, strict=True)
    )
    made = replace(
        made, notes=[f"A point of the front of {pair[0].name} against {pair[1].name}: {reached}.", *made.notes]
    )
    found = audit(made, problem.scenario, catalog)
    require(found)
    return replace(made, audit=found)
