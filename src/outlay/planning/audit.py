"""Re-checks a finished plan against every limit of its scenario: own code over the plan's records, no solver, no model.

The audit reads the scenario, the catalogue and the rules afresh, so that a slip in the optimiser's arithmetic shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from outlay.errors import AuditError, MissingFigureError
from outlay.planning.audit_money import MONEY_FAMILIES, debt_of, paid_by_quarter, upkeep
from outlay.planning.result import Audit, AuditCheck, Plan, Purchase
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.schema import Budget, Scenario, Selection, Site, Sourcing

TOLERANCE = 1e-6
"""Relative: the accuracy of the solver's continuous columns."""


def audit(plan: Plan, scenario: Scenario, catalog: Catalog) -> Audit:
    """Check a plan against every limit and return each check with its figures."""
    book = Book(plan, scenario, catalog)
    checks = [check for family in FAMILIES for check in family(book)]
    return Audit(all(check.ok for check in checks), checks)


def require(found: Audit) -> None:
    """Raise :class:`AuditError` naming every check that failed."""
    failed = [f"{check.name}: {check.detail}" for check in found.checks if not check.ok]
    if failed:
        msg = "the audit found a plan that breaks its own limits; this is a defect of outlay. " + "; ".join(failed)
        raise AuditError(msg)


class Book:
    """The plan with what the checks look up in it."""

    def __init__(self, plan: Plan, scenario: Scenario, catalog: Catalog) -> None:
        self.plan, self.scenario, self.catalog = plan, scenario, catalog
        self.quarters = scenario.horizon.all
        self.sites = {site.name: site for site in scenario.sites}
        self.rate = {name: plan.fx[plan.currency] / per_dollar for name, per_dollar in plan.fx.items()}

    def working(self, purchase: Purchase) -> list[Quarter]:
        """Return the quarters a purchase works in."""
        first = Quarter.parse(purchase.in_use)
        last = Quarter.parse(purchase.until) if purchase.until else self.quarters[-1]
        return [quarter for quarter in self.quarters if first <= quarter <= last]

    def chips_in(self, quarter: Quarter) -> dict[tuple[str, str, str], int]:
        """Return chips at work by (system, site, mode)."""
        have: dict[tuple[str, str, str], int] = defaultdict(int)
        for purchase in self.plan.purchases:
            if quarter in self.working(purchase):
                have[purchase.system, purchase.site, purchase.mode] += purchase.chips
        return have


def _selects(selection: Selection, site: Site, purchase: Purchase | None = None) -> bool:
    wanted = [
        not selection.countries or site.country in selection.countries,
        site.country not in selection.not_countries,
        not selection.sites or site.name in selection.sites,
    ]
    if purchase is not None:
        wanted += [
            not selection.vendors or purchase.vendor in selection.vendors,
            not selection.vendor_countries or purchase.vendor_country in selection.vendor_countries,
            not selection.chips or purchase.chip in selection.chips,
        ]
    return all(wanted)


def _at_most(name: str, value: float, limit: float, unit: str) -> AuditCheck:
    ok = value <= limit + TOLERANCE * max(1.0, abs(limit))
    return AuditCheck(name, ok, f"{value:,.6g} of at most {limit:,.6g} {unit}")


def _purchases(book: Book) -> Iterator[AuditCheck]:
    for i, purchase in enumerate(book.plan.purchases):
        name = f"purchase {i + 1}: {purchase.units} x {purchase.system} at {purchase.site} in {purchase.quarter}"
        system = book.catalog.system(purchase.system)
        whole = isinstance(purchase.units, int) and purchase.units > 0
        yield AuditCheck(
            f"{name}, whole units",
            whole and purchase.chips == purchase.units * system.chips,
            f"{purchase.units} units of {system.chips} chips are {purchase.chips} chips",
        )
        try:
            price = _unit_cost(book, purchase) * purchase.units
        except MissingFigureError as error:
            yield AuditCheck(f"{name}, price", False, str(error))
        else:
            close = abs(price - purchase.cost) <= TOLERANCE * max(1.0, price)
            yield AuditCheck(f"{name}, price", close, f"{purchase.cost:,.0f} against {price:,.0f} {purchase.currency}")
        site = book.sites.get(purchase.site)
        yield AuditCheck(
            f"{name}, site",
            site is not None and purchase.mode in site.modes and purchase.country == site.country,
            f"{purchase.mode} at {purchase.site}",
        )


