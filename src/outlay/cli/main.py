"""The command `outlay`: loads each subcommand when it is called, turns errors into one message and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from outlay import __version__
from outlay.errors import InfeasibleError, InputError, MissingFigureError, NoFitError, OutlayError, nearest

COMMANDS = {
    "plan": ("outlay.cli.plan", "Plan a scenario: what to buy or lease, from whom, where and when."),
    "stress": ("outlay.cli.stress", "Run a plan through thousands of futures and say what breaks it."),
    "backtest": (
        "outlay.cli.backtest",
        "Plan again on each past date with what was known; then what happened strikes.",
    ),
    "diff": ("outlay.cli.diff", "What changed between two plans."),
    "train": ("outlay.cli.train", "How long a model takes to train on some chips, and with which strategy."),
    "serve": ("outlay.cli.serve", "What some chips serve of a model under latency targets."),
    "cost": ("outlay.cli.cost", "What owning a system at a site costs, or a plan's money by quarter and currency."),
    "rent-or-buy": ("outlay.cli.rent_or_buy", "Whether to buy, lease or rent a chip for so many hours."),
    "check": ("outlay.cli.check", "Whether a chip may go to a place, on a date, for a buyer."),
    "roofline": ("outlay.cli.roofline", "What a chip can do at most, and what a model's operations reach of it."),
    "catalog": (
        "outlay.cli.catalog",
        "Chips, systems, models, sites, prices and supply, every figure with its source.",
    ),
    "validate": ("outlay.cli.validate", "Predicted against published, with errors by chip family."),
    "calibrate": ("outlay.cli.calibrate", "Fit the efficiency curves again from the measured kernels."),
    "read": ("outlay.cli.read", "Read a news story: claims, who makes and denies them, and a draft scenario."),
    "evidence": ("outlay.cli.evidence", "The chain from a plan's output back to its witnesses."),
    "runs": ("outlay.cli.runs", "List, show, compare, repeat, export and delete the runs kept."),
    "web": ("outlay.cli.web", "Open the page and the HTTP API on this machine."),
    "init": ("outlay.cli.init", "Write a commented scenario to start from."),
    "schema": ("outlay.cli.schema", "Print the JSON schema of scenario files or of plans."),
}
EXIT_NO, EXIT_BAD_INPUT = 1, 2


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = importlib.import_module(module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Offer the nearest command where a name is unknown."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = nearest(args[0], COMMANDS)
            hint = f"nearest: {', '.join(close)}" if close else f"commands: {', '.join(COMMANDS)}"
            ctx.fail(f"no such command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="outlay")
def cli() -> None:
    """Plan an AI-infrastructure build-out under money, rules, supply and power; every number with its source."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the answer is no, 2 bad input."""
    # Matrices here are narrow: threads of the linear algebra only wait for each other, at twice the CPU time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        outcome: Any = cli.main(args=arguments, prog_name="outlay", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.Abort:
        click.echo("stopped", err=True)
        return EXIT_NO
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        return EXIT_BAD_INPUT
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        return EXIT_BAD_INPUT
    except InfeasibleError as error:
        click.echo(f"no plan: {error}", err=True)
        return EXIT_NO
    except (NoFitError, MissingFigureError) as error:
        click.echo(f"no answer: {error}", err=True)
        return EXIT_NO
    except OutlayError as error:
        click.echo(f"failed: {error}", err=True)
        return EXIT_NO
    except BrokenPipeError:
        return 0
    return outcome if isinstance(outcome, int) else 0


if __name__ == "__main__":
    main()
