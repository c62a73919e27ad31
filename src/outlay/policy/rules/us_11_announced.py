"""The announcement of December 2025 on the H200."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """H200 to approved customers in China: announced, not yet in the rules."""
    yield Branch(
        case.is_code("LICENCE_PD") & case.at("destination", "CN") & case.named("H200"),
        "licence required; an allowance is announced (25 % to the United States), not in the rules",
        code="LICENCE",
    )


RULE = Rule(
    id="US-11.announced",
    title="Announcement on the H200 of 8 December 2025",
    issuer="US President",
    stage="review",
    announced=date(2025, 12, 8),
    effective_from=date(2025, 12, 8),
    effective_to=date(2026, 1, 14),
    end_announced=date(2026, 1, 13),
    status="announcement",
    confidence="high",
    scope="H200 to approved customers in China; Blackwell and Rubin excluded",
    citations=(at.H200_2025,),
    predicate=predicate,
)
