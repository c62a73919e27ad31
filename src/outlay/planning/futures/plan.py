"""Plan a scenario before its future is known: orders now and later, and what they come to in each future."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from outlay.errors import InfeasibleError
from outlay.planning.futures import told
from outlay.planning.futures.audit import Deployment, audit
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Floats
from outlay.planning.futures.extensive import assemble
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.result import FutureResult, HedgedPlan
from outlay.planning.futures.risk import Risk, cvar
from outlay.planning.futures.solve import Settings, Solved, deployments, optimise
from outlay.planning.futures.tree import Made, make

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.planning.build import Problem
    from outlay.planning.instance import Instance
    from outlay.scenario.schema import Scenario

MONEY = 1e6
MOST_LACKS = 10


@dataclass(frozen=True)
class Hedged:
    """A plan over futures with what it was made from, for those who ask further."""

    plan: HedgedPlan
    problem: Problem
    made: Made
    solved: Solved


def plan_futures(
    scenario: Scenario,
    settings: Settings | None = None,
    *,
    catalog: Catalog | None = None,
    draws: int | None = None,
    branches: int | None = None,
    seed: int | None = None,
    explain: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> Hedged:
    """Return the best plan over a scenario's futures, audited in each of them.

    Parameters
    ----------
    draws, branches, seed
        In place of the scenario's own.
    explain
        Whether to find the near-optimal ranges, the value of knowing and the regret of simple plans as well.

    Raises
    ------
    InputError
        If the scenario has no futures, or its objective is not money.
    InfeasibleError
        If some future leaves no plan; names it and what it lacks.
    AuditError
        If the finished plan breaks a limit in some future: a defect of outlay.
    """
    from outlay.catalog import Catalog
    from outlay.planning.audit import require
    from outlay.planning.build import build

    settings = settings or Settings()
    settings = replace(settings, name=settings.name or scenario.name)
    catalog = catalog or Catalog.load(Path(scenario.catalog) if scenario.catalog else None)
    problem = build(scenario, catalog, progress)
    progress("making futures")
    made = make(scenario, problem.instance, draws=draws, branches=branches, seed=seed)
    started = time.process_time()
    assert scenario.futures is not None
    waiver = scenario.futures.waiver
    best = None
    if settings.goal == "regret":
        progress("finding what foresight would reach in each future")
        best = foresight(problem.instance, made, waiver)
    solved = optimise(problem.instance, made.ensemble, settings, waiver=waiver, offset=best, progress=progress)
    cpu = time.process_time() - started
    progress("auditing every future")
    plan = records(
        scenario, problem.instance, made, solved, settings, cpu, scenario.futures.seed if seed is None else seed
    )
    require(plan.audit)
    _require_feasible(plan)
    hedged = Hedged(plan, problem, made, solved)
    if explain:
        from outlay.planning.futures.explain import explained

        hedged = replace(hedged, plan=explained(hedged, settings, progress))
    return hedged


def foresight(instance: Instance, made: Made, waiver: float | None) -> Floats:
    """Return the best each future could reach alone, units divisible: what regret is measured from."""
    from outlay.planning.futures.program import solve

    best = np.zeros(len(made.ensemble))
    for n in range(len(made.ensemble)):
        alone = Decisions(instance, made.ensemble.take([n]), waiver=waiver)
        best[n] = solve(assemble(Recourse(alone), Risk()), relaxed=True).objective
    return best


def _require_feasible(plan: HedgedPlan) -> None:
    """Refuse a plan that lacks in some future what it must do; name the futures and what they lack."""
    lacking = [future for future in plan.futures if future.lacks]
    if lacking:
        first = lacking[0]
        msg = (
            f"nothing is feasible in {len(lacking)} of {len(plan.futures)} futures, such as {first.name} "
            f"({', '.join(first.happenings) or 'no event'})"
        )
        lacks = [f"future {future.name}: {lack}" for future in lacking for lack in future.lacks]
        ways = ["give the services an `unmet_penalty`, or the runs a `value` instead of `must: true`"]
        raise InfeasibleError(msg, lacks[:MOST_LACKS], ways)


def records(
    scenario: Scenario, instance: Instance, made: Made, solved: Solved, settings: Settings, cpu: float, seed: int
) -> HedgedPlan:
    """Return the records of a solved plan, with its audit."""
    import highspy

    from outlay import __version__

    ensemble = made.ensemble
    done, _, recourse = deployments(solved.decisions, solved.x)
    decided = told.decided(solved)
    blocks = decided.blocks
    pools = {k: int(pool) for k, pool in enumerate(recourse.pool)}
    found = audit(instance, ensemble, decided, done, pools)
    value = np.array([one.value for one in done])
    return HedgedPlan(
        scenario=scenario.name,
        title=scenario.title,
        currency=scenario.currency,
        knowledge_date=scenario.knowledge_date.isoformat(),
        quarters=[str(quarter) for quarter in instance.quarters],
        method=solved.method,
        why=solved.why,
        risk_weight=settings.risk.weight,
        risk_level=settings.risk.level,
        goal=settings.goal,
        objective=solved.objective * MONEY,
        bound=solved.bound * MONEY,
        gap=solved.gap,
        expected=float(ensemble.probability @ value) * MONEY,
        cvar=cvar(value, ensemble.probability, settings.risk.level) * MONEY,
        worst=float(value.min()) * MONEY,
        courses=len(made.courses),
        courses_before=made.of_courses,
        reduction_error=made.error,
        orders=told.orders(instance, made, decided),
        answers=told.answers(instance, made, decided),
        draws=told.draws(instance, made, decided),
        training=_training(instance, blocks, made, [one.missing for one in done]),
        futures=_futures(instance, made, solved, value, done),
        audit=found,
        rounds=solved.rounds,
        cuts=solved.cuts,
        retries=solved.retries,
        reused=solved.reused,
        cpu_s=cpu,
        solver=f"HiGHS {highspy.Highs().version()}",  # type: ignore[no-untyped-call]
        version=__version__,
        seed=seed,
        notes=_notes(scenario, made),
    )


def _training(
    instance: Instance, blocks: list[int], made: Made, missing: list[Mapping[tuple[int, int], float]]
) -> list[dict[str, object]]:
    listed = []
    for i in blocks:
        block = instance.blocks[i]
        option = instance.options[block.option]
        gone = np.array(
            [sum(part.get((i, t), 0.0) for t in range(block.start, block.start + block.quarters)) for part in missing]
        )
        whole = block.units * block.quarters
        listed.append(
            {
                "name": instance.runs[block.run].name,
                "system": option.system,
                "site": instance.sites[option.site].name,
                "mode": option.mode,
                "chips": block.units * option.chips,
                "first": str(instance.quarters[block.start]),
                "last": str(instance.quarters[block.start + block.quarters - 1]),
                "expected_part": float(made.ensemble.probability @ (1 - gone / whole)),
            }
        )
    return listed


def _futures(
    instance: Instance, made: Made, solved: Solved, value: Floats, done: list[Deployment]
) -> list[FutureResult]:
    ensemble, at = made.ensemble, solved.decisions.columns
    spent = solved.decisions.active() * at.spent * solved.x[: solved.decisions.orders]
    share = ensemble.share[:, at.option, at.quarter]
    results = []
    for n in range(len(ensemble)):
        seconds = np.array([instance.seconds(t) for t in range(ensemble.quarters)])
        asked = float((ensemble.demand[n] * seconds).sum())
        unmet = done[n].unmet
        left = sum(tokens / instance.services[w].peak_factor * seconds[t] for (w, t), tokens in unmet.items())
        total = float(spent[n].sum())
        results.append(
            FutureResult(
                name=ensemble.names[n],
                probability=float(ensemble.probability[n]),
                happenings=list(ensemble.happenings[n]) if ensemble.happenings else [],
                value=float(value[n]) * MONEY,
                served=max(0.0, 1.0 - left / asked) if asked else 1.0,
                undelivered=float((spent[n] * (1 - share[n])).sum()) / total if total else 0.0,
                lacks=lacks(instance, done[n]),
                served_by_quarter=_served_by_quarter(instance, ensemble.demand[n], unmet),
            )
        )
    return results


def _served_by_quarter(instance: Instance, demand: Floats, unmet: Mapping[tuple[int, int], float]) -> dict[str, float]:
    """Return the part of the demand of all services that is served, by quarter with any demand."""
    found = {}
    for t, quarter in enumerate(instance.quarters):
        asked = float(demand[:, t].sum())
        left = sum(unmet.get((w, t), 0.0) / service.peak_factor for w, service in enumerate(instance.services))
        if asked > 0:
            found[str(quarter)] = min(1.0, max(0.0, 1.0 - left / asked))
    return found


def lacks(instance: Instance, done: Deployment) -> list[str]:
    """Return what must be done in a future and is not, in words."""
    found = []
    for w, service in enumerate(instance.services):
        short = max((tokens for (v, _), tokens in done.unmet.items() if v == w), default=0.0)
        if instance.objective == "cost" and service.penalty is None and short > 1.0:
            found.append(f"{service.name}: {short:,.0f} tokens/s at the peak that must be served and cannot be")
    for (i, t), units in done.missing.items():
        run = instance.runs[instance.blocks[i].run]
        if run.must and units > 1e-6:
            found.append(f"{run.name}: {units:,.0f} units that must train in {instance.quarters[t]} and are not there")
    return found


def _notes(scenario: Scenario, made: Made) -> list[str]:
    assert scenario.futures is not None
    notes = [
        f"{made.of_courses:,} courses of events, {len(made.courses)} kept; leaving out the others moves probability by "
        f"{made.error:.0%} of what keeping one would."
    ]
    assumed = [
        event.name for event in scenario.futures.events if any(e.status == "assumed" for e in event.evidence.values())
    ]
    if assumed:
        notes.append(f"Assumed, in part or whole, each with its reason in the scenario: {', '.join(assumed)}.")
    notes.append("Training runs are placed before futures are told apart; one that loses machines is worth its part.")
    notes.append("Probabilities are those of the scenario, and the plan is as good as they are.")
    return notes
