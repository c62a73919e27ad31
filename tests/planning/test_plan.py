"""Plans from scenario files to audited records, and an audit that catches every kind of corruption."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from outlay.catalog import Catalog
from outlay.errors import AuditError, InfeasibleError, ScenarioError
from outlay.performance import search
from outlay.planning import Plan, plan
from outlay.planning.audit import audit, require
from outlay.planning.result import Purchase
from outlay.planning.work import Work, training_blocks
from outlay.scenario.load import load_scenario, read_scenario
from outlay.scenario.schema import Scenario

TEXT = """\
outlay: 1
name: two-sources
title: Two sources
knowledge_date: 2025-01-22
horizon: {start: 2025Q1, quarters: 4}
currency: USD
buyer: {name: Me, headquarters: CN, parent: CN}
budgets:
  - {name: home, amount: 400 million CNY, pays_for: [buy, energy], where: {countries: [CN]}, spend_at_least: 80%}
  - {name: abroad, amount: 30 million USD, pays_for: [buy, lease], where: {not_countries: [CN]}}
sourcing:
  - {name: domestic, share: 60%, kind: exact, base: budget-value, budget: home, of: {vendor_countries: [CN]}}
sites:
  - {name: Inland, country: CN, power: 4 MW, pue: 1.25, energy_price: 0.42 CNY/kWh, ready: 2025Q1, modes: [buy]}
  - {name: North, country: "NO", power: {2025Q1: 1 MW, 2025Q3: 2 MW}, pue: 1.2, energy_price: 0.6 NOK/kWh,
     ready: 2025Q1, modes: [buy, lease], owner_headquarters: "NO"}
systems: [H20 8-GPU server (HGX H20), Atlas 800T A2 training server, DGX H100]
supply:
  - {chip: H20, chips: 800, mode: buy}
  - {chip: H100, chips: 512, mode: lease}
default_supply: 1000
training:
  - {name: base, model: Llama-3.1-8B, tokens: 2 trillion tokens, sequence: 8192, value: 20 million USD,
     where: {not_countries: [CN]}, deadline: 2025Q4}
services:
  - name: chat
    model: Llama-3.1-8B
    demand: {2025Q1: 50 billion tokens/day, 2025Q3: 200 billion tokens/day}
    peak_factor: 1.5
    input_tokens: 1000
    output_tokens: 250
    ttft: 2 s
    tpot: 60 ms
    dtype: bf16
    price: 0.3 USD/million tokens
    where: {countries: [CN]}
objective: {maximise: value, discount_rate: 8%}
"""
CATALOG = Catalog.load()


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A small scenario with purchases at home, leases abroad, a run and a service."""
    return read_scenario(TEXT, "two-sources.yaml")


@pytest.fixture(scope="module")
def found(scenario: Scenario) -> Plan:
    """Its plan."""
    return plan(scenario, gap=0.001)


def test_the_plan_keeps_its_limits(found: Plan) -> None:
    """Money in its own currency, the share within one system, power, law, and an audit that agrees."""
    assert found.status == "optimal"
    assert found.audit.ok
    assert len(found.audit.checks) > 50
    for use in found.budgets:
        assert use.spent <= use.limit * (1 + 1e-9)
    assert found.budgets[0].spent >= 0.8 * found.budgets[0].limit
    share = found.sourcing[0]
    assert share.achieved is not None
    assert abs(share.achieved - 0.6) <= share.tolerance + 1e-9
    for site in found.sites:
        assert all(site.power[q] <= site.limit[q] * (1 + 1e-9) for q in found.quarters)


def test_the_rules_are_got_round_and_said_so(found: Plan) -> None:
    """A group from China may not buy the H100 in Norway; the plan rents it there, and says why."""
    abroad = [purchase for purchase in found.purchases if purchase.country == "NO"]
    assert abroad
    assert all(purchase.mode == "lease" for purchase in abroad if purchase.chip == "H100 SXM")
    closed = [way for way in found.blocked if way.mode == "buy" and way.country == "NO" and way.chip == "H100 SXM"]
    assert closed
    assert closed[0].code == "LICENCE_PD"
    assert any("rents it there from others instead" in note for note in found.notes)


