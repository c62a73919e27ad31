"""What a rule is: a dated, cited record plus one small pure predicate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from outlay.policy.countries import arms_embargoed
from outlay.policy.decision import Item, Transaction

Status = Literal["final", "guidance", "letter", "announcement", "reported", "proposed", "suspended", "unenforced"]
Confidence = Literal["high", "medium", "low"]
CONTROLLED = ("3A090.a", "3A090.b")


@dataclass(frozen=True)
class Citation:
    """Where a rule can be read."""

    document: str
    section: str
    address: str

    def __str__(self) -> str:
        return f"{self.document}, {self.section}: {self.address}"


@dataclass(frozen=True)
class Case:
    """What a predicate sees: the question, and what the rules before it have found."""

    item: Item
    transaction: Transaction
    flags: frozenset[str]
    control_class: str = "NONE"
    code: str = "NLR"

    @property
    def chinese_made(self) -> bool:
        """Whether the maker is headquartered in D:5 or Macau, so that no American export is asked about."""
        return arms_embargoed(self.item.vendor_country, self.transaction.on)

    @property
    def restricted_buyer(self) -> bool:
        """Whether the buyer or its ultimate parent is headquartered in D:5 or Macau."""
        deal = self.transaction
        return arms_embargoed(deal.buyer_hq, deal.on) or arms_embargoed(deal.parent_hq, deal.on)

    @property
    def restricted(self) -> bool:
        """Whether the destination or the headquarters test reaches D:5 or Macau."""
        return arms_embargoed(self.transaction.destination, self.transaction.on) or self.restricted_buyer

    @property
    def exported(self) -> bool:
        """Whether it is an export at all: a foreign destination, of a part whose maker is not under embargo itself."""
        return self.transaction.destination != "US" and not self.chinese_made

    def named(self, *patterns: str) -> bool:
        """Return whether the item's name holds one of these as whole words, ignoring case."""
        return any(re.search(rf"(?<!\w)(?:{pattern})(?!\w)", self.item.name, re.IGNORECASE) for pattern in patterns)

    def after(self, finding: Finding) -> Case:
        """Return the case as the next rule sees it."""
        return replace(self, code=finding.code or self.code, control_class=finding.control_class or self.control_class)


@dataclass(frozen=True)
class Finding:
    """What a rule says of a case.

    Attributes
    ----------
    outcome
        In words.
    code, control_class
        What they are from here on; ``None`` leaves them.
    verdict
        ``denied`` or ``conditional`` where the rule bears on the verdict whatever the code; ``None`` leaves it to
        the code.
    """

    outcome: str
    code: str | None = None
    control_class: str | None = None
    verdict: Literal["denied", "conditional"] | None = None
    arithmetic: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Predicate = Callable[[Case], Finding | None]


@dataclass(frozen=True)
class Rule:
    """A dated rule.

    Attributes
    ----------
    announced
        The day it became public: the first day on which anybody can plan with it.
    effective_from, effective_to
        First and last day it binds; an open end is ``None``.
    end_announced
        The day its end became public; before it, nobody knows that it ends.
    switch
        The flag that switches it on where it is off by default.
    switch_off
        The flag that switches it off where it is on by default.
    predicate
        ``None`` for a rule that is no answer about one item (a share, a subsidy, a duty of somebody else), kept so
        that others can cite it.
    """

    id: str
    title: str
    issuer: str
    announced: date
    effective_from: date
    status: Status
    confidence: Confidence
    scope: str
    citations: tuple[Citation, ...]
    predicate: Predicate | None = None
    effective_to: date | None = None
    end_announced: date | None = None
    switch: str = ""
    switch_off: str = ""

    def in_force(self, on: date, known_on: date | None, flags: frozenset[str]) -> bool:
        """Return whether it binds on a day, by what was public on ``known_on``."""
        if self.switch and self.switch not in flags:
            return False
        if self.switch_off and self.switch_off in flags:
            return False
        if known_on is not None and self.announced > known_on:
            return False
        ended = self.effective_to is not None and on > self.effective_to
        end_known = known_on is None or self.end_announced is None or self.end_announced <= known_on
        return self.effective_from <= on and not (ended and end_known)
