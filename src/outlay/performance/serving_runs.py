"""Published serving runs read into what their prediction needs, and the prediction of all of them at once."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from outlay.errors import CatalogError, MissingFigureError
from outlay.performance import serving
from outlay.performance.chip import ChipModel, chip_model, rows
from outlay.performance.network import Fabric, fabric
from outlay.performance.serving import Engine, Loop, Replicas, closed_loop, step_time
from outlay.performance.transformer import Architecture, architecture

if TYPE_CHECKING:
    from outlay.catalog import Catalog, System

Array = NDArray[np.float64]
METRICS = ("tpot", "ttft", "throughput")
_FIELDS = (("tpot", "tpot_ms", 1e-3), ("ttft", "ttft_s", 1.0), ("throughput", "tokens_per_s_per_chip", 1.0))
KV_FORMATS = {"fp8": 1.0, "int8": 1.0}
MOST_REQUESTS = 2048.0
"""Requests an engine takes at once by default where memory holds more (TensorRT-LLM's ``max_batch_size``)."""
LOADS = 2.0 ** np.arange(0.0, 12.0)
ROUNDS = 30


@dataclass(frozen=True)
class Run:
    """A published run and what its prediction needs.

    Attributes
    ----------
    requests
        Requests of one attention group at once; of a run with a given arrival rate it is found from that rate.
    rate
        Requests a second of one attention group where the load was given so, else 0.
    operations_s
        Operations of a decode step at each of :data:`LOADS` where the rate is given, else at ``requests`` alone.
    prefill_s
        Operations of reading one prompt, on the chips that read it.
    shared, readers
        See :func:`outlay.performance.serving.closed_loop`.
    chips
        Chips of the system per attention group, those of a prefill pool among them.
    """

    id: str
    family: str
    engine: str
    group: str
    source: str
    quality: str
    strategy: str
    output: float
    requests: float
    rate: float
    most: float
    chips: float
    kernels: float
    least: float
    operations_s: Array
    prefill_s: float
    shared: float
    readers: float
    measured: dict[str, float]


@dataclass(frozen=True)
class Table:
    """Runs as arrays, one element a run; ``operations_s`` has a column for each of :data:`LOADS`."""

    runs: tuple[Run, ...]

    @functools.cached_property
    def columns(self) -> dict[str, Array]:
        """Numbers of all runs by name."""
        names = ("output", "requests", "rate", "most", "chips", "kernels", "least", "prefill_s", "shared", "readers")
        return {name: np.array([getattr(run, name) for run in self.runs], dtype=float) for name in names}

    @functools.cached_property
    def operations_s(self) -> Array:
        """Operations of a decode step, (runs, loads)."""
        return np.array([np.broadcast_to(run.operations_s, LOADS.shape) for run in self.runs])

    @functools.cached_property
    def measured(self) -> Array:
        """Published figures, (runs, metrics); nan where there is none."""
        return np.array([[run.measured.get(name, np.nan) for name in METRICS] for run in self.runs])

    def predict(self, engine: Engine) -> Array:
        """Return tpot, ttft and tokens/s a chip, (runs, metrics); ``engine`` holds arrays of one number a run."""
        requests = self.columns["requests"]
        offered = np.flatnonzero(self.columns["rate"] > 0)
        if len(offered):
            requests = requests.copy()
            requests[offered] = self._requests_of_rate(engine, offered)
        loop = self._loop(engine, requests, np.arange(len(requests)))
        rate = loop.requests_per_s * self.columns["output"] / self.columns["chips"]
        return np.stack([loop.tpot_s, loop.ttft_s, rate], axis=1)

    def _requests_of_rate(self, engine: Engine, index: NDArray[np.intp]) -> Array:
        """Return the requests at once of runs whose arrival rate is given: Little's law, rate x time of a request."""
        rate, most = self.columns["rate"][index], self.columns["most"][index]
        requests = np.ones(len(index))
        for _ in range(ROUNDS):
            loop = self._loop(engine, requests, index)
            wanted = np.clip(rate * requests / loop.requests_per_s, 1.0, most)
            requests = np.sqrt(requests * wanted)
        return requests

    def _loop(self, engine: Engine, requests: Array, index: NDArray[np.intp]) -> Loop:
        c = {name: column[index] for name, column in self.columns.items()}
        part = Engine(*(np.asarray(getattr(engine, field.name))[index] for field in fields(engine)))
        at = np.log2(np.clip(requests, LOADS[0], LOADS[-1]))
        low = np.minimum(at.astype(int), len(LOADS) - 2)
        share = at - low
        operations = (1 - share) * self.operations_s[index, low] + share * self.operations_s[index, low + 1]
        step = step_time(part, operations, c["kernels"], requests, c["least"])
        prefill = part.prefill * c["prefill_s"]
        return closed_loop(step, prefill, requests, c["output"], part, shared=c["shared"], readers=c["readers"])


def published(catalog: Catalog) -> tuple[Table, list[tuple[str, str, str]]]:
    """Return the runs that can be predicted, and (id, family, reason) of those that cannot."""
    found, refused = [], []
    hardware = functools.cache(functools.partial(_hardware, catalog))
    dimensions = functools.cache(lambda name: architecture(catalog.model(name)))
    for row in rows("serving_runs.csv"):
        try:
            measured = _measured(row)
            arch = dimensions(row["model"])
            chip, network = hardware(row["chip"], max(1, int(float(row["tp"]))))
            found.append(_run(arch, chip, network, row, measured))
        except (MissingFigureError, CatalogError) as error:
            reason = str(error).split(";")[0].split(" (")[0]
            refused.append((row["id"], row["family"], reason))
    return Table(tuple(found)), refused


def _refuse(reason: str) -> NoReturn:
    raise MissingFigureError(reason)


def _measured(row: dict[str, str]) -> dict[str, float]:
    """Return the published figures of a row that says enough for a prediction."""
    measured = {name: value * factor for name, field, factor in _FIELDS if (value := float(row[field] or 0)) > 0}
    if not measured:
        _refuse("no latency and no rate of output tokens")
    for field, reason in (
        ("input", "no prompt length"),
        ("output", "no answer length"),
        ("tp", "no layout"),
        ("dtype", "no type of weights"),
    ):
        if not row[field]:
            _refuse(reason)
    if row["spec"] == "1":
        _refuse("speculative decoding: how many tokens were accepted is not known")
    if row["disaggregated"] == "1" and not (row["p_tp"] and row["concurrency"]):
        _refuse("pools for prefill and decode, of which one or the load is not known")
    return measured


def _run(arch: Architecture, chip: ChipModel, network: Fabric, row: dict[str, str], measured: dict[str, float]) -> Run:
    apart = row["disaggregated"] == "1"
    tp, pp = max(float(row["tp"]), 1.0), float(row["pp"] or 1)
    ep = float(row["ep"] or 1)
    ep = ep if arch.experts and ep > tp else 1.0
    groups_of_stage = max(tp, ep) / tp
    value_bytes = KV_FORMATS.get(row["kv"], serving.KV_BYTES)
    dtype = row["dtype"]
    compute = serving.compute_dtype(chip, row["compute"] or dtype)
    total = float(row["n_chips"] or tp * pp)
    decoding = float(row["d_chips"]) if apart else total
    groups = max(decoding / (tp * pp), 1.0)

    def replicas(requests: Array) -> Replicas:
        shape = np.zeros((1, np.size(requests)))
        return Replicas(tp + shape, ep + shape, np.atleast_2d(requests) * groups_of_stage, pp + shape)

    most = _full_load(arch, chip, replicas(np.ones(1)), row, value_bytes)
    asked = float(row["concurrency"]) / groups if row["concurrency"] else most
    requests = max(min(asked, most), 1.0)
    rate = float(row["rate"] or 0) / groups
    if requests < asked or (not row["concurrency"] and not rate):
        measured = {name: value for name, value in measured.items() if name != "ttft"}  # a queue for memory
    if rate:
        measured = {name: value for name, value in measured.items() if name != "throughput"}
    if not measured:
        _refuse("time to first token in a queue for memory")
    loads = LOADS if rate else np.array([requests])
    context = float(row["input"]) + float(row["output"]) / 2
    reading = replicas(np.ones(1))
    readers = pp
    if apart:
        p_tp, p_chips = float(row["p_tp"]), float(row["p_chips"])
        one = np.ones((1, 1))
        reading = Replicas(p_tp * one, (p_chips if arch.experts and p_chips > p_tp else 1.0) * one, one)
        readers = float(row["p_instances"]) * p_chips / p_tp / groups
    operations = serving.decode_time(arch, chip, network, replicas(loads), context, compute, dtype, value_bytes)
    return Run(
        id=row["id"],
        family=row["family"],
        engine=row["engine"],
        group=row["group"],
        source=row["source"],
        quality=row["quality"],
        strategy=f"tp={tp:g},ep={ep:g},pp={pp:g}," + (f"rate={rate:g}/s" if rate else f"requests={asked:.4g}"),
        output=float(row["output"]),
        requests=1.0 if rate else requests,
        rate=rate,
        most=most,
        chips=total / groups,
        kernels=float(serving.kernels(arch, replicas(np.ones(1)))[0, 0]),
        least=chip.memory_efficiency,
        operations_s=operations[0],
        prefill_s=float(serving.prefill_time(arch, chip, network, reading, float(row["input"]), compute)[0, 0]),
        shared=0.0 if apart else 1.0,
        readers=readers,
        measured=measured,
    )


def _hardware(catalog: Catalog, name: str, tp: int) -> tuple[ChipModel, Fabric]:
    """Return chip and network: the usual system's, or a lone box where the chip is sold in none the catalogue has."""
    from outlay.catalog import System as Record

    record = catalog.chip(name)
    try:
        system: System = catalog.usual_system(record)
    except CatalogError:
        system = Record(f"{record.name} box", chip=record.name, chips=8, chips_per_node=8, scaleup_domain=tp)
    return chip_model(record), fabric(system, record)


def _full_load(arch: Architecture, chip: ChipModel, one: Replicas, row: dict[str, str], value_bytes: float) -> float:
    """Return the requests of an attention group that fill the memory, half answered on the mean.

    A run that holds its requests, though by the estimate it could not, is taken at its word.
    """
    free = serving.USABLE_MEMORY * chip.memory_bytes - serving.ACTIVATION_BYTES
    free -= float(serving.weight_bytes(arch, one, row["dtype"])[0, 0])
    length = float(row["input"]) + float(row["output"]) / 2
    each = float(serving.kv_bytes(arch, one, length, value_bytes)[0, 0])
    if free < each:
        if not row["concurrency"]:
            _refuse("weights and one request fill the memory")
        return MOST_REQUESTS
    return float(min(free / each, MOST_REQUESTS))


def only(table: Table, keep: Iterable[bool]) -> Table:
    """Return some of the runs."""
    return Table(tuple(run for run, kept in zip(table.runs, keep, strict=True) if kept))
