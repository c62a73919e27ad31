"""The frame around every view: header, navigation, language, appearance, the scenario in hand, signs of life."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui import app, ui
from nicegui.element import Element

from outlay.errors import OutlayError
from outlay.scenario.load import bundled
from outlay.web.page import exports, jobs
from outlay.web.page.parts import Busy, Notice, choice, el, session, t
from outlay.web.page.shown import begin
from outlay.web.page.state import Session
from outlay.web.page.texts import LANGUAGES
from outlay.web.page.views import HOME, VIEWS, View, view_at

STATIC = "/static"
LOOK_S = 0.5
"""How often the header looks whether what it names still runs."""
DARK = {"auto": None, "light": False, "dark": True}


def register() -> None:
    """Register the page at the path of every view."""
    app.add_static_files(STATIC, Path(__file__).parent / "static")
    for path in ("/", *(view.path for view in VIEWS)):
        ui.page(path, title="outlay", dark=None)(_root)


def _root() -> None:
    """Build the frame and, within it, the view that stands at the path asked for."""
    now = session()
    ui.add_head_html(
        f'<link rel="stylesheet" href="{STATIC}/page.css"><script src="{STATIC}/page.js"></script>'
        f'<link rel="stylesheet" href="{STATIC}/views.css"><script src="{STATIC}/views.js"></script>'
        f"<script>document.documentElement.lang = {json.dumps({'en': 'en', 'zh': 'zh-CN'}[now.language])};</script>"
    )
    ui.query(".q-layout").classes("outlay")
    ui.query("main.q-page").props("role=none")  # the frame's own landmarks stand in it
    ui.dark_mode(DARK[now.theme])
    client = ui.context.client
    content = ui.context.slot.parent
    content.classes(replace="page")
    el("a", "skip", t("shell.skip"), href="#main")
    with el("header", "top"):
        with el("a", "mark", href="/"):
            el("strong", "", "outlay")
            el("span", "", t("shell.tagline"))
        place = el("div", "in-hand")
        client.outlay_in_hand = functools.partial(_in_hand, place, now)  # type: ignore[attr-defined]
        client.outlay_in_hand()  # type: ignore[attr-defined]
        client.outlay_busy = sign = Busy(now)  # type: ignore[attr-defined]
        ui.timer(LOOK_S, functools.partial(_look, now, sign))
        _preferences(now)
    with el("nav", "views", aria_label=t("shell.navigation")):
        links = {
            view.name: el("a", "", f"{number}  {t(f'shell.view.{view.name}')}", href=view.path)
            for number, view in enumerate(VIEWS, start=1)
        }
    _mark(links, client.sub_pages_router.current_path)
    client.sub_pages_router.on_path_changed(lambda path: _mark(links, path))
    client.sub_pages_router.on_path_changed(lambda _: client.outlay_in_hand())  # type: ignore[attr-defined]
    with el("div", "", id="main", role="main", tabindex="-1"):
        routes: dict[str, Callable[..., object]] = {view.path: _builder(view) for view in VIEWS}
        routes["/"] = _builder(next(view for view in VIEWS if view.name == HOME))
        ui.sub_pages(routes)


async def _look(now: Session, sign: Busy) -> None:
    """Say in the header which runs go on, in whatever view they were handed in."""
    if now.running:
        await jobs.settle(now)
    sign.show()


def _builder(view: View) -> Callable[[], Awaitable[None]]:
    async def build() -> None:
        place = Notice()
        begin(view.name)
        try:
            made = view.show()
            if made is not None:
                await made
            exports.place()
        except OutlayError as error:
            place.say("error", t("shell.failed", why=str(error)))

    return build


def _mark(links: dict[str, Element], path: str) -> None:
    """Mark the link of the view that is open."""
    current = view_at(path).name
    for name, link in links.items():
        props = link.props
        if name == current:
            props["aria-current"] = "page"
        else:
            props.pop("aria-current", None)
        link.update()


def _in_hand(place: Element, now: Session) -> None:
    """Show in the header what is in hand now."""
    place.clear()
    with place:
        _scenario(now)


def _scenario(now: Session) -> None:
    """Let a person choose what is in hand."""
    names = bundled()
    options = {name: name for name in names}
    value = now.name
    if now.edited or now.name not in names:
        value = ""
        options = {"": t("shell.edited", name=now.name) if now.edited else now.name, **options}

    def take(name: str) -> None:
        if name:
            now.open_bundled(name)
            ui.navigate.reload()

    choice(t("shell.scenario"), options, value, take, id="scenario-in-hand")


def _preferences(now: Session) -> None:
    def speak(language: str) -> None:
        now.language = language if language in LANGUAGES else "en"
        ui.navigate.reload()

    def look(theme: str) -> None:
        now.theme = theme if theme in DARK else "auto"
        ui.dark_mode(DARK[now.theme])

    with el("div", "preferences"):
        choice(t("shell.language"), LANGUAGES, now.language, speak, hide_label=True, id="language")
        looks = {key: t(f"shell.theme_{key}") for key in DARK}
        choice(t("shell.theme"), looks, now.theme, look, hide_label=True, id="theme")
