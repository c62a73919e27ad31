"""A draft of a new worldwide rule, withdrawn."""

from datetime import date

from outlay.policy import sources as at
from outlay.policy.rule import Rule

RULE = Rule(
    id="US-P6",
    title="Draft rule 'AI Action Plan Implementation'",
    issuer="US BIS",
    stage="proposal",
    announced=date(2026, 3, 5),
    effective_from=date(2026, 3, 5),
    effective_to=date(2026, 3, 12),
    end_announced=date(2026, 3, 13),
    status="proposed",
    confidence="low",
    scope="steps at 1,000 and 200,000 GB300: a simple review, then agreements between governments",
    citations=(at.DRAFT_2026, at.DRAFT_END),
    note="Reported and withdrawn within eight days; no text was published, so it decides nothing.",
)
