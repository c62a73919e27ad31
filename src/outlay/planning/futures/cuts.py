"""One task of the decomposition: the recourse of a chunk of futures at given decisions, told as values and cuts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Floats, Integers
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.risk import Risk
from outlay.planning.futures.subproblems import Subproblems


@dataclass(frozen=True)
class Cuts:
    """What one chunk answers.

    Attributes
    ----------
    value
        Of shape (N,): value of each future of the chunk, its cash included, millions.
    constant, slope, quantile
        By cluster of futures: its part of the objective is at most ``constant + slope . x + quantile * e``, with ``e``
        the quantile of the conditional value at risk.
    """

    value: Floats
    constant: Floats
    slope: Floats
    quantile: Floats


class Chunk:
    """Answers for some futures; holds solver objects, so it lives where it is used.

    Parameters
    ----------
    clusters
        Future indices of each cluster; one cut is made of each.
    offset
        Of shape (futures of the ensemble,): what the value of each future is measured from, zero unless regret counts.
    """

    def __init__(self, decisions: Decisions, clusters: list[Integers], risk: Risk, offset: Floats) -> None:
        futures = np.concatenate(clusters)
        self.decisions, self.risk = decisions, risk
        self.sizes = [len(cluster) for cluster in clusters]
        self.offset = offset[futures]
        self.probability = decisions.ensemble.probability[futures]
        self.recourse = Recourse(decisions, futures)
        self.subproblems = Subproblems(self.recourse)
        self.cash = decisions.cash(futures)

    def answer(self, x: Floats, quantile: float) -> Cuts:
        """Solve the recourse at the decisions ``x`` and cut there."""
        found = self.subproblems.answer(x)
        constant, gradient = self.recourse.slopes(found.duals)
        value = found.value + self.cash @ x
        gradient += self.cash
        gains = value - self.offset
        tail = self.risk.weight / (1 - self.risk.level) * (gains < quantile)
        weight = self.probability * (1 - self.risk.weight + tail)
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)
        return Cuts(
            value=value,
            constant=np.add.reduceat(weight * (constant - self.offset), starts),
            slope=np.add.reduceat(weight[:, None] * gradient, starts, axis=0),
            quantile=-np.add.reduceat(self.probability * tail, starts),
        )


def clusters_of(count: int, most: int) -> list[Integers]:
    """Deal the futures out to at most ``most`` clusters, of neighbours, evenly."""
    return [part.astype(np.int64) for part in np.array_split(np.arange(count), min(count, most))]
