"""The door: host names, origins, tokens, sizes of requests, and headers that keep other pages out."""

from __future__ import annotations

import asyncio
import ipaddress
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from outlay.runs.record import LOCAL
from outlay.web.limits import Settings
from outlay.web.tokens import Token, token_of

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from outlay.runs import Store

COOKIE = "outlay_session"
SAFE = {"GET", "HEAD", "OPTIONS"}
OPEN_PATHS = ("/enter", "/api/health")
"""What answers without a token."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""On every answer. The page's framework compiles its templates in the browser, which needs the two unsafe words; what
users write is never put into a page as markup."""


def owner_of(connection: HTTPConnection) -> str:
    """Return whose runs a request or a page may show: ``local``, or the owner of its token."""
    return str(connection.scope.get("outlay_owner", LOCAL))


class Door:
    """Lets a request in, or answers it with what is wrong; stands before the API, the page and its web socket."""

    def __init__(self, app: ASGIApp, settings: Settings, store: Store) -> None:
        self.app, self.settings, self.store = app, settings, store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        wrong = self._wrong(scope, headers)
        if wrong is None:
            wrong = await self._who(scope, headers)
        if wrong is not None:
            await self._refuse(scope, receive, send, *wrong)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        await self.app(scope, _Counted(receive, self.settings.limits.body_bytes), _with_headers(send))

    def _wrong(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return what is wrong with where a request comes from and goes to."""
        host = headers.get("host", "")
        name = _name(host)
        if name not in self.settings.hosts and not (self.settings.beyond and _is_address(name)):
            known = ", ".join(sorted(self.settings.hosts))
            return 421, f"this server is not called {name[:80]!r}; it answers to {known} (`outlay web --name NAME`)"
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE
        origin = headers.get("origin")
        if unsafe and origin is not None and urlsplit(origin).netloc.casefold() != host.casefold():
            return 403, f"a page of {origin[:80]} may not ask this server; use the page of {host}"
        if unsafe and headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return 403, f"another site's page may not ask this server; use the page of {host}"
        length = headers.get("content-length", "0")
        largest = self.settings.limits.body_bytes
        if not length.isdigit() or int(length) > largest:
            return 413, f"a request has at most {largest:,} bytes; this one says {length[:30]}"
        return None

    async def _who(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Find who asks; return what is wrong where a token is needed and missing."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        secret = given.strip() if scheme.casefold() == "bearer" else _cookie(headers.get("cookie", ""))
        if not self.settings.token_needed:
            scope["outlay_owner"] = LOCAL
            return None
        if scope["path"] in OPEN_PATHS:
            return None
        if not secret:
            return 401, "a token is needed; make one by `outlay web token new NAME`"
        found = await asyncio.to_thread(token_of, self.store, secret)
        if not isinstance(found, Token):
            return 401, f"the token or session is {found}; make a new one by `outlay web token new NAME`"
        scope["outlay_owner"] = found.owner
        return None

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, message: str) -> None:
        from starlette.responses import JSONResponse, RedirectResponse, Response

        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": message[:120]})
            return
        response: Response = JSONResponse({"error": message}, status)
        accepts = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        if status == 401 and not scope["path"].startswith("/api") and "text/html" in accepts:
            response = RedirectResponse("/enter", 303)
        elif status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, _with_headers(send))


class TooLargeError(HTTPException):
    """A body is larger than it said or may be."""

    def __init__(self, largest: int) -> None:
        super().__init__(413, f"a request has at most {largest:,} bytes")


class _Counted:
    """Passes a body on as long as it is small enough."""

    def __init__(self, receive: Receive, largest: int) -> None:
        self.receive, self.left, self.largest = receive, largest, largest

    async def __call__(self) -> Message:
        message = await self.receive()
        if message["type"] == "http.request":
            self.left -= len(message.get("body", b""))
            if self.left < 0:
                raise TooLargeError(self.largest)
        return message


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            more = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.lower().encode() not in there]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sending


def _name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].casefold()
    return host.partition(":")[0].casefold()


def _is_address(name: str) -> bool:
    """Return whether a host is written as an IP address, which nobody can point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except Exception:
        return ""
    return found.value if found else ""
