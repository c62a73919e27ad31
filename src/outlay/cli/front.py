"""`outlay plan --front`: what one goal costs in another, as a table, as JSON, and on the plan's page."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from outlay.planning.pareto import Front
    from outlay.scenario.schema import Scenario

Progress = Callable[..., AbstractContextManager[Callable[[str], None] | None]]
MOST_SYSTEMS = 3


def show_front(
    scenario: Scenario,
    goals: tuple[str, str],
    *,
    points: int,
    gap: float,
    limit_s: float,
    html: str | None,
    as_json: bool,
    quiet: bool,
    progress: Progress,
) -> int:
    """Find the front of two goals and show it; with ``html``, the plan's own page has it as a chart."""
    from outlay.planning import plan
    from outlay.planning.pareto import front

    with progress(show=not quiet and sys.stderr.isatty()) as tell:
        say = tell or (lambda _: None)
        found = front(scenario, *goals, points=points, gap=gap, time_limit_s=limit_s, progress=say)
        if html is not None:
            from dataclasses import replace

            from outlay.report.front import front_record
            from outlay.report.html import write_html

            own = plan(scenario, gap=gap, time_limit_s=limit_s, progress=say)
            write_html(replace(own, extra={**own.extra, "front": front_record(found)}), html)
    if as_json:
        from outlay.report.front import to_json

        click.echo(to_json(found))
    elif not quiet:
        click.echo("\n".join(lines(found)))
    return 0


def lines(found: Front) -> Iterator[str]:
    """Yield the front as text: a line a plan, with what a step costs."""
    from outlay.report.front import exchange, reached, systems

    one, two = found.first, found.second
    yield f"{found.scenario}: {one.name} against {two.name}, {len(found.points)} plans, none beaten in both"
    yield f"{one.name}: {one.words}, {one.unit}; {two.name}: {two.words}, {two.unit}"
    yield ""
    yield f"{one.name:>10} {two.name:>10}  chips, most first"
    for before, point in zip([None, *found.points], found.points, strict=False):
        if before is not None:
            yield f"{'':>22}  {exchange(found, before, point)}"
        most = "; ".join(f"{chips:,} {name}" for name, chips in systems(point)[:MOST_SYSTEMS]) or "nothing"
        loose = f"  (proven within {point.gap:.1%} of the range)" if point.gap > 0.01 else ""
        yield f"{reached(one, point.first):>10} {reached(two, point.second):>10}  {most}{loose}"
    if len(found.points) < found.asked:
        yield f"{found.asked} points were looked for; the others are these again, or beaten by one of them"
