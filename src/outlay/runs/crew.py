"""Keeps a number of worker processes at work on a store: starts them, replaces the dead, ends them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from outlay.runs.queue import Queue

LOOK_S = 0.25
"""How often the crew looks after its workers."""
REAP_S = 2.0
"""How often it looks for runs whose workers died elsewhere."""
SLOWEST_S = 5.0
"""Pause before a worker that will not stay alive is started again."""


class Crew:
    """``number`` worker processes on the queue's store.

    With a ``cluster``, the address of a Dask scheduler, each hands its run over to it and waits.
    They outlive a killed server by the run in hand, and end by themselves after it.
    """

    def __init__(self, queue: Queue, number: int, *, cluster: str | None = None) -> None:
        self.queue, self.number, self.cluster = queue, number, cluster
        self.processes: list[subprocess.Popen[bytes]] = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._keep, name="crew", daemon=True)

    def start(self) -> None:
        """Queue what a crash left behind, and start the workers."""
        self.queue.reap()
        self.processes = [self._new() for _ in range(self.number)]
        self.thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the workers to end after the run in hand; those that do not in time are ended, and cost it a try."""
        self.ending.set()
        if self.thread.is_alive():
            self.thread.join()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.queue.reap()

    def pids(self) -> list[int]:
        """Return the process ids of the workers."""
        return [process.pid for process in self.processes]

    def _new(self) -> subprocess.Popen[bytes]:
        parts = [sys.executable, "-m", "outlay.runs.worker", "--parent", str(os.getpid())]
        parts += ["--cluster", self.cluster] if self.cluster else []
        environment = {**os.environ, "OUTLAY_RUNS": self.queue.store.place}  # not an argument: it may hold a password
        return subprocess.Popen(parts, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _keep(self) -> None:
        """Replace workers that died, at once the first time and slower when they keep dying; reap their runs."""
        pause, since_reap = 0.0, 0.0
        while not self.ending.wait(LOOK_S + pause):
            dead = [place for place, process in enumerate(self.processes) if process.poll() is not None]
            since_reap += LOOK_S + pause
            if dead or since_reap >= REAP_S:
                since_reap = 0.0
                self.queue.reap()
            pause = min(SLOWEST_S, 2 * pause + LOOK_S) if dead else 0.0
            for place in dead:
                self.processes[place] = self._new()
