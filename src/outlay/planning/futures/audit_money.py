"""The audit's own arithmetic over futures: payments, present values, what is left at the end, loans run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outlay.finance.debt import Loan
from outlay.planning.instance import Credit, Instance, Option

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Decided:
    """What is decided in a plan, by index; all but blocks by node.

    Attributes
    ----------
    orders
        Whole units by (option, quarter, budget, node).
    blocks
        Training blocks.
    answers
        Whole units by what is done: ("cancel", option, quarter, budget, quarter of the answer, node), "resell" the
        same, ("move", option, other option, budget, quarter, node), ("reserve", option, quarter, budget, node),
        ("call", option, quarter of the reservation, budget, quarter, node).
    draws
        Money by (credit, quarter, node), in the loan's currency.
    """

    orders: Mapping[tuple[int, int, int, int], int]
    blocks: list[int]
    answers: Mapping[Key, int] = field(default_factory=dict)
    draws: Mapping[tuple[int, int, int], float] = field(default_factory=dict)


def discounted(instance: Instance, amount: float, quarter: float) -> float:
    """Return the present value of money paid in the middle of a quarter; the end of the horizon is ``length - 0.5``."""
    return float(amount / (1 + instance.discount) ** ((quarter + 0.5) / 4))


def payments(option: Option, ordered: int, length: int) -> dict[int, float]:
    """Return what a unit pays by quarter, later ones than the horizon too, in the currency of its price.

    A plain purchase or lease counts when it is ordered.
    """
    dear = option.price_factors[ordered] if option.price_factors else 1.0
    if option.payments:
        found = {ordered + i: amount * dear for i, amount in enumerate(option.payments)}
    elif option.mode == "buy":
        found = {ordered: option.price * dear}
    else:
        first = ordered + option.lead
        last = length if option.term is None else min(length, first + option.term)
        found = {ordered: option.price * dear * (last - first)}
    found[ordered] = found.get(ordered, 0.0) + option.building
    return found


def cost(instance: Instance, option: Option, ordered: int) -> float:
    """Return what a unit costs within the horizon, in the plan's currency."""
    length = len(instance.quarters)
    within = sum(amount for q, amount in payments(option, ordered, length).items() if q < length)
    return within * instance.rate[option.currency]


def present(instance: Instance, option: Option, ordered: int) -> float:
    """Return the present value of what a unit costs, in the plan's currency: late payments owed, refunds taken off."""
    length = len(instance.quarters)
    total = 0.0
    for quarter, amount in payments(option, ordered, length).items():
        if quarter < length or option.owed:
            total += discounted(instance, amount, quarter)
    if option.payments and option.term is not None:
        over = max(0, ordered + option.lead + option.term - length)
        total -= discounted(instance, option.refund * over, length - 0.5)
    return total * instance.rate[option.currency]


def machine_worth(instance: Instance, option: Option, ordered: int, quarter: int) -> float:
    """Return what a bought machine is worth in a quarter, undiscounted, in the plan's currency."""
    base = option.price if option.resale is None else option.resale
    dear = option.price_factors[ordered] if option.price_factors else 1.0
    years = (quarter - ordered - option.lead) / 4
    return float(base * dear * instance.salvage_per_year**years * instance.rate[option.currency])


def left(instance: Instance, option: Option, ordered: int, *, machine_alone: bool = False) -> float:
    """Return the present value of what a unit is worth at the end, in the plan's currency."""
    if option.mode == "lease":
        return 0.0
    length = len(instance.quarters)
    years = (length - ordered - option.lead) / 4
    house = 0.0 if machine_alone else option.building * max(0.0, 1 - years / option.building_years)
    total = machine_worth(instance, option, ordered, length) + house * instance.rate[option.currency]
    return discounted(instance, total, length - 0.5)


def running(instance: Instance, option: Option, first: int, end: int) -> float:
    """Return the present value of running a unit from a quarter up to another, in the plan's currency."""
    return sum(discounted(instance, option.running + option.upkeep, q) for q in range(first, end))


@dataclass(frozen=True)
class Run:
    """A loan run through its quarters within the horizon, in its currency."""

    paid: list[float]
    fees: list[float]
    owed: float


def run_loan(loan: Loan, draws: Mapping[int, float], length: int) -> Run:
    """Run a loan: interest on what is owed, repayments after the grace, fees on what may still be drawn."""
    rate = (loan.base_rate + loan.margin) / loan.periods
    owed = drawn = 0.0
    paid, charged = [], []
    for t in range(length):
        drawn += draws.get(t, 0.0)
        owed += draws.get(t, 0.0)
        over = loan.tenor - t
        back = 0.0
        if over == 1:
            back = owed
        elif t >= loan.grace and over > 1 and loan.amortisation == "straight":
            back = owed / over
        elif t >= loan.grace and over > 1 and loan.amortisation == "annuity":
            growth = (1 + rate) ** over
            back = owed / over if rate == 0 else owed * rate / (growth - 1)
        paid.append(owed * rate + back)
        owed -= back
        idle = loan.commitment_fee / loan.periods * (loan.amount - drawn) if t < max(1, loan.grace) else 0.0
        charged.append(idle + (loan.upfront_fee * loan.amount if t == 0 else 0.0))
    return Run(paid, charged, owed)


def loan_value(instance: Instance, credit: Credit, draws: Mapping[int, float]) -> float:
    """Return the present value of a loan to the borrower, in the plan's currency."""
    length = len(instance.quarters)
    found = run_loan(credit.loan, draws, length)
    total = sum(discounted(instance, amount, t) for t, amount in draws.items())
    for t in range(length):
        total -= discounted(instance, found.paid[t] + found.fees[t], t)
    total -= discounted(instance, found.owed, length - 0.5)
    return total * instance.rate[credit.loan.currency]
