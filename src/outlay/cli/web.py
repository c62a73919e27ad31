"""`outlay web`: the page and the HTTP API on this machine."""

from __future__ import annotations

import json
import threading
import time
import webbrowser
from typing import Any

import click

from outlay.errors import InputError


@click.group(invoke_without_command=True)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; beyond the loopback a token is needed.",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=8765, show_default=True, help="0 takes a free one.")
@click.option(
    "--workers", type=click.IntRange(0, 256), help="Processes that do the runs.  [default: one a core, 4 at most]"
)
@click.option(
    "--store", metavar="PLACE", help="Path or PostgreSQL URL of the run store; by default where OUTLAY_RUNS says."
)
@click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler the runs are handed to: tcp://10.0.0.1:8786.")
@click.option("--name", "names", multiple=True, metavar="HOST", help="Another host name it answers to.")
@click.option("--require-token", is_flag=True, help="Ask for a token on the loopback, too.")
@click.option("--https", is_flag=True, help="Browsers come over HTTPS, through a proxy.")
@click.option("--no-fetch", is_flag=True, help="Fetch no story from its address.")
@click.option("--no-page", is_flag=True, help="The API alone.")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> int | None:
    r"""Open the page: load a story or a scenario, change it, watch the solve, look at the plan.

    \b
    outlay web
    outlay web --host 0.0.0.0 --name planner.example.org --https
    """
    if context.invoked_subcommand is not None:
        context.obj = given
        return None
    return _serve(given)


def _serve(given: dict[str, Any]) -> int:
    import socket

    import uvicorn

    from outlay.web.limits import Settings
    from outlay.web.server import create_app

    if given["cluster"]:
        from outlay.runs.cluster import Cluster

        Cluster(given["cluster"]).close()  # told here at once, not by each worker
    kept = {"workers": given["workers"]} if given["workers"] is not None else {}
    listening = _listen(given["host"], given["port"])
    port = listening.getsockname()[1]
    settings = Settings(
        store=given["store"],
        host=given["host"],
        port=port,
        cluster=given["cluster"],
        names=tuple(name.casefold() for name in given["names"]),
        token=given["require_token"],
        secure=given["https"],
        fetch=not given["no_fetch"],
        **kept,
    )
    app = create_app(settings, page=not given["no_page"])
    shown = f"[{settings.host}]" if listening.family == socket.AF_INET6 else settings.host
    address = f"http://{shown}:{port}/"
    place = app.state.outlay.store.place.split("@")[-1]  # without a password
    click.echo(f"outlay is at {address} (end it by Ctrl+C); runs are kept in {place}")
    if settings.token_needed:
        click.echo("a token is needed: `outlay web token new NAME` makes one")
    if not given["no_open"] and not given["no_page"]:
        threading.Thread(target=_open, args=(address,), daemon=True).start()
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, proxy_headers=False, timeout_graceful_shutdown=3, lifespan="on"
    )
    uvicorn.Server(config).run([listening])
    return 0


def _listen(host: str, port: int) -> Any:
    import socket

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(found[0], found[1])
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
        listening.listen(512)
    except OSError as error:
        msg = (
            f"cannot listen on {host}, port {port}: {error.strerror or error}; try another --port, or 0 for a free one"
        )
        raise InputError(msg) from None
    return listening


def _open(address: str) -> None:
    """Open a browser once the server answers."""
    from urllib.error import URLError
    from urllib.request import urlopen

    for _ in range(100):
        try:
            with urlopen(f"{address}api/health", timeout=1):
                break
        except (URLError, OSError):
            time.sleep(0.1)
    webbrowser.open(address)


@command.group()
def token() -> None:
    """Make, list and revoke the tokens people come in with."""


@token.command()
@click.argument("name")
@click.option("--owner", metavar="OWNER", default="", help="Whose runs it shows; tokens of one owner share theirs.")
@click.option("--days", type=float, default=90.0, show_default=True, help="How long it lets its holder in.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def new(context: click.Context, name: str, owner: str, days: float, as_json: bool) -> int:
    """Make a token for NAME and print it: this once, only its hash is kept."""
    from outlay.runs import Store
    from outlay.runs.record import moment
    from outlay.web.tokens import new_token

    made, secret = new_token(Store.open(_place(context)), name, owner=owner, days=days)
    until = moment(made.expires)
    if as_json:
        shown = {"id": made.id, "name": name, "owner": made.owner, "expires": until, "token": secret}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        click.echo(secret)
        click.echo(f"for {name} ({made.owner}), until {until}; it is shown only now", err=True)
    return 0


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_(context: click.Context, as_json: bool) -> int:
    """List tokens, the newest first; their secrets are kept nowhere."""
    from outlay.runs import Store
    from outlay.runs.record import moment
    from outlay.web.tokens import all_tokens

    found = all_tokens(Store.open(_place(context)))
    if as_json:
        times = ("created", "expires", "revoked", "used")
        rows = [{**vars(one), **{name: moment(getattr(one, name)) for name in times}} for one in found]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    for one in found:
        state = "revoked" if one.revoked else f"until {moment(one.expires)}" if one.live else "expired"
        click.echo(f"{one.id}  {one.name} ({one.owner}), {state}, last used {moment(one.used) or 'never'}")
    if not found:
        click.echo("no tokens; `outlay web token new NAME` makes one")
    return 0


@token.command()
@click.argument("name")
@click.pass_context
def revoke(context: click.Context, name: str) -> int:
    """Let nobody in with the token called NAME, or of that id, any more; its sessions end, too."""
    from outlay.runs import Store
    from outlay.web.tokens import revoke as end

    gone = end(Store.open(_place(context)), name)
    click.echo(f"revoked {gone.name} ({gone.id})")
    return 0


def _place(context: click.Context) -> str | None:
    """Return the store that `outlay web --store` names."""
    found = context.find_object(dict)
    return None if found is None else found["store"]
