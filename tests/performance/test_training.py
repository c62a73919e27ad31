"""Step time and memory of strategies: formulas by hand, arrays against a scalar loop, published runs."""

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outlay.catalog import Catalog
from outlay.errors import InputError
from outlay.performance import communication, network
from outlay.performance.chip import chip_model, rows
from outlay.performance.memory import OPTIMISER_BYTES, held
from outlay.performance.network import fabric
from outlay.performance.search import best_training
from outlay.performance.strategy import RECOMPUTE, Strategy, stacks
from outlay.performance.training import (
    LayerTimes,
    _state_space_block,
    attention_seconds,
    breakdown,
    evaluate,
    head_seconds,
    layer,
)
from outlay.performance.transformer import Architecture, architecture, parameters

CATALOG = Catalog.load()
H100 = chip_model(CATALOG.chip("H100 SXM"))
DGX = fabric(CATALOG.system("DGX H100"), CATALOG.chip("H100 SXM"))
FREE = replace(DGX, domain_latency=0.0, scaleout_latency=0.0, domain_bandwidth=1e30, scaleout_bandwidth=1e30)
SMALL = Architecture("small", 16, 4096, 32, 32, 128, 16384, False, 1024)
MIXTRAL = architecture(CATALOG.model("Mixtral-8x7B"))


@pytest.mark.parametrize(("pp", "vpp", "batch"), [(4, 1, 8), (4, 2, 16), (8, 1, 64), (8, 2, 8), (2, 8, 4)])
def test_the_bubble_is_that_of_interleaved_1f1b(pp: int, vpp: int, batch: int):
    """arXiv:2104.04473, section 2.2.2: (pp - 1) / vpp over m, with stages of the same size."""
    strategy = Strategy.of(pp=pp, vpp=vpp)
    times = evaluate(replace(SMALL, vocab=1), H100, FREE, strategy, batch, 2048)
    share = float(times.breakdown["bubble"] / (times.breakdown["bubble"] + times.breakdown["compute"]))
    assert share == pytest.approx((pp - 1) / (pp - 1 + batch * vpp), rel=0.05)


def test_states_of_a_small_model_by_hand():
    """Weights 2 bytes a parameter, gradients 4, optimiser 12; ZeRO 1, 2 and 3 cut them over the data-parallel ranks."""
    count = parameters(SMALL).total
    times = evaluate(SMALL, H100, DGX, Strategy.of(dp=8, zero=[0, 1, 2, 3]), 8, 2048)
    assert times.memory["weights"][:3] == pytest.approx([2 * count] * 3)
    assert times.memory["gradients"] == pytest.approx([4 * count, 4 * count, 4 * count / 8, 2 * count / 8])
    assert times.memory["optimiser"] == pytest.approx([12 * count, *[OPTIMISER_BYTES * count / 8] * 3])
    gathered = 2 * 2 * count / SMALL.layers
    assert times.memory["weights"][3] == pytest.approx(2 * count / 8 + gathered)


def test_activations_of_a_small_model_by_hand():
    """32 h bytes a token and layer with an FFN of 4 h, and 6 bytes a logit; full recomputation: 2 h, and one layer."""
    times = evaluate(SMALL, H100, DGX, Strategy.of(recompute=[0, 2]), 1, 2048)
    layer, logits = 2048 * 32 * 4096, 6 * 2048 * 1024
    assert times.memory["activations"] == pytest.approx([16 * layer + logits, 16 * 2 * 2048 * 4096 + layer + logits])


def test_micro_batches_in_flight():
    """The first stage of 1F1B keeps min(m, pp) micro-batches of its layers; interleaving keeps a little more."""
    strategy = Strategy.of(pp=4, vpp=[1, 1, 2])
    kept = evaluate(SMALL, H100, DGX, strategy, [2, 64, 64], 2048).memory["activations"]
    assert kept[1] == pytest.approx(2 * kept[0])
    assert kept[2] == pytest.approx(kept[1] * (1 + 3 / (4 * 2)))


