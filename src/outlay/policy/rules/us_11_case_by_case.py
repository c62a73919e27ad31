"""Case-by-case review of January 2026, for exports from the United States below two lines."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

PERFORMANCE, DRAM = Line("tpp", 21000), Line("dram", 6500)
WORDS = "licence required; reviewed case by case, with certifications on US supply, the 50 % cap, security and testing"


def predicate(case: Case) -> Iterator[Branch]:
    """TPP and memory bandwidth strictly below two lines, shipped from the United States to China or Macau."""
    item = case.is_class("3A090.a") & case.at("destination", "CN", "HK", "MO") & case.is_code("LICENCE_PD")
    stays = "presumption of denial stays: "
    yield Branch(item & PERFORMANCE.reached(case), stays + "TPP is over its line", lines=(PERFORMANCE,))
    yield Branch(item & DRAM.reached(case), stays + "memory bandwidth is over its line", lines=(PERFORMANCE, DRAM))
    yield Branch(
        item & case.missing("dram"), stays + "memory bandwidth is missing", lines=(PERFORMANCE,), missing=("dram_gbps",)
    )
    yield Branch(
        item & case.fact("available_in_us", False),
        stays + "not sold in the United States on 15 January 2026",
        lines=(PERFORMANCE, DRAM),
    )
    certified = case.flag("certifications")
    from_us = case.at("exporter", "US") | (certified & case.at("exporter", ""))
    yield Branch(
        item & ~from_us,
        stays + "it is shipped from {exporter}, and only exports from the United States are reviewed case by case",
        lines=(PERFORMANCE, DRAM),
    )
    yield Branch(item & certified & case.fact("available_in_us"), WORDS, code="LICENCE_CBC", lines=(PERFORMANCE, DRAM))
    doubt = ("{name}: whether it was sold in the United States on 15 January 2026 is not known here",)
    yield Branch(item & certified, WORDS, code="LICENCE_CBC", lines=(PERFORMANCE, DRAM), warnings=doubt)
    # A licence that nobody vouches for is not there.
    yield Branch(item, WORDS, code="LICENCE_CBC", verdict="denied", lines=(PERFORMANCE, DRAM), warnings=doubt)


RULE = Rule(
    id="US-11",
    title="Case-by-case review of January 2026",
    issuer="US BIS",
    stage="review",
    announced=date(2026, 1, 13),
    effective_from=date(2026, 1, 15),
    status="final",
    confidence="high",
    scope="exports from the United States to China and Macau; TPP below 21000 and DRAM below 6500 GB/s",
    citations=(at.CBC_2026, at.CBC_2026_SCOPE),
    predicate=predicate,
    lines=(PERFORMANCE, DRAM),
    note="Re-exports, exports from abroad and groups of D:5 elsewhere stay under a presumption of denial. The cap of "
    "50 % is read as shipments by law firms and as TPP added up by one study; for one product both are one ratio. "
    "The flag certifications says that all conditions are met.",
)
