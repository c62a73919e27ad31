"""The plan as one page that needs no network: figures, tables and sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.report import accounts, charts, facts, front, tables
from outlay.report.files import write_atomically
from outlay.report.flow import money_flow
from outlay.report.page import rendered

if TYPE_CHECKING:
    from outlay.planning.result import Plan


@dataclass(frozen=True)
class Card:
    """A headline figure."""

    value: str
    name: str
    remark: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Bullet:
    """A bar with a mark: how far something is, and how far it should be, as parts of the bar."""

    name: str
    reached: float
    wanted: float
    words: str
    mark: str = ""


def write_html(plan: Plan, path: str | Path) -> None:
    """Write the plan as one self-contained page.

    Raises
    ------
    InputError
        If the file cannot be written; whatever was there before stays.
    """
    page = to_html(plan)
    write_atomically(path, lambda draft: draft.write_text(page, encoding="utf-8"))


def to_html(plan: Plan) -> str:
    """Return the page."""
    return rendered("plan.html", _context(plan))


def _context(plan: Plan) -> dict[str, Any]:
    money = [charts.orders(plan), charts.spending(plan)]
    one = {"flow": money_flow(plan), "chips": charts.chips(plan), "gantt": charts.training(plan)}
    trade = front.chart(plan)
    power, services, cash = charts.power(plan), charts.services(plan), accounts.charts(plan)
    return {
        "plan": plan,
        "headline": facts.headline(plan),
        "cards": cards(plan),
        "shares": shares(plan),
        "statuses": facts.statuses(plan),
        "charts": one,
        "money_charts": money,
        "power_charts": power,
        "service_charts": services,
        "cash_charts": cash,
        "front_chart": trade,
        "cash_tables": accounts.tables(plan),
        "cash_words": accounts.words(plan.accounts),
        "figures": charts.all_of([*one.values(), *money, *cash, *power, *services, trade]),
        "tables": {
            page.id.removesuffix("-table"): page
            for page in (
                tables.purchases(plan),
                tables.budgets(plan),
                tables.training(plan),
                tables.rates(plan),
                tables.limits(plan),
                tables.blocked(plan),
                tables.evidence(plan),
                tables.objective(plan),
                tables.audit(plan),
            )
        },
        "how": how(plan),
    }


def cards(plan: Plan) -> list[Card]:
    """Return the headline figures."""
    limit = sum(facts.converted(plan, budget.limit, budget.currency) for budget in plan.budgets)
    bought = sum(p.chips for p in plan.purchases if p.mode == "buy")
    leased = sum(p.chips for p in plan.purchases if p.mode == "lease")
    total = facts.money(facts.spent(plan), plan.currency)
    found = [
        Card(total, "spent", f"of {facts.shown(limit)} in {len(plan.budgets)} budgets"),
        Card(f"{bought:,}", "chips bought", f"and {leased:,} leased"),
    ]
    if plan.sourcing:
        first = plan.sourcing[0]
        found.append(Card(facts.percent(first.achieved, 1), first.name, f"asked for: {facts.percent(first.required)}"))
    if plan.training:
        done = sum(run.runs for run in plan.training)
        found.append(Card(f"{done} of {len(plan.training)}", "training runs done"))
    if plan.services:
        first_service = plan.services[0]
        found.append(Card(facts.percent(facts.served_share(first_service)), f"of {first_service.name}'s demand served"))
    denied = sum(1 for item in plan.evidence if item.status == "denied" or item.denied_by)
    if denied:
        found.append(Card(f"{denied}", "figures denied by their subject", f"of {len(plan.evidence)} figures", "bad"))
    good = sum(check.ok for check in plan.audit.checks)
    verdict = "good" if plan.audit.ok else "bad"
    found.append(
        Card(f"{good} of {len(plan.audit.checks)}", "checks of the audit hold", "made without the solver", verdict)
    )
    return found


def shares(plan: Plan) -> list[Bullet]:
    """Return each sourcing share as a bar with a mark."""
    bullets = []
    for use in plan.sourcing:
        verdict = facts.sourcing_verdict(use)
        asked = f"{'at least ' if use.kind == 'floor' else ''}{facts.percent(use.required)}"
        words = (
            f"{facts.percent(use.achieved, 1)} of {facts.BASES.get(use.base, use.base)}; asked for {asked}: {verdict}"
        )
        bullets.append(
            Bullet(use.name, use.achieved or 0.0, use.required, words, "good" if verdict == "met" else "bad")
        )
    return bullets


def how(plan: Plan) -> list[tuple[str, str]]:
    """Return how the plan was found, as terms and words."""
    return [
        ("Status", f"{plan.status}, within {facts.percent(plan.gap, 2)} of the best possible"),
        ("Objective", f"{plan.objective_name}, {facts.objective(plan, plan.objective)}"),
        ("Bound", facts.objective(plan, plan.bound)),
        ("Time", f"built in {plan.build_s:.1f} s, solved in {plan.solve_s:.1f} s by {plan.solver}"),
        ("Exchange rates", ", ".join(f"{rate:g} {code} per USD" for code, rate in plan.fx.items() if code != "USD")),
        ("Known on", plan.knowledge_date),
        ("Input", plan.input_hash),
        ("Version", f"outlay {plan.version}, plan format {plan.schema_version}"),
    ]
