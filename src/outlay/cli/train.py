"""`outlay train`: how long a model takes to train on some chips, with which strategy, and what that costs."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.choices import show_choices, show_sensitivity
from outlay.errors import InputError, MissingFigureError, OutlayError, UnitError, unknown
from outlay.units import GB, human, quantity

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.catalog.records import Chip
    from outlay.performance.search import TrainingEstimate

DTYPES = ("bf16", "fp16", "fp8", "fp8_block", "fp4", "int8")
SCHEMA = 1


@click.command()
@click.argument("model")
@click.option(
    "--on", "place", required=True, metavar="SYSTEM:CHIPS", help='A system or a chip and how many: "H100 SXM:16384".'
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
    "--sensitivity", is_flag=True, help="Also say what 1 % more of each hardware figure does to the step time (JAX)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--catalog", "extra", metavar="FILE", help="Your own records over the bundled catalogue.")
def command(
    model: str,
    place: str,
    tokens: str | None,
    seq: str,
    batch: str | None,
    dtype: str,
    strategy: str | None,
    stack: str,
    sensitivity: bool,
    as_json: bool,
    extra: str | None,
) -> int:
    """Train MODEL on some chips: the best strategy, its step time, MFU and memory, and days, energy and cost."""
    from outlay.catalog import Catalog
    from outlay.performance import search
    from outlay.performance.strategy import stacks

    if dtype not in DTYPES:
        raise InputError(unknown("data type", dtype, DTYPES))
    if stack not in stacks():
        raise InputError(unknown("software generation", stack, stacks()))
    name, chips = parse_place(place)
    wanted = None if tokens is None else count(tokens, "--tokens")
    catalog = Catalog.load(Path(extra) if extra else None)
    system = catalog.resolve_system(name)
    chip = catalog.chip(system.chip)
    estimate = search.best_training(
        catalog.model(model),
        system,
        chips,
        sequence=int(count(seq, "--seq")),
        batch_tokens=None if batch is None else count(batch, "--batch"),
        dtype=dtype,
        fixed=search.parse_strategy(strategy) if strategy else None,
        chip=chip,
        stack=stack,
        sensitivity=sensitivity,
    )
    whole = _run(estimate, wanted, catalog, chip) if wanted else {}
    if as_json:
        click.echo(json.dumps(_as_dict(estimate, whole), indent=2))
    else:
        _show(estimate, whole)
    return 0


def parse_place(text: str) -> tuple[str, int]:
    """Read ``H100 SXM:16384`` into a name and a number of chips."""
    name, colon, number = text.rpartition(":")
    if not colon or not name.strip():
        msg = f"--on {text!r} is not SYSTEM:CHIPS; expected a system or chip and a number, such as 'H100 SXM:16384'"
        raise InputError(msg)
    chips = count(number, "--on chips")
    if chips != int(chips):
        msg = f"--on {text!r}: {number!r} is not a whole number of chips"
        raise InputError(msg)
    return name.strip(), int(chips)


def count(text: str, option: str) -> float:
    """Read a number above zero as people write it: 15T, 16M, 8192, 15 trillion tokens."""
    try:
        plain = not any(letter.isalpha() for letter in text.replace("e", "").replace("E", ""))
        value = quantity(text, "") if plain else quantity(text if "token" in text else f"{text} tokens", "token")
    except UnitError as error:
        msg = f"{option}: {error}"
        raise InputError(msg) from None
    if value <= 0:
        msg = f"{option} must be above zero, not {text!r}"
        raise InputError(msg)
    return value


def _run(estimate: TrainingEstimate, tokens: float, catalog: Catalog, chip: Chip) -> dict[str, Any]:
    """Return days, energy and cost of the whole run."""
    days = estimate.days(tokens)
    low, high = estimate.days_band(tokens)
    hours = days * 24
    energy = None if estimate.power_w is None else estimate.power_w * hours / 1e6
    return {
        "tokens": tokens,
        "days": days,
        "days_low": low,
        "days_high": high,
        "chip_hours": hours * estimate.chips,
        "energy_mwh": energy,
        "cost": _cost(catalog, chip, hours * estimate.chips),
    }


def _cost(catalog: Catalog, chip: Chip, chip_hours: float) -> dict[str, Any]:
    """Return the cost at the rent known today with its basis, or why there is none."""
    from outlay.finance.pricing import rental_price

    try:
        price = rental_price(catalog, chip, date.today())
    except (MissingFigureError, OutlayError) as error:
        return {"amount": None, "reason": str(error)}
    return {
        "amount": price.amount * chip_hours,
        "low": price.low * chip_hours,
        "high": price.high * chip_hours,
        "currency": price.currency,
        "per_chip_hour": price.amount,
        "basis": price.basis,
        "date": price.date,
    }


def _as_dict(estimate: TrainingEstimate, whole: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    values = asdict(estimate)
    search = {name: values.pop(name) for name in ("strategies", "feasible", "cpu_s")}
    return {"schema": SCHEMA, **values, "search": search, "run": whole or None}


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
        _add_run(facts, estimate, whole)
    facts.add_row("basis", estimate.basis)
    searched = f"{estimate.strategies:,} strategies, {estimate.feasible:,} fit the memory"
    facts.add_row("search", f"{searched}; {estimate.cpu_s:.2f} s of CPU")
    console.print(facts)
    show_choices(console, estimate)
    show_sensitivity(console, estimate)
    for warning in estimate.warnings:
        console.print(f"[yellow]note[/] {warning}")


def _add_run(facts: Any, estimate: TrainingEstimate, whole: dict[str, Any]) -> None:
    days = f"{whole['days']:.1f} ({whole['days_low']:.1f} to {whole['days_high']:.1f}) without interruptions"
    facts.add_row("days", f"{days}, for {human(whole['tokens'])} tokens; {human(whole['chip_hours'])} chip-hours")
    if whole["energy_mwh"] is None:
        facts.add_row("energy", "not known: no source gives the power")
    else:
        facts.add_row(
            "energy",
            f"{human(whole['energy_mwh'])} MWh at {human(float(estimate.power_w or 0) / 1e6)} MW, cooling apart",
        )
    cost = whole["cost"]
    if cost["amount"] is None:
        facts.add_row("cost", f"not known: {cost['reason']}")
    else:
        rent = f"{cost['per_chip_hour']:.2f} {cost['currency']} a chip-hour"
        facts.add_row("cost", f"{human(cost['amount'])} {cost['currency']} at a rent of {rent} ({cost['basis']})")
