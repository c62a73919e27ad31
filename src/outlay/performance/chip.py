"""Time of an operation on a chip: a roofline whose efficiency curves are fitted to measured kernels.

A GEMM takes ``max(compute, memory) + launch``, the roofline of Williams et al. (doi:10.1145/1498765.1498785), where

    compute = 2 waves cores tile (k + k0) (1 + n0 / n) / (peak * efficiency)

and memory is bytes over achieved bandwidth. A chip computes a product in tiles, one a core at a time, and the last wave
of tiles takes as long as a full one (NVIDIA, Matrix Multiplication Background, section 4); of the tiles that kernels
have, the one that is fastest for the sizes is taken, and small ones reach less of the peak. ``efficiency``, ``half``,
``n0``, ``k0``, ``split`` and the launch time are fitted per chip and data type by
:mod:`outlay.performance.kernel_fitting`; a chip without measured kernels takes the median of the measured chips and
says so.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from outlay.catalog.records import Chip
from outlay.errors import MissingFigureError, nearest
from outlay.performance.arrays import Number, namespace

Provenance = Literal["measured", "achieved fraction", "class prior"]

BYTES = {
    "fp32": 4.0,
    "tf32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "fp8_block": 1.0,
    "int8": 1.0,
    "fp6": 0.75,
    "fp4": 0.5,
}
"""Bytes of a value, without its scales."""
DTYPES = tuple(BYTES)
OUTPUT_BYTES = 2.0
PRIOR = "class prior"
FITTED = ("slowdown", "narrow", "host", "elementwise", "attention", "moe")
GEMM_NUMBERS = ("efficiency", "half", "n0", "k0", "split", "launch_s")
TILES = ((256, 128), (128, 256), (128, 128), (128, 64), (64, 128), (64, 64))
"""Rows and columns of the tiles of kernels, the largest first (CUTLASS, functionality: threadblock shapes)."""
_LARGEST = float(max(rows * columns for rows, columns in TILES))
_PEAK_OF = {"fp8_block": "fp8", "fp16": "bf16", "bf16": "fp16"}


@dataclass(frozen=True)
class GemmCurve:
    """Efficiency of matrix products of a data type.

    Attributes
    ----------
    efficiency
        Fraction of the peak that full waves of the largest tiles reach.
    half
        Outputs of a tile that would reach half of what an endless one does.
    n0
        Columns that take as long as the conversion of the first operand to a narrow data type.
    k0
        Depth that takes as long as starting and ending a tile.
    split
        Part of a wave that tiles take which are far fewer than the cores: some are split over their depth.
    launch_s
        Seconds from one kernel to the next.
    operand_bytes
        Bytes of a value of the operands, without its scales.
    narrow
        Where that is below two: the time of its products in a running training step over that of the measured kernels,
        for the data type alone, fitted as the chip's ``narrow``.
    """

    efficiency: Number
    half: Number
    n0: Number
    k0: Number
    split: Number
    launch_s: Number
    operand_bytes: Number = 2.0
    narrow: Number = 1.0


@dataclass(frozen=True)
class ChipModel:
    """What the formulas need of a chip, in SI units.

    Attributes
    ----------
    family, generation
        Under which its published runs are grouped, and with which families it shares its silicon; its name and '' where
        it stands alone.
    peak
        Dense FLOP/s by data type, as the catalogue's preferred figures say.
    cores
        Units that compute a tile each: streaming multiprocessors, compute units; 1 where matrix units work together or
        no source gives their number.
    curves
        GEMM curve by data type.
    grouped_efficiency
        A grouped GEMM's efficiency over that of a plain one of the same sizes.
    attention_forward
        Fraction of the bf16 peak that the attention of a prompt reaches in serving.
    flash_forward, flash_backward, flash_keys
        Fractions of the bf16 peak that fused causal attention reaches at endless contexts, and the keys that each query
        costs beyond those it attends to.
    flash2
        Time of FlashAttention-2, which was written for Ampere, over that of the kernels that came later.
    provenance
        ``measured`` where kernels of this silicon were measured, ``achieved fraction`` where only its best GEMM rate is
        known and the shape of the curve is the median of the measured chips, ``class prior`` where nothing is.
    slowdown, narrow, host, elementwise, attention, moe
        Kernels in a running training step over kernels alone; the same for GEMMs in less than 16 bits on top; the
        host's launches, the bytes between GEMMs and the times of attention and of MoE layers over those of the software
        stack: fitted to published runs of the chip's family, of its generation where the family was never measured, or
        of all (:mod:`outlay.performance.fitting`). A stack that is better made for a family than for others shows in
        its ``slowdown``.
    software
        Software generation the caller asked for; see :mod:`outlay.performance.training` for what it changes.
    """

    name: str
    family: str
    generation: str
    peak: Mapping[str, Number]
    memory_bytes: Number
    memory_bandwidth: Number
    tdp_w: Number
    cores: Number
    curves: Mapping[str, GemmCurve]
    memory_efficiency: Number
    grouped_efficiency: Number
    attention_forward: Number
    flash_forward: Number
    flash_backward: Number
    flash_keys: Number
    flash2: Number
    launch_s: Number
    provenance: Provenance
    software: str
    notes: tuple[str, ...] = ()
    slowdown: Number = 1.0
    narrow: Number = 1.0
    host: Number = 1.0
    elementwise: Number = 1.0
    attention: Number = 1.0
    moe: Number = 1.0

    def peak_of(self, dtype: str) -> Number:
        """Return the dense peak of a data type in FLOP/s; fp8_block has the fp8 peak, fp16 and bf16 share theirs.

        Raises
        ------
        MissingFigureError
            If no source gives it.
        """
        for candidate in (dtype, _PEAK_OF.get(dtype, dtype)):
            if candidate in self.peak:
                return self.peak[candidate]
        msg = f"chip {self.name!r}: no source gives its {dtype} peak; known: {', '.join(sorted(self.peak)) or 'none'}"
        raise MissingFigureError(msg)

    def curve_of(self, dtype: str) -> GemmCurve:
        """Return the GEMM curve of a data type."""
        for candidate in (dtype, _PEAK_OF.get(dtype, dtype)):
            if candidate in self.curves:
                return self.curves[candidate]
        msg = f"no GEMM curve for {dtype!r}; nearest: {', '.join(nearest(dtype, self.curves) or self.curves)}"
        raise MissingFigureError(msg)


def chip_model(chip: Chip, stack: str | None = None) -> ChipModel:
    """Return the performance model of a catalogue chip.

    Raises
    ------
    MissingFigureError
        If its memory size, memory bandwidth or every peak is in no source.
    """
    peaks = {dtype: value for dtype in DTYPES if (value := chip.peak(dtype)) is not None}
    if not peaks:
        msg = f"chip {chip.name!r}: no source gives a peak rate; nothing can be said of its speed"
        raise MissingFigureError(msg)
    row = _silicon().get(chip.name, {})
    silicon = silicon_names(chip.name)
    curves = _curves(silicon, row.get("gemm_fraction", ""), row.get("gemm_dtype", ""))
    own = any(name in silicon[:-1] and operation == "gemm" for name, operation, _ in _kernels())
    provenance: Provenance = "measured" if own else "class prior"
    notes: list[str] = []
    if row.get("gemm_fraction"):
        provenance = "measured" if own else "achieved fraction"
        notes.append(
            f"GEMM efficiency scaled to the measured best rate, {row['gemm_fraction']} of peak ({row['source']})"
        )
    elif provenance == "class prior":
        notes.append("no kernel of this chip was measured: efficiency curves are the median of the measured chips")

    def figure(operation: str, number: str = "efficiency") -> float:
        return next(float(found[number]) for name in silicon if (found := _kernels().get((name, operation, ""))))

    family = row.get("family") or chip.name
    fitted = family_row(family, row.get("generation", ""))
    slowdown = float(fitted["slowdown"]) * _pairs().get((family, stack or "current"), 1.0)
    return ChipModel(
        name=chip.name,
        family=family,
        generation=row.get("generation", ""),
        peak=peaks,
        memory_bytes=chip.need("memory_gb"),
        memory_bandwidth=chip.need("memory_bw_tbs"),
        tdp_w=chip.number("tdp_w"),
        cores=float(row.get("cores") or 1),
        curves=curves,
        memory_efficiency=figure("memory"),
        grouped_efficiency=figure("grouped gemm"),
        attention_forward=figure("attention forward"),
        flash_forward=figure("causal attention forward"),
        flash_backward=figure("causal attention backward"),
        flash_keys=figure("causal attention forward", "n0"),
        flash2=max(1.0, figure("causal attention forward") / figure("flash-2 forward")),
        launch_s=float(np.median([curve.launch_s for curve in curves.values()])),
        provenance=provenance,
        software=stack or "current",
        notes=tuple(notes),
        **({name: float(fitted[name]) for name in FITTED} | {"slowdown": slowdown}),
    )


def family_row(family: str, generation: str) -> dict[str, str]:
    """Return what was fitted to the runs of a family, of its generation where it has none, or of the class."""
    table = _families()
    return table.get(family) or table.get(generation) or table[PRIOR]


def silicon_names(chip: str) -> list[str]:
    """Return the names under which a chip's silicon was measured, its own first and the class prior last."""
    named = _silicon().get(chip, {}).get("kernels", "")
    return [*(name.strip() for name in named.split(";") if name.strip()), PRIOR]


