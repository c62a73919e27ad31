"""China's word to stop buying the RTX Pro 6000D."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Ask of a foreign chip that the report speaks of."""
    yield Branch(
        imported(case) & case.named("RTX Pro 6000D"),
        "companies were told to stop testing and ordering it",
        verdict="denied",
    )


RULE = reported(
    4,
    "Stop testing and ordering the RTX Pro 6000D",
    date(2025, 9, 17),
    (
        "Catenaa of 17 September 2025, after the Financial Times",
        "https://investors.catenaa.com/news/china-bans-tech-firms-from-buying-nvidia-ai-chips",
    ),
    predicate,
    scope="technology companies",
)
