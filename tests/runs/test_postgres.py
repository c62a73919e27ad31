"""The run store on PostgreSQL, where its programs are here: a server of its own for the test, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from outlay.errors import InputError, StoreError
from outlay.runs import Queue, Store, schema
from outlay.runs.database import changing
from outlay.runs.worker import Worker
from outlay.web.tokens import Token, new_token, token_of

CHECK = {"chips": ["H20 96GB"], "destination": "CN", "day": "2025-05-01"}


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, where they are here."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Give the address of a server of its own."""
    pytest.importorskip("psycopg", reason="the team extra is not installed")
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's programs (initdb, pg_ctl) are not here")
    user = None
    if os.geteuid() == 0:  # its programs refuse to run as root
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    with tempfile.TemporaryDirectory(prefix="outlay-pg-") as place:
        if user:
            shutil.chown(place, user)
        data = f"{place}/data"

        def run(*arguments: str) -> None:
            subprocess.run(arguments, user=user, cwd=place, check=True, capture_output=True, timeout=120)

        run(str(folder / "initdb"), "-D", data, "-U", "outlay", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-k {place} -c listen_addresses='' -c fsync=off -c max_connections=60"
        run(str(folder / "pg_ctl"), "-D", data, "-o", options, "-w", "-l", f"{place}/log", "start")
        try:
            yield f"postgresql://outlay@/postgres?host={place}"
        finally:
            run(str(folder / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture
def team(url: str) -> Iterator[Store]:
    """Open the store there."""
    opened = Store.open(url)
    yield opened
    opened.close()


def test_several_may_open_it_first(url: str) -> None:
    """Eight connections make the tables at once; one does it."""

    def make(_: int) -> int:
        opened = Store.open(url)
        try:
            return len(opened.runs())
        finally:
            opened.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(make, range(8))) == [0] * 8


def test_the_tables_are_those_of_the_schema(team: Store) -> None:
    """The migrations make there what they make in a file."""
    with team.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_runs_go_through_the_queue_there(team: Store) -> None:
    """Queue, claim, answer, log, cancel, reap and delete, as in a file."""
    queue = Queue(team)
    runs = [queue.submit("check", CHECK, owner=f"o{n % 3}") for n in range(6)]
    queue.cancel(runs[-1].id)
    worker = Worker(queue)
    queue.enlist(worker.id)
    first = queue.claim(worker.id)
    assert first is not None
    assert queue.reap([worker.id]) == [first[0].id]
    queue.enlist(worker.id)
    while (found := queue.claim(worker.id)) is not None:
        worker._one(*found)
    queue.leave(worker.id)
    assert sorted(run.status for run in team.runs()) == ["cancelled", *["done"] * 5]
    assert team.get(first[0].id).attempts == 2
    result = team.result(runs[0].id)
    assert result is not None
    assert result["item"]["name"] == "H20 96GB"
    assert [event.kind for event in queue.events(runs[1].id)] == ["status"] * 3
    team.delete(runs[0].id)
    with pytest.raises(InputError, match="unknown run"):
        team.get(runs[0].id)


def test_one_run_has_one_worker_there(team: Store) -> None:
    """Workers that claim at once take each run once and do not wait for each other."""
    queue = Queue(team)
    mine = {queue.submit("check", CHECK).id for _ in range(30)}

    def take(n: int) -> list[str]:
        taken = []
        while (found := queue.claim(f"w{n}")) is not None:
            taken.append(found[0].id)
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [run for some in pool.map(take, range(6)) for run in some]
    assert sorted(taken) == sorted(mine)


def test_people_and_scenarios_are_kept_there(team: Store) -> None:
    """Tokens and scenarios, as in a file."""
    _, secret = new_token(team, "ann")
    assert isinstance(token_of(team, secret), Token)
    kept = team.save_scenario("mine", "name: x", owner="ann")
    assert team.scenario(kept.id, "ann").text == "name: x"


def test_a_newer_store_and_a_dead_server_are_told(url: str, team: Store) -> None:
    """As of a file: by name, without a password."""
    with changing(team.engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(InputError, match="written by a newer version"):
            Store.open(url)
    finally:
        with changing(team.engine) as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD})
    with pytest.raises(StoreError) as told:
        Store.open("postgresql://ann:secret@127.0.0.1:1/none")
    assert "secret" not in str(told.value)
