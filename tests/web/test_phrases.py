"""The phrase book: what the reports say of the bundled plans, and every field of a scenario, is said in Chinese."""

import re

import pytest

from outlay.report import charts, facts
from outlay.report.difference import changes
from outlay.report.flow import money_flow
from outlay.report.html import cards, shares
from outlay.report.world_map import site_map
from outlay.report.worth import limits_chart
from outlay.scenario.fields import fields_of
from outlay.scenario.load import bundled, bundled_text
from outlay.scenario.schema import Scenario
from outlay.web.page.finished import finished
from outlay.web.page.texts import phrase

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def _said(plan):
    """Return what the page shows of a plan beside names and numbers."""
    yield from facts.sentences(plan)
    for card in cards(plan):
        yield from (part for part in (card.name, card.remark) if part and part not in {u.name for u in plan.sourcing})
    for chart in (
        charts.orders(plan),
        charts.chips(plan),
        money_flow(plan),
        limits_chart(plan),
        *charts.services(plan),
    ):
        yield from (chart.title, chart.alt)
        yield from (name for name in chart.columns if name and not re.fullmatch(r"\d{4}Q\d|[A-Z]{3}", name))
    yield site_map(plan).title
    yield from (chart.alt for chart in charts.power(plan))
    yield from (limit.words for limit in plan.limits)
    yield from (share.words for share in shares(plan))
    yield from (item.status for item in plan.evidence)
    yield from (change.what for change in changes(plan, plan))


@pytest.mark.parametrize("name", bundled())
def test_what_is_said_of_a_bundled_plan_is_said_in_chinese(name):
    """Headline, cards, figures, limits, shares and statuses have their phrase."""
    plan = finished(bundled_text(name))
    assert [text for text in _said(plan) if not CHINESE.search(phrase(text, "zh"))] == []


def test_numbers_and_names_survive():
    """What stands in the places of a phrase is kept as it was."""
    said = phrase("one more MW of power at Ulanqab in each quarter from 2025Q4 to 2026Q1 is worth 23,068 USD", "zh")
    assert all(part in said for part in ("Ulanqab", "2025Q4", "2026Q1", "23,068 USD"))
    assert phrase("a name nobody knows", "zh") == "a name nobody knows"
    assert phrase("denied", "en") == "denied"


def _fields(model, done):
    done.add(model)
    for field in fields_of(model).values():
        yield field
        if field.model is not None and field.model not in done:
            yield from _fields(field.model, done)


def test_every_field_of_a_scenario_has_its_chinese_name():
    """The form shows no English name to a reader of Chinese."""
    names = {field.name.replace("_", " ") for field in _fields(Scenario, set())}
    assert [name for name in sorted(names - {"pue"}) if not CHINESE.search(phrase(name, "zh"))] == []


def test_most_descriptions_are_in_chinese():
    """The notes below the fields too, but for those of rarely used finance and futures."""
    texts = {field.description for field in _fields(Scenario, set()) if field.description}
    known = [text for text in texts if CHINESE.search(phrase(text, "zh"))]
    assert len(known) / len(texts) > 0.6
