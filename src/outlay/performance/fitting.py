"""Fits to published runs what kernels cannot tell: a slowdown per chip family, some numbers per software stack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.performance.chip import PRIOR
from outlay.performance.runs import Run
from outlay.performance.strategy import Stack

Array = NDArray[np.float64]

REFERENCE_STACK = "current"
SHRINK = 1.0
"""The slowdown of a generation weighs as much as this many groups of a family, that of the class as of a generation."""
ROUNDS = 4
EARNED = 0.002
"""A number moves from where it starts only if that brings the mean error down by this much."""
STEPS: Mapping[str, tuple[float, ...]] = {
    "tp_overlap": (0.0, 0.2, 0.4, 0.6),
    "ep_overlap": (0.0, 0.25, 0.5, 0.75),
    "dp_overlap": (0.0, 0.5, 0.8, 0.9),
    "elementwise": (0.7, 1.0, 1.4, 1.8, 2.4),
    "moe_overhead": (1.0, 1.15, 1.3, 1.5, 1.8),
    "attention_overhead": (1.0, 1.2, 1.5, 1.8),
    "narrow": (0.7, 0.8, 0.9, 1.0),
    "host_s": (0.0, 1e-4, 2e-4, 3e-4, 5e-4, 7e-4, 9e-4),
}
"""Values each number of a stack may take: coarse, so that a fit cannot learn its rows."""

START: Mapping[str, float] = {
    "tp_overlap": 0.2,
    "ep_overlap": 0.25,
    "dp_overlap": 0.8,
    "elementwise": 1.0,
    "moe_overhead": 1.3,
    "host_s": 3e-4,
    "attention_overhead": 1.2,
    "narrow": 0.9,
}
"""Where each number starts; a stack of fewer than ``LEAST_GROUPS`` groups keeps what its schedule's authors report."""
LEAST_GROUPS = 3
LEAST_BAND_GROUPS = 8


@dataclass(frozen=True)
class Fit:
    """Slowdown by chip family and generation, and the stacks with theirs; ``prior`` is the slowdown of the class."""

    slowdown: Mapping[str, float]
    stacks: Mapping[str, Stack]
    prior: float = 1.0

    def of(self, family: str, generation: str) -> float:
        """Return the slowdown of a family, of its generation where it was never measured, or of the class."""
        return self.slowdown.get(family, self.slowdown.get(generation, self.prior))

    def predict(self, run: Run) -> float:
        """Return the predicted seconds a step of a run whose strategy is settled."""
        times = run.times(self.of(run.family, run.chip.generation), self.stacks[run.stack.name])
        return float(times.step_time_s.min())


def weights(runs: Sequence[Run]) -> Array:
    """Return the weight of each run: a group counts one in each chip family, however many rows it has there."""
    size: dict[tuple[str, str], int] = defaultdict(int)
    for run in runs:
        size[run.family, run.group] += 1
    return np.array([1.0 / size[run.family, run.group] for run in runs])


def weighted_median(values: Array, weight: Array) -> float:
    """Return the value at which half of the weight lies below."""
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def fit(runs: Sequence[Run], start: Mapping[str, Stack], progress: Callable[[str], None] = lambda _: None) -> Fit:
    """Return the slowdowns and stacks that bring the median error of the groups down.

    Notes
    -----
    By turns: slowdowns by weighted medians of measured over predicted (families and stacks, log-additive); then each
    number of each stack by the best of a few values, by the weighted mean of the absolute logarithm of the error.
    """
    of = {name: [run for run in runs if run.stack.name == name] for name in start}
    enough = [name for name in start if len({run.group for run in of[name]}) >= LEAST_GROUPS]
    stacks = {name: with_numbers(stack, START if name in enough else {}, slowdown=1.0) for name, stack in start.items()}
    result = fit_slowdowns(runs, Fit(slowdown={}, stacks=stacks))
    for name in enough:
        for number, values in STEPS.items():
            if number == "moe_overhead" and not any(run.arch.experts for run in of[name]):
                continue
            progress(f"{name} {number}")
            result = _best_value(of[name], result, name, number, values)
    return fit_slowdowns(runs, result)


def with_numbers(stack: Stack, numbers: Mapping[str, float], **more: Any) -> Stack:
    """Return the stack with some of its numbers changed."""
    return replace(stack, **{**dict[str, Any](numbers), **more})


def _best_value(runs: Sequence[Run], current: Fit, stack: str, number: str, values: Iterable[float]) -> Fit:
    """Return the fit with one number of one stack set to the best of some values, its slowdown following each."""
    best, least = current, _loss(runs, current)
    for value in values:
        changed = with_numbers(current.stacks[stack], {number: value})
        trial = replace(current, stacks={**current.stacks, stack: changed})
        loss = _loss(runs, trial)
        if loss < least - EARNED:
            best, least = trial, loss
    return best


