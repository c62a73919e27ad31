"""How far an item is from each line, and what would have to change."""

from dataclasses import replace
from datetime import date

import pytest

from outlay.policy import Item, Transaction, decide
from outlay.policy.margin import flips, margins
from outlay.policy.metrics import FIGURES

L20 = Item("L20", "Nvidia", "US", {8: 239.0}, 609.0, 64.0, 864.0, True)
DAY = date(2025, 6, 1)


def test_nearest_line_comes_first_with_what_would_have_to_change():
    """The L20 lies 1.9 % below 3.2: by its die or by its rate."""
    first = margins(L20, DAY)[0]
    assert (first.rule, first.line.figure, first.line.at) == ("US-03", "pd", 3.2)
    assert first.relative == pytest.approx(1912 / 609 / 3.2 - 1)
    assert "239 TOPS at 8 bit would have to be 243.6" in first.change
    assert "the die would have to be 597.5 mm2 instead of 609" in first.change


def test_change_that_is_named_does_change_the_answer():
    """Each change said for a line puts the item on the line."""
    assert decide(replace(L20, die_area_mm2=597.4), Transaction(DAY, "CN", "CN", "CN")).control_class == "3A090.b"
    assert decide(replace(L20, tops={8: 243.61}), Transaction(DAY, "CN", "CN", "CN")).control_class == "3A090.b"


def test_lines_are_those_in_force():
    """The rule of 2022 is gone in 2025; a bill counts by its switch; missing figures come last and say so."""
    rules = {one.rule for one in margins(L20, DAY)}
    assert {"US-03", "US-08"} <= rules
    assert not rules & {"US-02", "US-P1", "US-07", "EU-01"}
    assert "US-P1" in {one.rule for one in margins(L20, date(2026, 2, 1), frozenset({"safe_chips_enacted"}))}
    bare = margins(replace(L20, die_area_mm2=None), DAY)
    assert bare[-1].relative is None
    assert "is missing" in bare[-1].arithmetic


def test_relative_distance_is_of_the_line():
    """Positive above, negative below, zero on the line."""
    for one in margins(L20, DAY):
        value = FIGURES[one.line.figure](L20).value
        assert one.relative == pytest.approx(value / one.line.at - 1)


def test_die_areas_at_which_the_class_turns_are_right():
    """The areas said are those at which decide turns."""
    (words,) = flips(L20, DAY)
    assert "3A090.b at or below 597.5 mm2" in words
    transaction = Transaction(DAY, "CN", "CN", "CN")
    assert decide(replace(L20, die_area_mm2=597.5), transaction).control_class == "3A090.b"
    assert decide(replace(L20, die_area_mm2=597.6), transaction).control_class == "NONE"
    assert flips(replace(L20, tops={8: 100.0}), DAY) == []
    assert flips(replace(L20, datacenter=False), DAY) == []
