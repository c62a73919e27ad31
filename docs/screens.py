"""Takes the pictures of the page that the documentation shows, in headless Chromium: `python docs/screens.py`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
WIDE, TALL = 1360, 900
SHOTS: dict[str, dict[str, Any]] = {
    "page-futures": {"path": "/futures", "ready": "#futures-plan .plot[data-drawn]", "height": 1500},
    "page-chips": {"path": "/chips", "ready": ".plot[data-drawn]", "height": 1200},
    "page-check": {"path": "/chips", "ready": ".verdict", "tab": "Check a chip", "height": 1060},
    "page-roofline": {"path": "/chips", "ready": ".plot[data-drawn] .scatterlayer", "tab": "Roofline", "dark": True},
    "page-training": {"path": "/explorers", "ready": "#training-strategies", "height": 1500},
    "page-serving": {"path": "/explorers", "ready": "#serving-answers", "tab": "Serve", "height": 1300},
    "page-accuracy": {"path": "/accuracy", "ready": "#accuracy-results .plot[data-drawn]", "height": 1300},
}
"""By the name of the picture: the path of the view, what shows that it is ready, a tab to open, how tall it is."""
STORY = """Report of $12bn spending is wrong, company says

ByteDance plans to spend more than $12 billion on AI infrastructure in 2025, the Financial Times reported on Wednesday.

The company has budgeted 40 billion yuan ($5.5 billion) for AI chips in China in 2025, two people familiar said. About \
60% of the orders would go to domestic suppliers such as Huawei and Cambricon, the people said.

It plans to invest about $6.8 billion overseas. A ByteDance spokesperson said the information was incorrect.
"""


def take(browser: Any, address: str, name: str, shot: dict[str, Any]) -> None:
    """Save one picture."""
    height = shot.get("height", TALL)
    context = browser.new_context(
        viewport={"width": WIDE, "height": height}, locale="en-GB", color_scheme="dark" if shot.get("dark") else "light"
    )
    page = context.new_page()
    page.goto(address + shot["path"])
    page.wait_for_selector("#main h1")
    if "tab" in shot:
        page.get_by_role("tab", name=shot["tab"]).click()
    page.wait_for_selector(shot["ready"], timeout=180_000)
    page.wait_for_timeout(1500)
    page.screenshot(path=str(IMAGES / f"{name}.png"))
    context.close()


def _story(page: Any, address: str) -> None:
    page.goto(f"{address}/story")
    page.fill("#story-day", "2025-01-22")
    page.fill("#story", STORY)
    page.click("#read")
    page.wait_for_selector(".claim")
    page.locator(".claim button").nth(0).click()


def _scenario(page: Any, address: str) -> None:
    page.goto(f"{address}/scenario")
    page.wait_for_selector("#troubles .good")
    page.click("summary:has-text('china-chips')")
    page.fill("[id='field-budgets[0].amount']", "40 billion")
    page.wait_for_selector("#troubles .error")
    page.evaluate("scrollTo(0, 0)")


def _plan(page: Any, address: str) -> None:
    page.goto(f"{address}/plan")
    page.wait_for_selector(".plot[data-drawn]")


def _solving(page: Any, address: str) -> None:
    _plan(page, address)
    page.select_option("label:has-text('Stop within') select", "0.001")
    page.click("#solve")
    page.wait_for_selector(".solving .plot[data-drawn]")
    page.wait_for_timeout(4000)


def _map(page: Any, address: str) -> None:
    _plan(page, address)
    page.locator("h2:has-text('Sites and power')").scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 500)")
    page.wait_for_selector("figure:has(h3:text('Ulanqab')) .plot[data-drawn]")


def _evidence(page: Any, address: str) -> None:
    _plan(page, address)
    page.locator("button.number").first.click()
    page.wait_for_selector("dialog[open]")


def _what_if(page: Any, address: str) -> None:
    page.goto(f"{address}/what-if")
    page.wait_for_selector("#try")
    page.locator("[id='lever-budget-china-chips']").fill("75")
    page.wait_for_selector(".lever output:has-text('→')")
    page.click("#try")
    page.wait_for_selector(".changes")


DRIVEN: dict[str, tuple[dict[str, Any], Any]] = {
    "page-story": ({}, _story),
    "page-scenario": ({}, _scenario),
    "page-plan": ({"viewport": {"width": WIDE, "height": 1200}}, _plan),
    "page-solving": ({}, _solving),
    "page-map": ({"color_scheme": "dark"}, _map),
    "page-evidence": ({}, _evidence),
    "page-what-if": ({"viewport": {"width": WIDE, "height": 1200}}, _what_if),
    "page-phone": ({"viewport": {"width": 390, "height": 844}}, _plan),
}
"""Pictures of views 1 to 4: how the window is, and what is done before each is taken."""


def drive(browser: Any, address: str, name: str) -> None:
    """Do what a person would do, and save the picture of what they then see."""
    options, act = DRIVEN[name]
    context = browser.new_context(**{"viewport": {"width": WIDE, "height": TALL}, "locale": "en-GB", **options})
    context.set_default_timeout(300_000)
    page = context.new_page()
    act(page, address)
    page.wait_for_timeout(1500)
    page.screenshot(path=str(IMAGES / f"{name}.png"))
    context.close()


def main(names: list[str]) -> None:
    """Save the pictures named, all where none is."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        sys.exit("install Chromium to take the pictures")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="outlay-screens-") as folder, sync_playwright() as play:
        words = [sys.executable, "-m", "outlay.cli.main", "web", "--port", "0", "--workers", "1", "--no-open"]
        environment = {**os.environ, "OUTLAY_RUNS": str(Path(folder) / "runs.db"), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        address = process.stdout.readline().split()[3].rstrip("/")
        browser = play.chromium.launch(executable_path=executable, args=FLAGS)
        for name in names or [*DRIVEN, *SHOTS]:
            if name in DRIVEN:
                drive(browser, address, name)
            else:
                take(browser, address, name, SHOTS[name])
        browser.close()
        process.send_signal(signal.SIGINT)
        process.wait(60)


if __name__ == "__main__":
    main(sys.argv[1:])
