"""Where a number comes from: sources, statuses, figures with their competing values, and claims somebody made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["STATUSES", "Alternative", "Claim", "Figure", "Source", "Status"]

Status = Literal[
    "measured",
    "datasheet",
    "vendor-claim",
    "official",
    "company",
    "press-report",
    "analyst-estimate",
    "denied",
    "assumed",
    "derived",
]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Source:
    """A document a figure was read in."""

    title: str
    address: str
    locator: str = ""
    read: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.title, self.address, self.locator) if part)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A competing value of a figure, and why it is not the preferred one."""

    value: float | str
    unit: str
    status: Status
    source: Source
    why: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its unit, source and status, and the values that compete with it.

    Attributes
    ----------
    value
        In ``unit``, as the source prints it.
    reason
        Why this value is preferred where ``alternatives`` is not empty.
    """

    value: float | str
    unit: str
    status: Status
    source: Source
    note: str = ""
    reason: str = ""
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure somebody stated, who said so through whom, and who denies it."""

    says: str
    by: str
    status: Status
    date: str = ""
    denied_by: str = ""
    address: str = ""
