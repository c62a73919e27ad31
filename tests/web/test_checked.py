"""A scenario's text looked over: everything wrong with it, by line and by field."""

from pathlib import Path

from outlay.scenario.load import LARGEST_BYTES
from outlay.web.page.checked import look_over

SMALL = (Path(__file__).parents[1] / "small.yaml").read_text(encoding="utf-8")


def test_a_good_text_has_its_scenario_and_no_troubles():
    """What can be planned is given whole."""
    found = look_over(SMALL)
    assert (found.troubles, found.scenario.name, found.readable) == ((), "small", True)


def test_troubles_stand_at_their_fields_and_lines():
    """A field knows its own message, a block how many it holds."""
    found = look_over(SMALL.replace("power: 5 MW", "power: 5").replace("ttft: 1 s", "ttft: soon"))
    assert [one.line for one in found.troubles] == [11, 19]
    assert "has no unit; expected power, such as 30 MW" in found.at(("sites", 0, "power"))[0]
    assert (found.below(("sites",)), found.below(("services", 0)), found.below(("budgets",))) == (1, 1, 0)


def test_a_missing_field_is_told_at_its_place():
    """What is not there has no line of its own, but its field."""
    found = look_over(SMALL.replace(", pays_for: [buy]", ""))
    assert found.at(("budgets", 0, "pays_for")) == ["budgets[0].pays_for is missing"]


def test_broken_huge_and_newer_texts_are_told_without_a_scenario():
    """No YAML, too much of it, and the format of a later version each have one message."""
    broken = look_over(SMALL.replace("name: small", "name: ["))
    assert not broken.readable
    assert broken.troubles[0].line is not None
    assert broken.troubles[0].what.startswith("not YAML")
    assert "at most" in look_over("a" * (LARGEST_BYTES + 1)).troubles[0].what
    newer = look_over(SMALL.replace("outlay: 1", "outlay: 7"))
    assert newer.troubles[0].what.startswith("outlay: made for format 7 by a newer version")


def test_files_of_the_server_are_not_read():
    """A text on the page cannot name a file of this machine."""
    found = look_over(SMALL + "catalog: /etc/passwd\n")
    assert "not read here" in found.troubles[0].what
