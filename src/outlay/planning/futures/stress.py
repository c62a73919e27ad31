"""A fixed plan through thousands of futures: its value, which events break it, what would have mended it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError
from outlay.planning.futures.decisions import Decisions
from outlay.planning.futures.ensemble import Ensemble, Floats, certain
from outlay.planning.futures.recourse import Recourse
from outlay.planning.futures.subproblems import Subproblems
from outlay.planning.futures.tree import sample
from outlay.units import human

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.planning.instance import Instance
    from outlay.planning.result import Plan
    from outlay.scenario.schema import Scenario

MONEY = 1e6
BROKEN = 0.5
"""A future breaks a plan if it leaves less than this part of the value the plan has as known today."""
SIZE = 250
"""Futures evaluated at once."""
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Held:
    """Decisions held whatever comes, by index.

    Orders are units by (option, quarter, budget), draws money by (credit, quarter) in the loan's currency.
    """

    orders: dict[tuple[int, int, int], int]
    blocks: list[int]
    draws: dict[tuple[int, int], float]


@dataclass(frozen=True)
class EventEffect:
    """An event over the futures: its share, the mean value with and without it, how often the plan breaks."""

    event: str
    share: float
    value_with: float
    value_without: float
    broken_with: float
    broken_without: float


@dataclass(frozen=True)
class Mend:
    """One more unit of a system, and what it would have gained on average over the futures that break the plan."""

    system: str
    gain: float
    price: float
    words: str


@dataclass(frozen=True)
class Stress:
    """A plan under stress. Money is in ``currency``."""

    scenario: str
    currency: str
    futures: int
    as_known: float
    mean: float
    quantiles: dict[str, float]
    worst_tenth: float
    broken: float
    served: float
    events: list[EventEffect]
    mends: list[Mend]
    worst: list[dict[str, object]]
    seed: int


def stress(
    scenario: Scenario,
    plan: Plan | None = None,
    *,
    count: int = 2000,
    seed: int = 1,
    gap: float = 0.005,
    catalog: Catalog | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Stress:
    """Run a plan, or the best one as things are known today, through sampled futures; nothing is ordered anew in them.

    Raises
    ------
    InputError
        If the scenario has no futures, or the plan is of another scenario.
    """
    from outlay.catalog import Catalog
    from outlay.planning.build import build
    from outlay.planning.solve import optimise

    catalog = catalog or Catalog.load(Path(scenario.catalog) if scenario.catalog else None)
    problem = build(scenario, catalog, progress)
    instance = problem.instance
    ensemble = sample(scenario, instance, count, seed)
    if plan is None:
        progress("planning as known today")
        outcome = optimise(instance, gap=gap, time_limit_s=120, progress=progress)
        if outcome is None:
            msg = f"scenario {scenario.name} has no plan to stress; `outlay plan` says why"
            raise InputError(msg)
        held = Held(outcome.orders, outcome.blocks, outcome.draws)
    else:
        held = decisions_in(plan, instance, scenario.name)
    progress(f"running {count:,} futures")
    today = Decisions(instance, certain(instance))
    as_known = float(_values(today, fixed(today, held))[0][0])
    value, served, duals = _run(instance, ensemble, held)
    return _report(scenario, instance, ensemble, value, served, duals, as_known, seed)


def decisions_in(plan: Plan, instance: Instance, name: str) -> Held:
    """Return the decisions of a plan by index."""
    if plan.scenario != name:
        msg = f"the plan is of scenario {plan.scenario!r}, not of {name!r}"
        raise InputError(msg)
    options = {(o.mode, o.system, instance.sites[o.site].name, o.contract): k for k, o in enumerate(instance.options)}
    machines = {way[:3]: k for way, k in options.items() if instance.options[k].pool is None}
    quarters = {str(quarter): t for t, quarter in enumerate(instance.quarters)}
    budgets = {budget.name: b for b, budget in enumerate(instance.budgets)}
    orders: dict[tuple[int, int, int], int] = {}
    for purchase in plan.purchases:
        way = (purchase.mode, purchase.system, purchase.site, purchase.contract)
        if way not in options or purchase.quarter not in quarters or purchase.budget not in budgets:
            msg = (
                f"the plan has {purchase.mode} {purchase.system} at {purchase.site} in {purchase.quarter}, "
                "which the scenario no longer offers"
            )
            raise InputError(msg)
        key = (options[way], quarters[purchase.quarter], budgets[purchase.budget])
        orders[key] = orders.get(key, 0) + purchase.units
    blocks = []
    for run in plan.training:
        for stage in run.stages:
            wanted = (machines.get((stage.mode, stage.system, stage.site)), quarters[stage.first], quarters[stage.last])
            found = [
                i
                for i, block in enumerate(instance.blocks)
                if (block.option, block.start, block.start + block.quarters - 1) == wanted
                and instance.runs[block.run].name == run.name
            ]
            if not found:
                msg = (
                    f"the plan trains {run.name} on {stage.system} from {stage.first}, "
                    "which the scenario no longer offers"
                )
                raise InputError(msg)
            blocks.append(found[0])
    draws = {
        (c, t): amount
        for c, loan in enumerate(plan.accounts.loans if plan.accounts else [])
        for t, amount in enumerate(loan.draws)
        if amount
    }
    return Held(orders, blocks, draws)


def fixed(decisions: Decisions, held: Held) -> Floats:
    """Return decisions that hold orders, blocks and draws whatever comes: the same at every node."""
    at = decisions.columns
    x = np.zeros(decisions.size)
    for j in range(decisions.orders):
        x[j] = held.orders.get((int(at.option[j]), int(at.quarter[j]), int(at.budget[j])), 0)
    for i in held.blocks:
        x[decisions.orders + i] = 1.0
    for e, key in enumerate(decisions.further.key):
        if key[0] == "draw":
            x[decisions.further_at + e] = held.draws.get(key[1:3], 0.0) / MONEY
        elif key[0] == "loan":
            x[decisions.further_at + e] = 1.0
    return x


def _values(decisions: Decisions, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the value of each future, the part of demand it serves, and by pool what one more unit earns all along."""
    recourse = Recourse(decisions)
    found = Subproblems(recourse).answer(x, work=True)
    value = found.value + decisions.cash() @ x
    instance, ensemble = decisions.instance, decisions.ensemble
    asked, left = np.zeros(len(ensemble)), np.zeros(len(ensemble))
    for t, (quarter, work) in enumerate(zip(recourse.quarters, found.work, strict=True)):
        seconds, wide = instance.seconds(t), len(quarter.serve)
        for w, service in enumerate(instance.services):
            asked += ensemble.demand[:, w, t] * seconds
            left += work[:, wide + w] * 1e6 / service.peak_factor * seconds
    one_more = np.sum([y[:, : recourse.pools] for y in found.duals], axis=0)
    by_option = one_more[:, recourse.pool]
    served = 1.0 - np.divide(left, asked, out=np.zeros_like(left), where=asked > 0)
    return value, served, by_option


