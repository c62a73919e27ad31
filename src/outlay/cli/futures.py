"""The options of planning over futures, shared by `outlay plan --futures`, `stress` and `backtest`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.cli.keep import Keeping
    from outlay.planning.futures.solve import Settings
    from outlay.scenario.schema import Scenario

PLAIN_COLUMNS = 100
Progress = Callable[..., AbstractContextManager[Callable[[str], None] | None]]
OPTIONS = (
    click.option("--draws", type=click.IntRange(1, 4096), help="Draws of the drifts for each course of events."),
    click.option("--branches", type=click.IntRange(1, 2000), help="Courses of events to keep."),
    click.option("--seed", type=click.IntRange(0), help="Seed of the draws."),
    click.option("--risk-weight", metavar="SHARE", help="Weight of the worst futures in the objective, such as 30%."),
    click.option("--risk-level", metavar="SHARE", help="Which are the worst: 90% stands for the worst tenth."),
    click.option("--regret", is_flag=True, help="Judge by what is given up against perfect foresight."),
    click.option("--method", type=click.Choice(["auto", "extensive", "benders"]), help="How to solve; auto says why."),
    click.option(
        "--workers", type=click.IntRange(1, 256), help="Local processes; the plan is the same for any number."
    ),
    click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler, such as tcp://10.0.0.1:8786."),
    click.option("--checkpoint", metavar="FOLDER", help="Keep answers there as they come."),
    click.option("--resume", is_flag=True, help="Go on with the run kept in --checkpoint."),
    click.option("--no-explain", is_flag=True, help="Leave out ranges, values of knowing and simple plans."),
)


def futures_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of planning over futures to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def refuse_without_futures(how: dict[str, Any]) -> None:
    """Refuse options of planning over futures where none are planned over."""
    given = [name for name, value in how.items() if value]
    if given:
        msg = f"--{given[0].replace('_', '-')} goes with --futures"
        raise InputError(msg)


def settings_of(scenario: str, gap: float, limit_s: float, how: dict[str, Any]) -> Settings:
    """Return the settings of the options given."""
    from outlay.planning.futures.risk import Risk
    from outlay.planning.futures.solve import Settings

    if how["resume"] and not how["checkpoint"]:
        msg = "--resume needs the folder of the run: --checkpoint FOLDER"
        raise InputError(msg)
    if how["cluster"] and how["workers"]:
        msg = "give --workers or --cluster, not both"
        raise InputError(msg)
    return Settings(
        gap=gap,
        risk=Risk(_share("--risk-weight", how["risk_weight"], 0.0), _share("--risk-level", how["risk_level"], 0.9)),
        method=how["method"] or "auto",
        goal="regret" if how["regret"] else "value",
        workers=how["workers"] or 1,
        cluster=how["cluster"],
        checkpoint=Path(how["checkpoint"]) if how["checkpoint"] else None,
        resume=how["resume"],
        time_limit_s=limit_s,
        name=scenario,
    )


def _kept(how: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return how to plan over futures as the run store keeps it: without what changes no answer, such as workers."""
    return {
        **{name: how[name] for name in ("draws", "branches", "seed")},
        "risk_weight": settings.risk.weight,
        "risk_level": settings.risk.level,
        "regret": settings.goal == "regret",
        "method": settings.method,
        "explain": not how["no_explain"],
    }


def _share(option: str, text: str | None, default: float) -> float:
    from outlay.units import quantity

    if text is None:
        return default
    try:
        return float(quantity(text, ""))
    except InputError as error:
        msg = f"{option} {text!r}: {error}"
        raise InputError(msg) from None


def changed_by(scenario: Scenario, without: tuple[str, ...], claims: tuple[str, ...], *, quiet: bool) -> Scenario:
    """Return a scenario with what `--without` and `--claim` change, telling what that is."""
    if not without and not claims:
        return scenario
    from outlay.scenario.what_if import what_if

    changed, told = what_if(scenario, without, claims)
    for words in told if not quiet else ():
        click.echo(words, err=True)
    return changed


def plan_over_futures(
    scenario: str,
    gap: float,
    limit_s: float,
    as_json: bool,
    quiet: bool,
    progress: Progress,
    kept: Keeping,
    without: tuple[str, ...] = (),
    claims: tuple[str, ...] = (),
    **how: Any,
) -> int:
    """Plan over a scenario's futures and show the plan."""
    import outlay
    from outlay.cli.keep import scenario_inputs
    from outlay.planning.futures.plan import plan_futures
    from outlay.report.futures import print_hedged, to_json

    loaded = outlay.load(scenario)
    settings = settings_of(loaded.name, gap, limit_s, how)
    asked = {
        "gap": gap,
        "time_limit_s": limit_s,
        "without": list(without),
        "claims": list(claims),
        "futures": _kept(how, settings),
    }
    kept.asked({**scenario_inputs(scenario, loaded), **asked}, loaded.name)
    loaded = changed_by(loaded, without, claims, quiet=quiet)
    with progress(show=not quiet and sys.stderr.isatty()) as tell:
        hedged = plan_futures(
            loaded,
            settings,
            draws=how["draws"],
            branches=how["branches"],
            seed=how["seed"],
            explain=not how["no_explain"],
            progress=tell or (lambda _: None),
        )
    kept.answered(json.loads(to_json(hedged.plan)))
    if as_json:
        click.echo(to_json(hedged.plan))
    elif not quiet:
        from rich.console import Console

        print_hedged(hedged.plan, Console(width=None if sys.stdout.isatty() else PLAIN_COLUMNS, highlight=False))
    return 0
