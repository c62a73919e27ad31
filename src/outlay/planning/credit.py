"""Loans in the optimiser: what may be drawn in which quarter, what a draw is worth, and the budgets it adds to."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlay.planning.instance import MONEY, Credit, Instance

if TYPE_CHECKING:
    from outlay.finance.debt import Loan, Schedule
    from outlay.planning.linear import LinearModel
    from outlay.scenario.schema import Scenario


@dataclass(frozen=True)
class CreditColumns:
    """Where the columns of loans are.

    Attributes
    ----------
    draw
        (credit, quarter) -> column, in millions of the loan's currency.
    signed
        By credit: a column held at one, which carries the fees of a loan whatever is drawn.
    """

    draw: dict[tuple[int, int], int]
    signed: dict[int, int]


@functools.lru_cache(maxsize=256)
def unit_schedule(loan: Loan, quarter: int) -> Schedule:
    """Return the schedule of a loan of which one whole facility is drawn in one quarter."""
    from outlay.finance.debt import schedule

    draws = [0.0] * loan.tenor
    draws[quarter] = loan.amount
    return schedule(loan, draws)


def fees(credit: Credit, length: int) -> list[float]:
    """Return the fees of a loan nothing of which is drawn, by quarter of the horizon, in its currency."""
    loan = credit.loan
    idle = loan.commitment_fee / loan.periods * loan.amount
    made = [idle if t < loan.available else 0.0 for t in range(length)]
    made[0] += loan.upfront_fee * loan.amount
    return made


def saved_fee(credit: Credit, quarter: int, length: int) -> list[float]:
    """Return the commitment fees that one unit drawn in a quarter saves, by quarter of the horizon."""
    loan = credit.loan
    return [loan.commitment_fee / loan.periods if quarter <= t < loan.available else 0.0 for t in range(length)]


def service(credit: Credit, quarter: int, length: int) -> tuple[list[float], float]:
    """Return what one unit drawn in a quarter pays, by quarter of the horizon, and what is owed at its end."""
    found = unit_schedule(credit.loan, quarter)
    paid = [float(amount) / credit.loan.amount for amount in found.service[:length]]
    paid += [0.0] * (length - len(paid))
    owed = float(found.balance[length - 1]) / credit.loan.amount if length <= credit.loan.tenor else 0.0
    return paid, owed


def worth(instance: Instance, credit: Credit, quarter: int) -> float:
    """Return the present value of one unit drawn in a quarter, less all it costs, in the plan's currency."""
    length = len(instance.quarters)
    paid, owed = service(credit, quarter, length)
    saved = saved_fee(credit, quarter, length)
    flows = sum((s - p) * instance.discount_factor(t) for t, (p, s) in enumerate(zip(paid, saved, strict=True)))
    total = instance.discount_factor(quarter) + flows - owed * instance.end_factor
    return total * instance.rate[credit.loan.currency]


def fixed_cost(instance: Instance, credit: Credit) -> float:
    """Return the present value of the fees of a loan nothing of which is drawn, in the plan's currency."""
    paid = fees(credit, len(instance.quarters))
    total = sum(amount * instance.discount_factor(t) for t, amount in enumerate(paid))
    return total * instance.rate[credit.loan.currency]


def credit_columns(instance: Instance, model: LinearModel) -> CreditColumns:
    """Add a column for what each loan may lend in each quarter, and one that stands for its fees."""
    columns = CreditColumns({}, {})
    sign = {"value": 1.0, "cost": -1.0}.get(instance.objective, 0.0)
    reserve = instance.reserve_value if instance.objective == "value" else 1.0
    for c, credit in enumerate(instance.credits):
        for t in range(min(credit.loan.available, len(instance.quarters))):
            cost = sign * reserve * worth(instance, credit, t)
            columns.draw[c, t] = model.add_column("draw", (c, t), cost=cost)
        cost = -sign * reserve * fixed_cost(instance, credit) / MONEY
        columns.signed[c] = model.add_column("loan", (c,), cost=cost, lower=1.0, upper=1.0)
    return columns


def credit_rows(
    instance: Instance, model: LinearModel, order: dict[tuple[int, int, int], int], columns: CreditColumns
) -> None:
    """Add the facility of each loan, and what it may lend in a quarter: a share of what its budgets pay then."""
    length = len(instance.quarters)
    for c, credit in enumerate(instance.credits):
        loan = credit.loan
        mine = [(t, column) for (other, t), column in columns.draw.items() if other == c]
        terms = [(column, 1.0) for _, column in mine]
        unit = f"m {loan.currency}"
        model.add_row("budget", f"loan {loan.name}", (c,), terms, upper=loan.amount / MONEY, unit=unit)
        for t, column in mine:
            paid = [
                (
                    at,
                    -credit.share
                    * instance.options[k].paid(ordered, length)[t]
                    * instance.rate[instance.options[k].currency]
                    / instance.rate[loan.currency]
                    / MONEY,
                )
                for (k, ordered, b), at in order.items()
                if b == credit.budget and ordered <= t
            ]
            group = f"draws of {loan.name}"
            model.add_row("capacity", group, (c, t), [(column, 1.0), *paid], upper=0.0, unit=unit)


def credit_terms(instance: Instance, columns: CreditColumns, budget: int) -> Iterator[tuple[int, float]]:
    """Return what draws add to a budget and what fees and service take from it, as terms of its row, in millions."""
    length = len(instance.quarters)
    own = instance.rate[instance.budgets[budget].currency]
    for (c, t), column in columns.draw.items():
        credit = instance.credits[c]
        into = instance.rate[credit.loan.currency] / own
        if credit.budget == budget:
            yield column, -into
        if credit.service_from == budget:
            paid, _ = service(credit, t, length)
            yield column, into * (sum(paid) - sum(saved_fee(credit, t, length)))
    for c, column in columns.signed.items():
        credit = instance.credits[c]
        if credit.service_from == budget:
            yield column, sum(fees(credit, length)) * instance.rate[credit.loan.currency] / own / MONEY


def paid_by_quarter(credit: Credit, draws: dict[int, float], length: int) -> tuple[list[float], list[float], float]:
    """Return interest with repayments, fees, by quarter of the horizon, and what is owed then, for draws by quarter."""
    due, owed = [0.0] * length, 0.0
    charged = fees(credit, length)
    for quarter, amount in draws.items():
        paid, left = service(credit, quarter, length)
        saved = saved_fee(credit, quarter, length)
        due = [a + amount * b for a, b in zip(due, paid, strict=True)]
        charged = [a - amount * b for a, b in zip(charged, saved, strict=True)]
        owed += amount * left
    return due, charged, owed


def credits_of(scenario: Scenario) -> tuple[Credit, ...]:
    """Return the loans of a scenario."""
    from outlay.finance.debt import Loan

    names = [budget.name for budget in scenario.budgets]
    return tuple(
        Credit(
            loan=Loan(
                name=told.name,
                currency=told.amount.currency,
                amount=float(told.amount.amount),
                base_rate=told.base_rate,
                margin=told.margin,
                tenor=told.tenor_quarters,
                grace=told.grace_quarters,
                amortisation=told.amortisation,
                upfront_fee=told.upfront_fee,
                commitment_fee=told.commitment_fee,
                coverage=told.coverage or 0.0,
            ),
            budget=names.index(told.budget),
            share=told.share_of_cost,
            service_from=None if told.service_from is None else names.index(told.service_from),
        )
        for told in (scenario.finance.loans if scenario.finance else [])
    )
