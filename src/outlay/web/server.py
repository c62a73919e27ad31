"""Puts the server together: the API, the page over it, and the door before both."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from outlay import __version__
from outlay.runs import Queue, Store
from outlay.web.limits import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app(settings: Settings | None = None, *, page: bool = True) -> FastAPI:
    """Return the server as an ASGI application; its workers start and end with it.

    Parameters
    ----------
    page
        Whether the page is mounted at ``/``; the API alone is at ``/api``.

    Notes
    -----
    ``app.state.outlay`` is the :class:`outlay.web.api.common.Server`: settings, store, queue.
    """
    from fastapi import FastAPI

    from outlay.runs.crew import Crew
    from outlay.web.api import answers, catalog, door, health, runs, scenarios
    from outlay.web.api.common import Server, tell_errors
    from outlay.web.security import Door

    settings = settings or Settings()
    store = Store.open(settings.store)
    server = Server(settings, store, Queue(store))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        import asyncio

        if settings.workers:
            server.crew = Crew(server.queue, settings.workers, cluster=settings.cluster)
            await asyncio.to_thread(server.crew.start)
        try:
            yield
        finally:
            if server.crew is not None:
                await asyncio.to_thread(server.crew.stop)

    app = FastAPI(
        title="outlay",
        version=__version__,
        description="Plans an AI-infrastructure build-out; every error is `{error: message}`.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.outlay = server
    tell_errors(app)
    for noun in (health, scenarios, catalog, answers, runs, door):
        app.include_router(noun.router)
    app.include_router(health.nothing)
    if page:
        _mount_page(app, server)
    app.add_middleware(Door, settings=settings, store=store)
    return app


def _mount_page(app: FastAPI, server: Any) -> None:
    from nicegui import ui

    from outlay.web import page

    page.mount(server)
    ui.run_with(
        app,
        mount_path="/",
        title="outlay",
        dark=None,
        tailwind=False,
        reconnect_timeout=60.0,  # a browser that is busy or on a poor line finds its page again
        storage_secret=secrets.token_urlsafe(32),
        show_welcome_message=False,
    )
