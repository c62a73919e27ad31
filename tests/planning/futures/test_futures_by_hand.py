"""The worked example of docs/futures.md, to the figure: over futures, with foresight, for the mean, in a tail."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outlay.planning.futures.benders import Benders
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.explain import Asking, knowing_earlier, mean_plan
from outlay.planning.futures.risk import Risk, cvar
from outlay.planning.futures.solve import Settings, optimise
from outlay.planning.futures.told import decided

DOCS = Path(__file__).parents[3] / "docs" / "futures.md"


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """Run the code of the page and return its names."""
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    return names


@pytest.mark.parametrize("method", ["extensive", "benders"])
def test_by_hand(example: dict[str, Any], method: Any) -> None:
    """Four Fast now, eight Local where demand turns out high: 70 m, by either way to solve."""
    found = optimise(example["instance"], example["futures"], Settings(gap=1e-9, method=method))
    assert found.objective == pytest.approx(70.0)
    assert found.bound == pytest.approx(70.0)
    assert decided(found).orders == {(0, 0, 0, 0): 4, (1, 1, 0, 1): 8}
    assert found.value == pytest.approx([36.0, 104.0])


def test_value_of_the_stochastic_solution_and_of_knowing(example: dict[str, Any]) -> None:
    """Planning for the mean loses 1 m; knowing the demand a quarter earlier gains 2 m."""
    few = example["futures"]
    asking = Asking(lambda other: Decisions(example["instance"], other or few), Risk(), np.zeros(0))
    ours, mean = asking.plan(), mean_plan(asking, few)
    assert ours.objective == pytest.approx(70.0)
    assert mean.objective == pytest.approx(69.0)
    assert asking.plan(few.clairvoyant()).objective == pytest.approx(72.0)


def test_the_worst_half(example: dict[str, Any]) -> None:
    """All weight on the worst half plans for low demand alone: 36 m there, as 4 Fast cost 4 and earn 40."""
    found = optimise(
        example["instance"], example["futures"], Settings(gap=1e-9, risk=Risk(1.0, 0.5), method="extensive")
    )
    assert found.objective == pytest.approx(36.0)
    parts = optimise(example["instance"], example["futures"], Settings(gap=1e-9, risk=Risk(1.0, 0.5), method="benders"))
    assert parts.objective == pytest.approx(36.0)


def test_regret_moves_the_tail(example: dict[str, Any]) -> None:
    """Measured against foresight, 36 and 108, the tail is the future that gives up most: high demand."""
    decisions = Decisions(example["instance"], example["futures"])
    risk, best = Risk(1.0, 0.5), np.array([36.0, 108.0])
    run = Benders(decisions, risk, None, gap=1e-6, offset=best)  # type: ignore[arg-type]
    from outlay.planning.futures.workers import Alone, Job

    run.team = Alone(Job(decisions, run.chunks, risk, best))
    found = run.solve()
    # With x Fast, regret is x - 4 if low and (12 - x) / 2 if high: 6 gives 2 and 3, 7 gives 3 and 2.5.
    assert found.objective == pytest.approx(-3.0)
    assert found.x[decisions.columns.option == 0].max() in (6, 7)


def test_cvar_of_four() -> None:
    """The mean of the worst half of 1, 2, 3, 4 is 1.5, and of a level that splits an atom the part counts."""
    value = np.array([4.0, 1.0, 3.0, 2.0])
    assert cvar(value, np.full(4, 0.25), 0.5) == pytest.approx(1.5)
    assert cvar(value, np.full(4, 0.25), 0.6) == pytest.approx((0.25 * 1 + 0.15 * 2) / 0.4)


def test_knowing_what_is_known_is_worth_nothing(example: dict[str, Any]) -> None:
    """Knowing an event that is in no future leaves the tree as it was."""
    few = example["futures"].take([0, 1])
    from dataclasses import replace

    few = replace(few, history=((), ()))
    assert np.array_equal(knowing_earlier(few, "nothing", None).node, few.node)
