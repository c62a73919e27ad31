"""The workbook: what a person who goes on calculating finds in it."""

from dataclasses import replace

import openpyxl
import pytest

from outlay.report.workbook import write_workbook

SHEETS = [
    *("Summary", "Purchases", "Budgets", "Cash", "Unit costs", "Tornado", "Sourcing", "Training", "Services"),
    *("Power", "Limits", "Evidence", "Notes"),
]


def _read(plan, path, **options):
    write_workbook(plan, path)
    return openpyxl.load_workbook(path, **options)


def _rows(sheet):
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def book(plan, tmp_path_factory):
    """Workbook of the sample with the values of its formulas."""
    return _read(plan, tmp_path_factory.mktemp("book") / "plan.xlsx", data_only=True)


@pytest.fixture(scope="module")
def formulas(plan, tmp_path_factory):
    """The same with the formulas themselves."""
    return _read(plan, tmp_path_factory.mktemp("book") / "plan.xlsx")


def test_sheets_stand_in_order_with_frozen_headings(book):
    """Every part of the plan has its sheet; headings stay in sight."""
    assert book.sheetnames == SHEETS
    assert {sheet.freeze_panes for sheet in book} == {"B2"}


def test_purchases_carry_figures_as_numbers(plan, book):
    """Numbers are numbers, not text, and their columns say how to print them."""
    rows = _rows(book["Purchases"])
    assert [row["Chips"] for row in rows] == [bought.chips for bought in plan.purchases]
    assert [row["Cost"] for row in rows] == pytest.approx([bought.cost for bought in plan.purchases])
    assert book["Purchases"].column_dimensions["M"].width >= 12


def test_budget_sums_live_from_the_purchases(plan, book, formulas):
    """Spending is a formula over the purchases, and its value now is what the plan says."""
    for line, budget in enumerate(plan.budgets, start=2):
        ordered = formulas["Budgets"].cell(line, 4).value
        assert ordered.startswith("=SUMPRODUCT(")
        assert f"Purchases!$M$2:$M${len(plan.purchases) + 1}" in ordered
        assert formulas["Budgets"].cell(line, 9).value == f"=SUM(D{line}:H{line})"
        assert formulas["Budgets"].cell(line, 11).value == f"=C{line}+J{line}-I{line}"
        row = _rows(book["Budgets"])[line - 2]
        assert row["Spent"] == pytest.approx(budget.spent)
        assert row["Left"] == pytest.approx(budget.limit - budget.spent)
        assert sum(row[f"Spent in {quarter}"] for quarter in plan.quarters) == pytest.approx(budget.spent)


def test_services_give_tokens_a_day(plan, book):
    """Demand and service stand by quarter, in tokens a day."""
    first = _rows(book["Services"])[0]
    assert first["What"] == "demand"
    assert first["2026Q4, tokens a day"] == pytest.approx(52e12)


def test_shares_training_power_limits_and_evidence_are_there(plan, book):
    """The other sheets hold what the plan holds."""
    assert _rows(book["Sourcing"])[0]["Reached"] == pytest.approx(0.6, abs=1e-4)
    assert [row["Runs"] for row in _rows(book["Training"])][-1].startswith("no: no site")
    assert max(value for value in list(_rows(book["Power"])[9].values())[3:]) == pytest.approx(30.0, abs=0.01)
    assert len(_rows(book["Limits"])) == len(plan.limits) + len(plan.blocked)
    assert _rows(book["Evidence"])[0]["Denied by"] == "ByteDance spokesperson, 22 January 2025"
    assert {row["Kind"] for row in _rows(book["Notes"])} == {"note", "deadline", "audit"}


@pytest.mark.parametrize("name", ["=1+1", '=HYPERLINK("http://x")', "https://example.org/x", "<b>", "a" * 300])
def test_hostile_names_stay_text(plan, tmp_path, name):
    """A name from a file is never a formula or a link."""
    bought = replace(plan.purchases[0], site=name)
    sheet = _read(replace(plan, purchases=[bought]), tmp_path / "plan.xlsx")["Purchases"]
    assert sheet["F2"].value == name
    assert sheet["F2"].data_type == "s"
    assert sheet["F2"].hyperlink is None


def test_empty_plan_makes_a_workbook(plan, tmp_path):
    """A plan that buys nothing has all sheets."""
    empty = replace(plan, purchases=[], training=[], services=[], limits=[], blocked=[], evidence=[], notes=[])
    book = _read(empty, tmp_path / "plan.xlsx", data_only=True)
    assert book.sheetnames == SHEETS
    assert _rows(book["Budgets"])[0]["Bought and leased"] == 0
