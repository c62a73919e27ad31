"""Pages from the web: what is fetched, and what is refused."""

import http.server
import threading
import time

import pytest

from outlay.errors import InputError
from outlay.evidence.reading.fetch import get, is_public


class Site(http.server.BaseHTTPRequestHandler):
    """A site with a story, a loop, a private redirect, a slow and a huge page."""

    def do_GET(self):
        if self.path == "/story":
            self.answer(200, {"Content-Type": "text/plain; charset=gb18030"}, "公司投资四百亿元。".encode("gb18030"))
        elif self.path == "/moved":
            self.answer(302, {"Location": "/story"})
        elif self.path.startswith("/loop"):
            self.answer(302, {"Location": "/loop2" if self.path == "/loop1" else "/loop1"})
        elif self.path == "/inside":
            self.answer(302, {"Location": "http://10.0.0.1/secret"})
        elif self.path == "/file":
            self.answer(302, {"Location": "file:///etc/hostname"})
        elif self.path == "/huge":
            self.answer(200, {}, b"a" * 5_000_100)
        elif self.path == "/slow":
            time.sleep(0.6)
        else:
            self.answer(404, {})

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def site():
    """The address of a running site."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def local(address):
    """Let the tests' own site be reached, and nothing else."""
    return address == "127.0.0.1"


def test_a_page_is_fetched_with_its_encoding(site):
    """Bytes, final address and charset; redirects are followed."""
    page = get(f"{site}/moved", reachable=local)
    assert page.data.decode(page.charset) == "公司投资四百亿元。"
    assert page.address == f"{site}/story"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/loop1", "redirects in a loop"),
        ("/inside", "10.0.0.1 is 10.0.0.1, inside a private network; not fetched"),
        ("/file", "only http and https addresses are fetched"),
        ("/huge", "more than 5,000,000 bytes; a story is smaller"),
        ("/none", "the server answers 404"),
    ],
)
def test_what_is_refused(site, path, message):
    """Each hop of a redirect is checked as the first address is."""
    with pytest.raises(InputError, match=message):
        get(f"{site}{path}", reachable=local)


def test_a_slow_page_is_given_up(site):
    """A server that does not answer is not waited for."""
    with pytest.raises(InputError, match="no answer within"):
        get(f"{site}/slow", reachable=local, timeout_s=0.2)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://192.168.1.1/",
        "http://0.0.0.0/",
    ],
)
def test_private_addresses_are_refused(address):
    """The machine itself and the network it stands in are no sources of stories."""
    with pytest.raises(InputError, match="inside a private network"):
        get(address)


@pytest.mark.parametrize("address", ["ftp://example.com/a", "file:///etc/hostname", "gopher://a", "http:///a"])
def test_other_schemes_are_refused(address):
    """Only the web is read."""
    with pytest.raises(InputError, match="only http and https"):
        get(address)


def test_passwords_in_addresses_are_refused():
    """An address with credentials is neither fetched nor repeated."""
    with pytest.raises(InputError) as refusal:
        get("https://user:secret@example.com/")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:10.0.0.1", False),
        ("100.64.0.1", False),
        ("fe80::1%eth0", False),
        ("224.0.0.1", False),
    ],
)
def test_public_addresses(address, public):
    """Mapped, shared, link-local and multicast addresses are not public."""
    assert is_public(address) is public


def test_a_missing_file_is_named():
    """The system's words, with the path."""
    with pytest.raises(InputError, match=r"none\.txt: cannot be read: No such file"):
        get("none.txt")
