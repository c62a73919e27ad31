"""The letters of April 2025: the H20, the MI308, Gaudi, and parts like them."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

NAMED = ("H20", "H20E", "H20-3e", "MI308X?", "Gaudi ?[23]?")
OTHER_READING = "letter_2025_h20_line"
REPORTED = (Line("dram", 1400), Line("io", 1100), Line("dram_io", 1700))
H20S_OWN = (Line("dram", 4000), Line("io", 900), Line("dram_io", 4900))


def predicate(case: Case) -> Iterator[Branch]:
    """Named parts, and parts at or above a line on memory bandwidth, I/O or their sum."""
    yield from _beside_an_exception(case)
    free = case.is_class("NONE", "INDETERMINATE") & case.kind("chip")
    reached = case.restricted & case.exported & free
    yield Branch(
        reached & case.named(*NAMED),
        "licence required: named in a company's filing or notice",
        code="LETTER_LICENCE",
    )
    other = case.flag(OTHER_READING)
    for asked, lines in ((other, H20S_OWN), (~other, REPORTED)):
        for line in lines:
            yield Branch(
                reached & asked & line.reached(case),
                "licence required: at or above the line",
                code="LETTER_LICENCE",
                lines=(line,),
            )
    # A missing figure is no pass.
    yield Branch(
        reached & case.missing("dram"),
        "cannot tell: memory bandwidth is missing",
        code="UNKNOWN",
        missing=("dram_gbps",),
    )
    yield Branch(
        reached & case.missing("io"),
        "cannot tell: chip-to-chip bandwidth is missing",
        code="UNKNOWN",
        missing=("interconnect_gbps",),
    )
    yield Branch(reached & other, "below the line", lines=H20S_OWN)
    yield Branch(reached, "below the line", lines=REPORTED)


def _beside_an_exception(case: Case) -> Iterator[Branch]:
    """Warn where a part that License Exception NAC could free is fast enough for the letters as well."""
    consumer = case.is_class("3A090.a") & case.fact("datacenter", False)
    eligible = case.restricted & case.exported & (consumer | case.is_class("3A090.b")) & ~case.flag(OTHER_READING)
    for line in REPORTED:
        yield Branch(
            eligible & line.reached(case),
            "at or above the line as well; it needs a licence or an exception by its class already",
            lines=(line,),
            warnings=("the letters of April 2025 may ask for a licence where License Exception NAC would do by class",),
        )


RULE = Rule(
    id="US-08",
    title="Letters of April 2025 (H20, MI308, Gaudi and parts like them)",
    issuer="US BIS",
    stage="letter",
    announced=date(2025, 4, 15),
    effective_from=date(2025, 4, 9),
    status="letter",
    confidence="medium",
    scope="D:5, Macau and groups headquartered there",
    citations=(at.LETTER_2025, at.LETTER_2025_AMD, at.LETTER_2025_LINE),
    predicate=predicate,
    lines=REPORTED,
    note="The letters are not public and the line is disputed. By default 1400, 1100 and 1700 GB/s, as Intel is "
    "reported to have told clients, which later parts for China fit; the flag letter_2025_h20_line takes the H20's "
    "own 4000 and 900 GB/s, after the wording of NVIDIA's filing.",
)
