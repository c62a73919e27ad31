"""One run: what was asked, how it stands, and by which code and catalogue it was answered."""

from __future__ import annotations

import functools
import hashlib
import secrets
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outlay import __version__

KINDS = ("plan", "stress", "read", "validate", "train", "serve", "check")
STATUSES = ("queued", "running", "done", "failed", "cancelled", "lost")
OPEN = ("queued", "running")
"""Statuses of a run that is not at its end."""
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of ids: none that is taken for another."""
LOCAL = "local"
"""The owner of what is run on this machine by command or on the loopback."""


@dataclass(frozen=True)
class Run:
    """A run, without its large parts; :meth:`Store.inputs` and :meth:`Store.result` give those.

    Attributes
    ----------
    status
        ``queued``, ``running``, ``done`` (also where the answer is no), ``failed`` (``message`` says why),
        ``cancelled``, or ``lost``: its worker died, and died again on the second try.
    title
        What it is about: a scenario's name, a story's, a model on chips.
    owner
        Who may see it; ``local`` on one's own machine.
    created, started, finished
        Seconds since 1970 in UTC; ``None`` before it happened.
    code
        What the command would exit with: 0 done, 1 the answer is no, 2 bad input; ``None`` before the end.
    message
        Why it failed, or why the answer is no.
    catalogue_hash, code_hash, version
        Of the data and the code that answered.
    parent
        The run this one repeats.
    cancel
        Whether somebody asked to stop it.
    attempts
        How often a worker took it up.
    limit_s
        Seconds it may take in all.
    progress
        The last thing said of it: ``{"words": ...}`` or where the solver stands (:class:`outlay.runs.queue.Event`).
    """

    id: str
    kind: str
    status: str
    title: str
    owner: str
    created: float
    started: float | None
    finished: float | None
    code: int | None
    message: str
    catalogue_hash: str
    code_hash: str
    version: str
    parent: str | None
    cancel: bool
    attempts: int
    limit_s: float | None
    progress: dict[str, Any]

    @property
    def open(self) -> bool:
        """Whether it is not at its end."""
        return self.status in OPEN

    @property
    def seconds(self) -> float | None:
        """How long it took, or ``None`` before its end."""
        return None if self.started is None or self.finished is None else self.finished - self.started

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs; times as ISO 8601 in UTC."""
        times = {name: moment(getattr(self, name)) for name in ("created", "started", "finished")}
        return {**asdict(self), **times, "seconds": self.seconds}


def ended(
    kind: str,
    inputs: dict[str, Any],
    result: dict[str, Any] | None,
    *,
    title: str = "",
    owner: str = LOCAL,
    status: str = "done",
    code: int = 0,
    message: str = "",
    started: float | None = None,
    parent: str | None = None,
) -> dict[str, Any]:
    """Return a run that is at its end as one record: its row, and its inputs and answer under those names."""
    now = time.time()
    return {
        "id": new_id(),
        "kind": kind,
        "status": status,
        "title": title[:400],
        "owner": owner,
        "created": started or now,
        "started": started or now,
        "finished": now,
        "code": code,
        "message": message,
        "catalogue_hash": catalogue_hash(inputs.get("records")),
        "code_hash": code_hash(),
        "version": __version__,
        "parent": parent,
        "attempts": 1,
        "inputs": inputs,
        "result": result,
    }


def moment(seconds: float | None) -> str | None:
    """Return seconds since 1970 as ISO 8601 in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """Return an id nobody can guess (about 50 bits)."""
    return "".join(secrets.choice(LETTERS) for _ in range(10))


@functools.cache
def code_hash() -> str:
    """Return the hash of the package's code: the same code answers the same."""
    return _hash_of("*.py")


def catalogue_hash(records: str | None = None) -> str:
    """Return the hash of the package's data, and of a user's own records over it."""
    bundled = _hash_of("*.csv", "*.toml")
    return bundled if records is None else hashlib.sha256(f"{bundled}\n{records}".encode()).hexdigest()[:16]


@functools.cache
def _hash_of(*patterns: str) -> str:
    root = Path(__file__).parents[1]
    found = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in root.rglob(pattern)):
        found.update(f"{path.relative_to(root).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
