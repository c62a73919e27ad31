"""The catalogue as one object: records read from the data files on first use, found by forgiving names."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from outlay.catalog.records import Chip, Cost, Model, Price, Record, SiteRecord, SupplyRecord, System
from outlay.errors import CatalogError, MissingFigureError, unknown
from outlay.evidence import STATUSES, Alternative, Figure, Source, Status
from outlay.units import end_of_period

R = TypeVar("R", bound=Record)
USUAL_SYSTEMS = {
    "Ascend 910B3": "Atlas 800T A2 training server",
    "Ascend 910C": "Atlas 800T A3 server",
    "Ascend 950DT (announced)": "Atlas 850 / 850E",
    "Kunlun P800 (Kunlun 3)": "P800 8-OAM server",
}
"""Where one chip is sold in several systems, the one its name stands for: the smallest."""


class Catalog:
    """Chips, systems, models, sites, prices, supply, costs and exchange rates, each figure with its source.

    Use :meth:`load`. Kinds are read when first asked for, so that one question costs one or two files.
    """

    def __init__(self, overlay: Mapping[str, Any] | None = None) -> None:
        self._overlay = overlay or {}
        self._keys: dict[str, dict[str, str]] = {}

    @staticmethod
    def load(extra: Path | None = None) -> Catalog:
        """Return the catalogue, with a user's own file of records over it where one is given.

        Raises
        ------
        CatalogError
            If the file cannot be read or a record in it is wrong; names file, line and column.
        """
        if extra is None:
            return _bundled()
        from outlay.catalog.overlay import read_overlay

        return Catalog(read_overlay(extra, _bundled()))

    @functools.cached_property
    def sources(self) -> Mapping[str, Source]:
        """Sources by key."""
        return {
            row["key"]: Source(row["title"], row["address"], row["locator"], row["read"]) for row in _rows("sources")
        }

    @functools.cached_property
    def chips(self) -> Mapping[str, Chip]:
        """Chips by name."""
        return self._records("chip", Chip)

    @functools.cached_property
    def systems(self) -> Mapping[str, System]:
        """Systems by name."""
        return self._records("system", System)

    @functools.cached_property
    def models(self) -> Mapping[str, Model]:
        """Models by name."""
        return self._records("model", Model)

    @functools.cached_property
    def sites(self) -> Mapping[str, SiteRecord]:
        """Places by name."""
        return self._records("site", SiteRecord)

    def chip(self, name: str) -> Chip:
        """Return a chip by a forgiving name; a miss raises :class:`CatalogError` with the nearest."""
        return self._find("chip", name, self.chips)

    def system(self, name: str) -> System:
        """Return a system by a forgiving name; a miss raises :class:`CatalogError` with the nearest."""
        return self._find("system", name, self.systems)

    def model(self, name: str) -> Model:
        """Return a model by a forgiving name; a miss raises :class:`CatalogError` with the nearest."""
        return self._find("model", name, self.models)

    def site(self, name: str) -> SiteRecord:
        """Return a place by a forgiving name; a miss raises :class:`CatalogError` with the nearest."""
        return self._find("site", name, self.sites)

    def usual_system(self, chip: Chip) -> System:
        """Return the system a chip's name stands for: the smallest it is sold in.

        Raises
        ------
        CatalogError
            If the catalogue has no system of this chip with a known number of chips.
        """
        if chip.name in USUAL_SYSTEMS:
            return self.systems[USUAL_SYSTEMS[chip.name]]
        sold = [system for system in self.systems.values() if system.chip == chip.name and system.chips > 0]
        if not sold:
            msg = f"no system of chip {chip.name!r} is known; name a system, or add one in a catalogue file"
            raise CatalogError(msg)
        return min(sold, key=lambda system: system.chips)

    def resolve_system(self, name: str) -> System:
        """Return a system by its name, or the usual system of a chip by the chip's name."""
        key = folded(name)
        if key in self._names("system"):
            return self.system(name)
        if key in self._names("chip"):
            return self.usual_system(self.chip(name))
        raise CatalogError(unknown("system or chip", name, [*self.systems, *self.chips]))

    @functools.cached_property
    def _prices(self) -> list[Price]:
        rows = [*_rows("prices"), *self._overlay.get("prices", ())]
        return [
            Price(
                item=row["item"],
                chip=row["chip"],
                low=_number(row["low"]),
                high=_number(row["high"]),
                currency=row["currency"],
                unit=row["unit"],
                date=row["date"],
                kind=row["kind"],
                status=_status(row["status"]),
                source=self._source(row["source"]),
                note=row["note"],
            )
            for row in rows
        ]

    def prices(self, item: str | None = None, kind: str | None = None, until: date | None = None) -> list[Price]:
        """Return price observations: of a chip or an item, of a kind (a part of its name), dated on or before a day.

        Raises
        ------
        CatalogError
            If ``item`` is neither a chip nor part of the name of an item with a price; names the nearest.
        """
        found = self._prices if item is None else self._prices_of(item)
        return [
            price
            for price in found
            if (kind is None or kind in price.kind) and (until is None or end_of_period(price.date) <= until)
        ]

    def _prices_of(self, item: str) -> list[Price]:
        chip = self._names("chip").get(folded(item))
        if chip is not None:
            return [price for price in self._prices if price.chip == chip]
        found = [price for price in self._prices if folded(item) in folded(price.item)]
        if not found:
            items = dict.fromkeys([*self.chips, *(price.item for price in self._prices)])
            raise CatalogError(unknown("chip or priced item", item, items))
        return found

    @functools.cached_property
    def _supply(self) -> list[SupplyRecord]:
        return [
            SupplyRecord(
                vendor=row["vendor"],
                product=row["product"],
                quantity=row["quantity"],
                low=_number(row["low"]),
                high=_number(row["high"]),
                unit=row["unit"],
                period=row["period"],
                place=row["place"],
                status=_status(row["status"]),
                date=row["date"],
                source=self._source(row["source"]),
                attribution=row["attribution"],
                dispute=row["dispute"],
                note=row["note"],
            )
            for row in [*_rows("supply"), *self._overlay.get("supply", ())]
        ]

    def supply(self, vendor: str | None = None, until: date | None = None) -> list[SupplyRecord]:
        """Return statements of supply, of one vendor where given, and made on or before a day where given."""
        vendors = {record.vendor for record in self._supply}
        if vendor is not None and folded(vendor) not in {folded(known) for known in vendors}:
            raise CatalogError(unknown("vendor", vendor, sorted(vendors)))
        return [
            record
            for record in self._supply
            if (vendor is None or folded(record.vendor) == folded(vendor)) and said_by(record, until)
        ]

    @functools.cached_property
    def costs(self) -> list[Cost]:
        """Cost observations: construction, electricity, PUE, rent, depreciation and others."""
        return [
            Cost(
                group=row["group"],
                item=row["item"],
                region=row["region"],
                low=_number(row["low"]),
                high=_number(row["high"]),
                unit=row["unit"],
                period=row["period"],
                status=_status(row["status"]),
                date=row["date"],
                source=self._source(row["source"]),
                attribution=row["attribution"],
                note=row["note"],
            )
            for row in _rows("costs")
        ]

    @functools.cached_property
    def _fx(self) -> dict[str, dict[str, Figure]]:
        table: dict[str, dict[str, Figure]] = defaultdict(dict)
        for row in _rows("fx"):
            rate = Figure(float(row["per_usd"]), "per USD", "official", self._source(row["source"]), row["month"])
            table[row["currency"]][row["month"]] = rate
        return table

    @property
    def currencies(self) -> list[str]:
        """Currencies with any rate, besides the US dollar."""
        return sorted(self._fx)

    def fx(self, currency: str, day: date) -> Figure:
        """Return the monthly average rate of a day's month, units of the currency per US dollar.

        Raises
        ------
        MissingFigureError
            If the month or the currency is in no source; names the nearest month there is.
        """
        if currency == "USD":
            return Figure(1.0, "per USD", "official", Source("the US dollar itself", ""), "")
        month = f"{day:%Y-%m}"
        if currency not in self._fx:
            msg = f"no exchange rate of {currency} is known; known: {', '.join(sorted(self._fx))}"
            raise MissingFigureError(msg)
        months = self._fx[currency]
        if month not in months:
            close = min(months, key=lambda known: abs(_months(known) - _months(month)))
            msg = f"no exchange rate of {currency} for {month}; the nearest month known is {close}"
            raise MissingFigureError(msg)
        return months[month]

    def missing(self, record: Record) -> list[str]:
        """Return the fields of a record's kind for which no source gives a figure."""
        return [name for name in schema()[record.kind] if name not in record.figures]

    def _source(self, key: str) -> Source:
        return self.sources.get(key) or Source(key, key if key.startswith("http") else "")

    def _records(self, kind: str, make: Callable[..., R]) -> Mapping[str, R]:
        figures = self._figures(kind)
        made: dict[str, R] = {}
        for row in _rows(f"{kind}s"):
            row["aliases"] = tuple(filter(None, row["aliases"].split(";")))  # type: ignore[assignment]
            plain = {name: int(text) if name.startswith(_WHOLE) else text for name, text in row.items()}
            made[row["name"]] = make(figures=figures.get(row["name"], {}), **plain)
        made.update(self._overlay.get(f"{kind}s", {}))
        return made

    def _figures(self, kind: str) -> Mapping[str, dict[str, Figure]]:
        preferred: dict[tuple[str, str], dict[str, str]] = {}
        reasons: dict[tuple[str, str], str] = {}
        others: dict[tuple[str, str], list[Alternative]] = defaultdict(list)
        for row in _rows(f"{kind}_figures"):
            key = (row["record"], row["field"])
            if row["preferred"] == "yes":
                preferred[key] = row
                continue
            if row["preferred"] == "reason":
                reasons[key] = row["why"]
            others[key].append(
                Alternative(
                    _value(row["value"]), row["unit"], _status(row["status"]), self._source(row["source"]), row["why"]
                )
            )
        found: dict[str, dict[str, Figure]] = defaultdict(dict)
        for (name, field), row in preferred.items():
            found[name][field] = Figure(
                value=_value(row["value"]),
                unit=row["unit"],
                status=_status(row["status"]),
                source=self._source(row["source"]),
                note=row["why"],
                reason=reasons.get((name, field), ""),
                alternatives=tuple(
                    other for other in others.pop((name, field), ()) if other.value != _value(row["value"])
                ),
            )
        for (name, field), unpreferred in others.items():
            first, *rest = unpreferred
            # No value is preferred: the first is shown as text, so that no formula takes it for settled.
            text = f"{first.value}"
            found[name].setdefault(
                f"{field}_claimed",
                Figure(text, first.unit, first.status, first.source, first.why, alternatives=tuple(rest)),
            )
        return found

    def _names(self, kind: str) -> Mapping[str, str]:
        """Return the names of a kind by each way to write them."""
        if kind not in self._keys:
            self._keys[kind] = _by_key(getattr(self, f"{kind}s"))
        return self._keys[kind]

    def _find(self, kind: str, name: str, records: Mapping[str, R]) -> R:
        found = self._names(kind).get(folded(name))
        if found is None:
            names = [*records, *(alias for record in records.values() for alias in record.aliases)]
            raise CatalogError(unknown(kind, name, names, see=f"list them with: outlay catalog {kind}s"))
        return records[found]


