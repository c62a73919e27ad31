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

from outlay.planning.futures.ensemble import Ensemble, Floats, Integers
from outlay.planning.futures.program import Program, Triplets
from outlay.planning.instance import MONEY, Instance
from outlay.planning.linear import INFINITY, Row
from outlay.planning.model import base_scale


@dataclass(frozen=True)
class Columns:
    """Order columns as arrays of shape (orders,), sorted by option, quarter, budget and node.

    Attributes
    ----------
    first, end
        First quarter of use and the one after the last, if nothing is late.
    spent
        Discounted price of a unit in the plan's currency, millions.
    salvage, running
        What it keeps at the end and what it costs to run, discounted, millions.
    """

    option: Integers
    quarter: Integers
    budget: Integers
    node: Integers
    first: Integers
    end: Integers
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
        self.columns = self._columns()
        self.orders = len(self.columns)
        self.blocks = len(instance.blocks)

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
        end = np.minimum(quarters, first + self.term[option])
        factor = np.array([instance.discount_factor(t) for t in range(quarters)])
        summed = np.concatenate([[0.0], np.cumsum(factor)])
        price = np.array([option.price * instance.rate[option.currency] for option in instance.options])
        lease = np.array([option.mode == "lease" for option in instance.options])
        running = np.array([option.running for option in instance.options])
        cost = price[option] * np.where(lease[option], end - first, 1) / MONEY
        years = (quarters - first) / 4
        kept = instance.salvage_per_year**years * (1 + instance.discount) ** (-quarters / 4)
        return Columns(
            option=option,
            quarter=quarter,
            budget=budget,
            node=node.astype(np.int64),
            first=first,
            end=end,
            spent=cost * factor[quarter],
            salvage=np.where(lease[option], 0.0, price[option] / MONEY * kept),
            running=running[option] / MONEY * (summed[end] - summed[first]),
        )

    def active(self, futures: slice | Integers = slice(None)) -> NDArray[np.bool_]:
        """Return which order columns are those of each future, of shape (futures, orders)."""
        return np.asarray(self.ensemble.node[futures][:, self.columns.quarter] == self.columns.node)

    def cash(self, futures: slice | Integers = slice(None)) -> Floats:
        """Return what one unit of each column adds to the objective of each future, without what it does for work.

        Of shape (futures, orders + blocks), in millions. Undelivered orders give back ``refund`` of their price.
        """
        instance, ensemble, at = self.instance, self.ensemble, self.columns
        value = instance.reserve_value if instance.objective == "value" else 1.0
        share = ensemble.share[futures][:, at.option, at.quarter]
        delivered = share / ensemble.price[futures][:, at.option, at.quarter]
        paid = at.spent * (1 - ensemble.refund + ensemble.refund * share)
        orders = (-value * paid + (at.salvage - at.running) * delivered) * self.active(futures)
        return np.hstack([orders, np.broadcast_to(self.block_worth, (len(orders), self.blocks))])

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

        Columns: orders, training blocks, then one per limit that may be waived.
        """
        triplets, rows = Triplets(), list[Row]()
        soft: list[tuple[int, float, float]] = []
        for row, columns, values, price in self._rows():
            triplets.add(len(rows), columns, values)
            if price:
                soft.append((len(rows), price, row.lower))
            rows.append(row)
        count = self.orders + self.blocks
        cost = np.concatenate([self.ensemble.probability @ self.cash(), np.zeros(2 * len(soft))])
        for s, (i, price, _) in enumerate(soft):
            triplets.add(np.full(2, i), np.array([count + 2 * s, count + 2 * s + 1]), np.array([1.0, -1.0]))
            cost[count + 2 * s : count + 2 * s + 2] = -price
        upper = np.concatenate([self._open(), np.ones(self.blocks), np.full(2 * len(soft), INFINITY)])
        whole = np.arange(len(cost)) < count
        return Program(
            cost=cost,
            lower=np.zeros(len(cost)),
            upper=upper,
            integer=whole,
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
        at, node = self.columns, self.ensemble.node
        for g, n in enumerate(self.paths[quarter]):
            if n >= 0:
                yield g, (at.quarter <= quarter) & (node[n, at.quarter] == at.node)

    def _rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        """Yield each row with its columns, coefficients and price of missing it (0: it may not be missed)."""
        yield from self._budget_rows()
        yield from self._supply_rows()
        yield from self._power_rows()
        yield from self._block_rows()
        yield from self._sourcing_rows()

    def _budget_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        instance, at = self.instance, self.columns
        options, quarters = instance.options, len(instance.quarters)
        price = np.array([option.price * instance.rate[option.currency] for option in options])
        lease = np.array([option.mode == "lease" for option in options])
        order_cost = price[at.option] * np.where(lease[at.option], at.end - at.first, 1) / MONEY
        sites = np.array([option.site for option in options])
        running = {
            "energy": np.array([option.running * option.energy_share for option in options]) / MONEY,
            "hosting": np.array([option.running * (1 - option.energy_share) for option in options]) / MONEY,
        }
        for b, budget in enumerate(instance.budgets):
            own = instance.rate[budget.currency]
            terms = np.where(at.budget == b, order_cost, 0.0)
            for kind, cost in running.items():
                paid = np.zeros((len(instance.sites), quarters + 1))
                for s, t, what in budget.running:
                    paid[s, t + 1] += what == kind
                quarters_paid = np.cumsum(paid, axis=1)
                site = sites[at.option]
                terms = terms + cost[at.option] * (quarters_paid[site, at.end] - quarters_paid[site, at.first])
            used = terms > 0
            if not used.any():
                continue
            limit, unit = budget.limit / MONEY, f"m {budget.currency}"
            for g, path in self._paths_at(int(at.quarter[used].max())):
                columns = np.flatnonzero(path & used)
                values = terms[columns] / own
                yield Row("budget", f"budget {budget.name}", (b, g), -INFINITY, limit, unit), columns, values, 0.0
                if budget.at_least > 0:
                    least = Row(
                        "budget-floor",
                        f"spending of budget {budget.name}",
                        (b, g),
                        limit * budget.at_least,
                        INFINITY,
                        unit,
                    )
                    yield least, columns, values, self._waiver(own, g, int(at.quarter[used].max()))

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
                for g, path in self._paths_at(t):
                    columns = np.flatnonzero(path & arriving)
                    values = chips[at.option[columns]] * dearest[at.option[columns], at.quarter[columns]]
                    row = Row("supply", f"supply of {supply.name}", (j, t, g), -INFINITY, supply.chips[t], "chips")
                    yield row, columns, values, 0.0

    def _power_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        at, instance = self.columns, self.instance
        site = np.array([option.site for option in instance.options])
        draws = np.array([option.watts * instance.sites[option.site].pue for option in instance.options]) / MONEY
        cheapest = 1.0 / self.ensemble.price.min(axis=0)
        for t in range(len(instance.quarters)):
            working = (at.first <= t) & (t < at.end)
            for g, path in self._paths_at(t):
                for s, place in enumerate(instance.sites):
                    columns = np.flatnonzero(path & working & (site[at.option] == s))
                    if len(columns):
                        values = draws[at.option[columns]] * cheapest[at.option[columns], at.quarter[columns]]
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
                    worst[:, k, q] = wanting[:, k, placed].max(axis=1)
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
            working = (at.option == k) & (at.first <= t) & (t < at.end)
            needed = np.array([float(instance.blocks[i].units) for i in blocks])
            for g, path in self._paths_at(t):
                futures = np.flatnonzero(ensemble.node[:, t] == g)
                if self.lost[futures, k, t].min() >= 1.0:
                    continue
                have = np.flatnonzero(path & working)
                columns = np.concatenate([have, self.orders + np.array(blocks, dtype=np.int64)])
                values = np.concatenate([-np.ones(len(have)), needed])
                yield Row("capacity", "machines for training", (k, t, g), -INFINITY, 0.0, "units"), columns, values, 0.0

    def _sourcing_rows(self) -> Iterator[tuple[Row, Integers, Floats, float]]:
        at, instance = self.columns, self.instance
        lease = np.array([option.mode == "lease" for option in instance.options])
        for j, rule in enumerate(instance.sourcing):
            over = np.zeros((len(instance.options), len(instance.budgets)), dtype=bool)
            for k, b in rule.over:
                over[k, b] = True
            member = over[at.option, at.budget]
            if not member.any():
                continue
            weight = np.array(rule.weight)[at.option]
            if rule.base.endswith("value"):
                weight = weight * np.where(lease[at.option], at.end - at.first, 1)
            counted = np.isin(at.option, np.array(sorted(rule.counted), dtype=np.int64))
            scale = base_scale(rule.base)
            slack = float(weight[member].min()) / scale if rule.kind == "exact" else 0.0
            unit = {"chips": "chips", "compute": "PFLOP/s"}.get(rule.base, f"m {instance.currency}")
            last = int(at.quarter[member].max())
            for g, path in self._paths_at(last):
                columns = np.flatnonzero(path & member)
                values = weight[columns] * (counted[columns] - rule.share) / scale
                price = self._waiver(1.0, g, last) if rule.kind == "exact" else 0.0
                upper = slack if rule.kind == "exact" else INFINITY
                yield Row("sourcing", f"sourcing {rule.name}", (j, g), -slack, upper, unit), columns, values, price


def spread(alone: Decisions, x: Floats, decisions: Decisions) -> Floats:
    """Return the decisions of one future placed at every node of a tree, less what is known to be closed there."""
    there, here = alone.columns, decisions.columns
    units = {key: x[j] for j, key in enumerate(zip(there.option, there.quarter, there.budget, strict=True))}
    found = np.zeros(decisions.orders + decisions.blocks)
    found[: len(here)] = [units[key] for key in zip(here.option, here.quarter, here.budget, strict=True)]
    found[len(here) :] = x[len(there) : len(there) + alone.blocks]
    return np.minimum(found, decisions.program.upper[: len(found)])
