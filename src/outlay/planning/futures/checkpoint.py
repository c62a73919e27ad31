"""Answers kept on disk as they come, so that a run that was killed goes on where it was.

The decomposition is deterministic, so a resumed run walks the same rounds and finds their answers here: nothing else
needs to be kept. Workers write their own answers, which are there even where the driver died before it heard of them.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from outlay.errors import InputError
from outlay.planning.futures.cuts import Cuts

if TYPE_CHECKING:
    from outlay.planning.futures.workers import Job, Task

HEADER = "run.json"


class Checkpoint:
    """A folder of answers of one job.

    Raises
    ------
    InputError
        If the folder holds the run of another job, or a run that was not asked to be resumed.
    """

    def __init__(self, folder: Path, job: Job, *, resume: bool, name: str = "") -> None:
        self.folder = folder
        self.reused = 0
        header = {"scenario": name, "fingerprint": fingerprint(job)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = json.loads((folder / HEADER).read_text(encoding="utf-8")) if (folder / HEADER).exists() else None
        except (OSError, ValueError) as error:
            msg = f"checkpoint {folder}: cannot be read or written: {error}"
            raise InputError(msg) from None
        if held is not None and held["fingerprint"] != header["fingerprint"]:
            msg = (
                f"checkpoint {folder}: holds a run of scenario {held['scenario']!r} with other data or settings "
                f"({held['fingerprint'][:12]}); this is {name!r} ({header['fingerprint'][:12]}). Give another folder"
            )
            raise InputError(msg)
        if held is not None and not resume:
            msg = f"checkpoint {folder}: holds a run already; go on with --resume, or give another folder"
            raise InputError(msg)
        if held is None and resume:
            msg = f"checkpoint {folder}: holds no run to resume; start it without --resume"
            raise InputError(msg)
        if held is None:
            _replace(folder / HEADER, json.dumps(header).encode())

    def read(self, task: Task) -> Cuts | None:
        """Return the answer kept for a task, if it is there and was asked at the same decisions."""
        found = read_answer(self.folder, task)
        self.reused += found is not None
        return found


def _path(folder: Path, task: Task) -> Path:
    return folder / f"round-{task[0]:04d}-chunk-{task[1]:03d}.npz"


def read_answer(folder: Path, task: Task) -> Cuts | None:
    """Return an answer from a folder; ``None`` where there is none, or it is torn."""
    try:
        with np.load(_path(folder, task), allow_pickle=False) as kept:
            if str(kept["asked"]) != _asked(task):
                return None
            return Cuts(**{part.name: kept[part.name] for part in fields(Cuts)})
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None


def write_answer(folder: Path, task: Task, answer: Cuts) -> None:
    """Keep an answer; whole or not at all."""
    kept = BytesIO()
    parts = {part.name: np.asarray(getattr(answer, part.name)) for part in fields(Cuts)}
    np.savez(kept, asked=np.array(_asked(task)), **parts)  # type: ignore[arg-type]
    _replace(_path(folder, task), kept.getvalue())


def _asked(task: Task) -> str:
    return hashlib.sha256(task[2].tobytes() + np.float64(task[3]).tobytes()).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    beside.write_bytes(data)
    beside.replace(path)


def fingerprint(job: Job) -> str:
    """Return a digest of everything an answer depends on."""
    from outlay import __version__

    digest = hashlib.sha256(__version__.encode())
    ensemble = job.decisions.ensemble
    parts: list[Any] = [ensemble.probability, ensemble.share, ensemble.price, ensemble.delay, ensemble.demand]
    parts += [ensemble.power, ensemble.node, job.offset, *(c for chunk in job.chunks for c in chunk)]
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(
        repr(
            (
                job.decisions.instance.options,
                job.decisions.instance.budgets
                and [
                    (b.name, b.limit, b.currency, b.at_least, sorted(b.orders), sorted(b.running))
                    for b in job.decisions.instance.budgets
                ],
            )
        ).encode()
    )
    instance = job.decisions.instance
    rest: tuple[Any, ...] = (instance.quarters, instance.currency, sorted(instance.rate.items()))
    rest += (instance.discount, instance.objective)
    rest += (instance.salvage_per_year, instance.reserve_value, instance.sites, instance.runs, instance.blocks)
    digest.update(repr(rest).encode())
    digest.update(repr([(s.name, sorted(s.options), s.chips) for s in instance.supply]).encode())
    digest.update(
        repr([(s.name, s.kind, s.base, s.share, sorted(s.counted), sorted(s.over)) for s in instance.sourcing]).encode()
    )
    digest.update(
        repr([(s.name, s.price, s.penalty, s.peak_factor, sorted(s.rates.items())) for s in instance.services]).encode()
    )
    digest.update(repr((ensemble.refund, ensemble.rights, job.risk, job.decisions.waiver, instance.credits)).encode())
    return digest.hexdigest()
