"""The cash-flow sheets: live formulas that another program recalculates to the same totals."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from outlay.finance.cashflow import Line, LoanUse, Reading, UnitCost, account, scaled, tornado
from outlay.finance.currency import rates
from outlay.finance.debt import Loan, schedule
from outlay.report.workbook import write_workbook
from outlay.units import Quarter

QUARTERS = tuple(Quarter(2025, 1) + ahead for ahead in range(8))
RATES = rates({"CNY": 7.3}, QUARTERS, paths={"CNY": {Quarter(2026, 1): 7.0}})
ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>
"""
"""LibreOffice shows the values a file holds unless it is told to calculate them again."""


def _accounts(discount=0.09):
    loan = schedule(Loan("bank", "USD", 4e8, 0.04, 0.025, tenor=8, grace=2), [2e8, 2e8])
    draws, interest, principal, balance = (
        [float(x) for x in getattr(loan, name)] for name in ("draws", "interest", "principal", "balance")
    )
    lines = [
        Line("purchase of boxes", "purchases", "capital", "CNY", [-5e9, -1e9] + [0.0] * 6),
        Line("revenue of chat", "revenue", "income", "USD", [0.0] + [1.9e8] * 7),
        Line("energy at Home", "energy", "operating", "CNY", [0.0] + [-4e7] * 7),
        Line("draws of bank", "draws", "financing", "USD", draws),
        Line("interest of bank", "interest", "financing", "USD", [-x for x in interest]),
        Line("repayments of bank", "repayments", "financing", "USD", [-x for x in principal]),
    ]
    made = account(lines, RATES, "USD", discount=discount, inflation=0.025)
    used = LoanUse(
        "bank", "USD", 4e8, 0.065, loan.effective_rate, draws, interest, principal, [0.0] * 8, balance, 0.0,
        [None] * 8, 0.0, 4e8, [],
    )  # fmt: skip
    readings = [Reading("prices", "-20%", "+20%", scaled("purchases", 0.8), scaled("purchases", 1.2))]
    return replace(
        made, loans=[used], tornado=tornado(made, readings), unit_costs=[UnitCost("chat", "million tokens", 0.2, 0.5)]
    )


@pytest.fixture(scope="module")
def accounts():
    """Money in two currencies and a loan over two years."""
    return _accounts()


@pytest.fixture(scope="module")
def written(plan, accounts, tmp_path_factory):
    """The workbook of a plan with accounts."""
    path = tmp_path_factory.mktemp("cash") / "plan.xlsx"
    write_workbook(replace(plan, quarters=accounts.quarters, accounts=accounts), path)
    return path


def _by_name(sheet):
    return {row[0].value: row for row in sheet.iter_rows(min_row=2) if row[0].value}


def test_everything_that_follows_is_a_formula(written):
    """Amounts, rates and the discount rate are numbers; sums, nets, present value and rate of return are formulas."""
    rows = _by_name(openpyxl.load_workbook(written)["Cash"])
    for name in ("purchase of boxes", "USD per CNY", "discount rate a year", "inflation a year"):
        assert isinstance(rows[name][4].value, int | float), name
    live = ("net in CNY", "net, all in USD", "capital, all in USD", "discount factor", "present value", "cumulative")
    for name in (*live, "net, in money of the first day", "internal rate of return a year"):
        assert str(rows[name][4].value).startswith("="), name
    loans = openpyxl.load_workbook(written)["Loans"]
    assert str(loans["E3"].value).startswith("=(0+E2)*$D2/4")
    assert str(loans["F5"].value) == "=E5+F2-F4"


def test_values_held_are_those_of_the_accounts(written, accounts):
    """A reader that does not calculate sees the plan's own figures."""
    rows = _by_name(openpyxl.load_workbook(written, data_only=True)["Cash"])
    assert [cell.value for cell in rows["net, all in USD"][4:12]] == pytest.approx(accounts.net)
    assert rows["present value"][12].value == pytest.approx(accounts.value)
    assert rows["internal rate of return a year"][4].value == pytest.approx(accounts.rate_of_return)


def test_a_plan_without_accounts_has_no_cash_sheet(plan, tmp_path):
    """Plans made by hand may have none."""
    write_workbook(replace(plan, accounts=None), tmp_path / "plan.xlsx")
    assert "Cash" not in openpyxl.load_workbook(tmp_path / "plan.xlsx").sheetnames


@pytest.fixture(scope="module")
def soffice():
    """LibreOffice; where CI has none that is a failure, for the workbook is judged by what it recalculates to."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        missing = "LibreOffice is not installed"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return found


def _recalculated(soffice: str, path: Path, folder: Path):
    """Open a workbook in LibreOffice, have everything calculated again, and return what it saved."""
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True, exist_ok=True)
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS, encoding="utf-8")
    out = folder / "out"
    command = [soffice, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--convert-to"]
    subprocess.run([*command, "xlsx", "--outdir", str(out), str(path)], check=True, capture_output=True, timeout=180)
    return openpyxl.load_workbook(out / path.name, data_only=True)


@pytest.mark.slow
def test_libreoffice_recalculates_to_the_same_totals(soffice, written, accounts, tmp_path):
    """Every formula of the cash and loan sheets, calculated by another program, agrees with the plan."""
    book = _recalculated(soffice, written, tmp_path)
    rows = _by_name(book["Cash"])
    assert [cell.value for cell in rows["net, all in USD"][4:12]] == pytest.approx(accounts.net, rel=1e-9)
    assert rows["present value"][12].value == pytest.approx(accounts.value, rel=1e-9)
    assert rows["internal rate of return a year"][4].value == pytest.approx(accounts.rate_of_return, rel=1e-6)
    assert [cell.value for cell in rows["net, in money of the first day"][4:12]] == pytest.approx(accounts.net_real)
    for booking in ("capital", "income", "operating", "financing"):
        assert rows[f"{booking}, all in USD"][12].value == pytest.approx(accounts.total(booking), rel=1e-9, abs=1e-3)
    loans = {row[1].value: [cell.value for cell in row[4:12]] for row in book["Loans"].iter_rows(min_row=2)}
    assert loans["interest"] == pytest.approx(accounts.loans[0].interest)
    assert loans["balance"] == pytest.approx(accounts.loans[0].balance, abs=1e-3)


@pytest.mark.slow
def test_a_changed_input_moves_what_follows(soffice, written, tmp_path):
    """A finance person sets another discount rate and a dearer purchase: the totals are those of such a plan."""
    book = openpyxl.load_workbook(written)
    rows = _by_name(book["Cash"])
    rows["discount rate a year"][4].value = 0.14
    rows["purchase of boxes"][4].value = -6e9
    changed = tmp_path / "changed.xlsx"
    book.save(changed)
    found = _by_name(_recalculated(soffice, changed, tmp_path)["Cash"])
    lines = [
        replace(line, amounts=[-6e9, *line.amounts[1:]]) if line.kind == "purchases" else line
        for line in _accounts().lines
    ]
    wanted = account(lines, RATES, "USD", discount=0.14, inflation=0.025)
    assert found["present value"][12].value == pytest.approx(wanted.value, rel=1e-9)
    assert found["cumulative"][11].value == pytest.approx(sum(wanted.net), rel=1e-9)