@pytest.mark.parametrize("arch", [SMALL, MIXTRAL], ids=lambda arch: arch.name)
@pytest.mark.parametrize("dtype", ["bf16", "fp8"])
def test_arrays_equal_a_loop_over_scalars(arch: Architecture, dtype: str):
    """Vectorised and one by one give the same to the last digits."""
    rng = np.random.default_rng(1)
    of = {
        "tp": rng.choice([1, 2, 4], 50),
        "pp": rng.choice([1, 2, 4], 50),
        "vpp": rng.choice([1, 2], 50),
        "cp": rng.choice([1, 2], 50),
        "ep": rng.choice([1, 4, 8] if arch.experts else [1], 50),
        "dp": rng.choice([2, 4, 8], 50),
        "micro_batch": rng.choice([1, 2], 50),
        "recompute": rng.choice([0, 1, 2], 50),
        "zero": rng.choice([0, 1, 2, 3], 50),
        "sequence_parallel": rng.choice([0, 1], 50),
    }
    together = evaluate(arch, H100, DGX, Strategy.of(**of), 64, 4096, dtype)
    for index in range(50):
        alone = evaluate(
            arch, H100, DGX, Strategy.of(**{key: values[index] for key, values in of.items()}), 64, 4096, dtype
        )
        assert float(alone.step_time_s) == pytest.approx(float(together.step_time_s[index]), rel=1e-12)
        assert float(alone.memory_bytes) == pytest.approx(float(together.memory_bytes[index]), rel=1e-12)


def test_the_breakdown_adds_up_and_recomputation_costs():
    """Parts sum to the step; full recomputation is slower and smaller, with a higher HFU than MFU."""
    times = evaluate(SMALL, H100, DGX, Strategy.of(tp=2, pp=2, dp=2, recompute=[0, 1, 2]), 16, 4096)
    assert sum(times.breakdown.values()) == pytest.approx(times.step_time_s)
    assert times.step_time_s[0] < times.step_time_s[1] < times.step_time_s[2]
    activations = times.memory["activations"]
    assert activations[0] > activations[1] > activations[2]
    assert times.hfu[2] > times.mfu[2]
    assert times.hfu[0] == times.mfu[0]


def test_mfu_is_model_flops_over_peak_by_hand():
    """6 N without the input embedding, and causal attention."""
    times = evaluate(SMALL, H100, DGX, Strategy.of(dp=8), 8, 2048)
    flops = 6 * (parameters(SMALL).total - 1024 * 4096) + 3 * 16 * 4 * 1024 * 32 * 128
    expected = flops * 8 * 2048 / (float(times.step_time_s) * 8 * 989e12)
    assert float(times.mfu) == pytest.approx(expected)


def test_no_stack_beats_the_roofline():
    """Whatever the software, the step is not shorter than its FLOPs at peak."""
    for stack in stacks().values():
        times = evaluate(SMALL, H100, FREE, Strategy.of(dp=8), 64, 4096, stack=stack)
        assert float(times.hfu) < 1


def test_an_unknown_part_of_a_strategy_names_the_nearest():
    """`tpp` is no part."""
    with pytest.raises(InputError, match="unknown part of a strategy 'tpp'; nearest: "):
        Strategy.of(tpp=8)


@pytest.mark.parametrize(
    ("model", "place", "chips", "options", "published", "tolerance"),
    [
        # arXiv:2407.21783, table 4: 16,384 H100, batch 16 M tokens, tp 8, pp 16, dp 128: MFU 0.41.
        (
            "Llama-3.1-405B", "DGX H100", 16384,
            {"sequence": 8192, "batch_tokens": 2**24, "fixed": {"tp": 8, "pp": 16, "cp": 1, "micro_batch": 1}},
            0.41, 0.2,
        ),
        # arXiv:2104.04473, 5.1: 1,024 A100, batch 1,536: 140 TFLOP/s a chip, of it 3/4 model FLOPs.
        (
            "GPT-3 175B", "DGX A100", 1024,
            {
                "sequence": 2048, "batch_tokens": 1536 * 2048, "stack": "megatron-2021",
                "fixed": {"tp": 8, "pp": 16, "micro_batch": 1, "recompute": 2, "sequence_parallel": 0, "zero": 0},
            },
            0.75 * 140 / 312, 0.2,
        ),
        # arXiv:2412.19437 and arXiv:2505.09343: 2,048 H800, 15,360 x 4,096 tokens in 19.926 s.
        (
            "DeepSeek-V3", "H800 8-GPU node (DeepSeek-V3 cluster)", 2048,
            {
                "sequence": 4096, "batch_tokens": 15360 * 4096, "dtype": "fp8", "stack": "dualpipe-2024",
                "fixed": {"tp": 1, "pp": 16, "ep": 64, "recompute": 1, "vpp": 1, "schedule": 2},
            },
            0.195, 0.3,
        ),
    ],
    ids=["Llama 3.1 405B", "GPT-3 SC21", "DeepSeek-V3"],
)  # fmt: skip
def test_published_runs(model: str, place: str, chips: int, options: dict, published: float, tolerance: float):
    """The MFU of well-known runs is met within a stated tolerance, with nothing set by hand but their strategy."""
    estimate = best_training(CATALOG.model(model), CATALOG.system(place), chips, catalog=CATALOG, **options)
    assert estimate.mfu == pytest.approx(published, rel=tolerance)


