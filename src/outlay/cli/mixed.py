"""`outlay train` with several ``--on``: one training run over several kinds of chip or sites, against one alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from outlay.cli import whole_run
from outlay.units import GB, human

if TYPE_CHECKING:
    from outlay.performance.mixed_search import Alone, KindShare, MixedEstimate


def show(estimate: MixedEstimate, run: Mapping[str, Any]) -> None:
    """Print a run over several kinds."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    fleet = " + ".join(f"{kind.chips:,} x {kind.name}" for kind in estimate.kinds)
    console.print(f"[bold]{estimate.model}[/] on {fleet}, {estimate.dtype}, as one {_WORDS[estimate.way]}")
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    batch = estimate.batch_sequences * estimate.sequence
    facts.add_row("batch", f"{human(batch)} tokens ({estimate.batch_sequences:,} x {estimate.sequence:,})")
    facts.add_row(
        "step time", f"{estimate.step_time_s:.2f} s ({estimate.step_low_s:.2f} to {estimate.step_high_s:.2f})"
    )
    parts = [
        f"{kind} {seconds / estimate.step_time_s:.0%}"
        for kind, seconds in estimate.breakdown.items()
        if seconds >= 0.005 * estimate.step_time_s
    ]
    facts.add_row("time goes to", ", ".join(parts))
    facts.add_row("tokens", f"{human(estimate.tokens_per_s)}/s; {_verdict(estimate)}")
    facts.add_row("ways", ", ".join(f"{way} {seconds:.2f} s" for way, seconds in estimate.ways.items()))
    for kind in estimate.kinds:
        facts.add_row(kind.name, _kind(kind))
    for alone in estimate.alone:
        facts.add_row(f"{alone.name} alone", _alone(alone))
    for name in estimate.idle:
        facts.add_row(name, "idle: the run is faster without it")
    if run:
        whole_run.show(facts, run, estimate.power_w)
    facts.add_row("basis", estimate.basis)
    facts.add_row("search", f"{estimate.plans:,} plans")
    console.print(facts)
    for warning in estimate.warnings:
        console.print(f"[yellow]note[/] {warning}")


_WORDS = {"pipeline": "pipeline over kinds", "replicas": "set of replicas, each within a kind", "alone": "kind alone"}


def _verdict(estimate: MixedEstimate) -> str:
    if estimate.way == "alone":
        return "mixing does not pay"
    if estimate.gain is None:
        return "no kind can train it alone"
    gain = f"{estimate.gain:.2f} times the best kind alone"
    if estimate.gain < 1:
        gain += ": mixing does not pay"
    return gain if estimate.of_sum is None else f"{gain}, {estimate.of_sum:.0%} of all kinds alone together"


def _kind(kind: KindShare) -> str:
    layers = f"layers {', '.join(map(str, kind.layers))}; " if kind.layers else f"{kind.sequences:,} sequences; "
    memory = f"{kind.memory / GB:.1f} of {kind.memory_limit / GB:.0f} GB"
    return (
        f"{kind.share:.0%} of the work: {kind.strategy}; {layers}busy {kind.busy_s:.2f} s, MFU {kind.mfu:.1%}, {memory}"
    )


def _alone(alone: Alone) -> str:
    if alone.tokens_per_s is None:
        return f"none: {alone.reason}"
    return f"{alone.step_time_s:.2f} s a step, {human(alone.tokens_per_s)} tokens/s: {alone.strategy}"
