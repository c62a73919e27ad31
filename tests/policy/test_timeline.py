"""Timelines of the chips the story knows, against the dated events of the sources; their picture."""

import itertools
from datetime import date
from xml.etree import ElementTree as ET

import pytest

from outlay.catalog import Catalog
from outlay.policy import Transaction, item_of
from outlay.policy.timeline import chart, days_of_change, strip, timeline

CATALOG = Catalog.load()
# (chip, {first day: code}) of the events that touch each chip on its way from the United States to China.
EVENTS = {
    "H20": {
        "2023-11-17": "NLR",  # in force: 2368 and 2.91 lie below both lines
        "2025-04-09": "LETTER_LICENCE",  # letter to NVIDIA
        "2025-07-15": "LETTER_LICENCE",  # assured, not licensed
        "2025-07-31": "LETTER_LICENCE",  # summons
        "2025-08-11": "LETTER_LICENCE",  # 15 %
        "2025-10-10": "LETTER_LICENCE",  # customs
    },
    "H100": {
        "2022-08-26": "LETTER_LICENCE",
        "2022-10-21": "LICENCE",
        "2023-11-17": "LICENCE_PD",
        "2026-01-15": "LICENCE_CBC",
    },
    "H200": {
        "2025-12-08": "LICENCE",  # announced
        "2026-01-14": "LICENCE",  # stopped at customs
        "2026-01-15": "LICENCE_CBC",  # rule
        "2026-01-28": "LICENCE_CBC",  # approvals
        "2026-02-01": "LICENCE_CBC",  # licences for small amounts
    },
    "A800": {
        "2022-10-21": "NLR",
        "2023-10-23": "LETTER_LICENCE",
        "2023-11-17": "LICENCE_PD",
        "2026-01-15": "LICENCE_CBC",
    },
    "RTX 4090D": {"2023-11-17": "NLR", "2025-04-09": "NLR"},
    "Ascend 910C": {"2025-05-13": "GP10_PRESUMED", "2025-11-04": "GP10_PRESUMED"},
    "MI308": {
        "2023-11-17": "NLR",
        "2025-04-09": "LETTER_LICENCE",
        "2025-07-15": "LETTER_LICENCE",
        "2025-08-11": "LETTER_LICENCE",
    },
}
SILENT = {
    "H20": ["2026-01-15"],  # below 3A090: the rule of that day does not decide it
    "RTX 4090D": ["2023-10-23", "2024-04-04"],
    "Ascend 910C": ["2025-04-09", "2026-01-15"],
    "MI308": ["2026-01-15"],
}
"""Days on which others change and these chips do not."""


def spans(name):
    """Return the timeline of a chip to China, shipped from the United States."""
    return timeline(item_of(CATALOG.chip(name)), Transaction(date.min, "CN", "CN", "CN", exporter="US"))


@pytest.mark.parametrize("name", EVENTS)
def test_timeline_turns_on_the_days_of_the_events(name):
    """Each event is the first day of a span with its code."""
    found = {span.first.isoformat(): span.decision.code for span in spans(name)}
    assert {day: found.get(day) for day in EVENTS[name]} == EVENTS[name]


@pytest.mark.parametrize("name", SILENT)
def test_timeline_stays_where_an_event_is_about_others(name):
    """No span begins on a day that does not touch the chip."""
    assert not {span.first.isoformat() for span in spans(name)} & set(SILENT[name])


def test_spans_cover_every_day_once_and_differ_from_their_neighbours():
    """One ends the day before the next begins, and something of the answer changes between them."""
    found = spans("H200")
    for span, following in itertools.pairwise(found):
        assert following.first.toordinal() == span.last.toordinal() + 1
        one, other = span.decision, following.decision
        assert (one.code, one.verdict, one.rules) != (other.code, other.verdict, other.rules)


def test_nothing_changes_between_the_days_of_change():
    """Asked on every day of two busy years, the answer turns only on days the timeline looks at."""
    from outlay.policy.engine import decide_grid

    days = [date.fromordinal(number) for number in range(date(2025, 1, 1).toordinal(), date(2026, 12, 31).toordinal())]
    deals = [Transaction(day, "CN", "CN", "CN", exporter="US", state_funded=True, listed_share=0.6) for day in days]
    grid = decide_grid([item_of(chip) for chip in CATALOG.chips.values()], deals)
    looked_at = set(days_of_change())
    for j in range(1, len(days)):
        if days[j] not in looked_at:
            assert (grid.code[:, j] == grid.code[:, j - 1]).all(), days[j]
            assert (grid.verdict[:, j] == grid.verdict[:, j - 1]).all(), days[j]


def test_strip_shows_the_turn():
    """The H20 goes from open to shut, in proportion to the days."""
    drawn = strip(spans("H20"), 60)
    assert len(drawn) == 60
    assert set(drawn) == {"=", "#"}
    assert drawn == "=" * drawn.count("=") + "#" * drawn.count("#")


def test_chart_is_a_picture_with_a_bar_for_each_span():
    """Well-formed, one bar a span, each told in words, each chip named once."""
    rows = [(name, spans(name)) for name in EVENTS]
    root = ET.fromstring(chart(rows, "Status <over> time"))
    told = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")][1:]
    assert len(told) == sum(len(found) for _, found in rows)
    assert any(text.startswith("2025-04-09 to") and "LETTER_LICENCE (denied)" in text for text in told)
    labels = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert all(labels.count(name) == 1 for name in EVENTS)
    for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(bar.get("width")) > 0
