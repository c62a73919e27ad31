"""The job queue: runs that wait in the store for a worker, what is said of them meanwhile, and what a death costs."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from outlay import __version__
from outlay.errors import InputError
from outlay.runs import schema
from outlay.runs.database import changing, reading
from outlay.runs.record import KINDS, LOCAL, OPEN, Run, code_hash, moment, new_id
from outlay.runs.store import Store, _new

LEASE_S = 15.0
"""A worker that has said nothing for so long is taken for dead."""
MOST_ATTEMPTS = 2
"""A run is tried so often; a second death marks it ``lost``."""


@dataclass(frozen=True)
class Event:
    """Something said of a run.

    Attributes
    ----------
    id
        Grows with time; ask for what came after it.
    kind
        ``status``: ``{"status": ..., "message": ...}``; ``words``: ``{"words": ...}``; ``standing``, where the solver
        is (:class:`outlay.planning.linear.Standing`): ``{"seconds", "incumbent", "bound", "gap", "nodes", "step"}``,
        incumbent, bound and gap ``None`` until known, the former two in the unit of the plan's objective.
    """

    id: int
    run: str
    at: float
    kind: str
    data: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"id": self.id, "run": self.run, "at": moment(self.at), "kind": self.kind, **self.data}


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a run: good for this attempt only, so that a worker taken for dead cannot write any more."""

    run: str
    worker: str
    attempt: int


