"""How far a limit may move before its price changes: the basis of the priced programme followed along the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from outlay.errors import SolverError
from outlay.planning.linear import Floats, LinearModel, program_of

SMALL = 1e-9
Range = tuple[float, float]
"""How far the rows may go down and up together, zero or more each, in the unit of their bounds; infinite for ever."""


def price_ranges(
    model: LinearModel, *, maximise: bool, fixed: Mapping[int, float], groups: Sequence[Sequence[int]]
) -> list[Range]:
    """Return, for each group of rows, how far its binding bounds may move together at the same price.

    Whole columns are divisible but for those held. While the optimal basis stays within its bounds, its duals, which
    are the prices, stay as they are (Bertsimas and Tsitsiklis, Introduction to Linear Optimization, 1997, section 5.1,
    for one row; along a direction of several rows the same ratio test holds).

    Raises
    ------
    SolverError
        If the programme is not solved to an optimal basis.
    """
    import highspy
    from scipy.sparse import csr_matrix, hstack, identity
    from scipy.sparse.linalg import splu

    if not groups:
        return []
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (("output_flag", False), ("threads", 1), ("random_seed", 0)):
        highs.setOptionValue(option, value)
    program, _ = program_of(model, maximise, True, dict(fixed))
    highs.passModel(program)
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        msg = f"the limits could not be priced: {highs.modelStatusToString(highs.getModelStatus())}"
        raise SolverError(msg)
    solution, basis = highs.getSolution(), highs.getBasis()
    columns, rows = (_basic(statuses) for statuses in (basis.col_status, basis.row_status))
    starts, indices, values = model.matrix()
    matrix = csr_matrix((values, indices, starts), shape=(len(model.rows), len(model.columns))).tocsc()
    unit = identity(len(model.rows), format="csc")
    factor = splu(hstack([matrix[:, columns], -unit[:, rows]], format="csc"))
    at = np.concatenate([np.array(solution.col_value)[columns], np.array(solution.row_value)[rows]])
    lower = np.concatenate([np.array(program.col_lower_)[columns], np.array(program.row_lower_)[rows]])
    upper = np.concatenate([np.array(program.col_upper_)[columns], np.array(program.row_upper_)[rows]])
    found = []
    for group in groups:
        push = np.zeros(len(model.rows))
        push[np.setdiff1d(np.asarray(group, np.int64), rows)] = 1.0
        step = factor.solve(push)
        found.append((_room(at, -step, lower, upper), _room(at, step, lower, upper)))
    return found


def _basic(statuses: Any) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    import highspy

    return np.array([i for i, s in enumerate(statuses) if s == highspy.HighsBasisStatus.kBasic], dtype=np.int64)


def _room(at: Floats, step: Floats, lower: Floats, upper: Floats) -> float:
    """Return how far basic values may go along a step before the first meets a bound."""
    room = np.full(len(at), np.inf)
    up, down = step > SMALL, step < -SMALL
    room[up] = (upper[up] - at[up]) / step[up]
    room[down] = (lower[down] - at[down]) / step[down]
    return max(0.0, float(room.min(initial=np.inf)))
