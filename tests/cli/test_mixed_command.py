"""`outlay train` with `--on` given more than once through the command line, bad input included."""

import json
import subprocess
import sys

import pytest

TWO = ("--on", "H100 SXM:64", "--on", "A100 SXM 80GB:64")


def outlay(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "outlay.cli.main", *arguments], capture_output=True, text=True, check=False
    )


def test_two_kinds_answer_in_json():
    """Way, split, gain, each kind alone, and days with failures, energy and cost."""
    done = outlay("train", "Llama-3-8B", *TWO, "--batch", "2M", "--seq", "8192", "--tokens", "1T", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["schema"] == 1
    assert answer["way"] in ("pipeline", "replicas")
    assert answer["step_time_s"] == pytest.approx(min(answer["ways"].values()))
    assert [one["name"] for one in answer["alone"]] == ["H100 SXM", "A100 SXM 80GB"]
    assert sum(one["share"] for one in answer["kinds"]) == pytest.approx(1)
    best = max(one["tokens_per_s"] for one in answer["alone"])
    assert answer["gain"] == pytest.approx(answer["tokens_per_s"] / best)
    assert answer["gain"] > 1
    assert answer["of_sum"] < 1
    run = answer["run"]
    assert run["days"] == pytest.approx(1e12 / answer["tokens_per_s"] / 86400)
    assert run["days"] < run["calendar"]["days"] < run["calendar"]["days_high"]
    assert run["chip_hours"] == pytest.approx(run["calendar"]["days"] * 24 * 128)
    assert "Llama 3.1 405B" in run["calendar"]["basis"]
    assert "RSC-1" in run["calendar"]["basis"]


def test_a_thin_line_leaves_a_site_idle():
    """Two sites over a modem line: one trains, the other is named as idle, and the text says mixing does not pay."""
    done = outlay(
        "train", "llama-3-8b", "--on", "H100 SXM:64", "--on", "H100 SXM:64", "--link", "rate=56kb/s,latency=100ms"
    )
    assert done.returncode == 0, done.stderr
    assert "mixing does not pay" in done.stdout
    assert "idle: the run is faster without it" in done.stdout
    assert "H100 SXM #1 alone" in done.stdout


def test_text_for_people():
    """The facts of a mixed plan stand in the text, notes included."""
    done = outlay("train", "llama-3-8b", *TWO, "--mix", "replicas", "--outer-steps", "100", "--tokens", "1T")
    assert done.returncode == 0, done.stderr
    for word in ("step time", "of the work", "sequences", "A100 SXM 80GB alone", "DiLoCo", "with failures", "link not"):
        assert word in done.stdout


@pytest.mark.parametrize("link", ["200Gb/s", "rate=25GB/s", "trunk=1.6Tbps,host=yes", "rate=200 Gb/s,latency=1 ms"])
def test_links_as_people_write_them(link: str):
    """A rate alone, or parts in any order."""
    done = outlay("train", "Llama-3-8B", "--on", "H100 SXM:8", "--on", "A100 SXM 80GB:8", "--link", link, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["step_time_s"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*TWO, "--link", "rate=fast"), "--link rate 'fast' is not a rate above zero"),
        ((*TWO, "--link", "rate=0Gb/s"), "is not a rate above zero"),
        ((*TWO, "--link", "rate=1.2.3Gb/s"), "is not a rate above zero"),
        ((*TWO, "--link", "rat=1Gb/s"), "unknown part 'rat'; nearest: rate"),
        ((*TWO, "--link", "rate=1Gb/s,20ms"), "'20ms' is not name=value"),
        ((*TWO, "--link", "rate=1Gb/s,rate=2Gb/s"), "'rate' is given twice"),
        ((*TWO, "--link", "latency=20ms"), "says nothing of bandwidth"),
        ((*TWO, "--link", "rate=1Gb/s,latency=-1ms"), "latency must not be below zero"),
        ((*TWO, "--link", "rate=1Gb/s,latency=soon"), "--link latency: "),
        ((*TWO, "--link", "rate=1Gb/s,host=maybe"), "expected yes or no"),
        ((*TWO, "--mix", "pipelines"), "unknown --mix 'pipelines'; nearest: pipeline"),
        ((*TWO, "--outer-steps", "0"), "--outer-steps must be above zero"),
        ((*TWO, "--outer-steps", "1.5"), "not a whole number of steps"),
        ((*TWO, "--outer-steps", "5", "--mix", "pipeline"), "outer steps need whole replicas"),
        ((*TWO, "--strategy", "tp=8"), "--strategy is of one kind of chip"),
        ((*TWO, *TWO), "2 to 3 kinds of chip or sites, a place for each; got 4"),
        (("--on", "H100 SXM:64", "--on", "A101:64"), "unknown system or chip 'A101'; nearest: "),
        (("--on", "H100 SXM:64", "--link", "1Gb/s"), "--link is of several kinds or sites"),
        (("--on", "H100 SXM:64", "--mix", "replicas"), "--mix is of several kinds or sites"),
        (("--on", "H100 SXM:64", "--outer-steps", "5"), "--outer-steps is of several kinds or sites"),
    ],
)
def test_bad_input_exits_two_with_one_message(arguments: tuple[str, ...], message: str):
    """Named, with the nearest valid choice, and no traceback."""
    done = outlay("train", "Llama-3-8B", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_what_fits_nowhere_exits_one():
    """Each kind alone and why stands in the message."""
    done = outlay("train", "Llama-3.1-405B", "--on", "H100 SXM:8", "--on", "A100 SXM 80GB:8", "--batch", "1M")
    assert done.returncode == 1
    assert "fits no mixed plan" in done.stderr
    assert "A100 SXM 80GB alone: " in done.stderr
    assert "Traceback" not in done.stderr
