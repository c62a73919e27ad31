"""Step time and memory of one training run over several kinds of chip, or several sites.

Two ways to share a model out over kinds of chip that differ in speed, memory and network:

- *pipeline*: each kind runs some of the stages, with as many layers as its speed and memory ask for (H2,
  arXiv:2505.17548, section 4; HETHUB, arXiv:2405.16256); only activations and their gradients cross between kinds;
- *replicas*: each kind runs whole copies of the model on a part of the batch, and gradients cross once a step.

Kinds are joined by a :class:`Link`. Two sites with the same chip are two kinds with a thin link between them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.performance import communication, network, training
from outlay.performance.chip import ChipModel, memory_time
from outlay.performance.memory import (
    FRAGMENTATION,
    GRADIENT_BYTES,
    LOGIT_BYTES,
    OPTIMISER_BYTES,
    RUNTIME_BYTES,
    WEIGHT_BYTES,
    activation_bytes,
)
from outlay.performance.mixed_stages import in_flight_period, pipeline_seconds, split_layers, waits
from outlay.performance.network import Fabric
from outlay.performance.strategy import Stack, Strategy
from outlay.performance.transformer import Architecture, parameters

Array = NDArray[np.float64]
VALUE_BYTES = 2.0
"""Bytes of an activation and of its gradient on the way between stages: bf16."""


@dataclass(frozen=True)
class Kind:
    """Some chips of one kind at one site."""

    name: str
    chips: int
    chip: ChipModel
    fabric: Fabric


@dataclass(frozen=True)
class Link:
    """What joins two kinds of chip or two sites.

    Attributes
    ----------
    bandwidth
        Bytes/s that one chip gets to a chip of another kind, one direction.
    latency_s
        Seconds until the first byte arrives.
    trunk
        Bytes/s that all chips of a kind have together, one direction: the line between two sites.
    through_host
        Whether bytes pass the memory of both hosts, because the vendors share no device-to-device transport.
    """

    bandwidth: float
    latency_s: float = 0.0
    trunk: float = np.inf
    through_host: bool = False

    def seconds(self, size: ArrayLike, chips: ArrayLike = 1) -> Array:
        """Return the seconds in which each of ``chips`` chips sends ``size`` bytes at the same time."""
        size = np.asarray(size, dtype=float)
        wire = size / np.minimum(self.bandwidth, self.trunk / np.asarray(chips, dtype=float))
        copies = 2.0 * size / training.HOST_LINK if self.through_host else 0.0
        return np.where(size > 0, wire + copies + self.latency_s, 0.0)


@dataclass(frozen=True)
class StageProfile:
    """Seconds of one micro-batch, forward and backward, on one tensor-parallel group: measured, or from the model.

    Attributes
    ----------
    embedding_s, layer_s, head_s
        Of the input embedding, of a mean layer, and of the output head with the loss.
    update_s
        Of the optimiser, once a step.
    """

    embedding_s: float
    layer_s: float
    head_s: float
    update_s: float = 0.0

    def stage_s(self, layers: float, *, first: bool = False, last: bool = False) -> float:
        """Return the seconds of a stage of ``layers`` layers, and of the ends of the model it has."""
        return layers * self.layer_s + first * self.embedding_s + last * self.head_s


@dataclass(frozen=True)
class Unit:
    """What a layer and the ends of a model cost one tensor-parallel group of a kind of chip.

    Attributes
    ----------
    kernels_s
        The part of a layer that is kernels, beside which gradients can be summed.
    kept, working, logits
        Bytes a chip keeps of a layer until its backward pass, has while it recomputes, and has of the logits.
    common, experts
        Parameters of a layer on a chip: those that every data-parallel rank has, and those of its experts.
    embedding, head
        Parameters of the ends on a chip.
    expert_cut
        Chips over which the experts of a layer are spread.
    """

    profile: StageProfile
    tp: float
    kernels_s: float
    kept: float
    working: float
    logits: float
    common: float
    experts: float
    embedding: float
    head: float
    expert_cut: float

    def expert_copies(self, dp: float) -> float:
        """Return how many copies of an expert ``dp`` data-parallel ranks have, at one or more."""
        return max(dp * self.tp / self.expert_cut, 1.0)


@dataclass(frozen=True)
class Part:
    """Consecutive stages on one kind of chip; ``strategy`` says in words how each of them is spread and recomputed."""

    kind: Kind
    unit: Unit
    stages: int
    strategy: str = ""


@dataclass(frozen=True)
class Layout:
    """A pipeline over kinds of chip, first stage first; every stage has ``dp`` copies, each of its kind's tp chips."""

    parts: tuple[Part, ...]
    dp: int
    micro_batch: int

    @property
    def stages(self) -> int:
        """Stages of the whole pipeline."""
        return sum(part.stages for part in self.parts)

    def by_stage(self, values: Sequence[float]) -> Array:
        """Return one value a part as one value a stage."""
        return np.repeat(np.asarray(values, dtype=float), [part.stages for part in self.parts])


