"""A server in the process, without its page, and a client that asks it."""

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
