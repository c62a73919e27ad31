"""`outlay serve` and `outlay validate serving` through the command line, bad input included."""

import json
import subprocess
import sys

import pytest

LENGTHS = ("--input", "3000", "--output", "500")


def outlay(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "outlay.cli.main", *arguments], capture_output=True, text=True, check=False
    )


def test_serve_answers_in_json():
    """Replica, latencies, rates with band, memory, energy and cost."""
    done = outlay("serve", "Llama-3.1-70B", "--on", "H100 SXM:8", *LENGTHS, "--ttft", "1s", "--tpot", "30ms", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ttft_s"] <= 1.0
    assert answer["tpot_s"] <= 0.03
    assert answer["replicas"] * answer["chips_per_replica"] == answer["chips"] <= 8
    assert answer["low"] < 1 < answer["high"]
    assert set(answer["memory_bytes"]) == {"weights", "kv cache", "workspace"}
    assert answer["tokens_per_s"] == pytest.approx(answer["tokens_per_s_per_chip"] * answer["chips"])


def test_serve_prints_for_people():
    """The facts stand in the text."""
    done = outlay("serve", "llama-3.1-70b", "--on", "H200", *LENGTHS)
    assert done.returncode == 0, done.stderr
    for words in ("time to first token", "time per output token", "90 % band", "rests on"):
        assert words in done.stdout


def test_a_rate_without_chips_sizes_the_fleet():
    """The fleet serves the rate and would not with one replica less."""
    done = outlay("serve", "Llama-3.1-70B", "--on", "H200", *LENGTHS, "--rate", "50/s", "--json")
    answer = json.loads(done.stdout)
    each = answer["requests_per_s"] / answer["replicas"]
    assert answer["requests_per_s"] >= 50 > answer["requests_per_s"] - each


def test_too_few_chips_for_a_rate_is_a_no():
    """Exit 1, and the words say so."""
    done = outlay("serve", "Llama-3.1-70B", "--on", "H200:8", *LENGTHS, "--rate", "500/s")
    assert done.returncode == 1
    assert "not enough" in done.stdout


def test_a_fixed_batch_is_kept():
    """--batch is what a replica holds."""
    done = outlay("serve", "Llama-3.1-70B", "--on", "H200:8", *LENGTHS, "--batch", "16", "--json")
    assert json.loads(done.stdout)["batch"] == 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Lama-3.1-70B", "--on", "H100:8", *LENGTHS), "nearest: Llama-3.1-70B"),
        (("Llama-3.1-70B", "--on", "H1000:8", *LENGTHS), "nearest"),
        (("Llama-3.1-70B", "--on", "H100:0", *LENGTHS), "got 0"),
        (("Llama-3.1-70B", "--on", "H100:many", *LENGTHS), "many"),
        (("Llama-3.1-70B", "--on", "H100:8", "--input", "-5", "--output", "500"), "--input"),
        (("Llama-3.1-70B", "--on", "H100:8", "--input", "3000", "--output", "0"), "--output"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--ttft", "-1s"), "ttft must be more than zero"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--tpot", "0 ms"), "tpot must be more than zero"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--tpot", "5 kg"), "kg"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--rate", "-4/s"), "--rate must be more than zero"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--rate", "50"), "such as 50/s"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--batch", "-1"), "--batch"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--draft", "99"), "draft: got 99; input should be less than"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--dtype", "fp7"), "nearest: fp8"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--catalog", "nowhere.yaml"), "nowhere.yaml"),
        (("Llama-3.1-70B", "--on", "H100:8", "--input", "3000"), "--output must be given"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--input-cv", "-1"), "--input-cv must be"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--output-cv", "wide"), "--output-cv must be a number"),
        (("Llama-3.1-70B", "--on", "H100:8", "--lengths", "nowhere.csv"), "--lengths nowhere.csv: No such file"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--lengths", "nowhere.csv"), "nowhere.csv"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--cp", "3"), "got 3; nearest: 2"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--cp", "-2"), "--cp"),
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--redundant-experts", "8"), "has no experts"),
        (("DeepSeek-V3", "--on", "H100:64", *LENGTHS, "--redundant-experts", "-8"), "nearest: 0"),
        (("DeepSeek-V3", "--on", "H100:64", *LENGTHS, "--redundant-experts", "3"), "nearest: 2"),
        (("DeepSeek-V3", "--on", "H100:64", *LENGTHS, "--expert-skew", "1"), "nearest: 0.9"),
    ],
)
def test_bad_input_is_one_message(arguments, words):
    """Exit 2, one message that says what, and no traceback."""
    done = outlay("serve", *arguments)
    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Llama-3.1-70B", "--on", "H100:8", *LENGTHS, "--ttft", "1ms"), "the best are"),
        (("Llama-3.1-405B", "--on", "H100:1", *LENGTHS), "fits no replica of up to 1 H100 SXM"),
        (("Llama-3.1-70B", "--on", "H100:8", "--input", "500000", "--output", "500"), "131,072 tokens"),
    ],
)
def test_what_cannot_be_served_is_a_no(arguments, words):
    """Exit 1 with the reason."""
    done = outlay("serve", *arguments)
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_lengths_that_differ_cost_percentiles():
    """The 90th percentile of the first token rises with the variation, and a list of requests is read."""
    asked = ("serve", "Llama-3.1-70B", "--on", "H200", *LENGTHS, "--rate", "5/s", "--json")
    one, other = (
        json.loads(outlay(*asked, *more).stdout) for more in ((), ("--input-cv", "0.8", "--output-cv", "80%"))
    )
    spread = [answer["load"]["ttft_quantiles_s"][1] / answer["load"]["ttft_quantiles_s"][0] for answer in (one, other)]
    assert spread[1] > 1.2 * spread[0]


