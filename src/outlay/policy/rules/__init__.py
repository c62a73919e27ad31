"""Every rule, in the order of evaluation: class, letters, scope, exceptions, review, maker, duties; then China."""

from __future__ import annotations

from outlay.errors import InputError, unknown
from outlay.policy.rules import china, leases, others, us_classes, us_licences
from outlay.policy.rules.base import Case, Citation, Finding, Rule

__all__ = ["HARDWARE", "LEASES", "Case", "Citation", "Finding", "Rule", "all_rules", "rule"]

HARDWARE: tuple[Rule, ...] = us_classes.RULES + us_licences.RULES + others.RULES + china.RULES
LEASES: tuple[Rule, ...] = leases.RULES


def all_rules() -> tuple[Rule, ...]:
    """Return every rule, hardware first, each in order of evaluation."""
    return HARDWARE + LEASES


def rule(identifier: str) -> Rule:
    """Return a rule by its identifier; raise :class:`InputError` naming the nearest where there is none."""
    by_id = {entry.id: entry for entry in all_rules()}
    if identifier not in by_id:
        raise InputError(unknown("rule", identifier, by_id))
    return by_id[identifier]
