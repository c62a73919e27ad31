"""The software generation and the strategies of a published run: what its row says, and what it leaves open."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np

from outlay.performance import search
from outlay.performance.frameworks import (
    EXPERTS_PADDED_BY_DISPATCH,
    GRAPHED,
    graphs_of,
    release_of,
    stack_of,
    with_experts,
)
from outlay.performance.network import Fabric
from outlay.performance.published import (
    BLOCK_SCALED,
    BLOCKING,
    EAGER,
    EXPERT_RANKS,
    OVERLAPPED,
    UNFUSED,
    RefusedError,
    Row,
)
from outlay.performance.strategy import RECOMPUTE, SCHEDULES, Stack, Strategy, stacks
from outlay.performance.transformer import Architecture

MAXTEXT = {"tp": 1.0, "pp": 1.0, "cp": 1.0, "zero": 3.0}
"""What MaxText does where a recipe sets no axis: FSDP over all chips (ici_fsdp_parallelism -1 in its base.yml)."""
YEAR_OF_UNKNOWN_RUNS = 2024
BATCH_OF_UNKNOWN_RUNS = 2**22
"""Tokens a step where a run's source does not say."""


def _year(row: Row) -> int:
    return int(float(row["year"] or YEAR_OF_UNKNOWN_RUNS))


def software(row: Row, arch: Architecture) -> Stack:
    """Return the software generation; nanotron cuts stages by cost (its models' get_block_compute_costs).

    A Megatron whose run is said to overlap all its communication is one that was tuned for that run; plain PyTorch that
    compiles nothing runs operators one by one, as DeepSpeed does those of Hugging Face's models.
    """
    name = stack_of(row["framework"], _year(row))
    if OVERLAPPED in row["recipe"] and name == "megatron-2024":
        name = "tuned-2024"
    if EAGER in row["recipe"] and name.startswith("pytorch"):
        name = "deepspeed-2024"
    dtype = "fp8_block" if BLOCK_SCALED in row["recipe"] else row["dtype"]
    name = with_experts(name, moe=bool(arch.experts), gated=bool(arch.gated), dtype=dtype)
    stack = replace(stacks()[name], balanced=float(row["framework"].casefold().startswith("nanotron")))
    if arch.experts and (scope := graphs_of(row["framework"], row["model_name"], row["chip"], dtype)):
        stack = replace(stack, graphed=GRAPHED[scope])
    if release_of(row["framework"]) >= EXPERTS_PADDED_BY_DISPATCH:
        stack = replace(stack, padded=0.0)
    stack = replace(stack, blocking=float(BLOCKING in row["recipe"]))
    return replace(stack, flash=0.0) if UNFUSED in row["recipe"] else stack


def _zero(row: Row) -> float:
    """Return the ZeRO stage; with pipeline stages FSDP keeps gathered weights for the whole step, which is stage 2."""
    text = row["zero_stage_or_fsdp"].casefold()
    if not text:
        return 1.0 if _year(row) >= 2023 else 0.0
    if any(mark in text for mark in ("zero-3", "fsdp", "gemini")) and "zero-2" not in text:
        return 2.0 if float(row["pp"] or 1) > 1 else 3.0
    if "zero-2" in text:
        return 2.0
    return 0.0 if "zero-0" in text or "ddp" in text else 1.0


def _schedule(row: Row) -> float:
    """Return the place of the schedule: DualPipe, the zero-bubble kinds as ZB-H1, or 1F1B where a row says neither."""
    text = row["schedule"].casefold()
    if text.startswith("dualpipe"):
        return float(SCHEDULES.index("dualpipe"))
    return float(SCHEDULES.index("zero-bubble" if text.startswith(("zero-bubble", "zb")) else "1f1b"))


_SHARDS = (r"fsdp ?(\d+) (?:inside|x)", r"shard group (\d+)", r"ici (\d+) x dcn (\d+)", r"per slice of (\d+)")


def _shard(row: Row, ranks: float) -> float:
    """Return over how many of the data-parallel ranks the weights are cut, where the row says so; 0: over all."""
    for mark in _SHARDS:
        if match := re.search(mark, row["zero_stage_or_fsdp"], re.IGNORECASE):
            size = math.prod(float(text) for text in match.groups())
            return size if size < ranks else 0.0
    return 0.0


