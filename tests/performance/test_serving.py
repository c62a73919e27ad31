"""Memory, prefill, decode and the closed loop of serving: by hand, as bounds, and as properties."""

from dataclasses import replace

import numpy as np
import pytest
from free import FREE
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.performance.chip import chip_model
from outlay.performance.network import fabric
from outlay.performance.serving import operations
from outlay.performance.serving.configurations import Workload, replica_times
from outlay.performance.serving.engines import engine, usual_engine
from outlay.performance.serving.hardware import Device, device, family_of
from outlay.performance.serving.kernels import USUAL, of_step
from outlay.performance.serving.latency import closed_loop
from outlay.performance.serving.models import served as as_served
from outlay.performance.serving.models import served_named
from outlay.performance.serving.operations import Precision, Replicas
from outlay.performance.transformer import Gemm, architecture, parameters

CATALOG = Catalog.load()
CHIPS = ("H100 SXM", "H200 SXM", "B200 SXM", "H20 96GB", "MI300X", "Ascend 910C", "TPU v6e (Trillium)", "Gaudi 3")


def arch_of(name):
    """Return the architecture of a catalogue model."""
    return architecture(CATALOG.model(name))


def hardware(name):
    """Return chip and network of a catalogue chip in its usual system."""
    record = CATALOG.chip(name)
    return chip_model(record), fabric(CATALOG.usual_system(record), record)


def replica(tp=1.0, ep=1.0, batch=1.0, pp=1.0):
    """Return one configuration."""
    return Replicas(*(np.array([[float(v)]]) for v in (tp, ep, batch, pp)))


def served(model, chip_name, replicas, *, input_tokens=1000, output_tokens=500, dtype="fp8", software=None):
    """Return what replicas of a model do with the usual engine of a chip, by the formulas alone."""
    chip, network = hardware(chip_name)
    where = Device(chip, network, family_of(chip.family))
    numbers = software or engine(usual_engine(where.family))
    types = Precision(dtype, operations.compute_dtype(chip, dtype, as_served(CATALOG.model(model))))
    work = Workload(input_tokens, output_tokens)
    return replica_times(as_served(CATALOG.model(model)), where, replicas, work, types, numbers)[0]


def model_of(name):
    """Return a model as it is served."""
    return as_served(CATALOG.model(name))


def test_kv_cache_of_grouped_heads_by_hand():
    """Llama-70B keeps 2 x 8 heads x 128 x 80 layers x 2 bytes a token; eight ranks share it, sixteen repeat heads."""
    model, token = model_of("Llama-3.1-70B"), 2 * 8 * 128 * 80 * 2
    assert operations.kv_bytes(model, replica(), 1000)[0, 0] == 1000 * token
    assert operations.kv_bytes(model, replica(tp=8, batch=3), 1000)[0, 0] == 3 * 1000 * token / 8
    assert operations.kv_bytes(model, replica(tp=16), 1000)[0, 0] == 1000 * token / 8
    assert operations.kv_bytes(model, replica(), 1000, 1.0)[0, 0] == 1000 * token / 2


def test_kv_cache_of_a_latent_by_hand():
    """DeepSeek-V3 keeps (512 + 64) values x 61 layers x 2 bytes, whole on every rank that cuts its attention."""
    model, token = model_of("DeepSeek-V3"), (512 + 64) * 61 * 2
    assert operations.kv_bytes(model, replica(), 1000)[0, 0] == 1000 * token
    assert operations.kv_bytes(model, replica(tp=8), 1000)[0, 0] == 1000 * token
    assert operations.kv_bytes(model, replica(tp=1, ep=8, batch=8), 1000)[0, 0] == 1000 * token


def test_windowed_layers_keep_the_window_alone():
    """Every second layer of gpt-oss keeps 128 tokens."""
    arch, model = arch_of("gpt-oss-120b"), model_of("gpt-oss-120b")
    long = operations.kv_bytes(model, replica(), 10_000)[0, 0]
    assert long == pytest.approx(2 * arch.kv_heads * arch.head_dim * 2 * arch.layers / 2 * (10_000 + 128))


