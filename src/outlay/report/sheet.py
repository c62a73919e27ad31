"""A view of the page as a thing to take away: a self-contained page, a PDF, a workbook, its figures' data as CSV."""

from __future__ import annotations

import csv
import io
import math
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outlay.report.charts import Chart, all_of
from outlay.report.page import rendered
from outlay.report.tables import Cell, Page

CONTROLS = ("=", "+", "-", "@", "\t", "\r")
"""Text that begins so is read as a formula by spreadsheets (OWASP, CSV injection)."""
SHEET_NAME = 31
"""Letters that the name of a sheet may have."""
WIDEST = 60


@dataclass(frozen=True)
class Sheet:
    """What a view shows.

    Attributes
    ----------
    facts
        Headline figures: what each is called, and its value.
    command
        The command line that gives the same answer.
    """

    title: str
    lead: str = ""
    language: str = "en"
    facts: Sequence[tuple[str, str]] = ()
    charts: Sequence[Chart] = ()
    pages: Sequence[Page] = ()
    command: str = ""
    command_title: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def csv_of_chart(chart: Chart) -> str:
    """Return the numbers behind a figure, in full where it keeps them so, else as they are shown."""
    return _csv(chart.columns, chart.values or chart.rows)


def csv_of_page(page: Page) -> str:
    """Return a table; a cell that is sorted by a number is that number."""
    return _csv(page.columns, ([_plain(cell) for cell in row] for row in page.rows))


def _plain(cell: Cell) -> Any:
    if isinstance(cell.sort, int | float) and not cell.mark:
        return cell.sort if math.isfinite(cell.sort) else None
    return cell.text


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return text.getvalue()


def _harmless(value: Any) -> Any:
    """Return a value as a spreadsheet may read it: text that would be run as a formula gets an apostrophe."""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if isinstance(value, str) and value.startswith(CONTROLS) and not _number(value):
        return f"'{value}"
    return "" if value is None else value


def _number(text: str) -> bool:
    return re.fullmatch(r"[+-]?[\d.,]+(?:e[+-]?\d+)?(?: ?%)?", text) is not None


def to_html(sheet: Sheet, *, paper: bool = False) -> str:
    """Return the view as one page that needs no network; for ``paper`` without colours of the screen."""
    from outlay import __version__

    values = {"sheet": sheet, "paper": paper, "version": __version__, "figures": all_of(sheet.charts)}
    return rendered("sheet.html", values)


def to_workbook(sheet: Sheet) -> bytes:
    """Return the view as a workbook: what it says, then a sheet for each figure's numbers and each table."""
    import xlsxwriter

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.xlsx"
        with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False}) as book:
            taken: set[str] = set()
            first = [[sheet.title], [sheet.lead], *([name, value] for name, value in sheet.facts)]
            first += [[note] for note in sheet.notes] + (
                [[sheet.command_title, sheet.command]] if sheet.command else []
            )
            _fill(book, taken, "outlay", [], first)
            for chart in sheet.charts:
                _fill(book, taken, chart.title, chart.columns, chart.values or chart.rows)
            for page in sheet.pages:
                rows = [[_plain(cell) for cell in row] for row in page.rows]
                _fill(book, taken, page.caption, page.columns, rows)
        return path.read_bytes()


def _fill(book: Any, taken: set[str], title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.add_worksheet(_sheet_name(title, taken))
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    widths = [len(name) for name in columns]
    for at, name in enumerate(columns):
        sheet.write_string(0, at, name, head)
    for line, row in enumerate(rows, start=1 if columns else 0):
        for at, value in enumerate(row):
            widths += [0] * (at + 1 - len(widths))
            widths[at] = max(widths[at], len(str(value)) if isinstance(value, str) else 12)
            if isinstance(value, str):
                sheet.write_string(line, at, value)  # never as a formula or a link: names come from anywhere
            elif value is not None and math.isfinite(value):
                sheet.write_number(line, at, value)
    for at, width in enumerate(widths):
        sheet.set_column(at, at, min(WIDEST, width + 2))
    if columns:
        sheet.freeze_panes(1, 1)


def _sheet_name(title: str, taken: set[str]) -> str:
    """Return a name that a sheet may have and no other has."""
    plain = re.sub(r"[\[\]:*?/\\']", " ", title).strip()[:SHEET_NAME].strip() or "data"
    name, count = plain, 2
    while name.casefold() in taken:
        name, count = f"{plain[: SHEET_NAME - 4].strip()} {count}", count + 1
    taken.add(name.casefold())
    return name
