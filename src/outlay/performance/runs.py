"""Published training runs: reads a row, and turns it into what the model needs, naming what had to be assumed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outlay.catalog.records import Chip, Model, System
from outlay.catalog.store import folded
from outlay.errors import CatalogError, MissingFigureError
from outlay.performance import network, run_layouts, training
from outlay.performance.chip import ChipModel, chip_model
from outlay.performance.families import FamilyFit
from outlay.performance.network import GBPS, Fabric
from outlay.performance.published import (
    AVERAGE,
    BIASED,
    BLOCK_SCALED,
    DROPPED,
    EITHER,
    EVALUATED,
    LORA,
    PARALLEL,
    PARALLEL_BLOCKS,
    WINDOWS,
    RefusedError,
    Row,
    complaint,
)
from outlay.performance.strategy import RECOMPUTE, Stack, Strategy
from outlay.performance.training import TrainingTimes
from outlay.performance.transformer import Architecture, architecture, attention_parameters, parameters

Array = NDArray[np.float64]

# The published rows' chip names, as the catalogue has them.
CHIPS = {
    "H100 SXM 80GB": "H100 SXM",
    "H100 SXM 96GB (500W, HBM2e 2.4TB/s)": "H100 SXM",
    "A100 (memory size not stated)": "A100 SXM 80GB",
    "A100-class (Ampere, MegaScale cluster)": "A100 SXM 80GB",
    "GB200": "GB200 (per GPU)",
    "GB300": "GB300 (per GPU)",
    "H200 SXM 141GB": "H200 SXM",
    "H800 SXM 80GB": "H800 SXM",
    "Ascend 910B (Atlas 900 A2 PODc)": "Ascend 910B2",
    "Ascend 910B (Atlas 800T A2)": "Ascend 910B3",
    "Ascend 910B-class (6000 NPU cluster)": "Ascend 910B2",
    "Ascend 910B-class (8192 NPU cluster)": "Ascend 910B2",
    "Ascend 910C (Atlas A3)": "Ascend 910C",
    "AMD MI355X": "MI355X",
    "AMD MI350X": "MI350X",
    "AMD MI300X": "MI300X",
    "AMD MI325X": "MI325X",
    "AMD MI250X": "MI250X",
    "AWS Trainium1": "Trainium1",
    "TPU v6e (Trillium)": "TPU v6e (Trillium)",
    "TPU7x (Ironwood)": "TPU v7 (Ironwood)",
    "Intel Gaudi2": "Gaudi 2",
    "Intel Gaudi3": "Gaudi 3",
    "MetaX C500": "C500 (Xiyun, PCIe)",
}
ASSUMED_VOCABULARY = 64000
HEAD_WIDTH = 128
CHIPS_OF_UNKNOWN_RUNS = 1024
MEMORY_TOLERANCE = 1.1
SEQUENCES_EVALUATED = 5662 / 24576
"""Sequences that MLPerf's GPT-3 evaluates for each that it trains on: 24,567 examples after every 24,576 sequences
(github.com/mlcommons/training, large_language_model/megatron-lm, 5), in 5,662 of 2,048 tokens (MaxText's split
``validation_tokenized_5662seqs``)."""
MLA_RANKS = {"q_lora": 1536, "kv_lora": 512, "qk_nope": 128, "qk_rope": 64, "v_head": 128}
"""DeepSeek-V2 and V3's (arXiv:2405.04434, 3.1.2), as in every published MLA run but V2-Lite's, without a query rank."""


class Catalog(Protocol):
    """The part of the catalogue this module needs."""

    @property
    def models(self) -> Mapping[str, Model]:
        """Models by name."""

    def chip(self, name: str) -> Chip:
        """Return a chip."""

    def usual_system(self, chip: Chip) -> System:
        """Return the system a chip is usually bought in."""


@dataclass(frozen=True)
class Run:
    """A published run, ready to be predicted."""

    id: str
    family: str
    group: str
    quality: str
    remark: str
    arch: Architecture
    chip: ChipModel
    fabric: Fabric
    stack: Stack
    strategies: Strategy
    batch: float
    sequence: float
    dtype: str
    measured_s: float
    """Seconds a step, from the measured tokens a second and chip."""
    dropped: bool
    """Whether experts drop tokens beyond their capacity: shapes are fixed then, and nobody waits for the host."""
    assumptions: tuple[str, ...]
    evaluated: float = 0.0
    """Sequences that go through the model forward for each that it trains on, where the source's step counts them."""

    @property
    def evaluating(self) -> Array:
        """The time of a step with evaluations over that of the step alone: a forward pass is a third of it, or less."""
        passes = 3.0 + (self.strategies.recompute == RECOMPUTE.index("full"))
        return np.asarray(1.0 + self.evaluated / passes)

    def times(self, family: FamilyFit | None = None, stack: Stack | None = None) -> TrainingTimes:
        """Return the predictions of every strategy the row leaves open, as calibrated or with other numbers.

        Evaluations that the source counts are in the step's seconds alone, not in its parts.
        """
        own = {name: getattr(self.stack, name) for name in ("balanced", "blocking", "flash", "graphed", "padded")}
        stack = replace(stack or self.stack, **own)
        times = training.evaluate(
            self.arch,
            family.on(self.chip) if family else self.chip,
            self.fabric,
            self.strategies,
            self.batch,
            self.sequence,
            self.dtype,
            stack=replace(stack, host_moe_s=stack.host_s) if self.dropped else stack,
        )
        return replace(times, step_time_s=times.step_time_s * self.evaluating) if self.evaluated else times

    def settled(self) -> Run:
        """Return the run with the open parts of its strategy settled: the fastest that fits, or else the leanest.

        The run did fit, so a strategy may overflow by what the memory model is known to be off.
        """
        if len(self.strategies) == 1:
            return self
        times = self.times()
        fits = times.memory_bytes <= MEMORY_TOLERANCE * self.chip.memory_bytes
        best = int(np.argmin(np.where(fits, times.step_time_s, np.inf) if fits.any() else times.memory_bytes))
        return replace(self, strategies=self.strategies.take([best]))


