"""The package as a whole: what it exports, how fast it starts, what it must not import, what must not be committed."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"pydantic", "pint", "plotly", "highspy", "scipy", "xlsxwriter", "rich", "pycountry", "jinja2", "ruamel.yaml"}
HEAVY |= {"spacy", "trafilatura"}


@pytest.mark.parametrize("name", ["outlay", "outlay.catalog", "outlay.evidence", "outlay.planning", "outlay.policy"])
def test_public_names_exist_once(name: str) -> None:
    """`__all__` names what is there, and each name once."""
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__) > 0
    assert all(hasattr(module, public) for public in module.__all__)


def imported_by(*arguments: str) -> set[str]:
    """Return the modules a fresh interpreter has loaded after running the command line."""
    code = (
        "import sys; from outlay.cli.main import run; run(sys.argv[1:]); "
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.split("\n"))


def test_help_loads_nothing_heavy() -> None:
    """`outlay --help` starts fast because it imports no library it does not need."""
    loaded = imported_by("--help")
    assert "click" in loaded
    assert not HEAVY & loaded
    assert "numpy" not in loaded


def test_check_and_catalog_load_no_solver_and_no_schema() -> None:
    """One question does not pay for the optimiser."""
    for arguments in (("check", "H20 96GB", "--to", "CN", "--date", "2025-01-22"), ("catalog", "chip", "H20 96GB")):
        assert not {"highspy", "plotly", "pydantic", "scipy", "pint", "jinja2"} & imported_by(*arguments)


def test_every_command_has_help() -> None:
    """Each command imports and says what it does."""
    from outlay.cli.main import COMMANDS

    for name in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "outlay.cli.main", name, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout


def test_the_command_runs_as_a_module() -> None:
    """``python -m outlay`` is ``outlay``, exit status too."""
    done = [
        subprocess.run([sys.executable, "-m", "outlay", *words], capture_output=True, text=True, check=False)
        for words in (("--version",), ("trian",))
    ]
    assert [one.returncode for one in done] == [0, 2]
    assert done[0].stdout.startswith("outlay, version")
    assert "train" in done[1].stderr


def test_an_unknown_command_names_the_nearest() -> None:
    """A slip of the finger gets the right name and exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "outlay.cli.main", "plna"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no such command 'plna'; nearest: plan" in done.stderr


def tracked_texts() -> list[Path]:
    """Return the text files under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    kinds = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".csv", ".html", ".css", ".js"}
    return [ROOT / name for name in listed.stdout.split("\n") if name and Path(name).suffix in kinds | {""}]


def test_no_file_names_a_machine_or_an_index() -> None:
    """No absolute path of a machine and no package index in any file."""
    path = re.compile(r"(?<![\w.:/])/(?:home/\w+|root|tmp/\w+)/")
    index = re.compile("|".join(("--(?:extra-)?index-" + "url", "python" + "hosted", "://py" + "pi")))
    texts = tracked_texts()
    assert len(texts) > 30
    for file in texts:
        if file.is_file() and file != Path(__file__):
            text = file.read_text(encoding="utf-8", errors="replace")
            assert not path.search(text), file
            assert not index.search(text), file


def test_constraints_are_plain_versions() -> None:
    """The lock is lines of `name==version` and nothing else."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line) for line in lines)


def lines_of_code(function: ast.FunctionDef) -> int:
    """Return the lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = (first.end_lineno or 0) if documented else function.lineno
    return (function.end_lineno or 0) - start


def test_files_and_functions_stay_small() -> None:
    """A module keeps to one reason to exist: 600 lines at most, functions to 60 of code."""
    long: list[str] = []
    for file in (ROOT / "src").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if text.count("\n") > 600:
            long.append(f"{file.name}: {text.count(chr(10))} lines")
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        sizes = {node.name: lines_of_code(node) for node in functions}
        long.extend(f"{file.name}: {name} {size} lines" for name, size in sizes.items() if size > 60)
    assert not long
