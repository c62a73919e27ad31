"""Plan again on each past date with what was known then, let what happened strike, and compare ways to plan.

Only what is public can be judged by: the rules, the prices in the catalogue by their dates, and the tokens a company
said it served. The back-test keeps the part of the scenario that these strike: the budgets, sites and services of one
country.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Ensemble, certain
from outlay.planning.futures.explain import relaxed
from outlay.planning.futures.known import COUNTRY, as_of, free, narrowed, read_actual, stated_rate
from outlay.planning.futures.risk import Risk
from outlay.planning.futures.stress import _values
from outlay.planning.futures.tree import make
from outlay.units import human

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.planning.build import Problem
    from outlay.planning.instance import Instance, Option
    from outlay.scenario.schema import Scenario

MONEY = 1e6
STEP = timedelta(days=7)
DRAWS, BRANCHES = 2, 16
POLICIES = {
    "reported": "the reported plan, drawn up in the first quarter and held to, whatever comes",
    "blind": "plans again each quarter as if nothing more would change",
    "outlay": "plans again each quarter over the futures as they could be judged then",
    "foresight": "knows from the start what will happen",
}


@dataclass(frozen=True)
class Step:
    """One quarter of one way to plan: the money ordered for, what of it was delivered, in words what it was for."""

    quarter: str
    ordered: float
    delivered: float
    orders: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """What one way to plan came to. Money is in the back-test's currency."""

    name: str
    words: str
    gain: float
    """Value over that of ordering nothing."""
    served: float
    chips: int
    spent: float
    lost: float
    steps: list[Step]


@dataclass(frozen=True)
class BackTest:
    """A back-test: what came of each way to plan, and what was known and happened on the way."""

    scenario: str
    currency: str
    first: str
    last: str
    outcomes: list[Outcome]
    struck: list[str]
    demand: dict[str, float]
    notes: list[str] = field(default_factory=list)


@dataclass
class _State:
    """Money ordered for, by (option way, quarter, budget), in the plan's currency."""

    money: dict[tuple[tuple[str, str, str], int, int], float] = field(default_factory=dict)


