"""Contracts, loans and currencies in the optimiser: by hand, and from a scenario to an audited plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlay.catalog import Catalog
from outlay.errors import ScenarioError
from outlay.finance.debt import Loan
from outlay.planning import Plan, plan
from outlay.planning.audit import audit
from outlay.planning.build import build
from outlay.planning.credit import worth
from outlay.planning.dominance import undominated
from outlay.planning.extract import budgets, money, stock
from outlay.planning.instance import Budget, Credit, Instance, Option, Service, Site
from outlay.planning.solve import Outcome, optimise
from outlay.scenario.load import read_scenario
from outlay.scenario.schema import Scenario
from outlay.units import Quarter

CATALOG = Catalog.load()
QUARTERS = tuple(Quarter(2025, 1) + ahead for ahead in range(4))
YEAR = sum(quarter.days for quarter in QUARTERS) * 86400.0
TEXT = """\
outlay: 1
name: borrowed
title: Borrowed
knowledge_date: 2025-04-15
horizon: {start: 2025Q2, quarters: 6}
currency: USD
buyer: {name: Me, headquarters: US, parent: US}
budgets:
  - {name: capital, amount: 12 million USD, pays_for: [buy], books: [capital]}
  - {name: running, amount: 60 million USD, pays_for: [lease, energy, hosting, upkeep], books: [operating],
     }
sites:
  - {name: Home, country: US, power: 9 MW, pue: 1.25, energy_price: 0.08 USD/kWh, build_cost: 10 USD/W, ready: 2025Q2,
     modes: [buy]}
  - {name: Cloud, country: US, power: 9 MW, pue: 1.25, energy_price: 0.08 USD/kWh, ready: 2025Q2, modes: [lease],
     owner_headquarters: US}
  - {name: North, country: "NO", power: 1 MW, pue: 1.2, energy_price: 0.6 NOK/kWh, hosting_price: 130 USD/kW/month,
     ready: 2025Q2, modes: [buy]}
systems: [DGX H100, DGX H200]
services:
  - name: chat
    model: Llama-3.1-70B
    demand: {2025Q2: 100 billion tokens/day, 2025Q4: 400 billion tokens/day}
    input_tokens: 1000
    output_tokens: 300
    ttft: 1 s
    tpot: 50 ms
    price: 0.9 USD/million tokens
objective: {maximise: value}
finance:
  cost_of_capital: {debt_share: 40%, cost_of_debt: 7%, cost_of_equity: 13%, tax: 21%}
  inflation: 2.5%
  price_path: -11%
  contracts:
    - {kind: purchase}
    - {kind: finance lease, term_quarters: 8, sites: [North]}
    - {kind: on demand}
    - {kind: 1 year}
    - {kind: 3 years, rest: pay}
    - {kind: prepaid, rest: hand over}
  loans:
    - {name: bank, amount: 15 million USD, budget: capital, base_rate: 4.3%, margin: 2.5%, tenor_quarters: 12,
       grace_quarters: 3, upfront_fee: 1%, commitment_fee: 0.5%, share_of_cost: 60%, coverage: 1.3,
       service_from: running}
  currencies: {interest: {USD: 4.3%, NOK: 4.5%}}
