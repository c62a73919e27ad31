"""GAIN AI Act, were it law: buyers in the United States first."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import CONTROLLED
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Let controlled parts go abroad only after American buyers are served."""
    reached = case.exported & case.is_class(*CONTROLLED) & case.restricted
    yield Branch(
        reached,
        "a licence only where no buyer in the United States waits for the part",
        verdict="conditional",
        says="PROPOSED_CONDITION",
    )


RULE = Rule(
    id="US-P3",
    title="GAIN AI Act, if enacted",
    issuer="US Congress",
    stage="proposal",
    announced=date(2025, 10, 9),
    effective_from=date(2025, 10, 9),
    status="proposed",
    confidence="low",
    scope="controlled parts to D:5, Macau and their groups",
    citations=(at.GAIN, at.GAIN_END),
    predicate=predicate,
    switch="gain_enacted",
    note="In the Senate's version of the defence act of 2026, not expected in the final one. The text was not read.",
)
