"""Views 5 to 8 as a person uses them: driven in headless Chromium against the real server."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
from driving import SOLVE_MS, open_view, take_scenario

pytestmark = pytest.mark.slow
PATHS = ("/futures", "/chips", "/explorers", "/accuracy")
ORDERS = Path(__file__).parents[1] / "planning" / "futures" / "small.yaml"
ALL_PATHS = ("/story", "/scenario", "/plan", "/what-if", *PATHS)


def _drawn(tab, selector=".plot"):
    """Wait until the first figure is drawn: it is once it comes near the window."""
    tab.wait_for_function(  # looked up anew each time: an answer may put another figure in its place meanwhile
        """selector => {
            document.querySelector(selector)?.scrollIntoView({ block: "center" });
            return document.querySelector(`${selector}[data-drawn]`) !== null;
        }""",
        arg=selector,
    )


def _outlay(line, cwd=None):
    """Run a command line of the page, with ``--json``, and return what it prints."""
    words = shlex.split(line)
    assert words[0] == "outlay"
    line = [sys.executable, "-m", "outlay.cli.main", *words[1:], "--json"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


def _command(tab, what, holding=""):
    """Return a command line of the page, once it holds some text."""
    code = tab.locator(f'[data-command="{what}"] code', has_text=holding)
    code.wait_for()
    return code.inner_text()


def _export(tab, form, item=None):
    if item is not None:
        tab.locator("#exports select").select_option(label=item)
    with tab.expect_download() as waiting:
        tab.click(f'#exports [data-form="{form}"]')
    return Path(waiting.value.path()).read_bytes(), waiting.value.suggested_filename


def _rows(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


# Futures


def test_futures_open_with_a_finished_plan(tab, server):
    """A bundled scenario shows its tree, what to do now, the fan and regret at once."""
    open_view(tab, server, "/futures", "#futures-plan table")
    assert tab.locator("#futures-now tbody tr").first.inner_text().startswith("order now")
    for title in ("The tree of policy futures", "Regret", "What it is worth to know earlier"):
        assert tab.get_by_role("heading", name=title).first.is_visible()
    assert "24 courses of events" in tab.locator("figcaption").first.inner_text()
    assert _command(tab, "plan") == "outlay plan bytedance-2025 --futures"


def test_futures_are_planned_with_progress_and_the_command_gives_the_same(tab, server):
    """A plan over few futures is solved as a job; its command line gives the same figures; a reload keeps it."""
    open_view(tab, server, "/futures")
    take_scenario(tab, "us-lab-2025")
    tab.get_by_label("Draws of what drifts").fill("1")
    tab.get_by_label("Courses of events kept").fill("2")
    tab.wait_for_timeout(300)
    tab.click("#plan-futures")
    tab.wait_for_selector('[data-cancel="futures-plan"]')
    tab.wait_for_selector('[data-command="plan"] code:has-text("--branches 2")', timeout=SOLVE_MS)
    line = _command(tab, "plan")
    assert line == "outlay plan us-lab-2025 --futures --draws 1 --branches 2 --seed 1"
    found = _outlay(line)
    shown = _rows(_export(tab, "csv", "The fan of outcomes: value")[0])
    assert [float(row[2]) for row in shown[1:]] == sorted(future["value"] for future in found["futures"])
    tab.reload()
    tab.wait_for_selector('[data-command="plan"] code:has-text("--branches 2")')


def test_stress_runs_as_a_job_and_can_be_cancelled(tab, server):
    """A long stress test says what it does and stops when asked; a short one shows what breaks the plan.

    The scenario is a file of one's own: the command names that file.
    """
    open_view(tab, server, "/scenario")
    tab.set_input_files("#open-file", ORDERS)
    tab.wait_for_function("document.querySelector('#yaml').value.includes('name: small-futures')")
    tab.wait_for_selector("#troubles .good")
    open_view(tab, server, "/futures")
    count = tab.get_by_label("Futures to run")
    count.fill("100000")
    tab.wait_for_timeout(300)
    tab.click("#stress-plan")
    tab.click('[data-cancel="futures-stress"]')
    tab.wait_for_selector(".notice.info", timeout=SOLVE_MS)
    count.fill("200")
    tab.wait_for_timeout(300)
    tab.click("#stress-plan")
    tab.wait_for_selector('[data-command="stress"]', timeout=SOLVE_MS)
    line = _command(tab, "stress")
    assert line.startswith("outlay stress small.yaml ")
    found = _outlay(line, ORDERS.parent)
    shown = _rows(_export(tab, "csv", "Today's plan through 200 futures")[0])
    assert [float(row[1]) for row in shown[1:]] == list(found["quantiles"].values())


def test_futures_refuse_bad_numbers_at_their_field(tab, server):
    """What is no whole number is said beside its field, and nothing is handed in."""
    open_view(tab, server, "/futures")
    draws = tab.get_by_label("Draws of what drifts")
    for wrong in ("-3", "many", ""):
        draws.fill(wrong)
        tab.wait_for_timeout(300)
        tab.click("#plan-futures")
        tab.wait_for_selector('input[aria-invalid="true"]')
        assert tab.locator(".field-error:not(:empty)").count() == 1
    assert tab.locator("[data-cancel]").count() == 0


def test_scenario_without_futures_says_what_to_do(tab, server):
    """A scenario that names no events is told of, not drawn empty."""
    open_view(tab, server, "/scenario")
    tab.set_input_files("#open-file", Path(__file__).parents[1] / "small.yaml")
    tab.wait_for_function("document.querySelector('#yaml').value.startsWith('outlay: 1')")
    tab.wait_for_selector("#troubles .good")
    open_view(tab, server, "/futures", ".notice.info")
    assert "names no events" in tab.locator(".notice.info").inner_text()


# Chips and rules


def test_lanes_follow_the_question_and_its_command_says_the_same(tab, server):
    """All chips have a lane; the figures' data are those of `outlay check --timeline`."""
    open_view(tab, server, "/chips", "#chips-lanes, .plot")
    _drawn(tab)
    tab.get_by_label("Chips shown").select_option(index=1)
    tab.wait_for_timeout(500)
    shown = _rows(_export(tab, "csv")[0])[1:]
    found = _outlay(_command(tab, "lanes"))
    spans = [[one["item"], s["from"], s["until"], s["code"], s["class"]] for one in found for s in one["timeline"]]
    assert [[row[0], row[1], row[2], row[4], row[5]] for row in shown] == spans


