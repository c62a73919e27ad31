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
from outlay.performance.serving import Engine, Loop, closed_loop, step_time
from outlay.performance.serving_hardware import Device, device
from outlay.performance.serving_models import ACCEPTANCE, Served, served_named
from outlay.performance.serving_operations import CHUNK, Parts, Precision, Replicas
from outlay.performance.serving_rows import Pool, Row, lengths
from outlay.performance.transformer import parameters

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Array = NDArray[np.float64]
METRICS = ("tpot", "ttft", "throughput", "prefill_throughput")
MOST_REQUESTS = 2048.0
"""Requests an engine takes at once by default where memory holds more (TensorRT-LLM's ``max_batch_size``)."""
GIB = 2.0**30 / 1e9
"""Bytes of a vendor's GB of device memory over 1e9: an H100 of 80 GB has 81,559 MiB, an MI300X of 192 GB 196,592."""
DRAFTS = 3.0
"""Tokens a draft proposes where a run does not say: the usual setting of published MTP runs."""
LOADS = 2.0 ** np.arange(0.0, 12.0)
ROUNDS = 30
WEIGHTS = (
    ("w8a16", "int8", "bf16"),
    ("w4a8", "int4", "int8"),
    ("w4a16", "int4", "bf16"),
    ("fp8 compute", "fp4", "fp8"),
    ("nvfp4", "fp4", "fp4"),
    ("mxfp4", "fp4", "fp8"),
    ("int4", "int4", "bf16"),
    ("int8", "int8", "int8"),
    ("fp8", "fp8", "fp8"),
    ("fp4", "fp4", "fp4"),
    ("bf16", "bf16", "bf16"),
    ("fp16", "bf16", "bf16"),
)
"""What weights are kept in and multiplied in, by a word in the type a row gives."""


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
    accepted
        Tokens of a request that a step makes: more than one with speculative decoding.
    alone_s, among_s
        Operations of reading one prompt alone and among others, on the chips that read it.
    moved_s
        Seconds in which the cache of a prompt moves to the chips that decode.
    shared, readers
        See :func:`outlay.performance.serving.closed_loop`.
    chips
        Chips of the system per attention group, those of a prefill pool among them.
    traits, place
        Names and numbers by which runs resemble each other, see :mod:`outlay.performance.serving_residuals`.
    """

    row: Row
    family: str
    output: float
    requests: float
    waiting: float
    rate: float
    most: float
    chips: float
    kernels: float
    parts_s: Array
    accepted: float
    alone_s: float
    among_s: float
    moved_s: float
    shared: float
    readers: float
    read_tokens: float
    read_s: float
    read_chips: float
    traits: dict[str, str]
    place: tuple[float, ...]
    measured: dict[str, float]
    assumptions: tuple[str, ...]


_COLUMNS = (
    "output",
    "requests",
    "waiting",
    "rate",
    "most",
    "chips",
    "kernels",
    "accepted",
    "alone_s",
    "among_s",
    "moved_s",
    "shared",
    "readers",
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
        read = c["read_tokens"] / c["read_chips"] / (engine.admit_s + engine.prefill * c["read_s"])
        return np.stack([loop.tpot_s, loop.ttft_s, rate, read], axis=1)

    def _decoding(self, requests: Array, loop: Loop) -> Array:
        """Return the requests that decode: of those in the engine, the ones whose prompt is read."""
        answer = self.columns["output"] * loop.tpot_s
        inside = loop.ttft_s - self.columns["waiting"] / loop.requests_per_s
        return np.asarray(np.maximum(requests * answer / (inside + answer), 1.0))

    def _requests_of_rate(self, engine: Engine, index: NDArray[np.intp]) -> Array:
        """Return the requests at once of runs whose arrival rate is given: Little's law, rate x time of a request."""
        rate, most = self.columns["rate"][index], self.columns["most"][index]
        requests = np.ones(len(index))
        for _ in range(ROUNDS):
            loop = self._loop(engine, requests, index)
            wanted = np.clip(rate * requests / loop.requests_per_s, 1.0, most)
            requests = np.sqrt(requests * wanted)
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
        return closed_loop(
            step,
            part.prefill * c["among_s"],
            requests,
            c["output"],
            part,
            alone=part.prefill * c["alone_s"] + c["moved_s"],
            shared=c["shared"],
            readers=c["readers"],
            waiting=c["waiting"],
        )


