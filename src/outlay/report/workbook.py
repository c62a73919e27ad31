"""The plan as a workbook: values a person can go on calculating with, and sums that live."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.report import facts, workbook_cash
from outlay.report.files import write_atomically
from outlay.report.workbook_cash import Formula
from outlay.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from outlay.planning.result import Plan

Row = Sequence[Any]
WHOLE, MONEY, SHARE, DECIMAL = "#,##0", "#,##0", "0.0%", "#,##0.000"
WIDEST = 60


class _Book:
    """A workbook being written: one call a sheet, headings frozen, columns as wide as their text."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.formats: dict[str, Any] = {}

    def sheet(self, name: str, columns: Mapping[str, str], rows: Iterable[Row]) -> Any:
        """Add a sheet; ``columns`` maps each heading to its number format, '' for text."""
        sheet = self.book.add_worksheet(name)
        table = [list(row) for row in rows]
        for at, (heading, number_format) in enumerate(columns.items()):
            texts = [str(row[at]) for row in table if isinstance(row[at], str) and not row[at].startswith("=")]
            longest = max([len(heading), *map(len, texts)])
            sheet.set_column(at, at, min(WIDEST, max(12, longest + 2)), self.style(number_format))
            sheet.write_string(0, at, heading, self.head)
        for line, row in enumerate(table, start=1):
            for at, value in enumerate(row):
                self._write(sheet, line, at, value)
        sheet.freeze_panes(1, 1)
        if table:
            sheet.autofilter(0, 0, len(table), len(columns) - 1)
        return sheet

    def _write(self, sheet: Any, line: int, at: int, value: Any) -> None:
        if isinstance(value, Formula):
            sheet.write_formula(line, at, value.text, value=value.result)
        elif isinstance(value, str):
            sheet.write_string(line, at, value)  # never as a formula or a link: names come from anywhere
        elif value is not None and math.isfinite(value):
            sheet.write_number(line, at, value)

    def style(self, number_format: str) -> Any:
        """Return the style of a number format, '' for text."""
        if number_format not in self.formats:
            wanted = {"num_format": number_format} if number_format else {"text_wrap": True}
            self.formats[number_format] = self.book.add_format({"valign": "top", **wanted})
        return self.formats[number_format]


def write_workbook(plan: Plan, path: str | Path) -> None:
    """Write the plan as a workbook.

    Raises
    ------
    InputError
        If the file cannot be written; whatever was there before stays.
    """
    write_atomically(path, lambda draft: _fill(plan, draft))


