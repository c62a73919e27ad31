"""Scores a reading against claims that people wrote down: `claims.jsonl` beside the texts of a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outlay.errors import InputError
from outlay.evidence.reading.records import NUMBERLESS, Lexicon, StoryClaim
from outlay.evidence.reading.shares import stems
from outlay.evidence.reading.words import word_set

FILE = "claims.jsonl"
CLOSE = 1e-3
"""Relative difference within which two numbers are the same figure."""
_COMMENTS = {"denial": "denied", "declined": "declined", "no response": "no response", "not verified": "not verified"}
_SIZES = {"gw": ("mw", 1e3), "kw": ("mw", 1e-3), "bn": ("", 1e9)}
_ALIKE: tuple[frozenset[str], ...] = (
    word_set("chips") - {"units", "cards"},
    frozenset(
        {"companies", "vendors", "firms", "suppliers", "partners", "buyers", "clients", "customers named", "investors"}
    ),
    frozenset({"people", "employees", "staff", "workers"}),
    frozenset({"datacenters", "datacentres", "data centres", "data centers"}),
    frozenset({"date", "year", "month", "quarter"}),
)
"""Units that labels use for one thing."""


_CLASSES = {
    "area": "land area site",
    "length": "distance length",
    "time": "horizon term lease delay period time years",
    "change": "growth change rise fall rate",
    "power": "power capacity phase expansion",
    "date": "opening start year online",
    "list": "buyers partners clients vendors beneficiaries suppliers",
}
"""What a kind of figure is about, in the words of labels."""


@dataclass(frozen=True)
class Label:
    """A claim as a person wrote it down."""

    quantity: float | str | None
    upper: float | None
    unit: str
    about: str
    status: str
    words: str

    @property
    def comment(self) -> bool:
        """Whether it is a denial, a refusal to comment, a silence or a failed check."""
        return self.status in _COMMENTS and self.quantity is None

    @property
    def counts(self) -> bool:
        """Whether it has a quantity, a size in words, or is a comment: what the score is of."""
        text = isinstance(self.quantity, str) and self.unit != "date"
        return (self.quantity is not None and not text) or "words only" in self.unit or self.comment


@dataclass
class Score:
    """What was found of what stands in the stories."""

    hits: int = 0
    labels: int = 0
    claims: int = 0
    right: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    statements: int = 0
    statements_found: int = 0

    @property
    def recall(self) -> float:
        """Share of the labels that a claim matches."""
        return self.hits / self.labels if self.labels else 0.0

    @property
    def precision(self) -> float:
        """Share of the claims that match a label."""
        return self.right / self.claims if self.claims else 0.0


def stories(folder: Path) -> Iterator[tuple[Path, list[Label]]]:
    """Yield each story of a folder with its labels.

    Raises
    ------
    InputError
        If the folder has no ``claims.jsonl``, or a line of it cannot be read; names file and line.
    """
    path = folder / FILE
    if not path.is_file():
        msg = f"{folder} has no {FILE}; expected one line of JSON a story, with `text_file` and `claims`"
        raise InputError(msg)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            text, labels = (
                folder / record["text_file"],
                [_label(row) for row in record["claims"] if row.get("in_text", True)],
            )
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            msg = f"{path}:{number}: expected a JSON object with `text_file` and `claims`; {error!r}"
            raise InputError(msg) from None
        if not text.is_file():
            msg = f"{path}:{number}: no such story: {text}"
            raise InputError(msg)
        yield text, labels


def _label(row: dict[str, Any]) -> Label:
    quantity = row.get("quantity")
    low, high = quantity if isinstance(quantity, list) else (quantity, None)
    low = float(low) if isinstance(low, int | float) else low
    words = f"{row.get('about', '')} {row.get('text_span_paraphrase', '')}"
    return Label(
        low, high, str(row.get("unit", "")), str(row.get("about", "")), _status(str(row.get("status", ""))), words
    )


def _status(text: str) -> str:
    return re.sub(r"\s*\(.*\)", "", text).strip()


def score(claims: list[StoryClaim], labels: list[Label], lexicon: Lexicon, story: str, total: Score) -> None:
    """Add one story to a score: a label is matched by one claim, a claim may stand for each of its currencies."""
    told = [claim for claim in claims if not claim.arithmetic]
    scored = [claim for claim in told if claim.kind == "comment" or claim.kind not in NUMBERLESS]
    wanted = [label for label in labels if label.counts]
    used: set[tuple[str, str]] = set()
    found: set[int] = set()
    for index, label in enumerate(wanted):
        for claim in scored:
            key = _matches(claim, label)
            if key is not None and (claim.id, key) not in used:
                used.add((claim.id, key))
                found.add(index)
                break
    matched = {claim_id for claim_id, _ in used}
    total.labels += len(wanted)
    total.hits += len(found)
    total.claims += len(scored)
    total.right += sum(claim.id in matched for claim in scored)
    total.missed += [f"{story}: {_shown(label)}" for index, label in enumerate(wanted) if index not in found]
    total.wrong += [f"{story}: {claim.id} {_told(claim)}" for claim in scored if claim.id not in matched]
    others = [label for label in labels if not label.counts]
    total.statements += len(others)
    numberless = [claim for claim in told if claim.kind in NUMBERLESS]
    total.statements_found += sum(
        any(len(stems(label.words) & stems(claim.about)) >= 2 and claim.status == label.status for claim in numberless)
        for label in others
    )


def _shown(label: Label) -> str:
    size = label.quantity if label.upper is None else f"{label.quantity} to {label.upper}"
    return f"{size} {label.unit}, {label.about} [{label.status}]"


def _told(claim: StoryClaim) -> str:
    return (
        f"{claim.quantity if claim.quantity is not None else claim.words} {claim.unit}, {claim.about} [{claim.status}]"
    )


def _matches(claim: StoryClaim, label: Label) -> str | None:
    """Return which amount of a claim a label is, where quantity, unit, subject and status agree; ``None`` where not."""
    if label.comment:
        same = claim.kind == "comment" and claim.status == _COMMENTS[label.status]
        return "" if same and (stems(label.words + f" {label.about}") & stems(claim.sentence + claim.about)) else None
    if claim.kind == "comment" or claim.status != label.status or not _same_subject(claim, label):
        return None
    amounts: list[tuple[str, float | str | None, str]] = [("", claim.quantity, claim.unit)]
    amounts += [(other.unit, other.quantity, other.unit) for other in claim.quoted]
    for key, quantity, unit in amounts:
        if _same_unit(unit, claim, label) and _same_size(quantity, unit, claim, label):
            return key
    return None


def _same_subject(claim: StoryClaim, label: Label) -> bool:
    """Return whether label and claim share a content word: of the claim's own clause, subject, measure or objects."""
    if re.search(r"\bsame\b|同一", label.words):
        return True
    own = f"{claim.about} {claim.sentence} {claim.period} {' '.join(claim.objects)} {_CLASSES.get(claim.kind, '')}"
    return bool(stems(label.words) & stems(own)) or any(part in own for part in re.findall(r"[一-鿿]{2,}", label.words))


