"""Published serving runs: rows read and refused, predictions, their errors out of sample, and bands."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from outlay.catalog import Catalog
from outlay.errors import InputError
from outlay.performance.chip import rows
from outlay.performance.serving import calibration as serving_calibration
from outlay.performance.serving import fitting as serving_fitting
from outlay.performance.serving import residuals as serving_residuals
from outlay.performance.serving import validation as serving_validation
from outlay.performance.serving.engines import departure, kriging
from outlay.performance.serving.rows import bundled, engine_of, read
from outlay.performance.serving.runs import published
from outlay.performance.serving.table import METRICS, only

CATALOG = Catalog.load()
HEADER = (
    "id,chip,n_chips,engine,model_name,total_params_b,active_params_b,weight_dtype,tp,input_len,output_len,"
    "concurrency_or_batch,tpot_ms,spec_decode,notes"
)


@pytest.fixture(scope="module")
def report():
    """Give the report of the package's rows."""
    return serving_validation.report(CATALOG)


@pytest.fixture(scope="module")
def runs():
    """Give the package's runs."""
    return published(CATALOG, bundled())[0]


def table_of(tmp_path, *lines):
    """Write a file of rows."""
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def test_nearly_every_row_is_answered(report):
    """At least 97 % of the rows, each predicted or refused with a reason."""
    assert report.answered >= 0.97
    answered, refused = {row.id for row in report.rows}, {id_ for id_, _, _ in report.refused}
    assert not answered & refused
    assert all(reason for _, _, reason in report.refused)


@pytest.mark.parametrize(
    ("run", "metric", "tolerance"),
    [
        ("trt020-0146", "throughput", 0.2),  # Llama-3.3-70B fp8, 8 x H100, TensorRT-LLM 0.20, 5000/500: 296
        ("trt020-0113", "throughput", 0.2),  # Llama-3.3-70B fp8, 2 x H100, TensorRT-LLM 0.20, 1000/1000: 2,124
        ("aicsil-2029", "tpot", 0.15),  # Llama-3.1-70B fp8, 8 x H200, vLLM, 32 requests: 11.0 ms
        ("aicsil-1788", "tpot", 0.2),  # DeepSeek-R1 fp8, 8 x H200, TensorRT-LLM, 8 requests: 16.4 ms
        ("chitu-0033", "throughput", 0.2),  # DeepSeek-R1 fp8, 32 x H20, experts over all of them: 233
        ("amdrocm-0036", "throughput", 0.2),  # Llama-3.1-70B fp8, 8 x MI300X, 1,500 requests: 956
        ("tpu-0003", "throughput", 0.2),  # Qwen3-32B, TPU v7, 320 requests: 6,557
    ],
)
def test_published_runs_come_out(report, run, metric, tolerance):
    """Predictions stay within a stated share of well-known published figures."""
    row = next(row for row in report.rows if row.id == run and row.metric == metric)
    assert row.predicted == pytest.approx(row.measured, rel=tolerance)


@pytest.mark.parametrize(
    ("metric", "median", "mean"), [("tpot", 0.11, 0.16), ("throughput", 0.10, 0.16), ("ttft", 0.28, 0.38)]
)
def test_errors_hold_out_of_sample(report, metric, median, mean):
    """Medians and means with the run's group left out stay below what was last measured."""
    whole = next(one for one in report.errors() if one.metric == metric and one.part == "all")
    assert whole.rows > 1000
    assert whole.median < whole.median_out_of_sample < median
    assert whole.mean_out_of_sample < mean


@pytest.mark.parametrize("metric", ["tpot", "throughput", "ttft"])
def test_bands_hold_what_they_say(report, metric):
    """Nine of ten held-out figures lie in the band of a prediction that never saw their group."""
    whole = next(one for one in report.errors() if one.metric == metric and one.part == "all")
    assert 0.85 < whole.in_band_out_of_sample < 0.96


