"""From an outcome by index to the plan's records, in names, units and words."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from outlay.planning.credit import fixed_cost, paid_by_quarter
from outlay.planning.credit import worth as credit_worth
from outlay.planning.instance import Block, Instance, Option
from outlay.planning.result import (
    BudgetUse,
    Purchase,
    ServiceResult,
    SiteUse,
    SourcingUse,
    Stage,
    TrainingResult,
)
from outlay.planning.work import run_days

if TYPE_CHECKING:
    from outlay.planning.build import Problem
    from outlay.planning.solve import Outcome
    from outlay.scenario.schema import Scenario


def purchases(instance: Instance, outcome: Outcome) -> list[Purchase]:
    """Return every order, by quarter, then as the options were listed."""
    length = len(instance.quarters)
    made = []
    for (k, t, b), units in sorted(outcome.orders.items(), key=lambda item: (item[0][1], item[0][0], item[0][2])):
        option, budget = instance.options[k], instance.budgets[b]
        used = option.in_use(t, length)
        own = instance.rate[option.currency] / instance.rate[budget.currency]
        made.append(
            Purchase(
                mode=option.mode,
                system=option.system,
                chip=option.chip,
                vendor=option.vendor,
                vendor_country=option.vendor_country,
                site=instance.sites[option.site].name,
                country=instance.sites[option.site].country,
                quarter=str(instance.quarters[t]),
                in_use=str(instance.quarters[used[0]]),
                until=str(instance.quarters[used[-1]]) if option.mode == "lease" else None,
                units=units,
                chips=units * option.chips,
                cost=units * option.order_cost(t, length) * own,
                currency=budget.currency,
                budget=budget.name,
                decision=option.codes[t],
                rules=list(option.rules[t]),
                contract=option.contract,
                booked=option.booked,
            )
        )
    return made


def budgets(instance: Instance, outcome: Outcome) -> list[BudgetUse]:
    """Return what was spent of each budget, in its own currency, by quarter and by kind."""
    length = len(instance.quarters)
    used = []
    for b, budget in enumerate(instance.budgets):
        by_quarter: dict[str, float] = {str(quarter): 0.0 for quarter in instance.quarters}
        by_kind: dict[str, float] = defaultdict(float)
        own = instance.rate[budget.currency]
        for (k, t, paid_by), units in outcome.orders.items():
            option = instance.options[k]
            if paid_by == b:
                rate = units * instance.rate[option.currency] / own
                for q, cost in _booked(option, t, length):
                    by_quarter[str(instance.quarters[q])] += cost * rate
                    by_kind[option.mode] += cost * rate
            for q in option.in_use(t, length):
                for kind, amount in option.running_by_kind:
                    if (option.site, q, kind) in budget.running:
                        cost = units * amount / own
                        by_quarter[str(instance.quarters[q])] += cost
                        by_kind[kind] += cost
        drawn = _debt(instance, outcome, b, by_quarter, by_kind)
        spent = sum(by_quarter.values())
        kinds = {kind: amount for kind, amount in by_kind.items() if amount}
        used.append(BudgetUse(budget.name, budget.limit, spent, budget.currency, by_quarter, kinds, drawn))
    return used


def _booked(option: Option, order: int, length: int) -> list[tuple[int, float]]:
    """Return when an order of one unit counts against its budget: payment by payment, or all at the order."""
    if option.payments:
        return [(q, amount) for q, amount in enumerate(option.paid(order, length)) if amount]
    return [(order, option.order_cost(order, length))]


def _debt(
    instance: Instance, outcome: Outcome, b: int, by_quarter: dict[str, float], by_kind: dict[str, float]
) -> float:
    """Add the service of loans a budget pays to what it spends, and return what loans added to the budget."""
    drawn = 0.0
    for c, credit in enumerate(instance.credits):
        into = instance.rate[credit.loan.currency] / instance.rate[instance.budgets[b].currency]
        draws = {t: amount for (other, t), amount in outcome.draws.items() if other == c}
        if credit.budget == b:
            drawn += sum(draws.values()) * into
        if credit.service_from == b:
            due, charged, _ = paid_by_quarter(credit, draws, len(instance.quarters))
            for quarter, amount in zip(instance.quarters, map(sum, zip(due, charged, strict=True)), strict=True):
                by_quarter[str(quarter)] += amount * into
                by_kind["debt service"] += amount * into
    return drawn


def sourcing(instance: Instance, outcome: Outcome) -> list[SourcingUse]:
    """Return each sourcing share: what was asked, what is reached, and what one whole system can move it by."""
    used = []
    for rule in instance.sourcing:
        base = counted = 0.0
        for (k, t, b), units in outcome.orders.items():
            if (k, b) in rule.over:
                weight = instance.weight_in_base(rule, k, t) * units
                base += weight
                counted += weight if k in rule.counted else 0.0
        tolerance = outcome.built.cheapest[rule.name] / base if base else 0.0
        achieved = counted / base if base else None
        used.append(SourcingUse(rule.name, rule.base, rule.kind, rule.share, achieved, tolerance))
    return used


def stock(instance: Instance, outcome: Outcome) -> dict[tuple[int, int], int]:
    """Return units at work by (option, quarter), under whatever contract they are had."""
    have: dict[tuple[int, int], int] = defaultdict(int)
    for (k, t, _), units in outcome.orders.items():
        option = instance.options[k]
        for q in option.in_use(t, len(instance.quarters)):
            have[k if option.pool is None else option.pool, q] += units
    return have


def training(problem: Problem, outcome: Outcome) -> list[TrainingResult]:
    """Return every training run: where and when it runs, or why it does not."""
    instance = problem.instance
    chosen: dict[int, Block] = {instance.blocks[i].run: instance.blocks[i] for i in outcome.blocks}
    return [_training(problem, r, chosen.get(r)) for r in range(len(instance.runs))]


def _training(problem: Problem, r: int, block: Block | None) -> TrainingResult:
    instance, run = problem.instance, problem.scenario.training[r]
    if block is None:
        return TrainingResult(
            name=run.name,
            model=run.model,
            runs=False,
            why_not=_why_not(problem, r),
            value=0.0,
        )
    option = instance.options[block.option]
    estimate = problem.work.training[run.name, option.system, block.units]
    days = run_days(estimate, run.tokens)
    first, last = instance.quarters[block.start], instance.quarters[block.start + block.quarters - 1]
    stage = Stage(
        instance.sites[option.site].name, option.system, block.units * option.chips, str(first), str(last), option.mode
    )
    return TrainingResult(
        name=run.name,
        model=run.model,
        runs=True,
        why_not="",
        stages=[stage],
        days=days,
        days_low=days * estimate.step_low_s / estimate.step_time_s,
        days_high=days * estimate.step_high_s / estimate.step_time_s,
        finished=str(last),
        mfu=estimate.mfu,
        strategy=estimate.strategy,
        basis=estimate.basis,
        value=instance.runs[r].value,
    )


def _why_not(problem: Problem, r: int) -> str:
    instance, run = problem.instance, problem.scenario.training[r]
    if any(block.run == r for block in instance.blocks):
        return "possible, but worth less than what its machines do otherwise, or than they cost"
    reasons = {reason for (name, _), reason in problem.work.reasons.items() if name == run.name}
    if reasons:
        return "fits no system on offer: " + "; ".join(sorted(reasons)[:2])
    return "no system on offer ends it within its window on the power of one site"


def services(problem: Problem, outcome: Outcome) -> list[ServiceResult]:
    """Return every service: demand, what is served of it and by which machines, by quarter."""
    instance = problem.instance
    made = []
    for w, service in enumerate(instance.services):
        served: dict[str, float] = {str(quarter): 0.0 for quarter in instance.quarters}
        by_system: dict[str, dict[str, float]] = defaultdict(dict)
        systems: dict[str, Option] = {}
        for (work, k, t), units in outcome.serving.items():
            if work != w:
                continue
            option, quarter = instance.options[k], str(instance.quarters[t])
            tokens = units * service.rates[k] / service.peak_factor
            served[quarter] += tokens
            place = by_system[place_name(instance, option)]
            place[quarter] = place.get(quarter, 0.0) + tokens
            systems[option.system] = option
        revenue = sum(tokens * instance.seconds(t) for t, tokens in enumerate(served.values())) * service.price
        demand = {str(quarter): rate for quarter, rate in zip(instance.quarters, service.demand, strict=True)}
        rates = {name: _rates(problem, service.name, name) for name in systems}
        model = problem.scenario.services[w].model
        made.append(ServiceResult(service.name, model, demand, served, dict(by_system), rates, revenue))
    return made


def place_name(instance: Instance, option: Option) -> str:
    """Return how an option is named where work is listed: system, site and, for leases, the mode."""
    leased = " (lease)" if option.mode == "lease" else ""
    return f"{option.system} @ {instance.sites[option.site].name}{leased}"


def _rates(problem: Problem, service: str, system: str) -> dict[str, float | str]:
    estimate = problem.work.serving[service, system]
    return {
        "tokens_per_s_per_chip": estimate.tokens_per_s_per_chip,
        "ttft_s": estimate.ttft_s,
        "tpot_s": estimate.tpot_s,
        "batch": float(estimate.batch),
        "chips_per_replica": float(estimate.chips_per_replica),
        "strategy": estimate.strategy,
        "basis": estimate.basis,
    }


def sites(scenario: Scenario, instance: Instance, outcome: Outcome) -> list[SiteUse]:
    """Return power at the meter against its limit, and chips in service, by site and quarter."""
    places = {site.name: (site.latitude, site.longitude) for site in scenario.sites}
    have = stock(instance, outcome)
    made = []
    for s, site in enumerate(instance.sites):
        power: dict[str, float] = {}
        chips: dict[str, int] = {}
        for t, quarter in enumerate(instance.quarters):
            here = [(instance.options[k], n) for (k, q), n in have.items() if q == t and instance.options[k].site == s]
            power[str(quarter)] = sum(option.watts * n for option, n in here) * site.pue
            chips[str(quarter)] = sum(option.chips * n for option, n in here)
        limit = {str(quarter): watts for quarter, watts in zip(instance.quarters, site.power, strict=True)}
        made.append(SiteUse(site.name, site.country, power, limit, chips, *places.get(site.name, (None, None))))
    return made


def money(instance: Instance, outcome: Outcome) -> dict[str, float]:
    """Return the plan's money by part, discounted, in its currency; costs are negative."""
    length = len(instance.quarters)
    parts: dict[str, float] = defaultdict(float)
    for (k, t, _), units in outcome.orders.items():
        option = instance.options[k]
        kind = "purchases" if option.mode == "buy" else "leases"
        parts[kind] -= units * instance.spent(option, t)
        parts["salvage"] += units * instance.salvage(option, t)
        for q in option.in_use(t, length):
            for name, amount in option.running_by_kind:
                parts[name] -= units * amount * instance.discount_factor(q)
    for (w, k, t), busy in outcome.serving.items():
        service = instance.services[w]
        seconds = instance.seconds(t) / service.peak_factor
        parts["revenue"] += busy * service.rates[k] * seconds * service.price * instance.discount_factor(t)
    for (w, t), tokens in outcome.unmet.items():
        service = instance.services[w]
        seconds = instance.seconds(t) / service.peak_factor
        parts["penalties"] -= tokens * seconds * (service.penalty or 0.0) * instance.discount_factor(t)
    for i in outcome.blocks:
        block = instance.blocks[i]
        worth = instance.runs[block.run].value
        parts["training value"] += worth * instance.discount_factor(block.start + block.quarters - 1)
    for (c, t), amount in outcome.draws.items():
        parts["debt"] += amount * credit_worth(instance, instance.credits[c], t)
    for credit in instance.credits:
        parts["debt"] -= fixed_cost(instance, credit)
    return {name: amount for name, amount in parts.items() if amount}


