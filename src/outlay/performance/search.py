"""The best training strategy of a model on some chips, what comes close to it, and what else memory and chips buy."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from outlay.catalog.records import Chip, Model, System
from outlay.errors import InputError, NoFitError
from outlay.performance import chip as chips_
from outlay.performance import envelope, network
from outlay.performance.chip import ChipModel
from outlay.performance.families import Band, band_of
from outlay.performance.frameworks import with_experts
from outlay.performance.memory import HOST_BYTES
from outlay.performance.network import Fabric
from outlay.performance.sensitivity import Elasticity, elasticities
from outlay.performance.space import INTERLEAVING as INTERLEAVING
from outlay.performance.space import Space, tried, usual, whole, why_empty
from outlay.performance.space import candidates as candidates
from outlay.performance.strategy import Strategy, stacks
from outlay.performance.strategy import parse_strategy as parse_strategy
from outlay.performance.sweep import Chosen, Found, Task, fits_any, leanest, sweep
from outlay.performance.transformer import Architecture, architecture, parameters
from outlay.units import GB, SECONDS_PER_DAY

if TYPE_CHECKING:
    from outlay.catalog import Catalog

TOKENS_PER_CHIP, LEAST_BATCH, MOST_BATCH = 2048, 2**22, 2**26
"""The batch where none is given: 2,048 tokens a chip between 4 and 64 million. Runs had 16 million on 16,384 chips
(Llama 3.1 405B, arXiv:2407.21783) and 63 million on 2,048 (DeepSeek-V3, arXiv:2412.19437)."""
MOST_JOINED = 128**3 // 4
"""Ports of a fat tree of three tiers of 128-port switches, one a chip (k**3 / 4, doi:10.1145/1402958.1402967)."""
FEWER = (2, 4, 8)
"""By how much the chips are divided for the front of time, memory and chips."""
ON_PAPER = 3
"""How many faster strategies without a measured run are told of."""
OVERHEAD_OF_SERVER = 1.82
"""System power over the chips' TDP where no source gives the system's: that of a DGX H100, 10.2 kW over 8 x 700 W."""


@dataclass(frozen=True)
class Choice:
    """A strategy beside the best one.

    Attributes
    ----------
    memory_bytes
        On the fullest chip.
    tried
        Whether runs of the calibration used each of its parts; the error band covers no other.
    """

    strategy: str
    chips: int
    step_time_s: float
    mfu: float
    memory_bytes: float
    tried: bool


@dataclass(frozen=True)
class TrainingEstimate:
    """The best strategy and what it does.

    Attributes
    ----------
    step_time_s, step_low_s, step_high_s
        The prediction and its band: eight of ten measured runs of chips of this family lay within it.
    mfu
        Over the dense peak that ``mfu_peak`` names.
    memory
        Bytes by kind on the fullest chip.
    parameters
        Of the model.
    power_w
        Of all systems with these chips at full load; ``None`` where no source gives it.
    strategies, feasible, cpu_s
        How many strategies were searched, how many of them fit the memory, and the CPU seconds that took.
    runners_up
        The next ten, fastest first.
    front
        What no other strategy beats in time, memory and chips at once, fastest first; also on a half, a quarter and an
        eighth of the chips.
    on_paper
        Strategies faster than the best with parts that no run of the calibration used: beyond what the band covers.
    sensitivity
        What 1 % more of each hardware figure does to the step time, where it was asked for.
    """

    model: str
    system: str
    chip: str
    chips: int
    strategy: str
    sequence: int
    batch_sequences: int
    dtype: str
    step_time_s: float
    step_low_s: float
    step_high_s: float
    mfu: float
    mfu_peak: str
    hfu: float
    memory: Mapping[str, float]
    memory_limit: float
    breakdown: Mapping[str, float]
    tokens_per_s: float
    parameters: float
    power_w: float | None
    basis: str
    strategies: int
    feasible: int
    cpu_s: float = 0.0
    runners_up: tuple[Choice, ...] = ()
    front: tuple[Choice, ...] = ()
    on_paper: tuple[Choice, ...] = ()
    sensitivity: tuple[Elasticity, ...] | None = None
    warnings: tuple[str, ...] = ()

    def days(self, tokens: float) -> float:
        """Return the days of uninterrupted training on ``tokens`` tokens."""
        return tokens / self.tokens_per_s / SECONDS_PER_DAY

    def days_band(self, tokens: float) -> tuple[float, float]:
        """Return the low and high end of :meth:`days`."""
        days = self.days(tokens)
        return days * self.step_low_s / self.step_time_s, days * self.step_high_s / self.step_time_s


def default_batch(chips: int, sequence: int) -> int:
    """Return the sequences of a step where the user gives none, near the usual and with the factors of the chips."""
    tokens = min(max(TOKENS_PER_CHIP * chips, LEAST_BATCH), MOST_BATCH)
    return divisible_batch(tokens / sequence, chips)


def divisible_batch(sequences: float, chips: int) -> int:
    """Return the whole number of sequences within 6 % that has the odd factors of the chips and most factors of two.

    Examples
    --------
    >>> divisible_batch(16e6 / 8192, 16384), divisible_batch(1024, 3072)
    (2048, 1056)
    """
    odd = chips // (chips & -chips)
    low, high = math.ceil(0.94 * sequences / odd), math.floor(1.06 * sequences / odd)
    if low > high or low < 1:
        return max(1, round(sequences / odd)) * odd
    return odd * max(range(low, high + 1), key=lambda count: (count & -count, -abs(count * odd - sequences)))


def _batch(chips: int, sequence: int, tokens: float | None) -> tuple[int, str]:
    """Return the sequences of a step, and what to tell the user of them."""
    if tokens is None:
        batch = default_batch(chips, sequence)
        return batch, f"batch not given: {batch * sequence / 1e6:.1f} million tokens a step assumed"
    if tokens % sequence == 0:
        return int(tokens // sequence), ""
    batch = divisible_batch(tokens / sequence, chips)
    return (
        batch,
        f"batch of {tokens / 1e6:.1f} million tokens taken as {batch:,} whole sequences, "
        f"{batch * sequence / 1e6:.1f} million",
    )


def best_training(
    model: Model | Architecture,
    system: System,
    chips: int,
    *,
    sequence: int = 4096,
    batch_tokens: float | None = None,
    dtype: str = "bf16",
    fixed: Mapping[str, float] | None = None,
    stack: str = "current",
    chip: Chip | None = None,
    catalog: Catalog | None = None,
    space: Literal["whole", "usual"] = "whole",
    sensitivity: bool = False,
) -> TrainingEstimate:
    """Return the fastest strategy that fits the memory.

    Parameters
    ----------
    fixed
        Parts of the strategy that are given (see :func:`strategy.parse_strategy`); the others are searched.
    stack
        Software generation, a name of :func:`strategy.stacks`.
    chip, catalog
        The system's chip, or the catalogue to find it in; the bundled catalogue where neither is given.
    space
        ``whole``, or ``usual``: a few hundred strategies as most published runs had, for callers that ask often; no
        front is returned then.
    sensitivity
        Whether to say what each hardware figure does to the step time (:mod:`sensitivity`; needs JAX).

    Raises
    ------
    InputError
        If the chips, the batch or the fixed parts of the strategy contradict each other, or JAX is needed and missing.
    MissingFigureError
        If a figure of the chip or the model is in no source.
    NoFitError
        If no strategy fits the chips' memory; the text says which kind overflows and what would fit.
    """
    _positive(chips=chips, sequence=sequence, batch_tokens=batch_tokens)
    arch = model if isinstance(model, Architecture) else architecture(model)
    check_context(arch, sequence)
    _joins(system, chips)
    chip = chip or (catalog or default_catalog()).chip(system.chip)
    arch, stack = on_stack(arch, stack, dtype)
    chip_model, fabric = _hardware(chip, system, stack)
    batch, told = _batch(chips, sequence, batch_tokens)
    task = Task(arch, chip_model, fabric, batch, sequence, dtype)
    started = time.process_time()
    question = _Question(task, system, chips, fixed or {}, space)
    found = question.sweep()
    estimate = replace(question.estimate(found, told), cpu_s=time.process_time() - started)
    if sensitivity:
        best = Strategy.of(**parse_strategy(estimate.strategy))
        estimate = replace(estimate, sensitivity=elasticities(task, best))
    return estimate


@dataclass(frozen=True)
class _Question:
    """A task on a number of chips, with what of the strategy is given."""

    task: Task
    system: System
    chips: int
    fixed: Mapping[str, float]
    extent: Literal["whole", "usual"]

    def space(self, factor: float = 1.0, *, extent: str = "") -> Space:
        """Return the space, or that on ``factor`` times the chips, with the batch grown beside them."""
        task, chips = self.task, round(self.chips * factor)
        batch = round(task.batch * max(factor, 1.0))
        if (extent or self.extent) == "usual":
            return usual(task.arch, chips, task.fabric, batch, task.sequence, self.fixed, task.stack)
        return whole(task.arch, chips, task.fabric, batch, task.sequence, self.fixed, task.stack)

    def sweep(self) -> Found:
        """Return what is best in the space, or refuse and say why."""
        task, space = self.task, self.space()
        if not len(space):
            raise InputError(why_empty(task.arch, self.chips, task.batch, task.sequence, self.fixed))
        found = sweep(task, space, self.tried)
        if not found.feasible:
            raise NoFitError(self._no_fit(leanest(task, space)))
        return found

    def tried(self, st: Strategy) -> np.ndarray:
        """Return which strategies are made of parts that runs of the calibration used."""
        return tried(st, self.task.fabric, self.task.sequence, self.fixed, self.task.stack)

    def choices(self, found: Found) -> tuple[tuple[Choice, ...], tuple[Choice, ...], tuple[Choice, ...]]:
        """Return the runners-up, the front, and what is faster on paper."""
        best = found.fastest if len(found.fastest) else found.on_paper
        faster = found.on_paper.step_time_s < best.step_time_s[0]
        paper = found.on_paper.take(np.flatnonzero(faster)[:ON_PAPER])
        fronts = [found.front, *self._fronts_of_fewer()] if self.extent == "whole" else []
        front = _front(Chosen.joined(*fronts)) if fronts else Chosen.none()
        return self._choices(best.take(np.arange(1, len(best)))), self._choices(front), self._choices(paper)

    def _fronts_of_fewer(self) -> list[Chosen]:
        if "dp" in self.fixed:
            return []
        spaces = [self.space(1 / f, extent="usual") for f in FEWER if self.chips % f == 0]
        return [sweep(self.task, space).front for space in spaces if len(space)]

    def _choices(self, chosen: Chosen) -> tuple[Choice, ...]:
        if not len(chosen):
            return ()
        st = chosen.strategies
        mfu, known = self.task.evaluate(st).mfu, np.broadcast_to(self.tried(st), st.tp.shape)
        return tuple(
            Choice(
                strategy=st.text(i),
                chips=int(st.chips[i]),
                step_time_s=float(chosen.step_time_s[i]),
                mfu=float(mfu[i]),
                memory_bytes=float(chosen.memory_bytes[i]),
                tried=bool(known[i]),
            )
            for i in range(len(chosen))
        )

    def estimate(self, found: Found, told: str) -> TrainingEstimate:
        """Return the answer: the best strategy with all that is known of it, and ``told`` before its warnings."""
        task, chip = self.task, self.task.chip
        best = (found.fastest if len(found.fastest) else found.on_paper).strategies.take(slice(0, 1))
        times, band = task.evaluate(best), band_of(chip)
        step, mfu = float(times.step_time_s[0]), float(times.mfu[0])
        runners_up, front, on_paper = self.choices(found)
        warnings = [told, *task.fabric.warnings, *chip.notes, *task.arch.assumptions]
        if not len(found.fastest):
            warnings.append(
                "nothing that runs of the calibration did fits: the band does not cover all parts of this strategy"
            )
        if best.offload[0]:
            warnings.append(f"offload: a chip's share of its host's memory taken as {HOST_BYTES / GB:.0f} GB")
        warnings.append(envelope.warning(chip.family, task.dtype, self.chips, mfu))
        power = _power(self.system, chip, self.chips, warnings)
        return TrainingEstimate(
            model=task.arch.name,
            system=self.system.name,
            chip=chip.name,
            chips=self.chips,
            strategy=best.text(0),
            sequence=task.sequence,
            batch_sequences=task.batch,
            dtype=task.dtype,
            step_time_s=step,
            step_low_s=step * band.low,
            step_high_s=step * band.high,
            mfu=mfu,
            mfu_peak=f"{chip.peak_of(task.dtype) / 1e12:,.0f} TFLOP/s dense {task.dtype}",
            hfu=float(times.hfu[0]),
            memory={kind: float(values[0]) for kind, values in times.memory.items()},
            memory_limit=chip.memory_bytes,
            breakdown={kind: float(values[0]) for kind, values in times.breakdown.items()},
            tokens_per_s=task.batch * task.sequence / step,
            parameters=float(parameters(task.arch).total),
            power_w=power,
            basis=basis(chip, band),
            strategies=found.strategies,
            feasible=found.feasible,
            runners_up=runners_up,
            front=front,
            on_paper=on_paper,
            warnings=tuple(filter(None, warnings)),
        )

    def _no_fit(self, lean: Strategy) -> str:
        task, chip = self.task, self.task.chip
        place = f"{self.chips:,} x {chip.name} ({self.system.name})"
        hosted = float(np.ravel(task.host(lean))[0])
        if hosted > HOST_BYTES:
            msg = f"{task.arch.name} does not fit on {place}: the leanest strategy, {lean.text(0)}, "
            return f"{msg}keeps {hosted / GB:,.0f} GB a chip on its host, which has {HOST_BYTES / GB:,.0f} GB for it"
        kinds = {kind: float(np.ravel(values)[0]) for kind, values in task.memory(lean).items()}
        used, largest = sum(kinds.values()), max(kinds, key=lambda kind: kinds[kind])
        msg = (
            f"{task.arch.name} does not fit on {place}: the leanest strategy, "
            f"{lean.text(0)}, needs {used / GB:,.0f} GB a chip of {chip.memory_bytes / GB:,.0f} GB, "
            f"most of it {largest} ({kinds[largest] / GB:,.0f} GB)"
        )
        for factor in (2, 4, 8, 16, 32, 64, 128):
            if fits_any(replace(task, batch=task.batch * factor), self.space(factor, extent="usual")):
                return f"{msg}; {self.chips * factor:,} chips would do"
        return f"{msg}; no number of chips up to {self.chips * 128:,} would do"


def _front(points: Chosen) -> Chosen:
    """Return those that no other one beats or equals in time, memory and chips together."""
    sides = np.stack([points.step_time_s, points.memory_bytes, points.strategies.chips], axis=1)
    no_worse = (sides[:, None, :] <= sides[None, :, :]).all(axis=2)
    better = (sides[:, None, :] < sides[None, :, :]).any(axis=2)
    return points.take(np.flatnonzero(~(no_worse & better).any(axis=0)))


def _joins(system: System, chips: int) -> None:
    """Refuse more chips than the system's network joins: what a source gives, or else the largest fat tree."""
    most = system.number("cluster_max_chips")
    basis = "" if most is not None else ": a network of three tiers of 128-port switches has no more ports"
    if chips > (most or MOST_JOINED):
        msg = f"{chips:,} chips are more than the {most or MOST_JOINED:,.0f} that {system.name} joins{basis}"
        raise InputError(msg)