"""


def option(**changes: object) -> Option:
    """A box of eight chips for 100 m USD."""
    base = Option(
        mode="buy", system="Box", chip="Box", vendor="V", vendor_country="US", site=0, chips=8, watts=1e4,
        compute=8e15, price=100e6, currency="USD", lead=0, term=None, running=0.0, energy_share=0.0,
        legal=(True,) * 4, codes=("NLR",) * 4, rules=((),) * 4,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def instance(options: tuple[Option, ...], budget: float, **changes: object) -> Instance:
    """One site, one budget, one service that earns 1 USD a thousand tokens, four quarters, no discount."""
    orders = frozenset((k, t) for k in range(len(options)) for t in range(4))
    base = Instance(
        quarters=QUARTERS, currency="USD", rate={"USD": 1.0}, discount=0.0, salvage_per_year=0.0, reserve_value=1.0,
        objective="value", options=options, sites=(Site("Here", "US", 1.0, (1e6,) * 4),),
        budgets=(Budget("money", budget, "USD", 0.0, orders),), supply=(), sourcing=(),
        services=(Service("chat", (1e5,) * 4, 1.0, 0.001, None, {0: 1e4}),), runs=(), blocks=(),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def solved(problem: Instance) -> Outcome:
    """Solve to the optimum; there must be one."""
    outcome = optimise(problem, gap=0.0, time_limit_s=20)
    assert outcome is not None
    return outcome


def test_a_lease_of_the_same_machines_joins_their_pool() -> None:
    """100 m buy one box; four payments of 20 m from the same money have five, and all serve as one kind."""
    lease = option(contract="finance lease", payments=(20e6,) * 4, pool=0)
    problem = instance((option(contract="purchase", payments=(100e6,)), lease), 100e6)
    outcome = solved(problem)
    assert sum(units for (k, _, _), units in outcome.orders.items() if k == 1) >= 1
    assert {k for k, _ in stock(problem, outcome)} == {0}
    use = budgets(problem, outcome)[0]
    assert use.spent <= 100e6 + 1e-3
    parts = money(problem, outcome)
    assert sum(parts.values()) == pytest.approx(outcome.solution.objective * 1e6)


def test_what_is_owed_after_the_horizon_counts_in_the_objective_and_not_in_the_budget() -> None:
    """Eight payments of 10 m, four within: the budget sees 40 m, the objective 80 m."""
    lease = option(contract="finance lease", payments=(10e6,) * 8, owed=True)
    problem = instance((lease,), 1e9)
    assert lease.order_cost(0, 4) == pytest.approx(40e6)
    assert problem.left_over(lease, 0) == pytest.approx(40e6)
    assert problem.spent(lease, 0) == pytest.approx(80e6)
    ahead = option(mode="lease", contract="prepaid", payments=(60e6,), term=6, refund=10e6)
    assert problem.left_over(ahead, 0) == pytest.approx(-20e6)
    assert problem.spent(ahead, 0) == pytest.approx(40e6)
    later = replace(problem, discount=0.1)
    assert later.left_over(lease, 0) == pytest.approx(10e6 * sum(1.1 ** -((t + 0.5) / 4) for t in range(4)))


def test_beaten_contracts_are_left_out_and_the_best_plan_stays() -> None:
    """At first 90 ahead beats 25 four times; later it would pay for quarters after the horizon out of the budget."""
    year = option(mode="lease", contract="1 year", payments=(25e6,) * 4, term=4)
    ahead = option(mode="lease", contract="prepaid", payments=(90e6,), term=4, refund=22.5e6, pool=0)
    daily = option(mode="lease", contract="on demand", payments=(30e6,), term=1, pool=0)
    problem = instance((year, ahead, daily), 500e6)
    pruned = undominated(problem)
    left = {(k, t) for k, t in pruned.budgets[0].orders}
    assert (0, 0) not in left
    assert {(1, 0), (2, 0), (0, 1)} <= left
    assert (2, 3) not in left  # one quarter is left, and the year's price for it is lower
    assert solved(pruned).solution.objective == pytest.approx(solved(problem).solution.objective)
    floor = replace(problem, budgets=(replace(problem.budgets[0], at_least=0.5),))
    assert undominated(floor).budgets == floor.budgets
    assert undominated(instance((year,), 1e9)).budgets[0].orders


def bank(**changes: object) -> Credit:
    """300 m at 8 % over three years, a year of grace, for the one budget."""
    terms = {"name": "bank", "currency": "USD", "amount": 300e6, "base_rate": 0.05, "margin": 0.03, "tenor": 12}
    return Credit(Loan(**{**terms, "grace": 4, **changes}), 0, 0.5)  # type: ignore[arg-type]


def test_a_loan_lets_a_budget_buy_more() -> None:
    """200 m buy two boxes; with half of each lent, four; interest at 2 % a quarter is in the objective."""
    problem = instance((option(),), 200e6)
    lent = replace(problem, credits=(bank(),))
    outcome = solved(lent)
    assert sum(solved(problem).orders.values()) == 2
    assert sum(outcome.orders.values()) == 4
    assert sum(outcome.draws.values()) == pytest.approx(200e6)
    earned = 4 * 1e4 * YEAR * 0.001
    assert outcome.solution.objective * 1e6 == pytest.approx(earned - 400e6 - 200e6 * 0.08)
    use = budgets(lent, outcome)[0]
    assert (use.spent, use.drawn) == pytest.approx((400e6, 200e6))
    assert sum(money(lent, outcome).values()) == pytest.approx(outcome.solution.objective * 1e6)


def test_a_loan_may_not_lend_more_than_its_facility_nor_than_its_share() -> None:
    """Room for fifty boxes of demand: a facility of 50 m gives one box in two hundred and fifty of money."""
    problem = replace(instance((option(),), 250e6), credits=(bank(amount=50e6),))
    outcome = solved(problem)
    assert sum(outcome.draws.values()) <= 50e6 * (1 + 1e-9)
    assert sum(outcome.orders.values()) == 3
    dear = replace(instance((option(),), 200e6), credits=(replace(bank(), share=0.0),))
    assert not solved(dear).draws


def test_service_paid_by_a_budget_takes_from_it() -> None:
    """With interest paid by the same budget, 16 m of 8 % on 200 m leave no room for the fourth box."""
    credit = replace(bank(), service_from=0)
    outcome = solved(replace(instance((option(),), 200e6), credits=(credit,)))
    assert sum(outcome.orders.values()) == 3


def test_a_draw_at_the_discount_rate_is_worth_nothing() -> None:
    """Borrowing at what money costs neither gains nor loses but for the timing within quarters."""
    problem = replace(instance((option(),), 1e9), discount=1.02**4 - 1)
    assert abs(worth(problem, bank(), 0)) < 0.011  # interest falls due half a quarter sooner than it accrues


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Every contract, a loan, a building, two currencies."""
    return read_scenario(TEXT, "borrowed.yaml")


