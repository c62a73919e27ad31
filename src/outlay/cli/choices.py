"""Tables beside the best strategy: runners-up, front with memory and chips, what is faster on paper, sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from outlay.units import GB

if TYPE_CHECKING:
    from rich.console import Console

    from outlay.performance.search import Choice, TrainingEstimate

MOST_ROWS = 12
LEAST_PER_CENT = 0.0001
Item = TypeVar("Item")


def show_choices(console: Console, estimate: TrainingEstimate) -> None:
    """Print what came close to the best strategy, and what more time buys in memory and chips."""
    if estimate.runners_up:
        _table(console, "runners-up", estimate.runners_up, estimate)
    if len(estimate.front) > 1:
        shown = spread(estimate.front, MOST_ROWS)
        title = "front of time, memory and chips"
        if len(shown) < len(estimate.front):
            title += f", {len(shown)} of {len(estimate.front)} (all with --json)"
        _table(console, title, shown, estimate)
    if estimate.on_paper:
        _table(console, "faster on paper", estimate.on_paper, estimate)


def show_sensitivity(console: Console, estimate: TrainingEstimate) -> None:
    """Print what each hardware figure does to the step time, where that was asked for."""
    if estimate.sensitivity is None:
        return
    console.print("\n[bold]1 % more of a figure changes the step time by[/]")
    for one in estimate.sensitivity:
        if abs(one.per_cent) >= LEAST_PER_CENT:
            console.print(f"{one.per_cent:+9.4f} %  {one.figure} ({one.value:.4g})")
    console.print(f"[dim]others by less than {LEAST_PER_CENT} %; figures in SI units[/]")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most ``most`` of the items, the first and the last among them and the others evenly between."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _table(console: Console, title: str, choices: Sequence[Choice], estimate: TrainingEstimate) -> None:
    console.print(f"\n[bold]{title}[/]")
    console.print(f"{'step s':>9} {'to best':>8} {'MFU':>6} {'GB a chip':>9} {'chips':>9}  strategy")
    for choice in choices:
        slower = choice.step_time_s / estimate.step_time_s - 1
        console.print(
            f"{choice.step_time_s:9.2f} {slower:+8.1%} {choice.mfu:6.1%} {choice.memory_bytes / GB:9.1f} "
            f"{choice.chips:9,}  {choice.strategy}{'' if choice.tried else ' *'}"
        )
    if not all(choice.tried for choice in choices):
        console.print("[dim]* has parts that no run of the calibration used: the error band does not cover it[/]")
