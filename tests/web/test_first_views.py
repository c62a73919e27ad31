"""Views 1 to 4 as a person uses them: driven in headless Chromium against the real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from driving import SOLVE_MS, open_view, take_scenario

pytestmark = pytest.mark.slow
PATHS = ("/story", "/scenario", "/plan", "/what-if")
SMALL = (Path(__file__).parents[1] / "small.yaml").read_text(encoding="utf-8")
ORDERS = (Path(__file__).parents[1] / "planning" / "futures" / "small.yaml").read_text(encoding="utf-8")
STORY = """Report of $12bn spending is wrong, company says

ByteDance plans to spend more than $12 billion on AI infrastructure in 2025, the Financial Times reported on Wednesday.

The company has budgeted 40 billion yuan ($5.5 billion) for AI chips in China in 2025, two people familiar said.

It plans to invest about $6.8 billion overseas. A ByteDance spokesperson said the information was incorrect.
"""


def _yaml(tab, text):
    """Put a text into the YAML as a paste does."""
    tab.evaluate(
        """text => { const area = document.querySelector("#yaml");
        area.value = text; area.dispatchEvent(new Event("input")); area.dispatchEvent(new Event("change")); }""",
        text,
    )


def _plan_small(tab, server):
    """Take a small scenario that orders in hand and plan it: a plan of one's own without the wait for a large one."""
    open_view(tab, server, "/scenario")
    _yaml(tab, ORDERS)
    tab.wait_for_selector("#troubles .good")
    open_view(tab, server, "/plan", "#solve")
    tab.click("#solve")
    tab.wait_for_selector(".notice.good", timeout=SOLVE_MS)


def _says(tab, words, where="#troubles"):
    tab.wait_for_selector(f"{where} >> text={words}")


# Plan


def test_page_opens_with_a_bundled_plan_and_each_number_opens_its_evidence(tab, server):
    """The first thing seen is a finished plan; a number shows its figures, and Escape closes them."""
    open_view(tab, server, "/")
    assert tab.locator("h1").inner_text() == "ByteDance, the AI infrastructure reported for 2025"
    tab.wait_for_selector(".plot[data-drawn]")
    numbers = tab.locator("button.number")
    assert numbers.count() > 40
    numbers.first.focus()
    tab.keyboard.press("Enter")
    dialog = tab.locator("dialog[open]")
    dialog.wait_for()
    assert "denied" in dialog.inner_text()
    assert dialog.locator("a[href^='https://']").count() > 3
    tab.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    tab.locator("td button.number").first.click()
    tab.locator("dialog[open] >> text=supply of H20 96GB: chips").wait_for()


def test_every_figure_of_the_plan_is_drawn_and_a_click_on_one_opens_its_evidence(tab, server):
    """Sankey, quarters, Gantt, services, map and limits are drawn without any other host; the map leads to its site."""
    open_view(tab, server, "/plan")
    for title in ("Where the money goes", "Orders placed", "Training runs", "doubao:", "Where the sites are", "worth"):
        figure = tab.locator(f"figure:has(h3:text('{title}'))").first
        figure.scroll_into_view_if_needed()
        figure.locator(".plot[data-drawn]").wait_for()
        assert figure.locator("figcaption").inner_text()
    assert tab.locator("figure:has(h3:text('Where the sites are')) path.js-fill").count() > 0
    disc = tab.locator("figure:has(h3:text('Where the sites are')) .points path").last
    disc.scroll_into_view_if_needed()
    box = disc.bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.locator("dialog[open] >> text=/site (Tokyo|Texas|Hamar)/").first.wait_for()


def test_numbers_behind_a_figure_are_a_table(tab, server):
    """Who cannot see the figure reads its numbers."""
    open_view(tab, server, "/plan")
    tab.locator("figure summary").first.click()
    rows = tab.locator("figure table tbody tr")
    rows.first.wait_for()
    assert "china-chips" in rows.first.inner_text()


def test_a_solve_is_watched_and_survives_a_reload(tab, server):
    """The page says what is being done, goes on after a reload, and shows the finished plan."""
    open_view(tab, server, "/plan")
    take_scenario(tab, "us-lab-2025")
    tab.click("#solve")
    tab.wait_for_selector("#stop")
    tab.reload()
    tab.wait_for_selector(".notice.good", timeout=SOLVE_MS)
    assert "Planned: within" in tab.locator(".notice.good").inner_text()
    assert tab.locator("h1").inner_text()
    assert not tab.locator("#stop").is_visible()


