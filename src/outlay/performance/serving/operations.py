"""Time and memory of the operations of serving: decode steps and prefill, for arrays of configurations.

A configuration is a replica: ``tp`` ranks that cut each layer, and ``ep`` ranks over which experts are spread, with
attention data-parallel by groups of ``tp``. All arrays broadcast; one call evaluates every configuration and batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.performance.chip import BYTES, ChipModel, attention_time, gemm_time, memory_time
from outlay.performance.network import Fabric, all_reduce, decode_dispatch, direct, dispatch, few_reduced, p2p
from outlay.performance.operators import elementwise_bytes
from outlay.performance.serving.context import turned
from outlay.performance.serving.experts import hottest
from outlay.performance.serving.models import Served
from outlay.performance.transformer import (
    Architecture,
    Gemm,
    layer_gemms,
    parameters,
    vocab_gemm,
)

Array = NDArray[np.float64]
KV_BYTES = 2.0
USABLE_MEMORY = 0.90
"""Share of memory an engine takes for weights and KV cache; the default of vLLM's ``gpu_memory_utilization``."""
TILE_ROWS = 16.0
"""Rows of the smallest tile of decode kernels, which swap the operands; fewer take as long."""
GROUP_ROWS = 64.0
"""Rows of a tile of the grouped GEMMs of a prefill; an expert with fewer takes as long."""
ACTIVATION_BYTES = 2e9
"""Workspace and activations of a chunk of prefill."""
CHUNK = 8192.0
"""Tokens of prompts read together under load: the default budget of a step of vLLM and TensorRT-LLM."""
SCALE_BYTES = {"fp4": 1.0 / 16, "int4": 1.0 / 32}
"""Bytes of scales a weight: one fp8 for 16 values (NVFP4), one of 8 or 16 bits for 32 to 64 (MXFP4, int4)."""


@dataclass(frozen=True)
class Replicas:
    """Configurations as arrays.

    Attributes
    ----------
    tp, ep
        Ranks that cut a layer; ranks experts are spread over, 1 where they are cut like the rest.
    batch
        Requests on the whole replica at once.
    pp
        Stages of layers; as many micro-batches are in flight.
    cp
        Attention groups that read a prompt together.
    redundant
        Copies of experts that a balancer places, -1 where there is no balancer.
    skew
        Gini index of the popularity of experts; 0 routes evenly, chance aside.
    """

    tp: Array
    ep: Array
    batch: Array
    pp: Array | float = 1.0
    cp: Array | float = 1.0
    redundant: Array | float = -1.0
    skew: float = 0.0

    @property
    def stage_chips(self) -> Array:
        """Ranks of one stage."""
        return np.asarray(np.maximum(self.tp * self.cp, self.ep))

    @property
    def copies(self) -> Array:
        """Copies of experts beside one of each."""
        return np.asarray(np.where(self.ep > 1, np.maximum(self.redundant, 0.0), 0.0))

    @property
    def chips(self) -> Array:
        """Ranks of one replica."""
        return np.asarray(self.stage_chips * self.pp)

    @property
    def group_batch(self) -> Array:
        """Requests of one attention group."""
        return np.asarray(self.batch * self.tp / self.stage_chips)


@dataclass(frozen=True)
class Precision:
    """Types: what weights are kept in, what the chip multiplies in, and bytes of a value of KV cache."""

    weights: str
    compute: str
    kv_bytes: float = KV_BYTES

    @property
    def weight_bytes(self) -> float:
        """Bytes of a weight with its scales."""
        return weight_width(self.weights)


PARTS = ("gemm", "attention", "network", "other")


@dataclass(frozen=True)
class Parts:
    """Seconds of a step by what takes them: GEMMs, attention, collectives, and operators that only move bytes."""

    gemm: Array
    attention: Array
    network: Array
    other: Array

    @property
    def total(self) -> Array:
        """All of them."""
        return np.asarray(self.gemm + self.attention + self.network + self.other)


def weight_width(dtype: str) -> float:
    """Return the bytes of a weight of a type with its scales."""
    return BYTES.get(dtype, 0.5) + SCALE_BYTES.get(dtype, 0.0)


