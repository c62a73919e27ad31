"""Evaluates a space of strategies in chunks and keeps what is worth keeping: the fastest, and the front with memory.

Memory comes first and strategies that overflow are never timed. The times of a layer are computed once for all
strategies that share them, and a chunk is evaluated with its modes as open axes, so that each factor of a formula
costs as much as the axes it depends on. The formulas are those of :mod:`outlay.performance.training`, unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from outlay.performance import training
from outlay.performance.chip import ChipModel
from outlay.performance.memory import HOST_BYTES, host_bytes, memory
from outlay.performance.network import Fabric
from outlay.performance.space import Block, Space
from outlay.performance.strategy import PARTS, Stack, Strategy, stacks
from outlay.performance.training import LayerTimes
from outlay.performance.transformer import Architecture

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CHUNK = 2**16
"""Strategies evaluated together: few enough for their arrays to stay in cache, enough for a call to cost little."""
KEPT = 11
"""The best and ten runners-up."""
SHARED = ("tp", "cp", "ep", "etp", "micro_batch")
"""Parts of a layout that the times of a layer depend on; of the modes it is recomputation, sequence and context."""
FAR = 1e6
"""What overflows the host counts as this much less lean than what overflows the chip alone."""
BINS = 256
"""Steps of memory by which what the front dominates is left out before anything is sorted."""


@dataclass(frozen=True)
class Task:
    """A model, the hardware under it, and the step it is asked for."""

    arch: Architecture
    chip: ChipModel
    fabric: Fabric
    batch: int
    sequence: int
    dtype: str

    @property
    def stack(self) -> Stack:
        """The software generation of its chip's model."""
        return stacks()[self.chip.software]

    def memory(self, st: Strategy) -> Mapping[str, Array]:
        """Return the bytes by kind on a chip."""
        operand = np.minimum(self.chip.curve_of(self.dtype).operand_bytes, 2.0)
        return memory(self.arch, st, self.batch, self.sequence, self.stack, operand)

    def host(self, st: Strategy) -> Array:
        """Return the bytes on a chip's share of its host."""
        return np.asarray(host_bytes(self.arch, st, self.batch, self.sequence, self.stack))

    def evaluate(self, st: Strategy) -> training.TrainingTimes:
        """Return what :func:`training.evaluate` does."""
        return training.evaluate(self.arch, self.chip, self.fabric, st, self.batch, self.sequence, self.dtype)


@dataclass(frozen=True)
class Chosen:
    """Strategies with their step time and memory, fastest first."""

    strategies: Strategy
    step_time_s: Array
    memory_bytes: Array

    def __len__(self) -> int:
        return int(self.step_time_s.size)

    def take(self, which: NDArray[np.intp]) -> Chosen:
        """Return some of them."""
        return Chosen(self.strategies.take(which), self.step_time_s[which], self.memory_bytes[which])

    @classmethod
    def none(cls) -> Chosen:
        """Return an empty choice."""
        return cls(Strategy(*(np.empty(0) for _ in PARTS)), np.empty(0), np.empty(0))

    @classmethod
    def joined(cls, *parts: Chosen) -> Chosen:
        """Return several choices as one, fastest first; of the same time, what came first stays first."""
        strategies = Strategy(*(np.concatenate([getattr(part.strategies, name) for part in parts]) for name in PARTS))
        step, used = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("step_time_s", "memory_bytes")
        )
        return cls(strategies, step, used).take(np.argsort(step, kind="stable"))

    @property
    def slowest(self) -> float:
        """Seconds that one more must beat to be among the fastest."""
        return float(self.step_time_s[KEPT - 1]) if len(self) >= KEPT else np.inf

    def fastest(self) -> Chosen:
        """Return the best and its runners-up."""
        return self.take(np.arange(min(KEPT, len(self))))

    def front(self) -> Chosen:
        """Return those that no other one beats in both time and memory."""
        order = np.lexsort((self.memory_bytes, self.step_time_s))
        used = self.memory_bytes[order]
        least = np.minimum.accumulate(np.concatenate(([np.inf], used[:-1])))
        return self.take(order[used < least])


@dataclass(frozen=True)
class Found:
    """What a sweep found.

    Attributes
    ----------
    fastest
        The best and up to ten runners-up of those that are tried.
    on_paper
        The same of all, tried or not.
    front
        The strategies that none beats in both time and memory, fastest first.
    strategies, feasible
        How many there are, and how many fit the memory of chips and hosts.
    """

    fastest: Chosen
    on_paper: Chosen
    front: Chosen
    strategies: int
    feasible: int


@dataclass(frozen=True)
class Piece:
    """Layouts of which some mode fits, with all their modes timed; arrays of the shape of ``part``."""

    part: Block
    step_time_s: Array
    memory_bytes: Array
    fits: Mask


