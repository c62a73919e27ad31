"""Country groups by date, read from a table with its sources."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from datetime import date
from importlib import resources


@dataclass(frozen=True)
class Membership:
    """Countries that belong to a group between two days, both included; ``None`` leaves an end open."""

    group: str
    countries: frozenset[str]
    first: date | None
    last: date | None
    source: str
    note: str


@functools.cache
def memberships() -> tuple[Membership, ...]:
    """Return the table."""
    text = resources.files("outlay.policy").joinpath("data/country_groups.csv").read_text(encoding="utf-8")
    return tuple(
        Membership(
            row["group"],
            frozenset(row["countries"].split()),
            date.fromisoformat(row["from"]) if row["from"] else None,
            date.fromisoformat(row["to"]) if row["to"] else None,
            row["source"],
            row["note"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@functools.cache
def in_group(country: str, group: str, on: date) -> bool:
    """Return whether a country (ISO 3166 alpha-2) is in a group on a day."""
    return any(
        entry.group == group
        and country in entry.countries
        and (entry.first is None or entry.first <= on)
        and (entry.last is None or on <= entry.last)
        for entry in memberships()
    )


def arms_embargoed(country: str, on: date) -> bool:
    """Return whether a country is Macau or in Country Group D:5, the line most of these rules draw."""
    return country == "MO" or in_group(country, "D:5", on)


def licensed_since_2023(country: str, on: date) -> bool:
    """Return whether 3A090 items need a licence to a country: D:1, D:4, D:5 less A:5 and A:6, Macau, and named ones."""
    if arms_embargoed(country, on) or in_group(country, "named-3A090", on):
        return True
    grouped = in_group(country, "D:1", on) or in_group(country, "D:4", on)
    return grouped and not (in_group(country, "A:5", on) or in_group(country, "A:6", on))
