"""Opens the database of the run store: a file by default, PostgreSQL by a URL; migrates it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from outlay.errors import InputError, StoreError
from outlay.runs.place import VARIABLE
from outlay.runs.schema import HEAD

BUSY_MS = 30_000
"""How long a change waits for another process's change."""


def engine_of(place: str) -> sa.Engine:
    """Return an engine for a path or a URL of SQLite or PostgreSQL.

    Raises
    ------
    InputError
        If it is neither, its driver is not installed, or the file cannot be made.
    """
    if "://" not in place:
        return _sqlite(place)
    try:
        url = sa.make_url(place)
        if url.get_backend_name() == "sqlite":
            return _sqlite(url.database or ":memory:")
        if url.get_backend_name() != "postgresql":
            msg = f"{VARIABLE}: {url.get_backend_name()!r} databases are not kept; expected a path or postgresql://..."
            raise InputError(msg)
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError:
        msg = f"{VARIABLE}: a store on PostgreSQL needs the driver: pip install 'outlay[team]'"
        raise InputError(msg) from None
    except sa.exc.ArgumentError:
        msg = f"{VARIABLE}: {place.split('://')[0]}://... is no address; expected postgresql://user@host/name or a path"
        raise InputError(msg) from None


def _sqlite(path: str) -> sa.Engine:
    if path != ":memory:":
        try:
            folder = Path(path).parent
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not Path(path).exists():
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            msg = f"run store {path}: cannot be opened: {error.strerror}"
            raise InputError(msg) from None
    url = sa.URL.create("sqlite", database=path)
    pool = {"poolclass": sa.StaticPool} if path == ":memory:" else {}
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000}, **pool)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    """Set a new SQLite connection up; the driver leaves transactions to us."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    """Take the lock at the start of a change, so that two processes wait for each other instead of failing."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection that sees one state and changes nothing."""
    with _said(), engine.connect().execution_options(reading=True) as connection, connection.begin():
        yield connection


@contextmanager
def changing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection whose changes are kept all together or not at all."""
    with _said(), engine.begin() as connection:
        yield connection


@contextmanager
def _said() -> Iterator[None]:
    """Turn what the driver raises into one message."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        msg = f"run store: {str(error.orig).strip()}"
        raise StoreError(msg) from error


def migrate(engine: sa.Engine, place: str) -> None:
    """Bring the tables to the newest version; whoever comes second waits and finds it done.

    Raises
    ------
    InputError
        If a newer version of outlay wrote the store.
    StoreError
        If it does not answer, or is no store at all.
    """
    shown = place.split("@")[-1]  # without a password
    try:
        if _revision(engine) == HEAD:
            return
        for again in (True, True, False):
            try:
                _upgrade(engine)
            except StoreError:
                if not again:
                    raise
                time.sleep(0.2)  # switching a new file to write-ahead logging does not wait for others by itself
            else:
                return
    except StoreError as error:
        msg = f"run store {shown}: {str(error).removeprefix('run store: ')}"
        raise StoreError(msg) from None
    except _NewerError as error:
        msg = (
            f"run store {shown}: written by a newer version of outlay (tables {error}; this version reads up to "
            f"{HEAD}); update outlay, or keep another store by {VARIABLE}"
        )
        raise InputError(msg) from None


class _NewerError(Exception):
    pass


def _revision(engine: sa.Engine) -> str | None:
    with reading(engine) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with changing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7201977)"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        has = sa.inspect(connection).has_table("alembic_version")
        at = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() if has else None
        if at is not None and at not in known:
            raise _NewerError(at)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
