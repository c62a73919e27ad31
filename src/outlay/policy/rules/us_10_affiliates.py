"""Parties that listed ones own by half or more are treated as listed."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import OPEN
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule

HALF = 0.5
SUSPENDED, SUSPENSION_KNOWN, BACK = date(2025, 11, 10), date(2025, 11, 10), date(2026, 11, 10)


def predicate(case: Case) -> Iterator[Branch]:
    """In force for six weeks of 2025, suspended for a year, back by default."""
    share = case.amount("listed_share")
    owned = share >= HALF
    known = case.known_on >= SUSPENSION_KNOWN.toordinal()
    suspended = case.since(SUSPENDED) & known & (~case.since(BACK) | case.flag("affiliates_extended"))
    open_so_far = case.is_code(*OPEN)
    yield Branch(
        owned & suspended & open_so_far,
        "half or more is owned by listed parties; the rule is suspended",
        code="SUSPENDED",
        warnings=("the Affiliates rule comes back on 10 November 2026 unless its suspension is extended",),
    )
    yield Branch(
        owned & ~suspended & case.since(BACK) & known,
        "half or more is owned by listed parties: treated as listed, by default; whether the suspension was extended "
        "was not found",
        code="TREATED_AS_LISTED_UNVERIFIED",
    )
    yield Branch(
        owned & ~suspended,
        "half or more is owned by listed parties, directly or not, added up: treated as listed",
        code="TREATED_AS_LISTED",
    )
    yield Branch(
        (share > 0) & ~owned,
        "a part is owned by listed parties, below half: red flag 29, to be resolved before a sale",
        warnings=("red flag 29: a minority of the buyer is owned by listed parties",),
    )


RULE = Rule(
    id="US-10",
    title="Affiliates (50 %) rule",
    issuer="US BIS",
    stage="party",
    announced=date(2025, 9, 29),
    effective_from=date(2025, 9, 29),
    status="suspended",
    confidence="low",
    scope="parties owned by half or more by parties of the Entity List, the MEU list and some of the SDN list; "
    "suspended 10 November 2025 to 9 November 2026",
    citations=(at.AFFILIATES, at.AFFILIATES_BACK),
    predicate=predicate,
    steps=(
        SUSPENDED,
        BACK,
    ),
    note="That it is back from 10 November 2026 is the text's default and was not verified: no source found reaches "
    "that day. The flag affiliates_extended keeps it suspended.",
)
