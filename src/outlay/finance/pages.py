"""The rows of the tables on the finance page of the documentation."""

from __future__ import annotations

from datetime import date

from outlay.finance.ownership import Machine, Place, own
from outlay.finance.pricing import purchase_price, system_power
from outlay.finance.terms import load_terms, published
from outlay.finance.unit_costs import pools

Row = tuple[str, ...]
DAY = date(2026, 6, 1)
PLACES = (
    Place("space rented", "US", 1.25, 0.08, colocation=184.06),
    Place("own building", "US", 1.2, 0.091, build_cost=10.0),
)
HOW = "five years, 8.5 % cost of capital, resale"


def term_rows() -> list[Row]:
    """Return every term with its value, range, unit, status, source and note."""
    rows: list[Row] = []
    for name, region, term in load_terms().rows():
        figure = term.figure
        source = _linked(figure.source.title, figure.source.address)
        span = f"{term.low:g} to {term.high:g}"
        rows.append(
            (f"`{name}`", region or "all", f"{term.value:g}", span, figure.unit, figure.status, source, figure.note)
        )
    return rows


def standing_rows() -> list[Row]:
    """Return what owning a chip costs for an hour, ours and what others say, and why they differ."""
    from outlay.catalog import Catalog

    catalog = Catalog.load()
    rows: list[Row] = []
    for name in ("H100", "H200", "B200", "GB200"):
        system = catalog.resolve_system(name)
        price = purchase_price(catalog, system, DAY)
        machine = Machine(system.name, system.chips, float(system_power(catalog, system).value), price.amount)
        for place in PLACES:
            found = own(machine, place, load_terms())
            what = f"**outlay**, {place.name}, {price.amount / system.chips:,.0f} USD a chip ({price.date})"
            rows.append((f"**{name}**", f"**{found.per_chip_hour:.2f}**", what, HOW))
        for row in published(system.chip):
            span = f"{row.low:.2f}" if row.low == row.high else f"{row.low:.2f} to {row.high:.2f}"
            rows.append((name, span, _linked(row.source.title, row.source.address), row.why))
    return rows


def token_rows() -> list[Row]:
    """Return DeepSeek's published account of a day of serving beside what its own rates come to."""
    cost = pools(2.0, 73_700 / 8, 14_800 / 8, 608 / 168)
    day = cost.input * 608e3 + cost.output * 168e3
    return [
        ("cost of a day, USD", "87,072", f"{day:,.0f}"),
        ("a million tokens, prompts and answers, USD", f"{87_072 / 776e3:.4f}", f"{cost.both:.4f}"),
        ("a million input tokens, cache hits among them, USD", "–", f"{cost.input:.4f}"),
        ("a million output tokens, USD", "–", f"{cost.output:.4f}"),
    ]


def _linked(title: str, address: str) -> str:
    return f"[{title}]({address})" if address.startswith("http") else title
