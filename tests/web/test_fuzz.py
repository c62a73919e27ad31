"""Malformed requests by the hundred, made from the OpenAPI schema: each is answered, none breaks the server."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from starlette.testclient import TestClient

from outlay.web.limits import Limits, Settings
from outlay.web.server import create_app

schemathesis = pytest.importorskip("schemathesis")

ASKED = int(os.environ.get("OUTLAY_FUZZ", "300"))
"""Malformed requests in all; CI sends a thousand."""
BASE = "http://127.0.0.1:8765"
SLOW = {"/api/train", "/api/serve", "/api/check"}
"""What is answered at once is asked less often: a malformed question may by chance be a good one."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One server for all requests; nothing that is queued is worked on."""
    place = tmp_path_factory.mktemp("fuzz")
    set_up = Settings(store=str(place / "runs.db"), workers=0, fetch=False, limits=Limits(open_runs=20))
    with TestClient(create_app(set_up, page=False), base_url=BASE, raise_server_exceptions=False) as asking:
        yield asking


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_malformed_requests_break_nothing(server: TestClient) -> None:
    """Every answer to a malformed request is below 500, and every error is one message."""
    schema = schemathesis.openapi.from_dict(server.get("/api/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    asked: Counter[bool] = Counter()
    codes: Counter[int] = Counter()
    wrong: list[str] = []

    def ask(case: Any, malformed: bool) -> None:
        sent = _request(case)
        answer = server.request(**sent)
        asked[malformed] += 1
        codes[answer.status_code] += 1
        if answer.status_code >= 500 or (answer.status_code >= 400 and "error" not in answer.json()):
            wrong.append(f"{answer.status_code} {sent} {answer.text[:300]}")

    open_to_it = [one for one in operations if list(one.body) or list(one.iter_parameters())]
    assert len(open_to_it) > 20
    for operation in open_to_it:
        _many(ask, operation, malformed=True, count=-(-ASKED // len(open_to_it)))
    for operation in operations:
        if operation.path not in SLOW:
            _many(ask, operation, malformed=False, count=5)
    assert wrong == []
    assert asked[True] >= ASKED, asked
    assert {200, 404, 422} <= set(codes), codes


def _many(ask: Callable[[Any, bool], None], operation: Any, *, malformed: bool, count: int) -> None:
    """Ask an operation many times, each otherwise, the same on every day."""
    mode = schemathesis.GenerationMode.NEGATIVE if malformed else schemathesis.GenerationMode.POSITIVE
    left = count
    for round_ in range(20):  # where few cases differ, generation ends early

        @seed(round_)
        @settings(
            max_examples=left,
            database=None,
            derandomize=False,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def asking(case: Any) -> None:
            nonlocal left
            left -= 1
            ask(case, malformed)

        asking()
        if left <= 0:
            return


def _request(case: Any) -> dict[str, Any]:
    """Return a case as the arguments of a request."""
    sent = case.as_transport_kwargs(base_url=BASE)
    return {key: value for key, value in sent.items() if key in {"method", "url", "params", "headers", "json", "data"}}


def test_texts_that_no_schema_makes_break_nothing(server: TestClient) -> None:
    """Bodies that are no JSON, surrogates alone, numbers beyond all ranges, deep nests, zeros and long keys."""
    bodies = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'"\\ud800"',
        b'{"text": "\\ud800", "scenario": "x"}',
        b'{"text": "a: \\u0000", "scenario": "\\u0000"}',
        b'{"text": "&a [*a]", "scenario": "x"}',
        b'{"text": "a: &b {<<: *b}", "scenario": "x"}',
        b'{"name": "\\u0000", "text": "x"}',
        b'{"scenario": "bytedance-2025", "gap": 1e999}',
        b'{"scenario": "bytedance-2025", "gap": NaN}',
        b'{"scenario": "bytedance-2025", "count": 1' + b"0" * 5000 + b"}",
        b'{"scenario": "x", "text": "' + b"[" * 20_000 + b'"}',
        b"[" * 100_000,
        b'{"chips": ["' + b"x" * 400 + b'"], "destination": "CN", "day": "0000-99-99"}',
        b'{"chips": ["H20"], "destination": "\\ud83d", "day": "2025-05-01"}',
        b'{"model": "x", "on": ["H100:1e400"], "seq": "inf"}',
        b'{"model": "Llama-3.1-8B", "on": ["H100:-8"]}',
        b'{"stories": [{"base64": "!!!"}]}',
        b'{"stories": [{"address": "http://[::1"}]}',
        b'{"what": ["training"], "rows": "\\u0000,\\n"}',
    ]
    paths = ["/api/check", "/api/train", "/api/serve", "/api/scenarios", "/api/scenarios/check"]
    paths += [f"/api/runs/{kind}" for kind in ("plan", "stress", "read", "validate", "train", "serve", "check")]
    for path in paths:
        for body in bodies:
            answer = server.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (path, body[:100], answer.text[:500])
            assert answer.status_code < 400 or answer.json()["error"], (path, body[:100])


def test_a_server_after_all_this_still_answers(server: TestClient) -> None:
    """What was sent before has broken nothing that is asked after."""
    assert server.get("/api/health").json()["ok"] is True
    assert server.get("/api/runs").status_code == 200
    assert server.get("/api/scenarios").status_code == 200
    assert Path(server.app.state.outlay.store.place).is_file()
