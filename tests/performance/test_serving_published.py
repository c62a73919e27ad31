"""What published serving runs say in their notes and between each other, and the physics read from them."""

from dataclasses import replace

import numpy as np
import pytest

from outlay.catalog import Catalog
from outlay.performance import serving_operations as operations
from outlay.performance import serving_residuals
from outlay.performance.network import all_reduce, decode_dispatch
from outlay.performance.serving import Engine, closed_loop
from outlay.performance.serving_hardware import device
from outlay.performance.serving_models import served_named
from outlay.performance.serving_operations import Precision, Replicas
from outlay.performance.serving_rows import Row, bundled
from outlay.performance.serving_runs import Table, published
from outlay.performance.serving_scatter import scatter

CATALOG = Catalog.load()
FREE = Engine(step_s=0.0, request_s=0.0, kernel_s=0.0, admit_s=0.0, decode=1.0, attention=1.0, network=1.0, prefill=1.0)


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
    ],
)
def test_notes_of_a_run_are_read(notes, field, expected):
    """Rates, sizes of runs and drafts stand in words."""
    given = {} if field != "in_flight" else {"concurrency_or_batch": None}
    assert getattr(row_of(notes, **given), field) == expected


def test_drafts_and_acceptance_count_as_given():
    """One drafted token at 70 %: 2 tokens verified, 1.7 made (CloudMatrix384, arXiv:2506.12708)."""
    runs = {run.row.id: run for run in published(CATALOG, bundled())[0].runs}
    assert runs["cm384-0005"].accepted == pytest.approx(1.7)
    assert runs["sglmtp-0004"].accepted == pytest.approx(2.44)


def test_a_wave_waits_for_half_of_its_prompts_and_is_held_up_by_the_other_half():
    """100 requests at once, steps short beside the prompts: 49.5 prompts before the first token, 49.5 after it."""
    wave = replace(FREE, burst=0.5)
    loop = closed_loop(np.array(1e-6), np.array(0.1), np.array(100.0), 50.0, wave)
    assert float(loop.ttft_s) == pytest.approx(0.1 + 0.5 * 99 * 0.1, rel=0.02)
    assert float(loop.tpot_s) == pytest.approx(99 * 0.1 / (2 * 50), rel=0.05)
    assert float(loop.requests_per_s) == pytest.approx(1 / 0.1, rel=0.02)


def test_a_finite_run_holds_fewer_requests_than_an_endless_one():
    """Requests of 10 s, two a second: 20 at once for ever; of a run of 40 (20 s), 20 (1 - 10 / 60) on the mean."""
    table = published(CATALOG, [row for row in bundled() if row.id == "accel-0153"])[0]
    run = replace(
        table.runs[0], rate=2.0, most=1e4, output=100.0, kernels=0.0, alone_s=0.0, among_s=0.0, waves=0.0, moved_s=0.0,
        accepted=1.0, parts_s=np.array([np.full(12, 0.1), np.zeros(12), np.zeros(12)]),
    )  # fmt: skip
    both = Table((replace(run, whole=1e9), replace(run, whole=40.0)))
    engine = Engine(*(np.full(2, getattr(FREE, name)) for name in FREE.__dataclass_fields__))
    endless, finite = both._requests_of_rate(engine, np.arange(2))
    assert endless == pytest.approx(20.0, rel=0.02)
    assert finite == pytest.approx(20.0 * (1 - 10 / 60), rel=0.02)


@pytest.mark.parametrize(
    ("ranks", "fp8_us", "bf16_us"), [(16, 118, 195), (32, 155, 273), (64, 173, 314), (256, 194, 360)]
)
def test_decode_dispatch_is_that_of_the_low_latency_kernels(ranks, fp8_us, bf16_us):
    """DeepEP docs/legacy.md, H800 with 400 Gb/s NICs: 128 tokens of 7,168 values to 8 experts, fp8 there, bf16 back."""
    fabric = device(CATALOG, "H800-SXM-80GB").fabric
    fabric = replace(fabric, scaleout_bandwidth=50e9)
    assert float(decode_dispatch(fabric, 128 * 7168.0, 8, ranks)) * 1e6 == pytest.approx(fp8_us, rel=0.15)
    assert float(decode_dispatch(fabric, 128 * 7168 * 2.0, 8, ranks)) * 1e6 == pytest.approx(bf16_us, rel=0.15)


def test_kernels_of_a_step_count_scaling_and_collectives():
    """Llama-3.1-70B: 80 layers of 4 GEMMs and 4 others; tp adds 2 for each of 2 all-reduces, NVFP4 3 that scale."""
    model, one = served_named(CATALOG, "Llama-3.1-70B"), np.ones((1, 1))
    alone, cut = Replicas(one, one, one), Replicas(8 * one, one, one)
    assert float(operations.kernels(model, alone, Precision("fp8", "fp8"))[0, 0]) == 80 * 8 + 2
    assert float(operations.kernels(model, cut, Precision("fp8", "fp8"))[0, 0]) == 80 * 12 + 2
    assert float(operations.kernels(model, alone, Precision("fp4", "fp4"))[0, 0]) == 80 * 11 + 2
    experts = served_named(CATALOG, "DeepSeek-R1")
    more = operations.kernels(experts, alone, Precision("fp8", "fp8")) - operations.kernels(
        experts, alone, Precision("bf16", "bf16")
    )
    assert float(more[0, 0]) == 58 * 4


def test_gaudi_reaches_one_other_by_three_of_its_links():
    """Gaudi 3: 21 ports of 200 Gb/s to seven others, so 75 GB/s between two (docs.habana.ai)."""
    fabric = device(CATALOG, "Gaudi 3").fabric
    assert 1e9 / float(all_reduce(replace(fabric, domain_latency=0.0), 1e9, 2)) == pytest.approx(0.977 * 75e9)
    assert 2 * 7 / 8 * 1e9 / float(all_reduce(replace(fabric, domain_latency=0.0), 1e9, 8)) == pytest.approx(
        0.977 * 525e9
    )


def test_a_group_wider_than_a_server_lies_in_the_supernode():
    """320 dies of the Ascend 910C exchange tokens inside a CloudMatrix384; eight stay in a server of 16."""
    assert device(CATALOG, "Ascend 910C", 320.0).fabric.domain_chips == 768
    assert device(CATALOG, "Ascend 910C", 8.0).fabric.domain_chips == 16


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
    from outlay.performance.serving_engines import _variances

    at = serving_residuals.NUMBERS.index("model+types")
    assert _variances()["throughput"][at] < 1e-4 < _variances()["tpot"][at]
