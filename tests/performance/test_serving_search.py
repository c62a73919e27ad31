"""The search for the best replica, its refusals, and published runs within the stated tolerance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, NoFitError
from outlay.performance import serving_validation
from outlay.performance.serving_engines import band, engine, family_of
from outlay.performance.serving_runs import METRICS, only, published
from outlay.performance.serving_search import best_serving, replicas_of
from outlay.performance.transformer import architecture

CATALOG = Catalog.load()


def best(model="Llama-3.1-70B", system="DGX H100", **wanted):
    """Search with usual lengths and targets where none are given."""
    asked = {"input_tokens": 2000, "output_tokens": 500, "ttft_s": 2.0, "tpot_s": 0.05} | wanted
    return best_serving(CATALOG.model(model), CATALOG.resolve_system(system), catalog=CATALOG, **asked)


@pytest.fixture(scope="module")
def report():
    """Give the report of the published runs."""
    return serving_validation.report(CATALOG)


@pytest.fixture(scope="module")
def runs():
    """Give the published runs that can be predicted."""
    return published(CATALOG)[0]


def test_the_best_replica_meets_the_targets_within_memory():
    """Latencies stay below the targets, memory below what an engine takes, and the rates agree with each other."""
    found = best()
    assert found.ttft_s <= 2.0
    assert found.tpot_s <= 0.05
    assert sum(found.memory_bytes.values()) <= 0.9 * 80e9
    assert found.tokens_per_s_per_chip == pytest.approx(found.output_tokens_per_s_per_chip * 2500 / 500)
    assert found.low < 1 < found.high


def test_no_layout_of_the_space_serves_more():
    """The best of every fixed batch is not above the best of all."""
    whole = best().output_tokens_per_s_per_chip
    assert all(best(batch=n).output_tokens_per_s_per_chip <= whole * 1.0001 for n in (1, 8, 64))


@settings(max_examples=25, deadline=None)
@given(tight=st.floats(0.012, 0.1), looser=st.floats(1.0, 3.0), chip=st.sampled_from(["DGX H100", "H20", "MI300X"]))
def test_tighter_targets_never_serve_more(tight, looser, chip):
    """A tighter TPOT admits fewer configurations."""

    def rate(tpot_s):
        try:
            return best(system=chip, tpot_s=tpot_s).output_tokens_per_s_per_chip
        except NoFitError:
            return 0.0

    assert rate(tight) <= rate(tight * looser)


def test_experts_are_spread_only_where_they_divide():
    """Every layout keeps tp in the domain, and experts on a number of chips that divides them."""
    replicas = replicas_of(architecture(CATALOG.model("DeepSeek-V3")), 8, 64)
    assert replicas.tp.max() == 8
    assert replicas.chips.max() == 64
    assert (256 % replicas.ep == 0).all()
    assert (np.diff(replicas.batch, axis=1) > 0).all()


def test_stages_hold_what_a_server_cannot():
    """Llama-3.1-405B in bf16 has 811 GB: two stages over two servers of 640 GB hold it; in fp8 one server does."""
    lengths = {"ttft_s": 5.0, "tpot_s": 0.1}
    found = best("Llama-3.1-405B", dtype="bf16", **lengths)
    assert "pp=2" in found.strategy
    assert found.chips_per_replica == 16
    assert sum(found.memory_bytes.values()) <= 0.9 * 80e9
    assert any("spans 2 of" in warning for warning in found.warnings)
    assert "pp=" not in best("Llama-3.1-405B", dtype="fp8", **lengths).strategy
    with pytest.raises(NoFitError, match="fits no replica of up to 8 H100"):
        best("Llama-3.1-405B", dtype="bf16", chips=8, **lengths)


def test_weights_that_fit_nowhere_are_refused_by_kind():
    """The refusal names the weights and the memory of a chip."""
    with pytest.raises(NoFitError, match=r"DeepSeek-V3 fits no replica of up to 4 H20 96GB: .*weights 1\d\d GB"):
        best("DeepSeek-V3", "H20", chips=4)


def test_targets_that_cannot_be_met_name_the_best():
    """The refusal says which TTFT and TPOT can be reached."""
    with pytest.raises(NoFitError, match=r"cannot meet a TTFT of 2 s and a TPOT of 0.1 ms; the best are .* ms"):
        best(tpot_s=1e-4)


def test_a_prompt_longer_than_the_context_is_refused():
    """The refusal names both lengths."""
    with pytest.raises(NoFitError, match=r"reads 131,072 tokens; prompt and answer have 200,500"):
        best(input_tokens=200_000)


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "ttft_s", "tpot_s", "chips", "batch"])
@pytest.mark.parametrize("value", [0, -1])
def test_nothing_may_be_zero_or_negative(name, value):
    """Lengths, targets and counts are above zero."""
    with pytest.raises(InputError, match="must be more than zero"):
        best(**{name: value})


def test_an_unknown_type_names_the_nearest():
    """A type nobody has is refused with those there are."""
    with pytest.raises(InputError, match=r"fp7.*fp8"):
        best(dtype="fp7")


def test_replicas_over_servers_and_borrowed_types_are_said():
    """DeepSeek-V3 spans servers of 64 GB chips, and multiplies in int8 where there is no fp8."""
    found = best("DeepSeek-V3", "Ascend 910B3", tpot_s=0.2, ttft_s=10)
    assert any("a replica spans" in warning for warning in found.warnings)
    assert any("has no fp8 rate" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("run", "metric", "tolerance"),
    [
        ("trt020-0146", "throughput", 0.2),  # Llama-3.3-70B fp8, 8 x H100, TensorRT-LLM 0.20, 5000/500: 296
        ("trt020-0113", "throughput", 0.3),  # Llama-3.3-70B fp8, 2 x H100, TensorRT-LLM 0.20, 1000/1000: 2,124
        ("aicsil-2029", "tpot", 0.15),  # Llama-3.1-70B fp8, 8 x H200, vLLM, 32 requests: 11.0 ms
        ("aicsil-1788", "tpot", 0.25),  # DeepSeek-R1 fp8, 8 x H200, TensorRT-LLM, 8 requests: 16.4 ms
        ("chitu-0033", "throughput", 0.5),  # DeepSeek-R1 fp8, 32 x H20, experts over all of them: 233
        ("amdrocm-0036", "throughput", 0.25),  # Llama-3.1-70B fp8, 8 x MI300X, 1,500 requests: 956
        ("tpu-0003", "throughput", 0.3),  # Qwen3-32B, TPU v7, 320 requests: 6,557
    ],
)
def test_published_runs_come_out(report, run, metric, tolerance):
    """Predictions stay within a stated share of well-known published figures."""
    row = next(row for row in report.rows if row.id == run and row.metric == metric)
    assert row.predicted == pytest.approx(row.measured, rel=tolerance)


def test_errors_hold_out_of_sample(report):
    """Medians with the run's group left out: a fifth for a token, a quarter for a rate."""
    for metric, bar in (("tpot", 0.2), ("throughput", 0.25), ("ttft", 0.45)):
        errors = [abs(r.out_of_sample / r.measured - 1) for r in report.rows if r.metric == metric and r.fitted]
        assert len(errors) > 700
        assert np.median(errors) < bar


