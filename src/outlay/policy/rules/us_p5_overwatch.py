"""AI OVERWATCH Act, were it law: Congress may stop a licence."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

PERFORMANCE = Line("tpp", 4800)


def predicate(case: Case) -> Iterator[Branch]:
    """Thirty days of congressional review before a licence for a part of 4800 or more."""
    yield Branch(
        case.exported & case.restricted & PERFORMANCE.reached(case) & case.kind("chip"),
        "a licence would lie before Congress for 30 days",
        verdict="conditional",
        lines=(PERFORMANCE,),
        says="PROPOSED_CONDITION",
    )


RULE = Rule(
    id="US-P5",
    title="AI OVERWATCH Act (H.R. 6875, S. 4456), if enacted",
    issuer="US Congress",
    stage="proposal",
    announced=date(2026, 1, 21),
    effective_from=date(2026, 1, 21),
    status="proposed",
    confidence="low",
    scope="parts of TPP 4800 or more to D:5, Macau and their groups",
    citations=(at.OVERWATCH, at.OVERWATCH_SENATE),
    predicate=predicate,
    switch="overwatch_enacted",
    lines=(PERFORMANCE,),
    note="Only the review period and the TPP line were read.",
)
