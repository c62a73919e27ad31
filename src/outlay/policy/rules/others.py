"""Duties beside the licence: the American import tariff of January 2026 and Malaysia's permit."""

from __future__ import annotations

from datetime import date

from outlay.policy.metrics import plain, tpp
from outlay.policy.rules import sources as at
from outlay.policy.rules.base import CONTROLLED, Case, Finding, Rule

# (lowest and highest TPP, lowest and highest DRAM GB/s). Whether the ends belong to a band was not read; they are taken
# as belonging to it.
TARIFF_BANDS = ((14000.0, 17500.0, 4500.0, 5000.0), (20800.0, 21100.0, 5800.0, 6200.0))


def tariff(case: Case) -> Finding | None:
    """25 % on imports into the United States within two bands, unless for use in a data centre there."""
    deal, performance, dram = case.transaction, tpp(case.item), case.item.dram_gbps
    through_us = deal.exporter == "US" and case.code == "LICENCE_CBC"
    if deal.mode == "lease" or not (deal.destination == "US" or through_us):
        return None
    code = "TARIFF_NONE" if case.code == "NLR" else None
    if not through_us and not case.restricted_buyer:
        return Finding("no tariff: use in a data centre in the United States is exempt", code=code)
    bands = [band for band in TARIFF_BANDS if performance is not None and band[0] <= performance.value <= band[1]]
    if performance is None or (bands and dram is None):
        missing = "tops" if performance is None else "dram_gbps"
        return Finding(f"import tariff cannot be told: {missing} is missing", verdict="conditional", missing=(missing,))
    figures = (performance.text,) if dram is None else (performance.text, f"DRAM = {plain(dram)} GB/s")
    if not any(dram is not None and slow <= dram <= fast for _, _, slow, fast in bands):
        return Finding("no tariff: outside both bands", code=code, arithmetic=figures)
    return Finding(
        "25 % on import into the United States on the way to another country; none if it stays in a data centre there",
        code="TARIFF_25" if code else None,
        verdict="conditional",
        arithmetic=figures,
        warnings=("a tariff of 25 % applies on the way through the United States; who bears it is for the contract",),
    )


def malaysian_permit(case: Case) -> Finding | None:
    """Thirty days' notice and a permit to ship advanced American chips out of Malaysia."""
    deal = case.transaction
    if deal.exporter != "MY" or deal.destination == "MY" or case.chinese_made:
        return None
    if case.control_class not in {*CONTROLLED, "INDETERMINATE"}:
        return None
    return Finding(
        "shipped out of Malaysia: notify 30 days ahead, then a permit; the directive's own figures were not read",
        # A permit answers for Malaysia alone: it never replaces what the American rules leave unknown or closed.
        code="PERMIT_NOTICE_30D" if case.code in {"NLR", "NOT_ENFORCED", "AIA", "ACA"} else None,
        verdict="conditional",
    )


RULES = (
    Rule(
        id="US-12",
        title="Section 232 tariff on advanced chips",
        issuer="US President",
        announced=date(2026, 1, 14),
        effective_from=date(2026, 1, 15),
        status="final",
        confidence="medium",
        scope="imports into the United States within two bands of TPP and memory bandwidth",
        citations=(at.TARIFF_2026, at.TARIFF_BANDS),
        predicate=tariff,
    ),
    Rule(
        id="MY-01",
        title="Strategic Trade Permit for American AI chips",
        issuer="Malaysia MITI",
        announced=date(2025, 7, 14),
        effective_from=date(2025, 7, 14),
        status="final",
        confidence="medium",
        scope="export, transhipment and transit; law firms tie it to knowledge or suspicion, the ministry does not",
        citations=(at.MALAYSIA_2025,),
        predicate=malaysian_permit,
    ),
)
