"""Memory of a chip in a training run, by kind, on the stage that needs most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.performance import state_space
from outlay.performance.arrays import Number, namespace
from outlay.performance.strategy import Stack, Strategy
from outlay.performance.transformer import Architecture, parameters

KINDS = ("weights", "gradients", "optimiser", "activations", "buffers", "fragmentation")

# Bytes a parameter: bf16 weights; fp32 gradients where they are accumulated outside FSDP, bf16 within; fp32 master
# weights and two Adam moments (arXiv:1910.02054, section 3.1).
WEIGHT_BYTES, GRADIENT_BYTES, SHARDED_GRADIENT_BYTES, OPTIMISER_BYTES = 2.0, 4.0, 2.0, 12.0
# Logits are kept in bf16 and, for the loss, in fp32.
LOGIT_BYTES = 6.0
# The context of the runtime and the buffers of the collectives, and what the allocator cannot use.
RUNTIME_BYTES, FRAGMENTATION = 3e9, 0.03
# A chip's share of its host's memory: the least that servers of eight are sold with, 1 TB (DGX A100 320GB).
HOST_BYTES = 1e12 / 8


@dataclass(frozen=True)
class Held:
    """Parameters on a chip of a stage: those every data-parallel rank has, and those of its experts."""

    common: Number
    experts: Number


def held(arch: Architecture, st: Strategy, *, last: bool = False) -> Held:
    """Return the parameters of the first stage, or of the last one, before ZeRO cuts them."""
    counts = parameters(arch)
    xp = namespace(st.pp)
    layers = xp.ceil((arch.layers + arch.mtp_layers) / st.pp)
    moe, dense = arch.moe_layers / arch.layers, arch.dense_layers / arch.layers
    common = layers * (counts.attention + dense * counts.dense_ffn + moe * (counts.shared + counts.router))
    end = counts.head + counts.embedding * (np.asarray(counts.head) == 0) if last else counts.embedding
    ends = xp.where(st.pp > 1, end, counts.embedding + counts.head)
    copies = xp.where(st.schedule == 2, 2.0, 1.0)  # DualPipe feeds from both ends, so a chip holds two stages
    experts = layers * moe * arch.experts * counts.expert / st.expert_cut
    return Held(copies * (common + ends) / st.tp, copies * experts)


def shards(st: Strategy, stage: int, ranks: Number) -> Number:
    """Return over how many of ``ranks`` a state is cut that ZeRO cuts from ``stage`` on (arXiv:1910.02054, 5)."""
    xp = namespace(st.zero, ranks)
    group = xp.where(st.shard > 0, xp.minimum(ranks, st.shard), ranks)
    return xp.where(st.zero >= stage, group, 1.0)


def activation_bytes(
    arch: Architecture, st: Strategy, tokens: Number, sequence: Number, stack: Stack, operand_bytes: Number = 2.0
) -> tuple[Number, Number]:
    """Return the bytes a mean layer keeps of ``tokens`` for its backward pass, and those it has while it recomputes.

    Parameters
    ----------
    operand_bytes
        Bytes of a value kept as the input of a GEMM: 2, or 1 where the GEMMs run in fp8.

    Notes
    -----
    arXiv:2205.05198, equations 1 to 4, by what is kept at 2 bytes a value: the inputs of the two norms (2 h values)
    and their outputs, which feed GEMMs; query, key, value and the attention's output; the FFN's pre-activations and
    their product, which feeds a GEMM; an expert's gathered inputs. Unfused attention keeps 5 bytes a score for
    softmax and dropout. Everything inside a block is cut by ``tp``; the norms only with sequence parallelism.
    Selective recomputation drops the scores where attention is not fused, and the outputs of norms, activation
    functions and latent attention's up-projections where it is (arXiv:2412.19437, 3.2.3); recomputing a block keeps
    its input alone.
    """
    xp = namespace(tokens, st.tp, st.recompute, operand_bytes)
    h, heads, latent = arch.hidden, arch.heads, np.asarray(arch.latent)
    norms_cut = xp.where(st.sequence_parallel > 0, st.tp, 1.0)
    selective = st.recompute == 1
    operand = xp.where(selective & stack.fused, 0.0, operand_bytes)

    projected = xp.where(selective & stack.fused, 0.0, heads * (2 * arch.qk_dim + arch.v_dim))
    low_rank = projected + arch.q_lora + arch.kv_lora + arch.qk_rope
    projections = 2.0 * xp.where(latent, low_rank, (heads + 2 * arch.kv_heads) * arch.head_dim)
    scores = xp.where(selective | stack.fused, 0.0, 5.0 * heads * sequence)
    mixed = projections + 2.0 * heads * arch.v_dim + scores
    if np.any(arch.ssm_layers):
        mixed = arch.attending * mixed + (1 - arch.attending) * 2.0 * state_space.kept_values(arch)
    attention = mixed / st.tp + operand * h / norms_cut

    moe = arch.moe_layers / arch.layers
    routed = arch.top_k * arch.moe_ffn + arch.shared_ffn
    width = moe * routed + (1 - moe) * arch.ffn_hidden
    inner = 2.0 * (arch.ffn_matrices - 1) * width + operand * width + moe * operand_bytes * arch.top_k * h
    ffn = inner / st.tp + operand * h / norms_cut

    inputs = 2.0 * h / norms_cut
    whole = tokens * (attention + ffn + 2 * inputs)
    kept = xp.where(st.recompute == 3, ffn + 2 * inputs, attention + ffn + 2 * inputs)
    kept = xp.where(st.recompute == 4, attention + 2 * inputs, kept)
    kept = xp.where(st.recompute == 2, inputs, kept)
    return tokens * kept, xp.where(st.recompute >= 2, whole, 0.0)


def layers_in_flight(arch: Architecture, st: Strategy, micro_batches: Number) -> tuple[Number, Number]:
    """Return layers times micro-batches kept at once on the first stage and on the last.

    Notes
    -----
    1F1B: min(m, pp) micro-batches of L / pp layers; interleaved, 1 + (pp - 1) / (pp vpp) of all L layers
    (arXiv:2205.05198, 4.2.3); ZB-H1 as 1F1B; DualPipe pp + 1 of L / pp layers on every stage (arXiv:2412.19437,
    table 2).
    """
    xp = namespace(st.pp, micro_batches)
    layers = xp.ceil(arch.layers / st.pp)
    first = xp.where(st.vpp > 1, arch.layers * (1 + (st.pp - 1) / (st.pp * st.vpp)), st.pp * layers)
    first = xp.where(st.schedule == 2, (st.pp + 1) * layers, first)
    last = xp.where(st.vpp > 1, arch.layers * (1 - (st.pp - 1) / (st.pp * st.vpp)), layers)
    last = xp.where(st.schedule == 2, (st.pp + 1) * layers, last)
    most = micro_batches * layers
    return xp.minimum(first, most), xp.minimum(last, most)


def memory(
    arch: Architecture,
    st: Strategy,
    batch: Number,
    sequence: Number,
    stack: Stack,
    operand_bytes: Number = 2.0,
) -> Mapping[str, Number]:
    """Return the bytes by kind on a chip of the stage that needs most: the first one, or the last with its logits.

    Parameters
    ----------
    batch
        Sequences a step.
    sequence
        Tokens of a sequence.
    """
    xp = namespace(st.tp, st.micro_batch, batch, sequence)
    micro_batches = xp.maximum(batch / (st.dp * st.micro_batch), 1.0)
    tokens = st.micro_batch * sequence / st.cp
    kept, working = activation_bytes(arch, st, tokens, sequence, stack, operand_bytes)
    kept = xp.where(st.offload == 2, 0.0, kept)
    in_first, in_last = layers_in_flight(arch, st, micro_batches)
    first = _states(arch, st, held(arch, st))
    last = _states(arch, st, held(arch, st, last=True))
    logits = LOGIT_BYTES * tokens * arch.vocab / st.tp
    first["activations"] = in_first * kept + working + xp.where((st.pp == 1) | (st.schedule == 2), logits, 0.0)
    last["activations"] = in_last * kept + working + logits
    at_end = sum(last.values()) > sum(first.values())
    kinds: dict[str, Any] = {kind: xp.where(at_end, last[kind], first[kind]) for kind in first}
    return {**kinds, "buffers": RUNTIME_BYTES + 0.0 * tokens, "fragmentation": FRAGMENTATION * sum(kinds.values())}


def host_bytes(arch: Architecture, st: Strategy, batch: Number, sequence: Number, stack: Stack) -> Number:
    """Return the bytes a chip keeps on its host: master weights and moments, or activations of the fullest stage."""
    xp = namespace(st.offload, batch, sequence)
    parts = held(arch, st)
    states = parts.common / shards(st, 1, st.dp * st.cp) + parts.experts / shards(st, 1, st.expert_copies)
    micro_batches = xp.maximum(batch / (st.dp * st.micro_batch), 1.0)
    kept, _ = activation_bytes(arch, st, st.micro_batch * sequence / st.cp, sequence, stack)
    activations = kept * layers_in_flight(arch, st, micro_batches)[0]
    return xp.where(st.offload == 1, OPTIMISER_BYTES * states, xp.where(st.offload == 2, activations, 0.0))


def _states(arch: Architecture, st: Strategy, parts: Held) -> dict[str, Number]:
    """Return the bytes of weights, gradients and optimiser states of a stage, as ZeRO cuts them."""
    xp = namespace(st.zero)
    ranks, expert_ranks = st.dp * st.cp, st.expert_copies

    def cut(stage: int) -> Number:
        return parts.common / shards(st, stage, ranks) + parts.experts / shards(st, stage, expert_ranks)

    # FSDP has the weights of two layers whole: of the one that runs and of the one that is fetched.
    gathered = 2.0 * WEIGHT_BYTES * (parts.common + parts.experts) / xp.ceil(arch.layers / st.pp)
    return {
        "weights": WEIGHT_BYTES * cut(3) + xp.where(st.zero == 3, gathered, 0.0),
        "gradients": xp.where(st.zero == 3, SHARDED_GRADIENT_BYTES, GRADIENT_BYTES) * cut(2),
        "optimiser": xp.where(st.offload == 1, 0.0, OPTIMISER_BYTES * cut(1)),
    }
