"""Fits what serving adds to its formulas again from the package's runs, and says how well it predicts unseen groups."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.performance.calibration import table as as_csv
from outlay.performance.serving.engines import TRAITS
from outlay.performance.serving.fitting import NUMBERS as ENGINE_NUMBERS
from outlay.performance.serving.fitting import Fitted, fit
from outlay.performance.serving.places import PLACE
from outlay.performance.serving.residuals import NUMBERS, Points, fit_variances, krige
from outlay.performance.serving.rows import bundled
from outlay.performance.serving.runs import published
from outlay.performance.serving.table import METRICS, Table, only
from outlay.performance.serving.validation import one_by_one, settled, table_points

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
FOLDS = 10
SEED = 1
STRAY = 5.0
"""Deviations from the median of its source, group and engine, and of at least :data:`LEAST`, from which a figure is not
learnt from: its row does not say what it measured."""
LEAST = 0.1
MANY = 40
"""Figures of a source, group and engine that the variances are fitted to and that the kriging keeps."""
COVERED = 0.90
BORROWED = 10.0
"""Groups of other families that the band of a family counts, so that few groups of its own do not make it narrow."""
INPUTS = ("serving_runs.csv", "serving_recipes.csv", "serving_scripts.csv", "served_chips.csv", "served_models.csv")


def calibrate(folder: Path, catalog: Catalog, progress: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Fit everything again, write the data files into ``folder`` and return them."""
    table, _ = published(catalog, bundled())
    of = folds(table)
    progress("engines of serving")
    whole = fit(table)
    without = [table.predict(fit(only(table, of != fold)).engines(table)) for fold in range(FOLDS)]
    formulas, where = table.predict(whole.engines(table)), table_points(table)
    outside = np.stack(without)[of, np.arange(len(of))]
    variances: dict[str, Array] = {}
    columns: dict[str, list[str]] = {}
    held: list[dict[str, str]] = []
    bands: list[dict[str, str]] = []
    found: list[tuple[Array, Array]] = []
    for j, metric in enumerate(METRICS):
        progress(f"kriging of {metric}")
        known = ~np.isnan(table.measured[:, j]) & _sound(table)
        known &= ~one_by_one(table) | (metric != "throughput")
        measured = np.log(np.where(known, table.measured[:, j], 1.0))
        many = _some(table, known, MANY)
        many = many[~_stray(table, many, (measured - np.log(outside[:, j]))[many])]
        variances[metric] = fit_variances(metric, where.take(many), (measured - np.log(outside[:, j]))[many])
        seen = krige(variances[metric], where.take(many), (measured - np.log(formulas[:, j]))[many])
        cells = dict(zip(many, zip((measured - np.log(formulas[:, j]))[many], seen.weights, strict=True), strict=True))
        columns[f"{metric}_residual"] = [f"{cells[i][0]:.4g}" if i in cells else "" for i in range(len(table.runs))]
        columns[f"{metric}_weight"] = [f"{cells[i][1]:.6g}" if i in cells else "" for i in range(len(table.runs))]
        found.append(_held_out(table, where, [one[:, j] for one in without], of, measured, many, variances[metric]))
    value, spread = (np.stack([one[part] for one in found], axis=1) for part in (0, 1))
    value, spread = settled(table, outside, value, spread)
    for j, metric in enumerate(METRICS):
        mean, deviation = value[:, j], spread[:, j]
        shown = ~np.isnan(table.measured[:, j])
        known = shown & _sound(table)
        held += [
            {
                "id": run.row.id,
                "metric": metric,
                "predicted": f"{value:.5g}",
                "deviation": f"{spread:.4g}",
                "formulas": f"{plain:.5g}",
            }
            for run, value, spread, plain, show in zip(table.runs, mean, deviation, outside[:, j], shown, strict=True)
            if show
        ]
        bands += _bands(metric, table, known, np.abs(np.log(table.measured[:, j] / mean)) / deviation)
    kept = [i for i in range(len(table.runs)) if any(columns[f"{metric}_residual"][i] for metric in METRICS)]
    files = {
        "engines.csv": as_csv(["name", *ENGINE_NUMBERS, "runs", "inputs"], _engine_rows(whole, table)),
        "serving_kriging.csv": as_csv(
            ["metric", *NUMBERS],
            [
                {"metric": metric, **{name: f"{v:.4g}" for name, v in zip(NUMBERS, values, strict=True)}}
                for metric, values in variances.items()
            ],
        ),
        "serving_points.csv": as_csv(["id", *TRAITS, *PLACE, *columns], _point_rows(table, columns, kept)),
        "serving_held_out.csv": as_csv(["id", "metric", "predicted", "deviation", "formulas"], held),
        "serving_bands.csv": as_csv(["metric", "family", "deviations", "figures", "groups"], bands),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def fingerprint() -> str:
    """Return a hash of the data that the numbers are fitted to."""
    found = hashlib.sha256()
    for name in INPUTS:
        found.update((resources.files("outlay.performance") / "data" / name).read_bytes())
    return found.hexdigest()[:16]


def folds(table: Table) -> NDArray[np.intp]:
    """Return the fold of each run; runs of a group are in one, and groups go to folds by the hash of their name."""
    names = sorted({run.row.group for run in table.runs}, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    fold_of = {group: i % FOLDS for i, group in enumerate(names)}
    return np.array([fold_of[run.row.group] for run in table.runs])


def _sound(table: Table) -> Mask:
    return np.array([run.row.quality != "C" for run in table.runs])


def _some(table: Table, known: Mask, most: int) -> NDArray[np.intp]:
    """Return at most so many runs of each source, group and engine, drawn by chance with a fixed seed."""
    draw = np.random.default_rng(SEED)
    cells = _cells(table, np.flatnonzero(known))
    return np.array(sorted(i for _, cell in sorted(cells.items()) for i in draw.permutation(cell)[:most]))


def _cells(table: Table, index: NDArray[np.intp]) -> dict[tuple[str, str, str], list[int]]:
    """Return runs by their source, group and engine."""
    cells: dict[tuple[str, str, str], list[int]] = {}
    for i in index:
        row = table.runs[i].row
        cells.setdefault((row.source, row.group, row.engine), []).append(int(i))
    return cells


def _stray(table: Table, index: NDArray[np.intp], residuals: Array) -> Mask:
    """Return the figures far from others of their source, group and engine, by the median absolute deviation."""
    away = dict(zip(index.tolist(), residuals, strict=True))
    far: set[int] = set()
    for cell in _cells(table, index).values():
        distance = np.abs(np.array([away[i] for i in cell]) - np.median([away[i] for i in cell]))
        most = STRAY * max(1.4826 * float(np.median(distance)), LEAST)
        far |= {i for i, one in zip(cell, distance, strict=True) if one > most}
    return np.isin(index, sorted(far))


def _held_out(
    table: Table,
    where: Points,
    without: Sequence[Array],
    of: NDArray[np.intp],
    measured: Array,
    seen: NDArray[np.intp],
    variances: Array,
) -> tuple[Array, Array]:
    """Return each run predicted without its group, by numbers fitted without its fold, and the deviation."""
    groups = np.array([run.row.group for run in table.runs])
    mean, deviation = np.ones(len(of)), np.ones(len(of))
    for fold, formulas in enumerate(without):
        process = krige(variances, where.take(seen), (measured - np.log(formulas))[seen])
        for group in sorted(set(groups[of == fold])):
            mine = np.flatnonzero(groups == group)
            departure, spread = process.without(groups[seen] == group).at(where.take(mine))
            mean[mine], deviation[mine] = formulas[mine] * np.exp(departure), spread
    return mean, deviation


def _bands(metric: str, table: Table, known: Mask, away: Array) -> list[dict[str, str]]:
    """Return the deviations that hold nine of ten held-out figures: conformal, a group weighing the root of its size.

    The quantile at (n + 1) / n of the wanted share over n groups (Vovk et al., Algorithmic Learning in a Random World,
    2005, section 2.2), of the family's groups and of all others, which together count as a few.
    """
    families = np.array([run.family for run in table.runs])
    groups = np.array([f"{run.family}|{run.row.group}" for run in table.runs])
    names, inverse, counts = np.unique(groups[known], return_inverse=True, return_counts=True)
    each = 1.0 / np.sqrt(counts[inverse])
    found = []
    for family in ("all", *sorted(set(families[known]))):
        own = np.ones(known.sum(), bool) if family == "all" else families[known] == family
        total = each[~own].sum()
        weight = np.where(own, each, each * BORROWED / total if total else 0.0)
        size = len(set(groups[known][own]))
        share = min(1.0, COVERED * (1.0 + 1.0 / len(names)))
        order = np.argsort(away[known])
        cumulative = np.cumsum(weight[order]) / weight.sum()
        at = min(int(np.searchsorted(cumulative, share)), len(order) - 1)
        cells = (metric, family, f"{away[known][order][at]:.4g}", str(int(own.sum())), str(size))
        found.append(dict(zip(("metric", "family", "deviations", "figures", "groups"), cells, strict=True)))
    return found


def _engine_rows(fitted: Fitted, table: Table) -> list[Mapping[str, str]]:
    """Return the rows of ``engines.csv``: the numbers of all, and the factors of each engine on them."""
    inputs = fingerprint()
    runs = [run.row.engine for run in table.runs]
    return [
        {
            "name": name,
            **{number: f"{value:.4g}" for number, value in values.items()},
            "runs": str(runs.count(name) if part == "engine" else len(runs)),
            "inputs": inputs,
        }
        for (part, name), values in fitted.factors().items()
    ]


def _point_rows(table: Table, columns: Mapping[str, Sequence[str]], kept: Sequence[int]) -> list[Mapping[str, str]]:
    return [
        {
            "id": table.runs[i].row.id,
            **{name: table.runs[i].traits[name] for name in TRAITS},
            **{name: f"{value:.4g}" for name, value in zip(PLACE, table.runs[i].place, strict=True)},
            **{name: column[i] for name, column in columns.items()},
        }
        for i in kept
    ]
