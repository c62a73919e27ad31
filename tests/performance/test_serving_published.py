"""What published serving runs say in their notes and between each other, and the physics read from them."""

import bisect
from dataclasses import fields, replace

import numpy as np
import pytest
from free import FREE

from outlay.catalog import Catalog
from outlay.performance.network import all_reduce, decode_dispatch, direct
from outlay.performance.serving import residuals as serving_residuals
from outlay.performance.serving.engines import TRAITS
from outlay.performance.serving.hardware import device, vendors
from outlay.performance.serving.latency import Engine, alone_time, among_others, closed_loop, reading_time
from outlay.performance.serving.models import served_named
from outlay.performance.serving.rows import Row, bundled, lengths
from outlay.performance.serving.runs import _on_the_mean, _wave, published
from outlay.performance.serving.scatter import scatter
from outlay.performance.serving.table import Table, _held_back
from outlay.performance.serving.validation import predicted

CATALOG = Catalog.load()


def run_of(name: str):
    """Return the run of a bundled row; no row depends on another."""
    return published(CATALOG, [row for row in bundled() if row.id == name])[0].runs[0]


def row_of(notes: str, **numbers: float) -> Row:
    """Return a bundled row with other notes and numbers."""
    one = next(row for row in bundled() if row.id == "aicsil-2029")
    return replace(one, numbers={**one.numbers, **numbers}, words={**one.words, "notes": notes})


@pytest.mark.parametrize(
    ("notes", "field", "expected"),
    [
        ("suite B online, Poisson 2 req/s, SLA met; P50", "rate", 2.0),
        ("offered QPS 32, achieved 28 req/s (rounded), 500 requests; mean TTFT", "all_requests", 500.0),
        ("offered QPS INF, achieved 16 req/s", "rate", None),
        ("mean in-flight by Little's law 553 requests; p99 TTFT 2 s", "all_requests", None),
        ("mean in-flight by Little's law 553 requests; p99 TTFT 2 s", "in_flight", 553.0),
        ("batch 96 per NPU; MTP 1 token, 70 % acceptance", "drafts", 1.0),
        ("batch 96 per NPU; MTP 1 token, 70 % acceptance", "acceptance", 0.7),
        ("MTP steps=2, 3 draft tokens; TPOT SLA < 30 ms", "drafts", 2.0),
        ("2 concurrent requests per rank; acceptance length 2.44", "accepted", 2.44),
        ("2 concurrent requests per rank; acceptance length 2.44", "all_requests", None),
        ("mean TTFT/TPOT; 3000 prompts, max-num-batched-tokens 512", "all_requests", 3000.0),
        ("suite A offline: 100 requests sent at once; short run (13 s)", "all_requests", 100.0),
        ("suite A offline: 100 requests sent at once; short run (13 s)", "longest", 512.0),
        ("suite A online, Poisson 5 req/s", "longest", None),
        ("max num seqs 1500 = number of prompts, infinite rate", "seats", 1500.0),
        ("MTP 3 draft tokens; max-num-seqs 32", "seats", 32.0),
        ("MTP 3 draft tokens; max-num-seqs 32", "drafts", 3.0),
        ("3000 prompts; max-num-batched-tokens 512", "budget", 512.0),
        ("EAGLE-3 4 draft tokens; 360 prompts; full graph", "drafts", 4.0),
        ("80 prompts; full graph; 90 % of the prompt cached", "cached", 0.9),
        ("80 prompts; full graph", "cached", 0.0),
    ],
)
def test_notes_of_a_run_are_read(notes, field, expected):
    """Rates, sizes of runs and drafts stand in words."""
    given = {} if field != "in_flight" else {"concurrency_or_batch": None}
    assert getattr(row_of(notes, **given), field) == expected


def test_drafts_and_acceptance_count_as_given():
    """One drafted token at 70 %: 2 tokens verified, 1.7 made (CloudMatrix384, arXiv:2506.12708)."""
    assert run_of("cm384-0005").accepted == pytest.approx(1.7)
    assert run_of("sglmtp-0004").accepted == pytest.approx(2.44)


