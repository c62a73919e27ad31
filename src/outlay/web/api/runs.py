"""Runs over HTTP: queue one, watch it, stop it, take its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from outlay.errors import InputError, unknown
from outlay.runs import Run
from outlay.runs.export import ENDINGS, FORMS, exported
from outlay.runs.inputs import (
    CheckInputs,
    PlanInputs,
    ReadInputs,
    ScenarioInputs,
    ServeInputs,
    StressInputs,
    TrainInputs,
    ValidateInputs,
)
from outlay.runs.queue import TooManyError
from outlay.web.api.common import PROBLEMS, NotFoundError, Owner, Server, Serving

router = APIRouter(prefix="/api/runs", tags=["runs"], responses=PROBLEMS)
Id = Annotated[str, Path(pattern=r"^[a-z0-9]{3,20}$", description="Of a run")]
S = TypeVar("S", bound=ScenarioInputs)
POLL_S = 0.25
ALIVE_S = 15.0
"""How often a silent stream says that it lives."""


class RunRecord(BaseModel):
    """A run as it stands; times in ISO 8601, UTC."""

    id: str
    kind: str
    status: Literal["queued", "running", "done", "failed", "cancelled", "lost"]
    title: str
    owner: str
    created: str
    started: str | None
    finished: str | None
    seconds: float | None
    code: int | None
    message: str
    catalogue_hash: str
    code_hash: str
    version: str
    parent: str | None
    cancel: bool
    attempts: int
    limit_s: float | None
    progress: dict[str, Any]


class EventRecord(BaseModel):
    """Something said of a run: its status, words, or where the solver stands."""

    model_config = {"extra": "allow"}
    id: int
    run: str
    at: str
    kind: Literal["status", "words", "standing"]


class Comparison(BaseModel):
    """What changed from one run's answer to another's; ``plans`` order by order, ``changes`` part by part."""

    before: str
    after: str
    kind: str
    same: bool
    same_code: bool
    same_catalogue: bool
    plans: dict[str, Any] | None
    changes: list[dict[str, Any]]
    more: int


def shown(run: Run) -> RunRecord:
    """Return a run for the answer."""
    return RunRecord.model_validate(run.as_dict())


def run_of(server: Server, run: str, owner: str) -> Run:
    """Return a run the owner may see, or the 404 that says there is none."""
    try:
        return server.store.get(run, owner)
    except InputError as error:
        raise NotFoundError(str(error)) from None


def submit(server: Server, owner: str, kind: str, inputs: dict[str, Any], title: str) -> Run:
    """Queue a run within the limits of the server."""
    limits = server.limits
    return server.queue.submit(kind, inputs, title=title, owner=owner, limit_s=limits.run_s, most_open=limits.open_runs)


def with_text(server: Server, owner: str, body: S) -> S:
    """Return a scenario's inputs with the text of a kept one, where its id is given instead of a text."""
    from outlay.scenario.load import bundled

    if body.text is not None:
        size, largest = len(body.text.encode()), server.limits.scenario_bytes
        if size > largest:
            msg = f"text: a scenario has at most {largest:,} bytes; this one has {size:,}"
            raise InputError(msg)
        return body
    if body.scenario in bundled():
        return body
    kept = {one.id: one for one in server.store.scenarios(owner)}
    if body.scenario not in kept:
        raise NotFoundError(unknown("scenario", body.scenario, [*bundled(), *kept], see="it may have been deleted"))
    found = kept[body.scenario]
    records = found.records if body.records is None else body.records
    return body.model_copy(update={"scenario": found.name, "text": found.text, "records": records})


@router.post("/plan", status_code=202)
def plan(body: PlanInputs, server: Serving, owner: Owner) -> RunRecord:
    """Queue a plan of a scenario: its text, the name of a bundled one, or the id of a kept one."""
    body = with_text(server, owner, body)
    if body.time_limit_s > server.limits.solve_s:
        msg = f"plan: time_limit_s: at most {server.limits.solve_s:g} s may be asked for, not {body.time_limit_s:g}"
        raise InputError(msg)
    return shown(submit(server, owner, "plan", body.model_dump(mode="json"), body.scenario))


@router.post("/stress", status_code=202)
def stress(body: StressInputs, server: Serving, owner: Owner) -> RunRecord:
    """Queue a stress test of a scenario: its text, the name of a bundled one, or the id of a kept one."""
    body = with_text(server, owner, body)
    return shown(submit(server, owner, "stress", body.model_dump(mode="json"), body.scenario))


@router.post("/read", status_code=202)
def read(body: ReadInputs, server: Serving, owner: Owner) -> RunRecord:
    """Queue a reading of stories; their addresses are fetched by the worker, and none inside a private network."""
    if not server.settings.fetch and any(story.text is None and story.base64 is None for story in body.stories):
        msg = "this server fetches no addresses; send the story's text"
        raise InputError(msg)
    return shown(submit(server, owner, "read", body.model_dump(mode="json"), body.stories[0].name))


@router.post("/validate", status_code=202)
def validate(body: ValidateInputs, server: Serving, owner: Owner) -> RunRecord:
    """Queue a validation."""
    return shown(submit(server, owner, "validate", body.model_dump(mode="json"), " and ".join(body.what) or "all"))


@router.post("/train", status_code=202)
def train(body: TrainInputs, server: Serving, owner: Owner) -> RunRecord:
    """Queue a question of training."""
    return shown(submit(server, owner, "train", body.model_dump(mode="json"), body.model))


@router.post("/serve", status_code=202)
def serve(body: ServeInputs, server: Serving, owner: Owner) -> RunRecord:
    """Queue a question of serving."""
    return shown(submit(server, owner, "serve", body.model_dump(mode="json"), body.model))


