"""What a decision can say: outcome codes with the verdict each gives, control classes, and the switches."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["allowed", "conditional", "unknown", "denied"]
STRICTNESS: tuple[Verdict, ...] = ("allowed", "conditional", "unknown", "denied")

CLASSES = ("NONE", "INDETERMINATE", "3A090 (2022)", "3A090.a", "3A090.b", "3A090.c", "4E091")
CONTROLLED = ("3A090.a", "3A090.b")

# What each code means for somebody who wants the machines and holds no licence. A rule can make the verdict stricter,
# never looser: a use of Ascend outside China, a case-by-case licence whose conditions nobody vouches for, and the
# reports of the Chinese side do so.
VERDICTS: dict[str, Verdict] = {
    "NLR": "allowed",
    "NOT_ENFORCED": "allowed",
    "COMPLIANCE_PENDING": "allowed",
    "AIA": "allowed",
    "ACA": "allowed",
    "TARIFF_NONE": "allowed",
    "RECLASSIFY": "unknown",
    "SUSPENDED": "allowed",
    "NOT_PRESUMED": "allowed",
    "PROPOSED_NOT_COVERED": "allowed",
    "TARIFF_25": "conditional",
    "PERMIT_NOTICE_30D": "conditional",
    "NAC_OR_LICENCE": "conditional",
    "LPP": "conditional",
    "LICENCE_PA": "conditional",
    "LICENCE_CBC": "conditional",
    "HBM_EXCEPTION_OR_LICENCE": "conditional",
    "GP10_PRESUMED": "conditional",
    "GP10_RISK": "conditional",
    "NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK": "conditional",
    "PRESUMED_SYSTEMIC": "conditional",
    "REPORT_YEARLY": "conditional",
    "PROPOSED_CONDITION": "conditional",
    "LICENCE": "denied",
    "LICENCE_PD": "denied",
    "LETTER_LICENCE": "denied",
    "TREATED_AS_LISTED": "denied",
    "TREATED_AS_LISTED_UNVERIFIED": "denied",
    "PROPOSED_DENY": "denied",
    "UNKNOWN": "unknown",
}
CODES = tuple(VERDICTS)
UNLICENSED = ("NLR", "TARIFF_NONE")
"""Codes under which nothing is asked of anybody."""
OPEN = tuple(code for code, verdict in VERDICTS.items() if verdict == "allowed")

FLAGS = {
    "diffusion_enforced": "The AI Diffusion rule is enforced from 15 May 2025 on.",
    "letter_2025_h20_line": "The April 2025 letters draw the line at the H20's own 4000 and 900 GB/s.",
    "certifications": "The conditions of the January 2026 rule are met, route included, and a licence follows.",
    "affiliates_extended": "The suspension of the Affiliates rule goes on after 9 November 2026.",
    "safe_chips_enacted": "The SAFE Chips Act becomes law as introduced.",
    "remote_access_enacted": "The Remote Access Security Act becomes law and is used against groups of D:5 and Macau.",
    "gain_enacted": "The GAIN AI Act becomes law: US buyers first.",
    "chip_security_enacted": "The Chip Security Act becomes law: location verification of exported chips.",
    "overwatch_enacted": "The AI OVERWATCH Act becomes law: 30 days of congressional review.",
    "ignore_reported": "China-side rules that are only reported do not count.",
}
