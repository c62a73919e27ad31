"""The cash of a plan by quarter and currency, and what follows from it: value, return, payback, exposure, tornado."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outlay.finance.currency import Exposure, Rates
from outlay.finance.returns import deflated, irr, payback, present_value, real_rate

Floats = NDArray[np.float64]
Booking = Literal["income", "operating", "capital", "financing"]
BOOKINGS: tuple[Booking, ...] = ("income", "operating", "capital", "financing")


@dataclass(frozen=True)
class Line:
    """One kind of money in one currency.

    Attributes
    ----------
    kind
        What it is for: purchases, rent, energy, hosting, upkeep, revenue, worth of runs, resale, draws, interest ...
    amounts
        By quarter, in ``currency``; money in is positive.
    """

    name: str
    kind: str
    booking: Booking
    currency: str
    amounts: list[float]


@dataclass(frozen=True)
class LoanUse:
    """A loan as a plan uses it; lists are by quarter of the horizon, in its currency."""

    name: str
    currency: str
    facility: float
    rate: float
    effective_rate: float | None
    draws: list[float]
    interest: list[float]
    principal: list[float]
    fees: list[float]
    balance: list[float]
    owed_after: float
    """Owed when the horizon ends; the value of the plan counts it as repaid then."""
    coverage: list[float | None]
    """Income less operating cost over the service of all loans; ``None`` in the grace or where none is due."""
    least_coverage: float
    carried: float
    """The most it could be, drawn at the start and alone, for its cover to hold; at most the facility."""
    breaches: list[str]
    """Quarters in which the cover covenant does not hold."""


@dataclass(frozen=True)
class Swing:
    """A bar of the tornado chart: the plan's value at a low and a high reading of one input."""

    name: str
    low_reading: str
    high_reading: str
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How far the value moves between the two readings."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True)
class UnitCost:
    """What one unit of something costs within a plan, in the plan's currency."""

    name: str
    unit: str
    cost: float
    price: float | None = None
    """What it earns or is worth, where that is known."""


@dataclass(frozen=True)
class Accounts:
    """A plan's money. Amounts are in ``currency`` unless a record names another; values are of the first day.

    Attributes
    ----------
    discount, real_discount, inflation
        Per year.
    rates
        Units of ``currency`` per unit of each currency, by quarter.
    value
        Net present value of every line.
    rate_of_return
        Internal rate of return per year; ``None`` where the net cash has no single one.
    payback_quarters
        Quarters until the money put in is back for good; ``None`` where it is not within the horizon.
    """

    currency: str
    quarters: list[str]
    discount: float
    real_discount: float
    inflation: float
    rates: dict[str, list[float]]
    rates_basis: dict[str, str]
    lines: list[Line]
    net: list[float]
    net_real: list[float]
    value: float
    rate_of_return: float | None
    payback_quarters: float | None
    exposure: list[Exposure] = field(default_factory=list)
    loans: list[LoanUse] = field(default_factory=list)
    tornado: list[Swing] = field(default_factory=list)
    unit_costs: list[UnitCost] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    depreciation: list[float] = field(default_factory=list)
    """By quarter, straight line, of what is booked as capital; no cash, so in no line and not in ``net``."""

    def by_currency(self) -> dict[str, list[float]]:
        """Return net cash by currency and quarter, each in its own."""
        found: dict[str, list[float]] = {}
        for line in self.lines:
            so_far = found.setdefault(line.currency, [0.0] * len(self.quarters))
            found[line.currency] = [a + b for a, b in zip(so_far, line.amounts, strict=True)]
        return found

    def total(self, booking: Booking) -> float:
        """Return all cash of a booking over the horizon, at each quarter's rates."""
        return float(sum(sum(self.converted(line)) for line in self.lines if line.booking == booking))

    def converted(self, line: Line) -> list[float]:
        """Return a line's amounts in the plan's currency."""
        return [amount * rate for amount, rate in zip(line.amounts, self.rates[line.currency], strict=True)]


def account(lines: Sequence[Line], rates: Rates, currency: str, *, discount: float, inflation: float = 0.0) -> Accounts:
    """Return the accounts of some lines: totals, value, return and payback.

    Parameters
    ----------
    discount, inflation
        Per year, nominal.
    """
    used = sorted({line.currency for line in lines} | {currency})
    one = np.ones(len(rates.quarters))
    per_unit = {code: rates.convert(one, code, currency) for code in used}
    net = _net(lines, per_unit, len(rates.quarters))
    quarterly = irr(net)
    return Accounts(
        currency=currency,
        quarters=[str(quarter) for quarter in rates.quarters],
        discount=discount,
        real_discount=real_rate(discount, inflation),
        inflation=inflation,
        rates={code: [float(rate) for rate in per_unit[code]] for code in used},
        rates_basis={code: rates.basis.get(code, "") for code in used},
        lines=list(lines),
        net=[float(amount) for amount in net],
        net_real=[float(amount) for amount in deflated(net, inflation)],
        value=present_value(discount, net),
        rate_of_return=None if quarterly is None else (1 + quarterly) ** 4 - 1,
        payback_quarters=payback(net),
    )


def _net(lines: Sequence[Line], per_unit: Mapping[str, Floats], length: int) -> Floats:
    total = np.zeros(length)
    for line in lines:
        total += np.asarray(line.amounts) * per_unit[line.currency]
    return total


@dataclass(frozen=True)
class Reading:
    """A low and a high reading of one input of a plan's value.

    Attributes
    ----------
    low, high
        Each takes the accounts and returns the value of the plan at that reading.
    """

    name: str
    low_words: str
    high_words: str
    low: Callable[[Accounts], float]
    high: Callable[[Accounts], float]


def tornado(accounts: Accounts, readings: Sequence[Reading]) -> list[Swing]:
    """Return the swings of some readings, the widest first; readings that move nothing are left out."""
    made = [
        Swing(each.name, each.low_words, each.high_words, each.low(accounts), each.high(accounts)) for each in readings
    ]
    return sorted((swing for swing in made if swing.width > 0), key=lambda swing: (-swing.width, swing.name))


def scaled(kind: str, factor: float) -> Callable[[Accounts], float]:
    """Return what a plan is worth with every line of a kind times a factor, all decisions held."""

    def value(accounts: Accounts) -> float:
        here = [accounts.converted(line) for line in accounts.lines if line.kind == kind]
        return accounts.value + (factor - 1) * sum(present_value(accounts.discount, amounts) for amounts in here)

    return value


def at_rate(currency: str, factor: float) -> Callable[[Accounts], float]:
    """Return what a plan is worth with a currency's worth times a factor in every quarter, all decisions held."""

    def value(accounts: Accounts) -> float:
        here = [accounts.converted(line) for line in accounts.lines if line.currency == currency]
        return accounts.value + (factor - 1) * sum(present_value(accounts.discount, amounts) for amounts in here)

    return value


def discounted(rate: float) -> Callable[[Accounts], float]:
    """Return what a plan is worth at another discount rate, all decisions held."""
    return lambda accounts: present_value(rate, accounts.net)
