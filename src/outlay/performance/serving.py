"""Time and memory of serving: prefill, decode, continuous batching, for arrays of configurations.

A configuration is a replica: ``tp`` chips that cut each layer, and ``ep`` chips over which experts are spread, with
attention data-parallel by groups of ``tp``. All arrays broadcast; one call evaluates every configuration and batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.performance.chip import BYTES, ChipModel, attention_time, gemm_time, grouped_gemm_time, memory_time
from outlay.performance.network import Fabric, all_reduce, dispatch
from outlay.performance.transformer import (
    Architecture,
    Gemm,
    attention_flops,
    elementwise_bytes,
    kv_bytes_per_token,
    layer_gemms,
    parameters,
    vocab_gemm,
)

Array = NDArray[np.float64]
Number = float | Array
KV_BYTES = 2.0
USABLE_MEMORY = 0.90
"""Share of memory an engine takes for weights and KV cache; the default of vLLM's ``gpu_memory_utilization``."""
TILE_ROWS = 64.0
"""Rows of the smallest tile a matrix unit works on at full rate; fewer take as long."""
ACTIVATION_BYTES = 2e9
"""Workspace and activations of a chunk of prefill."""


@dataclass(frozen=True)
class Engine:
    """What engine and chip add to the operations, a few numbers fitted to published runs (``serving_validation``).

    Attributes
    ----------
    step_s
        Host and scheduling time of one decode step that the chip does not hide.
    request_s
        Of it, what each request of the batch adds: sampling, detokenisation, block tables.
    kernel_s
        Time between two kernels of a decode step; small where it is one captured graph. A collective counts as three.
    admit_s
        Time of a request before its prompt is read: transport, tokenizer, scheduling.
    decode, prefill
        Slowdown of a decode step and of a prefill over the sum of their operations.
    burst
        Mean wait of a benchmark's requests, in prompts per other request of a batch: half a batch in its first wave.
    """

    step_s: Number
    request_s: Number
    kernel_s: Number
    admit_s: Number
    decode: Number
    prefill: Number
    burst: Number = 0.0


@dataclass(frozen=True)
class Replicas:
    """Configurations as arrays.

    Attributes
    ----------
    tp, ep
        Chips that cut a layer; chips experts are spread over, 1 where they are cut like the rest.
    batch
        Requests on the whole replica at once.
    pp
        Stages of layers; as many micro-batches are in flight.
    """

    tp: Array
    ep: Array
    batch: Array
    pp: Array | float = 1.0

    @property
    def stage_chips(self) -> Array:
        """Chips of one stage."""
        return np.asarray(np.maximum(self.tp, self.ep))

    @property
    def chips(self) -> Array:
        """Chips of one replica."""
        return np.asarray(self.stage_chips * self.pp)

    @property
    def group_batch(self) -> Array:
        """Requests of one attention group."""
        return np.asarray(self.batch * self.tp / self.stage_chips)


@dataclass(frozen=True)
class ServingTimes:
    """What each configuration does, arrays of one shape; memory in bytes a chip by kind."""

    ttft_s: Array
    tpot_s: Array
    prefill_s: Array
    step_s: Array
    output_tokens_per_s: Array
    """Of one replica."""
    memory: dict[str, Array]
    fits: NDArray[np.bool_]


def compute_dtype(chip: ChipModel, dtype: str) -> str:
    """Return the type a chip multiplies weights of ``dtype`` in: its own rate, int8's for fp8, or bf16's."""
    stands_in: dict[str, tuple[str, ...]] = {"fp8": ("int8",), "int8": ("fp8",), "fp4": ("fp8",)}
    for candidate in (dtype, *stands_in.get(dtype, ())):
        if candidate in chip.peak:
            return candidate
    return "bf16"


