"""Renting machines is no export of them, and what still reaches it."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Knowing support of some uses is restricted whatever the machine."""
    yield Branch(
        case.on > 0,
        "renting is not an export of hardware; the owner must not know of weapons or military-intelligence use",
        code="NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK",
    )


RULE = Rule(
    id="US-LEASE",
    title="Renting out machines is not an export of them",
    issuer="US BIS",
    stage="lease",
    announced=date(2022, 8, 26),
    effective_from=date(2022, 8, 26),
    status="guidance",
    confidence="medium",
    scope="machines that another owner has received lawfully",
    citations=(at.RENTING,),
    predicate=predicate,
)
