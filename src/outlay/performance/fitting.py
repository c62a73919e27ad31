"""Fits to published runs what kernels cannot tell: numbers of each chip family and of each software generation.

A hierarchical (mixed-effects) model, fitted by its mode. Every fitted number z of a run, as a logarithm or a logit, is

    z = centre + sum over levels (deviation * effect of the run's place on that level),   effect ~ N(0, 1)

so that a family or a stack with few runs stays near its generation, and all stay near what is physically expected:
partial pooling (Gelman and Hill, Data Analysis Using Regression and Multilevel Models, 2007, chapter 12). The effects
minimise

    sum over runs w rho((log predicted - log measured) / SIGMA) + sum of squared effects / 2

with rho the pseudo-Huber loss, by Gauss-Newton steps. A group of g related runs weighs g ** (1 - WEIGHT_POWER) of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.performance import training
from outlay.performance.arrays import stacked
from outlay.performance.chip import BYTES, FITTED, PRIOR, ChipModel
from outlay.performance.families import FamilyFit
from outlay.performance.network import Fabric
from outlay.performance.runs import Run
from outlay.performance.strategy import PARTS, STACK_NUMBERS, Stack, Strategy
from outlay.performance.transformer import Architecture

Array = NDArray[np.float64]

SIGMA = 0.06
"""Error of a run that is not yet held for an outlier. Of 0.05, 0.06, 0.08 and 0.1 the one whose held-out errors were
least, the mean over groups of the development rows."""
WEIGHT_POWER = 0.5
STEPS, HALVINGS = 25, 6
"""Of Gauss-Newton, and of a step that overshoots."""
TOLERANCE = 1e-4
PAIR = "family and stack"
STEP = 1e-3
"""Of a finite difference, in units of a logarithm or logit."""


@dataclass(frozen=True)
class Number:
    """A fitted number: its centre, whether it is a fraction (logit) or positive (log), and deviations by level."""

    centre: float
    deviations: Mapping[str, float]
    fraction: bool = False

    def value(self, z: Array) -> Array:
        """Return the number from its distance to the centre."""
        if self.fraction:
            return np.asarray(1 / (1 + (1 / self.centre - 1) * np.exp(-z)))
        return np.asarray(self.centre * np.exp(z))


OF_FAMILIES = {"elementwise": "elementwise", "attention": "attention_overhead", "moe": "moe_overhead"}
"""Numbers of a family that multiply those of its stack, by the name under which both are fitted."""
NUMBERS: Mapping[str, Number] = {
    "slowdown": Number(1.2, {"all": 0.04, "generation": 0.19, "family": 0.08, "stack": 0.05, PAIR: 0.2}),
    "narrow": Number(1.0, {"all": 0.47, "generation": 0.24, "family": 0.1, "stack": 0.06, "dtype": 0.2}),
    "host": Number(1.0, {"family": 0.49}),
    "tp_overlap": Number(0.25, {"all": 0.5, "stack": 0.88}, fraction=True),
    "cp_overlap": Number(0.6, {"all": 0.83, "stack": 0.7}, fraction=True),
    "ep_overlap": Number(0.3, {"all": 0.51, "stack": 1.2}, fraction=True),
    "pp_overlap": Number(0.5, {"all": 0.56, "stack": 0.69}, fraction=True),
    "dp_overlap": Number(0.6, {"all": 0.22, "stack": 1.2}, fraction=True),
    "elementwise": Number(2.2, {"all": 0.39, "stack": 0.51, "family": 0.18}),
    "moe_overhead": Number(1.3, {"all": 0.06, "stack": 0.3, "family": 0.2}),
    "attention_overhead": Number(1.1, {"all": 0.06, "stack": 0.19, "family": 0.29}),
    "scan_overhead": Number(1.0, {"all": 1.7}),
    "cast": Number(1.0, {"all": 0.15, "stack": 0.41}),
    "host_s": Number(6e-4, {"all": 0.19, "stack": 0.3}),
    "host_moe_s": Number(4e-3, {"all": 0.17, "stack": 0.95}),
    "step_s": Number(0.02, {"all": 0.21, "stack": 0.58}),
    "jitter": Number(0.008, {"all": 0.37, "stack": 1.1}),
}
"""Centres and deviations of what is fitted: of a stack's numbers and of a family's ``slowdown``, ``narrow``, ``host``.

