"""The views of the page, in the order of its navigation; each is a module with ``show``, loaded when first opened."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """A view: its name (also the prefix of its texts), the path it stands at, and the module that shows it."""

    name: str
    path: str
    module: str

    def show(self) -> Awaitable[None] | None:
        """Build the view into the element in hand."""
        module = importlib.import_module(f"outlay.web.page.{self.module}")
        build: Callable[[], Awaitable[None] | None] = module.show
        return build()


HOME = "plan"
"""What stands at ``/``: a bundled scenario with its finished plan."""
VIEWS: tuple[View, ...] = (
    View("story", "/story", "story"),
    View("scenario", "/scenario", "scenario"),
    View("plan", "/plan", "plan"),
    View("what_if", "/what-if", "what_if"),
    View("futures", "/futures", "futures"),
    View("chips", "/chips", "chips"),
    View("explorers", "/explorers", "explorers"),
    View("accuracy", "/accuracy", "accuracy"),
)


def view_at(path: str) -> View:
    """Return the view that stands at a path; that of ``HOME`` where none does."""
    plain = path.split("?")[0].split("#")[0].rstrip("/")
    return next((view for view in VIEWS if view.path == plain), next(view for view in VIEWS if view.name == HOME))
