"""Fits the bandwidths and latencies of a chip's links to measured collectives."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from outlay.performance.chip import PRIOR

Array = NDArray[np.float64]
Row = dict[str, str]

_SIZES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "B": 1}


def fit_links(measured: Sequence[Row]) -> list[dict[str, str]]:
    """Return the rows of ``links.csv``: collectives in the scale-up domain by chip, and the class prior."""
    points: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for row in measured:
        op = _COLLECTIVES.get(row["op"])
        if row["metric"] == "collective_busbw" and op is not None and row["ref_peak"] and _timed_on_chip(row):
            ranks, rate = float(row["n_chips"]), float(row["value"]) * 1e9
            wire = _bytes(row["size"]) * (ranks - 1) / ranks * (2 if row["op"] == "all_reduce" else 1)
            points[row["chip"]].append((op, ranks, wire, wire / rate, float(row["ref_peak"]) * 1e9))
    found = []
    for chip, list_of_points in sorted(points.items()):
        if {op for op, *_ in list_of_points} == {0, 1, 2}:
            values, error = _fit_collectives(np.array(list_of_points))
            basis = f"{len(list_of_points)} collectives in the domain, median error {error:.1%}"
            found.append(_link(chip, *values, basis=basis))
    prior = [float(np.median([float(row[key]) for row in found])) for key in _FITTED_LINK]
    found += _meshes(measured)
    scaleout, step = _fit_scaleout(measured, dict(zip(_FITTED_LINK, prior, strict=True)))
    found.append(
        _link(
            PRIOR,
            *prior,
            basis="median of the measured chips; scale-out from all-reduces of 32 chips in 4 nodes",
            mesh="no",
            scaleout_efficiency=f"{scaleout:.3g}",
            scaleout_latency_s=f"{step:.3g}",
            call_s=f"{_call_seconds(measured):.3g}",
            assumed_bandwidth="1e+11",
        )
    )
    return found


_COLLECTIVES = {"all_gather": 0, "reduce_scatter": 0, "all_reduce": 1, "alltoall": 2}
_FITTED_LINK = (
    "gather_efficiency",
    "reduce_efficiency",
    "all_to_all_efficiency",
    "few_loss",
    "latency_s",
    "hop_s",
    "quick_efficiency",
    "thorough_s",
)
LINK_COLUMNS = (
    "chip",
    *_FITTED_LINK,
    "scaleout_efficiency",
    "scaleout_latency_s",
    "call_s",
    "mesh",
    "assumed_bandwidth",
    "basis",
)
HOST_TIMED = 32 * 2**20
"""Bytes from which a collective that was timed from the host takes much longer than its launch."""

CALLED = 2**20
"""Bytes up to which one that a host calls again and again takes as long as the calls."""


def _timed_on_chip(row: Row) -> bool:
    """Return whether a rate is that of the collective, not of the host which launched it and waited."""
    return _bytes(row["size"]) > 0 and (row["dtype"] != "(torch)" or _bytes(row["size"]) >= HOST_TIMED)


def _call_seconds(measured: Sequence[Row]) -> float:
    """Return what the host takes to call a collective: an all-reduce too small for its time to tell its size."""
    small = [
        2 * (1 - 1 / float(row["n_chips"])) * _bytes(row["size"]) / (float(row["value"]) * 1e9)
        for row in measured
        if row["metric"] == "collective_busbw"
        and (row["op"], row["dtype"], row["n_chips"]) == ("all_reduce", "(torch)", "8")
        and 0 < _bytes(row["size"]) < CALLED
    ]
    return float(np.median(small))


def _link(chip: str, *values: float, **cells: str) -> dict[str, str]:
    row = dict.fromkeys(LINK_COLUMNS, "")
    row.update({key: f"{value:.4g}" for key, value in zip(LINK_COLUMNS[1:], values, strict=False)})
    return {**row, "chip": chip, **cells}


def _fit_collectives(points: Array) -> tuple[list[float], float]:
    """Return the numbers of :data:`_FITTED_LINK`, by least squares of the logarithm of time, and the median error.

    ``points`` have an operation, ranks, bytes on the wire, seconds, and the nominal bytes/s of a chip.
    """
    from scipy.optimize import least_squares

    operation, ranks, wire, seconds, peak = points.T
    which = operation.astype(int)
    hops = (ranks - 1) * np.where(which == 1, 2, 1)

    def predicted(p: Array) -> Array:
        sent = wire / (peak * p[which] * (1 - p[3] / ranks))
        return np.asarray((p[4] + p[5] * hops) * 1e-6 + sent + np.minimum(sent * (1 / p[6] - 1), p[7] * 1e-6))

    def residual(p: Array) -> Array:
        return np.asarray(np.log(predicted(p) / seconds))

    fit = least_squares(
        residual,
        x0=[0.7, 0.7, 0.6, 0.3, 8.0, 1.0, 0.6, 50.0],
        bounds=([0.05] * 3 + [0.0, 0.5, 0.0, 0.2, 0.0], [1.3] * 3 + [0.95, 60.0, 8.0, 0.999, 600.0]),
        loss="soft_l1",
        f_scale=0.1,
        x_scale=[0.1, 0.1, 0.1, 0.1, 5.0, 0.5, 0.1, 50.0],
    )
    error = float(np.median(np.abs(predicted(fit.x) / seconds - 1)))
    return [*fit.x[:4], *(fit.x[4:6] * 1e-6), fit.x[6], fit.x[7] * 1e-6], error


def _fit_scaleout(measured: Sequence[Row], near: Mapping[str, float]) -> tuple[float, float]:
    """Return achieved over nominal NIC bandwidth at large sizes, and the latency of one step between nodes.

    Notes
    -----
    From the measured all-reduces of 32 chips in 4 nodes with one 400 Gb/s NIC a chip: bus bandwidth over 8 NICs; the
    latency is what the time of a 1 MiB all-reduce has beyond its wire time and the latency within its ``near`` nodes,
    over its two doublings of nodes.
    """
    here = [
        row
        for row in measured
        if row["metric"] == "collective_busbw" and row["n_chips"] == "32" and "8x400G" in row["software"]
    ]
    top = max(float(row["value"]) for row in here) * 1e9
    wire = 2 * 31 / 32 * 2**20
    small = [wire / (float(row["value"]) * 1e9) for row in measured if row["n_chips"] == "32" and row["size"] == "1MiB"]
    inside = near["latency_s"] + 2 * 7 * near["hop_s"]
    return top / (8 * 50e9), (min(small) - wire / top - inside) / 2


def _meshes(measured: Sequence[Row]) -> list[dict[str, str]]:
    """Return the chips whose domain is a mesh of direct links: two of them reach a small part of what eight reach."""
    rates: dict[str, dict[str, float]] = defaultdict(dict)
    peaks: dict[str, float] = {}
    for row in measured:
        if row["metric"] == "collective_bw" and row["op"] == "all_gather":
            ranks = float(row["n_chips"])
            rates[row["chip"]][row["n_chips"]] = float(row["value"]) * 1e9 * (ranks - 1) / ranks
        elif row["metric"] == "collective_busbw" and row["op"] == "all_reduce" and row["size"] == "4 GiB":
            rates[row["chip"]][row["n_chips"]] = float(row["value"]) * 1e9
            peaks[row["chip"]] = float(row["ref_peak"]) * 1e9
    found = []
    for chip, by_ranks in rates.items():
        if by_ranks["2"] < by_ranks["8"] / 3:
            efficiency = by_ranks["8"] / peaks[chip] if chip in peaks else 1.0
            cells = {} if chip in peaks else {"assumed_bandwidth": f"{by_ranks['8']:.3g}"}
            basis = "all-gather or all-reduce of 2 and of 8 chips: a mesh of direct links"
            found.append(_link(chip, efficiency, efficiency, efficiency, 0.0, mesh="yes", basis=basis, **cells))
    return found


def _bytes(size: str) -> float:
    match = re.fullmatch(r"([\d.]+)\s*(B|KiB|MiB|GiB)( \(.*\))?", size.strip())
    return float(match[1]) * _SIZES[match[2]] if match else 0.0
