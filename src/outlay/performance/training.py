"""Memory and step time of arrays of training strategies, in one pass of vectorised formulas.

One step of ``m`` micro-batches on ``pp`` stages takes (arXiv:2104.04473, section 2.2; arXiv:2205.05198, section 5)

    m * slowest stage + (pp - 1) / vpp * mean stage + exposed communication + optimiser

where a stage is the sum of its operations forward and backward, timed by :mod:`outlay.performance.chip` and
:mod:`outlay.performance.network`. Sources of the other formulas stand at their functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.performance import network
from outlay.performance.chip import ChipModel, attention_time, gemm_time, grouped_gemm_time, memory_time
from outlay.performance.network import Fabric
from outlay.performance.strategy import Stack, Strategy, stacks
from outlay.performance.transformer import (
    Architecture,
    Gemm,
    activation_bytes,
    attended,
    attention_flops,
    elementwise_bytes,
    forward_flops_per_token,
    layer_gemms,
    parameters,
    vocab_gemm,
)

Array = NDArray[np.float64]

WIDE = ("bf16", "fp16")
MEMORY_KINDS = ("weights", "gradients", "optimiser", "activations", "buffers")
TIME_KINDS = ("compute", "tp", "cp", "ep", "bubble", "pp", "dp", "optimiser")

# Bytes a parameter: bf16 weights; fp32 gradients where they are accumulated outside FSDP, bf16 within; fp32 master
# weights and two Adam moments (arXiv:1910.02054, section 3.1).
WEIGHT_BYTES, GRADIENT_BYTES, SHARDED_GRADIENT_BYTES, OPTIMISER_BYTES = 2.0, 4.0, 2.0, 12.0
# The optimiser reads gradient, master, two moments and writes master, two moments and the bf16 weight.
OPTIMISER_TRAFFIC = 4.0 * 4 + 4.0 * 3 + 2.0
# Flash attention's backward pass does five products where the forward does two (arXiv:2307.08691, section 3.1.2).
FLASH_BACKWARD = 2.5
# Bytes a score that unfused attention moves forward and backward: products, softmax, dropout each write and read bf16.
UNFUSED_SCORE_BYTES = (11.0, 20.0)
# Backward passes of the operators between GEMMs read what the forward wrote, and the gradient.
ELEMENTWISE_BACKWARD = 2.0
# Logits are kept in bf16 and, for the loss, in fp32; they are written, read and overwritten by their gradient.
LOGIT_BYTES, LOGIT_TRAFFIC = 6.0, 16.0
# The context of the runtime and the buffers of the collectives, and what the allocator cannot use.
RUNTIME_BYTES, FRAGMENTATION = 3e9, 0.03


@dataclass(frozen=True)
class TrainingTimes:
    """What a step of each strategy takes; arrays over the strategies.

    Attributes
    ----------
    step_time_s
        Seconds.
    mfu
        Model FLOPs (6 a token and active parameter that multiplies, and causal attention) over the chips' dense peak
        of the data type asked for.
    hfu
        The same with the recomputed FLOPs.
    memory
        Bytes by kind on a chip of the fullest stage.
    breakdown
        Seconds by kind; they add up to ``step_time_s``.
    """

    step_time_s: Array
    mfu: Array
    hfu: Array
    memory: Mapping[str, Array]
    fits: NDArray[np.bool_]
    breakdown: Mapping[str, Array]

    @property
    def memory_bytes(self) -> Array:
        """Bytes of all kinds."""
        return np.asarray(sum(self.memory.values()))


def evaluate(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    strategies: Strategy,
    global_batch_sequences: ArrayLike,
    sequence: ArrayLike,
    dtype: str = "bf16",
    *,
    slowdown: float = 1.0,
    stack: Stack | None = None,
) -> TrainingTimes:
    """Return step times and memory of strategies that multiply to the chips and divide the batch.

    Parameters
    ----------
    global_batch_sequences
        Sequences a step.
    dtype
        Of the GEMMs of the layers; attention, the vocabulary and the master weights stay in bf16 and fp32.
    slowdown
        Kernels in a running step over kernels alone, fitted by chip family (``calibration``).
    """
    stack = stack or stacks()[chip.software]
    s, batch = np.asarray(sequence, dtype=float), np.asarray(global_batch_sequences, dtype=float)
    st = strategies
    micro_batches = np.maximum(batch / (st.dp * st.micro_batch), 1.0)
    tokens = st.micro_batch * s / st.cp
    slowdown = slowdown * stack.slowdown
    layer = _layer(arch, chip, fabric, st, tokens, s, dtype, slowdown, stack)
    head = _head_seconds(arch, chip, tokens, st.tp, slowdown)

    slowest_layers = np.ceil(arch.layers / (st.pp * st.vpp)) * st.vpp
    last_layers = np.maximum(arch.layers - slowest_layers * (st.pp - 1), 0.0)
    per_layer = layer["compute"] + layer["tp"] + layer["cp"] + layer["ep"]
    slowest = np.maximum(slowest_layers * per_layer, last_layers * per_layer + head)
    mean = (arch.layers * per_layer + head) / st.pp
    bubble = micro_batches * (slowest - mean) + stack.bubble * (st.pp - 1) / st.vpp * mean

    compute_per_micro_batch = (arch.layers * layer["compute"] + head) / st.pp
    stage_parameters = _stage_parameters(arch, st)
    breakdown = {
        "compute": micro_batches * compute_per_micro_batch,
        **{kind: micro_batches * arch.layers / st.pp * layer[kind] for kind in ("tp", "cp", "ep")},
        "bubble": bubble,
        "pp": _pipeline_seconds(arch, fabric, st, tokens, micro_batches, stack),
        "dp": _data_parallel_seconds(fabric, st, stage_parameters, micro_batches, compute_per_micro_batch, stack),
        "optimiser": _optimiser_seconds(chip, st, stage_parameters),
    }
    step = np.asarray(sum(breakdown.values()))
    memory = _memory(arch, st, stage_parameters, tokens, micro_batches, s, stack, 2.0 if dtype in WIDE else 1.0)
    peak = step * chip.peak_of(dtype) * st.chips
    flops = forward_flops_per_token(arch, s)
    selective = 0.0 * s if stack.fused_attention else flops.attention
    recomputed = np.choose(st.recompute.astype(int), [0.0 * s, selective, flops.total - flops.vocab])
    used = np.asarray(sum(memory.values()))
    return TrainingTimes(
        step_time_s=step,
        mfu=3.0 * flops.total * batch * s / peak,
        hfu=(3.0 * flops.total + recomputed) * batch * s / peak,
        memory=memory,
        fits=used <= chip.memory_bytes,
        breakdown=breakdown,
    )


def _layer(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    st: Strategy,
    tokens: Array,
    sequence: Array,
    dtype: str,
    slowdown: float,
    stack: Stack,
) -> dict[str, Array]:
    """Return the seconds of a mean layer and micro-batch, forward and backward, by kind."""
    attention = _attention_seconds(arch, chip, st, tokens, sequence, stack)
    seconds: dict[str, Array] = {kind: np.zeros(np.shape(tokens)) for kind in ("compute", "tp", "cp", "ep")}
    for moe, count in ((False, arch.dense_layers), (True, arch.moe_layers)):
        if count:
            share = count / arch.layers
            compute = _layer_compute(arch, chip, st, tokens, dtype, moe, attention, stack)
            seconds["compute"] += share * compute * slowdown * (stack.moe_overhead if moe else 1.0)
            for kind, value in _layer_communication(arch, fabric, st, tokens, moe, attention, stack).items():
                seconds[kind] = seconds[kind] + share * value
    # Forward, backward as two passes, and the recomputed forward: each waits for the host to launch it.
    host = stack.host_s * np.choose(st.recompute.astype(int), [3.0, 3.0, 4.0])
    seconds["compute"] = np.maximum(seconds["compute"], host - seconds["tp"] - seconds["cp"] - seconds["ep"])
    return seconds


def _layer_compute(
    arch: Architecture,
    chip: ChipModel,
    st: Strategy,
    tokens: Array,
    dtype: str,
    moe: bool,
    attention: tuple[Array, Array],
    stack: Stack,
) -> Array:
    """Return the seconds of a layer's kernels, forward, backward and recomputed."""
    gemms = layer_gemms(arch, tokens, st.tp, st.ep, moe=moe, etp=np.where(st.ep > 1, st.etp, st.tp))
    narrow = 1.0 if dtype in WIDE else stack.narrow

    def products(ways: tuple[str, ...], names: tuple[str, ...] = ()) -> Array:
        wanted = [gemm for gemm in gemms if not names or gemm.name in names]
        return narrow * np.asarray(sum(_gemm_seconds(chip, gemm, dtype, way) for gemm in wanted for way in ways))

    moved = elementwise_bytes(arch, tokens, st.tp, moe=moe, sequence_parallel=st.sequence_parallel)
    between = memory_time(chip, moved * stack.elementwise)
    forward = products(("forward",)) + attention[0] + between
    backward = products(("input", "weight")) + attention[1] + ELEMENTWISE_BACKWARD * between
    up = products(("forward",), ("query up", "latent up"))
    selective = between + up if stack.fused_attention else attention[0]
    return np.asarray(forward + backward + np.choose(st.recompute.astype(int), [0.0 * forward, selective, forward]))


