"""Published step times of mixed fleets, predicted from the layer times and bandwidths their authors measured."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outlay.errors import InputError, MissingFigureError
from outlay.performance.chip import rows
from outlay.performance.mixed import Array, Link, StageProfile, pipeline_seconds, ring_seconds, waits

FP32 = 4.0
_GROUP = re.compile(r"(.+?)\*(\d+)(?: x(\d+))?")


@dataclass(frozen=True)
class Replica:
    """One copy of a stage: a tensor-parallel group of ``tp`` chips in one server."""

    chip: str
    tp: int


@dataclass(frozen=True)
class PublishedRun:
    """A measured run of a plan.

    Attributes
    ----------
    layers
        Layers of each stage; the first stage has the embedding too, the last one the head.
    stages
        The copies of each stage; the n-th copies of all stages form the n-th pipeline.
    parameters
        Of the embedding, of a layer and of the head.
    measured_s
        Seconds a step.
    consistent
        Whether the published figures agree with each other; the reason stands in ``note``.
    """

    name: str
    model: str
    hidden: int
    sequence: int
    parameters: tuple[float, float, float]
    layers: tuple[int, ...]
    stages: tuple[tuple[Replica, ...], ...]
    micro_batch: int
    batch: int
    measured_s: float
    consistent: bool
    note: str

    @property
    def mixed(self) -> bool:
        """Whether the plan has more than one kind of chip."""
        return len({replica.chip for stage in self.stages for replica in stage}) > 1


def published() -> list[PublishedRun]:
    """Return the published runs whose plans are known, in the order of the data file."""
    return [_run(row) for row in rows("mixed_runs.csv")]


def _run(row: dict[str, str]) -> PublishedRun:
    layers, stages = parse_plan(row["plan"])
    embedding, layer, head = (float(row[f"{name}_parameters"]) for name in ("embedding", "layer", "head"))
    return PublishedRun(
        name=row["run"],
        model=row["model"],
        hidden=int(row["hidden"]),
        sequence=int(row["sequence"]),
        parameters=(embedding, layer, head),
        layers=layers,
        stages=stages,
        micro_batch=int(row["micro_batch"]),
        batch=int(row["batch"]),
        measured_s=float(row["measured_s"]),
        consistent=row["status"] == "measured",
        note=row["note"],
    )


def parse_plan(text: str) -> tuple[tuple[int, ...], tuple[tuple[Replica, ...], ...]]:
    """Read the layers and copies of each stage, written ``11: A*8 + B*8 | 13: C*8 x2``.

    Examples
    --------
    >>> parse_plan("11: RTX 3090*8 | 13: Titan RTX*8")[0]
    (11, 13)
    """
    layers, stages = [], []
    for stage in text.split("|"):
        count, _, groups = stage.partition(":")
        replicas: list[Replica] = []
        for group in groups.split("+"):
            match = _GROUP.fullmatch(group.strip())
            if match is None:
                msg = f"plan {text!r}: {group.strip()!r} is not CHIP*TP or CHIP*TP xCOPIES"
                raise InputError(msg)
            replicas += [Replica(match[1], int(match[2]))] * int(match[3] or 1)
        layers.append(int(count))
        stages.append(tuple(replicas))
    return tuple(layers), tuple(stages)


def profile(model: str, replica: Replica, micro_batch: int) -> StageProfile:
    """Return the measured seconds of a model's parts on some chips.

    Raises
    ------
    MissingFigureError
        If they were not measured.
    """
    key = (model, replica.chip, replica.tp, micro_batch)
    if key not in _profiles():
        msg = f"no measured profile of {model} on {replica.tp} x {replica.chip} with micro-batch {micro_batch}"
        raise MissingFigureError(msg)
    return _profiles()[key]


@functools.cache
def _profiles() -> dict[tuple[str, str, int, int], StageProfile]:
    found = {}
    for row in rows("mixed_profiles.csv"):
        layer, head = (float(row[f"{part}_forward_s"]) + float(row[f"{part}_backward_s"]) for part in ("layer", "head"))
        key = (row["model"], row["chip"], int(row["tp"]), int(row["micro_batch"]))
        found[key] = StageProfile(float(row["embedding_s"]), layer, head, float(row["update_s"]))
    return found


def link(sender: Replica, receiver: Replica) -> Link:
    """Return the measured link between two servers, as what each of the chips that send at once gets of it."""
    key = (sender.chip, receiver.chip, min(sender.tp, receiver.tp))
    if key not in _bandwidths():
        msg = f"no measured link from {key[2]} x {sender.chip} to as many {receiver.chip}"
        raise MissingFigureError(msg)
    return Link(_bandwidths()[key] / key[2])


@functools.cache
def _bandwidths() -> dict[tuple[str, str, int], float]:
    return {
        (row["sender"], row["receiver"], int(row["chips"])): float(row["bandwidth"]) for row in rows("mixed_links.csv")
    }


def errors(runs: Sequence[PublishedRun]) -> Array:
    """Return predicted over measured step time, less one, of each run."""
    return np.array([predict(run) / run.measured_s - 1 for run in runs])


def predict(run: PublishedRun) -> float:
    """Return the seconds a step of a published plan.

    Notes
    -----
    The slowest of the pipelines, which all take the same number of micro-batches; then each stage sums its fp32
    gradients in a flat ring over its copies, whose slowest link all chips of a server share; then the optimiser.
    Transfers are fp32 and stand alone: these runs send and receive in the stream that computes.
    """
    pipelines = list(zip(*run.stages, strict=True))
    micro_batches = float(np.ceil(run.batch / (run.micro_batch * len(pipelines))))
    slowest = max(_pipeline(run, replicas, micro_batches) for replicas in pipelines)
    embedding, layer, head = run.parameters
    summed = 0.0
    for place, (count, replicas) in enumerate(zip(run.layers, run.stages, strict=True)):
        held = count * layer + (place == 0) * embedding + (place + 1 == len(run.layers)) * head
        for sender, receiver in itertools.pairwise(replicas):
            size = FP32 * held / min(sender.tp, receiver.tp)
            summed = max(summed, float(ring_seconds(link(sender, receiver), size, len(replicas))))
    updates = (profile(run.model, replica, run.micro_batch).update_s for stage in run.stages for replica in set(stage))
    return slowest + summed + max(updates)


def _pipeline(run: PublishedRun, replicas: Sequence[Replica], micro_batches: float) -> float:
    last = len(replicas) - 1
    stage = [
        profile(run.model, replica, run.micro_batch).stage_s(count, first=place == 0, last=place == last)
        for place, (count, replica) in enumerate(zip(run.layers, replicas, strict=True))
    ]
    size = FP32 * run.micro_batch * run.sequence * run.hidden
    transfer = [
        float(link(sender, receiver).seconds(size / min(sender.tp, receiver.tp)))
        for sender, receiver in itertools.pairwise(replicas)
    ]
    return float(pipeline_seconds(stage, waits(transfer), micro_batches))
