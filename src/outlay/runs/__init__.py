"""The run store: every plan, stress test, reading and validation with its inputs, answer and log, and the job queue."""

from outlay.runs.queue import Event, Queue
from outlay.runs.record import KINDS, STATUSES, Run
from outlay.runs.store import Store

__all__ = ["KINDS", "STATUSES", "Event", "Queue", "Run", "Store"]
