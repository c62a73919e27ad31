"""What each limit that binds costs: one more unit of it, as a number and in words."""

from __future__ import annotations

from collections import defaultdict

from outlay.planning.instance import Instance
from outlay.planning.linear import Row
from outlay.planning.model import base_scale
from outlay.planning.result import Limit
from outlay.planning.solve import Outcome
from outlay.units import human

NOTICEABLE = 1e-9
BILLION_TOKENS_A_DAY = 1e9 / 86400 / 1e6
"""In millions of tokens a second."""


def binding(instance: Instance, outcome: Outcome) -> list[Limit]:
    """Return the limits one more unit of which would change the objective, the dearest family first as assembled.

    Rows of one limit in several quarters are summed: the worth is of one more unit in each of those quarters.
    """
    by_group: dict[str, list[tuple[Row, float]]] = defaultdict(list)
    for row, dual in zip(outcome.built.model.rows, outcome.duals, strict=True):
        worth = dual if outcome.built.maximise else -dual
        if row.family not in {"capacity", "run", "objective"} and abs(worth) > NOTICEABLE and not _closed(row):
            by_group[row.group].append((row, worth))
    return [_limit(instance, outcome, group, rows) for group, rows in by_group.items()]


def _closed(row: Row) -> bool:
    """Return whether a row leaves nothing at all: its dual is then any number large enough, and no worth."""
    return row.family in {"power", "supply"} and row.upper == 0.0


def _limit(instance: Instance, outcome: Outcome, group: str, rows: list[tuple[Row, float]]) -> Limit:
    family = rows[0][0].family
    worth = sum(value for _, value in rows)
    when = _when(instance, [row for row, _ in rows])
    if family == "sourcing":
        j = rows[0][0].key[0]
        point = worth * _base(instance, outcome, j) * 0.01
        rule = instance.sourcing[j]
        verb = "is worth" if point > 0 else "costs"
        words = f"one more percentage point of {rule.name} {verb} {_objective(instance, abs(point))}"
        return Limit(group, family, point, "percentage point", words)
    if family == "demand":
        worth *= BILLION_TOKENS_A_DAY
        verb = "is worth" if worth > 0 else "costs"
        service = group.removeprefix("demand of ")
        words = f"one billion more tokens a day asked of {service}{when} {verb} {_objective(instance, abs(worth))}"
        return Limit(group, family, worth, "billion tokens/day", words)
    if family == "supply":
        words = f"100 more chips in the {group}{when} are worth {_objective(instance, 100 * worth)}"
        return Limit(group, family, worth, "chip", words)
    if family == "power":
        words = f"one more MW of {group}{when} is worth {_objective(instance, worth)}"
        return Limit(group, family, worth, "MW", words)
    unit = rows[0][0].unit.removeprefix("m ")
    if family == "budget-floor":
        words = f"having to spend one million {unit} more ({group}) costs {_objective(instance, abs(worth))}"
    else:
        words = f"one million {unit} more in {group} is worth {_objective(instance, worth)}"
    return Limit(group, family, worth, f"million {unit}", words)


def _base(instance: Instance, outcome: Outcome, j: int) -> float:
    """Return the base of a sourcing share as bought, in the unit of its row."""
    rule = instance.sourcing[j]
    bought = outcome.orders.items()
    total = sum(instance.weight_in_base(rule, k, t) * units for (k, t, b), units in bought if (k, b) in rule.over)
    return total / base_scale(rule.base)


def _when(instance: Instance, rows: list[Row]) -> str:
    quarters = sorted({row.key[1] for row in rows if len(row.key) > 1})
    if not quarters:
        return ""
    names = [str(instance.quarters[t]) for t in quarters]
    if len(names) == 1:
        return f" in {names[0]}"
    whole = quarters == list(range(quarters[0], quarters[-1] + 1))
    return f" in each quarter from {names[0]} to {names[-1]}" if whole else f" in each of {', '.join(names)}"


def _objective(instance: Instance, amount: float) -> str:
    """Print an amount of the objective as it enters the model: millions of money, EFLOP/s-days, trillions of tokens."""
    match instance.objective:
        case "value" | "cost":
            return f"{human(amount * 1e6)} {instance.currency}"
        case "compute":
            return f"{human(amount)} EFLOP/s-days of peak bf16 compute"
        case "served":
            return f"{human(amount * 1e12)} tokens served"
        case _:
            return f"{human(amount)} quarters of finish time"
