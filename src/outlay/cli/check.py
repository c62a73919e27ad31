"""`outlay check`: whether a chip may go to a place, on a date, for a buyer, by which rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip
    from outlay.policy import Decision, Item, Mode, Transaction

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

    _one_of(
        options, {"CHIP": "chips", "--spec FILE": "spec", "--all": "everything", "--cases FILE": "cases"}, "rule_id"
    )
    if options["rule_id"]:
        return _record(options)
    if options["cases"]:
        return _cases(options)
    _one_of(options, {"--date DAY": "day", "--timeline": "timeline", "--diff DAY DAY": "diff"})
    _fits(options)
    catalog = Catalog.load(options["extra"])
    if options["diff"]:
        return _diff(catalog, options)
    if options["everything"]:
        return _every_chip(catalog, options)
    return _timeline(catalog, options) if options["timeline"] else _one(catalog, options)


def _one_of(options: dict[str, Any], ways: dict[str, str], alone: str = "") -> None:
    given = [name for name, option in ways.items() if options[option]]
    if len(given) + bool(alone and options[alone]) != 1:
        names = list(ways)
        msg = f"give one of {', '.join(names[:-1])} and {names[-1]}" + (f"; got {', '.join(given)}" if given else "")
        raise InputError(msg)


def _fits(options: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    if options["destination"] is None:
        msg = "give --to COUNTRY: where it goes"
        raise InputError(msg)
    if len(options["chips"]) > 1 and not options["timeline"]:
        msg = f"{len(options['chips'])} chips are given; several are compared only with --timeline"
        raise InputError(msg)
    if options["everything"] and options["timeline"]:
        msg = "--timeline is of one chip or a few; name them"
        raise InputError(msg)
    if options["chart"] and not options["timeline"]:
        msg = "--chart draws a --timeline; give both"
        raise InputError(msg)
    if options["lease"] != (options["owner_hq"] is not None):
        msg = "--lease and --owner-hq COUNTRY go together: whether an owner may have the machines decides"
        raise InputError(msg)
    if sum(options[way] for way in ("lease", "service", "foundry")) > 1:
        msg = "give one of --lease, --service and --foundry"
        raise InputError(msg)


def _transaction(options: dict[str, Any], day: str | None) -> Transaction:
    """Read the options; those left out take the stated defaults."""
    from outlay.policy import Transaction
    from outlay.policy.countries import place

    buyer = options["buyer_hq"] or options["destination"]
    modes: tuple[Mode, ...] = ("lease", "service", "foundry")
    return Transaction(
        on=_day("--date", day) if day else date.min,
        destination=place(options["destination"]),
        buyer_hq=place(buyer),
        parent_hq=place(options["parent_hq"] or buyer),
        exporter=place(options["exporter"]) if options["exporter"] else None,
        mode=next((way for way in modes if options[way]), "buy"),
        owner_hq=place(options["owner_hq"]) if options["owner_hq"] else None,
        end_use=options["use"],
        state_funded=options["state_funded"],
        new_site=options["new_site"],
        units=options["units"],
        public_buyer=options["public_buyer"],
        progress=_share("--progress", options["progress"]),
        listed_share=_share("--owned-by-listed", options["owned_by_listed"]) or 0.0,
        onward=place(options["onward"]) if options["onward"] else None,
    )


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    known = _day("--known-on", options["known_on"]) if options["known_on"] else None
    flags = (*options["flags"], *(["ignore_reported"] if options["law_only"] else []))
    return {"known_on": known, "flags": flags}


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{option} {text!r} is not a date; expected year, month and day, such as 2025-03-01"
        raise InputError(msg) from None


def _share(option: str, text: str | None) -> float | None:
    from outlay.units import quantity

    if text is None:
        return None
    share = quantity(text, "")
    if not 0 <= share <= 1:
        msg = f"{option} {text!r} is not a share; expected 0% to 100%"
        raise InputError(msg)
    return share


def _items(catalog: Catalog, options: dict[str, Any]) -> list[tuple[Chip | None, Item]]:
    from outlay.policy import item_of, read_spec

    if options["spec"]:
        return [(None, read_spec(options["spec"]))]
    if not options["chips"]:
        return [(chip, item_of(chip)) for chip in catalog.chips.values()]
    return [_named(catalog, name) for name in options["chips"]]


def _named(catalog: Catalog, name: str) -> tuple[Chip, Item]:
    """Return a chip, or the chip a system holds under the system's name: what holds a covered chip is covered."""
    from outlay.errors import CatalogError
    from outlay.policy import item_of

    try:
        chip = catalog.chip(name)
    except CatalogError as no_chip:
        try:
            system = catalog.system(name)
        except CatalogError:
            raise no_chip from None
        chip = catalog.chip(system.chip)
        return chip, replace(item_of(chip), name=f"{system.name} ({chip.name})")
    return chip, item_of(chip)