def pieces(task: Task, space: Space, chunk: int = CHUNK) -> Iterator[Piece]:
    """Yield the parts of a space that fit, of about ``chunk`` strategies before those that overflow are left out."""
    for block in space.blocks:
        layers, layer_of = _layers(task, block)
        for rows in block.chunks(chunk):
            part = block.take(rows)
            used, fits, _ = _memory(task, part)
            some = np.flatnonzero(fits.reshape(rows.size, -1).any(axis=1))
            if some.size:
                part = part.take(some)
                yield Piece(part, _step(task, part, _gather(layers, layer_of[rows[some]])), used[some], fits[some])


def sweep(task: Task, space: Space, tried: Callable[[Strategy], Mask] | None = None, chunk: int = CHUNK) -> Found:
    """Return the fastest strategies of a space and the front of time and memory.

    Parameters
    ----------
    tried
        Says of strategies which have parts alone that runs of the calibration used; all where it is left out.
    """
    fastest, on_paper, front, feasible = Chosen.none(), Chosen.none(), Chosen.none(), 0
    for piece in pieces(task, space, chunk):
        where = np.flatnonzero(piece.fits)
        feasible += where.size
        times, used = piece.step_time_s.ravel()[where], piece.memory_bytes.ravel()[where]
        of_known = np.broadcast_to(True if tried is None else tried(piece.part.open()), piece.part.shape)
        known = of_known.ravel()[where]
        worth = np.flatnonzero(
            _off_front(times, used, front, task.chip.memory_bytes)
            | (times < on_paper.slowest)
            | (known & (times < fastest.slowest))
        )
        if worth.size:
            new = Chosen(piece.part.at(where[worth]), times[worth], used[worth])
            fastest = Chosen.joined(fastest, new.take(np.flatnonzero(known[worth]))).fastest()
            on_paper, front = Chosen.joined(on_paper, new).fastest(), Chosen.joined(front, new).front()
    return Found(fastest, on_paper, front, len(space), feasible)


def fits_any(task: Task, space: Space) -> bool:
    """Return whether any strategy of a space fits the memory."""
    return any(_memory(task, block.take(rows))[1].any() for block in space.blocks for rows in block.chunks(CHUNK))


def leanest(task: Task, space: Space) -> Strategy:
    """Return the strategy with the least memory on a chip, of those whose host can hold its share where there are."""
    found: list[tuple[float, Strategy]] = []
    for block in space.blocks:
        for rows in block.chunks(CHUNK):
            part = block.take(rows)
            used, _, hosted = _memory(task, part)
            lean = np.where(hosted, used, FAR * used)
            at = int(np.argmin(lean))
            found.append((float(lean.ravel()[at]), part.at(np.array([at]))))
    return min(found, key=lambda one: one[0])[1]


def _memory(task: Task, part: Block) -> tuple[Array, Mask, Mask]:
    """Return the bytes of each strategy on a chip, whether all of it fits, and whether the host's share does."""
    st = part.open()
    used = sum(task.memory(st).values())
    hosted = task.host(st) <= HOST_BYTES
    fits = (used <= task.chip.memory_bytes) & hosted
    return tuple(np.broadcast_to(values, part.shape) for values in (used, fits, hosted))  # type: ignore[return-value]


def _step(task: Task, part: Block, layers: LayerTimes) -> Array:
    """Return the step time of each strategy of a block."""
    seconds = training.breakdown(
        task.arch, task.chip, task.fabric, part.open(), task.batch, task.sequence, layers, task.stack
    )
    return np.broadcast_to(sum(seconds.values()), part.shape)


def _layers(task: Task, block: Block) -> tuple[LayerTimes, NDArray[np.intp]]:
    """Return the times of a layer for each distinct set of what they depend on, and which set each layout has."""
    _, first, which = np.unique(
        np.stack([block.layouts[name] for name in SHARED]), axis=1, return_index=True, return_inverse=True
    )
    modes = {**block.modes, "offload": block.modes["offload"][:1]}
    distinct = Block({name: values[first] for name, values in block.layouts.items()}, modes)
    st = distinct.at(np.arange(len(distinct)))
    tokens = st.micro_batch * task.sequence / st.cp
    flat = training.layer(task.arch, task.chip, task.fabric, st, tokens, task.sequence, task.dtype, task.stack)
    return LayerTimes(**{
        part.name: np.broadcast_to(getattr(flat, part.name), st.tp.shape).reshape(distinct.shape)
        for part in fields(LayerTimes)
    }), which.ravel()  # fmt: skip


def _gather(layers: LayerTimes, which: NDArray[np.intp]) -> LayerTimes:
    return LayerTimes(**{part.name: getattr(layers, part.name)[which] for part in fields(LayerTimes)})


def _off_front(times: Array, used: Array, front: Chosen, limit: float) -> Mask:
    """Return which strategies the front may not beat.

    Of memory in steps, the front's best time with no more memory than the lower edge of a step beats all slower ones
    within it.
    """
    edges = np.arange(BINS + 1) * (limit / BINS)
    by_memory = np.argsort(front.memory_bytes)
    best = np.concatenate(([np.inf], front.step_time_s[by_memory]))
    beaten = best[np.searchsorted(front.memory_bytes[by_memory], edges, side="right")]
    return np.asarray(times < beaten[(used * (BINS / limit)).astype(np.intp)])
