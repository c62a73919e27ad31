"""Fifty people browse and ten solve at once on the loopback: errors, lost runs, times of answers, memory.

    python benchmarks/web.py [--users 50] [--solvers 10] [--workers 2] [--seconds 60] [--scenario bytedance-2025|FILE]

Every figure is printed. The page and the API are asked over HTTP as a browser asks them; people pause between looks,
about a second. Exit 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx

PAUSE_S = (0.5, 1.5)
P95_S, MEMORY_GB = 1.0, 1.5


@dataclass
class Load:
    """What came of a load.

    Attributes
    ----------
    times
        Seconds of answers, by what was asked.
    errors
        What went wrong, in words.
    runs
        Status of each run that was queued, by its id.
    memory
        Bytes of the server and its workers together, shared pages counted once (PSS), a sample a second.
    """

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)

    @property
    def all_times(self) -> list[float]:
        """Seconds of every answer."""
        return [second for seconds in self.times.values() for second in seconds]


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of the values stays below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def browse(client: httpx.AsyncClient, load: Load, until: float, chance: random.Random, page: bool) -> None:
    """Look about as one person does: the page, the scenarios, the catalogue, the runs and their answers."""
    looks = ["/api/scenarios", "/api/catalog", "/api/runs", "/api/catalog/chips/H20 96GB", "run", "result"]
    looks += ["/"] * 2 if page else []
    await asyncio.sleep(chance.uniform(0, 1))
    while time.monotonic() < until:
        look = chance.choice(looks)
        path = look
        if look in {"run", "result"}:
            if not load.runs:
                continue
            path = f"/api/runs/{chance.choice(list(load.runs))}" + ("/log" if look == "run" else "")
        await _timed(client, load, look, "GET", path)
        await asyncio.sleep(chance.uniform(*PAUSE_S))


async def _timed(
    client: httpx.AsyncClient, load: Load, name: str, method: str, path: str, body: object = None
) -> httpx.Response | None:
    began = time.perf_counter()
    try:
        answer = await client.request(method, path, json=body)
    except httpx.HTTPError as error:
        load.errors.append(f"{method} {path}: {type(error).__name__} {error}")
        return None
    load.times[name].append(time.perf_counter() - began)
    if answer.status_code >= 400:
        load.errors.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return None
    return answer


async def solve(client: httpx.AsyncClient, load: Load, until: float, scenario: dict[str, object]) -> None:
    """Queue a plan, follow its events to the end, take its answer, and again."""
    while time.monotonic() < until:
        queued = await _timed(client, load, "queue a plan", "POST", "/api/runs/plan", scenario)
        if queued is None:
            return
        run = queued.json()["id"]
        load.runs[run] = "queued"
        try:
            async with client.stream("GET", f"/api/runs/{run}/events") as stream:
                async for line in stream.aiter_lines():
                    event = json.loads(line[6:]) if line.startswith("data: ") else {}
                    if event.get("kind") == "status":
                        load.runs[run] = event["status"]
        except httpx.HTTPError as error:
            load.errors.append(f"events of {run}: {type(error).__name__} {error}")
        if load.runs[run] != "done":
            load.errors.append(f"run {run} ended as {load.runs[run]}")
        elif await _timed(client, load, "take a plan", "GET", f"/api/runs/{run}/result") is None:
            return


def tree_memory(root: int) -> int:
    """Return the bytes of a process and all below it, pages they share counted once."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    mine, more = {root}, True
    while more:
        found = {pid for pid, parent in parents.items() if parent in mine} - mine
        mine |= found
        more = bool(found)
    total = 0
    for pid in mine:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


async def _watch(load: Load, pid: int, ending: asyncio.Event) -> None:
    while not ending.is_set():
        load.memory.append(await asyncio.to_thread(tree_memory, pid))
        try:
            await asyncio.wait_for(ending.wait(), 1.0)
        except TimeoutError:
            continue


async def put_load(
    address: str, pid: int, *, users: int, solvers: int, seconds: float, scenario: dict[str, object], page: bool = True
) -> Load:
    """Put a load on a server and return what came of it; runs queued in time are followed to their end."""
    ending = asyncio.Event()
    limits = httpx.Limits(max_connections=users + 2 * solvers + 5)
    async with httpx.AsyncClient(base_url=address, timeout=httpx.Timeout(120, read=None), limits=limits) as client:
        for path in ("/api/scenarios", "/api/catalog", "/api/runs", *(["/"] if page else [])):
            await client.get(path)  # a server just started imports on the first of each
        load, until = Load(), time.monotonic() + seconds
        watching = asyncio.create_task(_watch(load, pid, ending))
        people = [browse(client, load, until, random.Random(n), page) for n in range(users)]
        await asyncio.gather(*people, *(solve(client, load, until, scenario) for _ in range(solvers)))
        ending.set()
        await watching
    return load


def start(workers: int, store: str, *, page: bool = True) -> tuple[subprocess.Popen[str], str]:
    """Start a server as people start it and return it with its address."""
    options = ["--no-open", "--port", "0", "--workers", str(workers), "--store", store]
    options += [] if page else ["--no-page"]
    asked = [sys.executable, "-m", "outlay.cli.main", "web", *options]
    served = subprocess.Popen(asked, stdout=subprocess.PIPE, text=True)
    assert served.stdout is not None
    return served, served.stdout.readline().split()[3]


def stop(served: subprocess.Popen[str]) -> None:
    """End a server."""
    served.terminate()
    served.wait(60)
    assert served.stdout is not None
    served.stdout.close()


def scenario_of(name: str) -> dict[str, object]:
    """Return what is asked: a bundled scenario by its name, or a file's text."""
    path = Path(name)
    return {"scenario": path.stem, "text": path.read_text(encoding="utf-8")} if path.is_file() else {"scenario": name}


def report(load: Load) -> bool:
    """Print every figure and return whether the bars are kept."""
    for name, seconds in sorted(load.times.items()):
        middle, late = statistics.median(seconds), quantile(seconds, 0.95)
        print(f"{name:<28} {len(seconds):5}  p50 {middle:6.3f} s  p95 {late:6.3f} s  most {max(seconds):6.3f} s")
    late, peak = quantile(load.all_times, 0.95), max(load.memory) / 1e9
    ends: dict[str, int] = defaultdict(int)
    for status in load.runs.values():
        ends[status] += 1
    print(f"answers {len(load.all_times)}, p95 {late:.3f} s (bar {P95_S} s)")
    print(f"errors {len(load.errors)}" + "".join(f"\n  {error}" for error in load.errors[:10]))
    print(f"runs queued {len(load.runs)}, ended: {dict(ends)}")
    print(f"memory of the server and its workers, at most {peak:.2f} GB (PSS; bar {MEMORY_GB} GB)")
    lost = sum(count for status, count in ends.items() if status != "done")
    return not load.errors and not lost and late < P95_S and peak < MEMORY_GB


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--solvers", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--scenario", default="bytedance-2025")
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    print(f"{given.users} browse, {given.solvers} solve, {given.workers} workers, {os.cpu_count()} cores, "
          f"load of the machine before {load_before:.1f}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        served, address = start(given.workers, f"{folder}/runs.db")
        try:
            load = asyncio.run(
                put_load(
                    address,
                    served.pid,
                    users=given.users,
                    solvers=given.solvers,
                    seconds=given.seconds,
                    scenario=scenario_of(given.scenario),
                )
            )
        finally:
            stop(served)
    return 0 if report(load) else 1


if __name__ == "__main__":
    sys.exit(main())
