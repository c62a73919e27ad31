"""Many futures by decomposition: cuts of each future's recourse under one master, with a proven gap.

The L-shaped method of Van Slyke and Wets (1969) with one cut a future (Birge and Louveaux 1988), stabilised by a trust
region (Linderoth and Wright, Decomposition algorithms for stochastic programming on a computational grid, 2003), and
finished over the whole units next to the relaxation's best point. Units are whole in the plan; the bound is that of the
relaxation with all its cuts, which holds for whole units too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from outlay.errors import InfeasibleError, SolverError
from outlay.planning.futures.cuts import Cuts, clusters_of
from outlay.planning.futures.decisions import Decisions, spread
from outlay.planning.futures.ensemble import Ensemble, Floats
from outlay.planning.futures.extensive import assemble
from outlay.planning.futures.master import Master
from outlay.planning.futures.program import Answer, Program, load, quiet_highs, run, solve
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.risk import Risk
from outlay.planning.futures.workers import Team

MOST_CUTS = 100
"""Cuts added a round: one a future up to here, one a cluster of neighbours beyond."""
CHUNKS = 8
"""Tasks a round. Fixed, so that the answer does not depend on the number of workers."""
SEEDS = 4
"""Futures planned with at once to find the first point."""
MOST_ROUNDS = 200
MOST_CHOICES = 4
FAR = 10.0
"""Gaps between value and bound beyond which a choice of training blocks that is no better ends the search."""
FEW_BLOCKS = 60
"""Training blocks up to which they are chosen once more together with whole units."""
MOST_COLUMNS = 120_000
"""Columns of all futures at once up to which the blocks are searched over them."""
WIDE_NODES = 40
"""Nodes of that search."""
RELAXED_PART = 0.4
"""Part of the gap asked for that the relaxation may use up."""
WHOLE_PART = 0.2
"""Part of it that a search for whole units may."""


@dataclass
class Progress:
    """What happened, round by round: best value and bound, in millions."""

    say: Callable[[str], None] = lambda _: None
    rounds: list[tuple[int, float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Decomposed:
    """A plan with its proof.

    Attributes
    ----------
    x
        Decisions: orders, then training blocks, whole.
    objective, bound
        Millions; the objective is exact, the bound proven.
    value
        Of each future, of shape (N,).
    """

    x: Floats
    objective: float
    bound: float
    value: Floats
    rounds: int
    cuts: int

    @property
    def gap(self) -> float:
        """Relative distance of the objective to the bound."""
        return max(0.0, self.bound - self.objective) / max(1e-9, abs(self.objective))


class Benders:
    """One run of the decomposition."""

    def __init__(
        self,
        decisions: Decisions,
        risk: Risk,
        team: Team,
        *,
        gap: float,
        offset: Floats | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.decisions, self.risk, self.team, self.gap = decisions, risk, team, gap
        self.ensemble: Ensemble = decisions.ensemble
        count = len(self.ensemble)
        self.offset = np.zeros(count) if offset is None else offset
        self.progress = progress or Progress()
        self.clusters = clusters_of(count, MOST_CUTS)
        self.chunks = [
            [self.clusters[c] for c in part]
            for part in np.array_split(np.arange(len(self.clusters)), CHUNKS)
            if len(part)
        ]
        self.round = 0
        self.cuts = 0
        self.best = -np.inf
        self.x = np.zeros(decisions.size)
        self.value = np.zeros(count)
        self.bound = np.inf
        self.reach = np.inf  # what the training blocks held can come to at most
        self.at_center = -np.inf
        self.center_value = self.value
        self.last_value = self.value

    def solve(self) -> Decomposed:
        """Return a plan within the gap, or the best found when the rounds end."""
        start = self._start()
        self.master = self._master(start)
        relaxed = self._relax(start)
        if self.decisions.blocks:
            relaxed = self._choose_blocks(relaxed)
        self.best = -np.inf  # only whole units count from here
        self._finish(relaxed)
        return Decomposed(self.x, self.best, self.bound, self.value, self.round, self.cuts)

    def relaxation(self) -> tuple[Floats, float, Floats]:
        """Return decisions with divisible units, their objective and the value of each future."""
        start = self._start()
        self.master = self._master(start)
        x = self._relax(start)
        return x, self.at_center, self.center_value

    def _start(self) -> Floats:
        """Return the relaxed plan for a few futures: a point close to the best one."""
        ensemble = self.ensemble
        chosen = np.unique(np.linspace(0, len(ensemble) - 1, SEEDS).astype(np.int64)) if len(ensemble) > SEEDS else None
        few = ensemble if chosen is None else ensemble.take(chosen)
        if int(ensemble.node.max()) > 0:  # a tree: the nodes of a few futures are not those of all
            return self._mean_at_every_node()
        program = assemble(Recourse(Decisions(self.decisions.instance, few, waiver=self.decisions.waiver)), Risk())
        return self._checked(program)[: len(self.x)]

    def _mean_at_every_node(self) -> Floats:
        """Return the relaxed plan for the mean future with its orders at every node: a start, seldom feasible."""
        alone = Decisions(self.decisions.instance, self.ensemble.mean(), waiver=self.decisions.waiver)
        mean = self._checked(assemble(Recourse(alone), Risk()))
        return spread(alone, mean, self.decisions)

    @staticmethod
    def _checked(program: object) -> Floats:
        found = solve(program, relaxed=True)  # type: ignore[arg-type]
        if found.status != "optimal":
            msg = "the limits on orders cannot hold together in any future"
            raise InfeasibleError(msg)
        return found.values

    def evaluate(self, x: Floats, quantile: float) -> tuple[float, list[Cuts]]:
        """Return the exact objective at ``x`` and cuts there."""
        tasks = [(self.round, c, x, quantile) for c in range(len(self.chunks))]
        answers = self.team.map(tasks)
        self.round += 1
        value = np.concatenate([part.value for part in answers])
        self.last_value = value
        return self.risk.measure(value - self.offset, self.ensemble.probability) + self.decisions.waived(x), answers

    def _master(self, start: Floats) -> Master:
        holds = self.decisions.holds(start)
        if not holds:  # it only serves to cut at; without training runs recourse exists at any orders
            start[self.decisions.training] = 0.0
        objective, cuts = self.evaluate(start, 0.0)
        if holds:
            self._keep(start, objective)
        most = np.full(len(self.clusters), np.inf)
        gains = self.last_value - self.offset
        spread = 10 * float(np.abs(gains).max() + 1.0)
        self.quantile = float(np.quantile(gains, 1 - self.risk.level))
        master = Master(self.decisions, len(self.clusters), self.risk, most, (-spread, spread))
        master.add(cuts)
        self.cuts += len(self.clusters)
        return master

    def _keep(self, x: Floats, objective: float) -> None:
        if objective > self.best:
            self.best, self.x, self.value = objective, x.copy(), self.last_value

    def _choose_blocks(self, relaxed: Floats) -> Floats:
        """Choose the training blocks with divisible units, each choice polished, until no other can be better.

        The first choice is that of the mean future. The next come from all futures in one programme, where the rows of
        machines, power and supply give cuts for the blocks that the recourse's cuts hide; where that is too large, from
        the cuts summed up. One that brings nothing better, with the bound far away, is the last.
        """
        wide = None if self.offset.any() else self._all_at_once()
        training = self.decisions.training
        best, at_best = relaxed, -np.inf
        self.master.weigh()
        x = self._as_in_the_mean(relaxed)
        for step in range(MOST_CHOICES):
            left = (self.bound - at_best) / max(1e-6, abs(at_best)) if np.isfinite(at_best) else 0.05
            if left <= 0.8 * self.gap:
                break
            if step:
                part = max(0.3 * self.gap, 0.25 * left)
                found = self.master.choose_blocks(part) if wide is None else self._search_wide(wide, best, at_best)
                if found.status == "infeasible":
                    msg = "no choice of training runs holds in every future"
                    raise InfeasibleError(msg)
                self.bound = min(self.bound, found.bound)
                x, _ = self.master.decisions_of(found)
            chosen = np.rint(x[training])
            better, bound, self.bound = False, self.bound, np.inf
            if self.master.hold_blocks(chosen):
                x = x.copy()
                x[training] = chosen
                x = self._relax(x, -np.inf)
                if self.at_center > at_best:
                    best, at_best, self.reach, better = x, self.at_center, self.bound, True
            self.bound = bound
            self.master.free_blocks()
            self._tell(at_best)
            far = bound - at_best > FAR * self.gap * max(1e-6, abs(at_best))
            if step and (wide is not None or (not better and far)):
                break
        self.master.hold_blocks(np.rint(best[training]))
        return best

    def _all_at_once(self) -> Program | None:
        """Return all futures as one programme with whole blocks and divisible units; ``None`` where it is too large.

        A relaxation, for blocks of one option count what they miss together: its bound holds.
        """
        recourse = Recourse(self.decisions, together=True)
        columns = sum(len(quarter.cost) for quarter in recourse.quarters) * len(self.ensemble) + self.decisions.size
        if columns > MOST_COLUMNS:
            return None
        program = assemble(recourse, self.risk)
        integer = np.zeros(len(program.cost), dtype=bool)
        integer[self.decisions.training] = True
        return replace(program, integer=integer)

    def _search_wide(self, program: Program, best: Floats, at_best: float) -> Answer:
        """Search the blocks over all futures at once from the best choice so far; nodes are counted, not seconds.

        Without heuristics and restarts, which at this size take most of the time: the start is a good plan already.
        """
        solver = quiet_highs(
            mip_rel_gap=0.5 * self.gap,
            mip_max_nodes=WIDE_NODES,
            mip_heuristic_effort=0.0,
            mip_allow_restart=False,
        )
        load(solver, program)
        blocks = np.arange(self.decisions.orders, self.decisions.further_at, dtype=np.int32)
        solver.setSolution(len(blocks), blocks, np.rint(best[self.decisions.training]))
        return run(solver, integers=True)

    def _as_in_the_mean(self, relaxed: Floats) -> Floats:
        """Return the relaxed point with the training blocks of the plan for the mean future."""
        alone = Decisions(self.decisions.instance, self.ensemble.mean(), waiver=self.decisions.waiver)
        program = assemble(Recourse(alone), Risk())
        blocks = np.zeros(len(program.cost), dtype=bool)
        blocks[alone.training] = True
        found = solve(replace(program, integer=blocks), gap=2 * self.gap)
        x = relaxed.copy()
        if found.status == "optimal":
            x[self.decisions.training] = found.values[blocks]
        return x

    def _relax(self, start: Floats, value: float | None = None) -> Floats:
        """Close the gap of the relaxation by a trust region; returns its best point and keeps the bound."""
        master = self.master
        center, at_center = start, self.best if value is None else value
        self.center_value = self.last_value
        radius = max(1.0, 0.25 * float(start.max(initial=1.0)))
        allowed = RELAXED_PART * self.gap
        while self.round < MOST_ROUNDS:
            master.box(center, radius)
            found = master.solve()
            if found.status != "optimal":
                found = self._unboxed()
            predicted = found.objective - at_center
            scale = max(1e-6, abs(at_center)) if np.isfinite(at_center) else 1.0
            if predicted <= 0.5 * allowed * scale:
                found = self._unboxed()
                self.bound = min(self.bound, found.objective)
                self._tell(at_center)
                if self.bound - at_center <= allowed * scale:
                    break
                predicted = found.objective - at_center
                radius *= 2
            x, quantile = master.decisions_of(found)
            objective, cuts = self.evaluate(x, quantile)
            master.drop()
            master.add(cuts)
            self.cuts += len(self.clusters)
            gained = objective - at_center
            if gained > 0.1 * predicted or not np.isfinite(at_center):
                center, at_center = x.copy(), objective
                self.center_value = self.last_value
                radius = radius * 2 if gained > 0.5 * predicted else radius
            else:
                radius = max(0.5, radius / 2)
            self._tell(at_center)
        self.at_center = at_center
        return center

    def _unboxed(self) -> Answer:
        """Solve the master with the decisions let go, or refuse: what it says without an optimum is no decision."""
        self.master.box(None)
        found = self.master.solve()
        if found.status == "infeasible":
            msg = "the limits on orders cannot hold together in any future"
            raise InfeasibleError(msg)
        if found.status != "optimal":
            msg = f"the master of the decomposition was not solved: {found.status}"
            raise SolverError(msg)
        return found

    def _tell(self, value: float) -> None:
        self.progress.rounds.append((self.round, value, self.bound))
        self.progress.say(f"round {self.round}: value {value:,.1f}, bound {self.bound:,.1f} m")

    def _finish(self, relaxed: Floats) -> None:
        """Find whole units: next to the relaxed point, wider, anywhere; last with other training runs."""
        proof = not self.decisions.blocks
        if self._widen(relaxed, (0.0, 1.0, 1.0, 2.0, None, None, None, None), proof=proof) or proof:
            return
        self.reach = np.inf
        if self.decisions.blocks <= FEW_BLOCKS:
            self.master.free_blocks()
            self.master.box(None)
            again, _ = self.master.decisions_of(self.master.solve())
            self._widen(again, (None,) * MOST_CHOICES, proof=True)

    def _widen(self, relaxed: Floats, steps: tuple[float | None, ...], *, proof: bool) -> bool:
        """Search at each distance in turn; returns whether the gap was closed. ``proof``: bounds found hold for all.

        Ends early where the blocks held leave nothing to gain, however far away the bound over all blocks is.
        """
        for radius in steps:
            slack = self.bound - self.best if np.isfinite(self.best) else np.inf
            found = self.master.whole(relaxed, radius, WHOLE_PART * self.gap, slack)
            if found.status == "infeasible":
                if radius is None and not np.isfinite(self.best):
                    msg = "no plan in whole units holds in every future"
                    raise InfeasibleError(msg)
                continue
            x, quantile = self.master.decisions_of(found)
            x = self.decisions.rounded(x)
            objective, cuts = self.evaluate(x, quantile)
            self._keep(x, objective)
            if radius is None and proof:
                self.bound = min(self.bound, max(found.bound, self.best))
            self._tell(self.best)
            scale = max(1e-6, abs(self.best))
            if self.bound - self.best <= self.gap * scale:
                return True
            if self.reach - self.best <= (RELAXED_PART + WHOLE_PART) * self.gap * scale:
                return False
            self.master.add(cuts)
        return False
