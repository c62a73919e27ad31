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
        for name in names or SHOTS:
            take(browser, address, name, SHOTS[name])
        browser.close()
        process.send_signal(signal.SIGINT)
        process.wait(60)


if __name__ == "__main__":
    main(sys.argv[1:])
