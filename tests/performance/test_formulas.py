"""Schedules, uneven stages, recomputation, ZeRO, offload and collectives against published and hand-computed cases."""

from dataclasses import replace

import numpy as np
import pytest

from outlay.catalog import Catalog
from outlay.performance import network
from outlay.performance.chip import chip_model, grouped_gemm_time, memory_time, tiled
from outlay.performance.communication import tensor_calls, tensor_parallel
from outlay.performance.memory import HOST_BYTES, activation_bytes, host_bytes, layers_in_flight
from outlay.performance.network import fabric
from outlay.performance.operators import elementwise_bytes, expert_bias_bytes, expert_padding_bytes, joining_bytes
from outlay.performance.strategy import Strategy, stacks
from outlay.performance.training import (
    LayerTimes,
    _between,
    _ffn_block,
    _passes,
    _softmax,
    attention_seconds,
    evaluate,
)
from outlay.performance.transformer import Architecture, Gemm, moe_gemms, parameters

CATALOG = Catalog.load()
H100 = chip_model(CATALOG.chip("H100 SXM"))
DGX = fabric(CATALOG.system("DGX H100"), CATALOG.chip("H100 SXM"))
PLAIN = replace(stacks()["current"], dp_overlap=0.0, pp_overlap=0.0, step_s=0.0, jitter=0.0)
GPT3 = Architecture("GPT-3", 96, 12288, 96, 96, 128, 49152, False, 51200)


def of_layers(layers: int) -> Architecture:
    """Return a model whose vocabulary takes no time beside its layers."""
    return Architecture("layers", layers, 1024, 8, 8, 128, 4096, False, 1)


def seconds(arch: Architecture, strategy: Strategy, batch: int, times: LayerTimes) -> dict:
    """Return the seconds of a step by kind where a layer takes the times given."""
    return evaluate(arch, H100, DGX, strategy, batch, 2048, stack=PLAIN, layer_times=times).breakdown


@pytest.mark.parametrize(
    ("schedule", "vpp", "bubble"),
    [
        ("1f1b", 1, 7 * (2 + 3 + 1)),  # (p - 1) (F + B + W): arXiv:2104.04473, 2.2.1; arXiv:2401.10241, table 1
        ("1f1b", 2, 7 * (2 + 3 + 1) / 2),  # over the chunks: arXiv:2104.04473, 2.2.2
        ("zero-bubble", 1, 7 * (2 + 3 - 1)),  # ZB-H1 (p - 1) (F + B - W): arXiv:2401.10241, table 1
        ("dualpipe", 1, 3 * ((2 + 3 + 1) + (3 + 1) - 3 * 1)),  # (p/2 - 1) (F&B + B - 3 W): arXiv:2412.19437, table 2
    ],
)
def test_bubbles_of_schedules(schedule: str, vpp: int, bubble: float):
    """Eight stages of two layers; a stage's forward takes 2 s, input gradients 3 s, weight gradients 1 s."""
    place = ("1f1b", "zero-bubble", "dualpipe").index(schedule)
    strategy = Strategy.of(pp=8, vpp=vpp, schedule=place)
    found = seconds(of_layers(16), strategy, 32, LayerTimes(1.0, 1.5, 0.5, 0.0, 0.0, 0.0))
    assert float(found["bubble"]) == pytest.approx(bubble, rel=1e-3)
    assert float(found["compute"]) == pytest.approx(32 * 6, rel=1e-3)


