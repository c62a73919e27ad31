"""United States: where an item needs a licence, which exceptions free it, and how an application is reviewed."""

from __future__ import annotations

from datetime import date
from typing import Literal

from outlay.policy.countries import arms_embargoed, in_group, licensed_since_2023
from outlay.policy.metrics import plain, tpp
from outlay.policy.rules import sources as at
from outlay.policy.rules.base import CONTROLLED, Case, Finding, Rule
from outlay.policy.rules.us_classes import CLASS_2022

LPP_TPP_PER_YEAR = 26_900_000.0
NAC_SPLIT = date(2024, 4, 4)


def scope_2022(case: Case) -> Finding | None:
    """China with Hong Kong from the start; Macau from 17 January 2023."""
    deal = case.transaction
    reached = deal.destination in {"CN", "HK"} or (deal.destination == "MO" and deal.on >= date(2023, 1, 17))
    if not reached or not case.exported:
        return None
    if case.control_class == "INDETERMINATE":
        return Finding("a licence may be required: the class is not known", code="UNKNOWN")
    if case.control_class != CLASS_2022:
        return None
    return Finding("licence required to this destination", code="LICENCE")


def scope_2023(case: Case) -> Finding | None:
    """Require a licence by country group, and anywhere for a group with headquarters in D:5 or Macau."""
    deal = case.transaction
    by_place = licensed_since_2023(deal.destination, deal.on)
    if not case.exported or not (by_place or case.restricted_buyer):
        return None
    if case.control_class == "INDETERMINATE":
        # A letter's licence requirement stands whatever the class turns out to be.
        code = None if case.code == "LETTER_LICENCE" else "UNKNOWN"
        return Finding("a licence may be required: the class is not known", code=code)
    if case.control_class not in CONTROLLED:
        return None
    if not case.restricted:
        return Finding(
            f"licence required: {deal.destination} is in D:1 or D:4; presumption of approval", code="LICENCE_PA"
        )
    if arms_embargoed(deal.destination, deal.on):
        reason = f"{deal.destination} is Macau or in D:5"
    else:
        who = deal.buyer_hq if arms_embargoed(deal.buyer_hq, deal.on) else deal.parent_hq
        reason = f"the buyer or its ultimate parent has its headquarters in {who}, wherever the machines go"
    return Finding(f"licence required: {reason}; presumption of denial", code="LICENCE_PD")


def exception_nac(case: Case) -> Finding | None:
    """License Exceptions NAC and ACA: 3A090.a not for data centres, 3A090.b for data centres."""
    for_datacenter = case.item.datacenter is True
    eligible = (case.control_class == "3A090.a" and case.item.datacenter is False) or (
        case.control_class == "3A090.b" and for_datacenter
    )
    if not eligible or case.code not in {"LICENCE_PD", "LICENCE_PA"}:
        return None
    if case.code == "LICENCE_PA" and case.transaction.on >= NAC_SPLIT:
        return Finding("License Exception ACA: no notification", code="ACA")
    return Finding(
        "License Exception NAC: notify BIS at least 25 days ahead, with the purchase order; else a licence",
        code="NAC_OR_LICENCE",
    )


def review_after_diffusion(case: Case) -> Finding | None:
    """Name no review policy for D:1 and D:4: it was rewritten in January 2025 and the new text was not read."""
    if case.code != "LICENCE_PA":
        return None
    return Finding("licence required; the review policy now in force was not read", code="LICENCE")


def announcement_h200(case: Case) -> Finding | None:
    """H200 to approved customers in China: announced, not yet in the rules."""
    if case.code != "LICENCE_PD" or case.transaction.destination != "CN" or not case.named("H200"):
        return None
    return Finding(
        "licence required; an allowance is announced (25 % to the United States), not in the rules", code="LICENCE"
    )


