"""What the faces say of a plan, worked out once: totals, groupings, and figures as people read them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from outlay.errors import MissingFigureError
from outlay.planning.result import BudgetUse, Plan, Purchase, ServiceResult, SourcingUse, TrainingResult
from outlay.units import SECONDS_PER_DAY, human

MISSING = "–"
DOUBTFUL = ("denied", "press-report", "analyst-estimate", "vendor-claim", "assumed")
"""Statuses a reader should hold loosely."""
BASES = {
    "budget-value": "the value of one budget",
    "all-value": "the value of all purchases and leases",
    "chips": "all chips",
    "compute": "all compute",
}


def shown(value: float, digits: int = 3) -> str:
    """Return a number for people, or a dash where it is not finite."""
    return human(value, digits) if math.isfinite(value) else MISSING


def money(amount: float, currency: str) -> str:
    """Return ``40.0 bn CNY``."""
    return f"{shown(amount)} {currency}"


def percent(share: float | None, digits: int = 0) -> str:
    """Return ``60 %``, or a dash where there is no share."""
    return MISSING if share is None or not math.isfinite(share) else f"{share * 100:.{digits}f} %"


def tokens_a_day(rate: float) -> str:
    """Return a rate in tokens per second as tokens per day: ``4.00 trn``."""
    return shown(rate * SECONDS_PER_DAY)


def converted(plan: Plan, amount: float, currency: str) -> float:
    """Return an amount in the plan's currency, at the plan's rates.

    Raises
    ------
    MissingFigureError
        If the plan carries no rate for one of the two currencies.
    """
    if currency == plan.currency:
        return amount
    rates = {"USD": 1.0, **plan.fx}
    for code in (currency, plan.currency):
        if code not in rates:
            msg = f"plan {plan.scenario!r} has no exchange rate for {code}"
            raise MissingFigureError(msg)
    return amount / rates[currency] * rates[plan.currency]


def spent(plan: Plan) -> float:
    """Return everything spent from all budgets, in the plan's currency."""
    return sum(converted(plan, budget.spent, budget.currency) for budget in plan.budgets)


@dataclass(frozen=True)
class Order:
    """Purchases of one system, from one vendor, for one site, in one mode and currency."""

    mode: str
    vendor: str
    vendor_country: str
    system: str
    chip: str
    site: str
    country: str
    currency: str
    chips: dict[str, int]
    """By quarter of the order."""
    units: int
    cost: float


def orders(plan: Plan) -> list[Order]:
    """Return the purchases, grouped, the dearest first."""
    groups: dict[tuple[str, ...], list[Purchase]] = defaultdict(list)
    for p in plan.purchases:
        groups[p.mode, p.vendor, p.vendor_country, p.system, p.chip, p.site, p.country, p.currency].append(p)
    grouped = [_order(bundle) for bundle in groups.values()]
    return sorted(grouped, key=lambda order: (-converted(plan, order.cost, order.currency), order.system, order.site))


def _order(bundle: Sequence[Purchase]) -> Order:
    chips: Counter[str] = Counter()
    for bought in bundle:
        chips[bought.quarter] += bought.chips
    first = bundle[0]
    return Order(
        mode=first.mode,
        vendor=first.vendor,
        vendor_country=first.vendor_country,
        system=first.system,
        chip=first.chip,
        site=first.site,
        country=first.country,
        currency=first.currency,
        chips=dict(chips),
        units=sum(bought.units for bought in bundle),
        cost=sum(bought.cost for bought in bundle),
    )


def chip_of(plan: Plan, system: str) -> str:
    """Return the chip of a system that was bought or leased, or the system's own name."""
    return next((bought.chip for bought in plan.purchases if bought.system == system), system)


def by_vendor_and_quarter(plan: Plan) -> dict[str, dict[str, float]]:
    """Return the value of orders by vendor and quarter, in the plan's currency; the largest vendor first."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for bought in plan.purchases:
        totals[bought.vendor][bought.quarter] += converted(plan, bought.cost, bought.currency)  # type: ignore[assignment]
    return _largest_first(totals)


def in_service(plan: Plan) -> dict[str, dict[str, float]]:
    """Return the chips in use by kind and quarter; the largest kind first."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for bought in plan.purchases:
        for quarter in plan.quarters:
            if bought.in_use <= quarter <= (bought.until or plan.quarters[-1]):
                totals[bought.chip][quarter] += bought.chips
    return _largest_first(totals)


