"""Malaysia: notice and a permit to ship advanced American chips out."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import CONTROLLED, OPEN
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Export, transhipment and transit; what stays in Malaysia needs none."""
    leaves = case.at("exporter", "MY") & ~case.at("destination", "MY") & ~case.chinese_made
    asked = leaves & (case.is_class(*CONTROLLED, "INDETERMINATE") | case.kind("any"))
    words = "shipped out of Malaysia: notify 30 days ahead, then a permit; the directive's own figures were not read"
    # A permit answers for Malaysia alone: it never replaces what the American rules leave unknown or closed.
    yield Branch(asked & case.is_code(*OPEN), words, code="PERMIT_NOTICE_30D")
    yield Branch(asked, words, verdict="conditional", says="PERMIT_NOTICE_30D")


RULE = Rule(
    id="MY-01",
    title="Strategic Trade Permit for American AI chips",
    issuer="Malaysia MITI",
    stage="duty",
    announced=date(2025, 7, 14),
    effective_from=date(2025, 7, 14),
    status="final",
    confidence="medium",
    scope="export, transhipment and transit of American advanced chips",
    citations=(at.MALAYSIA_2025, at.MALAYSIA_TEXT),
    predicate=predicate,
    note="Law firms tie it to knowledge or suspicion of a restricted use, the ministry's statement does not; the "
    "stricter is taken. Annex I with the figures was not read: a part that meets 3A090 is taken as meeting it.",
)
