"""Chip Security Act, were it law: chips that say where they are."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import CONTROLLED
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Location verification on every exported controlled part."""
    yield Branch(
        case.exported & case.is_class(*CONTROLLED),
        "exported only with location verification in the part",
        verdict="conditional",
        says="PROPOSED_CONDITION",
    )


RULE = Rule(
    id="US-P4",
    title="Chip Security Act (H.R. 3447, S. 1705), if enacted",
    issuer="US Congress",
    stage="proposal",
    announced=date(2026, 3, 26),
    effective_from=date(2026, 9, 22),
    status="proposed",
    confidence="low",
    scope="exported controlled parts; 180 days after enactment",
    citations=(at.CHIP_SECURITY,),
    predicate=predicate,
    switch="chip_security_enacted",
    note="Cleared by a committee of the House on 26 March 2026. The flag counts 180 days from that day.",
)
