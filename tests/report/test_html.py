"""The page: self-contained, safe with any name, and alive in a real browser."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from outlay.report.html import to_html, write_html

SECTIONS = [
    *("flow", "money", "cash", "purchases", "sourcing", "training", "services"),
    *("power", "limits", "blocked", "evidence", "notes", "audit"),
]


class _Tags(HTMLParser):
    """Collects tags with their attributes, and the ids."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def _tags(page):
    parser = _Tags()
    parser.feed(page)
    return parser.tags


@pytest.fixture(scope="module")
def page(plan):
    """The page of the sample."""
    return to_html(plan)


def test_page_fetches_nothing(page):
    """Only links to sources point outside; scripts, styles and pictures are in the page."""
    for tag, attributes in _tags(page):
        if tag != "a":
            for name in ("src", "href", "action", "data", "srcset"):
                assert not re.match(r"(?:https?:)?//", attributes.get(name) or "")
    outside = [a["href"] for tag, a in _tags(page) if tag == "a" and a["href"].startswith("http")]
    assert len(outside) == 9
    assert "default-src 'none'" in page


def test_page_has_its_sections_headings_and_captions(page):
    """Every section is there with a heading; every table has a caption and every figure a text."""
    tags = _tags(page)
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [attributes["id"] for tag, attributes in tags if tag == "section"] == SECTIONS
    for tag, attributes in tags:
        if tag == "section":
            assert attributes["aria-labelledby"] in ids
        if attributes.get("role") == "img":
            assert attributes["aria-label"]
    count = [tag for tag, _ in tags].count
    assert count("h1") == 1
    assert count("caption") == count("table")


def test_page_says_what_is_denied(page):
    """The reader sees who denies the figures."""
    assert len(re.findall(">[^<]*denied by ByteDance spokesperson", page)) == 3
    assert 'class="bad">denied' in page


def test_names_cannot_become_markup(plan):
    """A name with tags, quotes or the end of a script is shown, not run."""
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    hostile = replace(
        plan,
        title=evil,
        notes=[evil],
        purchases=[replace(plan.purchases[0], site=evil, vendor=evil)],
        flows=[(evil, evil, evil, evil, evil, 1.0)],
        sites=[replace(plan.sites[0], name=evil)],
        evidence=[replace(plan.evidence[0], what=evil, address="javascript:alert(1)", status="denied")],
    )
    page = to_html(hostile)
    assert "<script>alert" not in page
    assert "<img" not in [f"<{tag}" for tag, _ in _tags(page)]
    assert "javascript:alert" not in page
    assert [tag for tag, _ in _tags(page)].count("script") == 3


def test_numbers_that_are_not_finite_do_not_break_the_figures(plan):
    """The page's data is JSON even where a limit is infinite."""
    site = replace(plan.sites[0], limit=dict.fromkeys(plan.quarters, float("inf")))
    page = to_html(replace(plan, sites=[site], bound=float("inf"), gap=float("inf")))
    text = page.split('id="figures">')[1].split("</script>")[0]
    assert json.loads(text, parse_constant=pytest.fail)["power-0"]["data"][1]["y"] == [None] * 8


def test_empty_plan_makes_a_page(plan):
    """A plan that buys nothing has all its sections."""
    empty = replace(
        plan,
        **{name: [] for name in ("purchases", "flows", "training", "services", "sites", "limits", "blocked")},
        **{name: [] for name in ("evidence", "notes", "deadlines", "sourcing")},
    )
    tags = _tags(to_html(empty))
    assert [attributes["id"] for tag, attributes in tags if tag == "section"] == SECTIONS


@pytest.fixture
def opened(browser, plan, tmp_path):
    """The page in a tab, with what it asked for and complained of."""
    path = tmp_path / "plan.html"
    write_html(plan, path)
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.requests, tab.complaints = [], []
    tab.on("request", lambda request: tab.requests.append(request.url))
    tab.on("console", lambda message: tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.goto(path.as_uri())
    tab.wait_for_selector("#chart-flow .sankey-node")
    yield tab
    tab.close()


@pytest.mark.slow
def test_page_draws_without_network_or_complaint(opened, plan):
    """Each figure is drawn; nothing is fetched but the file, and the console stays empty."""
    assert len(opened.requests) == 1
    assert opened.requests[0].startswith("file:")
    assert opened.complaints == []
    assert opened.locator("#chart-flow .sankey-link").count() > 10
    figures = json.loads(opened.locator("#figures").text_content())
    for name in figures:
        assert opened.locator(f"#chart-{name} .main-svg").count() > 0, name
    assert opened.locator("#chart-gantt .bars .point").count() == 3


@pytest.mark.slow
def test_tables_sort_and_evidence_filters(opened, plan):
    """A heading sorts by numbers, both ways; the filter shows the denied figures only."""
    chips = opened.locator("#purchases-table th button", has_text="chips")
    cells = opened.locator("#purchases-table tbody tr td:nth-child(8)")
    ascending = sorted(bought.chips for bought in plan.purchases)
    for expected, direction in ((ascending, "ascending"), (ascending[::-1], "descending")):
        chips.click()
        assert [int(text.replace(",", "")) for text in cells.all_inner_texts()] == expected
        assert opened.locator("#purchases-table th[aria-sort]").get_attribute("aria-sort") == direction
    opened.select_option("#evidence-status", "denied")
    rows = opened.locator("#evidence-table tbody tr:visible")
    assert rows.count() == 3
    assert opened.locator("#evidence-count").inner_text() == "3 of 11 shown"
    opened.fill("#evidence-words", "overseas")
    assert rows.count() == 1
    assert opened.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_phone_in_both_schemes(opened, scheme):
    """At 400 pixels nothing but framed tables and figures scrolls sideways, and the figures take the page's colours."""
    opened.emulate_media(color_scheme=scheme)
    opened.set_viewport_size({"width": 400, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") == 400
    card = opened.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--card').trim()")
    assert opened.evaluate("document.getElementById('chart-flow').layout.paper_bgcolor") == card
    assert opened.complaints == []
