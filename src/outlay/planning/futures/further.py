"""Decisions beside orders and training: draws of loans, and answers to what happens, as columns over the tree.

Each column is decided in a quarter at a node, like an order. It changes the cash of each future, adds or takes away
machines, and enters the limits on orders; what it does is held here as arrays, one entry a column or an effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outlay.planning.credit import fees, fixed_cost, saved_fee, service, worth
from outlay.planning.futures.ensemble import Floats, Integers
from outlay.planning.instance import MONEY, Instance
from outlay.planning.linear import INFINITY, Row

if TYPE_CHECKING:
    from outlay.planning.futures.decisions import Decisions

Found = Iterator[tuple[Row, Integers, Floats, float]]


@dataclass
class Further:
    """Columns of further decisions, in the order they were added.

    Attributes
    ----------
    key
        What each column is: ``("draw", credit, quarter, node)``, ``("loan", credit)`` and those of
        :mod:`outlay.planning.futures.answers`.
    quarter, node
        Quarter it is decided in, and what is known then; ``signed`` columns stand in every future.
    whole
        Whether it comes in whole units.
    lower, upper
        Bounds.
    cash
        By column: what one unit adds to the value of each future that decides it, of shape (N,), millions.
    budget, sourcing
        By limit: (column, coefficient) pairs, in its row's units. Sourcing: (column, weight, counted).
    arrives
        (column, option, quarter, units): machines that count against supply.
    machines
        (column, option, begin, end, units, cheap): machines at work from ``begin`` to ``end``, as planned; ``units``
        times ``cheap`` is what counts against power.
    delivered
        By entry of ``machines``: units in each future and the quarters by which they are late, each of shape (N,).
    """

    key: list[tuple[Any, ...]] = field(default_factory=list)
    quarter: list[int] = field(default_factory=list)
    node: list[int] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    cash: list[Floats | float] = field(default_factory=list)
    budget: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    sourcing: dict[int, list[tuple[int, float, bool]]] = field(default_factory=dict)
    arrives: list[tuple[int, int, int, float]] = field(default_factory=list)
    machines: list[tuple[int, int, int, int, float, float]] = field(default_factory=list)
    delivered: list[tuple[Floats | float, Integers | int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.key)

    def add(
        self,
        key: tuple[Any, ...],
        quarter: int,
        node: int,
        cash: Floats | float,
        *,
        whole: bool = False,
        lower: float = 0.0,
        upper: float = INFINITY,
    ) -> int:
        """Add a column and return its number."""
        self.key.append(key)
        self.quarter.append(quarter)
        self.node.append(node)
        self.cash.append(cash)
        self.whole.append(whole)
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.key) - 1

    def pays(self, column: int, budget: int, amount: float) -> None:
        """Put a column into a budget's row: millions of its currency a unit."""
        if amount:
            self.budget.setdefault(budget, []).append((column, amount))

    def stand(
        self,
        column: int,
        option: int,
        begin: int,
        end: int,
        units: float,
        *,
        cheap: float = 1.0,
        delivered: Floats | float = 1.0,
        late: Integers | int = 0,
    ) -> None:
        """Let a column put up machines (take them away where ``units`` is negative)."""
        self.machines.append((column, option, begin, end, units, cheap))
        self.delivered.append((delivered, late))

    def active(self, node: Integers) -> NDArray[np.bool_]:
        """Return which columns are those of each future, of shape (N, columns); ``node`` as in the ensemble."""
        if not self.key:
            return np.zeros((len(node), 0), dtype=bool)
        mine = np.array(self.node)
        return np.asarray((node[:, np.array(self.quarter)] == mine) | (mine < 0))

    def of_futures(self, node: Integers, futures: slice | Integers) -> Floats:
        """Return the cash of futures, of shape (N, columns), millions; ``node`` of these futures alone."""
        if not self.key:
            return np.zeros((len(node), 0))
        parts = [np.broadcast_to(np.asarray(c if np.isscalar(c) else c[futures], float), len(node)) for c in self.cash]  # type: ignore[index]
        return np.asarray(np.stack(parts, axis=1) * self.active(node))

    def path(self, node: Integers, last: int) -> NDArray[np.bool_]:
        """Return which columns are on the path to a quarter; ``node`` of one future, of shape (T,)."""
        if not self.key:
            return np.zeros(0, dtype=bool)
        quarter, mine = np.array(self.quarter), np.array(self.node)
        return np.asarray((quarter <= last) & ((node[quarter] == mine) | (mine < 0)))