def flows(instance: Instance, outcome: Outcome) -> list[tuple[str, str, str, str, str, float]]:
    """Return spending on orders as flows (budget, vendor, system, site, workload, amount in the plan's currency).

    The cost of an option's orders goes to its workloads by the unit-quarters each keeps busy; the rest is ``reserve``.
    """
    length = len(instance.quarters)
    at_work: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (w, k, _), busy in outcome.serving.items():
        at_work[k][instance.services[w].name] += busy
    for i in outcome.blocks:
        block = instance.blocks[i]
        at_work[block.option][instance.runs[block.run].name] += block.units * block.quarters
    owned: dict[int, float] = defaultdict(float)
    for (k, _), working in stock(instance, outcome).items():
        owned[k] += working  # by pool: whoever works on one machine works on the mix of its contracts
    made: dict[tuple[str, str, str, str, str], float] = defaultdict(float)
    for (k, t, b), units in outcome.orders.items():
        option = instance.options[k]
        cost = units * option.order_cost(t, length) * instance.rate[option.currency]
        head = (instance.budgets[b].name, option.vendor, option.system, instance.sites[option.site].name)
        pool = k if option.pool is None else option.pool
        shares = {name: amount / owned[pool] for name, amount in at_work[pool].items()}
        for name, share in {**shares, "reserve": 1 - sum(shares.values())}.items():
            if share > 1e-6:
                made[(*head, name)] += cost * share
    return [(*key, amount) for key, amount in sorted(made.items())]


def status(solver_status: str, gap: float, wanted: float) -> Literal["optimal", "feasible"]:
    """Return ``optimal`` where the gap asked for was proven, ``feasible`` where the time ran out first."""
    return "optimal" if solver_status == "optimal" and gap <= wanted + 1e-6 else "feasible"
