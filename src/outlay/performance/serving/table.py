"""Published serving runs as arrays, and the prediction of all of them at once."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from outlay.performance.serving.latency import (
    Engine,
    Loop,
    alone_time,
    among_others,
    closed_loop,
    reading_time,
    step_time,
)
from outlay.performance.serving.operations import Parts
from outlay.performance.serving.rows import Row

Array = NDArray[np.float64]
METRICS = ("tpot", "ttft", "throughput", "prefill_throughput")
LOADS = 2.0 ** np.arange(0.0, 12.0)
ROUNDS = 30


@dataclass(frozen=True)
class Run:
    """A published run and what its prediction needs.

    Attributes
    ----------
    requests, waiting
        Requests of one attention group at once, and those that wait for memory; of a run with a given arrival rate the
        requests are found from that rate.
    rate
        Requests a second of one attention group where the load was given so, else 0.
    parts_s
        Seconds of GEMMs with what only moves bytes, attention and collectives of a decode step at each of
        :data:`LOADS`, (3, loads).
    read_kernels, among_kernels
        Kernels of reading one prompt alone, and its share of those of reading it among others.
    held_steps, held_prompts
        Steps for which an engine holds prompts back until so many are there.
    accepted
        Tokens of a request that a step makes: more than one with speculative decoding.
    alone_s, among_s
        Operations of reading one prompt alone and among others, on the chips that read it.
    moved_s
        Seconds in which the cache of a prompt moves to the chips that decode.
    servers
        Servers a request goes through before its first token: those that read it and those that answer it.
    mixed
        Steps that a prompt fills alone and that also answer requests.
    chunks
        Steps that a prompt is read in, of the tokens a step takes at most; each makes a token of the others too.
    wave, shared, readers
        See :func:`outlay.performance.serving.latency.closed_loop`.
    groups
        Attention groups that step together since they share experts.
    stalled
        Prompts read for each token of an answer where requests go in lockstep, so that none is read meanwhile.
    whole
        Requests of an attention group from the first to the last of the run, not a number where that is not known.
    chips
        Chips of the system per attention group, those of a prefill pool among them.
    traits, place
        Names and numbers by which runs resemble each other, see :mod:`outlay.performance.serving.residuals`.
    """

    row: Row
    family: str
    prompt: float
    output: float
    requests: float
    waiting: float
    rate: float
    most: float
    chips: float
    kernels: float
    read_kernels: float
    among_kernels: float
    held_steps: float
    held_prompts: float
    parts_s: Array
    accepted: float
    alone_s: float
    among_s: float
    moved_s: float
    servers: float
    mixed: float
    chunks: float
    shared: float
    readers: float
    groups: float
    wave: float
    stalled: float
    whole: float
    read_tokens: float
    read_s: float
    read_chips: float
    traits: dict[str, str]
    place: tuple[float, ...]
    measured: dict[str, float]
    assumptions: tuple[str, ...]


_COLUMNS = (
    "prompt",
    "output",
    "requests",
    "waiting",
    "rate",
    "most",
    "chips",
    "kernels",
    "read_kernels",
    "among_kernels",
    "held_steps",
    "held_prompts",
    "accepted",
    "alone_s",
    "among_s",
    "moved_s",
    "servers",
    "mixed",
    "chunks",
    "shared",
    "readers",
    "groups",
    "wave",
    "stalled",
    "whole",
    "read_tokens",
    "read_s",
    "read_chips",
)


@dataclass(frozen=True)
class Table:
    """Runs as arrays, one element a run."""

    runs: tuple[Run, ...]

    @functools.cached_property
    def columns(self) -> dict[str, Array]:
        """Numbers of all runs by name."""
        return {name: np.array([getattr(run, name) for run in self.runs], dtype=float) for name in _COLUMNS}

    @functools.cached_property
    def parts_s(self) -> Array:
        """Parts of a decode step, (3, runs, loads)."""
        return np.array([np.broadcast_to(run.parts_s, (3, len(LOADS))) for run in self.runs]).transpose(1, 0, 2)

    @functools.cached_property
    def measured(self) -> Array:
        """Published figures, (runs, metrics); nan where there is none."""
        return np.array([[run.measured.get(name, np.nan) for name in METRICS] for run in self.runs])

    def predict(self, engine: Engine) -> Array:
        """Return the metrics of every run, (runs, metrics); ``engine`` holds arrays of one number a run."""
        requests = self.columns["requests"]
        offered = np.flatnonzero(self.columns["rate"] > 0)
        if len(offered):
            requests = requests.copy()
            requests[offered] = self._requests_of_rate(engine, offered)
        c, every = self.columns, np.arange(len(requests))
        loop = self._loop(engine, requests, every)
        for _ in range(3):  # of the requests in the system, those whose prompt is still read do not decode
            loop = self._loop(engine, requests, every, self._decoding(requests, loop))
        rate = loop.requests_per_s * c["output"] / c["chips"]
        read = (
            c["read_tokens"] / c["read_chips"] / (engine.admit_s + reading_time(engine, c["read_s"], c["read_kernels"]))
        )
        return np.stack([loop.tpot_s, loop.ttft_s, rate, read], axis=1)

    def _decoding(self, requests: Array, loop: Loop) -> Array:
        """Return the requests that decode: of those in the engine, the ones whose prompt is read."""
        answer = self.columns["output"] * loop.tpot_s
        inside = loop.ttft_s - self.columns["waiting"] / loop.requests_per_s
        return np.asarray(np.maximum(requests * answer / (inside + answer), 1.0))

    def _requests_of_rate(self, engine: Engine, index: NDArray[np.intp]) -> Array:
        """Return the requests at once of runs whose arrival rate is given, the mean over the time of a request.

        A request takes L and the run's requests arrive within T: their number rises for the shorter of the two, m,
        stays at rate x m and falls for as long, so a request meets rate m (1 - m / (3 M)) on the mean, M the longer.
        """
        rate, most, whole = (self.columns[name][index] for name in ("rate", "most", "whole"))
        arriving, requests = whole / rate, np.ones(len(index))
        for _ in range(ROUNDS):
            time = requests / self._loop(engine, requests, index).requests_per_s
            short, long = np.minimum(time, arriving), np.maximum(time, arriving)
            requests = np.sqrt(requests * np.clip(rate * short * (1.0 - short / (3.0 * long)), 1.0, most))
        return requests

    def _loop(self, engine: Engine, requests: Array, index: NDArray[np.intp], decoding: Array | None = None) -> Loop:
        c = {name: column[index] for name, column in self.columns.items()}
        part = Engine(*(np.asarray(getattr(engine, field.name))[index] for field in fields(engine)))
        batch = requests if decoding is None else decoding
        at = np.log2(np.clip(batch, LOADS[0], LOADS[-1]))
        low = np.minimum(at.astype(int), len(LOADS) - 2)
        share = at - low
        one, two, three = (1 - share) * self.parts_s[:, index, low] + share * self.parts_s[:, index, low + 1]
        step = step_time(part, Parts(one, two, three, 0.0 * one), c["kernels"], batch * c["accepted"]) / c["accepted"]
        prefill = reading_time(part, c["among_s"], c["among_kernels"])
        prefill = among_others(prefill, c["mixed"], part.decode * one)
        return closed_loop(
            step + c["stalled"] * prefill,
            prefill,
            requests,
            c["output"],
            part,
            alone=alone_time(part, c["alone_s"], c["read_kernels"], c["prompt"])
            + c["moved_s"]
            + (c["servers"] - 1.0) * (part.admit_s + part.token_s * c["prompt"])
            + c["shared"] * (c["chunks"] - 1.0) * step,
            wave=c["wave"],
            held=_held_back(c["held_steps"], c["held_prompts"], batch / c["output"]) * step,
            shared=c["shared"],
            readers=c["readers"],
            groups=c["groups"],
            chunks=c["chunks"],
            waiting=c["waiting"],
        )


def _held_back(steps: Array, prompts: Array, rate: Array) -> Array:
    """Return the mean steps for which a prompt is held back where ``rate`` of them come a step.

    The first waits for so many steps, or until so many prompts are there; those that come meanwhile half as long.
    """
    first = np.minimum(steps, np.maximum(prompts - 1.0, 0.0) / rate)
    return np.asarray(first * (1.0 + rate * first / 2.0) / (1.0 + rate * first))


def only(table: Table, keep: Iterable[bool]) -> Table:
    """Return some of the runs."""
    return Table(tuple(run for run, kept in zip(table.runs, keep, strict=True) if kept))
