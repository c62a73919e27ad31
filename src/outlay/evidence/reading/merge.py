"""Several stories to one set of claims: what one source told is one claim, what disagrees stays side by side."""

from __future__ import annotations

import re
from dataclasses import replace

from outlay.evidence.reading.checks import room
from outlay.evidence.reading.records import Attribution, Question, StoryClaim

_NEAR = 0.012
"""Relative difference within which two tellings round one figure."""


def merged(stories: list[list[StoryClaim]]) -> tuple[list[StoryClaim], list[Question]]:
    """Return the claims of several stories, named ``1.c3`` for c3 of the first, and what they disagree on."""
    kept: list[StoryClaim] = []
    names: dict[str, str] = {}
    questions: list[Question] = []
    for number, story in enumerate(stories, start=1):
        for claim in [_renamed(claim, number) for claim in story]:
            twin = next(
                (i for i, other in enumerate(kept) if other.article != claim.article and _same_telling(other, claim)),
                None,
            )
            if twin is None:
                kept.append(claim)
                continue
            names[claim.id] = kept[twin].id
            kept[twin] = _joined(kept[twin], claim)
    kept = [_pointed(claim, names) for claim in kept]
    questions += _disagreements(kept)
    return kept, questions


def _renamed(claim: StoryClaim, number: int) -> StoryClaim:
    def name(old: str) -> str:
        return f"{number}.{old}" if re.fullmatch(r"[cd]\d+", old) else old

    return replace(
        claim, id=name(claim.id), share_of=name(claim.share_of), derived_from=tuple(map(name, claim.derived_from))
    )


def _pointed(claim: StoryClaim, names: dict[str, str]) -> StoryClaim:
    """Point a claim that speaks of merged ones at what they were merged into."""
    return replace(
        claim,
        share_of=names.get(claim.share_of, claim.share_of),
        derived_from=tuple(names.get(old, old) for old in claim.derived_from),
    )


def _amounts(claim: StoryClaim) -> dict[str, float]:
    own = {claim.unit: claim.quantity} if isinstance(claim.quantity, float) else {}
    return {**own, **{other.unit: other.quantity for other in claim.quoted}}


def root(attribution: Attribution) -> str:
    """Return where a figure first came from, as far as told: the paper it was told through, else who said it."""
    if attribution.through:
        return _short(attribution.through)
    return _short(attribution.who) if attribution.kind not in {"anonymous", "none"} else ""


def _short(name: str) -> str:
    return {"FT": "Financial Times", "WSJ": "Wall Street Journal", "SCMP": "South China Morning Post"}.get(
        name, name
    ).removeprefix("The ")


def _same_telling(a: StoryClaim, b: StoryClaim) -> bool:
    """Return whether two stories tell one figure: same thing, same size, no other source named.

    Size alone never merges.
    """
    if a.kind != b.kind or a.kind in {"decision", "talks"} or not _same_thing(a, b):
        return False
    if a.kind == "comment":
        return a.status == b.status and a.subject == b.subject
    if isinstance(a.quantity, str) or isinstance(b.quantity, str) or a.quantity is None or b.quantity is None:
        return (a.quantity, a.words) == (b.quantity, b.words)
    ours, theirs = _amounts(a), _amounts(b)
    if not any(abs(ours[unit] / theirs[unit] - 1) <= _NEAR for unit in ours.keys() & theirs.keys() if theirs[unit]):
        return False
    return _one_source(a.attribution, b.attribution)


def _one_source(a: Attribution, b: Attribution) -> bool:
    """Return whether nothing shows two sources behind two figures: "the report" and unnamed people may be one."""
    vague = re.compile(r"^(?:the |reportedly|sources?$|people)|^$")
    first, second = root(a), root(b)
    return first == second or bool(vague.match(first)) or bool(vague.match(second))


def _same_thing(a: StoryClaim, b: StoryClaim) -> bool:
    """Return whether two claims are about one thing: subjects agree; measure, place and period do not contradict."""
    subjects = bool(a.subject) and (
        a.subject == b.subject or bool(set(a.subject.split(", ")) & set(b.subject.split(", ")))
    )
    periods = not a.period or not b.period or a.period.removeprefix("by ") == b.period.removeprefix("by ")
    places = not a.place or not b.place or a.place == b.place or {a.place, b.place} <= {"abroad", "outside China"}
    measures = (
        not a.measure
        or not b.measure
        or a.measure == b.measure
        or {a.measure, b.measure} <= {"investment", "capital expenditure", "deal", "cost"}
    )
    return (
        subjects
        and periods
        and places
        and measures
        and (a.kind != "share" or a.bound == b.bound or "about" in {a.bound, b.bound})
    )


def _joined(first: StoryClaim, again: StoryClaim) -> StoryClaim:
    denied = again if again.status == "denied" and first.status == "reported" else None
    bound = first.bound if first.bound != "exactly" else again.bound
    attribution = first.attribution if root(first.attribution) or not root(again.attribution) else again.attribution
    return replace(
        first,
        told_by=tuple(dict.fromkeys([*first.told_by, *again.told_by])),
        bound=bound,
        attribution=attribution,
        status=denied.status if denied else first.status,
        denied_by=first.denied_by or again.denied_by,
        quoted=first.quoted or again.quoted,
        period=first.period or again.period,
        remarks=(*first.remarks, f"told again by {again.article} ({again.id}): {again.sentence!r}"),
    )


def _disagreements(claims: list[StoryClaim]) -> list[Question]:
    """Return a question for each two claims of one thing that cannot both hold."""
    asked = []
    for i, a in enumerate(claims):
        for b in claims[i + 1 :]:
            if (
                a.article == b.article
                or a.kind != b.kind
                or a.kind not in {"money", "power", "count", "share"}
                or a.arithmetic
                or b.arithmetic
            ):
                continue
            if not (_same_thing(a, b) and a.measure == b.measure and a.place == b.place and a.modality == b.modality):
                continue
            ours, theirs = _amounts(a), _amounts(b)
            shared = [unit for unit in ours if theirs.get(unit)]
            if shared and all(abs(ours[unit] / theirs[unit] - 1) > _NEAR + room(a) + room(b) for unit in shared):
                unit = shared[0]
                text = (
                    f"{a.id} ({a.article}) has {ours[unit]:,.6g} {unit}, {b.id} ({b.article}) has "
                    f"{theirs[unit]:,.6g} for {a.about or a.kind}: which holds?"
                )
                asked.append(Question(text, (a.id, b.id)))
    return asked
