"""Where 3A090.a and .b need a licence: by country group, and anywhere by headquarters."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import CONTROLLED
from outlay.policy.columns import Case, Mask
from outlay.policy.rule import Branch, Rule


def licensed_place(case: Case) -> Mask:
    """Return where the destination alone asks for a licence: D:1, D:4, D:5 less A:5 and A:6, Macau, and named ones."""
    grouped = case.within("destination", "D:1", "D:4") & ~case.within("destination", "A:5", "A:6")
    return case.embargoed("destination") | case.within("destination", "named-3A090") | grouped


def predicate(case: Case) -> Iterator[Branch]:
    """Presume denial for D:5, Macau and their groups, approval for D:1 and D:4."""
    by_place = licensed_place(case)
    reached = case.exported & (by_place | case.restricted_buyer)
    unknown = reached & case.is_class("INDETERMINATE")
    # A letter's licence requirement stands whatever the class turns out to be.
    yield Branch(unknown & case.is_code("LETTER_LICENCE"), "the class is not known; the letter's requirement stands")
    yield Branch(unknown, "a licence may be required: the class is not known", code="UNKNOWN")
    controlled = reached & case.is_class(*CONTROLLED)
    yield Branch(
        controlled & case.embargoed("destination"),
        "licence required: {destination} is Macau or in D:5; presumption of denial",
        code="LICENCE_PD",
    )
    yield Branch(
        controlled & case.embargoed("buyer"),
        "licence required: the buyer has its headquarters in {buyer}, wherever the machines go; presumption of denial",
        code="LICENCE_PD",
    )
    yield Branch(
        controlled & case.embargoed("parent"),
        "licence required: the ultimate parent has its headquarters in {parent}, wherever the machines go; "
        "presumption of denial",
        code="LICENCE_PD",
    )
    yield Branch(
        controlled,
        "licence required: {destination} is in D:1 or D:4; presumption of approval",
        code="LICENCE_PA",
    )


RULE = Rule(
    id="US-03.scope",
    title="Licence for 3A090.a and .b by country group, and by headquarters",
    issuer="US BIS",
    stage="scope",
    announced=date(2023, 10, 17),
    effective_from=date(2023, 11, 17),
    status="final",
    confidence="high",
    scope="D:1, D:4 and D:5 less A:5 and A:6, Macau; groups headquartered in D:5 or Macau anywhere",
    citations=(at.OCT_2023, at.HQ_2026),
    predicate=predicate,
    note="Data centres that already hold such items need not stop using them until further notice (guidance of 31 May "
    "2026). The day the United Arab Emirates left D:4 was not found.",
)
