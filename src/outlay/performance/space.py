"""The space of training strategies: layouts that divide the chips, crossed with the modes each of them can run in.

A layout says which chip holds what: tensor, pipeline, context, expert and data ranks, chunks, micro-batch, schedule. A
mode says how: recomputation, ZeRO stage and shard, sequence parallelism, offload, the cut of the context. Layouts are
rows and each mode is an axis of its own, so that a formula costs only as much as the axes it depends on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from outlay.performance.network import Fabric
from outlay.performance.strategy import CONTEXT, OFFLOAD, PARTS, RECOMPUTE, SCHEDULES, Stack, Strategy
from outlay.performance.transformer import Architecture

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ROWS = ("tp", "pp", "vpp", "cp", "ep", "dp", "micro_batch", "etp", "schedule", "zero", "shard")
MODES = ("recompute", "sequence_parallel", "offload", "context")
MEASURED_TP, MEASURED_SLICE = 16, 4096
"""Runs of the calibration cut layers over 16 ranks across servers and sequences into 4,096 tokens, but for one."""
USUAL_MICRO_BATCHES = (1, 2, 4, 8)
MICRO_BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
INTERLEAVING = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
MOST_STAGES, WIDEST_TP = 64, 32
LONG_SEQUENCE = 16384
"""Sequences from here on are also cut over context-parallel ranks in the usual space."""
LEAST_SLICE = 256
"""Tokens a context-parallel rank keeps at least in the whole space; shorter slices do not fill a GEMM's tiles."""
SINCE: Mapping[tuple[str, int], str] = {
    ("zero", 3): "2021-07",  # FSDP in fairscale
    ("sequence_parallel", 1): "2022-05",  # arXiv:2205.05198
    ("recompute", RECOMPUTE.index("selective")): "2022-05",
    ("recompute", RECOMPUTE.index("attention")): "2022-05",
    ("recompute", RECOMPUTE.index("ffn")): "2022-05",
    ("shard", 2): "2023-04",  # arXiv:2304.11277
    ("context", CONTEXT.index("ulysses")): "2023-09",  # arXiv:2309.14509
    ("cp", 2): "2023-10",  # arXiv:2310.01889
    ("schedule", SCHEDULES.index("zero-bubble")): "2023-11",  # arXiv:2401.10241, first at OpenReview
    ("schedule", SCHEDULES.index("dualpipe")): "2024-12",  # arXiv:2412.19437
}
"""When a part was first published; a software generation searches what is older than it, ``current`` all."""


