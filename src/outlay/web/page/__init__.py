"""The page: eight views of one scenario in hand, in English and Chinese, with no network; :func:`mount` puts it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlay.web.api.common import Server


def mount(server: Server) -> None:
    """Register the page's addresses with the framework; ``server`` gives them the store and the queue."""
    from outlay.web.page import jobs, shell

    jobs.use(server)
    shell.register()