def gemm_time(chip: ChipModel, m: Number, n: Number, k: Number, dtype: str) -> Number:
    """Return the seconds of an (m x k) times (k x n) product."""
    return grouped_gemm_time(chip, 1.0, m, n, k, dtype, plain=True)


def grouped_gemm_time(
    chip: ChipModel,
    groups: Number,
    m_per_group: Number,
    n: Number,
    k: Number,
    dtype: str,
    *,
    plain: bool = False,
    converted: bool = False,
) -> Number:
    """Return the seconds of ``groups`` products (m x k) times (k x n) in one kernel, each with its own weights.

    The first operands have the data type already where they are ``converted``.
    """
    m, curve = m_per_group, chip.curve_of(dtype)
    rate = chip.peak_of(dtype) * curve.efficiency * (1.0 if plain else chip.grouped_efficiency)
    compute = 2.0 * tiled(curve, chip.cores, groups, m, n) * (k + curve.k0) / rate
    if not converted:
        compute = compute * (1.0 + curve.n0 / n)
    moved = groups * (curve.operand_bytes * (m * k + k * n) + OUTPUT_BYTES * m * n)
    memory = moved / (chip.memory_bandwidth * chip.memory_efficiency)
    return namespace(compute, memory).maximum(compute, memory) + curve.launch_s


