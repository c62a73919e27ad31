"""Decides one question: folds the rules in force over the case, in order, and reads the verdict from a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date

from outlay.errors import InputError, unknown
from outlay.policy.decision import Decision, Firing, Item, Transaction, Verdict
from outlay.policy.metrics import check_item
from outlay.policy.rules import HARDWARE, LEASES, Case, Finding, Rule

FLAGS = {
    "diffusion_enforced": "The AI Diffusion rule is enforced from 15 May 2025 on.",
    "letter_2025_h20_line": "The April 2025 letters draw the line at the H20's own 4000 and 900 GB/s.",
    "certifications": "The conditions of the January 2026 rule are met, route included, and a licence follows.",
    "safe_chips_enacted": "The SAFE Chips Act becomes law as introduced.",
    "remote_access_enacted": "The Remote Access Security Act becomes law and is used against groups of D:5 and Macau.",
    "ignore_reported": "China-side rules that are only reported do not count.",
}

# What each code means for somebody who wants the machines and holds no licence. A rule may make it stricter (China-side
# reports). Two codes are read with more than the table: LICENCE_CBC is conditional where the flag `certifications` says
# that its conditions are met; GP10_* is conditional for a purely Chinese use in China.
VERDICTS: dict[str, Verdict] = {
    "NLR": "allowed",
    "NOT_ENFORCED": "allowed",
    "COMPLIANCE_PENDING": "allowed",
    "AIA": "allowed",
    "ACA": "allowed",
    "TARIFF_NONE": "allowed",
    "TARIFF_25": "conditional",
    "PERMIT_NOTICE_30D": "conditional",
    "NAC_OR_LICENCE": "conditional",
    "LPP": "conditional",
    "LICENCE_PA": "conditional",
    "HBM_EXCEPTION_OR_LICENCE": "conditional",
    "GP10_PRESUMED": "denied",
    "GP10_RISK": "denied",
    "NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK": "conditional",
    "LICENCE_CBC": "denied",
    "LICENCE": "denied",
    "LICENCE_PD": "denied",
    "LETTER_LICENCE": "denied",
    "PROPOSED_DENY": "denied",
    "UNKNOWN": "unknown",
}
UNLICENSED = {"NLR", "TARIFF_NONE"}
STRICTNESS: tuple[Verdict, ...] = ("allowed", "conditional", "unknown", "denied")
CONFIDENCES = ("low", "medium", "high")
FIRST_RULE = date(2022, 8, 26)
SOURCES_REACH = date(2026, 9, 18)


def decide(
    item: Item, transaction: Transaction, *, known_on: date | None = None, flags: Collection[str] = ()
) -> Decision:
    """Decide whether an item may go to a buyer.

    Parameters
    ----------
    item, transaction
        What, and who gets it, where, when and how.
    known_on
        Only rules announced by this day exist, as they then stood: neither a later rule nor the later end of an
        earlier one is known. ``None`` uses all that happened.
    flags
        Readings and futures by name, see :data:`FLAGS`.

    Raises
    ------
    InputError
        If a flag is unknown or a figure of the item is not a positive number.

    Notes
    -----
    A lease asks two things: may the owner have the hardware there on that day, and is renting it to the buyer
    restricted. That the owner had received it earlier, under older rules, is not assumed. A part that is not controlled
    and that the buyer could buy there without a licence is answered as a purchase by the owner.
    """
    chosen = _flags(flags)
    check_item(item)
    if transaction.mode == "lease":
        return _lease(item, transaction, known_on, chosen)
    return _fold(Case(item, transaction, chosen), HARDWARE, known_on)


def _lease(item: Item, transaction: Transaction, known_on: date | None, flags: frozenset[str]) -> Decision:
    owner = transaction.owner_hq
    if owner is None:
        return Decision("UNKNOWN", "INDETERMINATE", "unknown", (), missing=("owner_hq",))
    hardware = _fold(
        Case(item, replace(transaction, mode="buy", buyer_hq=owner, parent_hq=owner), flags), HARDWARE, known_on
    )
    if hardware.verdict in {"denied", "unknown"}:
        warning = f"the owner (headquarters {owner}) may not get the hardware there on that day, so it cannot be rented"
        return replace(hardware, warnings=(*hardware.warnings, warning))
    if hardware.control_class == "NONE" and hardware.code in UNLICENSED:
        # What nobody needs a licence for, the tenant included, may be rented as it may be bought.
        bought = _fold(Case(item, replace(transaction, mode="buy"), flags), HARDWARE, known_on)
        if bought.code in UNLICENSED:
            return hardware
    case = Case(item, transaction, flags, control_class=hardware.control_class, code=hardware.code)
    return _fold(case, LEASES, known_on, hardware)


def _fold(case: Case, rules: Iterable[Rule], known_on: date | None, earlier: Decision | None = None) -> Decision:
    """Apply the rules in force in order; each sees what those before it found."""
    found: list[tuple[Rule, Finding]] = []
    for rule in rules:
        if rule.predicate is None or not rule.in_force(case.transaction.on, known_on, case.flags):
            continue
        finding = rule.predicate(case)
        if finding is not None:
            found.append((rule, finding))
            case = case.after(finding)
    firings = tuple(_firing(rule, finding) for rule, finding in found)
    before = earlier or Decision("", "", "allowed", (), confidence="high")
    verdicts: list[Verdict] = [_verdict(case, found), before.verdict]
    verdicts += [finding.verdict for _, finding in found if finding.verdict]
    missing = [name for _, finding in found for name in finding.missing]
    warnings = [text for _, finding in found for text in finding.warnings]
    firings = before.firings + firings
    return Decision(
        code=case.code,
        control_class=case.control_class,
        verdict=max(verdicts, key=STRICTNESS.index),
        firings=firings,
        arithmetic=tuple(line for firing in firings for line in firing.arithmetic),
        confidence=min([before.confidence, *(rule.confidence for rule, _ in found)], key=CONFIDENCES.index),
        warnings=tuple(dict.fromkeys((*before.warnings, *warnings, *_notes(case, known_on)))),
        missing=tuple(dict.fromkeys((*before.missing, *missing))),
    )


def _verdict(case: Case, found: list[tuple[Rule, Finding]]) -> Verdict:
    if case.code == "LICENCE_CBC" and "certifications" in case.flags:
        return "conditional"
    if case.code.startswith("GP10"):  # the rule itself says: conditional at home, denied elsewhere
        return next(f.verdict for _, f in reversed(found) if f.code == case.code and f.verdict)
    return VERDICTS[case.code]


def _firing(rule: Rule, finding: Finding) -> Firing:
    return Firing(
        rule=rule.id,
        title=rule.title,
        outcome=finding.outcome,
        citations=tuple(str(citation) for citation in rule.citations),
        arithmetic=finding.arithmetic,
        status=rule.status,
        confidence=rule.confidence,
    )


def _notes(case: Case, known_on: date | None) -> list[str]:
    on, notes = case.transaction.on, []
    if on < FIRST_RULE:
        notes.append(f"{on} is before the first rule held here ({FIRST_RULE})")
    if on > SOURCES_REACH and known_on is None:
        notes.append(f"{on} is after what the sources reach ({SOURCES_REACH}); later rules are not known here")
    if case.transaction.end_use == "consumer" and case.item.datacenter:
        notes.append("consumer use changes nothing: note 2 of 3A090 asks how the part is designed and marketed")
    return notes


def _flags(flags: Collection[str]) -> frozenset[str]:
    for flag in flags:
        if flag not in FLAGS:
            raise InputError(unknown("policy flag", flag, FLAGS, see=f"flags: {', '.join(FLAGS)}"))
    return frozenset(flags)
