"""What published runs say of a chip family: slowdown, host, error band and the best MFU ever measured."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from outlay.performance.chip import PRIOR, ChipModel, rows

FAMILY_NUMBERS = ("slowdown", "narrow", "host")


@dataclass(frozen=True)
class FamilyFit:
    """Fitted numbers of a family.

    Attributes
    ----------
    slowdown
        Kernels in a running step over kernels alone.
    narrow
        Further slowdown where GEMMs run in less than 16 bits.
    host
        Seconds the hosts of its systems take to launch a layer, over those of the stack.
    """

    slowdown: float = 1.0
    narrow: float = 1.0
    host: float = 1.0


@dataclass(frozen=True)
class Family:
    """A family as calibrated.

    Attributes
    ----------
    low, high
        Nine of ten measured runs lie between these multiples of their prediction.
    envelope, envelope_narrow
        Best measured MFU in bf16, and in less than 16 bits; 0 where there is none.
    basis
        How many runs stand behind it, in words.
    """

    name: str
    fit: FamilyFit
    low: float
    high: float
    rows: int
    groups: int
    envelope: float
    envelope_narrow: float

    @property
    def measured(self) -> bool:
        """Whether any run of it was measured."""
        return self.rows > 0


@functools.cache
def families() -> Mapping[str, Family]:
    """Return the families, their generations and the class by name."""
    return {row["family"]: family_from(row) for row in rows("families.csv")}


def family_from(row: Mapping[str, str]) -> Family:
    """Return a family from a row of the data file."""
    return Family(
        name=row["family"],
        fit=FamilyFit(*(float(row[name]) for name in FAMILY_NUMBERS)),
        low=float(row["low"]),
        high=float(row["high"]),
        rows=int(row["rows"]),
        groups=int(row["groups"]),
        envelope=float(row["best_mfu"] or 0),
        envelope_narrow=float(row["best_mfu_narrow"] or 0),
    )


def family_of(chip: ChipModel) -> Family:
    """Return the family of a chip, its generation where the family was never measured, or the class."""
    table = families()
    return table.get(chip.family) or table.get(chip.generation) or table[PRIOR]
