"""What an item is since November 2023: total processing performance, performance density, and note 2."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Line, Rule

A1, FLOOR, A2 = Line("tpp", 4800), Line("tpp", 1600), Line("pd", 5.92)
B1, B1_DENSITY, B2_DENSITY = Line("tpp", 2400), Line("pd", 1.6), Line("pd", 3.2)
UNPUBLISHED = ("MI308X?",)
"""Parts whose figures are not public and whose maker says that they needed no licence under this rule."""


def predicate(case: Case) -> Iterator[Branch]:
    """Everything but the density, which is asked last: only there does a missing die area matter."""
    chip, unrated = case.kind("chip"), case.missing("tpp")
    yield Branch(
        chip & unrated & case.named(*UNPUBLISHED),
        "taken as not 3A090: AMD sold it to China without a licence until April 2025; no figures are public",
        warnings=("{name}: the class is from a company's filing, not from figures",),
    )
    yield Branch(
        chip & unrated, "cannot be classified: no rate is known", control_class="INDETERMINATE", missing=("tops",)
    )
    yield Branch(chip & A1.reached(case), "3A090.a.1: TPP of 4800 or more", control_class="3A090.a", lines=(A1,))
    yield Branch(chip & ~FLOOR.reached(case), "not 3A090: TPP below 1600", lines=(FLOOR,))
    yield Branch(
        chip & case.fact("datacenter", False),
        "not 3A090: note 2, not designed or marketed for data centres",
        lines=(A1,),
    )
    yield from _by_density(case)


def _by_density(case: Case) -> Iterator[Branch]:
    chip, fast = case.kind("chip"), B1.reached(case)
    yield Branch(
        chip & case.fact("planar"),
        "cannot be classified: no die area counts, and the text gives no rule for that",
        control_class="INDETERMINATE",
        lines=(B1,),
        missing=("die_area_mm2",),
    )
    yield Branch(
        chip & case.missing("pd"),
        "cannot be classified: the die area is missing",
        control_class="INDETERMINATE",
        lines=(B1,),
        missing=("die_area_mm2",),
    )
    dense, slow_dense = B2_DENSITY.reached(case), fast & B1_DENSITY.reached(case)
    yield Branch(
        chip & (dense | slow_dense) & case.fact("datacenter", None),
        "cannot be classified: note 2 frees it if it is not designed or marketed for data centres",
        control_class="INDETERMINATE",
        lines=(B1, B1_DENSITY),
        missing=("datacenter",),
    )
    yield Branch(
        chip & A2.reached(case),
        "3A090.a.2: TPP of 1600 or more and PD of 5.92 or more",
        control_class="3A090.a",
        lines=(FLOOR, A2),
    )
    yield Branch(chip & dense, "3A090.b: PD from 3.2 to below 5.92", control_class="3A090.b", lines=(B1, B2_DENSITY))
    yield Branch(
        chip & slow_dense,
        "3A090.b.1: TPP from 2400 to below 4800 and PD from 1.6 to below 5.92",
        control_class="3A090.b",
        lines=(B1, B1_DENSITY),
    )
    yield Branch(chip & fast, "not 3A090: performance density is too low", lines=(B1, B1_DENSITY))
    yield Branch(chip, "not 3A090: performance density is too low", lines=(B1, B2_DENSITY))


RULE = Rule(
    id="US-03",
    title="3A090.a and .b: total processing performance and performance density",
    issuer="US BIS",
    stage="class",
    announced=date(2023, 10, 17),
    effective_from=date(2023, 11, 17),
    status="final",
    confidence="high",
    scope="what an item is",
    citations=(at.OCT_2023, at.CCL),
    predicate=predicate,
    lines=(A1, FLOOR, A2, B1, B1_DENSITY, B2_DENSITY),
    note="A law-firm note of the day gives 16 November; the DATES text gives the 17th. TF32 and the borders of a "
    "circuit of many dies are not settled in the text: a package is taken as one circuit, TF32 is left out.",
)