def case_by_case(case: Case) -> Finding | None:
    """Case-by-case review of exports from the United States to China and Macau below two lines."""
    deal, performance, dram = case.transaction, tpp(case.item), case.item.dram_gbps
    if case.code != "LICENCE_PD" or case.control_class != "3A090.a" or deal.destination not in {"CN", "HK", "MO"}:
        return None
    assert performance is not None
    if performance.value >= 21000 or (dram is not None and dram >= 6500):
        over = [performance.text + " >= 21000"] if performance.value >= 21000 else []
        over += [f"DRAM = {plain(dram)} >= 6500 GB/s"] if dram is not None and dram >= 6500 else []
        return Finding("presumption of denial stays: over a line", arithmetic=tuple(over))
    if dram is None:
        return Finding("presumption of denial stays: memory bandwidth is missing", missing=("dram_gbps",))
    below = (performance.against(21000), f"DRAM = {plain(dram)} < 6500 GB/s")
    if case.item.available_in_us is False:
        return Finding(
            "presumption of denial stays: not sold in the United States on 15 January 2026", arithmetic=below
        )
    if deal.exporter != "US" and not (deal.exporter is None and "certifications" in case.flags):
        where = "it is not shipped from the United States" if deal.exporter else "where it is shipped from is not given"
        return Finding(f"presumption of denial stays: {where}", arithmetic=below)
    warnings = (
        ()
        if case.item.available_in_us
        else (f"{case.item.name}: whether it was sold in the United States on 15 January 2026 is not known here",)
    )
    return Finding(
        "licence required; reviewed case by case, with certifications on US supply, the 50 % cap, security and testing",
        code="LICENCE_CBC",
        arithmetic=below,
        warnings=warnings,
    )


def diffusion_pending(case: Case) -> Finding | None:
    """Name the wait between publication and the compliance date."""
    if not case.exported or case.control_class != "3A090.a" or case.code != "NLR":
        return None
    return Finding(
        "no licence yet: the worldwide requirement has a compliance date of 15 May 2025", code="COMPLIANCE_PENDING"
    )


