"""The cash of a finished plan by quarter and currency, and its accounts: value, return, exposure, loans, unit costs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from outlay.errors import MissingFigureError
from outlay.finance import currency as fx
from outlay.finance.cashflow import (
    Accounts,
    Booking,
    Line,
    LoanUse,
    Reading,
    UnitCost,
    account,
    at_rate,
    discounted,
    scaled,
    tornado,
)
from outlay.finance.debt import Loan, capacity
from outlay.finance.ownership import straight_line
from outlay.finance.unit_costs import H100_BF16
from outlay.planning.contracts import IN_WORDS, terms_of
from outlay.planning.credit import paid_by_quarter
from outlay.planning.extract import place_name, stock
from outlay.planning.work import run_days
from outlay.units import human

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.planning.build import Problem
    from outlay.planning.instance import Instance, Option
    from outlay.planning.solve import Outcome
    from outlay.scenario.schema import Scenario

PRICE_SWING, ENERGY_SWING, TOKEN_SWING, WORTH_SWING, RATE_SWING, RESALE_SWING = 0.2, 0.3, 0.2, 0.5, 0.02, 0.5
"""Shares by which inputs are read low and high where no source gives a range; ``RATE_SWING`` in points a year."""

Key = tuple[str, str, Booking, str]


def accounts(problem: Problem, outcome: Outcome) -> Accounts:
    """Return a plan's accounts, at the exchange rates of each quarter."""
    scenario, instance = problem.scenario, problem.instance
    rates = _rates(problem)
    inflation = scenario.finance.inflation if scenario.finance else 0.0
    lines = [*_order_lines(problem, outcome), *_running_lines(problem, outcome), *_income_lines(problem, outcome)]
    loans, debt = _loans(instance, outcome, lines, rates)
    made = account([*lines, *debt], rates, instance.currency, discount=instance.discount, inflation=inflation)
    notes = [
        f"loan {loan.name}: the cover ratio it asks for, {loan.least_coverage:g}, does not hold in "
        f"{', '.join(loan.breaches)}; drawn at the start and alone, its cash would carry "
        f"{human(loan.carried)} {loan.currency}"
        for loan in loans
        if loan.breaches
    ]
    made = replace(
        made,
        loans=loans,
        unit_costs=_unit_costs(problem, outcome),
        notes=notes,
        depreciation=_depreciation(problem, outcome),
    )
    made = replace(made, exposure=_exposure(made, rates, scenario, problem.catalog))
    return replace(made, tornado=tornado(made, _readings(problem, outcome, made)))


def _rates(problem: Problem) -> fx.Rates:
    """Return the rates of each quarter: from the table where asked for, a path, by parity, or as on the first day."""
    told = problem.scenario.finance.currencies if problem.scenario.finance else None
    if told is None:
        return fx.rates(problem.fx, problem.instance.quarters)
    paths = {code: dict(path) for code, path in told.path.items()}
    if told.history:
        for code in problem.fx:
            seen = fx.history(problem.catalog, code, problem.instance.quarters)
            paths[code] = seen | paths.get(code, {})
    return fx.rates(problem.fx, problem.instance.quarters, interest=told.interest, paths=paths)


