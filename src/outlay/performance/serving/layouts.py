"""How a published run cuts its model and in which types it computes; what its row leaves out is assumed by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.performance.chip import ChipModel
from outlay.performance.serving import operations
from outlay.performance.serving.hardware import Device
from outlay.performance.serving.models import Served
from outlay.performance.serving.operations import Precision, Replicas
from outlay.performance.serving.rows import Pool, Row

Array = NDArray[np.float64]
GIB = 2.0**30 / 1e9
"""Bytes of a vendor's GB of device memory over 1e9: an H100 of 80 GB has 81,559 MiB, an MI300X of 192 GB 196,592."""
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

NARROW_KV = ("TensorRT", "Optimum Habana")
"""Engines whose fp8 and fp4 checkpoints have an fp8 cache: Nvidia's quantised ones, and those of Gaudi's tables, whose
batches 16 bits would not hold (1,536 requests of 256 tokens of Llama-2-7B on 128 GB)."""


def precision(row: Row, chip: ChipModel, model: Served) -> tuple[Precision, tuple[str, ...]]:
    """Return the types of a run, and what was assumed of them."""
    text, said = row.words["weight_dtype"].casefold(), []
    kept, wanted = next(((kept, wanted) for word, kept, wanted in WEIGHTS if word in text), ("", ""))
    if not kept:
        kept = wanted = "fp8" if "fp8" in chip.peak else "bf16"
        said.append(f"type of weights {f'{text!r} not known' if text else 'not given'}: {kept} assumed")
    if wanted == "fp8" and kept == "fp4" and "fp4" not in chip.peak:
        wanted = "bf16"  # MXFP4 kernels of chips before Blackwell multiply in bf16
    if wanted == "fp4" and "fp4" not in chip.peak:
        wanted = "bf16"
    kv = row.words["kv_dtype"].casefold()
    narrow, script = "8" in kv, row.script
    if not kv and script:
        narrow = script.kv_bytes == 1
    elif not kv:
        narrow = row.engine.startswith(NARROW_KV) and kept in ("fp8", "fp4")
        said.append("KV type not given: " + ("fp8 as its engine's quantised checkpoints have" if narrow else "16 bits"))
    return Precision(kept, operations.compute_dtype(chip, wanted, model), 1.0 if narrow else 2.0), tuple(said)


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


def layout_of(row: Row, where: Device, model: Served, width: float) -> Layout:
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
        given_tp, pp = _fewest(where, model, width, most, most / max(row.in_flight or most, 1.0), row["pp"])
        cut = f"tp {given_tp:g}" + (f" pp {pp:g}" if pp > 1 else "")
        said.append(f"layout not given: {cut}, the fewest ranks that hold the model and leave none idle")
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
    alone = row["n_prefill_chips"] is None or (row["n_decode_chips"] == row["n_chips"] and row["ttft_s"] is None)
    only = apart and not pools and alone
    return Layout(tp, spread, pp, ranks, reading, readers, apart, only, tuple(said))


def _fewest(
    where: Device, model: Served, width: float, most: float, least: float, stages: float | None
) -> tuple[float, float]:
    """Return the fewest ranks and stages, powers of two, whose memory the weights fill to two thirds at most.

    With fewer than ``least`` of ``most`` ranks to a replica some would have no request. Layers are cut inside a
    scale-up domain and pipelined over several, where ``stages`` are not given, as engines advise: tensor parallel the
    chips of a node, pipeline parallel the nodes (vLLM's documentation, Parallelism and Scaling).
    """
    one = np.ones((1, 1))

    def held(tp: float, pp: float) -> bool:
        weights = float(operations.weight_bytes(model, Replicas(tp * one, one, one, pp * one), width)[0, 0])
        return tp * pp >= least and weights < 2 / 3 * where.chip.memory_bytes * GIB

    tp, pp = 1.0, stages or 1.0
    while tp * 2 <= min(most / pp, where.fabric.domain_chips) and not held(tp, pp):
        tp *= 2
    while stages is None and tp * pp * 2 <= most and not held(tp, pp):
        pp *= 2
    return tp, pp