@dataclass(frozen=True)
class PipelineTimes:
    """What a step of a mixed pipeline takes; arrays over its stages.

    Attributes
    ----------
    layers
        Layers of each stage.
    stage_s, wait_s
        Seconds of a micro-batch on each stage, and those it waits for transfers.
    memory
        Bytes on a chip of each stage.
    breakdown
        Seconds by kind; they add up to ``step_time_s``.
    """

    step_time_s: float
    layers: Array
    stage_s: Array
    wait_s: Array
    memory: Array
    breakdown: Mapping[str, float]


def ring_seconds(link: Link, size: ArrayLike, members: int, chips: ArrayLike = 1) -> Array:
    """Return the seconds to sum ``size`` bytes a chip over ``members`` kinds or sites.

    2 (n - 1) steps of a n-th each (Thakur et al., doi:10.1177/1094342005051521, section 4.4), each with its latency.
    """
    steps = 2 * (members - 1)
    return steps * link.seconds(np.asarray(size, dtype=float) / members, chips)


def exchange_seconds(arch: Architecture, fleet: Sequence[Kind], link: Link, outer_steps: int = 1) -> float:
    """Return the seconds a step in which kinds that train whole replicas sum their gradients.

    Parameters
    ----------
    outer_steps
        1: every step. Above: each kind takes that many steps alone before they average what they learnt, which is
        DiLoCo (arXiv:2311.08105) and not the same training.

    Notes
    -----
    Hierarchical: each kind has scattered the sum over its own chips, so a chip exchanges its part of all parameters in
    fp32; the kind with the fewest chips has the largest parts.
    """
    if len(fleet) < 2:
        return 0.0
    size = GRADIENT_BYTES * float(parameters(arch).total)
    seconds = [float(ring_seconds(link, size / kind.chips, len(fleet), kind.chips)) for kind in fleet]
    return max(seconds) / outer_steps


def units(arch: Architecture, kind: Kind, strategies: Strategy, sequence: int, dtype: str, stack: Stack) -> list[Unit]:
    """Return what a layer costs a kind of chip by strategy, of which tp, ep, micro-batch and recompute count."""
    st, counts = strategies, parameters(arch)
    tokens = st.micro_batch * sequence
    one = training.layer(arch, kind.chip, kind.fabric, st, tokens, sequence, dtype, stack)
    head = (1 + arch.mtp_layers) * training.head_seconds(arch, kind.chip, tokens, st.tp)
    operand = np.minimum(kind.chip.curve_of(dtype).operand_bytes, 2.0)
    kept, working = activation_bytes(arch, st, tokens, float(sequence), stack, operand)
    moe, dense = arch.moe_layers / arch.layers, arch.dense_layers / arch.layers
    layer = counts.attention + dense * counts.dense_ffn + moe * (counts.shared + counts.router)
    columns = np.broadcast_arrays(
        one.whole,
        head * kind.chip.slowdown * stack.slowdown,
        st.tp,
        one.compute,
        kept,
        working,
        LOGIT_BYTES * tokens * arch.vocab / st.tp,
        layer / st.tp,
        moe * arch.experts * counts.expert / st.expert_cut,
        counts.embedding / st.tp,
        (counts.head or counts.embedding) / st.tp,
        st.expert_cut,
    )
    rows = np.stack([np.ravel(column) for column in columns], axis=-1).astype(float).tolist()
    return [Unit(StageProfile(0.0, whole, end), *rest) for whole, end, *rest in rows]


