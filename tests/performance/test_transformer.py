"""Counts of a transformer against hand-computed cases and the catalogue's published sizes."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import MissingFigureError
from outlay.performance import state_space
from outlay.performance.memory import activation_bytes
from outlay.performance.strategy import Stack, Strategy, stacks
from outlay.performance.transformer import (
    Architecture,
    architecture,
    attended,
    forward_flops_per_token,
    kv_bytes_per_token,
    layer_gemms,
    parameters,
    vocab_gemm,
)

CATALOG = Catalog.load()
LLAMA_8B = Architecture("Llama 3 8B", 32, 4096, 32, 8, 128, 14336, True, 128256)
DEEPSEEK_V3 = architecture(CATALOG.model("DeepSeek-V3"))
MIXTRAL = architecture(CATALOG.model("Mixtral-8x7B"))
STANDARD = [name for name, model in CATALOG.models.items() if model.number("params_total_b_computed")]
HYBRID = ["Qwen3-Next-80B-A3B", "Nemotron-H-56B", "Kimi-K3", "DeepSeek-V4-Pro", "MiMo-V2-Flash"]


def test_llama_3_8b_by_hand():
    """Attention 4096 x (32 + 2 x 8) x 128 + 4096^2, FFN 3 x 4096 x 14336, two vocabulary matrices."""
    counts = parameters(LLAMA_8B)
    assert counts.attention == 4096 * 48 * 128 + 4096 * 4096
    assert counts.dense_ffn == 3 * 4096 * 14336
    assert counts.total == 32 * (41943040 + 176160768) + 2 * 128256 * 4096 == 8029995008


def test_deepseek_v3_latent_attention_by_hand():
    """Ranks 1536 and 512, heads of 128 + 64 and 128: 187.1 million parameters a layer."""
    query = 7168 * 1536 + 1536 * 128 * 192
    latent = 7168 * (512 + 64) + 512 * 128 * (128 + 128)
    assert parameters(DEEPSEEK_V3).attention == query + latent + 128 * 128 * 7168 == 187105280


def test_mixtral_by_hand():
    """Eight experts of 3 x 4096 x 14336, two of them active."""
    counts = parameters(MIXTRAL)
    assert counts.expert == 3 * 4096 * 14336
    assert counts.total - counts.active == 32 * 6 * counts.expert
    assert counts.total == pytest.approx(46.7e9, rel=1e-3)


@pytest.mark.parametrize("name", STANDARD)
def test_totals_match_the_catalogue_within_one_per_cent(name: str):
    """Every standard architecture has the parameters its catalogue record says."""
    model = CATALOG.model(name)
    try:
        counts = parameters(architecture(model))
    except MissingFigureError as error:
        assert "not modelled" in str(error)  # noqa: PT017  (block-sparse attention is counted but not timed)
        return
    assert counts.total == pytest.approx(model.need("params_total_b_computed") * 1e9, rel=0.01, abs=6e7)
    assert counts.active == pytest.approx(model.need("params_active_b_computed") * 1e9, rel=0.01, abs=6e7)


REPORTED = [name for name, model in CATALOG.models.items() if model.number("params_total_b_reported")]
ROUND_NAMES = {"Llama-2-7B": 6.738, "Llama-2-70B": 68.98, "Kimi-K2": 1026.4, "Nemotron-3-Nano-30B-A3B": 31.6}
"""Reported by a round name; the sum of the tensors of the published weights, in 1e9."""
VISION_OF_SCOUT = 34 * (4 * 1408**2 + 2 * 1408 * 5632)
"""Llama 4 Scout's 109 B count its vision encoder, 34 layers of width 1,408, which training text does not pass."""


@pytest.mark.parametrize("name", REPORTED)
def test_totals_match_what_was_reported_within_one_per_cent(name: str):
    """Of every model whose operations can be counted; the others are refused for a reason of their own."""
    model = CATALOG.model(name)
    try:
        total = float(parameters(architecture(model)).total)
    except MissingFigureError as error:
        assert re.search("no source gives|which is not modelled", str(error))  # noqa: PT017
        return
    reported = ROUND_NAMES.get(name, model.need("params_total_b_reported"))
    total += VISION_OF_SCOUT if name == "Llama-4-Scout" else 0
    assert total == pytest.approx(reported * 1e9, rel=0.01)


