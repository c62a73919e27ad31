"""What a plan is: plain records in the scenario's units, ready to be printed, drawn, audited and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from outlay.finance.cashflow import Accounts

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Purchase:
    """Whole systems bought or leased in one quarter for one site."""

    mode: Literal["buy", "lease"]
    system: str
    chip: str
    vendor: str
    vendor_country: str
    site: str
    country: str
    quarter: str
    """Quarter of the order."""
    in_use: str
    """First quarter the machines work in."""
    until: str | None
    """Last quarter of a lease; ``None`` for machines bought."""
    units: int
    chips: int
    cost: float
    """In ``currency``: the price of machines bought; for leases the rent of the quarters within the horizon."""
    currency: str
    budget: str
    decision: str
    """Outcome code of the rules for this purchase."""
    rules: list[str]
    """Identifiers of the rules that fired."""
    contract: str = ""
    """How the machines are had, such as ``3 years``; empty for a plain purchase or lease."""
    booked: Literal["capital", "operating"] = "capital"
    """What the cost is booked as."""


@dataclass(frozen=True)
class BudgetUse:
    """A budget and what was spent of it, in its own currency."""

    name: str
    limit: float
    spent: float
    currency: str
    by_quarter: dict[str, float]
    by_kind: dict[str, float]
    """Spent on: buy, lease, hosting, energy, upkeep, debt service."""
    drawn: float = 0.0
    """What loans added to it."""


@dataclass(frozen=True)
class SourcingUse:
    """A sourcing share: what was asked and what the plan reaches."""

    name: str
    base: str
    kind: Literal["floor", "exact"]
    required: float
    achieved: float | None
    """``None`` where nothing was bought that the share speaks of."""
    tolerance: float
    """What one whole system can move the share by; an exact share is met within it."""


@dataclass(frozen=True)
class Stage:
    """A stretch of a workload on one system at one site: what the Gantt chart shows."""

    site: str
    system: str
    chips: int
    first: str
    last: str
    mode: Literal["buy", "lease"] = "buy"


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """A training run: whether, where and when it runs, and the prediction behind it, which one not run lacks."""

    name: str
    model: str
    runs: bool
    why_not: str
    stages: list[Stage] = field(default_factory=list)
    days: float | None = None
    days_low: float | None = None
    days_high: float | None = None
    finished: str | None = None
    """Quarter in which it ends."""
    mfu: float | None = None
    strategy: str = ""
    basis: str = ""
    """What the prediction rests on: measured kernels, or a class prior, and how wide its band is."""
    value: float


@dataclass(frozen=True)
class ServiceResult:
    """A service: demand and what is served of it, by quarter, in tokens per second."""

    name: str
    model: str
    demand: dict[str, float]
    served: dict[str, float]
    by_system: dict[str, dict[str, float]]
    """Served by ``"system @ site"`` (`` (lease)`` added for machines leased) and quarter, tokens per second."""
    rates: dict[str, dict[str, float | str]]
    """By system: tokens_per_s_per_chip, ttft_s, tpot_s, batch, chips_per_replica, strategy, basis."""
    revenue: float


@dataclass(frozen=True)
class SiteUse:
    """Power of a site by quarter, in watts at the meter."""

    name: str
    country: str
    power: dict[str, float]
    limit: dict[str, float]
    chips: dict[str, int]
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Limit:
    """A limit that binds: what one unit more of it is worth, as a number and in words."""

    name: str
    family: str
    """budget, supply, power, sourcing, demand, deadline, legality ..."""
    dual: float
    """Objective units per unit of the limit."""
    unit: str
    words: str
    less: float | None = None
    """How far it may go down at this price, in ``unit``; ``None`` for ever."""
    more: float | None = None
    """How far it may go up at this price, in ``unit``; ``None`` for ever."""
    source: str = ""
    """What sets the limit: the block of the scenario, who says so, and where."""


@dataclass(frozen=True)
class AuditCheck:
    """One limit re-checked without the solver."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Audit:
    """The plan re-checked against every limit by code of its own."""

    ok: bool
    checks: list[AuditCheck]


@dataclass(frozen=True)
class EvidenceItem:
    """A figure the plan rests on: what, how much, from where, how sure."""

    what: str
    value: str
    status: str
    source: str
    address: str
    note: str = ""
    denied_by: str = ""
    date: str = ""
    """When it was said."""
    claim: str = ""
    """Name of the claim it was read from."""
    quote: str = ""
    """The sentence that claims it."""


@dataclass(frozen=True)
class Blocked:
    """A way the rules closed: a system, a mode and a country, the quarters, the code and why."""

    system: str
    chip: str
    mode: str
    country: str
    quarters: str
    code: str
    rules: list[str]
    words: str


@dataclass(frozen=True)
class Plan:
    """A finished plan. Money is in ``currency`` unless a record names another."""

    scenario: str
    title: str
    currency: str
    knowledge_date: str
    quarters: list[str]
    status: Literal["optimal", "feasible"]
    objective: float
    objective_name: str
    bound: float
    gap: float
    build_s: float
    solve_s: float
    solver: str
    fx: dict[str, float]
    """Units of each currency per US dollar, as used."""
    purchases: list[Purchase]
    budgets: list[BudgetUse]
    sourcing: list[SourcingUse]
    training: list[TrainingResult]
    services: list[ServiceResult]
    sites: list[SiteUse]
    limits: list[Limit]
    blocked: list[Blocked]
    money: dict[str, float]
    """Objective by part: revenue, training value, purchases, leases, running costs, penalties, salvage, debt."""
    flows: list[tuple[str, str, str, str, str, float]]
    """Money: (budget, vendor, system, site, workload, amount in ``currency``)."""
    evidence: list[EvidenceItem]
    notes: list[str]
    """What a reader must know: disputes, missing figures, assumptions, how a rule was got round."""
    deadlines: list[dict[str, str]]
    audit: Audit
    input_hash: str
    version: str
    schema_version: int = SCHEMA_VERSION
    accounts: Accounts | None = None
    """Cash by quarter and currency, and what follows from it."""
    extra: dict[str, Any] = field(default_factory=dict)
