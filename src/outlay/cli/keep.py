"""Keeps what a command answers in the run store; never in the way of the answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import InputError, OutlayError

if TYPE_CHECKING:
    from outlay.scenario.schema import Scenario


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--no-store`` to a command; it sets ``store``."""
    said = "Do not keep the run in the run store (`outlay runs list`)."
    return click.option("--no-store", "store", is_flag=True, flag_value=False, default=True, help=said)(command)


class Keeping:
    """A run as a command makes it: what is asked, then what is answered."""

    def __init__(self) -> None:
        self.inputs: dict[str, Any] | None = None
        self.title = ""
        self.document: dict[str, Any] | None = None
        self.code, self.message = 0, ""

    def asked(self, inputs: dict[str, Any], title: str) -> None:
        """Set what is asked, as :mod:`outlay.runs.inputs` has it, and what it is about."""
        self.inputs, self.title = inputs, title

    def answered(self, document: dict[str, Any], code: int = 0, message: str = "") -> None:
        """Set the answer, as ``--json`` prints it."""
        self.document, self.code, self.message = document, code, message


@contextmanager
def keeping(kind: str, *, store: bool = True) -> Iterator[Keeping]:
    """Keep the run that is made inside, once it is answered or has failed; bad input is no run.

    A store that cannot be written is told of on standard error and changes nothing else.
    """
    kept, started = Keeping(), time.time()
    if not store:
        yield kept
        return
    failed: OutlayError | None = None
    try:
        yield kept
    except InputError:
        raise
    except OutlayError as error:
        failed = error
        raise
    finally:
        if kept.inputs is not None and (kept.document is not None or failed is not None):
            _keep(kind, kept, started, failed)


def _keep(kind: str, kept: Keeping, started: float, failed: OutlayError | None) -> None:
    from outlay.runs.place import default_url, is_file, leave
    from outlay.runs.record import ended

    assert kept.inputs is not None
    run = ended(
        kind,
        kept.inputs,
        kept.document,
        title=kept.title,
        status="done" if failed is None else "failed",
        code=kept.code if failed is None else 1,
        message=kept.message if failed is None else str(failed),
        started=started,
    )
    try:
        place = default_url()
        if is_file(place):
            leave(place, run)  # a moment's work; to open a database takes longer than many an answer
            return
        from outlay.runs import Store

        store = Store.open(place)
        store.keep(run)
        store.close()
    except OutlayError as error:
        click.echo(f"not kept: {error} (--no-store keeps nothing, OUTLAY_RUNS=FILE keeps it elsewhere)", err=True)


def scenario_inputs(scenario: str, loaded: Scenario) -> dict[str, Any]:
    """Return a scenario by its text, and the text of its own records, so that it can be planned without its files."""
    from outlay.scenario.load import bundled, bundled_text

    text = bundled_text(scenario) if scenario in bundled() else Path(scenario).read_text(encoding="utf-8")
    records = Path(loaded.catalog).read_text(encoding="utf-8") if loaded.catalog else None
    return {"scenario": scenario, "text": text, "records": records}
