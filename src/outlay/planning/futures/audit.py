"""Re-checks a plan over futures, one future at a time: own loops over orders and work, no solver."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from outlay.planning.futures.ensemble import Ensemble
from outlay.planning.instance import Instance
from outlay.planning.result import Audit, AuditCheck

TOLERANCE = 1e-6
Order = tuple[int, int, int, int]
"""Option, quarter, budget, node."""


@dataclass(frozen=True)
class Deployment:
    """What is done in one future.

    Attributes
    ----------
    serving, unmet, missing
        Units at work by (service, pool, quarter), unmet peak tokens/s by (service, quarter), units missing by (block,
        quarter).
    value
        As told, millions.
    """

    serving: Mapping[tuple[int, int, int], float]
    unmet: Mapping[tuple[int, int], float]
    missing: Mapping[tuple[int, int], float]
    value: float


def audit(
    instance: Instance,
    ensemble: Ensemble,
    orders: Mapping[Order, int],
    blocks: list[int],
    deployments: list[Deployment],
    pools: Mapping[int, int],
) -> Audit:
    """Check every future, and that futures not told apart share their orders.

    Parameters
    ----------
    pools
        Option -> pool of machines that serve alike.
    """
    checks = list(_non_anticipative(ensemble, orders))
    for n in range(len(ensemble)):
        book = _Book(instance, ensemble, n, orders, blocks, deployments[n], pools)
        failed = [text for text in book.problems() if text]
        checks.append(
            AuditCheck(f"future {ensemble.names[n]}", not failed, "; ".join(failed[:3]) or "every limit holds")
        )
    return Audit(all(check.ok for check in checks), checks)


def _non_anticipative(ensemble: Ensemble, orders: Mapping[Order, int]) -> Iterator[AuditCheck]:
    """Futures with one node have one past, and so one set of orders up to it."""
    placed: dict[int, dict[tuple[int, int, int], int]] = {n: {} for n in range(len(ensemble))}
    for (k, t, b, node), units in orders.items():
        for n in range(len(ensemble)):
            if int(ensemble.node[n, t]) == node:
                placed[n][k, t, b] = units
    wrong = []
    for t in range(ensemble.quarters):
        first: dict[int, int] = {}
        for n in range(len(ensemble)):
            m = first.setdefault(int(ensemble.node[n, t]), n)
            same = {key: u for key, u in placed[n].items() if key[1] <= t} == {
                key: u for key, u in placed[m].items() if key[1] <= t
            }
            if not same:
                wrong.append(f"{ensemble.names[n]} and {ensemble.names[m]} in quarter {t + 1}")
    yield AuditCheck("orders use only what is known", not wrong, "; ".join(wrong[:3]) or "checked quarter by quarter")
    whole = all(isinstance(units, int) and units > 0 for units in orders.values())
    yield AuditCheck("whole units", whole, f"{len(orders)} orders")


class _Book:
    """One future of a plan."""

    def __init__(
        self,
        instance: Instance,
        ensemble: Ensemble,
        n: int,
        orders: Mapping[Order, int],
        blocks: list[int],
        done: Deployment,
        pools: Mapping[int, int],
    ) -> None:
        self.instance, self.ensemble, self.n, self.done, self.pools, self.blocks = (
            instance,
            ensemble,
            n,
            done,
            pools,
            blocks,
        )
        self.length = len(instance.quarters)
        self.orders = {
            (k, t, b): units for (k, t, b, node), units in orders.items() if int(ensemble.node[n, t]) == node
        }
        self.stock: dict[tuple[int, int], float] = defaultdict(float)
        self.planned: dict[tuple[int, int], float] = defaultdict(float)
        for (k, t, _), units in self.orders.items():
            option = instance.options[k]
            dear = float(ensemble.price[n, k, t])
            got = units * float(ensemble.share[n, k, t]) / dear
            first = t + option.lead + int(ensemble.delay[n, k, t])
            last = self.length if option.term is None else first + option.term
            for q in range(first, min(self.length, last)):
                self.stock[k, q] += got
            for q in option.in_use(t, self.length):
                self.planned[k, q] += units / dear

    def problems(self) -> Iterator[str]:
        """Yield every limit this future breaks, in words."""
        yield from self._money()
        yield from self._supply()
        yield from self._power()
        yield from self._machines()
        yield from self._demand()
        yield from self._value()

    def _money(self) -> Iterator[str]:
        for b, budget in enumerate(self.instance.budgets):
            own, spent = self.instance.rate[budget.currency], 0.0
            for (k, t, paid_by), units in self.orders.items():
                option = self.instance.options[k]
                if paid_by == b:
                    spent += units * option.order_cost(t, self.length) * self.instance.rate[option.currency] / own
                    if (k, t) not in budget.orders:
                        yield f"budget {budget.name} may not pay for {option.system}"
                for q in option.in_use(t, self.length):
                    for kind, part in (("energy", option.energy_share), ("hosting", 1 - option.energy_share)):
                        if (option.site, q, kind) in budget.running:
                            spent += units * option.running * part / own
            if spent > budget.limit * (1 + TOLERANCE):
                yield f"budget {budget.name}: {spent:,.0f} of {budget.limit:,.0f}"

    def _supply(self) -> Iterator[str]:
        for supply in self.instance.supply:
            arrived: dict[int, float] = defaultdict(float)
            for (k, t, _), units in self.orders.items():
                if k in supply.options:
                    option = self.instance.options[k]
                    got = float(self.ensemble.share[self.n, k, t]) / float(self.ensemble.price[self.n, k, t])
                    arrived[t + option.lead] += (
                        units * option.chips * min(got, 1.0 / float(self.ensemble.price[:, k, t].min()))
                    )
            for q, chips in arrived.items():
                if q < self.length and chips > supply.chips[q] * (1 + TOLERANCE) + TOLERANCE:
                    yield f"supply of {supply.name} in quarter {q + 1}: {chips:,.1f} of {supply.chips[q]:,.1f}"

    def _power(self) -> Iterator[str]:
        for s, site in enumerate(self.instance.sites):
            for q in range(self.length):
                drawn = sum(
                    units * self.instance.options[k].watts * site.pue
                    for (k, at), units in self.stock.items()
                    if at == q and self.instance.options[k].site == s
                )
                if drawn > site.power[q] * (1 + TOLERANCE) + 1.0 and not self._late(s):
                    limit = site.power[q] / 1e6
                    yield f"power at {site.name} in quarter {q + 1}: {drawn / 1e6:,.3f} of {limit:,.3f} MW"

    def _late(self, s: int) -> bool:
        """Late machines of a lease overlap the next ones; what works is held by the machines' own check."""
        return bool(self.ensemble.delay[self.n].any()) and any(
            o.site == s and o.term is not None for o in self.instance.options
        )

    def _machines(self) -> Iterator[str]:
        used: dict[tuple[int, int], float] = defaultdict(float)
        at_site: dict[tuple[int, int], float] = defaultdict(float)
        member = {pool: k for k, pool in self.pools.items()}
        alone = {pool: list(self.pools.values()).count(pool) == 1 for pool in set(self.pools.values())}

        def use(pool: int, q: int, units: float) -> None:
            used[pool, q] += units
            if alone[pool]:
                option = self.instance.options[member[pool]]
                at_site[option.site, q] += units * option.watts * self.instance.sites[option.site].pue

        for (_, pool, q), units in self.done.serving.items():
            use(pool, q, units)
        for i in self.blocks:
            block = self.instance.blocks[i]
            for q in range(block.start, block.start + block.quarters):
                use(self.pools[block.option], q, block.units - self.done.missing.get((i, q), 0.0))
        have: dict[tuple[int, int], float] = defaultdict(float)
        for (k, q), units in self.stock.items():
            have[self.pools[k], q] += units
        for (pool, q), units in used.items():
            if units > have[pool, q] * (1 + TOLERANCE) + TOLERANCE:
                name = self.instance.options[member[pool]].system
                yield f"{name} at work in quarter {q + 1}: {units:,.3f} of {have[pool, q]:,.3f}"
        for (s, q), watts in at_site.items():
            limit = float(self.ensemble.power[self.n, s, q])
            if watts > limit * (1 + TOLERANCE) + 1.0:
                name = self.instance.sites[s].name
                yield f"power used at {name} in quarter {q + 1}: {watts / 1e6:,.3f} of {limit / 1e6:,.3f} MW"

    def _demand(self) -> Iterator[str]:
        for w, service in enumerate(self.instance.services):
            for q in range(self.length):
                asked = float(self.ensemble.demand[self.n, w, q]) * service.peak_factor
                member = {pool: k for k, pool in self.pools.items()}
                served = sum(
                    units * service.rates[member[pool]]
                    for (v, pool, at), units in self.done.serving.items()
                    if v == w and at == q
                )
                left = self.done.unmet.get((w, q), 0.0)
                if abs(served + left - asked) > TOLERANCE * max(1.0, asked):
                    told = f"{served:,.1f} served and {left:,.1f} not, of {asked:,.1f}"
                    yield f"{service.name} in quarter {q + 1}: {told}"

    def _value(self) -> Iterator[str]:
        """Count the value afresh, where it is money earned."""
        if self.instance.objective != "value":
            return
        total = 0.0
        for (k, t, _), units in self.orders.items():
            option = self.instance.options[k]
            share = float(self.ensemble.share[self.n, k, t])
            got = units * share / float(self.ensemble.price[self.n, k, t])
            paid = (
                option.order_cost(t, self.length)
                * self.instance.rate[option.currency]
                * self.instance.discount_factor(t)
            )
            kept = share + (1 - share) * (1 - self.ensemble.refund)
            total -= self.instance.reserve_value * units * paid * kept
            running = sum(option.running * self.instance.discount_factor(q) for q in option.in_use(t, self.length))
            total += got * (self.instance.salvage(option, t) - running)
        member = {pool: k for k, pool in self.pools.items()}
        for (w, pool, q), busy in self.done.serving.items():
            service = self.instance.services[w]
            earned = busy * service.rates[member[pool]] * self.instance.seconds(q) / service.peak_factor
            total += earned * service.price * self.instance.discount_factor(q)
        for (w, q), left in self.done.unmet.items():
            service = self.instance.services[w]
            tokens = left * self.instance.seconds(q) / service.peak_factor
            total -= tokens * (service.penalty or 0.0) * self.instance.discount_factor(q)
        for i in self.blocks:
            block = self.instance.blocks[i]
            lost = sum(self.done.missing.get((i, q), 0.0) for q in range(block.start, block.start + block.quarters))
            worth = self.instance.runs[block.run].value * self.instance.discount_factor(
                block.start + block.quarters - 1
            )
            total += worth * (1 - lost / (block.units * block.quarters))
        told = self.done.value * 1e6
        if abs(total - told) > 1e-5 * max(1e6, abs(total)):
            yield f"value {told:,.0f} told, {total:,.0f} counted"
