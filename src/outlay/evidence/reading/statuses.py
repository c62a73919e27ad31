"""How sure a claim is: whose word an unattributed figure is, and how far back a denial reaches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from outlay.evidence.reading.records import NUMBERLESS, StoryClaim
from outlay.evidence.reading.shares import stems
from outlay.evidence.reading.subjects import RESULTS, is_body

_WIDE = re.compile(
    r"\b(?:these|those|the|all) (?:claims?|reports?|information|figures?|numbers?|story|allegations?)"
    r"|消息|报道|不实|传闻",
    re.IGNORECASE,
)
_SPENDING = re.compile(r"\b(?:spending|investment|money|budget|capex|expenditure|plan)\b", re.IGNORECASE)
_ONE = re.compile(r"\b(?:the|that|this) (?:figure|number|amount|sum)\b|该数字|这一数字|该金额", re.IGNORECASE)
"""Words of a denial that mean the last figure alone."""
OPENING = 2
"""Sentences in which a story says where it has its news from."""
_ABOUT_FIGURES = re.compile(r"\b(?:figures?|numbers?|amounts?|reports?|claims?|information|sums?)\b", re.IGNORECASE)
_OWN_WORDS = frozenset({"area", "length"})
"""Kinds that outlets give in their own words, where nobody is named."""


def with_defaults(claims: list[StoryClaim], told: Sequence[tuple[int, str]]) -> list[StoryClaim]:
    """Give figures that nobody is named for the source the story rests on; answers to questions are not counted.

    Parameters
    ----------
    told
        Number of the sentence and kind of each speaker, in order. Analysts speak for their own figures alone.
    """
    by_company = _leads(claims, told) == "company"
    done = []
    for claim in claims:
        unnamed = claim.attribution.kind == "none" and claim.kind != "comment" and claim.status == "reported"
        results = claim.measure in RESULTS and claim.kind in {"money", "change", "ratio"}
        theirs = by_company and claim.kind not in _OWN_WORDS and not is_body(claim.subject)
        if unnamed and (results or theirs):
            remark = "nobody is named; the company's by the kind of figure or story"
            done.append(replace(claim, status="company statement", remarks=(*claim.remarks, remark)))
        else:
            done.append(claim)
    return done


def _leads(claims: list[StoryClaim], told: Sequence[tuple[int, str]]) -> str:
    """Return whose story it is.

    It is theirs who speak in its first two sentences; where nobody does, that of unnamed people or papers if there are
    any, else the company's that says, or is told as a fact, what it is going to do.
    """
    kinds = [(number, kind) for number, kind in told if kind in {"anonymous", "outlet", "company", "official"}]
    if kinds and kinds[0][0] <= OPENING:
        return kinds[0][1]
    if {"anonymous", "outlet"} & {kind for _, kind in kinds}:
        return "anonymous"
    return "company" if _announced(claims) or "company" in {kind for _, kind in kinds} else ""


def _announced(claims: list[StoryClaim]) -> bool:
    """Return whether a story without any source opens with what a company is going to do."""
    first = next((claim for claim in claims if claim.kind not in NUMBERLESS | {"list", "date"}), None)
    return first is not None and first.modality == "plan" and bool(first.subject)


def with_denials(claims: list[StoryClaim]) -> list[StoryClaim]:
    """Change the status, not the value, of what a denial reaches back to."""
    done = list(claims)
    for denial in [claim for claim in claims if claim.kind == "comment" and claim.status == "denied"]:
        who = denial.attribution.who
        firm = _firm(denial, claims)
        reached = {claim.id for claim in done if _reaches(denial, firm, claim)}
        if _ONE.search(denial.sentence[max(0, denial.span[0] - denial.sentence_start - 60) :]):
            nearest = [claim.id for claim in done if claim.id in reached and claim.kind in {"money", "power", "count"}]
            reached = set(nearest[-1:])
        sources = {str(claim.attribution) for claim in done if claim.id in reached and claim.attribution.kind != "none"}
        for index, claim in enumerate(done):
            inherits = claim.kind == "share" and claim.share_of in reached
            later = (
                claim.span > denial.span
                and claim.kind != "comment"
                and _same_firm(firm, claim)
                and str(claim.attribution) in sources
                and claim.attribution.kind in {"anonymous", "outlet"}
                and claim.attribution.who.startswith(("the ", "The "))
            )
            if claim.id in reached or inherits or later:
                done[index] = replace(claim, status="denied", denied_by=who)
            elif (
                claim.span > denial.span
                and claim.status == "reported"
                and str(claim.attribution) in sources | {"reportedly"}
            ):
                done[index] = replace(claim, denied_by=f"{who} (the same report; whether this is meant is not said)")
    return done


def _firm(denial: StoryClaim, claims: list[StoryClaim]) -> str:
    return denial.subject or next((claim.subject for claim in claims if claim.subject), "")


def _same_firm(firm: str, claim: StoryClaim) -> bool:
    return bool(claim.subject) and (firm in claim.subject or claim.subject in firm)


def _reaches(denial: StoryClaim, firm: str, claim: StoryClaim) -> bool:
    """Return whether a denial speaks of an earlier claim: of its firm and topic, told by unnamed people or papers."""
    if claim.kind in NUMBERLESS | {"list", "date"} or claim.status != "reported" or claim.span > denial.span:
        return False
    if not (_same_firm(firm, claim) or (not claim.subject and _WIDE.search(denial.sentence))):
        return False
    said = re.search(r"\bden(?:ied|ies|ying) (?:that|having|it)\b(.*)", denial.sentence)
    if said and not _ABOUT_FIGURES.search(said[1]) and not stems(said[1]) & stems(claim.sentence) - stems(firm):
        return False
    if _SPENDING.search(denial.sentence) and not _WIDE.search(denial.sentence) and claim.kind not in {"money", "share"}:
        return False
    return claim.attribution.kind in {"anonymous", "outlet"} or (claim.modality == "plan" and claim.kind == "money")
