"""Gets the bytes of a story from a file, standard input or the web; addresses inside a private network are refused."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from outlay.errors import InputError
from outlay.evidence.reading.article import LARGEST_BYTES

TIMEOUT_S = 15.0
"""How long a connection may say nothing."""
LONGEST_S = 60.0
"""How long a page may take in all."""
MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
HEADERS = {
    "User-Agent": "outlay (reads one page when its user asks for it)",
    "Accept": "text/html, text/plain",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True)
class Page:
    """Bytes as they came, where from, and the encoding the server names."""

    data: bytes
    name: str
    address: str = ""
    charset: str = ""


def is_public(address: str) -> bool:
    """Return whether an IP address lies in the public internet, also where it is written inside an IPv6 one."""
    found = ipaddress.ip_address(address.split("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (inner is None or inner.is_global)


def get(source: str, *, reachable: Callable[[str], bool] = is_public, timeout_s: float = TIMEOUT_S) -> Page:
    """Return the bytes of a story.

    Parameters
    ----------
    source
        A path, ``-`` for standard input, or an http or https address.
    reachable
        Whether an IP address may be connected to; asked at the time of the connection, for every redirect again.

    Raises
    ------
    InputError
        If it cannot be read, is too large, or the address is none to be fetched.
    """
    if source == "-":
        return Page(_limited(sys.stdin.buffer.read(LARGEST_BYTES + 1), "standard input"), "standard input")
    if "://" in source:
        return _fetched(source, reachable, timeout_s)
    try:
        with Path(source).open("rb") as file:
            return Page(_limited(file.read(LARGEST_BYTES + 1), source), source)
    except OSError as error:
        msg = f"{source}: cannot be read: {error.strerror or error}"
        raise InputError(msg) from None
    except ValueError as error:
        msg = f"{source!r}: no path and no address: {error}"
        raise InputError(msg) from None


def _limited(data: bytes, name: str) -> bytes:
    if len(data) > LARGEST_BYTES:
        msg = f"{name}: more than {LARGEST_BYTES:,} bytes; a story is smaller"
        raise InputError(msg)
    return data


def _fetched(address: str, reachable: Callable[[str], bool], timeout_s: float) -> Page:
    seen: list[str] = []
    while True:
        if address in seen or len(seen) > MOST_REDIRECTS:
            msg = f"{seen[0]}: redirects in a loop, or more than {MOST_REDIRECTS} times"
            raise InputError(msg)
        seen.append(address)
        try:
            with _open(address, reachable, timeout_s) as response:
                if response.status in _REDIRECTS:
                    onward = response.getheader("Location")
                    if not onward:
                        msg = f"{address}: a redirect that leads nowhere"
                        raise InputError(msg)
                    address = urljoin(address, onward)
                    continue
                if response.status != 200:
                    msg = f"{address}: the server answers {response.status} {response.reason}"
                    raise InputError(msg)
                data = _limited(_drained(response), address)
                charset = response.headers.get_content_charset() or ""
                return Page(data, address, address, charset)
        except TimeoutError:
            msg = f"{address}: no answer within {timeout_s:g} s"
            raise InputError(msg) from None
        except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
            msg = f"{address}: cannot be fetched: {error}"
            raise InputError(msg) from None


@contextmanager
def _open(address: str, reachable: Callable[[str], bool], timeout_s: float) -> Iterator[http.client.HTTPResponse]:
    """Connect to the very address that was checked, ask for the page and close the connection in the end."""
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f"{address}: only http and https addresses are fetched"
        raise InputError(msg)
    if parts.username or parts.password:
        msg = f"{parts.hostname}: an address with a password in it is not fetched"
        raise InputError(msg)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    to = (_checked(parts.hostname, port, reachable), port)
    with socket.create_connection(to, timeout=timeout_s) as plain:
        connection = http.client.HTTPConnection(parts.hostname, port, timeout=timeout_s)
        connection.default_port = 443 if secure else 80
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(plain, server_hostname=parts.hostname) if secure else plain
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path, headers=HEADERS)
            yield connection.getresponse()
        finally:
            connection.close()


def _drained(response: http.client.HTTPResponse) -> bytes:
    """Return the body of an answer; one that drips past ``LONGEST_S``, or grows too large, is cut off."""
    data, began = bytearray(), time.monotonic()
    while len(data) <= LARGEST_BYTES and (piece := response.read1(65_536)):
        data += piece
        if time.monotonic() - began > LONGEST_S:
            msg = f"the page was not whole after {LONGEST_S:g} s"
            raise TimeoutError(msg)
    return bytes(data)


def _checked(host: str, port: int, reachable: Callable[[str], bool]) -> str:
    """Return the address to connect to: the name is looked up once, and refused where any answer is private."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    private = [ip for ip in found if not reachable(ip)]
    if private:
        msg = f"{host} is {private[0]}, inside a private network; not fetched"
        raise InputError(msg)
    return found[0]
