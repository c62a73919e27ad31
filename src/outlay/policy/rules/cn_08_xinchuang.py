"""China's procurement list."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Ask of a foreign chip that the report speaks of."""
    yield Branch(
        imported(case) & (case.deal("public_buyer") | case.deal("state_funded")),
        "public bodies and state firms choose from the Xinchuang list; it is not public",
        verdict="conditional",
    )


RULE = reported(
    8,
    "Xinchuang procurement list takes in Huawei and Cambricon AI chips",
    date(2025, 12, 10),
    (
        "AFN News of 10 December 2025, after the Financial Times",
        "https://afnnews.qaasid.com/134823",
    ),
    predicate,
    scope="government, public bodies, state firms",
)
