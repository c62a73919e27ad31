"""The best MFU that was ever measured on a family of chips at a scale: what a prediction is held against."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.performance.chip import rows
from outlay.performance.transformer import forward_flops_per_token

if TYPE_CHECKING:
    from outlay.performance.runs import Run

FILE = "envelope.csv"
COLUMNS = ("family", "precision", "chips", "mfu")
WIDE = ("bf16", "fp16")
SAME_SCALE = 2
"""A run on half the chips is still of the same scale."""


def precision(dtype: str) -> str:
    """Return under which precision runs of a data type are grouped."""
    return "wide" if dtype in WIDE else "narrow"


def measured_mfu(run: Run) -> float:
    """Return the MFU of a measured run by this package's count of FLOPs (:mod:`outlay.performance.transformer`)."""
    flops = 3.0 * float(forward_flops_per_token(run.arch, run.sequence).total) * run.batch * run.sequence
    chips = float(run.strategies.take([0]).chips[0])
    return flops / (run.measured_s * float(run.chip.peak_of(run.dtype)) * chips)


def staircase(runs: Iterable[Run]) -> list[dict[str, str]]:
    """Return the rows of the file: per family and precision, the runs that none on as many chips or more beats."""
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for run in runs:
        chips = float(run.strategies.take([0]).chips[0])
        points.setdefault((run.family, precision(run.dtype)), []).append((chips, measured_mfu(run)))
    found = []
    for (family, kind), of in sorted(points.items()):
        best = 0.0
        for chips, mfu in sorted(of, reverse=True):
            if round(mfu, 3) > best:
                best = round(mfu, 3)
                found.append(dict(zip(COLUMNS, (family, kind, f"{chips:.0f}", f"{mfu:.3f}"), strict=True)))
    return found


def write(folder: Path) -> Path:
    """Write the file from the packaged runs."""
    from outlay.catalog import Catalog
    from outlay.performance.validation import fitted, published

    path = folder / FILE
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(staircase(fitted(published(Catalog.load())[0])))
    return path


@functools.cache
def _table() -> dict[tuple[str, str], tuple[tuple[float, float], ...]]:
    found: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {}
    for row in rows(FILE):
        key = (row["family"], row["precision"])
        found[key] = (*found.get(key, ()), (float(row["chips"]), float(row["mfu"])))
    return found


def warning(family: str, dtype: str, chips: int, mfu: float) -> str:
    """Return what to tell a user of an MFU that no measured run of a family at this scale reached; '' where one did."""
    points = _table().get((family, precision(dtype)))
    if not points:
        return (
            ""
            if (family, "wide") not in _table()
            else f"no run of {family} in {dtype} was measured to hold this against"
        )
    at_scale = [best for count, best in points if count * SAME_SCALE >= chips]
    if not at_scale:
        largest, best = max(points)
        return (
            f"no measured run of {family} had as many chips: the largest had {largest:,.0f}, "
            f"the best of its size an MFU of {best:.0%}"
        )
    best = max(at_scale)
    if mfu <= best:
        return ""
    return f"MFU {mfu:.0%} is above the best measured run of {family} at this scale, {best:.0%}"
