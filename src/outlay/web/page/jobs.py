"""Runs as the page asks for them: submitted to the queue, followed event by event, never on the event loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nicegui import run as background

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.runs.queue import Queue
    from outlay.runs.record import Run


@dataclass
class _Office:
    """Where runs are handed in; set when the page is mounted."""

    queue: Queue | None = None
    most_open: int | None = None


_OFFICE = _Office()


def use(queue: Queue | None, most_open: int | None = None) -> None:
    """Hand runs in at a queue; at most ``most_open`` of one owner may be queued or running."""
    _OFFICE.queue, _OFFICE.most_open = queue, most_open


def queue() -> Queue:
    """Return the queue runs are handed in at.

    Raises
    ------
    InputError
        If the page was mounted without one.
    """
    if _OFFICE.queue is None:
        msg = "this page was started without a queue; `outlay web` starts one"
        raise InputError(msg)
    return _OFFICE.queue


async def submit(kind: str, inputs: dict[str, Any], *, title: str, owner: str, limit_s: float | None = None) -> Run:
    """Queue a run.

    Raises
    ------
    InputError
        If the inputs are wrong, or too many of the owner's runs are open.
    """
    return await _aside(queue().submit, kind, inputs, title=title, owner=owner, limit_s=limit_s,
                        most_open=_OFFICE.most_open)  # fmt: skip


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
    """Call what waits for the database in a thread."""
    return await background.io_bound(function, *args, **kwargs)
