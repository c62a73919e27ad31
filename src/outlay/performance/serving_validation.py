"""Serving predicted against published runs: rows of a file or of the package, with bands, and the errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outlay.performance.serving import Engine
from outlay.performance.serving_engines import ENGINE_NUMBERS, engine, held_out, kriging, width
from outlay.performance.serving_residuals import Points, points
from outlay.performance.serving_rows import Row, bundled, read
from outlay.performance.serving_runs import METRICS, Table, published

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
class ServingErrors:
    """Absolute errors of a part of the rows as fractions of the measured value, quality A and B."""

    metric: str
    by: str
    part: str
    rows: int
    groups: int
    median: float
    mean: float
    p90: float
    bias: float
    in_band: float
    median_out_of_sample: float | None
    mean_out_of_sample: float | None
    p90_out_of_sample: float | None
    bias_out_of_sample: float | None
    in_band_out_of_sample: float | None


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

    def errors(self, by: str = "family") -> list[ServingErrors]:
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


def _errors(metric: str, by: str, part: str, of: Sequence[ServingRow]) -> ServingErrors:
    measured, predicted, low, high = (
        np.array([getattr(row, name) for row in of]) for name in ("measured", "predicted", "low", "high")
    )
    known = np.array([row.out_of_sample is not None for row in of])
    outside = np.array([row.out_of_sample or np.nan for row in of])[known]
    factor = np.array([row.out_of_sample_factor or np.nan for row in of])[known]
    error, held = predicted / measured - 1, outside / measured[known] - 1

    def figure(value: Any) -> float | None:
        return float(value) if known.any() else None

    inside = (outside / factor <= measured[known]) & (measured[known] <= outside * factor)
    return ServingErrors(
        metric=metric,
        by=by,
        part=part,
        rows=len(of),
        groups=len({row.group for row in of}),
        median=float(np.median(np.abs(error))),
        mean=float(np.mean(np.abs(error))),
        p90=float(np.quantile(np.abs(error), 0.9)),
        bias=float(np.median(error)),
        in_band=float(np.mean((low <= measured) & (measured <= high))),
        median_out_of_sample=figure(np.median(np.abs(held)) if known.any() else 0),
        mean_out_of_sample=figure(np.mean(np.abs(held)) if known.any() else 0),
        p90_out_of_sample=figure(np.quantile(np.abs(held), 0.9) if known.any() else 0),
        bias_out_of_sample=figure(np.median(held) if known.any() else 0),
        in_band_out_of_sample=figure(np.mean(inside) if known.any() else 0),
    )


def table_points(table: Table) -> Points:
    """Return the runs of a table as the kriging sees them."""
    return points([run.traits for run in table.runs], np.array([run.place for run in table.runs]))


def by_formulas(table: Table) -> Array:
    """Return what formulas and the stored numbers of engines give, (runs, metrics), before the kriging."""
    each = [[getattr(engine(run.row.engine), name) for name in ENGINE_NUMBERS] for run in table.runs]
    return table.predict(Engine(*np.array(each).T))


def predicted(table: Table) -> tuple[Array, Array]:
    """Return every prediction and the half-width of its band as a logarithm, (runs, metrics) each."""
    formulas, where = by_formulas(table), table_points(table)
    value, half = formulas.copy(), np.zeros(formulas.shape)
    for j, metric in enumerate(METRICS):
        mean, deviation = kriging(metric).at(where)
        value[:, j] = formulas[:, j] * np.exp(mean)
        half[:, j] = deviation * np.array([width(metric, run.family) for run in table.runs])
    return value, half


def _factor(known: tuple[float, float] | None, metric: str, family: str) -> float | None:
    return None if known is None else float(np.exp(known[1] * width(metric, family)))


def report(catalog: Catalog | None = None, path: Path | None = None) -> ServingReport:
    """Return predictions of the rows of a file, or of the package's rows.

    Raises
    ------
    InputError
        If the file cannot be read or a cell is wrong.
    """
    from outlay.catalog import Catalog

    asked: list[Row] = bundled() if path is None else read(path)
    table, refused = published(catalog or Catalog.load(), asked)
    if not table.runs:
        return ServingReport((), tuple(refused), len(asked))
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
    return ServingReport(tuple(found), tuple(refused), len(asked))
