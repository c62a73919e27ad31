"""Revenue shares that the United States asks for licences, as reported."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.decision import PriceFactor
from outlay.policy.rule import Branch, Rule

SHARE = 0.15


def predicate(case: Case) -> Iterator[Branch]:
    """15 % of what the seller takes for licensed H20 and MI308; no regulation says so."""
    yield Branch(
        case.is_code("LETTER_LICENCE")
        & case.named("H20", "H20E", "H20-3e", "MI308X?")
        & case.at("destination", "CN", "HK"),
        "licences are reported for certain customers since August 2025, for 15 % of the revenue; not codified",
        factor=PriceFactor(
            "revenue-share",
            "hardware",
            SHARE,
            "15 % of the seller's revenue; officials expected it, no rule codifies it",
        ),
    )


RULE = Rule(
    id="US-13",
    title="Revenue share of 15 % on licensed H20 and MI308",
    issuer="US government, as companies report",
    stage="duty",
    announced=date(2025, 8, 11),
    effective_from=date(2025, 8, 11),
    status="reported",
    confidence="medium",
    scope="licensed shipments of H20 and MI308 to China",
    citations=(at.FILING_2026, at.SHARE_AMD),
    predicate=predicate,
    clock="practice",
    note="About USD 60 million of H20 revenue came of it. The date is approximate. The 25 % asked for the H200 is "
    "taken by the tariff (US-12).",
)
