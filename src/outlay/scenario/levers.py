"""What one may turn in a scenario to ask "what if": shares, budgets, prices, dates of rules, each with its range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from outlay.scenario.edit import with_value
from outlay.scenario.tree import Location
from outlay.units import Money, Quarter, human

if TYPE_CHECKING:
    from outlay.scenario.schema import Scenario

Group = Literal["shares", "budgets", "prices", "dates"]
QUARTERS_EARLIER, QUARTERS_LATER = 4, 8


@dataclass(frozen=True)
class Lever:
    """Something to turn.

    Attributes
    ----------
    id
        What it is of, such as ``budget china-chips``.
    wheres
        Fields of the YAML it sets.
    low, high, step, base
        Of its scale: per cent for shares, per cent of today's for budgets and prices, quarters for dates.
    amounts
        What the fields say at the base: an amount and the text after it, for each.
    """

    id: str
    group: Group
    wheres: tuple[Location, ...]
    low: float
    high: float
    step: float
    base: float
    amounts: tuple[tuple[Decimal, str], ...] = ()
    day: date | None = None
    quarter: Quarter | None = None

    def written(self, at: float) -> list[str]:
        """Return what its fields say where it is turned to a value of its scale."""
        if self.group == "shares":
            return [f"{at:g}%"]
        if self.day is not None:
            return [_shifted(self.day, round(at)).isoformat()]
        if self.quarter is not None:
            return [str(self.quarter + round(at))]
        factor = Decimal(str(at)) / 100
        return [f"{_plain(amount * factor)}{unit}" for amount, unit in self.amounts]

    def shown(self, at: float) -> str:
        """Return where it is turned to, for people."""
        if self.group in {"shares", "dates"}:
            return self.written(at)[0]
        if len(self.amounts) > 1:
            return f"{at:g}%"
        if self.group == "budgets":
            return str(Money.parse(self.written(at)[0]))
        amount, unit = self.amounts[0]
        return f"{human(float(amount) * at / 100)}{unit}"


def levers(scenario: Scenario, values: Mapping[str, Any], rules: Iterable[str] = ()) -> list[Lever]:
    """Return everything that can be turned in a scenario.

    Parameters
    ----------
    values
        The scenario's YAML as plain values: what a field says as it is written.
    rules
        Identifiers of the rules whose days may be moved, such as those that close a way of the plan.
    """
    found = [
        Lever(f"share {rule.name}", "shares", (("sourcing", i, "share"),), 0, 100, 1, round(rule.share * 100, 6))
        for i, rule in enumerate(scenario.sourcing)
    ]
    for i, budget in enumerate(scenario.budgets):
        amount = ((budget.amount.amount, f" {budget.amount.currency}"),)
        found.append(Lever(f"budget {budget.name}", "budgets", (("budgets", i, "amount"),), 10, 200, 5, 100, amount))
    found += _prices(values)
    found += _dates(scenario, rules)
    return found


def _prices(values: Mapping[str, Any]) -> list[Lever]:
    made = [
        _price(f"rent of {lease['chip']}", [("leases", i, "price")], values)
        for i, lease in enumerate(values.get("leases") or [])
    ]
    made += [
        _price(f"price of {service['name']}", [("services", i, "price")], values)
        for i, service in enumerate(values.get("services") or [])
    ]
    for field, name in (("energy_price", "price of energy"), ("hosting_price", "price of hosting")):
        wheres: list[Location] = [
            ("sites", i, field) for i, site in enumerate(values.get("sites") or []) if site.get(field) is not None
        ]
        made.append(_price(name, wheres, values))
    return [lever for lever in made if lever is not None]


def _price(name: str, wheres: list[Location], values: Any) -> Lever | None:
    """Return a lever over prices, each an amount and a unit as written; ``None`` where there are none."""
    amounts = []
    for where in wheres:
        node = values
        for part in where:
            node = node[part]
        number, _, unit = str(node).partition(" ")
        try:
            amounts.append((Decimal(number.replace(",", "")), f" {unit}"))
        except ArithmeticError:
            return None  # written another way, such as $2/chip/hour
    return Lever(name, "prices", tuple(wheres), 10, 300, 5, 100, tuple(amounts)) if amounts else None


def _dates(scenario: Scenario, rules: Iterable[str]) -> list[Lever]:
    from outlay.policy.rules import rule

    span = (-QUARTERS_EARLIER, QUARTERS_LATER, 1, 0)
    made = []
    for name in rules:
        first = scenario.policy.dates.get(name, rule(name).effective_from)
        made.append(Lever(f"rule {name}", "dates", (("policy", "dates", name),), *span, day=first))
    for i, run in enumerate(scenario.training):
        if run.deadline is not None:
            where: Location = ("training", i, "deadline")
            made.append(Lever(f"deadline of {run.name}", "dates", (where,), *span, quarter=run.deadline))
    return made


def turned(text: str, found: Iterable[Lever], values: Mapping[str, float]) -> str:
    """Return a scenario's text with some levers turned; ``values`` gives where to, by the lever's id."""
    for lever in found:
        at = values.get(lever.id, lever.base)
        if at != lever.base:
            for where, written in zip(lever.wheres, lever.written(at), strict=True):
                text = with_value(text, where, written)
    return text


def rules_of(plan: Any) -> list[str]:
    """Return the rules whose days matter to a plan: those that close a way, then those an order goes by."""
    from outlay.policy.rules import all_rules

    known = {rule.id for rule in all_rules()}
    said = [name for way in plan.blocked for name in way.rules]
    said += [name for bought in plan.purchases for name in bought.rules]
    return [name for name in dict.fromkeys(said) if name in known]


def _shifted(day: date, quarters: int) -> date:
    """Return a day some quarters later, the last of the month where the month is shorter."""
    import calendar

    month = day.month - 1 + 3 * quarters
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
