"""`outlay evidence`: the chain from a plan's output back to its witnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from outlay.errors import InputError, unknown

LARGEST_BYTES = 50_000_000
COLOURS = {"denied": "red", "assumed": "magenta", "press-report": "yellow", "official": "green", "company": "cyan"}
KINDS = ("purchases", "budgets", "sourcing", "workloads", "sites")


@click.command()
@click.argument("plan", metavar="PLAN")
@click.option(
    "--of", "wanted", metavar="NAME", help="Only outputs that name this: a chip, site, budget, share or workload."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(plan: str, wanted: str | None, as_json: bool) -> int:
    r"""Print, for each output of PLAN, the figures it rests on and who says them.

    PLAN is a file of `outlay plan SCENARIO --json`, or - for standard input.

    \b
    outlay plan s.yaml --json > plan.json && outlay evidence plan.json --of H20
    """
    chains = _chains(_load(plan))
    if wanted is not None:
        kept = [chain for chain in chains if wanted.casefold() in f"{chain['output']} {chain['name']}".casefold()]
        if not kept:
            raise InputError(unknown("output", wanted, dict.fromkeys(chain["name"] for chain in chains)))
        chains = kept
    if as_json:
        click.echo(json.dumps(chains, indent=2, ensure_ascii=False))
        return 0
    for chain in chains:
        click.secho(chain["output"], bold=True)
        for item in chain["figures"]:
            _print(item)
        if chain["rules"]:
            click.echo(f"  rules: {', '.join(chain['rules'])}")
    return 0


def _print(item: dict[str, Any]) -> None:
    """Print a figure: what, how much, how sure, who says it and when, who denies it, and the words of the story."""
    claim = f" [{item['claim']}]" if item.get("claim") else ""
    click.echo(f"  <- {item['what']}{claim}: {item['value']}  ", nl=False)
    click.secho(item["status"], fg=COLOURS.get(item["status"]))
    for label, key in (("", "source"), ("", "address"), ("denied by ", "denied_by"), ("because ", "note")):
        if item.get(key):
            click.echo(f"       {label}{item[key]}")
    if item.get("quote"):
        click.secho(f'       "{item["quote"]}"', dim=True)


def _load(name: str) -> dict[str, Any]:
    try:
        with click.open_file(name, "r", encoding="utf-8") as file:
            text = file.read(LARGEST_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{name}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}"
        raise InputError(msg) from None
    expected = "expected the output of `outlay plan SCENARIO --json`"
    if len(text) > LARGEST_BYTES:
        msg = f"{name}: more than {LARGEST_BYTES:,} characters; {expected}"
        raise InputError(msg)
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        msg = f"{Path(name).name}: not JSON; {expected}"
        raise InputError(msg) from None
    if not isinstance(found, dict) or any(not isinstance(found.get(key), list) for key in (*KINDS, "evidence")):
        msg = f"{name}: not a plan; {expected}"
        raise InputError(msg)
    return found


def _chains(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each output with the figures it rests on, nearest first."""
    evidence = plan["evidence"]

    def about(*starts: str) -> list[dict[str, Any]]:
        return [item for start in starts for item in evidence if _speaks_of(item["what"], start)]

    chains = []
    for item in plan["purchases"]:
        output = (
            f"{item['mode']} {item['units']:,} x {item['system']} for {item['site']} in {item['quarter']}: "
            f"{item['cost']:,.0f} {item['currency']}"
        )
        figures = about(
            f"budget {item['budget']}",
            f"price to {item['mode']} {item['system']}",
            f"power of {item['system']}",
            f"supply of {item['chip']}",
            f"rent of {item['chip']}",
            f"site {item['site']}",
            f"{item['currency']} per USD",
        )
        chains.append(_chain(output, item["system"], figures, item["rules"]))
    for item in plan["budgets"]:
        output = f"budget {item['name']}: {item['spent']:,.0f} of {item['limit']:,.0f} {item['currency']} spent"
        chains.append(_chain(output, item["name"], about(f"budget {item['name']}", f"{item['currency']} per USD")))
    for item in plan["sourcing"]:
        reached = "nothing bought" if item["achieved"] is None else f"{item['achieved']:.1%} reached"
        output = f"share {item['name']}: {reached}, {item['required']:.1%} asked"
        chains.append(_chain(output, item["name"], about(f"sourcing {item['name']}")))
    for item in plan["workloads"]:
        kind = "training run" if item["kind"] == "training" else "service"
        figures = about(f"{kind} {item['name']}", f"model {item['model']}")
        chains.append(_chain(f"{kind} {item['name']} of {item['model']}", item["name"], figures))
    sites = [item["name"] for item in plan["sites"]]
    chains += [_chain(f"power at {name}", name, about(f"site {name}")) for name in sites]
    return chains


def _speaks_of(what: str, start: str) -> bool:
    return what == start or what.startswith((f"{start}:", f"{start} (", f"{start},"))


def _chain(output: str, name: str, figures: list[dict[str, Any]], rules: list[str] | None = None) -> dict[str, Any]:
    return {"output": output, "name": name, "figures": figures, "rules": rules or []}