def published(catalog: Catalog, of: Sequence[Row]) -> tuple[Table, list[tuple[str, str, str]]]:
    """Return the runs that can be predicted, and (id, family, reason) of those that cannot."""
    found, refused = [], []
    devices = functools.cache(functools.partial(device, catalog))
    models = functools.cache(functools.partial(served_named, catalog))
    for row in of:
        try:
            where = devices(row.chip)
            model = models(row.model, row["total_params_b"], row["active_params_b"])
            found.append(_run(row, where, model))
        except (MissingFigureError, CatalogError) as error:
            refused.append((row.id, row.family, str(error).split(";")[0].split(" (")[0]))
    return Table(tuple(found)), refused


def _refuse(reason: str) -> NoReturn:
    raise MissingFigureError(reason)


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


def precision(row: Row, chip: ChipModel) -> tuple[Precision, tuple[str, ...]]:
    """Return the types of a run, and what was assumed of them."""
    text, said = row.words["weight_dtype"].casefold(), []
    kept, wanted = next(((kept, wanted) for word, kept, wanted in WEIGHTS if word in text), ("", ""))
    if not kept:
        kept = wanted = "fp8" if "fp8" in chip.peak else "bf16"
        said.append(f"type of weights not given: {kept} assumed")
    if wanted == "fp8" and kept == "fp4" and "fp4" not in chip.peak:
        wanted = "bf16"  # MXFP4 kernels of chips before Blackwell multiply in bf16
    if wanted == "fp4" and "fp4" not in chip.peak:
        wanted = "bf16"
    kv = row.words["kv_dtype"].casefold()
    narrow = "8" in kv
    if not kv:
        narrow = "TensorRT" in row.engine and kept in ("fp8", "fp4")
        said.append("KV type not given: " + ("fp8 as in Nvidia's quantised checkpoints" if narrow else "16 bits"))
    return Precision(kept, operations.compute_dtype(chip, wanted), 1.0 if narrow else 2.0), tuple(said)


@dataclass(frozen=True)
class Layout:
    """How a run cuts its model, in ranks: of the replicas that decode, and of those that read prompts apart."""

    tp: float
    ep: float
    pp: float
    ranks: float
    reading: Replicas
    readers: float
    apart: bool
    decode_only: bool
    assumptions: tuple[str, ...]

    @property
    def groups(self) -> float:
        """Attention groups of the ranks that decode."""
        return max(self.ranks / (self.tp * self.pp), 1.0)

    def replicas(self, requests: Array) -> Replicas:
        """Return the layout with ``requests`` on each attention group."""
        shape = np.zeros((1, np.size(requests)))
        batch = np.atleast_2d(requests) * max(self.tp, self.ep) / self.tp
        return Replicas(self.tp + shape, self.ep + shape, batch, self.pp + shape)