def test_weights_by_hand():
    """70.55 billion parameters in fp8, their embeddings in bf16, cut by tp and by stages."""
    model = model_of("Llama-3.1-70B")
    vocabulary = 2 * 128_256 * 8192
    matrices = 80 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 28_672)
    assert operations.weight_bytes(model, replica(), 1.0)[0, 0] == matrices + 2 * vocabulary
    assert operations.weight_bytes(model, replica(), 0.5)[0, 0] == matrices / 2 + 2 * vocabulary
    assert operations.weight_bytes(model, replica(tp=8), 2.0)[0, 0] == (2 * matrices + 2 * vocabulary) / 8
    assert operations.weight_bytes(model, replica(pp=2), 1.0)[0, 0] == matrices / 2 + 2 * vocabulary


def test_experts_reached_are_those_of_uneven_routing():
    """A grouped GEMM reads E n k / (E + (n - 1) k) experts: 8 of 256 for one token, 180 for 73 tokens."""
    model, (chip, _) = model_of("DeepSeek-V3"), hardware("H200 SXM")
    one = np.ones((1, 1))
    gemm = Gemm("expert up", one * 8 / 256, 2048 * one, 7168 * one, one, 256 * one, grouped=True)

    def experts(tokens):
        m = Gemm(gemm.name, one * 8 / 256 * tokens, gemm.n, gemm.k, one, gemm.groups, grouped=True)
        seconds = operations._streamed(chip, m, tokens * one, model, Precision("fp8", "fp8"), 1.0)[0, 0]
        moved = seconds * chip.memory_bandwidth * chip.memory_efficiency
        activations = 2.0 * tokens * 8 * (2048 + 7168)
        return (moved - activations) / (2048 * 7168)

    assert experts(1.0) == pytest.approx(8.0)
    assert experts(73.0) == pytest.approx(256 * 73 * 8 / (256 + 72 * 8))


def test_one_request_decodes_alone():
    """With one request no prompt interferes: a token takes a step, the first one prompt and step and admission."""
    spent = replace(FREE, admit_s=0.01)
    loop = closed_loop(np.array(0.02), np.array(0.5), np.array(1.0), 100.0, spent, wave=0.3)
    assert float(loop.tpot_s) == pytest.approx(0.02)
    assert float(loop.ttft_s) == pytest.approx(0.53)
    assert float(loop.requests_per_s) == pytest.approx(1 / (0.53 + 2.0))


def test_closed_loop_solves_its_equation():
    """The time of a token is x = step + (c - 1) prefill x / (W + n x), by Little's law; prompts are read at most
    as fast as the chip reads them.
    """
    step, prefill, c, n = 0.02, 0.5, 30.0, 100.0
    loop = closed_loop(np.array(step), np.array(prefill), np.array(c), n, FREE)
    x, first = float(loop.tpot_s), float(loop.ttft_s)
    assert x == pytest.approx(step + (c - 1) * prefill * x / (first + n * x))
    busy = closed_loop(np.array(1e-6), np.array(0.1), np.array(100.0), 50.0, FREE)
    assert float(busy.requests_per_s) == pytest.approx(1 / 0.1, rel=0.05)


