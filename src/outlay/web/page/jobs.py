"""Runs as the page asks for them: submitted to the queue, followed event by event, never on the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nicegui import ui

from outlay.errors import InputError
from outlay.web.page.parts import here, session
from outlay.web.security import COOKIE
from outlay.web.tokens import Token, token_of

if TYPE_CHECKING:
    from outlay.runs.queue import Queue
    from outlay.runs.record import Run
    from outlay.web.api.common import Server
    from outlay.web.page.reading import Told
    from outlay.web.page.state import Session


_SERVERS: list[Server] = []


def use(server: Server) -> None:
    """Hand runs in at a server's queue, under its limits."""
    _SERVERS[:] = [server]


def server() -> Server:
    """Return what the server of the page holds.

    Raises
    ------
    InputError
        If the page was mounted without one.
    """
    if not _SERVERS:
        msg = "this page was started without a server; `outlay web` starts one"
        raise InputError(msg)
    return _SERVERS[0]


def queue() -> Queue:
    """Return the queue runs are handed in at."""
    return server().queue


async def submit(kind: str, inputs: dict[str, Any], *, title: str, owner: str) -> Run:
    """Queue a run.

    Raises
    ------
    InputError
        If the inputs are wrong, or too many of the owner's runs are open.
    """
    await admitted()
    limits = server().limits
    made: Run = await _aside(queue().submit, kind, inputs, title=title, owner=owner, limit_s=limits.run_s,
                             most_open=limits.open_runs)  # fmt: skip
    session().running[made.id] = kind, title
    return made


async def settle(now: Session) -> None:
    """Strike off which of a browser's runs have ended, or are gone."""

    def ended() -> list[str]:
        return [run for run in list(now.running) if not _is_open(run, now.owner)]

    for run in await _aside(ended):
        now.running.pop(run, None)


def _is_open(run: str, owner: str) -> bool:
    try:
        return queue().get(run, owner).open
    except InputError:
        return False


async def admitted() -> None:
    """Make sure that the token the page was opened with still lets its holder in.

    Raises
    ------
    InputError
        If it has expired or was taken back since: the page stays as it is, and says where to come in again.
    """
    if not server().settings.token_needed:
        return
    headers = ui.context.client.request.headers
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    secret = bearer if scheme.casefold() == "bearer" else ui.context.client.request.cookies.get(COOKIE, "")
    found = await _aside(token_of, server().store, secret.strip())
    if not isinstance(found, Token):
        msg = f"the token or session is {found}; come in again at /enter in another tab, and ask once more"
        raise InputError(msg)


async def cancel(run: str) -> None:
    """Ask a run to stop."""
    await _aside(queue().cancel, run)


@dataclass
class Followed:
    """A run that is looked after: what was said of it so far."""

    id: str
    owner: str
    last: int = 0
    standings: list[dict[str, Any]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    async def look(self) -> Run:
        """Take in what was said since, and return the run as it stands.

        Raises
        ------
        InputError
            If the run is gone: it, or its scenario, was deleted.
        """
        run, events = await _aside(self._look)
        for event in events:
            self.last = event.id
            if event.kind == "standing":
                self.standings.append(event.data)
            elif event.kind == "words":
                self.words.append(str(event.data["words"]))
            elif event.data.get("status") == "queued":
                self.standings, self.words = [], []  # it begins anew
        found: Run = run
        return found

    def _look(self) -> Any:
        office = queue()
        found = office.get(self.id, self.owner)
        return found, office.events(self.id, self.last)

    async def result(self) -> dict[str, Any] | None:
        """Return the answer, ``None`` where there is none."""
        found: dict[str, Any] | None = await _aside(queue().store.result, self.id)
        return found


async def _aside(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call what waits for the database in a thread; end the handler where its view has gone meanwhile."""
    still = here()
    found = await asyncio.to_thread(function, *args, **kwargs)
    still()
    return found


async def keep_reading(told: Told, owner: str) -> None:
    """Keep a reading in the store, as `outlay read` would have answered it."""
    from outlay.report.reading import document
    from outlay.runs.record import ended

    def keep() -> None:
        article = told.reading.articles[0]
        inputs = {"stories": [{"name": article.name, "text": article.body, "address": article.address}]}
        answer = document(told.reading, told.draft, told.why_not)
        queue().store.add(ended("read", inputs, answer, title=article.title or article.name, owner=owner))

    await _aside(keep)