def test_what_is_cached_of_a_prompt_is_not_read_again():
    """Nine tenths of 131,072 tokens cached: a tenth is read, and each of its tokens attends to the cached ones too."""
    one = next(row for row in bundled() if row.id == "vasci-0030")
    whole = replace(one, words={**one.words, "notes": "MTP 3 draft tokens"})
    cached, plain = (published(CATALOG, [row])[0].runs[0].alone_s for row in (one, whole))
    assert one.cached == 0.9
    assert 0.1 < cached / plain < 0.2


def test_a_prompt_longer_than_a_step_waits_for_steps_of_the_others():
    """1,000 tokens in steps of 512: one more step, a token's time without what prompts add, before the first token."""
    run = run_of("tpu-0002")
    engine = Engine(*(np.ones(1) * getattr(FREE, name) for name in FREE.__dataclass_fields__))
    short, long = (Table((replace(run, chunks=chunks, mixed=0.0),)).predict(engine)[0] for chunks in (1, 2))
    assert run.chunks == 2
    step = short[0] * (1.0 - 127 * run.among_s / (short[1] + run.output * short[0]))
    assert long[1] - short[1] == pytest.approx(step, rel=0.05)


def test_a_layout_not_given_is_pipelined_over_domains():
    """Kimi K2 in fp8, 1 TB, on two boxes of eight H20: a stage a box, not layers cut over the network between them."""
    said = " ".join(run_of("chitu-0036").assumptions)
    assert "layout not given: tp 8 pp 2" in said
    given = " ".join(run_of("sglgb3-0005").assumptions)
    assert "layout not given: tp 1 pp 4" in given


def test_requests_sent_all_at_once_queue_for_memory():
    """Fifty prompts of 28,641 tokens of Llama-3.1-8B on 32 GiB: three fit beside the weights with a 16-bit cache."""
    run = run_of("accel-0010")
    each = 2 * 2 * 32 * 8 * 128 * (28641 + 256 / 2)
    free = 0.9 * 32 * 2**30 - 2e9 - 2 * 8.03e9
    assert run.most == pytest.approx(free / each, rel=0.02)
    assert run.waiting == pytest.approx(50 - run.most)


def test_a_pool_that_only_decodes_makes_what_its_tokens_take():
    """Tokens a second and chip times the time of a token are the requests of a chip, with kriging as without."""
    table, _ = published(CATALOG, [row for row in bundled() if row.id == "cm384-0005"])
    value, _ = predicted(table)
    assert value[0, 0] * value[0, 2] == pytest.approx(96, rel=0.03)


def test_a_wave_waits_for_half_of_its_prompts_and_is_held_up_by_the_other_half():
    """100 requests at once, steps short beside the prompts: 49.5 prompts before the first token, 49.5 after it."""
    loop = closed_loop(np.array(1e-6), np.array(0.1), np.array(100.0), 50.0, FREE, wave=0.5)
    assert float(loop.ttft_s) == pytest.approx(0.1 + 0.5 * 99 * 0.1, rel=0.02)
    assert float(loop.tpot_s) == pytest.approx(99 * 0.1 / (2 * 50), rel=0.05)
    assert float(loop.requests_per_s) == pytest.approx(1 / 0.1, rel=0.02)


def test_the_host_launches_the_kernels_of_a_prompt_while_the_chip_computes():
    """1,000 kernels of 20 us take 20 ms: longer than 15 ms of operations slowed by 1.2, shorter than 30 ms of them."""
    engine = replace(FREE, launch_s=20e-6, prefill=1.2, token_s=4e-6)
    assert reading_time(engine, [0.015, 0.030], 1000.0) == pytest.approx([0.020, 0.036])
    assert float(alone_time(engine, 0.030, 1000.0, 8000.0)) == pytest.approx(0.036 + 0.032)


def test_prompts_are_held_back_until_there_are_enough_of_them():
    """With one in ten steps, 20 steps bring two more, which wait 10; until 1.5 are there the first waits 5."""
    found = _held_back(np.array([20.0, 20.0, 0.0]), np.array([14.4, 1.5, 14.4]), np.full(3, 0.1))
    assert found == pytest.approx([40 / 3, (5.0 + 0.5 * 2.5) / 1.5, 0.0])


