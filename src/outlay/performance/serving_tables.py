"""Tables of the documentation of serving, from the data and the report: one tuple of texts a row."""

from __future__ import annotations

import functools

from outlay.performance.accuracy import Errors
from outlay.performance.chip import rows
from outlay.performance.serving_engines import ENGINE_NUMBERS
from outlay.performance.serving_residuals import NUMBERS
from outlay.performance.serving_validation import ServingReport, report

Row = tuple[str, ...]


@functools.cache
def _report() -> ServingReport:
    return report()


def accuracy() -> list[Row]:
    """Return the errors of each metric over all rows, in sample and out of sample."""
    return [_accuracy(one)[:1] + _accuracy(one)[2:] for one in _report().errors() if one.part == "all"]


def accuracy_by_family() -> list[Row]:
    """Return the errors by chip family."""
    return [_accuracy(one) for one in _report().errors("family") if one.part != "all"]


def accuracy_by_load() -> list[Row]:
    """Return the errors at low and at high load."""
    return [_accuracy(one) for one in _report().errors("load") if one.part != "all"]


def accuracy_by_engine() -> list[Row]:
    """Return the errors by engine."""
    return [_accuracy(one) for one in _report().errors("engine") if one.part != "all"]


def _accuracy(one: Errors) -> Row:
    inside = (one.median, one.mean)
    outside = (one.median_out_of_sample, one.mean_out_of_sample, one.p90_out_of_sample, one.in_band_out_of_sample)
    shares = ("" if value is None else f"{value:.1%}" for value in (*inside, *outside))
    return (one.metric, one.part, f"{one.rows:,}", str(one.groups), *shares)


def engines() -> list[Row]:
    """Return the numbers of all engines, and the factors of each on them."""
    return [(row["name"], row["runs"], *(row[name] for name in ENGINE_NUMBERS)) for row in rows("engines.csv")]


def variances() -> list[Row]:
    """Return the standard deviations of the kriging by name, for each metric."""
    table = {row["metric"]: row for row in rows("serving_kriging.csv")}
    return [(name, *(f"{float(row[name]) ** 0.5:.3f}" for row in table.values())) for name in NUMBERS]


def models() -> list[Row]:
    """Return the models whose dimensions or attention are not the catalogue's, with their sources."""
    return [(row["name"], row["base"], row["source"]) for row in rows("served_models.csv")]


def chips() -> list[Row]:
    """Return the chips of published runs that the catalogue lacks, with their figures and sources."""
    columns = ("chip", "memory_gb", "memory_tbs", "bf16", "fp8", "int8", "fp4", "link_gbs", "ranks", "source")
    return [tuple(row[column] for column in columns) for row in rows("served_chips.csv") if row["source"]]
