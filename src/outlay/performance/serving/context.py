"""Context parallelism: several attention groups read one long prompt, its keys and values passed round between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError
from outlay.performance.network import Fabric, all_gather, all_to_all

if TYPE_CHECKING:
    from outlay.performance.serving.operations import Replicas

Array = NDArray[np.float64]
WIDTHS = (1, 2, 4, 8, 16)
"""Attention groups that read a prompt together, where they are searched; arXiv:2411.01783 goes to 16 servers."""


def turned(fabric: Fabric, cache: Array, queries: Array, replicas: Replicas, attention: Array) -> Array:
    """Return the exposed seconds of a layer in which ``cp`` groups attend to one another's tokens.

    Parameters
    ----------
    cache, queries
        Bytes of a layer's keys and values of the whole prompt on one rank, and of a rank's own queries and outputs.
    attention
        Seconds of the layer's attention on one rank, its share of the prompt's.

    Notes
    -----
    Keys and values go round a ring, each step beside the attention to the block that came before (arXiv:2310.01889,
    section 3): of (cp - 1) / cp of their bytes only what takes longer than cp - 1 of the cp blocks of attention is
    waited for. Or queries go round and outputs come back in an all-to-all that nothing hides (arXiv:2411.01783, 3.4,
    pass-Q): a rank takes the quicker. A rank has a block of the prompt's head and one of its tail, so that the causal
    mask leaves all of them the same work (arXiv:2411.01783, 3.4.1).
    """
    cp = np.asarray(replicas.cp, dtype=float) + 0.0 * attention
    beside = attention * (1.0 - 1.0 / cp)
    keys = all_gather(fabric, cache, cp, replicas.tp)
    asked = all_gather(fabric, queries * cp / 2.0, cp, replicas.tp)
    back = all_to_all(fabric, queries / 2.0, cp, replicas.tp)
    passed = np.minimum(np.maximum(keys - beside, 0.0), np.maximum(asked - beside, 0.0) + back)
    return np.asarray(np.where(cp > 1, passed, 0.0))


def widths(asked: int | None, tokens: float, chunk: float, chips: int) -> tuple[int, ...]:
    """Return the widths to search: those asked for, or more than one where a prompt is longer than a step's budget.

    Raises
    ------
    InputError
        If the width asked for cuts neither chips nor prompt into equal parts; says the nearest that does.
    """
    most = min(chips, max(int(tokens / 2), 1))
    if asked is None:
        return tuple(cp for cp in WIDTHS if cp <= most) if tokens > chunk else (1,)
    able = [2**i for i in range(12) if 2**i <= most]
    if asked not in able:
        close = min(able, key=lambda cp: (abs(cp - asked), cp))
        msg = (
            f"context parallelism must be a power of two that cuts {chips} chips, and {tokens:,.0f} tokens into two "
            f"blocks a group, from 1 to {able[-1]}; got {asked}; nearest: {close}"
        )
        raise InputError(msg)
    return (asked,)
