"""The cash-flow sheets of the workbook: amounts as numbers, everything that follows from them as live formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlay.finance.cashflow import Accounts, LoanUse

MONEY, RATE, FACTOR = "#,##0", "0.0000", "0.000000"
FIRST = 4
"""Column of the first quarter, counted from zero: line, booked as, kind and currency come before."""


class Formula:
    """A live formula and its value now, for readers that do not calculate."""

    def __init__(self, text: str, result: float) -> None:
        self.text, self.result = text, result


def letter(column: int) -> str:
    """Return a column's letters.

    Examples
    --------
    >>> letter(0), letter(25), letter(26), letter(51)
    ('A', 'Z', 'AA', 'AZ')
    """
    return (letter(column // 26 - 1) if column >= 26 else "") + chr(65 + column % 26)


class _Sheet:
    """Rows of the cash sheet as they come, each with its number on the sheet."""

    def __init__(self, accounts: Accounts) -> None:
        self.accounts = accounts
        self.columns = [letter(FIRST + t) for t in range(len(accounts.quarters))]
        self.rows: list[list[Any]] = []

    def add(self, name: str, booking: str, kind: str, currency: str, cells: Sequence[Any], total: Any = None) -> int:
        """Add a row and return its number, which formulas use."""
        filled = list(cells) + [None] * (len(self.columns) - len(cells))
        self.rows.append([name, booking, kind, currency, *filled, total])
        return len(self.rows) + 1

    def sum_of(self, row: int, result: float) -> Formula:
        """Return the sum of a row's quarters."""
        return Formula(f"=SUM({self.columns[0]}{row}:{self.columns[-1]}{row})", result)

    def next_row(self) -> int:
        """Return the number the next row will have."""
        return len(self.rows) + 2


def cash_columns(accounts: Accounts) -> dict[str, str]:
    """Return the headings of the cash sheet with their number formats."""
    text = dict.fromkeys(("Line", "Booked as", "Kind", "Currency"), "")
    return {**text, **dict.fromkeys(accounts.quarters, "#,##0.00####"), "Total": "#,##0.00"}


def cash_rows(accounts: Accounts) -> list[list[Any]]:
    """Return the rows of the cash sheet: lines, nets by currency, rates, and what follows.

    Amounts, exchange rates, the discount rate and inflation are numbers a reader may change; all else is a formula.
    """
    sheet = _Sheet(accounts)
    for line in accounts.lines:
        row = sheet.next_row()
        sheet.add(line.name, line.booking, line.kind, line.currency, line.amounts, sheet.sum_of(row, sum(line.amounts)))
    last = max(2, len(accounts.lines) + 1)
    sheet.add("", "", "", "", [])
    nets, rates = _currencies(sheet, last)
    net = _net(sheet, nets, rates)
    _bookings(sheet, last, rates)
    _results(sheet, net)
    return sheet.rows


