"""Every configuration of a search and what it does, as arrays: layouts, batches, and pools of chips for prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import InputError
from outlay.performance.serving import operations
from outlay.performance.serving.context import widths
from outlay.performance.serving.engines import departure
from outlay.performance.serving.experts import EXTRA, GINI, MOST_SKEWED
from outlay.performance.serving.hardware import Device
from outlay.performance.serving.kernels import of_step, to_read
from outlay.performance.serving.latency import Engine, alone_time, among_others, closed_loop, reading_time, step_time
from outlay.performance.serving.layouts import GIB
from outlay.performance.serving.lengths import HELD, Lengths
from outlay.performance.serving.models import ACCEPTANCE, Served
from outlay.performance.serving.operations import CHUNK, Parts, Precision, Replicas
from outlay.performance.serving.places import place
from outlay.performance.transformer import Architecture

Array = NDArray[np.float64]
BATCHES = np.unique(np.round(2.0 ** np.arange(0, 13.01, 0.25)))
FINER = 9
"""Batches that are tried from one of :data:`BATCHES` that meets the targets to the next, which does not."""
LEARNT = 9
"""Of so many batches one is asked for what published runs show; it is smooth between them."""
READING = np.array([0.5, 0.65, 0.8, 0.9])
"""Shares of its time that a pool for prompts is kept busy."""


@dataclass(frozen=True)
class Workload:
    """What is served: lengths in tokens, and what spares work.

    Attributes
    ----------
    cached
        Share of a prompt found in the prefix cache, not read again.
    drafts, acceptance
        Tokens a draft proposes each step, and the share of them accepted one after another.
    lengths
        How requests differ in length, where they do; ``input_tokens`` and ``output_tokens`` are then their means.
    """

    input_tokens: float
    output_tokens: float
    cached: float = 0.0
    drafts: float = 0.0
    acceptance: float = ACCEPTANCE
    lengths: Lengths | None = None

    @property
    def fresh(self) -> float:
        """Tokens of a prompt to be read."""
        return max(self.input_tokens * (1.0 - self.cached), 1.0)

    @property
    def attended(self) -> float | None:
        """Twice the tokens that a fresh one attends to on the mean: the prompt it is in, and what of it is cached.

        Of a prompt of n tokens with the share c cached the fresh ones see c n + (1 - c) n / 2 each, half of (1 + c) n.
        """
        if self.lengths is None and not self.cached:
            return None
        whole = self.input_tokens if self.lengths is None else self.lengths.attended
        return whole * (1.0 + self.cached)

    @property
    def context(self) -> float:
        """Tokens of a request in flight."""
        return self.input_tokens + self.output_tokens / 2 if self.lengths is None else self.lengths.context

    def held(self, requests: ArrayLike) -> Array | float:
        """Return the tokens a request of so many together takes, so that they fit :data:`HELD` of the time."""
        if self.lengths is None:
            return self.context
        margin = NormalDist().inv_cdf(HELD) * self.lengths.context_spread
        return np.asarray(self.context + margin / np.sqrt(np.maximum(requests, 1.0)))

    def varied(self, parts: Parts) -> Array | float:
        """Return the squared coefficient of variation of the time to read a prompt of these parts on the mean."""
        return 0.0 if self.lengths is None else self.lengths.variation(parts.attention / parts.total)

    @property
    def accepted(self) -> float:
        """Tokens of a step: 1 + a + a**2 + ... of the draft (arXiv:2211.17192, equation 1)."""
        return sum(self.acceptance**i for i in range(int(self.drafts) + 1))


@dataclass(frozen=True)
class ServingTimes:
    """What each configuration does, arrays of one shape; memory in bytes a rank by kind."""

    ttft_s: Array
    tpot_s: Array
    requests_per_s: Array
    """Of one replica."""
    chips: Array
    """Of one replica, those that read its prompts among them."""
    memory: dict[str, Array]
    fits: NDArray[np.bool_]
    readers: tuple[tuple[float, float, float], ...] = ()
    """Of each pool for prompts, the tp, cp and ep of its replicas."""


@dataclass(frozen=True)
class Space:
    """What is searched beside tensor and expert parallelism.

    Attributes
    ----------
    widths
        Attention groups that read a prompt together.
    redundant
        Copies of experts: -1 without a balancer, ``"search"`` for :data:`EXTRA` a chip, or so many.
    skew
        Gini index of the popularity of experts.
    """

    widths: tuple[int, ...] = (1,)
    redundant: int | Literal["search"] = -1
    skew: float = 0.0

    def copies(self, experts: int, ep: int) -> tuple[int, ...]:
        """Return the copies of experts that leave ``ep`` chips the same number of slots each."""
        if self.redundant == "search":
            return tuple(ep * extra for extra in EXTRA) if experts % ep == 0 else ()
        return (self.redundant,) if (experts + max(self.redundant, 0)) % ep == 0 else ()


EVEN = Space()


def searched(
    arch: Architecture,
    work: Workload,
    chips: int,
    cp: int | None,
    redundant: int | Literal["search"] | None,
    skew: float | None,
) -> Space:
    """Return what is searched beside tensor and expert parallelism.

    Raises
    ------
    InputError
        If it makes no sense for the model or the chips; says what would.
    """
    if (redundant is not None or skew is not None) and not arch.experts:
        msg = f"{arch.name} has no experts to copy or to route to unevenly; leave out redundant experts and their skew"
        raise InputError(msg)
    if skew is not None and not 0 <= skew < MOST_SKEWED:
        msg = f"the Gini index of the popularity of experts must be from 0 to below {MOST_SKEWED:g}; got {skew:g}"
        msg += f"; nearest: {0 if not skew > 0 else 0.9:g}"
        raise InputError(msg)
    space = Space(widths(cp, work.fresh, CHUNK, chips), -1 if redundant is None else redundant, skew or 0.0)
    if skew is None and redundant is not None:
        space = replace(space, skew=GINI)
    if isinstance(redundant, int):
        spread = [ep for ep in (2**i for i in range(1, 9)) if ep <= chips]
        if not spread:
            msg = f"copies of experts need 2 chips or more to spread them over; got {chips}; nearest: 2"
            raise InputError(msg)
        able = [n for n in range(4 * arch.experts) if any((arch.experts + n) % ep == 0 for ep in spread)]
        if redundant not in able:
            close = f"; nearest: {min(able, key=lambda n: abs(n - redundant))}"
            msg = (
                f"{arch.name} has {arch.experts} experts; with their copies they must fill a power of two of chips, "
                f"2 to {min(chips, 256)}, evenly, up to four copies of each; got {redundant} redundant experts{close}"
            )
            raise InputError(msg)
    return space


def replicas_of(
    arch: Architecture, domain: int, chips: int, batch: int | None = None, *, pp: int = 1, space: Space = EVEN
) -> Replicas:
    """Return every replica of a system: tp in powers of two in the domain, experts cut by it or spread over chips.

    ``chips`` are the most of one of ``pp`` stages, each of which has a micro-batch in flight. Shapes are (layouts,
    batches); a given ``batch`` is the only one. Where copies of experts are asked for, experts are spread.
    """
    shapes: list[tuple[int, int, int, int]] = []
    for tp in (2**i for i in range(7)):
        if tp > min(domain, chips) or arch.heads % tp:
            continue
        for cp in (cp for cp in space.widths if tp * cp <= chips):
            if space.redundant == "search" or space.redundant <= 0:
                shapes.append((tp, 1, cp, -1))
            for ep in (2**i for i in range(1, 9)) if arch.experts else ():
                if max(tp + 1, tp * cp) <= ep <= min(chips, 256):
                    shapes += [(tp, ep, cp, copies) for copies in space.copies(arch.experts, ep)]
    if not shapes:
        none = np.zeros((0, 1))
        return Replicas(none, none, none, float(pp))
    columns = [np.array(column, dtype=float)[:, None] for column in zip(*shapes, strict=True)]
    groups = np.maximum(columns[0] * columns[2], columns[1]) / columns[0]
    requests = BATCHES[None, :] * groups * pp if batch is None else batch + 0.0 * groups
    tps, eps, cps, copied = (column + 0 * requests for column in columns)
    every = {"redundant": copied} if space.redundant != -1 else {}  # what no layout has is one number, not an array
    return Replicas(tps, eps, requests, float(pp), cps if max(space.widths) > 1 else 1.0, skew=space.skew, **every)


def between(replicas: Replicas, within: NDArray[np.bool_]) -> Replicas:
    """Return layouts with batches from the largest that is ``within`` the targets, (layouts, batches), to the next.

    Of a layout that has none, they start at the smallest.
    """
    last = np.max(within * np.arange(within.shape[1]), axis=1, keepdims=True)
    following = np.minimum(last + 1, within.shape[1] - 1)
    low, high = (np.take_along_axis(replicas.batch, at, axis=1) for at in (last, following))
    least = replicas.batch[:, :1]  # one request of each attention group and stage
    batch = np.floor(low / least * (high / low) ** (np.arange(FINER) / FINER) + 1e-9) * least

    def wide(value: Array | float) -> Array | float:
        return value if np.ndim(value) == 0 else np.asarray(value)[:, :1] + 0.0 * batch

    tp, ep, cp, copies = (wide(value) for value in (replicas.tp, replicas.ep, replicas.cp, replicas.redundant))
    return replace(replicas, tp=np.asarray(tp), ep=np.asarray(ep), batch=batch, cp=cp, redundant=copies)


def replica_times(
    model: Served, where: Device, replicas: Replicas, work: Workload, precision: Precision, software: Engine
) -> tuple[ServingTimes, Array, Array]:
    """Return what replicas do when every request that ends is replaced: continuous batching with chunked prefill.

    Benchmarks start all their requests at once; here they arrive one by one.
    Also returned are the places of the configurations among published runs, and the seconds of a token's step alone.
    """
    chip, network = where.chip, where.fabric
    prompt, answer, fresh = work.input_tokens, work.output_tokens, work.fresh
    queries, group = 1.0 + work.drafts, replicas.group_batch
    parts = operations.decode_parts(model, chip, network, replicas, work.context, precision, queries)
    launched = of_step(model, replicas, precision, where.fusions, queries)
    step = step_time(software, parts, launched, group * queries) / work.accepted
    tp, ep = (np.broadcast_to(value, group.shape)[:, :1] for value in (replicas.tp, replicas.ep))
    cp, copies = (
        value if np.ndim(value) == 0 else np.asarray(value)[:, :1] for value in (replicas.cp, replicas.redundant)
    )
    layouts = Replicas(tp, ep, np.ones_like(tp), replicas.pp, cp, copies, replicas.skew)
    together = max(CHUNK / fresh, 1.0)
    counts = np.array([1.0, together])
    read = operations.prefill_parts(model, chip, network, layouts, fresh, precision, counts, work.attended)
    alone, among = read.total[:, :1], read.total[:, 1:] / together
    launched = to_read(model, layouts, precision, where.fusions, counts * fresh)
    count, each = launched[:, :1], reading_time(software, among, launched[:, 1:] / together)
    full = where.mixes * fresh / CHUNK if fresh > CHUNK else 0.0
    loop = closed_loop(
        step,
        among_others(each, full, software.decode * (parts.gemm + parts.other)),
        group * cp,
        answer,
        software,
        alone=alone_time(software, alone, count, prompt) + (np.ceil(fresh / CHUNK / cp) - 1.0) * step,
        readers=replicas.pp,
        groups=replicas.stage_chips / (replicas.tp * cp),
        chunks=np.ceil(fresh / CHUNK / cp),
        varied=np.broadcast_to(work.varied(read), read.total.shape)[:, 1:],
    )
    memory = {
        "weights": operations.weight_bytes(model, replicas, precision.weight_bytes) + 0.0 * group,
        "kv cache": operations.kv_bytes(model, replicas, work.held(group / replicas.pp), precision.kv_bytes),
        "workspace": np.full(np.shape(step), operations.ACTIVATION_BYTES),
    }
    fits = sum(memory.values(), np.zeros_like(step)) <= operations.USABLE_MEMORY * chip.memory_bytes * GIB
    groups = replicas.stage_chips / replicas.tp
    shape = np.stack([parts.gemm + parts.other, parts.attention, parts.network])
    near = place(model, replicas, group, prompt, answer, shape, among * cp)
    times = ServingTimes(
        loop.ttft_s, loop.tpot_s, loop.requests_per_s * groups / cp, replicas.chips + 0.0 * group, memory, fits
    )
    return times, near, step


def learnt(times: ServingTimes, near: Array, traits: dict[str, str], work: Workload, requests: Array) -> ServingTimes:
    """Return times moved by what published runs show beyond the formulas, interpolated between some batches."""
    columns = np.unique(np.r_[0 : near.shape[1] : LEARNT, near.shape[1] - 1])
    some = near[:, columns].reshape(-1, near.shape[-1])
    moved = []
    for metric, seconds in (("ttft", times.ttft_s), ("tpot", times.tpot_s)):
        asked = departure(metric, traits, some).reshape(near.shape[0], len(columns))
        whole = np.array([np.interp(np.arange(near.shape[1]), columns, one) for one in asked])
        moved.append(seconds * np.exp(whole))
    ttft, tpot = moved
    return replace(times, ttft_s=ttft, tpot_s=tpot, requests_per_s=requests / (ttft + work.output_tokens * tpot))


def apart(
    model: Served,
    where: Device,
    replicas: Replicas,
    times: ServingTimes,
    work: Workload,
    precision: Precision,
    software: Engine,
    step_s: Array,
    widths: tuple[int, ...] = (1,),
) -> ServingTimes:
    """Return replicas whose prompts a pool of its own reads, (layouts, batches, pools).

    Notes
    -----
    Each layout that holds the weights and a prompt's cache may read prompts, kept busy to one of :data:`READING`; a
    replica that decodes at r requests a second needs r x prefill / busy readers. Prompts wait as in M/D/1, or M/G/1
    where they differ, and their cache moves over the scale-out network. Groups of a pool that share experts read
    together, so a prompt also waits for half of those that the others read.
    """
    chip, network = where.chip, where.fabric
    readers = _readers(replicas, widths)
    tp, cp = readers.tp, np.asarray(readers.cp)
    holds = operations.weight_bytes(model, readers, precision.weight_bytes) + operations.ACTIVATION_BYTES
    cache = model.stored_bytes(work.input_tokens, precision.kv_bytes)
    holds = holds + cache * operations.cache_share(model, tp) / cp
    able = (holds <= operations.USABLE_MEMORY * chip.memory_bytes * GIB).ravel()
    if not able.any():
        none = np.zeros((*times.fits.shape, 0))
        return ServingTimes(none, none, none, none, times.memory, none.astype(bool))
    parts = operations.prefill_parts(model, chip, network, readers, work.fresh, precision, 1.0, work.attended)
    launched = to_read(model, readers, precision, where.fusions, work.fresh)
    whole = reading_time(software, parts.total, launched)
    alone, size, spread = (column.ravel()[able] for column in (whole, tp * cp, readers.ep > 1))
    uneven = 1.0 + np.broadcast_to(work.varied(parts), parts.total.shape).ravel()[able]
    moved = cache / size
    moved = moved / (network.scaleout_bandwidth * network.scaleout_efficiency)
    busy = READING[None, :]
    wait = (uneven * alone)[:, None] * busy / (2.0 * (1.0 - busy)) + (spread * alone)[:, None] * busy / 2.0
    admitted = 2.0 * (software.admit_s + software.token_s * work.input_tokens)
    first = (admitted + alone[:, None] + wait + moved[:, None]).ravel()
    token = step_s[..., None]
    ttft = first + token
    rate = replicas.batch[..., None] / (token * work.output_tokens)
    reading = (alone * size)[:, None] / busy
    chips = times.chips[..., None] + rate * reading.ravel()
    fits = np.broadcast_to(times.fits[..., None], ttft.shape)
    layouts = np.repeat(np.hstack([tp, cp, readers.ep])[able], READING.size, axis=0)
    pools = tuple((float(a), float(b), float(c)) for a, b, c in layouts)
    return ServingTimes(ttft, token + 0.0 * ttft, rate + 0.0 * ttft, chips, times.memory, fits, pools)


def _readers(replicas: Replicas, widths: tuple[int, ...]) -> Replicas:
    """Return layouts that may read prompts, (layouts, 1): each on some groups, or with experts spread."""
    cuts = np.unique(np.hstack([replicas.tp[:, :1], replicas.ep[:, :1]]), axis=0)
    whole = [(tp, width, 1.0) for tp in np.unique(cuts[:, 0]) for width in widths]
    spread = [(tp, 1.0, ep) for tp, ep in cuts if ep > 1]
    tp, cp, ep = (column[:, None] for column in np.array(whole + spread, dtype=float).T)
    return Replicas(tp, ep, np.ones_like(tp), cp=cp)