def weight_bytes(arch: Architecture, replicas: Replicas, dtype: str) -> Array:
    """Return the bytes of weights on one chip; embeddings stay in bf16."""
    counts = parameters(arch)
    spread = np.where(replicas.ep > 1, replicas.ep, replicas.tp)
    dense = arch.layers * counts.attention + arch.dense_layers * counts.dense_ffn
    per_moe_layer = arch.experts * counts.expert / spread + counts.shared / replicas.tp + counts.router
    matrices = dense / replicas.tp + (arch.layers - arch.dense_layers) * per_moe_layer
    return np.asarray(BYTES[dtype] * matrices / replicas.pp + 2.0 * (counts.embedding + counts.head) / replicas.tp)


def kv_bytes(arch: Architecture, replicas: Replicas, context: ArrayLike, value_bytes: float = KV_BYTES) -> Array:
    """Return the bytes of KV cache on one chip: a latent is kept whole on every rank, a head is never cut.

    Layers with a sliding window keep the window alone.
    """
    length = np.asarray(context, dtype=float)
    if arch.window:
        windowed = np.minimum(length, float(arch.window))
        length = (length + (arch.window_every - 1) * windowed) / arch.window_every
    whole = kv_bytes_per_token(arch, value_bytes)
    copies = replicas.tp if arch.kv_lora else np.maximum(1.0, replicas.tp / arch.kv_heads)
    return np.asarray(replicas.group_batch * length * whole * copies / replicas.tp / replicas.pp)


def _gemm(chip: ChipModel, gemm: Gemm, tokens: Array, arch: Architecture, dtype: str, weights: str) -> Array:
    """Time one GEMM of a decode step: reading the weights, or multiplying whole tiles of rows, whichever takes longer.

    Of a grouped GEMM only the experts that some token goes to are read; even routing of n tokens to k of E experts
    reaches E (1 - (1 - k/E)**n) of them. Its groups share the chip, so the sizes at which a single product runs at half
    speed do not bind each of them.
    """
    groups, m = gemm.groups, gemm.m
    if gemm.grouped:
        reached = 1.0 - (1.0 - arch.top_k / arch.experts) ** np.maximum(tokens, 1.0)
        groups = np.maximum(gemm.groups * reached, 1.0)
        m = gemm.m * gemm.groups / groups
    rows = np.maximum(m, TILE_ROWS)
    efficiency = chip.curve_of(dtype).efficiency * (chip.grouped_efficiency if gemm.grouped else 1.0)
    compute = 2.0 * rows * gemm.n * gemm.k / (chip.peak_of(dtype) * efficiency)
    moved = BYTES[weights] * gemm.n * gemm.k + 2.0 * m * (gemm.n + gemm.k)
    memory = moved / (chip.memory_bandwidth * chip.memory_efficiency)
    return np.asarray(gemm.count * groups * np.maximum(compute, memory))


def _layers(
    arch: Architecture,
    fabric: Fabric,
    replicas: Replicas,
    tokens: Array,
    dtype: str,
    outside: Array,
    timed: Callable[[Gemm, Array], Array],
    chip: ChipModel,
) -> Array:
    """Return the seconds of all layers for ``tokens`` of one attention group.

    ``outside`` is what one layer takes besides its GEMMs and collectives, its attention above all; ``timed`` times a
    GEMM for the tokens of the whole replica.
    """
    total = np.zeros(np.broadcast(tokens, replicas.tp).shape)
    all_tokens = tokens * replicas.stage_chips / replicas.tp
    reduce = 2.0 * all_reduce(fabric, tokens * arch.hidden * 2.0, replicas.tp)
    for moe, layers in ((False, arch.dense_layers), (True, arch.moe_layers)):
        if layers == 0:
            continue
        gemms = layer_gemms(arch, tokens, replicas.tp, replicas.ep, moe=moe)
        time = sum((timed(gemm, all_tokens) for gemm in gemms), np.zeros_like(total))
        moved = sum(
            elementwise_bytes(arch, tokens, replicas.tp, block=block, sequence_parallel=False)
            for block in ("attention", "moe" if moe else "ffn")
        )
        time = time + outside + memory_time(chip, moved) + reduce
        if moe:
            out = dispatch(fabric, tokens / replicas.tp * arch.hidden * BYTES[dtype], arch.top_k, replicas.ep)
            back = dispatch(fabric, tokens / replicas.tp * arch.hidden * 2.0, arch.top_k, replicas.ep)
            time = time + np.where(replicas.ep > 1, out + back, 0.0)
        total = total + layers * time
    return total


