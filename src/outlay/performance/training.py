"""Step time of arrays of training strategies, in one pass of vectorised formulas.

One step of ``m`` micro-batches on ``pp`` stages takes (arXiv:2104.04473, section 2.2; arXiv:2205.05198, section 5)

    (m * slowest stage + bubble + exposed communication + optimiser) * (1 + jitter log2(servers)) + step overhead

where a stage is the sum of its operations forward and backward, timed by :mod:`outlay.performance.chip` and
:mod:`outlay.performance.network`. Sources of the other formulas stand at their functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outlay.performance import communication, state_space
from outlay.performance.arrays import Number, namespace
from outlay.performance.chip import ChipModel, attention_time, gemm_time, grouped_gemm_time, memory_time
from outlay.performance.host import in_turns, stretched
from outlay.performance.memory import (
    HOST_BYTES,
    KINDS,
    Held,
    activation_bytes,
    held,
    host_bytes,
    memory,
    shards,
)
from outlay.performance.network import Fabric
from outlay.performance.operators import elementwise_bytes, expert_bias_bytes, expert_padding_bytes, joining_bytes
from outlay.performance.strategy import SCHEDULES, Stack, Strategy, stacks
from outlay.performance.transformer import (
    Architecture,
    Gemm,
    attended,
    attention_flops,
    attention_gemms,
    dense_gemms,
    forward_flops_per_token,
    moe_gemms,
    state_space_gemms,
    vocab_gemm,
)

WIDE = "bf16"
"""The data type of attention, the vocabulary and whatever a narrow recipe leaves wide."""
MEMORY_KINDS = KINDS
TIME_KINDS = ("compute", "tp", "cp", "ep", "bubble", "pp", "dp", "optimiser", "offload", "overhead")

# The optimiser reads gradient, master, two moments and writes master, two moments and the bf16 weight.
OPTIMISER_TRAFFIC = 4.0 * 4 + 4.0 * 3 + 2.0
# On the host: gradients down and weights up in bf16, and the same traffic in its memory (arXiv:2101.06840, section 4).
OFFLOAD_LINK_BYTES = 2.0 + 2.0
# Bytes/s of a chip's share of its host's memory, and of its link to it: PCIe 4.0 x16 and an eighth of two sockets of
# eight DDR4-3200 channels, both at four fifths.
HOST_MEMORY, HOST_LINK = 41e9, 25e9
# Flash attention's backward pass does five products where the forward does two (arXiv:2307.08691, section 3.1.2).
FLASH_BACKWARD = 2.5
# Exponentials/s of an H100 (arXiv:2407.08608, section 3.1), and later chips have no more: narrow heads, which take as
# many with fewer FLOPs, are slower than those of the measured kernels.
EXPONENTIALS, MEASURED_WIDTH = 3.9e12, 128.0
# FLOPs of the state-space product for each byte that the memory could move meanwhile, which bounds its five kernels
# (PyTorch, Accelerating Mamba-2 with kernel fusion, Background): on an A100 of 312 TFLOP/s and 2.04 TB/s it takes the
# time of flash attention at 2,048 tokens (arXiv:2405.21060, figure 10), 8.4 MFLOP a token at half of the peak against
# its 2.1.
SCAN = 0.12 * 312 / 2.04
# Bytes a score that unfused attention moves forward and backward: products, softmax, dropout each write and read bf16.
UNFUSED_SCORE_BYTES = (11.0, 20.0)
# Tensor cores take rows of 16 bytes: batched products over heads of another width run on the other cores, and as they
# sum in fp32 at the rate of that, on an A100 19.5 of 312 TFLOP/s (NVIDIA, A100 architecture whitepaper, table 1; Matrix
# Multiplication Background, section 3).
ALIGNED, UNALIGNED = 8, 312 / 19.5
# Backward passes of the operators between GEMMs read what the forward wrote, and the gradient.
ELEMENTWISE_BACKWARD = 2.0
# For the loss, logits are written, read and overwritten by their gradient.
LOGIT_TRAFFIC = 16.0
# A conversion of an operand reads two bytes and writes one in either layout (Transformer Engine, cast_transpose).
CAST_BYTES = 2.0 + 2.0
# Gradients of weights are summed over micro-batches in fp32: read and written once more.
SUM_BYTES = 4.0 + 4.0
DUALPIPE = SCHEDULES.index("dualpipe")


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

    step_time_s: Number
    mfu: Number
    hfu: Number
    memory: Mapping[str, Number]
    fits: Any
    breakdown: Mapping[str, Number]

    @property
    def memory_bytes(self) -> Number:
        """Bytes of all kinds."""
        return sum(self.memory.values())


@dataclass(frozen=True)
class LayerTimes:
    """Seconds of a mean layer and micro-batch on a chip: kernels by pass, and the exposed communication of both.

    ``grad_input`` and ``grad_weight`` are the two halves of the backward pass, which zero-bubble schedules split;
    recomputation counts to the first.
    """

    forward: Number
    grad_input: Number
    grad_weight: Number
    tp: Number
    cp: Number
    ep: Number

    @property
    def compute(self) -> Number:
        """Kernels of all passes."""
        return self.forward + self.grad_input + self.grad_weight

    @property
    def whole(self) -> Number:
        """Kernels and communication."""
        return self.compute + self.tp + self.cp + self.ep


def evaluate(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    strategies: Strategy,
    global_batch_sequences: Number,
    sequence: Number,
    dtype: str = WIDE,
    *,
    stack: Stack | None = None,
    layer_times: LayerTimes | None = None,
) -> TrainingTimes:
    """Return step times and memory of strategies that multiply to the chips and divide the batch.

    Parameters
    ----------
    arch, chip, fabric, stack
        One of each for all strategies, or of each a stack with one entry a strategy (:func:`arrays.stacked`).
    global_batch_sequences
        Sequences a step.
    dtype
        Of the GEMMs of the layers; attention, the vocabulary and the master weights stay in bf16 and fp32.
    layer_times
        What :func:`layer` returns for these strategies, where the caller has it already: it is the same for all that
        share tensor, context and expert ranks, micro-batch, recomputation and sequence parallelism.
    """
    stack = stack or stacks()[chip.software]
    st = strategies
    xp = namespace(st.tp, global_batch_sequences, sequence, chip, fabric)
    batch, s = (xp.asarray(value, dtype=float) for value in (global_batch_sequences, sequence))
    tokens = st.micro_batch * s / st.cp
    one = layer_times or layer(arch, chip, fabric, st, tokens, s, dtype, stack)
    parts = breakdown(arch, chip, fabric, st, batch, s, one, stack)
    step = sum(parts.values())
    used = memory(arch, st, batch, s, stack, xp.minimum(chip.curve_of(dtype).operand_bytes, 2.0))
    peak = step * chip.peak_of(dtype) * st.chips
    flops = forward_flops_per_token(arch, s)
    model, again = 3.0 * flops.total, _recomputed_flops(st, flops, stack)
    return TrainingTimes(
        step_time_s=step,
        mfu=model * batch * s / peak,
        hfu=(model + again) * batch * s / peak,
        memory=used,
        fits=(sum(used.values()) <= chip.memory_bytes) & (host_bytes(arch, st, batch, s, stack) <= HOST_BYTES),
        breakdown=parts,
    )


def breakdown(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    st: Strategy,
    batch: Number,
    s: Number,
    one: LayerTimes,
    stack: Stack,
) -> dict[str, Number]:
    """Return the seconds of a step by kind, of layers that take ``one``; the rest is as in :func:`evaluate`."""
    xp, stack = namespace(st.tp, batch, s, chip, fabric), in_turns(stack)
    micro_batches = xp.maximum(batch / (st.dp * st.micro_batch), 1.0)
    tokens = st.micro_batch * s / st.cp
    layers = arch.layers + arch.mtp_layers
    if np.any(arch.experts) and np.any(st.schedule == DUALPIPE):
        sent = communication.experts_seconds(arch, fabric, st, tokens)
        beside = arch.moe_layers / arch.layers * communication.beside(sent, one.compute)
        one = replace(one, ep=xp.where(st.schedule == DUALPIPE, beside, one.ep))
    head = (1 + arch.mtp_layers) * head_seconds(arch, chip, tokens, st.tp) * chip.slowdown * stack.slowdown

    slowest_layers = xp.ceil(layers / (st.pp * st.vpp)) * st.vpp
    last_layers = xp.maximum(layers - slowest_layers * (st.pp - 1), 0.0)
    slowest = xp.maximum(slowest_layers * one.whole, last_layers * one.whole + head)
    mean = (layers * one.whole + head) / st.pp
    even = xp.where(st.pp > 1, xp.ceil(mean / one.whole) * one.whole, mean)
    slowest = xp.where(xp.asarray(stack.balanced) > 0, even, slowest)
    compute = (layers * one.compute + head) / st.pp
    first, last = held(arch, st), held(arch, st, last=True)
    kept, _ = activation_bytes(arch, st, tokens, s, stack)
    seconds = {
        "compute": micro_batches * compute,
        **{kind: micro_batches * layers / st.pp * getattr(one, kind) for kind in ("tp", "cp", "ep")},
        "bubble": micro_batches * (slowest - mean) + _bubble(st, mean, one),
        "pp": communication.pipeline(arch, fabric, st, tokens, micro_batches, stack),
        "dp": xp.maximum(
            *(
                communication.data_parallel(fabric, st, parts, layers / st.pp, micro_batches, compute, stack)
                for parts in (first, last)
            )
        ),
        "optimiser": _optimiser_seconds(chip, st, first),
        "offload": _offload_seconds(arch, st, kept, micro_batches, compute),
    }
    busy = sum(seconds.values())
    servers = xp.maximum(st.chips / fabric.node_chips, 1.0)
    seconds["overhead"] = busy * stack.jitter * xp.log2(servers) + stack.step_s
    return seconds


def _recomputed_flops(st: Strategy, flops: Any, stack: Stack) -> Number:
    """Return the FLOPs a token that are done again; projections count to the blocks they belong to by halves."""
    xp = namespace(st.recompute, flops.total)
    selective = xp.where(stack.fused, 0.0, flops.attention)
    full = flops.total - flops.vocab
    block = xp.where(st.recompute == 3, flops.attention + flops.gemm / 3, flops.gemm * 2 / 3)
    return xp.where(st.recompute == 1, selective, xp.where(st.recompute == 2, full, (st.recompute > 2) * block))


def _bubble(st: Strategy, stage: Number, one: LayerTimes) -> Number:
    """Return the seconds stages wait while the pipeline fills and drains.

    Notes
    -----
    With F, B and W the forward, input-gradient and weight-gradient times of a stage: interleaved 1F1B
    (p - 1) (F + B + W) / v (arXiv:2104.04473, 2.2.2); ZB-H1 (p - 1) (F + B - W) (arXiv:2401.10241, table 1); DualPipe
    (p / 2 - 1) (F&B + B' - 3 W) with B' = B + W and F&B, a pass each way at once, F + B' (arXiv:2412.19437, table 2).
    """
    xp = namespace(st.pp, stage)
    weight = one.grad_weight / one.whole
    forward = (one.forward + (one.whole - one.compute) / 3) / one.whole
    plain = (st.pp - 1) / st.vpp
    zero = (st.pp - 1) * xp.maximum(1 - 2 * weight, 0.0)
    dual = xp.maximum(st.pp / 2 - 1, 0.0) * xp.maximum(1 + (1 - forward) - 3 * weight, 0.0)
    return stage * xp.where(st.schedule == 1, zero, xp.where(st.schedule == 2, dual, plain))


def layer(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    st: Strategy,
    tokens: Number,
    sequence: Number,
    dtype: str,
    stack: Stack,
) -> LayerTimes:
    """Return the times of the mean layer of a model, dense and MoE layers weighted by how many there are."""
    stack = in_turns(stack)
    core = attention_seconds(arch, chip, st, tokens, sequence, stack)
    attention = _attention_block(arch, chip, st, tokens, dtype, core, stack)
    if np.any(arch.ssm_layers):
        block = _state_space_block(arch, chip, st, tokens, dtype, stack)
        attention = arch.attending * attention + (1 - arch.attending) * block
    moe = arch.moe_layers / arch.layers
    passes: Number = 0.0
    ep: Number = 0.0
    if np.any(np.asarray(moe) < 1):
        passes = (1 - moe) * _ffn_block(arch, chip, st, tokens, dtype, stack, moe=False)
    if np.any(np.asarray(moe) > 0):
        passes = passes + moe * stack.moe_overhead * chip.moe * _ffn_block(
            arch, chip, st, tokens, dtype, stack, moe=True
        )
        ep = moe * communication.expert_parallel(arch, fabric, st, tokens, stack)
    passes = (passes + attention) * chip.slowdown * stack.slowdown
    tp = communication.tensor_parallel(arch, fabric, st, tokens, stack)
    cp = communication.context_parallel(arch, fabric, st, tokens, core, stack)
    stretch = stretched(arch, chip, fabric, st, passes[0] + passes[1] + passes[2], tp + cp + ep, stack)
    forward, grad_input, grad_weight = (passes[i] * stretch for i in range(3))
    return LayerTimes(forward, grad_input, grad_weight, tp, cp, ep)


def _passes(chip: ChipModel, gemms: list[Gemm], dtype: str, stack: Stack) -> Number:
    """Return the seconds of GEMMs forward (m, n, k), of their input gradients (m, k, n), and of those of the weights.

    An array of three rows. Weight gradients are (k, n, m) products, and are added to their sums.

    Notes
    -----
    For a narrow data type the first two convert their operands, values and weights, and the third takes what they
    left: kernels are those of converted operands.
    """
    xp = namespace(chip, *(gemm.m for gemm in gemms))
    curve, bandwidth = chip.curve_of(dtype), chip.memory_bandwidth * chip.memory_efficiency
    narrow = np.asarray(curve.operand_bytes) < 2.0
    slower, cast = 1.0, 0.0
    if np.any(narrow):
        slower = xp.where(narrow, chip.narrow * stack.narrow * curve.narrow, 1.0)
        cast = xp.where(narrow, stack.cast * CAST_BYTES / bandwidth, 0.0)
    ways = []
    for order in ("mnk", "mkn", "knm"):
        total: Number = 0.0
        for gemm in gemms:
            m, n, k = (getattr(gemm, name) for name in order)
            groups = gemm.groups if gemm.grouped else 1.0
            seconds = slower * grouped_gemm_time(chip, groups, m, n, k, dtype, plain=not gemm.grouped, converted=True)
            moved = SUM_BYTES / bandwidth * (m * n) if order == "knm" else cast * (m * k + k * n)
            total = total + gemm.count * (seconds + groups * moved)
        ways.append(total)
    return xp.stack(xp.broadcast_arrays(*ways))


def _between(chip: ChipModel, moved: Number, stack: Stack) -> Number:
    """Return the seconds of the operators between GEMMs, forward and backward, as rows of passes."""
    seconds = memory_time(chip, moved * stack.elementwise * chip.elementwise)
    xp = namespace(seconds)
    return xp.stack([seconds, ELEMENTWISE_BACKWARD * seconds, 0.0 * seconds])


def _attention_block(
    arch: Architecture,
    chip: ChipModel,
    st: Strategy,
    tokens: Number,
    dtype: str,
    core: tuple[Number, Number],
    stack: Stack,
) -> Number:
    """Return the passes of a layer's attention with its projections and norm."""
    xp = namespace(tokens, chip)
    gemms = attention_gemms(arch, tokens, st.tp)
    products = _passes(chip, gemms, dtype, stack)
    moved = elementwise_bytes(arch, tokens, st.tp, block="attention", sequence_parallel=st.sequence_parallel)
    between = _between(chip, moved + joining_bytes(arch, tokens, st.tp), stack)
    passes = products + between
    passes = xp.stack([passes[0] + core[0], passes[1] + core[1], passes[2]])
    up = [gemm for gemm in gemms if gemm.name in ("query up", "latent up")]
    ups = _passes(chip, up, dtype, stack)[0] if up else 0.0
    selective = xp.where(stack.fused, between[0] + ups, core[0])
    whole = (st.recompute == 2) | (st.recompute == 3)
    again = xp.where(whole, passes[0], xp.where(st.recompute == 1, selective, 0.0))
    return xp.stack([passes[0], passes[1] + again, passes[2]])


def _state_space_block(
    arch: Architecture, chip: ChipModel, st: Strategy, tokens: Number, dtype: str, stack: Stack
) -> Number:
    """Return the passes of a Mamba-2 block with its norm.

    Notes
    -----
    Its product in chunks does ``SCAN`` FLOPs for each byte that the memory could move, times what the stack adds.
    """
    xp = namespace(tokens, chip)
    products = _passes(chip, state_space_gemms(arch, tokens, st.tp), dtype, stack)
    moved = elementwise_bytes(arch, tokens, st.tp, block="state-space", sequence_parallel=st.sequence_parallel)
    between = _between(chip, moved, stack)
    scan = stack.scan_overhead * tokens * state_space.scan_flops(arch) / st.tp / (SCAN * chip.memory_bandwidth)
    passes = products + between
    passes = xp.stack([passes[0] + scan, passes[1] + FLASH_BACKWARD * scan, passes[2]])
    whole = (st.recompute == 2) | (st.recompute == 3)
    again = xp.where(whole, passes[0], xp.where((st.recompute == 1) & stack.fused, between[0], 0.0))
    return xp.stack([passes[0], passes[1] + again, passes[2]])


def _ffn_block(
    arch: Architecture, chip: ChipModel, st: Strategy, tokens: Number, dtype: str, stack: Stack, *, moe: bool
) -> Number:
    """Return the passes of a layer's FFN, dense or a mixture of experts, with its norm."""
    xp = namespace(tokens, chip)
    etp = xp.where(st.ep > 1, st.etp, st.tp)
    gemms = moe_gemms(arch, tokens, st.tp, st.ep, etp) if moe else dense_gemms(arch, tokens, st.tp)
    block = "experts" if moe else "ffn"
    moved = elementwise_bytes(arch, tokens, st.tp, block=block, sequence_parallel=st.sequence_parallel)
    between = _between(chip, moved, stack)
    passes = _passes(chip, gemms, dtype, stack) + between
    if moe:  # to the experts 2 k h values a token are read and written, and back k h + h, in either direction
        sent = memory_time(chip, 2.0 * tokens / st.tp * (3 * arch.top_k + 1) * arch.hidden)
        narrow = np.asarray(chip.curve_of(dtype).operand_bytes) < 2.0
        sent = sent + xp.where(narrow, stack.padded, 0.0) * memory_time(chip, expert_padding_bytes(arch, tokens, st.tp))
        there, back = (sent + memory_time(chip, biased) for biased in expert_bias_bytes(arch, tokens, st.tp))
        passes = xp.stack([passes[0] + there, passes[1] + back, passes[2]])
    whole = (st.recompute == 2) | (st.recompute == 4)
    selective = (st.recompute == 1) & stack.fused
    again = xp.where(whole, passes[0], xp.where(selective, between[0], 0.0))
    return xp.stack([passes[0], passes[1] + again, passes[2]])


def attention_seconds(
    arch: Architecture, chip: ChipModel, st: Strategy, tokens: Number, sequence: Number, stack: Stack
) -> tuple[Number, Number]:
    """Return the seconds of one layer's attention core, forward and backward.

    Notes
    -----
    Fused: the causal half only and the keys that each query costs beyond those it attends to, which make short
    contexts and narrow windows slow; backward 2.5 times the FLOPs (arXiv:2307.08691, section 3.1.2). Unfused: both
    halves as batched GEMMs and the scores through memory several times; backward twice.
    """
    xp = namespace(tokens, chip)
    heads = arch.heads / st.tp
    forward: Number = 0.0
    backward: Number = 0.0
    if np.any(stack.fused):
        # A ring of context ranks runs a kernel for the keys of each.
        lost = chip.flash_keys * xp.where(st.context == 1, 1.0, st.cp)
        flops = attention_flops(arch, tokens, attended(arch, sequence) + lost, st.tp)
        moved = 2.0 * tokens * heads * (2 * arch.qk_dim + 2 * arch.v_dim)
        slower = xp.where(xp.asarray(stack.flash) == 2, chip.flash2, 1.0)
        width = (arch.qk_dim + arch.v_dim) / 2
        forward = slower * attention_time(chip, _softmax(chip, width, 4.0) * flops, moved, fraction=chip.flash_forward)
        again = _softmax(chip, width, 10.0) * FLASH_BACKWARD * flops
        backward = slower * attention_time(chip, again, 2 * moved, fraction=chip.flash_backward)
    if not np.all(stack.fused):
        batched = st.micro_batch * heads
        queries, keys = sequence / st.cp, sequence
        products = grouped_gemm_time(chip, batched, queries, keys, arch.qk_dim, WIDE, plain=True)
        products = products + grouped_gemm_time(chip, batched, queries, arch.v_dim, keys, WIDE, plain=True)
        off = UNALIGNED * attention_flops(arch, tokens, keys, st.tp) / chip.peak_of(WIDE)
        products = xp.where(arch.head_dim % ALIGNED == 0, products, xp.maximum(products, off))
        read, written = (memory_time(chip, size * batched * queries * keys) for size in UNFUSED_SCORE_BYTES)
        forward = xp.where(stack.fused, forward, products + read)
        backward = xp.where(stack.fused, backward, 2 * products + written)
    overhead = stack.attention_overhead * chip.attention
    return overhead * forward, overhead * backward


def _softmax(chip: ChipModel, width: Number, flops: float) -> Number:
    """Return the time of fused attention over that at ``MEASURED_WIDTH``, by the exponential that each score takes.

    ``flops`` are those of a score's products for each value of the width.
    """
    share = chip.peak_of(WIDE) / EXPONENTIALS / flops
    return (1.0 + share / width) / (1.0 + share / MEASURED_WIDTH)


def head_seconds(arch: Architecture, chip: ChipModel, tokens: Number, tp: Number) -> Number:
    """Return the seconds of the output head and the loss: a GEMM three ways, and fp32 logits written and read."""
    gemm = vocab_gemm(arch, tokens, tp)
    products = (
        gemm_time(chip, gemm.m, gemm.n, gemm.k, WIDE)
        + gemm_time(chip, gemm.m, gemm.k, gemm.n, WIDE)
        + gemm_time(chip, gemm.k, gemm.n, gemm.m, WIDE)
    )
    return products + memory_time(chip, LOGIT_TRAFFIC * gemm.m * gemm.n)


def _optimiser_seconds(chip: ChipModel, st: Strategy, parts: Held) -> Number:
    """Return the seconds of the optimiser step on a chip, or on its share of the host."""
    count = parts.common / shards(st, 1, st.dp * st.cp) + parts.experts / shards(st, 1, st.expert_copies)
    on_host = count * (OPTIMISER_TRAFFIC / HOST_MEMORY + OFFLOAD_LINK_BYTES / HOST_LINK)
    on_chip = memory_time(chip, OPTIMISER_TRAFFIC * count)
    return namespace(on_chip).where(st.offload == 1, on_host, on_chip)


def _offload_seconds(arch: Architecture, st: Strategy, kept: Number, micro_batches: Number, compute: Number) -> Number:
    """Return the seconds by which moving ``kept`` bytes of each layer to the host and back outlasts the compute."""
    moved = micro_batches * 2.0 * kept * arch.layers / st.pp / HOST_LINK
    xp = namespace(compute)
    return xp.where(st.offload == 2, xp.maximum(moved - micro_batches * compute, 0.0), 0.0)
