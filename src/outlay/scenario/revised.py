"""A reading as a person has gone over it: claims rejected, claims given another amount, and the draft that follows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from outlay.errors import InputError
from outlay.evidence.reading.records import NUMBERLESS, Reading, StoryClaim
from outlay.units import Money, quantity

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.evidence.reading.records import Lexicon
    from outlay.scenario.draft import Draft

UNITS = {"power": "W", "energy": "kWh", "share": "", "change": "", "ratio": "", "time": "s"}
"""What an amount is read in, by the kind of claim; any other is a number of the claim's own unit."""


@dataclass(frozen=True)
class Verdict:
    """What a person says of a claim; ``amount`` is what they put in place of the story's, as typed."""

    what: Literal["accepted", "rejected", "edited"]
    amount: str = ""


def edited(claim: StoryClaim, amount: str) -> StoryClaim:
    """Return a claim with another amount, typed as people write it: ``30 billion CNY``, ``45%``, ``80 MW``.

    Raises
    ------
    InputError
        If it is no amount of the claim's kind; says what was expected.
    """
    if claim.kind in NUMBERLESS or claim.kind in {"date", "list"}:
        msg = f"{claim.id} has no amount to change; accept or reject it"
        raise InputError(msg)
    if claim.kind == "money":
        money = Money.parse(amount)
        return replace(claim, quantity=float(money.amount), unit=money.currency, bound="exactly", upper=None, quoted=())
    unit = UNITS.get(claim.kind)
    words = amount.strip()
    if unit is None:
        words = words.removesuffix(claim.unit).strip()
    value = quantity(words, unit or "")
    if claim.kind == "power" and claim.unit != "W":
        value /= quantity(f"1 {claim.unit}", "W")
    elif claim.kind == "energy" and claim.unit != "kWh":
        value /= quantity(f"1 {claim.unit}", "kWh")
    elif claim.kind == "time" and claim.unit != "s":
        value /= quantity(f"1 {claim.unit}", "s")
    return replace(claim, quantity=value, bound="exactly", upper=None)


def revised(reading: Reading, verdicts: Mapping[str, Verdict]) -> Reading:
    """Return the reading without the rejected claims and what is only derived from them, amounts edited.

    Raises
    ------
    InputError
        If an amount does not fit its claim.
    """
    rejected = {name for name, verdict in verdicts.items() if verdict.what == "rejected"}
    changed = rejected | {name for name, verdict in verdicts.items() if verdict.what == "edited"}
    kept: list[StoryClaim] = []
    for claim in reading.claims:
        verdict = verdicts.get(claim.id)
        if claim.id in rejected or changed & set(claim.derived_from):
            continue
        kept.append(edited(claim, verdict.amount) if verdict and verdict.what == "edited" else claim)
    return replace(reading, claims=tuple(kept))


def redrafted(reading: Reading, verdicts: Mapping[str, Verdict], lexicon: Lexicon, catalog: Catalog) -> Draft:
    """Return the draft scenario of a reading as a person has gone over it; edited figures say they were set by hand.

    Raises
    ------
    InputError
        If nothing is left to plan with, or an amount does not fit.
    """
    from outlay.scenario.draft import draft

    by_hand = frozenset(name for name, verdict in verdicts.items() if verdict.what == "edited")
    return draft(revised(reading, verdicts), lexicon, catalog, by_hand=by_hand)


def marked(body: str, claims: list[StoryClaim]) -> list[tuple[str, tuple[str, ...]]]:
    """Return a text in pieces, each with the names of the claims it belongs to; joined, they are the text.

    Examples
    --------
    >>> marked("It pays.", [])
    [('It pays.', ())]
    """
    told = [claim for claim in claims if not claim.arithmetic and claim.span[1] > claim.span[0]]
    edges = sorted({0, len(body), *(min(edge, len(body)) for claim in told for edge in claim.span)})
    pieces = []
    for start, end in itertools.pairwise(edges):
        names = tuple(claim.id for claim in told if claim.span[0] <= start and end <= claim.span[1])
        pieces.append((body[start:end], names))
    return pieces
