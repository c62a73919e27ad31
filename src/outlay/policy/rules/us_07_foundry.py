"""Foundries and packagers must presume that an advanced logic circuit is 3A090.a."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

NODE, COUNT = Line("node_nm", 16, strict=True), Line("transistors", 30e9)
COUNT_2027, COUNT_2029 = Line("transistors", 35e9), Line("transistors", 40e9)
COMPLIANCE, AUTHORIZED_UNTIL = date(2025, 1, 31), date(2026, 12, 31)
YEAR_2027, YEAR_2029 = date(2027, 1, 1), date(2029, 1, 1)


def predicate(case: Case) -> Iterator[Branch]:
    """Judge a design by its node, by where the designer is, and by the transistors of the packaged circuit."""
    made = case.kind("chip")
    yield Branch(made & NODE.reached(case), "not presumed: an older node with planar transistors", lines=(NODE,))
    yield Branch(
        made & case.missing("node_nm"), "cannot tell: the node is missing", code="UNKNOWN", missing=("node_nm",)
    )
    yield Branch(
        made & ~case.since(COMPLIANCE), "presumed 3A090.a; compliance from 31 January 2025", code="COMPLIANCE_PENDING"
    )
    home = case.chinese_made | case.restricted_buyer
    yield Branch(
        made & ~home & ~case.since(AUTHORIZED_UNTIL),
        "not presumed: until 31 December 2026 every designer with no location or parent in D:5 or Macau is authorised",
    )
    yield Branch(
        made & ~home,
        "presumed 3A090.a unless the designer is approved, or has applied within 180 days",
        verdict="conditional",
    )
    yield from _by_transistors(case)


def _by_transistors(case: Case) -> Iterator[Branch]:
    made = case.kind("chip")
    yield Branch(
        made & case.embargoed("destination"),
        "presumed 3A090.a: packaged in Macau or D:5; licence required, presumption of denial",
        code="LICENCE_PD",
        control_class="3A090.a",
    )
    yield Branch(
        made & case.missing("transistors"),
        "cannot tell: the number of transistors is missing",
        code="UNKNOWN",
        missing=("transistors",),
    )
    yield Branch(made & ~COUNT.reached(case), "not presumed: below 30 billion transistors", lines=(COUNT,))
    without_hbm = made & case.fact("has_hbm", False)
    for day, line in ((YEAR_2029, COUNT_2029), (YEAR_2027, COUNT_2027)):
        yield Branch(
            without_hbm & case.since(day) & ~line.reached(case),
            f"not presumed: no HBM, and below the number of transistors that holds from {day.year}",
            lines=(line,),
        )
    yield Branch(
        made,
        "presumed 3A090.a: a designer of D:5 or Macau, 16 nm or below, 30 billion transistors or more; "
        "licence required, presumption of denial",
        code="LICENCE_PD",
        control_class="3A090.a",
        lines=(NODE, COUNT),
    )


RULE = Rule(
    id="US-07",
    title="Foundry due diligence: presumption of 3A090.a",
    issuer="US BIS",
    stage="foundry",
    announced=date(2025, 1, 15),
    effective_from=date(2025, 1, 16),
    status="final",
    confidence="medium",
    scope="foundries and packagers of advanced logic outside D:5; the destination is where it is packaged",
    citations=(at.FOUNDRY_2025, at.FOUNDRY_FIX, at.CCL),
    predicate=predicate,
    steps=(
        COMPLIANCE,
        AUTHORIZED_UNTIL,
        YEAR_2027,
        YEAR_2029,
    ),
    lines=(NODE, COUNT, COUNT_2027, COUNT_2029),
    note="A simplification of note 1 to 3A090.a: attestations of approved designers and packagers are not asked about.",
)