def _gemm_seconds(chip: ChipModel, gemm: Gemm, dtype: str, way: str) -> Array:
    """Return the seconds of a GEMM forward, of its input gradient (m, k, n), or of its weight gradient (k, n, m)."""
    m, n, k = {
        "forward": (gemm.m, gemm.n, gemm.k),
        "input": (gemm.m, gemm.k, gemm.n),
        "weight": (gemm.k, gemm.n, gemm.m),
    }[way]
    if gemm.grouped:
        return grouped_gemm_time(chip, gemm.groups, m, n, k, dtype)
    return gemm.count * gemm_time(chip, m, n, k, dtype)


def _attention_seconds(
    arch: Architecture, chip: ChipModel, st: Strategy, tokens: Array, sequence: Array, stack: Stack
) -> tuple[Array, Array]:
    """Return the seconds of one layer's attention core, forward and backward.

    Notes
    -----
    Fused: the causal half only, backward 2.5 times the FLOPs (arXiv:2307.08691). Unfused: both halves as batched
    GEMMs and the scores through memory several times; backward twice.
    """
    heads = arch.heads / st.tp
    if stack.fused_attention:
        flops = attention_flops(arch, tokens, attended(arch, sequence), st.tp)
        moved = 2.0 * tokens * heads * (2 * arch.qk_dim + 2 * arch.v_dim)
        slower = stack.attention_overhead * (chip.flash2 if stack.attention == "flash-2" else 1.0)
        forward = attention_time(chip, flops, moved)
        return slower * forward, slower * attention_time(chip, FLASH_BACKWARD * flops, 2 * moved, backward=True)
    batched = st.micro_batch * heads
    rows_, columns = sequence / st.cp, sequence
    scores = grouped_gemm_time(chip, batched, rows_, columns, float(arch.qk_dim), "bf16", plain=True)
    values = grouped_gemm_time(chip, batched, rows_, float(arch.v_dim), columns, "bf16", plain=True)
    count = batched * rows_ * columns
    forward = scores + values + memory_time(chip, UNFUSED_SCORE_BYTES[0] * count)
    return forward, 2 * (scores + values) + memory_time(chip, UNFUSED_SCORE_BYTES[1] * count)