def test_attention_is_that_of_the_measured_kernels():
    """By length: 10 % where heads are 128 wide, which were fitted; a third for windows, narrow and latent heads."""
    chips = {"H200 SXM": "H200 SXM", "GB200": "GB200 (per GPU)", "GB300": "GB300 (per GPU)"}
    stack = replace(stacks()["current"], attention_overhead=1.0)
    ratios = defaultdict(list)
    for row in rows("measured.csv"):
        if row["metric"] != "attention_grid":
            continue
        batch, heads, kv_heads, qk, v, length, *window = (float(text) for text in re.findall(r"\d+", row["size"]))
        parts = {"kv_lora": 512, "qk_nope": qk - 64, "qk_rope": 64, "v_head": v} if qk != v else {}
        arch = Architecture("x", 1, heads * qk, heads, kv_heads, qk, 1, True, 1, **parts)
        if window:
            arch = replace(arch, window=window[0], window_every=0)
        chip = replace(chip_model(CATALOG.chip(chips[row["chip"]])), attention=1.0)
        times = attention_seconds(arch, chip, Strategy.of(micro_batch=batch), batch * length, length, stack)
        backward = row["op"].endswith("bwd")
        keys = window[0] - window[0] ** 2 / 2 / length if window else length / 2
        flops = (5 if backward else 2) * batch * length * keys * heads * (qk + v)
        measured = flops / (float(row["value"]) * 1e12)
        ratios[row["chip"], backward, qk, bool(window)].append(float(times[backward]) / measured)
    assert len(ratios) >= 15
    for (_, _, width, window), found in ratios.items():
        near = (0.9, 1.1) if width == 128 and not window else (0.65, 1.1)
        assert near[0] < np.median(found) < near[1]


def test_stages_cut_by_cost_by_hand():
    """16 layers and a head that costs four, on two stages: 12 against 8, or 10 each (nanotron, models/base.py)."""
    stack, st = stacks()["pytorch-2025"], Strategy.of(pp=2.0)
    arch = replace(SMALL, vocab=131072)
    head = float(head_seconds(arch, H100, 2048.0, 1.0)) * float(H100.slowdown) * float(stack.slowdown)
    one = LayerTimes(head / 16, head / 8, head / 16, 0.0, 0.0, 0.0)
    for balanced, slowest in ((0.0, 12), (1.0, 10)):
        own = replace(stack, balanced=balanced)
        parts = breakdown(arch, H100, FREE, st, 4.0, 2048.0, one, own)
        assert float(parts["bubble"]) == pytest.approx((4 * (slowest - 10) + 10) * head / 4)


@pytest.mark.parametrize(("recompute", "passes"), [("none", 3), ("full", 4)])
def test_kernels_that_a_host_waits_for_by_hand(recompute: str, passes: int):
    """30 kernels a pass of 20 us each more, and 44 us a collective; other hosts run ahead of long kernels."""
    st = Strategy.of(tp=8, recompute=RECOMPUTE.index(recompute), sequence_parallel=0)
    stack = replace(stacks()["megatron-2022"], host_s=0.0)

    def kernels(**changed: float) -> float:
        own = replace(stack, **dict[str, Any](changed))
        return float(layer(SMALL, H100, FREE, st, 8192.0, 2048.0, "bf16", own).compute)

    called = passes * 30 * 20e-6 + float(FREE.call_s) * 2 * (passes - 1)
    assert kernels(blocking=1.0) - kernels() == pytest.approx(called, rel=1e-3)


