"""How applications for D:1 and D:4 are reviewed since the AI Diffusion rule: not read."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Name no review policy: it was rewritten in January 2025 and the new text was not read."""
    yield Branch(
        case.is_code("LICENCE_PA"), "licence required; the review policy now in force was not read", code="LICENCE"
    )


RULE = Rule(
    id="US-06.review",
    title="Review policy for D:1 and D:4 since the AI Diffusion rule",
    issuer="US BIS",
    stage="review",
    announced=date(2025, 1, 13),
    effective_from=date(2025, 5, 15),
    status="final",
    confidence="medium",
    scope="D:1 and D:4",
    citations=(at.DIFFUSION, at.CCL),
    predicate=predicate,
)
