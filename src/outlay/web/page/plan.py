"""View 3: the plan."""

from outlay.web.page.parts import el


def show() -> None:
    """Show the plan in hand."""
    with el("div"):
        el("h1", "", "Plan")
