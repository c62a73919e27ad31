"""Additions to the Entity List of chip designers."""

from datetime import date

from outlay.policy import sources as at
from outlay.policy.rule import Rule

RULE = Rule(
    id="US-10.entities",
    title="Entity List: Biren, Moore Threads and their affiliates",
    issuer="US BIS",
    stage="party",
    announced=date(2023, 10, 17),
    effective_from=date(2023, 10, 17),
    status="final",
    confidence="high",
    scope="the thirteen named companies, as buyers of anything and as clients of foundries; presumption of denial",
    citations=(at.ENTITIES_2023,),
    note="The list of parties is not held here, so no buyer is looked up; say what part of a buyer listed parties own.",
)
