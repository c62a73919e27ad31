"""What if a claim is wrong: a scenario without the figures of a status, or with another value for a claim."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from outlay.errors import InfeasibleError, InputError, unknown
from outlay.evidence import STATUSES

if TYPE_CHECKING:
    from outlay.scenario.schema import Evidence, Scenario

STANDS_ON = {
    "budgets": "amount",
    "sourcing": "share",
    "sites": "power",
    "leases": "price",
    "system_power": "power",
    "supply": "chips",
    "training": "tokens",
    "services": "demand",
}
"""The field without which a block of a kind says nothing."""


def what_if(
    scenario: Scenario, without: tuple[str, ...] = (), claims: tuple[str, ...] = ()
) -> tuple[Scenario, list[str]]:
    """Return a scenario with some claims set and the figures of some statuses left out, and what was changed, in words.

    Parameters
    ----------
    without
        Statuses, such as ``"denied"``: a block whose main figure has one is left out, and shares of a budget left out.
    claims
        ``"c2=30 billion CNY"``, or ``"china.amount=30 billion CNY"`` for a field of a named block.

    Raises
    ------
    InputError
        If a status or a claim is unknown, or a value does not fit; names the nearest.
    InfeasibleError
        If no budget or no site is left.
    """
    from outlay.scenario.check import check

    told: list[str] = []
    for text in claims:
        scenario = _set(scenario, text, told)
    for status in without:
        if status not in STATUSES:
            raise InputError(unknown("status", status, STATUSES, see=f"statuses: {', '.join(STATUSES)}"))
        scenario = _left_out(scenario, status, told)
    if not told:
        return scenario, [f"nothing is {' or '.join(without)}; the scenario stands as it is"] if without else []
    problems = check(scenario)
    if problems:
        msg = "; ".join([f"after {', '.join(told)}", *(problem.what for problem in problems)])
        raise InputError(msg)
    return scenario.model_copy(update={"title": f"{scenario.title} [{'; '.join(told)}]"}), told


def _blocks(scenario: Scenario) -> Iterator[tuple[str, int, Any]]:
    for kind in STANDS_ON:
        for index, block in enumerate(getattr(scenario, kind)):
            yield kind, index, block


def _name(block: Any) -> str:
    return str(getattr(block, "name", None) or getattr(block, "chip", None) or getattr(block, "system", ""))


def _set(scenario: Scenario, text: str, told: list[str]) -> Scenario:
    """Give every field that a claim stands behind another value, parsed as the field's own is."""
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name or not value.strip():
        msg = f"--claim {text!r}: expected CLAIM=value, such as c2=30 billion CNY"
        raise InputError(msg)
    known: dict[str, None] = {}
    found: list[tuple[str, int, str]] = []
    for kind, index, block in _blocks(scenario):
        main = f"{_name(block)}.{STANDS_ON[kind]}"
        known[main] = None
        if name == main:
            found.append((kind, index, STANDS_ON[kind]))
        for field, evidence in block.evidence.items():
            if evidence.claim and field == STANDS_ON[kind]:
                known[evidence.claim] = None
            if name == evidence.claim and field == STANDS_ON[kind]:
                found.append((kind, index, field))
    if not found:
        raise InputError(unknown("claim", name, known, see=f"claims that can be set: {', '.join(known)}"))
    for kind, index, field in dict.fromkeys(found):
        scenario = _with_field(scenario, kind, index, field, name, value.strip())
    told.append(f"{name} set to {value.strip()}")
    return scenario


def _with_field(scenario: Scenario, kind: str, index: int, field: str, name: str, value: str) -> Scenario:
    from pydantic import TypeAdapter, ValidationError

    from outlay.scenario.schema import Evidence

    block = getattr(scenario, kind)[index]
    info = type(block).model_fields[field]
    annotation: Any = info.annotation
    for constraint in info.metadata:
        annotation = Annotated[annotation, constraint]
    try:
        parsed = TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        reason = str(error.errors()[0].get("ctx", {}).get("error", error.errors()[0]["msg"]))
        msg = f"--claim {name}={value}: {kind} {_name(block)!r}, {field}: {reason}"
        raise InputError(msg) from None
    before = block.evidence.get(field)
    said = f"{before.by} has it otherwise" if before else "the scenario has it otherwise"
    evidence = Evidence(status="assumed", by="set by --claim", reason=said, claim=before.claim if before else "")
    changed = block.model_copy(update={field: parsed, "evidence": {**block.evidence, field: evidence}})
    blocks = list(getattr(scenario, kind))
    blocks[index] = changed
    return scenario.model_copy(update={kind: blocks})


def _left_out(scenario: Scenario, status: str, told: list[str]) -> Scenario:
    """Leave out blocks whose main figure has a status, and shares of budgets that go with them."""
    kept: dict[str, list[Any]] = {kind: [] for kind in STANDS_ON}
    gone: dict[str, list[str]] = {}
    for kind, _, block in _blocks(scenario):
        evidence: Evidence | None = block.evidence.get(STANDS_ON[kind]) or block.evidence.get("*")
        if evidence is not None and evidence.status == status:
            gone.setdefault(kind, []).append(_name(block))
        else:
            kept[kind].append(block)
    dropped = set(gone.get("budgets", []))
    orphans = [rule for rule in kept["sourcing"] if rule.budget in dropped]
    kept["sourcing"] = [rule for rule in kept["sourcing"] if rule.budget not in dropped]
    deadlines = [deadline for deadline in scenario.deadlines if deadline.evidence.status != status]
    told += [f"without {kind} {', '.join(names)} ({status})" for kind, names in gone.items()]
    told += [f"without sourcing {rule.name} (of budget {rule.budget})" for rule in orphans]
    for kind in ("budgets", "sites"):
        if not kept[kind]:
            words = {"budgets": "no money is left to plan with", "sites": "no site is left"}[kind]
            msg = f"{scenario.name} {'; '.join(told)}: {words}; set a figure of your own with --claim CLAIM=value"
            raise InfeasibleError(msg)
    return scenario.model_copy(update={**kept, "deadlines": deadlines})
