"""What a view can be taken away as: pictures, CSV, report, workbook, and the command line that gives the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from nicegui import ui

from outlay.errors import OutlayError
from outlay.report import pdf, sheet
from outlay.scenario.load import bundled, bundled_text
from outlay.web.page.parts import Notice, busy, button, choice, el, p, session, t
from outlay.web.page.running import aside
from outlay.web.page.shown import Command, Shown, shown

FORMS = ("png", "svg", "csv")
SETTLED_S = 0.15
"""Changes that follow each other faster are shown together."""


def place() -> None:
    """Place what the view in hand can be taken away as, below it."""
    _Exports(shown())


class _Exports:
    def __init__(self, seen: Shown) -> None:
        self.seen, self.picked = seen, ""
        with el("section", "card exports", aria_label=t("exports.title"), id="exports"):
            with el("div", "head"):
                el("h2", "", t("exports.title"))
                el("p", "note", t("exports.note"))
            with el("div", "row"):
                self.choices = el("div", "row")
                for form in FORMS:
                    button(form.upper(), self._handler(self.one, form), "small", data_form=form)
                el("span", "gap", "", aria_hidden="true")
                for form in ("html", "pdf", "workbook"):
                    button(t(f"exports.{form}"), self._handler(self.whole, form), "small", data_form=form)
            self.notice = Notice()
            self.commands = el("div", "stack commands")
        self.due = False
        seen.changed.append(self.changed)
        self.show()

    @staticmethod
    def _handler(act: Callable[[str], Any], form: str) -> Callable[[], Any]:
        async def handle() -> None:
            await act(form)

        return handle

    def changed(self) -> None:
        """Show what is new, once it has settled."""
        if self.due or self.choices.is_deleted:
            return
        self.due = True
        with self.choices.parent_slot.parent if self.choices.parent_slot else self.choices:
            ui.timer(SETTLED_S, self.show, once=True)

    def show(self) -> None:
        """List the figures and tables, and the command lines."""
        self.due = False
        if self.choices.is_deleted:
            return
        options = {chart.id: p(chart.title) for chart, _ in self.seen.alive_charts()}
        options |= {page.id: p(page.caption) for page in self.seen.alive_pages()}
        self.picked = self.picked if self.picked in options else next(iter(options), "")
        self.choices.clear()
        with self.choices:
            if options:
                choice(t("exports.figure"), options, self.picked, lambda value: setattr(self, "picked", value))
            else:
                el("p", "note", t("exports.nothing"))
        self.commands.clear()
        with self.commands:
            el("h3", "", t("exports.command"))
            for what, command in self.seen.commands.items():
                _command(what, command, self.notice)
            if not self.seen.commands:
                el("p", "note", t("exports.no_command"))

    async def one(self, form: str) -> None:
        """Hand out the figure or table picked."""
        charts = {chart.id: (chart, plot) for chart, plot in self.seen.alive_charts()}
        pages = {page.id: page for page in self.seen.alive_pages()}
        name = f"outlay-{self.picked}.{form}"
        if self.picked in charts:
            chart, plot = charts[self.picked]
            if form == "csv":
                _hand_out(sheet.csv_of_chart(chart).encode("utf-8-sig"), name)
            else:
                plot.save_picture(name.removesuffix(f".{form}"), form)
        elif self.picked in pages:
            if form != "csv":
                self.notice.say("warn", t("exports.no_picture", what=p(pages[self.picked].caption)))
                return
            _hand_out(sheet.csv_of_page(pages[self.picked]).encode("utf-8-sig"), name)
        else:
            self.notice.say("warn", t("exports.nothing"))
            return
        self.notice.say("good", t("exports.saved", name=name))

    async def whole(self, form: str) -> None:
        """Hand out the view as a report or a workbook."""
        self.notice.clear()
        name = f"outlay-{self.seen.view}.{'xlsx' if form == 'workbook' else form}"
        try:
            async with busy(t("exports.making", what=name)):
                data = await self._made(form)
        except OutlayError as error:
            self.notice.say("error", str(error))
            return
        _hand_out(data, name)
        self.notice.say("good", t("exports.saved", name=name))

    async def _made(self, form: str) -> bytes:
        if form == "workbook":
            make: Callable[[], bytes] = self.seen.workbook or _bound(sheet.to_workbook, self.sheet())
            return bytes(await aside(make))
        if self.seen.report is not None:
            page = str(await aside(self.seen.report))
        else:
            page = str(await aside(_bound(sheet.to_html, self.sheet(), paper=form == "pdf")))
        return bytes(await aside(pdf.to_pdf, page)) if form == "pdf" else page.encode()

    def sheet(self) -> sheet.Sheet:
        """Return what the view shows now."""
        now = session()
        lines = [command.line for command in self.seen.commands.values()]
        return sheet.Sheet(
            title=f"{t(f'shell.view.{self.seen.view}')} · {now.name}",
            language={"en": "en", "zh": "zh-CN"}[now.language],
            facts=[(name, value) for name, value in self.seen.facts],
            charts=[chart for chart, _ in self.seen.alive_charts()],
            pages=self.seen.alive_pages(),
            command="\n".join(lines),
            command_title=t("exports.command"),
        )


def _bound(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[[], Any]:
    def call() -> Any:
        return function(*args, **kwargs)

    return call


def _hand_out(data: bytes, name: str) -> None:
    ui.download.content(data, name)


def _command(what: str, command: Command, notice: Notice) -> None:
    """Place a command line with what it reads, and a way to copy it."""
    with el("div", "command", data_command=what):
        el("code", "", command.line, tabindex="0")
        with el("div", "row"):
            button(t("exports.copy"), _copy(command.line, notice), "small")
            for name, text in command.files.items():
                button(t("exports.file", name=name), _save(text, name), "small")


def _copy(text: str, notice: Notice) -> Callable[[], None]:
    def copy() -> None:
        ui.run_javascript(f"navigator.clipboard?.writeText({json.dumps(text)})")
        notice.say("good", t("exports.copied"))

    return copy


def _save(text: str, name: str) -> Callable[[], None]:
    def save() -> None:
        _hand_out(text.encode(), name)

    return save


def scenario_files(name: str, text: str) -> tuple[str, dict[str, str]]:
    """Return how a command names a scenario, and the file to keep beside it unless it is a bundled one as it stands."""
    if name in bundled() and text == bundled_text(name):
        return name, {}
    file = f"{re.sub(r'[^a-z0-9-]+', '-', name.casefold()).strip('-') or 'scenario'}.yaml"
    return file, {file: text}
