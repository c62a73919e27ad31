"""High-bandwidth memory as such: bandwidth over area of a stack."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

CONTROLLED, EXCEPTION = Line("hbm_density", 2, strict=True), Line("hbm_density", 3.3)
COMPLIANCE = date(2024, 12, 31)


def predicate(case: Case) -> Iterator[Branch]:
    """Strictly above 2 GB/s per mm2 it is controlled; License Exception HBM needs strictly less than 3.3."""
    memory = case.kind("memory")
    yield Branch(
        memory & case.fact("processing_dominant"),
        "not 3A090.c: packaged with logic whose dominant function is processing; classify the package under .a and .b",
        code="RECLASSIFY",
    )
    yield from _by_generation(case)
    yield Branch(
        memory & case.missing("hbm_density"),
        "cannot be classified: bandwidth over area is missing",
        code="UNKNOWN",
        control_class="INDETERMINATE",
        missing=("hbm_density",),
    )
    yield Branch(memory & ~CONTROLLED.reached(case), "not 3A090.c", lines=(CONTROLLED,))
    yield Branch(
        memory & ~(case.restricted & case.exported),
        "3A090.c, no licence here",
        control_class="3A090.c",
        lines=(CONTROLLED,),
    )
    yield Branch(
        memory & ~case.since(COMPLIANCE),
        "3A090.c: compliance from 31 December 2024",
        code="COMPLIANCE_PENDING",
        control_class="3A090.c",
        lines=(CONTROLLED,),
    )
    yield Branch(
        memory & ~EXCEPTION.reached(case),
        "3A090.c: licence, or License Exception HBM for exporters with headquarters in the United States or an allied "
        "country, sold to a packager and not for AI",
        code="HBM_EXCEPTION_OR_LICENCE",
        control_class="3A090.c",
        lines=(CONTROLLED, EXCEPTION),
    )
    yield Branch(
        memory,
        "3A090.c: licence; License Exception HBM needs less than 3.3",
        code="LICENCE",
        control_class="3A090.c",
        lines=(CONTROLLED, EXCEPTION),
    )


def _by_generation(case: Case) -> Iterator[Branch]:
    """Answer by name where no figure is given: BIS and CSIS say on which side of both lines the generations are."""
    known = case.kind("memory") & case.missing("hbm_density") & case.named("HBM[234]E?")
    above = "3A090.c: BIS finds every stack in production above 2"
    yield Branch(known & ~(case.restricted & case.exported), f"{above}; no licence here", control_class="3A090.c")
    yield Branch(
        known & ~case.since(COMPLIANCE),
        f"{above}; compliance from 31 December 2024",
        code="COMPLIANCE_PENDING",
        control_class="3A090.c",
    )
    yield Branch(
        known & case.named("HBM2E", "HBM[34]E?"),
        f"{above}, and CSIS finds HBM2E and later above the 3.3 of the exception: licence",
        code="LICENCE",
        control_class="3A090.c",
    )
    yield Branch(
        known,
        f"{above}; CSIS finds HBM2 possible under License Exception HBM",
        code="HBM_EXCEPTION_OR_LICENCE",
        control_class="3A090.c",
    )


RULE = Rule(
    id="US-05",
    title="3A090.c: high-bandwidth memory",
    issuer="US BIS",
    stage="class",
    announced=date(2024, 12, 2),
    effective_from=date(2024, 12, 2),
    status="final",
    confidence="high",
    scope="memory stacks to D:5, Macau and groups headquartered there; License Exceptions NAC and ACA never apply",
    citations=(at.HBM_2024, at.CCL, at.HBM_CSIS),
    predicate=predicate,
    steps=(COMPLIANCE,),
    lines=(CONTROLLED, EXCEPTION),
    note="Section 740.25 was not read verbatim; the terms of the exception are from a summary. BIS says that all "
    "stacks in production exceed 2. CSIS reads 3.3 as the bar that counts.",
)
