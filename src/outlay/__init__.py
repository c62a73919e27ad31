"""Plan an AI-infrastructure build-out under money, rules, supply and power; every number with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from outlay.scenario.schema import Scenario

__version__ = "0.1.0"
__all__ = ["load"]


def load(name_or_path: str | Path) -> Scenario:
    """Load a bundled scenario by name, or a scenario file by path.

    Parameters
    ----------
    name_or_path
        ``"bytedance-2025"`` and the like, or the path of a YAML file.

    Raises
    ------
    outlay.errors.ScenarioError
        Names file, line and column of what is wrong and what was expected.
    """
    from outlay.scenario.load import load_scenario

    return load_scenario(name_or_path)
