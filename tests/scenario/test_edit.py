"""Editing a scenario's YAML: one value changes, every comment and every other line stays."""

import difflib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.scenario.edit import dump, with_item, with_value, without
from outlay.scenario.load import bundled, bundled_text
from outlay.scenario.tree import at, parse, plain

TEXT = """\
# A scenario
outlay: 1  # version
name: my-build-out   # a name
knowledge_date: 2025-06-01
horizon: {start: 2025Q3, quarters: 4}  # two
budgets:
  # the money
  - name: machines
    amount: 200 million USD
    pays_for: [buy, lease]  # both
sourcing: []
summary: >
  Folded
  text.
"""


def _changed(before, after):
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[:1] in "+-"]


def _read(text):
    return plain(parse(text, "x"), "x")


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_scenario_survives_being_written_again(name):
    """The whole tree written out again is the text, comments, anchors and all."""
    text = bundled_text(name)
    assert dump(parse(text, name), text) == text


@pytest.mark.parametrize(
    ("where", "value", "line"),
    [
        (("name",), "other", "name: other   # a name"),
        (("knowledge_date",), "2025-07-02", "knowledge_date: 2025-07-02"),
        (("horizon", "start"), "2025Q4", "horizon: {start: 2025Q4, quarters: 4}  # two"),
        (("horizon", "quarters"), "6", "horizon: {start: 2025Q3, quarters: 6}  # two"),
        (("budgets", 0, "amount"), "3 billion CNY", "    amount: 3 billion CNY"),
        (("budgets", 0, "pays_for", 1), "energy", "    pays_for: [buy, energy]  # both"),
        (("name",), "a: b # c", "name: 'a: b # c'   # a name"),
        (("horizon", "start"), "a, b}", "horizon: {start: 'a, b}', quarters: 4}  # two"),
    ],
)
def test_one_value_changes_one_line(where, value, line):
    """A scalar is replaced where it stands; the comment beside it stays."""
    after = with_value(TEXT, where, value)
    assert _changed(TEXT, after)[-1] == f"+ {line}"
    assert len(_changed(TEXT, after)) == 2
    assert str(at(parse(after, "x"), where)) == value


def test_values_that_are_no_scalars_keep_the_comments():
    """Folded text, lists and new fields go through the whole tree."""
    after = with_value(TEXT, ("summary",), "One line")
    after = with_value(after, ("budgets", 0, "pays_for"), ["buy"])
    after = with_value(after, ("budgets", 0, "where", "countries"), ["US", "NO"])
    after = with_value(after, ("objective", "maximise"), "value")
    for comment in re.findall(r"#[^\n]*", TEXT):
        assert comment in after
    read = _read(after)
    assert read["budgets"][0] == {
        "name": "machines", "amount": "200 million USD", "pays_for": ["buy"], "where": {"countries": ["US", "NO"]},
    }  # fmt: skip
    assert (read["summary"], read["objective"]) == ("One line", {"maximise": "value"})
    assert "knowledge_date: 2025-06-01\n" in after


def test_items_come_and_go():
    """A list grows at its end and shrinks; the empty one becomes a list."""
    after = with_item(TEXT, ("budgets",), {"name": "more", "amount": "1 billion USD"})
    assert [budget["name"] for budget in _read(after)["budgets"]] == ["machines", "more"]
    after = without(after, ("budgets", 0))
    assert [budget["name"] for budget in _read(after)["budgets"]] == ["more"]
    after = with_item(TEXT, ("sourcing",), {"name": "local", "share": "30%"})
    assert _read(after)["sourcing"] == [{"name": "local", "share": "30%"}]


def test_a_block_left_empty_goes_with_its_last_field():
    """Nothing is left behind by a field that was added and taken away."""
    after = with_value(TEXT, ("objective", "maximise"), "value")
    assert "objective" not in _read(without(after, ("objective", "maximise")))
    assert without(TEXT, ("objective", "maximise")) == TEXT


LETTERS = st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" ")


@settings(max_examples=40)
@given(st.text(alphabet=LETTERS, max_size=30))
def test_any_text_one_types_is_read_back(typed):
    """What is typed into a field is what the YAML says, whatever characters it has."""
    after = with_value(TEXT, ("budgets", 0, "name"), typed)
    read = at(parse(after, "x"), ("budgets", 0, "name"))
    assert str(read) == typed.strip() or not isinstance(read, str)
    assert _read(after)["horizon"] == _read(TEXT)["horizon"]


@settings(max_examples=12)
@given(st.sampled_from(bundled()), st.data())
def test_any_scalar_of_a_bundled_scenario_can_be_changed_alone(name, data):
    """Changing one value leaves every other value as it was."""
    text = bundled_text(name)
    tree = parse(text, name)
    places = [("title",), ("horizon", "start"), ("budgets", 0, "amount"), ("sites", 0, "pue"), ("services", 0, "ttft")]
    where = data.draw(st.sampled_from(places))
    after = with_value(text, where, "9 weeks", tree)
    changed = _read(after)
    assert at(changed, where) == "9 weeks"
    before = _read(text)
    at(before, where[:-1])[where[-1]] = "9 weeks"
    assert changed == before
