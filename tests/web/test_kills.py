"""Kill -9 of the server and of its workers at random moments: nothing finished is lost, no run is stuck."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import sqlalchemy as sa

from outlay.runs import Queue, Store
from outlay.runs.record import OPEN
from outlay.runs.schema import texts, workers

KILLS = int(os.environ.get("OUTLAY_KILLS", "12"))
"""How many processes are killed; CI kills fifty."""
SEED = int(os.environ.get("OUTLAY_SEED", "9"))
SERVERS = max(1, KILLS * 8 // 50)
"""How many of the kills hit the server; the others hit workers."""
CHECKS = [
    {"chips": [chip], "destination": place, "day": "2025-05-01"}
    for chip in ("H20 96GB", "H100 SXM", "MI300X")
    for place in ("CN", "MY", "DE")
]
CODE = "from outlay.cli.main import main; main()"


class Served:
    """A server as a process of its own, started again on the same store after each death."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.process: subprocess.Popen[str] | None = None
        self.address = ""

    def start(self) -> None:
        options = ["web", "--no-page", "--no-open", "--port", "0", "--workers", "2", "--store", self.place]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "outlay is at" in line, line
        self.address = line.split()[3]

    def kill(self) -> None:
        assert self.process is not None
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> None:
        """End the server and let go of what it wrote to."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(how)
        self.process.wait(30)
        self.process.stdout.close()

    def ask(self, path: str, body: Any = None) -> Any:
        """Return an answer, or ``None`` where the server died over it."""
        data = None if body is None else json.dumps(body).encode()
        asked = Request(self.address + path, data, {"Content-Type": "application/json"})
        try:
            with urlopen(asked, timeout=10) as answer:
                return json.load(answer)
        except (URLError, OSError, ValueError):
            return None


def finished(store: Store) -> dict[str, str]:
    """Return the answers of all finished runs, by run, as they stand in the database."""
    ends = {run.id for run in store.runs(limit=10_000, status="done")}
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(texts.c.run, texts.c.body).where(texts.c.part == "result"))
        return {row.run: row.body for row in rows if row.run in ends}


def worker_pids(store: Store) -> list[int]:
    """Return the processes of the workers that say they live."""
    with store.engine.connect() as connection:
        return [row.pid for row in connection.execute(sa.select(workers.c.pid))]


def kill_one(store: Store, chance: random.Random, timeout_s: float = 60.0) -> bool:
    """Kill a worker; one that was killed before may still stand in the store, then another is taken."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        for pid in chance.sample(pids := worker_pids(store), len(pids)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_nothing_finished_is_lost_and_no_run_is_stuck(tmp_path: Path) -> None:
    """Kill after kill while runs are queued without pause; in the end each run has ended, and each answer stands."""
    chance = random.Random(SEED)
    store = Store.open(str(tmp_path / "runs.db"))
    queue = Queue(store)
    served = Served(store.place)
    served.start()
    ending = threading.Event()
    seen: dict[str, str] = {}
    submitted: list[str] = []

    def keep_asking() -> None:
        while not ending.wait(0.03):
            if sum(run.open for run in store.runs(limit=200)) < 12:
                run = served.ask("api/runs/check", chance_of_asking.choice(CHECKS))
                if run is not None:
                    submitted.append(run["id"])

    chance_of_asking = random.Random(SEED + 1)
    asking = threading.Thread(target=keep_asking, daemon=True)
    asking.start()
    targets = ["server"] * SERVERS + ["worker"] * (KILLS - SERVERS)
    chance.shuffle(targets)
    killed: list[str] = []
    for target in targets:
        time.sleep(chance.uniform(0.0, 0.5))
        seen |= finished(store)
        if target == "server":
            served.kill()
            served.start()
            killed.append(target)
            continue
        assert kill_one(store, chance)
        killed.append(target)
    ending.set()
    asking.join()
    until = time.monotonic() + 120
    while (still := [run.id for run in store.runs(limit=10_000) if run.open]) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(killed) == KILLS
    assert still == []
    runs = {run.id: run for run in store.runs(limit=10_000)}
    now = finished(store)
    assert {run: now.get(run) for run in seen} == seen
    assert set(submitted) <= set(runs)
    assert {run.status for run in runs.values()} <= {"done", "lost"}
    assert all(run.id in now for run in runs.values() if run.status == "done")
    assert all(run.attempts == 2 for run in runs.values() if run.status == "lost")
    assert sum(run.status == "done" for run in runs.values()) > len(runs) / 2
    served.end(signal.SIGTERM)
    ends = Counter(run.status for run in runs.values())
    print(f"{KILLS} kills, {targets.count('server')} of the server: {len(runs)} runs, {dict(ends)}")  # noqa: T201
    with store.engine.connect() as connection:
        assert connection.execute(sa.text("PRAGMA integrity_check")).scalar() == "ok"
        assert connection.execute(sa.text("PRAGMA foreign_key_check")).all() == []
    assert not [run for run in store.runs(limit=10_000) if run.status in OPEN]
    again = queue.submit("check", CHECKS[0])
    assert queue.get(again.id).status == "queued"
    store.close()
