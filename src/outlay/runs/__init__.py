"""The run store: every plan, stress test, reading and validation with its inputs, answer and log, and the job queue."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from outlay.runs.record import KINDS, STATUSES, Run

if TYPE_CHECKING:
    from outlay.runs.queue import Event, Queue
    from outlay.runs.store import Store

__all__ = ["KINDS", "STATUSES", "Event", "Queue", "Run", "Store"]
LATER = {"Event": "queue", "Queue": "queue", "Store": "store"}
"""What is imported when it is first asked for: a command that only leaves a run behind needs no database."""


def __getattr__(name: str) -> Any:
    """Import what ``LATER`` names."""
    if name not in LATER:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{LATER[name]}"), name)
