"""The run store: keeps runs with their inputs, answers and logs, and the scenarios people save."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from outlay import __version__
from outlay.errors import InputError, unknown
from outlay.runs import schema
from outlay.runs.database import changing, engine_of, migrate, reading
from outlay.runs.place import default_url, is_file, left
from outlay.runs.record import LOCAL, OPEN, Run, catalogue_hash, code_hash, new_id

NEAREST_AMONG = 2000
"""How many newest ids are looked through for one like an unknown one."""


@dataclass(frozen=True)
class SavedScenario:
    """A scenario somebody keeps: its YAML, and the text of their own records over the catalogue, if any."""

    id: str
    owner: str
    name: str
    text: str
    records: str | None
    created: float
    changed: float
    version: str


class Store:
    """The runs of one database; safe to use from several threads and processes at once.

    Every change is one transaction: a process killed at any moment leaves all of it or nothing.
    """

    def __init__(self, engine: sa.Engine, place: str) -> None:
        self.engine, self.place = engine, place

    @classmethod
    def open(cls, place: str | None = None) -> Store:
        """Open the store at a path or a PostgreSQL URL, by default where ``OUTLAY_RUNS`` says; make it if needed.

        Raises
        ------
        InputError
            If the place is none, or a newer version of outlay wrote it.
        StoreError
            If it does not answer, or is no store at all.
        """
        place = place or default_url()
        engine = engine_of(place)
        try:
            migrate(engine, place)
        except BaseException:
            engine.dispose()
            raise
        store = cls(engine, place)
        store.take_in()
        return store

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    # Runs

    def add(self, run: dict[str, Any]) -> Run:
        """Keep a run that was made elsewhere and is at its end (:func:`outlay.runs.record.ended`), and return it."""
        self.keep(run)
        return self.get(run["id"])

    def take_in(self) -> None:
        """Keep the runs that commands left beside the store (:mod:`outlay.runs.place`); each once, whoever comes."""
        if not is_file(self.place):
            return
        for path, run in left(self.place):
            self.keep(run)
            path.unlink(missing_ok=True)

    def keep(self, run: dict[str, Any]) -> None:
        """Keep a run as :func:`outlay.runs.record.ended` has it; one that is kept already stays as it is."""
        row = {"cancel": False, "progress": "", **run}
        inputs, result = row.pop("inputs"), row.pop("result")
        with changing(self.engine) as connection:
            table = schema.runs
            if connection.execute(sa.select(table.c.id).where(table.c.id == run["id"])).first() is not None:
                return
            connection.execute(table.insert(), row)
            self._put(connection, run["id"], "inputs", inputs)
            if result is not None:
                self._put(connection, run["id"], "result", result)

    def get(self, run: str, owner: str = LOCAL) -> Run:
        """Return a run by its id, or by the unique beginning of one.

        Raises
        ------
        InputError
            If there is none that the owner may see; names the nearest.
        """
        self.take_in()
        table = schema.runs
        with reading(self.engine) as connection:
            row = connection.execute(self._visible(owner).where(table.c.id == run)).mappings().first()
            if row is not None:
                return _run(row)
            newest = self._visible(owner).order_by(table.c.created.desc()).limit(NEAREST_AMONG)
            known = [found["id"] for found in connection.execute(newest).mappings()]
        begun = [one for one in known if len(run) >= 3 and one.startswith(run)]
        if len(begun) == 1:
            return self.get(begun[0], owner)
        raise InputError(unknown("run", run[:40], known, see="`outlay runs list` shows all"))

    def runs(
        self,
        *,
        owner: str = LOCAL,
        kind: str | None = None,
        status: str | None = None,
        title: str | None = None,
        limit: int = 50,
        before: float | None = None,
    ) -> list[Run]:
        """Return runs, the newest first, of a kind, a status or a title, created before a time."""
        self.take_in()
        query, table = self._visible(owner), schema.runs
        for column, value in ((table.c.kind, kind), (table.c.status, status), (table.c.title, title)):
            if value is not None:
                query = query.where(column == value)
        if before is not None:
            query = query.where(table.c.created < before)
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(table.c.created.desc(), table.c.id).limit(limit)).mappings()
            return [_run(row) for row in rows]

    def inputs(self, run: str) -> dict[str, Any]:
        """Return what was asked: enough to ask it again without any file."""
        return self._text(run, "inputs") or {}

    def result(self, run: str) -> dict[str, Any] | None:
        """Return the answer as the command's ``--json`` gives it; ``None`` where there is none."""
        return self._text(run, "result")

    def result_json(self, run: str) -> str | None:
        """Return the answer as the text it is kept as; ``None`` where there is none."""
        return self._body(run, "result")

    def delete(self, run: str) -> None:
        """Delete a run that is at its end, with its inputs, answer and log.

        Raises
        ------
        InputError
            If it is queued or running: cancel it first.
        """
        table = schema.runs
        with changing(self.engine) as connection:
            gone = connection.execute(table.delete().where(table.c.id == run, table.c.status.not_in(OPEN)))
        if gone.rowcount == 0:
            msg = f"run {run} is {self.get(run).status}; cancel it before deleting it"
            raise InputError(msg)

    # Scenarios

    def save_scenario(
        self, name: str, text: str, *, records: str | None = None, owner: str = LOCAL, scenario: str | None = None
    ) -> SavedScenario:
        """Keep a scenario under a name, or the new text of one kept before (``scenario`` is its id)."""
        now, table = time.time(), schema.scenarios
        values = {"name": name, "text": text, "records": records, "changed": now, "version": __version__}
        if scenario is not None:
            self.scenario(scenario, owner)
            with changing(self.engine) as connection:
                connection.execute(table.update().where(table.c.id == scenario).values(values))
            return self.scenario(scenario, owner)
        made = new_id()
        with changing(self.engine) as connection:
            connection.execute(table.insert(), {**values, "id": made, "owner": owner, "created": now})
        return self.scenario(made, owner)

    def scenario(self, scenario: str, owner: str = LOCAL) -> SavedScenario:
        """Return a kept scenario by its id.

        Raises
        ------
        InputError
            If there is none that the owner may see, such as one deleted since; names the nearest.
        """
        kept = {one.id: one for one in self.scenarios(owner)}
        if scenario not in kept:
            raise InputError(unknown("scenario", scenario[:40], kept, see="it may have been deleted"))
        return kept[scenario]

    def scenarios(self, owner: str = LOCAL) -> list[SavedScenario]:
        """Return the scenarios an owner keeps, the last changed first."""
        table = schema.scenarios
        query = sa.select(table).order_by(table.c.changed.desc())
        if owner != LOCAL:
            query = query.where(table.c.owner == owner)
        with reading(self.engine) as connection:
            return [SavedScenario(**row) for row in connection.execute(query).mappings()]

    def delete_scenario(self, scenario: str, owner: str = LOCAL) -> None:
        """Delete a kept scenario; runs made from it keep their own copy of its text."""
        found = self.scenario(scenario, owner)
        with changing(self.engine) as connection:
            connection.execute(schema.scenarios.delete().where(schema.scenarios.c.id == found.id))

    # Below: for this package

    def _visible(self, owner: str) -> sa.Select[Any]:
        """Return the query of the runs an owner may see: ``local`` sees all, others their own."""
        query = sa.select(schema.runs)
        return query if owner == LOCAL else query.where(schema.runs.c.owner == owner)

    def _body(self, run: str, part: str) -> str | None:
        table = schema.texts
        query = sa.select(table.c.body).where(table.c.run == run, table.c.part == part)
        with reading(self.engine) as connection:
            body: str | None = connection.execute(query).scalar()
        return body

    def _text(self, run: str, part: str) -> dict[str, Any] | None:
        body = self._body(run, part)
        found: dict[str, Any] | None = None if body is None else json.loads(body)
        return found

    @staticmethod
    def _put(connection: sa.Connection, run: str, part: str, value: dict[str, Any]) -> None:
        body = json.dumps(value)
        connection.execute(schema.texts.insert(), {"run": run, "part": part, "body": body})


def _new(
    run: str, kind: str, inputs: dict[str, Any], title: str, owner: str, status: str, parent: str | None
) -> dict[str, Any]:
    """Return the row of a new run."""
    return {
        "id": run,
        "kind": kind,
        "status": status,
        "title": title[:400],
        "owner": owner,
        "created": time.time(),
        "message": "",
        "catalogue_hash": catalogue_hash(inputs.get("records")),
        "code_hash": code_hash(),
        "version": __version__,
        "parent": parent,
        "cancel": False,
        "attempts": 0,
        "progress": "",
    }


def _run(row: Any) -> Run:
    kept = {name: row[name] for name in Run.__dataclass_fields__}
    return Run(**{**kept, "progress": json.loads(row["progress"] or "{}")})
