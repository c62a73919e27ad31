"""Money over futures is that of one future: contracts, loans, price paths, upkeep; checked by the audit's own sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import outlay
from outlay.planning.build import build
from outlay.planning.futures import audit_money
from outlay.planning.futures.audit import audit
from outlay.planning.futures.ensemble import certain
from outlay.planning.futures.solve import Settings, Solved, deployments, optimise
from outlay.planning.futures.stress import stress
from outlay.planning.futures.told import decided
from outlay.planning.instance import Instance
from outlay.planning.result import Plan
from outlay.planning.solve import optimise as optimise_one
from outlay.scenario.load import bundled, bundled_text, read_scenario
from outlay.units import Quarter

GAP = 0.0005
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n == "bytedance-2025" else n for n in bundled()]


def audited(instance: Instance, solved: Solved, **changes: object) -> list[str]:
    """Return what the audit finds wrong with a plan of one future, with some of its decisions changed."""
    done, _, recourse = deployments(solved.decisions, solved.x)
    pools = {k: int(pool) for k, pool in enumerate(recourse.pool)}
    told = replace(decided(solved), **changes)  # type: ignore[arg-type]
    return [check.detail for check in audit(instance, certain(instance), told, done, pools).checks if not check.ok]


@pytest.mark.parametrize("name", NAMES)
def test_one_future_is_the_plan_of_one_future(name: str, built: Callable[[str], Instance]) -> None:
    """The same objective to the gap, each within the other's bound, with the scenario's contracts, loans and paths."""
    instance = built(name)
    one = optimise_one(instance, gap=GAP, time_limit_s=300)
    many = optimise(instance, certain(instance), Settings(gap=GAP))
    assert one is not None
    sign = 1.0 if instance.objective == "value" else -1.0
    assert sign * many.objective == pytest.approx(one.solution.objective, rel=2 * GAP)
    slack = 1e-6 * abs(many.objective)
    assert sign * one.solution.objective <= many.bound + slack
    assert many.objective <= sign * one.solution.bound + slack
    assert audited(instance, many) == []


@pytest.fixture(scope="module")
def financed() -> tuple[Instance, Solved]:
    """The scenario of debt in its one future, with tokens at double their price, which both of its loans pay at."""
    text = bundled_text("texas-wisconsin-2025").replace("price: 0.16 USD", "price: 0.30 USD")
    instance = build(read_scenario(text, "dear.yaml")).instance
    return instance, optimise(instance, certain(instance), Settings(gap=GAP))


def test_loans_are_drawn_and_audited(financed: tuple[Instance, Solved]) -> None:
    """Both facilities are drawn; a draw more than the facility, or than its share of what is paid, is found."""
    instance, solved = financed
    draws = decided(solved).draws
    assert {c for c, _, _ in draws} == {0, 1}
    first = min(draws)
    more = {**draws, first: draws[first] + instance.credits[0].loan.amount}
    found = " ".join(audited(instance, solved, draws=more))
    assert "loan Texas facility" in found
    less = {key: amount / 2 for key, amount in draws.items()}
    assert "budget" in " ".join(audited(instance, solved, draws=less))


@pytest.mark.parametrize("name", ["texas-wisconsin-2025", "gulf-sovereign-2025", "us-lab-2025"])
def test_the_audit_sums_by_itself_what_the_plan_counts(name: str, built: Callable[[str], Instance]) -> None:
    """Payments, present values and worth at the end of every order on offer, by two codes."""
    instance = built(name)
    length = len(instance.quarters)
    for k, t in sorted({pair for budget in instance.budgets for pair in budget.orders}):
        option = instance.options[k]
        if t + option.lead >= length:
            continue
        rate = instance.rate[option.currency]
        assert audit_money.cost(instance, option, t) == pytest.approx(option.order_cost(t, length) * rate)
        assert audit_money.present(instance, option, t) == pytest.approx(instance.spent(option, t))
        assert audit_money.left(instance, option, t) == pytest.approx(instance.salvage(option, t))


def test_a_plan_with_loans_goes_through_stress(planned: Callable[[str], Plan]) -> None:
    """Its own value as known today is that of the plan, loans included, and stays so where nothing happens."""
    today = planned("texas-wisconsin-2025")
    found = stress(outlay.load("texas-wisconsin-2025"), today, count=20)
    assert found.as_known == pytest.approx(today.objective, rel=1e-4)


def test_quarters_pay_as_the_schedule_says(financed: tuple[Instance, Solved]) -> None:
    """Each loan run again quarter by quarter comes to the present value the optimiser counts a draw at."""
    instance, solved = financed
    from outlay.planning.credit import fixed_cost, worth

    assert instance.quarters[0] == Quarter.parse(str(instance.quarters[0]))
    for c, credit in enumerate(instance.credits):
        draws = {t: amount for (other, t, _), amount in decided(solved).draws.items() if other == c}
        counted = sum(amount * worth(instance, credit, t) for t, amount in draws.items()) - fixed_cost(instance, credit)
        assert audit_money.loan_value(instance, credit, draws) == pytest.approx(counted)
