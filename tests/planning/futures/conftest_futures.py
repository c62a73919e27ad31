"""Random instances with every kind of limit, and random futures over them."""

from __future__ import annotations

import numpy as np
from tests.planning import options

from outlay.planning.futures.ensemble import Ensemble
from outlay.planning.instance import Block, Budget, Instance, Option, Run, Service, Site, Sourcing, Supply
from outlay.units import Quarter


def option(system: str, price: float, quarters: int, **changes: object) -> Option:
    """Eight chips drawing 10 kW, bought in USD, in use at once unless changed."""
    return options.option(system, price, quarters, **changes)


def futures_of(plan: Instance, count: int, draw: np.random.Generator, *, tree: bool) -> Ensemble:
    """Return random futures of an instance, as a tree that splits in two each quarter or with nothing learnt."""
    options, quarters = len(plan.options), len(plan.quarters)
    legal = np.array([o.legal for o in plan.options], float)
    asked = np.array([service.demand for service in plan.services])
    node = np.zeros((count, quarters), np.int64)
    if tree:
        for t in range(1, quarters):
            node[:, t] = np.arange(count) * min(2**t, count) // count
    probability = draw.uniform(0.5, 1.5, count)
    return Ensemble(
        names=tuple(f"f{n}" for n in range(count)),
        probability=probability / probability.sum(),
        share=legal * draw.choice([0.0, 0.5, 1.0, 1.0], (count, options, quarters)),
        price=draw.choice([1.0, 1.0, 1.25], (count, options, quarters)),
        delay=draw.choice([0, 0, 1], (count, options, quarters)).astype(np.int64),
        demand=asked * draw.uniform(0.5, 2.0, (count, len(plan.services), 1)),
        power=np.array([s.power for s in plan.sites]) * draw.choice([0.5, 1.0, 1.0], (count, len(plan.sites), 1)),
        node=node,
        happenings=((),) * count,
        history=((),) * count,
    )


def random_instance(draw: np.random.Generator, *, training: bool) -> Instance:
    """Return a small instance with every kind of limit, at random."""
    quarters = int(draw.integers(2, 5))
    count = int(draw.integers(2, 5))
    sites = (Site("A", "US", 1.2, (6e5,) * quarters), Site("B", "CN", 1.0, (4e5,) * quarters))
    options = tuple(
        option(
            f"S{k // 2}",
            float(draw.uniform(0.5, 2.0)) * 1e6,
            quarters,
            site=k % 2,
            vendor_country=("US", "CN")[k // 2 % 2],
            lead=int(draw.integers(0, 2)),
            term=[None, 2][int(draw.integers(0, 2))],
            mode="buy",
            running=float(draw.uniform(0, 2e4)),
            legal=tuple(bool(v) for v in draw.random(quarters) < 0.85),
        )
        for k in range(2 * count)
    )
    ways = frozenset((k, t) for k in range(len(options)) for t in range(quarters))
    services = tuple(
        Service(
            f"w{w}",
            tuple(float(v) for v in draw.uniform(1e3, 2e4, quarters)),
            1.5,
            float(draw.uniform(0.5, 2.0)) * 1e-4,
            float(draw.uniform(0, 1e-5)),
            {k: float(draw.uniform(500, 2000)) for k in range(len(options)) if draw.random() < 0.8},
        )
        for w in range(2)
    )
    runs = (Run("train", 9e6, False),) if training else ()
    blocks = (
        tuple(Block(0, k, start, 1, units) for k in range(2) for start in range(1, quarters) for units in (3, 5))
        if training
        else ()
    )
    return Instance(
        quarters=tuple(Quarter(2025, 1) + t for t in range(quarters)),
        currency="USD",
        rate={"USD": 1.0},
        discount=0.1,
        salvage_per_year=0.6,
        reserve_value=1.0,
        objective="value",
        options=options,
        sites=sites,
        budgets=(Budget("money", 40e6, "USD", 0.0, ways),),
        supply=(Supply("S0", frozenset({0, 1}), (80.0,) * quarters),),
        sourcing=(
            Sourcing(
                "local",
                "floor",
                "all-value",
                0.2,
                frozenset(k for k, o in enumerate(options) if o.vendor_country == "CN"),
                frozenset((k, 0) for k in range(len(options))),
                tuple(o.price for o in options),
            ),
        ),
        services=services,
        runs=runs,
        blocks=blocks,
    )
