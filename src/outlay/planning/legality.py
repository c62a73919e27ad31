"""What the rules, as they were known, leave open: for each system, mode and site, quarter by quarter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.planning.result import Blocked
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Chip
    from outlay.policy import Transaction, Verdict
    from outlay.policy.engine import Grid
    from outlay.scenario.schema import Scenario, Site


@dataclass(frozen=True)
class Ruling:
    """What the rules say of an order, on the strictest day of the quarter it arrives in.

    Attributes
    ----------
    because
        The rule that decides, by its title and identifier, and the figures that are missing.
    """

    code: str
    verdict: Verdict
    rules: tuple[str, ...]
    because: str


@dataclass(frozen=True)
class Legality:
    """The rulings for one chip, mode and site, by quarter of the order; ``None`` where it would arrive too late."""

    rulings: tuple[Ruling | None, ...]
    accepted: tuple[str, ...]
    licensed: bool = False

    @property
    def legal(self) -> tuple[bool, ...]:
        """Whether each quarter is open."""
        return tuple(r is not None and is_open(r, self.accepted, licensed=self.licensed) for r in self.rulings)

    @property
    def codes(self) -> tuple[str, ...]:
        """The outcome code of each quarter."""
        return tuple("" if r is None else r.code for r in self.rulings)

    @property
    def rules(self) -> tuple[tuple[str, ...], ...]:
        """The rules that fired in each quarter."""
        return tuple(() if r is None else r.rules for r in self.rulings)


def is_open(ruling: Ruling, accepted: Sequence[str], *, licensed: bool) -> bool:
    """Return whether a ruling leaves a way open: by its verdict, or by a licence the scenario takes as granted."""
    return ruling.verdict in accepted or (licensed and ruling.code.startswith("LICENCE"))


class Law:
    """The rules of one future, asked once for every chip, site, mode and day of a scenario.

    Parameters
    ----------
    scenario
        Its buyer, sites and horizon are asked about.
    chips
        The chips on offer.
    flags
        Readings and futures by name; the scenario's own where left out.
    known_on
        Rules announced by this day, as they then stood; the scenario's knowledge date where left out.

    Notes
    -----
    A transaction is dated by its arrival. An order is open only if it is so on every day of the quarter of arrival on
    which a rule changes, on its first and on its last: the strictest counts.
    """

    def __init__(
        self,
        scenario: Scenario,
        chips: Sequence[Chip],
        flags: Collection[str] | None = None,
        known_on: date | None = None,
    ) -> None:
        from outlay.policy import decide_grid, item_of

        self._scenario = scenario
        self._row = {name: i for i, name in enumerate(dict.fromkeys(chip.name for chip in chips))}
        by_name = {chip.name: chip for chip in chips}
        self._columns: dict[tuple[str, str, Quarter], list[int]] = {}
        self._multipliers: dict[float, NDArray[np.float64]] = {}
        deals = self._deals()
        self._grid: Grid = decide_grid(
            [item_of(by_name[name]) for name in self._row],
            deals,
            known_on=known_on or scenario.knowledge_date,
            flags=scenario.policy.flags if flags is None else flags,
            moved=scenario.policy.dates,
        )

    def _deals(self) -> list[Transaction]:
        """Return every question of place, mode and day, and remember which are whose."""
        deals: list[Transaction] = []
        for site in self._scenario.sites:
            for mode in site.modes:
                for quarter in self._scenario.horizon.all:
                    days = self._days(quarter)
                    self._columns[site.name, mode, quarter] = list(range(len(deals), len(deals) + len(days)))
                    deals += [self._deal(site, mode, day) for day in days]
        return deals

    def _days(self, quarter: Quarter) -> list[date]:
        from outlay.policy.timeline import days_of_change

        known = self._scenario.knowledge_date
        within = [day for day in days_of_change(self._scenario.policy.dates) if quarter.start < day < quarter.end]
        return sorted({max(day, known) for day in (quarter.start, *within, quarter.end)})

    def _deal(self, site: Site, mode: str, day: date) -> Transaction:
        from outlay.policy import Transaction

        buyer = self._scenario.buyer
        return Transaction(
            on=day,
            destination=site.country,
            buyer_hq=buyer.headquarters,
            parent_hq=buyer.parent,
            mode="lease" if mode == "lease" else "buy",
            owner_hq=site.owner_headquarters if mode == "lease" else None,
            state_funded=buyer.state_funded,
            new_site=site.new_build,
        )

    def of(self, chip: Chip, site: Site, mode: str, lead: int) -> Legality:
        """Return the rulings on orders of one chip for one site, by quarter; ``lead`` is in quarters."""
        quarters = self._scenario.horizon.all
        rulings = tuple(
            self._ruling(chip, site, mode, quarters[start + lead]) if start + lead < len(quarters) else None
            for start in range(len(quarters))
        )
        policy = self._scenario.policy
        return Legality(rulings, tuple(policy.accept), site.country in policy.licences)

    def _ruling(self, chip: Chip, site: Site, mode: str, arrival: Quarter) -> Ruling:
        row, columns = self._row[chip.name], self._columns[site.name, mode, arrival]
        strictest = columns[int(np.argmax(self._grid.verdict[row, columns]))]
        grid = self._grid
        return Ruling(
            code=grid.code_at(row, strictest),
            verdict=grid.verdict_at(row, strictest),
            rules=tuple(grid.rules_at(row, strictest)),
            because=grid.reason_at(row, strictest),
        )

    def price_multiplier(self, chip: Chip, site: Site, mode: str, arrival: Quarter, passed_on: float = 1.0) -> float:
        """Return what tariffs and revenue shares multiply the price of hardware by, at most over a quarter's days.

        ``passed_on`` is how much of them the buyer bears, 0 to 1.
        """
        if passed_on not in self._multipliers:
            self._multipliers[passed_on] = self._grid.price_multiplier("hardware", passed_on)
        columns = self._columns[site.name, mode, arrival]
        return float(self._multipliers[passed_on][self._row[chip.name], columns].max())


def blocked_ways(quarters: Sequence[Quarter], ways: Sequence[tuple[str, Chip, str, str, Legality]]) -> list[Blocked]:
    """Return the ways the rules closed, each system, mode and country once, with the quarters and the reason.

    ``ways`` holds (system, chip, mode, country, legality).
    """
    seen: dict[tuple[str, str, str, str, str], Blocked] = {}
    for system, chip, mode, country, found in ways:
        by_reason: dict[tuple[str, str], list[int]] = {}
        for t, ruling in enumerate(found.rulings):
            if ruling is not None and not found.legal[t]:
                by_reason.setdefault((ruling.code, ruling.because), []).append(t)
        for (code, because), closed in by_reason.items():
            ruling = found.rulings[closed[0]]
            assert ruling is not None
            span = _spans(quarters, closed)
            key = (system, mode, country, code, span)
            seen.setdefault(key, Blocked(system, chip.name, mode, country, span, code, list(ruling.rules), because))
    return list(seen.values())


def _spans(quarters: Sequence[Quarter], closed: Sequence[int]) -> str:
    """Return quarters in words, those in a row as one span."""
    rows: list[list[int]] = []
    for t in closed:
        if rows and t == rows[-1][-1] + 1:
            rows[-1].append(t)
        else:
            rows.append([t])
    return ", ".join(
        str(quarters[row[0]]) if len(row) == 1 else f"{quarters[row[0]]} to {quarters[row[-1]]}" for row in rows
    )
