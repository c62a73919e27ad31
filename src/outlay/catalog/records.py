"""The catalogue's records: each figure with unit, source and status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from outlay.errors import MissingFigureError
from outlay.evidence import Figure, Source, Status

# Units the data files use, and what one of them is in SI.
SI = {
    "TFLOP/s": 1e12,
    "TOP/s": 1e12,
    "GB": 1e9,
    "TB/s": 1e12,
    "GB/s": 1e9,
    "Gb/s": 1e9 / 8,
    "MB": 1e6,
    "W": 1.0,
    "kW": 1e3,
    "MW": 1e6,
    "mm2": 1.0,
    "": 1.0,
}


@dataclass(frozen=True)
class Record:
    """A thing with figures.

    Attributes
    ----------
    figures
        By field name; a field without a figure is missing, which is not zero.
    """

    name: str
    figures: Mapping[str, Figure] = field(default_factory=dict, repr=False)
    aliases: tuple[str, ...] = ()
    notes: str = ""
    kind: ClassVar[str] = "record"

    def number(self, name: str) -> float | None:
        """Return a figure in SI units (FLOP/s, bytes, bytes/s, watts, mm2), or ``None`` where it is missing."""
        figure = self.figures.get(name)
        if figure is None or isinstance(figure.value, str):
            return None
        return figure.value * SI.get(figure.unit, 1.0)

    def need(self, name: str) -> float:
        """Return a figure in SI units, or raise :class:`MissingFigureError`."""
        value = self.number(name)
        if value is None:
            msg = f"{self.kind} {self.name!r}: no source gives {name}"
            raise MissingFigureError(msg)
        return value

    def text(self, name: str) -> str | None:
        """Return a figure that is text, or ``None`` where it is missing."""
        figure = self.figures.get(name)
        return None if figure is None else str(figure.value)


@dataclass(frozen=True)
class Chip(Record):
    """One accelerator package."""

    vendor: str = ""
    vendor_country: str = ""
    announced: str = ""
    available: str = ""
    confidence: str = ""
    kind: ClassVar[str] = "chip"

    def peak(self, dtype: str) -> float | None:
        """Return the dense peak in FLOP/s (operations/s for int8), or ``None`` where no source gives it."""
        return self.number({"int8": "int8_tops"}.get(dtype, f"{dtype}_tflops"))


@dataclass(frozen=True)
class System(Record):
    """What one buys: a server, a rack, a supernode."""

    vendor: str = ""
    vendor_country: str = ""
    chip: str = ""
    """Name of its chip in the catalogue."""
    chips: int = 0
    """Chips in the unit one buys (8 for a server, 72 for an NVL72 rack, 384 for a CloudMatrix)."""
    chips_per_node: int = 0
    """Chips under one host."""
    scaleup_domain: int = 0
    """Chips in one scale-up domain."""
    kind: ClassVar[str] = "system"


@dataclass(frozen=True)
class Model(Record):
    """A foundation model's architecture; its dimensions are figures."""

    family: str = ""
    vendor: str = ""
    vendor_country: str = ""
    type: str = ""
    kind: ClassVar[str] = "model"


@dataclass(frozen=True)
class SiteRecord(Record):
    """A place with what is known of its power, energy price, PUE and building cost."""

    country: str = ""
    kind: ClassVar[str] = "site"


@dataclass(frozen=True)
class Price:
    """A price observation."""

    item: str
    chip: str
    """Chip of the catalogue it speaks of, or ''."""
    low: float | None
    high: float | None
    currency: str
    unit: str
    """per chip, per chip-hour, per 8-GPU server ..."""
    date: str
    kind: str
    status: Status
    source: Source
    note: str = ""


@dataclass(frozen=True)
class SupplyRecord:
    """A statement of how many chips exist, are made or are bought."""

    vendor: str
    product: str
    quantity: str
    low: float | None
    high: float | None
    unit: str
    period: str
    place: str
    status: Status
    source: Source
    attribution: str = ""
    dispute: str = ""
    note: str = ""
    date: str = ""
    """When it was said."""


@dataclass(frozen=True)
class Cost:
    """A cost observation of a region: construction, electricity, PUE, rent, depreciation."""

    group: str
    item: str
    region: str
    low: float | None
    high: float | None
    unit: str
    period: str
    status: Status
    date: str
    source: Source
    attribution: str = ""
    note: str = ""