def _head_seconds(arch: Architecture, chip: ChipModel, tokens: Array, tp: Array, slowdown: float) -> Array:
    """Return the seconds of the output head and the loss: a GEMM three ways, and fp32 logits written and read."""
    gemm = vocab_gemm(arch, tokens, tp)
    products = sum(_gemm_seconds(chip, gemm, "bf16", way) for way in ("forward", "input", "weight"))
    return np.asarray(products + memory_time(chip, LOGIT_TRAFFIC * gemm.m * gemm.n)) * slowdown


def _layer_communication(
    arch: Architecture,
    fabric: Fabric,
    st: Strategy,
    tokens: Array,
    moe: bool,
    attention: tuple[Array, Array],
    stack: Stack,
) -> dict[str, Array]:
    """Return the exposed seconds of a layer's tensor, context and expert parallel traffic, forward and backward.

    Notes
    -----
    Tensor parallel: an all-gather and a reduce-scatter around each of two blocks and each direction, which is the
    volume of the all-reduces without sequence parallelism (arXiv:2205.05198, section 4.2.2); a full recomputation
    repeats the forward's. Context parallel: keys and values go round the ring once forward and, with their gradients,
    twice backward (arXiv:2310.01889). Expert parallel: each token's vector goes to its experts and back, in both
    directions.
    """
    again = np.where(st.recompute == 2, 1.0, 0.0)
    size = 2.0 * tokens * arch.hidden
    # An expert that is cut gathers its routed tokens; whole experts behind an all-to-all need no second block.
    blocks = np.where(np.logical_and(moe, st.ep > 1), np.where(st.etp > 1, 1.0 + arch.top_k, 1.0), 2.0)
    pair = network.all_gather(fabric, size, st.tp) + network.reduce_scatter(fabric, size, st.tp)
    tensor = np.where(st.tp > 1, blocks * pair * (2.0 + again) * (1 - stack.tp_overlap), 0.0)

    kv = (
        arch.kv_lora + arch.qk_rope
        if arch.attention == "mla"
        else 2 * np.maximum(arch.kv_heads / st.tp, 1.0) * arch.head_dim
    )
    ring = network.all_gather(fabric, 2.0 * tokens * kv * st.cp, st.cp, st.tp)
    hidden_by = stack.cp_overlap * (attention[0] + attention[1])
    context = np.where(st.cp > 1, np.maximum((3.0 + again) * ring - hidden_by, 0.0), 0.0)

    expert = np.zeros(np.shape(tokens))
    if moe:
        there = network.dispatch(fabric, 2.0 * tokens / st.tp * arch.hidden, float(arch.top_k), st.ep)
        expert = np.where(st.ep > 1, 2.0 * there * (2.0 + again) * (1 - stack.ep_overlap), 0.0)
    return {"tp": tensor, "cp": context, "ep": expert}


