"""What the formulas leave unexplained, learnt from published runs: kriging of the logarithm of measured over predicted.

A Gaussian process (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equations 2.25 and 2.26, and
5.9 for its few numbers). Two runs are alike by the names they share (chip, family, engine, release, model, kind of
model, types) and by how near their sizes and the shares of their time are. Runs of one group share an offset of their
own that no run of another group has, so a group of many rows counts as one witness.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NAMES = (
    ("chip",),
    ("unmeasured",),
    ("family",),
    ("engine",),
    ("release",),
    ("model",),
    ("kind",),
    ("types", "family"),
    ("types", "vendor"),
    ("load", "engine"),
    ("family", "kind"),
    ("engine", "kind"),
    ("engine", "family"),
    ("model", "engine"),
    ("model", "types"),
    ("group",),
    ("source", "group"),
    ("rare", "group"),
)
"""Names that runs share, alone or together. A run that lacks one, as Nvidia's lack the name of a rare vendor, shares it
with none: groups of rare vendors have an offset of a variance of their own, twice that of Nvidia's in throughput."""
LENGTHS = np.array([2.5, 2.0, 2.0, 1.2, 2.0, 1.0, 2.0, 2.0, 0.3, 0.3, 1.0, 2.5])
"""Scale of each number of :data:`outlay.performance.serving.places.PLACE` over which runs differ."""
SMOOTH = (("by vendor", ("vendor",)), ("by release", ("release",)), ("by kind", ("kind", "vendor")))
"""Smooth departures over the sizes of a run: of a vendor's chips, whose kernels and collectives are of one make, of an
engine's release, and of a kind of model's on a vendor's chips."""
NUMBERS = (
    *("+".join(names) for names in NAMES),
    *(f"smooth {name}" for name, _ in SMOOTH),
    "noise",
)
"""Variances of the process, by name."""
START = np.log([0.003] * len(NAMES) + [0.01] * len(SMOOTH) + [0.01])
LEFT_OUT = {"throughput": ("model+types",)}
"""Names that make groups left out worse in a metric: what runs of a model share there is mostly their chip's types."""
HELD = 1.5
"""How far, in logarithms, a variance is expected from its start."""
LARGEST = 0.8
"""Largest logarithm of measured over predicted that is believed; more is a row that does not say what it measured."""


@dataclass(frozen=True)
class Points:
    """Runs as the process sees them.

    Attributes
    ----------
    names
        Codes of the shared names, (points, names of :data:`NAMES` and :data:`SMOOTH`).
    place
        Sizes over their lengths, (points, sizes).
    """

    names: NDArray[np.int64]
    place: Array

    def take(self, index: NDArray[np.intp]) -> Points:
        """Return some of the points."""
        return Points(self.names[index], self.place[index])


def points(traits: Sequence[Mapping[str, str]], place: Array) -> Points:
    """Return points of runs by their traits and sizes."""
    together = (*NAMES, *(names for _, names in SMOOTH))
    codes = [[_code([trait[name] for name in names]) for names in together] for trait in traits]
    return Points(np.array(codes, dtype=np.int64).reshape(len(traits), len(together)), np.asarray(place) / LENGTHS)


def _code(words: Sequence[str]) -> int:
    """Return a number for names together, 0 where one is missing."""
    return zlib.crc32("/".join(words).encode()) if all(words) else 0


