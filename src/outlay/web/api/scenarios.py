"""Scenarios over HTTP: those that come with the package, and those people keep."""

from __future__ import annotations

import functools
import re
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, Field

from outlay.errors import InputError, ScenarioError
from outlay.runs.inputs import Records, Text
from outlay.runs.record import moment
from outlay.runs.store import SavedScenario
from outlay.web.api.common import PROBLEMS, NotFoundError, Owner, Server, Serving

router = APIRouter(prefix="/api/scenarios", tags=["scenarios"], responses=PROBLEMS)
Id = Annotated[str, Path(pattern=r"^[a-z0-9]{3,20}$", description="Of a kept scenario")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class ScenarioLine(BaseModel):
    """A scenario in a list."""

    id: str
    name: str
    origin: Literal["bundled", "kept"]
    title: str
    changed: str | None


class ScenarioRecord(ScenarioLine):
    """A scenario with its YAML."""

    text: str
    records: str | None


class ScenarioBody(BaseModel):
    """A scenario to keep."""

    model_config = {"extra": "forbid"}
    name: Name
    text: Text
    records: Records


class TextBody(BaseModel):
    """A scenario to look over."""

    model_config = {"extra": "forbid"}
    text: Text
    records: Records


class Finding(BaseModel):
    """Something wrong in a scenario."""

    line: int | None
    column: int | None
    message: str


class Checked(BaseModel):
    """Whether a scenario can be planned, and what is wrong with it."""

    ok: bool
    name: str | None
    title: str | None
    problems: list[Finding]


def _record(kept: SavedScenario) -> ScenarioRecord:
    return ScenarioRecord(
        id=kept.id,
        name=kept.name,
        origin="kept",
        title="",
        changed=moment(kept.changed),
        text=kept.text,
        records=kept.records,
    )


@functools.cache
def _title(name: str) -> str:
    """Return the title of a bundled scenario; to load one takes a while, and it does not change."""
    from outlay.scenario.load import load_scenario

    return load_scenario(name).title


def kept_of(server: Server, scenario: str, owner: str) -> SavedScenario:
    """Return a kept scenario the owner may see, or the 404 that says there is none."""
    try:
        return server.store.scenario(scenario, owner)
    except InputError as error:
        raise NotFoundError(str(error)) from None


@router.get("")
def scenarios(server: Serving, owner: Owner) -> list[ScenarioLine]:
    """List the scenarios that come with the package, then those the asker keeps, the last changed first."""
    from outlay.scenario.load import bundled

    lines = [ScenarioLine(id=name, name=name, origin="bundled", title=_title(name), changed=None) for name in bundled()]
    kept = [_record(one).model_dump(exclude={"text", "records"}) for one in server.store.scenarios(owner)]
    return lines + [ScenarioLine(**one) for one in kept]


@router.get("/bundled/{name}")
def bundled_scenario(name: Annotated[str, Path(max_length=100)]) -> ScenarioRecord:
    """Return a scenario that comes with the package."""
    from outlay.errors import unknown
    from outlay.scenario.load import bundled, bundled_text

    if name not in bundled():
        raise NotFoundError(unknown("scenario", name, bundled()))
    text = bundled_text(name)
    return ScenarioRecord(
        id=name, name=name, origin="bundled", title=_title(name), changed=None, text=text, records=None
    )


@router.post("", status_code=201)
def keep(body: ScenarioBody, server: Serving, owner: Owner) -> ScenarioRecord:
    """Keep a scenario; it may be unfinished."""
    _small(server, body.text)
    if len(server.store.scenarios(owner)) >= server.limits.scenarios:
        msg = f"{owner!r} keeps {server.limits.scenarios} scenarios, the most; delete one"
        raise InputError(msg)
    return _record(server.store.save_scenario(body.name, body.text, records=body.records, owner=owner))


@router.post("/check")
def check(body: TextBody, server: Serving) -> Checked:
    """Look a scenario over: what is wrong, with line and column."""
    from outlay.runs.work import scenario_of

    _small(server, body.text)
    try:
        with scenario_of({"scenario": "scenario.yaml", "text": body.text, "records": body.records}) as found:
            return Checked(ok=True, name=found.name, title=found.title, problems=[])
    except ScenarioError as error:
        found_wrong = [_finding(line) for line in str(error).split("\n")]
        return Checked(ok=False, name=None, title=None, problems=found_wrong)
    except InputError as error:
        return Checked(ok=False, name=None, title=None, problems=[Finding(line=None, column=None, message=str(error))])


@router.get("/{scenario}")
def get(scenario: Id, server: Serving, owner: Owner) -> ScenarioRecord:
    """Return a kept scenario."""
    return _record(kept_of(server, scenario, owner))


@router.put("/{scenario}")
def put(scenario: Id, body: ScenarioBody, server: Serving, owner: Owner) -> ScenarioRecord:
    """Keep the new text of a scenario."""
    _small(server, body.text)
    kept_of(server, scenario, owner)
    return _record(
        server.store.save_scenario(body.name, body.text, records=body.records, owner=owner, scenario=scenario)
    )


@router.delete("/{scenario}", status_code=204, response_class=Response)
def delete(scenario: Id, server: Serving, owner: Owner) -> None:
    """Delete a kept scenario; runs made from it keep their own copy."""
    server.store.delete_scenario(kept_of(server, scenario, owner).id, owner)


PLACE = re.compile(r"scenario\.yaml(?::(\d+))?(?::(\d+))?: (.*)")


def _finding(line: str) -> Finding:
    """Read one line of what is wrong with a scenario."""
    match = PLACE.fullmatch(line)
    if match is None:
        return Finding(line=None, column=None, message=line)
    row, column = (None if part is None else int(part) for part in match.groups()[:2])
    return Finding(line=row, column=column, message=match[3])


def _small(server: Server, text: str) -> None:
    size, largest = len(text.encode()), server.limits.scenario_bytes
    if size > largest:
        msg = f"text: a scenario has at most {largest:,} bytes; this one has {size:,}"
        raise InputError(msg)