Deviations are what :meth:`Problem.spreads` came to in five steps, rounded; those of the slowdown's stacks and pairs
were chosen by the held-out errors of half the groups. Centres of overlaps are between none and the most their authors
report; ``elementwise`` is 1 where every operator between GEMMs is fused as counted, and some kernels were never fused;
a host launches an operator of PyTorch in some 20 us and some 30 of them a layer and pass.
"""


@dataclass(frozen=True)
class Fit:
    """What was fitted: numbers by chip family, generation and the class, and the stacks."""

    families: Mapping[str, FamilyFit]
    stacks: Mapping[str, Stack]
    pairs: Mapping[tuple[str, str], float]
    """Slowdown of a family under a stack over those of both."""
    narrow: Mapping[str, float]
    """By data type, over the ``narrow`` of a family."""

    def of(self, family: str, generation: str, stack: str = "") -> FamilyFit:
        """Return the numbers of a family under a stack, of its generation where it was never measured, or of all."""
        found = self.families.get(family) or self.families.get(generation) or self.families[PRIOR]
        return replace(found, slowdown=found.slowdown * self.pairs.get((family, stack), 1.0))

    def predict(self, run: Run) -> float:
        """Return the predicted seconds a step of a run whose strategy is settled."""
        family = self.of(run.family, run.chip.generation, run.stack.name)
        chip = run.chip
        curves = {name: replace(curve, narrow=self.narrow.get(name, 1.0)) for name, curve in chip.curves.items()}
        run = replace(run, chip=replace(chip, curves=curves))
        return float(np.min(run.times(family, self.stacks[run.stack.name]).step_time_s))


OWN = "own"
"""Under this name a stacked chip holds the peak and the curve of each run's own data type."""


@dataclass(frozen=True)
class _Stacked:
    """Runs stacked so that one call predicts them all."""

    arch: Architecture
    chip: ChipModel
    fabric: Fabric
    layout: Strategy
    stack: Stack
    batch: Array
    sequence: Array


def _bend(r: Array) -> Array:
    """Return residuals whose halved squares are the pseudo-Huber loss of ``r``."""
    return np.asarray(np.sign(r) * np.sqrt(2 * (np.sqrt(1 + r * r) - 1)))


