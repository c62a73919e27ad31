"""The optimiser on instances small enough to solve by hand, and what must hold for any of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning import options

import outlay
from outlay.planning.conflict import explain
from outlay.planning.extract import budgets, purchases, sites, sourcing
from outlay.planning.instance import Block, Budget, Instance, Option, Run, Service, Site, Sourcing, Supply
from outlay.planning.limits import binding
from outlay.planning.solve import Outcome, optimise
from outlay.units import Quarter

QUARTERS = (Quarter(2025, 1), Quarter(2025, 2))
DAY = 86400.0


def option(system: str, country: str, price: float, **changes: object) -> Option:
    """Return one from a country, for both quarters."""
    return options.option(system, price, 2, vendor_country=country, **changes)


def instance(**changes: object) -> Instance:
    """Two systems, two quarters, one site, one budget of 1,000 m USD, one service that pays.

    Fast: 100 m USD and 10,000 tokens/s a unit. Local: 60 m USD and 4,000 tokens/s a unit. A token earns a cent.
    """
    options = (option("Fast", "US", 100e6), option("Local", "CN", 60e6))
    every_order = frozenset((k, t) for k in range(2) for t in range(2))
    base = Instance(
        quarters=QUARTERS,
        currency="USD",
        rate={"USD": 1.0, "CNY": 0.125},
        discount=0.0,
        salvage_per_year=1.0,
        reserve_value=1.0,
        objective="value",
        options=options,
        sites=(Site("Here", "CN", 1.25, (1e6, 1e6)),),
        budgets=(Budget("chips", 1000e6, "USD", 0.0, every_order),),
        supply=(),
        sourcing=(),
        services=(Service("chat", (1e5, 2e5), 1.0, 0.01, None, {0: 1e4, 1: 4e3}),),
        runs=(),
        blocks=(),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def solved(problem: Instance) -> Outcome:
    """Solve to the optimum; there must be one."""
    outcome = optimise(problem, gap=0.0, time_limit_s=20)
    assert outcome is not None
    return outcome


def share(kind: str, wanted: float, base: str = "budget-value", weight: tuple[float, ...] = (100e6, 60e6)) -> Sourcing:
    """A share of the one budget that the local system counts towards."""
    over = frozenset({(0, 0), (1, 0)})
    return Sourcing("local", kind, base, wanted, frozenset({1}), over, weight)  # type: ignore[arg-type]


def test_two_systems_two_quarters_by_hand() -> None:
    """Ten Fast cost the whole budget and serve in both quarters: nothing buys more tokens per dollar."""
    outcome = solved(instance())
    assert outcome.orders == {(0, 0, 0): 10}
    earned = 10 * 1e4 * (90 + 91) * DAY * 0.01  # quarters of 90 and 91 days
    assert outcome.solution.objective * 1e6 == pytest.approx(earned)  # the price comes back as salvage
    assert outcome.solution.gap <= 1e-9


def test_supply_binds_in_its_quarter() -> None:
    """Three Fast can come first; the money they leave goes to Local, which earns more now than Fast next quarter."""
    limited = instance(supply=(Supply("Fast", frozenset({0}), (24.0, 80.0)),))
    outcome = solved(limited)
    by_hand = {(0, 0, 0): 3, (0, 1, 0): 1, (1, 0, 0): 10}
    assert outcome.orders == by_hand
    assert any(limit.family == "supply" for limit in binding(limited, outcome))


def test_power_binds_at_the_meter() -> None:
    """A unit draws 10 kW x PUE 1.25: 50 kW carry four units, whatever the money."""
    limited = instance(sites=(Site("Here", "CN", 1.25, (5e4, 5e4)),))
    outcome = solved(limited)
    assert sum(outcome.orders.values()) == 4
    assert sites(outlay.load("us-lab-2025"), limited, outcome)[0].power["2025Q2"] == pytest.approx(5e4)
    words = [limit.words for limit in binding(limited, outcome) if limit.family == "power"]
    assert words
    assert "one more MW of power at Here" in words[0]


def test_power_that_comes_later_is_used_later() -> None:
    """A site without power in the first quarter holds nothing then."""
    outcome = solved(instance(sites=(Site("Here", "CN", 1.0, (0.0, 1e6)),)))
    assert {t for _, t, _ in outcome.orders} == {1}


def test_budget_binds_and_tells_its_worth() -> None:
    """A dollar more earns in the second quarter alone: ten Fast meet the demand of the first."""
    outcome = solved(instance())
    limit = next(limit for limit in binding(instance(), outcome) if limit.family == "budget")
    tokens_per_dollar = 1e4 / 100e6 * 91 * DAY  # and the dollar itself comes back as salvage
    assert limit.dual == pytest.approx(tokens_per_dollar * 0.01, rel=1e-6)
    assert "one million USD more in budget chips" in limit.words


def test_lead_time_delays_use() -> None:
    """Machines ordered with a lead of one quarter earn in the second alone."""
    late = instance(options=(option("Fast", "US", 100e6, lead=1), option("Local", "CN", 60e6, lead=1)))
    outcome = solved(late)
    assert {t for _, t, _ in outcome.orders} == {0}
    assert all(quarter == 1 for _, _, quarter in outcome.serving)


def test_an_illegal_quarter_is_never_bought_in() -> None:
    """The rules close Fast in the first quarter: it is bought in the second."""
    closed = option("Fast", "US", 100e6, legal=(False, True), codes=("LICENCE_PD", "NLR"))
    outcome = solved(instance(options=(closed, option("Local", "CN", 60e6))))
    assert (0, 0, 0) not in outcome.orders
    assert (0, 1, 0) in outcome.orders


def test_a_floor_by_value_holds() -> None:
    """A floor of half the value buys Local for at least what Fast costs."""
    limited = instance(sourcing=(share("floor", 0.5),))
    achieved = sourcing(limited, solved(limited))[0].achieved
    assert achieved is not None
    assert 0.5 <= achieved < 0.65


def test_an_exact_share_is_met_within_one_unit() -> None:
    """60 % exactly, on a budget of ten units, within the price of the cheaper unit."""
    limited = instance(sourcing=(share("exact", 0.6),))
    use = sourcing(limited, solved(limited))[0]
    assert use.achieved is not None
    assert abs(use.achieved - 0.6) <= use.tolerance + 1e-9


def test_the_base_of_a_share_is_a_switch() -> None:
    """Half of the chips is fewer dollars of Local than half of the value."""
    by_chips = instance(sourcing=(share("floor", 0.5, "chips", (8.0, 8.0)),))
    outcome = solved(by_chips)
    units = {k: n for (k, _, _), n in outcome.orders.items()}
    assert units[1] >= units[0]
    money = sourcing(instance(sourcing=(share("floor", 0.0),)), outcome)[0].achieved
    assert money is not None
    assert money < 0.5


def test_spending_counts_in_the_budgets_own_currency() -> None:
    """A price of 800 m CNY is 100 m USD at 0.125."""
    yuan = instance(options=(option("Fast", "US", 800e6, currency="CNY"), option("Local", "CN", 60e6)))
    outcome = solved(yuan)
    assert outcome.orders == {(0, 0, 0): 10}
    assert budgets(yuan, outcome)[0].spent == pytest.approx(1000e6)
    assert purchases(yuan, outcome)[0].cost == pytest.approx(1000e6)


def test_energy_counts_against_a_budget_that_pays_for_it() -> None:
    """Running costs of 20 m USD a quarter leave money for fewer machines."""
    running = frozenset((0, t, "energy") for t in range(2))
    options = (option("Fast", "US", 100e6, running=20e6, energy_share=1.0), option("Local", "CN", 60e6))
    budget = replace(instance().budgets[0], running=running)
    costly = instance(options=options, budgets=(budget,))
    outcome = solved(costly)
    use = budgets(costly, outcome)[0]
    assert use.spent <= 1000e6 + 1
    assert use.by_kind["energy"] > 0


def test_a_lease_works_for_its_term_and_is_paid_by_quarter() -> None:
    """A lease of one quarter in the first is gone in the second."""
    lease = option("Fast", "US", 10e6, mode="lease", term=1)
    rented = instance(options=(lease, option("Local", "CN", 6000e6)))
    outcome = solved(rented)
    first, second = outcome.orders.get((0, 0, 0), 0), outcome.orders.get((0, 1, 0), 0)
    assert (first, second) == (10, 20)  # what demand takes in each quarter
    assert budgets(rented, outcome)[0].spent == pytest.approx(300e6)


def test_a_training_run_holds_its_machines() -> None:
    """A run on six units worth more than serving takes them from the service for its quarter."""
    run = Run("big", 1e15, must=False)
    with_run = instance(runs=(run,), blocks=(Block(0, 0, 1, 1, 6),))
    outcome = solved(with_run)
    assert outcome.blocks == [0]
    assert outcome.serving.get((0, 0, 1), 0.0) <= 4 + 1e-9


def test_cost_is_least_where_all_demand_must_be_served() -> None:
    """Serving 200,000 tokens/s takes twenty Fast or fifty Local: Fast is cheaper, whole units at a time."""
    enough = replace(instance().budgets[0], limit=10000e6)
    cheap = instance(objective="cost", budgets=(enough,), salvage_per_year=0.0)
    outcome = solved(cheap)
    assert sum(n for (k, _, _), n in outcome.orders.items() if k == 0) == 20
    assert not outcome.unmet


def test_a_conflict_is_the_smallest_and_names_the_way_out() -> None:
    """A 70 % floor, a small local supply and money that must be spent clash; each way out is given with its size."""
    clash = instance(
        sourcing=(share("floor", 0.7),),
        supply=(Supply("Local", frozenset({1}), (8.0, 8.0)),),
        budgets=(replace(instance().budgets[0], at_least=0.9),),
    )
    assert optimise(clash, gap=0.0, time_limit_s=20) is None
    found = explain(clash)
    assert [limit.split(":")[0] for limit in found.limits] == [
        "spending of budget chips",
        "supply of Local",
        "sourcing local",
    ]
    assert any("lower sourcing local from 70.0% to 13.3%" in way for way in found.ways_out)  # 120 of 900 m USD


def test_a_run_that_must_and_cannot_is_named() -> None:
    """A run with no block at all is a conflict of its own."""
    clash = instance(runs=(Run("big", 0.0, must=True),))
    assert optimise(clash, gap=0.0, time_limit_s=20) is None
    found = explain(clash)
    assert found.limits == ["training run big: must be done"]
    assert found.ways_out == ["leave out training run big"]


@settings(max_examples=25, deadline=None)
@given(money=st.integers(100, 2000), more=st.integers(0, 1000), floor=st.floats(0, 1))
def test_more_money_is_never_worse(money: int, more: int, floor: float) -> None:
    """A larger budget leaves every smaller plan possible."""
    rule = (share("floor", floor),)
    small = replace(instance().budgets[0], limit=money * 1e6)
    large = replace(small, limit=(money + more) * 1e6)
    before = solved(instance(budgets=(small,), sourcing=rule)).solution.objective
    after = solved(instance(budgets=(large,), sourcing=rule)).solution.objective
    assert after >= before - 1e-9


@settings(max_examples=25, deadline=None)
@given(loose=st.floats(0, 1), tighter=st.floats(0, 1))
def test_a_tighter_floor_is_never_better(loose: float, tighter: float) -> None:
    """A higher floor takes plans away and adds none."""
    loose, tighter = sorted((loose, tighter))
    before = solved(instance(sourcing=(share("floor", loose),))).solution.objective
    after = solved(instance(sourcing=(share("floor", tighter),))).solution.objective
    assert after <= before + 1e-9


@settings(max_examples=20, deadline=None)
@given(factor=st.floats(0.01, 1e3))
def test_counting_in_another_currency_scales_the_objective(factor: float) -> None:
    """The same plan, counted in money of another worth."""
    usd = instance(supply=(Supply("Fast", frozenset({0}), (24.0, 80.0)),))
    service = replace(usd.services[0], price=usd.services[0].price * factor)
    other = replace(usd, rate={name: value * factor for name, value in usd.rate.items()}, services=(service,))
    first, second = solved(usd), solved(other)
    assert second.orders == first.orders
    assert second.solution.objective == pytest.approx(first.solution.objective * factor, rel=1e-6)
