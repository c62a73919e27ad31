"""Where the run store is, and the runs commands left beside it: written whole in a moment, without a database."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outlay.errors import StoreError

VARIABLE = "OUTLAY_RUNS"
FORM = 1
"""Of the files; others are left to the version that wrote them."""


def default_url() -> str:
    """Return where the store is: what ``OUTLAY_RUNS`` says, or a file in the user's folder of data."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    home = os.environ.get("XDG_DATA_HOME")
    folder = Path(home) if home else Path.home() / ".local" / "share"
    return str(folder / "outlay" / "runs.db")


def is_file(place: str) -> bool:
    """Return whether a store is a file, not a server's."""
    return "://" not in place and place != ":memory:"


def waiting(place: str) -> Path:
    """Return the folder beside a store's file where runs wait to be taken in."""
    return Path(f"{place}.new")


def leave(place: str, run: dict[str, Any]) -> None:
    """Leave a run (:func:`outlay.runs.record.ended`) beside the store, whole or not at all; who opens it takes it in.

    Raises
    ------
    StoreError
        If nothing can be written there.
    """
    folder = waiting(place)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", encoding="utf-8", delete=False) as file:
            json.dump({"form": FORM, **run}, file)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(folder / f"{run['id']}.json")
    except OSError as error:
        msg = f"run store {place}: cannot be written: {error.strerror}"
        raise StoreError(msg) from None


def left(place: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the runs that wait beside a store, with their files."""
    try:
        names = sorted(path for path in waiting(place).iterdir() if path.suffix == ".json")
    except OSError:
        return
    for path in names:
        try:
            run = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # taken in by another process meanwhile
        if run.pop("form", None) == FORM:
            yield path, run
