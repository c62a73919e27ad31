"""Small parts of every view: texts, notices at the place they concern, signs of life, figures, native controls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from outlay.report.charts import Chart
from outlay.report.tables import Cell, Page
from outlay.web.page.plot import Plot
from outlay.web.page.shown import shown
from outlay.web.page.state import Session, preferred_language, session_of
from outlay.web.page.texts import phrase, say
from outlay.web.security import owner_of

Tone = Literal["error", "warn", "good", "info"]
FONTS = (
    "Inter, system-ui, -apple-system, Segoe UI, Noto Sans, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, "
    "Source Han Sans SC, WenQuanYi Micro Hei, sans-serif"
)
"""Of figures, as the style sheet has them: fonts of the systems people use that hold Chinese stand behind."""
SIGNS: dict[Tone, str] = {"error": "✕", "warn": "!", "good": "✓", "info": "i"}


def session() -> Session:
    """Return what the browser in hand has in hand."""
    client = ui.context.client
    request = client.request
    browser = str(request.scope.get("session", {}).get("id", client.id))
    owner = owner_of(request)
    return session_of(f"{owner} {browser}", preferred_language(request.headers.get("accept-language", "")), owner)


def t(key: str, **values: object) -> str:
    """Return a text of the page in the language of the browser in hand."""
    return say(key, session().language, **values)


def el(tag: str, classes: str = "", text: str | None = None, /, **attributes: object) -> Element:
    """Return an HTML element with its classes, text and attributes; ``_`` in the name of one stands for ``-``."""
    made = Element(tag) if text is None else TextElement(tag=tag, text=text)
    if classes:
        made.classes(classes)
    for name, value in attributes.items():
        if value is not None and value is not False:
            made.props[name.rstrip("_").replace("_", "-")] = value
    return made


def reword(element: Element, text: str | None) -> None:
    """Give an element another text; ``None`` takes it away."""
    if element._text != text:
        element._text = text
        element.update()


class Notice:
    """A place for messages: empty until something is to be said there, read out by screen readers when it is."""

    def __init__(self) -> None:
        self.box = el("div", "notices", role="status", aria_live="polite")

    def say(self, tone: Tone, text: str) -> None:
        """Say one thing in place of what was said before; lines of the text are shown as lines."""
        self.box.clear()
        with self.box, el("div", f"notice {tone}", role="alert" if tone == "error" else None):
            el("span", "sign", SIGNS[tone], aria_hidden="true")
            with el("div", "lines"):
                for line in text.splitlines():
                    el("p", "", line)

    def clear(self) -> None:
        """Take away what was said."""
        self.box.clear()


class Busy:
    """The sign of life in the header: what this tab is doing, else which run of the browser goes on, in any view."""

    def __init__(self, now: Session) -> None:
        self.now = now
        self.doing: dict[int, str] = {}
        self.bar = el("div", "busy-bar", aria_hidden="true")
        self.label = el("div", "busy", role="status", aria_live="polite")
        self._count = 0
        with self.label:
            self.dot = el("span", "dot", aria_hidden="true")
            self.words = el("span", "busy-words", "")
        self.show()

    def begin(self, what: str) -> int:
        """Say that something is being done; return a number to end it by."""
        self._count += 1
        self.doing[self._count] = what
        self.show()
        return self._count

    def end(self, number: int) -> None:
        """Say that it is done."""
        self.doing.pop(number, None)
        self.show()

    def show(self) -> None:
        """Say what goes on now."""
        doing, running = next(reversed(self.doing.values()), None), list(self.now.running.values())
        text = t("shell.idle")
        if doing is not None:
            text = t("shell.working", what=doing)
        elif running:
            kind, title = running[-1]
            text = t("shell.running", what=t(f"shell.run.{kind}"), title=title)
            text += t("shell.more", count=len(running) - 1) if len(running) > 1 else ""
        on = " on" if doing is not None or running else ""
        self.bar.classes(replace=f"busy-bar{on}")
        self.dot.classes(replace=f"dot{on}")
        reword(self.words, text)


def here() -> Callable[[], None]:
    """Return what ends the handler in hand, quietly, where the view it works for has gone when it is called.

    Whoever waits calls it before touching the page again: the person may have opened another view meanwhile.
    """
    parent = ui.context.slot.parent

    def still() -> None:
        if parent.is_deleted or parent.client.is_deleted:
            raise asyncio.CancelledError

    return still


@asynccontextmanager
async def busy(what: str) -> AsyncIterator[None]:
    """Show in the header that something is being done while a block runs; end the handler where its view has gone."""
    still = here()
    client = ui.context.client
    sign: Busy | None = getattr(client, "outlay_busy", None)
    number = sign.begin(what) if sign else 0
    try:
        yield
    finally:
        if sign and not client.is_deleted:
            with client:  # the view that was busy may be gone
                sign.end(number)
    still()


def button(text: str, on_click: Callable[..., Any], classes: str = "", **attributes: object) -> Element:
    """Return a native button."""
    made = el("button", f"button {classes}", text, type="button", **attributes)
    made.on("click", on_click)
    return made


def choice(
    label: str,
    options: Mapping[str, str],
    value: str,
    on_change: Callable[[str], Any],
    *,
    hide_label: bool = False,
    **attributes: object,
) -> Element:
    """Return a native select with its label; ``options`` maps values to what is shown."""
    with el("label", "field") as box:
        el("span", "hidden" if hide_label else "", label)
        with el("select", "", aria_label=label if hide_label else None, **attributes) as made:
            for key, shown in options.items():
                el("option", "", shown, value=key, selected=key == value)
        made.on("change", lambda event: on_change(event.args), js_handler="(e) => emit(e.target.value)")
    return box


def section(title: str, *, note: str = "", classes: str = "", level: int = 2) -> Element:
    """Return a section with its heading; use it as a context."""
    made = el("section", f"card {classes}", aria_label=title)
    with made, el("div", "head"):
        el(f"h{level}", "", title)
        if note:
            el("p", "note", note)
    return made


def figure(
    chart: Chart, *, on_pick: Callable[[int, int, bool], Any] | None = None, level: int = 3, hide_title: bool = False
) -> Plot:
    """Place a figure with its text for screen readers and the numbers behind it as a table.

    Parameters
    ----------
    on_pick
        Called with the curve, the point, and whether it is a link of a Sankey diagram, that a person clicks on.
    """
    title, alt = p(chart.title), p(chart.alt)
    with el("figure", "figure"):
        el(f"h{level}", "hidden" if hide_title else "", title)
        wide = chart.least_width
        frame = el("div", "frame", tabindex="0" if wide else None, role="region" if wide else None,
                   aria_label=t("shell.scrolls", what=title) if wide else None)  # fmt: skip
        with frame, el("div", "chart", role="img", aria_label=alt) as inner:
            inner.style(f"min-width:{wide}px")
            plot = Plot(drawn(chart))
            plot.style(f"height:{chart.layout.get('height', 320)}px")
        if on_pick is not None:
            plot.on("pick", lambda event: on_pick(event.args["curve"], event.args["point"], event.args["link"]))
        plot.caption = el("figcaption", "", alt)
        shown().chart(chart, plot)
        numbers(title, [p(name) for name in chart.columns], chart.rows)
    return plot


def numbers(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Place a table that is built when it is first opened: most are never looked at."""
    with el("details") as details:
        el("summary", "", t("shell.numbers"))
    built: list[bool] = []

    def build() -> None:
        if not built:
            built.append(True)
            with details:
                table(title, columns, rows)

    details.on("toggle", build)