def test_stored_numbers_are_those_of_the_stored_runs():
    """The hash beside the numbers is that of the data they were fitted to."""
    assert {row["inputs"] for row in rows("engines.csv")} == {serving_calibration.fingerprint()}


def test_groups_are_never_cut_by_folds(runs):
    """Runs of a group are in one fold."""
    of = serving_calibration.folds(runs)
    groups = {run.row.group for run in runs.runs}
    assert all(len({f for f, run in zip(of, runs.runs, strict=True) if run.row.group == g}) == 1 for g in groups)


def test_a_fit_finds_the_numbers_that_made_the_figures(runs):
    """Figures made with stored numbers are fitted back to within a few hundredths."""
    some = only(runs, [run.family == "H200" and run.row.engine in ("vLLM", "SGLang") for run in runs.runs])
    made = serving_validation.by_formulas(some)
    table = type(some)(
        tuple(
            replace(run, measured={m: made[i, METRICS.index(m)] for m in run.measured})
            for i, run in enumerate(some.runs)
        )
    )
    again = table.predict(serving_fitting.fit(table).engines(table))
    assert np.nanmedian(np.abs(again / table.measured - 1)) < 0.03


def test_offered_rates_fill_by_littles_law(runs):
    """Where a rate of arrivals is given, the rate served is that rate."""
    offered = only(runs, [run.rate > 0 for run in runs.runs])
    served = serving_validation.by_formulas(offered)[:, METRICS.index("throughput")]
    columns = offered.columns
    wanted = columns["rate"] * columns["output"] / columns["chips"]
    assert np.median(np.abs(served / wanted - 1)) < 0.05


def test_leaving_points_out_is_never_having_seen_them():
    """The partitioned inverse gives what a process of the other points gives."""
    draw = np.random.default_rng(0)
    traits = [
        dict.fromkeys(
            ("chip", "unmeasured", "family", "vendor", "rare", "engine", "release", "model", "kind"), str(i % 3)
        )
        for i in range(30)
    ]
    traits = [{**one, "types": "a", "load": "b", "group": str(i % 5), "source": "c"} for i, one in enumerate(traits)]
    where = serving_residuals.points(traits, draw.normal(size=(30, len(serving_residuals.LENGTHS))))
    variances, values = np.exp(serving_residuals.START), draw.normal(size=30) * 0.2
    gone = np.array([i % 5 == 0 for i in range(30)])
    less = serving_residuals.krige(variances, where, values).without(gone)
    again = serving_residuals.krige(variances, where.take(np.flatnonzero(~gone)), values[~gone])
    for one, two in zip(less.at(where), again.at(where), strict=True):
        assert one == pytest.approx(two, abs=1e-8)
    few = where.take(np.arange(3))
    alone = serving_residuals.deviation(variances, where, serving_residuals.factor(variances, where), few)
    assert alone == pytest.approx(serving_residuals.krige(variances, where, values).at(few)[1], abs=1e-8)


def test_the_mean_of_one_kind_of_run_is_the_mean_of_any():
    """Places that share their names have the mean that the whole covariance gives, to a thousandth."""
    table = published(CATALOG, bundled()[::60])[0]
    run = table.runs[0]
    place = np.array([one.place for one in table.runs])
    whole = kriging("tpot").mean(serving_residuals.points([run.traits] * len(place), place))
    assert departure("tpot", run.traits, place) == pytest.approx(whole, abs=2e-3)


def test_a_file_without_lengths_or_layout_is_answered_with_assumptions(tmp_path):
    """What a row leaves out is assumed by name: lengths, layout, type of KV cache, accepted drafts."""
    line = "x-1,H100-SXM-80GB,8,vLLM,Llama-3.1-70B,70,70,fp8,,,,16,20,1,MLPerf v5.1"
    found = serving_validation.report(CATALOG, table_of(tmp_path, line))
    assert [row.id for row in found.rows] == ["x-1"]
    said = " ".join(found.rows[0].assumptions)
    for words in (
        "tokens assumed",
        "layout not given: tp 2",
        "KV type not given",
        "drafted a step not given: 3",
        "acceptance not given: 70%",
    ):
        assert words in said
    assert found.rows[0].low < found.rows[0].predicted < found.rows[0].high