def test_most_reported_models_are_counted():
    """The check above is not an empty one."""
    counted = 0
    for name in REPORTED:
        try:
            counted += parameters(architecture(CATALOG.model(name))).total > 0
        except MissingFigureError:
            continue
    assert counted >= 25


@pytest.mark.parametrize("name", [n for n in REPORTED if CATALOG.model(n).number("params_active_b_reported")])
def test_active_parameters_match_by_one_of_the_three_conventions(name: str):
    """With both vocabulary matrices, without the embedding, or without either; reports round to their last digit."""
    model = CATALOG.model(name)
    try:
        counts = parameters(architecture(model))
    except MissingFigureError as error:
        assert re.search("no source gives|which is not modelled", str(error))  # noqa: PT017
        return
    reported = model.need("params_active_b_reported")
    ways = [counts.active, counts.active_matmul, counts.active_matmul - counts.embedding]
    rounding = 0.5 if reported == int(reported) else 0.05
    nearest = min((float(way) / 1e9 for way in ways), key=lambda way: abs(way - reported))
    assert nearest == pytest.approx(reported, rel=0.01, abs=rounding)


@pytest.mark.parametrize("name", HYBRID)
def test_hybrids_are_refused_by_name(name: str):
    """Linear attention, state-space layers and sparse patterns are never approximated silently."""
    with pytest.raises(MissingFigureError, match=r"which is not modelled|no source gives"):
        architecture(CATALOG.model(name))


def test_nemotron_3_nano_by_hand():
    """Of 52 blocks 23 are Mamba-2, 6 attention, 23 MoE: 29 layers of a mixer, 23 of them with experts.

    Heads 64 x 64 and 8 groups with a state of 128: in 2688 x (2 x 4096 + 2 x 8 x 128 + 64), out 4096 x 2688, and a
    convolution of 4 taps over 4096 + 2 x 8 x 128 values.
    """
    arch = architecture(CATALOG.model("Nemotron-3-Nano-30B-A3B"))
    assert (arch.layers, arch.ssm_layers, arch.moe_layers) == (29, 23, 23)
    mamba = 2688 * (8192 + 2048 + 64) + 4096 * 2688 + 4 * (4096 + 2048)
    assert state_space.block_parameters(arch) == mamba == 38731776
    attention = 2 * 2688 * 32 * 128 + 2 * 2688 * 2 * 128
    counts = parameters(arch)
    assert counts.attention * 29 == pytest.approx(23 * mamba + 6 * attention)
    experts = 23 * (128 * 2 * 2688 * 1856 + 2 * 2688 * 3712 + 2688 * 128)
    assert counts.total == pytest.approx(23 * mamba + 6 * attention + experts + 2 * 131072 * 2688)


def test_the_state_space_product_by_hand():
    """Of chunks of 256 tokens: half of the scores of 8 x 128 and 4096 values, and 4 N multiply-adds a value."""
    arch = architecture(CATALOG.model("Nemotron-3-Nano-30B-A3B"))
    assert state_space.scan_flops(arch) == 256 * (1024 + 4096) + 4 * 128 * 4096
    forward = forward_flops_per_token(arch, 8192).attention
    assert forward == pytest.approx(6 * 4 * 32 * 128 * 4096 + 23 * state_space.scan_flops(arch))


def test_every_missing_dimension_is_named():
    """A model without a vocabulary says so; one without anything names all of it."""
    with pytest.raises(MissingFigureError, match="no source gives vocab;"):
        architecture(CATALOG.model("OPT-175B"))


def test_cache_of_latent_attention_is_the_latent_and_the_rotary_key():
    """DeepSeek-V3 keeps 576 values a layer, Llama 3 8B 2,048."""
    assert kv_bytes_per_token(DEEPSEEK_V3, 2) == 61 * 576 * 2
    assert kv_bytes_per_token(LLAMA_8B, 2) == 32 * 2 * 8 * 128 * 2