class Problem:
    """Published runs as arrays, with the places of each on every level."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self.measured = np.log([run.measured_s / float(run.evaluating.ravel()[0]) for run in runs])
        size = Counter((run.family, run.group) for run in runs)
        self.weight = np.array([size[run.family, run.group] ** -WEIGHT_POWER for run in runs])
        self.dropped = np.array([run.dropped for run in runs])
        names = {
            "all": ["all" for _ in runs],
            "generation": [run.chip.generation or run.family for run in runs],
            "family": [run.family for run in runs],
            "stack": [run.stack.name for run in runs],
            "dtype": [run.dtype for run in runs],
            PAIR: [f"{run.family}, {run.stack.name}" for run in runs],
        }
        self.places = {level: sorted(set(of)) for level, of in names.items()}
        self.place = {level: np.array([self.places[level].index(name) for name in of]) for level, of in names.items()}
        self.effects: dict[tuple[str, str], slice] = {}
        self.count = 0
        for name, number in NUMBERS.items():
            for level in number.deviations:
                self.effects[name, level] = slice(self.count, self.count + len(self.places[level]))
                self.count += len(self.places[level])
        self._all = self._stacked()

    def _stacked(self) -> _Stacked:
        of = self.runs
        archs = [replace(run.arch, gated=float(run.arch.gated), tied=float(run.arch.tied)) for run in of]
        layouts = Strategy(*(np.array([float(np.ravel(getattr(run.strategies, p))[0]) for run in of]) for p in PARTS))
        batch, sequence = (np.array([getattr(run, name) for run in of]) for name in ("batch", "sequence"))
        chips = [
            replace(
                run.chip,
                peak={training.WIDE: run.chip.peak_of(training.WIDE), OWN: run.chip.peak_of(run.dtype)},
                curves={
                    training.WIDE: run.chip.curve_of(training.WIDE),
                    OWN: replace(run.chip.curve_of(run.dtype), narrow=1.0),
                },
            )
            for run in of
        ]
        fabrics, stacks = (stacked([getattr(run, name) for run in of]) for name in ("fabric", "stack"))
        return _Stacked(stacked(archs), stacked(chips), fabrics, layouts, stacks, batch, sequence)

    def latent(self, effects: Array) -> dict[str, Array]:
        """Return each number's distance to its centre, by run."""
        found = {}
        for name, number in NUMBERS.items():
            z = np.zeros(len(self.runs))
            for level, deviation in number.deviations.items():
                z += deviation * effects[self.effects[name, level]][self.place[level]]
            found[name] = z
        return found

    def predict(self, latent: Mapping[str, Array]) -> Array:
        """Return the logarithm of the predicted seconds a step, by run (the last axis)."""
        value = {name: number.value(latent[name]) for name, number in NUMBERS.items()}
        value["host_moe_s"] = np.where(self.dropped, value["host_s"], value["host_moe_s"])
        of_stack = {name: value[name] for name in STACK_NUMBERS if name in value} | {"slowdown": 1.0, "narrow": 1.0}
        of_chip = {name: value[name] for name in FITTED if name not in OF_FAMILIES} | dict.fromkeys(OF_FAMILIES, 1.0)
        a = self._all
        stack = replace(a.stack, **dict[str, Any](of_stack))
        chip = replace(a.chip, **dict[str, Any](of_chip))
        tokens = a.layout.micro_batch * a.sequence / a.layout.cp
        one = training.layer(a.arch, chip, a.fabric, a.layout, tokens, a.sequence, OWN, stack)
        parts = training.breakdown(a.arch, chip, a.fabric, a.layout, a.batch, a.sequence, one, stack)
        return np.asarray(np.log(sum(parts.values())))

    def slopes(self, latent: Mapping[str, Array], at: Array) -> dict[str, Array]:
        """Return how each run's logarithm of time rises with each number, by finite differences."""
        moved = {name: latent[name] + STEP * (np.arange(len(NUMBERS)) == i)[:, None] for i, name in enumerate(NUMBERS)}
        return dict(zip(NUMBERS, (self.predict(moved) - at) / STEP, strict=True))

    def errors(self, effects: Array) -> Array:
        """Return the logarithm of predicted over measured of each run."""
        return self.predict(self.latent(effects)) - self.measured

    def solve(self, keep: NDArray[np.bool_] | None = None) -> Array:
        """Return the effects that fit the runs, or those of them to ``keep``."""
        weight = np.sqrt(self.weight if keep is None else self.weight * keep)
        effects = np.zeros(self.count)
        for _ in range(STEPS):
            residual, slope = self._linear(effects, weight)
            loss = residual @ residual + effects @ effects
            move = np.linalg.solve(slope.T @ slope + np.eye(self.count), -(slope.T @ residual + effects))
            fallen = 0.0
            for _ in range(HALVINGS):
                trial = effects + move
                bent = weight * _bend(self.errors(trial) / SIGMA)
                fallen = loss - (bent @ bent + trial @ trial)
                if fallen > 0:
                    effects = trial
                    break
                move = move / 2
            if fallen < TOLERANCE * loss:
                break
        return effects

    def spreads(self, effects: Array) -> dict[tuple[str, str], float]:
        """Return by number and level the deviation under which the runs are more likely, as fitted ``effects`` say.

        Notes
        -----
        A step of expectation and maximisation on the marginal likelihood, with the effects normal around their mode
        (Laplace): the mean of effect ** 2 + variance scales a deviation ** 2.
        """
        _, slope = self._linear(effects, np.sqrt(self.weight))
        size = effects**2 + np.diag(np.linalg.inv(slope.T @ slope + np.eye(self.count)))
        return {
            (name, level): NUMBERS[name].deviations[level] * float(np.sqrt(size[at].mean()))
            for (name, level), at in self.effects.items()
        }

    def _linear(self, effects: Array, weight: Array) -> tuple[Array, Array]:
        """Return the weighted, bent residuals and their slopes in the effects."""
        latent = self.latent(effects)
        at = self.predict(latent)
        r = (at - self.measured) / SIGMA
        bent = _bend(r)
        tilt = np.where(np.abs(r) < 1e-6, 1.0, r / (np.sqrt(1 + r * r) * np.where(bent == 0, 1.0, bent)))
        columns = np.zeros((len(self.runs), self.count))
        for name, slope in self.slopes(latent, at).items():
            for level, deviation in NUMBERS[name].deviations.items():
                first = self.effects[name, level].start
                columns[np.arange(len(self.runs)), first + self.place[level]] = deviation * slope
        return weight * bent, (weight * tilt / SIGMA)[:, None] * columns

    def fit(self, effects: Array, stacks: Mapping[str, Stack]) -> Fit:
        """Return the numbers that effects stand for; a stack without runs takes the mean of all."""
        places, found = self.places, {}

        def value(name: str, **place: str) -> float:
            z = 0.0
            for level, deviation in NUMBERS[name].deviations.items():
                at = "all" if level == "all" else place.get(level, "")
                if at in places[level]:
                    z += deviation * float(effects[self.effects[name, level]][places[level].index(at)])
            return float(NUMBERS[name].value(np.array(z)))

        generation = {run.family: run.chip.generation or run.family for run in self.runs}
        for name in (PRIOR, *places["generation"], *places["family"]):
            place = {"generation": generation.get(name, name), "family": name}
            own = {number: value(number, **place) for number in FITTED if number not in OF_FAMILIES}
            own |= {number: value(of, **place) / value(of) for number, of in OF_FAMILIES.items()}
            found[name] = FamilyFit(**own)
        fitted = {}
        for name, stack in stacks.items():
            numbers = {number: value(number, stack=name) for number in STACK_NUMBERS if number in NUMBERS}
            for shared in ("slowdown", "narrow"):
                numbers[shared] /= value(shared)
            fitted[name] = replace(stack, **dict[str, Any](numbers))
        pairs = {
            (run.family, run.stack.name): value("slowdown", **{PAIR: f"{run.family}, {run.stack.name}"})
            / value("slowdown")
            for run in self.runs
        }
        kinds = [kind for kind in places["dtype"] if BYTES[kind] < BYTES[training.WIDE]]
        narrow = {kind: value("narrow", dtype=kind) / value("narrow") for kind in kinds}
        return Fit(found, fitted, pairs, narrow)


def solve(runs: Sequence[Run], stacks: Mapping[str, Stack]) -> Fit:
    """Return what all the runs say."""
    problem = Problem(runs)
    return problem.fit(problem.solve(), stacks)


def errors(runs: Sequence[Run], fit: Fit) -> Array:
    """Return the logarithm of predicted over measured of each run."""
    return np.array([np.log(fit.predict(run) / run.measured_s) for run in runs])


def left_out(runs: Sequence[Run], key: Callable[[Run], str], progress: Callable[[str], None] = lambda _: None) -> Array:
    """Return each run's error by the fit that saw no run of the same ``key``: its group, or its whole family.

    Each fit starts from nothing: from the fit to all runs, a few steps would still know what they are not to see.
    """
    problem = Problem(runs)
    keys = np.array([key(run) for run in runs])
    error = np.zeros(len(runs))
    for name in sorted(set(keys.tolist())):
        progress(name)
        mine = keys == name
        error[mine] = problem.errors(problem.solve(~mine))[mine]
    return error
