"""A watcher sees where the solver stands, changes no answer, and may stop it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.long import LONG

import outlay
from outlay.errors import StoppedError
from outlay.planning import plan
from outlay.planning.linear import Standing
from outlay.report.document import document
from outlay.runs.compare import changes
from outlay.scenario.load import read_scenario

SMALL = Path(__file__).parents[1] / "small.yaml"


@pytest.mark.slow
def test_a_watcher_sees_the_gap_close_and_stops_the_search() -> None:
    """The bound never rises within a step, the incumbent never falls below it, and the search ends when asked."""
    seen: list[Standing] = []

    def watch(standing: Standing) -> bool:
        seen.append(standing)
        return standing.incumbent is not None and len(seen) > 5

    with pytest.raises(StoppedError, match="as asked"):
        plan(read_scenario(LONG, "long.yaml"), gap=0, watch=watch)
    assert len(seen) > 5
    assert [one.seconds for one in seen] == sorted(one.seconds for one in seen)
    assert seen[0].step == "blocks"
    for one in seen:
        if one.incumbent is not None and one.bound is not None:
            assert one.gap == pytest.approx(abs(one.bound - one.incumbent) / abs(one.incumbent))
            assert one.bound >= one.incumbent - 1e-6 * abs(one.incumbent)


def test_watching_changes_no_answer() -> None:
    """The same plan, watched and not."""
    loaded = outlay.load(str(SMALL))
    alone, watched = plan(loaded), plan(loaded, watch=lambda _: False)
    assert list(changes(document(alone), document(watched))) == []
