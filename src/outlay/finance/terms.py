"""The terms of owning: shares, lives and rates that turn a price into a cost, each a figure with its source."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources

from outlay.errors import InputError, MissingFigureError, unknown
from outlay.evidence import STATUSES, Figure, Source, Status

RANGES: Mapping[str, tuple[float, float]] = {
    "price_path": (-0.99, 10.0),
    "cost_of_capital": (-0.99, 10.0),
    "finance_lease_rate": (-0.99, 10.0),
    "server_life": (0.25, 40.0),
    "build_life": (0.25, 100.0),
    "availability": (0.01, 1.0),
    "load": (0.0, 1.0),
    "vat_recovered": (0.0, 1.0),
    "salvage_per_year": (0.0, 1.0),
    "prepaid_discount": (0.0, 0.99),
    "loan_to_cost": (0.0, 1.0),
}
"""Least and most of a term; others are zero or more."""


@dataclass(frozen=True)
class Term:
    """A term with the range that sources give for it."""

    figure: Figure
    low: float
    high: float

    @property
    def value(self) -> float:
        """The value counted with."""
        return float(self.figure.value)


@dataclass(frozen=True)
class Terms:
    """The terms by name and region; a region's own goes before the world's (region ``""``)."""

    known: Mapping[tuple[str, str], Term]

    def find(self, name: str, region: str = "") -> Term | None:
        """Return a term of a region, or of the world; ``None`` where no source gives it there."""
        return self.known.get((name, region)) or self.known.get((name, ""))

    def need(self, name: str, region: str = "") -> Term:
        """Return a term, or raise :class:`MissingFigureError` where no source gives it there."""
        found = self.find(name, region)
        if found is None:
            where = ", ".join(sorted(place for other, place in self.known if other == name)) or "nowhere"
            msg = f"no source gives {name} in {region or 'the world'} (known: {where}); give it yourself"
            raise MissingFigureError(msg)
        return found

    def value(self, name: str, region: str = "") -> float:
        """Return the value of a term that must be there."""
        return self.need(name, region).value

    def given(self, values: Mapping[str, float], by: str = "the user") -> Terms:
        """Return the terms with a user's values in place of the table's, in every region.

        Raises
        ------
        InputError
            If a name is unknown, or a value outside what it can be.
        """
        names = {name for name, _ in self.known}
        made = dict(self.known)
        for name, value in values.items():
            if name not in names:
                raise InputError(unknown("term", name, sorted(names), see="terms: docs/finance.md"))
            low, high = RANGES.get(name, (0.0, float("inf")))
            if not low <= value <= high:
                msg = f"{name} is {value:g}; expected from {low:g} to {high:g} ({unit_of(self, name)})"
                raise InputError(msg)
            figure = Figure(value, unit_of(self, name), "assumed", Source(by, ""))
            for key in [key for key in made if key[0] == name]:
                del made[key]
            made[name, ""] = Term(figure, value, value)
        return replace(self, known=made)

    def rows(self) -> Iterator[tuple[str, str, Term]]:
        """Return every term as (name, region, term), in the order of the table."""
        for (name, region), term in self.known.items():
            yield name, region, term


def unit_of(terms: Terms, name: str) -> str:
    """Return the unit of a term."""
    return next(term.figure.unit for (other, _), term in terms.known.items() if other == name)


@functools.cache
def load_terms() -> Terms:
    """Return the terms of the table ``data/terms.csv``."""
    made = {}
    for row in _rows("terms"):
        source = Source(row["title"], row["address"])
        figure = Figure(float(row["value"]), row["unit"], _status(row["status"]), source, row["note"])
        made[row["name"], row["region"]] = Term(figure, float(row["low"]), float(row["high"]))
    return Terms(made)


@dataclass(frozen=True)
class Published:
    """What somebody says one chip-hour of an owned chip costs, in US dollars."""

    chip: str
    low: float
    high: float
    date: str
    status: Status
    source: Source
    why: str


@functools.cache
def published(chip: str) -> tuple[Published, ...]:
    """Return the published costs of owning a chip for an hour, from the table ``data/published.csv``."""
    return tuple(
        Published(
            row["chip"],
            float(row["low"]),
            float(row["high"]),
            row["date"],
            _status(row["status"]),
            Source(row["title"], row["address"]),
            row["why"],
        )
        for row in _rows("published")
        if row["chip"] == chip
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("outlay.finance").joinpath(f"data/{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _status(text: str) -> Status:
    return next(status for status in STATUSES if status == text)
