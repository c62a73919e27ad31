"""European Union: data centres of 500 kW report their energy."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

POWER = Line("it_power_kw", 500)


def predicate(case: Case) -> Iterator[Branch]:
    """Installed IT power of 500 kW or more."""
    site = case.kind("site") & case.within("destination", "EU")
    yield Branch(
        site & case.missing("it_power_kw"), "cannot tell: IT power is missing", code="UNKNOWN", missing=("it_power_kw",)
    )
    yield Branch(
        site & POWER.reached(case),
        "reports its energy figures, first by 15 September 2024, then by 15 May each year",
        code="REPORT_YEARLY",
        lines=(POWER,),
    )
    yield Branch(site, "no report", lines=(POWER,))


RULE = Rule(
    id="EU-02",
    title="Energy report of data centres",
    issuer="European Union",
    stage="duty",
    announced=date(2024, 5, 17),
    effective_from=date(2024, 9, 15),
    status="final",
    confidence="high",
    scope="data centres in the Union with 500 kW or more of installed IT power",
    citations=(at.EU_ENERGY,),
    predicate=predicate,
    lines=(POWER,),
)
