"""Reads what people type into fields about a transaction; each complaint is raised where its field can show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from outlay.errors import CatalogError, InputError

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip
    from outlay.policy import Item
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


def named_item(catalog: Catalog, name: str) -> tuple[Chip, Item]:
    """Return a chip, or the chip a system holds under the system's name, as `outlay check` does."""
    from outlay.policy import item_of

    if not name:
        msg = "name a chip or a system of the catalogue, such as H20 96GB"
        raise InputError(msg)
    try:
        chip = catalog.chip(name)
    except CatalogError as no_chip:
        try:
            system = catalog.system(name)
        except CatalogError:
            raise no_chip from None
        chip = catalog.chip(system.chip)
        return chip, replace(item_of(chip), name=f"{system.name} ({chip.name})")
    return chip, item_of(chip)


def announced(chip: Chip) -> date | None:
    """Return the first day of the time a chip was announced in; ``None`` where it is not known."""
    parts = [int(part) for part in chip.announced.split("-") if part.isdigit()]
    year, month, first = (*parts, 1, 1, 1)[:3]
    return date(year, month, first) if parts else None


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
