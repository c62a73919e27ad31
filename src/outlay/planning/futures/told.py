"""What is decided over futures, from columns to records: orders, answers and draws, with what is known by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from outlay.planning.futures.audit import when
from outlay.planning.futures.audit_money import Decided
from outlay.planning.futures.result import HedgedAnswer, HedgedDraw, HedgedOrder
from outlay.planning.instance import MONEY
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.planning.futures.rights import Rights
    from outlay.planning.futures.solve import Solved
    from outlay.planning.futures.tree import Made
    from outlay.planning.instance import Instance

LEAST_DRAW = 1e-6
"""Millions below which a draw is the solver's tolerance."""


def decided(solved: Solved) -> Decided:
    """Return what a solved plan decides, by index."""
    decisions, x = solved.decisions, solved.x
    at, keys = decisions.columns, decisions.further.key
    placed = np.flatnonzero(np.rint(x[: decisions.orders]) > 0)
    further = x[decisions.further_at :]
    return Decided(
        orders={
            (int(at.option[j]), int(at.quarter[j]), int(at.budget[j]), int(at.node[j])): round(float(x[j]))
            for j in placed
        },
        blocks=[int(i) for i in np.flatnonzero(np.rint(x[decisions.training]) > 0)],
        answers={
            key: round(float(units))
            for key, units, whole in zip(keys, further, decisions.further.whole, strict=True)
            if whole and round(float(units)) > 0
        },
        draws={
            key[1:]: float(amount) * MONEY
            for key, amount in zip(keys, further, strict=True)
            if key[0] == "draw" and amount > LEAST_DRAW
        },
    )


def orders(instance: Instance, made: Made, found: Decided) -> list[HedgedOrder]:
    """Return the orders by quarter, node and option."""
    placed = found.orders
    ensemble, length = made.ensemble, len(instance.quarters)
    first_quarter = min((t for _, t, _, _ in placed), default=0)
    listed = []
    for (k, t, b, node), units in sorted(placed.items(), key=lambda item: (item[0][1], item[0][3], item[0][0])):
        option, budget = instance.options[k], instance.budgets[b]
        futures = np.flatnonzero(ensemble.node[:, t] == node)
        cost = units * option.order_cost(t, length) * instance.rate[option.currency] / instance.rate[budget.currency]
        listed.append(
            HedgedOrder(
                mode=option.mode,
                system=option.system,
                chip=option.chip,
                site=instance.sites[option.site].name,
                quarter=str(instance.quarters[t]),
                units=units,
                chips=units * option.chips,
                cost=cost,
                currency=budget.currency,
                budget=budget.name,
                now=t == first_quarter and len(futures) == len(ensemble),
                known=_known(made, int(futures[0]), t, instance),
                probability=float(ensemble.probability[futures].sum()),
                rules=list(option.rules[t]),
                contract=option.contract,
            )
        )
    return listed


def _known(made: Made, n: int, t: int, instance: Instance) -> list[str]:
    """Return what has happened by a quarter in a future, in words."""
    same = made.ensemble.node[:, t] == made.ensemble.node[n, t]
    shared: set[str] | None = None
    for m in np.flatnonzero(same):
        here = set(made.ensemble.happenings[m])
        shared = here if shared is None else shared & here
    return [words for words in made.ensemble.happenings[n] if words in (shared or set()) and _by(words, instance, t)]


def _by(words: str, instance: Instance, t: int) -> bool:
    return Quarter.parse(words.rsplit(" in ", 1)[1]) <= instance.quarters[t]


def _at_node(made: Made, instance: Instance, t: int, node: int) -> tuple[list[str], float]:
    """Return what has happened at a node of a quarter, in words, and how likely the node is."""
    futures = np.flatnonzero(made.ensemble.node[:, t] == node)
    return _known(made, int(futures[0]), t, instance), float(made.ensemble.probability[futures].sum())


def answers(instance: Instance, made: Made, found: Decided) -> list[HedgedAnswer]:
    """Return the answers by quarter and node."""
    listed = []
    for key, units in sorted(found.answers.items(), key=lambda item: (when(item[0]), item[0][-1], item[0])):
        option, t = instance.options[key[1]], when(key)
        known, probability = _at_node(made, instance, t, key[-1])
        budget = instance.budgets[key[3]]
        amount = units * _amount(instance, made.ensemble.rights, key) / instance.rate[budget.currency]
        listed.append(
            HedgedAnswer(
                kind=key[0],
                mode=option.mode,
                system=option.system,
                chip=option.chip,
                site=instance.sites[option.site].name,
                quarter=str(instance.quarters[t]),
                of="" if key[0] == "move" else str(instance.quarters[key[2]]),
                to=instance.sites[instance.options[key[2]].site].name if key[0] == "move" else "",
                units=units,
                chips=units * option.chips,
                amount=amount,
                currency=budget.currency,
                known=known,
                probability=probability,
            )
        )
    return listed


def _amount(instance: Instance, rights: Rights, key: tuple[Any, ...]) -> float:
    """Return what one unit of an answer pays, in the plan's currency; negative where money comes back."""
    option = instance.options[key[1]]
    rate = instance.rate[option.currency]
    price = option.price * rate if key[0] == "move" else option.order_cost(key[2], len(instance.quarters)) * rate
    if key[0] == "resell":
        base = option.price if option.resale is None else option.resale
        years = (key[4] - key[2] - option.lead) / 4
        worth = base * option.factor(key[2]) * instance.salvage_per_year**years * rate
        return float(-(1 - (rights.resell or 0.0)) * worth)
    part = {
        "reserve": rights.reserve or 0.0,
        "call": 1 - (rights.reserve or 0.0),
        "cancel": -(1 - (rights.cancel or 0.0)),
        "move": rights.move or 0.0,
    }
    return float(part[key[0]] * price)


def draws(instance: Instance, made: Made, found: Decided) -> list[HedgedDraw]:
    """Return what is drawn from loans by quarter and node."""
    listed = []
    for (c, t, node), amount in sorted(found.draws.items(), key=lambda item: (item[0][1], item[0][2], item[0][0])):
        known, probability = _at_node(made, instance, t, node)
        loan = instance.credits[c].loan
        quarter = str(instance.quarters[t])
        listed.append(HedgedDraw(loan.name, quarter, amount, loan.currency, known, probability))
    return listed
