"""Red flags for diversion: guidance for exporters."""

from datetime import date

from outlay.policy import sources as at
from outlay.policy.rule import Rule

RULE = Rule(
    id="US-09.diversion",
    title="Red flags for the diversion of advanced chips",
    issuer="US BIS",
    stage="maker",
    announced=date(2025, 5, 13),
    effective_from=date(2025, 5, 13),
    status="guidance",
    confidence="medium",
    scope="exporters and data centres that receive advanced circuits",
    citations=(at.NOT_ENFORCED,),
    note="Decides nothing about one item: it lists what an exporter must look out for.",
)
