"""A server in the process without its page, one server for all tests of the page, and a tab of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from outlay.runs.worker import Worker
from outlay.web.limits import Limits, Settings
from outlay.web.server import create_app

BASE = "http://127.0.0.1:8765"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Without workers: what is queued waits for :func:`work`."""
    return Settings(store=str(tmp_path / "runs.db"), workers=0, limits=Limits(open_runs=5))


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Ask the server of ``settings`` on the loopback."""
    with TestClient(create_app(settings, page=False), base_url=BASE) as asking:
        yield asking


@pytest.fixture
def work(client: TestClient) -> Callable[[], None]:
    """Do what is queued."""
    queue = client.app.state.outlay.queue

    def off() -> None:
        worker = Worker(queue)
        queue.enlist(worker.id)
        while (found := queue.claim(worker.id)) is not None:
            worker._one(*found)
        queue.leave(worker.id)

    return off


LOOPBACK = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of `outlay web` with one worker; it must have said nothing of defects in the end."""
    folder = tmp_path_factory.mktemp("server")
    words = [sys.executable, "-m", "outlay.cli.main", "web", "--port", "0", "--workers", "1", "--no-open"]
    environment = {**os.environ, "OUTLAY_RUNS": str(folder / "runs.db"), "PYTHONUNBUFFERED": "1"}
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(words, env=environment, stdout=said, stderr=subprocess.STDOUT)
    for _ in range(600):
        first = (folder / "said").read_text(encoding="utf-8")
        if "\n" in first or process.poll() is not None:
            break
        time.sleep(0.1)
    assert first.startswith("outlay is at http://127.0.0.1:"), first
    yield first.split()[3].rstrip("/")
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert "Traceback" not in (folder / "said").read_text(encoding="utf-8")


@pytest.fixture
def context(browser):
    """A browser that has never been here: a session of its own."""
    made = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-GB", accept_downloads=True)
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def tab(context):
    """A tab with what it asked for beyond the loopback and what it complained of."""
    page = context.new_page()
    page.outside, page.complaints = [], []
    page.on("request", lambda asked: asked.url.startswith(LOOPBACK) or page.outside.append(asked.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
    yield page
    assert page.outside == []
    assert page.complaints == []
    page.close()
