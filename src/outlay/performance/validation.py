"""Predicted against published training runs: row by row, as errors by family and source, and as regret.

In sample and out of sample stand apart: *out of sample* is the prediction by a fit that saw none of the row's group of
related runs (:func:`outlay.performance.fitting.left_out`).
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.catalog import Catalog
from outlay.errors import OutlayError
from outlay.performance import published as files
from outlay.performance.accuracy import Errors, Predictions, errors_of
from outlay.performance.chip import rows
from outlay.performance.families import band_of
from outlay.performance.published import RefusedError
from outlay.performance.runs import Run, run_of

Array = NDArray[np.float64]
ALL = "all"
BY = ("family", "source")
"""What errors are told apart by."""
FITTED_QUALITIES = ("A", "B")


@dataclass(frozen=True)
class ValidationRow:
    """One published figure and its prediction.

    Attributes
    ----------
    source
        The series of publications the row belongs to.
    predicted
        With the numbers the package ships; in sample where ``fitted``.
    out_of_sample
        By a fit that saw none of the row's group of related runs; ``None`` where no such fit was made.
    low, high
        The band of the prediction.
    fitted
        Whether the row took part in the fit. Rows of quality C and whole-run averages are shown and not fitted.
    """

    id: str
    metric: str
    family: str
    source: str
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
class Regret:
    """How well strategies of one model on one cluster are ranked.

    Attributes
    ----------
    strategies
        How many were measured.
    regret
        Measured time of the strategy predicted fastest over the best measured, less one.
    ordered
        Share of pairs, measured more than ``TIE`` apart, that are predicted in the right order.
    """

    source: str
    case: str
    strategies: int
    regret: float
    ordered: float | None


TIE = 0.01
LEAST_STRATEGIES = 4


@dataclass(frozen=True)
class Report:
    """Rows that were predicted, rows that were refused with the reason, and what they sum up to."""

    kind: str
    rows: tuple[ValidationRow, ...]
    refused: tuple[tuple[str, str, str], ...]
    """Id, family and reason."""
    regrets: tuple[Regret, ...] = ()

    def errors(self, by: str = "family") -> list[Errors]:
        """Return the errors of all rows and by family or source.

        Whole-run averages and rows of quality C are left out, where others are at hand: they bound a step's time from
        one side or contradict themselves.
        """
        kept = [row for row in self.rows if row.quality in FITTED_QUALITIES] or list(self.rows)
        parts: dict[str, list[ValidationRow]] = defaultdict(list)
        for row in kept:
            parts[getattr(row, by)].append(row)
        every = [_errors(by, ALL, kept)] if kept else []
        return every + [_errors(by, name, parts[name]) for name in sorted(parts)]

    @property
    def asked(self) -> int:
        """Rows in all."""
        return len(self.rows) + len(self.refused)

    @property
    def answered(self) -> float:
        """Share of the rows that were answered."""
        return len(self.rows) / self.asked if self.asked else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "kind": self.kind,
            "answered": self.answered,
            "errors": [asdict(part) for by in BY for part in self.errors(by)],
            "regret": [asdict(part) for part in self.regrets],
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
            self.regrets,
        )


def _errors(by: str, part: str, of: Sequence[ValidationRow]) -> Errors:
    measured, value, low, high = (
        np.array([getattr(row, name) for row in of]) for name in ("measured", "predicted", "low", "high")
    )
    held = np.array([np.nan if row.out_of_sample is None else row.out_of_sample for row in of])
    # Bands are factors on a prediction, so the band of a held-out prediction is the row's band moved with it.
    moved = held / value
    groups = [(row.family, row.group) for row in of]
    inside, outside = Predictions(value, low, high), Predictions(held, low * moved, high * moved)
    return errors_of(("step_time_s", by, part), measured, inside, outside, groups)


def report(catalog: Catalog | None = None, path: Path | None = None) -> Report:
    """Return the predictions of the published runs that come with the package, or of those in a file.

    Raises
    ------
    InputError
        If the file is not one of published runs (:func:`outlay.performance.published.read`).
    """
    runs, refused = bundled() if catalog is None and path is None else published(catalog or Catalog.load(), path)
    held = {row["id"]: float(row["predicted_s"]) for row in rows("held_out.csv")} if path is None else {}
    found = []
    for run in runs:
        predicted, band = float(np.min(run.times().step_time_s)), band_of(run.chip)
        found.append(
            ValidationRow(
                id=run.id,
                metric="step_time_s",
                family=run.family,
                source=run.group.partition("/")[0],
                group=run.group,
                quality=run.quality,
                measured=run.measured_s,
                predicted=predicted,
                low=predicted * band.low,
                high=predicted * band.high,
                fitted=run.id in held,
                out_of_sample=held.get(run.id),
                strategy=run.strategies.text(),
                assumptions=run.assumptions,
            )
        )
    return Report("training", tuple(found), tuple(refused), tuple(regrets(runs, found)))


def regrets(runs: Sequence[Run], predicted: Sequence[ValidationRow]) -> list[Regret]:
    """Return how strategies are ranked where a source measured several of one model on one cluster."""
    cases: dict[tuple[Any, ...], list[tuple[str, float, float]]] = defaultdict(list)
    for run, row in zip(runs, predicted, strict=True):
        chips = float(run.strategies.chips.ravel()[0])
        key = (row.source, run.arch.name, run.chip.name, chips, run.batch, run.sequence, run.dtype, run.stack.name)
        cases[key].append((row.strategy, row.measured, row.predicted))
    found = []
    for key, of in cases.items():
        if len({strategy for strategy, *_ in of}) < LEAST_STRATEGIES:
            continue
        measured, guess = (np.array(values) for values in list(zip(*of, strict=True))[1:])
        gap, wanted = np.log(guess[:, None] / guess), np.log(measured[:, None] / measured)
        apart = wanted > np.log1p(TIE)
        ordered = float(np.mean(gap[apart] > 0)) if apart.any() else None
        regret = float(measured[np.argmin(guess)] / measured.min() - 1)
        case = f"{key[1]} on {key[3]:,.0f} {key[2]}, {key[4]:,.0f} sequences of {key[5]:,.0f}, {key[6]}"
        found.append(Regret(key[0], case, len(of), regret, ordered))
    return found


def published(catalog: Catalog, path: Path | None = None) -> tuple[list[Run], list[tuple[str, str, str]]]:
    """Return the published runs with their open parts settled, and what is refused as id, family and reason.

    The reason of a row in a file names its line.
    """
    runs, refused = [], []
    every: Iterable[files.Row] = map(files.completed, rows("training_runs.csv")) if path is None else files.read(path)
    for row in every:
        try:
            runs.append(run_of(row, catalog).settled())
        except (RefusedError, OutlayError) as error:
            where = f"{path}:{row['line']}: " if path else ""
            refused.append((row["id"], row["chip_family"], f"{where}{error}"))
    return runs, refused


@functools.cache
def bundled() -> tuple[list[Run], list[tuple[str, str, str]]]:
    """Return what :func:`published` does of the package's own rows and catalogue, worked out once."""
    return published(Catalog.load())


