"""China's halt of a card for games."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Ask of a foreign chip that the report speaks of."""
    yield Branch(
        imported(case) & case.named("RTX 5090 ?D V2"),
        "import permits are halted",
        verdict="denied",
    )


RULE = reported(
    12,
    "Import permits for the RTX 5090 D V2 halted",
    date(2026, 5, 15),
    (
        "AI News Hubs of May 2026",
        "https://www.ainewshubs.com/article/china-blocks-nvidias-rtx-5090d-v2-imports-while-jensen-huang-was-in-beijing",
    ),
    predicate,
    scope="RTX 5090 D V2; one weak source",
    weak=True,
)