def test_a_pool_of_its_own_for_prompts_leaves_decoding_alone():
    """Prompts read elsewhere do not stretch the time of a token."""
    loop = closed_loop(np.array(0.02), np.array(0.5), np.array(30.0), 100.0, FREE, shared=0.0, readers=4.0)
    assert float(loop.tpot_s) == pytest.approx(0.02)


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(["Llama-3.1-8B", "Llama-3.1-70B", "Qwen3-32B"]),
    chip_name=st.sampled_from(CHIPS),
    tp=st.sampled_from([1, 2, 4, 8]),
    batch=st.integers(1, 1024),
    dtype=st.sampled_from(["bf16", "fp8"]),
)
def test_no_token_is_faster_than_memory(model, chip_name, tp, batch, dtype):
    """A step of a dense model reads all weights and every cache once: TPOT is at least their bytes over bandwidth."""
    arch, of, (chip, _) = arch_of(model), model_of(model), hardware(chip_name)
    replicas = replica(tp=tp, batch=batch)
    found = served(model, chip_name, replicas, dtype=dtype, software=FREE)
    weights = operations.weight_bytes(of, replicas, operations.weight_width(dtype))
    weights = weights - 2.0 * arch.vocab * arch.hidden / tp  # but the embedding
    cache = operations.kv_bytes(of, replicas, 1250)
    assert found.tpot_s[0, 0] >= float((weights + cache)[0, 0]) / chip.memory_bandwidth * (1 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(["Llama-3.1-70B", "Qwen3-235B-A22B", "DeepSeek-V3"]),
    chip_name=st.sampled_from(CHIPS),
    layout=st.sampled_from([(1, 8), (2, 8), (8, 1), (4, 1)]),
    batch=st.integers(8, 4096),
)
def test_no_chip_is_faster_than_its_peak(model, chip_name, layout, batch):
    """Twice the active parameters a token, prompts and answers alike, stay below the peak of the chip."""
    arch, (chip, _) = arch_of(model), hardware(chip_name)
    replicas = replica(tp=layout[0], ep=layout[1] if arch.experts else 1, batch=batch)
    found = served(model, chip_name, replicas, software=FREE)
    tokens = found.requests_per_s / replicas.chips * (1000 + 500)
    flops = 2.0 * (parameters(arch).active_matmul - arch.vocab * arch.hidden)  # prompts need no output head
    assert float((tokens * flops)[0, 0]) < chip.peak_of(operations.compute_dtype(chip, "fp8", model_of(model)))


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(["Llama-3.1-70B", "gpt-oss-120b", "DeepSeek-V3"]),
    chip_name=st.sampled_from(CHIPS),
    lengths=st.sampled_from([(128, 128), (1000, 1000), (8000, 200), (200, 8000)]),
)
def test_larger_batches_never_serve_less(model, chip_name, lengths):
    """Throughput of a replica does not fall with its batch, nor does any latency."""
    batch = np.unique(np.round(2.0 ** np.arange(0, 11.1, 0.25)))[None, :]
    replicas = Replicas(8.0 + 0 * batch, 1.0 + 0 * batch, batch)
    found = served(model, chip_name, replicas, input_tokens=lengths[0], output_tokens=lengths[1])
    for rising in (found.requests_per_s, found.tpot_s, found.ttft_s):
        assert (np.diff(rising[0]) >= -1e-9 * rising[0, :-1]).all()


def test_stages_hold_their_share():
    """Two stages halve the matrices and the cache of a chip and keep the time of a token about the same."""
    one, two = (served("Llama-3.1-70B", "H100 SXM", replica(tp=4, batch=16, pp=pp)) for pp in (1, 2))
    assert two.memory["kv cache"][0, 0] == one.memory["kv cache"][0, 0] / 2
    assert one.tpot_s[0, 0] * 0.7 < two.tpot_s[0, 0] <= one.tpot_s[0, 0] * 1.05


def test_a_chip_without_fp8_multiplies_in_what_it_has():
    """Weights in fp8 run at int8's rate on Ascend 910C, those in fp4 at bf16's where there is no fp4."""
    dense, (h100, _), (ascend, _) = model_of("Llama-3.1-70B"), hardware("H100 SXM"), hardware("Ascend 910C")
    assert operations.compute_dtype(ascend, "fp8", dense) == "int8"
    assert operations.compute_dtype(h100, "fp8", dense) == "fp8"
    assert operations.compute_dtype(h100, "fp4", dense) == "bf16"


def test_fp8_experts_of_makers_that_scale_by_the_block_run_their_own_kernels():
    """DeepSeek-V3's checkpoint has a scale for each 128 x 128 weights, Mixtral's for a matrix; an Ascend has int8."""
    h100, ascend = hardware("H100 SXM")[0], hardware("Ascend 910C")[0]
    assert operations.compute_dtype(h100, "fp8", model_of("DeepSeek-V3")) == "fp8_block"
    assert operations.compute_dtype(h100, "fp8", model_of("Mixtral-8x7B")) == "fp8"
    assert operations.compute_dtype(h100, "bf16", model_of("DeepSeek-V3")) == "bf16"
    assert operations.compute_dtype(ascend, "fp8", model_of("DeepSeek-V3")) == "int8"