def fitted(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that a fit uses: quality A and B, measured steps of a known layout and without a known defect."""
    weak = (files.AVERAGE, files.DATED, files.DEFECT)
    return [run for run in runs if run.quality in FITTED_QUALITIES and run.remark not in weak]


@functools.cache
def _own() -> Report:
    """Return the report of the package's own runs, made once for all tables of the documentation."""
    return report()


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _table(by: str, least: int) -> list[tuple[str, ...]]:
    return [
        (
            part.part,
            str(part.rows),
            str(part.groups),
            *(_percent(value) for value in (part.median, part.mean, part.p90)),
            *(_percent(getattr(part, f"{name}_out_of_sample")) for name in ("median", "mean", "p90", "in_band")),
        )
        for part in _own().errors(by)
        if part.rows >= least
    ]


def table_of_families() -> list[tuple[str, ...]]:
    """Return the rows of the documentation's table of errors by chip family."""
    return _table("family", 1)


def table_of_sources() -> list[tuple[str, ...]]:
    """Return the rows of the documentation's table of errors by source, of those with five rows or more."""
    return _table("source", 5)


APART = 0.25
"""Twins further apart than this, as a logarithm of their times, stand in the table of twins."""


def twins(runs: Iterable[Run]) -> list[list[Run]]:
    """Return the runs that share model, chip, layout, batch, sequence and data type, the fastest of a case first."""
    cases: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run in runs:
        sizes = replace(run.arch, name="", assumptions=())
        key = (sizes, run.chip.name, run.strategies.text(), float(np.ravel(run.strategies.chips)[0]))
        cases[*key, run.batch, run.sequence, run.dtype].append(run)
    return [sorted(case, key=lambda run: run.measured_s) for case in cases.values() if len(case) > 1]


def table_of_twins() -> list[tuple[str, ...]]:
    """Return the rows of the documentation's table of equal runs with unequal times: all of them, then the widest."""
    every = twins(fitted(bundled()[0]))
    middle = [np.array([run.measured_s for run in case]) for case in every]
    away = np.concatenate([np.abs(times / np.median(times) - 1) for times in middle])
    found = [(float(case[-1].measured_s / case[0].measured_s - 1), case) for case in every]
    wide = sorted((pair for pair in found if np.log1p(pair[0]) > APART), key=lambda pair: -pair[0])
    return [
        ("all, nine of ten from the middle of their case", "", str(len(away)), _percent(float(np.quantile(away, 0.9)))),
        *(
            (
                f"{case[0].arch.name} on {case[0].chip.name}, {case[0].dtype}",
                case[0].strategies.text(),
                str(len(case)),
                _percent(apart),
            )
            for apart, case in wide
        ),
    ]


def table_of_regret() -> list[tuple[str, ...]]:
    """Return the rows of the documentation's table of rankings."""
    return [
        (part.source, part.case, str(part.strategies), _percent(part.regret), _percent(part.ordered))
        for part in _own().regrets
    ]