def errors(runs: Sequence[Run], fit: Fit) -> Array:
    """Return the logarithm of predicted over measured of each run."""
    return np.array([np.log(fit.predict(run) / run.measured_s) for run in runs])


def _loss(runs: Sequence[Run], fit: Fit) -> float:
    """Return the weighted mean absolute error about the median of each family, which slowdowns take out afterwards."""
    error, weight = errors(runs, fit), weights(runs)
    families = np.array([run.family for run in runs])
    for family in set(families.tolist()):
        mine = families == family
        error[mine] -= weighted_median(error[mine], weight[mine])
    return float(np.sum(weight * np.abs(error)) / weight.sum())


def fit_slowdowns(runs: Sequence[Run], start: Fit) -> Fit:
    """Return the fit with the slowdowns of families and stacks that centre the errors of their groups."""
    weight = weights(runs)
    families, names = np.array([run.family for run in runs]), np.array([run.stack.name for run in runs])
    generations = np.array([run.chip.generation for run in runs])
    result = start
    for _ in range(ROUNDS):
        error = errors(runs, result)
        prior = result.prior / np.exp(
            weighted_median(error[names == REFERENCE_STACK], weight[names == REFERENCE_STACK])
        )
        slowdown: dict[str, float] = {}
        for generation in sorted(set(generations.tolist())):
            same = generations == generation
            level = _shrunk(result, runs, error, weight, same, float(prior))
            if generation:
                slowdown[generation] = level
            for family in sorted(set(families[same].tolist())):
                slowdown[family] = _shrunk(result, runs, error, weight, families == family, level)
        result = replace(result, slowdown=slowdown, prior=float(prior))
        error = errors(runs, result)
        stacks = dict(result.stacks)
        for name, stack in stacks.items():
            mine = names == name
            if name != REFERENCE_STACK and mine.any():
                stacks[name] = replace(
                    stack, slowdown=float(stack.slowdown / np.exp(weighted_median(error[mine], weight[mine])))
                )
        result = replace(result, stacks=stacks)
    return result


def _shrunk(
    fit: Fit, runs: Sequence[Run], error: Array, weight: Array, mine: NDArray[np.bool_], towards: float
) -> float:
    """Return the slowdown that centres the errors of some runs, drawn towards another by how few groups they have."""
    current = np.array([np.log(fit.of(run.family, run.chip.generation)) for run in runs])
    own = weighted_median((current - error)[mine], weight[mine])
    groups = float(weight[mine].sum())
    return float(np.exp((groups * own + SHRINK * np.log(towards)) / (groups + SHRINK)))


def folds(runs: Sequence[Run], count: int = 5) -> list[NDArray[np.bool_]]:
    """Return masks of the runs held out in each fold: whole groups, dealt out in the order of their names."""
    groups = sorted({run.group for run in runs})
    of = {group: index % count for index, group in enumerate(groups)}
    return [np.array([of[run.group] == fold for run in runs]) for fold in range(count)]


def bands(runs: Sequence[Run], error: Array, strange: Array) -> dict[str, tuple[float, float]]:
    """Return, by family, between which multiples of the prediction eight of ten measured groups lie.

    Parameters
    ----------
    error
        Logarithm of predicted over measured, out of sample.
    strange
        The same where every family is predicted as one never measured; the band of such a chip is the widest of all.

    Notes
    -----
    Split-conformal quantiles of measured over predicted (arXiv:1905.03222, section 2), widened for a sample of n
    groups.
    Families of fewer than ``LEAST_BAND_GROUPS`` groups take the band of all measured families.
    """
    weight = weights(runs)
    families = np.array([run.family for run in runs])
    every = _quantiles(-error, weight)
    found = {}
    for family in sorted(set(families.tolist())):
        mine = families == family
        enough = weight[mine].sum() >= LEAST_BAND_GROUPS
        found[family] = _quantiles(-error[mine], weight[mine]) if enough else every
    low, high = zip(_quantiles(-strange, weight), *found.values(), strict=True)
    return {**found, PRIOR: (min(low), max(high))}


def _quantiles(values: Array, weight: Array, inside: float = 0.8) -> tuple[float, float]:
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    n = weight.sum()
    tail = max((1 - inside) / 2 - 1 / (n + 1) / 2, 0.0)
    low = values[order][min(int(np.searchsorted(share, tail)), len(values) - 1)]
    high = values[order][min(int(np.searchsorted(share, 1 - tail)), len(values) - 1)]
    return float(np.exp(min(low, 0.0))), float(np.exp(max(high, 0.0)))
