"""The two numbers of ECCN 3A090, total processing performance and performance density, with their arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.errors import InputError
from outlay.policy.decision import Item


@dataclass(frozen=True)
class Metric:
    """A number and how it was reached."""

    value: float
    text: str

    def against(self, limit: float) -> str:
        """Return the arithmetic with its side of a limit.

        Examples
        --------
        >>> Metric(2368.0, "TPP = 296 TOPS x 8 bit = 2368").against(2400)
        'TPP = 296 TOPS x 8 bit = 2368 < 2400'
        """
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
    if performance is None or item.die_area_mm2 is None:
        return None
    value = performance.value / item.die_area_mm2
    return Metric(value, f"PD = {plain(performance.value)} / {plain(item.die_area_mm2)} mm2 = {value:.3f}")


def check_item(item: Item) -> None:
    """Raise :class:`InputError` where a figure is not a positive number; missing figures are ``None``.

    Only chip-to-chip bandwidth may be zero: a part can have no link.
    """
    figures = {f"tops at {bits} bit": rate for bits, rate in item.tops.items()} | {
        "die_area_mm2": item.die_area_mm2,
        "dram_gbps": item.dram_gbps,
        "hbm_density": item.hbm_density,
    }
    wrong = {name: value for name, value in figures.items() if value is not None and not 0 < value < float("inf")}
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
