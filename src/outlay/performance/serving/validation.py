"""Serving predicted against published runs: rows of a file or of the package, with bands, and the errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outlay.performance.accuracy import Errors, Predictions, errors_of
from outlay.performance.serving.engines import ENGINE_NUMBERS, engine, held_out, kriging, width
from outlay.performance.serving.latency import Engine
from outlay.performance.serving.residuals import Points, points
from outlay.performance.serving.rows import bundled, read
from outlay.performance.serving.runs import published
from outlay.performance.serving.table import METRICS, Table

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Array = NDArray[np.float64]
BUSY = 8.0
"""Requests of an attention group from which on a load counts as high."""
BY = ("family", "model", "engine", "load")
"""What errors are told apart by."""


@dataclass(frozen=True)
class ServingRow:
    """One published figure and its prediction, in SI units.

    Attributes
    ----------
    predicted, low, high
        With the numbers fitted to the package's rows, and the band that holds nine of ten held-out figures.
    out_of_sample, out_of_sample_factor
        Of a row of the package, what is predicted without its group of related runs, and the factor of that band.
    load
        ``low`` or ``high``.
    """

    id: str
    metric: str
    family: str
    measured: float
    predicted: float
    low: float
    high: float
    group: str
    model: str
    chip: str
    engine: str
    quality: str
    load: str
    out_of_sample: float | None
    out_of_sample_factor: float | None
    assumptions: tuple[str, ...]


@dataclass(frozen=True)
class ServingReport:
    """Rows that were predicted, rows that were refused with the reason, and the errors by any part."""

    rows: tuple[ServingRow, ...]
    refused: tuple[tuple[str, str, str], ...]
    """Id, family and reason."""
    asked: int
    """Rows in all."""
    kind: str = "serving"

    @property
    def answered(self) -> float:
        """Share of the rows that were answered."""
        return 1.0 - len(self.refused) / self.asked

    def errors(self, by: str = "family") -> list[Errors]:
        """Return the errors of each metric, of all and by ``family``, ``model``, ``engine`` or ``load``."""
        parts: dict[tuple[str, str], list[ServingRow]] = defaultdict(list)
        for row in self.rows:
            if row.quality != "C":
                parts[row.metric, "all"].append(row)
                parts[row.metric, getattr(row, by)].append(row)
        order = sorted(parts, key=lambda key: (METRICS.index(key[0]), key[1] != "all", key[1]))
        return [_errors(metric, by, part, parts[metric, part]) for metric, part in order]

    def of_family(self, name: str) -> ServingReport:
        """Return the part of the report about families whose name holds ``name``, ignoring case."""
        wanted = name.casefold()
        kept = tuple(row for row in self.rows if wanted in row.family.casefold())
        refused = tuple(row for row in self.refused if wanted in row[1].casefold())
        return ServingReport(kept, refused, len({row.id for row in kept}) + len(refused))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "kind": self.kind,
            "answered": self.answered,
            "errors": [asdict(one) for by in BY for one in self.errors(by)],
            "rows": [asdict(row) for row in self.rows],
            "refused": [{"id": id_, "family": family, "reason": reason} for id_, family, reason in self.refused],
        }


def _errors(metric: str, by: str, part: str, of: Sequence[ServingRow]) -> Errors:
    measured, value, low, high = (
        np.array([getattr(row, name) for row in of]) for name in ("measured", "predicted", "low", "high")
    )
    held, factor = (
        np.array([getattr(row, name) or np.nan for row in of], dtype=float)
        for name in ("out_of_sample", "out_of_sample_factor")
    )
    inside, outside = Predictions(value, low, high), Predictions(held, held / factor, held * factor)
    return errors_of((metric, by, part), measured, inside, outside, [row.group for row in of])


def table_points(table: Table) -> Points:
    """Return the runs of a table as the kriging sees them."""
    return points([run.traits for run in table.runs], np.array([run.place for run in table.runs]))


def by_formulas(table: Table) -> Array:
    """Return what formulas and the stored numbers of engines give, (runs, metrics), before the kriging."""
    each = [[getattr(engine(run.row.engine), name) for name in ENGINE_NUMBERS] for run in table.runs]
    return table.predict(Engine(*np.array(each).T))


def one_by_one(table: Table) -> NDArray[np.bool_]:
    """Return the runs whose requests follow each other: their rate is that of their latencies."""
    return np.array([run.row.words["scenario"] == "latency" for run in table.runs])


def settled(table: Table, formulas: Array, value: Array, deviation: Array) -> tuple[Array, Array]:
    """Return values and deviations, (runs, metrics), where rates follow from latencies alone.

    Requests one by one have the rate of their latencies; a pool that only decodes makes a token of each of its requests
    in the time of one.
    """
    tpot, ttft, rate = (METRICS.index(name) for name in ("tpot", "ttft", "throughput"))
    answer, alone = table.columns["output"], one_by_one(table)
    before, after = (of[:, ttft] + answer * of[:, tpot] for of in (formulas, value))
    value, deviation = value.copy(), deviation.copy()
    value[alone, rate] = (formulas[:, rate] * before / after)[alone]
    decode_only = (table.columns["alone_s"] == 0) & ~alone
    value[decode_only, rate] = (formulas[:, rate] * formulas[:, tpot] / value[:, tpot])[decode_only]
    follows = alone | decode_only
    deviation[follows, rate] = deviation[follows, tpot]
    return value, deviation


def predicted(table: Table) -> tuple[Array, Array]:
    """Return every prediction and the half-width of its band as a logarithm, (runs, metrics) each."""
    formulas, where = by_formulas(table), table_points(table)
    found = [kriging(metric).at(where) for metric in METRICS]
    mean, spread = (np.stack([one[part] for one in found], axis=1) for part in (0, 1))
    value, spread = settled(table, formulas, formulas * np.exp(mean), spread)
    widths = np.array([[width(metric, run.family) for metric in METRICS] for run in table.runs])
    return value, spread * widths


def _factor(known: tuple[float, float] | None, metric: str, family: str) -> float | None:
    return None if known is None else float(np.exp(known[1] * width(metric, family)))


def report(catalog: Catalog | None = None, path: Path | None = None) -> ServingReport:
    """Return predictions of the rows of a file, or of the package's rows.

    Raises
    ------
    InputError
        If the file cannot be read or its columns are not those of published runs.
    """
    from outlay.catalog import Catalog

    rows, malformed = (bundled(), []) if path is None else read(path)
    table, unanswered = published(catalog or Catalog.load(), rows)
    refused, asked = (*malformed, *unanswered), len(rows) + len(malformed)
    if not table.runs:
        return ServingReport((), refused, asked)
    value, half = predicted(table)
    known = held_out()
    found = [
        ServingRow(
            id=run.row.id,
            metric=name,
            family=run.family,
            measured=run.measured[name],
            predicted=float(value[i, j]),
            low=float(value[i, j] * np.exp(-half[i, j])),
            high=float(value[i, j] * np.exp(half[i, j])),
            group=run.row.group,
            model=run.row.model,
            chip=run.row.chip,
            engine=run.row.engine,
            quality=run.row.quality,
            load="high" if max(run.requests, run.rate) >= BUSY else "low",
            out_of_sample=known[run.row.id, name][0] if (run.row.id, name) in known else None,
            out_of_sample_factor=_factor(known.get((run.row.id, name)), name, run.family),
            assumptions=run.assumptions,
        )
        for i, run in enumerate(table.runs)
        for j, name in enumerate(METRICS)
        if name in run.measured
    ]
    return ServingReport(tuple(found), refused, asked)