@router.post("/check", status_code=202)
def check(body: CheckInputs, server: Serving, owner: Owner) -> RunRecord:
    """Queue a question of what is allowed."""
    return shown(submit(server, owner, "check", body.model_dump(mode="json"), ", ".join(body.chips) or "all chips"))


@router.get("")
def runs(
    server: Serving,
    owner: Owner,
    kind: Literal["plan", "stress", "read", "validate", "train", "serve", "check"] | None = None,
    status: Literal["queued", "running", "done", "failed", "cancelled", "lost"] | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[RunRecord]:
    """List runs, the newest first."""
    return [shown(run) for run in server.store.runs(owner=owner, kind=kind, status=status, limit=limit)]


@router.get("/{run}")
def get(run: Id, server: Serving, owner: Owner) -> RunRecord:
    """Return a run as it stands."""
    return shown(run_of(server, run, owner))


@router.get("/{run}/inputs")
def inputs(run: Id, server: Serving, owner: Owner) -> dict[str, Any]:
    """Return what was asked."""
    return server.store.inputs(run_of(server, run, owner).id)


@router.get("/{run}/result", response_model=dict[str, Any])
def result(run: Id, server: Serving, owner: Owner) -> Response:
    """Return the answer, as the command's ``--json`` prints it."""
    found = run_of(server, run, owner)
    answer = server.store.result_json(found.id)
    if answer is None:
        why = f": {found.message}" if found.message else ""
        msg = f"run {found.id} is {found.status} and has no answer{why}"
        raise NotFoundError(msg)
    return Response(answer, media_type="application/json")


@router.get("/{run}/report/{form}", response_class=Response)
def report(
    run: Id, form: Literal["json", "html", "xlsx", "csv", "scenario"], server: Serving, owner: Owner
) -> Response:
    """Return the answer as a file: JSON, the page or workbook of a plan, rows as CSV, or its scenario."""
    found = run_of(server, run, owner)
    data = exported(found, server.store.inputs(found.id), server.store.result(found.id), form)
    name = f"outlay-{found.kind}-{found.id}.{ENDINGS.get(form, form)}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' data:; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:",
    }
    return Response(data, media_type=FORMS[form], headers=headers)


@router.get("/{before}/compare/{after}")
def compare(before: Id, after: Id, server: Serving, owner: Owner) -> Comparison:
    """Say what changed from one run's answer to another's."""
    from outlay.runs.compare import compare as between

    old, new = run_of(server, before, owner), run_of(server, after, owner)
    return Comparison(**between(old, new, server.store.result(old.id), server.store.result(new.id)))


@router.post("/{run}/cancel", status_code=202)
def cancel(run: Id, server: Serving, owner: Owner) -> RunRecord:
    """Ask a run to stop; one at its end stays as it is."""
    return shown(server.queue.cancel(run_of(server, run, owner).id))


@router.post("/{run}/rerun", status_code=202)
def rerun(run: Id, server: Serving, owner: Owner) -> RunRecord:
    """Queue the same run again."""
    before, limits = run_of(server, run, owner), server.limits
    again = server.queue.submit(
        before.kind,
        server.store.inputs(before.id),
        title=before.title,
        owner=owner,
        limit_s=limits.run_s,
        most_open=limits.open_runs,
        parent=before.id,
    )
    return shown(again)


@router.delete("/{run}", status_code=204, response_class=Response)
def delete(run: Id, server: Serving, owner: Owner) -> None:
    """Delete a run that is at its end."""
    server.store.delete(run_of(server, run, owner).id)


@router.get("/{run}/log")
def log(run: Id, server: Serving, owner: Owner, after: Annotated[int, Query(ge=0, le=2**62)] = 0) -> list[EventRecord]:
    """Return what was said of a run after an event, oldest first, a thousand at most."""
    found = server.queue.events(run_of(server, run, owner).id, after)
    return [EventRecord.model_validate(event.as_dict()) for event in found]


@router.get("/{run}/events", response_class=StreamingResponse)
async def events(
    run: Id,
    request: Request,
    server: Serving,
    owner: Owner,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> StreamingResponse:
    """Stream what is said of a run as server-sent events until its end; ``Last-Event-ID`` goes on where one was."""
    found = await asyncio.to_thread(run_of, server, run, owner)
    last = request.headers.get("last-event-id", "")
    start = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
    if server.streams[owner] >= server.limits.streams:
        msg = f"{owner!r} has {server.limits.streams} streams of events open, the most; close one"
        raise TooManyError(msg)
    stream = _counted(server, owner, _stream(request, server, found.id, start))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _counted(server: Server, owner: str, stream: AsyncIterator[str]) -> AsyncIterator[str]:
    """Count a stream for as long as it is open."""
    server.streams[owner] += 1
    try:
        async for part in stream:
            yield part
    finally:
        server.streams[owner] -= 1


async def _stream(request: Request, server: Server, run: str, after: int) -> AsyncIterator[str]:
    silent = 0.0
    while not await request.is_disconnected():
        found = await asyncio.to_thread(server.queue.events, run, after)
        for event in found:
            after = event.id
            body = json.dumps(event.as_dict())
            yield f"id: {event.id}\nevent: {event.kind}\ndata: {body}\n\n"
            if event.kind == "status" and event.data["status"] not in {"queued", "running"}:
                return
        silent = 0.0 if found else silent + POLL_S
        if silent >= ALIVE_S:
            silent = 0.0
            if not (await asyncio.to_thread(server.store.get, run)).open:
                return
            yield ": alive\n\n"
        await asyncio.sleep(POLL_S)
