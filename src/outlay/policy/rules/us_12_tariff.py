"""The American import tariff of January 2026 on two bands of chips."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case, Mask
from outlay.policy.decision import PriceFactor
from outlay.policy.rule import Branch, Line, Rule

BANDS = ((14000.0, 17500.0, 4500.0, 5000.0), (20800.0, 21100.0, 5800.0, 6200.0))
"""(lowest and highest TPP, lowest and highest DRAM GB/s)."""
RATE = 0.25


def predicate(case: Case) -> Iterator[Branch]:
    """25 % on imports into the United States within the bands, unless they stay for an exempt use."""
    home = case.at("destination", "US")
    through = case.is_code("LICENCE_CBC")  # licensed chips are tested in the United States on their way
    reached = (home | through) & case.deal("mode", "buy") & case.kind("chip")
    alone = reached & case.is_code("NLR")
    stays = home & case.deal("onward", None)
    exempt = "no tariff: use in data centres, repair, research, start-ups, consumer and public use there is exempt"
    yield Branch(alone & stays, exempt, code="TARIFF_NONE")
    performance, dram = case.figure("tpp"), case.figure("dram")
    fast: Mask = case.on < 0
    both = fast
    for low, high, slowest, fastest in BANDS:
        within = (performance >= low) & (performance <= high)
        fast = fast | within
        both = both | (within & (dram >= slowest) & (dram <= fastest))
    for figure, name, field in (
        (case.missing("tpp"), "TPP", "tops"),
        (fast & case.missing("dram"), "DRAM", "dram_gbps"),
    ):
        yield Branch(
            reached & figure,
            f"import tariff cannot be told: {name} is missing",
            verdict="conditional",
            missing=(field,),
        )
    figures = (Line("tpp", BANDS[0][0]), Line("dram", BANDS[0][2]))
    yield Branch(alone & ~both, "no tariff: outside both bands", code="TARIFF_NONE", lines=figures)
    yield Branch(reached & ~both, "no tariff: outside both bands", lines=figures)
    words = (
        "25 % on import into the United States on the way to another country; none if it stays for an exempt use there"
    )
    paid = PriceFactor(
        "tariff", "hardware", RATE, "Section 232: 25 % of the dutiable value; who bears it is contractual"
    )
    bears = ("a tariff of 25 % applies on the way through the United States; who bears it is for the contract",)
    for asked, code in ((alone, "TARIFF_25"), (reached, None)):
        yield Branch(
            asked & both,
            words,
            code=code,
            verdict="conditional",
            lines=figures,
            warnings=bears,
            factor=paid,
            says="TARIFF_25",
        )


RULE = Rule(
    id="US-12",
    title="Section 232 tariff on advanced chips",
    issuer="US President",
    stage="duty",
    announced=date(2026, 1, 14),
    effective_from=date(2026, 1, 15),
    status="final",
    confidence="medium",
    scope="imports into the United States: TPP 14000 to 17500 with DRAM 4500 to 5000 GB/s, TPP 20800 to 21100 with "
    "DRAM 5800 to 6200 GB/s",
    citations=(at.TARIFF_2026, at.TARIFF_BANDS, at.TARIFF_USES),
    predicate=predicate,
    lines=tuple(
        line
        for low, high, slow, quick in BANDS
        for line in (Line("tpp", low), Line("tpp", high), Line("dram", slow), Line("dram", quick))
    ),
    note="Whether the ends belong to a band was not read; they are taken as belonging to it. One page limits the "
    "exemption of data centres to new load above 100 MW. An update of the market was due on 1 July 2026; its outcome "
    "was not found.",
)
