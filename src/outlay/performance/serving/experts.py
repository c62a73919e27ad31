"""The hottest chip of an expert group: routing that is uneven by chance and by popularity, and copies of experts.

A layer with experts waits for the chip with the most tokens. Two things make it have more than the mean: few tokens
fall unevenly by chance, and some experts are asked for more than others. A balancer (EPLB) packs experts by their load
and copies the most loaded (arXiv:2412.19437, section 3.4; github.com/deepseek-ai/EPLB).
"""

from __future__ import annotations

import functools
import heapq
import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
GINI = 0.24
"""Gini index of the tokens of experts on real text, where copies of experts are asked for and no skew: the least of the
concentrated models of arXiv:2605.20982 (latent attention and gated delta nets, 0.24 and more; its even ones have 0.105,
DeepSeek-MoE-16B, and 0.150, Nemotron-30B)."""
MOST_SKEWED = 0.95
"""Gini index from which the quantiles of a lognormal distribution say little of its few most loaded experts."""
EXTRA = (0, 1, 2)
"""Copies a chip holds beside its share of the experts, where they are searched: DeepSeek-V3 holds one to a chip that
reads prompts (arXiv:2412.19437, section 3.4.1)."""
MEDIAN_OF_MOST = 0.5264
"""The expected largest of n normal values is their quantile at this to the power 1/n, within 1 % (Chen and Tyler 1999,
doi:10.1080/00031305.1999.10474461)."""


def popularity(experts: int, gini: float) -> Array:
    """Return how much each expert is asked for, 1 on the mean: the quantiles of a lognormal distribution.

    Its Gini index is 2 Phi(sigma / sqrt 2) - 1 (Aitchison and Brown, The Lognormal Distribution, 1957, section 11.3).

    Examples
    --------
    >>> popularity(4, 0.0)
    array([1., 1., 1., 1.])
    """
    sigma = math.sqrt(2.0) * NormalDist().inv_cdf((1.0 + gini) / 2.0)
    normal = NormalDist()
    loads = np.exp([sigma * normal.inv_cdf((i + 0.5) / experts) for i in range(experts)])
    return np.asarray(loads / loads.mean())


def balanced(loads: Array, ranks: int, redundant: int) -> Array:
    """Return the load of each rank where a balancer copies and packs experts of known loads.

    Notes
    -----
    Each copy goes to the expert with the most load a copy; the copies are packed largest first, each to the least
    loaded rank that has a slot left (the global policy of EPLB).
    """
    shares = [(-float(load), expert, 1) for expert, load in enumerate(loads)]
    heapq.heapify(shares)
    for _ in range(redundant):
        share, expert, copies = shares[0]
        heapq.heapreplace(shares, (share * copies / (copies + 1), expert, copies + 1))
    parts = sorted((-share for share, _, copies in shares for _ in range(copies)), reverse=True)
    slots = len(parts) // ranks
    held, free = np.zeros(ranks), [(0.0, rank, slots) for rank in range(ranks)]
    for part in parts:
        load, rank, room = heapq.heappop(free)
        held[rank] = load + part
        if room > 1:
            heapq.heappush(free, (load + part, rank, room - 1))
    return held


@functools.cache
def _moments(experts: int, ranks: int, gini: float) -> tuple[float, float]:
    """Return variance and third moment of the load of a rank by popularity, where experts lie on ranks by chance.

    The variance is that of independent ranks with the same largest load: ranks share a fixed sum, which makes it
    ranks / (ranks - 1) times theirs (as for exchangeable normal values of correlation -1 / (ranks - 1)).
    """
    own, away = experts / ranks, popularity(experts, gini) - 1.0
    return float((away**2).mean()) / own * experts / (experts - 1), float((away**3).mean()) / own**2


