"""`outlay train`: how long a model takes to train on some chips, with which strategy, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.choices import show_choices, show_sensitivity
from outlay.cli.whole_run import show
from outlay.report.training import DTYPES
from outlay.units import GB, human

if TYPE_CHECKING:
    from outlay.performance.search import TrainingEstimate


@click.command()
@click.argument("model")
@click.option(
    "--on",
    "places",
    required=True,
    multiple=True,
    metavar="SYSTEM:CHIPS",
    help='A system or a chip and how many: "H100 SXM:16384"; once for each where one run takes several kinds or sites.',
)
@click.option("--tokens", metavar="TOKENS", help="Tokens to train on, such as 15T; gives days, energy and cost.")
@click.option("--seq", default="4096", show_default=True, metavar="TOKENS", help="Sequence length.")
@click.option("--batch", metavar="TOKENS", help="Tokens a step, such as 16M; by the number of chips where left out.")
@click.option("--dtype", default="bf16", show_default=True, metavar="TYPE", help=f"One of {', '.join(DTYPES)}.")
@click.option(
    "--strategy", metavar="PARTS", help="Parts of the strategy to fix: tp=8,pp=16,mbs=1 ...; the rest is searched."
)
@click.option("--stack", default="current", show_default=True, metavar="NAME", help="Software generation.")
@click.option(
    "--link",
    metavar="PARTS",
    help="What joins several kinds or sites: rate=200Gb/s,trunk=1.6Tb/s,latency=20ms,host=yes.",
)
@click.option(
    "--mix", metavar="WAY", help="How several kinds share the run: pipeline or replicas; the faster where left out."
)
@click.option(
    "--outer-steps", metavar="STEPS", help="Replicas of several kinds sum their gradients every so many steps."
)
@click.option(
    "--sensitivity", is_flag=True, help="Also say what 1 % more of each hardware figure does to the step time (JAX)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--catalog", "extra", metavar="FILE", help="Your own records over the bundled catalogue.")
def command(
    model: str,
    places: tuple[str, ...],
    tokens: str | None,
    seq: str,
    batch: str | None,
    dtype: str,
    strategy: str | None,
    stack: str,
    link: str | None,
    mix: str | None,
    outer_steps: str | None,
    sensitivity: bool,
    as_json: bool,
    extra: str | None,
) -> int:
    """Train MODEL on some chips: the best strategy, its step time, MFU and memory, and days, energy and cost.

    With --on given several times, one run over several kinds of chip or sites: how to split it, and whether it pays.
    """
    from outlay.catalog import Catalog
    from outlay.performance.search import TrainingEstimate
    from outlay.report.question import asked
    from outlay.report.training import TrainQuestion, document, train

    fields = {"model": model, "on": places, "tokens": tokens, "seq": seq, "batch": batch, "dtype": dtype}
    fields |= {"strategy": strategy, "stack": stack, "link": link, "mix": mix, "outer_steps": outer_steps}
    question = asked(TrainQuestion, "train", {**fields, "sensitivity": sensitivity})
    estimate, whole = train(Catalog.load(Path(extra) if extra else None), question)
    if as_json:
        click.echo(json.dumps(document(estimate, whole), indent=2))
    elif isinstance(estimate, TrainingEstimate):
        _show(estimate, whole)
    else:
        from outlay.cli.mixed import show as show_mixed

        show_mixed(estimate, whole)
    return 0


def _show(estimate: TrainingEstimate, whole: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"[bold]{estimate.model}[/] on {estimate.chips:,} x {estimate.chip} ({estimate.system}), {estimate.dtype}"
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")  # a long strategy goes on in the next line
    batch = estimate.batch_sequences * estimate.sequence
    facts.add_row("strategy", estimate.strategy)
    facts.add_row("batch", f"{human(batch)} tokens ({estimate.batch_sequences:,} x {estimate.sequence:,})")
    facts.add_row(
        "step time", f"{estimate.step_time_s:.2f} s ({estimate.step_low_s:.2f} to {estimate.step_high_s:.2f})"
    )
    facts.add_row("MFU", f"{estimate.mfu:.1%} of {estimate.mfu_peak}")
    facts.add_row("tokens", f"{human(estimate.tokens_per_s)}/s, {estimate.tokens_per_s / estimate.chips:,.0f}/s a chip")
    used = sum(estimate.memory.values())
    kinds = ", ".join(f"{kind} {size / GB:.1f}" for kind, size in estimate.memory.items())
    facts.add_row("memory", f"{used / GB:.1f} of {estimate.memory_limit / GB:.0f} GB: {kinds}")
    parts = ", ".join(
        f"{k} {v / estimate.step_time_s:.0%}"
        for k, v in estimate.breakdown.items()
        if v >= 0.005 * estimate.step_time_s
    )
    facts.add_row("time goes to", parts)
    if whole:
        show(facts, whole, estimate.power_w)
    facts.add_row("basis", estimate.basis)
    searched = f"{estimate.strategies:,} strategies, {estimate.feasible:,} fit the memory"
    facts.add_row("search", f"{searched}; {estimate.cpu_s:.2f} s of CPU")
    console.print(facts)
    show_choices(console, estimate)
    show_sensitivity(console, estimate)
    for warning in estimate.warnings:
        console.print(f"[yellow]note[/] {warning}")
