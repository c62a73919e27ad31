"""`outlay rent-or-buy`: whether to buy, lease or rent a chip for so many hours of work."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.console import console as open_console
from outlay.cli.cost import day_of, levies, place_from, price_in_dollars, terms_from
from outlay.errors import InputError, MissingFigureError

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip
    from outlay.finance.renting import Comparison, RentKind


@click.command()
@click.argument("chip")
@click.option("--hours", required=True, help="Hours one chip works in all.")
@click.option("--years", type=float, help="Years they are spread over; as few as hold them if not given.")
@click.option("--at", "where", default="Abilene", show_default=True, metavar="SITE", help="Where it would be owned.")
@click.option(
    "--rest", type=click.Choice(["pay", "hand over"]), help="What becomes of a contract that runs on after the years."
)
@click.option("--date", "on", type=click.DateTime(["%Y-%m-%d"]), help="Prices known on this day; today if not given.")
@click.option("--pue", type=float, help="In place of the site's.")
@click.option("--energy", help="Price of energy in place of the site's, such as '0.08 USD/kWh'.")
@click.option("--hosting", help="Space is rented, at such as '120 USD/kW/month'.")
@click.option("--price", help="Price of one system in place of the catalogue's, such as '300000 USD'.")
@click.option("--rent", help="Rent on demand in place of the catalogue's, such as '2.50 USD/chip/hour'.")
@click.option("--levy", multiple=True, metavar="NAME=SHARE", help="A tariff or fee on the price, such as tariff=25%.")
@click.option("--set", "given", multiple=True, metavar="TERM=VALUE", help="A term in place of the table's.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(chip: str, as_json: bool, **options: Any) -> None:
    r"""Compare buying, a finance lease, and renting CHIP on demand, for one or three years, or paid ahead.

    \b
    outlay rent-or-buy H100 --hours 20000
    outlay rent-or-buy B200 --hours 6000 --years 2 --at Johor --rest 'hand over'
    """
    answer = _compare(chip, options)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False)) if as_json else _print(answer)


def _compare(name: str, options: dict[str, Any]) -> dict[str, Any]:
    from outlay.catalog import Catalog
    from outlay.finance.ownership import Machine
    from outlay.finance.pricing import system_power
    from outlay.finance.renting import compare, years_for
    from outlay.units import quantity

    catalog = Catalog.load(options["extra"])
    day = day_of(options)
    terms = terms_from(options["given"])
    system = catalog.resolve_system(name)
    hours = quantity(options["hours"].removesuffix("h").removesuffix("hours"), "")
    years = options["years"] if options["years"] is not None else years_for(hours)
    if not years > 0:
        msg = f"--years {years:g}: expected more than zero"
        raise InputError(msg)
    place, notes, _ = place_from(catalog, options["where"], terms, day, options)
    price = price_in_dollars(catalog, system, day, place.country, options["price"], notes)
    watts = float(system_power(catalog, system).value)
    machine = Machine(system.name, system.chips, watts, price.amount, levies(options["levy"]))
    rents = _rents(catalog, catalog.chip(system.chip), day, options["rent"], notes)
    found = compare(machine, place, terms, rents, hours=hours, years=years, rest=options["rest"])
    return _answer(system.chip, options["where"], found, notes)


def _rents(catalog: Catalog, chip: Chip, day: date, given: str | None, notes: list[str]) -> dict[RentKind, Any]:
    """Return the rents known, in US dollars; a kind no list gives is noted, and one given replaces that on demand."""
    from dataclasses import replace

    from outlay.evidence import Figure, Source
    from outlay.finance.places import rate_near
    from outlay.finance.pricing import Priced
    from outlay.finance.renting import KINDS, rent
    from outlay.units import UnitPrice

    found: dict[RentKind, Any] = {}
    for kind in KINDS:
        if kind == "on demand" and given is not None:
            own = UnitPrice.parse(given, "chip*hour")
            figure = Figure(own.amount, f"{own.currency} per chip-hour", "assumed", Source("the user", ""))
            price = Priced(own.amount, own.amount, own.amount, own.currency, str(day), "given", (figure,))
        else:
            try:
                price = rent(catalog, chip, day, kind)
            except MissingFigureError as error:
                notes.append(str(error))
                continue
        per = rate_near(catalog, price.currency, day).per_dollar
        found[kind] = replace(
            price, amount=price.amount / per, low=price.low / per, high=price.high / per, currency="USD"
        )
        if price.after_knowledge:
            notes.append(f"the rent {kind} was published only after {day}; none was found from before")
    return found


def _answer(chip: str, site: str, found: Comparison, notes: list[str]) -> dict[str, Any]:
    return {
        "chip": chip,
        "site": site,
        "currency": "USD",
        "hours": found.hours,
        "years": found.years,
        "use": found.hours / (found.years * 8766),
        "best": found.best.name,
        "break_even_hours": found.break_even if found.break_even and math.isfinite(found.break_even) else None,
        "ways": [
            {
                "name": way.name,
                "booking": way.booking,
                "present_cost": _finite(way.present),
                "per_useful_hour": _finite(way.per_useful_hour),
                "idle_hours": _finite(way.idle),
                "cash_by_quarter": [] if way.why_not else [round(float(amount), 2) for amount in way.cash],
                "basis": way.basis,
                "why_not": way.why_not,
            }
            for way in found.ways
        ],
        "notes": notes,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(answer: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = open_console()
    years, use = answer["years"], answer["use"]
    span = f"{years:g} year{'s'[: years != 1]} ({use:.0%} of the time)"
    title = f"{answer['chip']}: {answer['hours']:,.0f} hours of one chip in {span}"
    console.print(Text(title, style="bold"))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("way", "booked as"):
        table.add_column(column)
    for column in ("present cost, USD", "USD a useful hour", "idle hours"):
        table.add_column(column, justify="right")
    for way in answer["ways"]:
        if not way["why_not"]:
            figures = (f"{way['present_cost']:,.0f}", f"{way['per_useful_hour']:.3f}", f"{way['idle_hours']:,.0f}")
            table.add_row(way["name"], way["booking"], *figures)
    console.print(table)
    for way in answer["ways"]:
        if way["why_not"]:
            console.print(Text(f"not compared: {way['name']}: {way['why_not']}", style="yellow"))
    if answer["break_even_hours"] is not None:
        share = answer["break_even_hours"] / (answer["years"] * 8766)
        console.print(
            f"owning beats renting on demand from {answer['break_even_hours']:,.0f} hours on ({share:.0%} of the time)"
        )
    else:
        console.print("owning does not beat renting on demand within the period, or no rent on demand is known")
    for way in answer["ways"]:
        if way["basis"]:
            console.print(Text(f"  {way['name']}: {way['basis']}", style="dim"))
    for note in answer["notes"]:
        console.print(Text(f"note: {note}", style="yellow"))