def prefill_time(
    arch: Architecture, chip: ChipModel, fabric: Fabric, replicas: Replicas, tokens: ArrayLike, dtype: str
) -> Array:
    """Return the seconds to read a prompt of ``tokens`` on one attention group: all layers, one output."""
    t = np.asarray(tokens, dtype=float) + 0.0 * replicas.tp
    flops = attention_flops(arch, t, t / 2, replicas.tp)
    attention = attention_time(chip, flops, 2.0 * t * arch.hidden / replicas.tp)
    head = vocab_gemm(arch, 1.0, replicas.tp)

    def timed(gemm: Gemm, _: Array) -> Array:
        if gemm.grouped:
            return np.asarray(gemm.count * grouped_gemm_time(chip, gemm.groups, gemm.m, gemm.n, gemm.k, dtype))
        return np.asarray(gemm.count * gemm_time(chip, gemm.m, gemm.n, gemm.k, dtype))

    layers = _layers(arch, fabric, replicas, t, dtype, attention, timed, chip)
    return np.asarray(layers + gemm_time(chip, head.m, head.n, head.k, "bf16"))


def decode_time(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    replicas: Replicas,
    context: ArrayLike,
    dtype: str,
    weights: str,
    value_bytes: float = KV_BYTES,
) -> Array:
    """Return the seconds of the operations of one decode step of the whole batch, without the time between them.

    ``dtype`` is what the chip multiplies in, ``weights`` what they are kept in.
    """
    chip, fabric = captured(chip), replace(fabric, domain_latency=0.0)
    b = replicas.group_batch / replicas.pp
    length = np.asarray(context, dtype=float)
    flops = attention_flops(arch, b, length, replicas.tp)
    if arch.kv_lora:  # absorbed: queries and values live in the latent (arXiv:2405.04434, section 2.1)
        flops = 2.0 * b * length * arch.heads * (2 * arch.kv_lora + arch.qk_rope) / replicas.tp
    attention = attention_time(chip, flops, kv_bytes(arch, replicas, length, value_bytes) / arch.layers)
    head = vocab_gemm(arch, b, replicas.tp)

    def timed(gemm: Gemm, all_tokens: Array) -> Array:
        return _gemm(chip, gemm, all_tokens, arch, dtype, weights)

    layers = _layers(arch, fabric, replicas, b, dtype, attention, timed, chip)
    return layers + _gemm(chip, head, b, arch, "bf16", "bf16")


def captured(chip: ChipModel) -> ChipModel:
    """Return a chip whose kernels start without a launch of their own, as in a captured graph."""
    curves = {dtype: replace(curve, launch_s=0.0) for dtype, curve in chip.curves.items()}
    return replace(chip, curves=curves, launch_s=0.0)


def kernels(arch: Architecture, replicas: Replicas) -> Array:
    """Return the kernels of one decode step: GEMMs, attention, norms and activation; a collective counts as three."""
    per_dense = len(layer_gemms(arch, 1.0)) if arch.dense_layers else 0
    per_moe = len(layer_gemms(arch, 1.0, moe=True)) + 3 if arch.experts else 0
    shared = arch.layers * (4 + np.where(replicas.tp > 1, 6.0, 0.0))
    spread = np.where(replicas.ep > 1, 6.0, 0.0)
    return np.asarray(arch.dense_layers * per_dense + arch.moe_layers * (per_moe + spread) + shared + 2.0)


