"""The American report of large training runs, revoked."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

OPERATIONS = Line("training_operations", 1e26, strict=True)


def predicate(case: Case) -> Iterator[Branch]:
    """More than 10^26 operations: results of tests to the government."""
    yield Branch(
        case.kind("model") & case.at("destination", "US") & OPERATIONS.reached(case),
        "the developer reports the run and its tests to the government",
        code="REPORT_YEARLY",
        lines=(OPERATIONS,),
    )


RULE = Rule(
    id="US-15",
    title="Report of models trained with more than 10^26 operations (EO 14110)",
    issuer="US President",
    stage="duty",
    announced=date(2023, 10, 30),
    effective_from=date(2023, 10, 30),
    effective_to=date(2025, 1, 19),
    end_announced=date(2025, 1, 20),
    status="final",
    confidence="medium",
    scope="developers of models in the United States",
    citations=(at.EO_14110, at.EO_14110_END),
    predicate=predicate,
    lines=(OPERATIONS,),
)
