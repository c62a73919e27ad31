"""The AI Diffusion rule: a licence for 3A090.a everywhere, with tiers and low volumes."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.columns import Case, Mask
from outlay.policy.decision import Item, Transaction
from outlay.policy.metrics import plain, tpp
from outlay.policy.rule import Branch, Rule
from outlay.policy.rules.us_03_scope import licensed_place

LPP_TPP_PER_YEAR = 26_900_000.0
COMPLIANCE = date(2025, 5, 15)


def worldwide_only(case: Case) -> Mask:
    """Return where nothing but the worldwide requirement reaches: no country group, no headquarters, no letter."""
    free = case.is_code("NLR", "COMPLIANCE_PENDING", "AIA", "ACA", "LPP", "LICENCE", "UNKNOWN")
    return case.exported & ~case.restricted_buyer & ~licensed_place(case) & free & case.kind("chip")


def _volume(item: Item, deal: Transaction) -> str:
    performance = tpp(item)
    assert performance is not None
    fits = int(LPP_TPP_PER_YEAR // performance.value)
    words = f"{plain(LPP_TPP_PER_YEAR)} TPP a year / {plain(performance.value)} = {fits} chips a buyer and year"
    if deal.units is None:
        return words
    total = deal.units * performance.value
    sign = "<=" if total <= LPP_TPP_PER_YEAR else ">"
    return f"{words}; {deal.units} x {plain(performance.value)} = {plain(total)} {sign} {plain(LPP_TPP_PER_YEAR)}"


def predicate(case: Case) -> Iterator[Branch]:
    """Free in tier 1 for groups of tier 1, low volumes elsewhere, else a licence."""
    reached = worldwide_only(case) & case.is_code("NLR")
    item = reached & case.is_class("3A090.a")
    yield Branch(
        item & ~case.since(COMPLIANCE),
        "no licence yet: the worldwide requirement has a compliance date of 15 May 2025",
        code="COMPLIANCE_PENDING",
    )
    tier_1 = case.within("destination", "tier-1") & case.within("buyer", "tier-1") & case.within("parent", "tier-1")
    yield Branch(
        reached & case.is_class("INDETERMINATE") & ~tier_1 & case.since(COMPLIANCE),
        "a licence may be required: the class is not known",
        code="UNKNOWN",
    )
    yield Branch(
        item & tier_1,
        "License Exception AIA: destination and headquarters in tier 1",
        code="AIA",
        warnings=("AI Diffusion: a tier 1 group must certify what License Exception AIA asks",),
    )
    yield Branch(item & case.fact("datacenter", False), "License Exception ACA: not for data centres", code="ACA")
    # Low volumes are free in all of tier 2, the countries of D:1 and D:4 among them, where the rule is enforced.
    grouped = case.flag("diffusion_enforced") & case.is_code("LICENCE_PA") & case.since(COMPLIANCE)
    few = case.amount("units") * case.figure("tpp") <= LPP_TPP_PER_YEAR
    yield Branch(
        (item | (grouped & case.is_class("3A090.a"))) & few,
        f"License Exception LPP: low volume, at most {LPP_TPP_PER_YEAR:,.0f} TPP a buyer and year",
        code="LPP",
        working=_volume,
    )
    yield Branch(
        item,
        "licence required outside tier 1: validated end users and the country cap are not assumed, and License "
        f"Exception LPP ends at {LPP_TPP_PER_YEAR:,.0f} TPP a buyer and year, so a fleet is treated as denied",
        code="LICENCE",
        working=_volume,
    )


RULE = Rule(
    id="US-06",
    title="AI Diffusion rule",
    issuer="US BIS",
    stage="scope",
    announced=date(2025, 1, 13),
    effective_from=date(2025, 1, 13),
    status="final",
    confidence="medium",
    scope="3A090.a worldwide, compliance from 15 May 2025: tier 1, tier 2, tier 3 (D:5 and Macau)",
    citations=(at.DIFFUSION, at.DIFFUSION_DATES),
    predicate=predicate,
    steps=(COMPLIANCE,),
    note="Not enforced since 13 May 2025 (US-06.unenforced) but where the flag diffusion_enforced is set. Validated "
    "end users (75 % in tier 1, 7 % in any tier 2 country) and the country cap of about 790 million TPP are not "
    "decided here: they bind a group or a country, not an item. The cap's legal figure was not read.",
)
