"""Latencies of an engine under load: a decode step, a closed loop of requests, and open arrivals as a queue."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.performance.serving.lengths import slowest
from outlay.performance.serving.operations import Parts

Array = NDArray[np.float64]
Number = float | Array
BUSIEST = 0.99
"""Utilisation above which a queue is not reckoned: it grows for as long as the load lasts."""
QUEUES = 3
"""Times the wait of prompts is put into the rate it follows from."""


@dataclass(frozen=True)
class Engine:
    """What engine and chip add to the operations, a few numbers fitted to published runs (``fitting``).

    Attributes
    ----------
    launch_s
        Host time to launch a kernel of the reading of prompts, which no captured graph spares.
    request_s
        Host time of a decode step that each request of the batch adds: sampling, detokenisation, block tables.
    kernel_s
        Time between two kernels of a decode step; small where it is one captured graph. A collective counts as three.
    admit_s, token_s
        Time of a request before its prompt is read, and of each token of it: transport, tokenizer, scheduling.
    decode, attention, network
        Slowdown of the GEMMs, of the attention and of the collectives of a decode step over their formulas.
    prefill
        Slowdown of a prefill over the sum of its operations.
    """

    launch_s: Number
    request_s: Number
    kernel_s: Number
    admit_s: Number
    token_s: Number
    decode: Number
    attention: Number
    network: Number
    prefill: Number


@dataclass(frozen=True)
class Loop:
    """A closed loop in which every request that ends is replaced at once."""

    tpot_s: Array
    ttft_s: Array
    requests_per_s: Array
    """Of one attention group."""


def step_time(engine: Engine, parts: Parts, kernels: ArrayLike, requests: ArrayLike) -> Array:
    """Return the seconds of a decode step: the host's part, the gaps between kernels and the operations."""
    chip = engine.decode * (parts.gemm + parts.other) + engine.attention * parts.attention
    device = chip + engine.network * parts.network
    return np.asarray(engine.request_s * np.asarray(requests) + engine.kernel_s * np.asarray(kernels) + device)


def reading_time(engine: Engine, operations: ArrayLike, kernels: ArrayLike) -> Array:
    """Return the seconds to read prompts: of the operations, or of the host that launches their kernels if longer.

    Steps of many sizes are not captured as graphs: the host launches each kernel while the chip runs those before it.
    """
    return np.asarray(np.maximum(engine.prefill * np.asarray(operations), engine.launch_s * np.asarray(kernels)))


def alone_time(engine: Engine, operations: ArrayLike, kernels: ArrayLike, tokens: ArrayLike) -> Array:
    """Return the seconds from the arrival of a prompt of ``tokens`` to its first token where it is alone."""
    return np.asarray(engine.token_s * np.asarray(tokens) + reading_time(engine, operations, kernels))


def among_others(prefill: ArrayLike, full: ArrayLike, gemm: ArrayLike) -> Array:
    """Return the seconds that reading a prompt adds where ``full`` steps of nothing else but it also answer requests.

    Such a step reads the weights once for both, so the ``gemm`` seconds of those steps' own are spared.
    """
    return np.asarray(np.maximum(np.asarray(prefill) - np.asarray(full) * np.asarray(gemm), 0.0))


def most_prompts(groups: ArrayLike, prompts: ArrayLike) -> Array:
    """Return the prompts that a step of ``groups`` that step together waits for, over those it reads of one group.

    Each reads a Poisson number of mean ``prompts`` a step, and all wait for the group that reads most.

    Examples
    --------
    >>> most_prompts([1, 8, 8], [0.01, 0.01, 10.0]).round(1)
    array([1. , 7.7, 1.5])
    """
    count, mean = np.broadcast_arrays(np.asarray(groups, dtype=float), np.log2(np.maximum(prompts, 1e-9)))
    found = np.ones(count.shape)
    for one in np.unique(count[count > 1]):
        here = count == one
        found[here] = np.interp(mean[here], *_largest_counts(float(one)))
    return found


