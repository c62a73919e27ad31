"""Non-enforcement of the AI Diffusion rule where no requirement stood before it."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule
from outlay.policy.rules.us_06_diffusion import worldwide_only


def predicate(case: Case) -> Iterator[Branch]:
    """Free what only the worldwide requirement reaches: it stands in the code and is not enforced."""
    yield Branch(
        worldwide_only(case) & case.is_class("3A090.a", "INDETERMINATE"),
        "a worldwide requirement stands in the code; BIS does not enforce it where none stood before",
        code="NOT_ENFORCED",
        warnings=("non-enforcement is an announcement; the text was not rescinded and enforcement could resume",),
    )


RULE = Rule(
    id="US-06.unenforced",
    title="AI Diffusion rule not enforced",
    issuer="US BIS",
    stage="exception",
    announced=date(2025, 5, 13),
    effective_from=date(2025, 5, 13),
    status="unenforced",
    confidence="medium",
    scope="3A090.a to places with no requirement before the rule",
    citations=(at.NOT_ENFORCED, at.GAO_2026, at.HQ_2026),
    predicate=predicate,
    switch_off="diffusion_enforced",
    note="The press calls it rescinded; no rescission was published, and the text is in the code of 23 July 2026. GAO "
    "holds that the announcement is itself a rule.",
)
