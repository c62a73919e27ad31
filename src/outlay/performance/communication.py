"""Exposed time of a step's communication: tensor, context, expert, pipeline and data parallel.

What runs beside compute costs that compute a part of its cores; the rest stands alone. Sources of the formulas stand at
their functions.
"""

from __future__ import annotations

import numpy as np

from outlay.performance import network
from outlay.performance.arrays import Number, namespace
from outlay.performance.memory import GRADIENT_BYTES, SHARDED_GRADIENT_BYTES, WEIGHT_BYTES, Held, shards
from outlay.performance.network import Fabric
from outlay.performance.strategy import Stack, Strategy
from outlay.performance.transformer import Architecture

# Communication beside compute takes cores from it: 20 of 132 in DeepSeek-V3's training (arXiv:2412.19437, 3.2.2).
OVERLAP_PRICE = 20 / 132
# What the host takes to launch an operator; one copies each rank's part where weights are gathered one by one.
OPERATOR_S = 20e-6


def exposed(seconds: Number, overlap: Number) -> Number:
    """Return what of a communication stands alone, and what the hidden part costs the compute it hides behind."""
    return seconds * (1 - overlap + OVERLAP_PRICE * overlap)


def repeats(st: Strategy) -> Number:
    """Return how often a layer's forward communication happens: forward, backward, and where it is recomputed."""
    xp = namespace(st.recompute)
    return 2.0 + xp.where(st.recompute == 2, 1.0, xp.where(st.recompute > 2, 0.5, 0.0))


def tensor_parallel(arch: Architecture, fabric: Fabric, st: Strategy, tokens: Number, stack: Stack) -> Number:
    """Return the exposed seconds of a layer's tensor-parallel traffic, forward and backward.

    Notes
    -----
    Around each of two blocks and each direction an all-reduce, or with sequence parallelism an all-gather and a
    reduce-scatter of the same volume (arXiv:2205.05198, section 4.2.2); a recomputation repeats the forward's. An
    expert that is cut gathers its routed tokens; whole experts behind an all-to-all need no second block.
    """
    size = 2.0 * tokens * arch.hidden
    gathered = network.all_gather(fabric, size, st.tp) + network.reduce_scatter(fabric, size, st.tp)
    reduced = network.all_reduce(fabric, size, st.tp)
    xp = namespace(gathered, st.tp)
    pair = xp.where(st.sequence_parallel > 0, gathered, reduced)
    blocks = _blocks(arch, st, cut=1.0 + arch.top_k)
    return xp.where(st.tp > 1, exposed(blocks * pair * repeats(st), stack.tp_overlap), 0.0)


def tensor_calls(arch: Architecture, st: Strategy) -> Number:
    """Return how many collectives a host calls for :func:`tensor_parallel`: all-reduces, or pairs of their halves."""
    xp = namespace(st.tp)
    return xp.where(
        st.tp > 1, _blocks(arch, st, cut=2.0) * repeats(st) * xp.where(st.sequence_parallel > 0, 2.0, 1.0), 0.0
    )


def _blocks(arch: Architecture, st: Strategy, *, cut: Number) -> Number:
    """Return the blocks of a mean layer that tensor ranks sum; ``cut`` counts those whose experts they cut."""
    moe, xp = arch.moe_layers / arch.layers, namespace(st.ep)
    sparse = xp.where(st.ep > 1, xp.where(st.etp > 1, cut, 1.0), 2.0)
    return (2.0 - arch.parallel_block) * (1 - moe) + moe * sparse


def context_parallel(
    arch: Architecture, fabric: Fabric, st: Strategy, tokens: Number, core: tuple[Number, Number], stack: Stack
) -> Number:
    """Return the exposed seconds of a layer's context-parallel traffic.

    Notes
    -----
    Ring: keys and values go round once forward and, with their gradients, twice backward, beside the attention they
    feed (arXiv:2310.01889). Ulysses: queries, keys, values and outputs change their cut in all-to-alls, forward and
    backward, with nothing to run beside (arXiv:2309.14509, section 3.2).
    """
    xp = namespace(tokens, st.cp, core[0], fabric)
    heads, kv_heads = arch.heads / st.tp, xp.maximum(arch.kv_heads / st.tp, 1.0)
    pair = xp.where(xp.asarray(arch.latent), arch.kv_lora + arch.qk_rope, 2 * kv_heads * arch.head_dim)
    ring = network.all_gather(fabric, 2.0 * tokens * pair * st.cp, st.cp, st.tp) * (1.0 + repeats(st))
    ring = xp.maximum(ring - stack.cp_overlap * (core[0] + core[1]), 0.0)
    turned = 2.0 * tokens * (heads * (arch.qk_dim + arch.v_dim) + pair)
    ulysses = network.all_to_all(fabric, turned, st.cp) * repeats(st)
    return xp.where(st.cp > 1, xp.where(st.context == 1, ulysses, ring), 0.0)


