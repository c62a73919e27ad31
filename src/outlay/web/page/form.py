"""The form over every field of a scenario, from its schema: blocks that open, fields with units, sources on hover."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from nicegui.element import Element
from pydantic import BaseModel

from outlay.scenario.fields import Field, complaint, fields_of, read_entry, shown_entry, starter
from outlay.scenario.schema import Scenario
from outlay.scenario.tree import Location, dotted
from outlay.web.page.checked import Checked
from outlay.web.page.parts import el, p, reword, t
from outlay.web.page.sources import status_tag
from outlay.web.page.text_box import TextBox

GROUPS: dict[str, tuple[str, ...]] = {
    "basics": ("outlay", "name", "title", "summary", "knowledge_date", "horizon", "currency", "fx"),
    "buyer": ("buyer",),
    "budgets": ("budgets",),
    "sourcing": ("sourcing",),
    "sites": ("sites",),
    "machines": (
        "systems", "supply", "default_supply", "lead_quarters", "leases", "lease_quarters", "system_power", "catalog",
    ),
    "work": ("models", "training", "services"),
    "aim": ("objective",),
    "finance": ("finance",),
    "rules": ("policy", "deadlines"),
    "futures": ("futures",),
    "evidence": ("evidence",),
}  # fmt: skip
"""Fields of a scenario by the part of the form they stand in."""
MAIN = ("amount", "share", "power", "price", "chips", "tokens", "demand", "country", "status", "kind", "of", "title")
"""What a closed block says of itself beside its name: the first of these it has."""

Change = Callable[[Location, Any], Awaitable[None]]


@dataclass
class _Place:
    """Where a field stands: its control, where its error is said, and what it is."""

    control: Element
    error: Element
    model: type[BaseModel]
    field: Field
    shown: str = ""


@dataclass
class _Block:
    """A block that opens: its parts are built when it does."""

    details: Element
    badge: Element
    build: Callable[[], None]
    where: Location
    built: bool = False
    places: dict[Location, _Place] = field(default_factory=dict)


class Form:
    """The form; what a person does is handed to three functions, which change the YAML and call :meth:`show`."""

    def __init__(self, change: Change, add: Change, remove: Callable[[Location], Awaitable[None]]) -> None:
        self.change, self.add, self.remove = change, add, remove
        self.found = Checked("")
        self.open_at: set[Location | str] = {"basics", "budgets"}
        self.places: dict[Location, _Place] = {}
        self.blocks: dict[Location | str, _Block] = {}
        self.root = el("fieldset", "scenario-form", aria_label=t("scenario.form"))

    def show(self, found: Checked) -> None:
        """Show what a text says; where it is no YAML, the form stands as it was and takes nothing."""
        if not found.readable:
            self.root.props["disabled"] = True
            self.root.update()
            return
        self.root.props.pop("disabled", None)
        self.root.update()
        same = self.found.readable and self._shape(self.found.values) == self._shape(found.values)
        self.found = found
        if same:
            self._refresh()
        else:
            self._build()
        self.mark(found)

    def mark(self, found: Checked) -> None:
        """Show what is wrong at the fields and how much in each block."""
        self.found = found
        for where, place in self.places.items():
            _complain(place, found.at(where))
        for key, block in self.blocks.items():
            names = GROUPS[key] if isinstance(key, str) else None
            wrong = sum(found.below((name,)) for name in names) if names else found.below(block.where)
            _badge(block.badge, wrong)

    def open(self, where: Location) -> bool:
        """Open every block on the way to a place; return whether the place is in the form."""
        if not where or not self.found.readable:
            return False
        group = next((name for name, fields in GROUPS.items() if where[0] in fields), None)
        if group is None:
            return False
        keys: list[Location | str] = [group, *(tuple(where[:end]) for end in range(1, len(where) + 1))]
        for key in keys:
            block = self.blocks.get(key)
            if block is not None:
                self._open(block, key)
        self.mark(self.found)
        return True

    def _open(self, block: _Block, key: Location | str) -> None:
        self.open_at.add(key)
        if not block.built:
            block.built = True
            with block.details:
                block.build()
        block.details.props["open"] = True
        block.details.update()

    # Building

    def _shape(self, value: Any) -> Any:
        """Return the keys and lengths of nested values: where they are the same, fields only change their texts."""
        if isinstance(value, dict):
            return {key: self._shape(item) for key, item in value.items()}
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            return [self._shape(item) for item in value]
        return None

    def _build(self) -> None:
        self.root.clear()
        self.places, self.blocks = {}, {}
        with self.root:
            for name, fields in GROUPS.items():
                title, build = t(f"scenario.group.{name}"), functools.partial(self._group, fields)
                self._details(name, (), title, self._count(fields), build, "card")

    def _count(self, fields: tuple[str, ...]) -> str:
        values = self.found.values or {}
        lists = [values.get(name) for name in fields if isinstance(values.get(name), list | dict)]
        many = [str(len(found)) for found in lists if isinstance(found, list) and found and isinstance(found[0], dict)]
        return " + ".join(many)

    def _group(self, names: tuple[str, ...]) -> None:
        fields = fields_of(Scenario)
        values = self.found.values or {}
        if len(names) == 1 and fields[names[0]].kind in {"block", "blocks", "named"}:
            self._field(Scenario, fields[names[0]], (names[0],), values.get(names[0]), {}, bare=True)
            return
        with el("div", "fields"):
            for name in names:
                self._field(Scenario, fields[name], (name,), values.get(name), values.get("evidence") or {})

    def _details(
        self, key: Location | str, where: Location, title: str, note: str, build: Callable[[], None], classes: str
    ) -> None:
        details = el("details", f"block {classes}")
        with details, el("summary"):
            el("span", "block-title", title)
            el("span", "note", note)
            badge = el("span", "badge")
        block = _Block(details, badge, build, where)
        self.blocks[key] = block
        details.on("toggle", lambda event: self._toggled(block, key, bool(event.args)),
                   js_handler="(e) => emit(e.target.open)")  # fmt: skip
        if key in self.open_at:
            self._open(block, key)

    def _toggled(self, block: _Block, key: Location | str, is_open: bool) -> None:
        if not is_open:
            self.open_at.discard(key)
            block.details.props.pop("open", None)
        elif not block.built:
            self._open(block, key)
            self.mark(self.found)
        else:
            self.open_at.add(key)

    def _field(
        self, model: type[BaseModel], what: Field, where: Location, value: Any, evidence: Any, *, bare: bool = False
    ) -> None:
        if what.kind == "block" and what.model is not None:
            self._one(what, where, value, bare=bare)
        elif what.kind in {"blocks", "named"} and what.model is not None:
            self._many(what, where, value, bare=bare)
        else:
            self._entry(model, what, where, value, evidence)

    def _fields(self, model: type[BaseModel], where: Location, values: dict[str, Any]) -> None:
        with el("div", "fields"):
            fields = fields_of(model)
            for name in sorted(fields, key=lambda name: name == "evidence"):
                self._field(model, fields[name], (*where, name), values.get(name), values.get("evidence") or {})

    def _one(self, what: Field, where: Location, value: Any, *, bare: bool) -> None:
        """Place a block of fields; where there is none, a way to add it."""
        model = what.model
        assert model is not None
        if not isinstance(value, dict):
            with el("div", "whole"):
                words = t("scenario.add_block", name=p(_title(what.name)))
                made = el("button", "button small", words, type="button", title=p(what.description))
                made.on("click", lambda: self.add(where, starter(model)))
            return
        if bare:
            self._fields(model, where, value)
            return
        note = "; ".join(f"{p(_title(key))} {shown_entry(item)}" for key, item in value.items() if key != "evidence")

        def build() -> None:
            self._fields(model, where, value)
            if not what.needed:
                self._remover(where)

        self._details(where, where, p(_title(what.name)), note[:90], build, "whole")

    def _many(self, what: Field, where: Location, value: Any, *, bare: bool) -> None:
        """Place a list of blocks, or a table of blocks by name, with a way to add one."""
        model = what.model
        assert model is not None
        if not bare and what.kind == "named":
            note = ", ".join(map(str, value)) if isinstance(value, dict) else ""
            build = functools.partial(self._many, what, where, value, bare=True)
            self._details(where, where, p(_title(what.name)), note[:70], build, "whole")
            return
        items: list[tuple[int | str, Any]] = []
        if isinstance(value, list):
            items = list(enumerate(value))
        elif isinstance(value, dict):
            items = list(value.items())
        with el("div", "whole blocks"):
            if not bare:
                el("h4", "", p(_title(what.name)))
            for key, item in items:
                if isinstance(item, dict):
                    self._item(model, (*where, key), key, item)
            if what.kind == "blocks":
                taken = {str(item.get("name")) for _, item in items if isinstance(item, dict)}
                made = el("button", "button small", t("scenario.add", name=p(_title(what.name))), type="button")
                made.on("click", lambda: self.add((*where, -1), starter(model, taken)))
            else:
                self._named(model, where, items)

    def _named(self, model: type[BaseModel], where: Location, items: list[tuple[int | str, Any]]) -> None:
        """Place what adds a block under a name."""
        label = t("scenario.add_named", name=p(_title(str(where[-1]))))
        with el("div", "row"):
            box = el("input", "", placeholder=t("scenario.new_name"), aria_label=label)
            typed: dict[str, str] = {}
            box.on("input", lambda event: typed.update(name=str(event.args)), js_handler="(e) => emit(e.target.value)")
            made = el("button", "button small", label, type="button")

            async def make() -> None:
                name = typed.get("name", "").strip()
                if name and name not in {key for key, _ in items}:
                    await self.add((*where, name), starter(model))

            made.on("click", make)

    def _item(self, model: type[BaseModel], where: Location, key: int | str, item: dict[str, Any]) -> None:
        title = str(key) if isinstance(key, str) else ""
        title = title or str(item.get("name") or item.get("chip") or item.get("system") or item.get("kind") or key)
        main = next((shown_entry(item[name]) for name in MAIN if item.get(name) not in (None, "")), "")

        def build() -> None:
            self._fields(model, where, item)
            self._remover(where)

        self._details(where, where, title, main[:70], build, "item")

    def _remover(self, where: Location) -> None:
        made = el("button", "button small", t("scenario.remove"), type="button", aria_label=t("scenario.remove_what",
                  what=dotted(where)))  # fmt: skip
        made.on("click", lambda: self.remove(where))

    def _entry(self, model: type[BaseModel], what: Field, where: Location, value: Any, evidence: Any) -> None:
        """Place one field: its name, its source, its control, how it is written, and room for what is wrong."""
        name = f"field-{dotted(where)}"
        wide = what.kind in {"table", "names", "choices"} or what.name in {"title", "summary", "note", "by", "reason"}
        with el("div", "entry wide" if wide else "entry"):
            with el("div", "entry-head"):
                legend = what.kind == "choices"
                el("span" if legend else "label", "entry-name", p(_title(what.name)) + (" *" if what.needed else ""),
                   for_=None if legend else name, id=f"{name}-name")  # fmt: skip
                _source(evidence, what.name)
            control = self._control(what, where, value, name)
            words = " · ".join(part for part in (p(what.description), _written(what)) if part)
            el("small", "hint", words, id=f"{name}-hint")
            error = el("p", "wrong", id=f"{name}-wrong")
        control.props["aria-describedby"] = f"{name}-hint {name}-wrong"
        self.places[where] = _Place(control, error, model, what, shown_entry(value))

    def _control(self, what: Field, where: Location, value: Any, name: str) -> Element:
        async def typed(raw: str) -> None:
            place = self.places[where]
            place.shown = raw
            entry = read_entry(what, raw)
            if raw.strip():
                found = complaint(place.model, what.name, _as_yaml(entry))
                _complain(place, [found] if found else [])
            await self.change(where, entry)

        if what.kind == "choices":
            return self._choices(what, where, value, name)
        if what.kind in {"choice", "flag"}:
            options = what.options if what.kind == "choice" else ("true", "false")
            made = el("select", "", id=name)
            shown = shown_entry(value)
            with made:
                unset = t("scenario.unset", value=p(what.default)) if what.default else "–"
                el("option", "", unset, value="", selected=not shown)
                for option in options:
                    label = p({"true": "yes", "false": "no"}.get(option, option))
                    el("option", "", label, value=option, selected=option == shown)
                if shown and shown not in options:
                    el("option", "", shown, value=shown, selected=True)
            made.on("change", lambda event: typed(str(event.args)), js_handler="(e) => emit(e.target.value)")
            return made
        return TextBox(shown_entry(value), typed, id=name, placeholder=what.default or what.example)

    def _choices(self, what: Field, where: Location, value: Any, name: str) -> Element:
        chosen = [str(item) for item in value] if isinstance(value, list) else []

        async def tick(option: str, on: bool) -> None:
            now = [one for one in what.options if (one == option and on) or (one in chosen and one != option)]
            chosen[:] = now
            await self.change(where, list(now))

        group = el("div", "choices", role="group", id=name, aria_labelledby=f"{name}-name")
        with group:
            for option in what.options:
                with el("label", "tick"):
                    box = el("input", "", type="checkbox", checked=option in chosen)
                    box.on("change", lambda event, of=option: tick(of, bool(event.args)),
                           js_handler="(e) => emit(e.target.checked)")  # fmt: skip
                    el("span", "", p(option))
        return group

    def _refresh(self) -> None:
        """Put new texts into the fields that are there."""
        for where, place in self.places.items():
            shown = shown_entry(_value(self.found.values, where))
            if shown == place.shown:
                continue
            place.shown = shown
            if place.field.kind in {"choices", "choice", "flag"}:
                self._build()
                return
            if isinstance(place.control, TextBox):
                place.control.put(shown)


def _value(values: Any, where: Location) -> Any:
    for part in where:
        if isinstance(values, dict):
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            return None
    return values


def _as_yaml(entry: Any) -> Any:
    """Return an entry as the YAML's reader would give it: numbers and flags are no texts."""
    from outlay.errors import ScenarioError
    from outlay.scenario.tree import parse

    if not isinstance(entry, str):
        return entry
    try:
        read = parse(f"a: {entry}\n", "entry")["a"]
    except ScenarioError:
        return entry
    return entry if read is None or isinstance(read, dict | list) else read


