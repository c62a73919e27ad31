"""The door: other names, other sites, missing tokens, large bodies and other people's runs stay outside."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from outlay.errors import InputError
from outlay.runs import Store
from outlay.runs.database import changing
from outlay.runs.schema import tokens
from outlay.web.limits import Limits, Settings
from outlay.web.security import COOKIE
from outlay.web.server import create_app
from outlay.web.tokens import Token, all_tokens, new_session, new_token, revoke, token_of

CHECK = {"chips": ["H20 96GB"], "destination": "CN", "day": "2025-05-01"}
BASE = "http://127.0.0.1:8765"


@pytest.fixture
def door(settings: Settings) -> Iterator[TestClient]:
    """A server that asks for a token, as any beyond the loopback does."""
    with TestClient(create_app(dataclasses.replace(settings, token=True), page=False), base_url=BASE) as asking:
        yield asking


def bearer(client: TestClient, name: str, **how: object) -> dict[str, str]:
    """Bearer."""
    return {"Authorization": f"Bearer {new_token(client.app.state.outlay.store, name, **how)[1]}"}


def test_a_token_is_needed_beyond_the_loopback() -> None:
    """A token is needed beyond the loopback."""
    assert not Settings().token_needed
    assert not Settings(host="::1").token_needed
    for host in ("0.0.0.0", "::", "192.168.1.4", "planner.example.org"):
        assert Settings(host=host).token_needed
    assert "0.0.0.0" not in Settings(host="0.0.0.0").hosts


def test_nobody_comes_in_without_a_token(door: TestClient) -> None:
    """Nobody comes in without a token."""
    refused = door.get("/api/runs")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "outlay web token new NAME" in refused.json()["error"]
    assert door.get("/api/health").status_code == 200
    assert door.get("/api/runs", headers={"Authorization": "Bearer outlay_made-up"}).status_code == 401
    assert door.get("/api/runs", headers=bearer(door, "ann")).status_code == 200
    page = door.get("/", headers={"Accept": "text/html"}, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/enter")


def test_every_path_but_the_way_in_needs_the_token(door: TestClient) -> None:
    """Every path but the way in needs the token."""
    for path, operations in door.app.openapi()["paths"].items():
        for method in operations:
            asked = door.request(method, path.replace("{", "").replace("}", ""))
            assert asked.status_code == (200 if path == "/api/health" else 401), path


def test_tokens_are_kept_as_hashes_expire_and_are_revoked(store: Store) -> None:
    """Tokens are kept as hashes expire and are revoked."""
    made, secret = new_token(store, "ann", days=1)
    with store.engine.connect() as connection:
        row = connection.execute(sa.select(tokens)).mappings().one()
    assert secret not in str(dict(row))
    assert len(secret) > 40
    found = token_of(store, secret)
    assert isinstance(found, Token)
    assert (found.owner, found.live) == ("ann", True)
    session = new_session(store, found)
    assert isinstance(token_of(store, session), Token)
    assert token_of(store, session, kinds=("token",)) == "unknown"
    with changing(store.engine) as connection:
        connection.execute(tokens.update().where(tokens.c.id == made.id).values(expires=1.0))
    assert token_of(store, secret) == "expired"
    revoke(store, "ann")
    assert token_of(store, secret) == "revoked"
    assert token_of(store, session) == "unknown"
    with pytest.raises(InputError, match="unknown token 'an'"):
        revoke(store, "an")
    assert [token.name for token in all_tokens(store)] == ["ann"]
    with pytest.raises(InputError, match="'local' is whoever works on this machine"):
        new_token(store, "local")
    with pytest.raises(InputError, match="expected more than zero"):
        new_token(store, "bob", days=0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own."""
    opened = Store.open(str(tmp_path / "tokens.db"))
    yield opened
    opened.close()


def test_a_person_comes_in_by_the_page_and_leaves(door: TestClient) -> None:
    """A person comes in by the page and leaves."""
    secret = new_token(door.app.state.outlay.store, "ann")[1]
    wrong = door.post("/enter", data={"token": "<b>made up</b>"})
    assert (wrong.status_code, "That token is unknown." in wrong.text, "<b>" in wrong.text) == (401, True, False)
    assert "令牌" in door.get("/enter", headers={"Accept-Language": "zh-CN"}).text
    entered = door.post("/enter", data={"token": f" {secret} "}, follow_redirects=False)
    cookie = entered.headers["set-cookie"]
    assert COOKIE in cookie
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert secret not in cookie
    assert door.get("/api/runs").status_code == 200
    door.post("/leave", follow_redirects=False)
    door.cookies.set(COOKIE, cookie.split("=")[1].split(";")[0])
    assert door.get("/api/runs").status_code == 401


