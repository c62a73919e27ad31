"""The kernels that an engine launches in a step, as its code has them: which it fuses, and what its graphs capture."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.performance.serving.models import Served
from outlay.performance.serving.operations import Precision, Replicas

Array = NDArray[np.float64]
PIECES = 2.0
"""What the host launches for a layer of a prompt that is read as captured pieces: its attention, and the graph between
it and that of the next layer (vLLM, docs/design/cuda_graphs.md, piecewise)."""


LINKED = 0.5
"""Share of the time between kernels left where each starts before the one before it ends: programmatic dependent
launch, ``mUsePdl`` of trtllm-gen's experts (flashinfer, csrc/trtllm_fused_moe_runner.cu). Of 1/4, 1/2 and 1, the one
that decode steps of DeepSeek-V3, MiniMax-M2.5 and gpt-oss on Blackwell agree with best, by three engines."""
HEAD_NORMS = {"Qwen3": 1.0, "MiniMax-M2": 3.0}
"""Kernels of the norms of queries and keys, by the beginning of a model's name: of each head, or of all heads, whose
variances are summed over ranks (vLLM, model_executor/models/minimax_m2.py)."""


@dataclass(frozen=True)
class Fusions:
    """What an engine fuses on a chip.

    Attributes
    ----------
    norm
        Kernels that sum over ranks, add the residual and take the norm: one, two or three.
    apart
        Dense models, by the beginning of their names, whose norm is a kernel of its own all the same.
    placing
        Kernels between the projections and the attention: rotary positions and the write to the cache.
    prolog
        Whether all that comes before the attention of a latent is one kernel.
    scaling
        Kernels of a dense layer that scale activations by the one scale of an fp8 checkpoint.
    chained
        Whether its experts are one chain of linked kernels that need no sorted tokens, whose activation and scaling are
        part of its first GEMM where weights have 4 bits: trtllm-gen on Blackwell.
    captured
        Tokens up to which prompts are read in captured graphs.
    """

    norm: float = 2.0
    apart: tuple[str, ...] = ()
    placing: float = 2.0
    prolog: bool = False
    scaling: float = 0.0
    chained: bool = False
    captured: float = 0.0


USUAL = Fusions()
"""An engine of which nothing is known."""
BY_ENGINE = {
    "TensorRT-LLM 2024": Fusions(placing=1.0),
    "TensorRT-LLM 0.17": Fusions(placing=1.0),
    "TensorRT-LLM": Fusions(norm=1.0, apart=("Qwen3",), placing=1.0),
    "SGLang": Fusions(norm=1.0, apart=("",), scaling=4.0),
    "Chitu": Fusions(norm=3.0, placing=3.0),
    "xDeepServe": Fusions(prolog=True),
    "vLLM TPU": Fusions(captured=math.inf),
    "vLLM": Fusions(captured=512.0),
    "Neuron": Fusions(captured=math.inf),
    "Optimum Habana": Fusions(captured=math.inf),
}
"""What engines fuse, by the beginning of their names.

TensorRT-LLM: ``RESIDUAL_RMS_NORM`` of its PyTorch backend's modeling_llama.py and modeling_deepseekv3.py, not of its
modeling_qwen3.py; positions and cache are one kernel of its attention. SGLang: fuses them for models of experts (pull
request 12724), and its w8a8 linear layers scale by themselves. Chitu: models/model_deepseek_v3.py sums, adds and
normalises apart. xDeepServe: MLAProlog (arXiv:2506.12708, section 4.2). Captured: the largest of vLLM's
``cudagraph_capture_sizes`` by default (vllm/config/compilation.py); any on chips whose compilers make a step of every
size one program (XLA, Neuron, HPU graphs).
"""
EAGER = ("vLLM 2023", "vLLM 2025", "vLLM other", "vLLM Intel", "vLLM ROCm")
"""vLLM's first engines, which read prompts kernel by kernel, and those on chips whose graphs are not known."""
SUMMED_SINCE = (0, 17)
"""Release of vLLM since which an all-reduce does the norm by default (vllm-project/vllm, pull request 34299)."""
CHAINING = ("TensorRT-LLM", "vLLM", "SGLang")
BLACKWELL = ("B200/B300", "GB200/GB300")


