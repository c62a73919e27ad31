"""`outlay plan`: what it prints and writes, with which exit code. The planner itself is tested elsewhere."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import outlay
import outlay.planning
from outlay.cli.main import run
from outlay.errors import InfeasibleError

SAMPLE = Path(__file__).parents[1] / "report" / "sample.py"


@pytest.fixture(scope="module")
def plan():
    """The plan made by hand."""
    spec = importlib.util.spec_from_file_location("outlay_sample_plan", SAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sample_plan()


def loaded(name):
    """What stands for a scenario that was read."""
    return SimpleNamespace(name=name, catalog=None)


@pytest.fixture
def asked(monkeypatch, plan):
    """The planner's answer is the sample; what it was asked is kept."""
    asked = {}

    def answer(scenario, **options):
        asked.update(options, scenario=scenario)
        return plan

    monkeypatch.setattr(outlay, "load", loaded)
    monkeypatch.setattr(outlay.planning, "plan", answer, raising=False)
    return asked


def _outlay(*arguments):
    command = [sys.executable, "-m", "outlay.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_summary_goes_to_standard_output(asked, capsys):
    """Without options the summary is printed, and the planner is asked for half a percent in two minutes."""
    assert run(["plan", "bytedance-2025"]) == 0
    out, err = capsys.readouterr()
    assert "ByteDance, 2025" in out
    assert "\x1b" not in out
    assert err == ""
    assert asked.pop("scenario") == loaded("bytedance-2025")
    assert asked == {"gap": 0.005, "time_limit_s": 120.0, "before": None, "progress": None}


def test_json_is_all_that_is_printed(asked, capsys):
    """A program can read the whole output; --quiet does not silence what was asked for."""
    assert run(["plan", "bytedance-2025", "--json", "--quiet", "--gap", "2%", "--time-limit", "1 min"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["scenario"] == "bytedance-2025"
    assert err == ""
    assert (asked["gap"], asked["time_limit_s"]) == (0.02, 60.0)


def test_files_are_written(asked, capsys, tmp_path):
    """--html and --xlsx write their files; --quiet prints nothing."""
    page, book = tmp_path / "plan.html", tmp_path / "plan.xlsx"
    assert run(["plan", "bytedance-2025", "--quiet", "--html", str(page), "--xlsx", str(book)]) == 0
    assert capsys.readouterr() == ("", "")
    assert page.read_text().startswith("<!doctype html>")
    assert book.read_bytes().startswith(b"PK")
    assert sorted(tmp_path.iterdir()) == [page, book]


@pytest.fixture
def no_plan(monkeypatch):
    """The planner answers that the limits cannot hold together."""

    def answer(scenario, **options):
        msg = "the limits cannot hold together"
        raise InfeasibleError(
            msg, ["floor of 30 % on all spending", "budget China chips"], ["lower the floor to 26.8 %"]
        )

    monkeypatch.setattr(outlay, "load", loaded)
    monkeypatch.setattr(outlay.planning, "plan", answer, raising=False)


def test_infeasible_names_the_conflict_and_the_ways_out(no_plan, capsys, tmp_path):
    """Exit code 1, with what cannot hold together and the cheapest way out; nothing is written."""
    assert run(["plan", "us-lab-2025", "--html", str(tmp_path / "plan.html")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "no plan: the limits cannot hold together\n\n"
        "These limits cannot hold together:\n  - floor of 30 % on all spending\n  - budget China chips\n\n"
        "Cheapest ways out:\n  1. lower the floor to 26.8 %\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_infeasible_as_json(no_plan, capsys):
    """Programs get the same answer as an object."""
    assert run(["plan", "us-lab-2025", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["status"] == "infeasible"
    assert record["relaxations"] == ["lower the floor to 26.8 %"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gap", "120%"], "--gap '120%': expected 0% or more and less than 100%"),
        (["--gap", "-1%"], "--gap '-1%': expected"),
        (["--gap", "small"], "'small' is not a quantity"),
        (["--time-limit", "0"], "--time-limit '0': expected more than zero seconds"),
        (["--time-limit", "nan"], "--time-limit 'nan': expected more than zero seconds"),
        (["--time-limit", "soon"], "'soon' is not a quantity; expected a time, such as 50 ms"),
        (
            ["--html", "no/such/folder/plan.html"],
            "cannot write no/such/folder/plan.html: there is no folder no/such/folder",
        ),
        (
            ["--xlsx", "no/such/folder/plan.xlsx"],
            "cannot write no/such/folder/plan.xlsx: there is no folder no/such/folder",
        ),
    ],
)
def test_bad_options_are_refused_before_anything_is_solved(options, message):
    """Exit code 2 and one message."""
    done = _outlay("plan", "bytedance-2025", *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_is_there_without_heavy_imports():
    """--help lists the options and loads neither the solver nor the drawing library."""
    heavy = "print({'highspy', 'plotly', 'rich', 'numpy'} & set(sys.modules))"
    code = f"import sys; from outlay.cli.main import run; run(['plan', '--help']); {heavy}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "--time-limit" in done.stdout
    assert done.stdout.strip().endswith("set()")
