"""What a site of the catalogue costs to use: energy, PUE and space, with the source of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from outlay.errors import MissingFigureError
from outlay.evidence import Figure
from outlay.finance.ownership import Place
from outlay.finance.terms import Terms
from outlay.units import UnitPrice

if TYPE_CHECKING:
    from outlay.catalog import Catalog, SiteRecord


@dataclass(frozen=True)
class Rate:
    """Units of a currency per US dollar in some month, and a word where it is not the month asked for."""

    per_dollar: float
    figure: Figure
    note: str = ""


def rate_near(catalog: Catalog, currency: str, day: date, given: Mapping[str, float] | None = None) -> Rate:
    """Return a currency's rate of a day's month, or of the last month known before it, with a note.

    Raises
    ------
    MissingFigureError
        If no month up to the day is known.
    """
    from outlay.evidence import Source

    if given and currency in given:
        return Rate(given[currency], Figure(given[currency], "per USD", "assumed", Source("the user", "")))
    try:
        figure = catalog.fx(currency, day)
        return Rate(float(figure.value), figure)
    except MissingFigureError as error:
        for back in range(1, 37):
            index = day.year * 12 + day.month - 1 - back
            month = date(index // 12, index % 12 + 1, 1)
            try:
                figure = catalog.fx(currency, month)
            except MissingFigureError:
                continue
            note = f"{currency} at its rate of {month:%Y-%m}, the last known before {day}"
            return Rate(float(figure.value), figure, note)
        raise error from None


def place_of(
    catalog: Catalog,
    site: SiteRecord,
    terms: Terms,
    day: date,
    *,
    pue: float | None = None,
    energy: UnitPrice | None = None,
    colocation: UnitPrice | None = None,
    build_cost: float | None = None,
    fx: Mapping[str, float] | None = None,
) -> tuple[Place, list[str], dict[str, Figure]]:
    """Return a site's costs in US dollars, what a reader must know, and the figures used.

    Parameters
    ----------
    energy, colocation
        Per kWh, and per kW of IT and month, in place of the catalogue's.
    build_cost
        USD per W of IT, in place of the catalogue's.

    Raises
    ------
    MissingFigureError
        If no source gives the price of energy, or neither the cost to build there nor the rent of space.
    """
    notes: list[str] = []
    figures: dict[str, Figure] = {}

    def dollars(price: UnitPrice) -> float:
        rate = rate_near(catalog, price.currency, day, fx)
        notes.extend([rate.note] if rate.note else [])
        return price.amount / rate.per_dollar

    if energy is None:
        found = site.figures.get("energy_price")
        if found is None:
            msg = f"no source gives the price of energy at {site.name}; give it, such as --energy '0.08 USD/kWh'"
            raise MissingFigureError(msg)
        figures["energy"] = found
        energy = UnitPrice(float(found.value), found.unit.split("/")[0], "kWh")
    if pue is None:
        own = site.figures.get("pue")
        figures["PUE"] = own or terms.need("pue").figure
        pue = float(figures["PUE"].value)
        if own is None:
            notes.append(f"no source gives the PUE of {site.name}; the survey average {pue:g} is taken (--pue)")
    if colocation is None and build_cost is None:
        colocation, build_cost, told = _space(site, terms)
        figures |= told
    rent = None if colocation is None else dollars(colocation)
    place = Place(site.name, site.country, pue, dollars(energy), rent, None if rent is not None else build_cost)
    return place, list(dict.fromkeys(notes)), figures


def _space(site: SiteRecord, terms: Terms) -> tuple[UnitPrice | None, float | None, dict[str, Figure]]:
    """Return the rent of space at a site or the cost of building there, in USD/W, with the figure it rests on.

    What building costs at the site comes before what it costs in its country, and that before what space is let for.

    Raises
    ------
    MissingFigureError
        If no source gives either.
    """
    built = site.figures.get("build_cost_usd_per_w") or getattr(terms.find("build", site.country), "figure", None)
    if built is not None:
        return None, float(built.value), {"building": built}
    rented = terms.find("colocation", site.country)
    if rented is not None:
        return UnitPrice(rented.value, "USD", "kW*month"), None, {"colocation": rented.figure}
    msg = (
        f"no source gives what building or space costs in {site.country}; give one, such as "
        "--hosting '120 USD/kW/month' or --build '10 USD/W'"
    )
    raise MissingFigureError(msg)