def _layout(row: Row, where: Device, model: Served, width: float) -> Layout:
    """Return the layout of a run; where a row leaves it out, the fewest ranks that hold the model."""
    pools, said, routed = row.pools, [], bool(model.arch.experts)
    decode = pools.get("decode")
    given_tp, dp, ep = row["tp"], row["dp"] or 1.0, row["ep"] or 1.0
    pp = row["pp"] or 1.0
    chips = row["n_chips"] or row["n_decode_chips"]
    if given_tp is None and (dp > 1 or ep > 1):
        given_tp = 1.0
    if given_tp is None:
        most = (chips or 8.0) * where.ranks
        given_tp = _fewest(where, model, width, most)
        said.append(f"layout not given: tp {given_tp:g}, the fewest ranks that hold the model")
    tp = max(given_tp, 1.0)
    total = (chips * where.ranks) if chips else max(tp * pp, ep)
    ranks = total
    if row.disaggregated:
        ranks = (row["n_decode_chips"] or chips or 1.0) * where.ranks
    if decode:
        tp, dp, ep, pp = decode.tp, decode.dp, decode.ep, decode.pp
        ranks = decode.instances * decode.ranks
    spread = max(ep, tp * dp if routed and dp > 1 else 1.0)
    spread = min(spread, max(ranks / pp, 1.0)) if routed and spread > tp else 1.0
    one = np.ones((1, 1))
    reading, readers, apart = Replicas(tp * one, spread * one, one, pp * one), pp, row.disaggregated
    if apart:
        prefill = pools.get("prefill")
        pool = (row["n_prefill_chips"] or row["n_decode_chips"] or chips or 1.0) * where.ranks
        if prefill is None:
            size = min(tp * max(dp if routed else 1.0, 1.0), pool)
            prefill = Pool(max(pool / size, 1.0), tp, max(size / tp, 1.0), ep, 1.0)
            said.append("layout of the prefill pool not given: that of the decode pool")
        inside = max(prefill.ep, prefill.tp * prefill.dp if routed and prefill.dp > 1 else 1.0)
        reading = Replicas(
            prefill.tp * one, (inside if routed and inside > prefill.tp else 1.0) * one, one, prefill.pp * one
        )
        readers = prefill.instances * prefill.ranks / prefill.tp / max(ranks / (tp * pp), 1.0)
    only = apart and not pools and (row["n_prefill_chips"] is None or row["n_decode_chips"] == row["n_chips"])
    return Layout(tp, spread, pp, ranks, reading, readers, apart, only, tuple(said))


def _fewest(where: Device, model: Served, width: float, most: float) -> float:
    """Return the smallest power of two of ranks whose memory the weights fill to two thirds at most."""
    tp = 1.0
    while tp * 2 <= most:
        one = np.ones((1, 1))
        weights = float(operations.weight_bytes(model, Replicas(tp * one, one, one), width)[0, 0])
        if weights < 2 / 3 * where.chip.memory_bytes * GIB:
            break
        tp *= 2
    return tp


