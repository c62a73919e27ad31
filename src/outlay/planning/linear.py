"""A mixed-integer model as named families of columns and rows, solved by HiGHS in the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outlay.errors import SolverError, StoppedError

if TYPE_CHECKING:
    import highspy

INFINITY = float("inf")
Floats = NDArray[np.float64]


LOOK_S = 0.2
"""How often a watcher is shown where the search stands."""


@dataclass(frozen=True)
class Standing:
    """Where a search stands.

    Attributes
    ----------
    incumbent
        Objective of the best answer found so far; ``None`` before there is one.
    bound
        What no answer can be better than; ``None`` before there is one.
    gap
        Distance of the two over the incumbent.
    seconds
        Since the search began.
    step
        Which part of the work it is, where a plan takes several: ``blocks`` with whole training blocks and divisible
        units, ``units`` with those blocks and whole units, ``both`` at once.
    """

    seconds: float
    incumbent: float | None
    bound: float | None
    gap: float | None
    nodes: int
    step: str = ""


Watch = Callable[[Standing], bool]
"""Shown where a search stands, every ``LOOK_S`` or more; answers whether it shall stop."""


@dataclass(frozen=True)
class Row:
    """One constraint, ``lower <= terms <= upper``.

    Attributes
    ----------
    family
        What kind of limit it is: ``budget``, ``power``, ``supply`` ...
    group
        The limit a person would name; rows of one group stand or fall together when a conflict is explained.
    unit
        Of the row's two bounds.
    """

    family: str
    group: str
    key: tuple[Any, ...]
    lower: float
    upper: float
    unit: str


@dataclass
class LinearModel:
    """Columns, rows and coefficients, collected in order; the order fixes the answer among equals."""

    cost: list[float] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    columns: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    _row_index: list[int] = field(default_factory=list)
    _column_index: list[int] = field(default_factory=list)
    _value: list[float] = field(default_factory=list)

    def add_column(
        self,
        family: str,
        key: tuple[Any, ...],
        *,
        cost: float = 0.0,
        lower: float = 0.0,
        upper: float = INFINITY,
        integer: bool = False,
    ) -> int:
        """Add a column and return its index."""
        self.columns.append((family, key))
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        self.integer.append(integer)
        return len(self.columns) - 1

    def add_row(
        self,
        family: str,
        group: str,
        key: tuple[Any, ...],
        terms: Sequence[tuple[int, float]],
        *,
        lower: float = -INFINITY,
        upper: float = INFINITY,
        unit: str = "",
    ) -> int:
        """Add ``lower <= sum of coefficient x column <= upper`` and return its index."""
        row = len(self.rows)
        self.rows.append(Row(family, group, key, lower, upper, unit))
        for column, value in terms:
            if value != 0.0:
                self.extend_row(row, column, value)
        return row

    def extend_row(self, row: int, column: int, value: float) -> None:
        """Add one more term to a row."""
        self._row_index.append(row)
        self._column_index.append(column)
        self._value.append(value)

    def copy(self) -> LinearModel:
        """Return a model of its own with the same columns, rows and terms."""
        return LinearModel(**{name: list(getattr(self, name)) for name in self.__dataclass_fields__})

    def matrix(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
        """Return the coefficients row by row: starts of shape (rows + 1,), column indices and values."""
        rows = np.asarray(self._row_index, dtype=np.int64)
        columns = np.asarray(self._column_index, dtype=np.int64)
        values = np.asarray(self._value)
        pairs, place = np.unique(rows * len(self.columns) + columns, return_inverse=True)
        summed = np.bincount(place, weights=values, minlength=len(pairs))
        counts = np.bincount(pairs // len(self.columns), minlength=len(self.rows)) if len(pairs) else np.zeros(0)
        starts = np.asarray(np.concatenate([[0], np.cumsum(counts)]), dtype=np.int32)
        return starts, (pairs % len(self.columns)).astype(np.int32), summed.astype(np.float64)


@dataclass(frozen=True)
class Solution:
    """What the solver found.

    Attributes
    ----------
    status
        ``optimal`` within the gap asked for, ``feasible`` where the time ran out first, ``infeasible``, ``unbounded``.
    values
        Of shape (columns,).
    duals
        Of shape (rows,), objective per unit of the row's bound; empty for a model with integers.
    """

    status: str
    objective: float
    bound: float
    gap: float
    seconds: float
    values: Floats
    duals: Floats


def solve(
    model: LinearModel,
    *,
    maximise: bool,
    gap: float = 0.005,
    time_limit_s: float = 120.0,
    relax: frozenset[int] | bool = False,
    fixed: dict[int, float] | None = None,
    row_bounds: tuple[Floats, Floats] | None = None,
    upper: Floats | None = None,
    cost: Floats | None = None,
    start: Floats | None = None,
    watch: Watch | None = None,
) -> Solution:
    """Solve a model, or the same model with columns relaxed or fixed, or with other bounds or another objective.

    Parameters
    ----------
    relax
        ``True`` drops every integrality; a set drops it for those columns.
    fixed
        Values to hold columns at.
    row_bounds
        Lower and upper bounds of the rows, each of shape (rows,), in place of the model's.
    upper
        Upper bounds of the columns, of shape (columns,), in place of the model's.
    cost
        Objective of shape (columns,), in place of the model's.
    start
        A point of shape (columns,) a search for whole units may start from; one that breaks a limit is repaired or let
        go.
    watch
        Shown where the search stands; does not change the answer unless it asks to stop.

    Raises
    ------
    SolverError
        If HiGHS stops without an answer for another reason than infeasibility, unboundedness or time.
    StoppedError
        If ``watch`` asked for it.
    """
    import highspy

    highs = _solver(highspy, gap, time_limit_s)
    program, has_integers = program_of(model, maximise, relax, fixed or {}, row_bounds, upper, cost)
    _require(highspy, highs.passModel(program), "passing the model")
    if start is not None and has_integers:
        point = highspy.HighsSolution()
        point.col_value = start.tolist()
        highs.setSolution(point)
    watcher = None if watch is None else _Watcher(watch)
    if watcher is not None:
        highs.cbMipInterrupt += watcher.look
        highs.cbSimplexInterrupt += watcher.look
    started = time.perf_counter()
    _require(highspy, highs.run(), "solving; are its coefficients finite and within fifteen orders of magnitude?")
    seconds = time.perf_counter() - started
    if watcher is not None and watcher.stopped:
        msg = f"stopped after {seconds:.1f} s of solving, as asked"
        raise StoppedError(msg)
    return _solution(highspy, highs, seconds, has_integers)


def _solver(highspy: Any, gap: float, time_limit_s: float) -> Any:
    """Return HiGHS as every solve sets it: silent, on one thread, from one seed, so that a model has one answer."""
    highs = highspy.Highs()
    for option, value in (("output_flag", False), ("threads", 1), ("random_seed", 0), ("time_limit", time_limit_s)):
        _require(highspy, highs.setOptionValue(option, value), f"setting {option}")
    # Whole units must stand up to a second solve once rounded: the search is held to less slack than that solve allows.
    for option, small in (("mip_rel_gap", gap), ("mip_feasibility_tolerance", 1e-9)):
        _require(highspy, highs.setOptionValue(option, small), f"setting {option}")
    return highs


class _Watcher:
    """Passes on where HiGHS stands, seldom enough that the search is not slowed."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.stopped = watch, False
        self.began = self.last = time.perf_counter()

    def look(self, event: Any) -> None:
        now = time.perf_counter()
        if now - self.last >= LOOK_S:
            self.last = now
            out = event.data_out
            incumbent, bound = _known(out.mip_primal_bound), _known(out.mip_dual_bound)
            gap = None if incumbent is None or bound is None else _known(out.mip_gap)
            nodes = max(int(out.mip_node_count), 0)
            self.stopped = self.stopped or self.watch(Standing(now - self.began, incumbent, bound, gap, nodes))
        if self.stopped:
            event.interrupt()


