"""`outlay check` as a person runs it."""

import json
import subprocess
import sys

import pytest


def check(*arguments):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "outlay.cli.main", "check", *arguments], capture_output=True, text=True, check=False
    )


def test_denied_chip_exits_one_with_rules_and_arithmetic():
    """The H20 after its letter: code, rules in order, citations, arithmetic, and no claim to be advice."""
    run = check("H20", "--to", "CN", "--date", "2025-05-01")
    assert run.returncode == 1
    assert run.stdout.index("US-03") < run.stdout.index("US-08")
    for part in ("LETTER_LICENCE: denied", "2368 < 2400", "https://www.sec.gov/", "Not legal advice."):
        assert part in run.stdout


def test_lease_abroad_exits_zero():
    """A Chinese group may rent in Malaysia what it may not buy there."""
    place = ("H100", "--to", "MY", "--buyer-hq", "CN", "--date", "2025-03-01")
    assert check(*place, "--lease", "--owner-hq", "MY").returncode == 0
    assert check(*place).returncode == 1


def test_json_has_stable_keys():
    """The answer, the question and each rule with its citations, for programs."""
    run = check("H20", "--to", "china", "--date", "2025-01-22", "--known-on", "2025-01-22", "--json")
    found = json.loads(run.stdout)
    assert run.returncode == 0
    assert (found["code"], found["verdict"], found["class"]) == ("NLR", "allowed", "NONE")
    assert set(found) == {
        *("item", "transaction", "known_on", "flags", "code", "verdict", "law", "class", "rules"),
        *("arithmetic", "missing", "depends_on", "price_factors", "warnings", "confidence", "note"),
    }
    assert found["rules"][0]["citations"]


def test_answer_that_hangs_on_a_competing_figure_says_so():
    """The H20 has two INT8 figures in the catalogue, and they give two classes."""
    run = check("H20", "--to", "CN", "--date", "2024-06-01")
    assert "depends on figures: with int8_tops 592" in run.stdout


def test_spec_file_with_a_missing_figure_exits_one(tmp_path):
    """What cannot be told is not a pass."""
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ntops: {8: 400}\ndatacenter: true\n")
    run = check("--spec", str(path), "--to", "CN", "--date", "2024-06-01")
    assert run.returncode == 1
    assert "missing: die_area_mm2" in run.stdout


def test_timeline_of_the_h20_turns_on_the_day_of_the_letter():
    """Each change has its first day."""
    run = check("H20", "--to", "CN", "--timeline", "--json")
    codes = {row["from"]: row["code"] for row in json.loads(run.stdout)["timeline"]}
    assert (codes["2023-11-17"], codes["2025-04-09"]) == ("NLR", "LETTER_LICENCE")


def test_all_chips_in_one_table():
    """Every chip of the catalogue has a row."""
    run = check("--all", "--to", "CN", "--date", "2025-01-22", "--json")
    codes = {row["chip"]: row["code"] for row in json.loads(run.stdout)}
    assert run.returncode == 0
    assert (codes["H20 96GB"], codes["H100 SXM"]) == ("NLR", "LICENCE_PD")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("H2O", "--to", "CN", "--date", "2025-01-01"), "unknown chip 'H2O'; nearest:"),
        (("H20", "--to", "Chna", "--date", "2025-01-01"), "unknown country 'Chna'"),
        (("H20", "--to", "CN", "--date", "2025-13-01"), "'2025-13-01' is not a date"),
        (("H20", "--to", "CN"), "give one of --date DAY, --timeline and --diff DAY DAY"),
        (("--to", "CN", "--date", "2025-01-01"), "give one of CHIP, --spec FILE, --all and --cases FILE"),
        (("H20", "--to", "CN", "--date", "2025-01-01", "--lease"), "--lease and --owner-hq"),
        (("H20", "--to", "CN", "--date", "2025-01-01", "--flag", "diffusion"), "nearest: diffusion_enforced"),
        (("--spec", "nowhere.yaml", "--to", "CN", "--date", "2025-01-01"), "nowhere.yaml: cannot be read"),
    ],
)
def test_bad_input_exits_two_with_one_message(arguments, message):
    """What, and the nearest valid choice; nothing on standard output, no traceback."""
    run = check(*arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert (run.stdout, "Traceback" in run.stderr) == ("", False)
