"""The master of the decomposition: decisions, and a bound on what each cluster of futures adds, held by cuts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outlay.planning.futures.cuts import Cuts
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Floats
from outlay.planning.futures.program import Answer, Program, load, quiet_highs, run
from outlay.planning.futures.risk import Risk
from outlay.planning.linear import INFINITY

IDLE = 6
"""Rounds a cut may be slack before it is dropped."""
SMALL = 1e-9
MOST_NODES = 2000
BLOCK_NODES = 200
"""Of one search for whole units, or for blocks; counted, not timed: the same input gives the same plan."""


class Master:
    """Maximise ``weight * e + sum of bounds`` over the first stage, each bound under its cuts.

    Columns: those of the first stage, ``e`` the quantile of the conditional value at risk, one bound a cluster.
    """

    def __init__(
        self, decisions: Decisions, clusters: int, risk: Risk, most: Floats, e_range: tuple[float, float]
    ) -> None:
        first = decisions.program
        self.decided, self.training, self.units = decisions.size, decisions.training, decisions.whole
        self.first, self.risk, self.clusters, self.blocks = first, risk, clusters, decisions.blocks
        self.lower, self.upper = first.lower[: self.decided].copy(), first.upper[: self.decided].copy()
        cost = first.cost.copy()
        cost[: self.decided] = 0.0  # the cash of each future is in the cuts
        quantile = e_range if risk.weight else (0.0, 0.0)
        self.program = Program(
            cost=np.concatenate([cost, [risk.weight], np.ones(clusters)]),
            lower=np.concatenate([first.lower, [quantile[0]], np.full(clusters, -INFINITY)]),
            upper=np.concatenate([first.upper, [quantile[1]], most]),
            integer=np.concatenate([first.integer, np.zeros(clusters + 1, dtype=bool)]),
            row_lower=first.row_lower,
            row_upper=first.row_upper,
            matrix=first.matrix,
        )
        self.quantile_at = len(first.cost)
        self.bound_at = self.quantile_at + 1
        self.highs = quiet_highs(presolve="off", solver="simplex")
        load(self.highs, self.program, relaxed=True)
        self.rows0 = len(first.row_lower)
        self.idle: NDArray[np.int64] = np.zeros(0, np.int64)
        self.summed: list[tuple[float, Floats, float]] = []
        self.kept: list[tuple[Floats, Floats, Floats]] = []
        self.reduced = np.zeros(len(self.program.cost))

    def add(self, cuts: list[Cuts]) -> None:
        """Add one cut a cluster."""
        constant = np.concatenate([part.constant for part in cuts])
        slope = np.vstack([part.slope for part in cuts])
        quantile = np.concatenate([part.quantile for part in cuts])
        slope = np.where(np.abs(slope) > SMALL, slope, 0.0)
        if self.blocks:
            self.summed.append((float(constant.sum()), slope.sum(axis=0), float(quantile.sum())))
            self.kept.append((constant, slope, quantile))
        row, column = np.nonzero(slope)
        columns = np.arange(self.clusters)
        rows = np.concatenate([row, columns, columns])
        at = np.concatenate([column, np.full(self.clusters, self.quantile_at), self.bound_at + columns])
        values = np.concatenate([-slope[row, column], -quantile, np.ones(self.clusters)])
        keep = values != 0.0
        rows, at, values = rows[keep], at[keep], values[keep]
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], columns).astype(np.int32)
        self.highs.addRows(
            self.clusters,
            np.full(self.clusters, -INFINITY),
            constant,
            len(values),
            starts,
            at[order].astype(np.int32),
            values[order],
        )
        self.idle = np.concatenate([self.idle, np.zeros(self.clusters, np.int64)])

    def box(self, center: Floats | None, radius: Floats | float = 0.0) -> None:
        """Hold the decisions within ``radius`` of a center; ``None`` lets them go."""
        lower, upper = self.lower, self.upper
        if center is not None:
            lower = np.maximum(lower, np.floor(center - radius))
            upper = np.minimum(upper, np.ceil(center + radius))
        self.highs.changeColsBounds(self.decided, np.arange(self.decided, dtype=np.int32), lower, upper)

    def solve(self) -> Answer:
        """Solve the relaxation within the box; ages the cuts."""
        found = run(self.highs, integers=False)
        if found.status == "optimal":
            self.reduced = np.asarray(self.highs.getSolution().col_dual)
            activity = np.asarray(self.highs.getSolution().row_dual)[self.rows0 :]
            self.idle = np.where(np.abs(activity) > SMALL, 0, self.idle + 1)
        return found

    def weigh(self) -> None:
        """Keep the cuts weighted with their duals at the relaxation just solved."""
        dual = np.asarray(self.highs.getSolution().row_dual)[self.rows0 :]
        constant = np.concatenate([part[0] for part in self.kept])
        slope = np.vstack([part[1] for part in self.kept])
        quantile = np.concatenate([part[2] for part in self.kept])
        self.summed.append((float(dual @ constant), dual @ slope, float(dual @ quantile)))

    def drop(self) -> None:
        """Drop the cuts that have been slack for long."""
        old = np.flatnonzero(self.idle > IDLE)
        if self.blocks:
            return  # their sums are wanted when the blocks are chosen
        if len(old) > self.clusters:
            self.highs.deleteRows(len(old), (self.rows0 + old).astype(np.int32))
            self.idle = np.delete(self.idle, old)

    def whole(self, center: Floats, radius: float | None, gap: float, slack: float) -> Answer:
        """Solve with whole units near a relaxed point.

        Parameters
        ----------
        radius
            Units by which a decision may leave the relaxed one once rounded, where the relaxed one is not zero;
            ``None`` lets all go, but for those that reduced costs prove to cost more than ``slack`` (Nemhauser and
            Wolsey, Integer and Combinatorial Optimization, 1988, section II.5.2).
        slack
            Bound less the best plan so far, millions.
        """
        lower, upper = self.lower.copy(), self.upper.copy()
        if radius is None:
            cost = -self.reduced[: self.decided]
            at_zero = (center <= SMALL) & (cost > SMALL)
            most = np.floor(slack / np.where(at_zero, cost, 1.0) + 1e-6)
            upper = np.where(at_zero, np.minimum(upper, lower + most), upper)
        else:
            free = np.where(center > SMALL, radius, 0.0)
            lower = np.where(self.units, np.maximum(lower, np.floor(center - free + 1e-6)), lower)
            upper = np.where(self.units, np.minimum(upper, np.ceil(center + free - 1e-6)), upper)
        return self._search(lower, np.maximum(lower, upper), self.units, gap)

    def choose_blocks(self, gap: float) -> Answer:
        """Solve with whole training blocks and divisible units: a bound for whole units too, and a close one.

        The cuts enter summed over the clusters, round by round, and once more weighted with their duals at the
        relaxation's optimum, which alone gives its bound: tens of rows where all cuts are thousands.
        """
        first, count = self.program, len(self.summed)
        slopes = np.array([slope for _, slope, _ in self.summed])
        kept = self.bound_at
        row, column, value = first.matrix
        at_row, at_column = np.nonzero(slopes)
        rows = np.concatenate([row, self.rows0 + at_row, self.rows0 + np.arange(count), self.rows0 + np.arange(count)])
        columns = np.concatenate([column, at_column, np.full(count, self.quantile_at), np.full(count, kept)])
        quantile = np.array([part for _, _, part in self.summed])
        values = np.concatenate([value, -slopes[at_row, at_column], -quantile, np.ones(count)])
        whole = np.zeros(kept + 1, dtype=bool)
        whole[self.training] = True
        program = Program(
            cost=np.concatenate([first.cost[:kept], [1.0]]),
            lower=np.concatenate([self.lower, first.lower[self.decided : kept], [-INFINITY]]),
            upper=np.concatenate([self.upper, first.upper[self.decided : kept], [INFINITY]]),
            integer=whole,
            row_lower=np.concatenate([first.row_lower, np.full(count, -INFINITY)]),
            row_upper=np.concatenate([first.row_upper, np.array([constant for constant, _, _ in self.summed])]),
            matrix=(rows, columns, values),
        )
        solver = quiet_highs(mip_rel_gap=gap, mip_max_nodes=BLOCK_NODES, mip_feasibility_tolerance=1e-9)
        load(solver, program)
        return run(solver, integers=True)

    def hold_blocks(self, chosen: Floats) -> bool:
        """Hold the training blocks at what was chosen from here on; returns whether orders can carry them."""
        self.lower[self.training] = self.upper[self.training] = chosen
        self.box(None)
        return run(self.highs, integers=False).status == "optimal"

    def free_blocks(self) -> None:
        """Let the training blocks go again."""
        self.lower[self.training] = self.first.lower[self.training]
        self.upper[self.training] = self.first.upper[self.training]

    def _search(self, lower: Floats, upper: Floats, whole: NDArray[np.bool_], gap: float) -> Answer:
        import highspy

        solver = quiet_highs(mip_rel_gap=gap, mip_max_nodes=MOST_NODES, mip_feasibility_tolerance=1e-9)
        solver.passModel(self.highs.getLp())
        solver.changeColsBounds(self.decided, np.arange(self.decided, dtype=np.int32), lower, upper)
        columns = np.flatnonzero(whole).astype(np.int32)
        kinds = np.full(len(columns), int(highspy.HighsVarType.kInteger), dtype=np.uint8)
        solver.changeColsIntegrality(len(columns), columns, kinds)
        return run(solver, integers=True)

    def decisions_of(self, found: Answer) -> tuple[Floats, float]:
        """Return the decisions and the quantile of an answer."""
        return found.values[: self.decided], float(found.values[self.quantile_at])
