"""Where a run lies among others: the names and the numbers by which published runs resemble each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.performance.serving.hardware import Device, vendors
from outlay.performance.serving.models import Served
from outlay.performance.serving.operations import Precision, Replicas
from outlay.performance.serving.rows import Row
from outlay.performance.serving.table import LOADS
from outlay.performance.transformer import parameters

Array = NDArray[np.float64]
PLACE = (
    "requests",
    "prompt",
    "answer",
    "tp",
    "spread",
    "stages",
    "active",
    "total",
    "attention",
    "network",
    "reading",
    "step",
)


def _at(parts: Array, requests: float) -> Array:
    """Return the parts of a step at a load between those of :data:`LOADS`."""
    return np.array([np.interp(math.log2(requests), np.log2(LOADS), part) for part in parts])


def place(
    model: Served, layout: Replicas, requests: Array, prompt: float, answer: float, parts: Array, among: ArrayLike
) -> Array:
    """Return the numbers by which runs resemble each other, (..., sizes): sizes as logarithms, shares of time.

    ``parts`` are those of a decode step, (3, ...); ``among`` the seconds of a prompt among others.
    """
    counts, step, answer = parameters(model.arch), parts.sum(0), max(answer, 1.0)
    reading = np.minimum(requests * np.asarray(among) / answer / np.maximum(step, 1e-9), 4.0)
    sizes = (
        requests,
        prompt,
        answer,
        layout.tp,
        layout.ep,
        layout.pp,
        float(counts.active) / 1e9,
        float(counts.total) / 1e9,
    )
    logs = [np.log2(np.asarray(size, dtype=float)) for size in sizes]
    shares = [parts[1] / step, parts[2] / step, reading, np.log2(step * 1e3)]
    return np.stack(np.broadcast_arrays(*logs, *shares), axis=-1)


def placed(
    model: Served, layout: Replicas, requests: float, prompt: float, answer: float, parts: Array, among: float
) -> tuple[float, ...]:
    """Return :func:`place` of one run whose decode step is known at each of :data:`LOADS`."""
    at = _at(parts, requests)[:, None, None]
    return tuple(place(model, layout, np.full((1, 1), requests), prompt, answer, at, among).ravel().tolist())


def unmeasured(where: Device, name: str) -> str:
    """Return the name of a chip again where its kernels were not measured: its formulas are further from it."""
    return "" if where.chip.provenance == "measured" else name


def traits(row: Row, where: Device, model: Served, types: Precision) -> dict[str, str]:
    """Return the names by which runs resemble each other."""
    return {
        "chip": row.chip,
        "unmeasured": unmeasured(where, row.chip),
        "family": row.family or where.family,
        **vendors(row.family or where.family),
        "engine": row.engine,
        "release": f"{row.engine} {row.words['engine_version'][:4] or row.words['year']}",
        "model": row.group.partition("|")[2].strip() or row.model,
        "kind": model.kind,
        "types": f"{types.weights}/{types.compute}",
        "load": "apart" if row.disaggregated else row.words["scenario"] or "online",
        "group": row.group,
        "source": row.source,
    }
