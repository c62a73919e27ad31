"""The way in for people: a page that takes a token and opens a session, and the way out."""

from __future__ import annotations

import html
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from outlay.web.api.common import Serving
from outlay.web.security import COOKIE
from outlay.web.tokens import SESSION_S, Token, end_session, new_session, token_of

router = APIRouter(include_in_schema=False)
LONGEST = 4096
TEXTS = {
    "en": ("Come in", "Token", "`outlay web token new NAME` on the server makes one.", "That token is {why}."),
    "zh": ("登录", "令牌", "在服务器上运行 `outlay web token new NAME` 可生成令牌。", "令牌无效（{why}）。"),
}
PAGE = """<!doctype html>
<html lang="{lang}"><head><meta charset="utf-8"><title>outlay</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
main {{ max-width: 26rem; margin: 15vh auto; padding: 0 1rem; }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .6rem; margin: .4rem 0; }}
[role=alert] {{ color: light-dark(#a11, #f88); }}
</style></head><body><main><h1>outlay</h1>{wrong}
<form method="post" action="/enter"><label for="token">{label}</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">{title}</button></form><p>{hint}</p></main></body></html>
"""
Language = Annotated[str, Header(alias="accept-language", max_length=200)]


def _page(language: str, why: str = "", status: int = 200) -> HTMLResponse:
    lang = "zh" if language.casefold().startswith("zh") else "en"
    title, label, hint, refused = TEXTS[lang]
    wrong = f'<p role="alert">{html.escape(refused.format(why=why))}</p>' if why else ""
    text = PAGE.format(lang=lang, title=title, label=label, hint=html.escape(hint), wrong=wrong)
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})


@router.get("/enter")
def ask(accept_language: Language = "en") -> HTMLResponse:
    """Ask for a token."""
    return _page(accept_language)


@router.post("/enter")
async def enter(request: Request, server: Serving, accept_language: Language = "en") -> Response:
    """Open a session with a token."""
    body = (await request.body())[:LONGEST].decode("utf-8", "replace")
    secret = parse_qs(body).get("token", [""])[0].strip()
    found = token_of(server.store, secret, kinds=("token",))
    if not isinstance(found, Token):
        return _page(accept_language, found, 401)
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        new_session(server.store, found),
        max_age=int(SESSION_S),
        httponly=True,
        samesite="strict",
        secure=server.settings.secure,
        path="/",
    )
    return response


@router.post("/leave")
def leave(request: Request, server: Serving) -> Response:
    """End the session."""
    end_session(server.store, request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/enter", 303)
    response.delete_cookie(COOKIE, path="/")
    return response
