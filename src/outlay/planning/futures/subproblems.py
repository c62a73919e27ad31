"""Solves the recourse of a chunk of futures: values and duals of every (future, quarter), from kept solver objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.errors import SolverError
from outlay.planning.futures.ensemble import Floats
from outlay.planning.futures.program import load, quiet_highs
from outlay.planning.futures.recourse import Recourse


@dataclass(frozen=True)
class Answers:
    """Recourse of some futures.

    Attributes
    ----------
    value
        Of shape (N,): the recourse of each future, undiscounted by its probability, in millions.
    duals
        By quarter, each of shape (N, rows): worth of one more unit of each row's right-hand side.
    work
        By quarter, each of shape (N, columns): what is done; empty unless asked for.
    """

    value: Floats
    duals: list[Floats]
    work: list[Floats]


class Subproblems:
    """The programmes of a chunk of futures, kept in one solver object per quarter.

    Every call starts from a fixed basis and goes through the futures in a fixed order, so that an answer depends on the
    decisions alone: not on what was solved before, nor on which worker, nor on whether it is a second try.
    """

    def __init__(self, recourse: Recourse) -> None:
        self.recourse = recourse
        self._solvers: list[Any] = []
        self._basis: list[Any] = []

    def _prepare(self) -> None:
        import highspy

        for t in range(len(self.recourse.quarters)):
            highs = quiet_highs(presolve="off", solver="simplex")
            load(highs, self.recourse.quarter_program(t))
            self._solvers.append(highs)
            self._basis.append(None)
        self._infinity = highspy.kHighsInf

    def answer(self, x: Floats, *, work: bool = False) -> Answers:
        """Solve every (future, quarter) for the decisions ``x``."""
        import highspy

        if not self._solvers:
            self._prepare()
        recourse = self.recourse
        sides = recourse.right_hand_sides(x)
        count, services = len(recourse.futures), len(recourse.instance.services)
        value = np.zeros(count)
        duals, done = [], []
        for t, (quarter, side) in enumerate(zip(recourse.quarters, sides, strict=True)):
            highs = self._solvers[t]
            highs.clearSolver()
            rows = np.arange(quarter.rows, dtype=np.int32)
            equal = (rows >= recourse.pools) & (rows < recourse.pools + services)
            lower = np.where(equal, side, -self._infinity)
            found = np.zeros((count, quarter.rows))
            columns = np.zeros((count if work else 0, len(quarter.cost)))
            for n in range(count):
                highs.changeRowsBounds(quarter.rows, rows, lower[n], side[n])
                if highs.run() == highspy.HighsStatus.kError or (
                    highs.getModelStatus() != highspy.HighsModelStatus.kOptimal
                ):
                    name = recourse.ensemble.names[recourse.futures[n]]
                    status = highs.modelStatusToString(highs.getModelStatus())
                    msg = f"the recourse of future {name} in {recourse.instance.quarters[t]} was not solved: {status}"
                    raise SolverError(msg)
                solution = highs.getSolution()
                found[n] = solution.row_dual
                value[n] += highs.getInfo().objective_function_value
                if work:
                    columns[n] = solution.col_value
            duals.append(found)
            done.append(columns)
        return Answers(value, duals, done if work else [])
