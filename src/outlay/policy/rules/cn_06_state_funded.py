"""China's word on data centres with public money."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported

SHARE_BUILT = 0.30


def predicate(case: Case) -> Iterator[Branch]:
    """Domestic AI chips only where public money is in a new data centre; else by how far it is built."""
    reached = imported(case) & case.deal("state_funded")
    built = case.amount("progress")
    yield Branch(
        reached & (case.deal("new_site") & ~(built >= SHARE_BUILT)),
        "a new data centre with public money takes domestic AI chips only",
        verdict="denied",
    )
    yield Branch(
        reached & (built < SHARE_BUILT),
        "public money, and less than 30 % built: foreign chips are removed or cancelled",
        verdict="denied",
    )
    yield Branch(
        reached & (built >= SHARE_BUILT), "public money, and 30 % or more built: case by case", verdict="conditional"
    )
    yield Branch(
        reached,
        "public money: below 30 % of the building, foreign chips are removed or cancelled; above, case by case",
        verdict="conditional",
        missing=("progress",),
    )


RULE = reported(
    6,
    "State-funded data centres: domestic AI chips only",
    date(2025, 11, 5),
    (
        "Semafor of 5 November 2025, after Reuters",
        "https://www.semafor.com/article/11/05/2025/china-slashes-big-data-centers-electric-bills",
    ),
    predicate,
    scope="data centres with public money; how far across the country is not clear",
    note="Two sources; no text was published.",
)