def backtest(
    scenario: Scenario,
    *,
    quarters: int = 6,
    catalog: Catalog | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> BackTest:
    """Roll a scenario through its first quarters.

    Raises
    ------
    InputError
        If the package holds no record of what happened in the scenario.
    """
    from outlay.catalog import Catalog

    catalog = catalog or Catalog.load()
    actual = read_actual(scenario.name)
    core = narrowed(scenario)
    days = [core.knowledge_date, *(core.horizon.all[t].start for t in range(1, quarters))]
    problems = []
    for t, day in enumerate(days):
        progress(f"what was known on {day}")
        problems.append(_problem(as_of(core, day, actual), catalog, t))
    book = _Book(core, problems, catalog, actual)
    outcomes = []
    for name in POLICIES:
        progress(f"way to plan: {name}")
        outcomes.append(book.outcome(name, _run(book, name, quarters)))
    return BackTest(
        scenario=scenario.name,
        currency=scenario.currency,
        first=str(core.horizon.all[0]),
        last=str(core.horizon.all[quarters - 1]),
        outcomes=outcomes,
        struck=book.struck(quarters),
        demand={str(q): float(tokens) for q, tokens in zip(core.horizon.all, book.truth.demand[0, 0], strict=True)},
        notes=[
            f"Only the budgets, sites and services in {COUNTRY} are played: no fact on training abroad is public.",
            "What is delivered is the part of the quarter of arrival in which the rules, as they turned out, "
            "let it in; "
            "supply is as planned, for no delivery to one buyer is public.",
            "After the last figure on tokens demand stays where it was. Systems are those on offer on the first day.",
            "Units are divisible while planning and rounded down when ordered.",
        ],
    )


def _problem(scenario: Scenario, catalog: Catalog, t: int) -> tuple[Scenario, Problem]:
    from outlay.planning.build import build

    return scenario, build(scenario, catalog)


def way(option: Option, instance: Instance) -> tuple[str, str, str]:
    """Return what an option is called whatever its number: mode, system, site."""
    return option.mode, option.system, instance.sites[option.site].name


class _Book:
    """What was known on each date, and what happened."""

    def __init__(
        self,
        scenario: Scenario,
        problems: list[tuple[Scenario, Problem]],
        catalog: Catalog,
        actual: list[tuple[date, float]],
    ) -> None:
        self.scenario, self.problems, self.catalog, self.actual = scenario, problems, catalog, actual
        self.first = problems[0][1].instance
        self.ways = {way(option, self.first): k for k, option in enumerate(self.first.options)}
        self.prices = self._prices()
        self.open = self._open()
        self.truth = self._true(self.first)

    def price(self, option: Option) -> float:
        """Return what an option costs, in the plan's currency at the rates of the first day."""
        return option.price * self.first.rate[option.currency]

    def _prices(self) -> dict[tuple[tuple[str, str, str], int], float]:
        """Return the price of each way in each quarter: that known on its first day, later ones as on the last date."""
        found: dict[tuple[tuple[str, str, str], int], float] = {}
        for t in range(len(self.first.quarters)):
            instance = self.problems[min(t, len(self.problems) - 1)][1].instance
            now = {way(o, instance): self.price(o) for o in instance.options}
            for name, k in self.ways.items():
                start = self.price(self.first.options[k])
                found[name, t] = now.get(name, found.get((name, t - 1), start))
        return found

    def _open(self) -> dict[tuple[tuple[str, str, str], int], float]:
        """Return the part of each order's quarter of arrival in which it was let in, as the rules turned out."""
        from outlay.policy import Transaction, decide, item_of

        found = {}
        sites = {site.name: site for site in self.scenario.sites}
        for name, k in self.ways.items():
            option, site = self.first.options[k], sites[name[2]]
            item = item_of(self.catalog.chip(option.chip))
            for t in range(len(self.first.quarters)):
                if t + option.lead >= len(self.first.quarters):
                    found[name, t] = 0.0
                    continue
                arrival = self.first.quarters[t + option.lead]
                days = [arrival.start + i * STEP for i in range((arrival.end - arrival.start).days // STEP.days + 1)]
                verdicts = [
                    decide(
                        item,
                        Transaction(
                            on=max(day, self.scenario.knowledge_date),
                            destination=site.country,
                            buyer_hq=self.scenario.buyer.headquarters,
                            parent_hq=self.scenario.buyer.parent,
                            mode="lease" if option.mode == "lease" else "buy",
                            owner_hq=site.owner_headquarters if option.mode == "lease" else None,
                            state_funded=self.scenario.buyer.state_funded,
                            new_site=site.new_build,
                        ),
                        flags=self.scenario.policy.flags,
                    )
                    for day in days
                ]
                licensed = site.country in self.scenario.policy.licences
                accepted = self.scenario.policy.accept
                let_in = [v.verdict in accepted or (licensed and v.code.startswith("LICENCE")) for v in verdicts]
                found[name, t] = sum(let_in) / len(let_in)
        return found

    def _true(self, instance: Instance) -> Ensemble:
        """Return what happened as the one future of an instance, in its units and at its prices."""
        base = certain(instance)
        share, price = np.zeros_like(base.share), np.ones_like(base.price)
        for k, option in enumerate(instance.options):
            name = way(option, instance)
            for t in range(len(instance.quarters)):
                share[0, k, t] = self.open.get((name, t), 0.0)
                own = self.price(option)
                price[0, k, t] = self.prices.get((name, t), own) / own
        demand = np.array([[[stated_rate(q, self.actual) for q in instance.quarters] for _ in instance.services]])
        assert self.scenario.futures is not None
        return replace(base, share=share, price=price, demand=demand, refund=self.scenario.futures.refund)

    def knowing_the_past(self, instance: Instance, ensemble: Ensemble, t: int) -> Ensemble:
        """Put what happened to orders before quarter ``t`` in place of what was expected of them."""
        truth = self._true(instance)
        share, price, delay = ensemble.share.copy(), ensemble.price.copy(), ensemble.delay.copy()
        share[:, :, :t], price[:, :, :t] = truth.share[:, :, :t], truth.price[:, :, :t]
        delay[:, :, :t] = 0
        return replace(ensemble, share=share, price=price, delay=delay)

    def outcome(self, name: str, state: _State) -> Outcome:
        """Let what happened strike the orders of one way to plan."""
        decisions = Decisions(free_of_rows(self.first), self.truth)
        x = np.zeros(decisions.orders)
        at, instance = decisions.columns, self.first
        place = {
            (int(k), int(t), int(b)): j
            for j, (k, t, b) in enumerate(zip(at.option, at.quarter, at.budget, strict=True))
        }
        spent = lost = chips = 0.0
        steps: dict[int, tuple[float, float, dict[str, int]]] = {}
        for (who, t, b), money in sorted(state.money.items(), key=lambda item: item[0][1]):
            k = self.ways[who]
            option = instance.options[k]
            units = money / self.price(option)
            x[place[k, t, b]] = units
            share = self.open[who, t]
            got = units * float(self.truth.delivered[0, k, t])
            spent += money * share
            lost += money * (1 - share) * (1 - self.truth.refund)
            chips += got * option.chips
            ordered, arrived, what = steps.get(t, (0.0, 0.0, {}))
            what[option.chip] = (
                what.get(option.chip, 0) + round(units / float(self.truth.price[0, k, t])) * option.chips
            )
            steps[t] = (ordered + money, arrived + money * share, what)
        value, served, _ = _values(decisions, x)
        nothing, _, _ = _values(decisions, np.zeros(decisions.orders))
        return Outcome(
            name,
            POLICIES[name],
            float(value[0] - nothing[0]) * MONEY,
            float(served[0]),
            round(chips),
            spent,
            lost,
            [Step(str(instance.quarters[t]), o, d, what) for t, (o, d, what) in sorted(steps.items())],
        )

    def struck(self, quarters: int) -> list[str]:
        """Return in words what closed and opened on the way."""
        found = []
        seen: dict[tuple[str, str], float] = {}
        for name, k in self.ways.items():
            option = self.first.options[k]
            if (name[0], option.chip) in seen:
                continue
            last = None
            for t in range(quarters):
                now = self.open[name, t]
                if last is None or abs(now - last) > 0.02:
                    arrival = self.first.quarters[min(t + option.lead, len(self.first.quarters) - 1)]
                    if last is not None or now < 0.98:
                        found.append(f"{arrival}: {option.chip} let in for {now:.0%} of the quarter")
                last = now
            seen[name[0], option.chip] = 1.0
        return sorted(found)


def free_of_rows(instance: Instance) -> Instance:
    """Return an instance in which any order may be valued: every budget may pay for every way in every quarter."""
    every = frozenset((k, t) for k in range(len(instance.options)) for t in range(len(instance.quarters)))
    return replace(instance, budgets=tuple(replace(budget, orders=every) for budget in instance.budgets))


def _run(book: _Book, name: str, quarters: int) -> _State:
    """Return the orders of one way to plan."""
    state = _State()
    last = book.scenario.horizon.all[quarters - 1]
    if name in {"reported", "foresight"}:
        scenario, _ = book.problems[0]
        loose = scenario if name == "reported" else free(scenario, last)
        instance = _instance(loose, book, 0)
        ensemble = certain(instance) if name == "reported" else book._true(instance)
        _order(book, state, instance, ensemble, 0, None, waiver=None if name == "foresight" else 0.1)
        return state
    for t in range(quarters):
        scenario, _ = book.problems[t]
        loose = free(scenario, last)
        instance = _refunded(_instance(loose, book, t), book, state, t)
        if name == "blind":
            ensemble = certain(instance)
        else:
            ensemble = make(loose, instance, draws=DRAWS, branches=BRANCHES).ensemble
        _order(book, state, instance, book.knowing_the_past(instance, ensemble, t), t, t, waiver=None)
    return state


def _instance(scenario: Scenario, book: _Book, t: int) -> Instance:
    """Return the instance of a date with the limits of another scenario, without finding its rates again."""
    from outlay.planning.build import _budgets, _sourcing

    instance = book.problems[t][1].instance
    # Rates stay those of the first day: money is followed through the dates, and no budget may burst by a rate.
    instance = replace(instance, budgets=_budgets(scenario, instance.options), rate=book.first.rate)
    return replace(instance, sourcing=_sourcing(scenario, instance))


def _refunded(instance: Instance, book: _Book, state: _State, t: int) -> Instance:
    """Add to the budgets what came back by quarter ``t`` for orders that were not let in."""
    back = [0.0] * len(instance.budgets)
    for (who, placed, b), money in state.money.items():
        if placed + book.first.options[book.ways[who]].lead < t:
            back[b] += money * (1 - book.open[who, placed]) * book.truth.refund
    budgets = tuple(
        replace(budget, limit=budget.limit + amount / book.first.rate[budget.currency])
        for budget, amount in zip(instance.budgets, back, strict=True)
    )
    return replace(instance, budgets=budgets)


def _order(
    book: _Book,
    state: _State,
    instance: Instance,
    ensemble: Ensemble,
    t: int,
    only: int | None,
    *,
    waiver: float | None,
) -> None:
    """Plan with the past held, and place the orders of quarter ``only`` (all of them where it is ``None``)."""
    decisions = Decisions(instance, ensemble, waiver=waiver)
    at = decisions.columns
    held = {}
    for j in np.flatnonzero(at.quarter < t):
        option = instance.options[at.option[j]]
        key = (way(option, instance), int(at.quarter[j]), int(at.budget[j]))
        held[int(j)] = state.money.get(key, 0.0) / book.price(option)
    x = relaxed(decisions, Risk(), held=held).x
    for j in np.flatnonzero(x[: decisions.orders] > 0.5):
        quarter = int(at.quarter[j])
        option = instance.options[at.option[j]]
        name = way(option, instance)
        wanted = quarter == only if only is not None else True
        if quarter >= t and wanted and name in book.ways:
            money = math.floor(x[j] + 1e-6) * book.price(option)
            key = (name, quarter, int(at.budget[j]))
            state.money[key] = state.money.get(key, 0.0) + money


def in_words(found: BackTest) -> list[str]:
    """Return the back-test as lines of text."""
    money = found.currency
    lines = [
        f"{found.scenario}: back-test from {found.first} to {found.last}; gain over ordering nothing, in {money}",
        "",
    ]
    for outcome in found.outcomes:
        lines.append(
            f"{outcome.name:<10} {human(outcome.gain):>9}  served {outcome.served:.0%}, {outcome.chips:,} "
            f"chips delivered, "
            f"{human(outcome.spent)} spent, {human(outcome.lost)} lost; {outcome.words}"
        )
        lines += [
            f"    {step.quarter}: {human(step.ordered)} ordered, {step.delivered / step.ordered:.0%} let in; "
            + ", ".join(f"{chips:,} {chip}" for chip, chips in sorted(step.orders.items()) if chips)
            for step in outcome.steps
        ]
    lines += ["", "what struck:", *(f"  {words}" for words in found.struck), ""]
    return lines + [f"note: {note}" for note in found.notes]
