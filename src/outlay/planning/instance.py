"""The planning problem in numbers: options, limits and work by index, with no catalogue, rule or model behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.finance.debt import Loan


MONEY = 1e6
"""Money enters in millions, unmet demand in millions of tokens a second, power in MW: coefficients near one."""


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
    contract: str = ""
    """How it is had, such as ``3 years``; empty for the plain purchase or lease of a scenario without contracts."""
    booking: Literal["capital", "operating"] | None = None
    """What it is booked as; ``None`` for capital where bought, operating where leased."""
    payments: tuple[float, ...] = ()
    """Of one unit in ``currency``, by quarter from the order on; where empty, the price at the order."""
    owed: bool = False
    """Whether payments after the horizon are owed all the same."""
    refund: float = 0.0
    """Per quarter paid ahead that falls after the horizon."""
    upkeep: float = 0.0
    """Maintenance, staff and insurance of one unit for one quarter, in the plan's currency."""
    resale: float | None = None
    """What resale goes by, in ``currency``; ``price`` where ``None``."""
    building: float = 0.0
    """Building and power plant of one unit, paid with the order, in ``currency``; it loses worth in equal steps."""
    building_years: float = 1.0
    price_factors: tuple[float, ...] = ()
    """By quarter of the order: what payments and resale are multiplied by; nothing where empty."""
    pool: int | None = None
    """The option whose machines these join, had under another contract; itself where ``None``."""

    def in_use(self, order: int, quarters: int) -> range:
        """Return the quarters an order placed in quarter ``order`` works in, within the horizon."""
        first = order + self.lead
        last = quarters if self.term is None else min(quarters, first + self.term)
        return range(first, max(first, last))

    def order_cost(self, order: int, quarters: int) -> float:
        """Return what an order of one unit costs in ``currency`` within the horizon: its price, or its payments."""
        if self.payments:
            return float(sum(self.payments[: quarters - order]) * self.factor(order) + self.building)
        times = 1 if self.mode == "buy" else len(self.in_use(order, quarters))
        return self.price * self.factor(order) * times + self.building

    def paid(self, order: int, quarters: int) -> list[float]:
        """Return what an order of one unit pays in each quarter of the horizon, in ``currency``."""
        made = [0.0] * quarters
        if self.payments:
            made[order : order + len(self.payments)] = self.payments[: quarters - order]
        elif self.mode == "buy":
            made[order] = self.price
        else:
            for quarter in self.in_use(order, quarters):
                made[quarter] = self.price
        made = [amount * self.factor(order) for amount in made]
        made[order] += self.building
        return made

    def factor(self, order: int) -> float:
        """Return what prices of an order in a quarter are multiplied by."""
        return self.price_factors[order] if self.price_factors else 1.0

    @property
    def booked(self) -> Literal["capital", "operating"]:
        """What it is booked as."""
        return self.booking or ("capital" if self.mode == "buy" else "operating")

    @property
    def running_by_kind(self) -> tuple[tuple[str, float], ...]:
        """Cost of one unit for one quarter by kind, in the plan's currency."""
        energy = self.running * self.energy_share
        return ("energy", energy), ("hosting", self.running - energy), ("upkeep", self.upkeep)


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
class Credit:
    """A loan that adds to a budget.

    Attributes
    ----------
    budget
        What it adds to.
    share
        Of what that budget pays for orders in a quarter, the most it may lend then.
    service_from
        The budget that pays interest, repayments and fees; ``None`` where income does.
    """

    loan: Loan
    budget: int
    share: float
    service_from: int | None = None


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
    credits: tuple[Credit, ...] = ()

    def discount_factor(self, quarter: int) -> float:
        """Return the present value of one unit of money at the middle of a quarter, counted from the first day."""
        return float((1 + self.discount) ** (-(quarter + 0.5) / 4))

    def salvage(self, option: Option, order: int) -> float:
        """Return what a bought unit is worth at the end of the horizon, discounted, in the plan's currency."""
        if option.mode == "lease":
            return 0.0
        return sum(self.kept(option, order)) * self.rate[option.currency] * self.end_factor

    def kept(self, option: Option, order: int) -> tuple[float, float]:
        """Return what a bought unit and its part of the building are worth at the end, in the currency of its price."""
        years = (len(self.quarters) - order - option.lead) / 4
        base = option.price if option.resale is None else option.resale
        machine = base * option.factor(order) * self.salvage_per_year**years
        return float(machine), float(option.building * max(0.0, 1 - years / option.building_years))

    @property
    def end_factor(self) -> float:
        """Present value of one unit of money at the end of the horizon."""
        return float((1 + self.discount) ** (-len(self.quarters) / 4))

    def spent(self, option: Option, order: int) -> float:
        """Return what an order of one unit costs, discounted, in the plan's currency, what is owed later included.

        A plain purchase or lease counts when it is ordered; a contract counts payment by payment.
        """
        length = len(self.quarters)
        if not option.payments:
            return option.order_cost(order, length) * self.rate[option.currency] * self.discount_factor(order)
        paid = sum(amount * self.discount_factor(t) for t, amount in enumerate(option.paid(order, length)) if amount)
        return float((paid + self.left_over(option, order) * self.end_factor) * self.rate[option.currency])

    def left_over(self, option: Option, order: int) -> float:
        """Return what an order of one unit still owes when the horizon ends, less what comes back, in its currency.

        Payments that come later count at what they are worth then.
        """
        length = len(self.quarters)
        late = option.payments[length - order :] if option.owed else ()
        worth = sum(amount * (1 + self.discount) ** (-(t + 0.5) / 4) for t, amount in enumerate(late))
        unused = 0 if option.term is None else max(0, order + option.lead + option.term - length)
        return float(worth * option.factor(order) - option.refund * unused)

    def weight_in_base(self, rule: Sourcing, option: int, order: int) -> float:
        """Return what one unit ordered weighs in the base of a sourcing share: its cost, its chips or its compute."""
        repeat = 1
        had = self.options[option]
        if rule.base.endswith("value") and (had.payments or had.building or had.price_factors):
            return had.order_cost(order, len(self.quarters)) * self.rate[had.currency]
        if rule.base.endswith("value") and self.options[option].mode == "lease":
            repeat = len(self.options[option].in_use(order, len(self.quarters)))
        return rule.weight[option] * repeat

    def seconds(self, quarter: int) -> float:
        """Return the seconds of a quarter."""
        return self.quarters[quarter].days * 86400.0
