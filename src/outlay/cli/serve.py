"""`outlay serve`: what some chips serve of a model under latency targets."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import CatalogError, InputError, MissingFigureError

if TYPE_CHECKING:
    from outlay.catalog import Catalog, System
    from outlay.performance.serving_search import ServingEstimate


@click.command()
@click.argument("model")
@click.option(
    "--on", "where", required=True, metavar="SYSTEM[:CHIPS]", help="A system, or a chip for its usual system."
)
@click.option("--input", "input_tokens", required=True, help="Tokens of a prompt.")
@click.option("--output", "output_tokens", required=True, help="Tokens of an answer.")
@click.option("--ttft", default="2 s", show_default=True, help="Target of the mean time to first token.")
@click.option("--tpot", default="50 ms", show_default=True, help="Target of the mean time per output token.")
@click.option("--rate", help="Requests over time, such as 50/s; sizes the fleet where no chips are given.")
@click.option("--batch", help="Requests on a replica at once, where the search shall not choose them.")
@click.option("--dtype", default="fp8", show_default=True, help="Type of the weights: bf16, fp8, int8 or fp4.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: str,
    where: str,
    input_tokens: str,
    output_tokens: str,
    ttft: str,
    tpot: str,
    rate: str | None,
    batch: str | None,
    dtype: str,
    extra: Path | None,
    as_json: bool,
) -> int:
    r"""Find the configuration that serves the most tokens a second and chip within the targets.

    \b
    outlay serve Llama-3.1-70B --on "H100 SXM:8" --input 3000 --output 500 --ttft 1s --tpot 30ms
    outlay serve DeepSeek-V3 --on "H200:64" --input 2000 --output 500 --rate 50/s
    """
    from outlay.catalog import Catalog
    from outlay.performance.serving_search import best_serving
    from outlay.units import quantity

    catalog = Catalog.load(extra)
    name, _, count = where.partition(":")
    system = catalog.resolve_system(name)
    chips = _whole("the number of chips of --on", count) if count else None
    lengths = _whole("--input", input_tokens), _whole("--output", output_tokens)
    found = best_serving(
        catalog.model(model),
        system,
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        ttft_s=quantity(ttft, "s"),
        tpot_s=quantity(tpot, "s"),
        dtype=dtype,
        chips=chips,
        batch=None if batch is None else _whole("--batch", batch),
        catalog=catalog,
    )
    requests = None if rate is None else _rate(rate)
    answer = _fleet(catalog, system, found, chips, requests, lengths)
    if as_json:
        click.echo(
            json.dumps({"schema": 1, "model": model, "system": system.name, **answer, **asdict(found)}, indent=2)
        )
    else:
        _print(model, system, found, answer)
    return 0 if answer["enough"] is not False else 1


def _whole(name: str, text: str) -> int:
    from outlay.units import quantity

    value = quantity(text, "token") if "tok" in text else quantity(text, "")
    if value < 1 or value != int(value):
        msg = f"{name} must be a whole number of one or more; got {text}"
        raise InputError(msg)
    return int(value)


def _rate(text: str) -> float:
    """Read requests over time, such as 50/s or 3,000 requests/min, as requests a second."""
    from outlay.units import quantity

    number, _, period = text.partition("/")
    count = number.strip().removesuffix("requests").removesuffix("req")
    if not period:
        msg = f"--rate {text!r} is not requests over time; expected a rate such as 50/s"
        raise InputError(msg)
    value = quantity(count, "") / quantity(f"1 {period}", "s")
    if value <= 0:
        msg = f"--rate must be more than zero; got {text}"
        raise InputError(msg)
    return value


def _fleet(
    catalog: Catalog,
    system: System,
    found: ServingEstimate,
    chips: int | None,
    requests: float | None,
    lengths: tuple[int, int],
) -> dict[str, Any]:
    """Return the fleet: its size, what it serves, whether that is enough, and what a million tokens cost."""
    per_replica = found.output_tokens_per_s_per_chip * found.chips_per_replica / lengths[1]
    if chips is None:
        replicas = 1 if requests is None else math.ceil(requests / per_replica)
    else:
        replicas = chips // found.chips_per_replica
    cost, source = _cost(catalog, system, found)
    return {
        "chips": replicas * found.chips_per_replica,
        "replicas": replicas,
        "requests_per_s": replicas * per_replica,
        "tokens_per_s": replicas * per_replica * sum(lengths),
        "enough": None if requests is None else replicas * per_replica >= requests,
        "cost_per_million_tokens": cost,
        "cost_basis": source,
    }


def _cost(catalog: Catalog, system: System, found: ServingEstimate) -> tuple[float | None, str]:
    from outlay.finance.pricing import rental_price

    try:
        rent = rental_price(catalog, catalog.chip(system.chip), date.max)
    except (MissingFigureError, CatalogError) as error:
        return None, str(error)
    per_token = rent.amount / 3600 / found.tokens_per_s_per_chip
    return per_token * 1e6, f"{rent.amount:g} {rent.currency} per chip-hour, {rent.date}, {rent.basis}"


def _print(model: str, system: System, found: ServingEstimate, answer: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from outlay.units import human

    console = Console(highlight=False)
    console.print(f"[bold]{model} on {answer['chips']:,} x {system.chip}[/bold] ({system.name})")
    table = Table(box=None, show_header=False, pad_edge=False)
    low, high = found.low * found.tokens_per_s_per_chip, found.high * found.tokens_per_s_per_chip
    rows = [
        ("replica", f"{found.chips_per_replica} chips, {found.strategy}; {answer['replicas']:,} replicas"),
        ("time to first token", f"{found.ttft_s:.3g} s"),
        ("time per output token", f"{found.tpot_s * 1e3:.3g} ms"),
        ("tokens a second and chip", f"{found.tokens_per_s_per_chip:,.0f} (80 % band {low:,.0f} to {high:,.0f})"),
        ("  of it output", f"{found.output_tokens_per_s_per_chip:,.0f}"),
        ("fleet", f"{human(answer['tokens_per_s'])} tokens/s, {answer['requests_per_s']:,.3g} requests/s"),
        ("memory of a chip", ", ".join(f"{kind} {size / 1e9:.1f} GB" for kind, size in found.memory_bytes.items())),
        (
            "energy",
            "no power known" if found.energy_j_per_token is None else f"{found.energy_j_per_token:.3g} J a token",
        ),
        ("cost", _cost_words(answer)),
        ("rests on", found.basis),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for warning in found.warnings:
        console.print(f"note: {warning}")
    if answer["enough"] is False:
        console.print("not enough for the rate asked for")


def _cost_words(answer: dict[str, Any]) -> str:
    if answer["cost_per_million_tokens"] is None:
        return f"none known: {answer['cost_basis']}"
    return f"{answer['cost_per_million_tokens']:.3g} per million tokens, at {answer['cost_basis']}"
