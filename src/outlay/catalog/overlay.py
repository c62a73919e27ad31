"""A user's own records over the catalogue's: a YAML file in which every figure has a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.catalog.records import Chip, Model, Record, SiteRecord, System
from outlay.errors import CatalogError, unknown
from outlay.evidence import STATUSES, Alternative, Figure, Source

if TYPE_CHECKING:
    from outlay.catalog.store import Catalog

KINDS: Mapping[str, type[Record]] = {"chips": Chip, "systems": System, "models": Model, "sites": SiteRecord}
LISTS = {
    "prices": ("item", "chip", "low", "high", "currency", "unit", "date", "kind", "status", "source", "note"),
    "supply": (
        "vendor",
        "product",
        "quantity",
        "low",
        "high",
        "unit",
        "period",
        "place",
        "status",
        "date",
        "source",
        "attribution",
        "dispute",
        "note",
    ),
}
OPTIONAL = {"note", "attribution", "dispute", "place"}


def read_overlay(path: Path, base: Catalog) -> Mapping[str, Any]:
    """Read a file of records that add to or override the catalogue's.

    ::

        chips:
          My Chip:
            like: H100 SXM          # take over what is not given
            vendor: Me
            figures:
              bf16_tflops: {value: 500, unit: TFLOP/s, status: assumed, source: my own measurement}

    A figure that overrides another keeps the other among its alternatives.

    Raises
    ------
    CatalogError
        Naming file, line and column, and the nearest valid name.
    """
    return _Reader(path, base).read()


class _Reader:
    def __init__(self, path: Path, base: Catalog) -> None:
        self.path, self.base = path, base

    def read(self) -> Mapping[str, Any]:
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
        if not isinstance(raw, dict):
            msg = f"{self.path}: expected a mapping with any of {', '.join([*KINDS, *LISTS])}"
            raise CatalogError(msg)
        made: dict[str, Any] = {}
        for section, content in raw.items():
            if section in KINDS:
                made[section] = {name: self._record(section, name, body, content) for name, body in content.items()}
            elif section in LISTS:
                made[section] = [self._row(section, row) for row in content]
            else:
                self._refuse(raw, section, unknown("section", str(section), [*KINDS, *LISTS]))
        return made

    def _record(self, section: str, name: str, body: Any, parent: Any) -> Record:
        if not isinstance(body, dict):
            self._refuse(parent, name, f"{name!r} must be a mapping of fields")
        make = KINDS[section]
        known = getattr(self.base, section)
        start = known.get(name) or (known.get(str(body["like"])) if "like" in body else None)
        if "like" in body and start is None:
            self._refuse(body, "like", unknown(make.kind, str(body["like"]), known))
        record = replace(start, name=name, aliases=() if start.name != name else start.aliases) if start else make(name)
        own = {field.name for field in fields(make)} - {"name", "figures"}
        plain = {}
        for field, value in body.items():
            if field in {"like", "figures"}:
                continue
            if field not in own:
                self._refuse(body, field, unknown("field", str(field), [*own, "like", "figures"]))
            plain[field] = tuple(value) if field == "aliases" else value
        figures = dict(record.figures)
        for field, spec in (body.get("figures") or {}).items():
            figures[field] = self._figure(make.kind, field, spec, body["figures"], figures.get(field))
        return replace(record, figures=figures, **plain)

    def _figure(self, kind: str, field: str, spec: Any, parent: Any, old: Figure | None) -> Figure:
        from outlay.catalog.store import schema

        known = schema()[kind]
        if field not in known:
            self._refuse(parent, field, unknown(f"figure of a {kind}", str(field), known))
        if not isinstance(spec, dict) or "value" not in spec:
            self._refuse(parent, field, f"{field} needs value, status and source")
        for needed in ("status", "source"):
            if not spec.get(needed):
                self._refuse(parent, field, f"{field} has no {needed}; a value without one is refused")
        if spec["status"] not in STATUSES:
            self._refuse(spec, "status", unknown("status", str(spec["status"]), STATUSES))
        unit = str(spec.get("unit", known[field].unit))
        if known[field].unit and unit != known[field].unit:
            self._refuse(spec, "unit", f"{field} is kept in {known[field].unit}; got {unit}")
        low, high = known[field].low, known[field].high
        value = spec["value"]
        if low is not None and high is not None and not (isinstance(value, int | float) and low <= value <= high):
            self._refuse(spec, "value", f"{field} must be a number from {low:g} to {high:g}; got {value!r}")
        written = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        before = () if old is None else (*old.alternatives, _as_alternative(old))
        source = Source(str(spec["source"]), "")
        return Figure(written, unit, spec["status"], source, str(spec.get("note", "")), "given by the user", before)

    def _row(self, section: str, row: Any) -> dict[str, str]:
        if not isinstance(row, dict):
            msg = f"{self.path}: an entry of {section} must be a mapping of {', '.join(LISTS[section])}"
            raise CatalogError(msg)
        for field in row:
            if field not in LISTS[section]:
                self._refuse(row, field, unknown("field", str(field), LISTS[section]))
        for field in LISTS[section]:
            if field not in row and field not in OPTIONAL:
                self._refuse(row, next(iter(row)), f"an entry of {section} needs {field}")
        if "chip" in row:
            row["chip"] = self.base.chip(str(row["chip"])).name
        return {field: str(row.get(field, "")) for field in LISTS[section]}

    def _refuse(self, parent: Any, key: Any, what: str) -> None:
        line, column = parent.lc.key(key) if hasattr(parent, "lc") else (0, 0)
        msg = f"{self.path}:{line + 1}:{column + 1}: {what}"
        raise CatalogError(msg)


def _as_alternative(old: Figure) -> Alternative:
    return Alternative(old.value, old.unit, old.status, old.source, "overridden by the user")
