"""The notice of October 2023: the new rule at once for named parts."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

PERFORMANCE = Line("tpp", 4800)


def predicate(case: Case) -> Iterator[Branch]:
    """Data-centre parts of NVIDIA at or above 4800, where the rule of 2022 did not already ask for a licence."""
    reached = case.restricted & case.exported & case.made_by("nvidia") & case.is_class("NONE")
    yield Branch(
        reached & case.fact("datacenter") & PERFORMANCE.reached(case),
        "licence required at once: data-centre part",
        code="LETTER_LICENCE",
        lines=(PERFORMANCE,),
    )


RULE = Rule(
    id="US-03.notice",
    title="Notice of 23 October 2023: effective at once",
    issuer="US BIS",
    stage="letter",
    announced=date(2023, 10, 24),
    effective_from=date(2023, 10, 23),
    effective_to=date(2023, 11, 16),
    end_announced=date(2023, 10, 24),
    status="letter",
    confidence="medium",
    scope="data-centre parts of NVIDIA with TPP of 4800 or more; D:5 and Macau",
    citations=(at.NOTICE_2023,),
    predicate=predicate,
    lines=(PERFORMANCE,),
)
