"""The run store: what is kept comes back, is seen by its owner alone, and survives versions and neighbours."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError, StoreError
from outlay.runs import Store, schema
from outlay.runs.compare import changes
from outlay.runs.database import changing
from outlay.runs.place import default_url, leave, waiting
from outlay.runs.record import catalogue_hash, code_hash, ended

CHECK = {"chips": ["H20 96GB"], "destination": "CN", "day": "2025-05-01"}


def test_a_run_comes_back_as_it_was_kept(store: Store) -> None:
    """A run comes back as it was kept."""
    answer = {"verdict": "allowed", "words": "非 ASCII \ud83d", "number": 0.1}
    run = store.add(ended("check", CHECK, answer, title="H20", code=1, message="no"))
    assert store.get(run.id) == run
    assert (run.status, run.code, run.message, run.owner) == ("done", 1, "no", "local")
    assert store.inputs(run.id) == CHECK
    assert store.result(run.id) == answer
    assert (run.code_hash, run.catalogue_hash) == (code_hash(), catalogue_hash())
    assert len(run.code_hash) == 16
    assert run.as_dict()["created"].endswith("+00:00")


def test_hashes_tell_code_data_and_own_records_apart() -> None:
    """Hashes tell code data and own records apart."""
    assert len({code_hash(), catalogue_hash(), catalogue_hash("chips: {}")}) == 3


def test_runs_are_listed_newest_first_and_narrowed(store: Store) -> None:
    """Runs are listed newest first and narrowed."""
    made = [store.add(ended(kind, CHECK, {}, title=kind)) for kind in ("plan", "check", "plan")]
    assert [run.id for run in store.runs()] == [run.id for run in reversed(made)]
    assert [run.kind for run in store.runs(kind="plan")] == ["plan", "plan"]
    assert store.runs(status="failed") == []
    assert len(store.runs(limit=1)) == 1


def test_an_unknown_id_gets_the_nearest_and_a_beginning_is_enough(store: Store) -> None:
    """An unknown id gets the nearest and a beginning is enough."""
    run = store.add(ended("check", CHECK, {}))
    assert store.get(run.id[:6]).id == run.id
    wrong = run.id[:-1] + ("a" if run.id[-1] != "a" else "b")
    with pytest.raises(InputError, match=f"unknown run '{wrong}'; nearest: {run.id}"):
        store.get(wrong)


def test_owners_see_their_own_and_the_machine_sees_all(store: Store) -> None:
    """Owners see their own and the machine sees all."""
    ann = store.add(ended("check", CHECK, {}, owner="ann"))
    store.add(ended("check", CHECK, {}, owner="bob"))
    assert [run.owner for run in store.runs(owner="ann")] == ["ann"]
    assert len(store.runs()) == 2
    with pytest.raises(InputError, match="unknown run"):
        store.get(ann.id, "bob")
    kept = store.save_scenario("mine", "name: x", owner="ann")
    assert store.scenarios("bob") == []
    with pytest.raises(InputError, match="it may have been deleted"):
        store.scenario(kept.id, "bob")


def test_a_deleted_run_leaves_nothing(store: Store) -> None:
    """A deleted run leaves nothing."""
    run = store.add(ended("check", CHECK, {"a": 1}))
    store.delete(run.id)
    with store.engine.connect() as connection:
        for table in (schema.runs, schema.texts, schema.events):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


def test_scenarios_are_kept_changed_and_deleted(store: Store) -> None:
    """Scenarios are kept changed and deleted."""
    kept = store.save_scenario("mine", "name: x")
    again = store.save_scenario("mine too", "name: y", records="chips: {}", scenario=kept.id)
    assert (again.id, again.name, again.text, again.records) == (kept.id, "mine too", "name: y", "chips: {}")
    assert again.created == kept.created
    store.delete_scenario(kept.id)
    assert store.scenarios() == []


def test_the_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    """What the migrations leave is what the code asks for, column by column."""
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, schema.metadata) == []
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == schema.HEAD


def test_a_store_of_a_newer_version_is_refused_by_name(store: Store) -> None:
    """A store of a newer version is refused by name."""
    with changing(store.engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"written by a newer version of outlay \(tables 9999; .* up to 0001\)"):
        Store.open(store.place)


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    """A file that is no store is told."""
    path = tmp_path / "not.db"
    path.write_text("this is a letter, not a database " * 40)
    with pytest.raises(StoreError, match=r"not\.db: file is not a database"):
        Store.open(str(path))


def test_a_place_that_cannot_be_is_told(tmp_path: Path) -> None:
    """A place that cannot be is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be opened"):
        Store.open(str(tmp_path / "file" / "runs.db"))
    with pytest.raises(InputError, match="'mysql' databases are not kept"):
        Store.open("mysql://u@h/x")