class _Book:
    """Lines being summed by what they are for and their currency."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.amounts: dict[Key, np.ndarray] = defaultdict(lambda: np.zeros(length))

    def add(self, key: Key, quarter: int, amount: float) -> None:
        """Add money in a quarter; money in is positive."""
        self.amounts[key][quarter] += amount

    def lines(self) -> list[Line]:
        """Return the lines in the order they were opened."""
        return [
            Line(name, kind, booking, currency, [float(amount) for amount in amounts])
            for (name, kind, booking, currency), amounts in self.amounts.items()
            if amounts.any()
        ]


def _order_lines(problem: Problem, outcome: Outcome) -> list[Line]:
    """Return what orders pay, and what machines bought are worth at the end."""
    instance = problem.instance
    length = len(instance.quarters)
    book = _Book(length)
    for (k, t, _), units in sorted(outcome.orders.items()):
        option = instance.options[k]
        kind, name = _kind(option)
        key: Key = (f"{name} {option.system}", kind, option.booked, option.currency)
        for q, amount in enumerate(option.paid(t, length)):
            own = option.building if q == t else 0.0
            book.add(key, q, -units * (amount - own))
        if option.building:
            built: Key = (f"building at {instance.sites[option.site].name}", "building", "capital", option.currency)
            book.add(built, t, -units * option.building)
        left = instance.left_over(option, t) * units
        if left:
            word = "owed after the horizon" if left > 0 else "handed over at the end"
            book.add(
                (f"{word}: {name} {option.system}", "owed later", option.booked, option.currency), length - 1, -left
            )
        if option.mode == "buy":
            names = f"resale of {option.system}", f"worth left of the building at {instance.sites[option.site].name}"
            for word, worth in zip(names, instance.kept(option, t), strict=True):
                book.add((word, "resale", "capital", option.currency), length - 1, units * worth)
    return book.lines()


def _depreciation(problem: Problem, outcome: Outcome) -> list[float]:
    """Return straight-line depreciation of all that is booked as capital, by quarter, in the plan's currency.

    A machine loses its price less its worth at the end of its useful life in equal parts over that life; a building
    all of its cost over its own.
    """
    instance, terms = problem.instance, terms_of(problem.scenario)
    length, life = len(instance.quarters), terms.value("server_life")
    total = np.zeros(length)
    for (k, t, _), units in outcome.orders.items():
        option = instance.options[k]
        if option.booked != "capital":
            continue
        first = t + option.lead
        price = option.price * option.factor(t)
        kept = (option.price if option.resale is None else option.resale) * option.factor(t)
        parts = straight_line(price, life, kept * instance.salvage_per_year**life, length - first)
        parts = parts + straight_line(option.building, option.building_years, 0.0, length - first)
        total[first:] += units * parts * instance.rate[option.currency]
    return [float(amount) for amount in total]


def _kind(option: Option) -> tuple[str, str]:
    if option.contract == "finance lease":
        return "purchases", "finance lease of"
    if option.mode == "buy":
        return "purchases", "purchase of"
    return "rent", f"rent{f' ({option.contract})' if option.contract else ''} of"


def _running_lines(problem: Problem, outcome: Outcome) -> list[Line]:
    """Return energy, hosting and upkeep by site, in the currencies they are paid in."""
    instance, scenario = problem.instance, problem.scenario
    length = len(instance.quarters)
    book = _Book(length)
    for (k, t, _), units in sorted(outcome.orders.items()):
        option = instance.options[k]
        site = scenario.sites[option.site]
        paid_in = {
            "energy": site.energy_price.currency,
            "hosting": site.hosting_price.currency if site.hosting_price else instance.currency,
            "upkeep": instance.currency,
        }
        for kind, amount in option.running_by_kind:
            code = paid_in[kind]
            for q in option.in_use(t, length):
                book.add((f"{kind} at {site.name}", kind, "operating", code), q, -units * amount / instance.rate[code])
    return book.lines()


def _income_lines(problem: Problem, outcome: Outcome) -> list[Line]:
    """Return revenue and penalties of services and the worth of runs, in the currencies they are given in."""
    instance, scenario = problem.instance, problem.scenario
    book = _Book(len(instance.quarters))
    for (w, k, t), busy in outcome.serving.items():
        service, told = instance.services[w], scenario.services[w]
        tokens = busy * service.rates[k] / service.peak_factor * instance.seconds(t)
        book.add(
            (f"revenue of {service.name}", "revenue", "income", told.price.currency), t, tokens * told.price.amount
        )
    for (w, t), unmet in outcome.unmet.items():
        service, told = instance.services[w], scenario.services[w]
        if told.unmet_penalty is not None:
            tokens = unmet / service.peak_factor * instance.seconds(t)
            key: Key = (f"demand of {service.name} not met", "penalties", "income", told.unmet_penalty.currency)
            book.add(key, t, -tokens * told.unmet_penalty.amount)
    for i in outcome.blocks:
        block = instance.blocks[i]
        run = scenario.training[block.run]
        if run.value is not None:
            end = block.start + block.quarters - 1
            key = (f"worth of {run.name}", "worth of runs", "income", run.value.currency)
            book.add(key, end, float(run.value.amount))
    return book.lines()


def _loans(
    instance: Instance, outcome: Outcome, lines: list[Line], rates: fx.Rates
) -> tuple[list[LoanUse], list[Line]]:
    """Return how each loan is used, and its lines: draws, interest, repayments, fees, what is owed at the end."""
    from outlay.finance import debt

    length = len(instance.quarters)
    uses, made = [], list[Line]()
    cash = sum(
        (
            rates.convert(line.amounts, line.currency, instance.currency)
            for line in lines
            if line.booking in {"income", "operating"}
        ),
        np.zeros(length),
    )
    schedules = []
    for c, credit in enumerate(instance.credits):
        draws = {t: amount for (other, t), amount in outcome.draws.items() if other == c}
        drawn = [min(draws.get(t, 0.0), credit.loan.amount) for t in range(credit.loan.tenor)]
        schedules.append((credit, draws, debt.schedule(credit.loan, drawn)))
    due = sum(
        (
            rates.convert(_padded(found.service, length), credit.loan.currency, instance.currency)
            for credit, _, found in schedules
        ),
        np.zeros(length),
    )
    ratio = debt.coverage(cash, due)
    for credit, draws, found in schedules:
        loan = credit.loan
        _, fees, owed = paid_by_quarter(credit, draws, length)
        series = {name: _padded(getattr(found, name), length) for name in ("draws", "interest", "principal", "balance")}
        tested = [t for t in range(loan.grace, length) if not np.isnan(ratio[t])]
        uses.append(
            LoanUse(
                name=loan.name,
                currency=loan.currency,
                facility=loan.amount,
                rate=loan.rate,
                effective_rate=found.effective_rate,
                fees=fees,
                owed_after=owed,
                coverage=[float(ratio[t]) if t in tested else None for t in range(length)],
                least_coverage=loan.coverage,
                carried=_carried(loan, rates.convert(cash, instance.currency, loan.currency)),
                breaches=[str(instance.quarters[t]) for t in debt.breaches(loan, cash, due) if t in tested],
                **series,
            )
        )
        made += _debt_lines(loan.name, loan.currency, series, fees, owed)
    return uses, made


def _carried(loan: Loan, cash: fx.Floats) -> float:
    """Return the most a loan drawn at the start could be for its cover to hold, the last cash lasting to its end."""
    if loan.coverage <= 0:
        return loan.amount
    lasting = np.concatenate([cash, np.full(max(0, loan.tenor - len(cash)), cash[-1])])
    return capacity(loan, lasting)


def _debt_lines(name: str, currency: str, series: dict[str, list[float]], fees: list[float], owed: float) -> list[Line]:
    end = [0.0] * (len(fees) - 1) + [-owed]
    parts = {
        "draws": series["draws"],
        "interest": [-amount for amount in series["interest"]],
        "repayments": [-amount for amount in series["principal"]],
        "fees": [-amount for amount in fees],
        "debt left": end,
    }
    return [
        Line(f"{kind} of {name}", kind, "financing", currency, amounts)
        for kind, amounts in parts.items()
        if any(amounts)
    ]


def _padded(amounts: np.ndarray, length: int) -> list[float]:
    made = [float(amount) for amount in amounts[:length]]
    return made + [0.0] * (length - len(made))


def _unit_costs(problem: Problem, outcome: Outcome) -> list[UnitCost]:
    """Return costs of an H100-equivalent hour by system and site, of each run, and of each service's tokens."""
    instance, scenario = problem.instance, problem.scenario
    have = stock(instance, outcome)
    cost = _cost_by_pool(instance, outcome)
    unit_quarters: dict[int, float] = defaultdict(float)
    for (k, _), units in have.items():
        unit_quarters[k] += units
    rate = {k: cost[k] / unit_quarters[k] for k in cost if unit_quarters[k]}
    made = []
    for k, per_quarter in rate.items():
        option = instance.options[k]
        hours = 8766 / 4 * option.compute / H100_BF16
        made.append(UnitCost(place_name(instance, option), "H100-equivalent hour", per_quarter / hours))
    for i in outcome.blocks:
        block = instance.blocks[i]
        run, option = scenario.training[block.run], instance.options[block.option]
        quarters = run_days(problem.work.training[run.name, option.system, block.units], run.tokens) / 91.3125
        worth = instance.runs[block.run].value
        made.append(UnitCost(run.name, "training run", rate[block.option] * block.units * quarters, worth or None))
    for w, service in enumerate(instance.services):
        busy = [(k, t, units) for (work, k, t), units in outcome.serving.items() if work == w]
        tokens = sum(units * service.rates[k] / service.peak_factor * instance.seconds(t) for k, t, units in busy)
        if tokens:
            spent = sum(units * rate[k] for k, _, units in busy)
            made.append(UnitCost(service.name, "million tokens", spent / tokens * 1e6, service.price * 1e6))
    return made


