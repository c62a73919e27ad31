"""`outlay serve`: what some chips serve of a model under latency targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from outlay.catalog import System
    from outlay.performance.serving.search import ServingEstimate


@click.command()
@click.argument("model")
@click.option(
    "--on", "where", required=True, metavar="SYSTEM[:CHIPS]", help="A system, or a chip for its usual system."
)
@click.option("--input", "input_tokens", help="Tokens of a prompt, on the mean where prompts differ.")
@click.option("--output", "output_tokens", help="Tokens of an answer, on the mean where answers differ.")
@click.option("--input-cv", help="Coefficient of variation of the prompts' lengths, such as 0.8.  [default: 0]")
@click.option("--output-cv", help="Coefficient of variation of the answers' lengths.  [default: 0]")
@click.option(
    "--lengths",
    type=click.Path(path_type=Path),
    help="CSV of requests, columns input,output, in place of --input and --output.",
)
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
@click.option("--acceptance", help="Share of drafted tokens accepted; left out, what engines measured.")
@click.option("--pools", is_flag=True, help="Try chips of their own for prompts, too.")
@click.option("--cp", help="Attention groups that read a prompt together.  [default: searched for long prompts]")
@click.option(
    "--redundant-experts", metavar="N", help="Copies of experts that a balancer places, or 'search'.  [default: none]"
)
@click.option("--expert-skew", help="Gini index of how unevenly experts are asked for, 0 for evenly.")
@click.option("--front", is_flag=True, help="Show the front of speed against the time of a token.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: str,
    where: str,
    input_tokens: str | None,
    output_tokens: str | None,
    input_cv: str | None,
    output_cv: str | None,
    lengths: Path | None,
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
    acceptance: str | None,
    pools: bool,
    cp: str | None,
    redundant_experts: str | None,
    expert_skew: str | None,
    front: bool,
    extra: Path | None,
    as_json: bool,
) -> int:
    r"""Find the configuration that serves the most tokens a second and chip within the targets.

    \b
    outlay serve Llama-3.1-70B --on "H100 SXM:8" --input 3000 --output 500 --ttft 1s --tpot 30ms
    outlay serve DeepSeek-V3 --on "H200:64" --input 2000 --output 500 --rate 50/s
    outlay serve Llama-3.1-70B --on "H100 SXM" --lengths requests.csv --rate 20/s --share 90%
    """
    from outlay.catalog import Catalog
    from outlay.report.question import asked
    from outlay.report.serving import ServeQuestion, document, serve

    fields: dict[str, Any] = {
        "model": model,
        "on": where,
        "input": input_tokens,
        "output": output_tokens,
        "ttft": ttft,
        "tpot": tpot,
    }
    fields |= {"rate": rate, "share": share, "batch": batch, "dtype": dtype, "kv": kv, "engine": software}
    fields |= {"cached": cached, "draft": draft, "acceptance": acceptance, "pools": pools}
    fields |= {"input_cv": input_cv, "output_cv": output_cv, "cp": cp}
    fields |= {"redundant_experts": redundant_experts, "expert_skew": expert_skew}
    fields |= {"lengths": None if lengths is None else _text(lengths)}
    question = asked(ServeQuestion, "serve", fields)
    system, found, answer = serve(Catalog.load(extra), question)
    if as_json:
        click.echo(json.dumps(document(model, system, found, answer), indent=2))
    else:
        _print(model, system, found, answer, front=front)
    return 0 if answer["enough"] is not False else 1


def _text(path: Path) -> str:
    """Return the text of a list of requests."""
    from outlay.errors import InputError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        msg = f"--lengths {path}: {reason}; expected a CSV with the columns input,output"
        raise InputError(msg) from None


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
        *([("hottest experts", f"{found.hottest_experts:.2f} x the mean tokens")] if found.hottest_experts > 1 else []),
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
