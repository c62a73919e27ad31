"""Kernels of a decode step against lists read in the engines' code, and what is captured, by engine and release."""

from dataclasses import replace

import numpy as np
import pytest

from outlay.catalog import Catalog
from outlay.performance.serving.hardware import device, run_by
from outlay.performance.serving.inferencex import script
from outlay.performance.serving.kernels import LINKED, USUAL, fusions, of_step, to_read
from outlay.performance.serving.models import served_named
from outlay.performance.serving.operations import Precision, Replicas

CATALOG = Catalog.load()
ONE = np.ones((1, 1))
CUT = Replicas(8 * ONE, ONE, ONE)
HOPPER, BLACKWELL = "H200", "B200/B300"
BF16, FP8, NVFP4, MXFP4 = (
    Precision("bf16", "bf16"),
    Precision("fp8", "fp8"),
    Precision("fp4", "fp4"),
    Precision("fp4", "fp8"),
)
BLOCKS = Precision("fp8", "fp8_block")


def step(name, types, engine, family, release=None, layout=CUT):
    """Return the kernels of a decode step without the last norm and the head."""
    return float(of_step(served_named(CATALOG, name), layout, types, fusions(engine, family, release))[0, 0]) - 2.0


@pytest.mark.parametrize(
    ("name", "types", "engine", "family", "each"),
    [
        # norm, QKV, positions with cache, attention, output, norm, up, activation, down (modeling_llama.py)
        ("Llama-3.1-70B", FP8, "TensorRT-LLM", HOPPER, 9),
        # and one that scales before the output, one before the FFN's second (linear.py, NVFP4LinearMethod)
        ("Llama-3.1-70B", NVFP4, "TensorRT-LLM", BLACKWELL, 11),
        # the norm apart from the all-reduce, positions from the cache
        ("Llama-3.1-70B", FP8, "vLLM 2025", HOPPER, 12),
        # as vLLM's with four that scale
        ("Llama-3.1-8B", FP8, "SGLang", HOPPER, 16),
        # norm of heads, four that scale, and the norm apart (modeling_qwen3.py)
        ("Qwen3-32B", BLOCKS, "TensorRT-LLM", "H100/H800/GH200", 16),
    ],
)
def test_dense_layers_have_the_kernels_of_their_code(name, types, engine, family, each):
    """Kernels of a layer, tensor parallel on one server."""
    assert step(name, types, engine, family) == each * served_named(CATALOG, name).arch.layers


@pytest.mark.parametrize(
    ("name", "types", "engine", "family", "apart", "linked"),
    [
        # 2 norms, 4 + 1 of heads, 2 that scale; router, 2 that route, 2 that sort, 2 GEMMs, activation, sum, 2 scales
        ("Qwen3-235B-A22B", BLOCKS, "TensorRT-LLM", "H100/H800/GH200", 20, 0),
        # modeling_gpt_oss.py: 2 norms, 4 of attention, router; mxfp8_quantize, routing, 2 GEMMs and a sum in a chain
        ("gpt-oss-120b", MXFP4, "TensorRT-LLM", BLACKWELL, 7, 6),
        # 4 of all-reduces and norms, 5 of attention, router and 8 of experts without scales
        ("gpt-oss-120b", Precision("fp4", "bf16"), "vLLM 2025", HOPPER, 18, 0),
    ],
)
def test_layers_of_experts_have_the_kernels_of_their_code(name, types, engine, family, apart, linked):
    """Kernels of a layer on their own and in a chain, whose gaps are half as long."""
    layers = served_named(CATALOG, name).arch.layers
    assert step(name, types, engine, family) == pytest.approx((apart + LINKED * linked) * layers)


def test_latents_on_hopper_take_more_kernels_than_on_blackwell_and_fewest_in_four_bits():
    """DeepSeek-R1 by TensorRT-LLM: 31, 22 and 16 kernels a layer as its code has them, here 28, 22 and 19 uncoupled."""
    hopper = step("DeepSeek-R1", BLOCKS, "TensorRT-LLM", HOPPER)
    chained = step("DeepSeek-R1", BLOCKS, "TensorRT-LLM", BLACKWELL)
    four = step("DeepSeek-R1", NVFP4, "TensorRT-LLM", BLACKWELL)
    assert hopper == 61 * 16 + 3 * 5 + 58 * 12
    assert chained == pytest.approx(61 * 13 + 3 * 5 + 58 * (2 + LINKED * 7))
    assert four == pytest.approx(61 * 11 + 3 * 4 + 58 * (2 + LINKED * 6))
    assert step("DeepSeek-R1", Precision("int8", "int8"), "xDeepServe", "Ascend 910C") < hopper


def test_one_rank_sums_nothing():
    """Without ranks to sum over only the norm is left, and dispatch and combine come with experts spread over ranks."""
    alone = Replicas(ONE, ONE, ONE)
    assert step("Llama-3.1-70B", FP8, "vLLM 2025", HOPPER, layout=alone) == 80 * 10
    assert step("Llama-3.1-70B", FP8, "TensorRT-LLM", HOPPER, layout=alone) == 80 * 9
    spread = step("Qwen3-235B-A22B", BF16, "SGLang", HOPPER, layout=Replicas(ONE, 8 * ONE, ONE))
    assert spread - step("Qwen3-235B-A22B", BF16, "SGLang", HOPPER, layout=alone) == 2 * 94


@pytest.mark.parametrize(
    ("release", "norm"), [(None, 1.0), ("0.17.0", 1.0), ("nightly-5f2a", 1.0), ("0.16.0", 2.0), ("", 2.0)]
)
def test_norms_are_part_of_all_reduces_since_a_release_of_vllm(release, norm):
    """By default since 0.17 (pull request 34299); a run that names no release is of one before."""
    assert fusions("vLLM", HOPPER, release).norm == norm


def test_scripts_fuse_and_unfuse():
    """InferenceX's scripts fuse the norms of Llama-70B on B200, and run MiniMax's experts by Triton in March 2026."""
    usual = fusions("vLLM", BLACKWELL, "")
    llama = script("vLLM", "Llama-3.1-70B", "B200-SXM-180GB", "measured=2025-10", (1024.0, 4.0))
    march, april = (
        script("vLLM", "MiniMax-M2.5", "B200-SXM-180GB", f"measured=2026-{month}", (1024.0, 4.0))
        for month in ("03", "04")
    )
    assert llama.fusions(usual) == replace(usual, norm=1.0, captured=0.0)
    assert (march.fusions(usual).chained, april.fusions(usual).chained) == (False, True)


def test_captured_prompts_are_launched_in_pieces():
    """Of a prompt in a graph the host launches two pieces a layer, of a longer one each kernel; XLA's have no end."""
    where = run_by(device(CATALOG, "H100-SXM-80GB"), "vLLM")
    model = served_named(CATALOG, "Llama-3.1-70B")
    found = to_read(model, CUT, BF16, where.fusions, [[512.0, 513.0]])
    assert found.tolist() == [[160.0, float(of_step(model, CUT, BF16, where.fusions)[0, 0])]]
    assert run_by(where, "vLLM TPU").fusions.captured == float("inf")
    assert run_by(where, "SGLang").fusions.captured == USUAL.captured == 0.0
