"""Errors of predictions against published figures, in sample and out of sample apart: of training and of serving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Absolute errors of some rows as fractions of the measured value, first in sample, then out of sample.

    ``by_group`` is the median where a group of related rows weighs one; ``in_band`` the share of rows whose
    measured value lies in the band. What is out of sample is ``None`` where no row was held out of a fit.
    """

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
    by_group_out_of_sample: float | None
    in_band_out_of_sample: float | None


@dataclass(frozen=True)
class Predictions:
    """Predictions of some rows with their bands; of rows that were not predicted, not a number."""

    value: Array
    low: Array
    high: Array

    def take(self, which: NDArray[np.bool_]) -> Predictions:
        """Return some of them."""
        return Predictions(self.value[which], self.low[which], self.high[which])


def errors_of(
    name: tuple[str, str, str], measured: Array, predicted: Predictions, held_out: Predictions, groups: Sequence[object]
) -> Errors:
    """Return the errors of some rows.

    Parameters
    ----------
    name
        The metric, by what rows are told apart, and which part these are.
    held_out
        Predictions by fits that did not see a row's group.
    groups
        The group of related rows of each row.
    """
    median, mean, p90, bias, in_band = _figures(measured, predicted)
    known = np.isfinite(held_out.value)
    outside: Sequence[float | None] = [None] * 6
    if known.any():
        size = Counter(group for group, shown in zip(groups, known, strict=True) if shown)
        weight = np.array([1 / size[group] for group, shown in zip(groups, known, strict=True) if shown])
        seen, out = measured[known], held_out.take(known)
        *first, inside = _figures(seen, out)
        outside = [*first, weighted_median(np.abs(out.value / seen - 1), weight), inside]
    return Errors(*name, len(measured), len(set(groups)), median, mean, p90, bias, in_band, *outside)


def _figures(measured: Array, predicted: Predictions) -> tuple[float, float, float, float, float]:
    error = predicted.value / measured - 1
    size = np.abs(error)
    inside = (predicted.low <= measured) & (measured <= predicted.high)
    return (
        float(np.median(size)),
        float(np.mean(size)),
        float(np.quantile(size, 0.9)),
        float(np.median(error)),
        float(np.mean(inside)),
    )


def weighted_median(values: Array, weight: Array) -> float:
    """Return the value at which half of the weight lies below."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])
