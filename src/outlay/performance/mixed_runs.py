"""Published step times of mixed fleets, predicted from the layer times and bandwidths their authors measured.

No figure of the formulas is fitted to these steps.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from outlay.errors import InputError, MissingFigureError
from outlay.performance.chip import rows
from outlay.performance.mixed import Array, Link, StageProfile, ring_seconds
from outlay.performance.mixed_stages import pipeline_seconds, waits

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


def errors(runs: Sequence[PublishedRun], rule: Callable[[ArrayLike], Array] = waits) -> Array:
    """Return predicted over measured step time, less one, of each run."""
    return np.array([predict(run, rule) / run.measured_s - 1 for run in runs])


def predict(run: PublishedRun, rule: Callable[[ArrayLike], Array] = waits) -> float:
    """Return the seconds a step of a published plan.

    Parameters
    ----------
    rule
        Seconds each stage waits a micro-batch, given those of a transfer over each link.

    Notes
    -----
    The slowest of the pipelines, which all take the same number of micro-batches; then each stage sums its fp32
    gradients in a flat ring over its copies, whose slowest link all chips of a server share; then the optimiser.
    Transfers are fp32 and stand alone: these runs send and receive in the stream that computes.
    """
    pipelines = list(zip(*run.stages, strict=True))
    micro_batches = float(np.ceil(run.batch / (run.micro_batch * len(pipelines))))
    slowest = max(_pipeline(run, replicas, micro_batches, rule) for replicas in pipelines)
    embedding, layer, head = run.parameters
    summed = 0.0
    for place, (count, replicas) in enumerate(zip(run.layers, run.stages, strict=True)):
        held = count * layer + (place == 0) * embedding + (place + 1 == len(run.layers)) * head
        for sender, receiver in itertools.pairwise(replicas):
            size = FP32 * held / min(sender.tp, receiver.tp)
            summed = max(summed, float(ring_seconds(link(sender, receiver), size, len(replicas))))
    updates = (profile(run.model, replica, run.micro_batch).update_s for stage in run.stages for replica in set(stage))
    return slowest + summed + max(updates)


def _pipeline(
    run: PublishedRun, replicas: Sequence[Replica], micro_batches: float, rule: Callable[[ArrayLike], Array]
) -> float:
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
    return float(pipeline_seconds(stage, rule(transfer), micro_batches))


def _each_link_once(transfer_s: ArrayLike) -> Array:
    link = np.asarray(transfer_s, dtype=float)
    return np.asarray(np.append(link, 0.0) + np.append(0.0, link))


def _as_sailor(transfer_s: ArrayLike) -> Array:
    found: Array = waits(transfer_s)
    found[0] *= 2.0 if found.size > 3 else 1.0
    return found


RULES: dict[str, Callable[[ArrayLike], Array]] = {
    "as here": waits,
    "as Sailor's simulator: the first of four or more stages twice": _as_sailor,
    "each link once": _each_link_once,
    "each link twice": lambda transfer_s: 2.0 * _each_link_once(transfer_s),
}
"""Ways to count how long a stage waits for transfers."""


def accuracy() -> list[tuple[str, ...]]:
    """Return, by group of published runs: runs, and mean, median, 90th percentile and bias of the error."""
    runs = published()
    groups = {
        "mixed RTX 2080, RTX 3090, Titan RTX": [run for run in runs if run.consistent and run.mixed],
        "GH200, OPT-350M": [run for run in runs if run.consistent and not run.mixed and run.model == "OPT-350M"],
        "GH200, GPT-Neo-2.7B": [run for run in runs if run.consistent and run.model == "GPT-Neo-2.7B"],
        "all whose figures agree with each other": [run for run in runs if run.consistent],
        "all": runs,
    }
    table: list[tuple[str, ...]] = []
    for name, chosen in groups.items():
        found = errors(chosen)
        size = np.abs(found)
        figures = (size.mean(), np.median(size), np.quantile(size, 0.9))
        table.append((name, str(size.size), *(f"{value:.1%}" for value in figures), f"{found.mean():+.1%}"))
    return table


def mixed_plans() -> list[tuple[str, ...]]:
    """Return, of each mixed run: plan, measured and predicted seconds, and the error."""
    chosen = [run for run in published() if run.mixed]
    plans = {row["run"]: row["plan"].replace("|", "then") for row in rows("mixed_runs.csv")}
    table: list[tuple[str, ...]] = []
    for run in chosen:
        told = predict(run)
        note = "" if run.consistent else f" ({run.note})"
        table.append(
            (plans[run.name] + note, f"{run.measured_s:.1f}", f"{told:.1f}", f"{told / run.measured_s - 1:+.1%}")
        )
    return table


def rules() -> list[tuple[str, ...]]:
    """Return the mean error under each way to count waits, over the mixed runs and over all consistent ones."""
    runs = [run for run in published() if run.consistent]
    mixed = [run for run in runs if run.mixed]
    return [
        (name, *(f"{np.abs(errors(chosen, rule)).mean():.1%}" for chosen in (mixed, runs)))
        for name, rule in RULES.items()
    ]
