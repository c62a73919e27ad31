"""Every pipeline over several kinds of chip, and the fastest that fits their memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outlay.errors import NoFitError
from outlay.performance import communication
from outlay.performance.mixed import (
    Array,
    Kind,
    Layout,
    Link,
    Part,
    PipelineTimes,
    Unit,
    gradient_seconds,
    pipeline,
    units,
)
from outlay.performance.strategy import RECOMPUTE, Stack, Strategy
from outlay.performance.transformer import Architecture

WIDTHS, MICRO_BATCHES, MODES = (1, 2, 4, 8), (1, 2, 4), (0, 1, 2)
EXPERT_WIDTHS = (1, 2, 4, 8, 16, 32, 64)
MOST_STAGES = 64

Key = tuple[int, int, int, int]
"""Tensor-parallel width, micro-batch, expert-parallel width and recompute mode."""


def unit_table(arch: Architecture, kind: Kind, sequence: int, dtype: str, stack: Stack) -> dict[Key, Unit]:
    """Return what a layer costs a kind of chip, for every width, micro-batch and mode of the space, in one call."""
    widest = min(kind.fabric.domain_chips, max(kind.fabric.node_chips, 8), kind.chips)
    tps = [tp for tp in WIDTHS if tp <= widest and arch.heads % tp == 0]
    experts = int(arch.experts)
    eps = [ep for ep in EXPERT_WIDTHS if experts % ep == 0] if experts else [1]
    keys = list(itertools.product(tps, MICRO_BATCHES, eps, MODES))
    tp, micro_batch, ep, recompute = np.array(keys, dtype=float).T
    st = Strategy.of(tp=tp, micro_batch=micro_batch, ep=ep, recompute=recompute)
    return dict(zip(keys, units(arch, kind, st, sequence, dtype, stack), strict=True))


@dataclass(frozen=True)
class _Group:
    """Pipelines that share data-parallel width, micro-batch and expert width: any choice of each kind with any other.

    Attributes
    ----------
    choices
        Of each kind, the parts it may be.
    fits
        Places in the product of the choices, flattened, that do not have too many stages.
    bounds
        Of those, seconds that no order of the kinds and no split of layers can beat.
    """

    dp: int
    micro_batch: int
    choices: tuple[tuple[Part, ...], ...]
    fits: NDArray[np.intp]
    bounds: Array

    def layout(self, place: int) -> Layout:
        """Return one pipeline, with the kinds in the order of the fleet."""
        which = np.unravel_index(int(self.fits[place]), [len(parts) for parts in self.choices])
        parts = (kind[int(one)] for kind, one in zip(self.choices, which, strict=True))
        return Layout(tuple(parts), self.dp, self.micro_batch)


def fastest_pipeline(
    arch: Architecture,
    fleet: Sequence[Kind],
    tables: Sequence[Mapping[Key, Unit]],
    link: Link,
    batch: int,
    sequence: int,
    stack: Stack,
    limit: float = math.inf,
) -> tuple[int, Layout | None, PipelineTimes | None]:
    """Return how many pipelines over all kinds there are, and the fastest that fits with its times.

    Parameters
    ----------
    tables
        Of each kind, what :func:`unit_table` returns.
    limit
        Seconds a step; nothing is returned that is not faster.

    Notes
    -----
    Plans are taken by their bound (:func:`lower_bound`), so the search ends, exactly, at the first plan whose bound is
    not below the best step found.
    """
    groups = list(_groups(arch, fleet, tables, batch, stack))
    bounds = np.concatenate([group.bounds for group in groups]) if groups else np.zeros(0)
    owner = np.repeat(np.arange(len(groups)), [group.bounds.size for group in groups])
    place = np.concatenate([np.arange(group.bounds.size) for group in groups]) if groups else owner
    orders = list(itertools.permutations(range(len(fleet))))
    best: tuple[Layout, PipelineTimes] | None = None
    for i in np.argsort(bounds, kind="stable"):
        if bounds[i] >= limit:
            break
        layout = groups[owner[i]].layout(int(place[i]))
        for order in orders:
            ordered = replace(layout, parts=tuple(layout.parts[part] for part in order))
            try:
                times = pipeline(arch, ordered, link, batch, sequence, stack)
            except NoFitError:
                continue
            if times.step_time_s < limit:
                best, limit = (ordered, times), times.step_time_s
    return bounds.size * len(orders), *(best or (None, None))


def lower_bound(layers: int, stages: Array, layer_s: Array, micro_batches: float, head_s: Array | float = 0.0) -> Array:
    """Return seconds of 1F1B that no order of the kinds and no split of ``layers`` layers can beat.

    Parameters
    ----------
    stages, layer_s, head_s
        Stages of each kind, and seconds of a layer and of the head there; the first axis counts kinds.

    Notes
    -----
    With layers in proportion to speed every one of p stages takes T = L / sum(stages / layer_s), and m micro-batches
    (m + p - 1) T; the head counts as the fewest layers it is worth on a kind. A slower slowest stage, S, can move
    layers from slow stages to fast ones: each second of S - T adds m - 1 and takes e_slow / e_i - 1 from the first pass
    for every stage i, at most. Where that pays, the bound is (m - 1) S and the first pass on the fastest kind alone.
    Layers are whole, so S is not below the least time in which the stages hold all of them.

    Examples
    --------
    >>> float(lower_bound(12, np.array([1.0, 1.0]), np.array([1.0, 2.0]), 8.0))
    72.0
    """
    period = (layers + np.min(head_s / layer_s, axis=0)) / (stages / layer_s).sum(axis=0)
    slowest = np.maximum(period, _whole_layers(layers, stages, layer_s))
    saved = (stages * (layer_s.max(axis=0) / layer_s - 1)).sum(axis=0)
    balanced = (micro_batches - 1) * slowest + stages.sum(axis=0) * period - saved * (slowest - period)
    skewed = (micro_batches - 1) * slowest + layers * layer_s.min(axis=0)
    return np.asarray(np.where(micro_batches - 1 >= saved, balanced, skewed))


def _whole_layers(layers: int, stages: Array, layer_s: Array) -> Array:
    """Return the least seconds within which stages of whole layers hold all ``layers``, by bisection."""
    best = np.full(stages.shape[1:], np.inf)
    for kind in layer_s:
        low, high = np.zeros(best.shape), np.full(best.shape, float(layers))
        for _ in range(layers.bit_length()):
            middle = np.floor((low + high) / 2)
            held = (stages * np.floor(middle * kind / layer_s * (1 + 1e-12))).sum(axis=0)
            low, high = np.where(held >= layers, low, middle), np.where(held >= layers, middle, high)
        best = np.minimum(best, high * kind)
    return best * (1 - 1e-12)


def _groups(
    arch: Architecture, fleet: Sequence[Kind], tables: Sequence[Mapping[Key, Unit]], batch: int, stack: Stack
) -> Iterator[_Group]:
    """Yield every pipeline whose parts divide chips, batch, heads and experts."""
    common = math.gcd(*(kind.chips for kind in fleet))
    layers = arch.layers + arch.mtp_layers
    most = min(layers, MOST_STAGES)
    widths = sorted({key[2] for table in tables for key in table})
    servers = sum(float(kind.chips / kind.fabric.node_chips) for kind in fleet)
    slower = 1.0 + float(stack.jitter) * math.log2(max(servers, 1.0))
    for dp in (d for d in range(1, common + 1) if common % d == 0):
        for micro_batch, ep in itertools.product(MICRO_BATCHES, widths):
            if batch % (dp * micro_batch):
                continue
            choices = tuple(
                tuple(
                    Part(kind, unit, kind.chips // (dp * key[0]), _words(key, kind.chips // (dp * key[0]), dp))
                    for key, unit in table.items()
                    if key[1:3] == (micro_batch, ep)
                    and kind.chips % (dp * key[0]) == 0
                    and (dp * key[0]) % ep == 0
                    and kind.chips // (dp * key[0]) < most
                )
                for kind, table in zip(fleet, tables, strict=True)
            )
            if not all(choices):
                continue
            stages = _product([[float(part.stages) for part in parts] for parts in choices])
            layer_s = _product([[part.unit.profile.layer_s for part in parts] for parts in choices])
            summed = _product([[_least_sum(part, dp, stack) for part in parts] for parts in choices])
            fits = np.flatnonzero(stages.sum(axis=0) <= most)
            head_s = _product([[part.unit.profile.head_s for part in parts] for parts in choices])[:, fits]
            seconds = lower_bound(layers, stages[:, fits], layer_s[:, fits], batch / (dp * micro_batch), head_s)
            # Some stage has L / p layers or more.
            seconds += summed[:, fits].min(axis=0) * layers / stages[:, fits].sum(axis=0)
            yield _Group(dp, micro_batch, choices, fits, slower * seconds + float(stack.step_s))


def _least_sum(part: Part, dp: int, stack: Stack) -> float:
    """Return the exposed seconds at least, latency apart, in which the gradients of a layer are summed."""
    layer = np.array([[part.unit.common], [part.unit.experts]])
    rate = gradient_seconds(part, dp, *(2 * layer)) - gradient_seconds(part, dp, *layer)
    return float(communication.exposed(rate[0], stack.dp_overlap))


def _product(values: Sequence[Sequence[float]]) -> Array:
    """Return every choice of one value from each list, one row a list."""
    return np.stack([axis.ravel() for axis in np.meshgrid(*values, indexing="ij")])


def _words(key: Key, stages: int, dp: int) -> str:
    tp, micro_batch, ep, recompute = key
    experts = f"ep={ep}," if ep > 1 else ""
    return f"tp={tp},pp={stages},dp={dp},{experts}mbs={micro_batch},recompute={RECOMPUTE[recompute]}"
