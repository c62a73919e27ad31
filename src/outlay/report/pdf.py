"""Prints a self-contained page as a PDF with the system's Chromium, which draws its figures; nothing is fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from outlay.errors import InputError

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "microsoft-edge")
VARIABLE = "OUTLAY_CHROMIUM"
LIMIT_S = 60.0
QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
    *("--no-pdf-header-footer", "--virtual-time-budget=8000", "--run-all-compositor-stages-before-draw"),
)  # fmt: skip


def browser() -> str:
    """Return the path of a browser that prints.

    Raises
    ------
    InputError
        If there is none: names what was looked for.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if shutil.which(named) is None:
            msg = f"{VARIABLE}={named}: no such program; expected the path of a Chromium"
            raise InputError(msg)
        return named
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        msg = (
            f"no PDF: it is printed by Chromium, and none of {', '.join(NAMES)} is installed; install the package "
            f"chromium, name another by {VARIABLE}, or take the report as HTML, which any browser prints"
        )
        raise InputError(msg)
    return found


def to_pdf(page: str) -> bytes:
    """Return a page as a PDF.

    Raises
    ------
    InputError
        If there is no browser to print it, or it fails to.
    """
    program = browser()
    with tempfile.TemporaryDirectory(prefix="outlay-pdf-") as folder:
        source, target = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        command = [program, *QUIET, f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}", source.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            msg = f"no PDF: {program} did not end within {LIMIT_S:.0f} s; take the report as HTML"
            raise InputError(msg) from None
        if not target.exists():
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            msg = f"no PDF: {program} printed none (exit {done.returncode}): {last}; take the report as HTML"
            raise InputError(msg)
        return target.read_bytes()