def test_people_see_their_own_runs_and_scenarios_alone(door: TestClient) -> None:
    """People see their own runs and scenarios alone."""
    ann, bob = bearer(door, "ann"), bearer(door, "bob")
    run = door.post("/api/runs/check", json=CHECK, headers=ann).json()["id"]
    kept = door.post("/api/scenarios", json={"name": "x", "text": "name: x"}, headers=ann).json()["id"]
    for path in (f"/api/runs/{run}", f"/api/runs/{run}/log", f"/api/runs/{run}/events", f"/api/runs/{run}/inputs"):
        assert door.get(path, headers=ann).status_code == 200 if path[-6:] != "events" else True
        assert door.get(path, headers=bob).status_code == 404
    for method, path in (
        ("POST", f"/api/runs/{run}/cancel"),
        ("POST", f"/api/runs/{run}/rerun"),
        ("DELETE", f"/api/runs/{run}"),
        ("GET", f"/api/runs/{run}/report/json"),
        ("GET", f"/api/runs/{run}/compare/{run}"),
        ("GET", f"/api/scenarios/{kept}"),
        ("DELETE", f"/api/scenarios/{kept}"),
    ):
        assert door.request(method, path, headers=bob).status_code == 404, path
    assert door.put(f"/api/scenarios/{kept}", json={"name": "x", "text": ""}, headers=bob).status_code == 404
    assert door.post("/api/runs/plan", json={"scenario": kept}, headers=bob).status_code == 404
    assert door.get("/api/runs", headers=bob).json() == []
    shared = bearer(door, "ann's other machine", owner="ann")
    assert [one["id"] for one in door.get("/api/runs", headers=shared).json()] == [run]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8765"])
def test_another_name_for_the_address_is_refused(client: TestClient, host: str) -> None:
    """A name an attacker points at the loopback (DNS rebinding) gets nothing."""
    refused = client.get("/api/runs", headers={"Host": host})
    assert refused.status_code == 421
    assert "it answers to 127.0.0.1, ::1, localhost" in refused.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:1234", "[::1]:8765", "LOCALHOST"])
def test_the_loopbacks_own_names_are_answered(client: TestClient, host: str) -> None:
    """The loopbacks own names are answered."""
    assert client.get("/api/health", headers={"Host": host}).status_code == 200


def test_beyond_the_loopback_the_machines_address_is_a_name(settings: Settings) -> None:
    """Nobody can point an address elsewhere, so it is answered; a name must be one the server goes by."""
    wide = dataclasses.replace(settings, host="0.0.0.0", names=("planner.example.org",))
    with TestClient(create_app(wide, page=False), base_url=BASE) as client:
        for host, status in (("192.168.1.4:8765", 200), ("planner.example.org", 200), ("evil.example", 421)):
            assert client.get("/api/health", headers={"Host": host}).status_code == status
    with TestClient(create_app(settings, page=False), base_url=BASE) as client:
        assert client.get("/api/health", headers={"Host": "192.168.1.4"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_changes_nothing(client: TestClient, headers: dict[str, str]) -> None:
    """A page in another tab cannot make a browser ask this server (CSRF)."""
    refused = client.post("/api/runs/check", json=CHECK, headers=headers)
    assert refused.status_code == 403
    assert client.get("/api/runs").json() == []


def test_the_servers_own_page_may_ask(client: TestClient) -> None:
    """The servers own page may ask."""
    headers = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/runs/check", json=CHECK, headers=headers).status_code == 202


def test_another_sites_socket_is_closed(client: TestClient) -> None:
    """Another sites socket is closed."""
    from starlette.websockets import WebSocketDisconnect

    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/_nicegui_ws/x", headers=headers):
            pass


def test_every_answer_has_the_headers_that_keep_others_out(client: TestClient) -> None:
    """Every answer has the headers that keep others out."""
    for path in ("/api/health", "/api/nothing", "/api/runs/aaaaaa"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'self'" in policy
        assert "http:" not in policy
        assert "server" not in headers


def test_large_bodies_are_refused_said_or_not(settings: Settings) -> None:
    """Large bodies are refused said or not."""
    small = dataclasses.replace(settings, limits=Limits(body_bytes=1000))
    with TestClient(create_app(small, page=False), base_url=BASE) as client:
        said = client.post("/api/check", content=b"x" * 2000)
        assert (said.status_code, "at most 1,000 bytes" in said.json()["error"]) == (413, True)
        parts = (b"x" * 500 for _ in range(4))
        unsaid = client.post("/api/check", content=parts, headers={"Content-Type": "application/json"})
        assert (unsaid.status_code, "at most 1,000 bytes" in unsaid.json()["error"]) == (413, True)
        odd = client.post("/api/check", content=b"", headers={"Content-Length": "-5"})
        assert odd.status_code in (400, 413)


@pytest.mark.parametrize(
    "path",
    [
        "/api/scenarios/bundled/..%2f..%2f..%2fetc%2fpasswd",
        "/api/catalog/chips/../../../etc/passwd",
        "/%2e%2e/etc/passwd",
    ],
)
def test_no_path_reaches_a_file(client: TestClient, path: str) -> None:
    """No path reaches a file."""
    found = client.get(path)
    assert found.status_code == 404
    assert "root:" not in found.text


def test_stories_are_fetched_only_where_the_server_may(settings: Settings) -> None:
    """Stories are fetched only where the server may."""
    with TestClient(create_app(dataclasses.replace(settings, fetch=False), page=False), base_url=BASE) as client:
        asked = {"stories": [{"address": "https://example.com/"}]}
        refused = client.post("/api/runs/read", json=asked)
        assert (refused.status_code, "fetches no addresses" in refused.json()["error"]) == (400, True)
