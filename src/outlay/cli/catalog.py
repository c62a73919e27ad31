"""`outlay catalog`: lists and shows the catalogue's records, every figure with its source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.console import console as open_console
from outlay.errors import InputError, unknown

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Record

LISTS = ("chips", "systems", "models", "sites", "prices", "supply", "costs")
RECORDS = ("chip", "system", "model", "site")
COLUMNS = {
    "chips": (
        "vendor",
        "available",
        "bf16_tflops",
        "fp8_tflops",
        "memory_gb",
        "memory_bw_tbs",
        "tdp_w",
    ),
    "systems": ("vendor", "chip", "chips", "scaleup_domain", "system_power_kw"),
    "models": ("vendor", "type", "layers", "hidden", "attention", "params_total_b_reported", "params_total_b_computed"),
    "sites": ("country", "power_mw", "pue", "energy_price", "build_cost_usd_per_w"),
}


@click.command()
@click.argument("what", type=click.Choice([*LISTS, *RECORDS]))
@click.argument("name", required=False)
@click.option("--vendor", help="Only of this vendor.")
@click.option("--country", help="Only of vendors, or at places, of this country.")
@click.option("--has", "has", metavar="FIELD", help="Only records for which a source gives this figure.")
@click.option("--missing", "missing", metavar="FIELD", help="Only records for which no source gives this figure.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Only prices, supply and costs known on this day.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    what: str,
    name: str | None,
    vendor: str | None,
    country: str | None,
    has: str | None,
    missing: str | None,
    until: Any,
    extra: Path | None,
    as_json: bool,
) -> None:
    r"""List chips, systems, models, sites, prices, supply or costs; or show one chip, system, model or site.

    \b
    outlay catalog chips --country CN --has bf16_tflops
    outlay catalog chip "H20 96GB"
    outlay catalog prices H100 --until 2025-01-22
    """
    from outlay.catalog import Catalog

    catalog = Catalog.load(extra)
    narrowed = {"--vendor": vendor, "--country": country, "--has": has, "--missing": missing, "--until": until}
    _refuse_idle(what, [option for option, value in narrowed.items() if value is not None])
    if what in RECORDS:
        if name is None:
            msg = f"name a {what}; `outlay catalog {what}s` lists them"
            raise InputError(msg)
        record = getattr(catalog, what)(name)
        _print_json(_record(catalog, record)) if as_json else _show(catalog, record)
        return
    rows = _rows(catalog, what, name, until.date() if until else None)
    places = _places(country) if country else ()
    rows = [row for row in rows if _kept(row, vendor, places)]
    for field, wanted in ((has, True), (missing, False)):
        if field is not None:
            known = [key for row in rows for key in row]
            if what in COLUMNS:
                from outlay.catalog import schema

                known = list(schema()[what.removesuffix("s")])
            if field not in known:
                raise InputError(unknown("field", field, dict.fromkeys(known)))
            rows = [row for row in rows if (row.get(field) not in (None, "")) == wanted]
    _print_json(rows) if as_json else _table(what, rows)


def _refuse_idle(what: str, options: list[str]) -> None:
    """Refuse options that would change nothing."""
    idle = options if what in RECORDS else [option for option in options if option == "--until" and what in COLUMNS]
    if idle:
        of = "lists" if what in RECORDS else "prices, supply and costs"
        msg = f"{', '.join(idle)} narrows {of}; it says nothing of {what}"
        raise InputError(msg)


def _places(country: str) -> tuple[str, str]:
    """Return the code and the name of a country, folded."""
    import pycountry

    from outlay.units import country_code

    code = country_code(country)
    return code.casefold(), str(getattr(pycountry.countries.get(alpha_2=code), "name", code)).casefold()


def _rows(catalog: Catalog, what: str, text: str | None, until: date | None) -> list[dict[str, Any]]:
    """Return records as plain rows; ``text`` narrows them to what holds it, or prices to a chip or an item."""
    from outlay.catalog.store import said_by

    if what in COLUMNS:
        records: Mapping[str, Record] = getattr(catalog, what)
        rows = [_flat(record) for record in records.values()]
    elif what == "prices":
        rows = [asdict(price) for price in catalog.prices(text, until=until)]
        text = None
    else:
        found: Iterable[Any] = catalog.supply() if what == "supply" else catalog.costs
        rows = [asdict(item) for item in found if said_by(item, until)]
    if text is not None:
        rows = [row for row in rows if text.casefold() in json.dumps(row, default=str, ensure_ascii=False).casefold()]
    return rows


def _flat(record: Record) -> dict[str, Any]:
    plain = {key: value for key, value in vars(record).items() if key != "figures"}
    return {**plain, **{field: figure.value for field, figure in record.figures.items()}}


def _kept(row: Mapping[str, Any], vendor: str | None, places: tuple[str, ...]) -> bool:
    """Return whether a row is of a vendor and, by its code or its name, of a country."""
    of_vendor = vendor is None or vendor.casefold() in str(row.get("vendor", row.get("item", ""))).casefold()
    where = str(row.get("vendor_country") or row.get("country") or row.get("place") or row.get("region") or "")
    words = [part.strip().casefold() for part in where.replace("/", "(").replace(",", "(").split("(")]
    return of_vendor and (not places or any(place in words for place in places))


def _record(catalog: Catalog, record: Record) -> dict[str, Any]:
    plain = {key: value for key, value in vars(record).items() if key != "figures"}
    figures = {field: asdict(figure) for field, figure in record.figures.items()}
    return {"kind": record.kind, **plain, "figures": figures, "missing": catalog.missing(record)}


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _table(what: str, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    console = open_console()
    columns = ("name", *COLUMNS[what]) if what in COLUMNS else tuple(rows[0]) if rows else ()
    hidden = {"source", "note", "attribution", "dispute"}
    shown = [column for column in columns if column not in hidden]
    table = Table(box=None, header_style="bold", title=f"{len(rows)} {what}", title_justify="left")
    for column in shown:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column in {"name", "item"})
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in shown))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _show(catalog: Catalog, record: Record) -> None:
    """Print one record: each figure with unit, status and source, the values that compete with it and why they lost."""
    from rich.text import Text

    console = open_console()
    plain = {key: value for key, value in vars(record).items() if key not in {"figures", "name", "notes", "aliases"}}
    console.print(Text(record.name, style="bold"))
    console.print(Text(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in plain.items() if value)))
    if record.aliases:
        console.print(Text(f"also called {', '.join(record.aliases)}"))
    if record.notes:
        console.print(Text(record.notes, style="dim"))
    for field, figure in record.figures.items():
        console.print(
            Text.assemble(
                (f"\n{field}  ", "bold"), f"{_cell(figure.value)} {figure.unit}".strip(), f"  [{figure.status}]"
            )
        )
        console.print(Text(f"    {figure.source or 'no source recorded'}", style="dim"))
        for words in (figure.note, figure.reason and f"preferred because: {figure.reason}"):
            if words:
                console.print(Text(f"    {words}"))
        for other in figure.alternatives:
            why = f": {other.why}" if other.why else ""
            console.print(Text(f"    or {_cell(other.value)} {other.unit} [{other.status}]{why}"))
            console.print(Text(f"       {other.source}", style="dim"))
    missing = catalog.missing(record)
    console.print(Text(f"\nin no source: {', '.join(missing) or 'nothing'}", style="yellow"))