def diffusion(case: Case) -> Finding | None:
    """Worldwide requirement for 3A090.a: free in tier 1 for tier 1 groups, low volumes elsewhere, else a licence."""
    deal, performance = case.transaction, tpp(case.item)
    if not case.exported or case.restricted or case.code != "NLR":
        return None
    places = (deal.destination, deal.buyer_hq, deal.parent_hq)
    first_tier = all(in_group(place, "tier-1", deal.on) for place in places)
    if case.control_class == "INDETERMINATE":
        return None if first_tier else Finding("a licence may be required: the class is not known", code="UNKNOWN")
    if case.control_class != "3A090.a":
        return None
    if first_tier:
        return Finding(
            "License Exception AIA: destination and headquarters in tier 1",
            code="AIA",
            warnings=("AI Diffusion: a tier 1 group must certify what License Exception AIA asks",),
        )
    assert performance is not None
    fits = int(LPP_TPP_PER_YEAR // performance.value)
    volume = f"{plain(LPP_TPP_PER_YEAR)} TPP a year / {plain(performance.value)} = {fits} chips a buyer and year"
    if deal.units is not None and deal.units * performance.value <= LPP_TPP_PER_YEAR:
        return Finding("License Exception LPP: low volume", code="LPP", arithmetic=(volume, f"{deal.units} <= {fits}"))
    return Finding(
        "licence required outside tier 1: validated end users and the country cap are not assumed, and License "
        f"Exception LPP ends at {fits} chips a buyer and year, so a fleet is treated as denied",
        code="LICENCE",
        arithmetic=(volume,),
    )


def not_enforced(case: Case) -> Finding | None:
    """Free what only the worldwide requirement reaches: it stands in the code and is not enforced."""
    if not case.exported or case.code not in {"NLR", "COMPLIANCE_PENDING"}:
        return None
    if case.control_class not in {"3A090.a", "INDETERMINATE"}:
        return None
    return Finding(
        "a worldwide requirement stands in the code; BIS does not enforce it where none stood before",
        code="NOT_ENFORCED",
        warnings=("non-enforcement is an announcement; the text was not rescinded and enforcement could resume",),
    )


def general_prohibition_10(case: Case) -> Finding | None:
    """Circuits of Chinese makers that meet 3A090 are presumed to come from a violation."""
    if not case.chinese_made:
        return None
    deal = case.transaction
    at_home = all(arms_embargoed(place, deal.on) for place in (deal.destination, deal.buyer_hq, deal.parent_hq))
    home = "; a purely Chinese use in China is practically unaffected, and the risk is reported" if at_home else ""
    verdict: Literal["conditional", "denied"] = "conditional" if at_home else "denied"
    warnings = ("General Prohibition 10: buying, using, financing or servicing it risks US enforcement",)
    if case.named(r"(?:Ascend )?910[BCD]\d?"):
        outcome = f"named in the guidance: presumed to involve a violation{home}"
        return Finding(outcome, code="GP10_PRESUMED", verdict=verdict, warnings=warnings)
    if case.control_class in CONTROLLED:
        outcome = f"meets 3A090, and the guidance's list is not exhaustive{home}"
        return Finding(outcome, code="GP10_RISK", verdict=verdict, warnings=warnings)
    if case.control_class != "INDETERMINATE":
        return None
    outcome = f"may meet 3A090: a figure is missing{home}"
    if at_home:
        return Finding(outcome, code="GP10_RISK", verdict=verdict, warnings=warnings)
    return Finding(outcome, code="UNKNOWN")


def safe_chips(case: Case) -> Finding | None:
    """Deny 3A090.a and .b for data centres, and parts over a line on DRAM, interconnect or their sum."""
    if not case.restricted or not case.exported or not case.item.datacenter:
        return None
    dram, io = case.item.dram_gbps, case.item.interconnect_gbps
    over = [
        f"{name} = {plain(value)} >= {limit} GB/s"
        for name, value, limit in (
            ("DRAM", dram, 4100),
            ("interconnect", io, 1100),
            ("sum", None if dram is None or io is None else dram + io, 5000),
        )
        if value is not None and value >= limit
    ]
    if case.control_class in CONTROLLED or over:
        return Finding("the bill would have the licence denied", code="PROPOSED_DENY", arithmetic=tuple(over))
    return Finding("the bill's numbers do not reach it")


RULES = (
    Rule(
        id="US-02.scope",
        title="Licence for 3A090 to China and Macau",
        issuer="US BIS",
        announced=date(2022, 10, 7),
        effective_from=date(2022, 10, 21),
        effective_to=date(2023, 11, 16),
        end_announced=date(2023, 10, 17),
        status="final",
        confidence="high",
        scope="China with Hong Kong; Macau from 17 January 2023; no headquarters test",
        citations=(at.OCT_2022, at.MACAU_2023),
        predicate=scope_2022,
    ),
    Rule(
        id="US-03.scope",
        title="Licence for 3A090.a and .b by country group, and by headquarters",
        issuer="US BIS",
        announced=date(2023, 10, 17),
        effective_from=date(2023, 11, 17),
        status="final",
        confidence="high",
        scope="D:1, D:4 and D:5 less A:5 and A:6, Macau; groups headquartered in D:5 or Macau anywhere",
        citations=(at.OCT_2023, at.HQ_2026),
        predicate=scope_2023,
    ),
    Rule(
        id="US-04",
        title="License Exceptions NAC and ACA",
        issuer="US BIS",
        announced=date(2023, 10, 17),
        effective_from=date(2023, 11, 17),
        status="final",
        confidence="high",
        scope="one exception until 3 April 2024; then NAC for D:5 and Macau, ACA for D:1 and D:4",
        citations=(at.OCT_2023, at.NAC_2024, at.NAC_GUIDE),
        predicate=exception_nac,
    ),
    Rule(
        id="US-06.pending",
        title="AI Diffusion rule, published",
        issuer="US BIS",
        announced=date(2025, 1, 13),
        effective_from=date(2025, 1, 13),
        effective_to=date(2025, 5, 14),
        end_announced=date(2025, 1, 13),
        status="final",
        confidence="high",
        scope="3A090.a worldwide, compliance from 15 May 2025",
        citations=(at.DIFFUSION, at.DIFFUSION_DATES),
        predicate=diffusion_pending,
    ),
    Rule(
        id="US-06.unenforced",
        title="AI Diffusion rule not enforced",
        issuer="US BIS",
        announced=date(2025, 5, 13),
        effective_from=date(2025, 5, 13),
        status="unenforced",
        confidence="medium",
        scope="3A090.a to places with no requirement before the rule",
        citations=(at.NOT_ENFORCED, at.GAO_2026),
        predicate=not_enforced,
        switch_off="diffusion_enforced",
    ),
    Rule(
        id="US-06",
        title="AI Diffusion rule",
        issuer="US BIS",
        announced=date(2025, 1, 13),
        effective_from=date(2025, 5, 15),
        status="final",
        confidence="medium",
        scope="3A090.a worldwide: tier 1, tier 2, tier 3 (D:5 and Macau)",
        citations=(at.DIFFUSION, at.DIFFUSION_DATES),
        predicate=diffusion,
    ),
    Rule(
        id="US-06.review",
        title="Review policy for D:1 and D:4 since the AI Diffusion rule",
        issuer="US BIS",
        announced=date(2025, 1, 13),
        effective_from=date(2025, 5, 15),
        status="final",
        confidence="medium",
        scope="D:1 and D:4",
        citations=(at.DIFFUSION, at.CCL),
        predicate=review_after_diffusion,
    ),
    Rule(
        id="US-11.announced",
        title="Announcement on the H200 of 8 December 2025",
        issuer="US President",
        announced=date(2025, 12, 8),
        effective_from=date(2025, 12, 8),
        effective_to=date(2026, 1, 14),
        end_announced=date(2026, 1, 13),
        status="announcement",
        confidence="high",
        scope="H200 to approved customers in China",
        citations=(at.H200_2025,),
        predicate=announcement_h200,
    ),
    Rule(
        id="US-11",
        title="Case-by-case review of January 2026",
        issuer="US BIS",
        announced=date(2026, 1, 13),
        effective_from=date(2026, 1, 15),
        status="final",
        confidence="high",
        scope="exports from the United States to China and Macau; TPP below 21000 and DRAM below 6500 GB/s",
        citations=(at.CBC_2026, at.CBC_2026_SCOPE),
        predicate=case_by_case,
    ),
    Rule(
        id="US-09",
        title="General Prohibition 10 on advanced circuits of Chinese makers",
        issuer="US BIS",
        announced=date(2025, 5, 13),
        effective_from=date(2025, 5, 13),
        status="guidance",
        confidence="high",
        scope="circuits that meet 3A090 of makers headquartered in D:5 or Macau",
        citations=(at.GP10,),
        predicate=general_prohibition_10,
    ),
    Rule(
        id="US-P1",
        title="SAFE Chips Act, if enacted",
        issuer="US Congress",
        announced=date(2025, 12, 4),
        effective_from=date(2025, 12, 4),
        status="proposed",
        confidence="low",
        scope="data-centre parts to D:5, Macau and groups headquartered there",
        citations=(at.SAFE_CHIPS,),
        predicate=safe_chips,
        switch="safe_chips_enacted",
    ),
    Rule(
        id="US-07",
        title="Foundry due diligence: presumption of 3A090.a",
        issuer="US BIS",
        announced=date(2025, 1, 16),
        effective_from=date(2025, 1, 16),
        status="final",
        confidence="medium",
        scope="foundries and packagers of advanced logic; compliance from 31 January 2025",
        citations=(at.FOUNDRY_2025,),
    ),
    Rule(
        id="US-10",
        title="Affiliates (50 %) rule",
        issuer="US BIS",
        announced=date(2025, 9, 29),
        effective_from=date(2025, 9, 29),
        status="suspended",
        confidence="low",
        scope="parties half owned by listed ones; suspended 10 November 2025 to 9 November 2026",
        citations=(at.AFFILIATES,),
    ),
)
