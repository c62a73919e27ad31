"""What owning machines costs: every component by quarter over their life, per chip-hour, and in the books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError
from outlay.finance.returns import checked_rate, discount_factors
from outlay.finance.terms import Terms

Floats = NDArray[np.float64]
Booking = Literal["capital", "operating"]
HOURS_PER_QUARTER = 8766 / 4
MONTHS_PER_QUARTER = 3


@dataclass(frozen=True)
class Place:
    """Where machines stand: what space, power and energy cost, in the currency the cost is counted in.

    Attributes
    ----------
    energy_price
        Per kWh.
    colocation
        Per kW of IT and month, energy not in it; ``None`` where the building is the owner's.
    build_cost
        Per W of IT, for building and power plant; ``None`` where space is rented.
    """

    name: str
    country: str
    pue: float
    energy_price: float
    colocation: float | None = None
    build_cost: float | None = None

    def __post_init__(self) -> None:
        if self.pue < 1:
            msg = f"site {self.name!r}: PUE is {self.pue:g}; expected 1 or more"
            raise InputError(msg)
        if (self.colocation is None) == (self.build_cost is None):
            msg = f"site {self.name!r}: give either the rent of space (per kW and month) or the cost to build (per W)"
            raise InputError(msg)


@dataclass(frozen=True)
class Machine:
    """What is bought: one system, its price as quoted, and what the rules and terms do to the price.

    Attributes
    ----------
    watts
        Rated IT power.
    price_factors
        By name, such as a tariff or a revenue share passed on: what the price is multiplied by.
    discount
        Share off the price for volume.
    """

    name: str
    chips: int
    watts: float
    price: float
    price_factors: Mapping[str, float] = field(default_factory=dict)
    discount: float = 0.0


@dataclass(frozen=True)
class Component:
    """One part of the cost of ownership.

    Attributes
    ----------
    cash
        Paid by quarter, of shape (quarter,), nominal; money received is negative.
    present
        Its present value.
    """

    name: str
    booking: Booking
    cash: Floats
    present: float
    per_chip_hour: float


@dataclass(frozen=True)
class Ownership:
    """The cost of owning one system from purchase to sale.

    Attributes
    ----------
    per_chip_hour
        Levelised: present value of all cash over present value of the hours the chips can work.
    book_per_chip_hour
        Straight-line depreciation and running cost over hours, with no cost of capital: what a ledger shows.
    depreciation
        Of shape (quarter,).
    """

    machine: Machine
    place: Place
    components: tuple[Component, ...]
    hours: Floats
    per_chip_hour: float
    book_per_chip_hour: float
    depreciation: Floats
    capital: float
    salvage: float

    @property
    def cash(self) -> Floats:
        """All cash by quarter."""
        return np.asarray(sum((part.cash for part in self.components), np.zeros(len(self.hours))), dtype=np.float64)

    @property
    def present(self) -> float:
        """Present value of all cash."""
        return float(sum(part.present for part in self.components))


def straight_line(cost: float, life_years: float, salvage: float = 0.0, quarters: int | None = None) -> Floats:
    """Return straight-line depreciation by quarter: the cost less salvage in equal parts over the life.

    Raises
    ------
    InputError
        If the life is not above zero.

    Examples
    --------
    >>> straight_line(1000.0, 1.0, 200.0, 5)
    array([200., 200., 200., 200.,   0.])
    """
    if not life_years > 0:
        msg = f"a useful life of {life_years:g} years; expected more than zero, such as 5"
        raise InputError(msg)
    exact = life_years * 4
    length = int(np.ceil(exact)) if quarters is None else quarters
    parts = np.clip(exact - np.arange(length), 0.0, 1.0)
    return np.asarray((cost - salvage) / exact * parts, dtype=np.float64)


def annuity(rate: float, quarters: float) -> float:
    """Return the level payment a quarter, in its middle, per unit of present value (capital recovery).

    ``rate`` is per year. The factor is ``1 / sum of (1 + rate)**-((t + 1/2) / 4)``.
    """
    length = int(np.ceil(quarters))
    weights = discount_factors(rate, length) * np.clip(quarters - np.arange(length), 0.0, 1.0)
    return float(1 / weights.sum())


def volume_discount(units_of_chips: int, steps: Sequence[tuple[int, float]]) -> float:
    """Return the share off for an order: that of the largest step it reaches; steps are (chips, share)."""
    return max([(least, share) for least, share in steps if units_of_chips >= least], default=(0, 0.0))[1]


def price_later(price: float, yearly_change: float, years: float) -> float:
    """Return a price some years on along a path of so much a year."""
    return float(price * (1 + checked_rate(yearly_change, "price path")) ** years)


def own(machine: Machine, place: Place, terms: Terms, *, life: float | None = None) -> Ownership:
    """Return what owning one system costs over its life.

    Parameters
    ----------
    life
        Years until it is sold; the table's useful life where not given.

    Notes
    -----
    Capital is paid on the first day; running costs fall in the middle of their quarter; the machine is sold at the end
    for ``salvage_per_year ** life`` of its price. A building of the owner's is charged as a level rent that pays back
    its cost at the cost of capital over its own life, since it outlives the machines. The levelised cost is

    ``sum of cash_t (1 + r)**-t / sum of hours_t (1 + r)**-t``

    (Short, Packey and Holt, A Manual for the Economic Evaluation of Energy Efficiency, NREL/TP-462-5173, section 3.5).
    """
    years = terms.value("server_life") if life is None else life
    if not years > 0:
        msg = f"a useful life of {years:g} years; expected more than zero, such as 5"
        raise InputError(msg)
    rate = checked_rate(terms.value("cost_of_capital"), "cost of capital")
    length = int(np.ceil(years * 4))
    part_of_quarter = np.clip(years * 4 - np.arange(length), 0.0, 1.0)
    factors = discount_factors(rate, length)
    hours = machine.chips * HOURS_PER_QUARTER * terms.value("availability") * part_of_quarter
    worth_of_hours = float(hours @ factors)
    upfront, hardware, salvage = _upfront(machine, place, terms, years)
    capital = sum(upfront.values())
    components = [
        Component(name, "capital", _first(amount, length), amount, amount / worth_of_hours)
        for name, amount in upfront.items()
        if amount
    ]
    for name, (booking, yearly) in _running(machine, place, terms, hardware, capital, rate).items():
        cash = yearly / 4 * part_of_quarter
        present = float(cash @ factors)
        components.append(Component(name, booking, cash, present, present / worth_of_hours))
    sold = -salvage * (1 + rate) ** -years
    last = np.zeros(length)
    last[-1] = -salvage
    components.append(Component("resale", "capital", last, sold, sold / worth_of_hours))
    depreciation = straight_line(capital, years, salvage, length)
    running = sum(part.cash.sum() for part in components if part.booking == "operating" or part.name == "building")
    return Ownership(
        machine=machine,
        place=place,
        components=tuple(components),
        hours=hours,
        per_chip_hour=sum(part.per_chip_hour for part in components),
        book_per_chip_hour=float((depreciation.sum() + running) / hours.sum()),
        depreciation=depreciation,
        capital=capital,
        salvage=salvage,
    )


def _first(amount: float, length: int) -> Floats:
    cash = np.zeros(length)
    cash[0] = amount
    return cash


def landed_price(machine: Machine, country: str, terms: Terms) -> dict[str, float]:
    """Return what a system costs at the door, part by part: price after volume terms, levies, freight, lost VAT."""
    price = machine.price * (1 - machine.discount)
    parts = {"servers": price}
    level = price
    for name, factor in machine.price_factors.items():
        if not factor > 0:
            msg = f"{machine.name}: the price factor of {name!r} is {factor:g}; expected more than zero"
            raise InputError(msg)
        parts[name] = level * (factor - 1)
        level *= factor
    parts["freight"] = terms.value("freight") * price
    vat = terms.find("vat", country)
    lost = 0.0 if vat is None else vat.value * (1 - terms.value("vat_recovered"))
    parts["VAT not recovered"] = lost * (level + parts["freight"])
    return parts


def _upfront(machine: Machine, place: Place, terms: Terms, years: float) -> tuple[dict[str, float], float, float]:
    """Return capital by component, the price of all hardware, and what the servers are sold for."""
    parts = landed_price(machine, place.country, terms)
    servers = sum(parts.values()) - parts["freight"]
    for name in ("network", "storage", "spares"):
        parts[name] = terms.value(name) * servers
    hardware = sum(parts.values()) - parts["freight"]
    return parts, hardware, terms.value("salvage_per_year") ** years * parts["servers"]


def _running(
    machine: Machine, place: Place, terms: Terms, hardware: float, capital: float, rate: float
) -> dict[str, tuple[Booking, float]]:
    """Return yearly cost by component with its booking."""
    kilowatts = machine.watts / 1e3
    yearly: dict[str, tuple[Booking, float]] = {}
    if place.build_cost is not None:
        building = place.build_cost * machine.watts * (1 + terms.value("build_premium"))
        quarterly = building * annuity(rate, terms.value("build_life") * 4)
        yearly["building"] = ("capital", quarterly * 4)
        capital += building
    if place.colocation is not None:
        yearly["colocation"] = ("operating", place.colocation * kilowatts * 12)
    energy = kilowatts * terms.value("load") * place.pue * HOURS_PER_QUARTER * 4 * place.energy_price
    yearly["energy"] = ("operating", energy)
    yearly["maintenance"] = ("operating", terms.value("maintenance") * hardware)
    yearly["staff"] = ("operating", terms.value("staff") * kilowatts)
    yearly["insurance"] = ("operating", terms.value("insurance") * capital)
    return yearly


@dataclass(frozen=True)
class Sensitivity:
    """What one input does to the cost of a chip-hour between a low and a high reading of it."""

    name: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How far the cost moves."""
        return abs(self.at_high - self.at_low)