def default_catalog() -> Catalog:
    """Return the bundled catalogue."""
    from outlay.catalog import Catalog

    return Catalog.load()


def check_context(arch: Architecture, sequence: int) -> None:
    """Refuse a sequence longer than the model reads."""
    if arch.context and sequence > arch.context:
        msg = f"sequence {sequence:,} is longer than {arch.name}'s context of {arch.context:,} tokens"
        raise InputError(msg)


def _positive(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and value <= 0:
            msg = f"{name.replace('_', ' ')} must be above zero, not {value:g}"
            raise InputError(msg)


def on_stack(arch: Architecture, stack: str, dtype: str) -> tuple[Architecture, str]:
    """Return the architecture, with what is assumed of its experts, and the generation whose numbers hold for it."""
    used = with_experts(stack, moe=bool(arch.experts), gated=bool(arch.gated), dtype=dtype)
    said = []
    if used != stack:
        said.append(f"experts run as under {used}: {stack} has one kernel for gated ones in fp8_block alone")
    if arch.experts and (graphed := stacks()[used].graphed):
        said.append(f"CUDA graphs replay {graphed:.0%} of what the host launches for experts, as recipes of {used} do")
    return replace(arch, assumptions=(*arch.assumptions, *said)), used


def _hardware(chip: Chip, system: System, stack: str) -> tuple[ChipModel, Fabric]:
    """Return the models of a chip and its system; kept, because a planner asks for the same ones again and again."""
    key = (stack, id(chip), id(system))
    if key not in _HARDWARE:
        if len(_HARDWARE) > 256:
            _HARDWARE.clear()
        _HARDWARE[key] = (chips_.chip_model(chip, stack), network.fabric(system, chip), (chip, system))
    return _HARDWARE[key][:2]


_HARDWARE: dict[tuple[str, int, int], tuple[ChipModel, Fabric, tuple[Chip, System]]] = {}


def basis(chip: ChipModel, band: Band) -> str:
    """Return what a band rests on, in words."""
    if band.measured:
        return f"{band.rows} measured runs in {band.groups} groups of {chip.family}; kernels {chip.provenance}"
    return f"no measured training run of {chip.family}; numbers of the {band.family}, band of chips never measured"


def _power(system: System, chip: ChipModel, chips: int, warnings: list[str]) -> float | None:
    whole = system.number("system_power_kw")
    if whole is not None and system.chips:
        return whole / system.chips * chips
    if chip.tdp_w is None:
        warnings.append(f"power: no source gives that of {system.name} or the TDP of {chip.name}")
        return None
    warnings.append(f"power of {system.name} is in no source; assumed {OVERHEAD_OF_SERVER} times its chips' TDP")
    return float(chip.tdp_w * OVERHEAD_OF_SERVER * chips)