def _shared(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((a == b) & (a != 0))


def _terms(a: Points, b: Points) -> list[Array]:
    """Return what each variance multiplies, for each pair of points: equal names, nearness of sizes."""
    same = [_shared(a.names[:, i, None], b.names[None, :, i]).astype(float) for i in range(a.names.shape[1])]
    near = _nearness(a, b)
    return [*same[: len(NAMES)], *(near * one for one in same[len(NAMES) :])]


def _nearness(a: Points, b: Points) -> Array:
    square = (a.place**2).sum(1)[:, None] + (b.place**2).sum(1)[None, :] - 2.0 * a.place @ b.place.T
    return np.asarray(np.exp(-np.sqrt(np.maximum(square, 0.0)) / 4.0))


def covariance(variances: Array, a: Points, b: Points) -> Array:
    """Return the covariance of points with points, without noise: the sum of :func:`_terms`, none of them kept."""
    sums = np.zeros((2, len(a.names), len(b.names)))
    for i, v in enumerate(variances[:-1]):
        sums[int(i >= len(NAMES))] += v * _shared(a.names[:, i, None], b.names[None, :, i])
    return np.asarray(sums[0] + sums[1] * _nearness(a, b))


@dataclass(frozen=True)
class Local:
    """The mean of the process at places that share all their names: an offset, and what the nearest of the seen add."""

    offset: float
    place: NDArray[np.float32]
    scale: Array

    def mean(self, place: Array) -> Array:
        """Return :func:`covariance` times the weights of the seen at each place."""
        at, far = (place / LENGTHS).astype(np.float32), self.place
        square = (at**2).sum(1)[:, None] + (far**2).sum(1) - 2.0 * at @ far.T
        near = np.exp(-np.sqrt(np.maximum(square, np.float32(0.0))) / np.float32(4.0))
        return np.asarray(self.offset + near @ self.scale, dtype=float)


def local(variances: Array, seen: Points, weights: Array, names: NDArray[np.int64]) -> Local:
    """Return the mean of the process where ``names`` are shared; of the seen, those that add a thousandth are kept."""
    n = len(NAMES)
    same = _shared(seen.names, names).astype(float)
    scale = weights * (same[:, n:] @ variances[n:-1])
    kept = np.abs(scale) > 1e-3 * np.abs(scale).max()
    offset = float(weights @ (same[:, :n] @ variances[:n]))
    return Local(offset, seen.place[kept].astype(np.float32), scale[kept])


def fit_variances(metric: str, of: Points, residuals: Array) -> Array:
    """Return the variances that make the residuals likeliest (equations 5.8 and 5.9), each held near its start."""
    from scipy.optimize import minimize

    terms, y = _terms(of, of), np.clip(residuals, -LARGEST, LARGEST)

    def loss(logs: Array) -> tuple[float, Array]:
        v = np.exp(logs)
        whole = sum((a * term for a, term in zip(v, terms, strict=False)), (v[-1] + 1e-8) * np.eye(len(y)))
        factor = np.linalg.cholesky(whole)
        inverse = np.linalg.inv(whole)
        weights = inverse @ y
        pull = inverse - np.outer(weights, weights)
        slope = np.array(
            [*(a * np.vdot(pull, term) for a, term in zip(v, terms, strict=False)), v[-1] * np.trace(pull)]
        )
        held = (logs - START) / HELD
        value = 0.5 * y @ weights + np.log(np.diag(factor)).sum() + 0.5 * held @ held
        return float(value), 0.5 * slope + held / HELD

    nothing = [name in LEFT_OUT.get(metric, ()) for name in NUMBERS]
    bounds = [(-11.0, -11.0 if out else 0.0) for out in nothing]
    start = np.where(nothing, -11.0, START)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 40})
    return np.exp(found.x)


@dataclass(frozen=True)
class Kriging:
    """A process with the points it has seen."""

    variances: Array
    seen: Points
    inverse: Array
    weights: Array

    def at(self, where: Points) -> tuple[Array, Array]:
        """Return mean and standard deviation of the logarithm of measured over predicted."""
        across = covariance(self.variances, where, self.seen)
        prior = self.prior(where)
        known = ((across @ self.inverse) * across).sum(1)
        return across @ self.weights, np.sqrt(np.maximum(prior - known, 0.0) + self.variances[-1])

    def mean(self, where: Points) -> Array:
        """Return the mean alone."""
        return np.asarray(covariance(self.variances, where, self.seen) @ self.weights)

    def prior(self, where: Points) -> Array:
        """Return the variance of points of which nothing is known."""
        return np.full(len(where.names), float(self.variances[:-1].sum()))

    def without(self, gone: NDArray[np.bool_]) -> Kriging:
        """Return the process as if some points had not been seen, by the inverse of a partitioned matrix."""
        kept = ~gone
        if not gone.any():
            return self
        corner = np.linalg.solve(self.inverse[np.ix_(gone, gone)], self.inverse[np.ix_(gone, kept)])
        inverse = self.inverse[np.ix_(kept, kept)] - self.inverse[np.ix_(kept, gone)] @ corner
        values = np.linalg.solve(self.inverse[np.ix_(gone, gone)], self.weights[gone])
        weights = self.weights[kept] - self.inverse[np.ix_(kept, gone)] @ values
        return Kriging(self.variances, self.seen.take(np.flatnonzero(kept)), inverse, weights)


def factor(variances: Array, seen: Points) -> Array:
    """Return the Cholesky factor of the covariance of what was seen, noise included: worth keeping for many places."""
    whole = covariance(variances, seen, seen)
    whole[np.diag_indices_from(whole)] += variances[-1] + 1e-8
    return np.asarray(np.linalg.cholesky(whole), dtype=float)


def deviation(variances: Array, seen: Points, lower: Array, where: Points) -> Array:
    """Return the deviations of :meth:`Kriging.at` by the :func:`factor` ``lower``."""
    from scipy.linalg import solve_triangular

    known = (solve_triangular(lower, covariance(variances, seen, where), lower=True) ** 2).sum(0)
    return np.asarray(np.sqrt(np.maximum(variances[:-1].sum() - known, 0.0) + variances[-1]))


def krige(variances: Array, seen: Points, residuals: Array) -> Kriging:
    """Return the process that has seen ``residuals`` at points."""
    whole = covariance(variances, seen, seen) + (variances[-1] + 1e-8) * np.eye(len(residuals))
    inverse = np.linalg.inv(whole)
    return Kriging(variances, seen, inverse, inverse @ np.clip(residuals, -LARGEST, LARGEST))