@functools.cache
def _sides(axes: int) -> tuple[NDArray[np.float64], ...]:
    """Return rows, columns and areas of the tiles along a first axis before so many others."""
    sides = np.array([(rows, columns, rows * columns) for rows, columns in TILES], dtype=float)
    return tuple(sides.T.reshape(3, -1, *(1,) * axes))


def tiled(curve: GemmCurve, cores: Number, groups: Number, m: Number, n: Number) -> Number:
    """Return the outputs of ``groups`` products (m x n) with what their tiles and waves leave idle, by the best tile.

    Notes
    -----
    Tiles of a wave and more take whole waves. Fewer take from ``split`` of one to one: kernels that split a product
    over its depth give the idle cores a part of it (CUTLASS, efficient GEMM, parallelized reductions).
    """
    xp = namespace(groups, m, n, cores, curve.half)
    rows, columns, area = _sides(max(getattr(value, "ndim", 0) for value in (groups, m, n, cores, curve.half)))
    filled = groups * xp.ceil(m / rows) * xp.ceil(n / columns) / cores
    waves = xp.where(filled > 1.0, xp.ceil(filled), filled + (1.0 - filled) * curve.split)
    return xp.min(waves * (area + curve.half), axis=0) * cores / (1.0 + curve.half / _LARGEST)


def attention_time(
    chip: ChipModel, flops: Number, bytes_moved: Number, dtype: str = "bf16", *, fraction: Number | None = None
) -> Number:
    """Return the seconds of fused attention that does ``flops``, of the unmasked part, and moves ``bytes_moved``.

    ``fraction`` of the peak stands in place of that of a prompt in serving.
    """
    compute = flops / (chip.peak_of(dtype) * (chip.attention_forward if fraction is None else fraction))
    memory = bytes_moved / (chip.memory_bandwidth * chip.memory_efficiency)
    return namespace(compute, memory).maximum(compute, memory) + chip.launch_s


def memory_time(chip: ChipModel, bytes_moved: Number) -> Number:
    """Return the seconds of an operator that only moves bytes; nothing moved takes no time."""
    xp = namespace(bytes_moved, chip.memory_bandwidth, chip.launch_s)
    moved = xp.asarray(bytes_moved, dtype=float)
    return moved / (chip.memory_bandwidth * chip.memory_efficiency) + xp.where(moved > 0, chip.launch_s, 0.0)


def _curves(silicon: Sequence[str], gemm_fraction: str, measured: str) -> dict[str, GemmCurve]:
    """Return the curve of each data type from the first silicon that has it, scaled to the known best rate if lent.

    The type that rate was ``measured`` in reaches it; others by as much more or less than the class as bf16 would.
    """
    table, own = _kernels(), silicon[0] if len(silicon) > 1 else ""
    curves: dict[str, GemmCurve] = {}
    for name in silicon:
        borrowed = {
            dtype: GemmCurve(**{key: float(row[key]) for key in GEMM_NUMBERS}, operand_bytes=BYTES[dtype])
            for (kernels, operation, dtype), row in table.items()
            if kernels == name and operation == "gemm" and dtype not in curves
        }
        if gemm_fraction and name != own:
            scale = float(gemm_fraction) / float(table[PRIOR, "gemm", "bf16"]["efficiency"])
            borrowed = {
                dtype: replace(
                    curve, efficiency=float(gemm_fraction) if dtype == measured else min(1.0, curve.efficiency * scale)
                )
                for dtype, curve in borrowed.items()
            }
        curves.update(borrowed)
    return {dtype: replace(curve, narrow=_narrow().get(dtype, 1.0)) for dtype, curve in curves.items()}


def rows(file: str) -> list[dict[str, str]]:
    """Return the rows of a data file of this package."""
    text = (resources.files("outlay.performance") / "data" / file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@functools.cache
def _kernels() -> dict[tuple[str, str, str], dict[str, str]]:
    return {(row["kernels"], row["operation"], row["dtype"]): row for row in rows("kernels.csv")}


@functools.cache
def _families() -> dict[str, dict[str, str]]:
    return {row["family"]: row for row in rows("families.csv")}


@functools.cache
def _pairs() -> dict[tuple[str, str], float]:
    return {(row["family"], row["stack"]): float(row["slowdown"]) for row in rows("pairs.csv")}


@functools.cache
def _narrow() -> dict[str, float]:
    return {row["dtype"]: float(row["narrow"]) for row in rows("narrow.csv")}


@functools.cache
def _silicon() -> dict[str, dict[str, str]]:
    return {row["chip"]: row for row in rows("silicon.csv")}