@functools.cache
def _packed(experts: int, top_k: int, ranks: int, redundant: int, gini: float) -> tuple[Array, Array]:
    """Return the hottest rank's load over the mean at some mean loads, where each rank's popularity is known.

    The largest of independent counts is where the product of their distributions is :data:`MEDIAN_OF_MOST`; each is a
    Pearson III distribution with the variance of hypergeometric picks and the skewness of a Poisson count.
    """
    loads = popularity(experts, gini)
    held = (balanced(loads, ranks, redundant) if redundant >= 0 else loads) / (experts / ranks)
    means = 2.0 ** np.arange(-4.0, 20.0)
    own = held[:, None] * means
    spread = np.sqrt(own * (experts - top_k) / max(experts - 1, 1))
    skewness = 1.0 / np.sqrt(own)
    low, high = own.max(0), own.max(0) + 12.0 * spread.max(0) + 12.0
    for _ in range(30):
        middle = (low + high) / 2.0
        cube = np.cbrt(np.maximum(1.0 + skewness * (middle - own) / spread / 2.0, 0.0))
        below = np.log(np.maximum(_normal(6.0 / skewness * (cube - 1.0 + skewness**2 / 36.0)), 1e-300))
        late = below.sum(0) > math.log(MEDIAN_OF_MOST)
        low, high = np.where(late, low, middle), np.where(late, middle, high)
    return np.log2(means), high / means


def _normal(z: Array) -> Array:
    """Return the normal distribution at z, to 1e-5 (Abramowitz and Stegun 1964, 26.2.16)."""
    t = 1.0 / (1.0 + 0.33267 * np.abs(z))
    tail = np.exp(-(z**2) / 2.0) / math.sqrt(2.0 * math.pi) * t * (0.4361836 + t * (-0.1201676 + t * 0.9372980))
    return np.asarray(np.where(z < 0, tail, 1.0 - tail))


def hottest(
    experts: int, top_k: int, tokens: ArrayLike, ranks: ArrayLike, redundant: ArrayLike = -1.0, gini: float = GINI
) -> Array:
    """Return the expected tokens of the hottest rank over those of a mean one.

    Parameters
    ----------
    tokens
        Tokens that a layer routes at once, over all ranks.
    ranks, redundant
        Ranks that share the experts; copies beside them, placed by a balancer that knows their popularity, or -1 where
        there is no balancer and experts lie by their number, that is by chance.
    gini
        Gini index of the popularity of experts, 0 for even routing.

    Notes
    -----
    A rank sees mu = tokens k / ranks on the mean. By chance its squared variation is (E - k) / ((E - 1) mu), a token
    having k different experts. Without a balancer, popularity adds v, and the third cumulant is 1 / mu**2 + 3 v / mu +
    w, as of Poisson counts whose mean varies; the largest of all ranks is the quantile of a Pearson III distribution
    with those moments, by Wilson and Hilferty's cube (Kite 1977), at :data:`MEDIAN_OF_MOST`. With one, ranks have their
    own means. No rank has a part of a token: at least ceil(mu).

    Examples
    --------
    >>> float(hottest(256, 8, 1e9, 8.0, -1.0, 0.0).round(3))
    1.0
    """
    n, ranks, redundant = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (tokens, ranks, redundant)))
    mean, found = np.maximum(n * top_k / ranks, 1e-9), np.ones(n.shape)
    for count, copies in {(int(r), int(c)) for r, c in zip(ranks.ravel(), redundant.ravel(), strict=True)}:
        here = (ranks == count) & (redundant == copies)
        if count > 1 and (copies >= 0 or count == experts):
            found[here] = np.interp(np.log2(mean[here]), *_packed(experts, top_k, count, copies, gini))
        elif count > 1:
            chance = (experts - top_k) / max(experts - 1, 1) / mean[here]
            found[here] = _scattered(mean[here], chance, _moments(experts, count, gini), count)
    found = np.maximum(found, np.ceil(mean - 1e-9) / mean)
    return np.asarray(np.where(ranks > 1, np.clip(found, 1.0, ranks), 1.0))


def _scattered(mean: Array, chance: Array, moments: tuple[float, float], ranks: int) -> Array:
    """Return the hottest of ranks on which experts lie by chance."""
    variance, third = moments
    spread = np.sqrt(np.maximum(variance + chance, 1e-18))
    shape = np.maximum((chance / mean + 3.0 * variance * chance + third) / spread**3, 1e-6)
    z = NormalDist().inv_cdf(MEDIAN_OF_MOST ** (1.0 / ranks))
    cube = np.maximum(1.0 + shape * z / 6.0 - shape**2 / 36.0, 0.0) ** 3
    return np.asarray(1.0 + spread * 2.0 / shape * (cube - 1.0))
