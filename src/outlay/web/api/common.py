"""What the routers share: who asks, the store and the queue, and errors as one message."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from outlay.errors import InputError, OutlayError
from outlay.runs import Queue, Store
from outlay.runs.queue import TooManyError
from outlay.web.limits import Limits, Settings
from outlay.web.security import owner_of

if TYPE_CHECKING:
    from outlay.runs.crew import Crew


@dataclass
class Server:
    """What a running server holds: :func:`server_of` gives it to routers and pages."""

    settings: Settings
    store: Store
    queue: Queue
    crew: Crew | None = None
    streams: Counter[str] = field(default_factory=Counter)
    """Streams of events that are open, by owner."""
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """Held by questions that are answered at once: the page is answered by the same process."""

    @property
    def limits(self) -> Limits:
        """How much anybody may ask."""
        return self.settings.limits


class Problem(BaseModel):
    """What is wrong: what, where, what was expected, the nearest valid names."""

    error: str


class NotFoundError(InputError):
    """Something asked for by its id is not there, or not the asker's."""


def server_of(request: Request) -> Server:
    """Return what the server of a request holds."""
    server: Server = request.app.state.outlay
    return server


def _owner(request: Request) -> str:
    return owner_of(request)


Serving = Annotated[Server, Depends(server_of)]
Owner = Annotated[str, Depends(_owner)]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": words}
    for code, words in {
        400: "The input is wrong",
        401: "A token is needed",
        403: "Another site asks",
        404: "There is no such thing, or it is another's",
        413: "Too large",
        421: "Another server's name",
        422: "A field is wrong",
        429: "Too many runs are open",
    }.items()
}


def tell_errors(app: FastAPI) -> None:
    """Answer every error with one message."""

    def status_of(error: OutlayError) -> int:
        if isinstance(error, TooManyError):
            return 429
        if isinstance(error, NotFoundError):
            return 404
        return 400 if isinstance(error, InputError) else 409

    @app.exception_handler(OutlayError)
    async def refused(_: Request, error: OutlayError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_of(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        words = []
        for one in error.errors()[:10]:
            place = ".".join(str(part) for part in one["loc"])
            words.append(f"{place}: {one['msg'][0].lower()}{one['msg'][1:]}")
        return JSONResponse({"error": "\n".join(words)}, 422)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, dict(error.headers or {}))
