"""Remote Access Security Act, were it law: cloud access controlled like an export."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import CONTROLLED
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Close to groups of D:5 and Macau the renting of what they may not buy; an unknown class stays unknown."""
    yield Branch(
        case.restricted_buyer & case.is_class(*CONTROLLED), "remote access would need a licence", code="PROPOSED_DENY"
    )
    yield Branch(
        case.restricted_buyer & case.is_class("INDETERMINATE"),
        "remote access may need a licence: the class is not known",
        code="UNKNOWN",
    )


RULE = Rule(
    id="US-P2",
    title="Remote Access Security Act (H.R. 2683), if enacted",
    issuer="US Congress",
    stage="lease",
    announced=date(2026, 1, 12),
    effective_from=date(2026, 1, 12),
    status="proposed",
    confidence="low",
    scope="cloud access by groups headquartered in D:5 or Macau",
    citations=(at.REMOTE_ACCESS,),
    predicate=predicate,
    switch="remote_access_enacted",
    note="Passed the House; the Senate was not found. The act lets BIS control access; that BIS would use it for 3A090 "
    "items is the scenario.",
)
