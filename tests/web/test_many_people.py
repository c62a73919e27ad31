"""A lean form of the load benchmark: some browse, some solve, nothing errs and no run is lost."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SMALL = (ROOT / "tests" / "small.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("benchmarks_web", ROOT / "benchmarks" / "web.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_people_browse_while_others_solve(bench: ModuleType, tmp_path: Path) -> None:
    """Ten browse and four solve for a few seconds: every answer comes, every run is done, memory stays small."""
    served, address = bench.start(2, str(tmp_path / "runs.db"), page=False)
    try:
        asked = {"users": 10, "solvers": 4, "seconds": 4, "scenario": {"scenario": "small", "text": SMALL}}
        with ThreadPoolExecutor(1) as aside:  # a browser of other tests keeps a loop in this thread
            load = aside.submit(asyncio.run, bench.put_load(address, served.pid, **asked, page=False)).result()
    finally:
        bench.stop(served)
    assert load.errors == []
    assert load.runs
    assert set(load.runs.values()) == {"done"}
    assert len(load.all_times) > 20
    assert max(load.memory) < bench.MEMORY_GB * 1e9
