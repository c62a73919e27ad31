"""What is reported of licences under the rule of January 2026."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Small quantities to certain customers; little was shipped."""
    yield Branch(
        case.is_code("LICENCE_CBC") & case.named("H200", "MI325X?"),
        "licences for small quantities to certain customers are reported; shipments are below 1 % of NVIDIA's "
        "data-centre revenue",
    )


RULE = Rule(
    id="US-11.licences",
    title="Licences for H200 and MI325X, as reported",
    issuer="US government, as companies report",
    stage="duty",
    announced=date(2026, 2, 1),
    effective_from=date(2026, 2, 1),
    status="reported",
    confidence="medium",
    scope="certain customers in China; only the month is known",
    citations=(at.FILING_2026, at.FILING_AUGUST),
    predicate=predicate,
    clock="practice",
)
