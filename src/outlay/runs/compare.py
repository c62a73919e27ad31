"""Two runs side by side: what changed between their answers, and whether one answer is the other again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from outlay.errors import InputError
from outlay.runs.record import Run

TIMES = frozenset({"solve_s", "build_s", "cpu_s", "seconds", "input_hash", "version"})
"""Parts of an answer that tell of the machine and the moment, not of what was asked."""
MOST = 1000


@dataclass(frozen=True)
class Changed:
    """A part of the answers that differs; ``None`` where one lacks it."""

    where: str
    before: Any
    after: Any


def compare(before: Run, after: Run, old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    """Return what changed from one run's answer to another's.

    Plans are compared order by order (:func:`outlay.planning.futures.stored.difference`), others part by part.

    Raises
    ------
    InputError
        If the runs are of two kinds, or one has no answer.
    """
    if before.kind != after.kind:
        msg = f"{before.id} is a {before.kind} and {after.id} a {after.kind}; compare two of a kind"
        raise InputError(msg)
    for run, answer in ((before, old), (after, new)):
        if answer is None:
            msg = f"run {run.id} is {run.status} and has no answer to compare"
            raise InputError(msg)
    assert old is not None
    assert new is not None
    old, new = (json.loads(json.dumps(answer)) for answer in (old, new))  # as both stand in the store
    found = list(changes(old, new))
    plans = None
    if before.kind == "plan" and "currency" in old and "currency" in new:
        from outlay.planning.futures.stored import difference

        plans = asdict(difference(old, new))
    return {
        "before": before.id,
        "after": after.id,
        "kind": before.kind,
        "same": not found,
        "same_code": before.code_hash == after.code_hash,
        "same_catalogue": before.catalogue_hash == after.catalogue_hash,
        "plans": plans,
        "changes": [asdict(one) for one in found[:MOST]],
        "more": max(0, len(found) - MOST),
    }


def changes(before: Any, after: Any, where: str = "") -> Iterator[Changed]:
    """Yield the smallest parts of two answers that differ, those of ``TIMES`` apart."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            if key not in TIMES:
                yield from changes(before.get(key), after.get(key), f"{where}.{key}" if where else str(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from changes(old, new, f"{where}[{place}]")
    elif before != after:
        yield Changed(where, before, after)
