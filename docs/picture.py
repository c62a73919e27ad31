"""Draws the picture of a plan that the README shows: the top of its page, in headless Chromium."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def draw(page_file: Path, picture: Path) -> None:
    """Save the first screen of a plan's page as a PNG."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        sys.exit("install Chromium to draw the picture")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        browser = play.chromium.launch(executable_path=browser_path, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(page_file.resolve().as_uri())
        page.wait_for_timeout(2000)
        page.screenshot(path=str(picture))
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
