"""The mixed-integer model of a build-out: which columns, which rows, one family after the other.

Columns: ``order`` whole units of an option in a quarter from a budget; ``serve`` units working for a service; ``unmet``
demand; ``block`` a training run on one option from one quarter on; ``draw`` money from a loan in a quarter. Rows are
named in :func:`assemble`; the page ``docs/planning.md`` writes each family as an equation.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from outlay.planning.credit import CreditColumns, credit_columns, credit_rows, credit_terms
from outlay.planning.instance import MONEY, Instance
from outlay.planning.linear import LinearModel


@dataclass(frozen=True)
class BuildOut:
    """The assembled model and where its columns are."""

    model: LinearModel
    maximise: bool
    order: dict[tuple[int, int, int], int]
    """(option, quarter, budget) -> column."""
    serve: dict[tuple[int, int, int], int]
    """(service, option, quarter) -> column."""
    unmet: dict[tuple[int, int], int]
    block: dict[int, int]
    draw: dict[tuple[int, int], int]
    """(credit, quarter) -> column, in millions of its currency."""
    cheapest: dict[str, float]
    """By exact sourcing share: the weight of the smallest unit in its base, which is the tolerance."""


def assemble(instance: Instance) -> BuildOut:
    """Assemble the model of an instance.

    Every row belongs to a family (``budget``, ``budget-floor``, ``supply``, ``power``, ``capacity``, ``demand``,
    ``run``, ``sourcing``) and to a group a person would name.
    """
    model = LinearModel()
    order = _order_columns(instance, model)
    serve, unmet = _service_columns(instance, model)
    block = _block_columns(instance, model)
    lent = credit_columns(instance, model)
    _budget_rows(instance, model, order, lent)
    credit_rows(instance, model, order, lent)
    _supply_rows(instance, model, order)
    _power_rows(instance, model, order)
    _capacity_rows(instance, model, order, serve, block)
    _demand_rows(instance, model, serve, unmet)
    _run_rows(instance, model, block)
    cheapest = _sourcing_rows(instance, model, order)
    maximise = instance.objective in {"value", "compute", "served"}
    return BuildOut(model, maximise, order, serve, unmet, block, lent.draw, cheapest)


def stock_terms(instance: Instance, order: dict[tuple[int, int, int], int]) -> dict[tuple[int, int], list[int]]:
    """Return, for each option and quarter, the order columns whose machines work then, under whatever contract."""
    stock: dict[tuple[int, int], list[int]] = defaultdict(list)
    for (k, t, _), column in order.items():
        option = instance.options[k]
        for quarter in option.in_use(t, len(instance.quarters)):
            stock[k if option.pool is None else option.pool, quarter].append(column)
    return stock


def _order_columns(instance: Instance, model: LinearModel) -> dict[tuple[int, int, int], int]:
    length = len(instance.quarters)
    columns: dict[tuple[int, int, int], int] = {}
    for k, option in enumerate(instance.options):
        for t in range(length):
            used = option.in_use(t, length)
            if not len(used):
                continue
            for b, budget in enumerate(instance.budgets):
                if (k, t) in budget.orders:
                    columns[k, t, b] = model.add_column(
                        "order",
                        (k, t, b),
                        cost=_order_worth(instance, k, t),
                        upper=float("inf") if option.legal[t] else 0.0,
                        integer=True,
                    )
    return columns


def _order_worth(instance: Instance, k: int, t: int) -> float:
    """Return the objective of one unit ordered: cost and salvage, or compute, or the quarter's spending."""
    option, length = instance.options[k], len(instance.quarters)
    used = option.in_use(t, length)
    spent = instance.spent(option, t)
    running = sum((option.running + option.upkeep) * instance.discount_factor(q) for q in used)
    salvage = instance.salvage(option, t)
    match instance.objective:
        case "value":
            return (salvage - instance.reserve_value * spent - running) / MONEY
        case "cost":
            return (spent + running - salvage) / MONEY
        case "compute":
            return option.compute / 1e18 * sum(instance.seconds(q) for q in used) / 86400
        case _:
            return 0.0


def _service_columns(
    instance: Instance, model: LinearModel
) -> tuple[dict[tuple[int, int, int], int], dict[tuple[int, int], int]]:
    serve: dict[tuple[int, int, int], int] = {}
    unmet: dict[tuple[int, int], int] = {}
    for w, service in enumerate(instance.services):
        for t in range(len(instance.quarters)):
            seconds = instance.seconds(t) / service.peak_factor
            worth = _token_worth(instance, w) * seconds * instance.discount_factor(t)
            for k, rate in service.rates.items():
                serve[w, k, t] = model.add_column("serve", (w, k, t), cost=worth * rate / MONEY)
            free = instance.objective != "cost" or service.penalty is not None
            penalty = (service.penalty or 0.0) * seconds * instance.discount_factor(t)  # a million tokens: m of money
            cost = {"value": -penalty, "cost": penalty}.get(instance.objective, 0.0)
            unmet[w, t] = model.add_column("unmet", (w, t), cost=cost, upper=float("inf") if free else 0.0)
    return serve, unmet


def _token_worth(instance: Instance, w: int) -> float:
    if instance.objective == "value":
        return instance.services[w].price
    return 1e-6 if instance.objective == "served" else 0.0


def _block_columns(instance: Instance, model: LinearModel) -> dict[int, int]:
    columns: dict[int, int] = {}
    for i, block in enumerate(instance.blocks):
        end = block.start + block.quarters - 1
        cost = {
            "value": instance.runs[block.run].value * instance.discount_factor(end) / MONEY,
            "finish": float(end + 1),
        }.get(instance.objective, 0.0)
        columns[i] = model.add_column("block", (i,), cost=cost, upper=1.0, integer=True)
    return columns


