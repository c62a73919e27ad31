"""A worker process: takes runs up one after another, says that it lives, stops a run that is cancelled or late."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING, Any

from outlay.errors import (
    InfeasibleError,
    InputError,
    MissingFigureError,
    NoFitError,
    OutlayError,
    StoppedError,
    StoreError,
)
from outlay.runs.queue import Claim, Queue
from outlay.runs.record import Run, new_id
from outlay.runs.store import Store
from outlay.runs.work import Answer, Tell, do

if TYPE_CHECKING:
    from outlay.planning.linear import Standing

Do = Callable[[str, dict[str, Any], Tell], Answer]
BEAT_S = 1.0
"""How often a worker says that it lives, and looks whether its run shall stop."""
LOOK_S = 0.1
"""How often an idle worker looks for a run."""
GRACE_S = 5.0
"""How long a run that shall stop may take to do so by itself; then its process ends."""
STANDING_S = 0.4
"""How often where the solver stands is written down."""
NICENESS = 10
"""Work stands back behind the page, which somebody looks at."""


class Worker:
    """Takes up runs of a store until it is told to stop, or its parent is gone."""

    def __init__(self, queue: Queue, *, parent: int | None = None, do: Do = do) -> None:
        self.do = do
        self.queue, self.parent, self.id = queue, parent, f"{os.getpid()}-{new_id()}"
        self.ending = threading.Event()
        self.stop = threading.Event()
        self.claim: Claim | None = None
        self.began = 0.0
        self.limit_s: float | None = None
        self.why = "cancelled"
        self.lock = threading.Lock()

    def work(self) -> None:
        """Take up runs, one after another."""
        self.queue.enlist(self.id)
        beat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beat.start()
        try:
            while not self.ending.is_set() and not self._orphan():
                found = self.queue.claim(self.id)
                if found is None:
                    self.ending.wait(LOOK_S)
                else:
                    self._one(*found)
        finally:
            self.ending.set()
            self.queue.leave(self.id)

    def _orphan(self) -> bool:
        return self.parent is not None and os.getppid() != self.parent

    def _one(self, run: Run, claim: Claim) -> None:
        with self.lock:
            self.stop.clear()
            self.why, self.began, self.limit_s, self.claim = "cancelled", time.monotonic(), run.limit_s, claim
        status, result, code, message, inputs = "failed", None, 1, "", None
        try:
            answer = self.do(run.kind, self.queue.store.inputs(run.id), self._tell(claim))
            status, result, code, message = "done", answer.document, answer.code, answer.message
            inputs = answer.inputs
        except StoppedError as error:
            status, message = self._ended(str(error))
        except InputError as error:
            code, message = 2, str(error)
        except (InfeasibleError, NoFitError, MissingFigureError, OutlayError) as error:
            message = str(error)
        except MemoryError:
            message = "it needs more memory than there is"
        except Exception as error:
            traceback.print_exc()
            message = f"a defect of outlay: {type(error).__name__}: {error}"
        with self.lock:
            self.claim = None
        self.queue.finish(claim, status, result, code=code, message=message, inputs=inputs)

    def _ended(self, message: str) -> tuple[str, str]:
        if self.why == "cancelled":
            return "cancelled", message
        return "failed", f"stopped after {self.limit_s:g} s, the most this run may take"

    def _tell(self, claim: Claim) -> Tell:
        last = [0.0]

        def standing(now: Standing) -> None:
            if time.monotonic() - last[0] >= STANDING_S:
                last[0] = time.monotonic()
                data = asdict(now)
                self.queue.say(claim, "standing", data)

        return Tell(lambda words: self.queue.say(claim, "words", {"words": words}), standing, self.stop.is_set)

    def _beat(self) -> None:
        """Say that the worker lives; ask its run to stop, and end the process where it does not."""
        asked = 0.0
        while not self.ending.wait(BEAT_S):
            with self.lock:
                claim, limit = self.claim, self.limit_s
            try:
                goes_on = self.queue.beat(self.id, claim)
            except StoreError as error:
                sys.stderr.write(f"worker {self.id}: {error}\n")
                continue
            if claim is None:
                asked = 0.0
                continue
            late = limit is not None and time.monotonic() - self.began > limit
            if goes_on and not late:
                asked = 0.0
                continue
            if not asked:
                asked, self.why = time.monotonic(), "late" if goes_on else "cancelled"
                self.stop.set()
            elif time.monotonic() - asked > GRACE_S:
                self._give_up(claim)

    def _give_up(self, claim: Claim) -> None:
        """Mark a run that does not stop by itself and end the process with it."""
        with self.lock:
            if self.claim is not claim:
                return
            status, message = self._ended("cancelled")
            self.queue.finish(claim, status, code=1, message=message)
            self.queue.leave(self.id)
            os._exit(3)


def main(arguments: list[str] | None = None) -> int:
    """Run a worker process: ``python -m outlay.runs.worker --store PLACE``."""
    parser = argparse.ArgumentParser(prog="outlay.runs.worker", description="Take up queued runs of a run store.")
    parser.add_argument("--store", help="Path or PostgreSQL URL; by default where OUTLAY_RUNS says.")
    parser.add_argument("--parent", type=int, help="End once this process is gone.")
    parser.add_argument("--cluster", metavar="ADDRESS", help="Hand runs to the Dask scheduler there.")
    given = parser.parse_args(arguments)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.nice(NICENESS)
    try:
        queue = Queue(Store.open(given.store))
        if given.cluster:
            from outlay.runs.cluster import Cluster

            worker = Worker(queue, parent=given.parent, do=Cluster(given.cluster).do)
        else:
            worker = Worker(queue, parent=given.parent)
    except OutlayError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2

    def end(_: int, __: FrameType | None) -> None:
        worker.ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server asks its workers to end; a terminal's ^C reaches both
    worker.work()
    return 0


if __name__ == "__main__":
    sys.exit(main())