def fusions(engine: str, family: str, release: str | None = None) -> Fusions:
    """Return what an engine of a release fuses on a family of chips; of the current one where none is given."""
    found = next((how for name, how in BY_ENGINE.items() if engine.startswith(name)), USUAL)
    if engine in EAGER:
        found = USUAL
    if engine == "vLLM" and (release is None or _since(release, SUMMED_SINCE)):
        found = replace(found, norm=1.0)
    if engine == "SGLang" and family in BLACKWELL:
        found = replace(found, norm=2.0, apart=())  # not fused there since pull request 17474
    return replace(found, chained=family in BLACKWELL and engine.startswith(CHAINING))


def _since(release: str, first: tuple[int, int]) -> bool:
    """Return whether a release is so late; nightly builds of published runs are of 2026."""
    numbers = tuple(int(word) for word in release.split(".")[:2] if word.isdecimal())
    return release.startswith("nightly") or (len(numbers) == 2 and numbers >= first)


def of_step(model: Served, replicas: Replicas, precision: Precision, how: Fusions, queries: float = 1.0) -> Array:
    """Return the kernels of one decode step on its critical path, linked ones by :data:`LINKED`.

    Each of the ``queries`` beyond one is drafted before it, by a layer, its input's projection and a head.
    """
    arch = model.arch
    fused = how.norm + float(not arch.experts and arch.name.startswith(how.apart))
    norm = np.where(replicas.tp > 1, fused, max(how.norm - 1.0, 1.0))
    each = 2.0 * norm + _attention(model, precision, how)
    dense, experts = _dense(model, precision, how), _experts(model, precision, how) + 2.0 * (replicas.ep > 1)
    drafted = (queries - 1.0) * ((experts if arch.experts else dense) + each + 3.0)
    return np.asarray(arch.dense_layers * dense + arch.moe_layers * experts + arch.layers * each + 2.0 + drafted)


def _scaled(model: Served, precision: Precision) -> bool:
    """Return whether activations are scaled by the block or the row, by a kernel before each GEMM."""
    blocks = precision.compute == "fp8_block" or (precision.weights == "fp8" and bool(model.arch.experts))
    return blocks or precision.compute == "int8"


def _four(precision: Precision) -> bool:
    """Return whether experts multiply 4-bit weights by scaled activations."""
    return precision.weights == "fp4" and precision.compute != "bf16"


def _attention(model: Served, precision: Precision, how: Fusions) -> float:
    """Return the kernels of a layer's attention: projections, norms of heads, positions, cache, attention, output.

    A latent goes down, through a norm, up and into the keys' space, and out of the values' after the attention, whose
    parts Hopper's kernels combine apart. NVFP4 scales the output alone, the rest with the norm before.
    """
    scaled, output = float(_scaled(model, precision)), float(precision.compute == "fp4")
    if model.arch.kv_lora:
        if how.prolog:
            return 4.0 + scaled
        return 8.0 - how.chained + how.placing + scaled * (3.0 if how.chained else 5.0) + output
    heads = next((count for name, count in HEAD_NORMS.items() if model.arch.name.startswith(name)), 0.0)
    return 3.0 + heads + how.placing + 2.0 * scaled + output


def _dense(model: Served, precision: Precision, how: Fusions) -> float:
    """Return the kernels of a dense FFN: up, activation, down and the scales of both, with those of the attention."""
    scaled, narrow = _scaled(model, precision), float(precision.compute == "fp4")
    fixed = precision.weights == "fp8" and not scaled
    return 3.0 + 2.0 * scaled + narrow + how.scaling * fixed


def _experts(model: Served, precision: Precision, how: Fusions) -> float:
    """Return the kernels of a layer of experts: router, way there, two GEMMs, sum and what scales.

    Tokens are sorted by expert in two kernels where the experts are no chain; in one, the activation has a kernel of
    its own but for 4-bit weights. Shared experts run beside it and are added.
    """
    scaled, four = _scaled(model, precision), _four(precision)
    shared = float(np.any(np.asarray(model.arch.shared_ffn)))
    if how.chained:
        return 1.0 + LINKED * (5.0 + (1.0 if four else 1.0 + scaled)) + shared
    return 9.0 + 2.0 * scaled + four + shared


def to_read(model: Served, replicas: Replicas, precision: Precision, how: Fusions, tokens: ArrayLike) -> Array:
    """Return what the host launches to read ``tokens`` of prompts: kernels, or pieces of a graph."""
    each = of_step(model, replicas, precision, how)
    return np.where(np.asarray(tokens) <= how.captured, PIECES * model.arch.layers, each)
