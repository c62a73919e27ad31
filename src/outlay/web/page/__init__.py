"""The page: one module a view, put together by :func:`mount`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlay.web.api.common import Server


def mount(server: Server) -> None:
    """Register the page's addresses with the framework; ``server`` gives them the store and the queue."""
    from nicegui import ui

    @ui.page("/")
    def home() -> None:
        ui.label("outlay")