def test_check_a_chip_answers_as_one_types(tab, server):
    """Decision, rules and arithmetic follow the form; what is wrong is said at its field."""
    open_view(tab, server, "/chips")
    tab.get_by_role("tab", name="Check a chip").click()
    tab.wait_for_selector(".verdict")
    chip = tab.get_by_label("chip", exact=True)
    chip.fill("H100 SXM")
    tab.wait_for_selector('.tag.bad:has-text("denied")')
    assert "TPP =" in tab.locator(".arithmetic").first.inner_text()
    found = _outlay(_command(tab, "check", "H100 SXM"))
    assert tab.locator(".verdict strong").inner_text() == found["code"]
    fired = [text.split(" · ")[0] for text in tab.locator(".firing h4").all_inner_texts()]
    assert fired == [rule["rule"] for rule in found["rules"]]
    chip.fill("H1000 SXM")
    tab.wait_for_selector(".field-error:not(:empty)")
    assert "unknown chip 'H1000 SXM'; nearest: H100 SXM" in tab.locator(".field-error:not(:empty)").inner_text()
    chip.fill("H20 96GB")
    tab.get_by_label("On", exact=True).fill("2025-13-01")
    tab.wait_for_selector('.field-error:has-text("is not a date")')
    tab.get_by_label("To", exact=True).fill("Atlantis")
    tab.wait_for_selector('.field-error:has-text("Atlantis")')


def test_roofline_and_comparison_take_chips_in_and_out(tab, server):
    """Chips are added and taken away; a chip without a data type is told of; the command gives the same points."""
    open_view(tab, server, "/chips")
    tab.get_by_role("tab", name="Roofline").click()
    _drawn(tab)
    tab.get_by_label("Another chip").select_option("Ascend 910C")
    tab.wait_for_selector('.picked:has-text("Ascend 910C")')
    tab.get_by_label("Data type").select_option("fp8")
    tab.wait_for_selector('.notice.warn:has-text("no source gives its fp8 peak")')
    tab.get_by_label("Remove Ascend 910C").click()
    tab.wait_for_selector(".notice.warn", state="detached")
    shown = _rows(_export(tab, "csv")[0])[1:]
    tab.wait_for_timeout(600)
    found = _outlay(_command(tab, "roofline", "--dtype fp8"))
    points = [one["rate"] for chip in found["chips"] for one in chip["operations"]]
    assert [float(row[4]) for row in shown] == points
    tab.get_by_label("Tokens at once").fill("-5")
    tab.wait_for_selector('.field-error:has-text("above zero")')
    tab.get_by_role("tab", name="Compare").click()
    tab.wait_for_selector("#chips-sources")
    assert tab.locator('#chips-sources a[href^="https://"]').count() > 10


