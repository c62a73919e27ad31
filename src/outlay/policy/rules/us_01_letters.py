"""The letters of August 2022: the A100, the H100, and whatever is as fast."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

PERFORMANCE, IO = Line("tpp", 4992), Line("io", 600)
NAMED = ("A100X?", "H100", "MI250X?")
RULE_OF_2022 = date(2022, 10, 21)


def predicate(case: Case) -> Iterator[Branch]:
    """Named parts, and parts of both the performance and the chip-to-chip speed of an A100.

    From 21 October 2022 the rule of that month answers for China; the letter goes on for Russia, which that rule did
    not reach.
    """
    china = case.at("destination", "CN", "HK") & ~case.since(RULE_OF_2022)
    reached = case.exported & (china | case.at("destination", "RU")) & case.kind("chip")
    yield Branch(reached & case.named(*NAMED), "licence required: named in the letter", code="LETTER_LICENCE")
    yield Branch(
        reached & PERFORMANCE.reached(case) & IO.reached(case),
        "licence required: performance and chip-to-chip I/O of an A100 or more",
        code="LETTER_LICENCE",
        lines=(PERFORMANCE, IO),
    )


RULE = Rule(
    id="US-01",
    title="Letters of 26 August 2022",
    issuer="US BIS",
    stage="letter",
    announced=date(2022, 8, 26),
    effective_from=date(2022, 8, 26),
    effective_to=date(2023, 11, 16),
    end_announced=date(2023, 10, 17),
    status="letter",
    confidence="high",
    scope="China with Hong Kong until the rule of October 2022, Russia; NVIDIA and AMD parts",
    citations=(at.LETTER_2022,),
    predicate=predicate,
    steps=(RULE_OF_2022,),
    lines=(PERFORMANCE, IO),
    note="The letters are not public. That the letter went on for Russia after October 2022 is inferred: the rule of "
    "that month did not reach Russia, and no end of the letter was found.",
)
