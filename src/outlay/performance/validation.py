"""Predicted against published runs, as rows and as errors by chip family, in sample and out of sample apart."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.catalog import Catalog
from outlay.performance import fitting
from outlay.performance.chip import PRIOR, rows
from outlay.performance.fitting import Fit
from outlay.performance.runs import RefusedError, Run, run_of
from outlay.performance.strategy import stack_from, stacks

Array = NDArray[np.float64]
ALL = "all"
FITTED_QUALITIES = ("A", "B")


@dataclass(frozen=True)
class ValidationRow:
    """One published figure and its prediction.

    Attributes
    ----------
    predicted
        With the parameters fitted to all development rows; in sample where ``fitted``.
    out_of_sample
        With parameters fitted without the row's group of related runs; ``None`` where no such fit was made.
    low, high
        The band of the prediction.
    fitted
        Whether the row took part in a fit. Rows of quality C and whole-run averages are shown and not fitted.
    """

    id: str
    metric: str
    family: str
    group: str
    quality: str
    measured: float
    predicted: float
    low: float
    high: float
    fitted: bool
    out_of_sample: float | None = None
    strategy: str = ""
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class FamilyErrors:
    """Errors of a chip family, fractions of the measured value; in ``by_group`` a group of related rows weighs one."""

    family: str
    rows: int
    answered: int
    groups: int
    median: float
    p90: float
    bias: float
    median_out_of_sample: float | None
    p90_out_of_sample: float | None
    bias_out_of_sample: float | None
    by_group_out_of_sample: float | None
    within_band_out_of_sample: float | None


@dataclass(frozen=True)
class Report:
    """Rows that were predicted, rows that were refused with the reason, and the errors by family."""

    kind: str
    rows: tuple[ValidationRow, ...]
    refused: tuple[tuple[str, str, str], ...]
    """Id, family and reason."""

    def families(self) -> list[FamilyErrors]:
        """Return the errors by chip family and of all, over the rows that were fitted or held out of a fit."""
        by_family: dict[str, list[ValidationRow]] = defaultdict(list)
        for row in self.rows:
            if row.fitted:
                by_family[row.family].append(row)
                by_family[ALL].append(row)
        refused = Counter(family for _, family, _ in self.refused)
        refused[ALL] = len(self.refused)
        names = [ALL, *sorted(set(by_family) - {ALL})]
        shown = Counter(row.family for row in self.rows)
        shown[ALL] = len(self.rows)
        return [_errors(name, by_family[name], shown[name], refused[name]) for name in names if by_family[name]]

    def reasons(self) -> list[tuple[str, int]]:
        """Return why rows were refused, most frequent first."""
        return Counter(reason for _, _, reason in self.refused).most_common()

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "kind": self.kind,
            "families": [asdict(family) for family in self.families()],
            "rows": [asdict(row) for row in self.rows],
            "refused": [{"id": id_, "family": family, "reason": reason} for id_, family, reason in self.refused],
        }

    def of_family(self, name: str) -> Report:
        """Return the part of the report about families whose name holds ``name``, ignoring case."""
        wanted = name.casefold()
        return Report(
            self.kind,
            tuple(row for row in self.rows if wanted in row.family.casefold()),
            tuple(row for row in self.refused if wanted in row[1].casefold()),
        )


def _errors(name: str, of: Sequence[ValidationRow], answered: int, refused: int) -> FamilyErrors:
    error = np.array([row.predicted / row.measured - 1 for row in of])
    held = [row for row in of if row.out_of_sample is not None]
    out = np.array([row.out_of_sample / row.measured - 1 for row in held if row.out_of_sample is not None])
    size = Counter((row.family, row.group) for row in held)
    weight = np.array([1 / size[row.family, row.group] for row in held])
    # Bands are factors on a prediction, so the band of a held-out prediction is the row's band moved with it.
    moved = np.array([row.out_of_sample / row.predicted for row in held if row.out_of_sample is not None])
    measured, low, high = (np.array([getattr(row, key) for row in held]) for key in ("measured", "low", "high"))
    inside = (low * moved <= measured) & (measured <= high * moved)
    return FamilyErrors(
        family=name,
        rows=answered + refused,
        answered=answered,
        groups=len({(row.family, row.group) for row in of}),
        median=float(np.median(np.abs(error))),
        p90=float(np.quantile(np.abs(error), 0.9)),
        bias=float(np.median(error)),
        median_out_of_sample=float(np.median(np.abs(out))) if held else None,
        p90_out_of_sample=float(np.quantile(np.abs(out), 0.9)) if held else None,
        bias_out_of_sample=float(np.median(out)) if held else None,
        by_group_out_of_sample=fitting.weighted_median(np.abs(out), weight) if held else None,
        within_band_out_of_sample=float(np.mean(inside)) if held else None,
    )


def report(catalog: Catalog | None = None) -> Report:
    """Return the training model's predictions of the published development runs."""
    runs, refused = published(catalog or Catalog.load())
    whole, folds = current_fit(), fold_fits()
    in_fold = {
        run.id: fold for fold, mask in enumerate(fitting.folds(fitted(runs))) for run in _masked(fitted(runs), mask)
    }
    table = bands()
    found = []
    for run in runs:
        predicted = whole.predict(run)
        low, high = table.get(run.family, table[PRIOR])
        fold = in_fold.get(run.id)
        found.append(
            ValidationRow(
                id=run.id,
                metric="step_time_s",
                family=run.family,
                group=run.group,
                quality=run.quality,
                measured=run.measured_s,
                predicted=predicted,
                low=predicted * low,
                high=predicted * high,
                fitted=fold is not None,
                out_of_sample=None if fold is None else folds[fold].predict(run),
                strategy=run.strategies.text(),
                assumptions=run.assumptions,
            )
        )
    return Report("training", tuple(found), tuple(refused))


