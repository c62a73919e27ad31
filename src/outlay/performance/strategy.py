"""How a training run is spread over chips, as arrays, and what its software adds, by name and date."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import InputError, unknown
from outlay.performance.chip import rows

Array = NDArray[np.float64]

RECOMPUTE = ("none", "selective", "full")
"""What is recomputed in the backward pass, stored as 0, 1, 2: nothing; the attention core where it is not fused, and
norms, activation functions and latent attention's up-projections where it is; every layer."""


@dataclass(frozen=True)
class Stack:
    """A software generation: what frameworks of a time did.

    Attributes
    ----------
    attention
        ``unfused``: products and softmax through memory; ``flash-2`` or ``flash-3``: one kernel, of that generation.
    slowdown
        Kernels in its steps over the same kernels in those of the ``current`` stack.
    bubble
        Part of the bubble of interleaved 1F1B that remains: 1, or less where backward passes are split to fill it.
    tp_overlap, cp_overlap, ep_overlap, pp_overlap, dp_overlap
        Part of each communication's time that runs beside compute where there is compute to run beside.
    elementwise
        Bytes moved between GEMMs over the count of :func:`transformer.elementwise_bytes`: fusion, or the lack of it.
    moe_overhead
        Time of an MoE layer's operators over what the count says: sorting tokens, uneven experts, waiting for the host.
    attention_overhead
        Time of fused attention in a step, causal and with what surrounds it, over that of the best measured kernel.
    narrow
        Time of a GEMM narrower than 16 bits in training over that of the measured kernels, which convert their operands
        themselves where training converts them in the operators before.
    host_s
        Seconds the host takes to launch one pass of a layer; small layers wait for it.
    """

    name: str
    since: str
    attention: str
    slowdown: float
    bubble: float
    tp_overlap: float
    cp_overlap: float
    ep_overlap: float
    pp_overlap: float
    dp_overlap: float
    elementwise: float
    moe_overhead: float
    host_s: float
    attention_overhead: float
    narrow: float

    @property
    def fused_attention(self) -> bool:
        """Whether attention is one kernel."""
        return self.attention != "unfused"


@dataclass(frozen=True)
class Strategy:
    """A struct of arrays: one entry a strategy. Every field broadcasts against the others.

    Attributes
    ----------
    recompute
        0 none, 1 selective, 2 full, see ``RECOMPUTE``.
    zero
        ZeRO stage: 0 replicated, 1 optimiser states sharded, 2 and gradients, 3 and weights (FSDP).
    sequence_parallel
        Whether norms and residuals are cut by tp too (arXiv:2205.05198, section 4.2.2).
    etp
        Ranks that cut one expert, where ep is above 1; without expert parallelism tp cuts the experts.
    """

    tp: Array
    pp: Array
    vpp: Array
    cp: Array
    ep: Array
    dp: Array
    micro_batch: Array
    recompute: Array
    zero: Array
    sequence_parallel: Array
    etp: Array

    @classmethod
    def of(cls, **values: ArrayLike) -> Strategy:
        """Return strategies from scalars or arrays; a name left out is 1, and 0 for recompute and zero."""
        names = [field.name for field in fields(cls)]
        for name in values:
            if name not in names:
                msg = unknown("part of a strategy", name, names)
                raise InputError(msg)
        defaults = {"recompute": 0.0, "zero": 1.0, "sequence_parallel": 1.0}
        arrays = [np.asarray(values.get(name, defaults.get(name, 1.0)), dtype=float) for name in names]
        return cls(*np.broadcast_arrays(*arrays))

    @property
    def expert_cut(self) -> Array:
        """Over how many chips the experts of a layer are spread."""
        return np.where(self.ep > 1, self.ep * self.etp, self.tp)

    @property
    def expert_copies(self) -> Array:
        """How many copies of an expert there are: the data, context and tensor ranks that do not cut or spread them."""
        return np.maximum(self.dp * self.cp * self.tp / self.expert_cut, 1.0)

    @property
    def chips(self) -> Array:
        """Chips a strategy takes."""
        return np.asarray(self.tp * self.pp * self.cp * self.dp)

    def __len__(self) -> int:
        return int(self.tp.size)

    def take(self, which: Any) -> Strategy:
        """Return some of the strategies, by index or mask."""
        return Strategy(*(np.atleast_1d(getattr(self, field.name))[which] for field in fields(self)))

    def text(self, index: int = 0) -> str:
        """Return one strategy as a user writes it."""
        parts = []
        for field in fields(self):
            value = float(np.atleast_1d(getattr(self, field.name))[index])
            if field.name == "recompute":
                parts.append(f"recompute={RECOMPUTE[int(value)]}")
            elif field.name == "sequence_parallel":
                parts += [] if value else ["sp=off"]
            elif field.name == "etp":
                parts += [f"etp={value:.0f}"] if value > 1 else []
            else:
                parts.append(f"{'mbs' if field.name == 'micro_batch' else field.name}={value:.0f}")
        return ",".join(parts)


STACK_NUMBERS = tuple(field.name for field in fields(Stack))[3:]


@functools.cache
def stacks() -> dict[str, Stack]:
    """Return the software generations by name."""
    return {row["name"]: stack_from(row) for row in rows("stacks.csv")}


def stack_from(row: Mapping[str, str]) -> Stack:
    """Return a software generation from a row of a data file."""
    return Stack(row["name"], row["since"], row["attention"], *(float(row[key]) for key in STACK_NUMBERS))