@functools.cache
def _largest_counts(groups: float) -> tuple[Array, Array]:
    """Return the expected largest of Poisson counts over their mean, at means of so many doublings, (means,) each."""
    doublings = np.arange(-16.0, 8.0)
    n, mean = np.arange(400.0), 2.0 ** doublings[:, None]
    terms = n * np.log(mean) - mean - np.cumsum(np.log(np.maximum(n, 1.0)))
    below = np.minimum(np.cumsum(np.exp(terms), axis=1), 1.0)
    return doublings, (1.0 - below**groups).sum(1) / mean[:, 0]


def closed_loop(
    step: Array,
    prefill: Array,
    requests: ArrayLike,
    output: ArrayLike,
    engine: Engine,
    *,
    alone: Array | None = None,
    shared: ArrayLike = 1.0,
    readers: ArrayLike = 1.0,
    waiting: ArrayLike = 0.0,
    varied: ArrayLike = 0.0,
    wave: ArrayLike = 0.0,
    held: ArrayLike = 0.0,
    groups: ArrayLike = 1.0,
    chunks: ArrayLike = 1.0,
) -> Loop:
    """Return the latencies of an attention group that ``requests`` keep busy: continuous batching, chunked prefill.

    Parameters
    ----------
    step, prefill
        Seconds of a decode step and of the reading of one prompt among others.
    alone
        Seconds of the reading of one prompt alone, from its arrival to its first token; as ``prefill`` where left out.
    shared
        1 where prompts are read by the chips that decode, 0 where others do it.
    readers
        Prompts that are read at the same time.
    waiting
        Requests that wait outside for memory, of which each takes the place of one that ends.
    varied
        Squared coefficient of variation of the time to read a prompt, where prompts differ.
    wave
        Share of the others' prompts that a request waits for since they start together.
    held
        Seconds for which an engine holds a prompt back so that it is read with others.
    groups
        Attention groups that step together since they share experts: a prompt of one holds the others up.
    chunks
        Steps that a prompt is read in.

    Notes
    -----
    A request lives W + n x seconds: W to its first token, n answers' tokens of x. Little's law gives the rate
    c / (W + n x), and the prompts of the c - 1 others stretch the time of a token,

        x = step + (c - 1) prefill x / (W + n x),    W = admit + prefill + step + wave (c - 1) prefill + queue + held

    a quadratic in x. Requests that all start together (wave 1/2) wait for half of its prompts before their first
    token and for the other half after it: x = step + (c - 1) prefill / (2 n) where the steps are short. A prompt
    waits for others in a queue with even service times (M/D/1: rho prefill / (2 (1 - rho))), at most for half of
    them. Of the utilisation it meets the share (c - 1) / c that is not its own: the arrival theorem of closed
    networks (Reiser and Lavenberg 1980, doi:10.1145/322186.322195) with Schweitzer's approximation. Where a pool of
    its own reads them and cannot keep up, it sets the rate, readers / prefill, and Little's law what a prompt
    waits. Prompts that differ wait 1 + varied times as long (Pollaczek and Khinchine; Kleinrock, Queueing Systems
    I, 1975, equation 5.70). Where groups step together tokens wait for as many more prompts as :func:`most_prompts`
    says, and a prompt for half of one that another group's step reads.
    """
    n, shared, readers = (np.asarray(value, dtype=float) for value in (output, shared, readers))
    groups = np.where(shared > 0, groups, 1.0)
    uneven = 1.0 + np.asarray(varied, dtype=float)
    requests = np.asarray(requests, dtype=float)
    ahead = np.maximum(requests / readers - 1.0, 0.0)
    together = np.asarray(wave) * ahead * prefill
    others = np.maximum(requests - 1.0, 0.0)
    queue = np.zeros(np.broadcast(step, prefill, requests).shape)
    own = prefill if alone is None else alone
    reading = prefill * most_prompts(groups, requests * chunks / n)
    for _ in range(QUEUES):
        first = engine.admit_s + own + step + together + queue + held
        half = (first - n * step - shared * others * reading / readers) / 2.0
        tpot = (np.sqrt(half * half + n * step * first) - half) / n
        reading = prefill * most_prompts(groups, requests * chunks * tpot / (first + n * tpot))
        busy = np.minimum(others / (first + n * tpot) * prefill / readers, BUSIEST)
        queue = np.minimum(
            uneven * busy / (2.0 * (1.0 - busy)) * prefill, np.maximum(ahead / 2.0 * prefill - together, 0.0)
        )
        queue = queue + np.minimum(requests / (first + n * tpot) * (reading - prefill), 1.0) * prefill / 2.0
    full = np.where(shared > 0, 0.0, requests * prefill / readers - n * tpot - first)
    ttft = first + np.maximum(full, 0.0)
    done = requests / (ttft + n * tpot)
    return Loop(np.asarray(tpot), np.asarray(ttft + np.asarray(waiting) / done), np.asarray(done))


