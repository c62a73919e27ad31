"""What each limit that binds costs: one more unit of it, how far that holds, and what sets the limit, in words."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from outlay.planning.instance import Instance
from outlay.planning.linear import Row
from outlay.planning.model import base_scale
from outlay.planning.ranging import Range, price_ranges
from outlay.planning.result import Limit
from outlay.planning.solve import Outcome
from outlay.planning.sources import source_of
from outlay.units import human

if TYPE_CHECKING:
    from outlay.scenario.schema import Scenario

NOTICEABLE = 1e-9
NARROW = 1e-6
BILLION_TOKENS_A_DAY = 1e9 / 86400 / 1e6
"""In millions of tokens a second."""


def binding(instance: Instance, outcome: Outcome, scenario: Scenario | None = None) -> list[Limit]:
    """Return the limits one more unit of which would change the objective, the dearest family first as assembled.

    Rows of one limit in several quarters are summed: the worth is of one more unit in each of those quarters. Each has
    the range in which its price holds and, with the scenario, what sets it.
    """
    by_group: dict[str, list[tuple[int, Row, float]]] = defaultdict(list)
    for i, (row, dual) in enumerate(zip(outcome.built.model.rows, outcome.duals, strict=True)):
        worth = dual if outcome.built.maximise else -dual
        if row.family not in {"capacity", "run", "objective"} and abs(worth) > NOTICEABLE and not _closed(row):
            by_group[row.group].append((i, row, worth))
    chosen = set(outcome.blocks)
    held = {column: float(i in chosen) for i, column in outcome.built.block.items()}
    ranges = price_ranges(
        outcome.built.model,
        maximise=outcome.built.maximise,
        fixed=held,
        groups=[[i for i, _, _ in rows] for rows in by_group.values()],
    )
    found = []
    for (group, rows), reach in zip(by_group.items(), ranges, strict=True):
        limit = _limit(instance, outcome, group, [(row, worth) for _, row, worth in rows], reach)
        found.append(limit if scenario is None else replace(limit, source=source_of(scenario, limit.family, group)))
    return found


def _closed(row: Row) -> bool:
    """Return whether a row leaves nothing at all: its dual is then any number large enough, and no worth."""
    return row.family in {"power", "supply"} and row.upper == 0.0


def _limit(instance: Instance, outcome: Outcome, group: str, rows: list[tuple[Row, float]], reach: Range) -> Limit:
    family = rows[0][0].family
    worth = sum(value for _, value in rows)
    when = _when(instance, [row for row, _ in rows])
    scale, unit = 1.0, ""
    if family == "sourcing":
        j = rows[0][0].key[0]
        scale = _base(instance, outcome, j) * 0.01
        worth *= scale
        verb = "is worth" if worth > 0 else "costs"
        unit = "percentage point"
        words = f"one more percentage point of {instance.sourcing[j].name} {verb} {_objective(instance, abs(worth))}"
    elif family == "demand":
        scale, unit = BILLION_TOKENS_A_DAY, "billion tokens/day"
        worth *= scale
        verb = "is worth" if worth > 0 else "costs"
        service = group.removeprefix("demand of ")
        words = f"one billion more tokens a day asked of {service}{when} {verb} {_objective(instance, abs(worth))}"
    elif family == "supply":
        unit = "chip"
        words = f"100 more chips in the {group}{when} are worth {_objective(instance, 100 * worth)}"
    elif family == "power":
        unit = "MW"
        words = f"one more MW of {group}{when} is worth {_objective(instance, worth)}"
    else:
        money = rows[0][0].unit.removeprefix("m ")
        unit = f"million {money}"
        if family == "budget-floor":
            words = f"having to spend one million {money} more ({group}) costs {_objective(instance, abs(worth))}"
        else:
            words = f"one million {money} more in {group} is worth {_objective(instance, worth)}"
    less, more = (side / scale if scale else 0.0 for side in reach)
    words += f"; {_holds(less, more, unit)}"
    return Limit(group, family, worth, unit, words, _finite(less), _finite(more))


def _finite(amount: float) -> float | None:
    return amount if math.isfinite(amount) else None


def _holds(less: float, more: float, unit: str) -> str:
    """Say in words from where to where a price holds."""
    if less + more < NARROW:
        return "the price changes at once either way"

    def side(amount: float, word: str) -> str:
        return f"any number {word}" if not math.isfinite(amount) else f"{_amount(amount, unit)} {word}"

    return f"so from {side(less, 'less')} to {side(more, 'more')}"


def _amount(amount: float, unit: str) -> str:
    if unit.startswith("million "):
        return f"{human(amount * 1e6)} {unit.removeprefix('million ')}"
    shown = human(amount) if amount >= 1 or amount == 0 else f"{amount:.2g}"
    plural = {"chip": "chips", "percentage point": "points", "billion tokens/day": "billion tokens/day"}
    return f"{shown} {plural.get(unit, unit)}"


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