def _cost_by_pool(instance: Instance, outcome: Outcome) -> dict[int, float]:
    """Return what the machines of each pool cost over the horizon, resale taken off, in the plan's currency."""
    length = len(instance.quarters)
    cost: dict[int, float] = defaultdict(float)
    for (k, t, _), units in outcome.orders.items():
        option = instance.options[k]
        paid = (option.order_cost(t, length) + instance.left_over(option, t)) * instance.rate[option.currency]
        running = (option.running + option.upkeep) * len(option.in_use(t, length))
        resale = instance.salvage(option, t) / instance.end_factor
        cost[k if option.pool is None else option.pool] += units * (paid + running - resale)
    return cost


def _exposure(made: Accounts, rates: fx.Rates, scenario: Scenario, catalog: Catalog) -> list[fx.Exposure]:
    """Return the exposure to each currency that is not the plan's, with what moves and hedges it where known."""
    told = scenario.finance.currencies if scenario.finance else None
    interest = told.interest if told else {}
    found = []
    for currency, net in sorted(made.by_currency().items()):
        if currency == made.currency:
            continue
        forward = None
        if {currency, made.currency} <= set(interest):
            spot = rates.of(currency)[0] / rates.of(made.currency)[0]
            spot = problem_spot(scenario, catalog, currency, made.currency) or spot
            years = (np.arange(len(net)) + 0.5) / 4
            forward = fx.parity(spot, interest[currency], interest[made.currency], years)
        try:
            moved = np.hypot(
                fx.volatility(catalog, currency, scenario.knowledge_date),
                fx.volatility(catalog, made.currency, scenario.knowledge_date),
            )
        except MissingFigureError:
            moved = None
        found.append(
            fx.exposure(
                currency,
                net,
                rates,
                made.currency,
                made.discount,
                volatility=None if moved is None else float(moved),
                forward=forward,
            )
        )
    return found


