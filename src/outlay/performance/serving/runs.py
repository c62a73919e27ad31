"""Published serving runs with what their prediction needs: load, layout, memory and waves by what their rows say."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from outlay.errors import CatalogError, MissingFigureError
from outlay.performance.chip import ChipModel
from outlay.performance.serving import operations
from outlay.performance.serving.hardware import Device, device, run_by
from outlay.performance.serving.inferencex import WAVES
from outlay.performance.serving.kernels import of_step, to_read
from outlay.performance.serving.layouts import GIB, Layout, layout_of, precision
from outlay.performance.serving.models import ACCEPTANCE, Served, served_named
from outlay.performance.serving.operations import CHUNK, Precision
from outlay.performance.serving.places import placed, traits
from outlay.performance.serving.rows import Row, lengths
from outlay.performance.serving.table import LOADS, Run, Table

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Array = NDArray[np.float64]
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


def published(catalog: Catalog, of: Sequence[Row]) -> tuple[Table, list[tuple[str, str, str]]]:
    """Return the runs that can be predicted, and (id, family, reason) of those that cannot."""
    found, refused = [], []
    devices = functools.cache(functools.partial(device, catalog))
    models = functools.cache(functools.partial(served_named, catalog))
    for row in of:
        try:
            where = run_by(devices(row.chip, row.spread), row.engine, row.words["engine_version"])
            if row.script:
                where = replace(where, fusions=row.script.fusions(where.fusions))
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
    full: float
    """Steps that a prompt longer than a step's tokens fills alone."""
    among_kernels: float
    """What the host launches to read a prompt, alone and as its share of those that a step reads together."""


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

    budget = row.budget or CHUNK
    together = max(budget / fresh, 1.0)
    read = min(max(asked, 1.0), together) if row.in_flight else together
    cache = float(model.stored_bytes(prompt, types.kv_bytes)) / size
    moved = cache / (network.scaleout_bandwidth * network.scaleout_efficiency) if layout.apart else 0.0
    groups = float(layout.reading.stage_chips[0, 0]) / size

    def launches(prompts: float) -> float:
        return float(to_read(model, layout.reading, types, where.fusions, prompts * fresh)[0, 0])

    counts = 0.0 if layout.decode_only else 1.0
    return _Reading(
        alone_s=counts * seconds(1.0),
        among_s=counts * seconds(together) / together,
        moved_s=counts * moved,
        tokens=prompt * read,
        seconds=seconds(read),
        chips=float(layout.reading.chips[0, 0]) / groups / where.ranks,
        kernels=counts * launches(1.0),
        full=fresh / budget if budget < fresh else 0.0,
        among_kernels=counts * launches(together) / together,
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
    groups, flight = layout.groups, (row.in_flight or 0.0) / layout.groups
    types, most, widths = _seated(row, model, chip, layout, types, (prompt, answer))
    rate = (row.rate or 0.0) / groups
    whole, waves = _whole(row)
    whole, said = whole / groups, (*said, *widths, *waves)
    asked = flight or (most if math.isnan(whole) else whole)
    held_steps, held_tokens = row.held_back(layout.tp)
    requests = 1.0 if rate else max(_on_the_mean(min(asked, most), asked, answer, row.longest), 1.0)
    wave, lockstep = _wave(row, requests, whole)
    measured = _comparable(row, measured, rate)
    parts = operations.decode_parts(model, chip, network, layout.replicas(LOADS), prompt + answer / 2, types, queries)
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
        kernels=float(of_step(model, one, types, where.fusions, queries)[0, 0]),
        read_kernels=reading.kernels,
        among_kernels=reading.among_kernels,
        held_steps=held_steps,
        held_prompts=held_tokens / prompt,
        parts_s=shape,
        accepted=accepted,
        alone_s=reading.alone_s,
        among_s=reading.among_s,
        moved_s=reading.moved_s,
        mixed=where.mixes * reading.full if not (layout.apart or lockstep) else 0.0,
        servers=2.0 if layout.apart and not layout.decode_only else 1.0,
        chunks=math.ceil(prompt * (1.0 - row.cached) / (row.budget or CHUNK)),
        shared=0.0 if layout.apart or lockstep else 1.0,
        readers=layout.readers,
        groups=max(layout.ep / layout.tp, 1.0),
        wave=wave,
        stalled=(1.0 - wave) * max(requests - 1.0, 0.0) / max(answer, 1.0) if lockstep else 0.0,
        whole=whole,
        read_tokens=reading.tokens,
        read_s=reading.seconds,
        read_chips=reading.chips,
        traits=traits(row, where, model, types),
        place=placed(model, one, requests, prompt, answer, shape, reading.among_s),
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
