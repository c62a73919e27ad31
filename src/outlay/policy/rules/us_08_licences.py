"""What is reported of licences under the letters of April 2025."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule

GRANTED = date(2025, 8, 11)


def predicate(case: Case) -> Iterator[Branch]:
    """Assurances of July 2025, then licences for some customers: nobody can count on one he has not got."""
    named = case.is_code("LETTER_LICENCE") & case.named("H20", "H20E", "H20-3e", "MI308X?")
    yield Branch(
        named & case.since(GRANTED),
        "some licences are reported to have been granted; the requirement stands for everybody else",
    )
    yield Branch(named, "the government is reported to have assured licences: an assurance, not a licence")


RULE = Rule(
    id="US-08.licences",
    title="Licences for H20 and MI308, as reported",
    issuer="US government, as companies report",
    stage="duty",
    announced=date(2025, 7, 15),
    effective_from=date(2025, 7, 15),
    status="reported",
    confidence="medium",
    scope="certain customers in China",
    citations=(at.ASSURED_2025, at.FILING_2026),
    predicate=predicate,
    steps=(GRANTED,),
    clock="practice",
)
