"""`outlay stress`: runs a fixed plan through thousands of futures and says what breaks it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from outlay.cli.keep import keeping, scenario_inputs, store_option

if TYPE_CHECKING:
    from outlay.planning.futures.stress import Stress


@click.command()
@click.argument("scenario")
@click.option("--plan", "plan_file", metavar="FILE", help="A plan from `outlay plan --json`; by default today's best.")
@click.option("--count", type=click.IntRange(10, 100_000), default=2000, show_default=True, help="Futures to run.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@store_option
def command(scenario: str, plan_file: str | None, count: int, seed: int, as_json: bool, store: bool) -> int:
    """Run a plan of SCENARIO through sampled futures: its value, what breaks it, what would mend it."""
    import outlay
    from outlay.cli.plan import _progress
    from outlay.planning.futures.stored import plan_of, read_document
    from outlay.planning.futures.stress import stress
    from outlay.report.futures import to_json

    loaded = outlay.load(scenario)
    given = None if plan_file is None else read_document(Path(plan_file))
    plan = None if given is None else plan_of(given, str(plan_file))
    with keeping("stress", store=store) as kept:
        kept.asked({**scenario_inputs(scenario, loaded), "plan": given, "count": count, "seed": seed}, loaded.name)
        with _progress(show=sys.stderr.isatty()) as tell:
            found = stress(loaded, plan, count=count, seed=seed, progress=tell or (lambda _: None))
        kept.answered(json.loads(to_json(found)))
        click.echo(to_json(found) if as_json else _text(found))
    return 0


def _text(found: Stress) -> str:
    from outlay.units import human

    money = found.currency
    lines = [
        f"{found.scenario}: the plan through {found.futures:,} futures (seed {found.seed})",
        f"value as known today {human(found.as_known)} {money}; mean {human(found.mean)}, worst tenth "
        f"{human(found.worst_tenth)}",
        "quantiles: " + ", ".join(f"{q} {human(v)}" for q, v in found.quantiles.items()),
        f"{found.broken:.1%} of futures break it (less than half the value left); {found.served:.0%} of demand "
        f"served on average",
        "",
        "event (how often): mean value with and without it; broken with and without",
    ]
    lines += [
        f"  {event.event} ({event.share:.0%}): {human(event.value_with)}, {human(event.value_without)} {money}; "
        f"{event.broken_with:.0%}, {event.broken_without:.0%}"
        for event in found.events
    ]
    if found.mends:
        lines += [
            "",
            "what would have mended the broken futures, per unit:",
            *(f"  {mend.words}" for mend in found.mends),
        ]
    lines += ["", "worst futures:"]
    for one in found.worst:
        happened = ", ".join(str(words) for words in one["happenings"]) or "no event"  # type: ignore[attr-defined]
        lines.append(f"  {human(float(one['value']))} {money}, {float(one['served']):.0%} served: {happened}")  # type: ignore[arg-type]
    return "\n".join(lines)
