"""Who solves the tasks: this process, local ones, or a Dask cluster; the answer is the same from all."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from outlay.errors import InputError, SolverError
from outlay.planning.futures.checkpoint import Checkpoint, read_answer, write_answer
from outlay.planning.futures.cuts import Chunk, Cuts
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Floats, Integers
from outlay.planning.futures.risk import Risk

Task = tuple[int, int, Floats, float]
"""Round, chunk, decisions, quantile."""
MOST_TRIES = 3
"""Workers a task may take down before it is given up."""
CLUSTER_WAIT_S = 10


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to answer tasks, and the folder it keeps them in, if any."""

    decisions: Decisions
    chunks: list[list[Integers]]
    risk: Risk
    offset: Floats
    folder: Path | None = None


class Team(Protocol):
    """Answers tasks, in the order given."""

    @property
    def retries(self) -> int:
        """Tasks asked again because a worker was lost."""
        ...

    def map(self, tasks: Sequence[Task]) -> list[Cuts]:
        """Return the answers of the tasks of one round."""
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...


class Bench:
    """The chunks of a job, made when first asked for."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._chunks: dict[int, Chunk] = {}

    def answer(self, task: Task) -> Cuts:
        """Answer one task, and keep the answer."""
        _, chunk, x, quantile = task
        if chunk not in self._chunks:
            self._chunks[chunk] = Chunk(self.job.decisions, self.job.chunks[chunk], self.job.risk, self.job.offset)
        found = self._chunks[chunk].answer(x, quantile)
        if self.job.folder is not None:
            write_answer(self.job.folder, task, found)
        return found


class Alone:
    """Answers every task in this process."""

    retries = 0

    def __init__(self, job: Job) -> None:
        self.bench = Bench(job)

    def map(self, tasks: Sequence[Task]) -> list[Cuts]:
        """Return the answers of the tasks of one round."""
        return [self.bench.answer(task) for task in tasks]

    def close(self) -> None:
        """Nobody to let go."""


class Kept:
    """Answers from a checkpoint what it holds, and asks another team for the rest."""

    def __init__(self, team: Team, checkpoint: Checkpoint) -> None:
        self.team, self.checkpoint = team, checkpoint

    @property
    def retries(self) -> int:
        """Tasks asked again because a worker was lost."""
        return self.team.retries

    def map(self, tasks: Sequence[Task]) -> list[Cuts]:
        """Return the answers of the tasks of one round."""
        found = [self.checkpoint.read(task) for task in tasks]
        missing = [task for task, answer in zip(tasks, found, strict=True) if answer is None]
        fresh = iter(self.team.map(missing) if missing else [])
        return [next(fresh) if answer is None else answer for answer in found]

    def close(self) -> None:
        """Let the team go."""
        self.team.close()


def _serve(connection: Connection, job: Job) -> None:
    """Answer tasks until the driver is gone; the task in hand is finished and kept even then."""
    bench = Bench(job)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: Cuts | Exception = bench.answer(task)
        except Exception as error:
            answer = error
        try:
            connection.send(answer)
        except (BrokenPipeError, OSError):
            return


class Local:
    """Processes of this machine. A worker that dies is replaced and its task asked again."""

    def __init__(self, job: Job, workers: int) -> None:
        self.job = job
        self.retries = 0
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[tuple[Any, Connection]] = [self._hire() for _ in range(workers)]

    def __enter__(self) -> Local:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """Process identifiers of the workers."""
        return [process.pid for process, _ in self._workers]

    def _hire(self) -> tuple[Any, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self.job), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def map(self, tasks: Sequence[Task]) -> list[Cuts]:
        """Return the answers of the tasks of one round."""
        answers: dict[int, Cuts] = {}
        tries = [0] * len(tasks)
        waiting = list(range(len(tasks)))[::-1]
        busy: dict[int, int] = {}
        while len(answers) < len(tasks):
            for w in range(len(self._workers)):
                if w not in busy and waiting:
                    self._give(w, waiting, tasks, busy, tries)
            links = {self._workers[w][1]: w for w in busy}
            for link in wait(list(links)):
                w = links[link]  # type: ignore[index]
                i = busy.pop(w)
                try:
                    answer = self._workers[w][1].recv()
                except (EOFError, OSError):
                    self._replace(w)
                    kept = read_answer(self.job.folder, tasks[i]) if self.job.folder else None
                    if kept is not None:
                        answers[i] = kept
                    else:
                        self._again(i, tasks, tries, waiting)
                    continue
                if isinstance(answer, Exception):
                    raise answer
                answers[i] = answer
        return [answers[i] for i in range(len(tasks))]

    def _give(self, w: int, waiting: list[int], tasks: Sequence[Task], busy: dict[int, int], tries: list[int]) -> None:
        i = waiting.pop()
        try:
            self._workers[w][1].send(tasks[i])
        except (BrokenPipeError, OSError):  # died while idle: nothing was lost
            self._replace(w)
            self._workers[w][1].send(tasks[i])
        busy[w] = i
        tries[i] += 1

    def _again(self, i: int, tasks: Sequence[Task], tries: list[int], waiting: list[int]) -> None:
        if tries[i] >= MOST_TRIES:
            futures = [self.job.decisions.ensemble.names[n] for part in self.job.chunks[tasks[i][1]] for n in part]
            msg = f"{tries[i]} workers died one after the other over the futures {futures[0]} to {futures[-1]}"
            raise SolverError(msg)
        self.retries += 1
        waiting.append(i)

    def _replace(self, w: int) -> None:
        process, link = self._workers[w]
        link.close()
        process.kill()
        process.join()
        self._workers[w] = self._hire()

    def close(self) -> None:
        """Let the workers go."""
        for process, link in self._workers:
            link.close()
            process.join(timeout=5)
            if process.is_alive():
                process.kill()
                process.join()


_BENCHES: dict[str, Bench] = {}


def _on_cluster(job: Job, key: str, task: Task) -> Cuts:
    """Answer one task in a Dask worker, which keeps its solver objects between tasks."""
    if key not in _BENCHES:
        _BENCHES.clear()
        _BENCHES[key] = Bench(job)
    return _BENCHES[key].answer(task)


class Cluster:
    """Workers of a Dask.distributed cluster.

    Raises
    ------
    InputError
        If the extra is not installed, nobody answers at the address, or a worker runs another version of outlay.
    """

    def __init__(self, job: Job, address: str) -> None:
        from outlay.planning.futures.checkpoint import fingerprint

        try:
            client: Any = import_module("distributed").Client
        except ImportError:
            msg = "--cluster needs Dask.distributed: python -m pip install 'outlay[cluster]'"
            raise InputError(msg) from None
        try:
            self._client = client(address, timeout=CLUSTER_WAIT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            msg = f"--cluster {address}: no scheduler answers there ({error}); start one with `dask scheduler`"
            raise InputError(msg) from None
        self.job, self.retries, self._key = job, 0, fingerprint(job)
        self._same_versions(address)
        self._data = self._client.scatter(replace(job, folder=None), broadcast=True)

    def _same_versions(self, address: str) -> None:
        from outlay import __version__

        found = self._client.run(_version)
        if not found:
            self.close()
            msg = f"--cluster {address}: the scheduler has no workers; start some with `dask worker {address}`"
            raise InputError(msg)
        wrong = {worker: theirs for worker, theirs in found.items() if theirs != __version__}
        if wrong:
            self.close()
            worker, theirs = next(iter(wrong.items()))
            what = f"runs outlay {theirs}" if theirs else "has no outlay"
            msg = f"--cluster {address}: worker {worker} {what}, here is {__version__}; install the same on all"
            raise InputError(msg)

    def map(self, tasks: Sequence[Task]) -> list[Cuts]:
        """Return the answers of the tasks of one round."""
        asked = [self._client.submit(_on_cluster, self._data, self._key, task, pure=False, retries=2) for task in tasks]
        answers: list[Cuts] = self._client.gather(asked)
        if self.job.folder is not None:
            for task, answer in zip(tasks, answers, strict=True):
                write_answer(self.job.folder, task, answer)
        return answers

    def close(self) -> None:
        """Leave the cluster; it goes on for others."""
        self._client.close()


def _version() -> str:
    try:
        from outlay import __version__
    except ImportError:
        return ""
    return __version__
