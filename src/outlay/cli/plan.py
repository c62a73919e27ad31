"""`outlay plan`: solves a scenario and shows the plan as text, JSON, a page or a workbook."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.futures import changed_by, futures_options, refuse_without_futures
from outlay.cli.keep import Keeping, keeping, scenario_inputs, store_option
from outlay.errors import InfeasibleError, InputError

if TYPE_CHECKING:
    from outlay.planning.result import Plan

EXIT_NO = 1
PATIENCE_S = 2.0
"""How long a person waits without a sign of life."""
PLAIN_COLUMNS = 100
"""Width of the summary where it is not written to a terminal."""


@click.command()
@click.argument("scenario")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON (docs/json.md) instead of the summary.")
@click.option("--html", metavar="FILE", help="Write the plan as one self-contained page.")
@click.option("--xlsx", metavar="FILE", help="Write the plan as a workbook.")
@click.option("--gap", default="0.5%", show_default=True, help="Stop within this much of the best possible.")
@click.option("--time-limit", default="120", show_default=True, metavar="SECONDS", help="Stop after this long.")
@click.option("--without", multiple=True, metavar="STATUS", help="Leave out figures of a status, such as denied.")
@click.option("--claim", "claims", multiple=True, metavar="CLAIM=VALUE", help="Give a claim another value.")
@click.option("--from", "in_force", metavar="FILE", help="Plan in force (JSON): of equals, take what changes least.")
@click.option(
    "--front", nargs=2, metavar="GOAL GOAL", help="What one goal costs in another: value, cost, compute, served, ..."
)
@click.option("--points", type=click.IntRange(2, 50), help="Plans looked for along the front, both ends included.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option(
    "--futures", is_flag=True, help="Plan over the scenario's futures: what to order now, what later, and if."
)
@futures_options
@store_option
def command(
    scenario: str,
    as_json: bool,
    html: str | None,
    xlsx: str | None,
    gap: str,
    time_limit: str,
    without: tuple[str, ...],
    claims: tuple[str, ...],
    in_force: str | None,
    front: tuple[str, str] | None,
    points: int | None,
    quiet: bool,
    futures: bool,
    store: bool,
    **how: Any,
) -> int:
    """Plan SCENARIO: what to buy or lease, from whom, where and when.

    SCENARIO is the name of a bundled scenario, such as bytedance-2025, or the path of a scenario file.
    """
    from outlay.report.files import check_writable

    wanted_gap, limit_s = _gap(gap), _seconds(time_limit)
    _require_together(futures, front, points, in_force)
    if futures:
        from outlay.cli.futures import plan_over_futures

        if html or xlsx:
            msg = "--html and --xlsx show one future; with --futures use --json"
            raise InputError(msg)
        with keeping("plan", store=store) as kept:
            try:
                return plan_over_futures(
                    scenario, wanted_gap, limit_s, as_json=as_json, quiet=quiet, progress=_progress, kept=kept,
                    without=without, claims=claims, **how,
                )  # fmt: skip
            except InfeasibleError as error:
                return _explain(error, scenario, kept, as_json=as_json)
    refuse_without_futures(how)
    for path in (html, xlsx):
        if path is not None:
            check_writable(path)
    # A run of the store is asked for by its scenario alone: one that rests on another plan, or is many, is not kept.
    with keeping("plan", store=store and not in_force and not front) as kept:
        try:
            if front:
                asked = (scenario, front, points, wanted_gap, limit_s, without, claims, html, xlsx)
                return _front(*asked, as_json=as_json, quiet=quiet)
            plan = _solve(scenario, wanted_gap, limit_s, without, claims, in_force, kept, quiet=quiet)
        except InfeasibleError as error:
            return _explain(error, scenario, kept, as_json=as_json)
        _write(plan, html, xlsx)
        if as_json or not quiet:
            _show(plan, as_json=as_json)
    return 0


def _require_together(futures: bool, front: tuple[str, str] | None, points: int | None, in_force: str | None) -> None:
    """Refuse options that do not go together."""
    msg = ""
    if points and not front:
        msg = "--points goes with --front"
    elif in_force and (futures or front):
        msg = "--from breaks ties between plans of one future; it goes with neither --futures nor --front"
    elif futures and front:
        msg = "--front weighs goals in one future; with --futures --risk-weight weighs value against its worst"
    if msg:
        raise InputError(msg)


def _gap(text: str) -> float:
    from outlay.units import quantity

    gap = quantity(text, "")
    if not 0 <= gap < 1:
        msg = f"--gap {text!r}: expected 0% or more and less than 100%, such as 0.5%"
        raise InputError(msg)
    return gap


def _seconds(text: str) -> float:
    from outlay.units import quantity

    try:
        seconds = float(text)
    except ValueError:
        seconds = quantity(text, "s")
    if not (math.isfinite(seconds) and seconds > 0):
        msg = f"--time-limit {text!r}: expected more than zero seconds, such as 120"
        raise InputError(msg)
    return seconds


def _solve(
    scenario: str,
    gap: float,
    limit_s: float,
    without: tuple[str, ...],
    claims: tuple[str, ...],
    in_force: str | None,
    kept: Keeping,
    *,
    quiet: bool,
) -> Plan:
    import outlay
    from outlay.planning import plan
    from outlay.report.document import document

    loaded = outlay.load(scenario)
    asked = {"gap": gap, "time_limit_s": limit_s, "without": list(without), "claims": list(claims), "futures": None}
    kept.asked({**scenario_inputs(scenario, loaded), **asked}, loaded.name)
    loaded = changed_by(loaded, without, claims, quiet=quiet)
    before = None
    if in_force is not None:
        from outlay.planning.futures.stored import read_plan

        before = read_plan(Path(in_force))
    with _progress(show=not quiet and sys.stderr.isatty()) as tell:
        made = plan(loaded, gap=gap, time_limit_s=limit_s, before=before, progress=tell)
    kept.answered(document(made))
    return made


def _front(
    scenario: str,
    goals: tuple[str, str],
    points: int | None,
    gap: float,
    limit_s: float,
    without: tuple[str, ...],
    claims: tuple[str, ...],
    html: str | None,
    xlsx: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    import outlay
    from outlay.cli.front import show_front
    from outlay.planning.pareto import POINTS

    if xlsx:
        msg = "--xlsx shows one plan; with --front use --html or --json"
        raise InputError(msg)
    loaded = changed_by(outlay.load(scenario), without, claims, quiet=quiet)
    return show_front(
        loaded, goals, points=points or POINTS, gap=gap, limit_s=limit_s, html=html, as_json=as_json, quiet=quiet,
        progress=_progress,
    )  # fmt: skip


@contextmanager
def _progress(*, show: bool) -> Iterator[Callable[[str], None] | None]:
    """Give a function that shows what is being done; it is seen only after ``PATIENCE_S`` and leaves no trace."""
    if not show:
        yield None
        return
    from rich.console import Console
    from rich.text import Text

    status = Console(stderr=True).status("planning")
    timer = threading.Timer(PATIENCE_S, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda words: status.update(Text(words))
    finally:
        timer.cancel()
        timer.join()
        status.stop()


def _write(plan: Plan, html: str | None, xlsx: str | None) -> None:
    if html is not None:
        from outlay.report.html import write_html

        write_html(plan, html)
    if xlsx is not None:
        from outlay.report.workbook import write_workbook

        write_workbook(plan, xlsx)


def _show(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        from outlay.report.document import to_json

        click.echo(to_json(plan))
        return
    from rich.console import Console

    from outlay.report.summary import print_summary

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot draw a sign shows "?" instead of failing
    print_summary(plan, Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS))


def _explain(error: InfeasibleError, scenario: str, kept: Keeping, *, as_json: bool) -> int:
    from outlay.report.document import infeasible

    kept.answered(infeasible(error, scenario), EXIT_NO, str(error))
    if as_json:
        from outlay.report.document import infeasible_to_json

        click.echo(infeasible_to_json(error, scenario))
        return EXIT_NO
    lines = [f"no plan: {error}"]
    if error.conflict:
        lines += ["", "These limits cannot hold together:", *(f"  - {limit}" for limit in error.conflict)]
    if error.relaxations:
        ways = (f"  {rank}. {way}" for rank, way in enumerate(error.relaxations, start=1))
        lines += ["", "Cheapest ways out:", *ways]
    click.echo("\n".join(lines), err=True)
    return EXIT_NO
