"""The hottest chip of an expert group: routing that is uneven by chance and by popularity, and copies of experts.

A layer with experts waits for the chip with the most tokens. Two things make it have more than the mean: few tokens
fall unevenly by chance, and some experts are asked for more than others. A balancer (EPLB) packs experts by their load
and copies the most loaded (arXiv:2412.19437, section 3.4; github.com/deepseek-ai/EPLB).
"""

from __future__ import annotations

import functools
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
    copies = np.ones(len(loads))
    for _ in range(redundant):
        copies[np.argmax(loads / copies)] += 1
    parts = np.repeat(loads / copies, copies.astype(int))
    slots = len(parts) // ranks
    held, room = np.zeros(ranks), np.full(ranks, slots)
    for part in np.sort(parts)[::-1]:
        at = int(np.argmin(np.where(room > 0, held, np.inf)))
        held[at] += part
        room[at] -= 1
    return held


@functools.cache
def _popular(experts: int, ranks: int, redundant: int, gini: float) -> tuple[float, float, float]:
    """Return variance and third moment of the load of a rank by popularity alone, and the most loaded, 1 on the mean.

    ``redundant`` below zero: experts lie on the ranks by their number, that is by chance. The variance is that of
    independent ranks with the same largest load: ranks share a fixed sum, which makes it ranks / (ranks - 1) times
    theirs (as for exchangeable normal values of correlation -1 / (ranks - 1)).
    """
    loads = popularity(experts, gini)
    if redundant >= 0:
        held = balanced(loads, ranks, redundant) / (experts / ranks)
        away = held - 1.0
        return float(np.var(held)) * ranks / (ranks - 1), float((away**3).mean()), float(held.max())
    own = experts / ranks
    away = loads - 1.0
    variance = float((away**2).mean()) / own * experts / (experts - 1)
    return variance, float((away**3).mean()) / own**2, 1.0 if own > 1 else float(loads.max())


def hottest(
    experts: int, top_k: int, tokens: ArrayLike, ranks: ArrayLike, redundant: ArrayLike = -1.0, gini: float = GINI
) -> Array:
    """Return the expected tokens of the hottest rank over those of a mean one.

    Parameters
    ----------
    tokens
        Tokens that a layer routes at once, over all ranks.
    ranks, redundant
        Ranks that share the experts; copies beside them, placed by a balancer, or -1 where there is no balancer.
    gini
        Gini index of the popularity of experts, 0 for even routing.

    Notes
    -----
    A rank sees mu = tokens k / ranks on the mean. Its squared variation is v by popularity and (E - k) / ((E - 1) mu)
    by chance, a token having k different experts; its third cumulant 1 / mu**2 + 3 v / mu + w, as of Poisson counts
    whose mean varies. The largest of all ranks is the quantile of a Pearson III distribution with those moments, by
    Wilson and Hilferty's cube (Kite 1977), at :data:`MEDIAN_OF_MOST`. No rank has less than its popularity, nor a part
    of a token: at least ceil(mu).

    Examples
    --------
    >>> float(hottest(256, 8, 1e9, 8.0, -1.0, 0.0).round(3))
    1.0
    """
    n, ranks, redundant = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (tokens, ranks, redundant)))
    variance, third, most, z = (np.ones(n.shape) for _ in range(4))
    for count, copies in {(int(r), int(c)) for r, c in zip(ranks.ravel(), redundant.ravel(), strict=True)}:
        if count > 1:
            here = (ranks == count) & (redundant == copies)
            variance[here], third[here], most[here] = _popular(experts, count, copies, gini)
            z[here] = NormalDist().inv_cdf(MEDIAN_OF_MOST ** (1.0 / count))
    mean = np.maximum(n * top_k / ranks, 1e-9)
    chance = (experts - top_k) / max(experts - 1, 1) / mean
    spread = np.sqrt(np.maximum(variance + chance, 1e-18))
    skewness = (chance / mean + 3.0 * variance * chance + third) / spread**3
    shape = np.where(np.abs(skewness) < 1e-6, 1e-6, skewness)
    factor = 2.0 / shape * (np.maximum(1.0 + shape * z / 6.0 - shape**2 / 36.0, 0.0) ** 3 - 1.0)
    found = np.maximum(1.0 + spread * factor, np.maximum(most, np.ceil(mean - 1e-9) / mean))
    return np.asarray(np.where(ranks > 1, np.minimum(found, ranks), 1.0))
