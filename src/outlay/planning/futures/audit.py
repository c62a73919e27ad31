"""Re-checks a plan over futures, one future at a time: own loops over orders and work, no solver."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from outlay.planning.futures import audit_money as money
from outlay.planning.futures.audit_money import Decided
from outlay.planning.futures.ensemble import Ensemble
from outlay.planning.instance import Instance, Option
from outlay.planning.result import Audit, AuditCheck

TOLERANCE = 1e-6


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
    instance: Instance, ensemble: Ensemble, decided: Decided, deployments: list[Deployment], pools: Mapping[int, int]
) -> Audit:
    """Check every future, and that futures not told apart share their decisions.

    Parameters
    ----------
    pools
        Option -> pool of machines that serve alike.
    """
    checks = list(_non_anticipative(ensemble, decided))
    for n in range(len(ensemble)):
        book = _Book(instance, ensemble, n, decided, deployments[n], pools)
        failed = [text for text in book.problems() if text]
        checks.append(
            AuditCheck(f"future {ensemble.names[n]}", not failed, "; ".join(failed[:3]) or "every limit holds")
        )
    return Audit(all(check.ok for check in checks), checks)


def _non_anticipative(ensemble: Ensemble, decided: Decided) -> Iterator[AuditCheck]:
    """Futures with one node have one past, and so one set of decisions up to it."""
    placed: dict[int, dict[object, float]] = {n: {} for n in range(len(ensemble))}
    dated: list[tuple[object, int, int, float]] = [
        ((k, t, b), t, node, float(units)) for (k, t, b, node), units in decided.orders.items()
    ]
    dated += [(key[:-1], when(key), key[-1], float(units)) for key, units in decided.answers.items()]
    dated += [(("draw", c, t), t, node, amount) for (c, t, node), amount in decided.draws.items()]
    last: dict[object, int] = {}
    for key, t, node, amount in dated:
        last[key] = t
        for n in range(len(ensemble)):
            if int(ensemble.node[n, t]) == node:
                placed[n][key] = amount
    wrong = []
    for t in range(ensemble.quarters):
        first: dict[int, int] = {}
        for n in range(len(ensemble)):
            m = first.setdefault(int(ensemble.node[n, t]), n)
            same = {key: u for key, u in placed[n].items() if last[key] <= t} == {
                key: u for key, u in placed[m].items() if last[key] <= t
            }
            if not same:
                wrong.append(f"{ensemble.names[n]} and {ensemble.names[m]} in quarter {t + 1}")
    yield AuditCheck("orders use only what is known", not wrong, "; ".join(wrong[:3]) or "checked quarter by quarter")
    counted = [*decided.orders.values(), *decided.answers.values()]
    whole = all(isinstance(units, int) and units > 0 for units in counted)
    yield AuditCheck("whole units", whole, f"{len(decided.orders)} orders, {len(decided.answers)} answers")
    closed = [
        f"option {k} in quarter {t + 1}"
        for k, t, _, node in decided.orders
        if not (ensemble.share[ensemble.node[:, t] == node, k, t] > 0).any()
    ]
    yield AuditCheck("nothing is ordered that is known to be closed", not closed, "; ".join(closed[:3]) or "all open")


def when(key: tuple[Any, ...]) -> int:
    """Return the quarter an answer is decided in."""
    return int(key[2] if key[0] == "reserve" else key[4])


class _Book:
    """One future of a plan."""

    def __init__(
        self,
        instance: Instance,
        ensemble: Ensemble,
        n: int,
        decided: Decided,
        done: Deployment,
        pools: Mapping[int, int],
    ) -> None:
        self.instance, self.ensemble, self.n, self.done, self.pools = instance, ensemble, n, done, pools
        self.blocks, self.rights = decided.blocks, ensemble.rights
        self.length = len(instance.quarters)
        node = ensemble.node[n]
        self.orders = {(k, t, b): units for (k, t, b, g), units in decided.orders.items() if int(node[t]) == g}
        self.answers = [(key, units) for key, units in decided.answers.items() if int(node[when(key)]) == key[-1]]
        self.draws: dict[int, dict[int, float]] = defaultdict(dict)
        for (c, t, g), amount in decided.draws.items():
            if int(node[t]) == g:
                self.draws[c][t] = amount
        self.heads = {pools[k]: k for k, option in enumerate(instance.options) if option.pool is None}
        self.stock: dict[tuple[int, int], float] = defaultdict(float)
        self.planned: dict[tuple[int, int], float] = defaultdict(float)
        for (k, t, _), units in self.orders.items():
            self._stand(k, t, units)
        for key, units in self.answers:
            self._answer(key, units)

    def _got(self, k: int, t: int) -> float:
        """Return units delivered of one ordered."""
        return float(self.ensemble.share[self.n, k, t]) / float(self.ensemble.price[self.n, k, t])

    def _stand(self, k: int, t: int, units: float, *, from_quarter: int = 0, locked: bool = False) -> None:
        """Let an order put up its machines, from a quarter on; ``locked`` at the price of today."""
        option = self.instance.options[k]
        got = float(self.ensemble.share[self.n, k, t]) if locked else self._got(k, t)
        first = t + option.lead + int(self.ensemble.delay[self.n, k, t])
        last = self.length if option.term is None else first + option.term
        for q in range(max(first, from_quarter), min(self.length, last)):
            self.stock[k, q] += units * got
        for q in option.in_use(t, self.length):
            if q >= from_quarter:
                self.planned[k, q] += units

    def _answer(self, key: tuple[Any, ...], units: int) -> None:
        match key:
            case ("cancel", k, t, _, _, _):
                self._stand(k, t, -units)
            case ("resell", k, t, _, s, _):
                self._stand(k, t, -units, from_quarter=s)
            case ("call", k, _, _, s, _):
                self._stand(k, s, units, locked=True)
            case ("move", k, to, _, s, _):
                for q in range(s, self.length):
                    self.stock[k, q] -= units
                    self.planned[k, q] -= units
                for q in range(s + self.rights.still, self.length):
                    self.stock[to, q] += units
                    self.planned[to, q] += units

    def problems(self) -> Iterator[str]:
        """Yield every limit this future breaks, in words."""
        yield from self._given_back()
        yield from self._money()
        yield from self._loans()
        yield from self._supply()
        yield from self._power()
        yield from self._machines()
        yield from self._demand()
        yield from self._value()

    def _given_back(self) -> Iterator[str]:
        """No more is given back than was ordered, called than reserved, moved than stood there."""
        back: dict[tuple[int, int, int], int] = defaultdict(int)
        called: dict[tuple[int, int, int], int] = defaultdict(int)
        for key, units in self.answers:
            if key[0] in {"cancel", "resell"}:
                back[key[1:4]] += units
            if key[0] in {"reserve", "call"}:
                called[key[1:4]] += units if key[0] == "call" else -units
        for way, units in back.items():
            if units > self.orders.get(way, 0):
                yield f"{units} given back of {self.orders.get(way, 0)} ordered"
        yield from (f"{units} called more than reserved" for units in called.values() if units > 0)
        heads: dict[tuple[int, int], float] = defaultdict(float)
        for (k, q), have in self.stock.items():
            heads[self._head(k), q] += have
        yield from (
            f"{self.instance.options[k].system} in quarter {q + 1}: {have:,.3f} machines"
            for (k, q), have in heads.items()
            if have < -TOLERANCE * 1e3
        )

    def _head(self, k: int) -> int:
        pool = self.instance.options[k].pool
        return k if pool is None else pool

    def _paid(self, b: int) -> float:
        """Return what orders and answers take from a budget, in the plan's currency."""
        spent, rights = 0.0, self.rights
        for (k, t, paid_by), units in self.orders.items():
            if paid_by == b:
                spent += units * money.cost(self.instance, self.instance.options[k], t)
        for key, units in self.answers:
            if key[3] != b:
                continue
            option = self.instance.options[key[1]]
            if key[0] == "move":
                spent += units * (rights.move or 0.0) * option.price * self.instance.rate[option.currency]
                continue
            price = money.cost(self.instance, option, key[2])
            part = {"cancel": -(1 - (rights.cancel or 0.0)), "reserve": rights.reserve or 0.0}
            part |= {"call": 1 - (rights.reserve or 0.0), "resell": 0.0}
            spent += units * price * part[key[0]]
        return spent

    def _money(self) -> Iterator[str]:
        for k, t, b in self.orders:
            if (k, t) not in self.instance.budgets[b].orders:
                yield f"budget {self.instance.budgets[b].name} may not pay for {self.instance.options[k].system}"
        for b, budget in enumerate(self.instance.budgets):
            spent = self._paid(b)
            for (k, q), units in self.planned.items():
                option = self.instance.options[k]
                energy = option.running * option.energy_share
                parts = {"energy": energy, "hosting": option.running - energy, "upkeep": option.upkeep}
                spent += units * sum(part for kind, part in parts.items() if (option.site, q, kind) in budget.running)
            more = 0.0
            for c, credit in enumerate(self.instance.credits):
                into = self.instance.rate[credit.loan.currency]
                if credit.budget == b:
                    more += sum(self.draws[c].values()) * into
                if credit.service_from == b:
                    ran = money.run_loan(credit.loan, self.draws[c], self.length)
                    spent += (sum(ran.paid) + sum(ran.fees)) * into
            own = self.instance.rate[budget.currency]
            if spent / own > (budget.limit + more / own) * (1 + TOLERANCE):
                yield f"budget {budget.name}: {spent / own:,.0f} of {budget.limit + more / own:,.0f}"

    def _loans(self) -> Iterator[str]:
        for c, credit in enumerate(self.instance.credits):
            drawn, into = self.draws[c], self.instance.rate[credit.loan.currency]
            if sum(drawn.values()) > credit.loan.amount * (1 + TOLERANCE):
                yield f"loan {credit.loan.name}: {sum(drawn.values()):,.0f} of {credit.loan.amount:,.0f}"
            for t, amount in drawn.items():
                paid = 0.0
                for (k, ordered, b), units in self.orders.items():
                    option = self.instance.options[k]
                    if b == credit.budget and ordered <= t:
                        due = self._due(option, ordered, t)
                        paid += units * due * self.instance.rate[option.currency] / into
                if amount > credit.share * paid + TOLERANCE * credit.loan.amount:
                    yield f"loan {credit.loan.name} in quarter {t + 1}: {amount:,.0f} on {paid:,.0f} paid"

    def _due(self, option: Option, ordered: int, t: int) -> float:
        """Return what a unit pays in a quarter; a plain lease pays quarter by quarter."""
        if option.payments or option.mode == "buy":
            return money.payments(option, ordered, self.length).get(t, 0.0)
        return option.price if t in option.in_use(ordered, self.length) else 0.0

    def _supply(self) -> Iterator[str]:
        for supply in self.instance.supply:
            arrived: dict[int, float] = defaultdict(float)

            def arrive(k: int, t: int, units: float, got: float, arrived: dict[int, float] = arrived) -> None:
                option = self.instance.options[k]
                arrived[t + option.lead] += units * option.chips * got

            gone = {key[1:4]: 0 for key, _ in self.answers if key[0] == "cancel"}
            for key, units in self.answers:
                if key[0] == "cancel":
                    gone[key[1:4]] += units
                if key[0] == "call" and key[1] in supply.options:
                    arrive(key[1], key[4], units, float(self.ensemble.share[self.n, key[1], key[4]]))
            for (k, t, b), units in self.orders.items():
                if k in supply.options:
                    got = min(self._got(k, t), 1.0 / float(self.ensemble.price[:, k, t].min()))
                    arrive(k, t, units - gone.get((k, t, b), 0), got)
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
        where: dict[int, set[int]] = defaultdict(set)
        for k, pool in self.pools.items():
            where[pool].add(self.instance.options[k].site)

        def use(pool: int, q: int, units: float) -> None:
            used[pool, q] += units
            if len(where[pool]) == 1:
                option = self.instance.options[self.heads[pool]]
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
                name = self.instance.options[self.heads[pool]].system
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
                served = sum(
                    units * service.rates[self.heads[pool]]
                    for (v, pool, at), units in self.done.serving.items()
                    if v == w and at == q
                )
                left = self.done.unmet.get((w, q), 0.0)
                if abs(served + left - asked) > TOLERANCE * max(1.0, asked):
                    told = f"{served:,.1f} served and {left:,.1f} not, of {asked:,.1f}"
                    yield f"{service.name} in quarter {q + 1}: {told}"

    def _value(self) -> Iterator[str]:
        """Count the value afresh; in a plan of least cost only where nothing is left undone that must be done."""
        earns = self.instance.objective == "value"
        lacking = any(self.done.missing.values()) or any(
            left > 0 and self.instance.services[w].penalty is None for (w, _), left in self.done.unmet.items()
        )
        if not earns and lacking:
            return
        total = self._cash() + self._answered()
        total += self._reserve * sum(
            money.loan_value(self.instance, credit, self.draws[c]) for c, credit in enumerate(self.instance.credits)
        )
        for (w, pool, q), busy in self.done.serving.items():
            service = self.instance.services[w]
            earned = busy * service.rates[self.heads[pool]] * self.instance.seconds(q) / service.peak_factor
            total += money.discounted(self.instance, earned * service.price, q) if earns else 0.0
        for (w, q), left in self.done.unmet.items():
            service = self.instance.services[w]
            tokens = left * self.instance.seconds(q) / service.peak_factor
            total -= money.discounted(self.instance, tokens * (service.penalty or 0.0), q)
        for i in self.blocks if earns else []:
            block = self.instance.blocks[i]
            lost = sum(self.done.missing.get((i, q), 0.0) for q in range(block.start, block.start + block.quarters))
            end = block.start + block.quarters - 1
            worth = money.discounted(self.instance, self.instance.runs[block.run].value, end)
            total += worth * (1 - lost / (block.units * block.quarters))
        told = self.done.value * 1e6
        if abs(total - told) > 1e-5 * max(1e6, abs(total)):
            yield f"value {told:,.0f} told, {total:,.0f} counted"

    @property
    def _reserve(self) -> float:
        """What a unit of money counts for."""
        return self.instance.reserve_value if self.instance.objective == "value" else 1.0

    def _of_order(self, k: int, t: int, *, locked: float | None = None) -> float:
        """Return what one unit ordered comes to without work: paid, less refunds, with what it keeps and costs to run.

        ``locked`` is what a call pays in place of the order's price.
        """
        option = self.instance.options[k]
        share = float(self.ensemble.share[self.n, k, t])
        paid = money.present(self.instance, option, t) if locked is None else locked
        got = self._got(k, t) if locked is None else share
        first = t + option.lead
        end = self.length if option.term is None else min(self.length, first + option.term)
        owned = money.left(self.instance, option, t) - money.running(self.instance, option, first, end)
        return -self._reserve * paid * (share + (1 - share) * (1 - self.ensemble.refund)) + got * owned

    def _cash(self) -> float:
        return sum(units * self._of_order(k, t) for (k, t, _), units in self.orders.items())

    def _answered(self) -> float:
        """Return what answers add, from the terms of each."""
        instance, rights, total = self.instance, self.rights, 0.0
        for key, units in self.answers:
            option = instance.options[key[1]]
            match key:
                case ("cancel", k, t, _, s, _):
                    paid = money.present(instance, option, t)
                    back = paid * (1 - (rights.cancel or 0.0)) * money.discounted(instance, 1.0, s - t - 0.5)
                    total -= units * (self._of_order(k, t) + self._reserve * (paid - back))
                case ("resell", k, t, _, s, _):
                    price = money.machine_worth(instance, option, t, s) * (1 - (rights.resell or 0.0))
                    gain = money.discounted(instance, price, s) + money.running(instance, option, s, self.length)
                    total += units * self._got(k, t) * (gain - money.left(instance, option, t, machine_alone=True))
                case ("move", k, to, _, s, _):
                    price = (rights.move or 0.0) * option.price * instance.rate[option.currency]
                    there = money.running(instance, instance.options[to], s + rights.still, self.length)
                    here = money.running(instance, option, s, self.length)
                    total += units * (here - there - self._reserve * money.discounted(instance, price, s))
                case ("reserve", k, t, _, _):
                    fee = (rights.reserve or 0.0) * money.cost(instance, option, t)
                    total -= units * self._reserve * money.discounted(instance, fee, t)
                case ("call", k, t, _, s, _):
                    rest = (1 - (rights.reserve or 0.0)) * money.cost(instance, option, t)
                    total += units * self._of_order(k, s, locked=money.discounted(instance, rest, s))
        return total