def _unit_cost(book: Book, purchase: Purchase) -> float:
    """Return what one unit costs within the horizon, priced afresh, in the currency of the budget."""
    return sum(paid_by_quarter(book, purchase).values())


def _lead_times(book: Book) -> Iterator[AuditCheck]:
    for i, purchase in enumerate(book.plan.purchases):
        lead = 0 if purchase.mode == "lease" else book.scenario.lead_quarters
        for supply in book.scenario.supply:
            named = book.catalog.chip(supply.chip).name == purchase.chip and supply.mode in {purchase.mode, "both"}
            if named and supply.lead_quarters is not None and _selects(supply.where, book.sites[purchase.site]):
                lead = supply.lead_quarters
                break
        got = Quarter.parse(purchase.in_use) - Quarter.parse(purchase.quarter)
        inside = Quarter.parse(purchase.quarter) in book.quarters
        yield AuditCheck(f"purchase {i + 1}: lead time", got == lead and inside, f"{got} quarters, {lead} needed")


def _budgets(book: Book) -> Iterator[AuditCheck]:
    used = {use.name: use for use in book.plan.budgets}
    claimed: set[tuple[str, Quarter, str]] = set()
    for budget in book.scenario.budgets:
        orders = [purchase for purchase in book.plan.purchases if purchase.budget == budget.name]
        drawn, service = (amount / book.rate[budget.amount.currency] for amount in debt_of(book, budget.name))
        spent = sum(purchase.cost for purchase in orders) + _running(book, budget, claimed) + service
        limit, currency = float(budget.amount.amount), budget.amount.currency
        yield _at_most(f"budget {budget.name}", spent, limit + drawn, currency)
        least = limit * budget.spend_at_least
        yield AuditCheck(
            f"budget {budget.name}, least spending",
            spent >= least - TOLERANCE * limit,
            f"{spent:,.6g} of at least {least:,.6g} {currency}",
        )
        told = used[budget.name].spent
        yield AuditCheck(
            f"budget {budget.name}, as told",
            abs(told - spent) <= TOLERANCE * limit,
            f"{told:,.6g} against {spent:,.6g}",
        )
        wrong = [purchase.system for purchase in orders if not _may_pay(book, budget, purchase)]
        yield AuditCheck(
            f"budget {budget.name}, what it may pay for", not wrong, ", ".join(wrong) or "all in its terms"
        )


def _may_pay(book: Book, budget: Budget, purchase: Purchase) -> bool:
    quarter = Quarter.parse(purchase.quarter)
    return (
        purchase.mode in budget.pays_for
        and purchase.booked in budget.books
        and purchase.currency == budget.amount.currency
        and _selects(budget.where, book.sites[purchase.site], purchase)
        and (budget.first is None or quarter >= budget.first)
        and (budget.last is None or quarter <= budget.last)
    )


def _running(book: Book, budget: Budget, claimed: set[tuple[str, Quarter, str]]) -> float:
    """Return energy, hosting and upkeep a budget pays, in its currency; the first that may pay for them does."""
    total = 0.0
    for site in book.scenario.sites:
        for kind in ("energy", "hosting", "upkeep"):
            if kind not in budget.pays_for or not _selects(budget.where, site):
                continue
            for quarter in book.quarters:
                outside = (budget.first and quarter < budget.first) or (budget.last and quarter > budget.last)
                if outside or (site.name, quarter, kind) in claimed:
                    continue
                claimed.add((site.name, quarter, kind))
                total += _running_cost(book, site, quarter, kind) / book.rate[budget.amount.currency]
    return total


def _running_cost(book: Book, site: Site, quarter: Quarter, kind: str) -> float:
    from outlay.planning.build import HOURS_PER_QUARTER, MONTHS_PER_QUARTER

    if kind == "upkeep":
        return upkeep(book, site, quarter)
    kilowatts = _it_watts(book, site, quarter, modes=("buy",)) / 1e3
    if kind == "energy":
        price = site.energy_price
        return kilowatts * site.pue * HOURS_PER_QUARTER * price.amount * book.rate[price.currency]
    if site.hosting_price is None:
        return 0.0
    return kilowatts * MONTHS_PER_QUARTER * site.hosting_price.amount * book.rate[site.hosting_price.currency]