def _masked(runs: Sequence[Run], mask: NDArray[np.bool_]) -> Iterable[Run]:
    return (run for run, inside in zip(runs, mask, strict=True) if inside)


def published(catalog: Catalog) -> tuple[list[Run], list[tuple[str, str, str]]]:
    """Return the published runs with their open parts settled, and what is refused as id, family and reason."""
    runs, refused = [], []
    for row in rows("training_runs.csv"):
        try:
            runs.append(run_of(row, catalog).settled())
        except RefusedError as error:
            refused.append((row["id"], row["chip_family"], str(error)))
    return runs, refused


def fitted(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that a fit uses: quality A and B, measured steps rather than averages of a whole run."""
    return [run for run in runs if run.quality in FITTED_QUALITIES and not run.remark]


@functools.cache
def current_fit() -> Fit:
    """Return the fit the package ships."""
    slowdown = {row["family"]: float(row["slowdown"]) for row in rows("bands.csv")}
    return Fit(slowdown, stacks(), slowdown.pop(PRIOR))


@functools.cache
def bands() -> dict[str, tuple[float, float]]:
    """Return the band by family, as multiples of the prediction."""
    return {row["family"]: (float(row["low"]), float(row["high"])) for row in rows("bands.csv")}


@functools.cache
def fold_fits() -> dict[int, Fit]:
    """Return the fit of each fold, made without the groups of that fold."""
    by_fold: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in rows("folds.csv"):
        by_fold[int(row["fold"])].append(row)
    return {fold: _fold(of) for fold, of in by_fold.items()}


def _fold(of: Sequence[dict[str, str]]) -> Fit:
    slowdown = {row["name"]: float(row["slowdown"]) for row in of if row["kind"] == "family"}
    fitted_stacks = {row["name"]: stack_from(row) for row in of if row["kind"] == "stack"}
    return Fit(slowdown, fitted_stacks, slowdown.pop(PRIOR))
