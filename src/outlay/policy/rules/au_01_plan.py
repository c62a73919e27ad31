"""Australia: a plan without a test."""

from datetime import date

from outlay.policy import sources as at
from outlay.policy.rule import Rule

RULE = Rule(
    id="AU-01",
    title="National AI Plan",
    issuer="Australia",
    stage="duty",
    announced=date(2025, 12, 2),
    effective_from=date(2025, 12, 2),
    status="final",
    confidence="medium",
    scope="existing laws, no mandatory guardrails; principles for data centres to follow",
    citations=(at.AUSTRALIA,),
    note="It holds no test of an item, a buyer or a site, so it decides nothing.",
)
