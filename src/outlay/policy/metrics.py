"""The numbers that rules test, total processing performance first among them, each with its arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.policy.decision import Item
    from outlay.policy.rule import Line

PCIE_BOUND_GBPS = 128.0
"""Both directions of PCI Express 5.0 x16: all that a card without a link of its own has besides its memory."""


@dataclass(frozen=True)
class Metric:
    """A number and how it was reached."""

    value: float
    text: str

    def against(self, limit: float, *, strict: bool = False) -> str:
        """Return the arithmetic with its side of a limit.

        Examples
        --------
        >>> Metric(2368.0, "TPP = 296 TOPS x 8 bit = 2368").against(2400)
        'TPP = 296 TOPS x 8 bit = 2368 < 2400'
        >>> Metric(2.0, "HBM density = 2").against(2, strict=True)
        'HBM density = 2 <= 2'
        """
        if strict:
            return f"{self.text} {'>' if self.value > limit else '<='} {plain(limit)}"
        return f"{self.text} {'>=' if self.value >= limit else '<'} {plain(limit)}"


def tpp(item: Item) -> Metric | None:
    """Return total processing performance, or ``None`` where no rate is known.

    The largest over bit lengths of dense TOPS times bit length of the inputs (ECCN 3A090, technical notes 1 and 2).
    2 x MacTOPS is the TOPS or FLOPS figure of a datasheet.
    """
    if not item.tops:
        return None
    bits = max(item.tops, key=lambda length: (item.tops[length] * length, -length))
    value = round(item.tops[bits] * bits, 6)  # 2614.9 x 8 is 20919.2, not 20919.200000000001
    return Metric(value, f"TPP = {plain(item.tops[bits])} TOPS x {bits} bit = {plain(value)}")


def performance_density(item: Item) -> Metric | None:
    """Return TPP over applicable die area, or ``None`` where either is missing.

    Applicable die area is that of all logic dies made with non-planar transistors, mm2 (ECCN 3A090, technical note 3).
    """
    performance = tpp(item)
    if performance is None or item.die_area_mm2 is None or item.planar:
        return None
    value = performance.value / item.die_area_mm2
    shown = f"{value:.3f}" if f"{value:.3f}" not in {"1.600", "3.200", "5.920"} else plain(value)
    return Metric(round(value, 9), f"PD = {plain(performance.value)} / {_area(item)} mm2 = {shown}")


def _area(item: Item) -> str:
    """Return the applicable die area, as a sum where the dies are given."""
    assert item.die_area_mm2 is not None
    counted = [die for die in item.dies if not die.planar]
    if not counted:
        return plain(item.die_area_mm2)
    return "(" + " + ".join(f"{die.count} x {plain(die.area_mm2)}" for die in counted) + ")"


def memory_density(item: Item) -> Metric | None:
    """Return bandwidth over area of a memory stack or its package, GB/s per mm2 (ECCN 3A090.c, technical note)."""
    name, unit = "memory bandwidth density", "GB/s/mm2"
    if item.hbm_density is not None:
        return Metric(item.hbm_density, f"{name} = {plain(item.hbm_density)} {unit}")
    if item.kind != "memory" or item.dram_gbps is None or item.die_area_mm2 is None:
        return None
    value = item.dram_gbps / item.die_area_mm2
    return Metric(value, f"{name} = {plain(item.dram_gbps)} / {plain(item.die_area_mm2)} = {value:.4g} {unit}")


def interconnect(item: Item) -> Metric | None:
    """Return chip-to-chip bandwidth; a card for games, or one known to have no link, has at most PCI Express."""
    if item.interconnect_gbps is not None:
        return Metric(item.interconnect_gbps, f"I/O = {plain(item.interconnect_gbps)} GB/s")
    if item.kind == "chip" and (item.no_link or item.datacenter is False):
        return Metric(PCIE_BOUND_GBPS, f"I/O <= {plain(PCIE_BOUND_GBPS)} GB/s (PCI Express)")
    return None


def dram(item: Item) -> Metric | None:
    """Return memory bandwidth."""
    return _simple(item.dram_gbps, "DRAM", " GB/s")


def dram_and_io(item: Item) -> Metric | None:
    """Return memory and chip-to-chip bandwidth together."""
    memory, links = dram(item), interconnect(item)
    if memory is None or links is None:
        return None
    value = memory.value + links.value
    return Metric(value, f"DRAM + I/O = {plain(memory.value)} + {plain(links.value)} = {plain(value)} GB/s")


def _simple(value: float | None, name: str, unit: str = "") -> Metric | None:
    return None if value is None else Metric(value, f"{name} = {plain(value)}{unit}")


FIGURES: dict[str, Callable[[Item], Metric | None]] = {
    "tpp": tpp,
    "pd": performance_density,
    "io": interconnect,
    "dram": dram,
    "dram_io": dram_and_io,
    "hbm_density": memory_density,
    "training_operations": lambda item: _simple(item.training_operations, "training operations"),
    "transistors": lambda item: _simple(item.transistors, "transistors"),
    "node_nm": lambda item: _simple(item.node_nm, "node", " nm"),
    "it_power_kw": lambda item: _simple(item.it_power_kw, "IT power", " kW"),
}
"""Every figure a rule may hold against a line, by name."""
WORDS = {
    "tpp": "TPP (TOPS x bits)",
    "pd": "performance density (TPP/mm2)",
    "io": "chip-to-chip bandwidth (GB/s, both directions)",
    "dram": "memory bandwidth (GB/s)",
    "dram_io": "memory and chip-to-chip bandwidth together (GB/s)",
    "hbm_density": "memory bandwidth density (GB/s/mm2)",
    "training_operations": "training operations",
    "transistors": "transistors",
    "node_nm": "process node (nm)",
    "it_power_kw": "installed IT power (kW)",
}


def arithmetic(item: Item, line: Line) -> str:
    """Return a figure of an item against a line, in a form that can be checked by hand; '' where it is missing."""
    metric = FIGURES[line.figure](item)
    return "" if metric is None else metric.against(line.at, strict=line.strict)


def check_item(item: Item) -> None:
    """Raise :class:`InputError` where a figure is not a positive number; missing figures are ``None``.

    Only chip-to-chip bandwidth may be zero: a part can have no link.
    """
    positive = (
        "die_area_mm2",
        "dram_gbps",
        "hbm_density",
        "training_operations",
        "transistors",
        "node_nm",
        "it_power_kw",
    )
    figures = {f"tops at {bits} bit": rate for bits, rate in item.tops.items()}
    figures |= {f"area_mm2 of die {i + 1}": die.area_mm2 for i, die in enumerate(item.dies)}
    figures |= {name: value for name in positive if (value := getattr(item, name)) is not None}
    wrong = {name: value for name, value in figures.items() if not 0 < value < float("inf")}
    if item.interconnect_gbps is not None and not 0 <= item.interconnect_gbps < float("inf"):
        wrong["interconnect_gbps"] = item.interconnect_gbps
    for name, value in wrong.items():
        msg = f"{item.name}: {name} is {value}; expected a number above zero, or leave it out where it is missing"
        raise InputError(msg)


def plain(value: float) -> str:
    """Return a number without needless digits.

    Examples
    --------
    >>> plain(2368.0), plain(20919.2), plain(732.86)
    ('2368', '20919.2', '732.86')
    """
    return f"{value:.10g}"