@dataclass(frozen=True)
class Effects:
    """Machines that further decisions put up or take away, an entry each.

    Attributes
    ----------
    column, option
        Of shape (entries,).
    begin, end, units
        Of shape (N, entries): quarters, and units a unit of the column puts up, zero in futures that do not decide it.
    """

    column: Integers
    option: Integers
    begin: Integers
    end: Integers
    units: Floats


def effects(further: Further, node: Integers, futures: Integers) -> Effects | None:
    """Return the effects in some futures; ``node`` of these alone. ``None`` where there are none."""
    if not further.machines:
        return None
    column, option, begin, end = (np.array([m[i] for m in further.machines], np.int64) for i in range(4))
    sign = np.array([m[4] for m in further.machines])
    parts = [[np.broadcast_to(np.asarray(p if np.ndim(p) == 0 else p[futures]), len(futures)) for p in both]  # type: ignore[index]
             for both in further.delivered]  # fmt: skip
    late = np.stack([wait for _, wait in parts], axis=1).astype(np.int64)
    quarters = node.shape[1]
    last = np.where(end[None, :] >= quarters, quarters, np.minimum(quarters, end[None, :] + late))
    units = np.stack([size for size, _ in parts], axis=1) * sign * further.active(node)[:, column]
    return Effects(column, option, np.minimum(last, begin[None, :] + late), last, units)


def add_loans(decisions: Decisions, found: Further) -> None:
    """Add what each loan may lend at each node while draws may come, and a column that stands for its fees."""
    instance, node = decisions.instance, decisions.ensemble.node
    length = len(instance.quarters)
    reserve = instance.reserve_value if instance.objective == "value" else 1.0
    for c, credit in enumerate(instance.credits):
        own = instance.rate[credit.loan.currency]
        for t in range(min(credit.loan.available, length)):
            gain = reserve * worth(instance, credit, t)
            for g in range(int(node[:, t].max()) + 1):
                column = found.add(("draw", c, t, g), t, g, gain)
                found.pays(column, credit.budget, -own / instance.rate[instance.budgets[credit.budget].currency])
                if credit.service_from is not None:
                    paid, _ = service(credit, t, length)
                    due = sum(paid) - sum(saved_fee(credit, t, length))
                    into = own / instance.rate[instance.budgets[credit.service_from].currency]
                    found.pays(column, credit.service_from, into * due)
        signed = found.add(
            ("loan", c), 0, -1, -reserve * fixed_cost(instance, credit) / MONEY, lower=1.0, upper=1.0
        )  # fmt: skip
        if credit.service_from is not None:
            into = own / instance.rate[instance.budgets[credit.service_from].currency]
            found.pays(signed, credit.service_from, into * sum(fees(credit, length)) / MONEY)


def loan_rows(decisions: Decisions) -> Found:
    """Yield, on every path, the facility of each loan, and what it may lend: a share of what its budget pays then."""
    instance, at, further = decisions.instance, decisions.columns, decisions.further
    paid = _paid(instance) if instance.credits else np.zeros((0, 0, 0))
    for c, credit in enumerate(instance.credits):
        unit, into = f"m {credit.loan.currency}", instance.rate[credit.loan.currency]
        mine = np.array([key[:2] == ("draw", c) for key in further.key])
        last = max(t for t, own in zip(further.quarter, mine, strict=True) if own)
        for g, n in enumerate(decisions.paths[last]):
            if n >= 0:
                columns = np.flatnonzero(mine & further.path(decisions.ensemble.node[n], last))
                row = Row("budget", f"loan {credit.loan.name}", (c, g), -INFINITY, credit.loan.amount / MONEY, unit)
                yield row, decisions.further_at + columns, np.ones(len(columns)), 0.0
        for column in np.flatnonzero(mine):
            t = further.quarter[column]
            path = decisions.path_to(t, further.node[column])
            orders = np.flatnonzero(path & (at.budget == credit.budget))
            share = credit.share * paid[at.option[orders], at.quarter[orders], t] / into
            row = Row("capacity", f"draws of {credit.loan.name}", (c, t, further.node[column]), -INFINITY, 0.0, unit)
            columns = np.concatenate([orders, [decisions.further_at + column]])
            yield row, columns, np.concatenate([-share, [1.0]]), 0.0


def _paid(instance: Instance) -> Floats:
    """Return what an order of one unit pays in each quarter, of shape (options, quarters, quarters), in millions."""
    length = len(instance.quarters)
    found = np.zeros((len(instance.options), length, length))
    for k, option in enumerate(instance.options):
        for t in range(length - option.lead):
            found[k, t] = np.array(option.paid(t, length)) * instance.rate[option.currency] / MONEY
    return found