def drawn(chart: Chart) -> dict[str, Any]:
    """Return a figure as plotly.js draws it on the page: its colours are left to the style sheet."""
    axis = {
        "automargin": True,
        "fixedrange": True,
        "gridcolor": "#8884",
        "linecolor": "#8888",
        "zerolinecolor": "#8888",
    }
    layout = {
        "autosize": True,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONTS, "size": 12},
        **chart.layout,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal",
                   **chart.layout.get("legend", {})},
    }  # fmt: skip
    for name in {"xaxis", "yaxis"} | {key for key in layout if key.startswith(("xaxis", "yaxis"))}:
        layout[name] = {**axis, **layout.get(name, {})}
    return {"data": chart.data, "layout": layout, "config": {"displayModeBar": False, "responsive": True}}


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, classes: str = "", hide_caption: bool = True
) -> Element:
    """Place a table with a heading for each row; it scrolls inside its frame where the window is narrow."""
    frame = el("div", "frame", tabindex="0", role="region", aria_label=t("shell.scrolls", what=caption))
    with frame, el("table", classes):
        el("caption", "hidden" if hide_caption else "", caption)
        with el("thead"), el("tr"):
            for name in columns:
                el("th", "", name, scope="col")
        with el("tbody"):
            for row in rows:
                with el("tr"):
                    for at, text in enumerate(row):
                        el("th" if at == 0 else "td", "", text, scope="row" if at == 0 else None)
    return frame


def redraw(plot: Plot, chart: Chart) -> None:
    """Draw another figure in the place of one that :func:`figure` placed; its table and text stay as they were."""
    plot.show(drawn(chart))
    shown().chart(chart, plot)


def grid(page: Page, *, classes: str = "", most: int | None = None) -> Element:
    """Place a table whose cells know how they are sorted and marked; it can be taken away as it stands.

    Parameters
    ----------
    most
        Rows shown at first; a button shows the others.
    """
    frame = el("div", "frame", tabindex="0", role="region", aria_label=t("shell.scrolls", what=p(page.caption)))
    first = page.rows[0] if page.rows else []
    numeric = [cell.numeric and not cell.mark for cell in first] or [False] * len(page.columns)
    with frame, el("table", f"sheet {classes}", id=page.id):
        el("caption", "hidden", p(page.caption))
        with el("thead"), el("tr"):
            for name, right in zip(page.columns, numeric, strict=True):
                el("th", "numeric" if right else "", name, scope="col")
        body = el("tbody")
    with body:
        for row in page.rows[:most]:
            _cells(row)
    if most is not None and len(page.rows) > most:

        def rest() -> None:
            more.delete()
            with body:
                for row in page.rows[most:]:
                    _cells(row)

        more = button(t("shell.show_all", count=len(page.rows)), rest, "small")
    shown().page(page, frame)
    return frame


def _cells(row: Sequence[Cell]) -> None:
    with el("tr"):
        for cell in row:
            with el("td", "numeric" if cell.numeric and not cell.mark else ""):
                if cell.href:
                    el("a", "", cell.text, href=cell.href, rel="noopener noreferrer", target="_blank")
                elif cell.mark:
                    el("span", f"tag {cell.mark}", cell.text)
                elif "," in cell.text and " " not in cell.text and not cell.numeric:
                    for part in cell.text.replace(",", ",\0").split("\0"):  # may break after each part of a strategy
                        el("span", "unbroken", part)
                        el("wbr")
                else:
                    el("span", "", cell.text)


def headline(told: Iterable[tuple[str, str, str]]) -> None:
    """Place figures that are read first: what each is called, its value, and a remark where there is one."""
    with el("dl", "figures"):
        for name, value, remark in told:
            with el("div"):
                el("dt", "", name)
                with el("dd"):
                    el("span", "", value)
                    if remark:
                        el("small", "", remark)


def p(text: str) -> str:
    """Return a text of the reports in the language of the browser in hand; names stay as they are."""
    return phrase(text, session().language)
