"""The money of a plan as `outlay cost PLAN` shows it: cash by quarter and currency, value, loans, unit costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.console import console as open_console
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.finance.cashflow import Accounts


def cost_of_plan(name: str, *, as_json: bool) -> int:
    """Show the accounts of a plan: of a scenario planned now, or of the JSON a plan was written to."""
    path = Path(name)
    told = _read(path) if path.suffix == ".json" else _plan(name)
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return 0
    show(told)
    return 0


def _plan(name: str) -> dict[str, Any]:
    import outlay
    from outlay.planning import plan
    from outlay.report.document import document

    return document(plan(outlay.load(name)))


def _read(path: Path) -> dict[str, Any]:
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise InputError(msg) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        msg = f"{path}: is not JSON: {error}"
        raise InputError(msg) from None
    if not isinstance(told, dict) or not isinstance(told.get("accounts"), dict):
        msg = f"{path}: has no accounts; expected the JSON that `outlay plan --json` writes"
        raise InputError(msg)
    return told


def show(told: dict[str, Any]) -> None:
    """Print the accounts of a plan from its document."""
    from pydantic import TypeAdapter, ValidationError
    from rich.text import Text

    from outlay.finance.cashflow import Accounts

    try:
        accounts = TypeAdapter(Accounts).validate_python(told["accounts"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"accounts.{where}: {first['msg']}; expected the JSON that `outlay plan --json` writes"
        raise InputError(msg) from None
    console = open_console()
    console.print(Text(f"{told['title']}: cash by quarter, millions of each currency", style="bold"))
    console.print(_cash_table(accounts))
    for line in _results(accounts):
        console.print(Text(line))
    for line in _budgets(told):
        console.print(Text(line))
    for table in (_unit_table(accounts), _swings(accounts), _exposures(accounts), _loans(accounts)):
        if table is not None:
            console.print(table)


def _table(title: str, columns: list[str], left: int = 1) -> Any:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, title=title, title_justify="left")
    for at, column in enumerate(columns):
        table.add_column(column, justify="left" if at < left else "right", no_wrap=at >= left)
    return table


def _cash_table(accounts: Accounts) -> Any:
    table = _table("", ["", "booked as", "currency", *accounts.quarters, "total"], left=3)
    for line in accounts.lines:
        figures = [f"{amount / 1e6:,.1f}" if amount else "-" for amount in (*line.amounts, sum(line.amounts))]
        table.add_row(line.name, line.booking, line.currency, *figures)
    for currency, net in sorted(accounts.by_currency().items()):
        figures = [f"{amount / 1e6:,.1f}" for amount in (*net, sum(net))]
        table.add_row(f"net in {currency}", "", currency, *figures, style="bold")
    figures = [f"{amount / 1e6:,.1f}" for amount in (*accounts.net, sum(accounts.net))]
    table.add_row(f"net, all in {accounts.currency}", "", accounts.currency, *figures, style="bold")
    return table


def _results(accounts: Accounts) -> list[str]:
    from outlay.finance.cashflow import BOOKINGS
    from outlay.report.accounts import words

    totals = ", ".join(f"{booking} {accounts.total(booking) / 1e6:,.1f} m" for booking in BOOKINGS)
    lines = [*words(accounts), f"In {accounts.currency} over the horizon: {totals}."]
    rates = [f"{code} {basis}" for code, basis in accounts.rates_basis.items() if code != accounts.currency and basis]
    return lines + ([f"Exchange rates: {'; '.join(rates)}."] if rates else [])


def _budgets(told: dict[str, Any]) -> list[str]:
    lines = []
    for budget in told.get("budgets", []):
        drawn = f", {budget['drawn'] / 1e6:,.1f} m of it borrowed" if budget.get("drawn") else ""
        lines.append(
            f"budget {budget['name']}: {budget['spent'] / 1e6:,.1f} of {budget['limit'] / 1e6:,.1f} m "
            f"{budget['currency']} spent{drawn}"
        )
    return lines


def _unit_table(accounts: Accounts) -> Any:
    from outlay.finance.money import small

    if not accounts.unit_costs:
        return None
    table = _table("unit costs", ["of", "per", "cost", "earns or is worth"], left=2)
    for unit in accounts.unit_costs:
        price = "-" if unit.price is None else small(unit.price, accounts.currency)
        table.add_row(unit.name, unit.unit, small(unit.cost, accounts.currency), price)
    return table


def _swings(accounts: Accounts) -> Any:
    if not accounts.tornado:
        return None
    table = _table(
        f"what moves the value most, m {accounts.currency}, all decisions held",
        ["", "low", "high", "at low", "at high"],
    )
    for swing in accounts.tornado:
        figures = (f"{swing.at_low / 1e6:,.1f}", f"{swing.at_high / 1e6:,.1f}")
        table.add_row(swing.name, swing.low_reading, swing.high_reading, *figures)
    return table


def _exposures(accounts: Accounts) -> Any:
    if not accounts.exposure:
        return None
    table = _table(
        f"exposure, m {accounts.currency}", ["currency", "worth of its net cash", "one standard deviation", "hedge"]
    )
    for one in accounts.exposure:
        figures = ["-" if value is None else f"{value / 1e6:,.1f}" for value in (one.worth, one.swing, one.hedge)]
        table.add_row(one.currency, *figures)
    return table


def _loans(accounts: Accounts) -> Any:
    if not accounts.loans:
        return None
    columns = ["loan", "drawn, m", "of, m", "rate", "all in", "interest, m", "owed after, m", "least cover"]
    table = _table("loans", columns)
    for loan in accounts.loans:
        covers = [value for value in loan.coverage if value is not None]
        table.add_row(
            f"{loan.name} ({loan.currency})",
            f"{sum(loan.draws) / 1e6:,.1f}",
            f"{loan.facility / 1e6:,.1f}",
            f"{loan.rate:.2%}",
            "-" if loan.effective_rate is None else f"{loan.effective_rate:.2%}",
            f"{sum(loan.interest) / 1e6:,.1f}",
            f"{loan.owed_after / 1e6:,.1f}",
            f"{min(covers):.2f}" if covers else "-",
        )
    return table
