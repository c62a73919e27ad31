"""Leaves out contracts that another for the same machines beats in every respect: fewer columns, the same best plan."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from outlay.planning.instance import Budget, Instance, Option

SLACK = 1e-9
"""Relative: equal ways count as beaten by the one listed first."""


def undominated(instance: Instance) -> Instance:
    """Return an instance without orders that another contract for the same machines beats.

    One order beats another of the same pool, quarter and budget if its machines work whenever the other's do, it costs
    no more against the budget and in the objective, and is worth no less at the end. Where what is paid counts for
    more than itself, nothing is left out: budgets that must be spent, that loans add to, or that a share is taken of.
    """
    pools: dict[int, list[int]] = defaultdict(list)
    for k, option in enumerate(instance.options):
        pools[k if option.pool is None else option.pool].append(k)
    several = [members for members in pools.values() if len(members) > 1]
    if not several:
        return instance
    shared = {pair for rule in instance.sourcing if rule.base.endswith("value") for pair in rule.over}
    lent = {credit.budget for credit in instance.credits}
    return replace(
        instance,
        budgets=tuple(
            budget if b in lent or budget.at_least > 0 else _without_beaten(instance, b, budget, several, shared)
            for b, budget in enumerate(instance.budgets)
        ),
    )


def _without_beaten(
    instance: Instance, b: int, budget: Budget, pools: list[list[int]], shared: set[tuple[int, int]]
) -> Budget:
    beaten: set[tuple[int, int]] = set()
    for members in pools:
        if any((k, b) in shared for k in members):
            continue
        for t in range(len(instance.quarters)):
            here = [k for k in members if (k, t) in budget.orders and instance.options[k].legal[t]]
            for at, loser in enumerate(here):
                rivals = [k for place, k in enumerate(here) if (k, t) not in beaten and place != at]
                if any(_beats(instance, k, loser, t) for k in rivals):
                    beaten.add((loser, t))
    return replace(budget, orders=budget.orders - beaten)


def _beats(instance: Instance, winner: int, loser: int, t: int) -> bool:
    """Return whether one order is at least as good as another in every respect."""
    length = len(instance.quarters)
    a, b = instance.options[winner], instance.options[loser]
    works = set(b.in_use(t, length)) <= set(a.in_use(t, length))
    running = len(a.in_use(t, length)) == len(b.in_use(t, length)) or _free(a)
    cheaper = _at_most(instance.spent(a, t), instance.spent(b, t))
    lighter = _at_most(
        a.order_cost(t, length) * instance.rate[a.currency], b.order_cost(t, length) * instance.rate[b.currency]
    )
    keeps = _at_most(instance.salvage(b, t), instance.salvage(a, t))
    return works and running and cheaper and lighter and keeps


def _free(option: Option) -> bool:
    """Return whether machines cost nothing but their payments to keep."""
    return option.running == 0.0 and option.upkeep == 0.0


def _at_most(a: float, b: float) -> bool:
    return a <= b + SLACK * max(1.0, abs(b))
