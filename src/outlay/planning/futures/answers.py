"""Answers to what happens: call a reservation, cancel an order, resell machines, move them to another site.

They are decided where something has just been learnt, for news is what they answer; reservations are made anywhere.
What each does to cash, limits and machines is in :class:`outlay.planning.futures.further.Further`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outlay.planning.futures.ensemble import Floats, Integers
from outlay.planning.futures.rights import NONE, Rights
from outlay.planning.instance import MONEY
from outlay.planning.linear import INFINITY, Row

if TYPE_CHECKING:
    from outlay.planning.futures.decisions import Decisions
    from outlay.planning.futures.further import Further

Found = Iterator[tuple[Row, Integers, Floats, float]]


def news(node: Integers) -> list[tuple[int, int, Integers]]:
    """Return (quarter, node, futures) where something has been learnt since the quarter before, in order."""
    found = []
    for t in range(1, node.shape[1]):
        for g in range(int(node[:, t].max()) + 1):
            here = np.flatnonzero(node[:, t] == g)
            if len(here) < int((node[:, t - 1] == node[here[0], t - 1]).sum()):
                found.append((t, g, here))
    return found


def add_answers(decisions: Decisions, further: Further) -> None:
    """Add the columns of all answers the futures allow."""
    rights = decisions.ensemble.rights
    if rights == NONE:
        return
    maker = _Maker(decisions, further, rights)
    if rights.reserve is not None:
        maker.reservations()
    for t, g, futures in maker.news:
        path = decisions.path_to(t, g)
        if rights.cancel is not None:
            maker.cancel(t, g, futures, path)
        if rights.resell is not None:
            maker.resell(t, g, futures, path)
        if rights.move is not None:
            maker.move(t, g, futures)


class _Maker:
    """Adds columns one by one, with what they do."""

    def __init__(self, decisions: Decisions, further: Further, rights: Rights) -> None:
        self.decisions, self.further, self.rights = decisions, further, rights
        self.instance, self.ensemble, self.at = decisions.instance, decisions.ensemble, decisions.columns
        self.length = len(self.instance.quarters)
        self.news = news(self.ensemble.node)
        self.factor = [self.instance.discount_factor(t) for t in range(self.length)]
        self.reserve_value = self.instance.reserve_value if self.instance.objective == "value" else 1.0
        self.cheap = 1.0 / self.ensemble.price.min(axis=0)
        self.places = {
            (option.system, option.site): k
            for k, option in enumerate(self.instance.options)
            if option.mode == "buy" and option.pool is None
        }

    def cancel(self, s: int, g: int, futures: Integers, path: NDArray[np.bool_]) -> None:
        """Give back orders on the way: they neither arrive nor cost but the fee and the time the money was out."""
        at, ensemble = self.at, self.ensemble
        fee = self.rights.cancel or 0.0
        for j in np.flatnonzero(path & (at.quarter < s) & (s <= at.first)):
            k, t, b = int(at.option[j]), int(at.quarter[j]), int(at.budget[j])
            share, price = ensemble.share[:, k, t], ensemble.price[:, k, t]
            paid = self.reserve_value * at.spent[j]
            ordered = -paid * (1 - ensemble.refund * (1 - share)) + (at.salvage[j] - at.running[j]) * share / price
            lost = paid * (1 - (1 - fee) * self.factor[s] / self.factor[t])
            column = self.further.add(("cancel", k, t, b, s, g), s, g, -ordered - lost, whole=True)
            first, end, cheap = int(at.first[j]), int(at.end[j]), float(self.cheap[k, t])
            self._pays(column, b, -(1 - fee) * at.cost[j])
            self._runs(column, k, first, end, -1.0)
            self._counts(column, k, t, b, -1.0)
            self.further.arrives.append((column, k, first, -cheap))
            late = ensemble.delay[:, k, t]
            self.further.stand(column, k, first, end, -1.0, cheap=cheap, delivered=share / price, late=late)

    def resell(self, s: int, g: int, futures: Integers, path: NDArray[np.bool_]) -> None:
        """Sell machines that stand, at a discount on what they are worth: its price less the loss of value by then."""
        at, ensemble, instance = self.at, self.ensemble, self.instance
        for j in np.flatnonzero(path & (at.first < s)):
            k, t, b = int(at.option[j]), int(at.quarter[j]), int(at.budget[j])
            option = instance.options[k]
            arrived = at.first[j] + ensemble.delay[futures, k, t].max() <= s
            if option.mode != "buy" or len(option.payments) > 1 or not arrived:
                continue
            delivered = ensemble.share[:, k, t] / ensemble.price[:, k, t]
            running = (option.running + option.upkeep) * sum(self.factor[s:])
            worth = self._worth(k, t, int(at.first[j]), s) * (1 - (self.rights.resell or 0.0)) * self.factor[s]
            kept = instance.kept(option, t)[0] * instance.rate[option.currency] * instance.end_factor
            gain = (worth + running - kept) / MONEY
            column = self.further.add(("resell", k, t, b, s, g), s, g, gain * delivered, whole=True)
            self._runs(column, k, s, self.length, -1.0)
            cheap = float(self.cheap[k, t])
            self.further.stand(column, k, s, self.length, -1.0, cheap=cheap, delivered=delivered)

    def _worth(self, k: int, t: int, first: int, s: int) -> float:
        """Return what a machine ordered in ``t`` and used from ``first`` on is worth in ``s``, plan's currency."""
        option = self.instance.options[k]
        base = (option.price if option.resale is None else option.resale) * option.factor(t)
        return float(base * self.instance.salvage_per_year ** ((s - first) / 4) * self.instance.rate[option.currency])

    def move(self, s: int, g: int, futures: Integers) -> None:
        """Take machines to another site, where the rules let them in; they stand still on the way."""
        instance, ensemble = self.instance, self.ensemble
        begin = s + self.rights.still
        if begin >= self.length:
            return
        for (system, site), k in self.places.items():
            for (other, place), to in self.places.items():
                arrives = begin - instance.options[to].lead  # when an order that arrives then would be placed
                if other != system or place == site or arrives < 0:
                    continue
                if (ensemble.share[futures, to, arrives] < 1.0).any():
                    continue
                for b, budget in enumerate(instance.budgets):
                    if (to, s) in budget.orders:
                        self._moved(k, to, b, s, g, begin)
                        break

    def _moved(self, k: int, to: int, b: int, s: int, g: int, begin: int) -> None:
        options, length = self.instance.options, self.length
        cost = (self.rights.move or 0.0) * options[k].price * self.instance.rate[options[k].currency] / MONEY
        saved = (options[k].running + options[k].upkeep) * sum(self.factor[s:]) / MONEY
        more = (options[to].running + options[to].upkeep) * sum(self.factor[begin:]) / MONEY
        gain = -self.reserve_value * cost * self.factor[s] + saved - more
        column = self.further.add(("move", k, to, b, s, g), s, g, gain, whole=True)
        self._pays(column, b, cost)
        self._runs(column, k, s, length, -1.0)
        self._runs(column, to, begin, length, 1.0)
        self.further.stand(column, k, s, length, -1.0)
        self.further.stand(column, to, begin, length, 1.0)

    def reservations(self) -> None:
        """Reserve machines whose price may rise, and call them later at the price of today."""
        instance, ensemble, node = self.instance, self.ensemble, self.ensemble.node
        fee = self.rights.reserve or 0.0
        rises = np.asarray((ensemble.price > 1.0).any(axis=(0, 2)))
        ways = sorted(
            {(int(k), int(t), int(b)) for k, t, b in zip(self.at.option, self.at.quarter, self.at.budget, strict=True)}
        )
        cost = {
            (int(k), int(t)): float(c) for k, t, c in zip(self.at.option, self.at.quarter, self.at.cost, strict=True)
        }
        for k, t, b in ways:
            option = instance.options[k]
            if not rises[k] or option.mode != "buy" or len(option.payments) > 1:
                continue
            calls = [
                (s, g, here)
                for s, g, here in self.news
                if t < s <= t + self.rights.hold
                and (k, s) in instance.budgets[b].orders
                and s + option.lead < self.length
                and (ensemble.share[here, k, s] > 0).any()
            ]
            for h in sorted({int(node[here[0], t]) for _, _, here in calls}):
                gain = -self.reserve_value * fee * cost[k, t] * self.factor[t]
                column = self.further.add(("reserve", k, t, b, h), t, h, gain, whole=True)
                self._pays(column, b, fee * cost[k, t])
                self._counts(column, k, t, b, fee, money_alone=True)
            for s, g, _ in calls:
                self._called(k, t, b, s, g, cost[k, t])

    def _called(self, k: int, t: int, b: int, s: int, g: int, cost: float) -> None:
        option, ensemble = self.instance.options[k], self.ensemble
        left = 1 - (self.rights.reserve or 0.0)
        share, first = ensemble.share[:, k, s], s + option.lead
        paid = self.reserve_value * left * cost * self.factor[s] * (1 - ensemble.refund * (1 - share))
        running = (option.running + option.upkeep) * sum(self.factor[first:]) / MONEY
        gain = -paid + (self.instance.salvage(option, s) / MONEY - running) * share
        column = self.further.add(("call", k, t, b, s, g), s, g, gain, whole=True)
        self._pays(column, b, left * cost)
        self._runs(column, k, first, self.length, 1.0)
        self._counts(column, k, s, b, left)
        self.further.arrives.append((column, k, first, 1.0))
        late = ensemble.delay[:, k, s]
        self.further.stand(column, k, first, self.length, 1.0, delivered=share, late=late)

    def _pays(self, column: int, b: int, amount: float) -> None:
        """Charge a budget, from millions of the plan's currency."""
        self.further.pays(column, b, amount / self.instance.rate[self.instance.budgets[b].currency])

    def _runs(self, column: int, k: int, begin: int, end: int, units: float) -> None:
        """Charge running costs to the budgets that pay for them."""
        one = (np.array([k]), np.array([begin]), np.array([end]))
        for b in range(len(self.instance.budgets)):
            self._pays(column, b, units * float(self.decisions.running_paid(b, *one)[0]))

    def _counts(self, column: int, k: int, t: int, b: int, part: float, *, money_alone: bool = False) -> None:
        """Count towards sourcing shares: of money the part paid, of chips and compute whole machines."""
        for j, rule in enumerate(self.instance.sourcing):
            money = rule.base.endswith("value")
            if (k, b) in rule.over and (money or not money_alone):
                weight = self.instance.weight_in_base(rule, k, t)
                size = part if money or part < 0 else 1.0
                self.further.sourcing.setdefault(j, []).append((column, size * weight, k in rule.counted))


