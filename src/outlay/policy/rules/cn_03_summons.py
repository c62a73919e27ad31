"""China's summons over the H20."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Ask of a foreign chip that the report speaks of."""
    yield Branch(
        imported(case) & case.named("H20", "H20-3e"),
        "purchases are discouraged; no ban",
        verdict="conditional",
    )


RULE = reported(
    3,
    "Cyberspace Administration summons NVIDIA over the H20",
    date(2025, 7, 31),
    (
        "Export Compliance Daily of 1 August 2025",
        "https://exportcompliancedaily.com/article/2025/08/01/china-asks-nvidia-to-explain-possible-security-risks-of-exported-h20-chips-2507310010",
    ),
    predicate,
    scope="H20",
)