def _run(instance: Instance, ensemble: Ensemble, held: Held) -> tuple[Floats, Floats, Floats]:
    parts = []
    for start in range(0, len(ensemble), SIZE):
        some = ensemble.take(np.arange(start, min(len(ensemble), start + SIZE)))
        decisions = Decisions(instance, some)
        parts.append(_values(decisions, fixed(decisions, held)))
    value, served, duals = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return value, served, duals


def _report(
    scenario: Scenario,
    instance: Instance,
    ensemble: Ensemble,
    value: Floats,
    served: Floats,
    duals: Floats,
    as_known: float,
    seed: int,
) -> Stress:
    assert scenario.futures is not None
    line = as_known - (1 - BROKEN) * abs(as_known)
    broken = value < line
    ranked = np.argsort(value, kind="stable")
    titles = {event.name: event.title or event.name for event in scenario.futures.events}
    return Stress(
        scenario=scenario.name,
        currency=scenario.currency,
        futures=len(ensemble),
        as_known=as_known * MONEY,
        mean=float(value.mean()) * MONEY,
        quantiles={f"{q:.0%}": float(np.quantile(value, q)) * MONEY for q in QUANTILES},
        worst_tenth=float(value[ranked[: max(1, len(value) // 10)]].mean()) * MONEY,
        broken=float(broken.mean()),
        served=float(served.mean()),
        events=_events(ensemble, titles, value, broken),
        mends=_mends(instance, duals, broken, scenario.currency),
        worst=[
            {
                "value": float(value[n]) * MONEY,
                "served": float(served[n]),
                "happenings": list(ensemble.happenings[n]),
            }
            for n in ranked[:5]
        ],
        seed=seed,
    )


def _events(ensemble: Ensemble, titles: dict[str, str], value: Floats, broken: NDArray[np.bool_]) -> list[EventEffect]:
    found = []
    for name, title in titles.items():
        happens = np.array([name in dict(history) for history in ensemble.history])
        if not happens.any() or happens.all():
            continue
        found.append(
            EventEffect(
                event=title,
                share=float(happens.mean()),
                value_with=float(value[happens].mean()) * MONEY,
                value_without=float(value[~happens].mean()) * MONEY,
                broken_with=float(broken[happens].mean()),
                broken_without=float(broken[~happens].mean()),
            )
        )
    return sorted(found, key=lambda effect: effect.value_with - effect.value_without)


def _mends(instance: Instance, duals: Floats, broken: NDArray[np.bool_], currency: str) -> list[Mend]:
    """Rank systems by what one more unit from the first quarter on would have earned in broken futures."""
    if not broken.any():
        return []
    earned = duals[broken].mean(axis=0)
    best: dict[str, Mend] = {}
    for k, option in enumerate(instance.options):
        quarters = 1 if option.mode == "buy" else len(instance.quarters)
        price = option.price * instance.rate[option.currency] * quarters
        gain = float(earned[k]) * MONEY
        name = f"{option.mode} {option.system} at {instance.sites[option.site].name}"
        if gain > 0 and (
            option.system not in best or gain / price > best[option.system].gain / best[option.system].price
        ):
            words = (
                f"one more unit ({name}) there from the start would have earned {human(gain)} {currency} "
                f"for {human(price)}"
            )
            best[option.system] = Mend(name, gain, price, words)
    return sorted(best.values(), key=lambda mend: -mend.gain / mend.price)[:5]