def strategies(
    row: Row, arch: Architecture, fabric: Fabric, stack: Stack, assumptions: list[str]
) -> tuple[Strategy, float]:
    """Return the strategies the row leaves open, and the sequences of a step."""
    chips, sequence = int(float(row["n_chips"])), float(row["seq_len"])

    def given(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    batch = given("global_batch_seqs")
    if batch is None:
        batch = float(search.default_batch(chips, int(sequence)))
        assumptions.append(f"global batch of {batch:.0f} sequences")
    if row["tp"] and row["pp"]:
        grid = _open_parts(row, arch, stack, chips)
    else:
        fixed = {
            name: value
            for name in ("tp", "pp", "cp", "ep", "dp", "vpp", "micro_batch")
            if (value := given(name)) is not None
        }
        if row["recompute"] in RECOMPUTE:
            fixed["recompute"] = float(RECOMPUTE.index(row["recompute"]))
        if row["zero_stage_or_fsdp"]:
            fixed["zero"] = _zero(row)
        default = MAXTEXT | fixed if "maxtext" in row["framework"].casefold() else fixed
        for parts in (default, fixed):
            grid = search.candidates(arch, chips, fabric, int(batch), int(sequence), parts)
            if len(grid):
                break
        if not len(grid):
            msg = f"no strategy divides {chips} chips and {batch:.0f} sequences; the layout is not given"
            raise RefusedError(msg)
        assumptions.append("layout searched")
    per_rank = batch / grid.dp
    keep = grid.micro_batch <= np.maximum(per_rank, 1)
    keep = keep if keep.any() else np.ones(len(grid), dtype=bool)
    return grid.take(keep), batch


def _unsaid(row: Row) -> list[float]:
    """Return what may be recomputed where nothing is said of it: every layer, or little.

    Frameworks of before flash attention recomputed every layer, and so does MaxText unless told otherwise
    (``remat_policy: full`` in its base.yml); others of later years did so where they say it.
    """
    whole = _year(row) <= 2022 or "maxtext" in row["framework"].casefold()
    return [0.0, 1.0, 2.0] if whole else [0.0, 1.0]


def _open_parts(row: Row, arch: Architecture, stack: Stack, chips: int) -> Strategy:
    tp, pp, cp = (float(row[name] or 1) for name in ("tp", "pp", "cp"))
    recompute = [float(RECOMPUTE.index(row["recompute"]))] if row["recompute"] in RECOMPUTE else _unsaid(row)
    micro = [float(row["micro_batch"])] if row["micro_batch"] else [1.0, 2.0, 4.0, 8.0]
    titan = pp > 1 and "torchtitan" in row["framework"]
    if titan and row["global_batch_seqs"] and not row["micro_batch"]:
        # As many micro-batches as stages (pipeline_parallel_microbatches, torchtitan/config_manager.py of 2024).
        micro = [max(float(row["global_batch_seqs"]) * tp * cp / chips, 1.0)]
    vpp = [float(row["vpp"] or 1)]
    schedule = _schedule(row)
    plain = schedule > 0 or row["schedule"] in ("1F1B", "1f1b") or _year(row) < 2021
    if not row["vpp"] and pp > 1 and not plain:
        least = 2 if row["schedule"].casefold().startswith("interleaved") else 1
        ways = (v for v in range(least, int(arch.layers // pp) + 1))
        vpp = [v for v in ways if arch.layers % (pp * v) in (0, pp * v - 2)] or vpp
        vpp = [2.0] if titan and least > 1 else vpp  # two stages a rank where they are looped (pipelining_utils.py)
    etp = [1.0, tp] if tp > 1 and float(row["ep"] or 1) > 1 else [1.0]
    if said := re.search(rf"{EXPERT_RANKS} (\d+)", row["recipe"]):
        etp = [float(said[1])]
    elif "megatron-core" in row["framework"].casefold():  # what expert_tensor_parallel_size is where it is not set
        etp = [tp]
    grid = np.stack(np.meshgrid(recompute, micro, vpp, etp, indexing="ij"), axis=-1).reshape(-1, 4)
    dp = max(chips / (tp * pp * cp), 1.0)
    # Megatron-DeepSpeed branched off before sequence parallelism came (arXiv:2205.05198).
    early = stack.name in ("megatron-2021", "megatron-2022")
    sp = 0.0 if row["sequence_parallel"] == "0" or (early and not row["sequence_parallel"]) else 1.0
    return Strategy.of(
        tp=tp, pp=pp, cp=cp, ep=float(row["ep"] or 1), dp=dp, zero=_zero(row), shard=_shard(row, dp * cp),
        sequence_parallel=sp, schedule=schedule,
        recompute=grid[:, 0], micro_batch=grid[:, 1], vpp=grid[:, 2], etp=grid[:, 3],
    )  # fmt: skip