def _same_unit(unit: str, claim: StoryClaim, label: Label) -> bool:
    wanted = re.sub(r"\s*\(.*\)", "", label.unit).strip()
    a, b = wanted.split("/")[0].casefold(), unit.split("/")[0].casefold()
    if a == b or (a.startswith("share") and b.startswith("share")):
        return True
    if {a, b} <= set(_SIZES) | {"mw"}:
        return True
    last = a.split()[-1] if a else ""
    if last == b or any({last, b} <= alike or {a, b} <= alike for alike in _ALIKE):
        return True
    return claim.kind in {"count", "list"} and bool(b) and b in label.words.casefold()


def _same_size(quantity: float | str | None, unit: str, claim: StoryClaim, label: Label) -> bool:
    if isinstance(quantity, str) or isinstance(label.quantity, str):
        wanted = f"{label.quantity:g}" if isinstance(label.quantity, float) else str(label.quantity)
        return str(quantity).casefold() == wanted.casefold()
    if quantity is None or label.quantity is None:
        words = re.sub(r".*words only:?|\)", "", label.unit).casefold()
        return quantity is None and label.quantity is None and bool(stems(words) & stems(claim.words))
    ours, theirs = (
        quantity * _SIZES.get(unit.casefold(), ("", 1.0))[1],
        label.quantity * _SIZES.get(label.unit.casefold(), ("", 1.0))[1],
    )
    if abs(ours - theirs) > CLOSE * max(abs(ours), abs(theirs)):
        return False
    return label.upper is None or (
        claim.upper is not None and abs(claim.upper - label.upper) <= CLOSE * abs(label.upper)
    )
