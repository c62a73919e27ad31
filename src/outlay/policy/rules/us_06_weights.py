"""Weights of closed models trained with 10^26 operations or more."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

OPERATIONS = Line("training_operations", 1e26)
COMPLIANCE = date(2025, 5, 15)
UNENFORCED = date(2025, 5, 13)


def predicate(case: Case) -> Iterator[Branch]:
    """Ask for a licence that stands in the code and, since 13 May 2025, is not enforced."""
    weights = case.kind("weights")
    yield Branch(weights & case.fact("open_weights"), "not 4E091: the weights are published")
    yield Branch(
        weights & case.missing("training_operations"),
        "cannot be classified: training operations are missing",
        code="UNKNOWN",
        control_class="INDETERMINATE",
        missing=("training_operations",),
    )
    yield Branch(weights & ~OPERATIONS.reached(case), "not 4E091: below 10^26 operations", lines=(OPERATIONS,))
    announced = case.since(UNENFORCED) & (case.known_on >= UNENFORCED.toordinal())
    yield Branch(
        weights & announced & ~case.flag("diffusion_enforced"),
        "4E091: codified, not enforced",
        code="NOT_ENFORCED",
        control_class="4E091",
        lines=(OPERATIONS,),
        warnings=("non-enforcement is an announcement; the text was not rescinded and enforcement could resume",),
    )
    yield Branch(
        weights & ~case.since(COMPLIANCE),
        "4E091: compliance from 15 May 2025",
        code="COMPLIANCE_PENDING",
        control_class="4E091",
        lines=(OPERATIONS,),
    )
    yield Branch(
        weights & case.restricted,
        "4E091: licence required; presumption of denial",
        code="LICENCE_PD",
        control_class="4E091",
        lines=(OPERATIONS,),
    )
    yield Branch(
        weights & case.within("destination", "tier-1"),
        "4E091: License Exception AIA in tier 1",
        code="AIA",
        control_class="4E091",
        lines=(OPERATIONS,),
    )
    yield Branch(weights, "4E091: licence required", code="LICENCE", control_class="4E091", lines=(OPERATIONS,))


RULE = Rule(
    id="US-06.weights",
    title="4E091: weights of closed models",
    issuer="US BIS",
    stage="class",
    announced=date(2025, 1, 13),
    effective_from=date(2025, 1, 13),
    status="unenforced",
    confidence="medium",
    scope="weights of closed models trained with 10^26 operations or more, worldwide",
    citations=(at.CCL_4E091, at.GAO_2026, at.PILLSBURY),
    predicate=predicate,
    steps=(
        UNENFORCED,
        COMPLIANCE,
    ),
    lines=(OPERATIONS,),
    note="The exclusions for open models are taken as: weights that are published are not controlled.",
)
