"""Measures the page in headless Chromium over the loopback: first useful paint, and how fast interactions answer.

    .venv/bin/python benchmarks/page.py [--repeat 5]

Solves and searches are jobs with progress and are not counted. Exits 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAINT_S, ANSWER_S = 2.0, 0.2
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
PAINTS = {
    "/": "main .cardlet, #main .cardlet",
    "/story": "#main textarea",
    "/scenario": "#main form, #main .form, #main fieldset, #main input",
    "/what-if": "#main input[type=range], #main .notice",
    "/futures": "#futures-plan table",
    "/chips": "#main .plot[data-drawn]",
    "/explorers": "#main .form button",
    "/accuracy": "#main .form select, #main .notice",
}
"""What makes a view useful: something of its own to read or to use."""
WATCH = """(selector) => {
  const look = () => {
    const found = document.querySelector(selector);
    if (found && found.getBoundingClientRect().height > 0) {
      requestAnimationFrame(() => { window.outlayPaint = performance.now(); });
    } else requestAnimationFrame(look);
  };
  look();
}"""
ANSWER = """async ([act, probe, limit]) => {
  const look = new Function('return ' + probe);
  const before = look();
  const began = performance.now();
  (new Function(act))();
  while (performance.now() - began < limit) {
    await new Promise((go) => requestAnimationFrame(go));
    const now = look();
    if (now && now !== before) return performance.now() - began;
  }
  return null;
}"""
FIGURE = "document.querySelector('#main figure .plot[data-drawn] .main-svg')"


def change(label: str, value: str) -> str:
    """Return the script that picks an option of a select by its label."""
    return (
        f"const box = [...document.querySelectorAll('label')].find((one) => one.innerText.startsWith({label!r}));"
        f"const field = box.querySelector('select'); field.value = {value!r};"
        "field.dispatchEvent(new Event('change', {bubbles: true}));"
    )


def type_in(label: str, value: str) -> str:
    """Return the script that types into a field by its label."""
    return (
        f"const box = [...document.querySelectorAll('label')].find((one) => one.innerText.startsWith({label!r}));"
        f"const field = box.querySelector('input'); field.value = {value!r};"
        "field.dispatchEvent(new Event('input', {bubbles: true}));"
    )


def click(selector: str) -> str:
    """Return the script that clicks."""
    return f"document.querySelector({selector!r}).click();"


def tab(name: str) -> str:
    """Return the script that opens a tab."""
    return f"[...document.querySelectorAll('[role=tab]')].find((one) => one.innerText === {name!r}).click();"


@dataclass(frozen=True)
class Deed:
    """Something a person does on a view, and what shows that it was answered."""

    what: str
    path: str
    ready: str
    before: str
    act: str
    probe: str


TEXT = "document.querySelector({!r})?.innerText"
DEEDS = (
    Deed("go to another view", "/chips", FIGURE, "", click('nav.views a[href="/explorers"]'), TEXT.format("#main h1")),
    Deed("legal status: rent, not buy", "/chips", FIGURE, "", change("How", "service"), FIGURE),
    Deed("legal status: chips of one country", "/chips", FIGURE, "", change("Chips shown", "US"), FIGURE),
    Deed("open a tab", "/chips", FIGURE, "", tab("Compare"), "document.querySelector('#chips-sources')"),
    Deed("check another chip", "/chips", TEXT.format(".verdict"), tab("Check a chip"), type_in("chip", "H100 SXM"),
         TEXT.format(".verdict")),
    Deed("roofline in another data type", "/chips", FIGURE, tab("Roofline"), change("Data type", "fp8"), FIGURE),
    Deed("accuracy: in sample", "/accuracy", FIGURE, "", change("Sample", "in_sample"), FIGURE),
    Deed("accuracy: one family", "/accuracy", FIGURE, "", change("Chips", "NVIDIA H100"), FIGURE),
    Deed("dark appearance", "/chips", FIGURE, "",
         "const field = document.querySelector('#theme'); field.value = 'dark';"
         "field.dispatchEvent(new Event('change', {bubbles: true}));",
         "document.body.classList.contains('body--dark')"),
    Deed("a wrong number is told of", "/futures", "document.querySelector('#plan-futures')", type_in("Draws", "-1"),
         click("#plan-futures"), "document.querySelector('.field-error:not(:empty)')"),
)  # fmt: skip


@contextmanager
def served() -> Iterator[str]:
    """Start the server with a store of its own; give its address."""
    with tempfile.TemporaryDirectory(prefix="outlay-bench-") as folder:
        words = [sys.executable, "-m", "outlay.cli.main", "web", "--port", "0", "--workers", "1", "--no-open"]
        environment = {**os.environ, "OUTLAY_RUNS": str(Path(folder) / "runs.db"), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        yield process.stdout.readline().split()[3].rstrip("/")
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def paint(browser: Any, address: str, path: str, selector: str) -> float:
    """Return the seconds from navigation until a view is useful, in a browser that was never here."""
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.add_init_script(f"({WATCH})({selector!r})")
    page.goto(address + path, wait_until="commit")
    page.wait_for_function("window.outlayPaint", timeout=60_000)
    found = float(page.evaluate("window.outlayPaint")) / 1e3
    context.close()
    return found


def answer(browser: Any, address: str, deed: Deed) -> float | None:
    """Return the seconds until a deed is answered on the screen; ``None`` where it is not."""
    context = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.goto(address + deed.path)
    page.wait_for_selector("#exports", timeout=60_000)
    if deed.before:
        page.evaluate(f"() => {{ {deed.before} }}")
        page.wait_for_timeout(800)
    page.wait_for_function(deed.ready, timeout=120_000)
    page.wait_for_timeout(500)
    found = page.evaluate(ANSWER, [deed.act, deed.probe, 10_000])
    context.close()
    return None if found is None else found / 1e3


def row(name: str, times: list[float | None], bar: float) -> bool:
    """Print one line; return whether the bar is kept by the median."""
    if any(one is None for one in times):
        print(f"{name:44} no answer")
        return False
    known = [one for one in times if one is not None]
    middle = statistics.median(known)
    kept = middle <= bar
    print(f"{name:44} {middle * 1e3:7.0f} ms  (most {max(known) * 1e3:6.0f})  {'kept' if kept else 'MISSED'}")
    return kept


def main() -> int:
    """Measure everything and print it against the bars."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        print("install the package chromium: the page is measured in it")
        return 2
    kept: list[bool] = []
    with served() as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable, args=FLAGS)
        paint(browser, address, "/", PAINTS["/"])  # loads the modules once, as a started server has
        print(f"first useful paint, median of {repeat}, in a browser that was never here; bar {PAINT_S:.0f} s")
        kept += [
            row(path, [paint(browser, address, path, selector) for _ in range(repeat)], PAINT_S)
            for path, selector in PAINTS.items()
        ]
        print(f"\ninteraction to its answer on the screen, median of {repeat}; bar {ANSWER_S * 1e3:.0f} ms")
        kept += [row(deed.what, [answer(browser, address, deed) for _ in range(repeat)], ANSWER_S) for deed in DEEDS]
        browser.close()
    print(f"\n{sum(kept)} of {len(kept)} bars kept")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