def step_time(engine: Engine, operations: Array, kernels: ArrayLike, requests: Array, least: ArrayLike) -> Array:
    """Return the seconds of a decode step: the host's part, the gaps between kernels and the operations.

    ``least`` is the least factor on the operations: the efficiency their memory time was reckoned with, so that no
    memory is read faster than its nominal bandwidth.
    """
    device = np.maximum(engine.decode, least) * operations
    return np.asarray(engine.step_s + engine.request_s * requests + engine.kernel_s * np.asarray(kernels) + device)


@dataclass(frozen=True)
class Loop:
    """A closed loop in which every request that ends is replaced at once."""

    tpot_s: Array
    ttft_s: Array
    requests_per_s: Array
    """Of one attention group."""


def closed_loop(
    step: Array,
    prefill: Array,
    requests: Array,
    output: ArrayLike,
    engine: Engine,
    *,
    shared: ArrayLike = 1.0,
    readers: ArrayLike = 1.0,
) -> Loop:
    """Return the latencies of an attention group that ``requests`` keep busy: continuous batching, chunked prefill.

    Parameters
    ----------
    step, prefill
        Seconds of a decode step and of the reading of one prompt.
    shared
        1 where prompts are read by the chips that decode, 0 where others do it.
    readers
        Prompts that are read at the same time.

    Notes
    -----
    A request lives W + n x seconds: W to its first token, n answers' tokens of x. Little's law gives the rate
    c / (W + n x), and the prompts of the c - 1 others stretch the time of a token,

        x = step + (c - 1) prefill x / (W + n x),    W = admit + prefill + step

    a quadratic in x. A prompt waits for others in a queue of utilisation rho = rate prefill with even service times
    (M/D/1: rho prefill / (2 (1 - rho))), at most for half of them.
    """
    n, shared, readers = (np.asarray(value, dtype=float) for value in (output, shared, readers))
    first = engine.admit_s + prefill + step
    others = np.maximum(requests - 1.0, 0.0)
    half = (first - n * step - shared * others * prefill / readers) / 2.0
    tpot = (np.sqrt(half * half + n * step * first) - half) / n
    rate = requests / (first + n * tpot)
    busy = np.minimum(rate * prefill / readers, 0.99)
    queue = np.minimum(busy / (2.0 * (1.0 - busy)), np.maximum(requests / readers - 1.0, 0.0) / 2.0) * prefill
    wave = engine.burst * np.maximum(requests / readers - 1.0, 0.0) * prefill
    ttft = first + queue + wave
    return Loop(np.asarray(tpot), np.asarray(ttft), np.asarray(requests / (ttft + n * tpot)))


def steady_state(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    replicas: Replicas,
    *,
    input_tokens: float,
    output_tokens: float,
    dtype: str,
    engine: Engine,
) -> ServingTimes:
    """Return what replicas do when every request that ends is replaced: continuous batching with chunked prefill.

    Benchmarks start all their requests at once; here they arrive one by one, so the engine's ``burst`` is left out.
    """
    gemm_dtype = compute_dtype(chip, dtype)
    operations = decode_time(arch, chip, fabric, replicas, input_tokens + output_tokens / 2, gemm_dtype, dtype)
    step = step_time(engine, operations, kernels(arch, replicas), replicas.group_batch, chip.memory_efficiency)
    prefill = engine.prefill * prefill_time(arch, chip, fabric, replicas, input_tokens, gemm_dtype)
    loop = closed_loop(
        step, prefill, replicas.group_batch, output_tokens, replace(engine, burst=0.0), readers=replicas.pp
    )
    groups = replicas.stage_chips / replicas.tp
    memory = {
        "weights": weight_bytes(arch, replicas, dtype) + 0.0 * replicas.batch,
        "kv cache": kv_bytes(arch, replicas, input_tokens + output_tokens),
        "workspace": np.full(np.shape(step), ACTIVATION_BYTES),
    }
    fits = sum(memory.values(), np.zeros_like(step)) <= USABLE_MEMORY * chip.memory_bytes
    rate = loop.requests_per_s * groups * output_tokens
    return ServingTimes(loop.ttft_s, loop.tpot_s, prefill, step, rate, memory, fits)