def answer_rows(decisions: Decisions) -> Found:
    """Yield the rows of answers: no more is given back, called or moved than there is, on any path."""
    keys = decisions.further.key
    if any(key[0] in {"cancel", "resell"} for key in keys):
        yield from _of_orders(decisions)
    if any(key[0] == "reserve" for key in keys):
        yield from _of_reservations(decisions)
    if any(key[0] == "move" for key in keys):
        yield from _of_moves(decisions)


def _of_orders(decisions: Decisions) -> Found:
    """No more of an order is cancelled or resold than was ordered."""
    at, further, node = decisions.columns, decisions.further, decisions.ensemble.node
    back: dict[tuple[Any, ...], list[int]] = {}
    for e, key in enumerate(further.key):
        if key[0] in {"cancel", "resell"}:
            back.setdefault(key[1:4], []).append(e)
    last = node.shape[1] - 1
    paths = {g: further.path(node[n], last) for g, n in enumerate(decisions.paths[last]) if n >= 0}
    for j, way in enumerate(zip(at.option.tolist(), at.quarter.tolist(), at.budget.tolist(), strict=True)):
        seen: set[tuple[int, ...]] = set()
        for g, path in paths.items():
            if way not in back or node[decisions.paths[last][g], at.quarter[j]] != at.node[j]:
                continue
            mine = tuple(e for e in back[way] if path[e])
            if mine and mine not in seen:
                seen.add(mine)
                columns = np.array([j, *(decisions.further_at + e for e in mine)])
                values = np.concatenate([[-1.0], np.ones(len(mine))])
                yield Row("capacity", "orders given back", (j, g), -INFINITY, 0.0, "units"), columns, values, 0.0