@dataclass(frozen=True)
class _StageParameters:
    """Parameters on a chip of the fullest stage: those every data-parallel rank has, and those of its experts."""

    common: Array
    experts: Array


def _stage_parameters(arch: Architecture, st: Strategy) -> _StageParameters:
    counts = parameters(arch)
    layers = np.ceil(arch.layers / st.pp)
    moe_share, dense_share = arch.moe_layers / arch.layers, arch.dense_layers / arch.layers
    common = layers * (counts.attention + dense_share * counts.dense_ffn + moe_share * (counts.shared + counts.router))
    ends = np.where(st.pp > 1, counts.embedding, counts.embedding + counts.head)
    experts = layers * moe_share * arch.experts * counts.expert / st.expert_cut
    return _StageParameters((common + ends) / st.tp, np.asarray(experts))


def _pipeline_seconds(
    arch: Architecture, fabric: Fabric, st: Strategy, tokens: Array, micro_batches: Array, stack: Stack
) -> Array:
    """Return the exposed seconds of sends between stages, forward and backward per chunk (arXiv:2104.04473, 3.2).

    The stages of a chip's pipeline sit tp * cp * dp chips apart; a stage sends its 1/tp of the activations.
    """
    spans = st.tp * st.cp * st.dp * 2 > fabric.domain_chips
    once = network.p2p(fabric, 2.0 * tokens * arch.hidden / st.tp, spans)
    sends = 2.0 * (micro_batches * st.vpp + st.pp - 1)
    return np.where(st.pp > 1, sends * once * (1 - stack.pp_overlap), 0.0)


def _data_parallel_seconds(
    fabric: Fabric,
    st: Strategy,
    held: _StageParameters,
    micro_batches: Array,
    compute: Array,
    stack: Stack,
) -> Array:
    """Return the exposed seconds of gradient reduction and weight gathering.

    Notes
    -----
    ZeRO 0 sums the gradients; 1 and 2 scatter the sum and gather the weights, once a step, beside the last
    micro-batch's compute, and with interleaved chunks beside that of more, because early chunks finish before; 3
    gathers the weights forward and backward and scatters the gradients for every micro-batch, beside its compute
    (arXiv:1910.02054, section 7; arXiv:2304.11277, section 3).
    """
    total: Array = np.zeros(np.shape(st.dp))
    for count, ranks, stride in (
        (held.common, st.dp * st.cp, st.tp),
        (held.experts, st.expert_copies, st.expert_cut),
    ):
        gather = network.all_gather(fabric, WEIGHT_BYTES * count, ranks, stride)
        scatter = network.reduce_scatter(fabric, GRADIENT_BYTES * count, ranks, stride)
        whole = network.all_reduce(fabric, GRADIENT_BYTES * count, ranks, stride)
        sharded = 2 * gather + network.reduce_scatter(fabric, SHARDED_GRADIENT_BYTES * count, ranks, stride)
        stage = st.zero.astype(int)
        total = total + np.where(
            (ranks > 1) & (count > 0), np.choose(stage, [whole, scatter + gather, scatter + gather, sharded]), 0
        )
    times = np.where(st.zero == 3, micro_batches, 1.0)
    window = np.where(st.zero == 3, 1.0, np.minimum(1.0 + (st.pp - 1) * (1 - 1 / st.vpp), micro_batches))
    return times * np.maximum(total - stack.dp_overlap * window * compute, (1 - stack.dp_overlap) * total)


