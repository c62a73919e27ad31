"""Where the rule of October 2022 asked for a licence: China, later Macau."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule

MACAU = date(2023, 1, 17)


def predicate(case: Case) -> Iterator[Branch]:
    """China with Hong Kong from the start; Macau from 17 January 2023; no headquarters test."""
    reached = case.exported & (case.at("destination", "CN", "HK") | (case.at("destination", "MO") & case.since(MACAU)))
    yield Branch(
        reached & case.is_class("INDETERMINATE") & ~case.is_code("LETTER_LICENCE"),
        "a licence may be required: the class is not known",
        code="UNKNOWN",
    )
    yield Branch(reached & case.is_class("3A090 (2022)"), "licence required to this destination", code="LICENCE")


RULE = Rule(
    id="US-02.scope",
    title="Licence for 3A090 to China and Macau",
    issuer="US BIS",
    stage="scope",
    announced=date(2022, 10, 7),
    effective_from=date(2022, 10, 21),
    effective_to=date(2023, 11, 16),
    end_announced=date(2023, 10, 17),
    status="final",
    confidence="high",
    scope="China with Hong Kong; Macau from 17 January 2023; no headquarters test",
    citations=(at.OCT_2022, at.MACAU_2023),
    predicate=predicate,
    steps=(MACAU,),
    note="The review policy of 2022 was not read, so the code is a plain licence. Supercomputer end use (section "
    "744.23) is not asked.",
)