_WHOLE = ("chips", "scaleup_domain")


@dataclass(frozen=True)
class Field:
    """What a field of a kind of record is: a number within a range, or text."""

    number: bool
    unit: str
    low: float | None
    high: float | None
    doc: str


@functools.cache
def schema() -> Mapping[str, Mapping[str, Field]]:
    """Return the fields each kind of record can have, from ``data/schema.toml``."""
    import tomllib

    raw = tomllib.loads(resources.files("outlay.catalog").joinpath("data/schema.toml").read_text(encoding="utf-8"))
    return {kind: {name: _field(spec) for name, spec in fields.items()} for kind, fields in raw.items()}


def _field(spec: Mapping[str, Any]) -> Field:
    low, high = spec.get("range", (None, None))
    return Field(spec["type"] == "number", spec.get("unit", ""), low, high, spec["doc"])


def folded(name: str) -> str:
    """Return a name without case, spaces and punctuation, which is how names are compared.

    Examples
    --------
    >>> folded("H100 SXM") == folded("h100-sxm")
    True
    """
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def said_by(record: SupplyRecord | Cost, day: date | None) -> bool:
    """Return whether a statement was out by a day, going by the latest date its source bears.

    A source without a date was not: nothing shows that it was. ``None`` stands for no limit.
    """
    if day is None:
        return True
    dates = re.findall(r"\d{4}(?:-\d{2}){0,2}(?!\d)", record.date)
    return bool(dates) and max(end_of_period(text) for text in dates) <= day


def _by_key(records: Mapping[str, Record]) -> dict[str, str]:
    """Return names by what they are compared by: the name, else an alias, else either of them after the vendor's."""
    keys: dict[str, str] = {}
    for name, record in records.items():
        vendor = folded(getattr(record, "vendor", ""))
        keys |= {vendor + folded(text): name for text in (*record.aliases, name)}
    keys |= {folded(alias): name for name, record in records.items() for alias in record.aliases}
    return keys | {folded(name): name for name in records}


@functools.cache
def _bundled() -> Catalog:
    return Catalog()


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files("outlay.catalog").joinpath(f"data/{name}.csv").read_text(encoding="utf-8")
    yield from csv.DictReader(io.StringIO(text, newline=""))


def _number(text: str) -> float | None:
    return float(text) if text else None


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _status(text: str) -> Status:
    if text not in STATUSES:
        raise CatalogError(unknown("status", text, STATUSES))
    return text


def _months(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7])
