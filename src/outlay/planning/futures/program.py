"""A linear or mixed-integer programme as arrays, and one run of HiGHS over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.errors import SolverError
from outlay.planning.linear import Floats, Row

Indices = NDArray[np.int64]


@dataclass
class Triplets:
    """Coefficients of a matrix, collected in pieces: row, column, value."""

    row: list[Indices] = field(default_factory=list)
    column: list[Indices] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)

    def add(self, row: Any, column: Any, value: Any) -> None:
        """Add coefficients; scalars stand for arrays of that value."""
        rows, columns, values = np.broadcast_arrays(row, column, value)
        keep = values != 0.0
        self.row.append(np.asarray(rows[keep], np.int64))
        self.column.append(np.asarray(columns[keep], np.int64))
        self.value.append(np.asarray(values[keep], np.float64))

    def joined(self) -> tuple[Indices, Indices, Floats]:
        """Return all of them as three arrays."""
        if not self.row:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        return np.concatenate(self.row), np.concatenate(self.column), np.concatenate(self.value)


@dataclass(frozen=True)
class Program:
    """Maximise ``cost . x`` with ``row_lower <= A x <= row_upper`` and ``lower <= x <= upper``.

    Attributes
    ----------
    matrix
        Row, column and value of each coefficient; equal pairs are not repeated.
    integer
        Of shape (columns,).
    rows
        What each row is, for people; empty where nobody reads it.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    integer: NDArray[np.bool_]
    row_lower: Floats
    row_upper: Floats
    matrix: tuple[Indices, Indices, Floats]
    rows: tuple[Row, ...] = ()

    def by_row(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
        """Return the coefficients row by row: starts of shape (rows + 1,), column indices, values."""
        row, column, value = self.matrix
        order = np.argsort(row, kind="stable")
        counts = np.bincount(row, minlength=len(self.row_lower))
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return starts, column[order].astype(np.int32), np.ascontiguousarray(value[order])


def quiet_highs(**options: Any) -> Any:
    """Return a silent solver on one thread with a fixed seed."""
    import highspy

    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in {"output_flag": False, "threads": 1, "random_seed": 0, **options}.items():
        if highs.setOptionValue(name, value) == highspy.HighsStatus.kError:
            msg = f"HiGHS refused setting {name} to {value!r}"
            raise SolverError(msg)
    return highs


def load(highs: Any, program: Program, *, relaxed: bool = False) -> None:
    """Pass a programme to a solver object."""
    import highspy

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(program.cost), len(program.row_lower)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.cost, program.lower, program.upper
    lp.row_lower_, lp.row_upper_ = program.row_lower, program.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = program.by_row()
    if not relaxed and program.integer.any():
        kinds = np.where(program.integer, 1, 0)
        lp.integrality_ = [
            highspy.HighsVarType.kInteger if kind else highspy.HighsVarType.kContinuous for kind in kinds
        ]
    if highs.passModel(lp) == highspy.HighsStatus.kError:
        msg = "HiGHS refused the model; are its coefficients finite?"
        raise SolverError(msg)


@dataclass(frozen=True)
class Answer:
    """What a run found: status ``optimal``, ``feasible``, ``infeasible`` or ``unbounded``; values, bound, row duals."""

    status: str
    objective: float
    bound: float
    values: Floats
    duals: Floats


def run(highs: Any, *, integers: bool) -> Answer:
    """Run a solver object and read its answer.

    Raises
    ------
    SolverError
        If it stops with neither an answer nor a proof that there is none.
    """
    import highspy

    if highs.run() == highspy.HighsStatus.kError:
        msg = f"HiGHS failed: {highs.modelStatusToString(highs.getModelStatus())}"
        raise SolverError(msg)
    status, info = highs.getModelStatus(), highs.getInfo()
    name = {
        highspy.HighsModelStatus.kOptimal: "optimal",
        highspy.HighsModelStatus.kModelEmpty: "optimal",
        highspy.HighsModelStatus.kInfeasible: "infeasible",
        highspy.HighsModelStatus.kUnboundedOrInfeasible: "infeasible",
        highspy.HighsModelStatus.kUnbounded: "unbounded",
    }.get(status)
    if name is None and info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        name = "feasible"
    if name is None:
        msg = f"HiGHS stopped with no plan: {highs.modelStatusToString(status)}"
        raise SolverError(msg)
    solution = highs.getSolution()
    objective = float(info.objective_function_value)
    return Answer(
        name,
        objective,
        float(info.mip_dual_bound) if integers else objective,
        np.asarray(solution.col_value, float),
        np.zeros(0) if integers else np.asarray(solution.row_dual, float),
    )


def solve(
    program: Program,
    *,
    gap: float = 1e-4,
    time_limit_s: float = 600.0,
    relaxed: bool = False,
    start: Floats | None = None,
) -> Answer:
    """Solve a programme; a search for whole units may be given a point to start from, of shape (columns,)."""
    import highspy

    highs = quiet_highs(mip_rel_gap=gap, time_limit=time_limit_s, mip_feasibility_tolerance=1e-9)
    load(highs, program, relaxed=relaxed)
    if start is not None:
        point = highspy.HighsSolution()
        point.col_value = start.tolist()
        highs.setSolution(point)
    return run(highs, integers=not relaxed and bool(program.integer.any()))
