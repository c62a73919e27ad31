"""A run that a view waits for: what is being done, for how long already, what was said, and a way to stop it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from nicegui import run as background
from nicegui import ui

from outlay.errors import InputError, OutlayError
from outlay.web.page import jobs
from outlay.web.page.parts import Notice, button, el, t

if TYPE_CHECKING:
    from nicegui.element import Element

    from outlay.runs.record import Run
    from outlay.web.page.state import Session

LOOK_S = 0.3
LAST_LINES = 6
Ended = Callable[[dict[str, Any]], Awaitable[None]]


async def aside(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call what takes its time in a thread, so that the page goes on answering."""
    return await background.io_bound(function, *args, **kwargs)


class Running:
    """A run of one kind that a view hands in and follows; it is found again after a reload.

    Parameters
    ----------
    key
        Under which the session keeps the run's identifier while it is open.
    ended
        Called with the answer, where there is one.
    """

    def __init__(self, now: Session, key: str, notice: Notice, ended: Ended) -> None:
        self.now, self.key, self.notice, self.ended = now, key, notice, ended
        with el("div") as self.clock:  # apart from what is cleared at the end: a deleted timer ends its own call
            self.place = el("div")
        if self.open:
            self._follow(str(now.kept[key]))

    @property
    def open(self) -> bool:
        """Whether a run is under way."""
        return bool(self.now.kept.get(self.key))

    async def hand_in(self, kind: str, inputs: dict[str, Any], title: str, about: str = "") -> None:
        """Queue a run and follow it; what is wrong with it is said at the notice.

        ``title`` says what is done, ``about`` what the run is listed under: the scenario in hand where left out.
        """
        self.notice.clear()
        if self.open:
            return
        try:
            run = await jobs.submit(kind, inputs, title=about or self.now.name, owner=self.now.owner)
        except OutlayError as error:
            self.notice.say("error", str(error))
            return
        self.now.kept[self.key] = run.id
        self.now.kept[f"{self.key}-title"] = title
        self._follow(run.id)

    def _follow(self, run: str) -> None:
        self.place.clear()
        self.followed = jobs.Followed(run, self.now.owner)
        self.began = time.monotonic()
        title = str(self.now.kept.get(f"{self.key}-title", ""))
        with self.place, el("section", "card", aria_label=title):
            with el("div", "row spread"):
                el("h2", "", title)
                button(t("futures.cancel"), self._stop, "small", data_cancel=self.key)
            self.words = el("p", "note", t("running.queued"), role="status", aria_live="polite")
            self.log = el("pre", "log", "", tabindex="0", aria_label=t("running.log"))
        with self.clock:
            self.timer = ui.timer(LOOK_S, self._look)

    async def _stop(self) -> None:
        await jobs.cancel(self.followed.id)
        _reword(self.words, t("running.stopping"))

    async def _look(self) -> None:
        try:
            run = await self.followed.look()
        except InputError as error:
            self._over()
            self.notice.say("error", str(error))
            return
        if run.open:
            key = "running.queued" if run.status == "queued" else "running.running"
            _reword(self.words, t(key, seconds=f"{time.monotonic() - self.began:.0f}"))
            _reword(self.log, "\n".join(self.followed.words[-LAST_LINES:]))
            return
        self._over()
        await self._answer(run)

    def _over(self) -> None:
        self.timer.cancel()
        self.now.kept.pop(self.key, None)
        self.place.clear()

    async def _answer(self, run: Run) -> None:
        if run.status == "cancelled":
            self.notice.say("info", t("running.cancelled"))
            return
        if run.status != "done" or run.code:
            self.notice.say("error", run.message or t("running.failed", status=run.status))
            return
        document = await self.followed.result()
        if document is None:
            self.notice.say("error", t("running.failed", status=run.status))
            return
        await self.ended(document)


def _reword(element: Element, words: str) -> None:
    if element._text != words:
        element._text = words
        element.update()
