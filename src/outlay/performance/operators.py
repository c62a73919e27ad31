"""What the operators between the matrix products of a layer move through memory."""

from __future__ import annotations

import numpy as np

from outlay.performance import state_space
from outlay.performance.arrays import Number, as_number, namespace
from outlay.performance.transformer import Architecture


def elementwise_bytes(
    arch: Architecture, tokens: Number, tp: Number = 1, *, block: str, sequence_parallel: Number = True
) -> Number:
    """Return the bytes that the operators between the GEMMs of a block move in a forward pass, at 2 bytes a value.

    Parameters
    ----------
    block
        ``attention``, ``state-space``, ``ffn``, ``moe`` or ``experts``; a layer without FFN moves nothing there.

    Notes
    -----
    Values per token, each operator reading and writing once: of each block a norm 2 h and a residual addition 3 h (cut
    by ``tp`` only with sequence parallelism, arXiv:2205.05198, section 4.2), of an FFN beside its attention the h alone
    that their one addition reads more; rotary embedding 2 (query + key); the activation function reads one or two
    widths and writes one; an MoE layer also gathers and scatters each token to ``top_k`` experts, 4 k h; ``experts``
    leaves that out.
    """
    xp = namespace(tokens, tp, sequence_parallel)
    tp, h = xp.asarray(tp, dtype=float), arch.hidden
    outside = 5.0 * h / xp.where(xp.asarray(sequence_parallel) > 0, tp, 1.0)
    keys = as_number(np.where(arch.latent, arch.heads, arch.kv_heads))
    if block == "state-space":
        return tokens * (2.0 * outside + state_space.scan_bytes(arch, tp))
    if block == "ffn":
        outside = outside * (np.asarray(arch.ffn_hidden) > 0) * np.where(arch.parallel_block, 1 / 5, 1.0)
    experts = arch.ffn_matrices * (arch.top_k * arch.moe_ffn + arch.shared_ffn)
    inside = {
        "attention": 2.0 * (arch.heads + keys) * arch.qk_dim,
        "ffn": arch.ffn_matrices * arch.ffn_hidden,
        "experts": experts,
        "moe": experts + 4.0 * arch.top_k * h,
    }[block]
    return 2.0 * tokens * (outside + inside / tp)


def joining_bytes(arch: Architecture, tokens: Number, tp: Number = 1) -> Number:
    """Return the bytes that latent attention moves forward to put queries, keys and values together, at 2 a value.

    Beside what any rotary embedding moves: the rotary parts of query and key are turned apart from the rest, and the
    values taken out of what the latent was projected to, each read and written.
    """
    values = np.where(arch.latent, 2.0 * arch.heads * (arch.v_dim + 2 * arch.qk_rope), 0.0)
    return 2.0 * tokens * as_number(values) / namespace(tokens, tp).asarray(tp, dtype=float)


def expert_bias_bytes(arch: Architecture, tokens: Number, tp: Number = 1) -> tuple[Number, Number]:
    """Return the bytes that biases and clamps of routed experts move forward and backward, each in its own kernels.

    Notes
    -----
    Megatron Core (moe/experts.py, ``_apply_bias``; fusions/fused_bias_geglu.py) with probabilities in bf16. Of each
    value of the hidden size the bias times the probability is written (2) and added (2 + 2 read, 2 written), experts
    joined (2 + 2); the gradient is multiplied by probability and by bias and summed (2 + 2 + 2 each), and joined
    (2 + 2). Of each of an expert's width gate and value are clamped (2 + 2 each) and joined (4 + 4); backward masked
    (4 + 2 each) and joined (4 + 4).
    """
    routed = tokens / namespace(tokens, tp).asarray(tp, dtype=float) * arch.top_k * arch.expert_bias
    return routed * (12 * arch.hidden + 16 * arch.moe_ffn), routed * (16 * arch.hidden + 20 * arch.moe_ffn)


def expert_padding_bytes(arch: Architecture, tokens: Number, tp: Number = 1) -> Number:
    """Return the bytes that padding the tokens of each expert moves in either direction, at 2 bytes a value.

    Megatron Core (moe/experts.py, ``TEGroupedMLP.forward``) copies what routed experts are given to a multiple of 16 or
    32 tokens each, and what they return back, as kernels of block-scaled and other narrow products need: each read and
    written; their gradients alike.
    """
    return 2.0 * tokens / namespace(tokens, tp).asarray(tp, dtype=float) * 4 * arch.top_k * arch.hidden
