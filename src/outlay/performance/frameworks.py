"""Which software generation a published run belongs to, and which CUDA graphs its recipe captures."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from outlay.catalog.store import folded
from outlay.performance.chip import rows

PLAIN = (
    "foundry", "torchtitan", "nanotron", "deepspeed", "colossal", "habana", "paddle", "flagscale",
)  # fmt: skip
ZERO = ("deepspeed zero-3", "deepspeed (hf)", "sagemaker", "gemini")
TUNED = ("nvidia release", "nvidia ngc", "nvidia nemo framework", "nvidia nemo", "nemo/megatron", "/ nemo")
XLA = ("maxtext", "jax", "neuron")
ASCEND = ("mindspeed", "modellink", "mindspore")
EXPERTS_FUSED, EXPERTS_APART = "current", "megatron-2025"
"""The generation that has one kernel for gated experts in block-scaled fp8, and what other experts run as under it."""

EXPERTS_PADDED_BY_DISPATCH = 2606
"""The release of NeMo since which HybridEP's dispatch pads the tokens of experts on its way (Megatron Core's
``skip_routed_expert_padding``), which every recipe of experts in fp8 asks for since."""
GRAPHED = {"none": 0.0, "attention": 0.2, "router": 0.2, "attention and router": 0.4, "whole": 1.0}
"""Part of the kernels of an MoE layer, its some 60 of Megatron Core, that lie within what a recipe captures as a graph:
the attention block or its Mamba-2 in place of it; the router and what prepares the dispatch; the whole step."""


def with_experts(stack: str, *, moe: bool, gated: bool, dtype: str) -> str:
    """Return the software generation whose numbers hold for a model under one that may have one kernel for experts.

    That kernel is for gated FFNs in block-scaled fp8 (Transformer Engine, pytorch/ops/fused/forward_grouped_mlp.py).
    Published runs of other mixtures of experts take as long as under the generation before, and so do dense models
    under both.
    """
    return EXPERTS_APART if stack == EXPERTS_FUSED and moe and not (gated and dtype == "fp8_block") else stack


def stack_of(framework: str, year: int) -> str:
    """Return the name of the software generation of a run, by its framework and year.

    Frameworks that tune each kernel for large runs (Megatron and what is built on it, MaxText, the vendors' own) are
    told from plain PyTorch ones (FSDP) and from DeepSpeed with Hugging Face models, which were slower on the same
    chips and layouts.
    """
    name = framework.casefold()

    def has(marks: Iterable[str]) -> bool:
        return any(mark in name for mark in marks)

    if name.startswith("hai-llm"):
        return "dualpipe-2024"
    if has(XLA):
        return "xla-2024"
    if has(ASCEND):
        return "mindspeed-2024"
    if has(ZERO) and year <= 2023:
        return "zero-2021"
    if name.startswith("megatron-deepspeed") and year == 2022:
        return "megatron-2022"
    if name.startswith("megatron-deepspeed") or (year <= 2022 and not has(PLAIN)):
        return "megatron-2021"
    if "deepspeed" in name and not name.startswith("megatron"):
        return "deepspeed-2024"
    if has(PLAIN):
        return f"pytorch-{min(max(year, 2023), 2025)}"
    if has(TUNED):
        return "tuned-2024"
    if name == "megascale":
        return "tuned-2024"
    if year <= 2023:
        return "megatron-2023"
    if release := release_of(name):
        return "current" if release >= 2606 else "megatron-2025" if release >= 2509 else "megatron-2024"
    return "megatron-2024"


def release_of(framework: str) -> int:
    """Return the release of NeMo that a framework's name holds, 2604 for 26.04; 0 where it holds none."""
    match = re.search(r"nemo (\d\d)\.(\d\d)", framework.casefold())
    return 100 * int(match[1]) + int(match[2]) if match else 0


@functools.cache
def _recipes() -> list[dict[str, str]]:
    return rows("training_recipes.csv")


def graphs_of(framework: str, model: str, chip: str, dtype: str) -> str:
    """Return what the recipe of a release of Megatron Bridge captures as CUDA graphs, '' where none is known.

    The recipes, of ``training_recipes.csv``, are those of scripts/performance in the release's tag; the latest that
    stands for the chip and the data type holds until another does.
    """
    release, name = release_of(framework), folded(model)
    known = [row for row in _recipes() if name.startswith(row["model"])]
    if not release or not known:
        return ""
    mine = [
        row
        for row in known
        if chip.split()[0] in row["chips"].split() and row["dtype"] in ("", dtype) and int(row["since"]) <= release
    ]
    return max(mine, key=lambda row: int(row["since"]))["graphs"] if mine else "none"
