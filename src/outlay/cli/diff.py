"""`outlay diff`: what changed between two plans."""

from __future__ import annotations

from pathlib import Path

import click

MOST = 20


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
def command(before: str, after: str, as_json: bool) -> int:
    """Say what changed from the plan in BEFORE to the plan in AFTER, both written by `outlay plan --json`."""
    from outlay.planning.futures.stored import difference, read_document
    from outlay.report.futures import to_json
    from outlay.units import human

    found = difference(read_document(Path(before)), read_document(Path(after)))
    if as_json:
        click.echo(to_json(found))
        return 0
    click.echo(f"from {found.before} to {found.after}")
    change = found.objective_after - found.objective_before
    click.echo(
        f"objective {human(found.objective_before)} -> {human(found.objective_after)} "
        f"({'+' if change >= 0 else ''}{human(change)})"
    )
    if not found.orders and not found.training:
        click.echo("the same orders and training runs")
    else:
        click.echo(f"{found.moved:.0%} of the chips differ")
    for order in found.orders[:MOST]:
        click.echo(f"  {order.what}: {order.before:,} -> {order.after:,} chips ({order.after - order.before:+,})")
    if len(found.orders) > MOST:
        click.echo(f"  and {len(found.orders) - MOST} more (--json lists all)")
    for run in found.training:
        click.echo(f"  {run}")
    return 0
