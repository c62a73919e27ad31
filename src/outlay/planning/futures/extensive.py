"""All futures in one programme: exact, the referee of the decomposition, and the fastest way while they are few."""

from __future__ import annotations

import numpy as np

from outlay.planning.futures.ensemble import Floats, Integers
from outlay.planning.futures.program import Program, Triplets
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.risk import Risk
from outlay.planning.linear import INFINITY


def assemble(recourse: Recourse, risk: Risk) -> Program:
    """Return the extensive form: decisions, then the columns of each (quarter, future), then those of the risk.

    The objective is ``(1 - w) E[V] + w CVaR(V)`` over the value of each future, CVaR after Rockafellar and Uryasev,
    Optimization of conditional value-at-risk, J. Risk 2 (2000), theorem 1, for gains: ``max e - E[(e - V)+] / (1 -
    a)``.
    """
    first = recourse.decisions.program
    ensemble, futures = recourse.ensemble, recourse.futures
    count, decided = len(futures), recourse.decisions.size
    triplets = Triplets()
    triplets.add(*first.matrix)
    cost, upper = [first.cost.copy()], [first.upper]
    row_lower, row_upper = [first.row_lower], [first.row_upper]
    row0, column0 = len(first.row_lower), len(first.cost)
    empty = recourse.right_hand_sides(np.zeros(decided))
    probability = ensemble.probability[futures]
    places: list[tuple[int, int]] = []
    services = len(recourse.instance.services)
    for t, quarter in enumerate(recourse.quarters):
        row, column, value = quarter.matrix
        shift_row = row0 + np.arange(count)[:, None] * quarter.rows
        shift_column = column0 + np.arange(count)[:, None] * len(quarter.cost)
        triplets.add((shift_row + row).ravel(), (shift_column + column).ravel(), np.tile(value, count))
        equal = np.zeros(quarter.rows, dtype=bool)
        equal[recourse.pools : recourse.pools + services] = True
        row_lower.append(np.where(equal, empty[t], -INFINITY).ravel())
        row_upper.append(empty[t].ravel())
        cost.append(((1 - risk.weight) * probability[:, None] * quarter.cost).ravel())
        upper.append(np.full(count * len(quarter.cost), INFINITY))
        _link(recourse, t, row0, triplets)
        places.append((row0, column0))
        row0 += count * quarter.rows
        column0 += count * len(quarter.cost)
    if risk.weight:
        cost[0] = cost[0].copy()
        cost[0][:decided] -= risk.weight * (probability @ recourse.decisions.cash(futures))
        _tail(recourse, risk, places, row0, column0, triplets)
        cost.append(np.concatenate([[risk.weight], -risk.weight / (1 - risk.level) * probability]))
        upper.append(np.full(count + 1, INFINITY))
        row_lower.append(np.full(count, -INFINITY))
        row_upper.append(np.zeros(count))
    total = np.concatenate(cost)
    lower = np.zeros(len(total))
    lower[: len(first.lower)] = first.lower
    if risk.weight:
        lower[column0] = -INFINITY
    integer = np.zeros(len(total), dtype=bool)
    integer[: len(first.integer)] = first.integer
    return Program(
        total,
        lower,
        np.concatenate(upper),
        integer,
        np.concatenate(row_lower),
        np.concatenate(row_upper),
        triplets.joined(),
        first.rows,
    )


def _link(recourse: Recourse, t: int, row0: int, triplets: Triplets) -> None:
    """Subtract from each (future, quarter)'s rows what the decisions put on their right-hand sides."""
    decisions, ensemble, futures = recourse.decisions, recourse.ensemble, recourse.futures
    at, quarter = decisions.columns, recourse.quarters[t]
    services, sites = len(recourse.instance.services), len(recourse.short_sites)
    begin = at.first + ensemble.delay[futures][:, at.option, at.quarter]
    standing = decisions.active(futures) & (begin <= t) & (t < begin + decisions.term[at.option])
    n, j = np.nonzero(standing)
    delivered = (ensemble.share[futures] / ensemble.price[futures])[n, at.option[j], at.quarter[j]]
    triplets.add(row0 + n * quarter.rows + recourse.pool[at.option[j]], j, -delivered)
    more = recourse.effects
    if more is not None:
        n, e = np.nonzero((more.begin <= t) & (t < more.end) & (more.units != 0))
        row = row0 + n * quarter.rows + recourse.pool[more.option[e]]
        _add_summed(triplets, row, decisions.further_at + more.column[e], -more.units[n, e])
    rows = row0 + np.arange(len(futures)) * quarter.rows
    for i in quarter.working:
        block = recourse.instance.blocks[i]
        column = decisions.orders + i
        triplets.add(rows + recourse.pool[block.option], column, float(block.units))
        for s in np.flatnonzero(recourse.short_sites == recourse.instance.options[block.option].site):
            draw = block.units * recourse.draws[block.option]
            triplets.add(rows + recourse.pools + services + s, column, draw)
    for m, group in enumerate(quarter.blocks):
        for i in group:
            block = recourse.instance.blocks[i]
            lost = decisions.lost[futures, block.option, t]
            triplets.add(rows + recourse.pools + services + sites + m, decisions.orders + i, -block.units * lost)


def _add_summed(triplets: Triplets, row: Integers, column: Integers, value: Floats) -> None:
    """Add coefficients, those of one row and column summed: a move may touch one pool twice."""
    pairs, place = np.unique(np.stack([row, column]), axis=1, return_inverse=True)
    triplets.add(pairs[0], pairs[1], np.bincount(place.ravel(), weights=value, minlength=pairs.shape[1]))


def _tail(
    recourse: Recourse, risk: Risk, places: list[tuple[int, int]], row0: int, column0: int, triplets: Triplets
) -> None:
    """Add ``e - V[n] - s[n] <= 0``, V the value of a future and s its shortfall below the quantile e."""
    futures = recourse.futures
    count = len(futures)
    cash = recourse.decisions.cash(futures)
    rows = row0 + np.arange(count)
    triplets.add(rows, column0, 1.0)
    triplets.add(rows, column0 + 1 + np.arange(count), -1.0)
    n, j = np.nonzero(cash)
    triplets.add(row0 + n, j, -cash[n, j])
    for quarter, (_, start) in zip(recourse.quarters, places, strict=True):
        wide = len(quarter.cost)
        columns = start + np.arange(count * wide)
        triplets.add(np.repeat(rows, wide), columns, np.tile(-quarter.cost, count))