def run_of(row: Row, catalog: Catalog) -> Run:
    """Return the run of a published row.

    Raises
    ------
    RefusedError
        If the row lacks what a prediction needs, or is of a kind that is not modelled.
    """
    if row["remark"] == LORA:
        msg = "LoRA: most weights are frozen, which is not modelled"
        raise RefusedError(msg)
    if wrong := complaint(row):
        raise RefusedError(wrong)
    if not row["seq_len"]:
        msg = "seq_len is not given"
        raise RefusedError(msg)
    if not row["calc_tokens_per_s_per_chip"]:
        msg = (
            "calc_tokens_per_s_per_chip is not given, nor tokens_per_s_per_chip, nor step_time_s with "
            "global_batch_seqs; TFLOP/s and MFU are not read, as sources count FLOPs in different ways"
        )
        raise RefusedError(msg)
    assumptions: list[str] = []
    row, arch = _with_chips(row, assumptions), _looked_up(row, catalog, assumptions)
    if arch is None:
        row = _with_heads(row, assumptions)
        arch = _architecture(row, assumptions)
    stack = run_layouts.software(row, arch)
    chip, fabric = _hardware(row, stack, catalog, assumptions)
    sequence = float(row["seq_len"])
    chips = float(row["n_chips"])
    dtype = _dtype(row, chip, assumptions)
    try:
        chip.curve_of(dtype)
    except MissingFigureError as error:
        msg = f"dtype: {error}"
        raise RefusedError(msg) from None
    strategies, batch = run_layouts.strategies(row, arch, fabric, stack, assumptions)
    return Run(
        id=row["id"],
        family=row["chip_family"],
        group=row["split_group"],
        quality=row["quality"],
        remark=row["remark"],
        arch=arch,
        chip=chip,
        fabric=fabric,
        stack=stack,
        strategies=strategies,
        batch=batch,
        sequence=sequence,
        dtype=dtype,
        measured_s=batch * sequence / (float(row["calc_tokens_per_s_per_chip"]) * chips),
        dropped=DROPPED in row["recipe"],
        assumptions=tuple(assumptions),
        evaluated=SEQUENCES_EVALUATED if EVALUATED in row["recipe"] else 0.0,
    )


