"""What sets a limit: the block of the scenario it comes from, who says so, and the rules that close a way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlay.planning.instance import Instance
    from outlay.scenario.schema import Scenario

MOST_RULES = 6


def source_of(scenario: Scenario, family: str, group: str) -> str:
    """Return what sets a limit, such as ``budgets china-chips: amount, press-report, Financial Times, 2025-01-22``.

    Parameters
    ----------
    family, group
        As in the rows of the model: ``power`` and ``power at Texas``.
    """
    found = _block(scenario, family, group)
    if found is None:
        return ""
    kind, name, field, block = found
    told = block.evidence.get(field) or block.evidence.get("*")
    where = " ".join(part for part in (kind, name) if part)
    if told is None:
        return f"{where}: {field}, as the scenario says"
    parts = (told.status, told.by, told.date, told.address, told.reason if told.status == "assumed" else "")
    return f"{where}: {field}, {', '.join(part for part in parts if part)}"


def _block(scenario: Scenario, family: str, group: str) -> tuple[str, str, str, Any] | None:
    """Return (kind, name, field, block) that a limit comes from."""
    loans = scenario.finance.loans if scenario.finance else []
    ways: dict[str, list[tuple[str, str, Iterable[Any]]]] = {
        "budget": [("budget ", "budgets/amount", scenario.budgets), ("loan ", "loans/amount", loans)],
        "budget-floor": [("spending of budget ", "budgets/spend_at_least", scenario.budgets)],
        "power": [("power at ", "sites/power", scenario.sites)],
        "sourcing": [("sourcing ", "sourcing/share", scenario.sourcing)],
        "demand": [("demand of ", "services/demand", scenario.services)],
        "run": [("training run ", "training/must", scenario.training)],
    }
    for prefix, where, blocks in ways.get(family, []):
        kind, field = where.split("/")
        for block in blocks:
            if group == prefix + block.name:
                return kind, block.name, field, block
    if family == "supply":
        return _supply(scenario, group.removeprefix("supply of "))
    return None


def _supply(scenario: Scenario, name: str) -> tuple[str, str, str, Any] | None:
    chip, _, mode = name.partition(" to ")
    for supply in scenario.supply:
        same = supply.chip == chip or supply.chip.casefold() in chip.casefold()
        if same and (not mode or supply.mode == mode):
            return "supply", supply.chip, "chips", supply
    return ("", "default_supply", "default_supply", scenario) if scenario.default_supply is not None else None


def rules_that_close(instance: Instance) -> str:
    """Return the rules by which ways are closed to the buyer, those that close most first."""
    counted: dict[str, int] = {}
    for option in instance.options:
        for legal, rules in zip(option.legal, option.rules, strict=True):
            for rule in rules if not legal else ():
                counted[rule] = counted.get(rule, 0) + 1
    ranked = sorted(counted, key=lambda rule: (-counted[rule], rule))
    more = f" and {len(ranked) - MOST_RULES} more" if len(ranked) > MOST_RULES else ""
    return ", ".join(ranked[:MOST_RULES]) + more
