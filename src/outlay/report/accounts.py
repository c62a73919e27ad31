"""The accounts of a plan on the page: cash by quarter, what moves the value most, unit costs, exposure, loans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outlay.finance.cashflow import BOOKINGS, Accounts
from outlay.finance.money import small
from outlay.report import facts
from outlay.report.charts import GREY, PALETTE, Chart, label
from outlay.report.tables import Cell, Page, number

if TYPE_CHECKING:
    from outlay.planning.result import Plan


def charts(plan: Plan) -> list[Chart]:
    """Return the figures of the accounts: cash by booking and quarter, and the tornado."""
    if plan.accounts is None:
        return []
    return [_cash(plan.accounts), *([_tornado(plan.accounts)] if plan.accounts.tornado else [])]


def _cash(accounts: Accounts) -> Chart:
    series = {
        booking: [
            sum(accounts.converted(line)[t] for line in accounts.lines if line.booking == booking)
            for t in range(len(accounts.quarters))
        ]
        for booking in BOOKINGS
        if any(line.booking == booking for line in accounts.lines)
    }
    top = max([abs(amount) for amounts in series.values() for amount in amounts], default=1.0) or 1.0
    size, word = (1e9, "bn") if top >= 1e9 else (1e6, "m")
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": label(booking),
            "x": accounts.quarters,
            "y": [amount / size for amount in amounts],
            "marker": {"color": PALETTE[at]},
        }
        for at, (booking, amounts) in enumerate(series.items())
    ]
    running, total = [], 0.0
    for amount in accounts.net:
        total += amount
        running.append(total)
    data.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "all so far",
            "x": accounts.quarters,
            "y": [amount / size for amount in running],
            "line": {"color": GREY, "dash": "dot"},
        }
    )
    unit = f"{word} {accounts.currency}"
    return Chart(
        id="cash",
        title=f"Cash by quarter, {accounts.currency}",
        alt=f"Money in above the line, money out below it; the dotted line adds up to {facts.shown(total)} at the end.",
        data=data,
        layout={
            "height": 340,
            "barmode": "relative",
            "yaxis": {"title": {"text": unit}},
            "xaxis": {"type": "category"},
            "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
        },
        columns=["", *accounts.quarters],
        rows=[
            [name, *(facts.shown(amount) for amount in amounts)]
            for name, amounts in [*series.items(), ("all so far", running)]
        ],
        values=[[name, *amounts] for name, amounts in [*series.items(), ("all so far", running)]],
    )


def _tornado(accounts: Accounts) -> Chart:
    swings = accounts.tornado[::-1]
    size, word = (1e9, "bn") if abs(accounts.value) >= 1e9 else (1e6, "m")
    names = [label(swing.name) for swing in swings]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": side,
            "y": names,
            "x": [((getattr(swing, f"at_{side}") - accounts.value) / size) for swing in swings],
            "base": accounts.value / size,
            "text": [getattr(swing, f"{side}_reading") for swing in swings],
            "marker": {"color": PALETTE[at]},
        }
        for at, side in enumerate(("low", "high"))
    ]
    widest = accounts.tornado[0]
    return Chart(
        id="tornado",
        title="What moves the value most",
        alt=(
            f"Net present value at a low and a high reading of each input, all decisions held. {widest.name} moves it "
            f"most: {facts.shown(widest.at_low)} at {widest.low_reading}, {facts.shown(widest.at_high)} at "
            f"{widest.high_reading}."
        ),
        data=data,
        layout={
            "height": 90 + 34 * len(swings),
            "barmode": "overlay",
            "xaxis": {"title": {"text": f"{word} {accounts.currency}"}},
            "yaxis": {"automargin": True},
            "margin": {"l": 150, "r": 8, "t": 8, "b": 44},
        },
        columns=["input", "low", "high", "value at low", "value at high"],
        rows=[
            [s.name, s.low_reading, s.high_reading, facts.shown(s.at_low), facts.shown(s.at_high)]
            for s in accounts.tornado
        ],
        values=[[s.name, s.low_reading, s.high_reading, s.at_low, s.at_high] for s in accounts.tornado],
    )


def tables(plan: Plan) -> list[Page]:
    """Return the tables of the accounts."""
    if plan.accounts is None:
        return []
    accounts = plan.accounts
    pages = [_lines(accounts), _units(accounts)]
    pages += [_exposure(accounts)] if accounts.exposure else []
    return pages + ([_loans(accounts)] if accounts.loans else [])


def _lines(accounts: Accounts) -> Page:
    rows = [
        [
            Cell(line.name),
            Cell(line.booking),
            Cell(line.currency),
            *(number(amount, facts.shown(amount) if amount else "") for amount in line.amounts),
            number(sum(line.amounts)),
        ]
        for line in accounts.lines
    ]
    rows.append(
        [
            Cell(f"net, all in {accounts.currency}"),
            Cell(""),
            Cell(accounts.currency),
            *map(number, accounts.net),
            number(sum(accounts.net)),
        ]
    )
    columns = ["cash", "booked as", "currency", *accounts.quarters, "total"]
    return Page("cash-table", "Cash by quarter, each line in its own currency", columns, rows)


def _units(accounts: Accounts) -> Page:
    rows = [
        [
            Cell(unit.name),
            Cell(unit.unit),
            number(unit.cost, small(unit.cost, accounts.currency)),
            number(unit.price, None if unit.price is None else small(unit.price, accounts.currency)),
        ]
        for unit in accounts.unit_costs
    ]
    return Page("units-table", "Unit costs", ["of", "per", "cost", "earns or is worth"], rows)


def _exposure(accounts: Accounts) -> Page:
    rows = [[Cell(one.currency), number(one.worth), number(one.swing), number(one.hedge)] for one in accounts.exposure]
    columns = ["currency", "worth of its net cash", "one standard deviation", "hedge"]
    return Page("exposure-table", f"Exposure to currencies, {accounts.currency}", columns, rows)


def _loans(accounts: Accounts) -> Page:
    rows = []
    for loan in accounts.loans:
        covers = [value for value in loan.coverage if value is not None]
        rows.append(
            [
                Cell(loan.name),
                number(sum(loan.draws), facts.money(sum(loan.draws), loan.currency)),
                number(loan.facility, facts.money(loan.facility, loan.currency)),
                number(loan.rate, facts.percent(loan.rate, 2)),
                number(loan.effective_rate, facts.percent(loan.effective_rate, 2)),
                number(sum(loan.interest)),
                number(loan.owed_after),
                number(min(covers) if covers else None),
                Cell(", ".join(loan.breaches) or "holds", mark="bad" if loan.breaches else "good"),
            ]
        )
    columns = ["loan", "drawn", "of", "rate", "all in", "interest", "owed after", "least cover", "covenant"]
    return Page("loans-table", "Loans", columns, rows)


def words(accounts: Accounts | None) -> list[str]:
    """Return the value of a plan in sentences."""
    if accounts is None:
        return []
    back = "is not back within the horizon"
    if accounts.payback_quarters is not None:
        back = f"is back after {accounts.payback_quarters:.1f} quarters"
    rate = "has no single internal rate of return"
    if accounts.rate_of_return is not None:
        rate = f"returns {facts.percent(accounts.rate_of_return, 1)} a year"
    return [
        f"Net present value {facts.money(accounts.value, accounts.currency)} at {accounts.discount:.2%} a year "
        f"(real: at {accounts.real_discount:.2%}, inflation {accounts.inflation:.2%}); the cash {rate}, and {back}.",
        *accounts.notes,
    ]
