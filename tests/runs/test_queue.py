"""The job queue: one worker a run, no run stuck or lost, deaths cost a try and then a mark."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.long import LONG

from outlay.errors import InputError
from outlay.runs import Queue, Store, schema
from outlay.runs.compare import compare
from outlay.runs.crew import Crew
from outlay.runs.database import changing
from outlay.runs.export import exported
from outlay.runs.queue import Claim, TooManyError
from outlay.runs.worker import Worker

CHECK = {"chips": ["H20 96GB"], "destination": "CN", "day": "2025-05-01"}
SMALL = (Path(__file__).parents[1] / "small.yaml").read_text(encoding="utf-8").replace("0.2 USD/", "20 USD/")
BAD = {"chips": ["H20O"], "destination": "CN", "day": "2025-05-01"}


def work_off(queue: Queue) -> None:
    """Do everything that waits, in this process."""
    worker = Worker(queue)
    queue.enlist(worker.id)
    while (found := queue.claim(worker.id)) is not None:
        worker._one(*found)
    queue.leave(worker.id)


def statuses(queue: Queue, run: str) -> list[str]:
    """Statuses."""
    return [event.data["status"] for event in queue.events(run) if event.kind == "status"]


def test_a_run_goes_through_the_queue(queue: Queue) -> None:
    """A run goes through the queue."""
    run = queue.submit("check", CHECK, title="H20")
    assert run.status == "queued"
    work_off(queue)
    done = queue.get(run.id)
    assert (done.status, done.code, done.attempts) == ("done", 1, 1)
    assert queue.store.result(run.id)["item"]["name"] == "H20 96GB"
    assert statuses(queue, run.id) == ["queued", "running", "done"]
    assert done.seconds is not None
    assert [event.id for event in queue.events(run.id, after=queue.events(run.id)[0].id)] == [
        event.id for event in queue.events(run.id)[1:]
    ]


def test_a_wrong_question_fails_with_the_commands_words(queue: Queue) -> None:
    """A wrong question fails with the commands words."""
    run = queue.submit("check", BAD)
    work_off(queue)
    failed = queue.get(run.id)
    assert (failed.status, failed.code) == ("failed", 2)
    assert "nearest: H20, H20E, H200" in failed.message


def test_wrong_inputs_are_refused_at_the_door(queue: Queue) -> None:
    """Wrong inputs are refused at the door."""
    with pytest.raises(InputError, match="unknown kind of run 'plna'"):
        queue.submit("plna", {})
    with pytest.raises(InputError, match="plan: gap: got 2; input should be less than 1"):
        queue.submit("plan", {"scenario": "bytedance-2025", "gap": 2})
    with pytest.raises(InputError, match="plan: claim: got 1; extra inputs are not permitted"):
        queue.submit("plan", {"scenario": "bytedance-2025", "claim": 1})
    with pytest.raises(InputError, match="unknown scenario 'bytedance'; nearest: bytedance-2025"):
        queue.submit("plan", {"scenario": "bytedance"})
    with pytest.raises(InputError, match="second"):
        queue.submit("read", {"stories": [{"text": "x"}], "second": {"url": "http://localhost", "model": "m"}})


def test_a_scenarios_records_are_no_path(queue: Queue) -> None:
    """A scenario that names a file of records gets nowhere near it."""
    from outlay.scenario.load import bundled_text

    text = bundled_text("bytedance-2025") + "\ncatalog: ../../../etc/passwd\n"
    run = queue.submit("plan", {"scenario": "sly", "text": text})
    work_off(queue)
    failed = queue.get(run.id)
    assert failed.status == "failed"
    assert "names a file, which is not read here; send its text" in failed.message


def test_a_story_is_no_path(queue: Queue) -> None:
    """A story is no path."""
    run = queue.submit("read", {"stories": [{"name": "x", "address": "file:///etc/passwd"}]})
    work_off(queue)
    assert "give its text, or an address that begins with http" in queue.get(run.id).message


def test_a_story_in_a_private_network_is_not_fetched(queue: Queue) -> None:
    """A story in a private network is not fetched."""
    run = queue.submit("read", {"stories": [{"name": "x", "address": "http://127.0.0.1:1/"}]})
    work_off(queue)
    assert "inside a private network" in queue.get(run.id).message


def test_waiting_runs_are_cancelled_at_once_and_done_ones_stay(queue: Queue) -> None:
    """Waiting runs are cancelled at once and done ones stay."""
    run = queue.submit("check", CHECK)
    assert queue.cancel(run.id).status == "cancelled"
    work_off(queue)
    assert queue.get(run.id).status == "cancelled"
    other = queue.submit("check", CHECK)
    work_off(queue)
    assert queue.cancel(other.id).status == "done"


def test_a_front_and_a_plan_that_changes_least_are_plans_too(queue: Queue) -> None:
    """What `--front` and `--from` ask is asked of the queue, too, and compared and written like any answer."""
    asked = {"scenario": "small", "text": SMALL}
    plan = queue.submit("plan", asked)
    work_off(queue)
    kept = queue.submit("plan", {**asked, "before": queue.store.result(plan.id)})
    front = queue.submit("plan", {**asked, "front": {"first": "value", "second": "cost", "points": 2}})
    work_off(queue)
    assert [queue.get(run.id).message for run in (plan, kept, front)] == [""] * 3
    first, again, points = (queue.store.result(run.id) for run in (plan, kept, front))
    assert first is not None
    assert again is not None
    assert points is not None
    assert first["purchases"] == again["purchases"]
    assert len(points["points"]) == 2
    found = compare(queue.get(plan.id), queue.get(front.id), first, points)
    assert (found["same"], found["plans"]) == (False, None)
    rows = exported(queue.get(front.id), {}, points, "csv").decode().splitlines()
    assert len(rows) == 3


def test_open_runs_are_not_deleted(queue: Queue) -> None:
    """Open runs are not deleted."""
    run = queue.submit("check", CHECK)
    with pytest.raises(InputError, match="cancel it before deleting it"):
        queue.store.delete(run.id)


def test_nobody_fills_the_queue(queue: Queue) -> None:
    """Nobody fills the queue."""
    for _ in range(3):
        queue.submit("check", CHECK, owner="ann", most_open=3)
    with pytest.raises(TooManyError, match="3 runs of 'ann' are queued or running; at most 3 may be"):
        queue.submit("check", CHECK, owner="ann", most_open=3)
    queue.submit("check", CHECK, owner="bob", most_open=3)


def test_the_owner_with_the_fewest_running_comes_first(queue: Queue) -> None:
    """The owner with the fewest running comes first."""
    for owner in ("ann", "ann", "ann", "bob"):
        queue.submit("check", CHECK, owner=owner)
    taken = [queue.claim("w") for _ in range(4)]
    assert [found[0].owner for found in taken if found] == ["ann", "bob", "ann", "ann"]


def test_one_run_has_one_worker(queue: Queue) -> None:
    """Eight threads claim forty runs: each is taken once."""
    for _ in range(40):
        queue.submit("check", CHECK)
    taken: list[str] = []

    def take(name: str) -> None:
        while (found := queue.claim(name)) is not None:
            taken.append(found[0].id)

    threads = [threading.Thread(target=take, args=(f"w{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(Counter(taken).values()) == 1
    assert len(taken) == 40


def test_a_death_costs_a_try_and_a_second_one_a_mark(queue: Queue) -> None:
    """A death costs a try and a second one a mark."""
    run = queue.submit("check", CHECK)
    for worker in ("one", "two"):
        queue.enlist(worker)
        found = queue.claim(worker)
        assert found is not None
        assert queue.reap([worker]) == [run.id]
    lost = queue.get(run.id)
    assert (lost.status, lost.attempts, lost.code) == ("lost", 2, 1)
    assert "its worker died 2 times" in lost.message
    assert statuses(queue, run.id) == ["queued", "running", "queued", "running", "lost"]
    assert queue.claim("three") is None


def test_a_worker_taken_for_dead_writes_nothing_any_more(queue: Queue) -> None:
    """A worker taken for dead writes nothing any more."""
    run = queue.submit("check", CHECK)
    first = queue.claim("one")
    assert first is not None
    queue.reap(["one"])
    second = queue.claim("two")
    assert second is not None
    queue.say(first[1], "words", {"words": "from the grave"})
    assert not queue.finish(first[1], "done", {"wrong": True})
    assert not queue.beat("one", first[1])
    assert queue.finish(second[1], "done", {"right": True})
    assert queue.store.result(run.id) == {"right": True}
    assert "from the grave" not in json.dumps([event.data for event in queue.events(run.id)])


def test_a_silent_worker_is_taken_for_dead_and_a_speaking_one_is_not(queue: Queue) -> None:
    """A silent worker is taken for dead and a speaking one is not."""
    run = queue.submit("check", CHECK)
    queue.enlist("here")
    found = queue.claim("here")
    assert found is not None
    assert queue.reap() == []
    with changing(queue.engine) as connection:
        connection.execute(schema.workers.update().values(heartbeat=time.time() - 60))
        connection.execute(schema.runs.update().values(heartbeat=time.time() - 60))
    assert queue.reap() == [run.id]
    assert queue.get(run.id).status == "queued"


def test_a_dead_process_of_this_machine_is_noticed_at_once(queue: Queue) -> None:
    """A dead process of this machine is noticed at once."""
    run = queue.submit("check", CHECK)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    queue.enlist("gone")
    with changing(queue.engine) as connection:
        connection.execute(schema.workers.update().values(pid=child.pid))
    assert queue.claim("gone") is not None
    assert queue.reap() == [run.id]
    with queue.engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.workers)).scalar() == 0


def test_a_cancelled_run_of_a_dead_worker_is_cancelled(queue: Queue) -> None:
    """A cancelled run of a dead worker is cancelled."""
    run = queue.submit("check", CHECK)
    assert queue.claim("one") is not None
    queue.cancel(run.id)
    assert queue.get(run.id).status == "running"
    queue.reap(["one"])
    assert queue.get(run.id).status == "cancelled"


def test_a_run_that_ended_meanwhile_stops_not_the_next(queue: Queue) -> None:
    """The heartbeat may learn too late that a run is no longer held; the one in hand by then is not meant."""
    worker = Worker(queue)
    before, now = Claim("before", worker.id, 1), Claim("now", worker.id, 1)
    worker.claim = now
    worker._ask_to_stop(before, "cancelled")
    assert not worker.stop.is_set()
    worker._ask_to_stop(now, "late")
    assert (worker.stop.is_set(), worker.why) == (True, "late")


def test_what_a_defect_raises_is_told_and_the_worker_goes_on(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a defect raises is told and the worker goes on."""
    from outlay.runs import work

    def breaks(_: object, __: object) -> work.Answer:
        raise ZeroDivisionError("by hand")

    monkeypatch.setitem(work.WORKS, "train", breaks)
    broken = queue.submit("train", {"model": "m", "on": ["H100:8"]})
    fine = queue.submit("check", CHECK)
    work_off(queue)
    assert queue.get(broken.id).message == "a defect of outlay: ZeroDivisionError: by hand"
    assert queue.get(fine.id).status == "done"


