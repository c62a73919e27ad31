"""Why no plan exists: the smallest set of limits that cannot hold together, and the cheapest ways out, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from outlay.planning.instance import Instance
from outlay.planning.linear import INFINITY, solve
from outlay.planning.model import BuildOut, assemble
from outlay.planning.sources import rules_that_close, source_of
from outlay.units import human

if TYPE_CHECKING:
    from outlay.scenario.schema import Scenario

# Deleted in this order while the rest still clashes: what a person can argue with least stays in the conflict longest.
FAMILIES = ("supply", "power", "legality", "demand", "budget", "run", "budget-floor", "sourcing")
LEGALITY = "legality"


@dataclass(frozen=True)
class Conflict:
    """Limits that cannot hold together, and ways out, each in words; ways out cheapest first."""

    limits: list[str]
    ways_out: list[str]


def explain(instance: Instance, scenario: Scenario | None = None) -> Conflict:
    """Explain why an instance has no plan; with the scenario, each limit says what sets it.

    A deletion filter over the groups of rows (Chinneck, Feasibility and Infeasibility in Optimization, 2008, section
    6.2.1) leaves a smallest conflict. Each of its limits is then relaxed alone, by the least amount that restores a
    plan.
    """
    built = assemble(instance)
    relaxed = _infeasible(built, _groups(built), divisible=True)
    conflict = _groups(built)
    for family in FAMILIES:
        for group in [g for g in conflict if _family(built, g) == family]:
            without = [g for g in conflict if g != group]
            if _infeasible(built, without, divisible=relaxed):
                conflict = without
    ways: list[tuple[float, str]] = []
    for group in conflict:
        way = _way_out(instance, built, group, divisible=relaxed)
        if way:
            ways.append(way)
    return Conflict(
        limits=[_sourced(instance, built, group, scenario) for group in conflict],
        ways_out=[words for _, words in sorted(ways)],
    )


def _groups(built: BuildOut) -> list[str]:
    found = {row.group: None for row in built.model.rows if row.family in FAMILIES}
    if any(
        upper == 0
        for (family, _), upper in zip(built.model.columns, built.model.upper, strict=True)
        if family == "order"
    ):
        found[LEGALITY] = None
    return list(found)


def _family(built: BuildOut, group: str) -> str:
    return next((row.family for row in built.model.rows if row.group == group), LEGALITY)


def _infeasible(built: BuildOut, active: Iterable[str], *, divisible: bool) -> bool:
    """Return whether the active groups, with the physics, still leave no plan."""
    keep = set(active)
    model = built.model
    lower = np.array([row.lower if row.group in keep or row.family == "capacity" else -INFINITY for row in model.rows])
    upper = np.array([row.upper if row.group in keep or row.family == "capacity" else INFINITY for row in model.rows])
    columns = np.array(model.upper)
    for column, (family, _) in enumerate(model.columns):
        if family == "order" and LEGALITY not in keep:
            columns[column] = INFINITY
    found = solve(
        model,
        maximise=False,
        relax=divisible,
        row_bounds=(lower, upper),
        upper=columns,
        cost=np.zeros(len(model.columns)),
        time_limit_s=20,
    )
    return found.status == "infeasible"


def _sourced(instance: Instance, built: BuildOut, group: str, scenario: Scenario | None) -> str:
    words = _in_words(instance, built, group)
    if group == LEGALITY:
        rules = rules_that_close(instance)
        return f"{words}: {rules}" if rules else words
    source = source_of(scenario, _family(built, group), group) if scenario is not None else ""
    return f"{words} ({source})" if source else words


def _in_words(instance: Instance, built: BuildOut, group: str) -> str:
    rows = [row for row in built.model.rows if row.group == group]
    if not rows:
        return "the export and import rules as known, which close some systems to this buyer"
    row = rows[0]
    match row.family:
        case "budget":
            return f"{group}: at most {human(row.upper * 1e6)} {row.unit[2:]}"
        case "budget-floor":
            return f"{group}: at least {human(row.lower * 1e6)} {row.unit[2:]}"
        case "sourcing":
            rule = instance.sourcing[row.key[0]]
            least = "at least" if rule.kind == "floor" else "exactly"
            return f"{group}: {least} {rule.share:.1%} by {_base(rule.base)}"
        case "power":
            return f"{group}: at most {max(r.upper for r in rows):,.0f} MW"
        case "supply":
            return f"{group}: at most {sum(r.upper for r in rows):,.0f} chips over the horizon"
        case "demand":
            return f"{group}: every token served"
        case _:
            return f"{group}: must be done"


def _base(base: str) -> str:
    return {"budget-value": "value of one budget", "all-value": "value of all spending"}.get(base, base)


def _way_out(instance: Instance, built: BuildOut, group: str, *, divisible: bool) -> tuple[float, str] | None:
    """Return (relative size, words) of the least relaxation of one group; ``None`` where it alone does not help."""
    family = _family(built, group)
    if family == LEGALITY:
        others = [g for g in _groups(built) if g != LEGALITY]
        return None if _infeasible(built, others, divisible=divisible) else (1.0, "a licence for what the rules close")
    if family == "sourcing":
        return _lower_share(instance, built, group, divisible=divisible)
    if family == "run":
        others = [g for g in _groups(built) if g != group]
        return None if _infeasible(built, others, divisible=divisible) else (1.0, f"leave out {group}")
    amount = _least_slack(built, group, divisible=divisible)
    if amount is None:
        return None
    rows = [row for row in built.model.rows if row.group == group]
    size = sum(abs(row.upper if family != "budget-floor" else row.lower) for row in rows)
    share = amount / size if size else 1.0
    words = {
        "budget": f"raise {group} by {human(amount * 1e6)} {rows[0].unit[2:]} ({share:.1%})",
        "budget-floor": f"require {human(amount * 1e6)} {rows[0].unit[2:]} less of the {group} ({share:.1%})",
        "power": f"{amount:,.1f} MW-quarters more {group} ({share:.1%})",
        "supply": f"{amount:,.0f} chips more in the {group} ({share:.1%})",
        "demand": f"leave {share:.1%} of the {group} unserved",
    }
    return share, words[family]


def _least_slack(built: BuildOut, group: str, *, divisible: bool) -> float | None:
    """Return the least total amount by which a group's rows must give way for a plan to exist."""
    old = built.model
    model = old.copy()
    model.cost = [0.0] * len(old.columns)
    for i, row in enumerate(old.rows):
        if row.group == group:
            slack = model.add_column("slack", (i,), cost=1.0)
            sign = -1.0 if row.upper < INFINITY and row.family not in {"demand", "budget-floor"} else 1.0
            model.extend_row(i, slack, sign)
    found = solve(model, maximise=False, relax=divisible, time_limit_s=20)
    return found.objective if found.status in {"optimal", "feasible"} else None


def _lower_share(instance: Instance, built: BuildOut, group: str, *, divisible: bool) -> tuple[float, str] | None:
    """Find by bisection the share nearest to the one asked for that leaves a plan."""
    j = next(row.key[0] for row in built.model.rows if row.group == group)
    rule = instance.sourcing[j]

    def works(share: float) -> bool:
        rules = list(instance.sourcing)
        rules[j] = replace(rule, share=share)
        changed = assemble(replace(instance, sourcing=tuple(rules)))
        return not _infeasible(changed, _groups(changed), divisible=divisible)

    ends = (0.0,) if rule.kind == "floor" else (0.0, 1.0)
    reached = []
    for end in ends:
        if not works(end):
            continue
        good, bad = end, rule.share
        for _ in range(12):
            middle = (good + bad) / 2
            good, bad = (middle, bad) if works(middle) else (good, middle)
        reached.append(good)
    if not reached:
        return None
    share = min(reached, key=lambda value: abs(value - rule.share))
    verb = "lower" if share < rule.share else "raise"
    return abs(share - rule.share) / max(rule.share, 1e-9), f"{verb} {group} from {rule.share:.1%} to {share:.1%}"