def problem_spot(scenario: Scenario, catalog: Catalog, currency: str, into: str) -> float | None:
    """Return units of a currency per unit of another on the first day; ``None`` where a rate is missing."""
    from outlay.finance.pricing import fx_rates

    spot = fx_rates(catalog, scenario.knowledge_date, scenario.fx)
    return spot[currency] / spot[into] if {currency, into} <= set(spot) else None


def _readings(problem: Problem, outcome: Outcome, made: Accounts) -> list[Reading]:
    """Return the readings of the tornado chart: ranges from sources where they give one, stated shares otherwise."""
    readings = [
        _share_reading("prices of machines bought", "purchases", *_price_range(problem, outcome, "buy")),
        _share_reading("rents", "rent", *_price_range(problem, outcome, "lease")),
        _share_reading("price of energy", "energy", 1 - ENERGY_SWING, 1 + ENERGY_SWING),
        _share_reading("revenue per token", "revenue", 1 - TOKEN_SWING, 1 + TOKEN_SWING),
        _share_reading("worth of training runs", "worth of runs", 1 - WORTH_SWING, 1 + WORTH_SWING),
        _share_reading("resale", "resale", 1 - RESALE_SWING, 1 + RESALE_SWING),
    ]
    low, high = made.discount - RATE_SWING, made.discount + RATE_SWING
    readings.append(Reading("discount rate", f"{low:.1%}", f"{high:.1%}", discounted(low), discounted(high)))
    for exposed in made.exposure:
        years = np.sqrt(len(made.quarters) / 8)
        moved = 0.1 if exposed.swing is None or not exposed.worth else abs(exposed.swing / exposed.worth) * years
        moved = float(min(max(moved, 0.01), 0.5))
        name = f"worth of the {exposed.currency} in {made.currency}"
        readings.append(
            Reading(
                name,
                f"-{moved:.0%}",
                f"+{moved:.0%}",
                at_rate(exposed.currency, 1 - moved),
                at_rate(exposed.currency, 1 + moved),
            )
        )
    return readings


def _share_reading(name: str, kind: str, low: float, high: float) -> Reading:
    return Reading(name, f"{low - 1:+.0%}", f"{high - 1:+.0%}", scaled(kind, low), scaled(kind, high))


def _price_range(problem: Problem, outcome: Outcome, mode: str) -> tuple[float, float]:
    """Return low and high of the prices of what is had over what was counted, the widest; at least a stated share."""
    options = [problem.instance.options[k] for k, _, _ in outcome.orders]
    had = {(option.system, IN_WORDS.get(option.contract, "rent ahead")) for option in options} | {
        (option.system, option.mode) for option in options
    }
    wide = [
        (price.low / price.amount, price.high / price.amount)
        for (system, how, _), price in problem.prices.items()
        if (how == "buy") == (mode == "buy") and price.amount > 0 and (system, how) in had
    ]
    low = min([ratio for ratio, _ in wide], default=1.0)
    high = max([ratio for _, ratio in wide], default=1.0)
    return min(low, 1 - PRICE_SWING), max(high, 1 + PRICE_SWING)