def compute_dtype(chip: ChipModel, dtype: str, model: Served) -> str:
    """Return the type a chip multiplies weights of ``dtype`` in: its own rate, int8's for fp8, or bf16's.

    An fp8 checkpoint that is scaled by the block has GEMM kernels of its own, with curves of their own.
    """
    if dtype == "fp8" and "fp8" in chip.peak and model.block_scaled and "fp8_block" in chip.curves:
        return "fp8_block"
    stands_in: dict[str, tuple[str, ...]] = {"fp8": ("int8",), "int8": ("fp8",)}
    for candidate in (dtype, *stands_in.get(dtype, ())):
        if candidate in chip.peak and candidate in chip.curves:
            return candidate
    return "bf16"


def weight_bytes(model: Served, replicas: Replicas, width: float) -> Array:
    """Return the bytes of weights on one rank at ``width`` bytes a value; embeddings stay in bf16."""
    arch = model.arch
    counts = parameters(arch)
    spread = np.where(replicas.ep > 1, replicas.ep, replicas.tp)
    dense = arch.layers * counts.attention + arch.dense_layers * counts.dense_ffn
    per_moe_layer = (
        (arch.experts + replicas.copies) * counts.expert / spread + counts.shared / replicas.tp + counts.router
    )
    matrices = dense / replicas.tp + (arch.layers - arch.dense_layers) * per_moe_layer
    return np.asarray(width * matrices / replicas.pp + 2.0 * (counts.embedding + counts.head) / replicas.tp)


def cache_share(model: Served, tp: ArrayLike) -> Array:
    """Return the share of a request's cache one rank holds: a latent is kept whole, a head is never cut."""
    tp = np.asarray(tp, dtype=float)
    return np.asarray(1.0 + 0.0 * tp if model.arch.kv_lora else np.maximum(1.0 / tp, 1.0 / model.arch.kv_heads))


def kv_bytes(model: Served, replicas: Replicas, context: ArrayLike, value_bytes: float = KV_BYTES) -> Array:
    """Return the bytes of KV cache and state on one rank."""
    each = model.stored_bytes(context, value_bytes) * cache_share(model, replicas.tp)
    return np.asarray(replicas.group_batch * each / replicas.pp)


def reached_experts(arch: Architecture, tokens: Array) -> Array:
    """Return the share of a layer's experts that some of ``tokens`` go to, each to k of E of them.

    Notes
    -----
    Were experts asked for alike, 1 - (1 - k/E)**n of them would have one of n tokens. Asked for as a gamma distribution
    of shape a, the tokens of an expert are negative binomial, and 1 - (1 + n q/a)**-a have one, with q such that one
    token has k. The exponential case a = 1, n k / (E + (n - 1) k), is taken: published decode steps of gpt-oss,
    MiniMax-M2.5, Qwen3 and DeepSeek at 1 to 512 requests agree with it and with 0.7 and 1.6, with even routing less.
    """
    n = np.maximum(tokens, 1.0)
    return np.asarray(n * arch.top_k / (arch.experts + (n - 1.0) * arch.top_k))


def _streamed(chip: ChipModel, gemm: Gemm, tokens: Array, model: Served, precision: Precision, tile: float) -> Array:
    """Time a GEMM that streams its weights: reading them, or multiplying whole tiles of rows, whichever takes longer.

    Of a grouped GEMM only the experts that some token goes to are read. Its groups share the chip, so the sizes at
    which a single product runs at half speed do not bind each of them.
    """
    groups, m, arch, dtype = gemm.groups, gemm.m, model.arch, precision.compute
    if gemm.grouped:
        reached = reached_experts(arch, tokens)
        groups = np.maximum(gemm.groups * reached, 1.0)
        m = gemm.m * gemm.groups / groups
    rows = np.maximum(m, tile)
    efficiency = chip.curve_of(dtype).efficiency * (chip.grouped_efficiency if gemm.grouped else 1.0)
    compute = 2.0 * rows * gemm.n * gemm.k / (chip.peak_of(dtype) * efficiency)
    moved = precision.weight_bytes * gemm.n * gemm.k + 2.0 * m * (gemm.n + gemm.k)
    memory = moved / (chip.memory_bandwidth * chip.memory_efficiency)
    return np.asarray(gemm.count * groups * np.maximum(compute, memory))


