"""Pages of the documentation, written from the rules' records."""

from __future__ import annotations

from datetime import date

from outlay.policy.codes import FLAGS, VERDICTS
from outlay.policy.countries import memberships
from outlay.policy.deadline import SLIPS
from outlay.policy.engine import FIRST_RULE, SOURCES_REACH
from outlay.policy.metrics import WORDS, plain
from outlay.policy.rule import Line, Rule
from outlay.policy.rules import all_rules

STAGES = {
    "class": "what an item is",
    "letter": "letters that reach items no entry names",
    "scope": "where it needs a licence",
    "exception": "what frees it",
    "review": "how an application is reviewed",
    "maker": "who made it",
    "party": "who stands behind the buyer",
    "proposal": "bills, by switch",
    "duty": "duties, tariffs and what is reported of licences",
    "china": "the Chinese side, as reported",
    "foundry": "who makes a chip for whom",
    "lease": "renting",
}
NOT_ADVICE = "Not legal advice. A code speaks of these rules alone: no licence needed is no clearance."


def pages() -> dict[str, str]:
    """Return every page by its path below the documentation: an index, and one for each rule."""
    return {"rules/index.md": index()} | {f"rules/{rule.id}.md": page(rule) for rule in all_rules()}


def page(rule: Rule) -> str:
    """Return the page of a rule."""
    rows = [
        ("Issuer", rule.issuer),
        ("Scope", rule.scope),
        ("Announced", str(rule.announced)),
        ("In effect", _span(rule)),
        ("Changes on", ", ".join(map(str, sorted(rule.steps)))),
        ("Status", f"{rule.status}, confidence {rule.confidence}"),
        ("Clock", "the law" if rule.clock == "law" else "practice, as reported"),
        ("Asked", f"{STAGES[rule.stage]}" if rule.predicate else f"no; {rule.note or 'kept to be cited'}"),
        ("Switch", _switch(rule)),
    ]
    parts = [f"# {rule.id}: {rule.title}", "", "| | |", "|---|---|"]
    parts += [f"| {name} | {_cell(text)} |" for name, text in rows if text]
    if rule.lines:
        parts += ["", "## Numbers", "", "| figure | reached |", "|---|---|"]
        parts += [f"| {WORDS[line.figure]} | {_line(line)} |" for line in rule.lines]
    if rule.note and rule.predicate:
        parts += ["", "## Mind", "", rule.note]
    if rule.id == "US-14":
        parts += ["", "## The deadline", "", "| set on | until | source |", "|---|---|---|"]
        parts += [f"| {slip.announced} | {slip.until} | <{slip.citation.address}> |" for slip in SLIPS]
    parts += ["", "## Sources", ""]
    parts += [f"- {cite.document}, {cite.section}: <{cite.address}>" for cite in rule.citations]
    return "\n".join((*parts, "", NOT_ADVICE, ""))


def _span(rule: Rule) -> str:
    if rule.effective_to is None:
        return f"from {rule.effective_from}"
    return f"{rule.effective_from} to {rule.effective_to} (end announced {rule.end_announced})"


def _switch(rule: Rule) -> str:
    if rule.switch:
        return f"off unless `{rule.switch}` is set: {FLAGS[rule.switch]}"
    return f"on unless `{rule.switch_off}` is set: {FLAGS[rule.switch_off]}" if rule.switch_off else ""


def _line(line: Line) -> str:
    return f"above {plain(line.at)}" if line.strict else f"at {plain(line.at)} or more"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def index() -> str:
    """Return the list of rules in the order of evaluation, of codes, of switches and of country groups."""
    parts = [
        "# Every rule",
        "",
        "Written from the records when the documentation is built. " + NOT_ADVICE,
        "",
        f"Sources reach from {FIRST_RULE} to {SOURCES_REACH}. Nothing newer was searched for, and what falls due "
        f"after that day (the Affiliates rule from 10 November 2026, the update of the tariff) is not verified; an "
        f"answer for a later day says so.",
        "",
        "| rule | title | asked | in effect | status | confidence |",
        "|---|---|---|---|---|---|",
    ]
    parts += [
        f"| [{rule.id}]({rule.id}.md) | {rule.title} | {STAGES[rule.stage] if rule.predicate else 'no'} | "
        f"{_span(rule)} | {rule.status} | {rule.confidence} |"
        for rule in all_rules()
    ]
    parts += ["", "## Codes", "", "| code | verdict |", "|---|---|"]
    parts += [f"| `{code}` | {verdict} |" for code, verdict in VERDICTS.items()]
    parts += ["", "## Switches", "", "| flag | what it does |", "|---|---|"]
    parts += [f"| `{flag}` | {words} |" for flag, words in FLAGS.items()]
    parts += ["", "## Country groups", "", "| group | countries | from | to | mind |", "|---|---|---|---|---|"]
    parts += [
        f"| {entry.group} | {' '.join(sorted(entry.countries))} | {_end(entry.first)} | {_end(entry.last)} | "
        f"{_cell(entry.note)} |"
        for entry in memberships()
    ]
    return "\n".join((*parts, ""))


def _end(day: date | None) -> str:
    return str(day) if day else "open"
