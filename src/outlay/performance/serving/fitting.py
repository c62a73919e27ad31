"""Numbers of engines and chips fitted to published runs, departures held to what few runs can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from outlay.performance.serving.latency import Engine
from outlay.performance.serving.table import Table, only

Array = NDArray[np.float64]
NUMBERS = tuple(field.name for field in fields(Engine))
PRIOR = "all"
STIFFNESS = 0.5
"""Weight of a departure of one expected spread against an error of one in the logarithm."""
STEP = 1e-4
START = Engine(
    launch_s=2e-5,
    request_s=1e-5,
    kernel_s=4.2e-6,
    admit_s=1e-2,
    token_s=3e-6,
    decode=1.0,
    attention=1.0,
    network=1.5,
    prefill=1.0,
)
"""Where the fit starts; ``kernel_s`` is the launch time of measured kernels, the class prior of ``kernels.csv``."""
LIMITS = Engine(
    launch_s=5.0,
    request_s=30.0,
    kernel_s=1.3,
    admit_s=10.0,
    token_s=5.0,
    decode=3.0,
    attention=3.0,
    network=5.0,
    prefill=3.0,
)
"""Largest factor either way between a number of all runs and its start. The time between kernels is held to what was
measured where a graph is captured; engines that launch each kernel show in their own factor."""
SPREADS = {
    "engine": Engine(0.7, 0.7, 1.0, 1.1, 0.7, 0.25, 0.25, 0.3, 0.25),
}
"""How far, in logarithms, an engine is expected from all: what few runs cannot move it beyond."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Fitted:
    """Logarithms of the numbers, (parts, numbers): of all runs, and the departures of each engine."""

    keys: tuple[Key, ...]
    values: Array

    def engines(self, table: Table) -> Engine:
        """Return the numbers of every run as arrays."""
        return Engine(*np.exp(_parts(self.keys, table) @ self.values).T)

    def factors(self) -> dict[Key, dict[str, float]]:
        """Return the numbers of all and the factors of each part."""
        return {
            key: dict(zip(NUMBERS, np.exp(row).tolist(), strict=True))
            for key, row in zip(self.keys, self.values, strict=True)
        }


def _parts(keys: Sequence[Key], table: Table) -> Array:
    """Return which parts each run has, (runs, parts) of 0 and 1."""
    return np.array(
        [[float(key in ((PRIOR, PRIOR), ("engine", run.row.engine))) for key in keys] for run in table.runs]
    )


def numbers(engine: Engine) -> Array:
    """Return the numbers of an engine in order."""
    return np.array([getattr(engine, name) for name in NUMBERS])


def fit(table: Table) -> Fitted:
    """Fit the numbers by least squares on logarithms, departures held to their expected spread.

    A group of runs of one source counts as the square root of its figures: its runs share what is not known of them.
    """
    from scipy.optimize import least_squares

    table = only(table, [run.row.quality != "C" for run in table.runs])
    keys: tuple[Key, ...] = (
        (PRIOR, PRIOR),
        *(("engine", name) for name in sorted({run.row.engine for run in table.runs})),
    )
    sizes = Counter((run.row.source, run.row.group) for run in table.runs for _ in run.measured)
    known = ~np.isnan(table.measured)
    weight = np.array([sizes[run.row.source, run.row.group] ** -0.25 for run in table.runs])[:, None] * known
    measured = np.log(np.where(known, table.measured, 1.0))
    parts = _parts(keys, table)
    start = np.log(numbers(START))
    spread = np.array([np.log(numbers(LIMITS)) / 3, *(numbers(SPREADS[part]) for part, _ in keys[1:])])

    def values(x: Array) -> Array:
        found = np.asarray(x.reshape(spread.shape) * spread)
        found[0] += start
        return found

    def residuals(logs: Array) -> Array:
        return np.asarray((np.log(table.predict(Engine(*np.exp(logs).T))) - measured) * weight)

    def all_residuals(x: Array) -> Array:
        return np.concatenate([residuals(parts @ values(x)).ravel(), STIFFNESS * x[len(NUMBERS) :]])

    def jacobian(x: Array) -> Array:
        logs = parts @ values(x)
        at = residuals(logs)
        columns = np.empty((*at.shape, *spread.shape))
        for j in range(len(NUMBERS)):
            moved = logs.copy()
            moved[:, j] += STEP
            slope = (residuals(moved) - at) / STEP
            columns[:, :, :, j] = slope[:, :, None] * parts[:, None, :] * spread[None, None, :, j]
        held = STIFFNESS * np.eye(spread.size)[len(NUMBERS) :]
        return np.vstack([columns.reshape(at.size, spread.size), held])

    found = least_squares(
        all_residuals,
        np.zeros(spread.size),
        jac=jacobian,
        bounds=(-4.0, 4.0),
        loss="soft_l1",
        f_scale=0.15,
        ftol=1e-4,
        max_nfev=60,
    )
    return Fitted(keys, values(found.x))
