"""`outlay check`: whether a chip may go to a place, on a date, for a buyer, by which rules."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import InputError
from outlay.units import country_code

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip
    from outlay.policy import Decision, Item, Transaction

ADVICE = "Not legal advice."
COLOURS = {"allowed": "green", "conditional": "yellow", "denied": "red", "unknown": "magenta"}


@click.command()
@click.argument("chip", required=False)
@click.option("--spec", type=click.Path(path_type=Path), help="A YAML or JSON file with an item's figures, not CHIP.")
@click.option("--all", "everything", is_flag=True, help="Every chip of the catalogue, not CHIP.")
@click.option("--to", "destination", required=True, metavar="COUNTRY", help="Where it goes.")
@click.option("--date", "day", metavar="DAY", help="When, as 2025-03-01.")
@click.option("--timeline", is_flag=True, help="Every day on which the answer changes.")
@click.option("--buyer-hq", metavar="COUNTRY", help="Headquarters of the buyer; the destination where left out.")
@click.option("--parent-hq", metavar="COUNTRY", help="Headquarters of its ultimate parent; the buyer's where left out.")
@click.option("--from", "exporter", metavar="COUNTRY", help="Where it is shipped from.")
@click.option("--lease", is_flag=True, help="The buyer rents it from an owner.")
@click.option("--owner-hq", metavar="COUNTRY", help="Headquarters of the owner of rented machines.")
@click.option("--use", type=click.Choice(["datacenter", "consumer"]), default="datacenter", show_default=True)
@click.option("--state-funded", is_flag=True, help="Public money is in the data centre.")
@click.option("--new-site", is_flag=True, help="The data centre is new.")
@click.option("--units", type=click.IntRange(min=1), help="Chips the buyer gets in the calendar year.")
@click.option("--known-on", metavar="DAY", help="Only rules announced by this day, as they then stood.")
@click.option("--flag", "flags", multiple=True, metavar="NAME", help="A reading or a future; several may be given.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(**options: Any) -> int:
    r"""Say whether CHIP may go to a place on a day for a buyer. Exit 0: it may; 1: it may not, or cannot be told.

    \b
    outlay check "H20 96GB" --to CN --date 2025-05-01
    outlay check H100 --to MY --buyer-hq CN --lease --owner-hq MY --date 2025-03-01
    """
    from outlay.catalog import Catalog

    if sum(bool(options[name]) for name in ("chip", "spec", "everything")) != 1:
        msg = "name one of CHIP, --spec FILE and --all"
        raise InputError(msg)
    if options["timeline"] == bool(options["day"]):
        msg = "give either --date DAY or --timeline"
        raise InputError(msg)
    transaction = _transaction(options)
    known_on = _day("--known-on", options["known_on"]) if options["known_on"] else None
    asked = {"known_on": known_on, "flags": options["flags"]}
    catalog = Catalog.load(options["extra"])
    if options["everything"]:
        return _every_chip(catalog, transaction, asked, options["as_json"])
    return _one(catalog, options, transaction, asked)


def _one(catalog: Catalog, options: dict[str, Any], transaction: Transaction, asked: dict[str, Any]) -> int:
    from outlay.policy import decide, item_of, read_spec

    chip = catalog.chip(options["chip"]) if options["chip"] else None
    item = item_of(chip) if chip else read_spec(options["spec"])
    if options["timeline"]:
        return _timeline(item, transaction, asked, options["as_json"])
    decision = decide(item, transaction, **asked)
    depends = _depends(chip, transaction, asked, decision) if chip else []
    if options["as_json"]:
        _print_json(_as_dict(item, transaction, asked, decision, depends))
    else:
        _print(item, transaction, asked, decision, depends)
    return 0 if decision.verdict in {"allowed", "conditional"} else 1


def _transaction(options: dict[str, Any]) -> Transaction:
    """Read the options; those left out take the stated defaults, and an owner is asked for where there is a lease."""
    from outlay.policy import Transaction

    if options["lease"] != (options["owner_hq"] is not None):
        msg = "--lease and --owner-hq COUNTRY go together: whether an owner may have the machines decides"
        raise InputError(msg)
    buyer = options["buyer_hq"] or options["destination"]
    return Transaction(
        on=_day("--date", options["day"]) if options["day"] else date.min,
        destination=country_code(options["destination"]),
        buyer_hq=country_code(buyer),
        parent_hq=country_code(options["parent_hq"] or buyer),
        exporter=country_code(options["exporter"]) if options["exporter"] else None,
        mode="lease" if options["lease"] else "buy",
        owner_hq=country_code(options["owner_hq"]) if options["owner_hq"] else None,
        end_use=options["use"],
        state_funded=options["state_funded"],
        new_site=options["new_site"],
        units=options["units"],
    )


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{option} {text!r} is not a date; expected year, month and day, such as 2025-03-01"
        raise InputError(msg) from None


def _depends(chip: Chip, transaction: Transaction, asked: dict[str, Any], decision: Decision) -> list[str]:
    """Return the competing figures of the catalogue under which the answer is another one."""
    from outlay.policy import competing, decide

    found = []
    for words, item in competing(chip):
        other = decide(item, transaction, **asked)
        if (other.code, other.control_class) != (decision.code, decision.control_class):
            found.append(f"with {words}: {other.code}, class {other.control_class}")
    return found


def _every_chip(catalog: Catalog, transaction: Transaction, asked: dict[str, Any], as_json: bool) -> int:
    from outlay.policy import decide, item_of

    rows = []
    for chip in catalog.chips.values():
        decision = decide(item_of(chip), transaction, **asked)
        rows.append(
            {
                "chip": chip.name,
                "code": decision.code,
                "verdict": decision.verdict,
                "class": decision.control_class,
                "rules": decision.rules,
                "missing": list(decision.missing),
            }
        )
    if as_json:
        _print_json(rows)
    else:
        _table(rows, f"{len(rows)} chips to {transaction.destination} on {transaction.on}")
    return 0


def _timeline(item: Item, transaction: Transaction, asked: dict[str, Any], as_json: bool) -> int:
    from outlay.policy import all_rules, decide

    days = {rule.effective_from for rule in all_rules()}
    days |= {rule.effective_to + timedelta(days=1) for rule in all_rules() if rule.effective_to}
    rows: list[dict[str, Any]] = []
    for day in sorted(days):
        decision = decide(item, replace(transaction, on=day), **asked)
        row = {
            "code": decision.code,
            "verdict": decision.verdict,
            "class": decision.control_class,
            "rules": decision.rules,
        }
        if not rows or any(rows[-1][key] != row[key] for key in row):
            rows.append({"from": day.isoformat(), **row})
    if as_json:
        _print_json({"item": item.name, "destination": transaction.destination, "timeline": rows, "note": ADVICE})
    else:
        _table(rows, f"{item.name} to {transaction.destination}")
    return 0


def _as_dict(
    item: Item, transaction: Transaction, asked: dict[str, Any], decision: Decision, depends: list[str]
) -> dict[str, Any]:
    return {
        "item": asdict(item),
        "transaction": asdict(transaction),
        "known_on": asked["known_on"],
        "flags": list(asked["flags"]),
        "code": decision.code,
        "verdict": decision.verdict,
        "class": decision.control_class,
        "rules": [asdict(firing) for firing in decision.firings],
        "arithmetic": list(decision.arithmetic),
        "missing": list(decision.missing),
        "depends_on": depends,
        "warnings": list(decision.warnings),
        "confidence": decision.confidence,
        "note": ADVICE,
    }


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _print(item: Item, transaction: Transaction, asked: dict[str, Any], decision: Decision, depends: list[str]) -> None:
    """Print the answer, then each rule in order with its arithmetic and citations."""
    deal = "leased" if transaction.mode == "lease" else "bought"
    click.secho(f"{item.name} to {transaction.destination} on {transaction.on}, {deal}", bold=True)
    click.echo(f"  buyer {transaction.buyer_hq}, ultimate parent {transaction.parent_hq}", nl=False)
    click.echo(f", owner {transaction.owner_hq}" if transaction.owner_hq else "")
    if asked["known_on"]:
        click.echo(f"  by what was known on {asked['known_on']}")
    click.secho(f"{decision.code}: {decision.verdict}", fg=COLOURS[decision.verdict], bold=True)
    click.echo(f"  class {decision.control_class}; confidence {decision.confidence}")
    for firing in decision.firings:
        click.echo(f"\n{firing.rule}  {firing.title} [{firing.status}, confidence {firing.confidence}]")
        click.echo(f"  {firing.outcome}")
        for line in firing.arithmetic:
            click.echo(f"  {line}")
        for citation in firing.citations:
            click.secho(f"  {citation}", dim=True)
    click.echo()
    for label, lines in (("missing", decision.missing), ("depends on figures", depends), ("mind", decision.warnings)):
        for line in lines:
            click.secho(f"{label}: {line}", fg="yellow")
    click.echo(f"A code speaks of these rules alone; no licence needed is no clearance. {ADVICE}")


def _table(rows: list[dict[str, Any]], title: str) -> None:
    """Print rows as columns as wide as their widest cell."""
    click.secho(title, bold=True)
    columns = list(rows[0])
    cells = [columns] + [
        [", ".join(cell) if isinstance(cell := row[key], list) else str(cell) for key in columns] for row in rows
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    click.echo(ADVICE)
