"""`outlay check`: whether a chip may go to a place, on a date, for a buyer, by which rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import InputError
from outlay.report import legality

if TYPE_CHECKING:
    from outlay.catalog import Catalog

EXIT_BAD_INPUT = 2


@click.command()
@click.argument("chips", metavar="[CHIP]", nargs=-1)
@click.option("--spec", type=click.Path(path_type=Path), help="A YAML or JSON file with an item's figures, not CHIP.")
@click.option("--all", "everything", is_flag=True, help="Every chip of the catalogue: what is open, most useful first.")
@click.option("--cases", type=click.Path(path_type=Path), help="A CSV file of cases with known answers, not CHIP.")
@click.option("--rule", "rule_id", metavar="ID", help="Print the record of a rule, not an answer.")
@click.option("--to", "destination", metavar="COUNTRY", help="Where it goes; 'any' for no place in particular.")
@click.option("--date", "day", metavar="DAY", help="When, as 2025-03-01.")
@click.option("--timeline", is_flag=True, help="Every day on which the answer changes; several CHIPs may be given.")
@click.option("--chart", metavar="FILE", help="With --timeline: draw it into an SVG file.")
@click.option("--diff", nargs=2, metavar="DAY DAY", help="What changed between two days.")
@click.option("--margin", is_flag=True, help="How far each figure is from each line, and what would have to change.")
@click.option("--buyer-hq", metavar="COUNTRY", help="Headquarters of the buyer; the destination where left out.")
@click.option("--parent-hq", metavar="COUNTRY", help="Headquarters of its ultimate parent; the buyer's where left out.")
@click.option("--owned-by-listed", metavar="SHARE", help="Share of the buyer that listed parties own, such as 55%.")
@click.option("--public-buyer", is_flag=True, help="A government, a public body or a state firm buys.")
@click.option("--from", "exporter", metavar="COUNTRY", help="Where it is shipped from.")
@click.option("--onward", metavar="COUNTRY", help="Where it goes on to after import.")
@click.option("--lease", is_flag=True, help="The buyer rents it from an owner.")
@click.option("--owner-hq", metavar="COUNTRY", help="Headquarters of the owner of rented machines.")
@click.option("--service", is_flag=True, help="A cloud service: the way of the machines to their owner is not asked.")
@click.option("--foundry", is_flag=True, help="A foundry makes CHIP for its designer and packages it in --to.")
@click.option(
    "--use", type=click.Choice(["datacenter", "consumer", "analysis"]), default="datacenter", show_default=True
)
@click.option("--state-funded", is_flag=True, help="Public money is in the data centre.")
@click.option("--new-site", is_flag=True, help="The data centre is new.")
@click.option("--progress", metavar="SHARE", help="How much of the data centre is built, such as 40%.")
@click.option("--units", type=click.IntRange(min=1), help="Chips the buyer gets in the calendar year.")
@click.option("--known-on", metavar="DAY", help="Only rules announced by this day, as they then stood.")
@click.option("--flag", "flags", multiple=True, metavar="NAME", help="A reading or a future; several may be given.")
@click.option("--law-only", is_flag=True, help="Leave out what is only reported: the law's clock alone.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(**options: Any) -> int:
    """Say whether CHIP may go to a place on a day for a buyer. Exit 0: it may; 1: it may not, or cannot be told.

    \b
    outlay check "H20 96GB" --to CN --date 2025-05-01
    outlay check H100 --to MY --buyer-hq CN --lease --owner-hq MY --date 2025-03-01
    outlay check H20 H200 --to CN --timeline --chart status.svg
    outlay check --all --to CN --date 2026-02-01
    """  # noqa: D301  click reads the sign, not its letters
    from outlay.catalog import Catalog

    legality.one_of(
        options, {"CHIP": "chips", "--spec FILE": "spec", "--all": "everything", "--cases FILE": "cases"}, "rule_id"
    )
    if options["rule_id"]:
        return _record(options)
    if options["cases"]:
        return _cases(options)
    legality.one_of(options, {"--date DAY": "day", "--timeline": "timeline", "--diff DAY DAY": "diff"})
    legality.fits(options)
    catalog = Catalog.load(options["extra"])
    if options["diff"]:
        return _diff(catalog, options)
    if options["everything"]:
        return _every_chip(catalog, options)
    return _timeline(catalog, options) if options["timeline"] else _one(catalog, options)


def _one(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text

    item, transaction, decision, depends, lines = legality.one(catalog, options)
    asked = legality.asked(options)
    if options["as_json"]:
        check_text.print_json(legality.as_dict(item, transaction, asked, decision, depends, lines))
    else:
        check_text.print_decision(item, transaction, asked, decision, depends)
        check_text.print_margins(lines)
        check_text.print_advice()
    return 0 if decision.verdict in {"allowed", "conditional"} else 1


def _every_chip(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text

    transaction, rows = legality.every_chip(catalog, options)
    if options["as_json"]:
        check_text.print_json(rows)
        return 0
    able = sum(row["verdict"] in {"allowed", "conditional"} for row in rows)
    title = f"{able} of {len(rows)} chips are open to {transaction.destination} on {transaction.on}"
    check_text.print_table(rows, f"{title}, the fastest first")
    check_text.print_advice()
    return 0


def _timeline(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text
    from outlay.policy.timeline import chart

    transaction, rows = legality.timelines(catalog, options)
    if options["chart"]:
        title = f"Status over time: to {transaction.destination}, buyer {transaction.buyer_hq}"
        _write(Path(options["chart"]), chart(rows, title))
    if options["as_json"]:
        found = [legality.timeline_dict(name, transaction, spans) for name, spans in rows]
        check_text.print_json(found[0] if len(found) == 1 else found)
        return 0
    for name, spans in rows:
        check_text.print_timeline(name, transaction, spans)
    check_text.print_advice()
    return 0


def _diff(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text

    first, second, rows = legality.changes(catalog, options)
    if options["as_json"]:
        check_text.print_json([{"from": first.on, "to": second.on, **row} for row in rows])
        return 0
    words = f"to {first.destination}, from {first.on} to {second.on}"
    if rows:
        check_text.print_table(rows, f"What changed {words}")
    else:
        click.echo(f"Nothing changed {words}.")
    check_text.print_advice()
    return 0


def _write(path: Path, text: str) -> None:
    if path.suffix.casefold() != ".svg":
        msg = f"--chart {path}: expected a name that ends in .svg"
        raise InputError(msg)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"--chart {path}: cannot be written: {error.strerror}"
        raise InputError(msg) from None


def _cases(options: dict[str, Any]) -> int:
    from outlay.catalog import Catalog
    from outlay.cli import check_text
    from outlay.policy.cases import answer, read_cases

    catalog = Catalog.load(options["extra"])
    answers = [answer(question) for question in read_cases(options["cases"], catalog)]
    if options["as_json"]:
        check_text.print_json([check_text.case_dict(found) for found in answers])
    else:
        check_text.print_cases(answers)
    problems = [found.question.problem for found in answers if found.question.problem]
    if problems:
        click.echo(f"error: {len(problems)} rows cannot be asked; the first: {problems[0]}", err=True)
        return EXIT_BAD_INPUT
    firm = [found for found in answers if found.question.confidence != "low"]
    return int(any(found.mark in {"wrong", "indeterminate"} for found in firm))


def _record(options: dict[str, Any]) -> int:
    from outlay.cli import check_text
    from outlay.policy import rule

    found = rule(options["rule_id"])
    if options["as_json"]:
        check_text.print_json(check_text.rule_dict(found))
    else:
        known_on: date | None = legality.asked(options)["known_on"]
        check_text.print_rule(found, known_on)
    return 0