def test_waves_of_a_benchmark():
    """Of ten waves the first waits for half of its prompts; SGLang's requests of one length all do; a batch for all."""
    ten = row_of("", concurrency_or_batch=64.0)
    assert _wave(ten, 64.0, 640.0) == (pytest.approx(0.05), False)
    assert _wave(replace(ten, engine="SGLang"), 64.0, 640.0) == (0.5, True)
    batch = replace(ten, words={**ten.words, "scenario": "offline"})
    assert _wave(batch, 64.0, float("nan")) == (1.0, True)
    assert _wave(replace(ten, words={**ten.words, "scenario": "server"}), 64.0, 640.0) == (0.0, False)


def test_runs_of_inferencex_are_as_its_scripts_say():
    """Lengths of 0.8 to 1 times those named; prompts held back on fewer than eight chips, 1,024 tokens both ways."""
    given = {"input_len": 1024.0, "output_len": 1024.0, "concurrency_or_batch": 4.0}
    run, own = (replace(row_of(notes, **given), engine="TensorRT-LLM") for notes in ("measured=2025-10", ""))
    assert lengths(run)[:2] == pytest.approx((921.6, 921.6))
    assert lengths(own)[:2] == (1024.0, 1024.0)
    assert run.held_back(4.0) == (20.0, pytest.approx(14745.6))
    assert run.held_back(8.0) == own.held_back(4.0) == (0.0, 0.0)
    assert lengths(row_of("measured=2026-01", input_len=4000.0, output_len=1000.0))[:2] == (4000.0, 1000.0)


def test_scripts_of_inferencex_set_types_and_steps():
    """TensorRT-LLM reads DeepSeek-R1's prompts one at a time, vLLM MiniMax-M2.5's two at a time from April 2026; the
    cache of gpt-oss on B200 is narrow from December 2025, and its steps of 2,048 tokens are graphs.
    """

    def told(engine, model, chip, month, prompt, asked):
        one = row_of(f"measured={month}", input_len=prompt, output_len=1024.0, concurrency_or_batch=asked)
        found = replace(one, engine=engine, model=model, chip=chip).script
        return found and (found.kv_bytes, found.budget, found.captured)

    assert told("TensorRT-LLM", "DeepSeek-R1", "H200-SXM-141GB", "2025-11", 1024.0, 4.0) == (1.0, 1092.0, 0.0)
    assert told("vLLM", "MiniMax-M2.5", "B200-SXM-180GB", "2026-03", 1024.0, 4.0) == (2.0, 8192.0, 512.0)
    assert told("vLLM", "MiniMax-M2.5", "B200-SXM-180GB", "2026-04", 8192.0, 4.0) == (1.0, 16384.0, 2048.0)
    assert told("vLLM", "GPT-OSS-120B", "B200-SXM-180GB", "2025-11", 1024.0, 4.0) == (2.0, 8192.0, 2048.0)
    assert told("vLLM", "GPT-OSS-120B", "B200-SXM-180GB", "2025-12", 1024.0, 4.0) == (1.0, 8192.0, 2048.0)
    assert told("vLLM", "GPT-OSS-120B", "B200-SXM-180GB", "2025-08", 1024.0, 4.0) is None
    assert told("SGLang", "GPT-OSS-120B", "B200-SXM-180GB", "2026-02", 1024.0, 4.0) is None


def test_a_step_full_of_one_prompt_reads_the_weights_once():
    """Two steps that a prompt fills spare two readings of 11 ms each of 100 ms, and never more than there is."""
    assert among_others([0.100, 0.015], 2.0, 0.011) == pytest.approx([0.078, 0.0])
    run = run_of("tpu-0001")
    assert run.mixed == pytest.approx(1000 / 512)
    assert run_of("tpu-0006").mixed == 0.0