def test_the_gap_is_drawn_while_it_shrinks_and_a_solve_can_be_stopped(tab, server):
    """A long solve shows its figure, is named in the header of every view, and ends when asked."""
    open_view(tab, server, "/plan")
    tab.select_option("label:has-text('Stop within') select", "0.001")
    tab.click("#solve")
    tab.locator(".solving figure .plot[data-drawn]").wait_for(timeout=SOLVE_MS)
    assert "within" in tab.locator(".solving figcaption").inner_text() or "No plan" in tab.inner_text(".solving")
    assert tab.locator(".busy-words").inner_text() == "Running: plan, bytedance-2025"
    open_view(tab, server, "/story")
    assert tab.locator(".busy-words").inner_text() == "Running: plan, bytedance-2025"
    open_view(tab, server, "/plan", "#stop")
    tab.click("#stop")
    _says(tab, "Stopped, as asked", ".notice.info")
    tab.wait_for_selector(".busy-words:text-is('Ready')")


def test_limits_that_clash_are_named_with_the_ways_out(tab, server):
    """No plan is an answer too: what clashes and what it would take."""
    open_view(tab, server, "/scenario")
    run = "training:\n  - {name: big, model: Llama-3.1-405B, tokens: 15 trillion tokens, must: true}\n"
    _yaml(tab, SMALL.replace("objective:", f"{run}objective:"))
    tab.wait_for_selector("#troubles .good")
    tab.click("main a:has-text('Plan it'), #main a:has-text('Plan it')")
    tab.wait_for_selector("#solve")
    tab.click("#solve")
    tab.wait_for_selector(".notice.error", timeout=SOLVE_MS)
    assert "the limits cannot hold together" in tab.locator(".notice.error").inner_text()
    assert tab.locator(".solving li").count() >= 2


def test_a_run_that_was_deleted_is_said_to_be_gone(tab, server):
    """Somebody deletes the run one waits for: a message in its place, not a page that waits for ever."""
    open_view(tab, server, "/plan")
    tab.click("#solve")
    tab.wait_for_selector("#stop")
    with urllib.request.urlopen(f"{server}/api/runs?limit=1") as answer:
        run = json.load(answer)[0]["id"]
    tab.goto("about:blank")  # a page that sees the run stop waits for it no longer
    ask = urllib.request.Request(f"{server}/api/runs/{run}/cancel", method="POST")
    urllib.request.urlopen(ask).close()
    gone = urllib.request.Request(f"{server}/api/runs/{run}", method="DELETE")
    for _ in range(600):
        try:
            urllib.request.urlopen(gone).close()
            break
        except urllib.error.HTTPError:
            tab.wait_for_timeout(200)
    else:
        pytest.fail("a run that was stopped could not be deleted within two minutes")
    open_view(tab, server, "/plan", ready=".notice")
    _says(tab, "no longer in the store", ".notice.error")
    assert not tab.locator("#stop").is_visible()
    assert tab.locator("#solve").is_enabled()


# Scenario


def test_a_field_and_the_yaml_stay_in_step_with_comments_and_undo(tab, server):
    """What is typed into the form stands in the YAML, what is typed there in the form; undo takes either back."""
    open_view(tab, server, "/scenario")
    before = tab.input_value("#yaml")
    tab.click("summary:has-text('china-chips')")
    box = tab.locator("[id='field-budgets[0].amount']")
    box.fill("30 billion")
    tab.locator("[id='field-budgets[0].amount-wrong']:has-text('has no currency; write it out')").wait_for()
    _says(tab, "Line 28:")
    assert box.get_attribute("aria-invalid") == "true"
    box.fill("30 billion CNY")
    tab.wait_for_selector("#troubles .good")
    after = tab.input_value("#yaml")
    assert after == before.replace("    amount: 40 billion CNY", "    amount: 30 billion CNY", 1)
    tab.click("#undo")
    tab.wait_for_function("document.getElementById('field-budgets[0].amount').value === '40 billion CNY'")
    tab.click("#redo")
    tab.wait_for_function("document.getElementById('field-budgets[0].amount').value === '30 billion CNY'")
    _yaml(tab, after.replace("30 billion CNY", "35 billion CNY"))
    tab.wait_for_function("document.getElementById('field-budgets[0].amount').value === '35 billion CNY'")
    assert "(edited)" in tab.locator("#scenario-in-hand").inner_text() or tab.input_value("#scenario-in-hand")


