"""Plan a scenario: build the problem, solve it, tell the answer in records, audit it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.errors import InfeasibleError

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.planning.build import Problem
    from outlay.planning.least_change import InForce
    from outlay.planning.linear import Watch
    from outlay.planning.result import Plan
    from outlay.planning.solve import Outcome
    from outlay.scenario.schema import Scenario


def plan(
    scenario: Scenario,
    *,
    catalog: Catalog | None = None,
    gap: float = 0.005,
    time_limit_s: float = 120.0,
    before: Plan | None = None,
    progress: Callable[[str], None] | None = None,
    watch: Watch | None = None,
) -> Plan:
    """Return the best plan of a scenario, audited.

    Parameters
    ----------
    gap
        Relative distance to the proven bound at which the search may stop.
    time_limit_s
        Seconds for the solver; the best plan found by then is returned, with its gap.
    before
        The plan in force: of plans within the gap the one that changes least from it is returned.
    progress
        Called with a few words as work goes on.
    watch
        Shown where the search stands as it goes on: the best plan, the bound and the gap; may ask to stop.

    Raises
    ------
    InfeasibleError
        Names the smallest set of limits that cannot hold together and the cheapest ways out.
    StoppedError
        If ``watch`` asked to stop.
    AuditError
        If the finished plan breaks a limit: a defect of outlay.
    """
    from outlay.catalog import Catalog
    from outlay.planning.audit import audit, require
    from outlay.planning.build import build
    from outlay.planning.conflict import explain
    from outlay.planning.least_change import changed_chips, in_force
    from outlay.planning.solve import optimise

    say = progress or (lambda _: None)
    catalog = catalog or Catalog.load(Path(scenario.catalog) if scenario.catalog else None)
    problem = build(scenario, catalog, say)
    held = None if before is None else in_force(before, problem.instance, scenario.name)
    outcome = optimise(problem.instance, gap=gap, time_limit_s=time_limit_s, progress=say, before=held, watch=watch)
    if outcome is None:
        say("finding the limits that clash")
        conflict = explain(problem.instance, scenario)
        msg = f"the limits of {scenario.name} cannot hold together"
        raise InfeasibleError(msg, conflict.limits, conflict.ways_out)
    made = records(problem, outcome, gap)
    if held is not None:
        moved = changed_chips(problem.instance, outcome.orders, held)
        made = replace(made, notes=[_change(moved, held, gap), *made.notes])
    say("auditing")
    found = audit(made, scenario, catalog)
    require(found)
    return replace(made, audit=found)


def _change(moved: int, held: InForce, gap: float) -> str:
    """Say how far the plan is from the one in force."""
    words = f"Of plans within {gap:.2%} of the best, this one changes least from the plan in force: {moved:,} chips, "
    words += f"of {held.chips:,} it orders."
    return words + (f" No longer on offer: {'; '.join(held.gone)}." if held.gone else "")


def records(problem: Problem, outcome: Outcome, gap: float) -> Plan:
    """Return a plan's records from an outcome, not audited yet; ``gap`` is what was asked for."""
    from outlay import __version__
    from outlay.planning import cash, extract, limits, witness
    from outlay.planning.result import Audit, Plan
    from outlay.planning.solve import MONEY_OBJECTIVES

    instance, scenario = problem.instance, problem.scenario
    bought = extract.purchases(instance, outcome)
    runs = extract.training(problem, outcome)
    items = witness.evidence(problem, bought)
    served = extract.services(problem, outcome)
    money = instance.objective in MONEY_OBJECTIVES
    return Plan(
        scenario=scenario.name,
        title=scenario.title,
        currency=scenario.currency,
        knowledge_date=scenario.knowledge_date.isoformat(),
        quarters=[str(quarter) for quarter in instance.quarters],
        status=extract.status(outcome.solution.status, outcome.solution.gap, gap),
        objective=outcome.solution.objective * (1e6 if money else 1.0),
        objective_name=instance.objective,
        bound=outcome.solution.bound * (1e6 if money else 1.0),
        gap=outcome.solution.gap,
        build_s=outcome.build_s,
        solve_s=outcome.solution.seconds,
        solver=_solver(),
        fx=dict(problem.fx),
        purchases=bought,
        budgets=extract.budgets(instance, outcome),
        sourcing=extract.sourcing(instance, outcome),
        training=runs,
        services=served,
        sites=extract.sites(scenario, instance, outcome),
        limits=limits.binding(instance, outcome, scenario),
        blocked=list(problem.blocked),
        money=extract.money(instance, outcome),
        flows=extract.flows(instance, outcome),
        evidence=items,
        notes=witness.notes(problem, bought, runs, served, items),
        deadlines=[{"name": d.name, "date": d.date.isoformat(), "note": d.note} for d in scenario.deadlines],
        accounts=cash.accounts(problem, outcome),
        audit=Audit(False, []),
        input_hash=hashlib.sha256(scenario.model_dump_json().encode()).hexdigest()[:16],
        version=__version__,
    )


def _solver() -> str:
    import highspy

    return f"HiGHS {highspy.Highs().version()}"  # type: ignore[no-untyped-call]