def test_flops_are_two_a_parameter_and_causal_attention_is_half():
    """2 N for the matrices; 2 x 2 x s/2 x heads x width a layer for attention."""
    flops = forward_flops_per_token(LLAMA_8B, 8192)
    counts = parameters(LLAMA_8B)
    assert flops.gemm + flops.vocab == 2 * (counts.total - counts.embedding)
    assert flops.attention == 32 * 4 * 4096 * 32 * 128
    assert forward_flops_per_token(LLAMA_8B, 8192, causal=False).attention == 2 * flops.attention


def test_sliding_windows_attend_to_less():
    """gpt-oss: every second layer sees 128 tokens; a window longer than the sequence changes nothing."""
    arch = architecture(CATALOG.model("gpt-oss-120b"))
    assert (arch.window, arch.window_every) == (128, 2)
    assert attended(arch, 4096) == pytest.approx((2048 + 128 - 2) / 2)
    assert attended(arch, 64) == pytest.approx(32)


def test_windows_in_every_layer():
    """Mistral 7B over 32,768 tokens: 4,096 less 4,096 squared over twice the sequence, 3,840, in every layer."""
    arch = Architecture("windowed", 32, 4096, 32, 8, 128, 14336, True, 32000, window=4096, window_every=0)
    assert float(attended(arch, 32768)) == pytest.approx(3840)
    assert float(attended(replace(arch, window_every=2), 32768)) == pytest.approx((3840 + 16384) / 2)


@pytest.mark.parametrize("arch", [LLAMA_8B, MIXTRAL, DEEPSEEK_V3], ids=lambda arch: arch.name)
@pytest.mark.parametrize(("tp", "ep"), [(1, 1), (8, 1), (1, 8), (2, 4)])
def test_gemms_of_all_layers_add_up_to_the_parameters(arch: Architecture, tp: int, ep: int):
    """Cut over tp and ep, the chips together do 2 FLOPs a token and active parameter."""
    tokens = 4096.0
    chips_flops = 0.0
    for moe, layers in ((False, arch.dense_layers), (True, arch.moe_layers)):
        for gemm in layer_gemms(arch, tokens, tp, ep, moe=moe) if layers else []:
            repeated = 1 if "latent down" in gemm.name or "query down" in gemm.name else tp
            chips_flops += layers * float(gemm.flops) * repeated
    chips_flops += float(vocab_gemm(arch, tokens, tp).flops) * tp
    assert chips_flops == pytest.approx(2 * tokens * parameters(arch).active_matmul, rel=1e-9)


def test_activations_of_gpt_3_by_hand():
    """After arXiv:2205.05198: 32 s b h + 5 a s^2 b bytes a layer, without dropout masks, cut by tp with SP."""
    arch = Architecture("GPT-3", 96, 12288, 96, 96, 128, 49152, False, 51200)
    tokens, h = 2048.0, 12288
    fused, unfused = stacks()["current"], stacks()["megatron-2021"]

    def kept(stack: Stack, **parts: float) -> float:
        return float(activation_bytes(arch, Strategy.of(**parts), tokens, 2048, stack)[0])

    assert kept(fused) == tokens * h * (8 + 8 + 16)
    assert kept(unfused) == tokens * (h * 32 + 5 * 96 * 2048)
    assert kept(unfused, recompute=1) == tokens * h * 32
    assert kept(fused, recompute=2) == tokens * h * 2
    assert kept(fused, tp=8) == tokens * h * 32 / 8
    assert kept(fused, tp=8, sequence_parallel=0) == tokens * h * (8 + 24 / 8)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_attended_never_falls_with_the_sequence(a: int, b: int):
    """A longer sequence attends to no less, windows or not."""
    short, long = sorted((a, b))
    arch = Architecture("windowed", 4, 64, 4, 4, 16, 128, True, 100, window=128, window_every=2)
    assert attended(arch, short) <= attended(arch, long)


def test_arrays_broadcast():
    """One call counts many layouts."""
    gemms = layer_gemms(LLAMA_8B, np.array([1024.0, 2048.0]), np.array([[1.0], [2.0]]))
    assert all(gemm.flops.shape == (2, 2) for gemm in gemms)