def pipeline(
    arch: Architecture,
    layout: Layout,
    link: Link,
    batch: int,
    sequence: int,
    stack: Stack,
    layers: ArrayLike | None = None,
) -> PipelineTimes:
    """Return step time and memory of a pipeline over several kinds of chip.

    Parameters
    ----------
    batch
        Sequences a step.
    layers
        Layers of each stage; where left out, those that make the slowest stage fastest.

    Raises
    ------
    NoFitError
        If the layers do not fit the stages' memory.
    """
    micro_batches = max(batch / (layout.dp * layout.micro_batch), 1.0)
    profiles = [part.unit.profile for part in layout.parts]
    each = layout.by_stage([profile.layer_s for profile in profiles])
    ends = np.zeros(layout.stages)
    ends[-1] = profiles[-1].head_s
    transfer = _transfers(arch, layout, link, sequence)
    wait = communication.exposed(waits(transfer), stack.pp_overlap)
    per_layer, fixed, room = _memory(layout, micro_batches)
    if layers is None:
        layers = split_layers(arch.layers + arch.mtp_layers, each, ends + wait, (room - fixed) // per_layer)
    count = np.asarray(layers, dtype=float)
    stage = count * each + ends
    # Hidden or not, a transfer takes its time on the wire, and the next one has to wait for it.
    wire = np.maximum(np.append(transfer, 0.0), np.append(0.0, transfer))
    wait = np.maximum(wait, wire - stage)
    summed, updated = _gradients(layout, count, stack)
    period = stage + wait
    # Within a kind the fitted overlap tells what transfers cost; only those between kinds may be long.
    between = np.cumsum([part.stages for part in layout.parts])[:-1] - 1
    thin = np.zeros(transfer.size)
    thin[between] = transfer[between]
    late = (micro_batches - 1) * max(in_flight_period(stage, thin) - float(period.max()), 0.0)
    busy = {
        "stages": micro_batches * float(period.mean()),
        "imbalance": micro_batches * float(period.max() - period.mean()),
        "fill": float(period.sum() - period.max()),
        "link": late,
        "dp": summed,
        "optimiser": updated,
    }
    servers = sum(part.kind.chips / part.kind.fabric.node_chips for part in layout.parts)
    overhead = sum(busy.values()) * stack.jitter * np.log2(max(servers, 1.0)) + stack.step_s
    step = float(pipeline_seconds(stage, wait, micro_batches)) + late + summed + updated + float(overhead)
    used = (fixed + count * per_layer) * (1 + FRAGMENTATION) + RUNTIME_BYTES
    return PipelineTimes(step, count, stage, wait, used, {**busy, "overhead": float(overhead)})


def _transfers(arch: Architecture, layout: Layout, link: Link, sequence: int) -> Array:
    """Return the seconds to send a micro-batch's activations from each stage to the next."""
    size = VALUE_BYTES * layout.micro_batch * sequence * arch.hidden
    found: list[float] = []
    for place, part in enumerate(layout.parts):
        tp = part.unit.tp
        spans = tp * layout.dp * 2 > part.kind.fabric.domain_chips
        found += [_send_seconds(part.kind.fabric, size / tp, bool(spans))] * (part.stages - 1)
        if place + 1 < len(layout.parts):
            narrow = min(tp, layout.parts[place + 1].unit.tp)
            found.append(float(link.seconds(size / narrow, narrow * layout.dp)))
    return np.array(found)


def _memory(layout: Layout, micro_batches: float) -> tuple[Array, Array, Array]:
    """Return a chip's bytes a layer, beside its layers, and in all, of each stage; weights stay, optimisers are cut.

    Stage i of p keeps min(m, p - i) micro-batches (arXiv:2205.05198, section 4.2.3).
    """
    in_flight = np.minimum(micro_batches, np.arange(layout.stages, 0, -1.0))
    units_, dp = [part.unit for part in layout.parts], layout.dp
    whole, cut = WEIGHT_BYTES + GRADIENT_BYTES, OPTIMISER_BYTES
    states = [whole * (u.common + u.experts) + cut * (u.common / dp + u.experts / u.expert_copies(dp)) for u in units_]
    kept = in_flight * layout.by_stage([u.kept for u in units_])
    fixed = layout.by_stage([u.working for u in units_])
    fixed[0] += (whole + cut / dp) * units_[0].embedding
    fixed[-1] += (whole + cut / dp) * units_[-1].head + units_[-1].logits
    room = (layout.by_stage([part.kind.chip.memory_bytes for part in layout.parts]) - RUNTIME_BYTES) / (
        1 + FRAGMENTATION
    )
    return layout.by_stage(states) + kept, fixed, room


def _gradients(layout: Layout, layers: Array, stack: Stack) -> tuple[float, float]:
    """Return the exposed seconds of the slowest stage's gradient sum, and of the slowest optimiser (ZeRO 1)."""
    summed, updated, start, dp = 0.0, 0.0, 0, float(layout.dp)
    for place, part in enumerate(layout.parts):
        u = part.unit
        mine = layers[start : start + part.stages]
        start += part.stages
        common, experts = mine * u.common, mine * u.experts
        common[0] += u.embedding * (place == 0)
        common[-1] += u.head * (place + 1 == len(layout.parts))
        total = gradient_seconds(part, dp, common, experts)
        hidden = stack.dp_overlap * mine * u.kernels_s
        summed = max(summed, float(np.maximum(total - hidden, communication.exposed(total, stack.dp_overlap)).max()))
        moved = training.OPTIMISER_TRAFFIC * (common / dp + experts / u.expert_copies(dp))
        updated = max(updated, float(memory_time(part.kind.chip, moved.max())))
    return summed, updated


def gradient_seconds(part: Part, dp: float, common: Array, experts: Array) -> Array:
    """Return the seconds to sum the gradients of parameters on a chip and to gather the weights (ZeRO 1)."""
    total = np.zeros(np.shape(common))
    for count, ranks, stride in (
        (common, dp, part.unit.tp),
        (experts, part.unit.expert_copies(dp), part.unit.expert_cut),
    ):
        if ranks > 1 and np.any(count):
            fixed, each = _sum_rate(part.kind.fabric, ranks, stride)
            total = total + fixed + each * count
    return total


@functools.lru_cache(maxsize=4096)
def _sum_rate(fabric: Fabric, ranks: float, stride: float) -> tuple[float, float]:
    """Return the seconds of latency, and those a parameter, in which ranks sum gradients and gather weights."""

    def seconds(count: float) -> float:
        scatter = network.reduce_scatter(fabric, GRADIENT_BYTES * count, ranks, stride)
        return float(scatter + network.all_gather(fabric, WEIGHT_BYTES * count, ranks, stride))

    return seconds(0.0), (seconds(1e9) - seconds(0.0)) / 1e9


@functools.lru_cache(maxsize=4096)
def _send_seconds(fabric: Fabric, size: float, spans: bool) -> float:
    return float(network.p2p(fabric, size, spans))
