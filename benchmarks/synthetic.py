"""An instance shaped like the product's problem, of any size, and futures over it: a fixed seed, no fact."""

from __future__ import annotations

import numpy as np

from outlay.planning.futures.ensemble import Ensemble
from outlay.planning.instance import Budget, Instance, Option, Service, Site, Sourcing, Supply
from outlay.units import Quarter

LOT = 256
KINDS = (("advanced", "US", 3.0, 32_000.0), ("cut-down", "US", 1.2, 13_000.0), ("domestic", "CN", 0.9, 12_000.0))


def instance(systems: int = 24, sites: int = 8, quarters: int = 20, services: int = 12, seed: int = 5) -> Instance:
    """Return an instance: half the sites in China; advanced chips abroad alone, the others anywhere."""
    draw = np.random.default_rng(seed)
    when = tuple(Quarter(2025, 1) + t for t in range(quarters))
    places = tuple(
        Site(
            f"site {s}",
            "CN" if s < sites // 2 else "MY",
            1.3,
            tuple(60e6 * (1 + t / quarters) for t in range(quarters)),
        )
        for s in range(sites)
    )
    options: list[Option] = []
    for c in range(systems):
        name, country, speed, price = KINDS[
            min(2, c * 8 // (3 * systems)) if c < systems * 3 // 8 else 1 + (c % 3 != 0)
        ]
        factor = float(draw.uniform(0.8, 1.25))
        launch = int(draw.integers(0, max(1, quarters // 2)))
        for s, place in enumerate(places):
            at_home = place.country == "CN"
            if at_home and name == "advanced":
                continue
            legal = tuple(t >= launch for t in range(quarters))
            options.append(
                Option(
                    mode="buy",
                    system=f"{name} {c}",
                    chip=f"{name} {c}",
                    vendor=f"{name} maker",
                    vendor_country=country,
                    site=s,
                    chips=LOT,
                    watts=LOT * 900.0,
                    compute=LOT * speed * factor * 3e14,
                    price=LOT * price * factor * float(draw.uniform(0.9, 1.1)),
                    currency="USD",
                    lead=1 + c % 3,
                    term=None,
                    running=0.0,
                    energy_share=0.0,
                    legal=legal,
                    codes=("NLR",) * quarters,
                    rules=((),) * quarters,
                )
            )
    home = frozenset(k for k, o in enumerate(options) if places[o.site].country == "CN")
    abroad = frozenset(range(len(options))) - home
    every = range(quarters)
    budgets = tuple(
        Budget(
            f"{side} {y}",
            1.2e9 * (1 + y / 3),
            "USD",
            0.0,
            frozenset((k, t) for k in members for t in every if t // 4 == y),
        )
        for side, members in (("home", home), ("abroad", abroad))
        for y in range((quarters + 3) // 4)
    )
    share = tuple(
        Sourcing(
            f"domestic {b.name}",
            "floor",
            "budget-value",
            0.3,
            frozenset(k for k in home if options[k].vendor_country == "CN"),
            frozenset((k, i) for k in home),
            tuple(o.price for o in options),
        )
        for i, b in enumerate(budgets)
        if b.name.startswith("home")
    )
    supply = tuple(
        Supply(chip, frozenset(k for k, o in enumerate(options) if o.chip == chip), (LOT * 16.0,) * quarters)
        for chip in dict.fromkeys(o.chip for o in options)
    )
    work = []
    for w in range(services):
        side = (home, abroad, home | abroad, home | abroad)[w % 4]
        base = float(draw.uniform(0.5, 1.5)) * 2e6
        price = float(draw.uniform(0.8, 1.4))
        fit = {o.system: float(draw.uniform(0.6, 1.4)) for o in options}
        rates = {k: options[k].compute / 3e14 * fit[options[k].system] for k in sorted(side)}
        demand = tuple(base / services * 12 * 0.02 * (1 + 0.25 * t) for t in every)
        work.append(Service(f"work {w}", demand, 1.5, 5e-4 * price, 2e-5 * price, rates))
    return Instance(
        quarters=when,
        currency="USD",
        rate={"USD": 1.0},
        discount=0.1,
        salvage_per_year=0.65,
        reserve_value=1.0,
        objective="value",
        options=tuple(options),
        sites=places,
        budgets=budgets,
        supply=supply,
        sourcing=share,
        services=tuple(work),
        runs=(),
        blocks=(),
    )


def futures(plan: Instance, count: int, seed: int = 11) -> Ensemble:
    """Return futures: demand paths, a day on which cut-down chips stop, squeezes of supply, late deliveries."""
    draw = np.random.default_rng(seed)
    options, quarters, services = len(plan.options), len(plan.quarters), len(plan.services)
    legal = np.array([option.legal for option in plan.options], dtype=float)
    share = np.repeat(legal[None], count, axis=0)
    lead = np.array([option.lead for option in plan.options])
    cut = np.array([option.system.startswith("cut-down") for option in plan.options])
    chips = [option.chip for option in plan.options]
    names = list(dict.fromkeys(chips))
    delay = np.zeros((count, options, quarters), dtype=np.int64)
    demand = np.zeros((count, services, quarters))
    asked = np.array([service.demand for service in plan.services])
    for n in range(count):
        stop = int(draw.integers(1, 2 * quarters))
        for k in np.flatnonzero(cut):
            share[n, k, max(0, stop - lead[k]) :] = 0.0
        squeeze = dict(zip(names, draw.uniform(0.4, 1.0, len(names)), strict=True))
        late = dict(zip(names, draw.random(len(names)) < 0.2, strict=True))
        share[n] *= np.array([squeeze[c] for c in chips])[:, None]
        delay[n] = np.array([int(late[c]) for c in chips])[:, None]
        steps = draw.normal(0.0, 0.08, (services, quarters)) + draw.normal(0.0, 0.06, quarters)
        demand[n] = asked * np.exp(np.cumsum(steps, axis=1))
    return Ensemble(
        names=tuple(f"future {n}" for n in range(count)),
        probability=np.full(count, 1.0 / count),
        share=share,
        price=np.ones((count, options, quarters)),
        delay=delay,
        demand=demand,
        power=np.repeat(np.array([site.power for site in plan.sites])[None], count, axis=0),
        node=np.zeros((count, quarters), dtype=np.int64),
        happenings=((),) * count,
    )