def _one(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text
    from outlay.policy import decide
    from outlay.policy.margin import margins

    transaction, asked = _transaction(options, options["day"]), _asked(options)
    ((chip, item),) = _items(catalog, options)
    decision = decide(item, transaction, **asked)
    depends = _depends(chip, item, transaction, asked, decision)
    lines = margins(item, transaction.on, frozenset(asked["flags"])) if options["margin"] else []
    if options["as_json"]:
        check_text.print_json(check_text.as_dict(item, transaction, asked, decision, depends, lines))
    else:
        check_text.print_decision(item, transaction, asked, decision, depends)
        check_text.print_margins(lines)
        check_text.print_advice()
    return 0 if decision.verdict in {"allowed", "conditional"} else 1


def _depends(
    chip: Chip | None, item: Item, transaction: Transaction, asked: dict[str, Any], decision: Decision
) -> list[str]:
    """Return where the class turns on the die area, and competing figures under which the answer is another one."""
    from outlay.policy import competing, decide
    from outlay.policy.margin import flips

    found = flips(item, transaction.on)
    for words, other_item in competing(chip) if chip else ():
        other = decide(other_item, transaction, **asked)
        if (other.code, other.control_class) != (decision.code, decision.control_class):
            found.append(f"with {words}: {other.code}, class {other.control_class}")
    return found


def _every_chip(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text
    from outlay.policy.codes import CLASSES
    from outlay.policy.engine import decide_grid

    transaction, asked = _transaction(options, options["day"]), _asked(options)
    pairs = _items(catalog, options)
    grid = decide_grid([item for _, item in pairs], [transaction], **asked)
    rows = [
        {
            **_use(chip),
            "code": grid.code_at(i, 0),
            "verdict": grid.verdict_at(i, 0),
            "class": CLASSES[grid.control_class[i, 0]],
            "rules": grid.rules_at(i, 0),
            "missing": list(dict.fromkeys(name for one in grid.fired_at(i, 0) for name in one.branch.missing)),
        }
        for i, (chip, _) in enumerate(pairs)
        if chip is not None
    ]
    rows.sort(key=_usefulness)
    if options["as_json"]:
        check_text.print_json(rows)
        return 0
    able = sum(row["verdict"] in {"allowed", "conditional"} for row in rows)
    title = f"{able} of {len(rows)} chips are open to {transaction.destination} on {transaction.on}"
    check_text.print_table(rows, f"{title}, the fastest first")
    check_text.print_advice()
    return 0


def _usefulness(row: dict[str, Any]) -> tuple[bool, float, float]:
    """Return the order of a list of chips: open ones first, then the fastest, then those with the fastest memory."""
    shut = row["verdict"] not in {"allowed", "conditional"}
    return shut, -(row["bf16_tflops"] or 0.0), -(row["memory_gbps"] or 0.0)


def _use(chip: Chip) -> dict[str, Any]:
    """Return what makes a chip useful: dense 16-bit rate, memory and its bandwidth; ``None`` where no source says."""
    compute, memory, bandwidth = (
        chip.peak("bf16") or chip.peak("fp16"),
        chip.number("memory_gb"),
        chip.number("memory_bw_tbs"),
    )
    return {
        "chip": chip.name,
        "bf16_tflops": None if compute is None else round(compute / 1e12, 1),
        "memory_gb": None if memory is None else round(memory / 1e9, 1),
        "memory_gbps": None if bandwidth is None else round(bandwidth / 1e9, 1),
    }


def _timeline(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text
    from outlay.policy.timeline import chart, timeline

    transaction, asked = _transaction(options, None), _asked(options)
    rows = [
        (item.name, timeline(item, transaction, first=_announced(chip), **asked))
        for chip, item in _items(catalog, options)
    ]
    if options["chart"]:
        title = f"Status over time: to {transaction.destination}, buyer {transaction.buyer_hq}"
        _write(Path(options["chart"]), chart(rows, title))
    if options["as_json"]:
        found = [check_text.timeline_dict(name, transaction, spans) for name, spans in rows]
        check_text.print_json(found[0] if len(found) == 1 else found)
        return 0
    for name, spans in rows:
        check_text.print_timeline(name, transaction, spans)
    check_text.print_advice()
    return 0


def _announced(chip: Chip | None) -> date | None:
    """Return the first day of the time a chip was announced in; ``None`` where it is not known."""
    parts = [int(part) for part in (chip.announced if chip else "").split("-") if part.isdigit()]
    year, month, day = (*parts, 1, 1, 1)[:3]
    return date(year, month, day) if parts else None


def _write(path: Path, text: str) -> None:
    if path.suffix.casefold() != ".svg":
        msg = f"--chart {path}: expected a name that ends in .svg"
        raise InputError(msg)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"--chart {path}: cannot be written: {error.strerror}"
        raise InputError(msg) from None


def _diff(catalog: Catalog, options: dict[str, Any]) -> int:
    from outlay.cli import check_text
    from outlay.policy.engine import decide_grid

    first, second = (_transaction(options, day) for day in options["diff"])
    if second.on <= first.on:
        msg = f"--diff {first.on} {second.on}: the second day must be later"
        raise InputError(msg)
    pairs = _items(catalog, options)
    grid = decide_grid([item for _, item in pairs], [first, second], **_asked(options))
    rows = []
    for i, (_, item) in enumerate(pairs):
        rules = [grid.rules_at(i, j) for j in (0, 1)]
        row = {
            "item": item.name,
            "before": f"{grid.code_at(i, 0)} ({grid.verdict_at(i, 0)})",
            "after": f"{grid.code_at(i, 1)} ({grid.verdict_at(i, 1)})",
            "rules come": [name for name in rules[1] if name not in rules[0]],
            "rules gone": [name for name in rules[0] if name not in rules[1]],
        }
        if row["before"] != row["after"] or not options["everything"]:
            rows.append(row)
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
        known_on: date | None = _asked(options)["known_on"]
        check_text.print_rule(found, known_on)
    return 0
