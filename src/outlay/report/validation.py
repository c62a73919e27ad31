"""Validations as JSON: predicted against published, by kind of workload."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from outlay.errors import InputError, unknown

REPORTS = {"training": "outlay.performance.validation", "serving": "outlay.performance.serving.validation"}


def report(kind: str, family: str | None, file: Path | None) -> Any:
    """Return the report of a kind, of chip families whose name holds ``family``, of the rows of a file.

    Raises
    ------
    InputError
        If no family is called so; names the nearest.
    """
    module = importlib.import_module(REPORTS[kind])
    whole = module.report() if file is None else module.report(path=file)
    if family is None:
        return whole
    part = whole.of_family(family)
    if not part.rows and not part.refused:
        msg = unknown("chip family", family, sorted({row.family for row in whole.rows}))
        raise InputError(msg)
    return part


def document(reports: Sequence[Any], of_file: bool) -> dict[str, Any]:
    """Return reports as `outlay validate --json` prints them: one of a file by itself, others in a list."""
    shown = [one.as_dict() for one in reports]
    return {"schema": 1, **shown[0]} if of_file else {"schema": 1, "reports": shown}


def validation(
    what: Sequence[str], family: str | None, file: Path | None = None, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Validate the kinds named, all where none is, and return the document."""
    kinds = list(what or REPORTS)
    if file is not None and len(kinds) != 1:
        msg = f"rows of your own are of one kind; expected one of {', '.join(REPORTS)}"
        raise InputError(msg)
    reports = []
    for kind in kinds:
        progress(f"predicting {kind}")
        reports.append(report(kind, family, file))
    return document(reports, file is not None)