def test_collectives_that_a_host_waits_for_run_beside_nothing():
    """Two all-reduces of a layer forward and two backward stand alone, a send each way and a sum of gradients too."""
    st, stack = Strategy.of(tp=8, pp=2, dp=2, zero=0, sequence_parallel=0), stacks()["megatron-2022"]
    blocked = replace(stack, blocking=1.0)
    one = layer(SMALL, H100, DGX, st, 8192.0, 2048.0, "bf16", blocked)
    assert float(one.tp) == pytest.approx(4 * float(network.all_reduce(DGX, 2.0 * 8192 * 4096, 8.0)))
    parts, beside = (breakdown(SMALL, H100, DGX, st, 8.0, 2048.0, one, own) for own in (blocked, stack))
    sends = 2 * (4 + 1) * float(network.p2p(DGX, 2.0 * 2048 * 4096 / 8, 1.0))
    assert float(parts["pp"]) == pytest.approx(sends)
    assert float(parts["dp"]) > float(beside["dp"])


def test_weights_that_the_first_zero_3_gathers_one_by_one():
    """Of 16 layers 64 weights three times, 8 parts of 20 us each, for either of two micro-batches; beside nothing."""
    st = Strategy.of(dp=8, zero=3)
    own = replace(stacks()["zero-2021"], dp_overlap=0.9)
    parts, one = held(SMALL, st), replace(own, pieces=1.0, dp_overlap=0.0)
    seconds = [float(communication.data_parallel(FREE, st, parts, 16.0, 2.0, 1.0, stack)) for stack in (own, one)]
    turns = float(network.all_gather(FREE, 0.0, 8.0))
    assert seconds[0] - seconds[1] == pytest.approx(2 * 3 * (64 * (8 * 20e-6 + turns) - 16 * turns))


def test_the_collectives_a_host_calls_by_hand():
    """Of two blocks forward, backward and again; twice as many in halves; one block before experts kept whole."""
    dense = replace(SMALL, experts=0, dense_layers=SMALL.layers)
    moe = replace(SMALL, experts=64, top_k=8, dense_layers=0)

    def calls(arch: Architecture, **parts: float) -> float:
        return float(communication.tensor_calls(arch, Strategy.of(tp=8, **parts)))

    assert calls(dense, recompute=2, sequence_parallel=0) == 6
    assert calls(dense) == 8
    assert calls(moe, ep=8) == 4
    assert float(communication.tensor_calls(dense, Strategy.of(tp=1))) == 0


def test_calls_of_collectives_slow_layers_that_wait_for_the_host():
    """Layers of no work take what the host takes: three passes, and eight calls with tensor ranks."""
    a100 = CATALOG.chip("A100 SXM 80GB")
    chip, net = chip_model(a100), fabric(CATALOG.usual_system(a100), a100)
    stack = replace(stacks()["current"], host_s=1.0)
    one = layer(SMALL, chip, replace(net, call_s=0.5), Strategy.of(tp=8), 16.0, 16.0, "bf16", stack)
    assert one.compute == pytest.approx(chip.host * (3 * 1.0 + 8 * 0.5), rel=0.01)


def test_the_state_space_product_is_bound_by_memory_by_hand():
    """A forward pass of 1e6 tokens of 3,407,872 FLOPs at 18.35 a byte of 2 TB/s."""
    chip = replace(chip_model(CATALOG.chip("A100 SXM 80GB")), memory_bandwidth=2e12)
    hybrid = replace(SMALL, ssm_layers=SMALL.layers, ssm_heads=64, ssm_head_dim=64, ssm_state=128, ssm_groups=8)
    stack = stacks()["current"]
    once, twice = (
        _state_space_block(hybrid, chip, Strategy.of(), 1e6, "bf16", replace(stack, scan_overhead=overhead))[0]
        for overhead in (1.0, 2.0)
    )
    flops = 256 * (8 * 128 + 64 * 64) + 4 * 128 * 64 * 64
    assert twice - once == pytest.approx(1e6 * flops / (0.12 * 312 / 2.04 * 2e12))


def test_dualpipe_hides_the_all_to_alls_behind_a_layers_compute():
    """What is hidden costs 20 of 132 cores of the compute beside it (arXiv:2412.19437, sections 3.2.1 and 3.2.2)."""
    assert communication.beside(1.0, 10.0) == pytest.approx(20 / 132)
    assert communication.beside(10.0, 1.0) == pytest.approx(9 + 20 / 132)
    st = Strategy.of(ep=8, dp=8, pp=4, schedule=[0, 2])
    parts = evaluate(MIXTRAL, H100, DGX, st, 64, 8192).breakdown
    alone = communication.experts_seconds(MIXTRAL, DGX, st, 8192.0)[1]
    assert parts["ep"][1] == pytest.approx(8 * MIXTRAL.layers / 4 * alone * 20 / 132)
    assert parts["ep"][0] > parts["ep"][1]
