"""The further letter of July 2023: the A100 and the H100 to some other regions."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule

REGION = ("AE", "BH", "EG", "IL", "JO", "KW", "LB", "OM", "QA", "SA", "YE")


def predicate(case: Case) -> Iterator[Branch]:
    """Named parts to the Middle East; which customers and countries is not public."""
    yield Branch(
        case.exported & case.at("destination", *REGION) & case.named("A100X?", "H100"),
        "licence required for some customers and countries of the Middle East; which ones is not public",
        code="LETTER_LICENCE",
        warnings=("the letter of July 2023 names its countries and customers to NVIDIA alone",),
    )


RULE = Rule(
    id="US-01.2023",
    title="Letter of July 2023 on other regions",
    issuer="US BIS",
    stage="letter",
    announced=date(2023, 8, 28),
    effective_from=date(2023, 7, 1),
    effective_to=date(2023, 11, 16),
    end_announced=date(2023, 10, 17),
    status="letter",
    confidence="low",
    scope="a subset of A100 and H100 to certain customers and regions, some of the Middle East among them",
    citations=(at.FILING_2026,),
    predicate=predicate,
    note="Only the month is known. The countries are not: every country of the Middle East is taken as reached.",
)
