"""The question put to the rules and their answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Mode = Literal["buy", "lease"]
Verdict = Literal["allowed", "conditional", "denied", "unknown"]


@dataclass(frozen=True)
class Item:
    """What would move: a chip by the figures the rules test.

    ``tops`` holds dense tera-operations per second by bit length; ``die_area_mm2`` is the area of all logic dies made
    with non-planar transistors. ``None`` is missing, never zero.
    """

    name: str
    vendor: str
    vendor_country: str
    tops: Mapping[int, float]
    die_area_mm2: float | None
    interconnect_gbps: float | None
    """Both directions together, GB/s."""
    dram_gbps: float | None
    """GB/s."""
    datacenter: bool | None
    available_in_us: bool | None = None
    """Whether it was sold in the United States when the January 2026 rule was published."""
    hbm_density: float | None = None
    """Bandwidth over area of a bare memory stack, GB/s per mm2; ``None`` for a processor."""


@dataclass(frozen=True)
class Transaction:
    """Who would get it, where, when and how. Countries are ISO 3166 alpha-2 codes."""

    on: date
    destination: str
    buyer_hq: str
    parent_hq: str
    exporter: str | None = None
    """Where it is shipped from; ``None`` leaves it open."""
    mode: Mode = "buy"
    owner_hq: str | None = None
    """Headquarters of the owner of leased machines."""
    end_use: Literal["datacenter", "consumer"] = "datacenter"
    state_funded: bool = False
    new_site: bool = False
    units: int | None = None
    """Chips the buyer gets in the calendar year; ``None`` where there is no small number to hold it to."""


@dataclass(frozen=True)
class Firing:
    """A rule that applied, with its citation and the arithmetic a lawyer can check."""

    rule: str
    title: str
    outcome: str
    citations: tuple[str, ...]
    arithmetic: tuple[str, ...] = ()
    status: str = ""
    confidence: str = ""


@dataclass(frozen=True)
class Decision:
    """The answer: an outcome code, what it means for the one who asks, and the rules that led there, in order."""

    code: str
    control_class: str
    verdict: Verdict
    firings: tuple[Firing, ...]
    arithmetic: tuple[str, ...] = ()
    confidence: str = ""
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=())

    @property
    def rules(self) -> list[str]:
        """Identifiers of the rules that fired, in order."""
        return [firing.rule for firing in self.firings]
