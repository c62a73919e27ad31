"""What an item was under the rule of October 2022: both limbs, speed between chips and performance."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

IO, PERFORMANCE = Line("io", 600), Line("tpp", 4800)


def predicate(case: Case) -> Iterator[Branch]:
    """600 GB/s of I/O other than to volatile memory, and 4800 TOPS times bits."""
    chip = case.kind("chip")
    yield Branch(
        chip & case.missing("tpp"),
        "cannot be classified: no rate is known",
        control_class="INDETERMINATE",
        missing=("tops",),
    )
    yield Branch(chip & ~PERFORMANCE.reached(case), "not 3A090: below 4800", lines=(PERFORMANCE,))
    yield Branch(
        chip & case.missing("io"),
        "cannot be classified: the speed between chips is missing",
        control_class="INDETERMINATE",
        lines=(PERFORMANCE,),
        missing=("interconnect_gbps",),
    )
    yield Branch(chip & ~IO.reached(case), "not 3A090: one limb fails", lines=(PERFORMANCE, IO))
    yield Branch(chip, "3A090: both limbs are met", control_class="3A090 (2022)", lines=(PERFORMANCE, IO))


RULE = Rule(
    id="US-02",
    title="3A090 of October 2022",
    issuer="US BIS",
    stage="class",
    announced=date(2022, 10, 7),
    effective_from=date(2022, 10, 21),
    effective_to=date(2023, 11, 16),
    end_announced=date(2023, 10, 17),
    status="final",
    confidence="high",
    scope="what an item is",
    citations=(at.OCT_2022,),
    predicate=predicate,
    lines=(PERFORMANCE, IO),
    note="The forms of the second limb for other kinds of units (a.2 to a.4) come to the same number for these chips.",
)
