"""What a plan over futures rests on: near-optimal ranges, what knowing is worth, regret of simple plans.

Questions are asked of the relaxation, units divisible and training runs as planned: whole units move the answers by
less than the gap, and each question is then one more run of the decomposition over fewer draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InfeasibleError
from outlay.planning.futures.benders import Benders
from outlay.planning.futures.decisions import Decisions, spread
from outlay.planning.futures.ensemble import Ensemble, Floats, certain, number
from outlay.planning.futures.program import quiet_highs, run
from outlay.planning.futures.result import Choice, HedgedPlan, Knowing, SimplePlan, Trade
from outlay.planning.futures.risk import Risk, cvar
from outlay.planning.futures.solve import Settings, deployments
from outlay.planning.futures.workers import Alone, Job
from outlay.units import human

if TYPE_CHECKING:
    from outlay.planning.futures.plan import Hedged

MONEY = 1e6
NEAR = 0.01
"""How much of the objective a near-optimal plan may give up."""
PROBES = 4
"""Cuts added at the point a range reaches before it is believed."""
GAP = 0.002
FRONT = (0.0, 0.3, 0.6, 1.0)
FEW = 40
"""Futures up to which questions are asked of all; beyond, of one draw a course."""


@dataclass(frozen=True)
class Relaxed:
    """A relaxed plan: decisions, its value by future, and the run that found it."""

    x: Floats
    objective: float
    value: Floats
    run: Benders


def relaxed(
    decisions: Decisions,
    risk: Risk,
    *,
    closed: NDArray[np.bool_] | None = None,
    held: Mapping[int, float] | None = None,
) -> Relaxed:
    """Solve the relaxation, with some columns closed or held.

    Raises
    ------
    InfeasibleError
        If what is closed or held leaves no plan.
    """
    solver = Benders(decisions, risk, Alone(Job(decisions, [], risk, np.zeros(0))), gap=GAP)
    solver.team = Alone(Job(decisions, solver.chunks, risk, solver.offset))
    upper = decisions.program.upper
    lower = decisions.program.lower
    if closed is not None:
        upper[: len(closed)][closed] = 0.0
    for column, units in (held or {}).items():
        lower[column] = upper[column] = units
    x, objective, value = solver.relaxation()
    return Relaxed(x, objective, value, solver)


def explained(hedged: Hedged, settings: Settings, progress: Callable[[str], None]) -> HedgedPlan:
    """Return the plan with its ranges, its values of knowing and the regret of simple plans."""
    from outlay.planning.futures.tree import make

    problem, instance = hedged.problem, hedged.problem.instance
    scenario = problem.scenario
    assert scenario.futures is not None
    few = hedged.made.ensemble
    if len(few) > FEW:
        few = make(scenario, instance, draws=1, branches=len(hedged.made.courses), seed=hedged.plan.seed).ensemble
    waiver = scenario.futures.waiver
    # Regret less its constant is value: questions of a plan judged by regret are asked of the expected value.
    risk = settings.risk if settings.goal == "value" else Risk()
    make_decisions = instance_decisions(hedged, few, waiver)
    asking = Asking(make_decisions, risk, np.ones(make_decisions(None).blocks))
    progress("finding near-optimal ranges")
    ours = asking.plan()
    ranges = choices(asking, ours, hedged)
    progress("asking what knowing is worth")
    perfect = asking.plan(few.clairvoyant())
    known = [
        _knowing(asking, few, event.name, event.title, ours, hedged.plan.currency) for event in scenario.futures.events
    ]
    progress("comparing simple plans")
    mean = mean_plan(asking, few)
    simple, left_out = simple_plans(asking, ours, perfect, mean)
    return replace(
        hedged.plan,
        notes=hedged.plan.notes + left_out,
        choices=ranges,
        knowing=sorted(known, key=lambda item: -item.at_once),
        simple=simple,
        front=front(asking, settings.risk.level),
        stochastic_value=(ours.objective - mean.objective) * MONEY,
        perfect_value=(perfect.objective - ours.objective) * MONEY,
    )


def instance_decisions(
    hedged: Hedged, ensemble: Ensemble, waiver: float | None
) -> Callable[[Ensemble | None], Decisions]:
    """Return a maker of decisions with the chosen training runs alone, over these futures or others."""
    chosen = hedged.solved.x[hedged.solved.decisions.training] > 0.5
    instance = hedged.problem.instance
    blocks = tuple(block for block, taken in zip(instance.blocks, chosen, strict=True) if taken)
    narrowed = replace(instance, blocks=blocks)

    def make(other: Ensemble | None = None) -> Decisions:
        return Decisions(narrowed, other or ensemble, waiver=waiver)

    return make


class Asking:
    """Asks for relaxed plans with the training runs held as planned."""

    def __init__(self, make: Callable[[Ensemble | None], Decisions], risk: Risk, blocks: Floats) -> None:
        self.make, self.risk, self.blocks = make, risk, blocks

    def plan(
        self,
        ensemble: Ensemble | None = None,
        *,
        closed: Callable[[Decisions], NDArray[np.bool_]] | None = None,
        held: Callable[[Decisions], Mapping[int, float]] | None = None,
    ) -> Relaxed:
        """Return the relaxed plan over the futures, or over the same with other knowledge."""
        decisions = self.make(ensemble)
        fixed = {decisions.orders + i: float(value) for i, value in enumerate(self.blocks)}
        fixed |= dict(held(decisions)) if held else {}
        return relaxed(decisions, self.risk, closed=closed(decisions) if closed else None, held=fixed)


def front(asking: Asking, level: float) -> list[Trade]:
    """Return the Pareto front of expected value against the mean of the worst futures, by the weight between them."""
    found = []
    for weight in FRONT:
        asked = Asking(asking.make, Risk(weight, level), asking.blocks)
        value = asked.plan().value
        probability = asked.make(None).ensemble.probability
        trade = Trade(weight, float(probability @ value) * MONEY, cvar(value, probability, level) * MONEY)
        found.append(trade)
    return found


def knowing_earlier(ensemble: Ensemble, event: str, quarters: int | None) -> Ensemble:
    """Return the futures with one event known earlier by some quarters, or from the start (``None``)."""
    columns = []
    for t in range(ensemble.quarters):
        keys = []
        for n in range(len(ensemble)):
            date = dict(ensemble.history[n]).get(event)
            seen = date if date is not None and (quarters is None or date - quarters <= t) else None
            keys.append((int(ensemble.node[n, t]), seen))
        columns.append(number(keys))
    return replace(ensemble, node=np.stack(columns, axis=1))


def _knowing(asking: Asking, few: Ensemble, event: str, title: str, ours: Relaxed, currency: str) -> Knowing:
    at_once = max(0.0, asking.plan(knowing_earlier(few, event, None)).objective - ours.objective) * MONEY
    earlier = max(0.0, asking.plan(knowing_earlier(few, event, 1)).objective - ours.objective) * MONEY
    words = (
        f"knowing a quarter earlier whether and when {title or event} is worth {human(earlier)} {currency}, "
        f"knowing it now {human(at_once)}"
    )
    return Knowing(event, at_once, min(earlier, at_once), words)


def mean_plan(asking: Asking, few: Ensemble) -> Relaxed:
    """Return the plan for the mean future with its orders of the first quarter held, the rest answering as it can.

    Its value against ours is the value of the stochastic solution (Birge, The value of the stochastic solution in
    stochastic linear programs with fixed recourse, Math. Prog. 24, 1982).
    """
    alone = asking.plan(few.mean())
    at = alone.run.decisions.columns
    first = {
        (int(at.option[j]), int(at.quarter[j]), int(at.budget[j])): float(alone.x[j])
        for j in np.flatnonzero(at.quarter == at.quarter.min())
    }

    def held(decisions: Decisions) -> Mapping[int, float]:
        here, keys = decisions.columns, decisions.further.key
        none = {decisions.further_at + e: 0.0 for e, key in enumerate(keys) if key[0] == "reserve" and key[2] == 0}
        return none | {
            int(j): first.get((int(here.option[j]), int(here.quarter[j]), int(here.budget[j])), 0.0)
            for j in np.flatnonzero(here.quarter == here.quarter.min())
        }

    return asking.plan(held=held)


def choices(asking: Asking, ours: Relaxed, hedged: Hedged) -> list[Choice]:
    """Return, for each system, how many units near-optimal plans order now: must-buy, choice or never.

    Each end of a range is the most or least of the cuts' model of the near-optimal set, cut again at the point reached
    until the true value there is near-optimal too (modelling to generate alternatives, Brill et al. 1982).
    """
    decisions, master = ours.run.decisions, ours.run.master
    at, options = decisions.columns, decisions.instance.options
    now = at.quarter == at.quarter.min()
    systems = list(dict.fromkeys(options[k].system for k in at.option[now]))
    enough = ours.objective - NEAR * abs(ours.objective)
    there = hedged.solved.decisions.columns
    plan_x = hedged.solved.x[: hedged.solved.decisions.orders]
    found = []
    for system in systems:
        member = now & np.array([options[k].system == system for k in at.option])
        if not decisions.program.upper[: len(at)][member].any():
            continue
        ends = [_end(ours.run, master, member, sign, enough) for sign in (-1.0, 1.0)]
        mine = (there.quarter == there.quarter.min()) & np.array([options[k].system == system for k in there.option])
        planned = round(float(plan_x[mine].sum()))
        least, most = min(ends[0], planned), max(ends[1], planned)
        kind = "must-buy" if least > 0.5 else "never" if most < 0.5 else "choice"
        found.append(Choice(system, planned, float(least), float(most), kind))
    return sorted(found, key=lambda choice: -choice.planned)


def _end(solver: Benders, master: object, member: NDArray[np.bool_], sign: float, enough: float) -> float:
    """Return the most (sign 1) or least (sign -1) units of some columns in a near-optimal plan."""
    import highspy

    from outlay.planning.futures.master import Master

    assert isinstance(master, Master)
    reached = 0.0
    for _ in range(PROBES):
        highs = quiet_highs(presolve="off", solver="simplex")
        lp = master.highs.getLp()
        highs.passModel(lp)
        cost = np.asarray(master.program.cost)
        used = np.flatnonzero(cost).astype(np.int32)
        highs.addRow(enough, highspy.kHighsInf, len(used), used, cost[used])
        aim = np.zeros(len(cost))
        aim[: len(member)][member] = sign
        columns = np.arange(len(cost), dtype=np.int32)
        highs.changeColsCost(len(cost), columns, aim)
        highs.changeColsBounds(master.decided, np.arange(master.decided, dtype=np.int32), master.lower, master.upper)
        answer = run(highs, integers=False)
        if answer.status != "optimal":
            break
        x, quantile = master.decisions_of(answer)
        reached = float(x[: len(member)][member].sum())
        objective, cuts = solver.evaluate(x, quantile)
        if objective >= enough - 0.1 * NEAR * abs(enough):
            break
        master.add(cuts)
    return reached


def _of_country(foreign: bool, made: Decisions) -> NDArray[np.bool_]:
    """Return the orders of foreign parts, or of domestic ones, where domestic parts are on offer."""
    sites, options = made.instance.sites, made.instance.options
    own = np.array([option.vendor_country == sites[option.site].country for option in options])
    mixed = {sites[option.site].country for option, mine in zip(options, own, strict=True) if mine}
    there = np.array([sites[option.site].country in mixed for option in options])
    return np.asarray((there & (~own if foreign else own))[made.columns.option])


def _now(made: Decisions) -> NDArray[np.bool_]:
    """Return the orders of the first quarter."""
    return np.asarray(made.columns.quarter == made.columns.quarter.min())


RULES: dict[str, tuple[str, Callable[[Decisions], NDArray[np.bool_]]]] = {
    "all domestic": ("buys nothing foreign where domestic parts are on offer", partial(_of_country, True)),
    "all foreign": ("buys nothing domestic there", partial(_of_country, False)),
    "wait": ("orders nothing in the first quarter", _now),
}


def simple_plans(asking: Asking, ours: Relaxed, perfect: Relaxed, mean: Relaxed) -> tuple[list[SimplePlan], list[str]]:
    """Return simple plans beside ours, each best within its rule, by value and regret against perfect foresight.

    With notes on those that have no value to compare: they leave undone what must be done, or hold no training run.
    """
    from outlay.planning.futures.plan import lacks

    decisions = ours.run.decisions
    probability, upper = decisions.ensemble.probability, decisions.program.upper[: decisions.orders]
    found: list[SimplePlan] = []
    notes: list[str] = []

    def tell(name: str, words: str, x: Floats) -> None:
        done = deployments(decisions, x)[0]
        failing = sum(bool(lacks(decisions.instance, one)) for one in done)
        if failing:
            notes.append(f"Simple plan {name!r} lacks what must be done in {failing} of {len(done)} futures.")
            return
        value = np.array([one.value for one in done])
        regret = np.maximum(0.0, perfect.value - value)
        expected, mean_regret = (float(probability @ part) * MONEY for part in (value, regret))
        worst = float(value.min()) * MONEY
        found.append(SimplePlan(name, words, expected, worst, mean_regret, float(regret.max()) * MONEY))

    known = asking.plan(certain(decisions.instance))
    tell("ours", "hedged over the futures", ours.x)
    tell("mean future", "plans for the mean future, then answers", mean.x)
    tell("as known", "today's plan, held to whatever comes", spread(known.run.decisions, known.x, decisions))
    for name, (words, closes) in RULES.items():
        if not upper[closes(decisions)].any():
            continue  # forbids nothing that is on offer
        try:
            tell(name, words, asking.plan(closed=closes).x)
        except InfeasibleError:
            notes.append(f"Simple plan {name!r} leaves no machines for the training runs chosen.")
    return found, notes