def test_clients_of_a_closed_loop_wait_for_the_others_alone():
    """Clients that think for 8 s on the mean, by chance, wait for prompts of 1 s as drawn, by the arrival theorem."""
    draw = np.random.default_rng(1)
    for clients in (2, 4, 8):
        asked, free, waited = sorted(draw.exponential(8.0, clients)), 0.0, []
        for _ in range(20000):
            now = asked.pop(0)
            start = max(now, free)
            waited.append(start - now)
            free = start + 1.0
            bisect.insort(asked, free + draw.exponential(8.0))
        loop = closed_loop(np.array(8e-9), np.array(1.0), np.array(float(clients)), 1e9, FREE, shared=0.0)
        assert float(loop.ttft_s) - 1.0 == pytest.approx(np.mean(waited), rel=0.1)


def test_a_request_goes_through_two_servers_where_pools_are_apart():
    """Both the server that reads a prompt and the one that answers admit it and take in its tokens."""
    table = published(CATALOG, [row for row in bundled() if row.id == "mooncake-0013"])[0]
    engine = Engine(*(np.array([getattr(FREE, field.name)]) for field in fields(FREE)))
    plain = table.predict(engine)[0, 1]
    admitted = table.predict(replace(engine, admit_s=np.array([0.02]), token_s=np.array([1e-5])))[0, 1]
    assert table.runs[0].servers == 2.0
    assert admitted - plain == pytest.approx(2 * (0.02 + 1024 * 1e-5), rel=1e-6)


def test_chips_without_measured_kernels_have_an_offset_more():
    """Kernels of an H200 were measured, of an RTX 3090 none; both have the offset of a chip."""
    assert run_of("trtonl-0001").traits["unmeasured"] == ""
    lent = next(row for row in bundled() if row.chip == "RTX-3090")
    assert run_of(lent.id).traits["unmeasured"] == run_of(lent.id).traits["chip"] == "RTX-3090"


def test_seats_are_those_of_the_recipe():
    """Of 192 clients on four workers of 32 seats, 16 a worker wait (ctx1_gen4_tep8_batch32); none of 96 do."""
    table = published(CATALOG, [row for row in bundled() if row.id.startswith("aicsil") and row.disaggregated])[0]
    chosen = {
        run.row["concurrency_or_batch"]: run
        for run in table.runs
        if run.row.chip == "GB200-NVL72"
        and "decode 4x(tp8" in run.row.words["notes"]
        and "2026-03" in run.row.words["notes"]
        if run.row["input_len"] == 1024.0
    }
    assert (chosen[192.0].requests, chosen[192.0].waiting) == (32.0, 16.0)
    assert (chosen[96.0].requests, chosen[96.0].waiting) == (24.0, 0.0)


def test_a_finite_run_holds_fewer_requests_than_an_endless_one():
    """Requests of 10 s, two a second: 20 at once for ever; of a run of 40 (20 s), 20 (1 - 10 / 60) on the mean."""
    table = published(CATALOG, [row for row in bundled() if row.id == "accel-0153"])[0]
    run = replace(
        table.runs[0], rate=2.0, most=1e4, output=100.0, kernels=0.0, alone_s=0.0, among_s=0.0, wave=0.0, moved_s=0.0,
        accepted=1.0, parts_s=np.array([np.full(12, 0.1), np.zeros(12), np.zeros(12)]),
    )  # fmt: skip
    both = Table((replace(run, whole=1e9), replace(run, whole=40.0)))
    engine = Engine(*(np.full(2, getattr(FREE, name)) for name in FREE.__dataclass_fields__))
    endless, finite = both._requests_of_rate(engine, np.arange(2))
    assert endless == pytest.approx(20.0, rel=0.02)
    assert finite == pytest.approx(20.0 * (1 - 10 / 60), rel=0.02)


@pytest.mark.parametrize(
    ("together", "whole", "longest", "expected"),
    [
        (100.0, 100.0, 600.0, 50.0),  # 100 answers of 300 tokens in 600 steps
        (100.0, 200.0, 600.0, 200.0 * 300.0 / 900.0),  # 300 steps for the first hundred, 600 for the last
        (100.0, 100.0, 300.0, 100.0),  # all are as long as the longest
        (100.0, 100.0, None, 100.0),
    ],
)
def test_answers_of_one_wave_end_one_by_one(together, whole, longest, expected):
    """Tokens of all answers over the steps of the run are the requests at once on the mean."""
    assert _on_the_mean(together, whole, 300.0, longest) == pytest.approx(expected)