def test_bands_hold_what_they_say(report):
    """About 80 % of the figures of each metric lie in the band of a prediction that never saw their group."""
    for metric in METRICS:
        rows = [row for row in report.rows if row.fitted and row.metric == metric]
        scale = [row.out_of_sample / row.predicted for row in rows]
        inside = [row.low * s <= row.measured <= row.high * s for row, s in zip(rows, scale, strict=True)]
        assert 0.78 < np.mean(inside) < 0.9


def test_every_run_is_predicted_or_refused_with_a_reason(report):
    """Refusals carry id and reason, and no run is both."""
    answered, refused = {row.id for row in report.rows}, {id_ for id_, _, _ in report.refused}
    assert not answered & refused
    assert all(reason for _, _, reason in report.refused)
    assert len(answered) > 0.85 * (len(answered) + len(refused))


def test_out_of_sample_numbers_never_saw_the_group(runs):
    """Runs of a group are in one fold, and a fold's predictions differ from those in sample."""
    of = serving_validation.folds(runs)
    groups = {run.group for run in runs.runs}
    assert all(len({f for f, run in zip(of, runs.runs, strict=True) if run.group == g}) == 1 for g in groups)
    assert not np.allclose(serving_validation.predicted(runs), serving_validation.out_of_sample(runs))


def test_a_fit_finds_the_numbers_that_made_the_figures(runs):
    """Figures made with stored numbers are fitted back to within a few hundredths."""
    some = only(runs, [run.family == "H200" and run.engine in ("vLLM", "SGLang") for run in runs.runs])
    made = serving_validation.predicted(some)
    runs_made = tuple(
        type(run)(**(vars(run) | {"measured": {m: made[i, METRICS.index(m)] for m in run.measured}}))
        for i, run in enumerate(some.runs)
    )
    table = type(some)(runs_made)
    again = table.predict(serving_validation.fit(table).engines(table))
    assert np.nanmedian(np.abs(again / table.measured - 1)) < 0.03


def test_offered_rates_fill_by_littles_law(runs):
    """Where a rate of arrivals is given, the rate served is that rate."""
    offered = only(runs, [run.rate > 0 for run in runs.runs])
    served = serving_validation.predicted(offered)[:, METRICS.index("throughput")]
    columns = offered.columns
    wanted = columns["rate"] * columns["output"] / columns["chips"]
    assert np.median(np.abs(served / wanted - 1)) < 0.02


def test_a_chip_never_measured_takes_the_widest_band():
    """Its low is the lowest and its high the highest of all families."""
    low, high, words = band("a chip of 2031")
    assert low <= band("H200")[0]
    assert high >= band("H200")[1]
    assert "widest band" in words


def test_families_are_found_by_what_chips_are_called():
    """The training model's family names lead to those of published serving runs."""
    assert family_of("NVIDIA H20") == "H20"
    assert family_of("AMD MI300X/MI325X") == "AMD Instinct"
    assert family_of("TPU v6e") == "TPU"
    assert family_of("Cambricon MLU590") == "Cambricon MLU590"
    assert engine("vLLM", "H20").step_s > 0
