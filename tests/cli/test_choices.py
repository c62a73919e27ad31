"""Tables beside the best strategy: what is shown of a long front, and the marks."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from outlay.catalog import Catalog
from outlay.cli.choices import MOST_ROWS, show_choices, spread
from outlay.performance.search import TrainingEstimate, best_training


@given(st.lists(st.integers(), max_size=60, unique=True), st.integers(2, 20))
def test_a_spread_has_both_ends_and_keeps_the_order(items: list[int], most: int):
    """All of a short list; of a long one the first, the last and as many between as there is room for."""
    shown = spread(items, most)
    assert len(shown) == min(len(items), most)
    assert [item for item in items if item in set(shown)] == shown
    if items:
        assert (shown[0], shown[-1]) == (items[0], items[-1])


@pytest.fixture(scope="module")
def estimate() -> TrainingEstimate:
    """Return an answer with a long front and strategies that are faster on paper."""
    catalog = Catalog.load()
    return best_training(
        catalog.model("Llama-3.1-405B"), catalog.system("DGX H100"), 16384, sequence=8192, catalog=catalog
    )


def test_the_tables_show_ten_runners_up_a_front_and_the_marks(estimate: TrainingEstimate):
    """Each strategy on one line, untried ones marked and the mark explained."""
    text = StringIO()
    show_choices(Console(file=text, width=60, highlight=False, soft_wrap=True), estimate)
    lines = text.getvalue().splitlines()
    for choice in (*estimate.runners_up, *estimate.on_paper):
        assert any(line.endswith(choice.strategy + ("" if choice.tried else " *")) for line in lines)
    assert len(estimate.front) > MOST_ROWS
    assert f"front of time, memory and chips, {MOST_ROWS} of {len(estimate.front)} (all with --json)" in lines
    assert lines.count("* has parts that no run of the calibration used: the error band does not cover it") == 2
