"""Questions answered at once over HTTP: check, train, serve. The same can be queued as runs."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from outlay.errors import InputError
from outlay.runs.inputs import CheckInputs, Inputs, ServeInputs, TrainInputs
from outlay.runs.work import do
from outlay.web.api.common import PROBLEMS, Server, Serving

router = APIRouter(prefix="/api", tags=["answers"], responses=PROBLEMS)


class Answered(BaseModel):
    """An answer, as the command's ``--json`` prints it.

    Attributes
    ----------
    code
        0, or 1 where the answer is no; ``message`` says why.
    """

    code: int
    message: str
    answer: dict[str, Any]


async def _answer(server: Server, kind: str, body: Inputs) -> Answered:
    async with server.at_once:
        found = await asyncio.to_thread(do, kind, body.model_dump(mode="json"))
    return Answered(code=found.code, message=found.message, answer=found.document)


@router.post("/check")
async def check(body: CheckInputs, server: Serving) -> Answered:
    """Say whether a chip may go to a place, on a date, for a buyer; not legal advice."""
    return await _answer(server, "check", body)


@router.post("/train")
async def train(body: TrainInputs, server: Serving) -> Answered:
    """Say how long a model takes to train on some chips, and with which strategy."""
    _within(server.limits.chips, body.on)
    return await _answer(server, "train", body)


@router.post("/serve")
async def serve(body: ServeInputs, server: Serving) -> Answered:
    """Say what some chips serve of a model under latency targets."""
    _within(server.limits.chips, [body.on])
    return await _answer(server, "serve", body)


def _within(most: int, places: list[str]) -> None:
    """Refuse more chips than a server searches strategies for while others wait."""
    for place in places:
        number = place.rpartition(":")[2].strip().replace(",", "")
        if number.isascii() and number.isdigit() and int(number) > most:
            msg = f"on: {place!r}: at most {most:,} chips are asked about here; use the command for more"
            raise InputError(msg)
