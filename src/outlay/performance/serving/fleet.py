"""Fleets for requests that arrive by chance: what a replica bears within targets, percentiles, how many are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outlay.performance.serving import operations
from outlay.performance.serving.kernels import of_step, to_read
from outlay.performance.serving.latency import Arrivals, alone_time, open_arrivals, reading_time, step_time
from outlay.performance.serving.layouts import GIB
from outlay.performance.serving.operations import CHUNK
from outlay.performance.serving.options import Setup
from outlay.performance.serving.table import LOADS

Array = NDArray[np.float64]
SHARES = (0.5, 0.9, 0.99)
RATES = 200
"""Arrival rates that are tried between none and the most a replica can do."""


@dataclass(frozen=True)
class Load:
    """What a replica does at an arrival rate: mean, and what 50, 90 and 99 % of the requests stay under."""

    requests_per_s: float
    ttft_s: float
    tpot_s: float
    ttft_quantiles_s: tuple[float, ...]
    tpot_quantiles_s: tuple[float, ...]
    requests_in_decode: float


def under(setup: Setup, rate: Array) -> Arrivals:
    """Return the latencies of a replica's attention groups under rates of requests a second of the whole replica."""
    work, where, layout = setup.work, setup.where, setup.layout
    groups = float((layout.stage_chips / layout.tp)[0, 0])
    cp = float(np.max(layout.cp))
    loads = replace(layout, batch=LOADS[None, :] * groups)
    queries = 1.0 + work.drafts
    decode = operations.decode_parts(
        setup.model, where.chip, where.fabric, loads, work.context, setup.precision, queries
    )
    count = of_step(setup.model, layout, setup.precision, where.fusions, queries)
    steps = step_time(setup.software, decode, count, LOADS * queries) / work.accepted * setup.tpot_factor
    read = _reading(setup)
    found = open_arrivals(
        np.broadcast_to(steps, (len(rate), len(LOADS))),
        LOADS * cp,
        read.among_s + 0.0 * rate,
        rate / groups * cp,
        work.output_tokens,
        setup.software,
        alone=read.alone_s + 0.0 * rate,
        shared=0.0 if setup.reads_apart else 1.0,
        together=read.together,
        readers=setup.readers / groups,
        varied=read.varied,
        chunks=float(np.ceil(work.fresh / CHUNK / cp)),
        groups=groups / cp,
    )
    holds = most_requests(setup) / groups * cp
    factor = setup.ttft_factor
    return replace(
        found,
        ttft_s=found.ttft_s * factor,
        wait_s=found.wait_s * factor,
        requests=found.requests / cp,
        slope_s=found.slope_s * cp,
        away_s=None if read.away_s is None else read.away_s * factor,
        persistence=found.persistence if work.lengths is None else work.lengths.persistence,
        stable=found.stable & (found.requests < holds),
    )


@dataclass(frozen=True)
class _Reading:
    """Seconds of one prompt among others and alone, prompts read together, and how prompts differ."""

    among_s: float
    alone_s: float
    together: float
    varied: float
    away_s: Array | None


def _reading(setup: Setup) -> _Reading:
    """Return what reading prompts takes, on the chips that decode or on those of a pool."""
    work, where = setup.work, setup.where
    layout = setup.layout if setup.reading is None else setup.reading
    together = 1.0 if setup.reads_apart else max(CHUNK / work.fresh, 1.0)

    def read(tokens: float | Array, count: float, attended: float | Array | None) -> operations.Parts:
        return operations.prefill_parts(
            setup.model, where.chip, where.fabric, layout, tokens, setup.precision, count, attended
        )

    def launched(tokens: float | Array) -> Array:
        return to_read(setup.model, layout, setup.precision, where.fusions, tokens)

    software, among = setup.software, read(work.fresh, together, work.attended)
    passed = setup.reads_apart * (software.admit_s + software.token_s * work.input_tokens)
    alone, away = read(work.fresh, 1.0, work.attended), None
    if work.lengths is not None:
        whole = np.asarray(work.lengths.prompts)[None, :]
        new = np.maximum(whole * (1.0 - work.cached), 1.0)
        own = alone_time(software, read(new, 1.0, whole * (1.0 + work.cached)).total[0], launched(new)[0], whole[0])
        away = own - own.mean()
    return _Reading(
        float(
            reading_time(software, among.total, launched(together * work.fresh))[0, 0] / together / np.max(layout.pp)
        ),
        float((alone_time(software, alone.total, launched(work.fresh), work.input_tokens) + passed)[0, 0]),
        together,
        float(np.max(work.varied(among))),
        away,
    )


def most_requests(setup: Setup) -> float:
    """Return the requests that the memory of a replica holds, half answered on the mean.

    Where requests differ, their cache fits for ``lengths.HELD`` of the time: of b requests it takes
    b mean + z sqrt(b) deviation, a quadratic in sqrt(b).
    """
    work, layout = setup.work, setup.layout
    one = replace(layout, batch=layout.stage_chips / layout.tp)
    free = operations.USABLE_MEMORY * setup.where.chip.memory_bytes * GIB - operations.ACTIVATION_BYTES
    free = free - operations.weight_bytes(setup.model, one, setup.precision.weight_bytes)
    each = operations.kv_bytes(setup.model, one, work.context, setup.precision.kv_bytes)
    margin = operations.kv_bytes(setup.model, one, work.held(1.0), setup.precision.kv_bytes) - each
    root = (np.sqrt(margin**2 + 4.0 * each * np.maximum(free, 0.0)) - margin) / (2.0 * each)
    return float((root**2 * one.batch)[0, 0])


def bears(setup: Setup, ttft_s: float, tpot_s: float, most: float, share: float | None = None) -> Load | None:
    """Return the highest load up to ``most`` requests a second that a replica bears within targets, or ``None``.

    Targets hold for the mean, or for ``share`` of the requests where it is given.
    """
    rates = most * (np.arange(1, RATES + 1) / RATES)
    found = under(setup, rates)
    first = found.ttft_s if share is None else found.ttft_quantile(share)
    token = found.tpot_s if share is None else found.tpot_quantile(share)
    good = found.stable & (first <= ttft_s) & (token <= tpot_s)
    if not good.any():
        return None
    return load_at(setup, float(rates[np.flatnonzero(good)[-1]]))


def load_at(setup: Setup, rate: float) -> Load:
    """Return what a replica does at an arrival rate."""
    found = under(setup, np.array([rate]))
    return Load(
        requests_per_s=rate,
        ttft_s=float(found.ttft_s[0]),
        tpot_s=float(found.tpot_s[0]),
        ttft_quantiles_s=tuple(float(found.ttft_quantile(share)[0]) for share in SHARES),
        tpot_quantiles_s=tuple(float(found.tpot_quantile(share)[0]) for share in SHARES),
        requests_in_decode=float(found.requests[0]),
    )


def replicas_for(rate: float, each: Load) -> int:
    """Return the replicas that bear ``rate`` requests a second, shared out evenly."""
    return math.ceil(rate / each.requests_per_s - 1e-9)
