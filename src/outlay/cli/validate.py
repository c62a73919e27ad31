"""`outlay validate`: predicted against published, with errors by chip family, in sample and out of sample apart."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from outlay.cli.keep import keeping, store_option
from outlay.errors import InputError, unknown
from outlay.report.validation import REPORTS, document, report

WIDTH = 132


@click.command()
@click.argument("what", nargs=-1, metavar="[training|serving] [FILE.csv]")
@click.option("--family", metavar="NAME", help="Only chip families whose name holds this.")
@click.option(
    "--by",
    default="family",
    show_default=True,
    metavar="PART",
    help="Errors by this: family or source of training, family, model, engine or load of serving.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, every row with it.")
@store_option
def command(what: tuple[str, ...], family: str | None, by: str, as_json: bool, store: bool) -> int:
    """Compare predictions with published runs: median and 90th percentile of the absolute error, and bias.

    "In sample" rows took part in the fit. "Out of sample" predicts each row with parameters fitted without the row's
    group of related runs. With a FILE, its rows are predicted instead of the package's.
    """
    kinds, file = _asked(what)
    for kind in kinds:
        known = importlib.import_module(REPORTS[kind]).BY
        if by not in known:
            raise InputError(unknown(f"part of {kind}", by, known))
    with keeping("validate", store=store) as kept:
        reports = [report(kind, family, file) for kind in kinds]
        rows = None if file is None else file.read_text(encoding="utf-8")
        kept.asked({"what": kinds, "family": family, "rows": rows}, " and ".join(kinds))
        answer = document(reports, file is not None)
        kept.answered(answer)
        if as_json:
            click.echo(json.dumps(answer))
            return 0
        for one in reports:
            _show(one, by)
    return 0


def _asked(what: tuple[str, ...]) -> tuple[list[str], Path | None]:
    """Return the kinds of validation asked for and the file, of arguments in that order."""
    if len(what) == 2 and what[0] in REPORTS and what[1] not in REPORTS:
        return [what[0]], Path(what[1])
    for kind in what:
        if kind not in REPORTS:
            raise InputError(unknown("validation", kind, REPORTS))
    return list(what or REPORTS), None


def _show(report: Any, by: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    title = (
        f"{report.kind}: predicted over published, absolute error; "
        f"{report.answered:.1%} of {report.asked:,} rows answered"
    )
    table = Table(title=title, title_justify="left")
    errors = report.errors(by)
    several = len({one.metric for one in errors}) > 1
    for name in (*(["metric"] if several else []), by):
        table.add_column(name)
    for name in ("figures", "groups", *("median", "mean", "p90", "bias", "in band") * 2):
        table.add_column(name, justify="right")
    for one in errors:
        inside = (_percent(one.median), _percent(one.mean), _percent(one.p90), _percent(one.bias, sign=True))
        outside = (
            _percent(one.median_out_of_sample),
            _percent(one.mean_out_of_sample),
            _percent(one.p90_out_of_sample),
            _percent(one.bias_out_of_sample, sign=True),
            _percent(one.in_band_out_of_sample),
        )
        cells = (
            *([one.metric] if several else []),
            one.part,
            str(one.rows),
            str(one.groups),
            *inside,
            _percent(one.in_band),
            *outside,
        )
        table.add_row(*cells)
    console.print(table)
    console.print(
        "First five: with the numbers the package ships. Last five: out of sample, each group of related runs left out."
    )
    for reason, rows in Counter(reason for _, _, reason in report.refused).most_common():
        console.print(f"not predicted: {rows} rows, {reason}")
    if getattr(report, "regrets", ()):
        _show_regrets(console, report.regrets)


def _show_regrets(console: Any, regrets: Any) -> None:
    from rich.table import Table

    table = Table(title="rankings of measured strategies", title_justify="left")
    for name in ("source", "case"):
        table.add_column(name)
    for name in ("strategies", "regret", "pairs right"):
        table.add_column(name, justify="right")
    for one in regrets:
        table.add_row(one.source, one.case, str(one.strategies), _percent(one.regret), _percent(one.ordered))
    console.print(table)
    console.print("Regret: measured time of the predicted best over the best measured, less one.")


def _percent(value: float | None, *, sign: bool = False) -> str:
    return "" if value is None else f"{value:{'+' if sign else ''}.1%}"
