"""Renting machines abroad: no export of hardware, and what still reaches it."""

from __future__ import annotations

from datetime import date

from outlay.policy.rules import sources as at
from outlay.policy.rules.base import CONTROLLED, Case, Citation, Finding, Rule


def knowledge_check(case: Case) -> Finding | None:
    """Renting is no export of hardware; knowing support of some uses is restricted whatever the machine."""
    return Finding(
        "renting is not an export of hardware; the owner must not know of weapons or military-intelligence use",
        code="NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK",
    )


def training_statement(case: Case) -> Finding | None:
    """Training models on 3A090.a for parties of D:5, with knowledge of restricted uses."""
    if not case.restricted_buyer or case.control_class not in CONTROLLED:
        return None
    return Finding(
        "a licence where the owner knows the models serve weapons or military-intelligence uses",
        warnings=("leasing abroad by a group with headquarters in D:5 or Macau: high risk that the rules change",),
    )


def remote_access(case: Case) -> Finding | None:
    """Remote access controlled like an export."""
    if not case.restricted_buyer or case.control_class not in CONTROLLED:
        return None
    return Finding("remote access would need a licence", code="PROPOSED_DENY")


RULES = (
    Rule(
        id="US-LEASE",
        title="Renting out machines is not an export of them",
        issuer="US BIS",
        announced=date(2022, 8, 26),
        effective_from=date(2022, 8, 26),
        status="guidance",
        confidence="medium",
        scope="machines that another owner has received lawfully",
        citations=(
            Citation(
                "15 CFR section 744.6 and BIS statements",
                "law-firm summary; Congressional Record H621",
                at.REMOTE_ACCESS.address,
            ),
        ),
        predicate=knowledge_check,
    ),
    Rule(
        id="US-09.training",
        title="Policy statement on training models",
        issuer="US BIS",
        announced=date(2025, 5, 13),
        effective_from=date(2025, 5, 13),
        status="guidance",
        confidence="medium",
        scope="3A090 items, cloud access and support by US persons for parties headquartered in D:5",
        citations=(at.TRAINING_2025,),
        predicate=training_statement,
    ),
    Rule(
        id="US-P2",
        title="Remote Access Security Act, if enacted",
        issuer="US Congress",
        announced=date(2026, 1, 12),
        effective_from=date(2026, 1, 12),
        status="proposed",
        confidence="low",
        scope="cloud access by groups headquartered in D:5 or Macau",
        citations=(at.REMOTE_ACCESS,),
        predicate=remote_access,
        switch="remote_access_enacted",
    ),
)