def _largest_first(totals: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    names = sorted(totals, key=lambda name: (-sum(totals[name].values()), name))
    return {name: dict(totals[name]) for name in names}


def served_share(service: ServiceResult, quarters: Iterable[str] | None = None) -> float | None:
    """Return the part of demand that is served, in some quarters or over all; ``None`` without demand."""
    chosen = list(service.demand) if quarters is None else list(quarters)
    demand = sum(service.demand.get(quarter, 0.0) for quarter in chosen)
    return sum(service.served.get(quarter, 0.0) for quarter in chosen) / demand if demand else None


def sourcing_verdict(use: SourcingUse) -> str:
    """Return ``met``, ``missed`` or ``nothing bought``."""
    if use.achieved is None:
        return "nothing bought"
    short = use.required - use.achieved
    slack = use.tolerance + 1e-9
    return "met" if (abs(short) if use.kind == "exact" else short) <= slack else "missed"


def budget_share(budget: BudgetUse) -> float | None:
    """Return the part of a budget, with what loans add to it, that is spent; ``None`` for an empty budget."""
    limit = budget.limit + budget.drawn
    return budget.spent / limit if limit else None


def days(run: TrainingResult) -> str:
    """Return the length of a run with its band: ``103 days (88 to 124)``."""
    if run.days is None:
        return MISSING
    band = (
        f" ({run.days_low:.0f} to {run.days_high:.0f})"
        if run.days_low is not None and run.days_high is not None
        else ""
    )
    return f"{run.days:.0f} days{band}"


@dataclass(frozen=True)
class ClosedWay:
    """Ways the rules close for one reason: several chips, several countries."""

    mode: str
    chips: list[str]
    countries: list[str]
    quarters: str
    code: str
    words: str


def closed_ways(plan: Plan) -> list[ClosedWay]:
    """Return the ways the rules close, those with one reason together."""
    groups: dict[tuple[str, str, str, str], ClosedWay] = {}
    for way in plan.blocked:
        key = (way.mode, way.quarters, way.code, way.words)
        group = groups.setdefault(key, ClosedWay(way.mode, [], [], way.quarters, way.code, way.words))
        for names, name in ((group.chips, way.chip), (group.countries, way.country)):
            if name not in names:
                names.append(name)
    return list(groups.values())


def statuses(plan: Plan) -> dict[str, int]:
    """Return how many figures of the evidence have each status, the doubtful ones first."""
    counts = Counter(item.status for item in plan.evidence)
    order = [*DOUBTFUL, *sorted(set(counts) - set(DOUBTFUL))]
    return {status: counts[status] for status in order if counts[status]}


def said(plan: Plan, what: str) -> str:
    """Return how sure a figure of the scenario is and when it was said; nothing where it has no evidence of its own."""
    item = next((item for item in plan.evidence if item.what == what), None)
    return " ".join(part for part in (item.status, item.date) if part) if item else ""


def objective(plan: Plan, amount: float) -> str:
    """Return an amount of the objective with its currency, where it is counted in money."""
    return money(amount, plan.currency) if {"value", "cost"} & set(plan.objective_name.split()) else shown(amount)


def headline(plan: Plan) -> str:
    """Return the plan in one paragraph: what is bought, for how much, what it does."""
    return " ".join(sentences(plan))


def sentences(plan: Plan) -> Iterable[str]:
    """Yield what the headline says, sentence by sentence."""
    bought = [p for p in plan.purchases if p.mode == "buy"]
    leased = [p for p in plan.purchases if p.mode == "lease"]
    parts = [_deed(verb, some) for verb, some in (("buys", bought), ("leases", leased)) if some]
    if parts:
        yield f"The plan {' and '.join(parts)}, for {money(spent(plan), plan.currency)} in all."
    else:
        yield "The plan buys nothing."
    if plan.training:
        done = [run for run in plan.training if run.runs]
        ends = f", the last by {max(run.finished or '' for run in done)}" if done else ""
        yield f"{len(done)} of {len(plan.training)} training runs are done{ends}."
    for service in plan.services:
        last = list(service.demand)[-1] if service.demand else None
        if last:
            yield (
                f"{service.name} gets {percent(served_share(service))} of the tokens asked for; in {last} it serves "
                f"{tokens_a_day(service.served.get(last, 0.0))} of {tokens_a_day(service.demand[last])} tokens a day."
            )


def _deed(verb: str, some: Sequence[Purchase]) -> str:
    by_vendor: Counter[str] = Counter()
    for bought in some:
        by_vendor[bought.vendor] += bought.chips
    makers = [vendor for vendor, _ in by_vendor.most_common()]
    countries = sorted({bought.country for bought in some})
    return f"{verb} {sum(by_vendor.values()):,} chips from {listing(makers)} for sites in {listing(countries)}"


def listing(names: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