def test_an_unknown_chip_is_refused_and_an_unknown_model_is_not(tmp_path):
    """A chip without figures cannot be reckoned with; a model can be taken from its parameters."""
    unknown_chip = "x-1,QPU-9000,1,vLLM,Llama-3.1-8B,8,8,fp8,1,100,100,1,20,0,"
    unknown_model = "x-2,H20-96GB,1,vLLM,Nobody-9B,9,9,fp8,1,100,100,1,20,0,"
    found = serving_validation.report(CATALOG, table_of(tmp_path, unknown_chip, unknown_model))
    assert [(id_, "unknown chip" in reason) for id_, _, reason in found.refused] == [("x-1", True)]
    assert found.rows[0].family == "H20"
    assert any("is not known" in words for words in found.rows[0].assumptions)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x-1,H20-96GB,one,vLLM,Qwen3-8B,8,8,fp8,1,100,100,1,20,0,", "n_chips is 'one', not a number"),
        ("x-1,H20-96GB,1,vLLM,Qwen3-8B,8,8,fp8,1,-5,100,1,20,0,", "input_len is -5, outside 1 to 1e+08"),
        ("x-1,,1,vLLM,Qwen3-8B,8,8,fp8,1,100,100,1,20,0,", "chip is empty"),
        ("x-1,H20-96GB,1", "fewer cells than the header has"),
        ("x-0,H20-96GB,1,vLLM,Qwen3-8B,8,8,fp8,1,100,100,1,20,0,", "this id stands on line 2 already"),
    ],
)
def test_a_malformed_row_is_refused_by_its_line_and_the_others_are_read(tmp_path, line, words):
    """One bad cell costs one row."""
    path = table_of(tmp_path, "x-0,H20-96GB,1,vLLM,Qwen3-8B,8,8,fp8,1,100,100,1,20,0,", line)
    kept, refused = read(path)
    assert [row.id for row in kept] == ["x-0"]
    assert [reason for _, _, reason in refused] == [f"{path}:3: {refused[0][2].partition(':3: ')[2]}"]
    assert words in refused[0][2]


def test_a_file_of_something_else_is_refused(tmp_path):
    """The refusal names the column."""
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="unknown column 'a'"):
        read(path)
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("name", "version", "wanted"),
    [
        ("TensorRT-LLM", "0.9.0", "TensorRT-LLM 2024"),
        ("TensorRT-LLM (PyTorch backend)", "0.20", "TensorRT-LLM 1.0"),
        ("vLLM-based (mid-2023)", "", "vLLM 2023"),
        ("NxD Inference (vLLM)", "", "Neuron"),
        ("SGLang + Dynamo", "", "SGLang"),
        ("vllm-ascend", "0.18.0rc1", "vllm-ascend"),
    ],
)
def test_engines_are_sorted_by_generation(name, version, wanted):
    """Names of published runs lead to an engine and its generation."""
    assert engine_of(name, version) == wanted


def test_engines_on_other_vendors_chips_are_called_by_their_backend():
    """A row that says vLLM on an MI300X or an Arc card ran its ROCm or XPU backend; Chitu keeps its name."""
    engines = {(row.family, row.engine) for row in bundled() if row.family in ("AMD Instinct", "Intel Arc", "H20")}
    assert ("AMD Instinct", "vLLM ROCm") in engines
    assert ("Intel Arc", "vLLM Intel") in engines
    assert ("AMD Instinct", "vLLM") not in engines
    assert ("H20", "Chitu") in engines


def test_the_bundled_rows_have_known_sources():
    """Each row names a source of ``serving_sources.csv``."""
    keys = {row["key"] for row in rows("serving_sources.csv")}
    assert {row["source"] for row in rows("serving_runs.csv")} <= keys
    assert len(next(csv.reader([HEADER]))) == HEADER.count(",") + 1
