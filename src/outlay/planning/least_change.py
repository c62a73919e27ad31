"""Of plans as good as the best, the one that changes least from the plan in force: ties are broken on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from outlay.errors import InputError
from outlay.planning.instance import Instance
from outlay.planning.linear import INFINITY, Floats, Solution, solve
from outlay.planning.model import BuildOut

if TYPE_CHECKING:
    from outlay.planning.result import Plan


@dataclass(frozen=True)
class InForce:
    """A plan in force, by index.

    Attributes
    ----------
    orders
        Units by (option, quarter, budget).
    blocks
        Training blocks.
    chips
        Of all its orders.
    gone
        What it orders or trains that the scenario no longer offers, in words.
    """

    orders: dict[tuple[int, int, int], int]
    blocks: frozenset[int]
    chips: int
    gone: tuple[str, ...]


def in_force(plan: Plan, instance: Instance, name: str) -> InForce:
    """Return a plan in force by the indices of an instance; what is no longer on offer is told, not refused.

    Raises
    ------
    InputError
        If it is a plan of another scenario.
    """
    if plan.scenario != name:
        msg = f"the plan in force is of scenario {plan.scenario!r}, not of {name!r}"
        raise InputError(msg)
    sites = [site.name for site in instance.sites]
    ways = {(o.mode, o.system, sites[o.site], o.contract): k for k, o in enumerate(instance.options)}
    quarters = {str(quarter): t for t, quarter in enumerate(instance.quarters)}
    budgets = {budget.name: b for b, budget in enumerate(instance.budgets)}
    orders: dict[tuple[int, int, int], int] = {}
    gone = []
    for purchase in plan.purchases:
        k = ways.get((purchase.mode, purchase.system, purchase.site, purchase.contract))
        t, b = quarters.get(purchase.quarter), budgets.get(purchase.budget)
        if k is None or t is None or b is None or (k, t) not in instance.budgets[b].orders:
            gone.append(f"{purchase.chips:,} {purchase.chip} at {purchase.site} in {purchase.quarter}")
            continue
        orders[k, t, b] = orders.get((k, t, b), 0) + purchase.units
    trained = {
        (run.name, stage.mode, stage.system, stage.site, stage.first, stage.last)
        for run in plan.training
        for stage in run.stages
    }
    blocks = set()
    for i, block in enumerate(instance.blocks):
        option, last = instance.options[block.option], block.start + block.quarters - 1
        way = (option.mode, option.system, sites[option.site])
        when = (str(instance.quarters[block.start]), str(instance.quarters[last]))
        if (instance.runs[block.run].name, *way, *when) in trained:
            blocks.add(i)
    return InForce(orders, frozenset(blocks), sum(purchase.chips for purchase in plan.purchases), tuple(gone))


def nearest(
    built: BuildOut, instance: Instance, best: Solution, before: InForce, *, gap: float, time_limit_s: float
) -> Solution:
    """Return the plan within the gap of the bound whose orders and training differ least, in chips, from those before.

    The best plan found is the start, so there is always an answer; its objective and bound stay those of the plan.
    """
    model = built.model.copy()
    terms = [(column, cost) for column, cost in enumerate(model.cost) if cost]
    slack = gap * abs(best.objective)
    worst = (
        min(best.objective, best.bound - slack) if built.maximise else max(best.objective, best.bound + slack)
    )  # of the bound, not of the plan found: the answer must still be proven
    lower, upper = (worst, INFINITY) if built.maximise else (-INFINITY, worst)
    model.add_row("objective", "objective", (), terms, lower=lower, upper=upper)
    weight = [0.0] * len(model.columns)
    start = list(best.values)
    for key, column in built.order.items():
        planned, chips = float(before.orders.get(key, 0)), float(instance.options[key[0]].chips)
        off = model.add_column("change", key)
        weight.append(chips)
        start.append(abs(float(round(best.values[column])) - planned))
        model.add_row("objective", "change", (*key, 0), [(off, 1.0), (column, -1.0)], lower=-planned)
        model.add_row("objective", "change", (*key, 1), [(off, 1.0), (column, 1.0)], lower=planned)
    for i, column in built.block.items():
        block = instance.blocks[i]
        size = float(block.units * instance.options[block.option].chips)
        weight[column] = -size if i in before.blocks else size
    found = solve(
        model,
        maximise=False,
        gap=1e-6,
        time_limit_s=time_limit_s,
        cost=np.array(weight),
        start=np.array(start),
    )
    if found.status not in {"optimal", "feasible"}:
        return best
    values: Floats = found.values[: len(built.model.columns)]
    objective = float(np.array(built.model.cost) @ values)
    return replace(best, values=values, objective=objective, seconds=best.seconds + found.seconds)


def changed_chips(instance: Instance, orders: dict[tuple[int, int, int], int], before: InForce) -> int:
    """Return by how many chips orders differ from those before."""
    return sum(
        abs(orders.get(key, 0) - before.orders.get(key, 0)) * instance.options[key[0]].chips
        for key in {*orders, *before.orders}
    )