def expert_parallel(arch: Architecture, fabric: Fabric, st: Strategy, tokens: Number, stack: Stack) -> Number:
    """Return the exposed seconds of an MoE layer's all-to-alls."""
    return exposed(experts_seconds(arch, fabric, st, tokens), stack.ep_overlap)


def experts_seconds(arch: Architecture, fabric: Fabric, st: Strategy, tokens: Number) -> Number:
    """Return the seconds of an MoE layer's all-to-alls: to the experts and back, in both directions."""
    there = network.dispatch(fabric, 2.0 * tokens / st.tp * arch.hidden, np.maximum(arch.top_k, 1), st.ep, st.etp)
    xp = namespace(there, st.ep)
    return xp.where(st.ep > 1, 2.0 * there * repeats(st), 0.0)


def beside(seconds: Number, compute: Number) -> Number:
    """Return the exposed seconds of a communication that runs beside all of ``compute``, as DualPipe's all-to-alls do.

    Every pass runs beside that of another micro-batch going the other way (arXiv:2412.19437, section 3.2.1), so only
    what outlasts them stands alone; the hidden part costs the compute its cores.
    """
    hidden = namespace(seconds, compute).minimum(seconds, compute)
    return seconds - hidden + OVERLAP_PRICE * hidden


def pipeline(
    arch: Architecture, fabric: Fabric, st: Strategy, tokens: Number, micro_batches: Number, stack: Stack
) -> Number:
    """Return the exposed seconds of sends between stages, forward and backward per chunk (arXiv:2104.04473, 3.2).

    The stages of a chip's pipeline sit tp * cp * dp chips apart; a stage sends its 1/tp of the activations.
    """
    spans = st.tp * st.cp * st.dp * 2 > fabric.domain_chips
    once = network.p2p(fabric, 2.0 * tokens * arch.hidden / st.tp, spans)
    sends = 2.0 * (micro_batches * st.vpp + st.pp - 1)
    return namespace(once).where(st.pp > 1, exposed(sends * once, stack.pp_overlap), 0.0)


def data_parallel(
    fabric: Fabric,
    st: Strategy,
    parts: Held,
    layers: Number,
    micro_batches: Number,
    compute: Number,
    stack: Stack,
) -> Number:
    """Return the exposed seconds of gradient reduction and weight gathering.

    Notes
    -----
    ZeRO 0 sums the gradients; 1 and 2 scatter the sum and gather the weights, once a step, beside the last
    micro-batch's compute, and with interleaved chunks beside that of more, because early chunks finish before; 3
    gathers the weights forward and backward and scatters the gradients for every micro-batch, beside its compute
    (arXiv:1910.02054, section 7; arXiv:2304.11277, section 3). Where the shards are a part of the ranks, replicas sum
    their shards of the gradients once a step. Each of a chip's ``layers`` is gathered and scattered by collectives of
    its own. Where each of its weights is, the host copies the parts of all ranks one by one, and waits for all kernels
    before (DeepSpeed of March 2021, c814abdad, runtime/zero/partition_parameters.py, ``_allgather_param``).
    """
    xp = namespace(compute, fabric)
    pieces, alone = stack.pieces * layers, xp.asarray(stack.pieces) > 1
    overlap = xp.where(alone, 0.0, stack.dp_overlap)
    times = xp.where(st.zero == 3, micro_batches, 1.0)
    total: Number = 0.0
    for count, ranks, stride in (
        (parts.common, st.dp * st.cp, st.tp),
        (parts.experts, st.expert_copies, st.expert_cut),
    ):
        cut = xp.where(st.zero > 0, shards(st, 1, ranks), ranks)
        gather = network.all_gather(fabric, WEIGHT_BYTES * count, cut, stride, pieces)
        scatter = network.reduce_scatter(fabric, GRADIENT_BYTES * count, cut, stride, pieces)
        whole = network.all_reduce(fabric, GRADIENT_BYTES * count, ranks, stride)
        sharded = 2 * gather + network.reduce_scatter(fabric, SHARDED_GRADIENT_BYTES * count, cut, stride, pieces)
        parts_s = xp.where(alone, pieces * OPERATOR_S * cut, 0.0)
        gather, scatter, sharded = gather + parts_s, scatter + parts_s, sharded + 3 * parts_s
        between = network.all_reduce(fabric, GRADIENT_BYTES * count / cut, ranks / cut, stride * cut) / times
        moved = xp.where(st.zero == 0, whole, xp.where(st.zero == 3, sharded, scatter + gather) + between)
        total = total + xp.where((ranks > 1) & (count > 0), moved, 0.0)
    window = xp.where(st.zero == 3, 1.0, xp.minimum(1.0 + (st.pp - 1) * (1 - 1 / st.vpp), micro_batches))
    return times * xp.maximum(total - overlap * window * compute, exposed(total, overlap))