def _shards(st: Strategy, stage: int, ranks: Array) -> Array:
    """Return over how many ranks a state is cut at a ZeRO stage that cuts it from ``stage`` on."""
    return np.where(st.zero >= stage, ranks, 1.0)


def _optimiser_seconds(chip: ChipModel, st: Strategy, held: _StageParameters) -> Array:
    common = held.common / _shards(st, 1, st.dp * st.cp)
    experts = held.experts / _shards(st, 1, st.expert_copies)
    return memory_time(chip, OPTIMISER_TRAFFIC * (common + experts))


def _memory(
    arch: Architecture,
    st: Strategy,
    held: _StageParameters,
    tokens: Array,
    micro_batches: Array,
    sequence: Array,
    stack: Stack,
    operand_bytes: float,
) -> dict[str, Array]:
    """Return bytes by kind on a chip of the first stage, which keeps the most micro-batches (arXiv:2205.05198, 4.2.3).

    Notes
    -----
    In flight on the first stage of 1F1B: min(m, pp) micro-batches of its L / pp layers; interleaved, a factor
    1 + (pp - 1) / (pp vpp) of all L layers. Full recomputation keeps each layer's input and one layer's activations.
    """
    ranks, expert_ranks = st.dp * st.cp, st.expert_copies

    def cut(stage: int) -> Array:
        return np.asarray(held.common / _shards(st, stage, ranks) + held.experts / _shards(st, stage, expert_ranks))

    keep_scores = np.where(stack.fused_attention | (st.recompute == 1), 0.0, sequence)
    per_layer = np.zeros(np.shape(tokens))
    for moe, count in ((False, arch.dense_layers), (True, arch.moe_layers)):
        if count:
            kept = activation_bytes(
                arch,
                tokens,
                st.tp,
                moe=moe,
                sequence_parallel=st.sequence_parallel,
                score_context=keep_scores,
                selective=(st.recompute == 1) & stack.fused_attention,
                operand_bytes=operand_bytes,
            )
            per_layer = per_layer + count / arch.layers * kept
    inputs = 2.0 * tokens * arch.hidden / np.where(st.sequence_parallel > 0, st.tp, 1.0)
    interleaved = 1.0 + (st.pp - 1) / (st.pp * st.vpp)
    in_flight = np.where(
        st.vpp > 1, arch.layers * interleaved, np.minimum(micro_batches, st.pp) * np.ceil(arch.layers / st.pp)
    )
    in_flight = np.minimum(in_flight, micro_batches * np.ceil(arch.layers / st.pp))
    layers = np.where(st.recompute == 2, in_flight * inputs + per_layer, in_flight * per_layer)
    logits = np.where(st.pp == 1, LOGIT_BYTES * tokens * arch.vocab / st.tp, 0.0)
    gradient = np.where(st.zero == 3, SHARDED_GRADIENT_BYTES, GRADIENT_BYTES)
    gathered = np.where(
        st.zero == 3, 2.0 * WEIGHT_BYTES * (held.common + held.experts) / np.ceil(arch.layers / st.pp), 0.0
    )
    memory = {
        "weights": WEIGHT_BYTES * cut(3) + gathered,
        "gradients": gradient * cut(2),
        "optimiser": OPTIMISER_BYTES * cut(1),
        "activations": layers + logits,
    }
    return {**memory, "buffers": RUNTIME_BYTES + FRAGMENTATION * np.asarray(sum(memory.values()))}
