"""`outlay check` as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "policy" / "golden_cases.csv"


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


def test_all_lists_open_chips_first_and_the_fastest_of_them_first():
    """What may be bought, sorted by usefulness."""
    rows = json.loads(check("--all", "--to", "CN", "--date", "2025-01-22", "--json").stdout)
    is_open = [row["verdict"] in {"allowed", "conditional"} for row in rows]
    assert is_open == sorted(is_open, reverse=True)
    speeds = [row["bf16_tflops"] or 0 for row in rows[: sum(is_open)]]
    assert speeds == sorted(speeds, reverse=True)
    text = check("--all", "--to", "CN", "--date", "2025-01-22").stdout
    assert text.startswith(f"{sum(is_open)} of {len(rows)} chips are open to CN on 2025-01-22")


def test_timeline_is_drawn_into_a_file(tmp_path):
    """Several chips, one picture, and the text beside it."""
    path = tmp_path / "status.svg"
    run = check("H20", "H100", "--to", "CN", "--timeline", "--chart", str(path))
    assert run.returncode == 0
    assert "LETTER_LICENCE" in path.read_text()
    assert run.stdout.count("buyer CN") == 2


def test_margin_says_what_would_have_to_change():
    """The nearest line first, in text and in JSON."""
    run = check("H20", "--to", "CN", "--date", "2024-06-01", "--margin")
    assert "-1.3%  US-03  TPP = 296 TOPS x 8 bit = 2368 < 2400; 296 TOPS at 8 bit would have to be 300" in run.stdout
    found = json.loads(check("H20", "--to", "CN", "--date", "2024-06-01", "--margin", "--json").stdout)
    assert found["margins"][0]["line"] == {"figure": "tpp", "at": 2400, "strict": False}


def test_diff_names_what_changed_between_two_days():
    """One chip with its rules; all chips, only those that changed; nothing, in words."""
    run = check("H20", "--to", "CN", "--diff", "2025-04-08", "2025-04-10", "--json")
    (row,) = json.loads(run.stdout)
    assert (row["before"], row["after"], row["rules come"]) == ("NLR (allowed)", "LETTER_LICENCE (denied)", ["US-08"])
    changed = json.loads(check("--all", "--to", "CN", "--diff", "2025-04-08", "2025-04-10", "--json").stdout)
    assert {"H20 96GB", "MI308X"} <= {one["item"] for one in changed}
    assert "H100 SXM" not in {one["item"] for one in changed}
    assert "Nothing changed" in check("--all", "--to", "NO", "--diff", "2024-06-01", "2024-06-02").stdout


def test_cases_are_counted(tmp_path):
    """Rows as JSON; right and wrong in words; exit 1 where a firm case is not right, 0 where only a weak one is."""
    rows = json.loads(check("--cases", str(GOLDEN), "--json").stdout)
    assert len(rows) == 85
    assert {row["result"] for row in rows} == {"right"}
    assert {"case_id", "code", "class", "rules", "arithmetic"} <= set(rows[0])
    run = check("--cases", str(GOLDEN))
    assert (run.returncode, "85 right (100.0%), 0 wrong, 0 indeterminate of 85" in run.stdout) == (0, True)
    head = (
        "case_id,chip,as_of_date,destination,end_user_hq,dense_tops,bits,datacenter_marketed,expected_code,confidence"
    )
    for confidence, code in (("high", 1), ("low", 0)):
        path = tmp_path / "mine.csv"
        path.write_text(f"{head}\nX1,H100,2024-06-01,China,China,1979,8,yes,NLR,{confidence}\n")
        run = check("--cases", str(path))
        assert run.returncode == code
        assert "X1  H100: wrong: LICENCE_PD, class 3A090.a; expected NLR" in run.stdout


def test_row_that_cannot_be_asked_is_bad_input_and_the_others_are_answered(tmp_path):
    """Exit 2 with the line; the rows that can be asked are printed."""
    path = tmp_path / "mine.csv"
    head = "case_id,chip,as_of_date,destination,end_user_hq,dense_tops,bits,expected_code"
    path.write_text(
        f"{head}\nX1,H100,2024-06-01,Atlantis,China,1979,8,NLR\nX2,H100,2024-06-01,China,China,1979,8,NLR\n"
    )
    run = check("--cases", str(path), "--json")
    assert (run.returncode, [row["code"] for row in json.loads(run.stdout)]) == (2, ["UNKNOWN", "LICENCE_PD"])
    assert "mine.csv:2: destination 'Atlantis' names no country" in run.stderr


def test_law_and_practice_are_told_apart():
    """A card for games in a new hall with public money: free by the law, shut by report."""
    place = ("RTX 4090D", "--to", "CN", "--date", "2025-12-01", "--state-funded", "--new-site")
    both, law = check(*place), check(*place, "--law-only")
    assert (both.returncode, law.returncode) == (1, 0)
    assert "by the law alone: allowed; the rest is reported practice" in both.stdout


def test_price_factor_is_printed():
    """The tariff on the way through the United States, with its multiplier."""
    place = ("H200", "--to", "CN", "--from", "US", "--date", "2026-04-01")
    assert "price of hardware x 1.25" in check(*place).stdout
    (factor,) = json.loads(check(*place, "--json").stdout)["price_factors"]
    assert (factor["rule"], factor["multiplier"]) == ("US-12", 1.25)


def test_other_questions_than_of_a_chip_bought(tmp_path):
    """Parties, services, foundries, models and sites are asked through options and files."""
    assert (
        "TREATED_AS_LISTED"
        in check(*("RTX 4090D", "--to", "MY", "--owned-by-listed", "55%", "--date", "2025-10-15")).stdout
    )
    service = check("H100", "--to", "any", "--buyer-hq", "CN", "--service", "--date", "2026-02-01")
    assert "NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK: conditional" in service.stdout
    path = tmp_path / "model.yaml"
    path.write_text("kind: model\ntraining_operations: 2.0e+25\n")
    assert "PRESUMED_SYSTEMIC" in check("--spec", str(path), "--to", "EU", "--date", "2025-09-01").stdout
    path.write_text("vendor_country: China\ntops: {8: 900}\nnode_nm: 7\ntransistors: 5.0e+10\n")
    made = check("--spec", str(path), "--to", "TW", "--buyer-hq", "CN", "--foundry", "--date", "2025-06-01")
    assert (made.returncode, "US-07" in made.stdout, "LICENCE_PD" in made.stdout) == (1, True, True)


def test_system_is_answered_by_the_chip_it_holds():
    """The server of eight H20 needs the licence that the H20 needs; an unknown name offers systems and chips."""
    run = check("HGX H20", "--to", "CN", "--date", "2025-05-01")
    assert (run.returncode, "LETTER_LICENCE: denied" in run.stdout, "(H20 96GB)" in run.stdout) == (1, True, True)


def test_record_of_a_rule_is_printed():
    """Its dates and sources; for the divestiture the deadline as it stood."""
    run = check("--rule", "US-14", "--known-on", "2025-01-22")
    assert "Deadline as known on 2025-01-22: 2025-04-05" in run.stdout
    found = json.loads(check("--rule", "US-11", "--json").stdout)
    assert (found["effective_from"], found["decides"]) == ("2026-01-15", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tops: {8: 1184, 16: 148}", "1184 TOPS at 8 bit is 8 times the 148 at 16 bit; is it a figure with sparsity?"),
        ("tops: {8: 592}\ndense: false", "the rules count dense rates"),
        ("tops_sparse: {8: 592}", "the rules count dense rates"),
        ("tops: {8: -5}", "tops at 8 bit is -5.0; expected a number above zero"),
        ("kind: laptop", "kind is 'laptop'; expected chip, memory"),
    ],
)
def test_spec_that_does_not_hold_up_is_asked_back(tmp_path, text, message):
    """A sparse figure given as dense, a negative one, an unknown kind."""
    path = tmp_path / "mine.yaml"
    path.write_text(text + "\n")
    run = check("--spec", str(path), "--to", "CN", "--date", "2024-06-01")
    assert run.returncode == 2
    assert message in run.stderr


@pytest.mark.parametrize(("day", "words"), [("2021-01-01", "before the first rule"), ("2027-01-01", "after what the")])
def test_day_outside_the_sources_is_answered_with_a_warning(day, words):
    """The answer stands, and says what it does not know."""
    run = check("RTX 4090D", "--to", "NO", "--date", day)
    assert run.returncode == 0
    assert words in run.stdout


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
        (("H20", "--date", "2025-01-01"), "give --to COUNTRY"),
        (("H20", "--all", "--to", "CN", "--date", "2025-01-01"), "got CHIP, --all"),
        (("H20", "H100", "--to", "CN", "--date", "2025-01-01"), "several are compared only with --timeline"),
        (("H20", "--to", "CN", "--date", "2025-01-01", "--chart", "a.svg"), "--chart draws a --timeline"),
        (("H20", "--to", "CN", "--timeline", "--chart", "a.png"), "expected a name that ends in .svg"),
        (("H20", "--to", "CN", "--diff", "2025-02-01", "2025-01-01"), "the second day must be later"),
        (("H20", "--to", "CN", "--date", "2025-01-01", "--owned-by-listed", "130%"), "is not a share"),
        (("H20", "--to", "CN", "--date", "2025-01-01", "--service", "--foundry"), "give one of --lease"),
        (("--rule", "US-99"), "unknown rule 'US-99'; nearest: US-09"),
        (("--cases", "nowhere.csv"), "nowhere.csv: cannot be read"),
        (("--spec", "nowhere.yaml", "--to", "CN", "--date", "2025-01-01"), "nowhere.yaml: cannot be read"),
    ],
)
def test_bad_input_exits_two_with_one_message(arguments, message):
    """What, and the nearest valid choice; nothing on standard output, no traceback."""
    run = check(*arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert (run.stdout, "Traceback" in run.stderr) == ("", False)