def test_the_plan_is_plain_json(found: Plan) -> None:
    """Every value is a plain number, text or truth value."""
    from outlay.report.document import to_json

    document = json.loads(to_json(found))
    assert document["audit"]["ok"] is True
    assert {"scenario", "status", "gap", "solve_s", "purchases", "budgets", "sourcing", "workloads", "limits"} <= set(
        document
    )


def test_the_same_input_gives_the_same_plan(scenario: Scenario, found: Plan) -> None:
    """Run to run, to the last unit."""
    again = plan(scenario, gap=0.001)
    assert again.purchases == found.purchases
    assert again.input_hash == found.input_hash


def test_money_adds_up(found: Plan) -> None:
    """The parts of the objective sum to it, and flows to what orders cost."""
    parts = sum(found.money.values())
    assert parts == pytest.approx(found.objective, rel=1e-6)
    spent = sum(p.cost * found.fx["USD"] / found.fx[p.currency] for p in found.purchases)
    assert sum(flow[-1] for flow in found.flows) == pytest.approx(spent, rel=1e-6)


def test_every_price_and_assumption_has_a_witness(found: Plan) -> None:
    """What was bought is priced by someone, and its power known from somewhere."""
    told = " ".join(item.what for item in found.evidence)
    for system in {purchase.system for purchase in found.purchases}:
        assert f"power of {system}" in told
        assert system in told


Corruption = Callable[[Plan], Plan]


def first_purchase(found: Plan, **changes: object) -> Plan:
    """Change the first purchase of a plan."""
    first, *others = found.purchases
    return replace(found, purchases=[replace(first, **changes), *others])  # type: ignore[arg-type]


def scaled(found: Plan, factor: int) -> Plan:
    """Buy a multiple of everything."""
    more = [replace(p, units=p.units * factor, chips=p.chips * factor, cost=p.cost * factor) for p in found.purchases]
    return replace(found, purchases=more)


def serves(found: Plan, purchase: Purchase) -> bool:
    """Whether any service runs on the machines of a purchase."""
    place = f"{purchase.system} @ {purchase.site}"
    return any(place in service.by_system for service in found.services)


CORRUPTIONS: dict[str, tuple[str, Corruption]] = {
    "half a unit": ("whole units", lambda p: first_purchase(p, units=0)),
    "a price of nothing": (", price", lambda p: first_purchase(p, cost=1.0)),
    "a site that does not lease": (", site", lambda p: first_purchase(p, mode="lease", until="2025Q4")),
    "no lead time": ("lead time", lambda p: first_purchase(p, in_use=p.purchases[0].quarter)),
    "more than the budget": ("budget home", lambda p: scaled(p, 9)),
    "spending told too low": (
        "as told",
        lambda p: replace(p, budgets=[replace(b, spent=b.spent / 2) for b in p.budgets]),
    ),
    "nothing spent": ("least spending", lambda p: replace(p, purchases=[])),
    "money of another budget": ("what it may pay for", lambda p: first_purchase(p, budget="abroad", currency="USD")),
    "more chips than there are": ("supply of", lambda p: scaled(p, 9)),
    "more power than there is": ("power at", lambda p: scaled(p, 9)),
    "another share": (
        "sourcing domestic",
        lambda p: replace(p, purchases=[x for x in p.purchases if x.vendor_country != "CN"]),
    ),
    "what the rules forbid": (
        ", rules",
        lambda p: replace(
            p,
            purchases=[replace(x, mode="buy", until=None) if x.chip == "H100 SXM" else x for x in p.purchases],
        ),
    ),
    "work without machines": (
        "chips at work",
        lambda p: replace(p, purchases=[x for x in p.purchases if not serves(p, x)]),
    ),
    "more served than asked": (
        "served in",
        lambda p: replace(p, services=[replace(s, served={q: v * 3 for q, v in s.served.items()}) for s in p.services]),
    ),
    "a run past its deadline": (
        "window",
        lambda p: replace(
            p, training=[replace(t, stages=[replace(s, last="2026Q2") for s in t.stages]) for t in p.training]
        ),
    ),
    "a run longer than its stage": (
        ", days",
        lambda p: replace(p, training=[replace(t, days=900.0) for t in p.training]),
    ),
    "a run at home": (
        "where it may run",
        lambda p: replace(
            p, training=[replace(t, stages=[replace(s, site="Inland") for s in t.stages]) for t in p.training]
        ),
    ),
}


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_audit_catches_each_kind_of_corruption(scenario: Scenario, found: Plan, kind: str) -> None:
    """Whatever goes wrong in a plan, a check by name fails, and loudly."""
    part, corrupt = CORRUPTIONS[kind]
    result = audit(corrupt(found), scenario, CATALOG)
    failed = [check.name for check in result.checks if not check.ok]
    assert not result.ok
    assert any(part in name for name in failed), failed
    with pytest.raises(AuditError, match="breaks its own limits"):
        require(result)