def _budget_rows(
    instance: Instance,
    model: LinearModel,
    order: dict[tuple[int, int, int], int],
    lent: CreditColumns,
) -> None:
    length = len(instance.quarters)
    for b, budget in enumerate(instance.budgets):
        own = instance.rate[budget.currency]
        terms: list[tuple[int, float]] = []
        for (k, t, paid_by), column in order.items():
            option = instance.options[k]
            if paid_by == b:
                price = option.order_cost(t, length) * instance.rate[option.currency] / own
                terms.append((column, price / MONEY))
            share = sum(
                amount / own
                for q in option.in_use(t, length)
                for kind, amount in option.running_by_kind
                if (option.site, q, kind) in budget.running
            )
            terms.append((column, share / MONEY))
        limit = budget.limit / MONEY
        unit = f"m {budget.currency}"
        model.add_row("budget", f"budget {budget.name}", (b,), terms, upper=limit, unit=unit)
        for column, value in credit_terms(instance, lent, b):
            model.extend_row(len(model.rows) - 1, column, value)
        if budget.at_least > 0:
            group = f"spending of budget {budget.name}"
            model.add_row("budget-floor", group, (b,), terms, lower=limit * budget.at_least, unit=unit)


def _supply_rows(instance: Instance, model: LinearModel, order: dict[tuple[int, int, int], int]) -> None:
    for j, supply in enumerate(instance.supply):
        by_arrival: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for (k, t, _), column in order.items():
            if k in supply.options:
                by_arrival[t + instance.options[k].lead].append((column, float(instance.options[k].chips)))
        for t, terms in sorted(by_arrival.items()):
            model.add_row("supply", f"supply of {supply.name}", (j, t), terms, upper=supply.chips[t], unit="chips")


def _power_rows(instance: Instance, model: LinearModel, order: dict[tuple[int, int, int], int]) -> None:
    stock = stock_terms(instance, order)
    for s, site in enumerate(instance.sites):
        here = [k for k, option in enumerate(instance.options) if option.site == s]
        for t in range(len(instance.quarters)):
            terms = [
                (column, instance.options[k].watts * site.pue / MONEY) for k in here for column in stock.get((k, t), ())
            ]
            if terms:
                model.add_row("power", f"power at {site.name}", (s, t), terms, upper=site.power[t] / MONEY, unit="MW")


def _capacity_rows(
    instance: Instance,
    model: LinearModel,
    order: dict[tuple[int, int, int], int],
    serve: dict[tuple[int, int, int], int],
    block: dict[int, int],
) -> None:
    used: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
    for (_, k, t), column in serve.items():
        used[k, t].append((column, 1.0))
    for i, item in enumerate(instance.blocks):
        for t in range(item.start, item.start + item.quarters):
            used[item.option, t].append((block[i], float(item.units)))
    stock = stock_terms(instance, order)
    for key, terms in sorted(used.items()):
        have = [(column, -1.0) for column in stock.get(key, ())]
        model.add_row("capacity", "machines in service", key, terms + have, upper=0.0, unit="units")


def _demand_rows(
    instance: Instance,
    model: LinearModel,
    serve: dict[tuple[int, int, int], int],
    unmet: dict[tuple[int, int], int],
) -> None:
    for w, service in enumerate(instance.services):
        for t in range(len(instance.quarters)):
            terms = [(serve[w, k, t], rate / MONEY) for k, rate in service.rates.items()]
            demand = service.demand[t] * service.peak_factor / MONEY
            terms.append((unmet[w, t], 1.0))
            model.add_row(
                "demand", f"demand of {service.name}", (w, t), terms, lower=demand, upper=demand, unit="m tokens/s"
            )


def _run_rows(instance: Instance, model: LinearModel, block: dict[int, int]) -> None:
    for r, run in enumerate(instance.runs):
        terms = [(block[i], 1.0) for i, item in enumerate(instance.blocks) if item.run == r]
        must = run.must or instance.objective == "finish"
        model.add_row("run", f"training run {run.name}", (r,), terms, lower=float(must), upper=1.0, unit="runs")


def base_scale(base: str) -> float:
    """Return what one unit of a sourcing row stands for: a million of money, a PFLOP/s or a chip."""
    return MONEY if base.endswith("value") else 1e15 if base == "compute" else 1.0


def _sourcing_rows(instance: Instance, model: LinearModel, order: dict[tuple[int, int, int], int]) -> dict[str, float]:
    """Add the shares: counted >= share x base for a floor; within the smallest unit's weight for an exact share."""
    cheapest: dict[str, float] = {}
    for j, rule in enumerate(instance.sourcing):
        terms: list[tuple[int, float]] = []
        weights: list[float] = []
        for (k, t, b), column in order.items():
            if (k, b) in rule.over:
                weight = instance.weight_in_base(rule, k, t)
                weights.append(weight)
                terms.append((column, weight * ((k in rule.counted) - rule.share)))
        scale = base_scale(rule.base)
        cheapest[rule.name] = min(weights, default=0.0)
        slack = cheapest[rule.name] / scale if rule.kind == "exact" else 0.0
        model.add_row(
            "sourcing",
            f"sourcing {rule.name}",
            (j,),
            [(column, value / scale) for column, value in terms],
            lower=-slack,
            upper=slack if rule.kind == "exact" else float("inf"),
            unit={"chips": "chips", "compute": "PFLOP/s"}.get(rule.base, f"m {instance.currency}"),
        )
    return cheapest
