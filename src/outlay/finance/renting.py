"""What renting costs, on demand, for a term or paid ahead, and how long machines must work to be worth owning."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError, MissingFigureError
from outlay.evidence import Figure
from outlay.finance.ownership import HOURS_PER_QUARTER, Machine, Ownership, Place, annuity, own
from outlay.finance.pricing import Priced, rental_price
from outlay.finance.returns import checked_rate, discount_factors
from outlay.finance.terms import Terms
from outlay.units import end_of_period

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip, Price

Floats = NDArray[np.float64]
RentKind = Literal["on demand", "1 year", "3 years"]
Rest = Literal["pay", "hand over"]
KINDS: dict[RentKind, str] = {"on demand": "cloud on-demand", "1 year": "cloud 1-year", "3 years": "cloud 3-year"}
TERM_QUARTERS: dict[RentKind, int] = {"on demand": 1, "1 year": 4, "3 years": 12}


def rent(catalog: Catalog, chip: Chip, on: date, kind: RentKind) -> Priced:
    """Return the rent of one chip for an hour under a kind of contract, by what was known on a day.

    The median of the chip's own prices of that kind; where it has none, its price of another kind times the median
    ratio of the two in price lists that give both, marked ``derived``.

    Raises
    ------
    MissingFigureError
        If the price list has no rent of the chip at any time, or no list gives both kinds.
    """
    known_kinds = {price.kind for price in catalog.prices(chip.name, "cloud", until=on) if price.low is not None}
    if KINDS[kind] in known_kinds:
        return rental_price(catalog, chip, on, kinds=(KINDS[kind],))
    base = rental_price(catalog, chip, on)
    seen = next(name for name, text in KINDS.items() if text == base.kind)
    if seen == kind:
        return base
    ratio = term_ratio(catalog, on, kind, seen)
    factor = float(ratio.value)
    return Priced(
        base.amount * factor,
        base.low * factor,
        base.high * factor,
        base.currency,
        base.date,
        f"{base.basis}; x {factor:.3f} for {kind}",
        (*base.evidence, ratio),
        after_knowledge=base.after_knowledge,
        kind=KINDS[kind],
    )


def term_ratio(catalog: Catalog, on: date, kind: RentKind, over: RentKind) -> Figure:
    """Return the price of one kind of contract over another: the median over price lists that give both.

    Raises
    ------
    MissingFigureError
        If no list known on the day gives both.
    """
    lists: dict[tuple[str, str, str, str], dict[str, Price]] = defaultdict(dict)
    for price in catalog.prices(None, "cloud"):
        if price.low is not None and end_of_period(price.date) <= on:
            lists[price.item, price.date, price.currency, price.source.address].setdefault(price.kind, price)
    pairs = [both for both in lists.values() if {KINDS[kind], KINDS[over]} <= set(both)]
    if not pairs:
        msg = f"no price list known on {on} gives rents both {kind} and {over}"
        raise MissingFigureError(msg)
    ratios = [(both[KINDS[kind]].low or 0.0) / (both[KINDS[over]].low or 1.0) for both in pairs]
    example = pairs[0][KINDS[kind]]
    note = f"median of {len(pairs)} price lists that give both; {min(ratios):.2f} to {max(ratios):.2f}"
    return Figure(statistics.median(ratios), f"{kind} over {over}", "derived", example.source, note)


@dataclass(frozen=True)
class Way:
    """One way to have a chip for some time.

    Attributes
    ----------
    booking
        ``capital`` or ``operating``: which budget it is booked on.
    cash
        Paid by quarter for one chip, of shape (quarter,).
    present
        Its present value.
    per_useful_hour
        Present value over the present value of the hours used.
    idle
        Hours paid for and not used.
    why_not
        Why it cannot be compared; its figures are then NaN.
    """

    name: str
    booking: Literal["capital", "operating"]
    cash: Floats
    present: float
    per_useful_hour: float
    idle: float
    basis: str
    why_not: str = ""


@dataclass(frozen=True)
class Comparison:
    """The ways to have a chip for some hours, cheapest first, and where owning starts to pay.

    Attributes
    ----------
    break_even
        Hours of use over the period above which owning costs less than renting on demand; ``None`` where no rent is
        known, infinite where never within the period.
    """

    hours: float
    years: float
    ways: tuple[Way, ...]
    owned: Ownership
    break_even: float | None

    @property
    def best(self) -> Way:
        """The cheapest way."""
        return self.ways[0]


def compare(
    machine: Machine,
    place: Place,
    terms: Terms,
    rents: dict[RentKind, Priced],
    *,
    hours: float,
    years: float,
    rest: Rest | None = None,
) -> Comparison:
    """Compare buying, a finance lease and renting for so many hours of one chip over some years.

    Parameters
    ----------
    rents
        Per chip-hour by kind, in the currency of the machine's price.
    hours
        Of use, spread evenly.
    rest
        What to do with a contract that runs on after the years: ``pay`` for it all the same, or ``hand over`` the rest
        to somebody at its price. Such a contract is not compared where this is not said.

    Raises
    ------
    InputError
        If the hours do not fit into the years.
    """
    length = int(np.ceil(years * 4))
    most = years * 4 * HOURS_PER_QUARTER * terms.value("availability")
    if not 0 < hours <= most * (1 + 1e-9):
        msg = (
            f"{hours:,.0f} hours of use in {years:g} years; a chip can work at most {most:,.0f} in them "
            f"(availability {terms.value('availability'):.0%}). Give more years or fewer hours"
        )
        raise InputError(msg)
    rate = checked_rate(terms.value("cost_of_capital"), "cost of capital")
    factors = discount_factors(rate, length)
    share = np.clip(years * 4 - np.arange(length), 0.0, 1.0)
    used = hours * share / share.sum()
    worth = float(used @ factors)
    owned = own(machine, place, terms, life=years)
    present = owned.present / machine.chips
    idle = most - hours
    ways = [
        Way("buy", "capital", owned.cash / machine.chips, present, present / worth, idle, "sold at the end"),
        _finance_lease(machine, owned, terms, years, worth, idle),
    ]
    for kind, price in rents.items():
        ways.append(_rented(kind, price, used, share, factors, rest))
    longest: RentKind = "3 years" if years >= 3 else "1 year"
    if longest in rents:
        ways.append(_prepaid(rents[longest], longest, terms, share, worth, hours, rest))
    break_even = None
    if "on demand" in rents:
        per_hour = rents["on demand"].amount * float((share / share.sum()) @ factors)
        needed = present / per_hour
        break_even = needed if needed <= most else float("inf")
    ordered = sorted(ways, key=lambda way: (bool(way.why_not), way.present))
    return Comparison(hours, years, tuple(ordered), owned, break_even)


def lease_payments(price: float, rate: float, quarters: float) -> float:
    """Return the level payment a quarter of a finance lease that pays back a price, title passing at the end."""
    return price * annuity(rate, quarters)


def _finance_lease(machine: Machine, owned: Ownership, terms: Terms, years: float, worth: float, idle: float) -> Way:
    lease_rate = checked_rate(terms.value("finance_lease_rate"), "finance lease rate")
    length = len(owned.hours)
    upfront = sum(part.cash[0] for part in owned.components if part.cash[1:].sum() == 0 and part.name != "resale")
    share = np.clip(years * 4 - np.arange(length), 0.0, 1.0)
    cash = owned.cash + lease_payments(upfront, lease_rate, years * 4) * share
    cash[0] -= upfront
    factors = discount_factors(checked_rate(terms.value("cost_of_capital"), "cost of capital"), length)
    paid = float(lease_payments(upfront, lease_rate, years * 4) * share @ factors)
    present = (owned.present - upfront + paid) / machine.chips
    basis = f"level payments over {years:g} years at {lease_rate:.1%} a year, machine kept and sold at the end"
    return Way("finance lease", "capital", cash / machine.chips, present, present / worth, idle, basis)


def _rented(kind: RentKind, price: Priced, used: Floats, share: Floats, factors: Floats, rest: Rest | None) -> Way:
    worth = float(used @ factors)
    if kind == "on demand":
        cash, basis, idle = used * price.amount, price.basis, 0.0
        return Way(kind, "operating", cash, float(cash @ factors), float(cash @ factors) / worth, idle, basis)
    term = TERM_QUARTERS[kind]
    length = len(share)
    over = -length % term
    if over and rest is None:
        return _not_compared(kind, term, over, len(share))
    cash = np.full(length, price.amount * HOURS_PER_QUARTER)
    if over and rest == "hand over":
        cash = cash * share
    extra = price.amount * HOURS_PER_QUARTER * over if over and rest == "pay" else 0.0
    cash[-1] += extra
    present = float(cash @ factors)
    idle = float(cash.sum() / price.amount - used.sum())
    return Way(kind, "operating", cash, present, present / worth, idle, price.basis)


def _prepaid(
    price: Priced, kind: RentKind, terms: Terms, share: Floats, worth: float, hours: float, rest: Rest | None
) -> Way:
    term = TERM_QUARTERS[kind]
    over = -len(share) % term
    if over and rest is None:
        return _not_compared("prepaid", term, over, len(share))
    paid_quarters = len(share) + over if rest == "pay" else float(share.sum())
    amount = price.amount * HOURS_PER_QUARTER * paid_quarters * (1 - terms.value("prepaid_discount"))
    cash = np.zeros(len(share))
    cash[0] = amount
    basis = f"{kind} rent of {price.date}, {terms.value('prepaid_discount'):.0%} off for paying it all on the first day"
    return Way("prepaid", "operating", cash, amount, amount / worth, paid_quarters * HOURS_PER_QUARTER - hours, basis)


def _not_compared(name: str, term: int, over: int, length: int) -> Way:
    why = (
        f"its term of {term} quarters runs {over} on after the {length} asked for; "
        "say what becomes of the rest (--rest pay, or --rest 'hand over')"
    )
    nan = float("nan")
    return Way(name, "operating", np.full(length, nan), nan, nan, nan, "", why)


def years_for(hours: float, choices: Sequence[float] = (1, 2, 3, 4, 5, 6)) -> float:
    """Return the fewest whole years that hold so many hours of use at full time, where a user names none."""
    return next((years for years in choices if hours <= years * 8766 * 0.97), choices[-1])
