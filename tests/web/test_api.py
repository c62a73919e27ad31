"""The HTTP API: what is asked is answered as the command answers, and every error is one message."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from outlay.scenario.load import bundled, bundled_text

CHECK = {"chips": ["H20 96GB"], "destination": "CN", "day": "2025-05-01"}

SMALL = (Path(__file__).parents[1] / "small.yaml").read_text(encoding="utf-8").replace("0.2 USD/", "20 USD/")


def test_the_server_answers_and_describes_itself(client: TestClient) -> None:
    """The server answers and describes itself."""
    assert client.get("/api/health").json()["ok"] is True
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/api/runs/plan", "/api/runs/{run}/events", "/api/scenarios", "/api/catalog", "/api/check"} <= set(paths)
    for path in paths.values():
        for operation in path.values():
            assert operation["description"]


def test_scenarios_come_bundled_and_are_kept(client: TestClient) -> None:
    """Scenarios come bundled and are kept."""
    lines = client.get("/api/scenarios").json()
    assert [line["name"] for line in lines] == bundled()
    assert all(line["title"] for line in lines)
    one = client.get(f"/api/scenarios/bundled/{bundled()[0]}").json()
    assert one["text"] == bundled_text(bundled()[0])
    made = client.post("/api/scenarios", json={"name": "mine", "text": SMALL})
    assert made.status_code == 201
    kept = made.json()["id"]
    assert client.put(f"/api/scenarios/{kept}", json={"name": "ours", "text": SMALL}).json()["name"] == "ours"
    assert client.get(f"/api/scenarios/{kept}").json()["text"] == SMALL
    assert client.get("/api/scenarios").json()[-1]["id"] == kept
    assert client.delete(f"/api/scenarios/{kept}").status_code == 204
    gone = client.get(f"/api/scenarios/{kept}")
    assert gone.status_code == 404
    assert "unknown scenario" in gone.json()["error"]


def test_a_scenario_is_looked_over_with_line_and_column(client: TestClient) -> None:
    """A scenario is looked over with line and column."""
    fine = client.post("/api/scenarios/check", json={"text": SMALL}).json()
    assert (fine["ok"], fine["problems"]) == (True, [])
    wrong = client.post("/api/scenarios/check", json={"text": SMALL.replace("currency:", "curency:", 1)}).json()
    assert wrong["ok"] is False
    assert wrong["problems"][0]["line"] == 1
    assert "small" not in wrong["problems"][0]["message"]
    assert [(one["line"] > 1, one["message"]) for one in wrong["problems"]][1] == (
        True,
        "curency: unknown field 'curency'; nearest: currency",
    )
    broken = client.post("/api/scenarios/check", json={"text": "a: [1"}).json()
    assert broken["problems"][0]["line"] == 1


def test_the_catalogue_gives_records_with_sources(client: TestClient) -> None:
    """The catalogue gives records with sources."""
    names = client.get("/api/catalog").json()
    assert "H20 96GB" in names["chips"]
    record = client.get("/api/catalog/chips/H20 96GB").json()
    assert record["figures"]["memory_gb"]["source"]
    slash = client.get("/api/catalog/systems/DGX H100 / HGX H100")
    assert slash.json()["name"] == "DGX H100 / HGX H100"
    missing = client.get("/api/catalog/chips/H20O")
    assert missing.status_code == 404
    assert "nearest" in missing.json()["error"]


def test_questions_are_answered_at_once(client: TestClient) -> None:
    """Questions are answered at once."""
    answered = client.post("/api/check", json=CHECK).json()
    assert answered["code"] == 1
    assert answered["answer"]["verdict"] == "denied"
    every = client.post("/api/check", json={"everything": True, "destination": "CN", "day": "2025-05-01"}).json()
    assert len(every["answer"]["rows"]) > 50
    trained = client.post("/api/train", json={"model": "Llama-3.1-8B", "on": ["H100:64"], "tokens": "1T"}).json()
    assert trained["answer"]["run"]["days"] > 0
    served = client.post(
        "/api/serve", json={"model": "Llama-3.1-8B", "on": "H100:8", "input": "1000", "output": "200"}
    ).json()
    assert served["answer"]["tokens_per_s"] > 0
    many = client.post("/api/train", json={"model": "Llama-3.1-8B", "on": ["H100:9999999"]})
    assert many.status_code == 400
    assert "at most 200,000 chips" in many.json()["error"]


def test_a_question_that_cannot_be_read_is_answered_as_the_command_does(client: TestClient) -> None:
    """A question that cannot be read is answered as the command does."""
    wrong = client.post("/api/check", json={"chips": ["H20O"], "destination": "CN", "day": "2025-05-01"})
    assert (wrong.status_code, wrong.json()["error"][:20]) == (400, "unknown chip 'H20O';")
    unread = client.post("/api/check", json={"chips": 5})
    assert (unread.status_code, unread.json()["error"]) == (422, "body.chips: input should be a valid list")
    nothing = client.put("/api/check", json={})
    said = "nothing is at PUT /api/check; /api/openapi.json lists what is"
    assert (nothing.status_code, nothing.json()) == (404, {"error": said})


def test_a_plan_goes_through_as_a_job(client: TestClient, work: Callable[[], None]) -> None:
    """Queue a plan, follow its events, take its answer in every form, repeat and compare it, delete it."""
    kept = client.post("/api/scenarios", json={"name": "mine", "text": SMALL}).json()["id"]
    run = client.post("/api/runs/plan", json={"scenario": kept}).json()
    assert (run["status"], run["title"]) == ("queued", "mine")
    assert client.get(f"/api/runs/{run['id']}/result").status_code == 404
    work()
    done = client.get(f"/api/runs/{run['id']}").json()
    assert (done["status"], done["code"]) == ("done", 0), done["message"]
    plan = client.get(f"/api/runs/{run['id']}/result").json()
    assert plan["purchases"]
    stream = client.get(f"/api/runs/{run['id']}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in stream.text.split("\n") if line.startswith("data: ")]
    assert [event["status"] for event in events if event["kind"] == "status"] == ["queued", "running", "done"]
    assert any(event["kind"] == "words" for event in events)
    later = client.get(f"/api/runs/{run['id']}/events", headers={"Last-Event-ID": str(events[-2]["id"])}).text
    assert later.count("data: ") == 1
    assert len(client.get(f"/api/runs/{run['id']}/log").json()) == len(events)
    report = f"/api/runs/{run['id']}/report"
    assert client.get(f"{report}/html").text.startswith("<!")
    assert "sandbox" in client.get(f"{report}/html").headers["content-security-policy"]
    assert client.get(f"{report}/xlsx").content[:2] == b"PK"
    rows = list(csv.DictReader(io.StringIO(client.get(f"{report}/csv").text)))
    assert len(rows) == len(plan["purchases"])
    assert client.get(f"{report}/json").json() == plan
    assert client.get(f"{report}/scenario").text == SMALL
    again = client.post(f"/api/runs/{run['id']}/rerun").json()
    work()
    found = client.get(f"/api/runs/{run['id']}/compare/{again['id']}").json()
    assert (found["same"], found["same_code"], found["plans"]["orders"]) == (True, True, [])
    assert client.get(f"/api/runs/{again['id']}").json()["parent"] == run["id"]
    assert client.delete(f"/api/runs/{run['id']}").status_code == 204
    assert client.get(f"/api/runs/{run['id']}").status_code == 404


def test_a_question_that_cannot_be_asked_fails_with_the_commands_words(
    client: TestClient, work: Callable[[], None]
) -> None:
    """What is wrong with a question is told once it is worked on."""
    run = client.post("/api/runs/plan", json={"scenario": "x", "text": SMALL, "without": ["made up"]}).json()
    work()
    failed = client.get(f"/api/runs/{run['id']}").json()
    assert (failed["status"], failed["code"]) == ("failed", 2)
    assert "unknown status 'made up'" in failed["message"]


def test_a_deleted_scenario_is_told(client: TestClient) -> None:
    """A deleted scenario is told."""
    kept = client.post("/api/scenarios", json={"name": "mine", "text": SMALL}).json()["id"]
    client.delete(f"/api/scenarios/{kept}")
    refused = client.post("/api/runs/plan", json={"scenario": kept})
    assert refused.status_code == 404
    assert "it may have been deleted" in refused.json()["error"]


def test_jobs_are_cancelled_listed_and_limited(client: TestClient) -> None:
    """Jobs are cancelled listed and limited."""
    ids = [client.post("/api/runs/check", json=CHECK).json()["id"] for _ in range(5)]
    full = client.post("/api/runs/check", json=CHECK)
    assert (full.status_code, "at most 5 may be" in full.json()["error"]) == (429, True)
    assert client.post(f"/api/runs/{ids[0]}/cancel").json()["status"] == "cancelled"
    assert client.post("/api/runs/check", json=CHECK).status_code == 202
    assert len(client.get("/api/runs", params={"status": "queued"}).json()) == 5
    assert client.delete(f"/api/runs/{ids[1]}").status_code == 400
    assert "cancel it" in client.delete(f"/api/runs/{ids[1]}").json()["error"]


def test_readings_and_validations_are_jobs(client: TestClient, work: Callable[[], None]) -> None:
    """Readings and validations are jobs."""
    story = "Jan 22, 2025. ByteDance plans to spend 12 billion dollars on AI chips in 2025, people familiar said."
    run = client.post("/api/runs/read", json={"stories": [{"name": "story", "text": story}]}).json()
    rows = client.post("/api/runs/validate", json={"what": ["training"], "rows": "nonsense\n1\n"}).json()
    work()
    assert client.get(f"/api/runs/{run['id']}/result").json()["claims"][0]["quantity"] == 12e9
    refused = client.get(f"/api/runs/{rows['id']}").json()
    assert (refused["status"], refused["code"], "rows.csv" in refused["message"]) == ("failed", 2, True)


def test_streams_are_limited(client: TestClient) -> None:
    """Whoever has as many streams open as they may waits for one to end."""
    run = client.post("/api/runs/check", json=CHECK).json()["id"]
    server = client.app.state.outlay
    server.streams["local"] = server.limits.streams
    refused = client.get(f"/api/runs/{run}/events")
    assert (refused.status_code, "streams of events open" in refused.json()["error"]) == (429, True)
    server.streams["local"] = 0
    client.post(f"/api/runs/{run}/cancel")
    assert "cancelled" in client.get(f"/api/runs/{run}/events").text
    assert server.streams["local"] == 0


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/api/runs/plan", {"scenario": "bytedance-2025", "time_limit_s": 5000}, "at most 900 s may be asked for"),
        ("/api/runs/plan", {"scenario": "x", "text": "é" * 300_000}, "at most 500,000 bytes"),
        ("/api/scenarios", {"name": "x", "text": "é" * 300_000}, "at most 500,000 bytes"),
        ("/api/scenarios/check", {"text": "é" * 300_000}, "at most 500,000 bytes"),
    ],
)
def test_what_is_too_much_is_refused(client: TestClient, path: str, body: dict[str, object], said: str) -> None:
    """What is too much is refused."""
    refused = client.post(path, json=body)
    assert refused.status_code == 400
    assert said in refused.json()["error"]