def sensitivities(
    machine: Machine, place: Place, terms: Terms, *, life: float | None = None, price: tuple[float, float] | None = None
) -> list[Sensitivity]:
    """Return what each term, price and site figure does to the cost of a chip-hour, the widest first.

    Terms are read at the ends of the range their sources give; the price at those given, or 20 % either way; the price
    of energy 30 % either way.
    """
    made = []
    for name in dict.fromkeys(name for name, _, _ in terms.rows()):
        found = terms.find(name, place.country)
        if found is None or found.low == found.high or (name == "server_life" and life is not None):
            continue
        ends = [
            own(machine, place, terms.given({name: value}), life=life).per_chip_hour
            for value in (found.low, found.high)
        ]
        made.append(Sensitivity(name.replace("_", " "), found.low, found.high, *ends))
    low, high = price or (0.8 * machine.price, 1.2 * machine.price)
    if low == high:
        low, high = 0.8 * machine.price, 1.2 * machine.price
    ends = [own(replace(machine, price=value), place, terms, life=life).per_chip_hour for value in (low, high)]
    made.append(Sensitivity("price of a system", low, high, *ends))
    span = 0.7 * place.energy_price, 1.3 * place.energy_price
    ends = [own(machine, replace(place, energy_price=value), terms, life=life).per_chip_hour for value in span]
    made.append(Sensitivity("price of energy", *span, *ends))
    return sorted((each for each in made if each.width > 1e-9), key=lambda each: (-each.width, each.name))
