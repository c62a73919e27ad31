"""The tables of the page: cells with what a person reads and what a column is sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from outlay.planning.result import Plan
from outlay.report import facts


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    sort: float | str = ""
    """What the column is sorted by; the text where empty, before all others where minus infinity."""
    href: str = ""
    mark: str = ""
    """good, bad or warn; the text says the same in words."""

    @property
    def numeric(self) -> bool:
        """Whether the cell is set to the right."""
        return isinstance(self.sort, int | float)

    @property
    def key(self) -> str:
        """The key of the column's order, as the page's script reads it."""
        return str(self.sort).replace("inf", "Infinity") if self.numeric else str(self.sort) or self.text


@dataclass(frozen=True)
class Page:
    """A table of the page."""

    id: str
    caption: str
    columns: Sequence[str]
    rows: list[list[Cell]] = field(default_factory=list)


def number(value: float | None, text: str | None = None) -> Cell:
    """Return a cell with a number; a missing one sorts before all others."""
    if value is None:
        return Cell(facts.MISSING, float("-inf"))
    return Cell(facts.shown(value) if text is None else text, value)


def link(address: str) -> str:
    """Return an address a browser may follow, or ''; a source may hold any text."""
    return address if address.startswith(("https://", "http://")) else ""


def purchases(plan: Plan) -> Page:
    """Return every purchase and lease."""
    columns = ["how", "vendor", "system", "site", "ordered", "in use", "systems", "chips", "cost", "budget", "rules"]
    rows = [
        [
            Cell(p.mode),
            Cell(f"{p.vendor}, {p.vendor_country}"),
            Cell(p.system),
            Cell(f"{p.site}, {p.country}"),
            Cell(p.quarter),
            Cell(f"{p.in_use} to {p.until}" if p.until else f"from {p.in_use}"),
            number(p.units, f"{p.units:,}"),
            number(p.chips, f"{p.chips:,}"),
            number(facts.converted(plan, p.cost, p.currency), facts.money(p.cost, p.currency)),
            Cell(p.budget),
            Cell(f"{p.decision} ({', '.join(p.rules)})" if p.rules else p.decision),
        ]
        for p in plan.purchases
    ]
    return Page("purchases-table", "Every purchase and lease", columns, rows)


def budgets(plan: Plan) -> Page:
    """Return each budget with what was spent, on what."""
    rows = [
        [
            Cell(b.name),
            number(facts.converted(plan, b.spent, b.currency), facts.money(b.spent, b.currency)),
            number(facts.converted(plan, b.limit + b.drawn, b.currency), facts.money(b.limit + b.drawn, b.currency)),
            number(facts.budget_share(b), facts.percent(facts.budget_share(b), 1)),
            Cell(", ".join(f"{kind} {facts.shown(amount)}" for kind, amount in b.by_kind.items() if amount)),
            Cell(facts.said(plan, f"budget {b.name}: amount") or facts.MISSING),
        ]
        for b in plan.budgets
    ]
    return Page("budgets-table", "Budgets", ["budget", "spent", "limit", "used", "spent on", "said"], rows)


def training(plan: Plan) -> Page:
    """Return each training run with the prediction behind it."""
    columns = ["run", "model", "where", "days (band)", "ends", "MFU", "strategy", "rests on", "worth"]
    rows = []
    for run in plan.training:
        where = "; ".join(
            f"{s.chips:,} {facts.chip_of(plan, s.system)}, {s.site}, {s.first} to {s.last}" for s in run.stages
        )
        rows.append(
            [
                Cell(run.name),
                Cell(run.model),
                Cell(where) if run.runs else Cell(f"does not run: {run.why_not}", mark="warn"),
                number(run.days, facts.days(run)),
                Cell(run.finished or facts.MISSING),
                number(run.mfu, facts.percent(run.mfu, 1)),
                Cell(run.strategy),
                Cell(run.basis),
                number(run.value if run.runs else None, facts.money(run.value, plan.currency)),
            ]
        )
    return Page("training-table", "Training runs", columns, rows)


RATES = {
    "tokens_per_s_per_chip": "tokens/s a chip",
    "ttft_s": "first token, s",
    "tpot_s": "next tokens, s",
    "batch": "batch",
    "chips_per_replica": "chips a replica",
    "strategy": "strategy",
    "basis": "rests on",
}


def rates(plan: Plan) -> Page:
    """Return what each system serves of each service's model under its latency targets."""
    rows = [
        [Cell(service.name), Cell(system), *(_rate(figures.get(name)) for name in RATES)]
        for service in plan.services
        for system, figures in service.rates.items()
    ]
    return Page(
        "rates-table",
        "What each system serves within the latency targets",
        ["service", "system", *RATES.values()],
        rows,
    )


def _rate(value: float | str | None) -> Cell:
    return Cell(value) if isinstance(value, str) else number(value)


def limits(plan: Plan) -> Page:
    """Return the limits that bind."""
    rows = [
        [Cell(x.family), Cell(x.name), Cell(x.words), number(x.dual), Cell(x.unit), Cell(x.source)] for x in plan.limits
    ]
    columns = ["kind", "limit", "what more is worth, and how far", "price", "unit of the price", "what sets it"]
    return Page("limits-table", "Limits that bind", columns, rows)


def blocked(plan: Plan) -> Page:
    """Return the ways the rules close."""
    columns = ["way", "system", "country", "quarters", "code", "why, and what the plan does", "rules"]
    rows = [
        [
            Cell(way.mode),
            Cell(f"{way.system} ({way.chip})"),
            Cell(way.country),
            Cell(way.quarters),
            Cell(way.code, mark="bad"),
            Cell(way.words),
            Cell(", ".join(way.rules)),
        ]
        for way in plan.blocked
    ]
    return Page("blocked-table", "Ways the rules close", columns, rows)


def evidence(plan: Plan) -> Page:
    """Return every figure the plan rests on; the first column is the status the page filters by."""
    rows = []
    for item in plan.evidence:
        doubted = item.status == "denied" or bool(item.denied_by)
        remark = " · ".join(
            part
            for part in (item.note, f"denied by {item.denied_by}" if item.denied_by else "", item.claim, item.quote)
            if part
        )
        mark = "bad" if doubted else "warn" if item.status in facts.DOUBTFUL else "good"
        rows.append(
            [
                Cell(item.status, mark=mark),
                Cell(item.what),
                Cell(item.value),
                Cell(item.source or facts.MISSING, href=link(item.address)),
                Cell(remark),
            ]
        )
    return Page(
        "evidence-table", "Figures and where they come from", ["status", "figure", "value", "source", "remark"], rows
    )


def objective(plan: Plan) -> Page:
    """Return the objective by part."""
    rows = [[Cell(part), number(amount, facts.money(amount, plan.currency))] for part, amount in plan.money.items()]
    return Page("objective-table", f"What makes up {plan.objective_name}", ["part", "amount"], rows)


def audit(plan: Plan) -> Page:
    """Return the checks of the audit."""
    rows = [
        [
            Cell("holds" if check.ok else "FAILS", mark="good" if check.ok else "bad"),
            Cell(check.name),
            Cell(check.detail),
        ]
        for check in plan.audit.checks
    ]
    return Page("audit-table", "Each limit checked again, without the solver", ["outcome", "check", "detail"], rows)
