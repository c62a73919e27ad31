"""Tables of the documentation of serving, from the data and the report: one tuple of texts a row."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from outlay.performance.accuracy import Errors
from outlay.performance.chip import rows
from outlay.performance.serving.engines import ENGINE_NUMBERS
from outlay.performance.serving.residuals import NUMBERS
from outlay.performance.serving.rows import bundled
from outlay.performance.serving.scatter import scatter
from outlay.performance.serving.validation import ServingReport, ServingRow, report

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
    return [(row["name"], row["base"], row["status"], row["source"]) for row in rows("served_models.csv")]


def chips() -> list[Row]:
    """Return the chips of published runs that the catalogue lacks, with their figures and sources."""
    columns = ("chip", "memory_gb", "memory_tbs", "bf16", "fp8", "int8", "fp4", "link_gbs", "ranks", "status", "source")
    return [tuple(row[column] for column in columns) for row in rows("served_chips.csv") if row["source"]]


def apart() -> list[Row]:
    """Return how far published figures of one configuration lie apart, of all and of Llama 70B on H100 and H200."""
    few = [row for row in bundled() if row.group in LLAMA_70B]
    every = [("", one) for one in scatter()] + [(", Llama 70B on H100 and H200", one) for one in scatter(few)]
    return [
        (one.differing + part, one.metric, f"{one.configurations:,}", f"{one.median:.1%}", f"{one.mean:.1%}")
        for part, one in every
    ]


@functools.cache
def _formulas_alone() -> dict[tuple[str, str], float]:
    """Return what formulas without kriging predict of groups left out, by row and metric."""
    return {(row["id"], row["metric"]): float(row["formulas"]) for row in rows("serving_held_out.csv")}


def bars() -> list[Row]:
    """Return the errors of groups left out by what the bars of serving ask for.

    With kriging, by formulas alone, and by formulas whose median departure of each source, chip, engine and model were
    known: what no offset between them takes away.
    """
    held = [row for row in _report().rows if row.quality != "C" and row.out_of_sample]
    plain, level = _formulas_alone(), _departures(held)
    found: list[Row] = []
    for name, wanted, chosen in BARS:
        of = [row for row in held if chosen(row)]
        alone = [plain[row.id, row.metric] for row in of]
        known = [one * level[_cell(row)] for one, row in zip(alone, of, strict=True)]
        predicted = [[row.out_of_sample or 0.0 for row in of], alone, known]
        errors = np.abs(np.array(predicted) / [row.measured for row in of] - 1.0)
        shares = (f"{share:.1%}" for one in errors for share in (np.median(one), one.mean()))
        found.append((name, f"{len(of):,}", *shares, wanted))
    return found


def _cell(row: ServingRow) -> tuple[str, ...]:
    """Return what figures of one source have in common; an identifier begins with its source."""
    return (row.id.partition("-")[0], row.chip, row.engine, row.model, row.metric)


def _departures(of: list[ServingRow]) -> dict[tuple[str, ...], float]:
    """Return the median of measured over formulas of each source, chip, engine and model."""
    plain, cells = _formulas_alone(), defaultdict(list)
    for row in of:
        cells[_cell(row)].append(row.measured / plain[row.id, row.metric])
    return {cell: float(np.median(ratios)) for cell, ratios in cells.items()}


def few_sources() -> list[Row]:
    """Return measured over predicted of groups left out on families of few sources, by group, engine and release."""
    plain = _formulas_alone()
    releases = {row.id: row.words["engine_version"] for row in bundled()}
    cells: dict[tuple[str, ...], list[ServingRow]] = defaultdict(list)
    for row in _report().rows:
        if row.quality != "C" and row.out_of_sample and (row.family in FEW_SOURCES or "H800" in row.chip):
            cells[row.chip, row.model, f"{row.engine} {releases[row.id]}".strip(), row.metric].append(row)
    found: list[Row] = []
    for key, of in sorted(cells.items()):
        alone = np.array([row.measured / plain[row.id, row.metric] for row in of])
        kriged = np.array([row.measured / (row.out_of_sample or np.nan) for row in of])
        low, high = alone.min(), alone.max()
        found.append(
            (*key, str(len(of)), f"{np.median(alone):.2f}", f"{low:.2f} to {high:.2f}", f"{np.median(kriged):.2f}")
        )
    return found


FEW_SOURCES = ("H20", "Ascend 910B", "Ascend 910C", "TPU")
"""Families whose bars are missed and that one or two sources measured."""
LLAMA_70B = ("H100/H800/GH200 | llama-70b", "H200 | llama-70b")


def _family(name: str, metric: str = "") -> Callable[[ServingRow], bool]:
    return lambda row: row.family == name and metric in ("", row.metric)


BARS: tuple[tuple[str, str, Callable[[ServingRow], bool]], ...] = (
    ("TPOT", "median 10 %, mean 18 %", lambda row: row.metric == "tpot"),
    ("throughput", "median 10 %, mean 17 %", lambda row: row.metric == "throughput"),
    ("TTFT at low load", "median 18 %", lambda row: row.metric == "ttft" and row.load == "low"),
    ("TTFT at high load", "mean 40 %", lambda row: row.metric == "ttft" and row.load == "high"),
    (
        "TPOT of Llama 70B on H100 and H200",
        "mean 6 %",
        lambda row: row.metric == "tpot" and row.group in LLAMA_70B,
    ),
    ("H20, throughput", "median 12 %", _family("H20", "throughput")),
    ("H800, TTFT", "median 12 %", lambda row: "H800" in row.chip),
    ("Ascend 910B", "median 18 %", _family("Ascend 910B")),
    ("Ascend 910C", "median 18 %", _family("Ascend 910C")),
    ("AMD Instinct", "median 20 %", _family("AMD Instinct")),
    ("TPU", "median 20 %", _family("TPU")),
    ("Gaudi", "median 20 %", _family("Gaudi")),
    ("AWS Neuron", "median 20 %", _family("AWS Neuron")),
)
"""What is asked of groups left out: a name, the bar, and the figures it is asked of."""
