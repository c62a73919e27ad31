"""What `outlay check` prints: answers, tables, timelines, margins, cases and records, as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from outlay.report.legality import ADVICE, timeline_dict

if TYPE_CHECKING:
    from outlay.policy import Decision, Item, Transaction
    from outlay.policy.cases import Answer
    from outlay.policy.margin import Margin
    from outlay.policy.rule import Rule
    from outlay.policy.timeline import Span

COLOURS = {"allowed": "green", "conditional": "yellow", "denied": "red", "unknown": "magenta"}
DEALS = {"buy": "bought", "lease": "leased", "service": "used as a service", "foundry": "made and packaged"}


def print_json(value: Any) -> None:
    """Print a value as JSON; dates become text."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_advice() -> None:
    """Print what the answer is not, and how far it reaches."""
    from outlay.policy import SOURCES_REACH

    click.echo(
        f"A code speaks of these rules alone; no licence needed is no clearance. Sources reach to {SOURCES_REACH}. "
        f"{ADVICE}"
    )


def print_table(rows: Sequence[dict[str, Any]], title: str) -> None:
    """Print rows as columns as wide as their widest cell; what no source says is a dash."""
    click.secho(title, bold=True)
    columns = list(rows[0])
    cells = [columns] + [[_cell(row[key]) for key in columns] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "-" if value is None else str(value)


def print_decision(
    item: Item, transaction: Transaction, asked: dict[str, Any], decision: Decision, depends: list[str]
) -> None:
    """Print the answer, then each rule in order with its arithmetic and citations."""
    click.secho(f"{item.name} to {transaction.destination} on {transaction.on}, {DEALS[transaction.mode]}", bold=True)
    click.echo(f"  buyer {transaction.buyer_hq}, ultimate parent {transaction.parent_hq}", nl=False)
    click.echo(f", owner {transaction.owner_hq}" if transaction.owner_hq else "")
    if asked["known_on"]:
        click.echo(f"  by what was known on {asked['known_on']}")
    click.secho(f"{decision.code}: {decision.verdict}", fg=COLOURS[decision.verdict], bold=True)
    if decision.law != decision.verdict:
        click.echo(f"  by the law alone: {decision.law}; the rest is reported practice")
    if decision.hardware_code:
        click.echo(f"  the machines' way to their owner: {decision.hardware_code}")
    click.echo(f"  class {decision.control_class}; confidence {decision.confidence}")
    for firing in decision.firings:
        click.echo(f"\n{firing.rule}  {firing.title} [{firing.status}, confidence {firing.confidence}]")
        click.echo(f"  {firing.outcome}")
        for line in firing.arithmetic:
            click.echo(f"  {line}")
        if firing.factor is not None:
            factor = firing.factor
            click.echo(f"  price of {factor.applies_to} x {factor.multiplier():.4g}: {factor.words}")
        for citation in firing.citations:
            click.secho(f"  {citation}", dim=True)
    click.echo()
    for label, lines in (("missing", decision.missing), ("depends on figures", depends), ("mind", decision.warnings)):
        for line in lines:
            click.secho(f"{label}: {line}", fg="yellow")


def print_margins(margins: Sequence[Margin]) -> None:
    """Print how far each figure is from each line, nearest first."""
    if not margins:
        return
    click.secho("\nHow far from each line, nearest first", bold=True)
    for one in margins:
        far = "      " if one.relative is None else f"{one.relative:+6.1%}"
        click.echo(f"  {far}  {one.rule}  {one.arithmetic}" + (f"; {one.change}" if one.change else ""))
    click.echo()


def print_timeline(name: str, transaction: Transaction, spans: Sequence[Span]) -> None:
    """Print a strip of signs and the spans below it."""
    from outlay.policy.timeline import SIGNS, strip

    drawn = strip(spans)
    legend = ", ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
    click.secho(f"{name} to {transaction.destination}, buyer {transaction.buyer_hq}", bold=True)
    click.echo(f"{spans[0].first} ", nl=False)
    verdict_of = {sign: verdict for verdict, sign in SIGNS.items()}
    for sign in drawn:
        click.secho(sign, fg=COLOURS[verdict_of[sign]], nl=False)
    click.echo(f" {spans[-1].last}   ({legend})")
    rows = timeline_dict(name, transaction, spans)["timeline"]
    keys = ("from", "code", "verdict", "law", "class", "rules")
    print_table([{key: row[key] for key in keys} for row in rows], "")


def case_dict(found: Answer) -> dict[str, Any]:
    """Return the answer to a case, for programs."""
    return {
        "case_id": found.question.case_id,
        "code": found.code,
        "class": found.control_class,
        "rules": found.decision.rules,
        "arithmetic": list(found.decision.arithmetic),
        "expected_code": found.question.expected_code,
        "expected_class": found.question.expected_class,
        "confidence": found.question.confidence,
        "result": found.mark,
        "missing": list(found.decision.missing),
        "warnings": list(found.decision.warnings),
    }


def print_cases(answers: Sequence[Answer]) -> None:
    """Print each case that is not right, then how many are."""
    for found in answers:
        question = found.question
        if question.problem:
            click.secho(f"{question.case_id}  cannot be asked: {question.problem}", fg="red")
            continue
        if found.mark == "right":
            continue
        if not found.mark:
            click.echo(f"{question.case_id}  {question.item.name}: {found.code}, class {found.control_class}")
            continue
        low = "; of low confidence, a warning" if question.confidence == "low" else ""
        click.secho(
            f"{question.case_id}  {question.item.name}: {found.mark}: {found.code}, class {found.control_class}; "
            f"expected {question.expected_code}, class {question.expected_class}{low}",
            fg="yellow" if low else "red",
        )
        for line in found.decision.arithmetic:
            click.echo(f"    {line}")
    counts = Counter(found.mark for found in answers)
    asked = sum(counts[mark] for mark in ("right", "wrong", "indeterminate"))
    share = f" ({counts['right'] / asked:.1%})" if asked else ""
    click.secho(
        f"{counts['right']} right{share}, {counts['wrong']} wrong, {counts['indeterminate']} indeterminate of {asked}",
        bold=True,
    )
    click.echo(ADVICE)


def rule_dict(found: Rule) -> dict[str, Any]:
    """Return a rule's record, for programs."""
    record = {name: value for name, value in vars(found).items() if name != "predicate"}
    record["citations"] = [asdict(citation) for citation in found.citations]
    record["lines"] = [asdict(line) for line in found.lines]
    return record | {"decides": found.predicate is not None}


def print_rule(found: Rule, known_on: date | None) -> None:
    """Print a rule's page, and for the divestiture its deadline as it stood."""
    from outlay.policy.pages import page

    click.echo(page(found), nl=False)
    if found.id == "US-14":
        from outlay.policy.deadline import deadline

        stood = deadline(known_on or date.today())
        click.echo(f"Deadline as known on {known_on or date.today()}: {stood.until or 'settled'}")
        click.echo(f"Slips so far, days: {', '.join(map(str, stood.slips_days))}")