def test_equal_passes_leave_a_third_of_the_bubble():
    """The headline of arXiv:2401.10241: with F = B = W, ZB-H1 has a third of 1F1B's bubble."""
    times = LayerTimes(1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    found = seconds(of_layers(16), Strategy.of(pp=8, schedule=[0, 1]), 32, times)["bubble"]
    assert found[1] == pytest.approx(found[0] / 3, rel=1e-3)


def test_uneven_stages_wait_for_the_largest():
    """Ten layers on four stages: three of 3 and one of 1; per micro-batch 3 - 2.5 layers are lost, and 3 x 2.5 once."""
    found = seconds(of_layers(10), Strategy.of(pp=4), 16, LayerTimes(1.0, 1.0, 1.0, 0.0, 0.0, 0.0))
    assert float(found["bubble"]) == pytest.approx(16 * 0.5 * 3 + 3 * 2.5 * 3, rel=1e-3)
    whole = float(found["bubble"] + found["compute"])
    assert whole == pytest.approx(16 * 9 + 3 * 7.5, rel=1e-3)


def test_a_short_last_stage_has_room_for_the_head():
    """126 layers on 16 stages: the last has 6 of 8, so a head of two layers costs no more than its compute."""
    times = LayerTimes(1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    even, short = (
        seconds(replace(of_layers(layers), vocab=2**24), Strategy.of(pp=16), 64, times) for layers in (128, 126)
    )
    head = float(even["compute"]) * 16 / 64 - 128 * 3
    assert 0 < head < 6
    lost = 64 * (24 + head - (128 * 3 + head) / 16)
    assert float(even["bubble"]) == pytest.approx(lost + 15 * (384 + head) / 16, rel=1e-6)
    assert float(short["bubble"]) == pytest.approx(64 * (24 - (378 + head) / 16) + 15 * (378 + head) / 16, rel=1e-6)


def test_layers_in_flight_of_schedules():
    """Eight stages of 12 layers, 64 micro-batches: arXiv:2205.05198, 4.2.3; arXiv:2412.19437, table 2."""
    strategy = Strategy.of(pp=8, vpp=[1, 2, 1, 1], schedule=[0, 0, 1, 2])
    first, last = layers_in_flight(GPT3, strategy, 64)
    assert list(first) == [8 * 12, 96 * (1 + 7 / 16), 8 * 12, 9 * 12]
    assert list(last) == [12, 96 * (1 - 7 / 16), 12, 9 * 12]
    assert list(layers_in_flight(GPT3, strategy, 2)[0]) == [24, 24, 24, 24]


def test_dualpipe_holds_two_stages():
    """It feeds a pipeline from both ends: twice the weights (arXiv:2412.19437, table 2)."""
    times = evaluate(of_layers(16), H100, DGX, Strategy.of(pp=4, schedule=[0, 2]), 16, 2048)
    assert times.memory["weights"][1] == pytest.approx(2 * times.memory["weights"][0])


@pytest.mark.parametrize(
    ("mode", "kept", "working"),
    [
        (0, 10 + 18 + 4, 0),  # attention 2 + 6 + 2, FFN 2 + 8 + 8, inputs of both norms 2 + 2 bytes a value of h
        (1, 10 + 18 + 4, 0),  # unfused: the scores alone are dropped
        (2, 2, 32),
        (3, 18 + 4, 32),
        (4, 10 + 4, 32),
    ],
)
def test_activations_by_recompute_mode(mode: int, kept: int, working: int):
    """After arXiv:2205.05198, equations 1 to 4, GPT-3 with 2,048 tokens; scores 5 a s bytes where they are kept."""
    stack, tokens, h = stacks()["megatron-2021"], 2048.0, 12288
    scores = 5 * 96 * 2048 if mode in (0, 4) else 0
    again = 5 * 96 * 2048 if working else 0
    found = activation_bytes(GPT3, Strategy.of(recompute=mode), tokens, 2048, stack)
    assert float(found[0]) == tokens * (kept * h + scores)
    assert float(found[1]) == tokens * (working * h + again) * (working > 0)


def test_recomputed_passes_are_paid_once():
    """A recomputed block's backward pass grows by its forward; attention and FFN together by the whole layer's.

    With the sums of the gradients of weights the backward pass takes somewhat more than twice the forward.
    """
    arch, tokens = replace(GPT3, layers=4, vocab=1), 2048
    strategy = Strategy.of(recompute=[0, 2, 3, 4])
    step = evaluate(arch, H100, DGX, strategy, 1, tokens, stack=replace(PLAIN, host_s=0.0)).breakdown["compute"]
    assert step[1] - step[0] == pytest.approx((step[2] - step[0]) + (step[3] - step[0]), rel=1e-9)
    assert 1 + 0.8 / 3 < step[1] / step[0] < 1 + 1 / 3


def test_zero_table_of_a_7_5_billion_model():
    """arXiv:1910.02054, table 1: 64 ranks, K = 12; with gradients in fp32 2 + 4 + 12 bytes, cut stage by stage."""
    arch = Architecture("7.5B", 48, 3584, 28, 28, 128, 14336, False, 51200)
    count = float(parameters(arch).total)
    assert count == pytest.approx(7.5e9, rel=0.05)
    memory = evaluate(arch, H100, DGX, Strategy.of(dp=64, zero=[0, 1, 2, 3]), 64, 2048).memory
    assert memory["optimiser"] == pytest.approx([12 * count, *[12 * count / 64] * 3])
    assert memory["gradients"] == pytest.approx([4 * count, 4 * count, 4 * count / 64, 2 * count / 64])
    assert memory["weights"][:3] == pytest.approx(2 * count)
    assert memory["weights"][3] == pytest.approx(2 * count / 64 + 4 * count / 48)


def test_hybrid_shards_cut_within_and_sum_between():
    """Shards of 8 of 64 ranks (arXiv:2304.11277, 3.2.2): states over 8; gradients of a shard summed over 8 replicas."""
    arch = of_layers(16)
    count = float(parameters(arch).total)
    strategy = Strategy.of(dp=64, zero=[0, 1, 3, 1, 3], shard=[0, 0, 0, 8, 8])
    times = evaluate(arch, H100, DGX, strategy, 128, 2048, stack=PLAIN)
    assert times.memory["optimiser"][1:] == pytest.approx([12 * count / n for n in (64, 64, 8, 8)])

    def gathered(ranks: int) -> float:
        return float(network.all_gather(DGX, 2 * count, ranks, pieces=arch.layers))

    def scattered(size: float, ranks: int) -> float:
        return float(network.reduce_scatter(DGX, size * count, ranks, pieces=arch.layers))

    between = float(network.all_reduce(DGX, 4 * count / 8, 8, 8))
    micro = 2
    assert times.breakdown["dp"] == pytest.approx(
        [
            float(network.all_reduce(DGX, 4 * count, 64)),
            scattered(4, 64) + gathered(64),
            micro * (2 * gathered(64) + scattered(2, 64)),
            scattered(4, 8) + gathered(8) + between,
            micro * (2 * gathered(8) + scattered(2, 8)) + between,
        ]
    )


def test_offload_moves_what_it_keeps_to_the_host():
    """Moments and master weights leave the chip for its share of the host; activations leave and come back."""
    arch = of_layers(16)
    strategy = Strategy.of(dp=8, offload=[0, 1, 2])
    times = evaluate(arch, H100, DGX, strategy, 8, 2048, stack=PLAIN)
    count = float(parameters(arch).total)
    kept = float(activation_bytes(arch, Strategy.of(), 2048.0, 2048, PLAIN)[0])
    assert times.memory["optimiser"] == pytest.approx([12 * count / 8, 0, 12 * count / 8])
    assert host_bytes(arch, strategy, 8, 2048, PLAIN) == pytest.approx([0, 12 * count / 8, 16 * kept])
    assert times.memory["activations"][0] - times.memory["activations"][2] == pytest.approx(16 * kept)
    assert times.breakdown["optimiser"][1] > times.breakdown["optimiser"][0]


def test_what_overflows_the_host_does_not_fit():
    """A chip with room to spare does not help where the host has none."""
    arch = Architecture("large", 96, 12288, 96, 96, 128, 49152, False, 51200)
    large = replace(H100, memory_bytes=1e15)
    fits = evaluate(arch, large, DGX, Strategy.of(dp=8, offload=[0, 1]), 8, 2048).fits
    assert 12 * float(parameters(arch).total) / 8 > HOST_BYTES
    assert list(fits) == [True, False]


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_bus_bandwidth_of_a_ring_is_that_of_the_links(ranks: int):
    """By the definition of nccl-tests, 2 (n-1)/n bytes over time for an all-reduce, (n-1)/n for the other two."""
    size = 1e12
    for collective, factor, efficiency in (
        (network.all_reduce, 2, DGX.reduce_efficiency),
        (network.all_gather, 1, DGX.gather_efficiency),
        (network.reduce_scatter, 1, DGX.gather_efficiency),
    ):
        bus = factor * (ranks - 1) / ranks * size / float(collective(DGX, size, ranks))
        reached = DGX.domain_bandwidth * efficiency * (1 - DGX.few_loss / ranks)
        assert bus == pytest.approx(reached, rel=2e-3)


def test_a_hierarchical_group_runs_at_the_lesser_of_links_and_nics():
    """Sixteen neighbours in two servers use eight NICs of 50 GB/s a server; sixteen 4 apart use two."""
    size, nic = 1e10, 50e9 * DGX.scaleout_efficiency
    links = DGX.domain_bandwidth * DGX.gather_efficiency * (1 - DGX.few_loss / 8)
    close, far = float(network.all_gather(DGX, size, 16)), float(network.all_gather(DGX, size, 16, 4))
    turn = DGX.domain_latency + 2 * 7 * DGX.hop_latency + network.RING_HOP
    assert close == pytest.approx(15 / 16 * size / min(links, 8 * nic) + turn, rel=1e-9)
    turn = DGX.domain_latency + 8 * DGX.hop_latency + 7 * network.RING_HOP
    assert far == pytest.approx(15 / 16 * size / (2 * nic) + turn, rel=1e-9)


def test_latency_grows_with_the_depth_of_a_tree():
    """Empty messages over 2 to 512 servers: one step more for each doubling."""
    servers = 2.0 ** np.arange(1, 10)
    times = network.all_reduce(DGX, 0.0, 8 * servers)
    near = DGX.domain_latency + 2 * 7 * DGX.hop_latency
    assert times == pytest.approx(near + DGX.scaleout_latency * np.arange(1, 10))


def test_an_empty_ring_passes_every_domain_and_goes_from_each_to_the_next():
    """Of 64 servers, 63 steps of 14 us between them; twelve tensors gathered by themselves wait for twelve turns."""
    turn = float(network.all_gather(DGX, 0.0, 512))
    assert turn == pytest.approx(DGX.domain_latency + 64 * 7 * DGX.hop_latency + 63 * 14e-6)
    assert float(network.reduce_scatter(DGX, 0.0, 512, pieces=12)) == pytest.approx(12 * turn)


def test_an_all_to_all_moves_near_and_far_at_once():
    """Of 64 chips 7 are near and 56 far; the slower of the two paths counts (Thakur et al., section 4)."""
    size = 1e10
    near = size * 7 / 64 / (DGX.domain_bandwidth * DGX.all_to_all_efficiency * (1 - DGX.few_loss / 8))
    away = size * 56 / 64 / (50e9 * DGX.scaleout_efficiency)
    expected = max(near, away) + DGX.domain_latency + 7 * DGX.hop_latency + 3 * DGX.scaleout_latency
    assert float(network.all_to_all(DGX, size, 64)) == pytest.approx(expected)


def test_dispatch_reaches_domains_as_the_occupancy_of_boxes_says():
    """Eight picks among 8 servers reach 8 (1 - (7/8)^8) = 5.25 of them, 7/8 of these elsewhere."""
    size = 1e10
    reached = 8 * (1 - (7 / 8) ** 8)
    assert reached == pytest.approx(5.251, abs=1e-3)
    away = size * reached * 7 / 8 / (50e9 * DGX.scaleout_efficiency)
    assert float(network.dispatch(DGX, size, 8, 64)) == pytest.approx(
        away + DGX.domain_latency + 7 * DGX.hop_latency + 3 * DGX.scaleout_latency
    )


def test_experts_cut_by_tensor_ranks_lie_further_apart():
    """Eight expert ranks of four chips each fill four servers of eight: two of them in a server, not all."""
    size = 1e10
    apart, close = (float(network.dispatch(DGX, size, 2, 8, stride)) for stride in (4, 1))
    reached = 4 * (1 - (3 / 4) ** 2)
    away = size * reached * 3 / 4 / (50e9 * DGX.scaleout_efficiency)
    assert apart == pytest.approx(away, rel=1e-3)
    assert close < away / 5


def test_attention_beside_the_ffn_halves_what_tensor_ranks_sum():
    """One collective of each pass a layer for two, and of the FFN's norm and addition 5 h no more than h is moved."""
    arch = Architecture("two", 4, 1024, 8, 8, 128, 4096, False, 1000)
    beside, cut = replace(arch, parallel_block=True), Strategy.of(tp=8)
    times = [float(np.ravel(tensor_parallel(one, DGX, cut, 4096.0, PLAIN))[0]) for one in (beside, arch)]
    assert times[0] == pytest.approx(times[1] / 2)
    assert [float(tensor_calls(one, cut)) for one in (beside, arch)] == pytest.approx([4, 8], rel=1)
    moved = [float(elementwise_bytes(one, 1.0, block="ffn")) for one in (beside, arch)]
    assert moved == [2 * (1024 + 2 * 4096), 2 * (5 * 1024 + 2 * 4096)]


def test_narrow_heads_wait_for_exponentials():
    """Of 989 TFLOP/s an exponential takes as long as 254 FLOPs: heads of 64 are 1.33 times as slow as those of 128."""
    share = H100.peak_of("bf16") / 3.9e12 / 4
    expected = (1 + share / 64) / (1 + share / 128)
    assert expected == pytest.approx(1.33, abs=0.01)
    assert _softmax(H100, 64.0, 4.0) == pytest.approx(expected)
    assert _softmax(H100, 128.0, 4.0) == 1.0


def test_narrow_products_convert_what_they_multiply_and_sum_gradients_in_fp32():
    """Forward 4 bytes a value of both operands, backward of the gradient and the weights; 8 a weight for its sum."""
    m, n, k = 4096.0, 8192.0, 2048.0
    stack = replace(PLAIN, narrow=1.1, cast=0.9)
    bandwidth = H100.memory_bandwidth * H100.memory_efficiency
    curve = H100.curve_of("fp8")
    rate = H100.peak_of("fp8") * curve.efficiency

    def product(rows: float, columns: float, depth: float) -> float:
        compute = 2 * float(tiled(curve, 132.0, 1.0, rows, columns)) * (depth + curve.k0) / rate
        return H100.narrow * curve.narrow * 1.1 * (compute + curve.launch_s)

    expected = [
        product(m, n, k) + 0.9 * 4 * (m * k + k * n) / bandwidth,
        product(m, k, n) + 0.9 * 4 * (m * n + n * k) / bandwidth,
        product(k, n, m) + 8 * k * n / bandwidth,
    ]
    assert _passes(H100, [Gemm("one", m, n, k)], "fp8", stack) == pytest.approx(expected)


def test_wide_products_convert_nothing():
    """In bf16 only the sum of the gradients of weights is added to the products."""
    m, n, k = 4096.0, 8192.0, 2048.0
    found = _passes(H100, [Gemm("one", m, n, k)], "bf16", PLAIN)
    alone = [
        float(grouped_gemm_time(H100, 1.0, *order, "bf16", plain=True)) for order in ((m, n, k), (m, k, n), (k, n, m))
    ]
    alone[2] += 8 * k * n / (H100.memory_bandwidth * H100.memory_efficiency)
    assert found == pytest.approx(alone)


def test_biases_and_clamps_of_experts_by_hand():
    """Top 2 of experts 512 wide at 1,024: 2 (12 x 1,024 + 16 x 512) bytes a token there, 2 (16, 20) back; else none."""
    arch = Architecture("moe", 4, 1024, 8, 8, 128, 0, True, 1000, experts=8, top_k=2, moe_ffn=512)
    assert np.all(np.array(expert_bias_bytes(arch, 4096.0)) == 0)
    biased = replace(arch, expert_bias=True)
    assert expert_bias_bytes(biased, 3.0, tp=2) == (1.5 * 2 * 20480, 1.5 * 2 * 26624)
    with_, without = (
        np.ravel(_ffn_block(model, H100, Strategy.of(dp=8), 4096.0, "bf16", PLAIN, moe=True))
        for model in (biased, arch)
    )
    moved = [float(memory_time(H100, 4096 * 2 * size)) for size in (20480, 26624)]
    assert with_ - without == pytest.approx([*moved, 0.0], abs=1e-9)


def test_padding_of_experts_by_hand():
    """Top 2 of 1,024 values, copied before and after experts of narrow types, in either direction: 8 x 2 x 1,024."""
    arch = Architecture("moe", 4, 1024, 8, 8, 128, 0, True, 1000, experts=8, top_k=2, moe_ffn=512)
    assert expert_padding_bytes(arch, 3.0, tp=2) == 1.5 * 8 * 2 * 1024
    moved = float(memory_time(H100, 4096 * 8 * 2 * 1024))
    for dtype, added in (("fp8", moved), ("bf16", 0.0)):
        padded, plain = (
            np.ravel(_ffn_block(arch, H100, Strategy.of(dp=8), 4096.0, dtype, replace(PLAIN, padded=pad), moe=True))
            for pad in (1.0, 0.0)
        )
        assert padded - plain == pytest.approx([added, added, 0.0], abs=1e-9)


def test_tokens_are_permuted_to_experts_and_back():
    """Top 2 of 1,024 values: to the experts 2 x 2 x 1,024 read and written, back 2 x 1,024 read and 1,024 written."""
    arch = Architecture("moe", 4, 1024, 8, 8, 128, 0, True, 1000, experts=8, top_k=2, moe_ffn=512)
    tokens, strategy = 4096.0, Strategy.of(dp=8)
    moved = elementwise_bytes(arch, tokens, block="experts")
    rest = _passes(H100, moe_gemms(arch, tokens), "bf16", PLAIN) + _between(H100, np.asarray(moved), PLAIN)
    found = np.ravel(_ffn_block(arch, H100, strategy, tokens, "bf16", PLAIN, moe=True)) - np.ravel(rest)
    sent = float(memory_time(H100, 2.0 * tokens * 7 * 1024))
    assert found == pytest.approx([sent, sent, 0.0], abs=1e-9)


def test_unfused_heads_off_16_bytes_leave_the_tensor_cores():
    """Products over heads of 108 run at 19.5/312 of the peak, as an A100 sums in fp32, those of 112 as others."""
    stack = replace(stacks()["megatron-2022"], attention_overhead=1.0)
    found, products = {}, {}
    for width in (108, 112):
        arch = Architecture("heads", 1, 128 * width, 128, 128, width, 4, False, 8)
        forward, _ = attention_seconds(arch, replace(H100, attention=1.0), Strategy.of(), 2048.0, 2048.0, stack)
        found[width] = float(forward - memory_time(H100, 11.0 * 128 * 2048.0**2))
        products[width] = grouped_gemm_time(H100, 128.0, 2048.0, 2048.0, width, "bf16", plain=True)
        products[width] += grouped_gemm_time(H100, 128.0, 2048.0, width, 2048.0, "bf16", plain=True)
    off = 4 * 2048 * 2048 * 128 * 108 / (float(H100.peak_of("bf16")) * 19.5 / 312)
    assert found == pytest.approx({108: off, 112: float(products[112])})
    assert off > 4 * products[108]


def test_latent_attention_joins_rotary_parts_and_takes_values_out():
    """Of 128 heads with 128 + 64 and 128: 2 (2 x 192) as any rotary embedding, and 2 (128 + 2 x 64) a head on top."""
    plain = {"tied": True, "kv_lora": 512, "qk_nope": 128, "qk_rope": 64, "v_head": 128}
    arch = Architecture("latent", 1, 7168, 128, 128, 192, 4, True, 8, **plain)
    assert float(elementwise_bytes(arch, 1.0, block="attention")) == 2 * (5 * 7168 + 128 * 2 * 2 * 192)
    assert float(joining_bytes(arch, 1.0)) == 2 * 128 * 2 * (128 + 2 * 64)