def _it_watts(book: Book, site: Site, quarter: Quarter, modes: tuple[str, ...] = ("buy", "lease")) -> float:
    from outlay.planning.build import power_of

    watts = 0.0
    for purchase in book.plan.purchases:
        if purchase.site == site.name and purchase.mode in modes and quarter in book.working(purchase):
            power = power_of(book.scenario, book.catalog, book.catalog.system(purchase.system))
            watts += purchase.units * float(power.value)
    return watts


def _power(book: Book) -> Iterator[AuditCheck]:
    for site in book.scenario.sites:
        for quarter in book.quarters:
            limit = 0.0 if quarter < site.ready else _given(site.power, quarter)
            drawn = _it_watts(book, site, quarter) * site.pue
            yield _at_most(f"power at {site.name} in {quarter}", drawn / 1e6, limit / 1e6, "MW")


def _given(value: float | dict[Quarter, float], quarter: Quarter) -> float:
    if not isinstance(value, dict):
        return float(value)
    past = [start for start in value if start <= quarter]
    return float(value[max(past)]) if past else 0.0


def _supply(book: Book) -> Iterator[AuditCheck]:
    named: set[tuple[str, str, str]] = set()
    for supply in book.scenario.supply:
        chip = book.catalog.chip(supply.chip).name
        for quarter in book.quarters:
            arrived = 0
            for purchase in book.plan.purchases:
                takes = purchase.chip == chip and supply.mode in {purchase.mode, "both"}
                if takes and _selects(supply.where, book.sites[purchase.site], purchase):
                    named.add((purchase.chip, purchase.site, purchase.mode))
                    arrived += purchase.chips if purchase.in_use == str(quarter) else 0
            yield _at_most(f"supply of {chip} in {quarter}", arrived, _given(supply.chips, quarter), "chips")
    if book.scenario.default_supply is None:
        return
    for quarter in book.quarters:
        rest: dict[str, int] = defaultdict(int)
        for purchase in book.plan.purchases:
            if (purchase.chip, purchase.site, purchase.mode) not in named and purchase.in_use == str(quarter):
                rest[purchase.chip] += purchase.chips
        for chip, arrived in rest.items():
            yield _at_most(f"supply of {chip} in {quarter}", arrived, book.scenario.default_supply, "chips")


def _sourcing(book: Book) -> Iterator[AuditCheck]:
    for rule in book.scenario.sourcing:
        base = [p for p in book.plan.purchases if rule.budget is None or p.budget == rule.budget]
        weights = [_weight(book, rule, purchase) for purchase in base]
        counted = [w for w, p in zip(weights, base, strict=True) if _selects(rule.of, book.sites[p.site], p)]
        total = sum(weights)
        share = sum(counted) / total if total else rule.share
        unit = min((w / max(p.units, 1) for w, p in zip(weights, base, strict=True)), default=0.0)
        slack = unit / total if total else 0.0
        low = rule.share - TOLERANCE - (slack if rule.kind == "exact" else 0.0)
        high = rule.share + TOLERANCE + slack if rule.kind == "exact" else 1.0 + TOLERANCE
        yield AuditCheck(f"sourcing {rule.name}", low <= share <= high, f"{share:.4%} of {rule.kind} {rule.share:.2%}")


def _weight(book: Book, rule: Sourcing, purchase: Purchase) -> float:
    if rule.base == "chips":
        return float(purchase.chips)
    if rule.base == "compute":
        chip = book.catalog.chip(purchase.chip)
        return float(purchase.chips) * (chip.peak("bf16") or chip.peak("fp16") or 0.0)
    return purchase.cost * book.rate[purchase.currency]


