"""The roofline of a chip, as its figures say and as measured kernels reach it, and a model's operations under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlay.errors import InputError
from outlay.performance.chip import OUTPUT_BYTES, ChipModel, attention_time, grouped_gemm_time
from outlay.performance.transformer import attention_flops, kv_bytes_per_token, layer_gemms, vocab_gemm

if TYPE_CHECKING:
    from outlay.performance.transformer import Architecture, Gemm

KV_BYTES = 2.0


@dataclass(frozen=True)
class Roofline:
    """Two ceilings of a chip at a data type (Williams et al., doi:10.1145/1498765.1498785).

    Attributes
    ----------
    peak, bandwidth
        As the catalogue's preferred figures say, FLOP/s and bytes/s.
    best_peak, best_bandwidth
        What the largest products and the longest copies reach, by the curves fitted to measured kernels.
    """

    chip: str
    dtype: str
    peak: float
    bandwidth: float
    best_peak: float
    best_bandwidth: float
    provenance: str
    notes: tuple[str, ...] = ()

    @property
    def ridge(self) -> float:
        """FLOP per byte from which on the compute ceiling binds."""
        return self.peak / self.bandwidth

    def attainable(self, intensity: float) -> float:
        """Return the FLOP/s that the figures allow at FLOPs per byte."""
        return min(self.peak, self.bandwidth * intensity)


@dataclass(frozen=True)
class Operation:
    """An operation of a model's layer on one chip: what it computes and moves, and how long it takes."""

    name: str
    shape: str
    flops: float
    bytes: float
    seconds: float

    @property
    def intensity(self) -> float:
        """FLOP per byte."""
        return self.flops / self.bytes

    @property
    def rate(self) -> float:
        """FLOP/s."""
        return self.flops / self.seconds


def roofline(chip: ChipModel, dtype: str) -> Roofline:
    """Return the ceilings of a chip.

    Raises
    ------
    MissingFigureError
        If no source gives its peak at that data type, or no measured kernel says how much of it is reached.
    """
    peak = float(chip.peak_of(dtype))
    best = peak * float(chip.curve_of(dtype).efficiency)
    bandwidth = float(chip.memory_bandwidth)
    reached = bandwidth * float(chip.memory_efficiency)
    return Roofline(chip.name, dtype, peak, bandwidth, best, reached, chip.provenance, chip.notes)


def operations(
    chip: ChipModel, arch: Architecture, *, tokens: float, context: float, dtype: str, decode: bool = False
) -> list[Operation]:
    """Return the operations of one layer of each kind, and of the output head, on one chip.

    Parameters
    ----------
    tokens
        Tokens that pass at once: of a prompt, or one of each request where ``decode``.
    context
        Tokens that each request has in its cache where ``decode``; a prompt attends to itself.

    Raises
    ------
    InputError
        If tokens or context are not above zero.
    """
    for name, value in (("tokens", tokens), ("context", context)):
        if value <= 0:
            msg = f"{name} must be above zero, not {value:g}"
            raise InputError(msg)
    gemms: dict[str, Gemm] = {}
    for moe, layers in ((False, arch.dense_layers), (True, arch.moe_layers)):
        if layers:
            gemms |= {gemm.name: gemm for gemm in layer_gemms(arch, float(tokens), moe=moe)}
    head = vocab_gemm(arch, float(tokens))
    gemms[head.name] = head
    found = [_product(chip, gemm, dtype) for gemm in gemms.values() if float(gemm.m) > 0]
    return [*found, _attention(chip, arch, tokens, context, decode=decode)]


def _product(chip: ChipModel, gemm: Gemm, dtype: str) -> Operation:
    """Time a product as :func:`outlay.performance.chip.grouped_gemm_time` does, and count what it moves likewise."""
    m, n, k, groups = (float(value) for value in (gemm.m, gemm.n, gemm.k, gemm.groups))
    moved = groups * (float(chip.curve_of(dtype).operand_bytes) * (m * k + k * n) + OUTPUT_BYTES * m * n)
    seconds = float(grouped_gemm_time(chip, groups, m, n, k, dtype, plain=not gemm.grouped))
    times = f"{groups:,.0f} x " if groups > 1 else ""
    return Operation(gemm.name, f"{times}{m:,.0f} x {n:,.0f} x {k:,.0f}", 2.0 * m * n * k * groups, moved, seconds)


def _attention(chip: ChipModel, arch: Architecture, tokens: float, context: float, *, decode: bool) -> Operation:
    """Return the attention of one layer: to a cache, which is read, or of a prompt to itself, masked to half."""
    attended = context if decode else tokens / 2
    flops = float(attention_flops(arch, tokens, attended))
    if decode and arch.latent:
        # The projections of keys and values are folded into the queries' (arXiv:2405.04434, section 2.1.2).
        flops = 2.0 * tokens * attended * float(arch.heads) * float(2 * arch.kv_lora + arch.qk_rope)
    io = 2.0 * KV_BYTES * tokens * float(arch.hidden)
    read = float(kv_bytes_per_token(arch, KV_BYTES)) / float(arch.layers)
    moved = io + read * (tokens * context if decode else tokens)
    seconds = float(attention_time(chip, flops, moved))
    words = f"{tokens:,.0f} queries, {attended:,.0f} keys each"
    return Operation("attention", words, flops, moved, seconds)
