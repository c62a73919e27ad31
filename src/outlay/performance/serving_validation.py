"""Serving predicted against published runs: the numbers of engines and chips fitted to them, bands, the report."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.performance.serving import Engine
from outlay.performance.serving_engines import BAND, NUMBERS, PRIOR, band, engine
from outlay.performance.serving_runs import METRICS, Run, Table, only, published
from outlay.performance.validation import Report, ValidationRow

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Array = NDArray[np.float64]
FOLDS = 5
STIFFNESS = 0.3
"""Weight of a departure of one expected spread against an error of one in the logarithm."""
STEP = 1e-4
FEWEST = 15
"""A family with fewer published figures of a metric has no band of its own for it."""
START = Engine(step_s=3e-3, request_s=1e-5, kernel_s=1.5e-6, admit_s=1e-2, decode=1.0, prefill=1.0, burst=0.05)
LIMITS = Engine(step_s=10.0, request_s=30.0, kernel_s=10.0, admit_s=10.0, decode=5.0, prefill=5.0, burst=20.0)
"""Largest factor either way between a number of all runs and its start."""
SPREADS = {
    "engine": Engine(step_s=0.7, request_s=0.7, kernel_s=0.5, admit_s=0.7, decode=0.25, prefill=0.25, burst=0.7),
    "family": Engine(step_s=0.25, request_s=0.05, kernel_s=0.25, admit_s=0.05, decode=0.25, prefill=0.15, burst=0.05),
}
"""How far, in logarithms, an engine and a family are expected from all: what few runs cannot move them beyond."""
Key = tuple[str, str]


@dataclass(frozen=True)
class Fitted:
    """Logarithms of the numbers, (parts, numbers): of all runs, and the departures of each engine and each family."""

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
        [
            [float(key in ((PRIOR, PRIOR), ("engine", run.engine), ("family", run.family))) for key in keys]
            for run in table.runs
        ]
    )


def fit(table: Table) -> Fitted:
    """Fit the numbers by least squares on logarithms, departures held to their expected spread.

    A group of runs of one source counts as the square root of its figures: its runs share what is not known of them.
    """
    from scipy.optimize import least_squares

    table = only(table, [run.quality != "C" for run in table.runs])
    keys: tuple[Key, ...] = (
        (PRIOR, PRIOR),
        *(("engine", name) for name in sorted({run.engine for run in table.runs})),
        *(("family", name) for name in sorted({run.family for run in table.runs})),
    )
    sizes = Counter((run.source, run.group) for run in table.runs for _ in run.measured)
    known = ~np.isnan(table.measured)
    weight = np.array([sizes[run.source, run.group] ** -0.25 for run in table.runs])[:, None] * known
    measured = np.log(np.where(known, table.measured, 1.0))
    parts = _parts(keys, table)
    start = np.log(_numbers(START))
    spread = np.array([np.log(_numbers(LIMITS)) / 3, *(_numbers(SPREADS[part]) for part, _ in keys[1:])])

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


def _numbers(engine: Engine) -> Array:
    return np.array([getattr(engine, name) for name in NUMBERS])


def folds(table: Table) -> NDArray[np.intp]:
    """Return the fold of each run; runs of a group are in one."""
    fold_of = {group: i % FOLDS for i, group in enumerate(sorted({run.group for run in table.runs}))}
    return np.array([fold_of[run.group] for run in table.runs])


def predicted(table: Table, fold: int | None = None) -> Array:
    """Return every prediction with the stored numbers of all runs, or of those outside a fold, (runs, metrics)."""
    engines = [_numbers(engine(run.engine, run.family, fold)) for run in table.runs]
    return table.predict(Engine(*np.array(engines).T))


def out_of_sample(table: Table) -> Array:
    """Return every prediction with the stored numbers fitted without the run's group of related runs."""
    of = folds(table)
    found = np.empty(table.measured.shape)
    for fold in range(FOLDS):
        found[of == fold] = predicted(only(table, of == fold), fold)
    return found


def report(catalog: Catalog | None = None) -> Report:
    """Return predictions of the published development runs, in sample and, by groups left out, out of sample."""
    from outlay.catalog import Catalog

    table, refused = published(catalog or Catalog.load())
    inside, outside = predicted(table), out_of_sample(table)
    found = [
        _row(run, name, float(inside[i, j]), float(outside[i, j]))
        for i, run in enumerate(table.runs)
        for j, name in enumerate(METRICS)
        if name in run.measured
    ]
    return Report("serving", tuple(found), tuple(refused))


def _row(run: Run, metric: str, value: float, out_of_sample: float) -> ValidationRow:
    low, high, _ = band(run.family, metric)
    factors = (low, high) if metric == "throughput" else (1 / high, 1 / low)
    return ValidationRow(
        id=run.id,
        metric=metric,
        family=f"{run.family}, {metric}",
        source="",
        group=run.group,
        quality=run.quality,
        measured=run.measured[metric],
        predicted=value,
        low=value * factors[0],
        high=value * factors[1],
        fitted=run.quality != "C",
        out_of_sample=out_of_sample,
        strategy=run.strategy,
    )


def calibrate(catalog: Catalog) -> list[dict[str, str]]:
    """Fit the numbers and bands again, of all runs and without each fold, and return the rows of ``engines.csv``."""
    table, _ = published(catalog)
    of = folds(table)
    outside = np.empty(table.measured.shape)
    made = []
    for fold in range(FOLDS):
        fitted, held = fit(only(table, of != fold)), only(table, of == fold)
        outside[of == fold] = held.predict(fitted.engines(held))
        made += [_stored_row(key, numbers) | {"fold": str(fold)} for key, numbers in fitted.factors().items()]
    speed = outside / table.measured  # of a latency this is measured over predicted speed already
    speed[:, METRICS.index("throughput")] **= -1
    whole = [_stored_row(key, numbers) | _band(key, table, speed) for key, numbers in fit(table).factors().items()]
    return whole + made


def write(folder: Path, catalog: Catalog) -> Path:
    """Calibrate, write ``engines.csv`` into a folder and return its path."""
    made = calibrate(catalog)
    path = folder / "engines.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(made[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(made)
    return path


def _stored_row(key: Key, numbers: Mapping[str, float]) -> dict[str, str]:
    empty = {f"{metric}_{column}": "" for metric in METRICS for column in BAND}
    return {
        "fold": "",
        "part": key[0],
        "name": key[1],
        **{name: f"{value:.4g}" for name, value in numbers.items()},
        **empty,
    }


def _band(key: Key, table: Table, speed: Array) -> dict[str, str]:
    """Return the bands of a family from measured over predicted speeds out of sample, of metrics that have enough."""
    members = np.array([key == ("family", run.family) and run.quality != "C" for run in table.runs])
    found: dict[str, str] = {}
    for metric, ratios in zip(METRICS, speed.T, strict=True):
        used = members & ~np.isnan(ratios)
        figures = np.count_nonzero(used)
        if figures >= FEWEST:
            low, high = np.quantile(ratios[used], (0.1, 0.9))
            groups = len({run.group for run, inside in zip(table.runs, used, strict=True) if inside})
            cells = (f"{low:.4g}", f"{high:.4g}", str(figures), str(groups))
            found |= {f"{metric}_{column}": cell for column, cell in zip(BAND, cells, strict=True)}
    return found
