"""`outlay train`, `validate` and `calibrate` through the command line, bad input included."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from outlay.catalog import Catalog
from outlay.performance.search import best_training
from outlay.report.whole_run import whole_run


def outlay(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "outlay.cli.main", *arguments], capture_output=True, text=True, check=False
    )


def test_train_answers_in_json():
    """Strategy, step time with band, MFU, memory by kind, days, energy, cost and the size of the search."""
    done = outlay(
        "train", "Llama-3-70B", "--on", "H100 SXM:1024", "--seq", "8192", "--batch", "4M", "--tokens", "15T", "--json"
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["chips"] == 1024
    assert answer["step_low_s"] < answer["step_time_s"] < answer["step_high_s"]
    assert 0.2 < answer["mfu"] < 0.7
    assert set(answer["memory"]) == {"weights", "gradients", "optimiser", "activations", "buffers", "fragmentation"}
    assert sum(answer["memory"].values()) <= answer["memory_limit"]
    assert answer["search"]["strategies"] >= answer["search"]["feasible"] > 0
    assert answer["search"]["cpu_s"] > 0
    assert len(answer["runners_up"]) == 10
    steps = [answer["step_time_s"], *(choice["step_time_s"] for choice in answer["runners_up"])]
    assert steps == sorted(steps)
    assert {choice["chips"] for choice in answer["front"]} >= {512, 1024}
    assert all(choice["memory_bytes"] <= answer["memory_limit"] for choice in answer["front"])
    run = answer["run"]
    assert run["days"] == pytest.approx(15e12 / answer["tokens_per_s"] / 86400)
    calendar = run["calendar"]
    assert run["days"] < calendar["days"]
    assert calendar["days_low"] < calendar["days"] < calendar["days_high"]
    assert calendar["effective_time_ratio"] == pytest.approx(run["days"] / calendar["days"])
    assert calendar["interruptions"] == pytest.approx(calendar["days"] * 24 / calendar["mtti_hours"])
    assert run["chip_hours"] == pytest.approx(calendar["days"] * 24 * 1024)
    assert run["energy_mwh"] == pytest.approx(answer["power_w"] * calendar["days"] * 24 / 1e6)
    assert run["cost"]["amount"] is None or run["cost"]["currency"]


def test_a_run_that_fails_too_often_to_end_says_so():
    """On ten billion chips something always fails: no number is made up for days, energy or cost, nor an infinity."""
    catalog = Catalog.load()
    system = catalog.resolve_system("H100 SXM")
    estimate = best_training(catalog.model("Llama-3-8B"), system, 64)
    run = whole_run(estimate, {"H100 SXM": 10**10}, 1e15, catalog)
    assert run["days"] > 0
    assert run["calendar"]["days"] is None
    assert run["chip_hours"] is None
    assert run["energy_mwh"] is None
    assert run["cost"] == {"amount": None, "reason": "the run never ends"}
    json.dumps(run, allow_nan=False)


def test_sensitivity_tells_what_each_figure_is_worth():
    """In JSON by figure, the largest first; in text as per cent; without the flag there is none."""
    ask = ("train", "Llama-3-8B", "--on", "DGX H100:64", "--strategy", "tp=2,pp=2,cp=1,mbs=1")
    answer = json.loads(outlay(*ask, "--sensitivity", "--json").stdout)
    worth = {one["figure"]: one["per_cent"] for one in answer["sensitivity"]}
    assert -1 < worth["peak bf16"] < -0.5
    assert worth["scale-out bandwidth"] < 0 < worth["kernel launch latency"]
    assert json.loads(outlay(*ask, "--json").stdout)["sensitivity"] is None
    assert "peak bf16 (9.89e+14)" in outlay(*ask, "--sensitivity").stdout


def test_train_prints_for_people():
    """The facts of the answer stand in the text, and a fixed strategy is kept."""
    done = outlay("train", "llama-3-8b", "--on", "DGX H100:64", "--strategy", "tp=2,pp=1,mbs=1")
    assert done.returncode == 0, done.stderr
    for word in ("step time", "MFU", "memory", "tp=2,pp=1", "batch not given", "runners-up", "front of time, memory"):
        assert word in done.stdout


def test_a_long_strategy_is_printed_whole():
    """However narrow the terminal: every part stands in the text."""
    text = "tp=2,pp=4,vpp=1,cp=2,ep=1,dp=4,mbs=1,recompute=attention,zero=1,sp=off,schedule=zero-bubble,context=ulysses"
    done = outlay("train", "Llama-3-8B", "--on", "H100 SXM:64", "--strategy", text)
    assert done.returncode == 0, done.stderr
    assert text in "".join(line.strip() for line in done.stdout.splitlines()).replace("strategy  ", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Llama-3-71B", "--on", "H100 SXM:64"), "unknown model 'Llama-3-71B'; nearest: "),
        (("Llama-3-8B", "--on", "H1000 SXM:64"), "unknown system or chip 'H1000 SXM'; nearest: "),
        (("Llama-3-8B", "--on", "H100 SXM"), "is not SYSTEM:CHIPS"),
        (("Llama-3-8B", "--on", "H100 SXM:0"), "must be above zero"),
        (("Llama-3-8B", "--on", "H100 SXM:-8"), "must be above zero"),
        (("Llama-3-8B", "--on", "H100 SXM:eight"), "--on chips"),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--tokens", "lots"), "--tokens"),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--batch", "-1M"), "--batch must be above zero"),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--dtype", "fp9"), "unknown data type 'fp9'; nearest: "),
        (
            ("Llama-3-8B", "--on", "H100 SXM:64", "--stack", "curent"),
            "unknown software generation 'curent'; nearest: current",
        ),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--seq", "10M"), "longer than Llama-3-8B's context"),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--strategy", "tpp=8"), "unknown part 'tpp'; nearest: "),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--strategy", "tp8"), "is not name=value"),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--strategy", "tp=3"), "tp 3 does not divide 64 chips"),
        (
            ("Llama-3-8B", "--on", "H100 SXM:64", "--strategy", "tp=8,pp=2,cp=1,dp=2"),
            "tp 8 x pp 2 x cp 1 x dp 2 = 32 is not 64 chips",
        ),
        (("Llama-3-8B", "--on", "H100 SXM:64", "--catalog", "/no/such/file.yaml"), "/no/such/file.yaml"),
    ],
)
def test_bad_input_exits_two_with_one_message(arguments: tuple[str, ...], message: str):
    """Named, with the nearest valid choice, and no traceback."""
    done = outlay("train", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_model_that_fits_nowhere_exits_one_with_the_reason():
    """405B on eight chips: which memory overflows, and what would do."""
    done = outlay("train", "Llama-3.1-405B", "--on", "H100 SXM:8")
    assert done.returncode == 1
    assert "does not fit" in done.stderr
    assert "chips would do" in done.stderr


def test_a_hybrid_is_refused_by_name():
    """Linear attention is not modelled, and not approximated."""
    done = outlay("train", "Qwen3-Next-80B-A3B", "--on", "H100 SXM:64")
    assert done.returncode == 1
    assert "which is not modelled" in done.stderr


def test_validate_prints_errors_by_family_in_and_out_of_sample():
    """Rows, medians and what was not predicted."""
    done = outlay("validate", "training")
    assert done.returncode == 0, done.stderr
    for word in ("NVIDIA H100", "answered", "p90", "out of sample", "not predicted: 27 rows, LoRA"):
        assert word in done.stdout


def test_validate_in_json_has_every_row():
    """Of one family, with measured, predicted and band."""
    done = outlay("validate", "training", "--json", "--family", "TPU v5p")
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)["reports"]
    assert report["kind"] == "training"
    assert {row["family"] for row in report["rows"]} == {"TPU v5p"}
    assert all(row["low"] <= row["predicted"] <= row["high"] for row in report["rows"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("trainig",), "unknown validation 'trainig'; nearest: training"),
        (("training", "--family", "H10000"), "unknown chip family"),
    ],
)
def test_validate_refuses_what_it_does_not_know(arguments: tuple[str, ...], message: str):
    """With the nearest valid choice."""
    done = outlay("validate", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_calibrate_gives_back_the_kernels_the_package_ships(tmp_path: Path):
    """Fitting again from the packaged measurements writes the same files."""
    from outlay import performance

    done = outlay("calibrate", "--kernels-only", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    shipped = Path(next(iter(performance.__path__))) / "data"
    for name in ("kernels.csv", "links.csv"):
        assert (tmp_path / name).read_text(encoding="utf-8") == (shipped / name).read_text(encoding="utf-8")


def test_calibrate_refuses_a_folder_that_is_not_there():
    """Exit 2."""
    done = outlay("calibrate", "--out", "/no/such/folder")
    assert done.returncode == 2
    assert "is not a folder" in done.stderr
