"""The plan in the terminal: what a person can read in a minute."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from outlay.report import accounts, facts

if TYPE_CHECKING:
    from rich.console import Console

    from outlay.planning.result import EvidenceItem, Plan

ROWS = 14
"""Most rows of one table; the page and the workbook hold them all."""
EXAMPLES = 6
"""Most assumptions named."""
QUARTER_WIDTH, BESIDE_PURCHASES, BESIDE_SERVICES = 6, 52, 48
"""Columns of text that a quarter takes, and that stand beside the quarters; where they do not fit, years are shown."""
BLOCKS = " ▁▂▃▄▅▆▇█"
VERDICTS = {"met": "green", "missed": "bold red", "nothing bought": "yellow"}


def print_summary(plan: Plan, console: Console) -> None:
    """Print the plan: headline, purchases, money, shares, workloads, limits, closed ways, doubts, how it was found."""
    console.print()
    console.print(Text(plan.title, style="bold"), Text(f"as known on {plan.knowledge_date}", style="dim"), sep="  ·  ")
    console.print()
    console.print(Text(facts.headline(plan)))
    for heading, parts in (
        ("Bought and leased, in chips by quarter of the order", _purchases(plan, console.width)),
        ("Money", _money(plan)),
        ("Shares", _sourcing(plan)),
        ("Training", _training(plan)),
        ("Services, and how much of the demand is served", _services(plan, console.width)),
        ("Limits that bind, and what more is worth", _limits(plan)),
        ("Ways the rules close", _blocked(plan)),
        ("How sure", _evidence(plan)),
        ("Mind", [_bullet(note) for note in plan.notes]),
        ("Dates that hang over it", _deadlines(plan)),
    ):
        shown = list(parts)
        if shown:
            console.print()
            console.print(Text(heading, style="bold cyan"))
            for part in shown:
                console.print(part)
    console.print()
    for line in _footer(plan):
        console.print(line)


def _table(*columns: str, right: Iterable[str] = (), fixed: Iterable[str] = (), gap: int = 1) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", padding=(0, gap, 0, 0))
    for name in columns:
        numeric = name in right
        table.add_column(
            name, justify="right" if numeric else "left", no_wrap=numeric or name in fixed, overflow="fold"
        )
    return table


def _bullet(words: str | Text, mark: str = "-", style: str = "") -> Table:
    line = Table.grid(padding=(0, 1))
    line.add_column(no_wrap=True)
    line.add_column(overflow="fold")
    line.add_row(Text(mark, style=style), words if isinstance(words, Text) else Text(words))
    return line


def _purchases(plan: Plan, width: int) -> Iterable[Table | Text]:
    rows = facts.orders(plan)
    if not rows:
        return
    periods = _periods(sorted({quarter for row in rows for quarter in row.chips}), width - BESIDE_PURCHASES)
    right = [*periods, "all", "cost"]
    table = _table("", "vendor", "chip", "site", *periods, "all", "cost", right=right, fixed=["", "vendor"], gap=0)
    for row in rows[:ROWS]:
        sums = [sum(row.chips.get(quarter, 0) for quarter in quarters) for quarters in periods.values()]
        counts = [_short(count) if count else "·" for count in sums]
        cells = [row.mode, row.vendor, row.chip, f"{row.site} {row.country}", *counts, _short(sum(sums))]
        table.add_row(*(Text(cell) for cell in cells), facts.money(row.cost, row.currency))
    yield table
    yield from _rest(len(rows))


def _periods(quarters: Sequence[str], room: int) -> dict[str, list[str]]:
    """Return the columns of a table over time, and the quarters each holds."""
    fits = len(quarters) * QUARTER_WIDTH <= room
    periods: dict[str, list[str]] = {}
    for quarter in quarters:
        name = quarter[2:] if fits else quarter[:4]
        periods.setdefault(name, []).append(quarter)
    return periods


def _rest(count: int) -> Iterable[Text]:
    if count > ROWS:
        yield Text(f"and {count - ROWS} more (--html or --xlsx shows them all)", style="dim")


def _short(count: float) -> str:
    """Return ``117k`` for counts that need no more."""
    for limit, size, word in ((1e6, 1e6, "m"), (1e3, 1e3, "k")):
        if count >= limit:
            return f"{count / size:.{0 if count >= 10 * limit else 1}f}{word}"
    return f"{count:.0f}"


def _money(plan: Plan) -> Iterable[Table | Text]:
    if not plan.budgets:
        return
    table = _table("budget", "spent", "of", "", "", "on", "said", right=["spent", "of"], fixed=[""])
    for budget in plan.budgets:
        share = facts.budget_share(budget)
        kinds = ", ".join(f"{kind} {facts.shown(amount)}" for kind, amount in budget.by_kind.items() if amount)
        table.add_row(
            Text(budget.name),
            facts.shown(budget.spent),
            facts.money(budget.limit + budget.drawn, budget.currency),
            _bar(share or 0.0),
            facts.percent(share),
            Text(kinds),
            Text(facts.said(plan, f"budget {budget.name}: amount")),
        )
    yield table
    parts = ", ".join(f"{part} {facts.shown(amount)}" for part, amount in plan.money.items())
    if parts:
        yield Text(f"{plan.objective_name} of {facts.objective(plan, plan.objective)} from: {parts}", style="dim")
    for sentence in accounts.words(plan.accounts):
        yield Text(sentence, style="dim")


def _bar(share: float, width: int = 12) -> Text:
    filled = min(width, round(share * width))
    return Text("█" * filled, style="cyan") + Text("░" * (width - filled), style="dim")


def _sourcing(plan: Plan) -> Iterable[Table]:
    if not plan.sourcing:
        return
    table = _table("share", "of", "asked", "reached", "", "said", right=["asked", "reached"])
    for use in plan.sourcing:
        verdict = facts.sourcing_verdict(use)
        sign = "at least " if use.kind == "floor" else ""
        table.add_row(
            Text(use.name),
            Text(facts.BASES.get(use.base, use.base)),
            f"{sign}{facts.percent(use.required)}",
            facts.percent(use.achieved, 1),
            Text(verdict, style=VERDICTS[verdict]),
            Text(facts.said(plan, f"sourcing {use.name}: share")),
        )
    yield table


def _training(plan: Plan) -> Iterable[Table]:
    if not plan.training:
        return
    table = _table("run", "where", "quarters", "days (band)", "MFU", right=["MFU"], fixed=["quarters", "days (band)"])
    for run in plan.training:
        name = Text(f"{run.name} ({run.model})")
        if not run.runs:
            table.add_row(name, Text(f"does not run: {run.why_not}", style="yellow"))
        for at, stage in enumerate(run.stages):
            where = Text(f"{stage.chips:,} {facts.chip_of(plan, stage.system)}, {stage.site}")
            figures = [facts.days(run), facts.percent(run.mfu, 1)] if at == 0 else []
            table.add_row(name if at == 0 else "", where, f"{stage.first[2:]}–{stage.last[2:]}", *figures)
    yield table


def _services(plan: Plan, width: int) -> Iterable[Table]:
    if not plan.services:
        return
    periods = _periods(plan.quarters, width - BESIDE_SERVICES)
    right = [*periods, "all"]
    table = _table(
        "service", "demand, tokens a day", "", *periods, "all", right=right, fixed=["", "demand, tokens a day"], gap=0
    )
    for service in plan.services:
        demand = [service.demand.get(quarter, 0.0) for quarter in plan.quarters]
        shares = [facts.served_share(service, quarters) for quarters in (*periods.values(), plan.quarters)]
        table.add_row(
            Text(service.name),
            f"{facts.tokens_a_day(demand[0])} to {facts.tokens_a_day(demand[-1])}",
            Text(sparkline(demand, max(demand)), style="cyan"),
            *(Text(facts.percent(share), style="" if share is None or share > 0.995 else "yellow") for share in shares),
        )
    yield table


def sparkline(values: Iterable[float], top: float) -> str:
    """Return one block a value, its height the value over ``top``.

    Examples
    --------
    >>> sparkline([0.0, 1.0, 4.0, 8.0], 8.0)
    ' ▁▄█'
    """
    steps = len(BLOCKS) - 1
    return "".join(BLOCKS[round(max(0.0, min(1.0, value / top)) * steps)] if top else BLOCKS[0] for value in values)


def _limits(plan: Plan) -> Iterable[Table | Text]:
    for limit in plan.limits[:ROWS]:
        told = f" [{limit.source}]" if limit.source else ""
        yield _bullet(Text.assemble((f"{limit.family}: ", "bold"), limit.words, (told, "dim")))
    yield from _rest(len(plan.limits))


def _blocked(plan: Plan) -> Iterable[Table | Text]:
    ways = facts.closed_ways(plan)
    for way in ways[:ROWS]:
        what = f"{way.mode} {facts.listing(way.chips)} in {facts.listing(way.countries)}, {way.quarters}: {way.code}. "
        yield _bullet(Text.assemble((what, "bold"), way.words), "x", "red")
    yield from _rest(len(ways))


def _evidence(plan: Plan) -> Iterable[Table | Text]:
    counts = facts.statuses(plan)
    if not counts:
        return
    yield Text(f"{len(plan.evidence)} figures: " + ", ".join(f"{count} {status}" for status, count in counts.items()))
    denied: dict[str, list[str]] = {}
    for item in plan.evidence:
        if item.status == "denied" or item.denied_by:
            denied.setdefault(item.denied_by or "its subject", []).append(f"{_figure(item)} [{item.source}]")
    for who, what in denied.items():
        yield _bullet(Text.assemble((f"denied by {who}: ", "bold red"), "; ".join(what)), "!", "red")
    assumed = [_figure(item) for item in plan.evidence if item.status == "assumed"]
    if assumed:
        more = f"; and {len(assumed) - EXAMPLES} more" if len(assumed) > EXAMPLES else ""
        yield _bullet(Text.assemble(("assumed: ", "bold yellow"), "; ".join(assumed[:EXAMPLES]) + more), "?", "yellow")


def _figure(item: EvidenceItem) -> str:
    return f"{item.what}, {textwrap.shorten(item.value, 40, placeholder=' …')}" if item.value else item.what


def _deadlines(plan: Plan) -> Iterable[Table]:
    for deadline in plan.deadlines:
        note = deadline.get("note", "")
        yield _bullet(f"{deadline['date']}  {deadline['name']}" + (f": {note}" if note else ""))


def _footer(plan: Plan) -> Iterable[Padding | Text]:
    yield Text(
        f"{plan.status}: {plan.objective_name} {facts.objective(plan, plan.objective)}, within "
        f"{facts.percent(plan.gap, 2)} of the best possible; built in {plan.build_s:.1f} s, "
        f"solved in {plan.solve_s:.1f} s by {plan.solver}"
    )
    broken = [check for check in plan.audit.checks if not check.ok]
    if plan.audit.ok and not broken:
        yield Text(f"audit: all {len(plan.audit.checks)} checks hold, made again without the solver", style="green")
        return
    yield Text(f"audit: {len(broken)} of {len(plan.audit.checks)} checks FAIL", style="bold red")
    for check in broken:
        yield Padding(_bullet(f"{check.name}: {check.detail}", "x", "red"), (0, 2))
