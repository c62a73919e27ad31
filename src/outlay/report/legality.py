"""What `outlay check` answers: decisions, lists of chips, timelines and changes, from the command's options, as JSON.

The options are those of the command by the names of its parameters; :data:`DEFAULTS` has what is taken where one is
left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip
    from outlay.policy import Decision, Item, Mode, Transaction
    from outlay.policy.margin import Margin
    from outlay.policy.timeline import Span

ADVICE = "Not legal advice."
DEFAULTS: Mapping[str, Any] = {
    "chips": (),
    "spec": None,
    "everything": False,
    "destination": None,
    "day": None,
    "timeline": False,
    "chart": None,
    "diff": None,
    "margin": False,
    "buyer_hq": None,
    "parent_hq": None,
    "owned_by_listed": None,
    "public_buyer": False,
    "exporter": None,
    "onward": None,
    "lease": False,
    "owner_hq": None,
    "service": False,
    "foundry": False,
    "use": "datacenter",
    "state_funded": False,
    "new_site": False,
    "progress": None,
    "units": None,
    "known_on": None,
    "flags": (),
    "law_only": False,
}


def check(catalog: Catalog, options: Mapping[str, Any]) -> tuple[Any, int]:
    """Answer a question as JSON, with the exit code: 0 it may, 1 it may not or cannot be told.

    Raises
    ------
    InputError
        If a part of the question cannot be read, or does not go with another.
    """
    options = {**DEFAULTS, **options}
    one_of(options, {"CHIP": "chips", "--all": "everything"})
    one_of(options, {"--date DAY": "day", "--timeline": "timeline", "--diff DAY DAY": "diff"})
    fits(options)
    found: Any
    code = 0
    if options["diff"]:
        first, second, rows = changes(catalog, options)
        found = [{"from": first.on, "to": second.on, **row} for row in rows]
    elif options["everything"]:
        _, found = every_chip(catalog, options)
    elif options["timeline"]:
        transaction, lines = timelines(catalog, options)
        found = [timeline_dict(name, transaction, spans) for name, spans in lines]
    else:
        item, transaction, decision, depends, lines_near = one(catalog, options)
        found = as_dict(item, transaction, asked(options), decision, depends, lines_near)
        code = 0 if decision.verdict in {"allowed", "conditional"} else 1
    return json.loads(json.dumps(found, default=str)), code


def one_of(options: Mapping[str, Any], ways: dict[str, str], alone: str = "") -> None:
    """Refuse options of which not exactly one is given."""
    given = [name for name, option in ways.items() if options[option]]
    if len(given) + bool(alone and options[alone]) != 1:
        names = list(ways)
        msg = f"give one of {', '.join(names[:-1])} and {names[-1]}" + (f"; got {', '.join(given)}" if given else "")
        raise InputError(msg)


def fits(options: Mapping[str, Any]) -> None:
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


def _transaction(options: Mapping[str, Any], day: str | None) -> Transaction:
    """Read the options; those left out take the stated defaults."""
    from outlay.policy import Transaction
    from outlay.policy.countries import place
    from outlay.units import share

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
        progress=None if options["progress"] is None else share("--progress", options["progress"]),
        listed_share=share("--owned-by-listed", options["owned_by_listed"] or "0"),
        onward=place(options["onward"]) if options["onward"] else None,
    )


def asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a decision is asked under: what was known, and readings of the rules."""
    known = _day("--known-on", options["known_on"]) if options["known_on"] else None
    flags = (*options["flags"], *(["ignore_reported"] if options["law_only"] else []))
    return {"known_on": known, "flags": flags}


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{option} {text!r} is not a date; expected year, month and day, such as 2025-03-01"
        raise InputError(msg) from None


def items(catalog: Catalog, options: Mapping[str, Any]) -> list[tuple[Chip | None, Item]]:
    """Return the chips asked about, each as an item of the rules."""
    from outlay.policy import item_of, read_spec

    if options["spec"]:
        return [(None, read_spec(options["spec"]))]
    if not options["chips"]:
        return [(chip, item_of(chip)) for chip in catalog.chips.values()]
    return [named(catalog, name) for name in options["chips"]]


