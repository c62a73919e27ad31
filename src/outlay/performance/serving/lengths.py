"""Requests of many lengths: what their moments do to work, memory and waits.

A :class:`Lengths` is a lognormal distribution of prompts and of answers, or a list of requests. Lognormal has the heavy
tail that traces of requests have; a list is taken as it is.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import InputError, nearest

Array = NDArray[np.float64]
COLUMNS = {
    "input": ("input", "input_tokens", "input_length", "ContextTokens", "Request tokens"),
    "output": ("output", "output_tokens", "output_length", "GeneratedTokens", "Response tokens"),
}
"""Names of the columns of a list of requests: plain ones, and those of the traces of Mooncake, Azure and BurstGPT."""
HELD = 0.99
"""Share of the time in which the cache of the requests in flight fits though lengths differ, were their sum normal;
with the tail of lognormal lengths it fits for 97 % and more."""
BINS = 200
"""Equally likely groups of requests that percentiles are taken over."""
ROUNDS = 50


@dataclass(frozen=True)
class Lengths:
    """Moments of the lengths of requests, and equally likely groups of them.

    Attributes
    ----------
    moments
        E[input**i output**j], by i from 0 to 4 and j from 0 to 3.
    prompts, answers
        Mean lengths of :data:`BINS` equally likely groups at most, in order of length, in tokens.
    words
        Where they are from.
    """

    moments: tuple[tuple[float, ...], ...] = field(repr=False)
    prompts: tuple[float, ...] = field(repr=False)
    answers: tuple[float, ...] = field(repr=False)
    words: str
    longest: float = math.inf

    @property
    def input(self) -> float:
        """Mean tokens of a prompt."""
        return self.moments[1][0]

    @property
    def output(self) -> float:
        """Mean tokens of an answer."""
        return self.moments[0][1]

    @property
    def attended(self) -> float:
        """Length of the prompt that a mean token of prompts is in, E[n**2] / E[n]: attention costs n**2."""
        return self.moments[2][0] / self.moments[1][0]

    @property
    def context(self) -> float:
        """Tokens of a request in flight, seen at any time.

        A request is seen as long as its answer takes, so with a probability that grows with its answer m, and half of
        it is written on the mean: E[m (n + m / 2)] / E[m] (length-biased sampling; Cox, Renewal Theory, 1962, 5.4).
        """
        return (self.moments[1][1] + self.moments[0][2] / 2.0) / self.moments[0][1]

    @property
    def context_spread(self) -> float:
        """Standard deviation of the tokens of a request in flight, beyond what answers of one length have."""
        m = self.moments
        square = (m[2][1] + m[1][2] + m[0][3] / 3.0) / m[0][1]
        return math.sqrt(max(square - self.context**2 - self.output**2 / 12.0, 0.0))

    @property
    def persistence(self) -> float:
        """Variance of the mean of the requests in decode over the time of one, as a share of their variance.

        Requests that are there now are there after u with the probability r(u), the mean of (m - u)+ over that of m
        (M/G/infinity). Over an answer of M tokens the mean has 2 / M**2 times the integral of (M - u) r(u): 2/3 with
        answers of one length. The mean over all answers is taken.
        """
        answers = np.asarray(self.answers)
        share = (np.arange(24) + 0.5) / 24
        times = answers[:, None] * share
        stay = np.maximum(answers[:, None, None] - times, 0.0).mean(axis=0) / answers.mean()
        return float((2.0 * (1.0 - share) * stay).mean())

    def above(self, tokens: float) -> float:
        """Return the share of the requests of more than ``tokens`` tokens, prompt and answer in the same order."""
        if self.longest <= tokens:
            return 0.0
        return float((np.asarray(self.prompts)[:, None] + np.asarray(self.answers) > tokens).mean())

    def variation(self, attention: ArrayLike) -> Array:
        """Return the squared coefficient of variation of the time to read a prompt, of which ``attention`` is a share.

        The rest grows with n, attention with n**2.
        """
        m, f = self.moments, np.asarray(attention, dtype=float)
        both = 2.0 * f * (1.0 - f) * m[3][0] / (m[1][0] * m[2][0])
        return np.asarray((1.0 - f) ** 2 * m[2][0] / m[1][0] ** 2 + both + f**2 * m[4][0] / m[2][0] ** 2 - 1.0)


def lognormal(input_tokens: float, output_tokens: float, input_cv: float, output_cv: float) -> Lengths:
    """Return prompts and answers that are lognormal and independent, of given means and coefficients of variation.

    Notes
    -----
    E[n**i] = mean**i (1 + cv**2) ** (i (i - 1) / 2); a group between two quantiles has the mean of the partial
    expectations, Phi(sigma - z) of them above z (Aitchison and Brown, The Lognormal Distribution, 1957, section 2.4).

    Raises
    ------
    InputError
        If a variation is below zero or not finite.
    """
    for name, cv in (("--input-cv", input_cv), ("--output-cv", output_cv)):
        if not 0 <= cv <= 10:
            msg = f"{name} must be a coefficient of variation from 0 to 10, such as 0.8; got {cv:g}; nearest: "
            raise InputError(msg + ("0" if not cv > 0 else "10"))
    prompts, answers = (
        [mean**i * (1.0 + cv * cv) ** (i * (i - 1) / 2) for i in range(5)]
        for mean, cv in ((input_tokens, input_cv), (output_tokens, output_cv))
    )
    return Lengths(
        tuple(tuple(prompts[i] * answers[j] for j in range(4)) for i in range(5)),
        _groups(input_tokens, input_cv),
        _groups(output_tokens, output_cv),
        f"lognormal, coefficients of variation {input_cv:g} and {output_cv:g}",
        input_tokens + output_tokens if input_cv == output_cv == 0 else math.inf,
    )


def _groups(mean: float, cv: float) -> tuple[float, ...]:
    if cv == 0:
        return (mean,)
    normal, sigma = NormalDist(), math.sqrt(math.log1p(cv * cv))
    edges = [normal.inv_cdf(i / BINS) for i in range(1, BINS)]
    above = np.array([1.0, *(normal.cdf(sigma - z) for z in edges), 0.0])
    return tuple((mean * BINS * -np.diff(above)).tolist())


def listed(text: str, name: str = "--lengths") -> Lengths:
    """Return the lengths of a list of requests, CSV with a column of prompts and one of answers.

    Raises
    ------
    InputError
        If a column is missing or a length is not a number above zero; names the line.
    """
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff")))
    header = [cell.strip() for cell in next(reader, [])]
    at = [_column(header, kind, name) for kind in COLUMNS]
    found = [
        (_tokens(row, at[0], reader.line_num, name), _tokens(row, at[1], reader.line_num, name))
        for row in reader
        if any(cell.strip() for cell in row)
    ]
    if not found:
        msg = f"{name} has no requests; expected a line of column names and one of input,output for each request"
        raise InputError(msg)
    return measured(found, f"{len(found):,} requests")


def _column(header: Sequence[str], kind: str, name: str) -> int:
    names = {cell.casefold(): i for i, cell in enumerate(header)}
    for known in COLUMNS[kind]:
        if known.casefold() in names:
            return names[known.casefold()]
    close = nearest(kind, header)
    hint = f"; nearest: {', '.join(close)}" if close else ""
    msg = (
        f"{name}, line 1: no column {kind!r} among {', '.join(header) or 'none'}{hint}; expected the columns "
        f"input,output, or those of a trace, such as {COLUMNS['input'][3]},{COLUMNS['output'][3]}"
    )
    raise InputError(msg)


def _tokens(row: Sequence[str], at: int, line: int, name: str) -> float:
    text = row[at].strip() if at < len(row) else ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        msg = (
            f"{name}, line {line}: a length must be a number of tokens above zero; got {text or 'nothing'}; nearest: 1"
        )
        raise InputError(msg)
    return value


def measured(requests: Sequence[tuple[float, float]], words: str) -> Lengths:
    """Return the lengths of some requests, (prompt, answer) each, with whatever binds the two together."""
    prompts, answers = np.asarray(requests, dtype=float).T
    moments = tuple(tuple(float((prompts**i * answers**j).mean()) for j in range(4)) for i in range(5))
    long, short = (
        tuple(float(part.mean()) for part in np.array_split(np.sort(column), min(BINS, len(column))))
        for column in (prompts, answers)
    )
    return Lengths(moments, long, short, words, float((prompts + answers).max()))


def slowest(first: Array, away: Array, busy: Array, wait: Array, share: float) -> Array:
    """Return the time that ``share`` of the requests stay under, whose own time differs and whose wait is by chance.

    Parameters
    ----------
    first
        Mean time without the wait, (...).
    away
        How much the own times of equally likely groups of requests are from their mean, (groups,).
    busy, wait
        P(wait > t) = busy exp(-t / wait).

    Notes
    -----
    P(time > t) is the mean over the groups of 1 where t is below the own time, else of the wait's tail; bisected.
    """
    own = first[..., None] + away
    top = own.max(-1) + wait * np.log(np.maximum(busy / (1.0 - share), 1.0)) + 1e-9
    low = np.zeros_like(top)
    for _ in range(ROUNDS):
        middle = (low + top) / 2.0
        left = middle[..., None] - own
        late = np.where(left < 0, 1.0, busy[..., None] * np.exp(-np.maximum(left, 0.0) / wait[..., None])).mean(-1)
        low, top = np.where(late > 1.0 - share, middle, low), np.where(late > 1.0 - share, top, middle)
    return np.asarray(top)
