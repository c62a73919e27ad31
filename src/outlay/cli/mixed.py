"""`outlay train` with several ``--on``: one training run over several kinds of chip or sites, against one alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from outlay.cli import whole_run
from outlay.errors import InputError, UnitError, unknown
from outlay.units import GB, human, quantity

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.performance.mixed import Link
    from outlay.performance.mixed_search import Alone, KindShare, MixedEstimate

SCHEMA = 1
LINK_PARTS = ("rate", "trunk", "latency", "host")
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(b|bit|B)(?:/s|ps)\s*")
_SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def train(
    catalog: Catalog,
    model: str,
    fleet: Sequence[tuple[str, int]],
    mixing: Mapping[str, str | None],
    options: Mapping[str, Any],
    tokens: float | None,
    *,
    as_json: bool,
) -> int:
    """Print the best run of a model over several kinds.

    Parameters
    ----------
    mixing
        What the user gave for ``--link``, ``--mix`` and ``--outer-steps``.
    options
        Sequence, batch, data type and software generation.
    """
    from outlay.cli.train import count
    from outlay.performance import mixed_search

    link, way, outer = (mixing[name] for name in ("--link", "--mix", "--outer-steps"))
    ways = mixed_search.WAYS[:2]
    if way is not None and way not in ways:
        raise InputError(unknown("--mix", way, ways))
    steps = 1.0 if outer is None else count(outer, "--outer-steps")
    if steps != int(steps):
        msg = f"--outer-steps {outer!r} is not a whole number of steps"
        raise InputError(msg)
    places = []
    for name, chips in fleet:
        system = catalog.resolve_system(name)
        places.append(mixed_search.Place(system, catalog.chip(system.chip), chips))
    estimate = mixed_search.best_mixed(
        catalog.model(model),
        places,
        parse_link(link) if link else None,
        ways=(way,) if way else mixed_search.WAYS,
        outer_steps=int(steps),
        **options,
    )
    run = whole_run.whole_run(estimate, _chips(estimate), tokens, catalog) if tokens else {}
    if as_json:
        from dataclasses import asdict

        click.echo(json.dumps({"schema": SCHEMA, **asdict(estimate), "run": run or None}, indent=2))
    else:
        _show(estimate, run)
    return 0


def _chips(estimate: MixedEstimate) -> dict[str, int]:
    """Return the chips a run takes, by name; two sites may have the same."""
    found: dict[str, int] = {}
    for kind in estimate.kinds:
        found[kind.chip] = found.get(kind.chip, 0) + kind.chips
    return found


def parse_link(text: str) -> Link:
    """Read ``rate=200Gb/s,trunk=1.6Tb/s,latency=20ms,host=yes``, or a rate alone.

    Examples
    --------
    >>> parse_link("200Gb/s").bandwidth
    25000000000.0
    """
    from outlay.performance.mixed import Link

    given: dict[str, str] = {}
    for part in text.split(",") if "=" in text else [f"rate={text}"]:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            msg = (
                f"--link {text!r}: {part.strip()!r} is not name=value; expected parts such as rate=200Gb/s,latency=20ms"
            )
            raise InputError(msg)
        if name not in LINK_PARTS:
            raise InputError(f"--link {text!r}: " + unknown("part", name, LINK_PARTS))
        if name in given:
            msg = f"--link {text!r}: {name!r} is given twice"
            raise InputError(msg)
        given[name] = value
    if "rate" not in given and "trunk" not in given:
        msg = f"--link {text!r} says nothing of bandwidth; give rate, trunk or both"
        raise InputError(msg)
    if given.get("host", "no") not in ("yes", "no"):
        msg = f"--link {text!r}: host is {given['host']!r}; expected yes or no"
        raise InputError(msg)
    rates = {name: bytes_per_second(given[name], f"--link {name}") for name in ("rate", "trunk") if name in given}
    endless = float("inf")
    latency = _seconds(given["latency"]) if "latency" in given else 0.0
    return Link(rates.get("rate", endless), latency, rates.get("trunk", endless), given.get("host") == "yes")


def _seconds(text: str) -> float:
    try:
        seconds = quantity(text, "s")
    except UnitError as error:
        msg = f"--link latency: {error}"
        raise InputError(msg) from None
    if seconds < 0:
        msg = f"--link latency must not be below zero, not {text!r}"
        raise InputError(msg)
    return float(seconds)


def bytes_per_second(text: str, option: str) -> float:
    """Read a rate as people write it: 200Gb/s, 25 GB/s, 1.6Tbps.

    Examples
    --------
    >>> bytes_per_second("200Gb/s", "--link rate")
    25000000000.0
    """
    match = _RATE.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        msg = f"{option} {text!r} is not a rate above zero; expected bits or bytes over time, such as 200Gb/s or 25GB/s"
        raise InputError(msg)
    return float(match[1]) * _SCALES[match[2]] / (1 if match[3] == "B" else 8)


def _show(estimate: MixedEstimate, run: Mapping[str, Any]) -> None:
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
