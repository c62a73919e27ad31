"""Every configuration of a search and what it does, as arrays: layouts, batches, and pools of chips for prompts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outlay.performance import serving_operations as operations
from outlay.performance.serving import Engine, at_once, closed_loop, step_time
from outlay.performance.serving_engines import departure
from outlay.performance.serving_hardware import Device
from outlay.performance.serving_layouts import GIB
from outlay.performance.serving_models import ACCEPTANCE, Served
from outlay.performance.serving_operations import CHUNK, Precision, Replicas
from outlay.performance.serving_runs import place
from outlay.performance.transformer import Architecture

Array = NDArray[np.float64]
BATCHES = np.unique(np.round(2.0 ** np.arange(0, 13.01, 0.25)))
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
    """

    input_tokens: float
    output_tokens: float
    cached: float = 0.0
    drafts: float = 0.0
    acceptance: float = ACCEPTANCE

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


def replicas_of(arch: Architecture, domain: int, chips: int, batch: int | None = None, *, pp: int = 1) -> Replicas:
    """Return every replica of a system: tp in powers of two in the domain, experts cut by it or spread over chips.

    ``chips`` are the most of one of ``pp`` stages, each of which has a micro-batch in flight. Shapes are (layouts,
    batches); a given ``batch`` is the only one.
    """
    shapes = []
    for tp in (2**i for i in range(7)):
        if tp > min(domain, chips) or arch.heads % tp:
            continue
        shapes.append((tp, 1))
        if arch.experts:
            spread = [ep for ep in (2**i for i in range(1, 9)) if tp < ep <= min(chips, 256) and arch.experts % ep == 0]
            shapes += [(tp, ep) for ep in spread]
    tp, ep = (np.array(column, dtype=float)[:, None] for column in zip(*shapes, strict=True))
    groups = np.maximum(tp, ep) / tp
    requests = BATCHES[None, :] * groups * pp if batch is None else batch + 0.0 * groups
    return Replicas(tp + 0 * requests, ep + 0 * requests, requests, float(pp))


def replica_times(
    model: Served, where: Device, replicas: Replicas, work: Workload, precision: Precision, software: Engine
) -> tuple[ServingTimes, Array, Array]:
    """Return what replicas do when every request that ends is replaced: continuous batching with chunked prefill.

    Benchmarks start all their requests at once; here they arrive one by one, so the engine's ``burst`` is left out.
    Also returned are the places of the configurations among published runs, and the seconds of a token's step alone.
    """
    chip, network, arrived = where.chip, where.fabric, at_once(software)
    prompt, answer = work.input_tokens, work.output_tokens
    fresh = max(prompt * (1.0 - work.cached), 1.0)
    parts = operations.decode_parts(model, chip, network, replicas, prompt + answer / 2, precision, 1.0 + work.drafts)
    group = replicas.group_batch
    step = (
        step_time(software, parts, operations.kernels(model, replicas, precision), group * (1.0 + work.drafts))
        / work.accepted
    )
    tp, ep = (np.broadcast_to(value, group.shape)[:, :1] for value in (replicas.tp, replicas.ep))
    layouts = Replicas(tp, ep, np.ones_like(tp), replicas.pp)
    together = max(CHUNK / fresh, 1.0)
    alone = operations.prefill_parts(model, chip, network, layouts, fresh, precision).total
    among = operations.prefill_parts(model, chip, network, layouts, fresh, precision, together).total / together
    loop = closed_loop(
        step, software.prefill * among, group, answer, arrived, alone=software.prefill * alone, readers=replicas.pp
    )
    memory = {
        "weights": operations.weight_bytes(model, replicas, precision.weight_bytes) + 0.0 * group,
        "kv cache": operations.kv_bytes(model, replicas, prompt + answer / 2, precision.kv_bytes),
        "workspace": np.full(np.shape(step), operations.ACTIVATION_BYTES),
    }
    fits = sum(memory.values(), np.zeros_like(step)) <= operations.USABLE_MEMORY * chip.memory_bytes * GIB
    groups = replicas.stage_chips / replicas.tp
    shape = np.stack([parts.gemm + parts.other, parts.attention, parts.network])
    near = place(model, replicas, group, prompt, answer, shape, among)
    times = ServingTimes(
        loop.ttft_s, loop.tpot_s, loop.requests_per_s * groups, replicas.chips + 0.0 * group, memory, fits
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
) -> ServingTimes:
    """Return replicas whose prompts a pool of its own reads, (layouts, batches, pools).

    Notes
    -----
    Each layout that holds the weights may read prompts, kept busy to one of :data:`READING`; a replica that decodes at
    r requests a second needs r x prefill / busy readers. Prompts wait as in M/D/1, and their cache moves over the
    scale-out network.
    """
    chip, network = where.chip, where.fabric
    fresh = max(work.input_tokens * (1.0 - work.cached), 1.0)
    tp = np.unique(replicas.tp)[:, None]
    readers = Replicas(tp, np.ones_like(tp), np.ones_like(tp))
    holds = operations.weight_bytes(model, readers, precision.weight_bytes) + operations.ACTIVATION_BYTES
    able = (holds <= operations.USABLE_MEMORY * chip.memory_bytes * GIB).ravel()
    if not able.any():
        none = np.zeros((*times.fits.shape, 0))
        return ServingTimes(none, none, none, none, times.memory, none.astype(bool))
    alone = software.prefill * operations.prefill_parts(model, chip, network, readers, fresh, precision).total.ravel()
    alone, size = alone[able], tp.ravel()[able]
    moved = model.stored_bytes(work.input_tokens, precision.kv_bytes) / size
    moved = moved / (network.scaleout_bandwidth * network.scaleout_efficiency)
    busy = READING[None, :]
    wait = alone[:, None] * busy / (2.0 * (1.0 - busy))
    first = (software.admit_s + alone[:, None] + wait + moved[:, None]).ravel()
    token = step_s[..., None]
    ttft = first + token
    rate = replicas.batch[..., None] / (token * work.output_tokens)
    reading = (alone * size)[:, None] / busy
    chips = times.chips[..., None] + rate * reading.ravel()
    fits = np.broadcast_to(times.fits[..., None], ttft.shape)
    return ServingTimes(ttft, token + 0.0 * ttft, rate + 0.0 * ttft, chips, times.memory, fits)
