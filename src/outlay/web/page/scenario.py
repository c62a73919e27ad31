"""View 2, Scenario: a form over every field beside the YAML, both in step, checked as one types, with undo."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from nicegui import ui

from outlay.errors import OutlayError
from outlay.scenario.edit import with_item, with_value, without
from outlay.scenario.load import LARGEST_BYTES
from outlay.scenario.tree import Location, dotted
from outlay.web.page.checked import Checked, look_over
from outlay.web.page.exports import scenario_files
from outlay.web.page.form import Form
from outlay.web.page.parts import Notice, busy, button, el, p, session, t
from outlay.web.page.shown import Command, shown
from outlay.web.page.state import Session
from outlay.web.page.yaml_editor import YamlEditor

MOST_TROUBLES = 12
READ_FILE = """async (e) => {
  const file = e.target.files[0]; e.target.value = "";
  if (!file) return;
  if (file.size > %d) return emit({name: file.name, size: file.size});
  const bytes = new Uint8Array(await file.arrayBuffer());
  try { emit({name: file.name, text: new TextDecoder("utf-8", {fatal: true}).decode(bytes), nul: bytes.includes(0)}); }
  catch { emit({name: file.name}); }
}"""
"""Reads a chosen file in the browser; what is too large or no text is only named."""


async def show() -> None:
    """Show the scenario in hand, to be looked at and changed."""
    view = _View(session())
    await view.begin()


class _View:
    def __init__(self, now: Session) -> None:
        self.now = now
        self.found = Checked(now.text)
        self.changing = asyncio.Lock()
        self.wanted = 0
        self.in_hand = now.name, now.edited
        with el("div", "title"):
            with el("div"):
                el("h1", "", t("scenario.title"))
                el("p", "lead", t("scenario.lead"))
            self._tools()
        self.notice = Notice()
        self.troubles = el("div", "troubles", id="troubles", role="status", aria_live="polite")
        with el("div", "two form-and-yaml"):
            self.form = Form(self.change, self.add, self.remove)
            with el("section", "card sticky", aria_label=t("scenario.yaml")):
                with el("div", "head"):
                    el("h2", "", t("scenario.yaml"))
                    el("p", "note", t("scenario.yaml_note"))
                self.editor = YamlEditor(
                    now.text,
                    label=t("scenario.yaml"),
                    largest=LARGEST_BYTES,
                    on_typed=self.typed,
                    on_too_large=self.too_large,
                    area_id="yaml",
                )

    def _tools(self) -> None:
        with el("div", "row actions"):
            self.undo_button = button(t("scenario.undo"), lambda: self.step(back=True), id="undo")
            self.redo_button = button(t("scenario.redo"), lambda: self.step(back=False), id="redo")
            with el("label", "button file", tabindex="-1"):
                el("span", "", t("scenario.open"))
                chosen = el("input", "", type="file", id="open-file", accept=".yaml,.yml,text/yaml,text/plain")
                chosen.on("change", lambda event: self.opened(event.args), js_handler=READ_FILE % LARGEST_BYTES)
            button(t("scenario.save"), self.save, id="save")
            el("a", "button main", t("plan.solve"), href="/plan")

    async def begin(self) -> None:
        """Look over the scenario in hand and show it."""
        async with busy(t("scenario.checking")):
            await self._look(self.now.text)
        self.form.show(self.found)
        self._say()
        self._exported()

    def _exported(self) -> None:
        name, files = scenario_files(self.now.name, self.now.text)
        shown().command("plan", Command(["outlay", "plan", name], files))

    # What a person does

    async def change(self, where: Location, value: Any) -> None:
        """Give a field another value, or take it out where the value is empty; the YAML follows."""
        async with self.changing:
            tree = self.found.tree if self.found.text == self.now.text else None
            try:
                if value in ("", [], {}):
                    text = await asyncio.to_thread(without, self.now.text, where)
                else:
                    text = await asyncio.to_thread(with_value, self.now.text, where, value, tree)
            except OutlayError as error:
                self.notice.say("error", str(error))
                return
            self._take(text, where)
        await self.check(keep_form=True)

    async def add(self, where: Location, value: Any) -> None:
        """Add an item to a list, or a block that is not there."""
        where, is_item = (where[:-1], True) if where and where[-1] == -1 else (where, False)
        await self._structure(with_item if is_item else with_value, where, value)

    async def remove(self, where: Location) -> None:
        """Take a block out."""
        await self._structure(without, where)

    async def _structure(self, function: Any, *args: Any) -> None:
        async with self.changing:
            try:
                text = await asyncio.to_thread(function, self.now.text, *args)
            except OutlayError as error:
                self.notice.say("error", str(error))
                return
            self._take(text, None)
        await self.check()

    async def typed(self, text: str) -> None:
        """Take what a person typed into the YAML."""
        self.now.history.put(text, "yaml")
        self._buttons()
        await self.check()

    async def step(self, *, back: bool) -> None:
        """Undo or redo."""
        moved = self.now.history.undo() if back else self.now.history.redo()
        if moved:
            self.editor.put(self.now.text)
            self._buttons()
            await self.check()

    async def opened(self, file: dict[str, Any]) -> None:
        """Take a file in hand."""
        name = str(file.get("name", ""))[:80]
        if "size" in file:
            self.too_large(int(file["size"]))
            return
        text = file.get("text")
        if text is None or file.get("nul"):
            self.notice.say("error", t("scenario.no_text", name=name))
            return
        self.notice.clear()
        self.now.open_text(name.rsplit(".", 1)[0] or "scenario", str(text))
        self.editor.put(self.now.text)
        self._buttons()
        await self.check()

    def too_large(self, size: int) -> None:
        """Refuse a text that is too large; it never left the browser."""
        self.notice.say("error", t("scenario.too_large", size=f"{size:,}", most=f"{LARGEST_BYTES:,}"))

    def save(self) -> None:
        """Hand the YAML to the browser to be saved."""
        ui.download.content(self.now.text, f"{self.now.name}.yaml", "text/yaml")

    # What follows from it

    def _take(self, text: str, group: object) -> None:
        self.now.history.put(text, group)
        self.editor.put(text)
        self._buttons()

    async def check(self, *, keep_form: bool = False) -> None:
        """Look over the text in hand; of several looks begun the last counts."""
        self.wanted += 1
        number = self.wanted
        async with busy(t("scenario.checking")):
            found = await asyncio.to_thread(look_over, self.now.text)
        if number != self.wanted or self.form.root.is_deleted:
            return
        with self.troubles:  # the button pressed may go with the form's block
            self.found = found
            self.notice.clear()
            if keep_form:
                self.form.mark(found)
            else:
                self.form.show(found)
            self._say()
            self._exported()

    async def _look(self, text: str) -> None:
        self.found = await asyncio.to_thread(look_over, text)

    def _say(self) -> None:
        """Say what is wrong, each with a way to its place."""
        self._buttons()
        found = self.found
        self.editor.mark_lines([one.line for one in found.troubles if one.line])
        self.troubles.clear()
        with self.troubles:
            if not found.troubles:
                with el("p", "notice good slim"):
                    el("span", "sign", "✓", aria_hidden="true")
                    el("span", "lines", t("scenario.valid"))
                return
            with el("div", "notice error slim"):
                el("span", "sign", "✕", aria_hidden="true")
                with el("ul", "lines plain"):
                    for one in found.troubles[:MOST_TROUBLES]:
                        with el("li"):
                            line = t("scenario.line", number=one.line) if one.line else ""
                            made = el("button", "number words", f"{line} {p(one.what)}".strip(), type="button")
                            made.on("click", lambda _, one=one: self.go_to(one.where, one.line))
                    if len(found.troubles) > MOST_TROUBLES:
                        el("li", "", t("scenario.more", count=len(found.troubles) - MOST_TROUBLES))

    def go_to(self, where: Location, line: int | None) -> None:
        """Open the field of a problem and put the cursor into it; its line where it has no field."""
        if not self.form.open(where) and line:
            self.editor.go_to(line)
        elif where:
            ui.run_javascript(
                f"setTimeout(() => document.getElementById({json.dumps(f'field-{dotted(where)}')})?.focus(), 60)"
            )

    def _buttons(self) -> None:
        if (self.now.name, self.now.edited) != self.in_hand:
            self.in_hand = self.now.name, self.now.edited
            ui.context.client.outlay_in_hand()  # type: ignore[attr-defined]
        history = self.now.history
        for made, able in ((self.undo_button, history.at > 0), (self.redo_button, history.at < len(history.texts) - 1)):
            if able:
                made.props.pop("disabled", None)
            else:
                made.props["disabled"] = True
            made.update()