def _currencies(sheet: _Sheet, last: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Add net cash and rate of each currency; return the first and last row of both blocks."""
    accounts = sheet.accounts
    by_currency = accounts.by_currency()
    codes = sorted(accounts.rates)
    first = sheet.next_row()
    for code in codes:
        row = sheet.next_row()
        amounts = by_currency.get(code, [0.0] * len(accounts.quarters))
        cells = [
            Formula(f"=SUMIF($D$2:$D${last},$D{row},{column}$2:{column}${last})", amount)
            for column, amount in zip(sheet.columns, amounts, strict=True)
        ]
        sheet.add(f"net in {code}", "", "net", code, cells, sheet.sum_of(row, sum(amounts)))
    nets = first, sheet.next_row() - 1
    first = sheet.next_row()
    for code in codes:
        sheet.add(f"{accounts.currency} per {code}", "", "rate", code, accounts.rates[code])
    return nets, (first, sheet.next_row() - 1)


def _net(sheet: _Sheet, nets: tuple[int, int], rates: tuple[int, int]) -> int:
    accounts = sheet.accounts
    row = sheet.next_row()
    cells = [
        Formula(f"=SUMPRODUCT({c}{nets[0]}:{c}{nets[1]},{c}{rates[0]}:{c}{rates[1]})", amount)
        for c, amount in zip(sheet.columns, accounts.net, strict=True)
    ]
    total = sheet.sum_of(row, sum(accounts.net))
    return sheet.add(f"net, all in {accounts.currency}", "", "net", accounts.currency, cells, total)


def _bookings(sheet: _Sheet, last: int, rates: tuple[int, int]) -> None:
    """Add the cash of each booking, all in the plan's currency."""
    accounts = sheet.accounts
    for booking in dict.fromkeys(line.booking for line in accounts.lines):
        row = sheet.next_row()
        sums = [
            sum(accounts.converted(line)[t] for line in accounts.lines if line.booking == booking)
            for t in range(len(accounts.quarters))
        ]
        cells = [
            Formula(
                f'=SUMPRODUCT(($B$2:$B${last}="{booking}")*{c}$2:{c}${last}'
                f"*SUMIF($D${rates[0]}:$D${rates[1]},$D$2:$D${last},{c}${rates[0]}:{c}${rates[1]}))",
                amount,
            )
            for c, amount in zip(sheet.columns, sums, strict=True)
        ]
        name = f"{booking}, all in {accounts.currency}"
        sheet.add(name, "", "by booking", accounts.currency, cells, sheet.sum_of(row, sum(sums)))


def _results(sheet: _Sheet, net: int) -> None:
    """Add discounting, present value, rate of return, cumulative and real cash."""
    accounts, first, last = sheet.accounts, sheet.columns[0], sheet.columns[-1]
    code = accounts.currency
    when = [(t + 0.5) / 4 for t in range(len(accounts.quarters))]
    factors = [(1 + accounts.discount) ** -years for years in when]
    years = sheet.add("years to the middle of the quarter", "", "input", "", when)
    rate = sheet.add("discount rate a year", "", "input", "", [accounts.discount])
    inflation = sheet.add("inflation a year", "", "input", "", [accounts.inflation])
    discounting = [
        Formula(f"=(1+${first}${rate})^(-{c}{years})", factor) for c, factor in zip(sheet.columns, factors, strict=True)
    ]
    factor = sheet.add("discount factor", "", "result", "", discounting)
    row = sheet.next_row()
    present = [
        Formula(f"={c}{net}*{c}{factor}", amount * at)
        for c, amount, at in zip(sheet.columns, accounts.net, factors, strict=True)
    ]
    sheet.add("present value", "", "result", code, present, sheet.sum_of(row, accounts.value))
    row, total, running = sheet.next_row(), 0.0, []
    for t, (c, amount) in enumerate(zip(sheet.columns, accounts.net, strict=True)):
        total += amount
        before = f"{sheet.columns[t - 1]}{row}+" if t else ""
        running.append(Formula(f"={before}{c}{net}", total))
    sheet.add("cumulative", "", "result", code, running)
    real = [
        Formula(f"={c}{net}*(1+${first}${inflation})^(-{c}{years})", amount)
        for c, amount in zip(sheet.columns, accounts.net_real, strict=True)
    ]
    row = sheet.next_row()
    sheet.add("net, in money of the first day", "", "result", code, real, sheet.sum_of(row, sum(accounts.net_real)))
    if accounts.depreciation:
        row = sheet.next_row()
        written_off = sheet.sum_of(row, sum(accounts.depreciation))
        sheet.add("depreciation, straight line (no cash)", "", "books", code, accounts.depreciation, written_off)
    if accounts.rate_of_return is not None:
        guess = (1 + accounts.rate_of_return) ** 0.25 - 1
        text = f"=(1+IRR({first}{net}:{last}{net},{guess:.6f}))^4-1"
        sheet.add("internal rate of return a year", "", "result", "", [Formula(text, accounts.rate_of_return)])


def unit_cost_rows(accounts: Accounts) -> list[list[Any]]:
    """Return the rows of the sheet of unit costs."""
    return [[unit.name, unit.unit, unit.cost, unit.price, accounts.currency] for unit in accounts.unit_costs]


def tornado_rows(accounts: Accounts) -> list[list[Any]]:
    """Return the rows of the sheet of what moves the value; the width is a formula."""
    return [
        [s.name, s.low_reading, s.high_reading, s.at_low, s.at_high, Formula(f"=ABS(E{row}-D{row})", s.width)]
        for row, s in enumerate(accounts.tornado, start=2)
    ]


def loan_columns(accounts: Accounts) -> dict[str, str]:
    """Return the headings of the loan sheet with their number formats."""
    return {"Loan": "", "What": "", "Currency": "", "Rate a year": "0.00%", **dict.fromkeys(accounts.quarters, MONEY)}


def loan_rows(accounts: Accounts) -> list[list[Any]]:
    """Return the rows of the loan sheet: draws and repayments as numbers, interest and balance as formulas."""
    rows: list[list[Any]] = []
    for loan in accounts.loans:
        rows += _loan(loan, len(rows) + 2)
    return rows


def _loan(loan: LoanUse, top: int) -> list[list[Any]]:
    columns = [letter(FIRST + t) for t in range(len(loan.draws))]
    before = ["0" if t == 0 else f"{columns[t - 1]}{top + 3}" for t in range(len(columns))]
    interest = [
        Formula(f"=({owed}+{c}{top})*$D{top}/4", amount)
        for c, owed, amount in zip(columns, before, loan.interest, strict=True)
    ]
    balance = [
        Formula(f"={owed}+{c}{top}-{c}{top + 2}", amount)
        for c, owed, amount in zip(columns, before, loan.balance, strict=True)
    ]
    series: list[tuple[str, Sequence[Any]]] = [
        ("draws", loan.draws), ("interest", interest), ("repayments", loan.principal), ("balance", balance),
        ("fees", loan.fees),
    ]  # fmt: skip
    return [[loan.name, what, loan.currency, loan.rate if what == "draws" else None, *cells] for what, cells in series]