# Explorers


def test_training_is_searched_and_its_command_gives_the_same(tab, server):
    """The table, the bars and the headline are those of `outlay train`."""
    open_view(tab, server, "/explorers", "#training-strategies")
    rows = _rows(_export(tab, "csv", "Strategies")[0])[1:]
    found = _outlay(_command(tab, "train"))
    assert rows[0][1] == found["strategy"]
    assert float(rows[0][3]) == found["step_time_s"]
    assert [row[1] for row in rows[1:11]] == [one["strategy"] for one in found["runners_up"]]
    bars = _rows(_export(tab, "csv", "Memory by kind, on the fullest chip")[0])
    assert [float(cell) * 1e9 for cell in bars[1][1:]] == pytest.approx(list(found["memory"].values()))
    steps = _rows(_export(tab, "csv", "What a step's time goes to")[0])
    assert float(steps[1][1]) == found["breakdown"]["compute"]


@pytest.mark.parametrize(
    ("label", "wrong", "said"),
    [
        ("Parts of the strategy to fix", "tp=7", "tp"),
        ("Parts of the strategy to fix", "speed=9", "speed"),
        ("Chips", "-8", "above zero"),
        ("Model", "Llama-9", "unknown model 'Llama-9'"),
        ("On", "H1000", "H1000"),
        ("Tokens a step", "much", "much"),
    ],
)
def test_training_refuses_at_the_field(tab, server, label, wrong, said):
    """An impossible strategy, a negative number or an unknown name is said where it stands."""
    open_view(tab, server, "/explorers", "#training-strategies")
    field = tab.locator(".form-field", has=tab.get_by_label(label, exact=True))
    tab.get_by_label(label, exact=True).fill(wrong)
    tab.wait_for_timeout(300)
    tab.click("#search-training")
    field.locator(".field-error:not(:empty)").wait_for()
    assert said in field.locator(".field-error").inner_text()
    assert field.locator("input").get_attribute("aria-invalid") == "true"


def test_what_fits_no_memory_is_explained(tab, server):
    """A model too large for the chips is refused with what overflows and what would do."""
    open_view(tab, server, "/explorers", "#training-strategies")
    tab.get_by_label("Chips", exact=True).fill("8")
    tab.wait_for_timeout(300)
    tab.click("#search-training")
    said = tab.locator('.notice.error:has-text("does not fit")').inner_text()
    assert "Llama-3.1-405B does not fit on 8 x H100 SXM" in said
    assert re.search(r"needs [\d,]+ GB a chip of 80 GB, most of it \w+", said)
    assert re.search(r"[\d,]+ chips would do", said)


def test_serving_fronts_and_their_commands_agree(tab, server):
    """Each system's front is that of `outlay serve`; targets that cannot be met are told of."""
    open_view(tab, server, "/explorers", "#training-strategies")
    tab.get_by_role("tab", name="Serve").click()
    tab.wait_for_selector("#serving-answers")
    shown = _rows(_export(tab, "csv", "Throughput against latency")[0])[1:]
    for system in ("H100 SXM", "H200 SXM"):
        found = _outlay(_command(tab, f"serve {system}"))
        mine = [row for row in shown if row[0] == system]
        assert [float(row[4]) for row in mine] == [one["tokens_per_s_per_chip"] for one in found["front"]]
    tab.get_by_label("Each token within").fill("0.1 ms")
    tab.wait_for_timeout(300)
    tab.click("#search-serving")
    tab.wait_for_selector('.notice.error:has-text("cannot meet")')
    tab.get_by_label("Tokens of a prompt").fill("-1")
    tab.wait_for_timeout(300)
    tab.click("#search-serving")
    tab.wait_for_selector('.field-error:has-text("whole number")')


# Accuracy


def test_accuracy_is_validated_live_and_its_command_gives_the_same(tab, server):
    """The points and errors are those of `outlay validate`; samples are told apart."""
    open_view(tab, server, "/accuracy")
    assert tab.locator("section.card:has(h2:text-is('What to show')):not(:has(select))").count() == 0
    tab.wait_for_selector("#accuracy-errors", timeout=SOLVE_MS)
    shown = _rows(_export(tab, "csv")[0])[1:]
    found = _outlay(_command(tab, "validate"))["reports"][0]
    held = [row for row in found["rows"] if row["out_of_sample"] is not None]
    assert [(row[0], float(row[3])) for row in shown] == [(row["id"], row["out_of_sample"]) for row in held]
    every = next(one for one in found["errors"] if one["part"] == "all")
    assert tab.locator("#accuracy-errors tbody tr").first.inner_text().split("\t")[
        3
    ].strip() == f"{every['median']:.1%}".replace("%", " %")
    tab.get_by_label("Chips").select_option("NVIDIA H100")
    tab.wait_for_selector('[data-command="validate"] code:has-text("NVIDIA H100")')
    tab.get_by_role("combobox", name=re.compile("^Sample")).select_option("in_sample")
    tab.wait_for_selector('figcaption:has-text("in sample")')