def test_a_share_of_all_spending_that_cannot_hold_is_explained() -> None:
    """A floor of 30 % on all spending cannot hold when most money must go abroad; the plan says what could."""
    text = TEXT.replace(
        "sourcing:\n",
        "sourcing:\n  - {name: beijing, share: 30%, kind: floor, base: all-value, of: {vendor_countries: [CN]}}\n",
    )
    text = text.replace(
        "amount: 30 million USD, pays_for: [buy, lease], where: {not_countries: [CN]}}",
        "amount: 30 million USD, pays_for: [buy, lease], where: {not_countries: [CN]}, spend_at_least: 99%}",
    )
    text = text.replace("modes: [buy, lease]", "modes: [lease]").replace("pays_for: [buy, lease]", "pays_for: [lease]")
    text = text.replace("amount: 400 million CNY", "amount: 100 million CNY").replace("chips: 512", "chips: 8192")
    text = text.replace("power: {2025Q1: 1 MW, 2025Q3: 2 MW}", "power: 40 MW")
    with pytest.raises(InfeasibleError) as caught:
        plan(read_scenario(text, "clash.yaml"))
    error = caught.value
    assert any("sourcing beijing: at least 30.0% by value of all spending" in limit for limit in error.conflict)
    ways = " ".join(error.relaxations)
    assert "lower sourcing beijing from 30.0% to" in ways


def test_a_model_that_fits_nothing_is_refused() -> None:
    """A run on a site too small for its weights: the message names the run, the model and the memory."""
    text = TEXT.replace("model: Llama-3.1-8B, tokens", "model: Llama-3.1-405B, tokens")
    text = text.replace("power: {2025Q1: 1 MW, 2025Q3: 2 MW}", "power: 15 kW")
    with pytest.raises(ScenarioError, match=r"training run 'base': model 'Llama-3.1-405B' fits no system on offer"):
        plan(read_scenario(text, "small.yaml"))


def test_a_run_that_must_and_cannot_end_in_time_is_said_so() -> None:
    """More tokens than the site can train in the horizon: no plan, and the reason names the run."""
    text = TEXT.replace("tokens: 2 trillion tokens", "must: true, tokens: 900 trillion tokens")
    with pytest.raises(InfeasibleError) as caught:
        plan(read_scenario(text, "clash.yaml"))
    assert any("training run base" in limit for limit in caught.value.conflict)


def test_nothing_on_offer_is_an_error_of_the_scenario() -> None:
    """Where the rules and the prices leave no way at all."""
    text = TEXT.replace(
        "systems: [H20 8-GPU server (HGX H20), Atlas 800T A2 training server, DGX H100]", "systems: [B300]"
    )
    text = text.replace("modes: [buy, lease]", "modes: [buy]").replace("pays_for: [buy, lease]", "pays_for: [buy]")
    with pytest.raises(ScenarioError, match="nothing can be bought or leased anywhere"):
        plan(read_scenario(text, "none.yaml"))


def test_runs_that_ask_alike_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two runs of one model, the second reads more tokens: it finds the first's estimates, and takes longer."""
    catalog, asked, ask = Catalog.load(), [], search.best_training
    monkeypatch.setattr(search, "best_training", lambda *given, **more: asked.append(given[2]) or ask(*given, **more))
    one = next(run for run in load_scenario("bytedance-2025").training if run.model == "DeepSeek-V3")
    more = one.model_copy(update={"name": "more", "tokens": 2 * one.tokens})
    work, model, system = Work(), catalog.model("DeepSeek-V3"), catalog.system("DGX H100")
    blocks = [training_blocks(run, model, system, catalog, 2048, work) for run in (one, more)]
    assert len(asked) == len(set(asked)) == len(work.asked)
    assert all(blocks[1].get(quarters, float("inf")) > units for quarters, units in blocks[0].items())
