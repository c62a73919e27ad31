"""Fits the efficiency curves of a chip's kernels to measured ones: products, grouped products, attention, memory."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outlay.performance.chip import BYTES, GEMM_NUMBERS, OUTPUT_BYTES, PRIOR, GemmCurve, rows, tiled

Array = NDArray[np.float64]
Row = dict[str, str]

_SHAPE = re.compile(r"m(\d+) n(\d+) k(\d+)")
MINIMUM_SHAPES = 20
"""Fewer measured shapes than this do not make a curve; the chip and data type then take the class prior."""
# Datasheet bandwidths (bytes/s) of the chips whose kernels were measured, to tell memory-bound shapes from others.
BANDWIDTH = {
    "A100 SXM": 2.04e12,
    "H100 SXM": 3.35e12,
    "H800 SXM": 3.35e12,
    "H200 SXM": 4.8e12,
    "H20": 4.0e12,
    "L40S": 0.864e12,
    "RTX Pro 6000 Server": 1.792e12,
    "B200 SXM": 7.7e12,
    "B300 SXM": 7.75e12,
    "GB200": 8.0e12,
    "GB300": 8.0e12,
}
KERNEL_COLUMNS = (
    "kernels",
    "operation",
    "dtype",
    *GEMM_NUMBERS,
    "rows",
    "median_error",
    "basis",
)


def fit_gemm(
    shapes: Array, seconds: Array, peak: float, bandwidth: float, cores: float, dtype: str
) -> tuple[GemmCurve, float]:
    """Return the curve of :mod:`outlay.performance.chip`'s GEMM, and the median error.

    Parameters
    ----------
    shapes
        Columns m, n, k.
    seconds
        Measured times.
    peak, bandwidth
        FLOP/s, and achieved bytes/s.
    cores
        Tiles of a wave.

    Notes
    -----
    Least squares of the logarithm of predicted over measured time with a soft absolute loss, so that a few odd kernels
    do not decide. Which tile is best changes with the numbers, so the best of a few starts is taken.
    """
    from scipy.optimize import least_squares

    m, n, k = shapes.T
    memory = (BYTES[dtype] * (m * k + k * n) + OUTPUT_BYTES * m * n) / bandwidth
    narrow = BYTES[dtype] < OUTPUT_BYTES

    def curve(p: Array) -> GemmCurve:
        return GemmCurve(p[0], 1e3 * p[1], narrow * 100.0 * p[2], 100.0 * p[3], p[4], 1e-6 * p[5], BYTES[dtype])

    def predicted(p: Array) -> Array:
        c = curve(p)
        compute = 2.0 * tiled(c, cores, 1.0, m, n) * (k + c.k0) * (1 + c.n0 / n) / (peak * c.efficiency)
        return np.asarray(np.maximum(compute, memory) + c.launch_s)

    def residual(p: Array) -> Array:
        return np.asarray(np.log(predicted(p) / seconds))

    fits = [
        least_squares(
            residual,
            x0=[0.75, half, 1.0, 1.0, split, 3.0],
            bounds=([0.1, 0.0, 0.0, 0.0, 0.0, 1.0], [1.0, 8.0, 40.0, 40.0, 1.0, 20.0]),
            loss="soft_l1",
            f_scale=0.1,
            x_scale=[0.1, 5.0, 1.0, 1.0, 0.1, 1.0],
            diff_step=[1e-3] * 6,
        )
        for half in (1.0, 5.0)
        for split in (0.1, 0.5)
    ]
    best = min(fits, key=lambda fit: float(fit.cost)).x
    error = float(np.median(np.abs(predicted(best) / seconds - 1.0)))
    return curve(best), error


def fit_kernels(measured: Sequence[Row]) -> list[dict[str, str]]:
    """Return the rows of ``kernels.csv``: a curve per chip and data type, other operators, and the class prior."""
    grids: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in measured:
        if row["metric"] == "gemm_grid" and _SHAPE.search(row["size"]):
            grids[row["chip"], row["dtype"]].append(row)
    memory = _memory_efficiency(measured)
    cores: dict[str, str] = {}
    for row in rows("silicon.csv"):
        cores.setdefault(row["kernels"].partition(";")[0], row["cores"])
    found: list[dict[str, str]] = []
    for (chip, dtype), grid in sorted(grids.items()):
        if len(grid) < MINIMUM_SHAPES:
            continue
        shapes = np.array([[float(x) for x in _SHAPE.search(row["size"]).groups()] for row in grid])  # type: ignore[union-attr]
        rate = np.array([float(row["value"]) for row in grid]) * 1e12
        peak = float(next(row["ref_peak"] for row in grid)) * 1e12
        bandwidth = BANDWIDTH[chip] * memory.get(chip, memory[PRIOR])
        seconds = 2 * np.prod(shapes, axis=1) / rate
        curve, error = fit_gemm(shapes, seconds, peak, bandwidth, float(cores[chip]), dtype)
        values = [float(getattr(curve, name)) for name in GEMM_NUMBERS]
        found.append(_kernel(chip, "gemm", dtype, *values, rows=len(grid), error=error, basis=grid[0]["software"]))
    found += _prior_curves(found)
    found += [_kernel(chip, "memory", "", value, basis="stream kernels") for chip, value in sorted(memory.items())]
    found += _grouped(measured, found)
    found += _attention(measured)
    found += _causal_attention(measured)
    return found


def _kernel(
    chip: str, operation: str, dtype: str, *values: float, rows: int = 0, error: float = 0.0, basis: str = ""
) -> Row:
    numbers = [f"{value:.4g}" for value in values] + [""] * (len(GEMM_NUMBERS) - len(values))
    cells = [chip, operation, dtype, *numbers, str(rows or ""), f"{error:.3f}" if rows else "", basis]
    return dict(zip(KERNEL_COLUMNS, cells, strict=True))


def _prior_curves(found: Sequence[Row]) -> list[Row]:
    prior = []
    for dtype in sorted({row["dtype"] for row in found}):
        same = [row for row in found if row["dtype"] == dtype]
        values = [float(np.median([float(row[key]) for row in same])) for key in GEMM_NUMBERS]
        prior.append(
            _kernel(PRIOR, "gemm", dtype, *values, basis="median of " + ", ".join(row["kernels"] for row in same))
        )
    return prior


def _memory_efficiency(measured: Sequence[Row]) -> dict[str, float]:
    """Return achieved over nominal memory bandwidth: the median stream kernel of each chip, and the median chip."""
    by_chip: dict[str, list[float]] = defaultdict(list)
    for row in measured:
        if row["metric"] == "hbm_bw" and row["ref_peak"]:
            by_chip[row["chip"]].append(float(row["value"]) / float(row["ref_peak"]))
    found = {chip: float(np.median(values)) for chip, values in by_chip.items()}
    return {
        **{chip: value for chip, value in found.items() if chip in BANDWIDTH},
        PRIOR: float(np.median(list(found.values()))),
    }


def _grouped(measured: Sequence[Row], curves: Sequence[Row]) -> list[Row]:
    """Return the efficiency of grouped GEMMs over that of plain ones, from the groups of 1,024 rows and more."""
    by_chip: dict[str, list[float]] = defaultdict(list)
    best = {row["kernels"]: float(row["efficiency"]) for row in curves if row["dtype"] == "fp8_block"}
    for row in measured:
        if row["metric"] == "grouped_gemm_mfu" and row["chip"] in best:
            per_expert = re.search(r"\((\d+) per expert\)", row["size"])
            if per_expert and int(per_expert[1]) >= 1024:
                by_chip[row["chip"]].append(float(row["value"]) / best[row["chip"]])
    ratios = {chip: min(1.0, float(np.median(values))) for chip, values in by_chip.items()}
    ratios[PRIOR] = float(np.median(list(ratios.values())))
    return [
        _kernel(chip, "grouped gemm", "", value, basis="grouped over plain, 1,024 rows a group")
        for chip, value in ratios.items()
    ]


def _attention(measured: Sequence[Row]) -> list[Row]:
    """Return the fraction of the bf16 peak that the best prompt attention reaches, by chip and for the class.

    FlashAttention-2 counts on the A100 alone, for which it was written: later chips have later kernels.
    """
    by_chip: dict[str, list[float]] = defaultdict(list)
    for row in measured:
        if "bwd" in row["op"]:
            continue
        if not any(mark in row["op"] for mark in ("dense MHA", "FlashAttention", "mla prefill", "mha prefill")):
            continue
        if row["metric"] == "attention_best_mfu":
            by_chip[row["chip"]].append(float(row["value"]))
        elif row["unit"] == "TFLOP/s" and ("FlashAttention-2" not in row["op"] or row["chip"] == "A100 SXM"):
            by_chip[row["chip"]].append(float(row["value"]) / float(row["ref_peak"]))
    middle = {chip: float(np.median(values)) for chip, values in sorted(by_chip.items())}
    found = [
        _kernel(chip, "attention forward", "", min(0.95, value), rows=len(by_chip[chip]), basis="median kernel")
        for chip, value in middle.items()
    ]
    prior = float(np.median(list(middle.values())))
    return [*found, _kernel(PRIOR, "attention forward", "", prior, basis="median of the measured chips")]


_CAUSAL = re.compile(r"d128/128 s(\d+)$")
_LENGTH = re.compile(r"seq(?:_len=| )(\d+)")
_CAUSAL_WAYS = ("causal attention forward", "causal attention backward")


def _causal_attention(measured: Sequence[Row]) -> list[Row]:
    """Return of causal attention over heads 128 wide the fraction of the peak at endless contexts, and the keys lost.

    A query that attends to c keys costs as much as c + c0 would at that fraction: half of a tile on the diagonal is
    masked, and every row of tiles fills and drains its pipeline. A grid of lengths gives both fractions of a chip and
    ``c0``; a chip that was measured at one length takes the median ``c0``.
    """
    grids: dict[str, list[tuple[bool, float, float]]] = defaultdict(list)
    lengths: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in measured:
        if row["metric"] == "attention_grid" and (match := _CAUSAL.search(row["size"])):
            rate = float(row["value"]) / float(row["ref_peak"])
            grids[row["chip"]].append((row["op"].endswith("bwd"), float(match[1]) / 2, rate))
        elif match := _LENGTH.search(row["size"]):
            rate = float(row["value"]) / float(row["ref_peak"] or 1)
            if "FlashAttention-2" in row["op"]:
                lengths[row["chip"], "flash-2 forward"].append((float(match[1]) / 2, rate))
            if "mha prefill" in row["op"] or row["chip"] == "A100 SXM":  # for which FlashAttention-2 was written
                lengths[row["chip"], _CAUSAL_WAYS[0]].append((float(match[1]) / 2, rate))
    curves = {chip: _fit_causal(np.array(points, dtype=float)) for chip, points in sorted(grids.items())}
    prior = [float(value) for value in np.median(list(curves.values()), axis=0)]
    found = []
    for chip, curve in curves.items():
        rows_of, error = len(grids[chip]), curve[3]
        for way, fraction in zip(_CAUSAL_WAYS, curve, strict=False):
            basis = "causal kernels by length"
            found.append(_kernel(chip, way, "", fraction, 0.0, curve[2], rows=rows_of, error=error, basis=basis))
    for way, fraction in zip(_CAUSAL_WAYS, prior, strict=False):
        found.append(_kernel(PRIOR, way, "", fraction, 0.0, prior[2], basis=f"median of {', '.join(curves)}"))
    for (chip, kind), points in sorted(lengths.items()):
        rates = [min(1.0, rate * (1 + prior[2] / keys)) for keys, rate in points]
        found.append(_kernel(chip, kind, "", float(np.median(rates)), 0.0, prior[2], basis="at one length"))
    twos = [float(row["efficiency"]) for row in found if row["operation"] == "flash-2 forward"]
    return [*found, _kernel(PRIOR, "flash-2 forward", "", float(np.median(twos)), 0.0, prior[2], basis="median")]


def _fit_causal(points: Array) -> tuple[float, float, float, float]:
    """Return the fractions forward and backward, the keys lost and the median error of rows (backward, keys, rate)."""
    from scipy.optimize import minimize_scalar

    back, keys, rate = points[:, 0] > 0, points[:, 1], points[:, 2]

    def levels(lost: float) -> tuple[Array, Array]:
        log = np.log(rate * (1 + lost / keys))
        level = np.array([log[back == way].mean() for way in (False, True)])
        return level, log - level[back.astype(int)]

    lost = float(minimize_scalar(lambda x: float(np.sum(levels(x)[1] ** 2)), bounds=(0.0, 4096.0), method="bounded").x)
    (forward, backward), off = levels(lost)
    return float(np.exp(forward)), float(np.exp(backward)), lost, float(np.median(np.abs(off)))
