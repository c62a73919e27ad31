"""What engines and chips add to the formulas, as ``outlay calibrate`` stored it: numbers, kriging and bands."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from outlay.performance.chip import rows
from outlay.performance.serving.latency import Engine
from outlay.performance.serving.places import PLACE
from outlay.performance.serving.residuals import (
    NUMBERS,
    Kriging,
    Local,
    Points,
    deviation,
    factor,
    krige,
    local,
    points,
)

Array = NDArray[np.float64]
PRIOR = "all"
ENGINE_NUMBERS = tuple(field.name for field in fields(Engine))
TRAITS = (
    "chip",
    "unmeasured",
    "family",
    "vendor",
    "rare",
    "engine",
    "release",
    "model",
    "kind",
    "types",
    "load",
    "group",
    "source",
)
USUAL = "vLLM"
"""Engine of a chip whose vendor is not known for one of its own."""
ENGINES = {
    "AMD Instinct": "vLLM ROCm",
    "Ascend 910B": "vllm-ascend",
    "Ascend 910C": "vllm-ascend",
    "Gaudi": "Optimum Habana",
    "TPU": "vLLM TPU",
    "AWS Neuron": "Neuron",
}
"""The engine a family is usually served with, where it is not :data:`USUAL`."""


@functools.cache
def _stored() -> dict[str, dict[str, float]]:
    return {row["name"]: {name: float(row[name]) for name in ENGINE_NUMBERS} for row in rows("engines.csv")}


@functools.cache
def engine(software: str) -> Engine:
    """Return an engine: the numbers of all, times the factors of this one where it has been seen."""
    table = _stored()
    factors = table.get(software, dict.fromkeys(ENGINE_NUMBERS, 1.0))
    return Engine(**{name: table[PRIOR][name] * factors[name] for name in ENGINE_NUMBERS})


def known_engines() -> list[str]:
    """Return the engines that published runs name."""
    return sorted(set(_stored()) - {PRIOR})


def usual_engine(family: str) -> str:
    """Return the name of the engine a family of chips is usually served with."""
    return ENGINES.get(family, USUAL)


@functools.cache
def _variances() -> dict[str, Array]:
    table = {row["metric"]: row for row in rows("serving_kriging.csv")}
    return {metric: np.array([float(row[name]) for name in NUMBERS]) for metric, row in table.items()}


@functools.cache
def _seen(metric: str) -> tuple[Points, Array, Array]:
    """Return the points whose figure of a metric was kept, their residuals and their weights."""
    table = [row for row in _points() if row[f"{metric}_residual"]]
    place = np.array([[float(row[name]) for name in PLACE] for row in table])
    residuals, weights = (
        np.array([float(row[f"{metric}_{column}"]) for row in table]) for column in ("residual", "weight")
    )
    return points(table, place), residuals, weights


@functools.cache
def _points() -> list[dict[str, str]]:
    return rows("serving_points.csv")


@functools.cache
def kriging(metric: str) -> Kriging:
    """Return the process of a metric with all it has seen."""
    seen, residuals, _ = _seen(metric)
    return krige(_variances()[metric], seen, residuals)


@functools.cache
def _factor(metric: str) -> Array:
    return factor(_variances()[metric], _seen(metric)[0])


def deviation_of(metric: str, where: Points) -> Array:
    """Return the standard deviation of the logarithm of measured over predicted at a few points."""
    return deviation(_variances()[metric], _seen(metric)[0], _factor(metric), where)


def departure(metric: str, traits: Mapping[str, str], place: Array) -> Array:
    """Return the mean logarithm of measured over predicted at places that share their traits."""
    return _local(metric, tuple(traits.items())).mean(place)


@functools.lru_cache(maxsize=256)
def _local(metric: str, traits: tuple[tuple[str, str], ...]) -> Local:
    seen, _, weights = _seen(metric)
    names = points([dict(traits)], np.zeros((1, seen.place.shape[1]))).names[0]
    return local(_variances()[metric], seen, weights, names)


@functools.cache
def _bands() -> dict[tuple[str, str], dict[str, str]]:
    return {(row["metric"], row["family"]): row for row in rows("serving_bands.csv")}


def width(metric: str, family: str) -> float:
    """Return how many deviations either way hold 90 % of held-out figures of a metric on a family of chips."""
    table = _bands()
    return float(table.get((metric, family), table[metric, PRIOR])["deviations"])


def basis(metric: str, family: str) -> str:
    """Return in words what the band of a metric on a family rests on."""
    row = _bands().get((metric, family))
    if row is None:
        return f"no published figures of {metric} on {family}: the band of all families"
    return f"{row['figures']} published figures of {metric} in {row['groups']} groups of {family}"


@functools.cache
def held_out() -> dict[tuple[str, str], tuple[float, float]]:
    """Return predictions of the package's rows made without their group and their deviation, by id and metric."""
    return {
        (row["id"], row["metric"]): (float(row["predicted"]), float(row["deviation"]))
        for row in rows("serving_held_out.csv")
    }
