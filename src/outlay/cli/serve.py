"""`outlay serve`: what some chips serve of a model under latency targets."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import CatalogError, InputError, MissingFigureError, NoFitError

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
@click.option("--share", help="Share of the requests that shall meet the targets, such as 90%; else their mean does.")
@click.option("--batch", help="Requests on a replica at once, where the search shall not choose them.")
@click.option("--dtype", default="fp8", show_default=True, help="Type of the weights: bf16, fp8, int8, int4 or fp4.")
@click.option("--kv", help="Type of the KV cache: bf16, fp8 or int8.  [default: bf16]")
@click.option("--engine", "software", help="Engine; by default the one its family of chips is usually served with.")
@click.option("--cached", default="0", show_default=True, help="Share of a prompt found in the prefix cache.")
@click.option("--draft", default=0, show_default=True, help="Tokens that speculative decoding drafts a step.")
@click.option("--acceptance", default="85%", show_default=True, help="Share of drafted tokens accepted.")
@click.option("--pools", is_flag=True, help="Try chips of their own for prompts, too.")
@click.option("--front", is_flag=True, help="Show the front of speed against the time of a token.")
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
    share: str | None,
    batch: str | None,
    dtype: str,
    kv: str | None,
    software: str | None,
    cached: str,
    draft: int,
    acceptance: str,
    pools: bool,
    front: bool,
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
    requests = None if rate is None else _rate(rate)
    targets = quantity(ttft, "s"), quantity(tpot, "s")
    found = best_serving(
        catalog.model(model),
        system,
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        ttft_s=targets[0],
        tpot_s=targets[1],
        dtype=dtype,
        kv=kv,
        chips=chips,
        batch=None if batch is None else _whole("--batch", batch),
        software=software,
        cached=_share("--cached", cached),
        drafts=draft,
        acceptance=_share("--acceptance", acceptance),
        pools=pools,
        catalog=catalog,
    )
    wanted = None if share is None else _share("--share", share)
    answer = _fleet(catalog, system, found, chips, requests, lengths, targets, wanted)
    if as_json:
        shown = asdict(replace(found, setup=None))
        del shown["setup"]
        click.echo(json.dumps({"schema": 1, "model": model, "system": system.name, **answer, **shown}, indent=2))
    else:
        _print(model, system, found, answer, front=front)
    return 0 if answer["enough"] is not False else 1


def _share(name: str, text: str) -> float:
    """Read a share such as 0.9 or 90%."""
    number = text.strip()
    try:
        value = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        msg = f"{name} must be a share from 0 to 1, such as 0.9 or 90%; got {text}"
        raise InputError(msg)
    return value


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
    targets: tuple[float, float],
    share: float | None,
) -> dict[str, Any]:
    """Return the fleet: its size, what it serves, whether that is enough, its latencies, and what tokens cost."""
    from outlay.performance.serving_fleet import bears, load_at, replicas_for

    per_replica, load = found.output_tokens_per_s_per_chip * found.chips_per_replica / lengths[1], None
    assert found.setup is not None
    if requests is not None or share is not None:
        load = bears(found.setup, *targets, 1.2 * per_replica, share)
        if load is None:
            msg = f"no load keeps {share or 0.5:.0%} of the requests within the targets; loosen --ttft or --tpot"
            raise NoFitError(msg)
        per_replica = load.requests_per_s
    if chips is None:
        replicas = 1 if requests is None or load is None else replicas_for(requests, load)
    else:
        replicas = chips // found.chips_per_replica
    enough = None if requests is None else replicas * per_replica >= requests
    if load is not None and requests is not None and enough:
        load = load_at(found.setup, requests / replicas)
    return {
        "chips": replicas * found.chips_per_replica,
        "replicas": replicas,
        "requests_per_s": replicas * per_replica,
        "tokens_per_s": replicas * per_replica * sum(lengths),
        "enough": enough,
        "load": None if load is None else asdict(load),
        **_cost(catalog, system, found, per_replica / found.chips_per_replica, lengths),
    }


def _cost(
    catalog: Catalog, system: System, found: ServingEstimate, requests_per_chip: float, lengths: tuple[int, int]
) -> dict[str, Any]:
    """Return what tokens cost at the rent of a chip: input tokens pay for the time their prompts take."""
    from outlay.finance.pricing import rental_price

    names = ("cost_per_million_tokens", "cost_per_million_input_tokens", "cost_per_million_output_tokens")
    try:
        rent = rental_price(catalog, catalog.chip(system.chip), date.max)
    except (MissingFigureError, CatalogError) as error:
        return {**dict.fromkeys(names), "cost_basis": str(error)}
    second = rent.amount / 3600
    whole = 1.0 / requests_per_chip
    reading = min(found.reading_chip_s, whole)
    costs = whole / sum(lengths), reading / lengths[0], (whole - reading) / lengths[1]
    return {
        **{name: cost * second * 1e6 for name, cost in zip(names, costs, strict=True)},
        "cost_basis": f"{rent.amount:g} {rent.currency} per chip-hour, {rent.date}, {rent.basis}",
    }


def _print(model: str, system: System, found: ServingEstimate, answer: dict[str, Any], *, front: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from outlay.units import human

    console = Console(highlight=False)
    console.print(f"[bold]{model} on {answer['chips']:,} x {system.chip}[/bold] ({system.name}, {found.engine})")
    table = Table(box=None, show_header=False, pad_edge=False)
    low, high = found.low * found.tokens_per_s_per_chip, found.high * found.tokens_per_s_per_chip
    first, token = found.ttft_band_s, found.tpot_band_s
    rows = [
        ("replica", f"{found.chips_per_replica} chips, {found.strategy}; {answer['replicas']:,} replicas"),
        ("time to first token", f"{found.ttft_s:.3g} s (90 % band {first[0]:.3g} to {first[1]:.3g})"),
        ("time per output token", f"{found.tpot_s * 1e3:.3g} ms ({token[0] * 1e3:.3g} to {token[1] * 1e3:.3g})"),
        ("tokens a second and chip", f"{found.tokens_per_s_per_chip:,.0f} ({low:,.0f} to {high:,.0f})"),
        ("  of it output", f"{found.output_tokens_per_s_per_chip:,.0f}"),
        ("fleet", f"{human(answer['tokens_per_s'])} tokens/s, {answer['requests_per_s']:,.3g} requests/s"),
        *_load_rows(answer["load"]),
        ("memory of a chip", ", ".join(f"{kind} {size / 1e9:.1f} GB" for kind, size in found.memory_bytes.items())),
        ("energy", _energy_words(found)),
        ("cost", _cost_words(answer)),
        ("rests on", found.basis),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    for point in found.front if front else ():
        time = f"{point.tpot_s * 1e3:8.2f} ms a token, first after {point.ttft_s:6.3f} s"
        console.print(f"{time}: {point.tokens_per_s_per_chip:9,.0f} tokens/s and chip  {point.strategy}")
    for warning in found.warnings:
        console.print(f"note: {warning}")
    if answer["enough"] is False:
        console.print("not enough for the rate asked for")


def _load_rows(load: dict[str, Any] | None) -> list[tuple[str, str]]:
    if load is None:
        return []
    first, token = load["ttft_quantiles_s"], load["tpot_quantiles_s"]
    return [
        (
            "at that rate, first token",
            f"mean {load['ttft_s']:.3g} s, p50 {first[0]:.3g}, p90 {first[1]:.3g}, p99 {first[2]:.3g}",
        ),
        (
            "at that rate, each token",
            f"mean {load['tpot_s'] * 1e3:.3g} ms, "
            + ", ".join(f"p{p} {value * 1e3:.3g}" for p, value in zip((50, 90, 99), token, strict=True)),
        ),
    ]


def _energy_words(found: ServingEstimate) -> str:
    if found.energy_j_per_token is None or found.power_w_per_chip is None:
        return "no power known"
    rate = found.tokens_per_s_per_chip / found.power_w_per_chip
    return f"{found.energy_j_per_token:.3g} J a token, {rate:.3g} tokens/s a watt"


def _cost_words(answer: dict[str, Any]) -> str:
    if answer["cost_per_million_tokens"] is None:
        return f"none known: {answer['cost_basis']}"
    parts = (answer[f"cost_per_million_{kind}_tokens"] for kind in ("input", "output"))
    each = "{:.3g} input, {:.3g} output".format(*parts)
    return f"{answer['cost_per_million_tokens']:.3g} per million tokens ({each}), at {answer['cost_basis']}"
