"""Plans of the bundled scenarios, solved beforehand: a scenario opens with its plan. `make plans` makes them again."""

from __future__ import annotations

import functools
import gzip
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.scenario.load import bundled, bundled_text

if TYPE_CHECKING:
    from outlay.planning.futures.result import HedgedPlan
    from outlay.planning.result import Plan


@functools.cache
def finished(text: str) -> Plan | None:
    """Return the packaged plan of a scenario's text; ``None`` unless the text is that of a bundled scenario."""
    from outlay.planning.futures.stored import plan_of

    name = next((name for name in bundled() if bundled_text(name) == text), None)
    if name is None:
        return None
    packed = resources.files("outlay.web.page").joinpath(f"plans/{name}.json.gz").read_bytes()
    return plan_of(json.loads(gzip.decompress(packed)), f"{name}.json.gz")


@functools.cache
def finished_futures(text: str) -> HedgedPlan | None:
    """Return the packaged plan over the futures of a scenario's text; ``None`` where none is packaged."""
    from pydantic import TypeAdapter

    from outlay.planning.futures.result import HedgedPlan

    name = next((name for name in bundled() if bundled_text(name) == text), None)
    packed = resources.files("outlay.web.page").joinpath(f"plans/{name}.futures.json.gz")
    if name is None or not packed.is_file():
        return None
    return TypeAdapter(HedgedPlan).validate_python(json.loads(gzip.decompress(packed.read_bytes())))


def write_futures(folder: Path) -> None:
    """Plan every bundled scenario that has futures over them, and write the plans into a folder."""
    import outlay
    from outlay.planning.futures.plan import plan_futures
    from outlay.report.futures import to_json

    folder.mkdir(parents=True, exist_ok=True)
    for name in bundled():
        scenario = outlay.load(name)
        if scenario.futures is not None:
            text = to_json(plan_futures(scenario).plan)
            (folder / f"{name}.futures.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def write_all(folder: Path) -> None:
    """Solve every bundled scenario and write its plan into a folder."""
    import outlay
    from outlay.planning import plan
    from outlay.report.document import to_json

    folder.mkdir(parents=True, exist_ok=True)
    for name in bundled():
        text = to_json(plan(outlay.load(name)))
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    write_all(Path(__file__).parent / "plans")
    write_futures(Path(__file__).parent / "plans")
