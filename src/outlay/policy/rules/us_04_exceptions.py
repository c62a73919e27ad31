"""License Exceptions NAC and ACA."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule

SPLIT = date(2024, 4, 4)


def predicate(case: Case) -> Iterator[Branch]:
    """3A090.a not for data centres, 3A090.b for data centres."""
    consumer = case.is_class("3A090.a") & case.fact("datacenter", False)
    eligible = consumer | (case.is_class("3A090.b") & case.fact("datacenter"))
    yield Branch(
        eligible & case.is_code("LICENCE_PA") & case.since(SPLIT),
        "License Exception ACA: no notification",
        code="ACA",
    )
    yield Branch(
        eligible & case.is_code("LICENCE_PA", "LICENCE_PD"),
        "License Exception NAC: notify BIS at least 25 days ahead, with the purchase order; else a licence",
        code="NAC_OR_LICENCE",
    )


RULE = Rule(
    id="US-04",
    title="License Exceptions NAC and ACA",
    issuer="US BIS",
    stage="exception",
    announced=date(2023, 10, 17),
    effective_from=date(2023, 11, 17),
    status="final",
    confidence="high",
    scope="one exception until 3 April 2024; then NAC for D:5 and Macau and their groups, ACA for D:1 and D:4",
    citations=(at.OCT_2023, at.NAC_2024, at.NAC_GUIDE),
    predicate=predicate,
    steps=(SPLIT,),
    note="A notification holds at most six items, one consignee and one end user, no distributor. Transfers within a "
    "country of D:5 are under ACA; they are not asked about here.",
)