def test_a_drafted_token_takes_a_layer_the_head_and_the_matrix_before_them():
    """Llama-3.1-70B in bf16, one request: a layer, 2 h x h and the head are read once more for each drafted token."""
    model, (chip, network) = model_of("Llama-3.1-70B"), hardware("H100 SXM")
    types, one, context = Precision("bf16", "bf16"), replica(tp=8), 1000.0
    counts, h = parameters(model.arch), 8192.0

    def taken(drafted):
        verified = operations.decode_parts(model, chip, network, one, context, types, 1.0 + drafted)
        return verified.gemm[0, 0]

    read = (counts.attention + counts.dense_ffn + 128256 * h) / 8 + 2 * h * h
    bandwidth = chip.memory_bandwidth * chip.memory_efficiency
    assert taken(2.0) - taken(1.0) == pytest.approx(2.0 * read / bandwidth, rel=0.02)
    more = of_step(model, one, types, USUAL, 3.0) - of_step(model, one, types, USUAL)
    assert float(more[0, 0]) == 2 * (12 + 3)


def test_linear_layers_keep_a_state_instead_of_a_cache():
    """Qwen3-Next: 12 of 48 layers keep 2 x 2 heads x 256 values a token, 36 a state of 32 x 128 x 128 fp32 values."""
    model = model_of("Qwen3-Next-80B-A3B")
    state = 36 * 32 * 128 * 128 * 4
    assert float(model.stored_bytes(1000, 2.0)) == pytest.approx(12 * 2 * 2 * 256 * 2 * 1000 + state)
    assert float(model.read_bytes(1000, 2.0)) == pytest.approx(12 * 2 * 2 * 256 * 2 * 1000 + 2 * state)


def test_sparse_attention_reads_the_best_tokens_and_an_index():
    """DeepSeek-V3.2 reads 2,048 latents of 576 values and the 128 bytes of index of each of 100,000 tokens a layer."""
    model, full = model_of("DeepSeek-V3.2"), model_of("DeepSeek-V3")
    assert float(model.read_bytes(100_000, 2.0)) == pytest.approx(61 * (2048 * 576 * 2 + 100_000 * 128))
    assert float(model.read_bytes(1000, 2.0)) > float(full.read_bytes(1000, 2.0))
    assert float(model.read_bytes(100_000, 2.0)) < 0.2 * float(full.read_bytes(100_000, 2.0))


def test_an_unknown_model_is_scaled_from_its_nearest():
    """A model of 33 billion parameters nobody knows is a known dense one with its layers scaled, and says so."""
    model = served_named(CATALOG, "Nobody-33B", 33.0, 33.0)
    assert float(parameters(model.arch).active) == pytest.approx(33e9, rel=0.05)
    assert "scaled to 33 billion" in model.assumptions[0]


def test_a_rank_of_a_chip_of_two_is_half_of_it():
    """An engine counts the two dies of an Ascend 910C: each has half its memory and half its rate."""
    die, (chip, _) = device(CATALOG, "Ascend 910C"), hardware("Ascend 910C")
    assert die.ranks == 2
    assert die.chip.memory_bytes == chip.memory_bytes / 2
    assert die.chip.peak["bf16"] == chip.peak["bf16"] / 2


def test_accepted_tokens_of_a_draft_by_hand():
    """Three drafted tokens at 0.8: 1 + 0.8 + 0.64 + 0.512 a step (arXiv:2211.17192, equation 1)."""
    assert Workload(1000, 500, drafts=3, acceptance=0.8).accepted == pytest.approx(2.952)


def test_fresh_tokens_attend_to_cached_ones():
    """Of 8,000 tokens, 6,000 cached, the other 2,000 see 6,000 and half of themselves: 7,000, half of 14,000."""
    assert Workload(8000, 500, cached=0.75).attended == pytest.approx(14_000)
    assert Workload(8000, 500).attended is None


def test_a_prompt_in_the_cache_is_not_read():
    """With nine tenths of the prompt cached the first token comes several times sooner, and no token later."""
    chip, network = hardware("H100 SXM")
    where, types = Device(chip, network, "H100/H800/GH200"), Precision("fp8", "fp8")
    plain, spared = (
        replica_times(model_of("Llama-3.1-70B"), where, replica(tp=4, batch=32), work, types, FREE)[0]
        for work in (Workload(8000, 500), Workload(8000, 500, cached=0.9))
    )
    assert spared.ttft_s[0, 0] < plain.ttft_s[0, 0] / 3
    assert spared.tpot_s[0, 0] < plain.tpot_s[0, 0]
