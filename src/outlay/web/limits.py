"""How the server is set up, and how much anybody may ask of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Limits:
    """How much anybody may ask.

    Attributes
    ----------
    body_bytes
        Of one request.
    scenario_bytes
        Of one scenario's YAML.
    solve_s
        Seconds a solver may be asked for.
    run_s
        Seconds a run may take in all; then it fails with a message.
    open_runs
        Runs of one owner that are queued or running at once.
    scenarios
        Scenarios one owner may keep.
    chips
        In one question of training or serving that is answered at once.
    streams
        Streams of events one owner may have open at once.
    """

    body_bytes: int = 12_000_000
    scenario_bytes: int = 500_000
    solve_s: float = 900.0
    run_s: float = 3600.0
    open_runs: int = 20
    scenarios: int = 500
    chips: int = 200_000
    streams: int = 50


def table() -> list[tuple[str, str]]:
    """Return the limits as rows of the documentation."""
    words = {
        "body_bytes": "bytes of a request",
        "scenario_bytes": "bytes of a scenario's text",
        "solve_s": "seconds a solver may be asked for",
        "run_s": "seconds a run may take in all",
        "open_runs": "runs of one owner that are queued or running",
        "scenarios": "scenarios one owner keeps",
        "chips": "chips in a question that is answered at once",
        "streams": "streams of events one owner has open",
    }
    return [(words[name], f"{value:,.0f}") for name, value in vars(Limits()).items()]


@dataclass(frozen=True)
class Settings:
    """How the server is set up.

    Attributes
    ----------
    store
        Path or URL of the run store; ``None`` for where ``OUTLAY_RUNS`` says.
    host, port
        What it listens on.
    workers
        Worker processes; with 0 the runs wait for workers started elsewhere.
    cluster
        Address of a Dask scheduler the workers hand their runs to.
    names
        More host names it answers to, such as that of a proxy before it.
    token
        Whether a token is needed; always beyond the loopback.
    fetch
        Whether stories may be fetched from their addresses.
    secure
        Whether browsers reach it over HTTPS, through a proxy: cookies are then sent over nothing else.
    """

    store: str | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    workers: int = field(default_factory=lambda: max(1, min(4, os.cpu_count() or 1)))
    cluster: str | None = None
    names: tuple[str, ...] = ()
    token: bool = False
    fetch: bool = True
    secure: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def beyond(self) -> bool:
        """Whether it listens beyond the loopback."""
        return self.host not in LOOPBACK

    @property
    def token_needed(self) -> bool:
        """Whether nobody comes in without a token."""
        return self.token or self.beyond

    @property
    def hosts(self) -> frozenset[str]:
        """Host names a request may be for: any other is somebody's name for this address (DNS rebinding)."""
        return frozenset({*LOOPBACK, self.host, *self.names} - {"0.0.0.0", "::"})
