"""A run's answer as a file: JSON, the page, the workbook, CSV, or the scenario it was made from."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from outlay.errors import InputError
from outlay.runs.record import Run

FORMS = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "scenario": "application/yaml",
}
"""Media types by form."""
ENDINGS = {"scenario": "yaml"}
ROWS = {
    "plan": ("purchases", "orders"),
    "stress": ("events",),
    "read": ("claims",),
    "validate": ("rows", "reports"),
    "train": ("choices",),
    "serve": ("front",),
    "check": ("rows", "timeline", "rules"),
}
"""The list of an answer that its CSV holds, by kind of run; the first that is there."""


def exported(run: Run, inputs: dict[str, Any], answer: dict[str, Any] | None, form: str) -> bytes:
    """Return a run's answer in a form.

    Raises
    ------
    InputError
        If the run has no answer, or its answer has no such form.
    """
    if form == "scenario":
        if "text" not in inputs:
            msg = f"run {run.id} is a {run.kind}, which is made from no scenario"
            raise InputError(msg)
        return str(inputs["text"]).encode()
    if answer is None:
        msg = f"run {run.id} is {run.status} and has no answer to write"
        raise InputError(msg)
    if form == "json":
        return (json.dumps(answer, indent=2, ensure_ascii=False) + "\n").encode()
    if form == "csv":
        return _csv(run, answer)
    if run.kind != "plan" or "purchases" not in answer:
        msg = f"run {run.id} is no plan of one future; only such a plan has a page and a workbook"
        raise InputError(msg)
    from outlay.planning.futures.stored import plan_of

    plan = plan_of(answer, f"run {run.id}")
    if form == "html":
        from outlay.report.html import to_html

        return to_html(plan).encode()
    from outlay.report.workbook import write_workbook

    with tempfile.TemporaryDirectory(prefix="outlay-") as folder:
        path = Path(folder) / "plan.xlsx"
        write_workbook(plan, path)
        return path.read_bytes()


def _csv(run: Run, answer: dict[str, Any]) -> bytes:
    rows: list[Any] = next((answer[name] for name in ROWS[run.kind] if isinstance(answer.get(name), list)), [])
    if rows and isinstance(rows[0], dict) and isinstance(rows[0].get("rows"), list):  # reports, each with its rows
        rows = [row for report in rows for row in report["rows"]]
    if not rows or not isinstance(rows[0], dict):
        msg = f"the answer of run {run.id} has no rows; write it as JSON"
        raise InputError(msg)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """Return a cell; text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