def _title(name: str) -> str:
    return name.replace("_", " ")


def _written(what: Field) -> str:
    return t("scenario.such_as", example=what.example) if what.example else ""


def _source(evidence: Any, name: str) -> None:
    """Place the status of a field with its source, which shows on hover and on focus."""
    found = evidence.get(name) or evidence.get("*") if isinstance(evidence, dict) else None
    if not isinstance(found, dict):
        return
    status = str(found.get("status", ""))
    with el("span", "sourced", tabindex="0", role="note"):
        status_tag(status, doubted=bool(found.get("denied_by")))
        with el("span", "tip", role="tooltip"):
            for key in ("by", "date", "reason", "denied_by", "quote", "address"):
                if found.get(key):
                    el("span", "", f"{p(_title(key))}: {found[key]}")


def _complain(place: _Place, wrong: list[str]) -> None:
    text = "\n".join(p(one) for one in wrong)
    shown = f"✕ {text}" if text else None
    if place.error._text == shown:
        return
    reword(place.error, shown)
    if wrong:
        place.control.props["aria-invalid"] = "true"
    else:
        place.control.props.pop("aria-invalid", None)
    place.control.update()


def _badge(badge: Element, wrong: int) -> None:
    reword(badge, f"✕ {wrong}" if wrong else None)