def named(catalog: Catalog, name: str) -> tuple[Chip, Item]:
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


def one(
    catalog: Catalog, options: Mapping[str, Any]
) -> tuple[Item, Transaction, Decision, list[str], Sequence[Margin]]:
    """Return the item, the deal, the decision, figures on which it turns, and how far each line is where asked."""
    from outlay.policy import decide
    from outlay.policy.margin import margins

    transaction, how = _transaction(options, options["day"]), asked(options)
    ((chip, item),) = items(catalog, options)
    decision = decide(item, transaction, **how)
    depends = depends_on(chip, item, transaction, how, decision)
    near = margins(item, transaction.on, frozenset(how["flags"])) if options["margin"] else []
    return item, transaction, decision, depends, near


def depends_on(
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


def every_chip(catalog: Catalog, options: Mapping[str, Any]) -> tuple[Transaction, list[dict[str, Any]]]:
    """Return the deal and what each chip of the catalogue would get, the most useful first."""
    from outlay.policy.codes import CLASSES
    from outlay.policy.engine import decide_grid

    transaction, how = _transaction(options, options["day"]), asked(options)
    pairs = items(catalog, options)
    grid = decide_grid([item for _, item in pairs], [transaction], **how)
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
    return transaction, rows


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


def timelines(catalog: Catalog, options: Mapping[str, Any]) -> tuple[Transaction, list[tuple[str, list[Span]]]]:
    """Return the deal, and for each chip every day on which the answer changes."""
    from outlay.policy.timeline import timeline

    transaction, how = _transaction(options, None), asked(options)
    return transaction, [
        (item.name, timeline(item, transaction, first=announced(chip), **how)) for chip, item in items(catalog, options)
    ]


def announced(chip: Chip | None) -> date | None:
    """Return the first day of the time a chip was announced in; ``None`` where it is not known."""
    parts = [int(part) for part in (chip.announced if chip else "").split("-") if part.isdigit()]
    year, month, day = (*parts, 1, 1, 1)[:3]
    return date(year, month, day) if parts else None


def changes(catalog: Catalog, options: Mapping[str, Any]) -> tuple[Transaction, Transaction, list[dict[str, Any]]]:
    """Return the deal on two days, and what changed between them."""
    from outlay.policy.engine import decide_grid

    first, second = (_transaction(options, day) for day in options["diff"])
    if second.on <= first.on:
        msg = f"--diff {first.on} {second.on}: the second day must be later"
        raise InputError(msg)
    pairs = items(catalog, options)
    grid = decide_grid([item for _, item in pairs], [first, second], **asked(options))
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
    return first, second, rows


def as_dict(
    item: Item,
    transaction: Transaction,
    asked: dict[str, Any],
    decision: Decision,
    depends: list[str],
    margins: Sequence[Margin],
) -> dict[str, Any]:
    """Return an answer with its question, for programs."""
    found = {
        "item": asdict(item),
        "transaction": asdict(transaction),
        "known_on": asked["known_on"],
        "flags": list(asked["flags"]),
        "code": decision.code,
        "verdict": decision.verdict,
        "law": decision.law,
        "class": decision.control_class,
        "rules": [asdict(firing) for firing in decision.firings],
        "arithmetic": list(decision.arithmetic),
        "missing": list(decision.missing),
        "depends_on": depends,
        "price_factors": [asdict(factor) | {"multiplier": factor.multiplier()} for factor in decision.factors],
        "warnings": list(decision.warnings),
        "confidence": decision.confidence,
        "note": ADVICE,
    }
    return found | ({"margins": [asdict(one) for one in margins]} if margins else {})


def timeline_dict(name: str, transaction: Transaction, spans: Sequence[Span]) -> dict[str, Any]:
    """Return a timeline, for programs."""
    rows = [
        {
            "from": span.first.isoformat(),
            "until": span.last.isoformat(),
            "code": span.decision.code,
            "verdict": span.decision.verdict,
            "law": span.decision.law,
            "class": span.decision.control_class,
            "rules": span.decision.rules,
        }
        for span in spans
    ]
    return {"item": name, "destination": transaction.destination, "timeline": rows, "note": ADVICE}
