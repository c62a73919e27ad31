"""What published runs say of a chip family: its numbers in a running step, and the band of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outlay.performance.chip import PRIOR, ChipModel, family_row

Array = NDArray[np.float64]

INSIDE = 0.9
"""Share of measured runs that a band is to hold."""
LEAST_GROUPS = 8
"""A family with fewer groups of related runs takes the band of all families."""


@dataclass(frozen=True)
class FamilyFit:
    """The fitted numbers of a family, as :class:`outlay.performance.chip.ChipModel` has them."""

    slowdown: float = 1.0
    narrow: float = 1.0
    host: float = 1.0
    elementwise: float = 1.0
    attention: float = 1.0
    moe: float = 1.0

    def on(self, chip: ChipModel) -> ChipModel:
        """Return a chip with these numbers."""
        return replace(chip, **asdict(self))


@dataclass(frozen=True)
class Band:
    """Between which multiples of a prediction nine of ten measured runs lie, and how many stand behind that.

    Attributes
    ----------
    measured
        Whether any run of the family itself was measured; a family without takes the widest band of all.
    """

    family: str
    low: float
    high: float
    rows: int
    groups: int

    @property
    def measured(self) -> bool:
        """Whether any run stands behind it."""
        return self.rows > 0


def band_from(row: Mapping[str, str]) -> Band:
    """Return the band of a row of the data file."""
    return Band(row["family"], float(row["low"]), float(row["high"]), int(row["rows"]), int(row["groups"]))


def band_of(chip: ChipModel) -> Band:
    """Return the band of a chip's family, or that of chips never measured."""
    return band_from(family_row(chip.family, chip.generation))


def conformal(families: Array, groups: Array, weight: Array, error: Array, strange: Array) -> dict[str, Band]:
    """Return the band of each family, and under ``PRIOR`` that of a family never measured.

    Parameters
    ----------
    families, groups
        Names by run.
    weight
        Of each run.
    error
        Logarithm of predicted over measured, by a fit that did not see the run's group.
    strange
        The same by a fit that did not see the run's family.

    Notes
    -----
    Split-conformal quantiles of measured over predicted (Lei et al., arXiv:1604.04173, section 2), over runs weighted
    as in the fit, each tail cut by 1 / (groups + 1) as for a sample of that many.
    """
    every = _quantiles(-error, weight, len(set(groups.tolist())))
    found = {}
    for family in sorted(set(families.tolist())):
        mine = families == family
        count = len(set(groups[mine].tolist()))
        low, high = _quantiles(-error[mine], weight[mine], count) if count >= LEAST_GROUPS else every
        found[family] = Band(family, low, high, int(mine.sum()), count)
    low, high = _quantiles(-strange, weight, len(found))
    return {**found, PRIOR: Band(PRIOR, min(low, every[0]), max(high, every[1]), 0, 0)}


def _quantiles(values: Array, weight: Array, groups: int) -> tuple[float, float]:
    order = np.argsort(values)
    share = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    tail = max((1 - INSIDE) / 2 - 1 / (groups + 1) / 2, 0.0)
    low, high = np.interp([tail, 1 - tail], share, values[order])
    return float(np.exp(min(low, 0.0))), float(np.exp(max(high, 0.0)))
