"""What a reader hands back: claims with their witnesses, what it left out, what it could not settle."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Literal

Kind = Literal[
    "money",
    "power",
    "energy",
    "share",
    "change",
    "ratio",
    "time",
    "area",
    "length",
    "data",
    "count",
    "list",
    "date",
    "comment",
    "decision",
    "talks",
]
Bound = Literal["exactly", "about", "more than", "at least", "up to", "less than", "range"]
ClaimStatus = Literal[
    "reported",
    "company statement",
    "official",
    "analyst estimate",
    "market data",
    "denied",
    "declined",
    "no response",
    "not verified",
    "under consideration",
]
NUMBERLESS: frozenset[str] = frozenset({"comment", "decision", "talks"})
"""Kinds that say something without a quantity."""


@dataclass(frozen=True)
class Lexicon:
    """Names the caller knows, since this room knows none: each way to write one, and what it stands for.

    Attributes
    ----------
    companies, products, places
        By each way to write them (``"Nvidia"``, ``"英伟达"``), the name they stand for.
    homes
        Country code of a company's headquarters, or of a place, by the name it stands for.
    vendors
        Names of the companies that sell what the products are.
    rate
        Units of a currency per US dollar in the month of a day; ``None`` where no source gives one.
    """

    companies: Mapping[str, str] = field(default_factory=dict)
    products: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    homes: Mapping[str, str] = field(default_factory=dict)
    vendors: frozenset[str] = frozenset()
    rate: Callable[[str, date], float | None] = lambda currency, day: None


@dataclass(frozen=True)
class Ignored:
    """A piece of the page that is not the story, and why."""

    text: str
    reason: str


@dataclass(frozen=True)
class Article:
    """A story as it is read: its body, and what stands around it.

    Attributes
    ----------
    body
        The text that spans of claims point into; paragraphs are parted by line ends.
    """

    name: str
    body: str
    title: str = ""
    address: str = ""
    date: date | None = None
    outlet: str = ""
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True)
class Attribution:
    """Who says it, through whom, as the story writes it."""

    kind: Literal["anonymous", "outlet", "company", "official", "analyst", "none"] = "none"
    who: str = ""
    through: str = ""

    def __str__(self) -> str:
        return " through ".join(part for part in (self.who, self.through) if part) or "the story itself"


@dataclass(frozen=True)
class Quoted:
    """The same amount in another currency or unit, as the story gives it."""

    quantity: float
    unit: str
    implied_rate: float
    """Units of the first amount per unit of this one."""
    month_rate: float | None = None
    """The same from the rates of the month, where they are known."""


@dataclass(frozen=True)
class StoryClaim:
    """One thing a story claims.

    Attributes
    ----------
    quantity
        In ``unit``; the lower end where ``upper`` is given; a text for a date (``"2027H2"``); ``None`` where the story
        has only ``words`` for it.
    share_of
        Claim, or words where no claim is meant, that a share or a change is of.
    derived_from
        Parents of what is only arithmetic.
    span
        Characters of the article's body.
    told_by
        Articles that tell it, where several were read.
    """

    id: str
    kind: Kind
    quantity: float | str | None
    unit: str
    bound: Bound = "exactly"
    upper: float | None = None
    words: str = ""
    about: str = ""
    subject: str = ""
    measure: str = ""
    objects: tuple[str, ...] = ()
    place: str = ""
    period: str = ""
    modality: Literal["stated", "plan", "encouraged"] = "stated"
    share_of: str = ""
    attribution: Attribution = Attribution()
    status: ClaimStatus = "reported"
    denied_by: str = ""
    quoted: tuple[Quoted, ...] = ()
    derived_from: tuple[str, ...] = ()
    sentence: str = ""
    span: tuple[int, int] = (0, 0)
    sentence_number: int = 0
    sentence_start: int = 0
    article: str = ""
    told_by: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def arithmetic(self) -> bool:
        """Whether nobody said it: it follows from other claims."""
        return re.fullmatch(r"(?:\d+\.)?d\d+", self.id) is not None

    def as_dict(self) -> dict[str, Any]:
        """Return the claim for JSON: plain lists and dictionaries."""
        record = asdict(self)
        record["attribution"] = {**record["attribution"], "text": str(self.attribution)}
        record["span"] = list(self.span)
        return record


@dataclass(frozen=True)
class Check:
    """A sum done over the claims."""

    what: str
    ok: bool
    detail: str
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """Something the story leaves open, and which claims it bears on."""

    text: str
    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """All that was read in one story, or in several."""

    articles: tuple[Article, ...]
    claims: tuple[StoryClaim, ...]
    checks: tuple[Check, ...] = ()
    questions: tuple[Question, ...] = ()

    def claim(self, name: str) -> StoryClaim:
        """Return a claim by its name."""
        return next(claim for claim in self.claims if claim.id == name)