@dataclass(frozen=True)
class Arrivals:
    """Requests that arrive by chance at a given rate, Poisson.

    Attributes
    ----------
    ttft_s, tpot_s
        Mean times.
    wait_s
        Scale of the tail of the wait for a prompt: P(wait > t) = busy exp(-t / wait).
    busy
        Share of the time in which prompts are read.
    requests
        Mean requests in decode.
    stable
        Whether the load is one that can be kept up.
    """

    ttft_s: Array
    tpot_s: Array
    wait_s: Array
    busy: Array
    requests: Array
    slope_s: Array
    """Seconds a token takes longer with each further request."""
    load: Array
    """Share of what can be done at most that is asked: seconds that one more request adds, times the rate."""
    stable: NDArray[np.bool_]
    away_s: Array | None = None
    """How much the own times of equally likely groups of prompts are from their mean, (groups,), where they differ."""
    persistence: float = 2.0 / 3.0
    """Variance of the mean of the requests in decode over the time of one, as a share of theirs."""

    def ttft_quantile(self, share: float) -> Array:
        """Return the time to the first token that ``share`` of the requests stay under.

        The tail of the M/D/1 queue is taken as exponential, with its mean (busy x wait): exact at heavy load.
        """
        if self.away_s is not None:
            return slowest(self.ttft_s - self.busy * self.wait_s, self.away_s, self.busy, self.wait_s, share)
        late = self.wait_s * np.log(np.maximum(self.busy / (1.0 - share), 1.0))
        return np.asarray(self.ttft_s - self.busy * self.wait_s + late)

    def tpot_quantile(self, share: float) -> Array:
        """Return the time per output token that ``share`` of the requests stay under.

        Where tokens cost the same at any load the requests in decode are Poisson with mean b (M/G/infinity), and their
        mean over the time of one request has the variance 2 b / 3, since with even answers their correlation falls
        linearly over that time; with answers that differ it has ``persistence`` times b. Where they cost more with
        load, fluctuations last longer by 1 / (1 - load), as in a shared processor.
        """
        from statistics import NormalDist

        spread = np.sqrt(self.persistence * self.requests) / np.maximum(1.0 - self.load, 1.0 - BUSIEST)
        return np.asarray(self.tpot_s + NormalDist().inv_cdf(share) * spread * self.slope_s)


