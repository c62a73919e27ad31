"""Published serving runs with what their prediction needs, and the prediction of all of them at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import CatalogError, MissingFigureError
from outlay.performance import serving_operations as operations
from outlay.performance.chip import ChipModel
from outlay.performance.serving import Engine, Loop, alone_time, closed_loop, reading_time, step_time
from outlay.performance.serving_hardware import Device, device, reduced_by, vendors
from outlay.performance.serving_inferencex import WAVES
from outlay.performance.serving_layouts import GIB, Layout, layout_of, precision
from outlay.performance.serving_models import ACCEPTANCE, Served, served_named
from outlay.performance.serving_operations import CHUNK, Parts, Precision, Replicas
from outlay.performance.serving_rows import Row, lengths
from outlay.performance.transformer import parameters

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Array = NDArray[np.float64]
METRICS = ("tpot", "ttft", "throughput", "prefill_throughput")
MOST_REQUESTS = 2048.0
"""Requests an engine takes at once by default where memory holds more (TensorRT-LLM's ``max_batch_size``)."""
RESERVES = ("TensorRT",)
"""Engines whose share of memory is one of what weights leave, and that reserve a request's whole answer: TensorRT-LLM's
defaults, ``kv_cache_free_gpu_memory_fraction`` 0.9 and the scheduler's ``GUARANTEED_NO_EVICT``."""
PROMPTS_FIRST = ("SGLang",)
"""Engines that read all prompts that wait before they go on answering (``get_next_batch_to_run`` of its scheduler):
answers of one length that start together end together, and every wave is as the first."""
HELD = 2.0
"""How many times the requests that memory holds by the estimate a static batch, or a server whose requests follow from
Little's law, is believed to have held. Clients of a closed loop wait, and their times to first token say how long."""
DRAFTS = 3.0
"""Tokens a draft proposes where a run does not say: the usual setting of published MTP runs."""
RUN = 500.0
"""Requests of a run with a given rate of arrivals where it does not say: ``online_request_count`` of AccelMark's
suites, and of TensorRT-LLM's online measurements."""
LOADS = 2.0 ** np.arange(0.0, 12.0)
ROUNDS = 30


@dataclass(frozen=True)
class Run:
    """A published run and what its prediction needs.

    Attributes
    ----------
    requests, waiting
        Requests of one attention group at once, and those that wait for memory; of a run with a given arrival rate the
        requests are found from that rate.
    rate
        Requests a second of one attention group where the load was given so, else 0.
    parts_s
        Seconds of GEMMs with what only moves bytes, attention and collectives of a decode step at each of
        :data:`LOADS`, (3, loads).
    read_kernels, among_kernels
        Kernels of reading one prompt alone, and its share of those of reading it among others.
    held_steps, held_prompts
        Steps for which an engine holds prompts back until so many are there.
    accepted
        Tokens of a request that a step makes: more than one with speculative decoding.
    alone_s, among_s
        Operations of reading one prompt alone and among others, on the chips that read it.
    moved_s
        Seconds in which the cache of a prompt moves to the chips that decode.
    chunks
        Steps that a prompt is read in, of the tokens a step takes at most; each makes a token of the others too.
    wave, shared, readers
        See :func:`outlay.performance.serving.closed_loop`.
    stalled
        Prompts read for each token of an answer where requests go in lockstep, so that none is read meanwhile.
    whole
        Requests of an attention group from the first to the last of the run, not a number where that is not known.
    chips
        Chips of the system per attention group, those of a prefill pool among them.
    traits, place
        Names and numbers by which runs resemble each other, see :mod:`outlay.performance.serving_residuals`.
    """

    row: Row
    family: str
    prompt: float
    output: float
    requests: float
    waiting: float
    rate: float
    most: float
    chips: float
    kernels: float
    read_kernels: float
    among_kernels: float
    held_steps: float
    held_prompts: float
    parts_s: Array
    accepted: float
    alone_s: float
    among_s: float
    moved_s: float
    chunks: float
    shared: float
    readers: float
    wave: float
    stalled: float
    whole: float
    read_tokens: float
    read_s: float
    read_chips: float
    traits: dict[str, str]
    place: tuple[float, ...]
    measured: dict[str, float]
    assumptions: tuple[str, ...]


_COLUMNS = (
    "prompt",
    "output",
    "requests",
    "waiting",
    "rate",
    "most",
    "chips",
    "kernels",
    "read_kernels",
    "among_kernels",
    "held_steps",
    "held_prompts",
    "accepted",
    "alone_s",
    "among_s",
    "moved_s",
    "chunks",
    "shared",
    "readers",
    "wave",
    "stalled",
    "whole",
    "read_tokens",
    "read_s",
    "read_chips",
)


@dataclass(frozen=True)
class Table:
    """Runs as arrays, one element a run."""

    runs: tuple[Run, ...]

    @functools.cached_property
    def columns(self) -> dict[str, Array]:
        """Numbers of all runs by name."""
        return {name: np.array([getattr(run, name) for run in self.runs], dtype=float) for name in _COLUMNS}

    @functools.cached_property
    def parts_s(self) -> Array:
        """Parts of a decode step, (3, runs, loads)."""
        return np.array([np.broadcast_to(run.parts_s, (3, len(LOADS))) for run in self.runs]).transpose(1, 0, 2)

    @functools.cached_property
    def measured(self) -> Array:
        """Published figures, (runs, metrics); nan where there is none."""
        return np.array([[run.measured.get(name, np.nan) for name in METRICS] for run in self.runs])

    def predict(self, engine: Engine) -> Array:
        """Return the metrics of every run, (runs, metrics); ``engine`` holds arrays of one number a run."""
        requests = self.columns["requests"]
        offered = np.flatnonzero(self.columns["rate"] > 0)
        if len(offered):
            requests = requests.copy()
            requests[offered] = self._requests_of_rate(engine, offered)
        c, every = self.columns, np.arange(len(requests))
        loop = self._loop(engine, requests, every)
        for _ in range(3):  # of the requests in the system, those whose prompt is still read do not decode
            loop = self._loop(engine, requests, every, self._decoding(requests, loop))
        rate = loop.requests_per_s * c["output"] / c["chips"]
        read = (
            c["read_tokens"] / c["read_chips"] / (engine.admit_s + reading_time(engine, c["read_s"], c["read_kernels"]))
        )
        return np.stack([loop.tpot_s, loop.ttft_s, rate, read], axis=1)

    def _decoding(self, requests: Array, loop: Loop) -> Array:
        """Return the requests that decode: of those in the engine, the ones whose prompt is read."""
        answer = self.columns["output"] * loop.tpot_s
        inside = loop.ttft_s - self.columns["waiting"] / loop.requests_per_s
        return np.asarray(np.maximum(requests * answer / (inside + answer), 1.0))

    def _requests_of_rate(self, engine: Engine, index: NDArray[np.intp]) -> Array:
        """Return the requests at once of runs whose arrival rate is given, the mean over the time of a request.

        A request takes L and the run's requests arrive within T: their number rises for the shorter of the two, m,
        stays at rate x m and falls for as long, so a request meets rate m (1 - m / (3 M)) on the mean, M the longer.
        """
        rate, most, whole = (self.columns[name][index] for name in ("rate", "most", "whole"))
        arriving, requests = whole / rate, np.ones(len(index))
        for _ in range(ROUNDS):
            time = requests / self._loop(engine, requests, index).requests_per_s
            short, long = np.minimum(time, arriving), np.maximum(time, arriving)
            requests = np.sqrt(requests * np.clip(rate * short * (1.0 - short / (3.0 * long)), 1.0, most))
        return requests

    def _loop(self, engine: Engine, requests: Array, index: NDArray[np.intp], decoding: Array | None = None) -> Loop:
        c = {name: column[index] for name, column in self.columns.items()}
        part = Engine(*(np.asarray(getattr(engine, field.name))[index] for field in fields(engine)))
        batch = requests if decoding is None else decoding
        at = np.log2(np.clip(batch, LOADS[0], LOADS[-1]))
        low = np.minimum(at.astype(int), len(LOADS) - 2)
        share = at - low
        one, two, three = (1 - share) * self.parts_s[:, index, low] + share * self.parts_s[:, index, low + 1]
        step = step_time(part, Parts(one, two, three, 0.0 * one), c["kernels"], batch * c["accepted"]) / c["accepted"]
        prefill = reading_time(part, c["among_s"], c["among_kernels"])
        return closed_loop(
            step + c["stalled"] * prefill,
            prefill,
            requests,
            c["output"],
            part,
            alone=alone_time(part, c["alone_s"], c["read_kernels"], c["prompt"])
            + c["moved_s"]
            + c["shared"] * (c["chunks"] - 1.0) * step,
            wave=c["wave"],
            held=_held_back(c["held_steps"], c["held_prompts"], batch / c["output"]) * step,
            shared=c["shared"],
            readers=c["readers"],
            waiting=c["waiting"],
        )


def _held_back(steps: Array, prompts: Array, rate: Array) -> Array:
    """Return the mean steps for which a prompt is held back where ``rate`` of them come a step.

    The first waits for so many steps, or until so many prompts are there; those that come meanwhile half as long.
    """
    first = np.minimum(steps, np.maximum(prompts - 1.0, 0.0) / rate)
    return np.asarray(first * (1.0 + rate * first / 2.0) / (1.0 + rate * first))


def published(catalog: Catalog, of: Sequence[Row]) -> tuple[Table, list[tuple[str, str, str]]]:
    """Return the runs that can be predicted, and (id, family, reason) of those that cannot."""
    found, refused = [], []
    devices = functools.cache(functools.partial(device, catalog))
    models = functools.cache(functools.partial(served_named, catalog))
    for row in of:
        try:
            where = reduced_by(devices(row.chip, row.spread), row.engine)
            model = models(row.model, row["total_params_b"], row["active_params_b"])
            found.append(_run(row, where, model))
        except (MissingFigureError, CatalogError) as error:
            refused.append((row.id, row.family, str(error)))
    return Table(tuple(found)), refused


def _refuse(reason: str) -> NoReturn:
    raise MissingFigureError(reason)


def _comparable(row: Row, measured: dict[str, float], rate: float) -> dict[str, float]:
    """Return the figures that a prediction can be held against under the load a row gives."""
    left_out = {"throughput"} if rate else {"ttft"} if row.in_flight is None else set()
    kept = {name: value for name, value in measured.items() if name not in left_out}
    return kept or _refuse("time to first token under a load that is not given")


def _measured(row: Row, prompt: float, answer: float) -> dict[str, float]:
    """Return the published figures of a row in SI units."""
    total, tpot = row["total_tokens_per_s_per_chip"], row["tpot_ms"]
    rate = row["output_tokens_per_s_per_chip"]
    if rate is None and total is not None:
        rate = total * answer / (prompt + answer)
    figures = {
        "tpot": None if tpot is None else tpot * 1e-3,
        "ttft": row["ttft_s"],
        "throughput": rate,
        "prefill_throughput": row["prefill_tokens_per_s_per_chip"],
    }
    found = {name: value for name, value in figures.items() if value is not None}
    return found or _refuse("no latency and no rate of tokens to compare with")


@dataclass(frozen=True)
class _Reading:
    """What the prompts of a run take: alone, among others, moved between pools, and read for their own sake."""

    alone_s: float
    among_s: float
    moved_s: float
    tokens: float
    seconds: float
    chips: float
    kernels: float
    together: float
    """Prompts that a step reads among others."""


def _reading(
    row: Row, where: Device, model: Served, types: Precision, layout: Layout, prompt: float, asked: float
) -> _Reading:
    network, size = where.fabric, float(layout.reading.tp[0, 0])
    fresh, attended = max(prompt * (1.0 - row.cached), 1.0), prompt * (1.0 + row.cached)

    def seconds(prompts: float) -> float:
        parts = operations.prefill_parts(
            model, where.chip, network, layout.reading, fresh, types, prompts, attended if row.cached else None
        )
        return float(parts.total[0, 0])

    together = max(CHUNK / fresh, 1.0)
    read = min(max(asked, 1.0), together) if row.in_flight else together
    cache = float(model.stored_bytes(prompt, types.kv_bytes)) / size
    moved = cache / (network.scaleout_bandwidth * network.scaleout_efficiency) if layout.apart else 0.0
    groups = float(layout.reading.stage_chips[0, 0]) / size
    counts = 0.0 if layout.decode_only else 1.0
    return _Reading(
        alone_s=counts * seconds(1.0),
        among_s=counts * seconds(together) / together,
        moved_s=counts * moved,
        tokens=prompt * read,
        seconds=seconds(read),
        chips=float(layout.reading.chips[0, 0]) / groups / where.ranks,
        kernels=counts * float(operations.kernels(model, layout.reading, types)[0, 0]),
        together=together,
    )


def _drafts(row: Row) -> tuple[float, float, tuple[str, ...]]:
    """Return the tokens of a request that a step takes and makes, and what was assumed of them."""
    if not row.speculative:
        return 1.0, 1.0, ()
    said = []
    drafts, share = row.drafts, row.acceptance
    if drafts is None:
        drafts = DRAFTS if share is None else 1.0
        said.append(f"tokens drafted a step not given: {drafts:g}")
    if share is None and row.accepted is None:
        share = ACCEPTANCE
        said.append(f"acceptance not given: {share:.0%} (arXiv:2506.12708, table 4)")
    accepted = row.accepted or sum((share or 0.0) ** i for i in range(int(drafts) + 1))
    return 1.0 + drafts, accepted, tuple(said)


def _seated(
    row: Row, model: Served, chip: ChipModel, layout: Layout, types: Precision, sizes: tuple[float, float]
) -> tuple[Precision, float, tuple[str, ...]]:
    """Return types, the most requests of an attention group at once, and what was assumed of them."""
    said: tuple[str, ...] = ()
    most, flight = _full_load(row, model, chip, layout, types, *sizes), (row.in_flight or 0.0) / layout.groups
    held, queued = flight > most, row.longest is not None
    if held and not (queued or row.words["kv_dtype"]) and types.kv_bytes > 1:
        types, said = replace(types, kv_bytes=1.0), ("KV type not given: fp8, since 16 bits do not hold the batch",)
        most = _full_load(row, model, chip, layout, types, *sizes)
    if held and not (queued or row.clients):
        most = max(most, min(flight, HELD * most))
    return types, min(most, row.seats or most), said


def _whole(row: Row) -> tuple[float, tuple[str, ...]]:
    """Return the requests of the run, not a number where that is not known, and what was assumed of them."""
    if row.all_requests or row.rate or not row.clients:
        return row.all_requests or (RUN if row.rate else math.nan), ()
    said = () if row.inferencex else (f"requests of the run not given: {WAVES:g} a client",)
    return WAVES * (row["concurrency_or_batch"] or 0.0), said


def _run(row: Row, where: Device, model: Served) -> Run:
    chip, network = where.chip, where.fabric
    prompt, answer, said = lengths(row)
    measured = _measured(row, prompt, answer)
    types, more = precision(row, chip, model)
    layout = layout_of(row, where, model, types.weight_bytes)
    said = (*said, *more, *layout.assumptions, *model.assumptions)
    queries, accepted, drafted = _drafts(row)
    said = (*said, *drafted)
    groups = layout.groups
    flight = (row.in_flight or 0.0) / groups
    types, most, widths = _seated(row, model, chip, layout, types, (prompt, answer))
    rate = (row.rate or 0.0) / groups
    whole, waves = _whole(row)
    whole, said = whole / groups, (*said, *widths, *waves)
    asked = flight or (most if math.isnan(whole) else whole)
    held_steps, held_tokens = row.held_back(layout.tp)
    requests = 1.0 if rate else max(_on_the_mean(min(asked, most), asked, answer, row.longest), 1.0)
    wave, lockstep = _wave(row, requests, whole)
    measured = _comparable(row, measured, rate)
    loads = LOADS
    context = prompt + answer / 2
    parts = operations.decode_parts(model, chip, network, layout.replicas(loads), context, types, queries)
    one = layout.replicas(np.ones(1))
    reading = _reading(row, where, model, types, layout, prompt, asked)
    shape = np.stack([parts.gemm[0] + parts.other[0], parts.attention[0], parts.network[0]])
    chips = layout.ranks if layout.decode_only else max((row["n_chips"] or 0.0) * where.ranks, layout.ranks)
    return Run(
        row=row,
        family=row.family or where.family,
        prompt=prompt,
        output=max(answer, 1.0),
        requests=requests,
        waiting=max(asked - most, 0.0) if not rate else 0.0,
        rate=rate,
        most=most,
        chips=chips / where.ranks / groups,
        kernels=float(operations.kernels(model, one, types, queries)[0, 0]),
        read_kernels=reading.kernels,
        among_kernels=reading.kernels / reading.together,
        held_steps=held_steps,
        held_prompts=held_tokens / prompt,
        parts_s=shape,
        accepted=accepted,
        alone_s=reading.alone_s,
        among_s=reading.among_s,
        moved_s=reading.moved_s,
        chunks=math.ceil(prompt * (1.0 - row.cached) / (row.budget or CHUNK)),
        shared=0.0 if layout.apart or lockstep else 1.0,
        readers=layout.readers,
        wave=wave,
        stalled=(1.0 - wave) * max(requests - 1.0, 0.0) / max(answer, 1.0) if lockstep else 0.0,
        whole=whole,
        read_tokens=reading.tokens,
        read_s=reading.seconds,
        read_chips=reading.chips,
        traits=_traits(row, where, model, types),
        place=_placed(model, one, requests, prompt, answer, shape, reading.among_s),
        measured=measured,
        assumptions=said,
    )


def _wave(row: Row, requests: float, whole: float) -> tuple[float, bool]:
    """Return the share of the other requests' prompts that a request waits for, and whether all go in lockstep.

    A benchmark starts ``requests`` together, and the others of the ``whole`` as these end, one by one: of those that
    start together each waits for half of the others. A batch that is read together waits for all of its prompts.
    """
    if row.rate or row.words["scenario"] == "server" or (math.isnan(whole) and not row.one_batch):
        return 0.0, False
    if row.clients and not row.inferencex and row.engine.startswith(PROMPTS_FIRST):
        return 0.5, True
    return (1.0, True) if row.one_batch else (0.5 * min(requests / whole, 1.0), False)


def _on_the_mean(together: float, whole: float, answer: float, longest: float | None) -> float:
    """Return the requests at once on the mean of a run that starts ``whole`` and holds ``together`` of them.

    It lasts until the longest answer of the last ``together`` ends, so in steps whole / together answers and what the
    longest is longer; answers that fill them are whole x answer.
    """
    if longest is None or longest <= answer:
        return together
    return together / (1.0 + (longest / answer - 1.0) * together / whole)


def _full_load(
    row: Row, model: Served, chip: ChipModel, layout: Layout, types: Precision, prompt: float, answer: float
) -> float:
    """Return the requests of an attention group that fill the memory.

    Most engines take a share of the chip for weights and cache, TensorRT-LLM one of what weights and workspace leave.
    Most let a request in while its prompt fits, so that it is half answered on the mean; TensorRT-LLM reserves the
    whole answer. A run that holds its requests, though by the estimate it could not, is taken at its word.
    """
    one, whole = layout.replicas(np.ones(1)), chip.memory_bytes * GIB
    weights = float(operations.weight_bytes(model, one, types.weight_bytes)[0, 0])
    share = operations.USABLE_MEMORY
    if row.engine.startswith(RESERVES):
        free, context = share * (whole - operations.ACTIVATION_BYTES - weights), prompt + answer
    else:
        free, context = share * whole - operations.ACTIVATION_BYTES - weights, prompt + answer / 2
    each = float(operations.kv_bytes(model, one, context, types.kv_bytes)[0, 0])
    if free < each:
        return MOST_REQUESTS if row.in_flight is not None else 1.0
    return float(min(free / each, MOST_REQUESTS))


def _traits(row: Row, where: Device, model: Served, types: Precision) -> dict[str, str]:
    """Return the names by which runs resemble each other."""
    return {
        "chip": row.chip,
        "family": row.family or where.family,
        **vendors(row.family or where.family),
        "engine": row.engine,
        "release": f"{row.engine} {row.words['engine_version'][:4] or row.words['year']}",
        "model": row.group.partition("|")[2].strip() or row.model,
        "kind": model.kind,
        "types": f"{types.weights}/{types.compute}",
        "load": "apart" if row.disaggregated else row.words["scenario"] or "online",
        "group": row.group,
        "source": row.source,
    }


PLACE = (
    "requests",
    "prompt",
    "answer",
    "tp",
    "spread",
    "stages",
    "active",
    "total",
    "attention",
    "network",
    "reading",
    "step",
)


def _at(parts: Array, requests: float) -> Array:
    """Return the parts of a step at a load between those of :data:`LOADS`."""
    return np.array([np.interp(math.log2(requests), np.log2(LOADS), part) for part in parts])


def place(
    model: Served, layout: Replicas, requests: Array, prompt: float, answer: float, parts: Array, among: ArrayLike
) -> Array:
    """Return the numbers by which runs resemble each other, (..., sizes): sizes as logarithms, shares of time.

    ``parts`` are those of a decode step, (3, ...); ``among`` the seconds of a prompt among others.
    """
    counts, step, answer = parameters(model.arch), parts.sum(0), max(answer, 1.0)
    reading = np.minimum(requests * np.asarray(among) / answer / np.maximum(step, 1e-9), 4.0)
    sizes = (
        requests,
        prompt,
        answer,
        layout.tp,
        layout.ep,
        layout.pp,
        float(counts.active) / 1e9,
        float(counts.total) / 1e9,
    )
    logs = [np.log2(np.asarray(size, dtype=float)) for size in sizes]
    shares = [parts[1] / step, parts[2] / step, reading, np.log2(step * 1e3)]
    return np.stack(np.broadcast_arrays(*logs, *shares), axis=-1)


def _placed(
    model: Served, layout: Replicas, requests: float, prompt: float, answer: float, parts: Array, among: float
) -> tuple[float, ...]:
    at = _at(parts, requests)[:, None, None]
    return tuple(place(model, layout, np.full((1, 1), requests), prompt, answer, at, among).ravel().tolist())


def only(table: Table, keep: Iterable[bool]) -> Table:
    """Return some of the runs."""
    return Table(tuple(run for run, kept in zip(table.runs, keep, strict=True) if kept))
