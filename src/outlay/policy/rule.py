"""What a rule is: a dated, cited record plus one small pure predicate over columns of questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal, get_args

from outlay.policy.codes import Verdict
from outlay.policy.decision import Clock, Item, PriceFactor, Transaction

if TYPE_CHECKING:
    from outlay.policy.columns import Case, Mask

Status = Literal["final", "guidance", "letter", "announcement", "reported", "proposed", "suspended", "unenforced"]
Confidence = Literal["high", "medium", "low"]
Stage = Literal[
    "class", "letter", "scope", "exception", "review", "maker", "party", "proposal", "duty", "china", "foundry", "lease"
]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order of evaluation; a foundry and a lease are questions of their own."""


@dataclass(frozen=True)
class Citation:
    """Where a rule can be read."""

    document: str
    section: str
    address: str

    def __str__(self) -> str:
        return f"{self.document}, {self.section}: {self.address}"


@dataclass(frozen=True)
class Line:
    """A number of a rule that a figure of an item is held against.

    Attributes
    ----------
    figure
        A figure of :data:`outlay.policy.metrics.FIGURES`, such as ``tpp``.
    strict
        Whether the figure must be above the number to reach it; else the number itself reaches.
    """

    figure: str
    at: float
    strict: bool = False

    def reached(self, case: Case) -> Mask:
        """Return where the figure reaches the number; a missing figure does not."""
        value = case.figure(self.figure)
        return value > self.at if self.strict else value >= self.at


@dataclass(frozen=True)
class Branch:
    """One way a rule speaks: where, and what it then says. The first branch that holds is the rule's.

    Attributes
    ----------
    outcome
        In words; ``{destination}``, ``{buyer}``, ``{parent}``, ``{exporter}`` and ``{name}`` are filled in.
    code, control_class
        What they are from here on; ``None`` leaves them.
    verdict
        The least strict verdict left, whatever the code; ``None`` leaves it to the code.
    lines
        The numbers behind it, printed as arithmetic.
    missing
        Figures to supply.
    says
        The rule's own code where it differs from ``code``.
    working
        Further arithmetic that is more than a figure against a line.
    """

    when: Mask
    outcome: str
    code: str | None = None
    control_class: str | None = None
    verdict: Verdict | None = None
    lines: tuple[Line, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    factor: PriceFactor | None = None
    says: str = ""
    working: Callable[[Item, Transaction], str] | None = None


Predicate = Callable[["Case"], Iterable[Branch]]


@dataclass(frozen=True)
class Rule:
    """A dated rule.

    Attributes
    ----------
    stage
        Its place in the order of evaluation.
    announced
        The day it became public: the first day on which anybody can plan with it.
    effective_from, effective_to
        First and last day it binds; an open end is ``None``.
    end_announced
        The day its end became public; before it, nobody knows that it ends.
    predicate
        ``None`` for a rule that is no answer about one item (a share, a duty of somebody else), kept so that others
        can cite it; ``note`` then says why.
    switch
        The flag that switches it on where it is off by default.
    switch_off
        The flag that switches it off where it is on by default.
    clock
        ``law``, or ``practice`` as it is reported.
    lines
        The numbers it tests, for margins and for its page.
    steps
        Days on which it changes within its time: compliance dates, places added.
    note
        What is disputed, simplified or not verified.
    """

    id: str
    title: str
    issuer: str
    stage: Stage
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
    clock: Clock = "law"
    lines: tuple[Line, ...] = ()
    steps: tuple[date, ...] = ()
    note: str = ""

    def in_force(self, case: Case) -> Mask:
        """Return where it binds: by day, by what was public on the day of knowledge, and by its switches."""
        force = (case.on >= self.effective_from.toordinal()) & (case.known_on >= self.announced.toordinal())
        if self.effective_to is not None:
            ended = case.on > self.effective_to.toordinal()
            if self.end_announced is not None:
                ended = ended & (case.known_on >= self.end_announced.toordinal())
            force = force & ~ended
        if self.switch:
            force = force & case.flag(self.switch)
        if self.switch_off:
            force = force & ~case.flag(self.switch_off)
        return force
