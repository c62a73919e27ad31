"""Every kind of bad input to `outlay plan`, through the command line: exit 2, one message, nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SMALL = (Path(__file__).parents[1] / "small.yaml").read_text(encoding="utf-8")
GOOD = SMALL.replace("quarters: 4", "quarters: 2")
EXACT = "{name: e, share: 60%, kind: exact, base: chips, of: {vendor_countries: [CN]}}"
FLOOR = "{name: f, share: 70%, kind: floor, base: chips, of: {vendor_countries: [CN]}}"
BAD = {
    "unknown chip": (
        "systems: [DGX H100]",
        "systems: [DGX H1O0]",
        "s.yaml:12:11: unknown system or chip 'DGX H1O0'; nearest: ",
    ),
    "unknown model": (
        "model: Llama-3.1-8B",
        "model: Lama-3.1-8B",
        "unknown model 'Lama-3.1-8B'; nearest: Llama-3.1-8B",
    ),
    "unknown site": ("[buy]}\nsites", "[buy], where: {sites: [Hone]}}\nsites", "unknown site 'Hone'; nearest: Home"),
    "negative amount": ("10 million USD", "-10 million USD", "must be more than zero"),
    "zero amount": ("10 million USD", "0 USD", "must be more than zero"),
    "unknown currency": ("10 million USD", "10 million UZD", "unknown currency 'UZD'"),
    "budget without a site": (
        "[buy]}\nsites",
        "[buy], where: {countries: [FR]}}\nsites",
        "no site of the scenario is in its terms",
    ),
    "quarter outside the horizon": (
        "2025Q1: 1 billion",
        "2026Q1: 1 billion",
        "2026Q1 is outside the horizon, 2025Q1 to 2025Q2",
    ),
    "share over 100 %": (
        "objective:",
        f"sourcing: [{FLOOR.replace('70%', '170%')}]\nobjective:",
        "'170%' is not a share",
    ),
    "floor against exact": ("objective:", f"sourcing: [{EXACT}, {FLOOR}]\nobjective:", "but 'e' fixes exactly 60.0%"),
    "a model that fits no system": ("tpot: 50 ms", "tpot: 1 us", "model 'Llama-3.1-8B' fits no system on offer"),
    "a model that is not modelled": (
        "model: Llama-3.1-8B",
        "model: Kimi-K3",
        "model 'Kimi-K3' fits no system on offer",
    ),
    "not YAML": ("title: Small", "title: [Small", "not YAML"),
    "a duplicate key": ("title: Small", "title: Small\ntitle: Two", 'duplicate key "title"'),
    "no exchange rate": ("currency: USD", "currency: CHF", "no exchange rate of CHF is known"),
}


def plan(folder: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Plan a scenario in a folder of its own."""
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "outlay.cli.main", "plan", "s.yaml", *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_exits_2_with_one_message(tmp_path: Path, kind: str) -> None:
    """The value, what was expected, the nearest valid name; and nothing is written."""
    old, new, message = BAD[kind]
    assert old in GOOD
    done = plan(tmp_path, GOOD.replace(old, new, 1), "--html", "p.html", "--xlsx", "p.xlsx")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.yaml"]


@pytest.mark.parametrize(("text", "message"), [("", "empty"), ("#" * 500_001, "at most 500,000")])
def test_empty_and_huge_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """Before anything is read into a plan."""
    done = plan(tmp_path, text)
    assert done.returncode == 2
    assert message in done.stderr


def test_an_unwritable_output_is_refused_before_planning(tmp_path: Path) -> None:
    """A folder that is not there."""
    done = plan(tmp_path, GOOD, "--html", "no/such/p.html")
    assert done.returncode == 2
    assert "no/such" in done.stderr


def test_what_cannot_hold_exits_1_with_the_ways_out(tmp_path: Path) -> None:
    """A floor of 30 % on parts that no one offers, when the money must be spent."""
    text = GOOD.replace("pays_for: [buy]}", "pays_for: [buy], spend_at_least: 50%}")
    text = text.replace("objective:", f"sourcing: [{FLOOR}]\nobjective:")
    done = plan(tmp_path, text)
    assert done.returncode == 1, done.stderr
    told = done.stdout + done.stderr
    assert "sourcing f: at least 70.0% by chips" in told
    assert "lower sourcing f from 70.0% to 0.0%" in told


def test_the_good_one_is_good(tmp_path: Path) -> None:
    """What the refusals are made from is planned, and both files are written."""
    done = plan(tmp_path, GOOD, "--html", "p.html", "--xlsx", "p.xlsx")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"s.yaml", "p.html", "p.xlsx"}
    assert "audit: all" in done.stdout