def one_of(engine: str, scenario: str, **numbers: float) -> Table:
    """Return Llama-3.1-70B in fp8 on one H200 (weights 70.6 GB and 4.2 GB of bf16 embeddings) with 16-bit cache."""
    row = row_of("", **numbers)
    words = {**row.words, "kv_dtype": "bf16", "scenario": scenario}
    return published(CATALOG, [replace(row, engine=engine, words=words)])[0]


def test_memory_holds_what_an_engine_reserves():
    """A request of 8,192 and 1,024 tokens keeps 80 layers x 8 heads x 128 x 2 x 2 bytes = 327,680 bytes a token.

    vLLM takes 0.9 of the chip's 141 GiB and lets a request grow, half answered on the mean; TensorRT-LLM takes 0.9 of
    what weights and workspace leave and reserves the whole answer.
    """
    given = {"input_len": 8192.0, "output_len": 1024.0, "concurrency_or_batch": 64.0, "tp": 1.0, "n_chips": 1.0}
    memory, counts = 141 * 2**30, served_named(CATALOG, "Llama-3.1-70B").arch
    embedded = 2.0 * counts.vocab * counts.hidden
    weights = (70.55e9 - embedded) + 2.0 * embedded
    grown = (0.9 * memory - 2e9 - weights) / (327_680 * (8192 + 512))
    reserved = 0.9 * (memory - 2e9 - weights) / (327_680 * (8192 + 1024))
    vllm, tensorrt = (one_of(name, "online", **given).runs[0] for name in ("vLLM", "TensorRT-LLM"))
    assert vllm.most == pytest.approx(grown, rel=0.02)
    assert tensorrt.most == pytest.approx(reserved, rel=0.02)
    assert vllm.waiting == pytest.approx(64 - vllm.most)


def test_a_static_batch_is_taken_at_its_word_and_clients_wait():
    """A batch of 40 that the estimate (22 requests) does not hold ran; of 40 clients in a closed loop some wait."""
    given = {"input_len": 8192.0, "output_len": 1024.0, "concurrency_or_batch": 40.0, "tp": 1.0, "n_chips": 1.0}
    static, loop = (one_of("vLLM", scenario, **given).runs[0] for scenario in ("offline", "online"))
    assert (static.requests, static.waiting) == (40.0, 0.0)
    assert loop.requests + loop.waiting == pytest.approx(40.0)
    assert loop.waiting > 10


def test_an_engine_takes_no_more_requests_than_it_was_told():
    """32 of 64 clients are served at once where the engine takes 32."""
    given = {"input_len": 1024.0, "output_len": 128.0, "concurrency_or_batch": 64.0, "tp": 8.0, "n_chips": 8.0}
    row = row_of("max-num-seqs 32", **given)
    run = published(CATALOG, [row])[0].runs[0]
    assert (run.requests, run.waiting) == (32.0, 32.0)


@pytest.mark.parametrize(("requests", "groups", "at_once"), [(1.0, 1.0, 1.0), (2.0, 2.0, 1.0), (64.0, 2.0, 32.0)])
def test_a_layout_that_is_not_given_leaves_no_replica_idle(requests, groups, at_once):
    """Qwen3-32B fits two of four ranks of 64 GB: one request takes all four, two take two each."""
    row = next(row for row in bundled() if row.id == "chitu-0016")
    one = replace(row, numbers={**row.numbers, "concurrency_or_batch": requests})
    run = published(CATALOG, [one])[0].runs[0]
    assert (run.chips, run.requests) == (4.0 / groups, at_once)


def test_a_pool_whose_first_tokens_are_timed_reads_its_prompts():
    """Mooncake's pools of eight for prompts and for answers, of which the eight that decode are all a row counts."""
    assert run_of("mooncake-0018").alone_s > 10 * run_of("mooncake-0010").alone_s > 0


