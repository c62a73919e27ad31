"""What the view in hand shows, for its exports: figures, tables, headline, and how to ask the same at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nicegui import ui

if TYPE_CHECKING:
    from nicegui.element import Element

    from outlay.report.charts import Chart
    from outlay.report.tables import Page
    from outlay.web.page.plot import Plot


@dataclass(frozen=True)
class Command:
    """A command line that gives what the view shows, and the files it reads, by name."""

    words: Sequence[str]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The command as it is typed."""
        import shlex

        return shlex.join(self.words)


@dataclass
class Shown:
    """The view in hand.

    Attributes
    ----------
    charts, pages
        By id, with the element that shows each: one that is gone is not exported.
    facts
        Headline figures.
    commands
        By what each gives.
    report, workbook
        What to hand out in place of the figures and tables one by one: a page, and a workbook's bytes.
    changed
        Called when any of these changes.
    """

    view: str = ""
    charts: dict[str, tuple[Chart, Plot]] = field(default_factory=dict)
    pages: dict[str, tuple[Page, Element]] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)
    commands: dict[str, Command] = field(default_factory=dict)
    report: Callable[[], str] | None = None
    workbook: Callable[[], bytes] | None = None
    changed: list[Callable[[], Any]] = field(default_factory=list)

    def chart(self, chart: Chart, plot: Plot) -> None:
        """Note a figure, in place of one with its id."""
        self.charts[chart.id] = (chart, plot)
        self.tell()

    def page(self, page: Page, element: Element) -> None:
        """Note a table, in place of one with its id."""
        self.pages[page.id] = (page, element)
        self.tell()

    def command(self, what: str, command: Command | None) -> None:
        """Note the command line that gives something; ``None`` takes it back."""
        if command is None:
            self.commands.pop(what, None)
        else:
            self.commands[what] = command
        self.tell()

    def tell(self) -> None:
        """Tell those who follow that something changed."""
        for follower in list(self.changed):
            follower()

    def alive_charts(self) -> list[tuple[Chart, Plot]]:
        """Return the figures that are on the page."""
        return [(chart, plot) for chart, plot in self.charts.values() if not plot.is_deleted]

    def alive_pages(self) -> list[Page]:
        """Return the tables that are on the page."""
        return [page for page, element in self.pages.values() if not element.is_deleted]


def shown() -> Shown:
    """Return what the client in hand shows."""
    client = ui.context.client
    found: Shown | None = getattr(client, "outlay_shown", None)
    return found if found is not None else begin("")


def begin(view: str) -> Shown:
    """Begin a view: what another showed before is forgotten."""
    fresh = Shown(view)
    ui.context.client.outlay_shown = fresh  # type: ignore[attr-defined]
    return fresh