class Queue:
    """The queued and running runs of a store."""

    def __init__(self, store: Store) -> None:
        self.store, self.engine = store, store.engine

    # For those who ask

    def submit(
        self,
        kind: str,
        inputs: dict[str, Any],
        *,
        title: str = "",
        owner: str = LOCAL,
        limit_s: float | None = None,
        most_open: int | None = None,
        parent: str | None = None,
    ) -> Run:
        """Queue a run; ``inputs`` are as :mod:`outlay.runs.inputs` has them.

        Parameters
        ----------
        limit_s
            Seconds it may take in all; then it fails with a message.
        most_open
            Refuse it where the owner has so many queued and running already.

        Raises
        ------
        InputError
            If the inputs are wrong, or the owner has too many runs open.
        """
        from outlay.runs.inputs import checked

        if kind not in KINDS:
            msg = f"unknown kind of run {kind!r}; expected one of {', '.join(KINDS)}"
            raise InputError(msg)
        inputs = checked(kind, inputs)
        run, table = new_id(), schema.runs
        with changing(self.engine) as connection:
            if most_open is not None:
                query = sa.select(sa.func.count()).where(table.c.owner == owner, table.c.status.in_(OPEN))
                waiting = connection.execute(query).scalar_one()
                if waiting >= most_open:
                    msg = (
                        f"{waiting} runs of {owner!r} are queued or running; at most {most_open} may be: wait or cancel"
                    )
                    raise TooManyError(msg)
            row = _new(run, kind, inputs, title, owner, "queued", parent)
            connection.execute(table.insert(), {**row, "limit_s": limit_s})
            Store._put(connection, run, "inputs", inputs)
            _say(connection, run, "status", {"status": "queued"})
        return self.store.get(run)

    def get(self, run: str, owner: str = LOCAL) -> Run:
        """Return a run as it stands."""
        return self.store.get(run, owner)

    def events(self, run: str, after: int = 0, limit: int = 1000) -> list[Event]:
        """Return what was said of a run after an event, oldest first."""
        table = schema.events
        query = sa.select(table).where(table.c.run == run, table.c.id > after).order_by(table.c.id).limit(limit)
        with reading(self.engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [Event(row["id"], row["run"], row["at"], row["kind"], json.loads(row["data"])) for row in rows]

    def cancel(self, run: str) -> Run:
        """Ask a run to stop: one that waits stops now, one that runs within seconds, one at its end stays as it is."""
        table, now = schema.runs, time.time()
        with changing(self.engine) as connection:
            waiting = table.update().where(table.c.id == run, table.c.status == "queued")
            stopped = connection.execute(waiting.values(status="cancelled", cancel=True, finished=now))
            if stopped.rowcount:
                _say(connection, run, "status", {"status": "cancelled"})
            else:
                connection.execute(
                    table.update().where(table.c.id == run, table.c.status == "running").values(cancel=True)
                )
        return self.store.get(run)

    def wait(self, run: str, timeout_s: float = 600.0, every_s: float = 0.05) -> Run:
        """Return a run at its end, or as it stands after a time."""
        until = time.monotonic() + timeout_s
        while (found := self.store.get(run)).open and time.monotonic() < until:
            time.sleep(every_s)
        return found

    # For workers

    def enlist(self, worker: str) -> None:
        """Write a worker process down."""
        now = time.time()
        row = {"id": worker, "host": socket.gethostname(), "pid": os.getpid(), "started": now, "heartbeat": now}
        with changing(self.engine) as connection:
            connection.execute(schema.workers.insert(), row)

    def leave(self, worker: str) -> None:
        """Strike a worker process off; what it still held is queued again or marked."""
        with changing(self.engine) as connection:
            connection.execute(schema.workers.delete().where(schema.workers.c.id == worker))
            self._free(connection, schema.runs.c.worker == worker)

    def claim(self, worker: str) -> tuple[Run, Claim] | None:
        """Take up the run that waits longest, of the owner with the fewest running; ``None`` where none waits."""
        table, now = schema.runs, time.time()
        others = sa.alias(table)
        running = (
            sa.select(sa.func.count())
            .select_from(others)
            .where(others.c.owner == table.c.owner, others.c.status == "running")
            .scalar_subquery()
        )
        query = sa.select(table.c.id, table.c.attempts).where(table.c.status == "queued")
        first = query.order_by(running, table.c.created, table.c.id).limit(1)
        with reading(self.engine) as connection:  # most looks find nothing: no need to lock for those
            if connection.execute(first).first() is None:
                return None
        with changing(self.engine) as connection:
            row = connection.execute(first.with_for_update(skip_locked=True, of=table)).first()
            if row is None:
                return None
            values = {
                "status": "running",
                "worker": worker,
                "attempts": row.attempts + 1,
                "heartbeat": now,
                "started": now,
                "progress": "",
                "code_hash": code_hash(),
                "version": __version__,
            }
            connection.execute(table.update().where(table.c.id == row.id).values(values))
            _say(connection, row.id, "status", {"status": "running", "attempt": row.attempts + 1})
        return self.store.get(row.id), Claim(row.id, worker, row.attempts + 1)

    def beat(self, worker: str, claim: Claim | None = None) -> bool:
        """Say that a worker lives; return whether its run shall go on."""
        table, now = schema.runs, time.time()
        with changing(self.engine) as connection:
            alive = schema.workers.update().where(schema.workers.c.id == worker).values(heartbeat=now)
            connection.execute(alive)
            if claim is None:
                return True
            held = connection.execute(table.update().where(self._held(claim)).values(heartbeat=now))
            wanted = connection.execute(sa.select(table.c.cancel).where(table.c.id == claim.run)).scalar()
        return held.rowcount == 1 and not wanted

    def say(self, claim: Claim, kind: str, data: dict[str, Any]) -> None:
        """Add to the log of a run; a worker that has lost the run says nothing."""
        progress = json.dumps({"kind": kind, **data})
        with changing(self.engine) as connection:
            held = connection.execute(schema.runs.update().where(self._held(claim)).values(progress=progress))
            if held.rowcount:
                _say(connection, claim.run, kind, data)

    def finish(
        self,
        claim: Claim,
        status: str,
        result: dict[str, Any] | None = None,
        *,
        code: int = 0,
        message: str = "",
        inputs: dict[str, Any] | None = None,
    ) -> bool:
        """Bring a run to its end with its answer, in one change; return whether the worker still held it."""
        values = {"status": status, "finished": time.time(), "code": code, "message": message, "worker": None}
        with changing(self.engine) as connection:
            held = connection.execute(schema.runs.update().where(self._held(claim)).values(values))
            if not held.rowcount:
                return False
            if result is not None:
                Store._put(connection, claim.run, "result", result)
            if inputs is not None:
                table = schema.texts
                old = table.update().where(table.c.run == claim.run, table.c.part == "inputs")
                connection.execute(old.values(body=json.dumps(inputs)))
            _say(connection, claim.run, "status", {"status": status, "message": message})
        return True

    def reap(self, dead: Sequence[str] = (), *, lease_s: float = LEASE_S) -> list[str]:
        """Queue the runs of dead workers again, or mark those that were tried before; return their ids.

        Parameters
        ----------
        dead
            Workers known to be dead; others are when their process on this machine is gone or silent for ``lease_s``.
        """
        workers, runs, now = schema.workers, schema.runs, time.time()
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(workers)).mappings().all()
            old = sa.select(runs.c.id).where(runs.c.status == "running", runs.c.heartbeat < now - lease_s)
            silent = [row.id for row in connection.execute(old)]
        here = socket.gethostname()
        gone = [
            row["id"]
            for row in rows
            if row["id"] in dead or row["heartbeat"] < now - lease_s or (row["host"] == here and not _alive(row["pid"]))
        ]
        if not gone and not silent and not dead:
            return []
        with changing(self.engine) as connection:
            connection.execute(workers.delete().where(workers.c.id.in_(gone)))
            whose = runs.c.worker.in_([*gone, *dead])
            return self._free(connection, sa.or_(whose, sa.and_(runs.c.heartbeat < now - lease_s)))

    def _free(self, connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[str]:
        """Queue running runs again, or mark those cancelled or out of attempts."""
        table = schema.runs
        query = sa.select(table.c.id, table.c.attempts, table.c.cancel).where(which, table.c.status == "running")
        rows = connection.execute(query.with_for_update()).all()
        for row in rows:
            values: dict[str, Any] = {"worker": None, "heartbeat": None}
            said = {"status": "queued", "message": "its worker died; it is queued again"}
            if row.cancel:
                said = {"status": "cancelled", "message": ""}
            elif row.attempts >= MOST_ATTEMPTS:
                said = {"status": "lost", "message": f"its worker died {row.attempts} times; run it again to retry"}
            values |= {"status": said["status"]}
            if said["status"] != "queued":
                values |= {"finished": time.time(), "message": said["message"], "code": 1}
            connection.execute(table.update().where(table.c.id == row.id).values(values))
            _say(connection, row.id, "status", said)
        return [row.id for row in rows]

    @staticmethod
    def _held(claim: Claim) -> sa.ColumnElement[bool]:
        table = schema.runs
        return sa.and_(
            table.c.id == claim.run,
            table.c.status == "running",
            table.c.worker == claim.worker,
            table.c.attempts == claim.attempt,
        )


class TooManyError(InputError):
    """Somebody has as many runs open as they may."""


def _say(connection: sa.Connection, run: str, kind: str, data: dict[str, Any]) -> None:
    row = {"run": run, "at": time.time(), "kind": kind, "data": json.dumps(data)}
    connection.execute(schema.events.insert(), row)


def _alive(pid: int) -> bool:
    """Return whether a process of this machine is there; one that took over a dead one's number is told by silence."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    """Return whether a process is dead but not yet buried by its parent; ``False`` where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False