def open_arrivals(
    steps: Array,
    loads: Array,
    prefill: Array,
    rate: ArrayLike,
    output: ArrayLike,
    engine: Engine,
    *,
    alone: Array | None = None,
    shared: ArrayLike = 1.0,
    together: ArrayLike = 1.0,
    readers: ArrayLike = 1.0,
    varied: ArrayLike = 0.0,
    chunks: float = 1.0,
    groups: float = 1.0,
) -> Arrivals:
    """Return the latencies of an attention group on which requests arrive at ``rate`` a second.

    Parameters
    ----------
    steps
        Seconds of a decode step at each of ``loads`` requests, (..., loads).
    prefill, alone
        Seconds of one prompt among others, and alone.
    together
        Prompts that one step reads, where prompts share the chips that decode.
    readers
        Groups of chips of their own that read the prompts, each its share of them.
    varied
        Squared coefficient of variation of the time to read a prompt.
    chunks
        Steps that a prompt is read in, each of which makes a token of the others too.
    groups
        Attention groups that step together since they share experts, as in :func:`closed_loop`.

    Notes
    -----
    Prompts take the share rho = rate prefill of the time, so a token takes x = step(b) / (1 - rho), and Little's law
    gives the requests in decode, b = rate n x. A prompt waits for the step that runs, half a token's time, and for the
    prompts before it: M/D/1 with the service S = prefill + step / together, a wait of rate S**2 / (2 (1 - rate S))
    (Kleinrock, Queueing Systems I, 1975, equation 5.70), or M/G/1 with E[S**2] = S**2 + varied prefill**2.
    """
    rate, n, shared, readers = (np.asarray(value, dtype=float) for value in (rate, output, shared, readers))
    together = np.asarray(together, dtype=float)
    requests = np.ones(np.broadcast(prefill, rate, steps[..., 0]).shape)
    reading, rest = prefill, 1.0 + 0.0 * requests
    for _ in range(40):
        token = _interpolate(steps, loads, requests) / rest
        if groups > 1:
            reading = prefill * np.where(shared > 0, most_prompts(groups, rate * chunks * token), 1.0)
        rest = np.maximum(1.0 - shared * np.minimum(rate * reading / readers, BUSIEST), 1.0 - BUSIEST)
        token = _interpolate(steps, loads, requests) / rest
        requests = np.sqrt(requests * np.clip(rate * n * token, 1e-3, loads[-1]))
    token = _interpolate(steps, loads, requests) / rest
    slope = (_interpolate(steps, loads, requests + 1.0) / rest) - token
    service = prefill + shared * token * rest / together
    busy = rate * service / readers
    uneven = 1.0 + np.asarray(varied, dtype=float) * (prefill / service) ** 2
    wait = uneven * service / (2.0 * np.maximum(1.0 - busy, 1.0 - BUSIEST))
    own = token * rest / np.maximum(1.0 - shared * np.minimum(rate * prefill / readers, BUSIEST), 1.0 - BUSIEST)
    ridden = (1.5 * own + (chunks - 1.0) * rest * token) * shared + (1.0 - shared) * token
    held_up = shared * np.minimum(rate * (reading - prefill), 1.0) * prefill / 2.0
    first = engine.admit_s + (prefill if alone is None else alone) + ridden + held_up
    return Arrivals(
        ttft_s=np.asarray(first + busy * wait),
        tpot_s=np.asarray(token),
        wait_s=np.asarray(wait),
        busy=np.asarray(busy),
        requests=np.asarray(requests),
        slope_s=np.asarray(slope),
        load=np.asarray(rate * (shared * reading + n * slope * rest)),
        stable=np.asarray((busy < BUSIEST) & (rate * n * token < loads[-1])),
    )


def _interpolate(steps: Array, loads: Array, requests: Array) -> Array:
    """Return the step at ``requests`` between loads that double, (...)."""
    at = np.clip(np.log2(np.maximum(requests, loads[0]) / loads[0]), 0.0, len(loads) - 1.0)
    low = np.minimum(at.astype(int), len(loads) - 2)
    below, above = loads[low], loads[low + 1]
    share = np.clip((requests - below) / (above - below), 0.0, 1.0)
    one = np.take_along_axis(steps, low[..., None], -1)[..., 0]
    two = np.take_along_axis(steps, low[..., None] + 1, -1)[..., 0]
    return np.asarray((1.0 - share) * one + share * two)