def to_workbook(plan: Plan) -> bytes:
    """Return the workbook's bytes."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="outlay-") as folder:
        path = Path(folder) / "plan.xlsx"
        _fill(plan, path)
        return path.read_bytes()


def _fill(plan: Plan, draft: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(draft)) as file:
        file.set_properties({"title": plan.title, "comments": f"outlay {plan.version}, input {plan.input_hash}"})
        book = _Book(file)
        _summary(book, plan)
        _purchases(book, plan)
        _budgets(book, plan)
        _cash(book, plan)
        _sourcing(book, plan)
        _training(book, plan)
        _services(book, plan)
        _power(book, plan)
        _limits(book, plan)
        _evidence(book, plan)
        _notes(book, plan)


def _summary(book: _Book, plan: Plan) -> None:
    rows: list[Row] = [
        ("Plan", plan.title),
        ("Scenario", plan.scenario),
        ("Known on", plan.knowledge_date),
        ("In short", facts.headline(plan)),
        ("Status", f"{plan.status}, within {facts.percent(plan.gap, 2)} of the best possible"),
        ("Objective", f"{plan.objective_name}: {facts.objective(plan, plan.objective)}"),
        ("Solved", f"in {plan.solve_s:.1f} s by {plan.solver}"),
        ("Audit", f"{sum(check.ok for check in plan.audit.checks)} of {len(plan.audit.checks)} checks hold"),
        *((f"{part}, {plan.currency}", amount) for part, amount in plan.money.items()),
        *((f"{code} per USD", rate) for code, rate in plan.fx.items()),
    ]
    book.sheet("Summary", {"What": "", "Value": "#,##0.####"}, rows).set_column(1, 1, WIDEST, book.style("#,##0.####"))


def _purchases(book: _Book, plan: Plan) -> None:
    text = dict.fromkeys(
        ("How", "System", "Chip", "Vendor", "Vendor country", "Site", "Country", "Ordered", "In use", "Until"), ""
    )
    figures = {"Systems": WHOLE, "Chips": WHOLE, "Cost": MONEY}
    columns = {**text, **figures, **dict.fromkeys(("Currency", "Budget", "Decision", "Rules"), "")}
    rows = (
        (p.mode, p.system, p.chip, p.vendor, p.vendor_country, p.site, p.country, p.quarter, p.in_use, p.until or "",
         p.units, p.chips, p.cost, p.currency, p.budget, p.decision, ", ".join(p.rules))
        for p in plan.purchases
    )  # fmt: skip
    book.sheet("Purchases", columns, rows)


def _budgets(book: _Book, plan: Plan) -> None:
    """Write the budgets; purchases are summed live from their sheet, running costs stand as numbers."""
    columns = {
        "Budget": "", "Currency": "", "Limit": MONEY, "Bought and leased": MONEY, "Hosting": MONEY, "Energy": MONEY,
        "Upkeep": MONEY, "Debt service": MONEY, "Spent": MONEY, "Borrowed": MONEY, "Left": MONEY, "Used": SHARE,
        **{f"Spent in {quarter}": MONEY for quarter in plan.quarters},
    }  # fmt: skip
    end = max(2, len(plan.purchases) + 1)
    rows = []
    for line, budget in enumerate(plan.budgets, start=2):
        running = [budget.by_kind.get(kind, 0.0) for kind in ("hosting", "energy", "upkeep", "debt service")]
        bought = sum(p.cost for p in plan.purchases if p.budget == budget.name)
        same = f"(Purchases!$O$2:$O${end}=A{line})*(Purchases!$N$2:$N${end}=B{line})"
        ordered = f"=SUMPRODUCT({same}*Purchases!$M$2:$M${end})"
        total, limit = bought + sum(running), budget.limit + budget.drawn
        rows.append(
            [
                budget.name,
                budget.currency,
                budget.limit,
                Formula(ordered, bought),
                *running,
                Formula(f"=SUM(D{line}:H{line})", total),
                budget.drawn,
                Formula(f"=C{line}+J{line}-I{line}", limit - total),
                Formula(f'=IF(C{line}+J{line}=0,"",I{line}/(C{line}+J{line}))', total / limit if limit else 0.0),
                *(budget.by_quarter.get(quarter, 0.0) for quarter in plan.quarters),
            ]
        )
    book.sheet("Budgets", columns, rows)


def _cash(book: _Book, plan: Plan) -> None:
    """Write cash by quarter and currency, unit costs, what moves the value, and loans, where the plan has accounts."""
    accounts = plan.accounts
    if accounts is None:
        return
    book.sheet("Cash", workbook_cash.cash_columns(accounts), workbook_cash.cash_rows(accounts))
    units = {"Of": "", "Per": "", "Cost": DECIMAL, "Earns or is worth": DECIMAL, "Currency": ""}
    book.sheet("Unit costs", units, workbook_cash.unit_cost_rows(accounts))
    swings = {"Input": "", "Low": "", "High": "", "Value at low": MONEY, "Value at high": MONEY, "Width": MONEY}
    book.sheet("Tornado", swings, workbook_cash.tornado_rows(accounts))
    if accounts.loans:
        book.sheet("Loans", workbook_cash.loan_columns(accounts), workbook_cash.loan_rows(accounts))


def _sourcing(book: _Book, plan: Plan) -> None:
    columns = {
        "Share": "",
        "Of": "",
        "Kind": "",
        "Asked for": SHARE,
        "Reached": SHARE,
        "Tolerance": "0.000%",
        "Outcome": "",
    }
    rows = (
        (use.name, facts.BASES.get(use.base, use.base), use.kind, use.required, use.achieved, use.tolerance,
         facts.sourcing_verdict(use))
        for use in plan.sourcing
    )  # fmt: skip
    book.sheet("Sourcing", columns, rows)


def _training(book: _Book, plan: Plan) -> None:
    columns = {
        "Run": "", "Model": "", "Runs": "", "Site": "", "System": "", "Chips": WHOLE, "First": "", "Last": "",
        "Days": "0.0", "Days, low": "0.0", "Days, high": "0.0", "MFU": SHARE, f"Worth, {plan.currency}": MONEY,
        "Strategy": "", "Rests on": "",
    }  # fmt: skip
    rows: list[Row] = []
    for run in plan.training:
        figures = (run.days, run.days_low, run.days_high, run.mfu, run.value, run.strategy, run.basis)
        rows += [(run.name, run.model, "yes", s.site, s.system, s.chips, s.first, s.last, *figures) for s in run.stages]
        if not run.runs:
            rows.append((run.name, run.model, f"no: {run.why_not}", "", "", None, "", "", *figures))
    book.sheet("Training", columns, rows)


def _services(book: _Book, plan: Plan) -> None:
    columns = {
        "Service": "", "Model": "", "What": "", **{f"{quarter}, tokens a day": WHOLE for quarter in plan.quarters},
    }  # fmt: skip
    rows: list[Row] = []
    for service in plan.services:
        lines = {"demand": service.demand, "served": service.served, **service.by_system}
        for what, rates in lines.items():
            rows.append(
                (service.name, service.model, what, *(rates.get(q, 0.0) * SECONDS_PER_DAY for q in plan.quarters))
            )
    book.sheet("Services", columns, rows)


def _power(book: _Book, plan: Plan) -> None:
    columns = {"Site": "", "Country": "", "What": "", **dict.fromkeys(plan.quarters, DECIMAL)}
    rows: list[Row] = []
    for site in plan.sites:
        for what, watts in (("power, MW", site.power), ("limit, MW", site.limit)):
            rows.append((site.name, site.country, what, *(watts.get(q, math.nan) / 1e6 for q in plan.quarters)))
        rows.append((site.name, site.country, "chips", *(site.chips.get(q, 0) for q in plan.quarters)))
    book.sheet("Power", columns, rows)


def _limits(book: _Book, plan: Plan) -> None:
    columns = {"Kind": "", "Limit": "", "What more is worth": "", "Price": DECIMAL, "Unit of the price": ""}
    binding: list[Row] = [(limit.family, limit.name, limit.words, limit.dual, limit.unit) for limit in plan.limits]
    closed: list[Row] = [
        ("rule", f"{way.mode} {way.system} in {way.country}, {way.quarters}", way.words, None, way.code)
        for way in plan.blocked
    ]
    book.sheet("Limits", columns, binding + closed)


def _evidence(book: _Book, plan: Plan) -> None:
    columns = dict.fromkeys(
        ("Status", "Figure", "Value", "Source", "Address", "Note", "Denied by", "Date", "Claim", "Quote"), ""
    )
    rows = (
        (x.status, x.what, x.value, x.source, x.address, x.note, x.denied_by, x.date, x.claim, x.quote)
        for x in plan.evidence
    )
    book.sheet("Evidence", columns, rows)


def _notes(book: _Book, plan: Plan) -> None:
    rows: list[Row] = [("note", "", note) for note in plan.notes]
    rows += [
        ("deadline", date["date"], f"{date['name']}: {date.get('note', '')}".rstrip(": ")) for date in plan.deadlines
    ]
    rows += [
        ("audit", "holds" if check.ok else "FAILS", f"{check.name}: {check.detail}") for check in plan.audit.checks
    ]
    book.sheet("Notes", {"Kind": "", "When or outcome": "", "Text": ""}, rows)