def test_a_store_is_its_owners_alone(tmp_path: Path) -> None:
    """A store is its owners alone."""
    Store.open(str(tmp_path / "deep" / "runs.db")).close()
    assert (tmp_path / "deep" / "runs.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "deep").stat().st_mode & 0o077 == 0


def test_the_place_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The place comes from the environment."""
    monkeypatch.setenv("OUTLAY_RUNS", "elsewhere.db")
    assert default_url() == "elsewhere.db"
    monkeypatch.delenv("OUTLAY_RUNS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url() == str(tmp_path / "outlay" / "runs.db")


def test_what_commands_leave_is_taken_in_once(store: Store) -> None:
    """A run left beside the store is in it for whoever looks next, though several look at once or one was killed."""
    run = ended("check", CHECK, {"a": 1}, title="left")
    leave(store.place, run)
    (waiting(store.place) / "half.part").write_text("{")
    file = waiting(store.place) / f"{run['id']}.json"
    text = file.read_text()
    with ThreadPoolExecutor(4) as pool:
        assert [found.id for found in pool.map(lambda _: store.get(run["id"]), range(8))] == [run["id"]] * 8
    assert not file.exists()
    file.write_text(text)  # its taker was killed before it took the file away
    (only,) = store.runs()
    assert (only.title, store.result(only.id), file.exists()) == ("left", {"a": 1}, False)
    (waiting(store.place) / "newer.json").write_text(text.replace('"form": 1', '"form": 2'))
    assert len(store.runs()) == 1
    assert (waiting(store.place) / "newer.json").exists()


WRITER = """
import sys
from outlay.runs import Store
from outlay.runs.record import ended
store = Store.open(sys.argv[1])
for i in range(int(sys.argv[2])):
    store.add(ended("check", {"i": i}, {"i": i}, title=sys.argv[3]))
"""


def test_processes_may_make_and_write_one_store_at_once(tmp_path: Path) -> None:
    """Four processes open a store that is not there yet, migrate it once and lose nothing."""
    place = str(tmp_path / "runs.db")
    code = [sys.executable, "-c", WRITER, place, "25"]
    writers = [subprocess.Popen([*code, str(i)], env=os.environ, stderr=subprocess.PIPE) for i in range(4)]
    said = [writer.communicate(timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, said
    store = Store.open(place)
    runs = store.runs(limit=1000)
    assert len(runs) == 100
    assert all(store.result(run.id) == store.inputs(run.id) for run in runs)
    store.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON)
def test_only_what_differs_is_a_change(before: object, after: object) -> None:
    """Nothing differs from itself; what differs is told, both ways."""
    assert list(changes(before, before)) == []
    there, back = list(changes(before, after)), list(changes(after, before))
    assert ([(one.where, one.before, one.after) for one in there] and back) or before == after or _only_nulls(there)
    assert sorted(one.where for one in there) == sorted(one.where for one in back)


def _only_nulls(found: list[object]) -> bool:
    """A key that holds null and a key that is not there are one answer."""
    return not found


def test_the_clock_is_no_change() -> None:
    """The clock is no change."""
    assert list(changes({"solve_s": 1, "a": [1]}, {"solve_s": 2, "a": [1]})) == []
    (one,) = changes({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
    assert (one.where, one.before, one.after) == ("a[0].b", 1, 2)