def _layers(
    model: Served,
    chip: ChipModel,
    fabric: Fabric,
    replicas: Replicas,
    tokens: Array,
    wire_bytes: float,
    timed: Callable[[Gemm, Array], Array],
    *,
    few: bool = False,
) -> Parts:
    """Return the seconds of all layers but for their attention, for ``tokens`` of one attention group.

    ``timed`` times a GEMM for the tokens of the whole replica; ``few`` are those of a decode step, whose collectives
    have kernels of their own.
    """
    arch = model.arch
    zero = np.zeros(np.broadcast(tokens, replicas.tp).shape)
    gemm, network, other = zero, zero, zero
    all_tokens = tokens * replicas.stage_chips / replicas.tp
    hot, slots = _uneven(arch, replicas, all_tokens)
    uneven = bool(np.any(np.asarray(hot) != 1.0) or np.any(np.asarray(slots) != 1.0))
    size, send = tokens * arch.hidden * 2.0, decode_dispatch if few else dispatch
    summed = few_reduced(fabric, tokens, size, replicas.tp) if few else all_reduce(fabric, size, replicas.tp)
    for moe, layers in ((False, arch.dense_layers), (True, arch.moe_layers)):
        if layers == 0:
            continue
        gemms = layer_gemms(arch, tokens, replicas.tp, replicas.ep, moe=moe)
        gemm = gemm + layers * sum((timed(one, all_tokens) for one in gemms if not (uneven and one.grouped)), zero)
        for one in (one for one in gemms if uneven and one.grouped):
            there = replace(one, m=one.m * hot / slots, groups=one.groups * slots)
            gemm = gemm + layers * timed(there, all_tokens * hot / slots)
        moved = sum(
            elementwise_bytes(arch, tokens, replicas.tp, block=block, sequence_parallel=False)
            for block in ("attention", "moe" if moe else "ffn")
        )
        other = other + layers * memory_time(chip, moved)
        network = network + layers * 2.0 * summed
        if moe and np.any(replicas.ep > 1):
            out = send(fabric, hot * tokens / replicas.tp * arch.hidden * wire_bytes, arch.top_k, replicas.ep)
            back = send(fabric, hot * tokens / replicas.tp * arch.hidden * 2.0, arch.top_k, replicas.ep)
            network = network + layers * np.where(replicas.ep > 1, out + back, 0.0)
    if np.any(np.asarray(replicas.pp) > 1):
        across = np.asarray(replicas.stage_chips * replicas.pp > fabric.domain_chips)
        network = network + (replicas.pp - 1.0) * p2p(fabric, tokens * arch.hidden * 2.0 / replicas.tp, across)
    return Parts(gemm, zero, network, other)


def _uneven(arch: Architecture, replicas: Replicas, tokens: Array) -> tuple[Array | float, Array | float]:
    """Return the tokens of the hottest rank of experts over the mean, and the slots for experts over their number."""
    if replicas.skew == 0 and not np.any(replicas.copies):
        return 1.0, 1.0
    hot = hottest(arch.experts, arch.top_k, tokens, replicas.ep, replicas.redundant, replicas.skew)
    return hot, 1.0 + replicas.copies / arch.experts


def prefill_parts(
    model: Served,
    chip: ChipModel,
    fabric: Fabric,
    replicas: Replicas,
    tokens: ArrayLike,
    precision: Precision,
    prompts: ArrayLike = 1.0,
    attended: ArrayLike | None = None,
) -> Parts:
    """Return the seconds to read ``prompts`` of ``tokens`` each together on one attention group, or on ``cp`` of them.

    ``attended`` is twice the tokens that a mean token attends to, where that is not ``tokens``: more where prompts
    differ in length, or where a part of them is cached.
    """
    arch = model.arch
    length = np.asarray(tokens, dtype=float) + 0.0 * replicas.tp
    count = np.asarray(prompts, dtype=float)
    together = np.asarray(length * count) / replicas.cp
    spans = length if attended is None else np.asarray(attended, dtype=float)
    flops = model.flops(together, spans / 2, absorbed=False) / replicas.tp
    attention = arch.layers * attention_time(chip, flops, 2.0 * together * arch.hidden / replicas.tp)
    head = vocab_gemm(arch, count, replicas.tp)

    def timed(gemm: Gemm, all_tokens: Array) -> Array:
        if gemm.grouped:
            launch = gemm.count * chip.curve_of(precision.compute).launch_s
            return np.asarray(launch) + _streamed(chip, gemm, all_tokens, model, precision, GROUP_ROWS)
        return np.asarray(gemm.count * gemm_time(chip, gemm.m, gemm.n, gemm.k, precision.compute))

    layers = _layers(model, chip, fabric, replicas, together, min(BYTES[precision.compute], 2.0), timed)
    last = gemm_time(chip, head.m, head.n, head.k, "bf16")
    if np.any(np.asarray(replicas.cp) > 1):
        cache = count * model.stored_bytes(length, 2.0) * cache_share(model, replicas.tp) / arch.layers
        around = turned(fabric, cache, together * _query_bytes(arch, replicas), replicas, attention / arch.layers)
        layers = replace(layers, network=layers.network + arch.layers * around)
    return replace(layers, gemm=layers.gemm + last, attention=np.asarray(attention))


