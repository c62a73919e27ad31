"""What a system costs to buy or to rent and what power it draws, from observations known on a day.

Every answer carries the observation it rests on. Where a system's own figure is in no source, one is derived from its
chips with a sourced factor, marked ``derived``, with the arithmetic in its note.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from outlay.errors import MissingFigureError
from outlay.evidence import Figure, Source
from outlay.units import end_of_period

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip, Price, System

Market = Literal["CN", "world"]

SERVER_TO_CHIP = Figure(
    value=1.59,
    unit="",
    status="derived",
    source=Source(
        "Reuters, early 2024: 8-card H20 server CNY 1.4 m, card CNY 110,000",
        "https://dunyanews.tv/amp/english/788751.php",
    ),
    note="price of a server over the price of its chips: 1.4 m / (8 x 110,000)",
)
POWER_TO_TDP = Figure(
    value=1.82,
    unit="",
    status="derived",
    source=Source(
        "DGX H100: 10.2 kW maximum system power for 8 chips of 700 W",
        "https://kshirol-dev.github.io/learnAI/AIInfrastructure/08-training-clusters.html",
    ),
    note="power of a server over the rated power of its chips: 10,200 / (8 x 700)",
)
RENTAL_KINDS = ("cloud 1-year", "cloud on-demand", "cloud 3-year")


@dataclass(frozen=True)
class Priced:
    """A price and what it rests on.

    Attributes
    ----------
    amount, low, high
        Per system, or per chip-hour for rent, in ``currency``; ``amount`` is the middle of low and high.
    after_knowledge
        Whether it was published only after the day asked for, nothing earlier being known.
    """

    amount: float
    low: float
    high: float
    currency: str
    date: str
    basis: str
    evidence: tuple[Figure, ...]
    after_knowledge: bool = False
    kind: str = ""


def fx_rates(catalog: Catalog, on: date, overrides: Mapping[str, float]) -> dict[str, float]:
    """Return units of each currency per US dollar in the month of a day; overrides take the place of the table's.

    A currency whose month is in no source is left out, so that using it raises an error that names it.
    """
    figures = fx_figures(catalog, on)
    return {**{currency: float(figure.value) for currency, figure in figures.items()}, **overrides, "USD": 1.0}


def fx_figures(catalog: Catalog, on: date) -> dict[str, Figure]:
    """Return the rates of the month of a day, with their sources."""
    found = {}
    for currency in catalog.currencies:
        try:
            found[currency] = catalog.fx(currency, on)
        except MissingFigureError:
            continue
    return found


def purchase_price(catalog: Catalog, system: System, on: date, *, market: Market = "world") -> Priced:
    """Return what one system costs to buy, by what was known on a day.

    In this order: prices of whole systems, then prices of chips times ``SERVER_TO_CHIP``; in China, quotes in yuan
    before others, elsewhere quotes in other currencies before yuan; of these the latest. Quotes of one day that differ
    count with the middle of the lowest and the highest. Only where nothing was known on the day is a later observation
    taken, in the same order, the soonest after the day, and marked.

    Raises
    ------
    MissingFigureError
        If no source gives a price of the system or of its chip at any time.
    """
    candidates = []
    for price in catalog.prices(system.chip):
        per_system = _per_system(price, system)
        if per_system is not None and price.low is not None and price.high is not None:
            factor, whole = per_system
            candidates.append((price, price.low * factor, price.high * factor, factor, whole))
    if not candidates:
        msg = f"system {system.name!r}: no source gives a price of it or of {system.chip}"
        raise MissingFigureError(msg)
    known = [found for found in candidates if end_of_period(found[0].date) <= on]

    def rank(found: tuple[Price, float, float, float, bool]) -> tuple[bool, bool, int, str]:
        price, *_, whole = found
        local = (price.currency == "CNY") == (market == "CN")
        age = (on - end_of_period(price.date)).days
        return (not whole, not local, abs(age), price.currency)

    best = min(map(rank, known or candidates))
    tied = [found for found in known or candidates if rank(found) == best]
    price, _, _, factor, whole = tied[0]
    low, high = min(found[1] for found in tied), max(found[2] for found in tied)
    unit = f"{price.currency} {price.unit}"
    note = price.note if len(tied) == 1 else f"middle of {len(tied)} quotes of that day; {price.note}".rstrip("; ")
    seen = Figure((low + high) / 2 / factor, unit, price.status, price.source, note)
    basis = f"{price.kind}, {price.unit}, {price.date}" + ("" if whole else f", x {factor:g} for the server")
    evidence = (seen,) if whole else (seen, SERVER_TO_CHIP)
    return Priced((low + high) / 2, low, high, price.currency, price.date, basis, evidence, after_knowledge=not known)


def _per_system(price: Price, system: System) -> tuple[float, bool] | None:
    """Return (factor from an observation to one system, whether it is of whole systems); ``None`` if neither fits."""
    unit = price.unit
    if unit.startswith("per chip (in"):
        return float(system.chips), True
    if unit.startswith(("per 8-GPU server", "per 8-GPU system", "per server")):
        return system.chips / 8, True
    if unit == "per rack" and system.chips == 72:
        return 1.0, True
    if unit == "per system" and system.chips == 384:
        return 1.0, True
    factor = float(SERVER_TO_CHIP.value)
    if unit.startswith("per 8-GPU baseboard"):
        return system.chips / 8 * factor, False
    if unit.startswith(("per chip", "per card")) and "hour" not in unit:
        return system.chips * factor, False
    return None


def rental_price(catalog: Catalog, chip: Chip, on: date, kinds: Sequence[str] = RENTAL_KINDS) -> Priced:
    """Return the rent of one chip for one hour, by what was known on a day.

    The median of the observations of the last twelve months of the first of ``kinds`` that has any: one-year, on
    demand, three-year. Only where nothing was known on the day are later observations taken, and marked.

    Raises
    ------
    MissingFigureError
        If the price list has no rent of the chip at any time.
    """
    seen = [price for price in catalog.prices(chip.name, "cloud") if price.low is not None]
    if not seen:
        msg = f"chip {chip.name!r}: the price list has no rent per hour; give one under `leases`"
        raise MissingFigureError(msg)
    known = [price for price in seen if end_of_period(price.date) <= on]
    for late, pool in ((False, known), (True, seen)):
        for kind in kinds:
            of_kind = [price for price in pool if price.kind == kind]
            if not of_kind:
                continue
            newest = max(end_of_period(price.date) for price in of_kind)
            recent = [price for price in of_kind if end_of_period(price.date) > newest - timedelta(days=365)]
            amounts = [_middle(price) for price in recent]
            middle = statistics.median(amounts)
            nearest = min(recent, key=lambda price: abs(_middle(price) - middle))
            note = f"median of {len(recent)} prices of kind {kind} up to {newest}; {nearest.note}"
            figure = Figure(middle, f"{nearest.currency} per chip-hour", nearest.status, nearest.source, note)
            return Priced(
                middle,
                min(amounts),
                max(amounts),
                nearest.currency,
                nearest.date,
                note,
                (figure,),
                after_knowledge=late,
                kind=kind,
            )
    msg = f"chip {chip.name!r}: its rents are of kinds that are not compared"
    raise MissingFigureError(msg)


def _middle(price: Price) -> float:
    """Return the middle of a price's range."""
    low = price.low or 0.0
    return (low + (low if price.high is None else price.high)) / 2


