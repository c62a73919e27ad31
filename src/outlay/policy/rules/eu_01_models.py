"""European Union: models presumed to be a systemic risk by their training compute."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

OPERATIONS = Line("training_operations", 1e25, strict=True)
DUTIES = date(2025, 8, 2)


def predicate(case: Case) -> Iterator[Branch]:
    """Strictly more than 10^25 operations."""
    model = case.kind("model") & case.within("destination", "EU")
    yield Branch(
        model & case.missing("training_operations"),
        "cannot tell: training operations are missing",
        code="UNKNOWN",
        missing=("training_operations",),
    )
    yield Branch(
        model & ~OPERATIONS.reached(case), "not presumed a systemic risk", code="NOT_PRESUMED", lines=(OPERATIONS,)
    )
    yield Branch(
        model & ~case.since(DUTIES),
        "presumed a systemic risk; duties from 2 August 2025",
        code="COMPLIANCE_PENDING",
        lines=(OPERATIONS,),
    )
    yield Branch(
        model,
        "presumed a systemic risk: notify the Commission within two weeks",
        code="PRESUMED_SYSTEMIC",
        lines=(OPERATIONS,),
        warnings=("EU AI Act: the Commission can enforce from 2 August 2026",),
    )


RULE = Rule(
    id="EU-01",
    title="AI Act: presumption of systemic risk above 10^25 operations",
    issuer="European Union",
    stage="duty",
    announced=date(2024, 7, 12),
    effective_from=date(2024, 8, 1),
    status="final",
    confidence="high",
    scope="providers of general-purpose models on the market of the Union; duties from 2 August 2025",
    citations=(at.EU_AI_ACT, at.EU_AI_NOTICE),
    predicate=predicate,
    steps=(DUTIES,),
    lines=(OPERATIONS,),
    note="One page claims 10^26 since May 2026; it contradicts itself and nothing else supports it. Not taken.",
)