def _query_bytes(arch: Architecture, replicas: Replicas) -> Array:
    """Return the bytes of the queries of a token on one rank and of its outputs that come back, in bf16."""
    return np.asarray(2.0 * arch.heads * (arch.qk_dim + arch.v_dim) / replicas.tp)


def decode_parts(
    model: Served,
    chip: ChipModel,
    fabric: Fabric,
    replicas: Replicas,
    context: ArrayLike,
    precision: Precision,
    queries: float = 1.0,
) -> Parts:
    """Return the seconds of the operations of one decode step of the whole batch, without the time between them.

    ``queries`` are the tokens of a request that a step takes: one, and those a draft proposes to be verified. Each of
    these takes a pass of the draft before the step.
    """
    chip = captured(chip)
    fabric = direct(fabric) if fabric.peers else fabric
    step = _one_pass(model, chip, fabric, replicas, context, precision, queries)
    if queries <= 1.0:
        return step
    drafted = _draft_pass(model, chip, fabric, replicas, context, precision)
    return Parts(*(getattr(step, n) + (queries - 1.0) * getattr(drafted, n) for n in PARTS))


def _draft_pass(
    model: Served, chip: ChipModel, fabric: Fabric, replicas: Replicas, context: ArrayLike, precision: Precision
) -> Parts:
    """Return the seconds in which a draft proposes one token of each request: a layer of the model and its head.

    The layer of a multi-token prediction takes the hidden state and the embedding of the last token through a matrix of
    2 h x h first, kept whole and in bf16 (arXiv:2412.19437, section 2.2; vLLM, deepseek_mtp.py).
    """
    one = replace(model.arch, layers=1, dense_layers=0 if model.arch.experts else 1, ssm_layers=0)
    step = _one_pass(replace(model, arch=one, full_every=1.0), chip, fabric, replicas, context, precision, 1.0)
    rows = replicas.group_batch / replicas.pp
    joined = Gemm("hidden and embedding", rows, model.arch.hidden, 2.0 * model.arch.hidden)
    first = _streamed(chip, joined, rows, model, Precision("bf16", "bf16"), TILE_ROWS)
    return replace(step, gemm=step.gemm + first)


def _one_pass(
    model: Served,
    chip: ChipModel,
    fabric: Fabric,
    replicas: Replicas,
    context: ArrayLike,
    precision: Precision,
    queries: float,
) -> Parts:
    """Return the seconds of one pass of a model whose kernels are captured, head included."""
    b = replicas.group_batch / replicas.pp
    length, rows = np.asarray(context, dtype=float), b * queries
    flops = model.flops(rows, length, absorbed=True) / replicas.tp
    read = b * model.read_bytes(length, precision.kv_bytes) * cache_share(model, replicas.tp)
    attention = model.arch.layers * attention_time(chip, flops, read / model.arch.layers)
    head = vocab_gemm(model.arch, rows, replicas.tp)

    def timed(gemm: Gemm, all_tokens: Array) -> Array:
        return _streamed(chip, gemm, all_tokens, model, precision, TILE_ROWS)

    wire = min(BYTES[precision.compute], 2.0)
    layers = _layers(model, chip, fabric, replicas, rows, wire, timed, few=True)
    last = _streamed(chip, head, rows, model, Precision("bf16", "bf16"), TILE_ROWS)
    return replace(layers, gemm=layers.gemm + last, attention=np.asarray(attention))


def captured(chip: ChipModel) -> ChipModel:
    """Return a chip whose kernels start without a launch of their own, as in a captured graph."""
    curves = {dtype: replace(curve, launch_s=0.0) for dtype, curve in chip.curves.items()}
    return replace(chip, curves=curves, launch_s=0.0)
