"""A figure that follows what is asked: drawn once, then changed in place with its words and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay.web.page.parts import drawn, el, numbers, t
from outlay.web.page.plot import Plot
from outlay.web.page.shown import shown

if TYPE_CHECKING:
    from outlay.report.charts import Chart


class Drawing:
    """A place for one figure."""

    def __init__(self, *, level: int = 3, hide_title: bool = False) -> None:
        self.seen = shown()
        with el("figure", "figure"):
            self.title = el(f"h{level}", "hidden" if hide_title else "", "")
            self.frame = el("div", "frame")
            with self.frame, el("div", "chart", role="img") as self.inner:
                self.plot = Plot({"data": [], "layout": {}})
            self.caption = el("figcaption", "", "")
            self.behind = el("div")

    def show(self, chart: Chart) -> None:
        """Draw a figure in the place."""
        for element, words in ((self.title, chart.title), (self.caption, chart.alt)):
            element._text = words
            element.update()
        if chart.least_width:
            self.frame.props["tabindex"], self.frame.props["role"] = "0", "region"
            self.frame.props["aria-label"] = t("shell.scrolls", what=chart.title)
            self.frame.update()
        self.inner.props["aria-label"] = chart.alt
        self.inner.style(f"min-width:{chart.least_width}px")
        self.plot.style(f"height:{chart.layout.get('height', 320)}px")
        self.plot.show(drawn(chart))
        self.seen.chart(chart, self.plot)
        self.behind.clear()
        with self.behind:
            numbers(chart.title, chart.columns, chart.rows)
