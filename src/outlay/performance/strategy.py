"""How a training run is spread over chips, as arrays, and what its software adds, by name and date."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from outlay.errors import InputError, nearest, unknown
from outlay.performance.arrays import Array, Number, namespace
from outlay.performance.chip import rows

RECOMPUTE = ("none", "selective", "full", "attention", "ffn")
"""What is recomputed in the backward pass, stored by its place here: nothing; the attention core where it is not
fused, and norms, activation functions and latent attention's up-projections where it is; every layer; the attention
block of every layer; its FFN."""
SCHEDULES = ("1f1b", "zero-bubble", "dualpipe")
"""1F1B, interleaved where vpp is above 1 (arXiv:2104.04473, 2.2); ZB-H1 (arXiv:2401.10241, 3); DualPipe
(arXiv:2412.19437, 3.2.1)."""
OFFLOAD = ("none", "optimiser", "activations")
"""What is kept in the memory of the host: nothing; master weights and moments, which are updated there
(arXiv:2101.06840); the activations kept between passes."""
CONTEXT = ("ring", "ulysses")
"""How the context is cut: keys and values go round a ring (arXiv:2310.01889), or all-to-alls turn a cut of the
sequence into a cut of the heads (arXiv:2309.14509)."""
WORDS: Mapping[str, tuple[str, ...]] = {
    "recompute": RECOMPUTE,
    "schedule": SCHEDULES,
    "offload": OFFLOAD,
    "context": CONTEXT,
    "sequence_parallel": ("off", "on"),
}
"""Parts of a strategy that a user writes as words; each is stored as the word's place."""


@dataclass(frozen=True)
class Stack:
    """A software generation: what frameworks of a time did.

    Attributes
    ----------
    flash
        Generation of the fused attention kernel, 2 or 3; 0 where products and softmax go through memory.
    slowdown
        Kernels in its steps over those of a stack like the mean of all.
    narrow
        Further slowdown where GEMMs run in less than 16 bits.
    tp_overlap, cp_overlap, ep_overlap, pp_overlap, dp_overlap
        Part of each communication's time that runs beside compute where there is compute to run beside.
    pieces
        Collectives by which the data-parallel ranks gather or scatter one layer: one, or one a weight, 4 of a GPT
        layer, where nothing joins them (the first ZeRO-3, which keeps tensors of up to 100,000 values whole).
    elementwise
        Bytes moved between GEMMs over the count of :func:`operators.elementwise_bytes`: fusion, or the lack of it.
    moe_overhead
        Time of an MoE layer's operators over what the count says: sorting tokens, uneven experts, waiting for the host.
    attention_overhead
        Time of attention in a step, causal and with what surrounds it, over that of the best measured kernel.
    scan_overhead
        Time of a Mamba-2 block's state-space product over that at ``training.SCAN`` of the peak.
    cast
        How often each operand of a GEMM narrower than 16 bits passes through memory to be converted.
    host_s, host_moe_s
        Seconds the host takes to launch one pass of a dense layer, and of an MoE layer; small layers wait for it.
    graphed
        Part of an MoE layer's launches that CUDA graphs replay without the host.
    padded
        Whether tokens are copied to pad those of each expert, where its products are narrower than 16 bits.
    step_s
        Seconds of a step that belong to no layer: reading data, norm of the gradient, logging.
    jitter
        Part by which a step grows with each doubling of the servers: waiting for the slowest.
    balanced
        Whether pipeline stages are cut by cost, that of the output head too, and not by layers.
    blocking
        Whether the host waits for every kernel before it launches the next.
    """

    name: str
    since: str
    flash: Number
    slowdown: Number
    narrow: Number
    tp_overlap: Number
    cp_overlap: Number
    ep_overlap: Number
    pp_overlap: Number
    dp_overlap: Number
    pieces: Number
    graphed: Number
    padded: Number
    elementwise: Number
    moe_overhead: Number
    attention_overhead: Number
    scan_overhead: Number
    cast: Number
    host_s: Number
    host_moe_s: Number
    step_s: Number
    jitter: Number
    balanced: Number = 0.0
    blocking: Number = 0.0

    @property
    def fused(self) -> Any:
        """Whether attention is one kernel."""
        return np.asarray(self.flash) > 0


STACK_NUMBERS = tuple(field.name for field in fields(Stack))[2:-2]


@functools.cache
def stacks() -> dict[str, Stack]:
    """Return the software generations by name."""
    return {row["name"]: stack_from(row) for row in rows("stacks.csv")}


def stack_from(row: Mapping[str, str]) -> Stack:
    """Return a software generation from a row of a data file."""
    return Stack(row["name"], row["since"], *(float(row[key]) for key in STACK_NUMBERS))


