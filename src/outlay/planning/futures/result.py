"""What a plan over futures is: orders and when they are placed, and what comes of them in each future."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from outlay.planning.result import Audit

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class HedgedOrder:
    """Whole units ordered in one quarter, in the futures that have taken one course up to then.

    Attributes
    ----------
    now
        Whether it is placed in the first quarter, whatever comes.
    known
        What has happened by then, in words; empty where nothing has.
    probability
        Of the futures in which it is placed.
    """

    mode: str
    system: str
    chip: str
    site: str
    quarter: str
    units: int
    chips: int
    cost: float
    currency: str
    budget: str
    now: bool
    known: list[str]
    probability: float
    rules: list[str]
    contract: str = ""
    """How the machines are had, such as ``3 years``; empty for a plain purchase or lease."""


@dataclass(frozen=True)
class HedgedAnswer:
    """What is done in answer to what happens: reserve, call, cancel, resell or move whole units.

    Attributes
    ----------
    of
        Quarter of the order or reservation it is about; empty for moves.
    to
        Site that machines go to; empty for all but moves.
    amount
        Paid (negative: got back) in the quarter, in ``currency``, before discounting.
    """

    kind: str
    mode: str
    system: str
    chip: str
    site: str
    quarter: str
    of: str
    to: str
    units: int
    chips: int
    amount: float
    currency: str
    known: list[str]
    probability: float


@dataclass(frozen=True)
class HedgedDraw:
    """Money drawn from a loan in a quarter, in the futures that have taken one course up to then."""

    loan: str
    quarter: str
    amount: float
    currency: str
    known: list[str]
    probability: float


@dataclass(frozen=True)
class FutureResult:
    """One future under the plan: its value in the plan's currency, what is served, what the plan lacks in it."""

    name: str
    probability: float
    happenings: list[str]
    value: float
    served: float
    """Part of all demand that is served."""
    undelivered: float
    """Part of the money ordered for that is not delivered."""
    lacks: list[str]
    served_by_quarter: dict[str, float] = field(default_factory=dict)
    """Part of the demand that is served, by quarter with any."""


@dataclass(frozen=True)
class Choice:
    """How much of a system near-optimal plans buy: must-buy, choice or never."""

    system: str
    planned: int
    least: float
    most: float
    kind: str


@dataclass(frozen=True)
class SimplePlan:
    """A plan by a simple rule, against ours: expected value, worst future, regret."""

    name: str
    words: str
    expected: float
    worst: float
    mean_regret: float
    worst_regret: float


@dataclass(frozen=True)
class Trade:
    """A point of the front of expected value against the worst tenth: the weight that gives it, and both."""

    weight: float
    expected: float
    cvar: float


@dataclass(frozen=True)
class Knowing:
    """What knowing an event earlier is worth, in the plan's currency."""

    event: str
    at_once: float
    a_quarter_earlier: float
    words: str


@dataclass(frozen=True)
class HedgedPlan:
    """A plan over many futures. Money is in ``currency``."""

    scenario: str
    title: str
    currency: str
    knowledge_date: str
    quarters: list[str]
    method: str
    why: str
    risk_weight: float
    risk_level: float
    goal: str
    """``value``, or ``regret`` where the objective is what is given up against perfect foresight."""
    objective: float
    bound: float
    gap: float
    expected: float
    cvar: float
    worst: float
    courses: int
    courses_before: int
    reduction_error: float
    orders: list[HedgedOrder]
    training: list[dict[str, Any]]
    futures: list[FutureResult]
    audit: Audit
    rounds: int
    cuts: int
    retries: int
    reused: int
    cpu_s: float
    solver: str
    version: str
    seed: int
    choices: list[Choice] = field(default_factory=list)
    simple: list[SimplePlan] = field(default_factory=list)
    knowing: list[Knowing] = field(default_factory=list)
    front: list[Trade] = field(default_factory=list)
    stochastic_value: float | None = None
    """Expected value over that of the plan for the mean future, held to."""
    perfect_value: float | None = None
    """What knowing everything from the start is worth."""
    answers: list[HedgedAnswer] = field(default_factory=list)
    draws: list[HedgedDraw] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION
