"""The best way to train one model on several kinds of chip or at several sites: on all, some or one of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.catalog.records import Chip, Model, System
from outlay.errors import InputError, MissingFigureError, NoFitError, unknown
from outlay.performance import search, training
from outlay.performance.chip import chip_model
from outlay.performance.families import band_of
from outlay.performance.mixed import Array, Kind, Layout, Link, PipelineTimes, exchange_seconds
from outlay.performance.mixed_pipelines import fastest_pipeline, unit_table
from outlay.performance.network import fabric
from outlay.performance.search import TrainingEstimate, best_training
from outlay.performance.strategy import Stack, Strategy, stacks
from outlay.performance.transformer import Architecture, architecture, forward_flops_per_token, parameters
from outlay.units import GB

WAYS = ("pipeline", "replicas", "alone")
"""One pipeline over kinds; whole replicas within each kind; one kind, the others idle."""
MOST_KINDS = 3
SHARES = 64
"""Into how many equal parts a batch is cut at most before it is dealt out over kinds."""


@dataclass(frozen=True)
class Place:
    """Some chips of a system at one site."""

    system: System
    chip: Chip
    chips: int


@dataclass(frozen=True)
class KindShare:
    """What one kind of chip does in a run.

    Attributes
    ----------
    name
        The chip's, numbered where several sites have it.
    share
        Its part of the run's FLOPs.
    layers
        Layers of each of its stages; empty where it trains whole replicas.
    sequences
        Sequences a step that it trains.
    busy_s
        Seconds of a step in which its slowest chips compute and communicate within the kind.
    memory
        Bytes on its fullest chip.
    mfu
        Its FLOPs over its own dense peak.
    """

    name: str
    chip: str
    chips: int
    strategy: str
    share: float
    layers: tuple[int, ...]
    sequences: int
    busy_s: float
    memory: float
    memory_limit: float
    mfu: float


@dataclass(frozen=True)
class Alone:
    """A run on one kind alone, with the same batch; ``tokens_per_s`` is None where there is none, and why."""

    name: str
    tokens_per_s: float | None
    step_time_s: float | None
    strategy: str
    reason: str


@dataclass(frozen=True)
class MixedEstimate:
    """The best run on a fleet and what it does.

    Attributes
    ----------
    way
        One of ``WAYS``.
    ways
        Seconds a step of the best run of each way that has one.
    step_low_s, step_high_s
        The widest of the used kinds' bands: no measured run mixes these kinds.
    kinds, idle
        The kinds it uses, and the names of those it leaves unused because they would slow it.
    breakdown
        Seconds by kind of time; they add up to ``step_time_s``.
    gain
        Tokens/s over those of the best kind alone; None where no kind can train the model alone.
    of_sum
        Tokens/s over the sum of all kinds alone; None where one of them cannot.
    parameters
        Of the model.
    power_w
        Of the used systems at full load; None where a source lacks.
    """

    model: str
    way: str
    ways: Mapping[str, float]
    step_time_s: float
    step_low_s: float
    step_high_s: float
    tokens_per_s: float
    sequence: int
    batch_sequences: int
    dtype: str
    kinds: tuple[KindShare, ...]
    idle: tuple[str, ...]
    alone: tuple[Alone, ...]
    gain: float | None
    of_sum: float | None
    breakdown: Mapping[str, float]
    parameters: float
    power_w: float | None
    basis: str
    plans: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Task:
    arch: Architecture
    fleet: tuple[Kind, ...]
    link: Link
    batch: int
    sequence: int
    dtype: str
    stack: Stack
    outer_steps: int


@dataclass(frozen=True)
class _Found:
    way: str
    step_s: float
    kinds: tuple[KindShare, ...]
    breakdown: Mapping[str, float]


def best_mixed(
    model: Model | Architecture,
    places: Sequence[Place],
    link: Link | None = None,
    *,
    sequence: int = 4096,
    batch_tokens: float | None = None,
    dtype: str = "bf16",
    stack: str = "current",
    ways: Sequence[str] = WAYS,
    outer_steps: int = 1,
) -> MixedEstimate:
    """Return the fastest run on all, some or one of the kinds that fits their memory.

    Parameters
    ----------
    link
        What joins the kinds; the slower of their scale-out networks where left out.
    ways
        Which of ``WAYS`` may be the answer. Each kind alone is searched in any case, to compare.
    outer_steps
        Steps that kinds take alone between two sums of their gradients, in the replicas way (DiLoCo,
        arXiv:2311.08105); 1 sums every step.

    Raises
    ------
    InputError
        If the chips, the batch or the options contradict each other.
    MissingFigureError
        If a figure of a chip or of the model is in no source.
    NoFitError
        If no run fits; the text says what was tried.
    """
    _check(places, ways, sequence, batch_tokens, outer_steps)
    arch = model if isinstance(model, Architecture) else architecture(model)
    search.check_context(arch, sequence)
    arch, stack = search.on_stack(arch, stack, dtype)
    fleet, bands, warnings = _fleet(places, stack)
    if link is None:
        link = slower_network(fleet)
        warnings.append(f"link not given: {link.bandwidth * 8e-9:,.0f} Gb/s a chip, the slowest network of the kinds")
    if outer_steps > 1:
        warnings.append(f"gradients cross every {outer_steps} steps (DiLoCo): not the same training as every step")
    batch, told = search._batch(sum(kind.chips for kind in fleet), sequence, batch_tokens)
    warnings += [told] if told else []
    task = _Task(arch, fleet, link, batch, sequence, dtype, stacks()[stack], outer_steps)
    alone, singles = _all_alone(task, places)
    plans, found = _together(task, [way for way in ways if way != "alone"])
    found += singles if "alone" in ways else []
    if not found:
        raise NoFitError(_no_fit(task, plans, alone))
    best = min(found, key=lambda one: one.step_s)
    used = [i for i, kind in enumerate(fleet) if kind.name in {share.name for share in best.kinds}]
    powers = [search._power(places[i].system, fleet[i].chip, fleet[i].chips, warnings) for i in used]
    return MixedEstimate(
        model=arch.name,
        ways={way: min(one.step_s for one in found if one.way == way) for way in ways if _has(found, way)},
        idle=tuple(kind.name for i, kind in enumerate(fleet) if i not in used),
        alone=alone,
        sequence=sequence,
        batch_sequences=batch,
        dtype=dtype,
        parameters=float(parameters(arch).total),
        power_w=None if None in powers else float(sum(power or 0.0 for power in powers)),
        plans=plans,
        warnings=tuple(dict.fromkeys([*warnings, *arch.assumptions])),
        **_of_best(task, best, [bands[i] for i in used], alone),
    )


def _of_best(
    task: _Task, best: _Found, bands: Sequence[tuple[float, float, str]], alone: Sequence[Alone]
) -> dict[str, Any]:
    """Return the fields of the estimate that tell how fast the best run is, given the bands of the kinds it uses."""
    speed = task.batch * task.sequence / best.step_s
    single = [one.tokens_per_s for one in alone if one.tokens_per_s]
    mixes = "no measured run mixes these kinds; each alone: " if len(bands) > 1 else ""
    return {
        "way": best.way,
        "step_time_s": best.step_s,
        "step_low_s": best.step_s * min(low for low, _, _ in bands),
        "step_high_s": best.step_s * max(high for _, high, _ in bands),
        "tokens_per_s": speed,
        "kinds": best.kinds,
        "breakdown": best.breakdown,
        "gain": speed / max(single) if single else None,
        "of_sum": speed / sum(single) if len(single) == len(task.fleet) else None,
        "basis": mixes + "; ".join(basis for _, _, basis in bands),
    }


def _has(found: Sequence[_Found], way: str) -> bool:
    return any(one.way == way for one in found)


def _check(
    places: Sequence[Place], ways: Sequence[str], sequence: int, batch_tokens: float | None, outer_steps: int
) -> None:
    for name, value in (("sequence", sequence), ("batch tokens", batch_tokens), ("outer steps", outer_steps)):
        if value is not None and value < 1:
            msg = f"{name} must be 1 or more, not {value:g}"
            raise InputError(msg)
    for place in places:
        if place.chips < 1:
            msg = f"{place.system.name}: chips must be 1 or more, not {place.chips}"
            raise InputError(msg)
    if not 2 <= len(places) <= MOST_KINDS:
        msg = f"a mixed run needs 2 to {MOST_KINDS} kinds of chip or sites, a place for each; got {len(places)}"
        raise InputError(msg)
    for way in ways:
        if way not in WAYS:
            raise InputError(unknown("way to mix", way, WAYS))
    if outer_steps > 1 and "replicas" not in ways:
        msg = "outer steps need whole replicas at each kind; a pipeline sums gradients within a kind alone"
        raise InputError(msg)


def _fleet(places: Sequence[Place], stack: str) -> tuple[tuple[Kind, ...], list[tuple[float, float, str]], list[str]]:
    """Return the kinds, the band of each with its basis, and what to tell the user."""
    if stack not in stacks():
        raise InputError(unknown("software generation", stack, stacks()))
    names = [place.chip.name for place in places]
    kinds, bands, warnings = [], [], list[str]()
    for number, place in enumerate(places):
        model, net = chip_model(place.chip, stack), fabric(place.system, place.chip)
        band = band_of(model)
        twice = names.count(place.chip.name) > 1
        name = f"{place.chip.name} #{names[: number + 1].count(place.chip.name)}" if twice else place.chip.name
        kinds.append(Kind(name, place.chips, model, net))
        bands.append((band.low, band.high, f"{name}, {search.basis(model, band)}"))
        warnings += [f"{name}: {text}" for text in (*net.warnings, *model.notes)]
    return tuple(kinds), bands, warnings


def slower_network(fleet: Sequence[Kind]) -> Link:
    """Return the link two kinds have at best: the slowest of their scale-out networks."""
    slowest = min((kind.fabric for kind in fleet), key=lambda net: net.scaleout_bandwidth * net.scaleout_efficiency)
    latency = max(float(kind.fabric.scaleout_latency) for kind in fleet)
    return Link(float(slowest.scaleout_bandwidth * slowest.scaleout_efficiency / slowest.oversubscription), latency)


def _all_alone(task: _Task, places: Sequence[Place]) -> tuple[tuple[Alone, ...], list[_Found]]:
    """Return the best run of each kind alone with the same batch, or why there is none."""
    alone, found = [], []
    for place, kind in zip(places, task.fleet, strict=True):
        try:
            one: TrainingEstimate = best_training(
                task.arch,
                place.system,
                place.chips,
                sequence=task.sequence,
                batch_tokens=task.batch * task.sequence,
                dtype=task.dtype,
                stack=task.stack.name,
                chip=place.chip,
            )
        except (NoFitError, InputError, MissingFigureError) as error:
            alone.append(Alone(kind.name, None, None, "", str(error)))
            continue
        alone.append(Alone(kind.name, one.tokens_per_s, one.step_time_s, one.strategy, ""))
        memory = sum(one.memory.values())
        share = _share(task, kind, one.strategy, 1.0, one.step_time_s, sequences=task.batch, memory=memory)
        found.append(_Found("alone", one.step_time_s, (share,), one.breakdown))
    return tuple(alone), found


def _together(task: _Task, ways: Sequence[str]) -> tuple[int, list[_Found]]:
    """Return how many plans over two kinds or more there are, and the best of each way with those found on its way."""
    a, kinds = task, range(len(task.fleet))
    units = [unit_table(a.arch, k, a.sequence, a.dtype, a.stack) if "pipeline" in ways else {} for k in a.fleet]
    parts = max(part for part in range(1, SHARES + 1) if task.batch % part == 0)
    shares = [_share_table(task, kind, parts) for kind in a.fleet] if "replicas" in ways else []
    plans, found, limit = sum(count for count, _ in shares), list[_Found](), math.inf
    for members in (m for size in range(len(kinds), 1, -1) for m in itertools.combinations(kinds, size)):
        fleet = [a.fleet[i] for i in members]
        if "pipeline" in ways:
            tried, layout, times = fastest_pipeline(
                a.arch, fleet, [units[i] for i in members], a.link, a.batch, a.sequence, a.stack, limit
            )
            plans += tried
            if layout is not None and times is not None:
                limit = times.step_time_s
                found.append(_pipeline_found(task, layout, times))
        if "replicas" in ways:
            dealt = _replicas(task, fleet, [shares[i][1] for i in members], parts)
            found += [dealt] if dealt else []
    return plans, found


def _no_fit(task: _Task, plans: int, alone: Sequence[Alone]) -> str:
    fleet = " + ".join(f"{kind.chips:,} x {kind.name} ({kind.chip.memory_bytes / GB:,.0f} GB)" for kind in task.fleet)
    singles = "; ".join(
        f"{one.name} alone: " + (f"{one.step_time_s:.2f} s a step" if one.step_time_s else one.reason) for one in alone
    )
    tried = f"{plans:,} plans, none fits the memory" if plans else "nothing divides chips and batch"
    return (
        f"{task.arch.name} fits no mixed plan on {fleet} with a batch of {task.batch:,} sequences: {tried}. {singles}"
    )


def _share(
    task: _Task,
    kind: Kind,
    strategy: str,
    share: float,
    step_s: float,
    *,
    sequences: int,
    memory: float,
    busy_s: float | None = None,
    layers: tuple[int, ...] = (),
) -> KindShare:
    """Return what a kind does in a step of ``step_s``; it is busy all the time where nothing else is said."""
    tokens = task.batch * task.sequence
    flops = 3.0 * float(forward_flops_per_token(task.arch, task.sequence).total) * tokens * share
    return KindShare(
        name=kind.name,
        chip=kind.name.partition(" #")[0],
        chips=kind.chips,
        strategy=strategy,
        share=share,
        layers=layers,
        sequences=sequences,
        busy_s=step_s if busy_s is None else busy_s,
        memory=memory,
        memory_limit=float(kind.chip.memory_bytes),
        mfu=float(flops / (step_s * kind.chips * kind.chip.peak_of(task.dtype))),
    )


def _pipeline_found(task: _Task, layout: Layout, times: PipelineTimes) -> _Found:
    flops = forward_flops_per_token(task.arch, task.sequence)
    inner = float(flops.total - flops.vocab) / times.layers.sum()
    micro_batches = task.batch / (layout.dp * layout.micro_batch)
    kinds, start = [], 0
    for place, part in enumerate(layout.parts):
        mine = slice(start, start + part.stages)
        start += part.stages
        last = place + 1 == len(layout.parts)
        share = float(times.layers[mine].sum() * inner + last * flops.vocab) / float(flops.total)
        kinds.append(
            _share(
                task,
                part.kind,
                part.strategy,
                share,
                times.step_time_s,
                sequences=task.batch,
                memory=float(times.memory[mine].max()),
                busy_s=micro_batches * float(times.stage_s[mine].max()),
                layers=tuple(int(count) for count in times.layers[mine]),
            )
        )
    return _Found("pipeline", times.step_time_s, tuple(kinds), times.breakdown)


_Shares = tuple[Array, list[str], Array]
"""By the number of parts of the batch: the best seconds, its strategy, and bytes on a chip."""


def _replicas(task: _Task, fleet: Sequence[Kind], tables: Sequence[_Shares], parts: int) -> _Found | None:
    """Return the shares of the batch, one part at least for each kind, that make the slowest kind fastest.

    Notes
    -----
    Exact for a batch in up to 64 equal parts: the least maximum over the first k kinds is that over the first k - 1
    with what the k-th leaves them.
    """
    best = np.concatenate([[0.0], np.full(parts, np.inf)])
    given = np.arange(parts + 1)[:, None] - np.arange(parts + 1)[None, :]
    picks: list[Array] = []
    for seconds, _, _ in tables:
        slowest = np.where(given >= 0, np.maximum(best[np.maximum(given, 0)], seconds[None, :]), np.inf)
        picks.append(slowest.argmin(axis=1))
        best = slowest.min(axis=1)
    if not np.isfinite(best[-1]):
        return None
    taken, left = [], parts
    for pick in reversed(picks):
        taken.append(int(pick[left]))
        left -= taken[-1]
    across = exchange_seconds(task.arch, fleet, task.link, task.outer_steps)
    step = float(best[-1]) + across
    kinds = tuple(
        _share(
            task,
            kind,
            texts[count],
            count / parts,
            step,
            sequences=task.batch // parts * count,
            memory=float(memory[count]),
            busy_s=float(seconds[count]),
        )
        for kind, (seconds, texts, memory), count in zip(fleet, tables, reversed(taken), strict=True)
    )
    mean = float(np.mean([kind.busy_s for kind in kinds]))
    breakdown = {"replicas": mean, "imbalance": float(best[-1]) - mean, "exchange": across}
    return _Found("replicas", step, kinds, breakdown)


def _share_table(task: _Task, kind: Kind, parts: int) -> tuple[int, _Shares]:
    """Return the strategies tried, and by the number of parts of the batch the best seconds, strategy and memory."""
    whole = [
        search.candidates(task.arch, kind.chips, kind.fabric, task.batch // parts * count, task.sequence)
        for count in range(1, parts)
    ]
    batches = np.repeat(task.batch // parts * np.arange(1.0, parts), [len(st) for st in whole])
    seconds, memory = np.full(parts + 1, np.inf), np.zeros(parts + 1)
    texts = [""] * (parts + 1)
    if not batches.size:
        return 0, (seconds, texts, memory)
    joined = Strategy(*(np.concatenate([getattr(st, name) for st in whole]) for name in vars(whole[0])))
    times = training.evaluate(
        task.arch,
        kind.chip,
        kind.fabric,
        joined,
        batches,
        task.sequence,
        task.dtype,
        stack=task.stack,
    )
    step = np.where(times.fits, times.step_time_s, np.inf)
    ends = np.cumsum([len(st) for st in whole])
    for count, (end, strategies) in enumerate(zip(ends, whole, strict=True), start=1):
        start = end - len(strategies)
        if len(strategies) and np.isfinite(step[start:end].min()):
            at = int(step[start:end].argmin())
            seconds[count], memory[count] = step[start + at], times.memory_bytes[start + at]
            texts[count] = strategies.text(at)
    return int(batches.size), (seconds, texts, memory)
