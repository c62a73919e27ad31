"""Controls of the explorers: fields that tell what is wrong at their place, tabs, a list of things to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from nicegui import ui
from nicegui.element import Element

from outlay.errors import OutlayError
from outlay.web.page.parts import button, el, t
from outlay.web.page.shown import shown

_IDS = count(1)
PAUSE_S = 0.12
"""How long typing must rest before an answer is sought."""


class _Control:
    """What a person changes; the answer is given where the control stands, which may itself be drawn anew by it."""

    def __init__(self, on_change: Callable[[], Any] | None) -> None:
        self._on_change = on_change
        self._home = ui.context.slot.parent

    async def _tell(self) -> None:
        if self._on_change is not None:
            with self._home:
                made = self._on_change()
                if made is not None:
                    await made


class Field(_Control):
    """An input with its label, a hint, and a place for what is wrong with it."""

    def __init__(
        self,
        label: str,
        value: str,
        on_change: Callable[[], Any] | None = None,
        *,
        hint: str = "",
        options: Sequence[str] = (),
        **attributes: object,
    ) -> None:
        super().__init__(on_change)
        self.label, self.value = label, value
        number = next(_IDS)
        self._error_id = f"field-error-{number}"
        with el("div", "form-field") as self.box:
            with el("label", ""):
                el("span", "", label)
                listed = f"field-options-{number}" if options else None
                self.input = el(
                    "input", "", value=value, placeholder=hint or None, list=listed, autocomplete="off",
                    spellcheck="false", aria_describedby=self._error_id, **attributes,
                )  # fmt: skip
            if options:
                with el("datalist", "", id=f"field-options-{number}"):
                    for option in options:
                        el("option", "", value=option)
            self._error = el("p", "field-error", "", id=self._error_id, role="alert")
        self.input.on(
            "input", self._typed, js_handler="(e) => emit(e.target.value)", throttle=PAUSE_S, leading_events=False
        )

    async def _typed(self, event: Any) -> None:
        self.value = str(event.args)
        await self._tell()

    def fill(self, value: str) -> None:
        """Write a value into the field."""
        self.value = value
        self.input.props["value"] = value
        self.input.update()

    def wrong(self, text: str) -> None:
        """Say what is wrong; ``""`` takes it back."""
        self._error._text = text
        self._error.update()
        if bool(text) != ("aria-invalid" in self.input.props):
            if text:
                self.input.props["aria-invalid"] = "true"
            else:
                self.input.props.pop("aria-invalid")
            self.input.update()

    def read(self, reader: Callable[[str], Any]) -> Any:
        """Return what a reader makes of the value; what it complains of is said at the field, and raised again."""
        try:
            found = reader(self.value.strip())
        except OutlayError as error:
            self.wrong(str(error))
            raise
        self.wrong("")
        return found


class Select(_Control):
    """A native select with its label above it, like a field."""

    def __init__(
        self, label: str, options: Mapping[str, str], value: str, on_change: Callable[[], Any] | None = None
    ) -> None:
        super().__init__(on_change)
        self.label, self.value = label, value
        with el("div", "form-field") as self.box, el("label", ""):
            el("span", "", label)
            with el("select", "") as made:
                for key, shown in options.items():
                    el("option", "", shown, value=key, selected=key == value)
        made.on("change", self._changed, js_handler="(e) => emit(e.target.value)")

    async def _changed(self, event: Any) -> None:
        self.value = str(event.args)
        await self._tell()


class Tick(_Control):
    """A checkbox with its label."""

    def __init__(self, label: str, value: bool, on_change: Callable[[], Any] | None = None) -> None:
        super().__init__(on_change)
        self.value = value
        with el("label", "tick"):
            made = el("input", "", type="checkbox", checked=value)
            el("span", "", label)
        made.on("change", self._changed, js_handler="(e) => emit(e.target.checked)")

    async def _changed(self, event: Any) -> None:
        self.value = bool(event.args)
        await self._tell()


class Tabs:
    """Panels of which one is shown; each is built when first opened."""

    def __init__(self, label: str, builders: Mapping[str, tuple[str, Callable[[], Any]]], first: str) -> None:
        self.builders, self.tabs = builders, dict[str, Element]()
        number = next(_IDS)
        with el("div", "tabs", role="tablist", aria_label=label):
            for name, (shown, _) in builders.items():
                self.tabs[name] = el(
                    "button", "", shown, type="button", role="tab", id=f"tab-{number}-{name}",
                    aria_controls=f"panel-{number}",
                ).on("click", self._opener(name))  # fmt: skip
        self.panel = el("div", "stack", role="tabpanel", id=f"panel-{number}", tabindex="-1")
        self.first, self._number = first, number

    def _opener(self, name: str) -> Callable[[], Any]:
        async def handle() -> None:
            await self.open(name)

        return handle

    async def open(self, name: str) -> None:
        """Show one panel."""
        for key, tab in self.tabs.items():
            tab.props["aria-selected"] = "true" if key == name else "false"
            tab.props["tabindex"] = "0" if key == name else "-1"
            tab.update()
        self.panel.props["aria-labelledby"] = f"tab-{self._number}-{name}"
        self.panel.clear()
        shown().commands.clear()
        shown().facts.clear()
        with self.panel:
            made = self.builders[name][1]()
            if made is not None:
                await made


class Several(_Control):
    """A few things beside each other, chosen from a list: each can be taken away, others added."""

    def __init__(
        self, label: str, options: Sequence[str], chosen: list[str], on_change: Callable[[], Any], most: int = 5
    ) -> None:
        super().__init__(on_change)
        self.label, self.options, self.chosen, self.most = label, options, chosen, most
        with el("div", "form-field"):
            self.box = el("div", "several", role="group", aria_label=label)
        self._show()

    def _show(self) -> None:
        self.box.clear()
        with self.box:
            el("span", "several-label", self.label)
            for name in self.chosen:
                with el("span", "picked"):
                    el("span", "", name)
                    if len(self.chosen) > 1:
                        words = t("chips.remove", name=name)
                        button("×", self._remover(name), "bare", aria_label=words, title=words)
            if len(self.chosen) < self.most:
                with el("select", "", aria_label=t("chips.another")) as made:
                    el("option", "", f"+ {t('chips.another')}", value="")
                    for option in self.options:
                        if option not in self.chosen:
                            el("option", "", option, value=option)
                made.on("change", self._add, js_handler="(e) => emit(e.target.value)")

    def _remover(self, name: str) -> Callable[[], Any]:
        async def handle() -> None:
            self.chosen.remove(name)
            self._show()
            await self._tell()

        return handle

    async def _add(self, event: Any) -> None:
        if event.args in self.options:
            self.chosen.append(str(event.args))
            self._show()
            await self._tell()
