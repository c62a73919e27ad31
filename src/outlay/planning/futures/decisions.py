"""What is decided before a future is known: columns and rows of orders and training runs over a tree of knowledge.

An order column is (option, quarter, budget, node): futures that have not been told apart by the quarter of the order
share one column, which is what makes a plan non-anticipative. Limits on orders hold along every path of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outlay.planning.futures.answers import add_answers, answer_rows
from outlay.planning.futures.ensemble import Ensemble, Floats, Integers
from outlay.planning.futures.further import Further, add_loans, loan_rows
from outlay.planning.futures.program import Program, Triplets
from outlay.planning.instance import MONEY, Instance
from outlay.planning.linear import INFINITY, Row
from outlay.planning.model import base_scale

LENT = ("draw", "loan")
"""Further decisions that are no answers."""


@dataclass(frozen=True)
class Columns:
    """Order columns as arrays of shape (orders,), sorted by option, quarter, budget and node.

    Attributes
    ----------
    first, end
        First quarter of use and the one after the last, if nothing is late.
    cost
        What a unit costs within the horizon, in the plan's currency, millions.
    spent
        The same discounted, with what is owed later: :meth:`Instance.spent`.
    salvage, running
        What it keeps at the end and what it costs to run, discounted, millions.
    """

    option: Integers
    quarter: Integers
    budget: Integers
    node: Integers
    first: Integers
    end: Integers
    cost: Floats
    spent: Floats
    salvage: Floats
    running: Floats

    def __len__(self) -> int:
        return len(self.option)


class Decisions:
    """Columns, rows and stock of what is decided before a future is known.

    Parameters
    ----------
    waiver
        Price of missing an exact share or a least spending, as a share of the amount missed; ``None`` lets neither be
        missed. A ceiling or a least spending that a future makes impossible would otherwise leave no plan at all.
    """

    def __init__(self, instance: Instance, ensemble: Ensemble, *, waiver: float | None = None) -> None:
        self.instance, self.ensemble, self.waiver = instance, ensemble, waiver
        self.lead = np.array([option.lead for option in instance.options], dtype=np.int64)
        quarters = len(instance.quarters)
        terms = [quarters if option.term is None else option.term for option in instance.options]
        self.term = np.array(terms, dtype=np.int64)
        pools = [k if option.pool is None else option.pool for k, option in enumerate(instance.options)]
        self.machines = np.array(pools, dtype=np.int64)
        self.columns = self._columns()
        self.orders = len(self.columns)
        self.blocks = len(instance.blocks)
        self.further_at = self.orders + self.blocks
        self.further = Further()
        add_loans(self, self.further)
        add_answers(self, self.further)
        self.size = self.further_at + len(self.further)
        self.whole = np.concatenate([np.ones(self.further_at, dtype=bool), np.array(self.further.whole, dtype=bool)])

    @property
    def training(self) -> slice:
        """Where the training blocks are among the decisions."""
        return slice(self.orders, self.further_at)

    def rounded(self, x: Floats) -> Floats:
        """Return decisions with whole units where they must be whole."""
        return np.where(self.whole, np.rint(x), x)

    @cached_property
    def paths(self) -> Integers:
        """First future of every node, by quarter: a list of arrays would be ragged, so -1 fills up."""
        nodes = self.ensemble.node
        width = int(nodes.max()) + 1
        first = np.full((self.ensemble.quarters, width), -1, dtype=np.int64)
        for t in range(self.ensemble.quarters):
            numbers, at = np.unique(nodes[:, t], return_index=True)
            first[t, numbers] = at
        return first

    def _columns(self) -> Columns:
        instance, ensemble = self.instance, self.ensemble
        quarters = len(instance.quarters)
        triples = sorted((k, t, b) for b, budget in enumerate(instance.budgets) for k, t in budget.orders)
        option, quarter, budget = np.array(triples, dtype=np.int64).reshape(-1, 3).T
        keep = quarter + self.lead[option] < quarters
        option, quarter, budget = option[keep], quarter[keep], budget[keep]
        counts = np.array([int(ensemble.node[:, t].max()) + 1 for t in range(quarters)], dtype=np.int64)
        times = counts[quarter]
        node = np.concatenate([np.arange(count) for count in times]) if len(times) else np.zeros(0, np.int64)
        option, quarter, budget = (np.repeat(part, times) for part in (option, quarter, budget))
        first = quarter + self.lead[option]
        cost, spent, salvage = self._worth(set(zip(option.tolist(), quarter.tolist(), strict=True)))
        end = np.minimum(quarters, first + self.term[option])
        factor = np.array([instance.discount_factor(t) for t in range(quarters)])
        summed = np.concatenate([[0.0], np.cumsum(factor)])
        running = np.array([option.running + option.upkeep for option in instance.options])
        return Columns(
            option=option,
            quarter=quarter,
            budget=budget,
            node=node.astype(np.int64),
            first=first,
            end=end,
            cost=cost[option, quarter],
            spent=spent[option, quarter],
            salvage=salvage[option, quarter],
            running=running[option] / MONEY * (summed[end] - summed[first]),
        )

    def _worth(self, pairs: set[tuple[int, int]]) -> tuple[Floats, Floats, Floats]:
        """Return cost, cost discounted and salvage of a unit by option and quarter of the order, plan's millions."""
        instance, length = self.instance, len(self.instance.quarters)
        cost, spent, salvage = np.zeros((3, len(instance.options), length))
        for k, t in pairs:
            option = instance.options[k]
            cost[k, t] = option.order_cost(t, length) * instance.rate[option.currency]
            spent[k, t] = instance.spent(option, t)
            salvage[k, t] = instance.salvage(option, t)
        return cost / MONEY, spent / MONEY, salvage / MONEY

    def active(self, futures: slice | Integers = slice(None)) -> NDArray[np.bool_]:
        """Return which order columns are those of each future, of shape (futures, orders)."""
        return np.asarray(self.ensemble.node[futures][:, self.columns.quarter] == self.columns.node)

    def cash(self, futures: slice | Integers = slice(None)) -> Floats:
        """Return what one unit of each column adds to the objective of each future, without what it does for work.

        Of shape (futures, decisions), in millions. Undelivered orders give back ``refund`` of their price.
        """
        instance, ensemble, at = self.instance, self.ensemble, self.columns
        value = instance.reserve_value if instance.objective == "value" else 1.0
        share = ensemble.share[futures][:, at.option, at.quarter]
        delivered = share / ensemble.price[futures][:, at.option, at.quarter]
        paid = at.spent * (1 - ensemble.refund + ensemble.refund * share)
        orders = (-value * paid + (at.salvage - at.running) * delivered) * self.active(futures)
        further = self.further.of_futures(ensemble.node[futures], futures)
        return np.hstack([orders, np.broadcast_to(self.block_worth, (len(orders), self.blocks)), further])

    @cached_property
    def block_worth(self) -> Floats:
        """Worth of each training block in full, discounted, millions."""
        if self.instance.objective != "value":
            return np.zeros(self.blocks)
        runs, factor = self.instance.runs, self.instance.discount_factor
        return np.array(
            [runs[i.run].value * factor(i.start + i.quarters - 1) / MONEY for i in self.instance.blocks], dtype=float
        )

    def waived(self, x: Floats) -> float:
        """Return the least price of the limits missed by decisions ``x``, zero or less, millions."""
        first = self.program
        row, column, value = first.matrix
        left = column < len(x)
        activity = np.bincount(row[left], value[left] * x[column[left]], minlength=len(first.row_lower))
        missed = np.maximum(0.0, np.maximum(first.row_lower - activity, activity - first.row_upper))
        soft = (column >= len(x)) & (value > 0)
        return float(first.cost[column[soft]] @ missed[row[soft]])

    def holds(self, x: Floats) -> bool:
        """Return whether decisions ``x`` keep within every bound and every limit that may not be waived."""
        first = self.program
        row, column, value = first.matrix
        left = column < len(x)
        activity = np.bincount(row[left], value[left] * x[column[left]], minlength=len(first.row_lower))
        hard = np.ones(len(first.row_lower), dtype=bool)
        hard[row[~left]] = False
        slack = 1e-6 * np.maximum(1.0, np.abs(activity))
        rows = (activity >= first.row_lower - slack) & (activity <= first.row_upper + slack)
        within = (x >= first.lower[: len(x)] - 1e-6) & (x <= first.upper[: len(x)] + 1e-6)
        return bool(rows[hard].all() and within.all())

    @cached_property
    def program(self) -> Program:
        """The first stage alone: its expected cash, its rows, no recourse.

        Columns: orders, training blocks, further decisions, then two per limit that may be waived.
        """
        triplets, rows = Triplets(), list[Row]()
        soft: list[tuple[int, float, float]] = []
        for row, columns, values, price in self._rows():
            triplets.add(len(rows), columns, values)
            if price:
                soft.append((len(rows), price, row.lower))
            rows.append(row)
        count, waived = self.size, np.zeros(2 * len(soft))
        cost = np.concatenate([self.ensemble.probability @ self.cash(), np.zeros(2 * len(soft))])
        for s, (i, price, _) in enumerate(soft):
            triplets.add(np.full(2, i), np.array([count + 2 * s, count + 2 * s + 1]), np.array([1.0, -1.0]))
            cost[count + 2 * s : count + 2 * s + 2] = -price
        further = self.further
        return Program(
            cost=cost,
            lower=np.concatenate([np.zeros(self.further_at), np.array(further.lower), waived]),
            upper=np.concatenate([self._open(), np.ones(self.blocks), np.array(further.upper), waived + INFINITY]),
            integer=np.concatenate([self.whole, waived > 0]),
            row_lower=np.array([row.lower for row in rows]),
            row_upper=np.array([row.upper for row in rows]),
            matrix=triplets.joined(),
            rows=tuple(rows),
        )

    def _open(self) -> Floats:
        """Return upper bounds of the orders: zero where no future of the node delivers any of it."""
        at, ensemble = self.columns, self.ensemble
        known = np.zeros(self.orders, dtype=bool)
        for t in range(ensemble.quarters):
            for node in range(int(ensemble.node[:, t].max()) + 1):
                here = (at.quarter == t) & (at.node == node)
                futures = np.flatnonzero(ensemble.node[:, t] == node)
                known[here] = (ensemble.share[futures][:, at.option[here], t] > 0).any(axis=0)
        return np.where(known, INFINITY, 0.0)

    def _paths_at(self, quarter: int) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Yield each node of a quarter with the order columns on the path to it."""
        for g, n in enumerate(self.paths[quarter]):
            if n >= 0:
                yield g, self.path_to(quarter, g)

    def path_to(self, quarter: int, node: int) -> NDArray[np.bool_]:
        """Return the order columns on the path to a node of a quarter."""
        at, known = self.columns, self.ensemble.node[self.paths[quarter][node]]
        return np.asarray((at.quarter <= quarter) & (known[at.quarter] == at.node))

    def _rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        """Yield each row with its columns, coefficients and price of missing it (0: it may not be missed)."""
        yield from self._budget_rows()
        yield from self._supply_rows()
        yield from self._power_rows()
        yield from self._block_rows()
        yield from self._sourcing_rows()
        yield from loan_rows(self)
        yield from answer_rows(self)

    def _budget_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        instance, at = self.instance, self.columns
        for b, budget in enumerate(instance.budgets):
            own = instance.rate[budget.currency]
            terms = (np.where(at.budget == b, at.cost, 0.0) + self.running_paid(b, at.option, at.first, at.end)) / own
            used = terms > 0
            more = self.further.budget.get(b, [])
            if not used.any() and not more:
                continue
            limit, unit = budget.limit / MONEY, f"m {budget.currency}"
            last = max([int(at.quarter[used].max(initial=0)), *(self.further.quarter[e] for e, _ in more)])
            for g, path in self._paths_at(last):
                columns = np.flatnonzero(path & used)
                values = terms[columns]
                also, amounts = self._also(more, last, g)
                row = Row("budget", f"budget {budget.name}", (b, g), -INFINITY, limit, unit)
                yield row, np.concatenate([columns, also]), np.concatenate([values, amounts]), 0.0
                if budget.at_least > 0:
                    group = f"spending of budget {budget.name}"
                    least = Row("budget-floor", group, (b, g), limit * budget.at_least, INFINITY, unit)
                    spent = [(e, value) for e, value in more if self.further.key[e][0] not in LENT]
                    also, amounts = self._also(spent, last, g)
                    columns, values = np.concatenate([columns, also]), np.concatenate([values, amounts])
                    yield least, columns, values, self._waiver(own, g, last)

    def running_paid(self, b: int, option: Integers, first: Integers, end: Integers) -> Floats:
        """Return what a budget pays for running units of options over quarters, plan's millions."""
        instance, total = self.instance, np.zeros(len(option))
        sites = np.array([item.site for item in instance.options])[option]
        for kind in ("energy", "hosting", "upkeep"):
            paid = np.zeros((len(instance.sites), len(instance.quarters) + 1))
            for s, t, what in instance.budgets[b].running:
                paid[s, t + 1] += what == kind
            cost = np.array([dict(item.running_by_kind)[kind] for item in instance.options]) / MONEY
            quarters = np.cumsum(paid, axis=1)
            total += cost[option] * (quarters[sites, end] - quarters[sites, first])
        return total

    def _also(self, terms: list[tuple[int, float]], last: int, node: int) -> tuple[Integers, Floats]:
        """Return the terms of further decisions that are on the path to a node, as columns and values."""
        if not terms:
            return np.zeros(0, np.int64), np.zeros(0)
        path = self.further.path(self.ensemble.node[self.paths[last][node]], last)
        kept: dict[int, float] = {}
        for e, value in terms:
            if path[e]:
                kept[self.further_at + e] = kept.get(self.further_at + e, 0.0) + value
        return np.array(list(kept), np.int64), np.array(list(kept.values()), float)

    def _waiver(self, unit: float, node: int, quarter: int) -> float:
        """Return the price of missing one unit of a limit on one path: by its probability."""
        if self.waiver is None:
            return 0.0
        here = self.ensemble.node[:, quarter] == node
        return self.waiver * unit * float(self.ensemble.probability[here].sum())

    def _supply_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        at, instance = self.columns, self.instance
        chips = np.array([float(option.chips) for option in instance.options])
        dearest = 1.0 / self.ensemble.price.min(axis=0)
        for j, supply in enumerate(instance.supply):
            member = np.isin(at.option, np.array(sorted(supply.options), dtype=np.int64))
            for t in range(len(instance.quarters)):
                arriving = member & (at.first == t)
                if not arriving.any():
                    continue
                more = [
                    (e, units * chips[k])
                    for e, k, when, units in self.further.arrives
                    if when == t and k in supply.options
                ]
                for g, path in self._paths_at(t):
                    columns = np.flatnonzero(path & arriving)
                    values = chips[at.option[columns]] * dearest[at.option[columns], at.quarter[columns]]
                    also, amounts = self._also(more, t, g)
                    columns, values = np.concatenate([columns, also]), np.concatenate([values, amounts])
                    row = Row("supply", f"supply of {supply.name}", (j, t, g), -INFINITY, supply.chips[t], "chips")
                    yield row, columns, values, 0.0

    def _power_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        at, instance = self.columns, self.instance
        site = np.array([option.site for option in instance.options])
        draws = np.array([option.watts * instance.sites[option.site].pue for option in instance.options]) / MONEY
        cheapest = 1.0 / self.ensemble.price.min(axis=0)
        for t in range(len(instance.quarters)):
            working = (at.first <= t) & (t < at.end)
            more = [
                (e, k, units * cheap * draws[k])
                for e, k, begin, end, units, cheap in self.further.machines
                if begin <= t < end
            ]
            for g, path in self._paths_at(t):
                for s, place in enumerate(instance.sites):
                    columns = np.flatnonzero(path & working & (site[at.option] == s))
                    also, amounts = self._also([(e, value) for e, k, value in more if site[k] == s], t, g)
                    if len(columns) or len(also):
                        values = draws[at.option[columns]] * cheapest[at.option[columns], at.quarter[columns]]
                        columns, values = np.concatenate([columns, also]), np.concatenate([values, amounts])
                        limit = place.power[t] / MONEY
                        yield (
                            Row("power", f"power at {place.name}", (s, t, g), -INFINITY, limit, "MW"),
                            columns,
                            values,
                            0.0,
                        )

    @cached_property
    def lost(self) -> Floats:
        """Largest part of the machines of an option that may be missing in a quarter, of shape (N, K, T).

        One minus the worst delivery among the orders that could stand by then; a site short of power counts as well.
        """
        ensemble, instance = self.ensemble, self.instance
        quarters = ensemble.quarters
        legal = np.array([option.legal for option in instance.options], dtype=bool)
        wanting = np.where(ensemble.delay > 0, 1.0, 1.0 - np.minimum(1.0, ensemble.delivered))
        wanting = np.where(legal[None], wanting, 0.0)
        worst = np.zeros((len(ensemble), len(instance.options), quarters))
        for k, option in enumerate(instance.options):
            for q in range(quarters):
                placed = [t for t in range(quarters) if q in option.in_use(t, quarters)]
                if placed:
                    head = self.machines[k]
                    worst[:, head, q] = np.maximum(worst[:, head, q], wanting[:, k, placed].max(axis=1))
        planned = np.array([site.power for site in instance.sites])
        short = 1.0 - np.minimum(1.0, ensemble.power / np.maximum(planned, 1e-9))
        sites = np.array([option.site for option in instance.options], dtype=np.int64)
        return np.maximum(worst, np.where(planned[sites] > 0, short[:, sites], 0.0))

    def _block_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        """Yield one block a run, and the machines each needs where they are not all lost."""
        at, instance, ensemble = self.columns, self.instance, self.ensemble
        by_run: dict[int, list[int]] = {r: [] for r in range(len(instance.runs))}
        using: dict[tuple[int, int], list[int]] = {}
        for i, block in enumerate(instance.blocks):
            by_run[block.run].append(i)
            for t in range(block.start, block.start + block.quarters):
                using.setdefault((block.option, t), []).append(i)
        for r, blocks in by_run.items():
            columns = self.orders + np.array(blocks, dtype=np.int64)
            must = float(instance.runs[r].must)
            row = Row("run", f"training run {instance.runs[r].name}", (r,), must, 1.0, "runs")
            yield row, columns, np.ones(len(columns)), 0.0
        for (k, t), blocks in sorted(using.items()):
            working = (self.machines[at.option] == k) & (at.first <= t) & (t < at.end)
            needed = np.array([float(instance.blocks[i].units) for i in blocks])
            more = [
                (e, -units)
                for e, o, begin, end, units, _ in self.further.machines
                if self.machines[o] == k and begin <= t < end
            ]
            for g, path in self._paths_at(t):
                futures = np.flatnonzero(ensemble.node[:, t] == g)
                if self.lost[futures, k, t].min() >= 1.0:
                    continue
                have = np.flatnonzero(path & working)
                also, amounts = self._also(more, t, g)
                columns = np.concatenate([have, self.orders + np.array(blocks, dtype=np.int64), also])
                values = np.concatenate([-np.ones(len(have)), needed, amounts])
                yield Row("capacity", "machines for training", (k, t, g), -INFINITY, 0.0, "units"), columns, values, 0.0

    def _sourcing_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        at, instance = self.columns, self.instance
        for j, rule in enumerate(instance.sourcing):
            over = np.zeros((len(instance.options), len(instance.budgets)), dtype=bool)
            for k, b in rule.over:
                over[k, b] = True
            member = over[at.option, at.budget]
            if not member.any():
                continue
            pairs = list(zip(at.option.tolist(), at.quarter.tolist(), strict=True))
            weighed = {(k, t): instance.weight_in_base(rule, k, t) for k, t in set(pairs)}
            weight = np.array([weighed[pair] for pair in pairs])
            counted = np.isin(at.option, np.array(sorted(rule.counted), dtype=np.int64))
            scale = base_scale(rule.base)
            slack = float(weight[member].min()) / scale if rule.kind == "exact" else 0.0
            unit = {"chips": "chips", "compute": "PFLOP/s"}.get(rule.base, f"m {instance.currency}")
            further = self.further.sourcing.get(j, [])
            more = [(e, size * (own - rule.share) / scale) for e, size, own in further]
            last = max([int(at.quarter[member].max()), *(self.further.quarter[e] for e, _ in more)])
            for g, path in self._paths_at(last):
                columns = np.flatnonzero(path & member)
                values = weight[columns] * (counted[columns] - rule.share) / scale
                also, amounts = self._also(more, last, g)
                columns, values = np.concatenate([columns, also]), np.concatenate([values, amounts])
                price = self._waiver(1.0, g, last) if rule.kind == "exact" else 0.0
                upper = slack if rule.kind == "exact" else INFINITY
                yield Row("sourcing", f"sourcing {rule.name}", (j, g), -slack, upper, unit), columns, values, price


def spread(alone: Decisions, x: Floats, decisions: Decisions) -> Floats:
    """Return the decisions of one future placed at every node of a tree, less what is known to be closed there.

    Of further decisions only those of loans are taken over: answers belong to the nodes they answer.
    """
    there, here = alone.columns, decisions.columns
    units = {key: x[j] for j, key in enumerate(zip(there.option, there.quarter, there.budget, strict=True))}
    found = np.zeros(decisions.size)
    found[: len(here)] = [units[key] for key in zip(here.option, here.quarter, here.budget, strict=True)]
    found[decisions.training] = x[alone.training]
    drawn = {key[:3]: x[alone.further_at + e] for e, key in enumerate(alone.further.key)}
    for e, key in enumerate(decisions.further.key):
        if key[0] in LENT:
            found[decisions.further_at + e] = drawn.get(key[:3], 0.0)
    return np.minimum(found, decisions.program.upper[: decisions.size])