def test_blocks_come_and_go_and_sources_show_on_focus(tab, server):
    """A budget is added and removed; the source of a field opens on hover and on focus."""
    open_view(tab, server, "/scenario")
    take_scenario(tab, "us-lab-2025")
    count = tab.locator("details.item").count()
    tab.click("button:has-text('Add to budgets')")
    tab.wait_for_function(f"document.querySelectorAll('details.item').length === {count + 1}")
    assert "- name: new-1" in tab.input_value("#yaml")
    tab.click("summary:has-text('new-1')")
    tab.click("button[aria-label='Remove budgets[1]']")
    tab.wait_for_function(f"document.querySelectorAll('details.item').length === {count}")
    tab.click("summary:has-text('Sites')")
    tab.click("summary:has-text('Abilene')")
    source = tab.locator(".sourced").first
    source.focus()
    assert source.locator(".tip").is_visible()
    assert "By:" in source.locator(".tip").inner_text() or "by:" in source.locator(".tip").inner_text()


def test_every_group_of_the_form_opens_with_its_fields(tab, server):
    """No field of the scenario is out of reach."""
    open_view(tab, server, "/scenario")
    groups = tab.locator("details.card > summary")
    for at in range(groups.count()):
        if groups.nth(at).locator("xpath=..").get_attribute("open") is None:
            groups.nth(at).click()
    tab.wait_for_timeout(800)
    bare = "[...document.querySelectorAll('details.card')].filter(one => one.children.length < 2).length"
    assert tab.evaluate(bare) == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("name: small", "name: ["), "not YAML"),
        (("outlay: 1", "outlay: 2"), "made for format 2 by a newer version"),
        (("power: 5 MW", "power: 5"), "has no unit; expected power, such as 30 MW"),
        (("model: Llama-3.1-8B", "model: Llama-3.1-9B"), "nearest"),
        (("budgets:", "budget:"), "unknown field 'budget'; nearest: budgets"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_leads_there(tab, server, change, says):
    """Broken YAML, a newer version, a unit left out, unknown names: one message each, which goes to the place."""
    open_view(tab, server, "/scenario")
    _yaml(tab, SMALL.replace(*change))
    tab.locator("#troubles .error button").first.wait_for()
    said = tab.locator("#troubles .error").inner_text()
    assert says in said
    assert re.search(r"Line \d+:", said)
    tab.locator("#troubles .error button").first.click()
    tab.wait_for_function("document.activeElement.id.startsWith('field-') || document.activeElement.id === 'yaml'")


def test_a_file_is_opened_and_a_wrong_one_refused(tab, server, tmp_path):
    """YAML is taken in hand; a picture and a huge file are refused in the page, the scenario stays."""
    open_view(tab, server, "/scenario")
    good, binary, huge = tmp_path / "mine.yaml", tmp_path / "picture.yaml", tmp_path / "huge.yaml"
    good.write_text(SMALL, encoding="utf-8")
    binary.write_bytes(b"\x89PNG\r\n\x00\xff\xfe" * 40)
    huge.write_text("a: b\n" * 200_000, encoding="utf-8")
    tab.set_input_files("#open-file", good)
    tab.wait_for_function("document.querySelector('#yaml').value.startsWith('outlay: 1')")
    tab.wait_for_selector("#troubles .good")
    for refused, why in ((binary, "is no text in UTF-8"), (huge, "Too large")):
        tab.set_input_files("#open-file", refused)
        _says(tab, why, ".notice.error")
        assert tab.input_value("#yaml") == SMALL
        assert tab.locator("#scenario-in-hand option:checked").inner_text().startswith("mine")
    _yaml(tab, "a" * 600_000)
    _says(tab, "It was not sent", ".notice.error")
    assert tab.reload().ok
    tab.wait_for_selector("#troubles .good")
    assert tab.input_value("#yaml") == SMALL


def test_the_yaml_is_saved_as_it_stands(tab, server):
    """The file saved is the text in hand."""
    open_view(tab, server, "/scenario")
    with tab.expect_download() as waiting:
        tab.click("#save")
    assert Path(waiting.value.path()).read_text(encoding="utf-8") == tab.input_value("#yaml")
    assert waiting.value.suggested_filename == "bytedance-2025.yaml"


# Story


def test_a_story_is_read_gone_over_and_taken_in_hand(tab, server):
    """Claims are marked with a sign beside the colour; verdicts change the draft, which becomes the scenario."""
    open_view(tab, server, "/story")
    tab.fill("#story-day", "2025-01-22")
    tab.fill("#story", STORY)
    tab.focus("#story")
    tab.keyboard.press("Control+Enter")
    tab.wait_for_selector(".claim", timeout=SOLVE_MS)
    marks = tab.locator(".claim-mark")
    assert marks.count() >= 4
    assert all(mark.locator("sup").inner_text()[0] in "✕◐≈…●▪✓–?" for mark in marks.all())
    yuan = tab.locator(".claim:has(strong:text('CNY'))").first
    name = yuan.get_attribute("id").removeprefix("claim-")
    draft = tab.locator("pre.yaml-shown")
    assert "40 billion CNY" in draft.inner_text()
    yuan.locator("button:has-text('Reject')").click()
    tab.wait_for_function("!document.querySelector('pre.yaml-shown').innerText.includes('40 billion CNY')")
    assert tab.locator(f".claim-mark.rejected:has(sup:text('{name}'))").count() == 1
    yuan.locator("button:has-text('Reject')").click()
    yuan.locator("button:has-text('Edit')").click()
    tab.fill(f"#amount-{name}", "30 billion")
    yuan.locator("button:has-text('Use it')").click()
    yuan.locator(".wrong:has-text('has no currency')").wait_for()
    tab.fill(f"#amount-{name}", "30 billion CNY")
    yuan.locator("button:has-text('Use it')").click()
    tab.wait_for_function("document.querySelector('pre.yaml-shown').innerText.includes('30 billion CNY')")
    yuan.locator("button:has-text('Accept')").wait_for()
    marks.first.click()
    tab.wait_for_selector(".claim.seen")
    tab.click("#take-draft")
    tab.wait_for_selector("#troubles .good")
    assert "set by hand" in tab.input_value("#yaml")
    tab.goto(f"{server}/story")
    tab.wait_for_selector(".claim.edited")


def test_what_is_no_story_is_refused_in_its_place(tab, server, tmp_path):
    """Nothing, a picture, a date that is none, an address inside: each with its message, the page goes on."""
    open_view(tab, server, "/story")
    tab.click("#read")
    _says(tab, "empty; expected a story", ".notice.error")
    picture = tmp_path / "picture.txt"
    picture.write_bytes(bytes(range(256)) * 30)
    tab.set_input_files("#story-file", picture)
    _says(tab, "binary; expected a story", ".notice.error")
    tab.fill("#story-day", "yesterday")
    tab.fill("#story", "It will rain.")
    tab.click("#read")
    _says(tab, "is not a date", ".notice.error")
    tab.fill("#story-day", "")
    tab.keyboard.press("Tab")
    tab.click("#read")
    _says(tab, "No claims", ".notice.warn")
    tab.fill("#story-address", f"{server}/")
    tab.keyboard.press("Tab")
    tab.click("#fetch")
    _says(tab, "inside a private network", ".notice.error")
    tab.evaluate("document.querySelector('#story').value = 'a'.repeat(300000)")
    tab.click("#read")
    _says(tab, "It was not sent", ".notice.error")
    assert tab.locator(".notice").count() == 1
    assert tab.locator(".claim").count() == 0
    assert tab.locator("#read").is_enabled()


# What if


def test_levers_are_turned_by_keyboard_and_the_change_is_a_difference(tab, server):
    """Arrow keys move a slider; the answer is a table of changes with signs, and can be taken in hand."""
    open_view(tab, server, "/what-if")
    take_scenario(tab, "us-lab-2025")
    tab.click("#try")
    _says(tab, "No lever is turned", ".notice.info")
    slider = tab.locator(".levers input").first
    slider.focus()
    for _ in range(6):
        tab.keyboard.press("ArrowLeft")
    tab.locator(".lever output:has-text('→')").wait_for()
    assert slider.get_attribute("aria-valuetext")
    tab.click("#try")
    tab.wait_for_selector(".changes", timeout=SOLVE_MS)
    rows = tab.locator(".changes tbody tr")
    assert rows.count() >= 4
    assert rows.first.locator("td").count() == 3
    tab.click("#take")
    tab.wait_for_selector("#solve")
    assert tab.locator(".notice.warn").count() == 0
    assert "(edited)" in tab.locator("#scenario-in-hand option:checked").inner_text()


def test_a_front_is_traced_and_a_click_loads_a_plan(tab, server):
    """Each step is a plan and a point; a point or its button loads the plan as the difference."""
    _plan_small(tab, server)
    assert not tab.locator(".cardlet:has-text('chips bought')").inner_text().startswith("0")
    open_view(tab, server, "/what-if", "#trace")
    tab.select_option("#steps", "3")
    tab.click("#trace")
    tab.wait_for_selector(".load >> nth=2", timeout=SOLVE_MS)
    tab.locator("figure .points path").nth(2).wait_for()
    tab.wait_for_timeout(500)
    box = tab.locator("figure .points path").nth(2).bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.wait_for_selector(".changes")
    pressed = tab.locator(".load[aria-pressed='true']")
    loaded = pressed.inner_text()
    other = tab.locator(".load[aria-pressed='false']").first
    asked = other.inner_text()
    other.click()
    tab.wait_for_function(f"document.querySelector(\".load[aria-pressed='true']\").innerText !== '{loaded}'")
    assert pressed.all_inner_texts() == [asked]
    assert tab.locator(".changes tbody tr").count() > 0


def test_levers_that_contradict_are_refused_at_once(tab, server):
    """An exact share below the floor of another is said before anything is solved."""
    open_view(tab, server, "/what-if")
    tab.locator("[id='lever-share-domestic-60']").fill("10")
    tab.locator(".lever output:has-text('10%')").wait_for()
    tab.click("#try")
    _says(tab, "but 'domestic-60' fixes exactly 10.0%", ".notice.error")
    assert tab.locator(".changes").count() == 0
    assert tab.locator(".lever output:has-text('10%')").is_visible()


# Every view


def test_views_are_reached_by_keyboard(tab, server):
    """The first stop skips to the content; Alt and a digit open a view; each marks itself in the navigation."""
    open_view(tab, server, "/plan")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    for digit, path in ((1, "/story"), (2, "/scenario"), (4, "/what-if"), (3, "/plan")):
        tab.keyboard.press(f"Alt+Digit{digit}")
        tab.wait_for_url(f"{server}{path}")
        tab.locator(f"nav.views a[aria-current=page][href='{path}']").wait_for()
        tab.wait_for_selector("#exports")


@pytest.mark.parametrize("path", PATHS)
def test_view_is_in_chinese_and_fits_a_phone(tab, server, path):
    """At 390 pixels nothing scrolls sideways but framed figures and tables; the language stays chosen."""
    tab.set_viewport_size({"width": 390, "height": 844})
    open_view(tab, server, path)
    with tab.expect_navigation():
        tab.select_option("#language", "zh")
    tab.wait_for_selector("#exports")
    tab.wait_for_timeout(600)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.evaluate("document.documentElement.lang") == "zh-CN"
    chinese = re.compile(r"[\u4e00-\u9fff]")
    assert chinese.search(tab.locator("nav.views").inner_text())
    headings = tab.locator("#main h2").all_inner_texts()
    assert [heading for heading in headings if heading and not chinese.search(heading)] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_view_has_no_serious_barrier(tab, server, path, theme):
    """The axe rules find nothing serious or critical in either appearance."""
    from axe_playwright_python.sync_playwright import Axe

    open_view(tab, server, path)
    tab.select_option("#theme", theme)
    if path == "/story":
        tab.fill("#story", STORY)
        tab.click("#read")
        tab.wait_for_selector(".claim", timeout=SOLVE_MS)
    tab.wait_for_timeout(1000)
    found = Axe().run(tab).response["violations"]
    serious = [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}]
    assert serious == []