def _looked_up(row: Row, catalog: Catalog, assumptions: list[str]) -> Architecture | None:
    """Return the catalogue's model of the name a row gives instead of dimensions; ``None`` where it gives them."""
    missing = [name for name in ("layers", "hidden") if not row[name]]
    if not missing:
        return None
    name = re.sub(r"\s*\(.*\)", "", row["model_name"])
    found = [model for model in catalog.models.values() if _called(model, folded(name))]
    if len(found) != 1:
        msg = f"{missing[0]} is not given, and the catalogue has no model {name!r}"
        raise RefusedError(msg)
    try:
        arch = architecture(found[0])
    except MissingFigureError as error:
        raise RefusedError(str(error)) from None
    assumptions.append(f"dimensions of {found[0].name} in the catalogue")
    return arch


def _called(model: Model, name: str) -> bool:
    """Return whether a model goes by a folded name, its own size in parameters aside."""
    known = [folded(written) for written in (model.name, *model.aliases)]
    return any(re.fullmatch(re.escape(name) + r"(\d+b(a\d+b)?)?", written) for written in known)


def _with_heads(row: Row, assumptions: list[str]) -> Row:
    """Return the row with heads of 128 where it gives none."""
    if row["heads"]:
        return row
    hidden = int(float(row["hidden"]))
    if row["arch"] == "moe" or row["n_experts"] or hidden % HEAD_WIDTH:
        msg = "heads is not given"
        raise RefusedError(msg)
    assumptions.append(f"heads of {HEAD_WIDTH}")
    return {**row, "heads": str(hidden // HEAD_WIDTH)}


def _with_chips(row: Row, assumptions: list[str]) -> Row:
    """Return the row with some number of chips where it gives none but is an average over a run."""
    if row["n_chips"]:
        return row
    if row["remark"] != AVERAGE:
        msg = "n_chips is not given"
        raise RefusedError(msg)
    assumptions.append(f"{CHIPS_OF_UNKNOWN_RUNS} chips")
    return {**row, "n_chips": str(CHIPS_OF_UNKNOWN_RUNS)}


def _dtype(row: Row, chip: ChipModel, assumptions: list[str]) -> str:
    """Return the data type of the layers' GEMMs.

    A submission that holds an fp8 and an fp4 configuration ran the faster where the chip has it. MLPerf submissions
    from 2024 on train in fp8 where the chip has it; others mean bf16 when they say nothing.
    """
    dtype = {"fp16": "bf16", "fp32": "bf16"}.get(row["dtype"], row["dtype"])
    if BLOCK_SCALED in row["recipe"] and dtype == "fp8":
        return "fp8_block"
    if dtype:
        return dtype
    if EITHER in row["recipe"]:
        dtype = "fp4" if "fp4" in chip.peak else "fp8"
    else:
        tuned = row["id"].startswith("mlperf") and float(row["year"] or 0) >= 2024
        dtype = "fp8" if tuned and "fp8" in chip.peak else "bf16"
    assumptions.append(dtype)
    return dtype


def _architecture(row: Row, assumptions: list[str]) -> Architecture:
    def whole(name: str) -> int:
        return int(float(row[name] or 0))

    mla = row["attention"] == "mla"
    gated = row["gated_mlp"] != "0"
    if not row["vocab"]:
        assumptions.append(f"vocabulary {ASSUMED_VOCABULARY}")
    arch = Architecture(
        name=row["model_name"],
        layers=whole("layers"),
        hidden=whole("hidden"),
        heads=whole("heads"),
        kv_heads=whole("kv_heads") or whole("heads"),
        head_dim=whole("head_dim") or whole("hidden") // whole("heads"),
        ffn_hidden=whole("ffn_hidden"),
        gated=gated,
        vocab=whole("vocab") or ASSUMED_VOCABULARY,
        **dict[str, Any](MLA_RANKS if mla else {}),
        experts=whole("n_experts"),
        top_k=whole("experts_per_token"),
        moe_ffn=whole("moe_ffn_hidden"),
        shared_experts=whole("shared_experts"),
        shared_ffn=whole("shared_experts") * whole("moe_ffn_hidden"),
        parallel_block=PARALLEL in row["recipe"] or bool(re.match(PARALLEL_BLOCKS, row["model_name"].casefold())),
        expert_bias=bool(re.match(BIASED, row["model_name"].casefold())),
    )
    arch = _with_window(arch, assumptions)
    total = float(row["total_params_b"] or 0) * 1e9
    if arch.experts and not arch.moe_ffn:
        msg = "moe_ffn_hidden is not given"
        raise RefusedError(msg)
    if arch.experts:
        return _dense_first(arch, total)
    if arch.ffn_hidden and total and not row["gated_mlp"]:
        options = [replace(arch, gated=gate) for gate in (True, False)]
        arch = min(options, key=lambda option: abs(parameters(option).total - total))
        assumptions.append(f"{'gated' if arch.gated else 'plain'} FFN, from the number of parameters")
    if not arch.ffn_hidden:
        if not total:
            msg = "neither ffn_hidden nor the number of parameters is given"
            raise RefusedError(msg)
        rest = total - 2 * arch.vocab * arch.hidden - arch.layers * attention_parameters(arch)
        width = int(rest / (arch.layers * arch.ffn_matrices * arch.hidden))
        assumptions.append(f"ffn_hidden {width}, from the number of parameters")
        arch = replace(arch, ffn_hidden=width)
    return arch


def _with_window(arch: Architecture, assumptions: list[str]) -> Architecture:
    """Return the architecture with the sliding window that the model of its name has."""
    for name, (window, every) in WINDOWS.items():
        if re.match(name, arch.name.casefold()):
            assumptions.append(f"sliding window of {window} tokens")
            return replace(arch, window=window, window_every=every)
    return arch


def _dense_first(arch: Architecture, total: float) -> Architecture:
    """Return the MoE architecture with the number of dense layers (and query rank) that its parameter count implies."""
    if not total or not arch.ffn_hidden:
        return arch
    options = [
        replace(arch, dense_layers=dense, q_lora=rank)
        for dense in range(arch.layers // 2 + 1)
        for rank in ({arch.q_lora, 0} if arch.kv_lora else {0})
    ]
    return min(options, key=lambda option: abs(parameters(option).total - total))


def _hardware(row: Row, stack: Stack, catalog: Catalog, assumptions: list[str]) -> tuple[ChipModel, Fabric]:
    try:
        chip = catalog.chip(CHIPS.get(row["chip"], row["chip"]))
        model = chip_model(chip, stack.name)
        fabric = network.fabric(_system(row, chip, catalog), chip)
    except (CatalogError, MissingFigureError) as error:
        raise RefusedError(str(error)) from None
    assumptions += fabric.warnings
    if "96GB (500W" in row["chip"]:  # Meta's variant: HBM2e and a lower power limit, both in its name
        slower = (500 / 700) ** (1 / 3)  # clocks follow the cube root of power, as voltage follows them
        peak = {dtype: slower * rate for dtype, rate in model.peak.items()}
        model = replace(model, memory_bytes=96e9, memory_bandwidth=2.4e12, peak=peak)
    if row["scaleout_gbps_per_chip"]:
        fabric = replace(fabric, scaleout_bandwidth=float(row["scaleout_gbps_per_chip"]) * GBPS)
    if slices := re.search(r"inside a slice x (\d+)", row["zero_stage_or_fsdp"]):
        fabric = replace(fabric, domain_chips=float(row["n_chips"]) / float(slices[1]))
    node = _node(row)
    if 1 < node < fabric.domain_chips <= 16:
        fabric = replace(fabric, node_chips=node, domain_chips=node)
    return model, fabric


def _node(row: Row) -> int:
    return int(float(row["chips_per_node"] or 8))


def _system(row: Row, chip: Chip, catalog: Catalog) -> System:
    """Return the system a chip is usually sold in, or a server of the run's node size where the catalogue has none."""
    try:
        return catalog.usual_system(chip)
    except CatalogError:
        name = f"a server of {_node(row)} {chip.name}"
        return System(name, chip=chip.name, chips=_node(row), chips_per_node=_node(row), scaleup_domain=_node(row))