def _known(value: float) -> float | None:
    return float(value) if abs(value) < INFINITY else None


def _require(highspy: Any, status: Any, doing: str) -> None:
    if status == highspy.HighsStatus.kError:
        msg = f"HiGHS refused {doing}"
        raise SolverError(msg)


def program_of(
    model: LinearModel,
    maximise: bool,
    relax: frozenset[int] | bool,
    fixed: dict[int, float],
    row_bounds: tuple[Floats, Floats] | None = None,
    upper_bounds: Floats | None = None,
    cost: Floats | None = None,
) -> tuple[highspy.HighsLp, bool]:
    """Return the solver's own form of a model, and whether it has integers; parameters as for :func:`solve`."""
    import highspy

    starts, indices, values = model.matrix()
    lower = np.asarray(model.lower, float)
    upper = np.asarray(model.upper, float) if upper_bounds is None else upper_bounds.copy()
    for column, value in fixed.items():
        lower[column] = upper[column] = value
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(model.columns), len(model.rows)
    program.sense_ = highspy.ObjSense.kMaximize if maximise else highspy.ObjSense.kMinimize
    program.col_cost_ = np.asarray(model.cost, float) if cost is None else cost
    program.col_lower_, program.col_upper_ = lower, upper
    program.row_lower_ = np.array([row.lower for row in model.rows]) if row_bounds is None else row_bounds[0]
    program.row_upper_ = np.array([row.upper for row in model.rows]) if row_bounds is None else row_bounds[1]
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_, program.a_matrix_.index_, program.a_matrix_.value_ = starts, indices, values
    kept = [
        column
        for column, integer in enumerate(model.integer)
        if integer and relax is not True and not (relax and column in relax) and column not in fixed
    ]
    if kept:
        kinds = [highspy.HighsVarType.kContinuous] * len(model.columns)
        for column in kept:
            kinds[column] = highspy.HighsVarType.kInteger
        program.integrality_ = kinds
    return program, bool(kept)


def _solution(highspy: Any, highs: highspy.Highs, seconds: float, has_integers: bool) -> Solution:
    status, info = highs.getModelStatus(), highs.getInfo()
    name = {
        highspy.HighsModelStatus.kOptimal: "optimal",
        highspy.HighsModelStatus.kInfeasible: "infeasible",
        highspy.HighsModelStatus.kUnboundedOrInfeasible: "infeasible",
        highspy.HighsModelStatus.kUnbounded: "unbounded",
        highspy.HighsModelStatus.kModelEmpty: "optimal",
    }.get(status)
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if name is None and found:
        name = "feasible"
    if name is None:
        msg = f"HiGHS stopped after {seconds:.1f} s with no plan: {highs.modelStatusToString(status)}"
        raise SolverError(msg)
    values = np.array(highs.getSolution().col_value)
    duals = np.zeros(0) if has_integers else np.array(highs.getSolution().row_dual)
    objective = float(info.objective_function_value)
    return Solution(
        status=name,
        objective=objective,
        bound=float(info.mip_dual_bound) if has_integers else objective,
        gap=float(info.mip_gap) if has_integers else 0.0,
        seconds=seconds,
        values=values,
        duals=duals,
    )
