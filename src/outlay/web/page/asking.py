"""Reads what people type into fields about a transaction; each complaint is raised where its field can show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.catalog import Chip
    from outlay.web.page.state import Session

CHINA = "CN"


def country(text: str) -> str:
    """Read a country by code or name, ``EU`` or ``any``."""
    from outlay.policy.countries import place

    if not text:
        msg = "name a country, such as CN or Malaysia"
        raise InputError(msg)
    return place(text)


def maybe_country(text: str) -> str | None:
    """Read a country, or nothing."""
    return country(text) if text else None


def day(text: str) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a date; expected year, month and day, such as 2025-03-01"
        raise InputError(msg) from None


def maybe_day(text: str) -> date | None:
    """Read a date, or nothing."""
    return day(text) if text else None


def above_zero(text: str) -> float:
    """Read a number above zero as people write it, such as 8192, 8k or 4 million."""
    from outlay.units import quantity

    value = float(quantity(text, ""))
    if value <= 0:
        msg = f"expected a number above zero, not {text!r}"
        raise InputError(msg)
    return value


def whole(text: str, least: int, most: int) -> int:
    """Read a whole number within bounds."""
    from outlay.units import quantity

    value = quantity(text, "")
    if value != int(value) or not least <= value <= most:
        msg = f"expected a whole number from {least:,} to {most:,}, not {text!r}"
        raise InputError(msg)
    return int(value)


def given(text: str) -> str:
    """Read the name of a chip or a system."""
    if not text:
        msg = "name a chip or a system of the catalogue, such as H20 96GB"
        raise InputError(msg)
    return text


def buyer_of(now: Session) -> tuple[str, str, str, date]:
    """Return where the scenario in hand sends machines, headquarters of buyer and parent, and its knowledge date."""
    from outlay.scenario.load import read_scenario

    try:
        scenario = read_scenario(now.text, now.name, files=False)
    except InputError:
        return CHINA, CHINA, CHINA, date(2025, 1, 22)
    home = [site.country for site in scenario.sites if site.country == scenario.buyer.headquarters]
    first = (home or [site.country for site in scenario.sites])[0]
    return first, scenario.buyer.headquarters, scenario.buyer.parent, scenario.knowledge_date


def vendors_by_country(chips: Sequence[Chip]) -> dict[str, int]:
    """Return how many chips are made by firms of each country, the most first."""
    counts: dict[str, int] = {}
    for chip in chips:
        counts[chip.vendor_country] = counts.get(chip.vendor_country, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))
