"""Answers to what happens: each worth what it is by hand, both ways to solve agree, the audit counts by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest_futures import futures_of, option, random_instance

from outlay.errors import ScenarioError
from outlay.planning.futures.audit import audit
from outlay.planning.futures.audit_money import Decided
from outlay.planning.futures.ensemble import Ensemble
from outlay.planning.futures.rights import NONE, Rights
from outlay.planning.futures.risk import Risk
from outlay.planning.futures.solve import Settings, Solved, deployments, optimise
from outlay.planning.futures.told import decided
from outlay.planning.instance import Budget, Instance, Service, Site
from outlay.scenario.load import read_scenario
from outlay.units import Quarter

ALL = Rights(reserve=0.1, hold=3, cancel=0.15, resell=0.3, move=0.05, still=1)
M = 1e6


def audited(plan: Instance, ensemble: Ensemble, solved: Solved, told: Decided | None = None) -> list[str]:
    """Return what the audit finds wrong."""
    done, _, recourse = deployments(solved.decisions, solved.x)
    pools = {k: int(pool) for k, pool in enumerate(recourse.pool)}
    found = audit(plan, ensemble, told or decided(solved), done, pools)
    return [check.detail for check in found.checks if not check.ok]


@pytest.mark.parametrize("seed", range(10))
def test_both_ways_to_solve_agree_with_answers(seed: int) -> None:
    """Extensive form and decomposition within the gap; every future audited; answers never make a plan worse."""
    draw = np.random.default_rng(seed)
    plan = random_instance(draw, training=seed % 4 == 0)
    options = tuple(replace(o, term=None, lead=1) for o in plan.options)
    plan = replace(plan, options=options)
    ensemble = replace(futures_of(plan, int(draw.integers(2, 7)), draw, tree=True), rights=ALL)
    risk = Risk(0.4, 0.8) if seed % 5 == 0 else Risk()
    whole = optimise(plan, ensemble, Settings(gap=1e-6, risk=risk, method="extensive"))
    parts = optimise(plan, ensemble, Settings(gap=1e-3, risk=risk, method="benders"))
    without = optimise(plan, replace(ensemble, rights=NONE), Settings(gap=1e-6, risk=risk, method="extensive"))
    slack = 2e-6 * max(1.0, abs(whole.objective))
    assert parts.objective <= whole.objective + slack
    assert parts.bound >= whole.objective - slack
    assert whole.objective >= without.objective - slack
    for solved in (whole, parts):
        assert audited(plan, ensemble, solved) == []


def two_sites(**rights: Any) -> tuple[Instance, Ensemble]:
    """Fast for 1 m here, ordered a quarter ahead, for a service there is in one of two equally likely futures alone.

    Four quarters; a unit earns 1 m a quarter from the third on; what a machine is worth halves each quarter. In the
    second quarter it is known whether 8 units are asked for or none.
    """
    quarters = tuple(Quarter(2025, 1) + t for t in range(4))
    base = option("Fast", 1 * M, 4, lead=1)
    away = replace(base, site=1, price=9 * M)
    worth = 1 * M / (1e3 * 91.25 * 86400)
    plan = Instance(
        quarters=quarters,
        currency="USD",
        rate={"USD": 1.0},
        discount=0.0,
        salvage_per_year=0.5**4,
        reserve_value=1.0,
        objective="value",
        options=(base, away),
        sites=(Site("Here", "US", 1.0, (1e9,) * 4), Site("There", "US", 1.0, (1e9,) * 4)),
        budgets=(Budget("money", 1e9, "USD", 0.0, frozenset({(0, 0), (1, 1)})),),
        supply=(),
        sourcing=(),
        runs=(),
        blocks=(),
        services=(Service("chat", (0.0, 0.0, 8e3, 8e3), 1.0, worth, 0.0, {0: 1e3, 1: 1e3}),),
    )
    ones = np.ones((2, 2, 4))
    asked = np.zeros((2, 1, 4))
    asked[1, 0, 2:] = 8e3
    ensemble = Ensemble(
        names=("none", "asked"),
        probability=np.array([0.5, 0.5]),
        share=ones,
        price=ones,
        delay=np.zeros((2, 2, 4), int),
        demand=asked,
        power=np.full((2, 2, 4), 1e9),
        node=np.array([[0, 0, 0, 0], [0, 1, 1, 1]]),
        happenings=((), ()),
        rights=Rights(**rights),
        history=((), ()),
    )
    return plan, ensemble


def solved_with(**rights: Any) -> tuple[Instance, Ensemble, Solved, Decided]:
    """Plan the case of two futures under some rights."""
    plan, ensemble = two_sites(**rights)
    found = optimise(plan, ensemble, Settings(gap=0.0, method="extensive"))
    assert audited(plan, ensemble, found) == []
    return plan, ensemble, found, decided(found)


def earned(plan: Instance) -> float:
    """What 8 units earn in the last two quarters, millions."""
    return 8 * sum(plan.seconds(q) for q in (2, 3)) / (91.25 * 86400)


def test_without_answers_the_order_stands_in_both() -> None:
    """Eight units cost 8 m, keep 1/8 of it, and earn in one future of two."""
    plan, _, found, told = solved_with()
    assert told.orders == {(0, 0, 0, 0): 8}
    assert found.objective == pytest.approx(-8 + 8 / 8 + earned(plan) / 2)


def test_a_cancelled_order_costs_its_fee() -> None:
    """Where nothing is asked for the 8 units are given back before they arrive, at a tenth of their price."""
    plan, ensemble, found, told = solved_with(cancel=0.1)
    assert told.answers == {("cancel", 0, 0, 0, 1, 0): 8}
    assert found.objective == pytest.approx(0.5 * -0.8 + 0.5 * (-8 + 1 + earned(plan)))
    more = replace(told, answers={("cancel", 0, 0, 0, 1, 0): 9})
    assert any("9 given back of 8 ordered" in text for text in audited(plan, ensemble, found, more))


def test_machines_resold_bring_what_they_are_worth_less_the_discount() -> None:
    """Known in the third quarter only, a machine a quarter old is worth half: 70 % of that is had for it."""
    plan, ensemble = two_sites(resell=0.3)
    late = replace(ensemble, node=np.array([[0, 0, 0, 0], [0, 0, 1, 1]]))
    found = optimise(plan, late, Settings(gap=0.0, method="extensive"))
    assert audited(plan, late, found) == []
    assert decided(found).answers == {("resell", 0, 0, 0, 2, 0): 8}
    assert found.objective == pytest.approx(0.5 * (-8 + 8 * 0.5 * 0.7) + 0.5 * (-8 + 1 + earned(plan)))


def test_machines_move_where_they_are_asked_for() -> None:
    """The service runs there alone; moving 8 machines from here costs half their price and no quarter."""
    plan, ensemble = two_sites(move=0.5, still=0)
    there = replace(plan.services[0], rates={1: 1e3})
    plan = replace(
        plan, services=(there,), budgets=(replace(plan.budgets[0], orders=frozenset({(0, 0), (1, 2), (1, 1)})),)
    )
    late = replace(ensemble, node=np.array([[0, 0, 0, 0], [0, 0, 1, 1]]))
    found = optimise(plan, late, Settings(gap=0.0, method="extensive"))
    assert audited(plan, late, found) == []
    assert found.objective == pytest.approx(max(0.0, -8 + 1 + 0.5 * (earned(plan) - 4)))
    cheap = replace(late, rights=Rights(move=0.05, still=0))
    better = optimise(plan, cheap, Settings(gap=0.0, method="extensive"))
    assert better.objective == pytest.approx(max(0.0, -8 + 1 + 0.5 * (earned(plan) - 0.4)))
    if better.objective > 0:
        assert decided(better).answers == {("move", 0, 1, 0, 2, 1): 8}


def test_a_reservation_holds_the_price() -> None:
    """The price triples where the machines are asked for: a tenth paid ahead holds that of today."""
    plan, ensemble = two_sites(reserve=0.1, hold=3)
    dear = np.ones((2, 2, 4))
    dear[1, 0, 1:] = 3.0
    plan = replace(plan, budgets=(replace(plan.budgets[0], orders=frozenset({(0, 0), (0, 1)})),))
    ensemble = replace(ensemble, price=dear)
    found = optimise(plan, ensemble, Settings(gap=0.0, method="extensive"))
    assert audited(plan, ensemble, found) == []
    told = decided(found)
    assert told.answers == {("reserve", 0, 0, 0, 0): 8, ("call", 0, 0, 0, 1, 1): 8}
    kept = 8 * 0.5**2
    assert found.objective == pytest.approx(-0.8 + 0.5 * (-7.2 + kept + earned(plan)))
    stolen = replace(told, answers={("call", 0, 0, 0, 1, 1): 8})
    assert any("called more than reserved" in text for text in audited(plan, ensemble, found, stolen))


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("cancel: {fee: 0%}", "cancel: fee 0%; expected more than 0% and less than 100%"),
        ("reserve: {fee: 100%}", "reserve: fee 100%; expected more than 0% and less than 100%"),
        ("resell: {discount: 130%}", "'130%' is not a share"),
        ("move: {cots: 5%}", "cots"),
        ("move: {still_quarters: 9}", "got 9; expected 4 or less"),
    ],
)
def test_answers_that_cannot_be_are_refused(block: str, words: str) -> None:
    """Answers for nothing, or that give nothing, and slips of the pen, each at its line."""
    text = Path(__file__).with_name("small.yaml").read_text(encoding="utf-8")
    wrong = text.replace("futures:\n", f"futures:\n  {block}\n", 1)
    assert wrong != text
    with pytest.raises(ScenarioError) as caught:
        read_scenario(wrong, "wrong.yaml")
    assert words in str(caught.value)
    assert "wrong.yaml:" in str(caught.value)