@pytest.mark.parametrize(
    ("ranks", "fp8_us", "bf16_us"), [(16, 118, 195), (32, 155, 273), (64, 173, 314), (256, 194, 360)]
)
def test_decode_dispatch_is_that_of_the_low_latency_kernels(ranks, fp8_us, bf16_us):
    """DeepEP docs/legacy.md, H800 with 400 Gb/s NICs: 128 tokens of 7,168 values to 8 experts, fp8 there, bf16 back."""
    fabric = device(CATALOG, "H800-SXM-80GB").fabric
    fabric = replace(fabric, scaleout_bandwidth=50e9)
    assert float(decode_dispatch(fabric, 128 * 7168.0, 8, ranks)) * 1e6 == pytest.approx(fp8_us, rel=0.15)
    assert float(decode_dispatch(fabric, 128 * 7168 * 2.0, 8, ranks)) * 1e6 == pytest.approx(bf16_us, rel=0.15)


def test_gaudi_reaches_one_other_by_three_of_its_links():
    """Gaudi 3: 21 ports of 200 Gb/s to seven others, so 75 GB/s between two (docs.habana.ai)."""
    fabric = direct(device(CATALOG, "Gaudi 3").fabric)
    assert 1e9 / float(all_reduce(fabric, 1e9, 2)) == pytest.approx(0.977 * 75e9)
    assert 2 * 7 / 8 * 1e9 / float(all_reduce(fabric, 1e9, 8)) == pytest.approx(0.977 * 525e9)


def test_a_group_wider_than_a_server_lies_in_the_supernode():
    """320 dies of the Ascend 910C exchange tokens inside a CloudMatrix384; eight stay in a server of 16."""
    assert device(CATALOG, "Ascend 910C", 320.0).fabric.domain_chips == 768
    assert device(CATALOG, "Ascend 910C", 8.0).fabric.domain_chips == 16


def test_groups_of_rare_vendors_have_an_offset_more():
    """Two runs of a group of Huawei's share its variance; of Nvidia's, whose rare vendor is none, they do not."""
    of = [name == "rare+group" for name in serving_residuals.NUMBERS]
    place = np.zeros((2, len(serving_residuals.LENGTHS)))
    for rare, shared in (("Huawei", 1.0), ("", 0.0)):
        traits = [dict.fromkeys(TRAITS, "same") | {"rare": rare}] * 2
        two = serving_residuals.points(traits, place)
        assert serving_residuals.covariance(np.array(of, dtype=float), two, two)[0, 1] == shared


@pytest.mark.parametrize(
    ("family", "vendor"),
    [
        ("Ascend 910C", "Huawei"),
        ("H20", "Nvidia"),
        ("older / consumer NVIDIA", "Nvidia"),
        ("MLU590", "MLU590"),
    ],
)
def test_families_have_vendors(family, vendor):
    """A family nobody published of is a vendor of its own, so that it learns no smooth departures from another's."""
    assert vendors(family) == {"vendor": vendor, "rare": "" if vendor == "Nvidia" else vendor}


def test_scatter_of_one_configuration():
    """12 ms and 10 ms of two releases lie 20 % apart; other lengths are another configuration."""
    one = row_of("", tpot_ms=10.0, ttft_s=None)
    release = replace(one, numbers={**one.numbers, "tpot_ms": 12.0}, words={**one.words, "engine_version": "99"})
    longer = replace(release, numbers={**release.numbers, "output_len": 7.0})
    found = {(item.differing, item.metric): item for item in scatter([one, release, longer])}
    assert found["another release", "tpot"].configurations == 1
    assert found["another release", "tpot"].mean == pytest.approx(0.2)
    assert ("measured again", "tpot") not in found


def test_names_that_do_not_help_a_metric_have_no_variance():
    """The kriging of throughput leaves what a model's types share out."""
    from outlay.performance.serving.engines import _variances

    at = serving_residuals.NUMBERS.index("model+types")
    assert _variances()["throughput"][at] < 1e-4 < _variances()["tpot"][at]