@dataclass(frozen=True)
class Block:
    """Layouts, and the modes every one of them can run in.

    Attributes
    ----------
    layouts
        Values of each part in ``ROWS``, of shape (layouts,).
    modes
        Values of each part in ``MODES``, an axis each.
    """

    layouts: Mapping[str, Array]
    modes: Mapping[str, Array]

    def __len__(self) -> int:
        """Return how many strategies there are."""
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Layouts, then the values of each mode."""
        return (self.layouts["tp"].size, *(self.modes[name].size for name in MODES))

    def take(self, rows: NDArray[np.intp] | slice) -> Block:
        """Return some of the layouts with all their modes."""
        return Block({name: values[rows] for name, values in self.layouts.items()}, self.modes)

    def open(self) -> Strategy:
        """Return the strategies with layouts along the first axis and each mode along its own, to be broadcast."""
        parts = {name: values.reshape(-1, 1, 1, 1, 1) for name, values in self.layouts.items()}
        for place, name in enumerate(MODES, 1):
            parts[name] = self.modes[name].reshape(tuple(-1 if axis == place else 1 for axis in range(5)))
        return Strategy(**parts)

    def at(self, flat: NDArray[np.intp]) -> Strategy:
        """Return the strategies at flat places of ``shape``, as plain arrays."""
        row, *modes = np.unravel_index(flat, self.shape)
        chosen = {name: self.modes[name][place] for name, place in zip(MODES, modes, strict=True)}
        return Strategy(**{name: values[row] for name, values in self.layouts.items()}, **chosen)

    def chunks(self, size: int) -> Iterator[NDArray[np.intp]]:
        """Return layouts, by index, of about ``size`` strategies at a time; of one layout at least."""
        step = max(1, size * self.shape[0] // len(self))
        for start in range(0, self.shape[0], step):
            yield np.arange(start, min(start + step, self.shape[0]))


@dataclass(frozen=True)
class Space:
    """Every strategy that multiplies to the chips and divides heads, layers, experts, batch and sequence."""

    blocks: tuple[Block, ...]

    def __len__(self) -> int:
        """Return how many strategies there are."""
        return sum(map(len, self.blocks))

    def strategies(self) -> Strategy:
        """Return all of them as plain arrays."""
        found = [block.at(np.arange(len(block))) for block in self.blocks]
        return Strategy(*(np.concatenate([np.empty(0), *(getattr(st, name) for st in found)]) for name in PARTS))


def whole(
    arch: Architecture,
    chips: int,
    fabric: Fabric,
    batch: int,
    sequence: int,
    fixed: Mapping[str, float] | None = None,
    stack: Stack | None = None,
) -> Space:
    """Return the whole space of a software generation; parts the user fixes are not searched.

    Parameters
    ----------
    batch
        Sequences a step.
    stack
        Parts published after it are left out unless the user fixes them; none is where it is left out.
    """
    micro: Sequence[float] = MICRO_BATCHES
    least, shard = LEAST_SLICE, [2.0**k for k in range(1, 11)]
    if arch.experts:  # whose ranks multiply the layouts: the other axes are thinner
        least, shard, micro = max(4 * least, sequence // 16), shard[2:], USUAL_MICRO_BATCHES
    slices = [c for c in (1, 2, 4, 8, 16, 32, 64) if c == 1 or sequence / c >= least]
    widest = min(max(WIDEST_TP, min(int(fabric.domain_chips), 64)), chips)
    axes: dict[str, Sequence[float]] = {
        "tp": [t for t in _divisors(chips) if t <= widest and arch.heads % t == 0],
        "cp": slices,
        "micro_batch": micro,
        "etp": [1, 0] if arch.experts else [1],
        "schedule": range(len(SCHEDULES)),
        "recompute": range(len(RECOMPUTE)),
        "zero": (1, 0, 2, 3),
        "sequence_parallel": (1, 0),
        "offload": range(len(OFFLOAD)),
        "context": range(len(CONTEXT)),
        "shard": [0, *shard],
    }
    return _space(arch, chips, batch, sequence, _aged(axes, stack), fixed)


def usual(
    arch: Architecture,
    chips: int,
    fabric: Fabric,
    batch: int,
    sequence: int,
    fixed: Mapping[str, float] | None = None,
    stack: Stack | None = None,
) -> Space:
    """Return the space of what published runs mostly did, for what they leave open; ``stack`` as in :func:`whole`."""
    widest = min(max(fabric.node_chips, 8), fabric.domain_chips, chips)
    axes: dict[str, Sequence[float]] = {
        "tp": [t for t in (1, 2, 4, 8, 16) if t <= widest and arch.heads % t == 0] or [1],
        "cp": [1, 2, 4, 8, 16] if sequence >= LONG_SEQUENCE else [1],
        "micro_batch": USUAL_MICRO_BATCHES,
        "etp": [1],
        "schedule": [0],
        "recompute": [0, 1, 2],
        "zero": [1, 3],
        "sequence_parallel": [1],
        "offload": [0],
        "context": [0],
        "shard": [0],
    }
    return _space(arch, chips, batch, sequence, _aged(axes, stack), fixed)


def candidates(
    arch: Architecture,
    chips: int,
    fabric: Fabric,
    batch_sequences: int,
    sequence: int,
    fixed: Mapping[str, float] | None = None,
) -> Strategy:
    """Return the strategies of the usual space as plain arrays."""
    return usual(arch, chips, fabric, batch_sequences, sequence, fixed).strategies()


def tried(st: Strategy, fabric: Fabric, sequence: int, fixed: Mapping[str, float], stack: Stack) -> Mask:
    """Return which strategies have parts alone that runs of the calibration had or the user asks for, to be broadcast.

    No error band covers the others. Shards smaller than all ranks were measured on TPU, where the calibration takes
    them as whole.
    """
    dual = stack.name.startswith("dualpipe")
    known = {
        "tp": (st.tp <= MEASURED_TP) | (st.tp <= fabric.domain_chips),
        "cp": (st.cp == 1) | (sequence / st.cp >= MEASURED_SLICE),
        "schedule": (st.schedule == 0) | ((st.schedule == SCHEDULES.index("dualpipe")) & dual),
        "recompute": st.recompute <= RECOMPUTE.index("full"),
        "offload": st.offload == 0,
        "context": (st.context == 0) | (st.cp == 1),
        "shard": st.shard == 0,
    }
    found: Mask = np.asarray(True)
    for name, mask in known.items():
        if name not in fixed:
            found = found & mask
    return found


def _aged(axes: Mapping[str, Sequence[float]], stack: Stack | None) -> dict[str, Sequence[float]]:
    """Return the values of each axis that are older than a software generation, and 0, doing without, where none is."""
    if stack is None or stack.name == "current":
        return dict(axes)
    newer = [(name, at) for (name, at), when in SINCE.items() if when > stack.since]
    return {
        axis: [v for v in values if not any(name == axis and _needs(name, v, at) for name, at in newer)] or [0]
        for axis, values in axes.items()
    }


def _needs(name: str, value: float, at: int) -> bool:
    """Return whether a value needs what the entry ``at`` of ``SINCE`` brought: that mode, or a number from there on."""
    return value >= at if name in ("cp", "shard") else value == at


def _space(
    arch: Architecture,
    chips: int,
    batch: int,
    sequence: int,
    axes: Mapping[str, Sequence[float]],
    fixed: Mapping[str, float] | None,
) -> Space:
    fixed = fixed or {}
    of = {name: [fixed[name]] if name in fixed else list(values) for name, values in axes.items()}
    rows = _states(_layouts(arch, chips, batch, sequence, of, fixed), of, batch, fixed)
    # All-to-alls turn a cut of the sequence into a cut of whole heads (arXiv:2309.14509, 3.2).
    turns = (rows["cp"] > 1) & (arch.heads % (rows["tp"] * rows["cp"]) == 0)
    if of["context"][0] == 1:
        kept = turns | (rows["cp"] == 1)
        rows, turns = _keep(rows, kept), turns[kept]
    blocks = []
    for cut, turned in product((False, True), repeat=2):
        layouts = _keep(rows, ((rows["tp"] > 1) == cut) & (turns == turned))
        modes = {name: of[name] for name in MODES}
        if not cut:
            modes["sequence_parallel"] = modes["sequence_parallel"][:1]
        if not turned:
            modes["context"] = modes["context"][:1]
        block = Block(layouts, {name: np.array(values, dtype=float) for name, values in modes.items()})
        if len(block):
            blocks.append(block)
    return Space(tuple(blocks))


def _layouts(
    arch: Architecture,
    chips: int,
    batch: int,
    sequence: int,
    of: Mapping[str, Sequence[float]],
    fixed: Mapping[str, float],
) -> dict[str, Array]:
    """Return the layouts that multiply to the chips and divide heads, layers, experts, batch and sequence.

    Parts are crossed one after the other and what does not divide is left out at once, so that few rows are ever held.
    """

    def choices(name: str, values: Sequence[float]) -> Sequence[float]:
        return [fixed[name]] if name in fixed else values

    stages = choices("pp", [p for p in _divisors(chips) if p <= min(arch.layers, MOST_STAGES)])
    rows = _cross({}, tp=of["tp"], pp=stages, cp=of["cp"])
    rows["dp"] = chips / (rows["tp"] * rows["pp"] * rows["cp"])
    cuts = (arch.heads % rows["tp"] == 0) & (rows["pp"] <= arch.layers) & (sequence % rows["cp"] == 0)
    rows = _keep(rows, cuts & (rows["dp"] >= 1) & (rows["dp"] % 1 == 0))
    rows = _keep(rows, np.isin(rows["dp"], fixed.get("dp", rows["dp"])))

    rows = _cross(rows, micro_batch=of["micro_batch"])
    micro = batch / (rows["dp"] * rows["micro_batch"])
    rows = _keep(rows, (micro >= 1) & (micro % 1 == 0))

    rows = _cross(rows, vpp=choices("vpp", INTERLEAVING), schedule=of["schedule"])
    rows = _keep(rows, _schedules(arch, rows, batch))

    rows = _cross(rows, ep=choices("ep", _divisors(arch.experts) if arch.experts else [1]), etp=of["etp"])
    whole_too = (rows["etp"] > 0) | ((rows["ep"] > 1) & (rows["tp"] > 1))
    rows["etp"] = np.where(rows["etp"] == 0, rows["tp"], rows["etp"])
    spread = (rows["tp"] * rows["cp"] * rows["dp"]) % (rows["ep"] * rows["etp"]) == 0
    return _keep(rows, whole_too & ((rows["ep"] == 1) | (spread & (max(arch.experts, 1) % rows["ep"] == 0))))


def _schedules(arch: Architecture, rows: Mapping[str, Array], batch: int) -> Mask:
    """Return which layouts have stages, chunks and micro-batches as their schedule needs them.

    Interleaving cuts layers evenly, where embedding and output head may stand as one layer each: the 126 layers of
    Llama 3.1 405B (arXiv:2407.21783, 3.3). ZB-H1 needs a full pipeline (arXiv:2401.10241, 3). DualPipe feeds pairs of
    micro-batches from both ends (arXiv:2412.19437, 3.2.1).
    """
    pp, vpp, schedule = rows["pp"], rows["vpp"], rows["schedule"]
    micro, chunks = batch / (rows["dp"] * rows["micro_batch"]), pp * vpp
    even = (arch.layers % chunks == 0) | ((arch.layers + 2) % chunks == 0)
    interleaves = (vpp == 1) | ((pp > 1) & even & (chunks <= arch.layers) & (micro % pp == 0) & (schedule == 0))
    full = (schedule == 0) | ((pp > 1) & (micro >= pp))
    both_ends = (schedule < 2) | ((pp % 2 == 0) & (micro % 2 == 0) & (micro >= 2 * pp))
    return np.asarray(interleaves & full & both_ends)


def _cross(rows: Mapping[str, Array], **axes: Sequence[float]) -> dict[str, Array]:
    """Return every row with every combination of the axes."""
    count = len(next(iter(rows.values()))) if rows else 1
    grid = np.meshgrid(np.arange(count), *(np.array(axis, dtype=float) for axis in axes.values()), indexing="ij")
    index = grid[0].ravel()
    crossed = {name: values[index] for name, values in rows.items()}
    return crossed | {name: values.ravel() for name, values in zip(axes, grid[1:], strict=True)}


def _keep(rows: Mapping[str, Array], mask: Mask) -> dict[str, Array]:
    return {name: values[mask] for name, values in rows.items()}


def _states(
    rows: Mapping[str, Array], of: Mapping[str, Sequence[float]], batch: int, fixed: Mapping[str, float]
) -> dict[str, Array]:
    """Return the layouts with each ZeRO stage and shard they can have.

    A shard divides the ranks and is smaller than all of them, so that no strategy is there twice. Gradients are cut
    (ZeRO 2) where there is one micro-batch: over more, each would need a reduction of its own. Weights are cut where
    there is one stage.
    """
    rows = _cross(rows, zero=of["zero"])
    if "zero" not in fixed:
        zero, alone = rows["zero"], (rows["pp"] == 1) & (rows["vpp"] == 1)
        cuts = (zero == 1) | (zero == 3) | (rows["dp"] * rows["cp"] > 1)
        rows = _keep(rows, cuts & ((zero != 2) | (batch == rows["dp"] * rows["micro_batch"])) & ((zero != 3) | alone))

    shards = np.array(of["shard"], dtype=float)
    column = {name: values[:, None] for name, values in rows.items()}
    size, ranks, tensor = np.maximum(shards, 1.0), column["dp"] * column["cp"], column["tp"]
    copies = ranks * tensor / np.where(column["ep"] > 1, column["ep"] * column["etp"], tensor)
    valid = (column["dp"] % size == 0) & ((copies <= size) | (copies % size == 0))
    if "shard" not in fixed:
        valid &= (shards == 0) | ((shards < ranks) & (column["zero"] > 0))
    row, shard = np.nonzero(valid)
    return {name: values[row] for name, values in rows.items()} | {"shard": shards[shard]}


def _divisors(number: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(max(number, 1)) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def why_empty(arch: Architecture, chips: int, batch: int, sequence: int, fixed: Mapping[str, float]) -> str:
    """Return what of the parts the user fixed divides nothing, in words."""
    for reason in (
        *_why_sizes(arch, chips, sequence, fixed),
        *_why_modes(arch, fixed),
        *_why_batch(chips, batch, fixed),
    ):
        if reason:
            return reason
    return (
        f"no strategy divides {chips:,} chips, {arch.layers} layers, {arch.heads} heads"
        + (f", {arch.experts} experts" if arch.experts else "")
        + f" and a batch of {batch:,} sequences without a rest; "
        + f"try a batch that is a multiple of {chips:,} / (tp x pp) sequences"
    )


def _why_sizes(arch: Architecture, chips: int, sequence: int, fixed: Mapping[str, float]) -> Iterator[str]:
    """Yield what the fixed ranks do not divide: chips, heads, experts, layers, sequence; '' for what they do."""
    given = {name: fixed[name] for name in ("tp", "pp", "cp", "dp") if name in fixed}
    ranks = math.prod(given.values())
    parts = " x ".join(f"{name} {value:.0f}" for name, value in given.items())
    if chips % ranks:
        product_of = f" = {ranks:.0f}" if len(given) > 1 else ""
        yield f"{parts}{product_of} does not divide {chips:,} chips"
    if len(given) == 4 and ranks != chips:
        yield f"{parts} = {ranks:.0f} is not {chips:,} chips"
    for name, total, what in (("tp", arch.heads, "heads"), ("ep", max(arch.experts, 1), "experts")):
        if total % fixed.get(name, 1):
            yield f"{name} {fixed[name]:.0f} does not divide the {total} {what} of {arch.name}"
    chunks = fixed.get("pp", 1) * fixed.get("vpp", 1)
    if chunks > arch.layers:
        yield f"pp x vpp = {chunks:.0f} is more than the {arch.layers} layers of {arch.name}"
    if fixed.get("vpp", 1) > 1 and arch.layers % chunks and (arch.layers + 2) % chunks:
        yield (
            f"pp x vpp = {chunks:.0f} chunks do not divide the {arch.layers} layers of {arch.name}, "
            f"nor the {arch.layers + 2} with embedding and head as a layer each"
        )
    if sequence % fixed.get("cp", 1):
        yield f"cp {fixed['cp']:.0f} does not divide a sequence of {sequence:,} tokens"
    if "ep" in fixed and "pp" in fixed and (chips / fixed["pp"]) % (fixed["ep"] * fixed.get("etp", 1)):
        spread = f"ep {fixed['ep']:.0f}" + (f" x etp {fixed['etp']:.0f}" if "etp" in fixed else "")
        yield f"{spread} does not divide the {chips / fixed['pp']:,.0f} chips of one of {fixed['pp']:.0f} stages"


def _why_modes(arch: Architecture, fixed: Mapping[str, float]) -> Iterator[str]:
    """Yield which mode contradicts another fixed part."""
    schedule = SCHEDULES[int(fixed.get("schedule", 0))]
    if schedule != "1f1b" and fixed.get("vpp", 1) > 1:
        yield f"schedule {schedule} does not interleave; vpp {fixed['vpp']:.0f} needs 1f1b"
    if schedule == "dualpipe" and fixed.get("pp", 2) % 2:
        yield f"schedule dualpipe feeds a pipeline from both ends; pp {fixed['pp']:.0f} is not even"
    if schedule != "1f1b" and fixed.get("pp", 2) == 1:
        yield f"schedule {schedule} needs pp above 1"
    if fixed.get("vpp", 1) > 1 and fixed.get("pp", 2) == 1:
        yield f"vpp {fixed['vpp']:.0f} interleaves pipeline stages; it needs pp above 1"
    if fixed.get("context") == 1 and arch.heads % (fixed.get("tp", 1) * fixed.get("cp", 1)):
        yield f"context ulysses cuts heads: tp x cp must divide the {arch.heads} heads of {arch.name}"


def _why_batch(chips: int, batch: int, fixed: Mapping[str, float]) -> Iterator[str]:
    """Yield what the fixed ranks leave of the batch that does not go up."""
    if {"tp", "pp", "cp"} <= fixed.keys():
        fixed = {**fixed, "dp": chips / (fixed["tp"] * fixed["pp"] * fixed["cp"])}
    if "dp" not in fixed:
        return
    dp, size = fixed["dp"], fixed.get("micro_batch", 1)
    if batch % (dp * size):
        by = f"dp {dp:.0f}" + (f" x mbs {size:.0f} = {dp * size:.0f}" if size > 1 else "")
        yield f"{by} does not divide the batch of {batch:,} sequences"
    if fixed.get("shard") and dp % fixed["shard"]:
        yield f"shard {fixed['shard']:.0f} does not divide the {dp:.0f} data-parallel ranks"
    micro, schedule = batch / (dp * size), SCHEDULES[int(fixed.get("schedule", 0))]
    least = {"1f1b": 1, "zero-bubble": 1, "dualpipe": 2}[schedule] * fixed.get("pp", 1)
    if schedule != "1f1b" and micro < least:
        yield f"schedule {schedule} needs {least:.0f} micro-batches a step; a data rank has {micro:.0f}"
    if fixed.get("vpp", 1) > 1 and "micro_batch" in fixed and micro % fixed.get("pp", 1):
        yield f"interleaving needs micro-batches in multiples of pp {fixed['pp']:.0f}; a data rank has {micro:.0f}"