@dataclass(frozen=True)
class Strategy:
    """A struct of arrays: one entry a strategy. Every field broadcasts against the others.

    Attributes
    ----------
    recompute, schedule, offload, context
        Places in ``RECOMPUTE``, ``SCHEDULES``, ``OFFLOAD`` and ``CONTEXT``.
    zero
        ZeRO stage: 0 replicated, 1 optimiser states sharded, 2 and gradients, 3 and weights (FSDP).
    sequence_parallel
        Whether norms and residuals are cut by tp too (arXiv:2205.05198, section 4.2.2).
    etp
        Ranks that cut one expert, where ep is above 1; without expert parallelism tp cuts the experts.
    shard
        Data-parallel ranks over which ZeRO cuts what it cuts; copies of these groups are replicas (HSDP,
        arXiv:2304.11277, section 3.2.2). 0: all of them.
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
    schedule: Array
    offload: Array
    context: Array
    shard: Array

    @classmethod
    def of(cls, **values: Any) -> Strategy:
        """Return strategies from scalars or arrays; a name left out is 1, and 0 (1 for zero) where that is a mode."""
        for name in values:
            if name not in PARTS:
                msg = unknown("part of a strategy", name, PARTS)
                raise InputError(msg)
        arrays = [np.asarray(values.get(name, DEFAULTS.get(name, 1.0)), dtype=float) for name in PARTS]
        return cls(*np.broadcast_arrays(*arrays))

    @property
    def expert_cut(self) -> Number:
        """Over how many chips the experts of a layer are spread."""
        return namespace(self.ep).where(self.ep > 1, self.ep * self.etp, self.tp)

    @property
    def expert_copies(self) -> Number:
        """How many copies of an expert there are: the data, context and tensor ranks that do not cut or spread them."""
        return namespace(self.ep).maximum(self.dp * self.cp * self.tp / self.expert_cut, 1.0)

    @property
    def chips(self) -> Number:
        """Chips a strategy takes."""
        return self.tp * self.pp * self.cp * self.dp

    def __len__(self) -> int:
        return int(self.tp.size)

    def take(self, which: Any) -> Strategy:
        """Return some of the strategies, by index or mask."""
        return Strategy(*(np.atleast_1d(getattr(self, name))[which] for name in PARTS))

    def text(self, index: int = 0) -> str:
        """Return one strategy as a user writes it; a part that is at its default and seldom used is left out."""
        parts = []
        for name in PARTS:
            value = float(np.atleast_1d(getattr(self, name))[index])
            if name in RARE and value == DEFAULTS.get(name, 1.0):
                continue
            written = WORDS[name][int(value)] if name in WORDS else f"{value:.0f}"
            parts.append(f"{SHORT.get(name, name)}={written}")
        return ",".join(parts)


PARTS = tuple(field.name for field in fields(Strategy))
DEFAULTS: Mapping[str, float] = {
    "recompute": 0.0,
    "zero": 1.0,
    "sequence_parallel": 1.0,
    "schedule": 0.0,
    "offload": 0.0,
    "context": 0.0,
    "shard": 0.0,
}
RARE = ("sequence_parallel", "etp", "schedule", "offload", "context", "shard")
SHORT: Mapping[str, str] = {"micro_batch": "mbs", "sequence_parallel": "sp"}
ALIASES = {short: name for name, short in SHORT.items()}


def parse_strategy(text: str) -> dict[str, float]:
    """Read ``tp=8,pp=16,recompute=full,schedule=zero-bubble`` into the parts it fixes.

    Raises
    ------
    InputError
        If a part is no ``name=value``, a name is unknown or a value is out of range.
    """
    known = [*PARTS, *ALIASES]
    fixed: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            msg = f"strategy {text!r}: {part.strip()!r} is not name=value; expected parts such as tp=8,pp=16,mbs=1"
            raise InputError(msg)
        if name not in known:
            close = nearest(name, known) or known
            msg = f"strategy {text!r}: unknown part {name!r}; nearest: {', '.join(close)}"
            raise InputError(msg)
        full = ALIASES.get(name, name)
        if full in fixed:
            msg = f"strategy {text!r}: {name!r} is given twice"
            raise InputError(msg)
        fixed[full] = _word(text, name, value) if full in WORDS else _whole(text, name, value)
    return fixed


SPELLINGS = {
    "optimizer": "optimiser",
    **dict.fromkeys(("zb", "zb-h1", "zbh1", "zerobubble"), "zero-bubble"),
    **dict.fromkeys(("interleaved", "interleaved-1f1b"), "1f1b"),
    **dict.fromkeys(("1", "true", "yes"), "on"),
    **dict.fromkeys(("0", "false", "no"), "off"),
}
"""Other ways in which people write the words of a strategy."""


def _word(text: str, name: str, value: str) -> float:
    words = WORDS[ALIASES.get(name, name)]
    folded = value.casefold().replace("_", "-")
    folded = SPELLINGS.get(folded, folded)
    if folded not in words:
        msg = f"strategy {text!r}: {name} is {value!r}; expected one of {', '.join(words)}"
        raise InputError(msg)
    return float(words.index(folded))


def _whole(text: str, name: str, value: str) -> float:
    least, most = {"zero": (0, 3), "shard": (0, 10**7)}.get(name, (1, 10**7))
    if not value.isdecimal() or not least <= int(value) <= most:
        msg = f"strategy {text!r}: {name} is {value!r}; expected a whole number from {least} to {most:,}"
        raise InputError(msg)
    return float(value)
