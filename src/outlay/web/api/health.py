"""Whether the server answers, and by which version; and the answer where there is nothing."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from outlay import __version__
from outlay.web.api.common import NotFoundError

router = APIRouter(prefix="/api/health", tags=["health"])


class Health(BaseModel):
    """The server answers."""

    ok: bool
    version: str


nothing = APIRouter(include_in_schema=False)
"""Taken in last."""


@nothing.api_route("/api/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def no_such_address(rest: str, request: Request) -> None:
    """Answer what the API has no answer for, before the page does."""
    msg = f"nothing is at {request.method} /api/{rest[:80]}; /api/openapi.json lists what is"
    raise NotFoundError(msg)


@router.get("")
def health() -> Health:
    """Say that the server answers."""
    return Health(ok=True, version=__version__)
