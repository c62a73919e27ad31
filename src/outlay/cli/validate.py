"""`outlay validate`: predicted against published, with errors by chip family, in sample and out of sample apart."""

from __future__ import annotations

import importlib
import json
from typing import Any

import click

from outlay.errors import InputError, unknown

REPORTS = {"training": "outlay.performance.validation", "serving": "outlay.performance.serving_validation"}

WIDTH = 132


@click.command()
@click.argument("kinds", nargs=-1, metavar="[training|serving]")
@click.option("--family", metavar="NAME", help="Only chip families whose name holds this.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, every row with it.")
def command(kinds: tuple[str, ...], family: str | None, as_json: bool) -> int:
    """Compare predictions with published runs: median and 90th percentile of the absolute error, and bias.

    "In sample" rows took part in the fit. "Out of sample" predicts each row with parameters fitted without the row's
    group of related runs.
    """
    for kind in kinds:
        if kind not in REPORTS:
            raise InputError(unknown("validation", kind, REPORTS))
    reports = [_report(kind, family) for kind in kinds or REPORTS]
    if as_json:
        click.echo(json.dumps({"schema": 1, "reports": [report.as_dict() for report in reports]}))
        return 0
    for report in reports:
        _show(report)
    return 0


def _report(kind: str, family: str | None) -> Any:
    report = importlib.import_module(REPORTS[kind]).report()
    if family is None:
        return report
    part = report.of_family(family)
    if not part.rows and not part.refused:
        msg = unknown("chip family", family, sorted({row.family for row in report.rows}))
        raise InputError(msg)
    return part


def _show(report: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    table = Table(title=f"{report.kind}: predicted over published, absolute error", title_justify="left")
    table.add_column("chip family")
    for name in (
        "rows",
        "answered",
        "groups",
        "median",
        "p90",
        "bias",
        "median",
        "p90",
        "bias",
        "median by group",
        "in band",
    ):
        table.add_column(name, justify="right")
    for errors in report.families():
        table.add_row(
            errors.family,
            str(errors.rows),
            str(errors.answered),
            str(errors.groups),
            *(_percent(value) for value in (errors.median, errors.p90)),
            _percent(errors.bias, sign=True),
            *(_percent(value) for value in (errors.median_out_of_sample, errors.p90_out_of_sample)),
            _percent(errors.bias_out_of_sample, sign=True),
            _percent(errors.by_group_out_of_sample),
            _percent(errors.within_band_out_of_sample),
        )
    console.print(table)
    console.print(
        "First median, p90 and bias: in sample. Second, and in band: out of sample, by groups of related runs."
    )
    for reason, rows in report.reasons():
        console.print(f"not predicted: {rows} rows, {reason}")


def _percent(value: float | None, *, sign: bool = False) -> str:
    return "" if value is None else f"{value:{'+' if sign else ''}.1%}"
