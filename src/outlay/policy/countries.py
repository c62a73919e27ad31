"""Country groups by date, read from a table with its sources."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from datetime import date
from importlib import resources

from outlay.errors import InputError, unknown
from outlay.policy.decision import ANYWHERE, UNION
from outlay.units import country_code


@dataclass(frozen=True)
class Membership:
    """Countries that belong to a group between two days, both included; ``None`` leaves an end open.

    ``announced`` and ``end_announced`` are the days on which beginning and end became public: those days themselves
    where nothing else is known.
    """

    group: str
    countries: frozenset[str]
    first: date | None
    last: date | None
    announced: date | None
    end_announced: date | None
    source: str
    note: str


@functools.cache
def memberships() -> tuple[Membership, ...]:
    """Return the table."""

    def day(row: dict[str, str], name: str) -> date | None:
        return date.fromisoformat(row[name]) if row[name] else None

    text = resources.files("outlay.policy").joinpath("data/country_groups.csv").read_text(encoding="utf-8")
    return tuple(
        Membership(
            row["group"],
            frozenset(row["countries"].split()),
            day(row, "from"),
            day(row, "to"),
            day(row, "announced") or day(row, "from"),
            day(row, "end_announced") or day(row, "to"),
            row["source"],
            row["note"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def members(group: str, on: date) -> list[str]:
    """Return the countries of a group on a day, sorted; raise :class:`InputError` for an unknown group."""
    entries = [entry for entry in memberships() if entry.group == group]
    if not entries:
        groups = list(dict.fromkeys(entry.group for entry in memberships()))
        raise InputError(unknown("country group", group, groups, see=f"groups: {', '.join(groups)}"))
    found: set[str] = set()
    for entry in entries:
        if (entry.first is None or entry.first <= on) and (entry.last is None or on <= entry.last):
            found |= entry.countries
    return sorted(found)


def place(text: str) -> str:
    """Return the code of a country, of anywhere for ``any``, or of the European Union.

    Examples
    --------
    >>> place("Malaysia"), place("any"), place("EU")
    ('MY', 'ZZ', 'EU')
    """
    wanted = text.strip().casefold()
    if wanted in {"any", "anywhere", ANYWHERE.casefold()}:
        return ANYWHERE
    return UNION if wanted in {"eu", "european union"} else country_code(text)
