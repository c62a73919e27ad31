"""Runs on a Dask cluster: a worker of the queue hands its run over, and passes on what is told and asked meanwhile."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from importlib import import_module
from typing import Any

from outlay import __version__
from outlay.errors import InputError
from outlay.planning.linear import Standing
from outlay.runs.record import new_id
from outlay.runs.work import Answer, Tell, do

WAIT_S = 10
"""How long a scheduler may take to answer."""
LOOK_S = 0.25
"""How often the one who waits looks whether the run shall stop."""
ASK_S = 1.0
"""How often the one who works asks whether it shall."""


class Cluster:
    """The cluster of a Dask scheduler.

    Raises
    ------
    InputError
        If the extra is not installed, nobody answers at the address, or nobody works there.
    """

    def __init__(self, address: str) -> None:
        try:
            self._dask: Any = import_module("distributed")
        except ImportError:
            msg = "--cluster needs Dask.distributed: python -m pip install 'outlay[cluster]'"
            raise InputError(msg) from None
        try:
            self._client = self._dask.Client(address, timeout=WAIT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            msg = f"--cluster {address}: no scheduler answers there ({error}); start one with `dask scheduler`"
            raise InputError(msg) from None

    def do(self, kind: str, inputs: dict[str, Any], tell: Tell) -> Answer:
        """Do a run there, as :func:`outlay.runs.work.do` does it here; a lost host costs nothing but time."""
        name = f"outlay-{new_id()}"
        stop = self._dask.Event(name, client=self._client)
        self._client.subscribe_topic(name, lambda event: _pass_on(event[1], tell))
        future = self._client.submit(_work, name, __version__, kind, inputs, pure=False)
        try:
            while not future.done():
                if tell.stop() and not stop.is_set():
                    stop.set()
                time.sleep(LOOK_S)
            answer: Answer = future.result()
        finally:
            self._client.unsubscribe_topic(name)
            future.release()
        return answer

    def close(self) -> None:
        """Leave the cluster; it goes on for others."""
        self._client.close()


def _pass_on(event: dict[str, Any], tell: Tell) -> None:
    if "words" in event:
        tell.words(event["words"])
    else:
        tell.standing(Standing(**event["standing"]))


def _work(name: str, version: str, kind: str, inputs: dict[str, Any]) -> Answer:
    """Do a run on a host of the cluster."""
    if version != __version__:
        msg = f"--cluster: a host runs outlay {__version__}, the server {version}; install the same on all"
        raise InputError(msg)
    dask: Any = import_module("distributed")
    host, stop = dask.get_worker(), dask.Event(name)
    asked, wanted = [0.0], threading.Event()

    def stopped() -> bool:
        if not wanted.is_set() and time.monotonic() - asked[0] > ASK_S:
            asked[0] = time.monotonic()
            if stop.is_set():
                wanted.set()
        return wanted.is_set()

    tell = Tell(
        lambda words: host.log_event(name, {"words": words}),
        lambda standing: host.log_event(name, {"standing": asdict(standing)}),
        stopped,
    )
    return do(kind, inputs, tell)
