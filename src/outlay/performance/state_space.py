"""Counts of a Mamba-2 block: parameters, FLOPs and bytes of the layers that mix tokens by a state, not attention.

Source of the formulas: Dao and Gu, arXiv:2405.21060: the block of section 7.1 (one projection to the gate, the input,
the two state projections of each group and a step of each head; a short convolution; a gated norm; one projection
back) and the block decomposition of the state-space product of section 6, in chunks of ``CHUNK`` tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay.performance.arrays import Number, namespace

if TYPE_CHECKING:
    from outlay.performance.transformer import Architecture

CHUNK = 256
"""Tokens of a chunk (mamba_ssm/modules/mamba2.py, chunk_size)."""
KERNEL = 4
"""Taps of the convolution (d_conv there)."""


def inner(arch: Architecture) -> Number:
    """Return the width of the block: heads times their width."""
    return arch.ssm_heads * arch.ssm_head_dim


def convolved(arch: Architecture) -> Number:
    """Return the values of a token that the convolution mixes: the input and both state projections."""
    return inner(arch) + 2 * arch.ssm_groups * arch.ssm_state


def projected(arch: Architecture) -> Number:
    """Return the values of a token that the first projection makes: gate, input, state projections and steps."""
    return inner(arch) + convolved(arch) + arch.ssm_heads


def block_parameters(arch: Architecture) -> Number:
    """Return the parameters of one block: both projections and the convolution."""
    return arch.hidden * (projected(arch) + inner(arch)) + KERNEL * convolved(arch)


def scan_flops(arch: Architecture) -> Number:
    """Return the forward FLOPs of a token in the state-space product (arXiv:2405.21060, section 6).

    Notes
    -----
    Within a chunk of Q tokens, causal, so half of them: scores of N values a group and of P values a head; to the state
    of N x P a head and from it, 2 N P each.
    """
    scores = CHUNK * (arch.ssm_groups * arch.ssm_state + inner(arch))
    return scores + 4.0 * arch.ssm_state * inner(arch)


def scan_bytes(arch: Architecture, tp: Number = 1) -> Number:
    """Return the bytes of a token between the two projections, at 2 bytes a value, each operator reading and writing.

    Notes
    -----
    The convolution reads and writes what it mixes; the product reads that and writes the inner width; the gated norm
    reads gate and product and writes their result.
    """
    return 2.0 * (3 * convolved(arch) + 4 * inner(arch)) / namespace(tp).asarray(tp, dtype=float)


def kept_values(arch: Architecture) -> Number:
    """Return the values of a token that a block keeps for its backward pass, beside those that attention keeps too.

    What the first projection made, and the inner result that feeds the second.
    """
    return projected(arch) + inner(arch)