def test_a_list_of_requests_is_served(tmp_path):
    """Its means are the lengths of the answer; a line that is wrong is named."""
    path = tmp_path / "requests.csv"
    path.write_text("ContextTokens,GeneratedTokens\n1000,100\n5000,900\n")
    done = outlay("serve", "Llama-3.1-70B", "--on", "H200", "--lengths", str(path), "--rate", "5/s", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["tokens_per_s"] == pytest.approx(answer["requests_per_s"] * 3500)
    path.write_text("input,output\n1000,100\n5000,-900\n")
    done = outlay("serve", "Llama-3.1-70B", "--on", "H200", "--lengths", str(path))
    assert done.returncode == 2
    assert "--lengths, line 3: a length must be a number of tokens above zero; got -900" in done.stderr


def test_copies_of_experts_and_wide_prompts_are_said():
    """The strategy has them, the table how hot the hottest chip is."""
    done = outlay("serve", "DeepSeek-V3", "--on", "H200:64", *LENGTHS, "--ttft", "5s", "--redundant-experts", "32")
    assert done.returncode == 0, done.stderr
    assert "redundant=32" in done.stdout
    assert "hottest experts" in done.stdout
    lengths = ("--input", "100000", "--output", "500", "--ttft", "3s", "--tpot", "100ms", "--json")
    done = outlay("serve", "Llama-3.1-70B", "--on", "H200", *lengths)
    assert "cp=" in json.loads(done.stdout)["strategy"]


def test_validate_serving_in_json():
    """Rows with id, metric, family and band; refused rows with reasons."""
    done = outlay("validate", "serving", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["reports"][0]
    assert {row["metric"] for row in report["rows"]} == {"tpot", "ttft", "throughput", "prefill_throughput"}
    assert all(row["low"] < row["high"] for row in report["rows"])
    assert all(row["reason"] for row in report["refused"])


def test_validate_serving_of_a_file(tmp_path):
    """The rows of a file, at the top of the answer; a row that cannot be answered is refused, not lost."""
    path = tmp_path / "runs.csv"
    head = "id,chip,n_chips,engine,model_name,weight_dtype,tp,input_len,output_len,concurrency_or_batch,tpot_ms"
    good, odd = (
        "a-1,H20-96GB,8,SGLang,DeepSeek-R1,fp8,8,1000,1000,8,30",
        "a-2,Nothing,8,SGLang,DeepSeek-R1,fp8,8,1,1,8,3",
    )
    path.write_text(f"{head}\n{good}\n{odd}\n", encoding="utf-8")
    done = outlay("validate", "serving", str(path), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    (row,) = answer["rows"]
    assert (row["id"], row["metric"], row["family"], row["measured"]) == ("a-1", "tpot", "H20", 0.03)
    assert row["low"] < row["predicted"] < row["high"]
    assert [one["id"] for one in answer["refused"]] == ["a-2"]
    assert "answered" in outlay("validate", "serving", str(path), "--by", "engine").stdout


def test_validate_serving_names_bad_rows(tmp_path):
    """The row by its line; a column by the nearest that is known, and exit 2."""
    path = tmp_path / "runs.csv"
    path.write_text("id,chip,model_name,tpot_ms\na-1,H20-96GB,Qwen3-8B,fast\n", encoding="utf-8")
    done = outlay("validate", "serving", str(path), "--json")
    (refused,) = json.loads(done.stdout)["refused"]
    assert refused["reason"] == f"{path}:2: tpot_ms is 'fast', not a number"
    path.write_text("id,chip,model_nam,tpot_ms\na-1,H20-96GB,Qwen3-8B,30\n", encoding="utf-8")
    done = outlay("validate", "serving", str(path))
    assert done.returncode == 2
    assert "unknown column 'model_nam'; nearest: model_name" in done.stderr


def test_a_rate_gives_percentiles():
    """Half of the requests are faster than nine of ten, and the mean of the targets is kept."""
    done = outlay("serve", "Llama-3.1-70B", "--on", "H200", *LENGTHS, "--rate", "50/s", "--share", "90%", "--json")
    answer = json.loads(done.stdout)
    for name in ("ttft_quantiles_s", "tpot_quantiles_s"):
        assert answer["load"][name] == sorted(answer["load"][name])
    assert answer["load"]["tpot_quantiles_s"][1] <= 0.05
    assert answer["cost_per_million_output_tokens"] > answer["cost_per_million_input_tokens"] > 0