@pytest.fixture(scope="module")
def found(scenario: Scenario) -> Plan:
    """Its plan."""
    return plan(scenario, gap=0.001)


def test_the_plan_chooses_contracts_and_draws_within_its_limits(found: Plan) -> None:
    """Booked where its budget covers it, borrowed against what was paid, audited with its own arithmetic."""
    assert found.audit.ok
    assert len({purchase.contract for purchase in found.purchases}) >= 2
    for purchase in found.purchases:
        assert purchase.booked == ("operating" if purchase.mode == "lease" else "capital")
        assert purchase.budget == ("running" if purchase.booked == "operating" else "capital")
    accounts = found.accounts
    assert accounts is not None
    loan = accounts.loans[0]
    assert 0 < sum(loan.draws) <= 15e6
    assert sum(loan.draws[3:]) == 0
    names = {check.name for check in found.audit.checks}
    assert {"loan bank", "loan bank, share of cost", "cash, orders", "cash, present value"} <= names


def test_evidence_tells_the_terms_and_rents_in_words(found: Plan) -> None:
    """What goes with machines bought, and the rents of each contract on offer, each with its source."""
    told = {item.what: item for item in found.evidence}
    if any(purchase.mode == "buy" for purchase in found.purchases):
        assert told["network"].value.startswith("0.11")
        assert told["network"].address.startswith("https://")
    assert any(what.startswith("price to rent ") for what in told)
    assert not [item for item in found.evidence if "Contract(" in item.value]


def test_accounts_hold_every_currency_and_the_cost_of_capital(found: Plan) -> None:
    """40 % at 7 % less tax and 60 % at 13 %; energy in kroner at parity; unit costs beside prices."""
    accounts = found.accounts
    assert accounts is not None
    assert accounts.discount == pytest.approx(0.4 * 0.07 * 0.79 + 0.6 * 0.13)
    assert accounts.real_discount == pytest.approx((1 + accounts.discount) / 1.025 - 1)
    kinds = {line.kind for line in accounts.lines}
    assert {"revenue", "draws", "interest", "fees", "upkeep", "energy"} <= kinds
    units = {unit.unit for unit in accounts.unit_costs}
    assert units == {"H100-equivalent hour", "million tokens"}
    assert all(unit.cost > 0 for unit in accounts.unit_costs)
    assert any(accounts.depreciation)
    assert len(accounts.depreciation) == len(accounts.quarters)
    widths = [swing.width for swing in accounts.tornado]
    assert widths == sorted(widths, reverse=True)
    if "NOK" in accounts.by_currency():
        assert accounts.rates_basis["NOK"].startswith("interest parity")


def test_the_audit_catches_money_that_does_not_add_up(found: Plan, scenario: Scenario) -> None:
    """A draw too many, interest left out, a line changed, a price shaved: each is caught by name."""
    accounts = found.accounts
    assert accounts is not None
    loan = accounts.loans[0]
    line = next(line for line in accounts.lines if line.kind in {"purchases", "rent"})
    dearer = [replace(x, amounts=[2 * a for a in x.amounts]) if x is line else x for x in accounts.lines]
    corrupt = {
        "loan bank": replace(accounts, loans=[replace(loan, draws=[16e6, *loan.draws[1:]])]),
        "loan bank, interest and repayments": replace(
            accounts, loans=[replace(loan, interest=[0.5 * x for x in loan.interest])]
        ),
        "cash, orders": replace(accounts, lines=dearer),
        "cash, net by quarter": replace(accounts, net=[x + 1e6 for x in accounts.net]),
        "cash, present value": replace(accounts, value=accounts.value * 1.5 + 1e6),
    }
    for name, changed in corrupt.items():
        checks = audit(replace(found, accounts=changed), scenario, CATALOG).checks
        assert name in {check.name for check in checks if not check.ok}, name
    shaved = [replace(found.purchases[0], cost=found.purchases[0].cost * 0.9), *found.purchases[1:]]
    wrong = audit(replace(found, purchases=shaved), scenario, CATALOG)
    assert any("price" in check.name for check in wrong.checks if not check.ok)