def _legality(book: Book) -> Iterator[AuditCheck]:
    from outlay.policy import Transaction, decide, item_of

    scenario = book.scenario
    for i, purchase in enumerate(book.plan.purchases):
        site = book.sites[purchase.site]
        item = item_of(book.catalog.chip(purchase.chip))
        arrival = Quarter.parse(purchase.in_use)
        day = max(arrival.start, scenario.knowledge_date)
        wrong = []
        while day <= max(arrival.end, scenario.knowledge_date):
            decision = decide(
                item,
                Transaction(
                    on=day,
                    destination=site.country,
                    buyer_hq=scenario.buyer.headquarters,
                    parent_hq=scenario.buyer.parent,
                    mode=purchase.mode,
                    owner_hq=site.owner_headquarters if purchase.mode == "lease" else None,
                    state_funded=scenario.buyer.state_funded,
                    new_site=site.new_build,
                ),
                known_on=scenario.knowledge_date,
                flags=scenario.policy.flags,
                moved=scenario.policy.dates,
            )
            granted = site.country in scenario.policy.licences and decision.code.startswith("LICENCE")
            if decision.verdict not in scenario.policy.accept and not granted:
                wrong.append(f"{day} {decision.code}")
            day += timedelta(days=7)
        name = f"purchase {i + 1}: {purchase.chip} to {site.country} ({purchase.mode}) in {arrival}"
        yield AuditCheck(f"{name}, rules", not wrong, ", ".join(wrong[:3]) or purchase.decision)


def _capacity(book: Book) -> Iterator[AuditCheck]:
    for quarter in book.quarters:
        used: dict[tuple[str, str, str], float] = defaultdict(float)
        for service, asked in zip(book.plan.services, book.scenario.services, strict=True):
            for place, served in service.by_system.items():
                key = _place(place)
                rate = float(service.rates[key[0]]["tokens_per_s_per_chip"])
                used[key] += served.get(str(quarter), 0.0) * asked.peak_factor / rate
        for run in book.plan.training:
            for stage in run.stages:
                if Quarter.parse(stage.first) <= quarter <= Quarter.parse(stage.last):
                    used[stage.system, stage.site, stage.mode] += stage.chips
        have = book.chips_in(quarter)
        for key, chips in used.items():
            yield _at_most(f"chips at work: {key[0]} at {key[1]} in {quarter}", chips, have.get(key, 0), "chips")


def _place(text: str) -> tuple[str, str, str]:
    leased = text.endswith(" (lease)")
    system, _, site = text.removesuffix(" (lease)").rpartition(" @ ")
    return system, site, "lease" if leased else "buy"


def _demand(book: Book) -> Iterator[AuditCheck]:
    for service, asked in zip(book.plan.services, book.scenario.services, strict=True):
        for quarter in book.quarters:
            served = service.served[str(quarter)]
            yield _at_most(f"{service.name} served in {quarter}", served, _given(asked.demand, quarter), "tokens/s")
            parts = sum(by_quarter.get(str(quarter), 0.0) for by_quarter in service.by_system.values())
            same = abs(parts - served) <= TOLERANCE * max(1.0, served)
            yield AuditCheck(f"{service.name} in {quarter}, by system", same, f"{parts:,.6g} against {served:,.6g}")
        wrong = [place for place in service.by_system if not _selects(asked.where, book.sites[_place(place)[1]])]
        yield AuditCheck(f"{service.name}, where it may run", not wrong, ", ".join(wrong) or "all in its terms")


def _training(book: Book) -> Iterator[AuditCheck]:
    for run, asked in zip(book.plan.training, book.scenario.training, strict=True):
        yield AuditCheck(f"{run.name}, must run", run.runs or not asked.must, "runs" if run.runs else run.why_not)
        for stage in run.stages:
            first, last = Quarter.parse(stage.first), Quarter.parse(stage.last)
            in_window = (asked.first is None or first >= asked.first) and last <= (asked.deadline or book.quarters[-1])
            yield AuditCheck(f"{run.name}, window", in_window, f"{first} to {last}")
            room = (last - first + 1) * 92
            yield _at_most(f"{run.name}, days", run.days or 0.0, room, "days")
            allowed = _selects(asked.where, book.sites[stage.site])
            yield AuditCheck(f"{run.name}, where it may run", allowed, stage.site)


FAMILIES = (
    _purchases,
    _lead_times,
    _budgets,
    _supply,
    _power,
    _sourcing,
    _legality,
    _capacity,
    _demand,
    _training,
    *MONEY_FAMILIES,
)
