"""Tables of the view of futures: what to do now and what to wait for, later orders, what knowing is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from outlay.report import facts
from outlay.report.tables import Cell, Page, link, number

if TYPE_CHECKING:
    from outlay.planning.futures.result import HedgedOrder, HedgedPlan
    from outlay.planning.futures.stress import Stress
    from outlay.scenario.schema import Event, Scenario

Say = Callable[..., str]
MARKS = {"now": "good", "now_free": "good", "wait": "warn", "never": ""}


def now_or_wait(plan: HedgedPlan, say: Say) -> Page:
    """Return a row for each system: what to order now, how far that may vary, and what later orders of it hang on."""
    ranges = {choice.system: choice for choice in plan.choices}
    now: dict[str, list[HedgedOrder]] = defaultdict(list)
    later: dict[str, list[HedgedOrder]] = defaultdict(list)
    for order in plan.orders:
        (now if order.now else later)[order.system].append(order)
    rows = []
    for system in dict.fromkeys([*now, *later, *ranges]):
        choice, first = ranges.get(system), now.get(system, [])
        units = sum(order.units for order in first)
        deed = _deed(units, choice.kind if choice else "", bool(later.get(system)))
        spread = (
            "" if choice is None else say("futures.range", least=f"{choice.least:,.0f}", most=f"{choice.most:,.0f}")
        )
        cost = ", ".join(facts.money(amount, currency) for currency, amount in _sums(first).items())
        rows.append(
            [
                Cell(say(f"futures.deed.{deed}"), list(MARKS).index(deed), mark=MARKS[deed]),
                Cell(system),
                number(units, f"{units:,}") if units else Cell("", 0.0),
                Cell(spread or facts.MISSING),
                Cell(", ".join(sorted({f"{order.mode} · {order.site}" for order in first}))),
                Cell(cost),
                Cell(_hangs_on(later.get(system, []), say)),
            ]
        )
    names = ("deed_word", "system", "units_now", "near_optimal", "where", "cost", "later_if")
    return Page(
        "futures-now",
        say("futures.now.title"),
        [say(f"futures.{name}") for name in names],
        sorted(rows, key=lambda row: float(row[0].sort)),
    )


def _deed(units: int, kind: str, later: bool) -> str:
    if units:
        return "now" if kind in {"must-buy", ""} else "now_free"
    return "wait" if later or kind in {"must-buy", "choice"} else "never"


def _sums(orders: Iterable[HedgedOrder]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for order in orders:
        found[order.currency] += order.cost
    return dict(found)


def _hangs_on(orders: Iterable[HedgedOrder], say: Say, most: int = 2) -> str:
    """Return the likeliest later orders of a system in words: chips, quarter and what must have happened."""
    ranked = sorted(orders, key=lambda order: -order.probability)
    words = [
        say(
            "futures.later_words",
            quarter=order.quarter,
            units=f"{order.units:,}",
            condition="; ".join(order.known) or say("futures.nothing_yet"),
            probability=facts.percent(order.probability),
        )
        for order in ranked[:most]
    ]
    left = len(ranked) - most
    return " · ".join([*words, *([say("futures.more", count=left)] if left > 0 else [])])


def orders(plan: HedgedPlan, say: Say) -> Page:
    """Return every order with the quarter it is placed in and what must have happened by then."""
    rows = [
        [
            Cell(order.quarter),
            Cell(say("futures.whatever_comes") if order.now else "; ".join(order.known) or say("futures.nothing_yet")),
            number(order.probability, facts.percent(order.probability, 1)),
            Cell(order.mode),
            Cell(order.system),
            Cell(order.site),
            number(order.units, f"{order.units:,}"),
            number(order.chips, f"{order.chips:,}"),
            number(order.cost, facts.money(order.cost, order.currency)),
            Cell(", ".join(order.rules)),
        ]
        for order in plan.orders
    ]
    names = ("quarter", "condition", "probability", "mode", "system", "site", "units", "chips", "cost", "rules")
    return Page("futures-orders", say("futures.orders.title"), [say(f"futures.{name}") for name in names], rows)


def knowing(plan: HedgedPlan, say: Say) -> Page:
    """Return what knowing each event earlier is worth."""
    rows = [
        [
            Cell(known.words.removeprefix("knowing a quarter earlier whether and when ").split(" is worth ")[0]),
            number(known.a_quarter_earlier, facts.money(known.a_quarter_earlier, plan.currency)),
            number(known.at_once, facts.money(known.at_once, plan.currency)),
        ]
        for known in plan.knowing
    ]
    names = ("event", "a_quarter_earlier", "at_once")
    return Page("futures-knowing", say("futures.knowing.title"), [say(f"futures.{name}") for name in names], rows)


def mends(found: Stress, say: Say) -> Page:
    """Return which further unit would have earned most in the futures that break the plan."""
    rows = [
        [
            Cell(mend.system),
            number(mend.gain, facts.money(mend.gain, found.currency)),
            number(mend.price, facts.money(mend.price, found.currency)),
            number(mend.gain / mend.price, f"{mend.gain / mend.price:,.2f}"),
        ]
        for mend in found.mends
    ]
    names = ("one_more", "would_earn", "price", "earned_per_price")
    return Page("stress-mends", say("futures.mends.title"), [say(f"futures.{name}") for name in names], rows)


def events(scenario: Scenario, say: Say) -> Page:
    """Return the events of a scenario with their odds, and who says so."""
    found = scenario.futures.events if scenario.futures else []
    rows = [_event(event, say) for event in found]
    names = ("event", "how_likely", "when", "status", "source")
    return Page("futures-events", say("futures.what_may.title"), [say(f"futures.{name}") for name in names], rows)


def _event(event: Event, say: Say) -> list[Cell]:
    if event.happens is not None:
        odds = number(event.happens, facts.percent(event.happens))
        when = ", ".join(f"{quarter} {share:.0%}" for quarter, share in sorted((event.when or {}).items()))
    else:
        odds = Cell(say("futures.by_rate"))
        when = say("futures.seen", count=len(event.history), since=event.since)
    items = list(event.evidence.values())
    status = ", ".join(dict.fromkeys(str(item.status) for item in items))
    title = "; ".join(dict.fromkeys(item.by or item.reason for item in items if item.by or item.reason))
    address = next((link(item.address) for item in items if getattr(item, "address", "")), "")
    doubtful = any(str(item.status) in facts.DOUBTFUL for item in items)
    return [
        Cell(event.title or event.name),
        odds,
        Cell(when),
        Cell(status, mark="warn" if doubtful else "good"),
        Cell(title, href=address),
    ]
