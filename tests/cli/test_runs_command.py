"""`outlay runs`: commands keep what they answer; it is listed, shown, compared, repeated, written and deleted."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from outlay.runs import Store
from outlay.runs.record import ended

SMALL = (Path(__file__).parents[1] / "small.yaml").read_text(encoding="utf-8").replace("0.2 USD/", "20 USD/")
RECORDS = "chips:\n  My Chip:\n    like: H100 SXM\n    vendor: Me\n"
STORY = "Jan 22, 2025. ByteDance plans to spend 12 billion dollars on AI chips in 2025, people familiar said."


def outlay(*arguments: object, place: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line on a store."""
    environment = os.environ if place is None else {**os.environ, "OUTLAY_RUNS": place}
    asked = [sys.executable, "-m", "outlay.cli.main", *map(str, arguments)]
    return subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a plan of a scenario with its own records, another plan, and a reading; their files are gone."""
    made = tmp_path_factory.mktemp("kept")
    place = str(made / "runs.db")
    (made / "mine.yaml").write_text(SMALL + "catalog: records.yaml\n", encoding="utf-8")
    (made / "records.yaml").write_text(RECORDS, encoding="utf-8")
    (made / "more.yaml").write_text(SMALL.replace("1 billion tokens", "90 billion tokens"), encoding="utf-8")
    (made / "story.txt").write_text(STORY, encoding="utf-8")
    for arguments in (
        ("plan", made / "mine.yaml", "--json"),
        ("plan", made / "more.yaml", "--json"),
        ("read", made / "story.txt", "--json"),
    ):
        done = outlay(*arguments, place=place)
        assert (done.returncode, done.stderr) == (0, "")
        (made / f"{Path(arguments[1]).stem}.json").write_text(done.stdout, encoding="utf-8")
    for name in ("mine.yaml", "records.yaml", "more.yaml", "story.txt"):
        (made / name).unlink()
    return made


@pytest.fixture
def place(folder: Path) -> str:
    """Where that store is."""
    return str(folder / "runs.db")


@pytest.fixture
def ids(place: str) -> dict[str, str]:
    """The ids of its runs, by kind and title."""
    store = Store.open(place)
    found = {f"{run.kind} {run.title}".rsplit("/", 1)[-1]: run.id for run in reversed(store.runs())}
    store.close()
    return found


def plans(place: str) -> list[dict[str, str]]:
    """The plans of a store, the oldest first."""
    found = json.loads(outlay("runs", "list", "--kind", "plan", "--json", place=place).stdout)
    return [run for run in reversed(found) if run["parent"] is None]


def test_commands_keep_what_they_answer(folder: Path, place: str) -> None:
    """Commands keep what they answer."""
    store = Store.open(place)
    reading, more, mine = store.runs(limit=3) if len(store.runs()) == 3 else store.runs(limit=100)[-3:]
    assert [run.kind for run in (reading, more, mine)] == ["read", "plan", "plan"]
    assert all(run.status == "done" and run.code == 0 and (run.seconds or 0) > 0 for run in (reading, more, mine))
    assert store.inputs(mine.id)["text"].startswith(SMALL)
    assert store.inputs(mine.id)["records"] == RECORDS
    assert store.result(mine.id) == json.loads((folder / "mine.json").read_text(encoding="utf-8"))
    assert store.result(reading.id) == json.loads((folder / "story.json").read_text(encoding="utf-8"))
    assert mine.catalogue_hash != more.catalogue_hash
    store.close()


def test_runs_are_listed_and_shown(place: str) -> None:
    """Runs are listed and shown."""
    listed = outlay("runs", "list", "--kind", "plan", place=place)
    assert listed.returncode == 0
    assert listed.stdout.count(" plan ") >= 2
    mine = plans(place)[0]["id"]
    shown = outlay("runs", "show", mine[:7], place=place)
    assert f"plan small  ({mine})" in shown.stdout
    assert "records: " in shown.stdout
    assert "audit: all" in shown.stdout
    whole = json.loads(outlay("runs", "show", mine, "--json", place=place).stdout)
    assert {"id", "inputs", "result", "log", "code_hash", "catalogue_hash"} <= set(whole)


def test_a_slip_of_the_finger_gets_the_nearest(place: str) -> None:
    """A slip of the finger gets the nearest."""
    mine = plans(place)[0]["id"]
    wrong = mine[:-1] + ("2" if mine[-1] != "2" else "3")
    refused = outlay("runs", "show", wrong, place=place)
    assert refused.returncode == 2
    assert f"unknown run '{wrong}'; nearest: {mine}" in refused.stderr
    kind = outlay("runs", "list", "--kind", "paln", place=place)
    assert (kind.returncode, "nearest: plan" in kind.stderr) == (2, True)


def test_plans_are_compared_order_by_order(place: str) -> None:
    """Plans are compared order by order."""
    mine, more = (run["id"] for run in plans(place)[:2])
    done = outlay("runs", "compare", mine, more, place=place)
    assert done.returncode == 1
    assert "made with another catalogue" in done.stdout
    assert "buy DGX H100" in done.stdout
    found = json.loads(outlay("runs", "compare", mine, more, "--json", place=place).stdout)
    assert found["plans"]["objective_before"] < found["plans"]["objective_after"]
    assert outlay("runs", "compare", mine, mine, place=place).stdout.endswith("the same answer\n")


def test_only_runs_of_a_kind_are_compared(place: str) -> None:
    """Only runs of a kind are compared."""
    reading = json.loads(outlay("runs", "list", "--kind", "read", "--json", place=place).stdout)[-1]["id"]
    refused = outlay("runs", "compare", plans(place)[0]["id"], reading, place=place)
    assert (refused.returncode, "compare two of a kind" in refused.stderr) == (2, True)


def test_a_run_is_repeated_without_its_files(place: str) -> None:
    """The scenario, its own records and the story are gone; the same is asked again and comes to the same."""
    mine = plans(place)[0]["id"]
    done = outlay("runs", "rerun", mine, place=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the same answer" in done.stdout
    reading = json.loads(outlay("runs", "list", "--kind", "read", "--json", place=place).stdout)[-1]["id"]
    again = json.loads(outlay("runs", "rerun", reading, "--json", place=place).stdout)
    assert (again["same"], again["same_code"], again["same_catalogue"]) == (True, True, True)
    store = Store.open(place)
    assert store.get(again["after"]).parent == reading
    store.close()


def test_other_code_is_told(place: str) -> None:
    """A run kept by other code says so when it is repeated."""
    import sqlalchemy as sa

    mine = plans(place)[1]["id"]
    store = Store.open(place)
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET code_hash = 'older' WHERE id = :id"), {"id": mine})
    store.close()
    done = outlay("runs", "rerun", mine, place=place)
    assert (done.returncode, "made with another code" in done.stdout) == (0, True)


def test_a_run_is_written_into_files(folder: Path, place: str) -> None:
    """A run is written into files."""
    mine = plans(place)[0]["id"]
    names = {form: folder / f"out.{form}" for form in ("json", "html", "xlsx", "csv", "scenario")}
    options = [part for form, path in names.items() for part in (f"--{form}", path)]
    assert outlay("runs", "export", mine, *options, place=place).returncode == 0
    plan = json.loads(names["json"].read_text(encoding="utf-8"))
    with names["csv"].open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(plan["purchases"]) > 0
    assert names["html"].read_text(encoding="utf-8").startswith("<!")
    assert names["xlsx"].read_bytes()[:2] == b"PK"
    assert names["scenario"].read_text(encoding="utf-8").startswith(SMALL)
    assert json.loads(outlay("runs", "export", mine, place=place).stdout) == plan
    nowhere = outlay("runs", "export", mine, "--csv", folder / "no" / "x.csv", place=place)
    assert (nowhere.returncode, "there is no folder" in nowhere.stderr) == (2, True)


def test_a_run_is_deleted_once_confirmed(place: str) -> None:
    """A run is deleted once confirmed."""
    store = Store.open(place)
    gone = store.add(ended("check", {"a": 1}, {"b": 2}))
    store.close()
    asked = subprocess.run(
        [sys.executable, "-m", "outlay.cli.main", "runs", "--store", place, "delete", gone.id],
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert outlay("runs", "show", gone.id, place=place).returncode == 0
    assert outlay("runs", "delete", gone.id, "--yes", place=place).stdout == f"deleted {gone.id}\n"
    assert outlay("runs", "show", gone.id, place=place).returncode == 2


def test_nothing_is_kept_where_asked(tmp_path: Path) -> None:
    """Nothing is kept where asked."""
    place = str(tmp_path / "runs.db")
    (tmp_path / "story.txt").write_text(STORY, encoding="utf-8")
    assert outlay("read", tmp_path / "story.txt", "--no-store", place=place).returncode == 0
    assert not Path(place).exists()


def test_a_store_that_cannot_be_written_breaks_no_answer(tmp_path: Path) -> None:
    """A store that cannot be written breaks no answer."""
    (tmp_path / "story.txt").write_text(STORY, encoding="utf-8")
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = outlay("read", tmp_path / "story.txt", "--json", place=str(tmp_path / "file" / "runs.db"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["claims"]
    assert done.stderr.startswith("not kept: run store ")
    assert "--no-store keeps nothing" in done.stderr


def test_bad_input_is_no_run_and_no_answer_is_one(tmp_path: Path) -> None:
    """Bad input is no run and no answer is one."""
    place = str(tmp_path / "runs.db")
    (tmp_path / "bad.yaml").write_text(SMALL.replace("currency:", "curency:"), encoding="utf-8")
    assert outlay("plan", tmp_path / "bad.yaml", place=place).returncode == 2
    (tmp_path / "dull.txt").write_text("Nothing happened today.", encoding="utf-8")
    assert outlay("read", tmp_path / "dull.txt", "--date", "2025-01-22", place=place).returncode == 1
    (run,) = json.loads(outlay("runs", "list", "--json", place=place).stdout)
    assert (run["kind"], run["status"], run["code"]) == ("read", "done", 1)
    assert run["message"].startswith("no claims")
