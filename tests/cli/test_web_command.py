"""`outlay web`: starts on the loopback, says where, ends cleanly; makes, lists and revokes tokens."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest


def outlay(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    asked = [sys.executable, "-m", "outlay.cli.main", *map(str, arguments)]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_page_and_the_api_come_up_and_go_down(tmp_path: Path) -> None:
    """One command on a free port: the page, the API, a queued run done by a worker; then a clean end."""
    asked = [sys.executable, "-m", "outlay.cli.main", "web", "--no-open", "--port", "0", "--workers", "1"]
    served = subprocess.Popen(
        [*asked, "--store", str(tmp_path / "runs.db")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert served.stdout is not None
    line = served.stdout.readline()
    found = re.match(r"outlay is at (http://127\.0\.0\.1:\d+/) ", line)
    assert found, line
    address = found[1]
    with urlopen(address, timeout=60) as page:
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert b"outlay" in page.read()
    body = json.dumps({"chips": ["H20 96GB"], "destination": "CN", "day": "2025-05-01"}).encode()
    with urlopen(Request(f"{address}api/runs/check", body, {"Content-Type": "application/json"}), timeout=60) as told:
        run = json.load(told)["id"]
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with urlopen(f"{address}api/runs/{run}", timeout=60) as told:
            status = json.load(told)["status"]
        if status == "done":
            break
        time.sleep(0.1)
    assert status == "done"
    served.send_signal(signal.SIGINT)
    _, said = served.communicate(timeout=60)
    assert "Traceback" not in said
    with pytest.raises(OSError, match="refused"), urlopen(address, timeout=5):
        pass


def test_a_port_in_use_is_told() -> None:
    """A port in use is told."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = outlay("web", "--no-open", "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert "0 for a free one" in done.stderr


def test_tokens_are_made_listed_and_revoked(tmp_path: Path) -> None:
    """Tokens are made listed and revoked."""
    place = tmp_path / "runs.db"
    made = outlay("web", "--store", place, "token", "new", "ann", "--days", "1")
    assert made.returncode == 0
    secret = made.stdout.strip()
    assert re.fullmatch(r"outlay_[\w-]{43}", secret)
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    listed = json.loads(outlay("web", "--store", place, "token", "list", "--json").stdout)
    assert [(one["name"], one["owner"], one["revoked"]) for one in listed] == [("ann", "ann", None)]
    assert "revoked ann" in outlay("web", "--store", place, "token", "revoke", "ann").stdout
    assert "revoked" in outlay("web", "--store", place, "token", "list").stdout
    unknown = outlay("web", "--store", place, "token", "revoke", "anm")
    assert unknown.returncode == 2


@pytest.mark.slow
def test_a_server_beyond_the_loopback_asks_for_a_token(tmp_path: Path) -> None:
    """Bound to every address it says that a token is needed, and lets nobody in without one."""
    place = str(tmp_path / "runs.db")
    secret = outlay("web", "--store", place, "token", "new", "ann").stdout.strip()
    asked = ["web", "--no-open", "--no-page", "--port", "0", "--workers", "0", "--host", "0.0.0.0", "--store", place]
    served = subprocess.Popen(
        [sys.executable, "-m", "outlay.cli.main", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert served.stdout is not None
    try:
        port = re.search(r":(\d+)/", served.stdout.readline())
        assert port
        assert "a token is needed" in served.stdout.readline()
        address = f"http://127.0.0.1:{port[1]}/api/runs"
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                urlopen(f"http://127.0.0.1:{port[1]}/api/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        with pytest.raises(HTTPError, match="401") as refused:
            urlopen(address, timeout=30)
        refused.value.close()
        with urlopen(Request(address, headers={"Authorization": f"Bearer {secret}"}), timeout=30) as told:
            assert json.load(told) == []
    finally:
        served.terminate()
        served.wait(30)
        served.stdout.close()