@pytest.fixture
def crew(store: Store) -> Crew:
    """Crew."""
    return Crew(Queue(store), 1)


def test_workers_solve_tell_where_they_stand_and_stop_when_asked(crew: Crew) -> None:
    """A worker process plans, tells the gap as it closes, stops a run on request and outlives a kill."""
    queue = crew.queue
    crew.start()
    try:
        long = queue.submit("plan", {"scenario": "long", "text": LONG, "gap": 0})
        until = time.monotonic() + 90
        while time.monotonic() < until and not any(e.kind == "standing" for e in queue.events(long.id)):
            time.sleep(0.1)
        standing = [event.data for event in queue.events(long.id) if event.kind == "standing"]
        assert standing
        assert set(standing[0]) == {"seconds", "incumbent", "bound", "gap", "nodes", "step"}
        queue.cancel(long.id)
        assert queue.wait(long.id, 60).status == "cancelled"
        late = queue.submit("plan", {"scenario": "long", "text": LONG, "gap": 0}, limit_s=1.5)
        assert queue.wait(late.id, 60).message == "stopped after 1.5 s, the most this run may take"
        killed = queue.submit("plan", {"scenario": "long", "text": LONG, "gap": 0})
        for _ in range(2):
            while queue.get(killed.id).status != "running":
                time.sleep(0.05)
            os.kill(crew.pids()[0], signal.SIGKILL)
            while queue.get(killed.id).status == "running":
                time.sleep(0.05)
        assert queue.wait(killed.id, 60).status == "lost"
        after = queue.submit("check", CHECK)
        assert queue.wait(after.id, 60).status == "done"
    finally:
        crew.stop()
    assert all(run.status != "running" for run in queue.store.runs())


def test_two_stores_are_apart(tmp_path: Path, queue: Queue) -> None:
    """Two stores are apart."""
    other = Store.open(str(tmp_path / "other.db"))
    run = queue.submit("check", CHECK)
    with pytest.raises(InputError, match="unknown run"):
        other.get(run.id)
    assert Claim("a", "b", 1) != Claim("a", "b", 2)
    other.close()