# Every view


@pytest.mark.parametrize("path", ALL_PATHS)
def test_view_is_taken_away_in_every_form(tab, server, path):
    """Pictures, CSV, report as page and PDF, and workbook come out, none empty."""
    open_view(tab, server, path)
    if path in {"/plan", *PATHS}:
        tab.wait_for_selector("#exports select", timeout=SOLVE_MS)
        _pictures(tab)
    page = _export(tab, "html")[0].decode()
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"https?:", page)
    pdf, name = _export(tab, "pdf")
    assert pdf.startswith(b"%PDF-")
    assert name == f"outlay-{path[1:].replace('-', '_')}.pdf"
    book = openpyxl.load_workbook(io.BytesIO(_export(tab, "workbook")[0]))
    assert book.sheetnames


def _pictures(tab):
    """Take the first figure as a picture and its numbers as CSV."""
    _drawn(tab)
    tab.wait_for_timeout(600)
    titles = tab.locator("#exports select option").all_inner_texts()
    figure = next(title for title in titles if title in tab.locator("figure h2, figure h3").all_inner_texts())
    assert _export(tab, "png", figure)[0].startswith(b"\x89PNG")
    svg, name = _export(tab, "svg", figure)
    assert b"<svg" in svg[:400]
    assert name.endswith(".svg")
    assert len(_rows(_export(tab, "csv", figure)[0])) > 1


def test_command_of_a_plan_gives_its_figures(tab, server, tmp_path):
    """The file of an edited scenario goes with the command; both give the figures on the page."""
    open_view(tab, server, "/plan")
    take_scenario(tab, "us-lab-2025")
    tab.wait_for_selector('[data-command="plan"]')
    found = _outlay(_command(tab, "plan"), tmp_path)
    tab.wait_for_selector("#exports option:text-is('Chips in service, by kind')", state="attached")
    shown = _rows(_export(tab, "csv", "Chips in service, by kind")[0])
    chips = {row[0]: [float(cell) for cell in row[1:]] for row in shown[1:]}
    quarters = found["quarters"]
    for kind, counts in chips.items():
        for quarter, count in zip(quarters, counts, strict=True):
            used = sum(
                one["chips"]
                for one in found["purchases"]
                if one["chip"] == kind and one["in_use"] <= quarter <= (one["until"] or quarters[-1])
            )
            assert count == used


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_view_has_no_serious_barrier(tab, server, path, theme):
    """The axe rules find nothing serious or critical in either appearance."""
    from axe_playwright_python.sync_playwright import Axe

    open_view(tab, server, path)
    tab.select_option("#theme", theme)
    tab.wait_for_selector("#exports select", timeout=SOLVE_MS)
    tab.wait_for_timeout(800)
    found = Axe().run(tab).response["violations"]
    serious = [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}]
    assert serious == []


@pytest.mark.parametrize("path", PATHS)
def test_view_fits_a_phone_in_chinese(tab, server, path):
    """At 390 pixels nothing scrolls sideways but framed figures and tables; texts are Chinese."""
    tab.set_viewport_size({"width": 390, "height": 844})
    open_view(tab, server, path)
    with tab.expect_navigation():
        tab.select_option("#language", "zh")
    tab.wait_for_selector("#exports select", timeout=SOLVE_MS)
    tab.wait_for_timeout(500)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert re.search(r"[\u4e00-\u9fff]", tab.locator("h1").inner_text())


def test_tabs_are_used_by_keyboard(tab, server):
    """The tabs are one stop; arrows move between them and open their panel."""
    open_view(tab, server, "/chips")
    first = tab.get_by_role("tab", name="Legal status over time")
    first.focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_selector(".verdict")
    assert tab.get_by_role("tab", name="Check a chip").get_attribute("aria-selected") == "true"
    assert tab.evaluate("document.activeElement.textContent") == "Check a chip"
    tab.keyboard.press("End")
    tab.wait_for_selector("#chips-sources")
