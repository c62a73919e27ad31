"""Loans: what is drawn, what is owed and paid by period, what it costs all in, and whether covenants hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import InputError
from outlay.finance.returns import all_rates, checked_rate

Floats = NDArray[np.float64]
Amortisation = Literal["annuity", "straight", "bullet"]
NO_RATE = 1e-12
"""A rate a period below which the annuity formula divides nothing by nothing."""


@dataclass(frozen=True)
class Loan:
    """A term loan or a project financing.

    Attributes
    ----------
    amount
        The facility: the most that may be drawn, in ``currency``.
    base_rate, margin
        Per year, nominal: a period's interest is the balance times their sum over ``periods`` a year.
    tenor
        Periods from signing to the last repayment.
    grace
        First periods, in which only interest is paid and draws may come.
    amortisation
        ``annuity``: equal payments; ``straight``: equal repayments; ``bullet``: all at the end.
    upfront_fee
        Share of the facility, paid in the first period.
    commitment_fee
        Per year, on what is not drawn while draws may come.
    coverage
        The least debt service cover ratio the lenders allow; 0 for none.
    """

    name: str
    currency: str
    amount: float
    base_rate: float
    margin: float
    tenor: int
    grace: int = 0
    amortisation: Amortisation = "annuity"
    upfront_fee: float = 0.0
    commitment_fee: float = 0.0
    coverage: float = 0.0
    periods: int = 4

    def __post_init__(self) -> None:
        if not self.amount > 0:
            msg = f"loan {self.name!r}: amount is {self.amount:g}; expected more than zero"
            raise InputError(msg)
        if self.tenor < 1 or self.grace < 0:
            msg = f"loan {self.name!r}: tenor {self.tenor}, grace {self.grace}; expected a tenor of one or more periods"
            raise InputError(msg)
        if self.tenor <= self.grace:
            msg = (
                f"loan {self.name!r}: its tenor of {self.tenor} periods is not longer than its grace of {self.grace}; "
                "nothing would be left to repay in. Give a longer tenor or a shorter grace"
            )
            raise InputError(msg)
        checked_rate(self.rate, f"loan {self.name!r}: interest")

    @property
    def rate(self) -> float:
        """Interest per year."""
        return self.base_rate + self.margin

    @property
    def available(self) -> int:
        """Periods in which draws may come: the grace, or the first period where there is none."""
        return max(1, self.grace)


@dataclass(frozen=True)
class Schedule:
    """A loan by period; every array is of shape (period,) and every amount positive.

    Attributes
    ----------
    draws
        At the start of each period.
    interest, principal, fees
        Paid at the end of each period; the upfront fee is in the first.
    balance
        Owed after the payments of each period.
    """

    loan: Loan
    draws: Floats
    interest: Floats
    principal: Floats
    fees: Floats
    balance: Floats

    @property
    def service(self) -> Floats:
        """Interest and principal of each period: what cash must cover."""
        return np.asarray(self.interest + self.principal, dtype=np.float64)

    @property
    def effective_rate(self) -> float | None:
        """All-in cost per year, fees counted, compounded; ``None`` where nothing is drawn.

        Fees before the first draw turn the sign of the cash twice; of several rates the one nearest the loan's counts.
        """
        if not self.draws.any():
            return None
        flows = np.append(self.draws, 0.0) - np.insert(self.service + self.fees, 0, 0.0)
        nominal = self.loan.rate / self.loan.periods
        found = min(all_rates(flows), key=lambda rate: abs(rate - nominal), default=None)
        return None if found is None else float((1 + found) ** self.loan.periods - 1)


def schedule(loan: Loan, draws: ArrayLike | None = None) -> Schedule:
    """Return a loan's schedule over its tenor.

    Parameters
    ----------
    draws
        Of shape (period,), from signing on, at the start of each; the whole facility in the first where not given.

    Raises
    ------
    InputError
        If more than the facility is drawn, or a draw comes after the grace.

    Notes
    -----
    The payment of an annuity in period t is ``B r / (1 - (1 + r)**-(n - t))`` on the balance B then owed, which is the
    textbook's level payment where nothing is drawn in between.

    Examples
    --------
    >>> mortgage = Loan("house", "USD", 200_000, 0.065, 0.0, tenor=360, periods=12)
    >>> round(float(schedule(mortgage).service[0]), 2)
    1264.14
    """
    import numpy_financial

    taken = np.zeros(loan.tenor)
    given = np.array([loan.amount]) if draws is None else np.asarray(draws, float)
    if len(given) > loan.tenor and given[loan.tenor :].any():
        msg = f"loan {loan.name!r}: a draw in period {len(given)}, after its tenor of {loan.tenor} periods"
        raise InputError(msg)
    taken[: min(len(given), loan.tenor)] = given[: loan.tenor]
    _check_draws(loan, taken)
    rate = loan.rate / loan.periods
    rate = 0.0 if abs(rate) < NO_RATE else rate
    interest, principal, fees, balance = (np.zeros(loan.tenor) for _ in range(4))
    fees[0] = loan.upfront_fee * loan.amount
    owed = drawn = 0.0
    for t in range(loan.tenor):
        owed, drawn = owed + taken[t], drawn + taken[t]
        interest[t] = owed * rate
        left = loan.tenor - t
        if t >= loan.grace and loan.amortisation == "annuity":
            principal[t] = -float(numpy_financial.pmt(rate, left, owed)) - interest[t]
        elif t >= loan.grace and loan.amortisation == "straight":
            principal[t] = owed / left
        if left == 1:
            principal[t] = owed
        if t < loan.available:
            fees[t] += loan.commitment_fee / loan.periods * (loan.amount - drawn)
        owed -= principal[t]
        balance[t] = owed
    return Schedule(loan, taken, interest, principal, fees, balance)


def _check_draws(loan: Loan, draws: Floats) -> None:
    if (draws < 0).any():
        msg = f"loan {loan.name!r}: a draw below zero; repayments follow from the amortisation"
        raise InputError(msg)
    if draws.sum() > loan.amount * (1 + 1e-9):
        msg = f"loan {loan.name!r}: draws of {draws.sum():,.0f} {loan.currency} exceed its {loan.amount:,.0f}"
        raise InputError(msg)
    late = np.flatnonzero(draws[loan.available :])
    if len(late):
        msg = (
            f"loan {loan.name!r}: a draw in period {int(late[0]) + loan.available + 1}, after the first "
            f"{loan.available}; draws come within the grace"
        )
        raise InputError(msg)


def coverage(cash: ArrayLike, service: ArrayLike) -> Floats:
    """Return the debt service cover ratio by period: cash for debt service over service due; NaN where none is due.

    Both are of shape (period,).
    """
    available, due = np.asarray(cash, float), np.asarray(service, float)
    ratio = np.divide(available, due, out=np.full(len(due), np.nan), where=due > 1e-9)
    return np.asarray(ratio, dtype=np.float64)


def breaches(loan: Loan, cash: ArrayLike, service: ArrayLike) -> list[int]:
    """Return the periods in which a loan's cover covenant does not hold."""
    if loan.coverage <= 0:
        return []
    return [int(t) for t in np.flatnonzero(coverage(cash, service) < loan.coverage - 1e-9)]


def capacity(loan: Loan, cash: ArrayLike) -> float:
    """Return the most that can be drawn at signing so that the covenant holds in every period after the grace.

    Service is in proportion to what is drawn, so the tightest period decides; at most the facility.

    Raises
    ------
    InputError
        If the loan has no covenant.
    """
    if loan.coverage <= 0:
        msg = f"loan {loan.name!r} has no cover ratio to size it by"
        raise InputError(msg)
    unit = schedule(loan).service / loan.amount
    available = np.zeros(loan.tenor)
    given = np.asarray(cash, float)[: loan.tenor]
    available[: len(given)] = given
    tested = slice(loan.grace, None)
    due = unit[tested]
    sizes = np.divide(available[tested], loan.coverage * due, out=np.full(len(due), np.inf), where=due > 0)
    return float(min(loan.amount, max(0.0, sizes.min())))