def test_a_plain_scenario_has_accounts_too() -> None:
    """Without a finance section money is counted as before, and its cash is shown."""
    head = (
        TEXT.split("finance:")[0]
        .replace(", upkeep]", "]")
        .replace("{maximise: value}", "{maximise: value, discount_rate: 8%}")
    )
    made = plan(read_scenario(head, "plain.yaml"), gap=0.001)
    assert made.audit.ok
    assert {purchase.contract for purchase in made.purchases} <= {""}
    assert made.accounts is not None
    assert made.accounts.discount == 0.08
    assert not made.accounts.loans


def test_rates_of_the_table_can_be_looked_back_at() -> None:
    """With `history` the accounts go by the monthly rates that came, as far as the table reaches."""
    told = TEXT.replace("{interest: {USD: 4.3%, NOK: 4.5%}}", "{history: true}")
    made = plan(read_scenario(told, "x.yaml"), gap=0.01).accounts
    assert made is not None
    if "NOK" in made.rates:
        assert made.rates_basis["NOK"] == "a path given"
        assert len(set(made.rates["NOK"])) > 1


def test_upkeep_makes_owning_dearer_and_is_counted_once(scenario: Scenario) -> None:
    """Network, storage, spares and freight are in the price; maintenance, staff and insurance in the quarters."""
    without = read_scenario(TEXT.replace("  inflation:", "  upkeep: false\n  inflation:"), "x.yaml")
    full, bare = (build(told, CATALOG).instance.options[0] for told in (scenario, without))
    assert full.payments[0] == pytest.approx(bare.payments[0] * (1 + 0.11 + 0.02 + 0.02 + 0.01))
    assert full.resale == bare.resale
    assert full.upkeep > 0 == bare.upkeep
    assert full.building == bare.building == pytest.approx(10 * full.watts * 1.085)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("tenor_quarters: 12", "tenor_quarters: 3", "its tenor of 3 quarters is not longer than its grace of 3"),
        ("base_rate: 4.3%", "base_rate: -120%", "expected one above -100%"),
        ("kind: 3 years, rest: pay", "kind: 3 years", "longer than the horizon of 6; say what becomes of the rest"),
        ("kind: on demand", "kind: by the hour", "on demand"),
        ("budget: capital, base", "budget: capitl, base", "unknown budget 'capitl'; nearest: capital"),
        ("service_from: running", "service_from: runing", "unknown budget 'runing'"),
        ("sites: [North]", "sites: [Nort]", "unknown site 'Nort'; nearest: North"),
        ("amount: 15 million USD", "amount: 15 million XAF", "give a rate under `fx`"),
        ("amount: 12 million USD", "amount: 12 million XAF", "give a rate under `fx`"),
        ("{USD: 4.3%, NOK: 4.5%}", "{NOK: 4.5%}", "give USD its interest too"),
        ("{maximise: value}", "{maximise: value, discount_rate: 8%}", "the rate is given twice"),
        ("books: [capital]", "books: [operating]", "pays to buy, booked as capital, and covers operating"),
        ("  inflation: 2.5%", "  terms: {netwrok: 0.1}", "unknown term 'netwrok'; nearest: network"),
        ("  inflation: 2.5%", "  terms: {server_life: 0}", "server_life is 0; expected from"),
        ("{kind: on demand}", "{kind: on demand, off: 5%}", "is of prepaid capacity"),
        ("{kind: purchase}", "{kind: purchase, price: 2 USD/chip/hour}", "a purchase has no rent"),
        ("cost_of_equity: 13%", "cost_of_equity: -100%", "expected one above -100%"),
    ],
)
def test_money_that_cannot_be_is_refused(old: str, new: str, message: str) -> None:
    """With file and line, what is wrong and the way out."""
    assert old in TEXT
    with pytest.raises(ScenarioError) as caught:
        read_scenario(TEXT.replace(old, new, 1), "borrowed.yaml")
    assert message in str(caught.value)
    assert "borrowed.yaml:" in str(caught.value)
