"""What a share is a share of, and what follows by arithmetic: the rest, and the amounts that shares stand for."""

from __future__ import annotations

import re
from dataclasses import replace

from outlay.evidence.reading.records import Bound, StoryClaim
from outlay.evidence.reading.subjects import SPENDING

_STOP = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "at",
        "for",
        "to",
        "from",
        "with",
        "and",
        "or",
        "its",
        "their",
        "his",
        "her",
        "it",
        "this",
        "that",
        "these",
        "those",
        "will",
        "would",
        "is",
        "are",
        "be",
        "by",
        "new",
        "all",
        "any",
        "more",
        "than",
        "about",
        "over",
        "under",
        "said",
        "says",
        "has",
        "have",
        "had",
        "as",
        "which",
        "who",
        "was",
        "were",
        "some",
        "other",
        "both",
        "into",
        "out",
        "per",
        "each",
    ]
)
_SAME = {
    "semiconductor": "chip",
    "semiconductors": "chip",
    "accelerators": "chip",
    "accelerator": "chip",
    "gpus": "chip",
    "gpu": "chip",
    "processors": "chip",
    "spending": "spend",
    "spent": "spend",
    "investment": "invest",
    "purchases": "purchas",
    "purchase": "purchas",
    "芯片": "chip",
}
_MONEY_WORDS = re.compile(
    r"^(?:it|that|this|them|which|the (?:\w+\s)?(?:money|sum|amount|total|budget|investment|funds?|"
    r"funding|spending|spend|capex|outlay|plan|"
    r"figure|package|expenditure|cash|value))\b|^(?:其中|该)",
    re.IGNORECASE,
)
_COUNT_WORDS = re.compile(
    r"^(?:them|those|these|the (?:\w+\s)?(?:chips|gpus|accelerators|servers|order|orders|systems|units|racks))\b",
    re.IGNORECASE,
)
REMAINING = re.compile(
    r"\b(?:the\s)?(?:remaining|remainder|rest|other|balance)\b[\s,]*(?:of\s)?(?:the\s)?(?:(?:about|"
    r"around|roughly|some)\s)?$|其余|剩余|余下",
    re.IGNORECASE,
)


def stems(text: str) -> frozenset[str]:
    """Return the content words of a text, short endings cut, words of one meaning as one."""
    found = set()
    for word in re.findall(r"[A-Za-z][A-Za-z]+|\d+|[一-鿿]{2}", text.casefold().replace("’s", "").replace("'s", "")):
        if word not in _STOP:
            word = _SAME.get(word, word)
            found.add(re.sub(r"(?:ations?|ments?|ings?|ed|es|s|e)$", "", word) if len(word) > 4 else word.rstrip("s"))
    return frozenset(found)


def with_bases(claims: list[StoryClaim]) -> list[StoryClaim]:
    """Give each share the claim it is a share of, or the words for it where no claim is meant."""
    done: list[StoryClaim] = []
    for claim in claims:
        done.append(_based(claim, done) if claim.kind == "share" else claim)
    return done


def _based(claim: StoryClaim, before: list[StoryClaim]) -> StoryClaim:
    low = claim.span[0] - claim.sentence_start
    ahead, after = claim.sentence[:low], claim.sentence[low + claim.span[1] - claim.span[0] :]
    shares = [other for other in before if other.kind == "share" and other.share_of]
    if REMAINING.search(ahead[-40:]) and shares:
        return replace(claim, share_of=shares[-1].share_of, derived_from=_parents(claim, shares))
    same = [other for other in shares if other.sentence_number == claim.sentence_number]
    of = re.match(r"\s?(?:share\s|stake\s)?(?:of|in|on)\s([^,.;]{2,80})", after)
    if of is None and same:
        return replace(claim, share_of=same[-1].share_of)
    amounts = [
        other for other in before if other.kind in {"money", "count", "power"} and isinstance(other.quantity, float)
    ]
    words = (
        re.split(r"\s(?:will|would|is|are|was|were|to|goes|going|with|by|that|come|comes)\b", of[1])[0] if of else ""
    )
    base = _base(claim, words, amounts)
    return replace(claim, share_of=base.id if base else words)


def _base(claim: StoryClaim, words: str, amounts: list[StoryClaim]) -> StoryClaim | None:
    if not amounts:
        return None
    money = [
        other
        for other in amounts
        if other.kind == "money" and other.measure not in {"market value", "valuation", "price"}
    ]
    if not words:
        near = [other for other in money or amounts if other.sentence_number >= claim.sentence_number - 1]
        return near[-1] if near else None
    if _MONEY_WORDS.match(words):
        return (money or amounts)[-1]
    if _COUNT_WORDS.match(words):
        counted = [other for other in amounts if other.kind == "count"]
        return counted[-1] if counted else None
    if re.match(r"(?:their|its)\b", words) and claim.modality == "encouraged":
        return None  # what an authority asks of others is of their things, not of the sum told of before
    wanted = stems(words)
    scored = [
        (len(wanted & stems(f"{other.sentence} {other.subject}" if other.kind != "money" else _around(other))), index)
        for index, other in enumerate(amounts)
    ]
    best, index = max(scored)
    return amounts[index] if best >= 2 or (best == 1 and len(wanted) == 1) else None


def _around(claim: StoryClaim) -> str:
    """Return the part of a sentence that an amount owns: to the next amount's verb."""
    low = claim.span[0] - claim.sentence_start
    tail = re.split(r"\s(?:while|and (?:about|around|another|roughly)|, and|plus)\s|;", claim.sentence[low:])[0]
    return f"{claim.subject} {tail} {claim.place}"


def _parents(claim: StoryClaim, shares: list[StoryClaim]) -> tuple[str, ...]:
    """Return the shares whose rest a share is, where the sum shows it."""
    same = [other for other in shares if other.share_of == shares[-1].share_of]
    total = sum(float(other.quantity) for other in same if isinstance(other.quantity, float))
    if isinstance(claim.quantity, float) and abs(1 - total - claim.quantity) < 0.02:
        return tuple(other.id for other in same)
    return ()


def derived(claims: list[StoryClaim]) -> list[StoryClaim]:
    """Return the amounts that shares of an amount stand for: nobody said them."""
    by_id = {claim.id: claim for claim in claims}
    made: list[StoryClaim] = []
    for claim in claims:
        base = by_id.get(claim.share_of)
        if claim.kind != "share" or base is None or base.kind not in {"money", "count", "power"}:
            continue
        if not (isinstance(claim.quantity, float) and isinstance(base.quantity, float)):
            continue
        amount = float(f"{claim.quantity * base.quantity:.10g}")
        made.append(
            replace(
                claim,
                id=f"d{len(made) + 1}",
                kind=base.kind,
                quantity=amount,
                unit=base.unit,
                upper=None,
                measure=base.measure,
                bound=_together(claim.bound, base.bound),
                share_of="",
                derived_from=(claim.id, base.id),
                quoted=(),
                about=f"{claim.about}, as an amount",
                denied_by=claim.denied_by or base.denied_by,
                status="denied" if "denied" in {claim.status, base.status} else claim.status,
                remarks=("arithmetic, said by nobody",),
            )
        )
    return made


def _together(a: Bound, b: Bound) -> Bound:
    return a if b == "exactly" else b if a in {"exactly", b} else "about"


def is_spending(claim: StoryClaim) -> bool:
    """Return whether a claim is of money that somebody means to spend."""
    return claim.kind == "money" and "/" not in claim.unit and claim.measure in SPENDING | {"", "output"}
