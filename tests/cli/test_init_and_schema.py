"""`outlay init` and `outlay schema`, as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import outlay
from outlay.scenario.load import bundled_text


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "outlay.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_init_writes_a_scenario_that_loads(tmp_path: Path) -> None:
    """The template is right, and is not overwritten by accident."""
    done = run("init", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert outlay.load(tmp_path / "scenario.yaml").name == "my-build-out"
    again = run("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert run("init", "--force", cwd=tmp_path).returncode == 0


def test_init_copies_a_bundled_scenario(tmp_path: Path) -> None:
    """Start from the story; a slip in the name offers the nearest."""
    assert run("init", "mine.yaml", "--from", "bytedance-2025", cwd=tmp_path).returncode == 0
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == bundled_text("bytedance-2025")
    miss = run("init", "other.yaml", "--from", "bytedanse", cwd=tmp_path)
    assert miss.returncode == 2
    assert "nearest: bytedance-2025" in miss.stderr
    assert not (tmp_path / "other.yaml").exists()


def test_init_says_why_it_cannot_write(tmp_path: Path) -> None:
    """A folder that is not there."""
    done = run("init", "no/such/folder.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_schemas_are_printed(tmp_path: Path) -> None:
    """Both are JSON schemas with properties."""
    for what in ("scenario", "plan"):
        done = run("schema", what, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["properties"]
