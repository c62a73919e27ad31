"""The question put to the rules and their answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from outlay.policy.codes import Verdict

Mode = Literal["buy", "lease", "service", "foundry"]
"""A lease asks for the hardware's way to its owner too; a service, such as a cloud, asks for the renting alone."""
Kind = Literal["chip", "memory", "weights", "model", "site", "any"]
Clock = Literal["law", "practice"]
ANYWHERE = "ZZ"
"""The user-assigned country code that stands for no place in particular: a member of no group."""
UNION = "EU"
"""The reserved country code that stands for the market of the European Union."""


@dataclass(frozen=True)
class Die:
    """Logic dies of one kind in a package; caches and I/O dies are logic, memory stacks are not.

    ``planar`` dies, made with planar transistors, count for no area.
    """

    area_mm2: float
    count: int = 1
    planar: bool = False


@dataclass(frozen=True)
class Item:
    """What would move, by the figures the rules test. ``None`` is missing, never zero.

    Attributes
    ----------
    tops
        Dense tera-operations per second by bit length of the inputs to the multiply.
    die_area_mm2
        Area of all logic dies made with non-planar transistors, mm2; summed over ``dies`` where those are given.
    interconnect_gbps
        Chip-to-chip bandwidth, both directions together, GB/s; memory links do not count.
    dram_gbps
        Memory bandwidth, GB/s.
    datacenter
        Whether it is designed or marketed for data centres.
    available_in_us
        Whether it was sold in the United States when the January 2026 rule was published.
    hbm_density
        Bandwidth over area of a memory stack, GB/s per mm2.
    kind
        ``chip``; ``memory`` (a stack); ``weights`` (of a model, as technology); ``model`` (placed on a market);
        ``site`` (a data centre); ``any`` (something of which no figure is asked).
    planar
        Made with planar transistors alone: no die area counts.
    processing_dominant
        Memory packaged with logic whose dominant function is processing.
    training_operations
        Operations spent on training, for weights and models.
    open_weights
        Whether the weights are published.
    transistors, node_nm, has_hbm
        Of the packaged circuit, for the rule on foundries.
    it_power_kw
        Installed IT power of a site.
    dies
        The logic dies of the package one by one, in place of ``die_area_mm2``.
    no_link
        Known to have no link of its own beside PCI Express, whose speed then bounds a missing ``interconnect_gbps``.
    """

    name: str
    vendor: str
    vendor_country: str
    tops: Mapping[int, float]
    die_area_mm2: float | None
    interconnect_gbps: float | None
    dram_gbps: float | None
    datacenter: bool | None
    available_in_us: bool | None = None
    hbm_density: float | None = None
    kind: Kind = "chip"
    planar: bool = False
    processing_dominant: bool = False
    training_operations: float | None = None
    open_weights: bool = False
    transistors: float | None = None
    node_nm: float | None = None
    has_hbm: bool | None = None
    it_power_kw: float | None = None
    no_link: bool = False
    dies: tuple[Die, ...] = ()

    def __post_init__(self) -> None:
        """Take an item with a memory density alone for memory; add up the area of dies that counts."""
        if self.dies:
            area = sum(die.area_mm2 * die.count for die in self.dies if not die.planar)
            object.__setattr__(self, "die_area_mm2", area or None)
            object.__setattr__(self, "planar", not area)
        if self.kind == "chip" and self.hbm_density is not None and not self.tops:
            object.__setattr__(self, "kind", "memory")


@dataclass(frozen=True)
class Transaction:
    """Who would get it, where, when and how. Countries are ISO 3166 alpha-2 codes; ``ZZ`` is anywhere.

    Attributes
    ----------
    exporter
        Where it is shipped from; ``None`` leaves it open.
    owner_hq
        Headquarters of the owner of leased machines; a lease without one cannot be answered.
    end_use
        ``analysis`` is technical analysis or destructive testing.
    state_funded, public_buyer, new_site, progress
        Public money in the data centre; a government, public body or state firm buys; it is being built; how much of
        it is built, 0 to 1.
    units
        Chips the buyer gets in the calendar year; ``None`` where there is no small number to hold it to.
    onward
        Where goods imported into ``destination`` go on to; ``None`` where they stay.
    listed_share
        Share of the buyer that listed parties own, directly or not, added up, 0 to 1.
    """

    on: date
    destination: str
    buyer_hq: str
    parent_hq: str
    exporter: str | None = None
    mode: Mode = "buy"
    owner_hq: str | None = None
    end_use: Literal["datacenter", "consumer", "analysis"] = "datacenter"
    state_funded: bool = False
    new_site: bool = False
    units: int | None = None
    public_buyer: bool = False
    progress: float | None = None
    listed_share: float = 0.0
    onward: str | None = None


@dataclass(frozen=True)
class PriceFactor:
    """What a rule does to a price.

    Attributes
    ----------
    kind
        ``tariff``: a rate on the dutiable value; ``revenue-share``: a part of the seller's revenue that a government
        takes; ``subsidy``: a part of the price that a government pays.
    applies_to
        ``hardware`` or ``energy``.
    rate
        As a share, 0.25 for 25 %.
    rule
        Identifier of the rule.
    """

    kind: Literal["tariff", "revenue-share", "subsidy"]
    applies_to: Literal["hardware", "energy"]
    rate: float
    words: str
    rule: str = ""

    def multiplier(self, passed_on: float = 1.0) -> float:
        """Return what the buyer's price is multiplied by, where ``passed_on`` (0 to 1) of the burden is the buyer's.

        A seller who must hand over a share ``r`` of his revenue and passes it on whole asks ``1 / (1 - r)``.

        Examples
        --------
        >>> PriceFactor("tariff", "hardware", 0.25, "").multiplier()
        1.25
        >>> PriceFactor("revenue-share", "hardware", 0.15, "").multiplier(0.0)
        1.0
        """
        share = self.rate * passed_on
        if self.kind == "tariff":
            return 1 + share
        return 1 / (1 - share) if self.kind == "revenue-share" else 1 - share


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
    says: str = ""
    """The code of this rule alone; '' where it gives none."""
    clock: Clock = "law"
    factor: PriceFactor | None = None


@dataclass(frozen=True)
class Decision:
    """The answer: an outcome code, what it means for the one who asks, and the rules that led there, in order.

    Attributes
    ----------
    verdict
        Both clocks together: what one can count on.
    law
        The verdict of the law alone, without what is only reported.
    hardware_code
        For a lease, the code of the hardware's way to its owner.
    """

    code: str
    control_class: str
    verdict: Verdict
    firings: tuple[Firing, ...]
    arithmetic: tuple[str, ...] = ()
    confidence: str = ""
    warnings: tuple[str, ...] = ()
    missing: tuple[str, ...] = field(default=())
    law: Verdict = "allowed"
    hardware_code: str = ""

    @property
    def rules(self) -> list[str]:
        """Identifiers of the rules that fired, in order."""
        return [firing.rule for firing in self.firings]

    @property
    def factors(self) -> tuple[PriceFactor, ...]:
        """What the rules do to the price, in order."""
        return tuple(firing.factor for firing in self.firings if firing.factor is not None)
