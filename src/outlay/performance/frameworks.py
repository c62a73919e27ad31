"""Which software generation a published run belongs to, by the name of its framework and its year."""

from __future__ import annotations

import re
from collections.abc import Iterable

PLAIN = (
    "foundry", "torchtitan", "nanotron", "deepspeed", "colossal", "habana", "paddle", "flagscale",
)  # fmt: skip
ZERO = ("deepspeed zero-3", "deepspeed (hf)", "sagemaker", "gemini")
TUNED = ("nvidia release", "nvidia ngc", "nvidia nemo framework", "nvidia nemo", "nemo/megatron", "/ nemo")
XLA = ("maxtext", "jax", "neuron")
ASCEND = ("mindspeed", "modellink", "mindspore")
EXPERTS_FUSED, EXPERTS_APART = "current", "megatron-2025"
"""The generation that has one kernel for gated experts in block-scaled fp8, and what other experts run as under it."""


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
    if match := re.search(r"nemo (\d\d)\.(\d\d)", name):
        release = 100 * int(match[1]) + int(match[2])
        return "current" if release >= 2606 else "megatron-2025" if release >= 2509 else "megatron-2024"
    return "megatron-2024"
