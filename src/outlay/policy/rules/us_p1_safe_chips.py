"""SAFE Chips Act, were it law: no licence over its numbers."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

TPP, TPP_DENSE, TPP_DENSER = Line("tpp", 4800), Line("tpp", 2400), Line("tpp", 1600)
DENSITY, DENSER = Line("pd", 1.6), Line("pd", 3.2)
SPEEDS = (Line("dram", 4100), Line("io", 1100), Line("dram_io", 5000))


def predicate(case: Case) -> Iterator[Branch]:
    """Deny by TPP, by density, by memory bandwidth, by speed between chips and by their sum."""
    reached = case.restricted & case.exported & ~case.fact("datacenter", False) & case.kind("chip")
    words = "the bill would have the licence denied"
    tests = ((TPP,), (TPP_DENSE, DENSITY), (TPP_DENSER, DENSER), *((line,) for line in SPEEDS))
    for lines in tests:
        over = reached
        for line in lines:
            over = over & line.reached(case)
        yield Branch(over, words, code="PROPOSED_DENY", lines=lines)
    fast = TPP_DENSER.reached(case) & case.missing("pd")
    for missing, field in (
        (case.missing("tpp"), "tops"),
        (fast, "die_area_mm2"),
        (case.missing("dram"), "dram_gbps"),
        (case.missing("io"), "interconnect_gbps"),
    ):
        yield Branch(
            reached & missing & case.is_code("NLR", "ACA", "NAC_OR_LICENCE"),
            f"cannot tell what the bill would do: {field} is missing",
            code="UNKNOWN",
            missing=(field,),
        )
        yield Branch(reached & missing, f"cannot tell what the bill would do: {field} is missing", says="UNKNOWN")
    yield Branch(
        reached, "the bill's numbers do not reach it", lines=(TPP_DENSE, DENSER, *SPEEDS), says="PROPOSED_NOT_COVERED"
    )


RULE = Rule(
    id="US-P1",
    title="SAFE Chips Act (S. 3374), if enacted",
    issuer="US Congress",
    stage="proposal",
    announced=date(2025, 12, 4),
    effective_from=date(2025, 12, 4),
    status="proposed",
    confidence="medium",
    scope="data-centre parts to D:5, Macau and groups headquartered there; frozen for 30 months",
    citations=(at.SAFE_CHIPS,),
    predicate=predicate,
    switch="safe_chips_enacted",
    lines=(TPP, TPP_DENSE, DENSITY, TPP_DENSER, DENSER, *SPEEDS),
    note="A bill. The flag counts it as law from the day it was introduced.",
)