def _run(row: Row, where: Device, model: Served) -> Run:
    chip, network = where.chip, where.fabric
    prompt, answer, said = lengths(row)
    measured = _measured(row, prompt, answer)
    types, more = precision(row, chip)
    layout = _layout(row, where, model, types.weight_bytes)
    said = (*said, *more, *layout.assumptions, *model.assumptions)
    queries, accepted = 1.0, 1.0
    if row.speculative:
        queries = 1.0 + DRAFTS
        accepted = sum(ACCEPTANCE**i for i in range(int(queries)))
        said = (*said, f"{DRAFTS:g} drafted tokens at {ACCEPTANCE:.0%} acceptance (arXiv:2412.19437, 5.4.3)")
    groups = layout.groups
    most = _full_load(model, chip, layout, types, prompt, answer, row.in_flight is not None)
    flight = (row.in_flight or 0.0) / groups
    held = row.words["scenario"] == "offline" and flight > most
    if held and not row.words["kv_dtype"] and types.kv_bytes > 1:
        types, said = (
            replace(types, kv_bytes=1.0),
            (*said, "KV type not given: fp8, since 16 bits do not hold the batch"),
        )
        most = _full_load(model, chip, layout, types, prompt, answer, stated=True)
    if held:
        most = max(most, min(flight, 1.5 * most))
    rate = (row.rate or 0.0) / groups
    asked = flight or most
    requests = 1.0 if rate else max(min(asked, most), 1.0)
    if row.in_flight is None and not rate:
        measured = {name: value for name, value in measured.items() if name != "ttft"} or _refuse(
            "time to first token under a load that is not given"
        )
    if rate:
        measured = {name: value for name, value in measured.items() if name != "throughput"}
    loads = LOADS
    context = prompt + answer / 2
    parts = operations.decode_parts(model, chip, network, layout.replicas(loads), context, types, queries)
    alone = operations.prefill_parts(model, chip, network, layout.reading, prompt, types).total[0, 0]
    together = max(CHUNK / prompt, 1.0)
    among = (
        operations.prefill_parts(model, chip, network, layout.reading, prompt, types, together).total[0, 0] / together
    )
    read = min(max(asked, 1.0), together) if row.in_flight else together
    read_s = operations.prefill_parts(model, chip, network, layout.reading, prompt, types, read).total[0, 0]
    one = layout.replicas(np.ones(1))
    cache = float(model.stored_bytes(prompt, types.kv_bytes)) / float(layout.reading.tp[0, 0])
    moved = cache / (network.scaleout_bandwidth * network.scaleout_efficiency) if layout.apart else 0.0
    shape = np.stack([parts.gemm[0] + parts.other[0], parts.attention[0], parts.network[0]])
    chips = layout.ranks if layout.decode_only else max((row["n_chips"] or 0.0) * where.ranks, layout.ranks)
    reading = float(layout.reading.chips[0, 0]) / (float(layout.reading.stage_chips[0, 0] / layout.reading.tp[0, 0]))
    return Run(
        row=row,
        family=row.family or where.family,
        output=max(answer, 1.0),
        requests=requests,
        waiting=max(asked - most, 0.0) if not rate else 0.0,
        rate=rate,
        most=most,
        chips=chips / where.ranks / groups,
        kernels=float(operations.kernels(model, one)[0, 0]),
        parts_s=shape,
        accepted=accepted,
        alone_s=0.0 if layout.decode_only else float(alone),
        among_s=0.0 if layout.decode_only else float(among),
        moved_s=0.0 if layout.decode_only else moved,
        shared=0.0 if layout.apart else 1.0,
        readers=layout.readers,
        read_tokens=prompt * read,
        read_s=float(read_s),
        read_chips=reading / where.ranks,
        traits=_traits(row, where, model, types),
        place=tuple(
            place(model, one, np.full((1, 1), requests), prompt, answer, _at(shape, requests)[:, None, None], among)
            .ravel()
            .tolist()
        ),
        measured=measured,
        assumptions=said,
    )


def _full_load(
    model: Served, chip: ChipModel, layout: Layout, types: Precision, prompt: float, answer: float, stated: bool
) -> float:
    """Return the requests of an attention group that fill the memory, half answered on the mean.

    A run that holds its requests, though by the estimate it could not, is taken at its word.
    """
    one = layout.replicas(np.ones(1))
    free = operations.USABLE_MEMORY * chip.memory_bytes * GIB - operations.ACTIVATION_BYTES
    free -= float(operations.weight_bytes(model, one, types.weight_bytes)[0, 0])
    each = float(operations.kv_bytes(model, one, prompt + answer / 2, types.kv_bytes)[0, 0])
    if free < each:
        return MOST_REQUESTS if stated else 1.0
    return float(min(free / each, MOST_REQUESTS))


def _traits(row: Row, where: Device, model: Served, types: Precision) -> dict[str, str]:
    """Return the names by which runs resemble each other."""
    arch = model.arch
    kind = "latent" if arch.kv_lora else "linear" if model.full_every > 1 else "window" if arch.window else "plain"
    return {
        "chip": row.chip,
        "family": row.family or where.family,
        "engine": row.engine,
        "release": f"{row.engine} {row.words['engine_version'][:4] or row.words['year']}",
        "model": row.group.partition("|")[2].strip() or row.model,
        "kind": ("moe " if arch.experts else "dense ") + kind,
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


def only(table: Table, keep: Iterable[bool]) -> Table:
    """Return some of the runs."""
    return Table(tuple(run for run, kept in zip(table.runs, keep, strict=True) if kept))
