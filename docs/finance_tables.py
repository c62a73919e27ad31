"""Writes the tables of `finance.md` from the code and the data it counts with: `python docs/finance_tables.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

from outlay.catalog import Catalog
from outlay.finance.ownership import Machine, Place, own
from outlay.finance.pricing import purchase_price, system_power
from outlay.finance.terms import load_terms, published
from outlay.finance.unit_costs import pools

PAGE = Path(__file__).with_name("finance.md")
DAY = date(2026, 6, 1)
RENTED = Place("space rented", "US", 1.25, 0.08, colocation=184.06)
BUILT = Place("own building", "US", 1.2, 0.091, build_cost=10.0)


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = rows
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)


def _link(title: str, address: str) -> str:
    return f"[{title}]({address})" if address.startswith("http") else title


def terms() -> str:
    """Return the table of terms."""
    rows = [("term", "where", "value", "range", "unit", "status", "source", "note")]
    for name, region, term in load_terms().rows():
        figure = term.figure
        source = _link(figure.source.title, figure.source.address)
        span = f"{term.low:g} to {term.high:g}"
        rows.append(
            (f"`{name}`", region or "all", f"{term.value:g}", span, figure.unit, figure.status, source, figure.note)
        )
    return _table(*rows)


def standing() -> str:
    """Return where the cost of a chip-hour stands among published ones."""
    catalog = Catalog.load()
    rows = [("chip", "USD a chip-hour", "who says so, or for what", "why it differs")]
    for name in ("H100", "H200", "B200", "GB200"):
        system = catalog.resolve_system(name)
        price = purchase_price(catalog, system, DAY)
        machine = Machine(system.name, system.chips, float(system_power(catalog, system).value), price.amount)
        for place in (RENTED, BUILT):
            found = own(machine, place, load_terms())
            said = f"**outlay**, {place.name}, {price.amount / system.chips:,.0f} USD a chip ({price.date})"
            rows.append(
                (f"**{name}**", f"**{found.per_chip_hour:.2f}**", said, "five years, 8.5 % cost of capital, resale")
            )
        for row in published(system.chip):
            span = f"{row.low:.2f}" if row.low == row.high else f"{row.low:.2f} to {row.high:.2f}"
            rows.append((name, span, _link(row.source.title, row.source.address), row.why))
    return _table(*rows)


def tokens() -> str:
    """Return DeepSeek's published account beside what its rates come to."""
    cost = pools(2.0, 73_700 / 8, 14_800 / 8, 608 / 168)
    day = cost.input * 608e3 + cost.output * 168e3
    return _table(
        ("what", "published", "outlay from the published rates"),
        ("cost of a day, USD", "87,072", f"{day:,.0f}"),
        ("a million tokens, prompts and answers, USD", f"{87_072 / 776e3:.4f}", f"{cost.both:.4f}"),
        ("a million input tokens, cache hits among them, USD", "–", f"{cost.input:.4f}"),
        ("a million output tokens, USD", "–", f"{cost.output:.4f}"),
    )


TABLES: dict[str, Callable[[], str]] = {"terms": terms, "standing": standing, "tokens": tokens}


def written(text: str) -> str:
    """Return a page with every table between its marks made afresh."""
    for name, make in TABLES.items():
        table = make()
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marks.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    return text


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
