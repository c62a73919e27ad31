"""The queue on a Dask cluster of this machine: the same answers, told and stopped on the way as elsewhere."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.long import LONG

from outlay.errors import InputError
from outlay.runs import Queue
from outlay.runs.cluster import Cluster
from outlay.runs.crew import Crew

CHECK = {"chips": ["H20 96GB"], "destination": "CN", "day": "2025-05-01"}


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Start a scheduler and one host, and give the scheduler's address."""
    pytest.importorskip("distributed")
    port = str(free_port())
    place = f"tcp://127.0.0.1:{port}"
    command = [sys.executable, "-m"]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    host = ["distributed.cli.dask_worker", place, "--nworkers", "1", "--nthreads", "1", "--no-dashboard"]
    started = [
        subprocess.Popen(
            [*command, *parts],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        for parts in (scheduler, host)
    ]
    try:
        yield place
    finally:
        for process in started[::-1]:
            process.terminate()
            process.wait(timeout=30)


@pytest.mark.slow
def test_runs_are_done_told_of_and_stopped_there(queue: Queue, address: str) -> None:
    """A check is answered, a wrong question fails, a plan tells its gap and is cancelled: all on the cluster."""
    crew = Crew(queue, 1, cluster=address)
    crew.start()
    try:
        done = queue.submit("check", CHECK)
        wrong = queue.submit("check", {**CHECK, "chips": ["H20O"]})
        long = queue.submit("plan", {"scenario": "long", "text": LONG, "gap": 0})
        assert queue.wait(done.id, 120).status == "done"
        result = queue.store.result(done.id)
        assert result is not None
        assert result["item"]["name"] == "H20 96GB"
        failed = queue.wait(wrong.id, 60)
        assert (failed.status, failed.code) == ("failed", 2)
        assert "unknown chip 'H20O'" in failed.message
        until = time.monotonic() + 120
        while time.monotonic() < until and not any(e.kind == "standing" for e in queue.events(long.id)):
            time.sleep(0.1)
        queue.cancel(long.id)
        assert queue.wait(long.id, 60).status == "cancelled"
        assert {"status", "words", "standing"} == {event.kind for event in queue.events(long.id)}
    finally:
        crew.stop()


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address, and what starts one."""
    pytest.importorskip("distributed")
    monkeypatch.setattr("outlay.runs.cluster.WAIT_S", 1)
    with pytest.raises(
        InputError, match=r"--cluster tcp://127\.0\.0\.1:9: no scheduler answers there .*dask scheduler"
    ):
        Cluster("tcp://127.0.0.1:9")