def test_plan_is_taken_away_in_every_form(tab, server):
    """The plan's own page and workbook, and a picture, come out of its view."""
    open_view(tab, server, "/plan")
    tab.wait_for_selector(".plot[data-drawn]")
    tab.wait_for_timeout(600)
    for form, head in (("html", b"<!doctype html>"), ("workbook", b"PK"), ("png", b"\x89PNG")):
        with tab.expect_download() as waiting:
            tab.click(f'#exports [data-form="{form}"]')
        assert Path(waiting.value.path()).read_bytes().startswith(head)


# Coming in


def test_a_token_taken_back_is_said_where_it_concerns(context, tmp_path):
    """Who is shut out while the page is open reads why at the next thing asked, and keeps what is in hand."""
    store = str(tmp_path / "runs.db")
    environment = {**os.environ, "OUTLAY_RUNS": store, "PYTHONUNBUFFERED": "1"}
    outlay = [sys.executable, "-m", "outlay.cli.main", "web"]
    asked = [*outlay, "token", "new", "ann", "--json"]
    made = json.loads(subprocess.run(asked, env=environment, capture_output=True, check=True).stdout)
    words = [*outlay, "--port", "0", "--workers", "0", "--no-open", "--require-token"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().split()[3].rstrip("/")
            page = context.new_page()
            page.goto(f"{address}/plan")
            assert page.url.endswith("/enter")
            page.fill("input[name=token]", made["token"])
            page.keyboard.press("Enter")
            page.wait_for_selector("#solve")
            revoke = [*outlay, "token", "revoke", made["id"]]
            subprocess.run(revoke, env=environment, capture_output=True, check=True)
            page.click("#solve")
            page.wait_for_selector(".notice.error:has-text('come in again at /enter')")
            assert page.locator("h1").inner_text()
        finally:
            process.kill()