def system_power(catalog: Catalog, system: System) -> Figure:
    """Return the IT power of one system at full load, in watts.

    The system's own figure where a source gives one; the figure of another system of the same chip, per chip; or the
    rated power of its chips times ``POWER_TO_TDP``.

    Raises
    ------
    MissingFigureError
        If not even the chip's rated power is known.
    """
    own = system.figures.get("system_power_kw")
    if own is not None:
        return Figure(float(own.value) * 1e3, "W", own.status, own.source, own.note)
    for other in catalog.systems.values():
        found = other.figures.get("system_power_kw")
        if found is not None and other.chip == system.chip and other.chips:
            watts = float(found.value) * 1e3 / other.chips * system.chips
            return Figure(watts, "W", "derived", found.source, f"{other.name}, per chip, times {system.chips} chips")
    chip = catalog.chip(system.chip)
    rated = chip.figures.get("tdp_w")
    if rated is None:
        msg = f"system {system.name!r}: no source gives its power or the rated power of {chip.name}"
        raise MissingFigureError(msg)
    watts = float(rated.value) * system.chips * float(POWER_TO_TDP.value)
    note = f"{system.chips} chips of {rated.value:g} W, times {POWER_TO_TDP.value} ({POWER_TO_TDP.source.title})"
    return Figure(watts, "W", "derived", rated.source, note)