def _of_reservations(decisions: Decisions) -> Found:
    """No more is called than was reserved."""
    further, node = decisions.further, decisions.ensemble.node
    last = node.shape[1] - 1
    for r, key in enumerate(further.key):
        if key[0] != "reserve":
            continue
        seen: set[tuple[int, ...]] = set()
        for g, n in enumerate(decisions.paths[last]):
            if n < 0 or node[n, further.quarter[r]] != further.node[r]:
                continue
            path = further.path(node[n], last)
            mine = tuple(e for e, k in enumerate(further.key) if k[0] == "call" and k[1:4] == key[1:4] and path[e])
            if mine and mine not in seen:
                seen.add(mine)
                columns = decisions.further_at + np.array([r, *mine])
                values = np.concatenate([[-1.0], np.ones(len(mine))])
                yield Row("capacity", "reservations called", (r, g), -INFINITY, 0.0, "units"), columns, values, 0.0


def _of_moves(decisions: Decisions) -> Found:
    """No machine is moved that is not surely there: delivered in every future of the node, not resold, not training."""
    at, further, ensemble = decisions.columns, decisions.further, decisions.ensemble
    instance = decisions.instance
    moved = sorted({(int(key[1]), further.quarter[e]) for e, key in enumerate(further.key) if key[0] == "move"})
    since = {k: min(t for other, t in moved if other == k) for k, _ in moved}
    delivered = ensemble.delivered
    for k, start in since.items():
        orders = np.flatnonzero(decisions.machines[at.option] == k)
        training = [i for i, block in enumerate(instance.blocks) if block.option == k]
        own = [(e, m) for m, (e, o, *_) in enumerate(further.machines) if int(decisions.machines[o]) == k]
        for q in range(start, ensemble.quarters):
            busy = [
                i
                for i in training
                if instance.blocks[i].start <= q < instance.blocks[i].start + instance.blocks[i].quarters
            ]
            for g, path in decisions._paths_at(q):
                here = np.flatnonzero(ensemble.node[:, q] == g)
                standing = orders[path[orders] & (at.end[orders] > q)]
                o, t = at.option[standing], at.quarter[standing]
                there = (at.first[standing] + ensemble.delay[here][:, o, t]) <= q
                sure = np.where(there, delivered[here][:, o, t], 0.0).min(axis=0)
                on = further.path(ensemble.node[here[0]], q)
                terms: dict[int, float] = {}
                for e, m in own:
                    _, _, begin, end, units, _ = further.machines[m]
                    if on[e] and begin <= q < end:
                        amount = np.asarray(further.delivered[m][0], float)
                        size = amount if amount.ndim == 0 else (amount[here].max() if units < 0 else amount[here].min())
                        if units > 0 and (np.asarray(further.delivered[m][1]) > 0).any():
                            continue
                        terms[decisions.further_at + e] = terms.get(decisions.further_at + e, 0.0) - units * float(size)
                columns = [*standing, *(decisions.orders + i for i in busy), *terms]
                values = [*(-sure), *(float(instance.blocks[i].units) for i in busy), *terms.values()]
                row = Row("capacity", "machines moved", (k, q, g), -INFINITY, 0.0, "units")
                if any(further.key[e - decisions.further_at][0] == "move" for e in terms):
                    yield row, np.array(columns, np.int64), np.array(values, float), 0.0
