"""China's approvals of the H200, buyer by buyer."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Ask of a foreign chip that the report speaks of."""
    yield Branch(
        imported(case) & case.named("H200"),
        "approved buyer by buyer, with conditions; few deliveries are known",
        verdict="conditional",
    )


RULE = reported(
    11,
    "H200 approved for some buyers, with conditions",
    date(2026, 1, 28),
    (
        "Business Times of January 2026",
        "https://www.businesstimes.com.sg/international/global/china-approves-first-batch-nvidia-h200-chip-imports-sources",
    ),
    predicate,
    scope="more than 400,000 for ByteDance, Alibaba and Tencent; ten firms by May 2026",
    note="A quota of domestic chips was considered as a condition. NVIDIA had seen no revenue of it by 26 April 2026.",
)
