"""The planning problem in numbers: options, limits and work by index, with no catalogue, rule or model behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from outlay.units import Quarter


@dataclass(frozen=True)
class Option:
    """One way to have machines: a system, bought or leased, at a site.

    Attributes
    ----------
    price
        Per unit in ``currency``: to buy, or to rent for one quarter.
    compute
        Dense bf16 peak of one unit, FLOP/s.
    legal, codes, rules
        By quarter of the order: whether the rules as known leave it open, the outcome code and the rules that fired.
    """

    mode: Literal["buy", "lease"]
    system: str
    chip: str
    vendor: str
    vendor_country: str
    site: int
    chips: int
    watts: float
    compute: float
    price: float
    currency: str
    lead: int
    term: int | None
    running: float
    """Energy and hosting of one unit for one quarter, in the plan's currency; zero where the rent covers both."""
    energy_share: float
    """Part of ``running`` that is energy."""
    legal: tuple[bool, ...]
    codes: tuple[str, ...]
    rules: tuple[tuple[str, ...], ...]

    def in_use(self, order: int, quarters: int) -> range:
        """Return the quarters an order placed in quarter ``order`` works in, within the horizon."""
        first = order + self.lead
        last = quarters if self.term is None else min(quarters, first + self.term)
        return range(first, max(first, last))

    def order_cost(self, order: int, quarters: int) -> float:
        """Return what an order of one unit costs in ``currency``: its price, or its rent within the horizon."""
        return self.price * (1 if self.mode == "buy" else len(self.in_use(order, quarters)))


@dataclass(frozen=True)
class Site:
    """A site with its power at the meter, watts by quarter."""

    name: str
    country: str
    pue: float
    power: tuple[float, ...]


@dataclass(frozen=True)
class Budget:
    """Money for orders, hosting or energy.

    ``orders`` holds (option, quarter) pairs it may pay for; ``running`` holds (site, quarter, kind) it pays for.
    """

    name: str
    limit: float
    currency: str
    at_least: float
    orders: frozenset[tuple[int, int]]
    running: frozenset[tuple[int, int, str]] = frozenset()


@dataclass(frozen=True)
class Supply:
    """Chips that can arrive in each quarter, over some options."""

    name: str
    options: frozenset[int]
    chips: tuple[float, ...]


@dataclass(frozen=True)
class Sourcing:
    """A share of a base that must come from the options counted."""

    name: str
    kind: Literal["floor", "exact"]
    base: str
    share: float
    counted: frozenset[int]
    """Options that count towards the share."""
    over: frozenset[tuple[int, int]]
    """(option, budget) pairs in the base."""
    weight: tuple[float, ...]
    """Of one unit of each option in the base: money, chips or compute."""


@dataclass(frozen=True)
class Service:
    """Tokens to serve, sized for the peak.

    ``rates`` gives peak tokens/s of one unit by option; an option that is not there cannot serve it.
    """

    name: str
    demand: tuple[float, ...]
    """Average tokens/s by quarter."""
    peak_factor: float
    price: float
    """Per token, in the plan's currency."""
    penalty: float | None
    """Per token not served; ``None`` where every token must be served if cost is minimised, and costs nothing else."""
    rates: Mapping[int, float]


@dataclass(frozen=True)
class Block:
    """One way to do a training run: an option, a first quarter, whole quarters, units."""

    run: int
    option: int
    start: int
    quarters: int
    units: int


@dataclass(frozen=True)
class Run:
    """A training run."""

    name: str
    value: float
    must: bool


@dataclass(frozen=True)
class Instance:
    """Everything the optimiser needs.

    Attributes
    ----------
    rate
        Plan currency per unit of each currency.
    discount
        Per year.
    salvage_per_year
        Share of its price a bought machine keeps after each year.
    """

    quarters: tuple[Quarter, ...]
    currency: str
    rate: Mapping[str, float]
    discount: float
    salvage_per_year: float
    reserve_value: float
    objective: str
    options: tuple[Option, ...]
    sites: tuple[Site, ...]
    budgets: tuple[Budget, ...]
    supply: tuple[Supply, ...]
    sourcing: tuple[Sourcing, ...]
    services: tuple[Service, ...]
    runs: tuple[Run, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = field(default=())

    def discount_factor(self, quarter: int) -> float:
        """Return the present value of one unit of money at the middle of a quarter, counted from the first day."""
        return float((1 + self.discount) ** (-(quarter + 0.5) / 4))

    def salvage(self, option: Option, order: int) -> float:
        """Return what a bought unit is worth at the end of the horizon, discounted, in the plan's currency."""
        if option.mode == "lease":
            return 0.0
        years = (len(self.quarters) - order - option.lead) / 4
        worth = option.price * self.rate[option.currency] * self.salvage_per_year**years
        return float(worth * (1 + self.discount) ** (-len(self.quarters) / 4))

    def weight_in_base(self, rule: Sourcing, option: int, order: int) -> float:
        """Return what one unit ordered weighs in the base of a sourcing share: its cost, its chips or its compute."""
        repeat = 1
        if rule.base.endswith("value") and self.options[option].mode == "lease":
            repeat = len(self.options[option].in_use(order, len(self.quarters)))
        return rule.weight[option] * repeat

    def seconds(self, quarter: int) -> float:
        """Return the seconds of a quarter."""
        return self.quarters[quarter].days * 86400.0
