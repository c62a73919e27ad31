"""General Prohibition 10: circuits of Chinese makers that meet 3A090 are presumed to come from a violation."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import CONTROLLED, Verdict
from outlay.policy.columns import Case, Mask
from outlay.policy.rule import Branch, Rule

NAMED = (r"(?:Ascend )?910[BCD]\d?",)
RISK = ("General Prohibition 10: buying, using, financing or servicing it risks US enforcement",)


def predicate(case: Case) -> Iterator[Branch]:
    """Named ones are presumed; others that meet 3A090 are at risk; a purely Chinese use is practically unaffected."""
    circuit = case.chinese_made & case.kind("chip")
    yield Branch(circuit & case.deal("end_use", "analysis"), "technical analysis and destructive testing are excepted")
    home = case.embargoed("destination") & case.embargoed("buyer") & case.embargoed("parent")
    spared = "; a purely Chinese use in China is practically unaffected, and the risk is reported"
    ways: tuple[tuple[Mask, Verdict | None, str], ...] = (
        (circuit & home, None, spared),
        (circuit & ~home, "denied", ""),
    )
    for reached, verdict, words in ways:
        yield Branch(
            reached & case.named(*NAMED),
            f"named in the guidance: presumed to involve a violation{words}",
            code="GP10_PRESUMED",
            verdict=verdict,
            warnings=RISK,
        )
        yield Branch(
            reached & case.is_class(*CONTROLLED),
            f"meets 3A090, and the guidance's list is not exhaustive{words}",
            code="GP10_RISK",
            verdict=verdict,
            warnings=RISK,
        )
    unknown = circuit & case.is_class("INDETERMINATE")
    yield Branch(unknown & home, f"may meet 3A090: a figure is missing{spared}", code="GP10_RISK", warnings=RISK)
    yield Branch(unknown, "may meet 3A090: a figure is missing", code="UNKNOWN")


RULE = Rule(
    id="US-09",
    title="General Prohibition 10 on advanced circuits of Chinese makers",
    issuer="US BIS",
    stage="maker",
    announced=date(2025, 5, 13),
    effective_from=date(2025, 5, 13),
    status="guidance",
    confidence="high",
    scope="circuits that meet 3A090 of makers headquartered in D:5 or Macau",
    citations=(at.GP10, at.GP10_WORDING),
    predicate=predicate,
    note="The words 'anywhere in the world' of the press release were withdrawn about 19 May 2025. That a purely "
    "Chinese use is practically unaffected is a planner's reading: the flag is reported, the use is not denied.",
)
