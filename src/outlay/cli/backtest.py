"""`outlay backtest`: plans again on each past date with what was known then, and lets what happened strike."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("scenario")
@click.option("--quarters", type=click.IntRange(2, 8), default=6, show_default=True, help="Quarters to roll through.")
@click.option("--chart", metavar="FILE", help="Draw the outcome as an SVG picture.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(scenario: str, quarters: int, chart: str | None, as_json: bool) -> int:
    """Roll SCENARIO through what happened: outlay against the reported plan, a blind one and perfect foresight."""
    import outlay
    from outlay.cli.plan import _progress
    from outlay.planning.futures.backtest import backtest, in_words
    from outlay.report.files import check_writable
    from outlay.report.futures import to_json

    loaded = outlay.load(scenario)
    if chart is not None:
        check_writable(chart)
    with _progress(show=sys.stderr.isatty()) as tell:
        found = backtest(loaded, quarters=quarters, progress=tell or (lambda _: None))
    if chart is not None:
        from outlay.report.backtest import write_chart

        write_chart(found, chart)
    click.echo(to_json(found) if as_json else "\n".join(in_words(found)))
    return 0
