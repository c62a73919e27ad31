"""A plan over futures as text for a terminal and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from outlay.report.document import finite
from outlay.units import human

if TYPE_CHECKING:
    from rich.console import Console

    from outlay.planning.futures.result import HedgedPlan

MOST_ORDERS = 14
MOST_FUTURES = 6


def to_json(record: Any) -> str:
    """Return any result of planning over futures as JSON; numbers that are not finite become null."""
    plain = asdict(record) if is_dataclass(record) and not isinstance(record, type) else record
    return json.dumps(finite(plain), indent=2, ensure_ascii=False)


def print_hedged(plan: HedgedPlan, console: Console) -> None:
    """Print a plan over futures: what to order now, what later and when, what it comes to, what knowing is worth."""
    from rich.table import Table

    money = plan.currency
    console.print(f"[bold]{plan.title}[/bold], planned on {plan.knowledge_date} over {len(plan.futures)} futures")
    console.print(
        f"expected {human(plan.expected)} {money}, worst tenth {human(plan.cvar)}, worst {human(plan.worst)}; "
        f"proven within {plan.gap:.2%} by {plan.method} ({plan.rounds} rounds, {plan.cpu_s:.0f} s)"
        if plan.rounds
        else f"expected {human(plan.expected)} {money}, worst tenth {human(plan.cvar)}, worst {human(plan.worst)}; "
        f"proven within {plan.gap:.2%} by the {plan.method} ({plan.cpu_s:.0f} s)"
    )
    table = Table(title="Orders", title_justify="left", show_edge=False)
    for name, side in (("when", "left"), ("what", "left"), ("where", "left"), ("chips", "right"), ("cost", "right")):
        table.add_column(name, justify="right" if side == "right" else "left")
    table.add_column("if")
    for order in plan.orders[:MOST_ORDERS]:
        known = (
            "now, whatever comes"
            if order.now
            else ", ".join(order.known) or f"nothing has happened ({order.probability:.0%})"
        )
        table.add_row(
            order.quarter,
            f"{order.mode} {order.system}",
            order.site,
            f"{order.chips:,}",
            f"{human(order.cost)} {order.currency}",
            known,
        )
    console.print(table)
    if len(plan.orders) > MOST_ORDERS:
        console.print(f"and {len(plan.orders) - MOST_ORDERS} more, later and by course of events (--json lists all)")
    for line in [*answers(plan), *lines(plan)]:
        console.print(line)
    failed = [check for check in plan.audit.checks if not check.ok]
    words = f"{len(failed)} FAILED" if failed else "all hold"
    console.print(f"audit: {len(plan.audit.checks)} checks, one a future and more, {words}")


VERBS = {"reserve": "reserve", "call": "call reserved", "cancel": "cancel", "resell": "resell", "move": "move"}


def answers(plan: HedgedPlan) -> Iterator[str]:
    """Yield what is done in answer to what happens, and what is drawn from loans, a line each."""
    for one in plan.answers[:MOST_ORDERS]:
        cash = f"{human(abs(one.amount))} {one.currency} {'back' if one.amount < 0 else 'paid'}"
        about = f" of {one.of}" if one.of and one.kind != "reserve" else ""
        place = f"{one.site} to {one.to}" if one.to else f"at {one.site}"
        known = ", ".join(one.known) or f"nothing has happened ({one.probability:.0%})"
        yield f"{one.quarter}: {VERBS[one.kind]} {one.chips:,} {one.chip} {place}{about}, {cash}; if {known}"
    if len(plan.answers) > MOST_ORDERS:
        yield f"and {len(plan.answers) - MOST_ORDERS} more answers (--json lists all)"
    drawn: dict[str, list[float]] = {}
    for draw in plan.draws:
        drawn.setdefault(f"{draw.loan}, {draw.currency}", []).append(draw.amount * draw.probability)
    for name, amounts in drawn.items():
        yield f"drawn from {name}: {human(sum(amounts))} expected"


def lines(plan: HedgedPlan) -> Iterator[str]:
    """Yield what follows the orders, a line each."""
    money = plan.currency
    if plan.stochastic_value is not None and plan.perfect_value is not None:
        yield (
            f"planning for the mean future instead loses {human(plan.stochastic_value)} {money}; "
            f"knowing everything from the start would gain {human(plan.perfect_value)}"
        )
    for known in plan.knowing:
        yield f"  {known.words}"
    if len(plan.front) > 1:
        points = "; ".join(f"{human(p.expected)} and {human(p.cvar)} at {p.weight:.0%}" for p in plan.front)
        yield f"expected value against the worst {1 - plan.risk_level:.0%}, by weight on the latter: {points}"
    if plan.choices:
        by_kind: dict[str, list[str]] = {"must-buy": [], "choice": [], "never": []}
        for choice in plan.choices:
            by_kind[choice.kind].append(
                f"{choice.system} {choice.least:,.0f} to {choice.most:,.0f} (plan {choice.planned:,})"
            )
        for kind, systems in by_kind.items():
            if systems and kind != "never":
                yield f"{kind} now, units in near-optimal plans: {'; '.join(systems)}"
            elif systems:
                yield f"never now: {', '.join(text.rsplit(' 0 to', 1)[0] for text in systems)}"
    if plan.simple:
        yield "regret against simple plans, mean and worst:"
        for simple in plan.simple:
            yield (
                f"  {simple.name}: {human(simple.mean_regret)}, {human(simple.worst_regret)} {money} "
                f"(expected {human(simple.expected)}, worst {human(simple.worst)})"
            )
    ranked = sorted(plan.futures, key=lambda future: future.value)[:MOST_FUTURES]
    yield "worst futures:"
    for future in ranked:
        happened = ", ".join(future.happenings) or "nothing happens"
        worth = f"{human(future.value)} {money}; {future.served:.0%} served"
        yield f"  {future.name} ({future.probability:.1%}): {worth}; {happened}"
        for lack in future.lacks:
            yield f"    lacks {lack}"
    yield from (f"note: {note}" for note in plan.notes)
