"""The sample plan as a fixture, whatever way pytest imports test files."""

import importlib.util
from pathlib import Path

import pytest

from outlay.planning.result import Plan


def _load():
    spec = importlib.util.spec_from_file_location("outlay_sample_plan", Path(__file__).with_name("sample.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sample_plan()


@pytest.fixture(scope="session")
def plan() -> Plan:
    """Return the plan made by hand."""
    return _load()
