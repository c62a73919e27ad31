"""`outlay read`, `outlay evidence` and the what-ifs of `outlay plan` as a person runs them."""

import json
import subprocess
import sys

import pytest
from tests.evidence.test_reading import PLAN, STORIES, TAILS


def outlay(*arguments, text=None):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "outlay.cli.main", *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A story with a tail, in a file."""
    path = tmp_path_factory.mktemp("stories") / "plan.txt"
    path.write_text(PLAN + TAILS[0], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def planned(story):
    """The draft of the story, and the plan of the draft as JSON."""
    scenario, plan = story.with_name("s.yaml"), story.with_name("plan.json")
    assert outlay("read", story, "--date", "2025-01-22", "--scenario", scenario).returncode == 0
    run = outlay("plan", scenario, "--json")
    assert run.returncode == 0, run.stderr
    plan.write_text(run.stdout, encoding="utf-8")
    return scenario, plan


def test_story_to_plan_without_editing(planned):
    """The draft loads and plans; the plan's evidence keeps claim, quote, date and denial."""
    document = json.loads(planned[1].read_text(encoding="utf-8"))
    assert document["audit"]["ok"]
    money = next(item for item in document["evidence"] if item["what"] == "budget china: amount")
    assert (money["status"], money["date"]) == ("denied", "2025-01-22")
    assert money["claim"].startswith("c")
    assert money["quote"] in PLAN


def test_text_names_claims_denials_sums_and_what_is_ignored(story):
    """A person sees sizes, witnesses, denials, sums, questions and the tail."""
    run = outlay("read", story)
    assert run.returncode == 0
    for part in (
        "about 5,100,000,000 USD",
        "denied by Hailong spokesperson",
        "parts against total",
        "Left open",
        "Banks Weigh",
    ):
        assert part in run.stdout


def test_json_has_stable_keys(story):
    """The keys that programs rely on."""
    found = json.loads(outlay("read", story, "--json").stdout)
    assert set(found) == {"articles", "claims", "ignored", "checks", "questions", "scenario", "scenario_missing"}
    assert {
        "quantity",
        "unit",
        "bound",
        "about",
        "share_of",
        "attribution",
        "status",
        "derived_from",
        "sentence",
        "span",
    } <= set(found["claims"][0])
    assert found["scenario"]["buyer"]["name"] == "Hailong"
    assert [item["reason"] for item in found["ignored"]] == ["headline", "headline"]


def test_standard_input_and_several_stories(story):
    """A dash reads standard input; two tellings are merged."""
    again = "Hailong will spend more than $9 billion on AI infrastructure in 2025, the Financial Times reported."
    run = outlay("read", "-", story, "--json", text=again)
    claims = json.loads(run.stdout)["claims"]
    assert [len(claim["told_by"]) for claim in claims if claim["quantity"] == 9e9 and claim["unit"] == "USD"] == [2]


def test_check_scores_a_folder():
    """Precision and recall over the stories of a folder, with what is missed."""
    run = outlay("read", "--check", STORIES, "--json")
    found = json.loads(run.stdout)
    assert run.returncode == 0
    assert found["precision"] >= 0.95
    assert found["recall"] >= 0.85


def test_check_below_the_bars_exits_one(tmp_path):
    """Labels that nothing in the story matches make the answer no."""
    (tmp_path / "a.txt").write_text("Orla said it will spend $2 billion on chips.")
    label = {"quantity": 3e9, "unit": "USD", "about": "Orla chips", "status": "company statement"}
    (tmp_path / "claims.jsonl").write_text(json.dumps({"text_file": "a.txt", "claims": [label]}) + "\n")
    run = outlay("read", "--check", tmp_path)
    assert run.returncode == 1
    assert "missed: a.txt: 3000000000.0 USD" in run.stdout


def test_evidence_goes_back_to_the_witness(planned):
    """From a purchase to its budget's claim, the words of the story and who denies it."""
    run = outlay("evidence", planned[1], "--of", "budget china")
    assert run.returncode == 0
    for part in (
        "budget china:",
        "<- budget china: amount [c",
        "denied by Hailong spokesperson",
        "30 billion yuan ($4.1 billion)",
    ):
        assert part in run.stdout
    chains = json.loads(outlay("evidence", planned[1], "--json").stdout)
    bought = [chain for chain in chains if chain["output"].startswith(("buy", "lease"))]
    assert bought
    assert all(any(item["claim"] for item in chain["figures"]) for chain in bought)


def test_without_denied_and_with_a_claim(planned):
    """What if the spokesperson is right: no plan; and with a figure of one's own: a plan that says so."""
    scenario, _ = planned
    refused = outlay("plan", scenario, "--without", "denied")
    assert refused.returncode == 1
    assert "no money is left to plan with" in refused.stderr
    run = outlay("plan", scenario, "--without", "denied", "--claim", "china.amount=2 billion CNY", "--json")
    document = json.loads(run.stdout)
    assert [budget["limit"] for budget in document["budgets"]] == [2e9]
    assert "china.amount set to 2 billion CNY" in document["title"]


@pytest.mark.parametrize(
    ("arguments", "text", "code", "message"),
    [
        (("read",), None, 2, "name a story"),
        (("read", "none.txt"), None, 2, "none.txt: cannot be read"),
        (("read", "-"), "", 2, "standard input: empty"),
        (("read", "-"), "Nothing is said here at all, by nobody.", 1, "no claims"),
        (("read", "-", "--date", "soon"), "Orla has 40 MW.", 2, "--date 'soon' is not a date"),
        (("read", "ftp://example.com/a"), None, 2, "only http and https"),
        (("read", "http://127.0.0.1:9/a"), None, 2, "inside a private network"),
        (("read", "-", "--second", "http://a"), "Orla has 40 MW.", 2, "go together"),
        (("read", "--check", "none"), None, 2, "has no claims.jsonl"),
        (
            ("read", "-", "--scenario", "out.yaml"),
            "Orla said it has a site of 40 MW.",
            1,
            "no scenario: no claim is of money",
        ),
        (("evidence", "none.json"), None, 2, "none.json: cannot be read"),
        (("evidence", "-"), "{}", 2, "not a plan"),
    ],
)
def test_bad_input_is_one_message(arguments, text, code, message, tmp_path, monkeypatch):
    """Exit code and words; never a traceback, and nothing written."""
    monkeypatch.chdir(tmp_path)
    run = outlay(*arguments, text=text)
    assert (run.returncode, message in run.stderr) == (code, True), run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out.yaml").exists()


def test_other_commands_do_not_load_the_reader():
    """The libraries of the reader are imported by it alone."""
    code = (
        "import sys; from outlay.cli.main import run; run(['check', 'H20', '--to', 'CN', '--date', '2025-01-22']); "
        "print('spacy' in sys.modules, 'trafilatura' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False False")
