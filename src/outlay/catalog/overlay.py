"""A user's own records over the catalogue's: a YAML file in which every figure has a source."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from outlay.catalog.records import Chip, Model, Record, SiteRecord, System
from outlay.catalog.store import folded, schema
from outlay.errors import CatalogError, InputError, unknown
from outlay.evidence import STATUSES, Alternative, Figure, Source
from outlay.units import country_code, currency_code, end_of_period

if TYPE_CHECKING:
    from outlay.catalog.store import Catalog, Field

KINDS: Mapping[str, type[Record]] = {"chips": Chip, "systems": System, "models": Model, "sites": SiteRecord}
ROWS: Mapping[str, Mapping[str, Callable[[str], object]]] = {
    "prices": {
        "item": str,
        "chip": str,
        "low": float,
        "high": float,
        "currency": currency_code,
        "unit": str,
        "date": end_of_period,
        "kind": str,
        "status": str,
        "source": str,
        "note": str,
    },
    "supply": {
        "vendor": str,
        "product": str,
        "quantity": str,
        "low": float,
        "high": float,
        "unit": str,
        "period": str,
        "place": str,
        "status": str,
        "date": end_of_period,
        "source": str,
        "attribution": str,
        "dispute": str,
        "note": str,
    },
}
"""Fields of the rows of each list, and what reads their text."""
OPTIONAL = {"note", "attribution", "dispute", "place"}
FIGURE = ("value", "unit", "status", "source", "note")


def read_overlay(path: Path, base: Catalog) -> Mapping[str, Any]:
    """Read a file of records that add to or override the catalogue's.

    ::

        chips:
          My Chip:
            like: H100 SXM          # take over what is not given
            vendor: Me
            figures:
              bf16_tflops: {value: 500, unit: TFLOP/s, status: assumed, source: my own measurement}

    A record named as one of the catalogue, or by an alias of it, overrides that one. A figure that overrides another
    keeps the other among its alternatives.

    Raises
    ------
    CatalogError
        Naming file, line and column, and the nearest valid name.
    """
    return _Reader(path, base).read()


class _Reader:
    def __init__(self, path: Path, base: Catalog) -> None:
        self.path, self.base = path, base
        self.own: dict[str, dict[str, Record]] = {section: {} for section in KINDS}

    def read(self) -> Mapping[str, Any]:
        made: dict[str, Any] = {}
        raw = self._load()
        for section in raw:
            if section not in KINDS and section not in ROWS:
                self._refuse(raw, section, unknown("section", str(section), [*KINDS, *ROWS]))
        for section in [*KINDS, *ROWS]:  # chips before what names them
            content = raw.get(section, {} if section in KINDS else [])
            if section in KINDS:
                if not isinstance(content, dict):
                    self._refuse(raw, section, f"{section} must be a mapping of names to records")
                for name, body in content.items():
                    record = self._record(section, str(name), body, content, name)
                    self.own[section][record.name] = record
                made[section] = self.own[section]
            else:
                if not isinstance(content, list):
                    self._refuse(raw, section, f"{section} must be a list")
                made[section] = [self._row(section, row, content, place) for place, row in enumerate(content)]
        return made

    def _load(self) -> Any:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            with self.path.open(encoding="utf-8") as file:
                raw = YAML(typ="rt").load(file)
        except OSError as error:
            msg = f"{self.path}: cannot be read: {error.strerror}"
            raise CatalogError(msg) from None
        except (YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            msg = f"{self.path}{place}: not YAML: {getattr(error, 'problem', None) or error}"
            raise CatalogError(msg) from None
        except RecursionError:
            msg = f"{self.path}: nested too deep to be an overlay"
            raise CatalogError(msg) from None
        if not isinstance(raw, dict):
            msg = f"{self.path}: expected a mapping with any of {', '.join([*KINDS, *ROWS])}"
            raise CatalogError(msg)
        return raw

    def _record(self, section: str, name: str, body: Any, parent: Any, key: Any) -> Record:
        make = KINDS[section]
        if not isinstance(body, dict):
            self._refuse(parent, key, f"{name!r} must be a mapping of fields")
        start = self._known(section, name)
        if start is not None and "like" in body:
            self._refuse(body, "like", f"{start.name!r} is known already and is changed in place; leave out like")
        if "like" in body:
            start = self._known(section, str(body["like"]))
            if start is None:
                known = [*getattr(self.base, section), *self.own[section]]
                self._refuse(body, "like", unknown(make.kind, str(body["like"]), known))
            start = replace(start, name=name, aliases=())
        record = replace(start or make(name), **self._plain(make, body))
        if isinstance(record, System):
            record = self._checked_system(record, body, parent, key)
        specs = body.get("figures", {})
        if not isinstance(specs, dict):
            self._refuse(body, "figures", "figures must be a mapping of field names to figures")
        figures = dict(record.figures)
        for field, spec in specs.items():
            figures[field] = self._figure(make.kind, field, spec, specs, figures.get(field))
        return replace(record, figures=figures)

    def _known(self, section: str, name: str) -> Any:
        """Return a record of this file or the catalogue by a forgiving name, or ``None``."""
        for known, record in self.own[section].items():
            if folded(known) == folded(name):
                return record
        try:
            return getattr(self.base, KINDS[section].kind)(name)
        except CatalogError:
            return None

    def _plain(self, make: type[Record], body: Any) -> dict[str, Any]:
        """Return the fields of a record that are not figures, each of its type."""
        types = {field.name: field.type for field in fields(make) if field.name not in {"name", "figures"}}
        plain: dict[str, Any] = {}
        for field, value in body.items():
            if field in {"like", "figures"}:
                continue
            if field not in types:
                self._refuse(body, field, unknown("field", str(field), [*types, "like", "figures"]))
            if field == "aliases":
                if not isinstance(value, list):
                    self._refuse(body, field, f"aliases must be a list of names; got {value!r}")
                plain[field] = tuple(str(alias) for alias in value)
            elif types[field] == "int":
                if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                    self._refuse(body, field, f"{field} must be a whole number of zero or more; got {value!r}")
                plain[field] = value
            elif isinstance(value, dict | list) or value is None:
                self._refuse(body, field, f"{field} must be text")
            elif field in {"country", "vendor_country"}:
                plain[field] = self._parsed(body, field, country_code, str(value))
            else:
                plain[field] = str(value)
        return plain

    def _checked_system(self, system: System, body: Any, parent: Any, key: Any) -> System:
        if not system.chip or not system.chips:
            self._refuse(parent, key, f"system {system.name!r} needs chip, a chip's name, and chips, how many of them")
        chip = self._known("chips", system.chip)
        if chip is None:
            self._refuse(body, "chip", unknown("chip", system.chip, [*self.base.chips, *self.own["chips"]]))
        return replace(system, chip=chip.name)

    def _figure(self, kind: str, field: Any, spec: Any, parent: Any, old: Figure | None) -> Figure:
        known = schema()[kind]
        if field not in known:
            self._refuse(parent, field, unknown(f"figure of a {kind}", str(field), known))
        if not isinstance(spec, dict) or "value" not in spec:
            self._refuse(parent, field, f"{field} needs value, status and source")
        for part in spec:
            if part not in FIGURE:
                self._refuse(spec, part, unknown("part of a figure", str(part), FIGURE))
        for needed in ("status", "source"):
            if not spec.get(needed):
                self._refuse(parent, field, f"{field} has no {needed}; a value without one is refused")
        if spec["status"] not in STATUSES:
            self._refuse(spec, "status", unknown("status", str(spec["status"]), STATUSES))
        unit = str(spec.get("unit", known[field].unit))
        if known[field].unit and unit != known[field].unit:
            self._refuse(spec, "unit", f"{field} is kept in {known[field].unit}; got {unit}")
        value = self._value(spec, str(field), known[field])
        before = () if old is None else (*old.alternatives, _as_alternative(old))
        source = Source(str(spec["source"]), "")
        return Figure(value, unit, spec["status"], source, str(spec.get("note", "")), "given by the user", before)

    def _value(self, spec: Any, name: str, field: Field) -> float | str:
        value = spec["value"]
        if not field.number:
            if value is None or isinstance(value, dict | list):
                self._refuse(spec, "value", f"{name} must be text; got {value!r}")
            return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        low, high = (
            field.low if field.low is not None else -math.inf,
            field.high if field.high is not None else math.inf,
        )
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self._refuse(spec, "value", f"{name} must be a number from {low:g} to {high:g}; got {value!r}")
        return float(value)

    def _row(self, section: str, row: Any, parent: Any, place: int) -> dict[str, str]:
        known = ROWS[section]
        if not isinstance(row, dict):
            self._refuse(parent, place, f"an entry of {section} must be a mapping of {', '.join(known)}")
        for field in row:
            if field not in known:
                self._refuse(row, field, unknown("field", str(field), known))
        for field in known:
            if row.get(field) in (None, "") and field not in OPTIONAL:
                self._refuse(parent, place, f"an entry of {section} needs {field}")
        written = {field: str(row.get(field, "")) for field in known}
        for field, read in known.items():
            if field in row:
                self._parsed(row, field, read, written[field])
        if float(written["low"]) > float(written["high"]):
            self._refuse(row, "low", f"low {written['low']} is above high {written['high']}")
        if written["status"] not in STATUSES:
            self._refuse(row, "status", unknown("status", written["status"], STATUSES))
        if section == "prices":
            chip = self._known("chips", written["chip"])
            if chip is None:
                self._refuse(row, "chip", unknown("chip", written["chip"], [*self.base.chips, *self.own["chips"]]))
            written["chip"] = chip.name
        return written

    def _parsed(self, parent: Any, key: Any, read: Callable[[str], Any], text: str) -> Any:
        try:
            value = read(text)
        except (InputError, ValueError) as error:
            told = str(error) if isinstance(error, InputError) else f"{text!r} is not a number"
            self._refuse(parent, key, f"{key}: {told}")
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(parent, key, f"{key}: {text!r} is not a finite number")
        return value

    def _refuse(self, parent: Any, key: Any, what: str) -> NoReturn:
        """Raise with the place of a key of a mapping, or of an item of a list."""
        places = parent.lc
        line, column = places.item(key) if isinstance(parent, list) else places.key(key)
        msg = f"{self.path}:{line + 1}:{column + 1}: {what}"
        raise CatalogError(msg)


def _as_alternative(old: Figure) -> Alternative:
    return Alternative(old.value, old.unit, old.status, old.source, "overridden by the user")
