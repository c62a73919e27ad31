"""`outlay runs`: what was asked before, what came of it, and whether it still comes to the same."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import InputError, OutlayError, unknown

if TYPE_CHECKING:
    from outlay.runs import Run, Store

EXIT_NO = 1
MOST = 20


@click.group()
@click.option("--store", "place", metavar="PLACE", help="Path or PostgreSQL URL of the store, not OUTLAY_RUNS.")
@click.pass_context
def command(context: click.Context, place: str | None) -> None:
    """Look at the runs kept: plans, stress tests, readings and validations, with all they were made from.

    A run is named by its id or the beginning of one. The store is a file in your folder of data; OUTLAY_RUNS places it
    elsewhere, also on PostgreSQL.
    """
    context.obj = place


def _open(place: str | None) -> Store:
    from outlay.runs import Store

    return Store.open(place)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


@command.command("list")
@click.option("--kind", metavar="KIND", help="Only plan, stress, read, validate, train, serve or check.")
@click.option("--status", metavar="STATUS", help="Only queued, running, done, failed, cancelled or lost.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=30, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_(place: str | None, kind: str | None, status: str | None, limit: int, as_json: bool) -> int:
    """List runs, the newest first."""
    from outlay.runs import KINDS, STATUSES

    for what, value, known in (("kind of run", kind, KINDS), ("status", status, STATUSES)):
        if value is not None and value not in known:
            raise InputError(unknown(what, value, known, see=f"one of {', '.join(known)}"))
    store = _open(place)
    found = store.runs(kind=kind, status=status, limit=limit)
    if as_json:
        _print_json([run.as_dict() for run in found])
        return 0
    if not found:
        click.echo(f"no runs are kept in {store.place.split('@')[-1]}")
    for run in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created))
        took = "" if run.seconds is None else f"{run.seconds:,.1f} s"
        said = f"  {run.message.splitlines()[0][:80]}" if run.message else ""
        click.echo(f"{run.id}  {when}  {run.kind:<8}  {run.status:<9}  {took:>9}  {run.title}{said}")
    return 0


@command.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print the run with its inputs, answer and log as JSON.")
@click.pass_obj
def show(place: str | None, run: str, as_json: bool) -> int:
    """Show a run: how it stands, what it was made from, and its answer."""
    store = _open(place)
    found = store.get(run)
    if as_json:
        _print_json(_whole(store, found))
        return 0
    from outlay.runs.record import moment

    inputs = store.inputs(found.id)
    click.secho(f"{found.kind} {found.title}  ({found.id})", bold=True)
    click.echo(f"{found.status}" + (f": {found.message}" if found.message else ""))
    took = "" if found.seconds is None else f", took {found.seconds:,.1f} s"
    click.echo(f"asked {moment(found.created)} by {found.owner}{took}")
    click.echo(f"outlay {found.version}, code {found.code_hash}, catalogue {found.catalogue_hash}")
    if found.parent:
        click.echo(f"the same as {found.parent}, run again")
    for name, value in inputs.items():
        if value not in (None, [], "", False):
            click.echo(f"  {name}: {_short(value)}")
    _show_plan(store, found)
    return 0


def _show_plan(store: Store, run: Run) -> None:
    """Print the summary of a plan."""
    answer = store.result(run.id)
    if answer is None or run.kind != "plan" or "purchases" not in answer:
        click.echo("" if answer is None else "the answer: `outlay runs export` writes it")
        return
    from rich.console import Console

    from outlay.planning.futures.stored import plan_of
    from outlay.report.summary import print_summary

    click.echo()
    print_summary(plan_of(answer, f"run {run.id}"), Console(width=None if sys.stdout.isatty() else 100))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    lines = text.count("\n")
    return f"{len(text):,} characters, {lines:,} lines" if lines > 1 or len(text) > 100 else text


def _whole(store: Store, run: Run) -> dict[str, Any]:
    from outlay.runs import Queue

    log = [event.as_dict() for event in Queue(store).events(run.id, limit=1_000_000)]
    return {**run.as_dict(), "inputs": store.inputs(run.id), "result": store.result(run.id), "log": log}


@command.command()
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def compare(place: str | None, before: str, after: str, as_json: bool) -> int:
    """Say what changed from the answer of run BEFORE to that of run AFTER. Exit 0: the same; 1: not."""
    from outlay.runs.compare import compare as between

    store = _open(place)
    old, new = store.get(before), store.get(after)
    found = between(old, new, store.result(old.id), store.result(new.id))
    if as_json:
        _print_json(found)
    else:
        _print_difference(found)
    return 0 if found["same"] else EXIT_NO


def _print_difference(found: dict[str, Any]) -> None:
    from outlay.units import human

    click.echo(f"from {found['kind']} {found['before']} to {found['after']}")
    for what, same in (("code", found["same_code"]), ("catalogue", found["same_catalogue"])):
        if not same:
            click.echo(f"made with another {what}")
    if found["same"]:
        click.echo("the same answer")
        return
    plans = found["plans"]
    if plans is None:
        for one in found["changes"][:MOST]:
            click.echo(f"  {one['where']}: {_short(one['before'])} -> {_short(one['after'])}")
        rest = len(found["changes"]) - MOST + found["more"]
        if rest > 0:
            click.echo(f"  and {rest} more (--json lists all)")
        return
    click.echo(f"objective {human(plans['objective_before'])} -> {human(plans['objective_after'])} {plans['currency']}")
    for order in plans["orders"][:MOST]:
        click.echo(f"  {order['what']}: {order['before']:,} -> {order['after']:,} chips")
    if len(plans["orders"]) > MOST:
        click.echo(f"  and {len(plans['orders']) - MOST} more (--json lists all)")
    for run in plans["training"]:
        click.echo(f"  {run}")
    if not plans["orders"] and not plans["training"]:
        click.echo(f"the same orders and training runs; {len(found['changes']) + found['more']} other figures differ")


@command.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def rerun(place: str | None, run: str, as_json: bool) -> int:
    """Ask the same again, from what is kept, and say whether the answer is the same. Exit 0: it is; 1: not."""
    from outlay.cli.plan import _progress
    from outlay.runs.compare import compare as between
    from outlay.runs.record import ended
    from outlay.runs.work import Tell, do

    store = _open(place)
    before = store.get(run)
    inputs, started = store.inputs(before.id), time.time()
    try:
        with _progress(show=sys.stderr.isatty()) as tell:
            answer = do(before.kind, inputs, Tell(words=tell) if tell else Tell())
    except OutlayError as error:
        failed = str(error)
        again = store.add(
            ended(
                before.kind,
                inputs,
                None,
                title=before.title,
                status="failed",
                code=1,
                message=failed,
                started=started,
                parent=before.id,
            )
        )
        same = before.status == "failed" and before.message == failed
        found = {"before": before.id, "after": again.id, "kind": before.kind, "same": same, "message": failed}
        _print_json(found) if as_json else click.echo(f"run {again.id} failed: {failed}", err=True)
        return 0 if same else EXIT_NO
    again = store.add(
        ended(
            before.kind,
            answer.inputs or inputs,
            answer.document,
            title=before.title,
            code=answer.code,
            message=answer.message,
            started=started,
            parent=before.id,
        )
    )
    old = store.result(before.id)
    if old is None:
        click.echo(f"run {before.id} had no answer; {again.id} has one")
        return EXIT_NO
    found = between(before, again, old, answer.document)
    if as_json:
        _print_json(found)
    else:
        _print_difference(found)
    return 0 if found["same"] else EXIT_NO


@command.command()
@click.argument("run")
@click.option("--json", "json_file", metavar="FILE", help="Write the answer as JSON; - for standard output.")
@click.option("--html", metavar="FILE", help="Write a plan as one self-contained page.")
@click.option("--xlsx", metavar="FILE", help="Write a plan as a workbook.")
@click.option("--csv", metavar="FILE", help="Write the rows of the answer as CSV.")
@click.option("--scenario", metavar="FILE", help="Write the scenario it was made from.")
@click.pass_obj
def export(place: str | None, /, run: str, **files: str | None) -> int:
    """Write the answer of RUN into files; without a file, as JSON to standard output."""
    from outlay.report.files import check_writable, write_atomically
    from outlay.runs.export import exported

    store = _open(place)
    found = store.get(run)
    answer, inputs = store.result(found.id), store.inputs(found.id)
    wanted = {name.removesuffix("_file"): path for name, path in files.items() if path is not None} or {"json": "-"}
    for path in wanted.values():
        if path != "-":
            check_writable(path)
    for form, path in wanted.items():
        data = exported(found, inputs, answer, form)
        if path == "-":
            click.echo(data.decode("utf-8"), nl=not data.endswith(b"\n"))
            continue

        def fill(draft: Path, data: bytes = data) -> None:
            draft.write_bytes(data)

        write_atomically(path, fill)
    return 0


@command.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the ids deleted as JSON.")
@click.pass_obj
def delete(place: str | None, runs: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Delete RUNS that are at their end, with inputs, answers and logs. There is no way back."""
    store = _open(place)
    found = [store.get(run) for run in runs]
    if not yes:
        click.confirm(f"delete {', '.join(f'{run.kind} {run.id}' for run in found)}?", abort=True, err=True)
    for run in found:
        store.delete(run.id)
    if as_json:
        _print_json([run.id for run in found])
    else:
        click.echo(f"deleted {', '.join(run.id for run in found)}")
    return 0
