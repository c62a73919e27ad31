"""China's stop of the H200 at customs."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Ask of a foreign chip that the report speaks of."""
    yield Branch(
        imported(case) & case.named("H200"),
        "customs were told it is not permitted; buy only when necessary",
        verdict="denied",
    )


RULE = reported(
    10,
    "H200 not permitted at customs",
    date(2026, 1, 14),
    (
        "Techloy of January 2026",
        "https://www.techloy.com/china-blocks-nvidia-h200-ai-chips-at-customs-despite-u-s-export-approval",
    ),
    predicate,
    scope="H200",
    end=date(2026, 1, 27),
)
