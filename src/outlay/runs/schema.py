"""The tables of the run store, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

HEAD = "0001"
"""The newest migration; a store that knows another one was written by a newer version."""

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("status", String(20), nullable=False),
    Column("title", String(400), nullable=False, default=""),
    Column("owner", String(100), nullable=False),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("code", Integer),
    Column("message", Text, nullable=False, default=""),
    Column("catalogue_hash", String(20), nullable=False, default=""),
    Column("code_hash", String(20), nullable=False, default=""),
    Column("version", String(40), nullable=False, default=""),
    Column("parent", String(20)),
    Column("cancel", Boolean, nullable=False, default=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("worker", String(40)),
    Column("heartbeat", Float),
    Column("limit_s", Float),
    Column("progress", Text, nullable=False, default=""),
    Index("runs_by_status", "status", "created"),
    Index("runs_by_owner", "owner", "created"),
)
"""One row a run, small enough to list; times are seconds since 1970 in UTC."""

texts = Table(
    "texts",
    metadata,
    Column("run", String(20), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("part", String(10), primary_key=True),
    Column("body", Text, nullable=False),
)
"""The large parts of a run as JSON: ``inputs`` and ``result``."""

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run", String(20), ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("at", Float, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("data", Text, nullable=False),
    Index("events_by_run", "run", "id"),
    sqlite_autoincrement=True,
)
"""The log of a run, oldest first: ``status``, ``words`` and ``standing``."""

scenarios = Table(
    "scenarios",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("name", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("records", Text),
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
    Column("version", String(40), nullable=False),
    Index("scenarios_by_owner", "owner", "name"),
)
"""Scenarios people keep: the YAML, and the text of their own records over the catalogue."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("name", String(200), nullable=False),
    Column("owner", String(100), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("parent", String(20), ForeignKey("tokens.id", ondelete="CASCADE")),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("revoked", Float),
    Column("used", Float),
)
"""Who may come in: hashes of tokens, and of the sessions that were opened with them."""

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Float, nullable=False),
    Column("heartbeat", Float, nullable=False),
)
"""Worker processes that are alive, by their own word."""
