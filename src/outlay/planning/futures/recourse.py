"""What is decided once a future is known: who works for whom, quarter by quarter, as one small linear programme each.

Given the orders, no limit links two quarters of one future, so recourse falls apart into (future, quarter) programmes
of a few dozen rows that differ in their right-hand sides alone. Machines that serve every workload alike are pooled,
since a workload does not see which site of its region serves it: exact, and several times fewer columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Ensemble, Floats, Integers
from outlay.planning.futures.further import Effects, effects
from outlay.planning.futures.program import Program, Triplets
from outlay.planning.instance import MONEY, Instance
from outlay.planning.linear import INFINITY

TOLERANCE = 1e-5
"""Part of a limit, or of one machine, by which a master's point may exceed it: its rows hold to 1e-6 each, and what is
left here adds up several."""
ELASTIC = 20.0
"""What must be served or trained and cannot be costs this many times its machines, in the least likely future."""


@dataclass(frozen=True)
class Quarter:
    """The programme of one quarter: maximise ``cost . y``, ``A y <= b`` (equal in the demand rows), ``y >= 0``.

    Rows: machines by pool, demand by service, power by site short of it, missing machines by training block.

    Attributes
    ----------
    serve
        (service, pool) of the first columns; then one unmet column a service, one missing column a block.
    blocks
        Training blocks at work in the quarter whose machines may be missing, by missing column: one each, or several
        where they are counted together.
    working
        Every training block at work in the quarter.
    """

    cost: Floats
    matrix: tuple[Integers, Integers, Floats]
    rows: int
    serve: NDArray[np.int64]
    blocks: list[Integers]
    working: Integers


class Recourse:
    """The programmes of all quarters and how their right-hand sides follow from the decisions.

    Parameters
    ----------
    futures
        Which futures of the ensemble this object answers for.
    pooled
        Whether machines that serve alike share a row; off, each option has its own (for comparison).
    together
        Count what blocks on one option may miss together, at the least price of any: a relaxation, so a bound, with a
        tenth of the columns where there are many blocks.
    """

    def __init__(
        self,
        decisions: Decisions,
        futures: Integers | None = None,
        *,
        pooled: bool = True,
        together: bool = False,
    ) -> None:
        self.decisions = decisions
        self.instance: Instance = decisions.instance
        every = np.arange(len(decisions.ensemble))
        self.futures = every if futures is None else np.asarray(futures, dtype=np.int64)
        self.ensemble: Ensemble = decisions.ensemble
        planned = np.array([site.power for site in self.instance.sites])
        self.short_sites = np.flatnonzero((self.ensemble.power < planned * (1 - 1e-12)).any(axis=(0, 2)))
        self.pool = self._pools(pooled)
        self.pools = int(self.pool.max()) + 1 if len(self.pool) else 0
        self.draws = np.array(
            [option.watts * self.instance.sites[option.site].pue / MONEY for option in self.instance.options]
        )
        self.together = together
        self.quarters = [self._quarter(t) for t in range(self.ensemble.quarters)]

    def _pools(self, pooled: bool) -> Integers:
        """Return a number for each option, the same for those that serve alike and may be counted together."""
        training = {block.option for block in self.instance.blocks}
        short = set(self.short_sites.tolist())
        seen: dict[object, int] = {}
        numbers = []
        for k, option in enumerate(self.instance.options):
            head = int(self.decisions.machines[k])  # contracts for one machine serve alike
            rates = tuple(service.rates.get(head, 0.0) for service in self.instance.services)
            alone = not pooled or head in training or option.site in short
            numbers.append(seen.setdefault(head if alone else (option.system, rates), len(seen)))
        return np.array(numbers, dtype=np.int64)

    @cached_property
    def effects(self) -> Effects | None:
        """Machines that further decisions put up or take away."""
        return effects(self.decisions.further, self.ensemble.node[self.futures], self.futures)

    @cached_property
    def elastic(self) -> float:
        """What must be done and is not, over the price of its machines.

        The expected price of missing it must outweigh the machines that would do it, however unlikely the future.
        """
        probability = self.ensemble.probability
        return ELASTIC / float(probability[probability > 0].min())

    @cached_property
    def rates(self) -> Floats:
        """Peak tokens/s of one unit in millions, of shape (services, pools); zero where it cannot serve."""
        found = np.zeros((len(self.instance.services), self.pools))
        for w, service in enumerate(self.instance.services):
            for k, rate in service.rates.items():
                found[w, self.pool[k]] = rate / MONEY
        return found

    def _quarter(self, t: int) -> Quarter:
        instance, money = self.instance, self.instance.objective == "value"
        seconds = instance.seconds(t) * instance.discount_factor(t)
        peak = np.array([service.peak_factor for service in instance.services])
        price = np.array([service.price if money else 0.0 for service in instance.services])
        serve = np.argwhere(self.rates > 0)
        working = np.array(
            [i for i, block in enumerate(instance.blocks) if block.start <= t < block.start + block.quarters], np.int64
        )
        option = np.array([instance.blocks[i].option for i in working], dtype=np.int64)
        may_miss = self.decisions.lost[:, option, t].max(axis=0, initial=0.0) > 0 if len(working) else np.zeros(0, bool)
        blocks = self._missing(working[may_miss], option[may_miss])
        services, pools, sites = len(instance.services), self.pools, len(self.short_sites)
        unmet0, missing0 = len(serve), len(serve) + services
        triplets = Triplets()
        columns = np.arange(len(serve))
        rates = self.rates[serve[:, 0], serve[:, 1]]
        triplets.add(serve[:, 1], columns, 1.0)
        triplets.add(pools + serve[:, 0], columns, rates)
        triplets.add(pools + np.arange(services), unmet0 + np.arange(services), 1.0)
        site = np.array([item.site for item in instance.options], dtype=np.int64)
        alone = {int(self.pool[k]): k for k in range(len(instance.options))}
        for s, place in enumerate(self.short_sites):
            for c, (_, pool) in enumerate(serve):
                if site[alone[int(pool)]] == place:
                    triplets.add(pools + services + s, c, self.draws[alone[int(pool)]])
        for m, group in enumerate(blocks):
            k = instance.blocks[group[0]].option
            triplets.add(self.pool[k], missing0 + m, -1.0)
            triplets.add(pools + services + sites + m, missing0 + m, 1.0)
            at_site = np.flatnonzero(self.short_sites == site[k])
            triplets.add(pools + services + at_site, missing0 + m, -self.draws[k])
        worth = price[serve[:, 0]] * seconds / peak[serve[:, 0]] * rates
        penalty = np.array([self._penalty(w) for w in range(services)]) * seconds / peak
        lost = np.array([min(self._unit_quarter(int(i)) for i in group) for group in blocks])
        return Quarter(
            cost=np.concatenate([worth, -penalty, -lost]),
            matrix=triplets.joined(),
            rows=pools + services + sites + len(blocks),
            serve=serve,
            blocks=blocks,
            working=working,
        )

    def _missing(self, blocks: Integers, option: Integers) -> list[Integers]:
        """Return the blocks behind each missing column."""
        if not self.together:
            return [np.array([i]) for i in blocks]
        return [blocks[option == k] for k in np.unique(option)]

    def _penalty(self, w: int) -> float:
        service = self.instance.services[w]
        if service.penalty is not None or self.instance.objective == "value":
            return service.penalty or 0.0
        dearest = max(
            (
                self.instance.options[k].price * self.instance.rate[self.instance.options[k].currency] / rate
                for k, rate in service.rates.items()
            ),
            default=1.0,
        )
        return self.elastic * dearest / self.instance.seconds(0)

    def _unit_quarter(self, i: int) -> float:
        """Return what a training block loses per missing unit and quarter: its worth, spread evenly over its work."""
        block = self.instance.blocks[i]
        worth = self.decisions.block_worth[i]
        if self.instance.runs[block.run].must:
            option = self.instance.options[block.option]
            price = option.price * self.instance.rate[option.currency] / MONEY
            return self.elastic * max(price / block.quarters, self._most_earned)
        return float(worth / (block.units * block.quarters))

    @cached_property
    def _most_earned(self) -> float:
        """What a unit may add to the objective by serving for a quarter, penalties it spares included, millions."""
        quarter = max(self.instance.seconds(t) for t in range(self.ensemble.quarters))
        return max(
            (
                (service.price * (self.instance.objective == "value") + (service.penalty or 0.0))
                * rate
                / MONEY
                * quarter
                / service.peak_factor
                for service in self.instance.services
                for rate in service.rates.values()
            ),
            default=0.0,
        )

    def stock(self, x: Floats) -> Floats:
        """Return units standing by future, option and quarter, of shape (N, K, T), from the decisions ``x``."""
        at, ensemble, futures = self.decisions.columns, self.ensemble, self.futures
        options, quarters = len(self.instance.options), ensemble.quarters
        node = ensemble.node[futures]
        arrivals = np.zeros((len(futures), options, quarters + 1))
        delivered = ensemble.share[futures] / ensemble.price[futures]
        late = ensemble.delay[futures]
        for t in range(quarters):
            here = np.flatnonzero(at.quarter == t)
            if not len(here):
                continue
            ordered = np.zeros((int(ensemble.node[:, t].max()) + 1, options))
            np.add.at(ordered, (at.node[here], at.option[here]), x[here])
            ks = np.flatnonzero(ordered.any(axis=0))
            units = ordered[node[:, t]][:, ks] * delivered[:, ks, t]
            for wait in np.unique(late[:, ks, t]):
                part = np.where(late[:, ks, t] == wait, units, 0.0)
                begin = np.minimum(quarters, t + self.decisions.lead[ks] + wait)
                end = np.minimum(quarters, begin + self.decisions.term[ks])
                arrivals[:, ks, begin] += part
                arrivals[:, ks, end] -= part
        more = self.effects
        if more is not None:
            amount = more.units * x[self.decisions.further_at + more.column]
            for e in np.flatnonzero(amount.any(axis=0)):
                rows = np.arange(len(futures))
                np.add.at(arrivals, (rows, more.option[e], more.begin[:, e]), amount[:, e])
                np.add.at(arrivals, (rows, more.option[e], more.end[:, e]), -amount[:, e])
        stock: Floats = np.cumsum(arrivals, axis=2)[:, :, :quarters]
        return stock

    def _by_pool(self, stock: Floats) -> Floats:
        """Sum stock over the options of each pool: (N, K, T) to (N, T, pools)."""
        order = np.argsort(self.pool, kind="stable")
        starts = np.searchsorted(self.pool[order], np.arange(self.pools))
        return np.asarray(np.add.reduceat(stock[:, order], starts, axis=1).transpose(0, 2, 1))

    def right_hand_sides(self, x: Floats) -> list[Floats]:
        """Return the right-hand sides of each quarter's rows, each of shape (N, rows)."""
        ensemble, n = self.ensemble, self.futures
        peak = np.array([service.peak_factor for service in self.instance.services])
        have = _met(self._by_pool(self.stock(x)))
        sides = []
        for t, quarter in enumerate(self.quarters):
            demand = ensemble.demand[n, :, t] * peak / MONEY
            supplied = ensemble.power[n][:, self.short_sites, t] / MONEY
            at_work, power = have[:, t].copy(), supplied.copy()
            for i in quarter.working:
                k, units = self._use(i, x)
                at_work[:, self.pool[k]] -= units
                power[:, self.short_sites == self.instance.options[k].site] -= self.draws[k] * units
            missing = np.zeros((len(n), len(quarter.blocks)))
            for m, group in enumerate(quarter.blocks):
                for i in group:
                    k, units = self._use(i, x)
                    missing[:, m] += units * self.decisions.lost[n, k, t]
            sides.append(np.hstack([_met(at_work, have[:, t]), demand, _met(power, supplied), missing]))
        return sides

    def _use(self, i: int, x: Floats) -> tuple[int, float]:
        block = self.instance.blocks[i]
        return block.option, block.units * float(x[self.decisions.orders + i])

    def slopes(self, duals: list[Floats]) -> tuple[Floats, Floats]:
        """Turn duals of every (future, quarter) into cuts: the recourse of future n is at most ``c[n] + G[n] . x``.

        Parameters
        ----------
        duals
            By quarter, each of shape (N, rows).

        Returns
        -------
        constants of shape (N,), gradients of shape (N, decisions)
        """
        at, ensemble, n = self.decisions.columns, self.ensemble, self.futures
        count, quarters = len(n), ensemble.quarters
        peak = np.array([service.peak_factor for service in self.instance.services])
        services, sites = len(peak), len(self.short_sites)
        worth = np.zeros((count, self.pools, quarters + 1))
        gradient = np.zeros((count, self.decisions.size))
        constant = np.zeros(count)
        for t, (quarter, y) in enumerate(zip(self.quarters, duals, strict=True)):
            worth[:, :, t + 1] = y[:, : self.pools]
            demand = y[:, self.pools : self.pools + services]
            power = y[:, self.pools + services : self.pools + services + sites]
            missing = y[:, self.pools + services + sites :]
            constant += np.einsum("nw,nw->n", demand, ensemble.demand[n, :, t] * peak / MONEY)
            constant += np.einsum("ns,ns->n", power, ensemble.power[n][:, self.short_sites, t] / MONEY)
            for i in quarter.working:
                block = self.instance.blocks[i]
                site = self.short_sites == self.instance.options[block.option].site
                slope = y[:, self.pool[block.option]] + self.draws[block.option] * power[:, site].sum(axis=1)
                gradient[:, self.decisions.orders + i] -= block.units * slope
            for m, group in enumerate(quarter.blocks):
                for i in group:
                    block = self.instance.blocks[i]
                    lost = self.decisions.lost[n, block.option, t]
                    gradient[:, self.decisions.orders + i] += block.units * lost * missing[:, m]
        summed = np.cumsum(worth, axis=2)
        rows = np.arange(count)[:, None]
        pool = self.pool[at.option]
        late = ensemble.delay[n][:, at.option, at.quarter]
        begin = np.minimum(quarters, at.first + late)
        end = np.minimum(quarters, begin + self.decisions.term[at.option])
        delivered = (ensemble.share[n] / ensemble.price[n])[:, at.option, at.quarter]
        value = (summed[rows, pool, end] - summed[rows, pool, begin]) * delivered
        gradient[:, : self.decisions.orders] = value * self.decisions.active(n)
        more = self.effects
        if more is not None:
            pools = self.pool[more.option]
            value = (summed[rows, pools, more.end] - summed[rows, pools, more.begin]) * more.units
            for e, column in enumerate(more.column):
                gradient[:, self.decisions.further_at + column] += value[:, e]
        return constant, gradient

    def quarter_program(self, t: int) -> Program:
        """Return one quarter's programme with right-hand sides of zero."""
        quarter = self.quarters[t]
        equal = np.zeros(quarter.rows, dtype=bool)
        equal[self.pools : self.pools + len(self.instance.services)] = True
        return Program(
            cost=quarter.cost,
            lower=np.zeros(len(quarter.cost)),
            upper=np.full(len(quarter.cost), INFINITY),
            integer=np.zeros(len(quarter.cost), dtype=bool),
            row_lower=np.where(equal, 0.0, -INFINITY),
            row_upper=np.zeros(quarter.rows),
            matrix=quarter.matrix,
        )


def _met(left: Floats, of: Floats | float = 0.0) -> Floats:
    """Return what is left ``of`` a limit, with what a decision may exceed it by to the solver's tolerance as nothing.

    A master's point meets its rows to a tolerance, which grows with what the row adds up; as a right-hand side below
    zero it would leave the recourse no answer. What is short by more stays short and is refused.
    """
    return np.where((left < 0) & (left > -TOLERANCE * np.maximum(1.0, of)), 0.0, left)
