"""A view taken away holds what the view shows: as CSV, page, PDF and workbook; names stay names everywhere."""

import csv
import io
import os
import re
import shutil

import openpyxl
import pytest

from outlay.errors import InputError
from outlay.report import pdf, sheet
from outlay.report.charts import Chart
from outlay.report.tables import Cell, Page, number

EVIL = '=HYPERLINK("http://x")</script><script>alert(1)</script>'
CHART = Chart(
    id="c", title="Value: by quarter", alt="It rises.", data=[{"type": "bar", "x": ["a", "b"], "y": [1.5, 2.5]}],
    layout={"height": 200}, columns=["quarter", "value"], rows=[["2025Q1", "1.50 bn"], [EVIL, "2.50 bn"]],
    values=[["2025Q1", 1.5e9], [EVIL, 0.1 + 0.2]],
)  # fmt: skip
PAGE = Page("p", "Value: by quarter", ["name", "amount", "change"], [
    [Cell("x"), number(3.25, "3 bn"), number(-0.05, "-5.0%")], [Cell(EVIL), number(None), number(None)],
])  # fmt: skip
SHEET = sheet.Sheet(
    "A view", "What it is about", facts=[("steps", "10.5 s")], charts=[CHART], pages=[PAGE],
    command="outlay train X", command_title="The same at a terminal",
)  # fmt: skip


def _read(text):
    return list(csv.reader(io.StringIO(text)))


def test_csv_of_a_figure_has_its_numbers_in_full():
    """What the figure rounds the file does not; text that would run as a formula is text."""
    rows = _read(sheet.csv_of_chart(CHART))
    assert rows[0] == ["quarter", "value"]
    assert float(rows[1][1]) == 1.5e9
    assert float(rows[2][1]) == 0.1 + 0.2
    assert rows[2][0] == f"'{EVIL}"


def test_csv_of_a_table_has_numbers_where_it_sorts_by_numbers():
    """Missing figures are empty cells, never zeros."""
    rows = _read(sheet.csv_of_page(PAGE))
    assert rows[1] == ["x", "3.25", "-0.05"]
    assert rows[2][1:] == ["", ""]


def test_csv_falls_back_on_what_is_shown():
    """A figure that keeps no numbers in full gives those it shows."""
    plain = Chart("d", "t", "a", [], {"height": 1}, ["a"], [["+5 %"], ["-x"]])
    assert _read(sheet.csv_of_chart(plain)) == [["a"], ["+5 %"], ["'-x"]]


def test_workbook_has_a_sheet_for_each_figure_and_table():
    """Two of one title have two names; formulas of others are text."""
    book = openpyxl.load_workbook(io.BytesIO(sheet.to_workbook(SHEET)))
    assert book.sheetnames == ["outlay", "Value  by quarter", "Value  by quarter 2"]
    first = book["Value  by quarter"]
    assert first["B2"].value == 1.5e9
    assert first["A3"].value == EVIL
    assert first["A3"].data_type == "s"
    assert book["Value  by quarter 2"]["B2"].value == 3.25


def test_page_holds_everything_and_fetches_nothing():
    """Figures, tables, headline and command are in it; a name with markup is shown, not run."""
    page = sheet.to_html(SHEET)
    for words in ("What it is about", "10.5 s", "It rises.", "outlay train X", "3 bn"):
        assert words in page
    assert "<script>alert" not in page
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"https?:", page)


def test_pdf_without_a_browser_is_refused_by_name(monkeypatch, tmp_path):
    """The message names what prints, what was looked for and the way out."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(pdf.VARIABLE, raising=False)
    with pytest.raises(InputError, match=r"printed by Chromium, and none of chromium, .* report as HTML"):
        pdf.to_pdf("<p>x</p>")
    monkeypatch.setenv(pdf.VARIABLE, "no-such-browser")
    with pytest.raises(InputError, match="OUTLAY_CHROMIUM=no-such-browser: no such program"):
        pdf.to_pdf("<p>x</p>")


def test_pdf_of_a_browser_that_prints_nothing_is_refused(monkeypatch):
    """A program that is no browser is named with its exit."""
    monkeypatch.setenv(pdf.VARIABLE, shutil.which("false") or "false")
    with pytest.raises(InputError, match=r"printed none \(exit 1\)"):
        pdf.to_pdf("<p>x</p>")


@pytest.mark.slow
def test_pdf_is_a_pdf():
    """Chromium prints the page, figures drawn."""
    if shutil.which("chromium") is None:
        missing = "no chromium on the path: install the package chromium"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    made = pdf.to_pdf(sheet.to_html(SHEET, paper=True))
    assert made.startswith(b"%PDF-")
    assert len(made) > 10_000
