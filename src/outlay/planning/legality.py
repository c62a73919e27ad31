"""What the rules, as they were known, leave open: for each system, mode and site, quarter by quarter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from outlay.planning.result import Blocked
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Chip
    from outlay.policy import Decision, Item
    from outlay.scenario.schema import Scenario, Site

SEVERITY = ("allowed", "conditional", "unknown", "denied")


@dataclass(frozen=True)
class Legality:
    """The decisions for one chip, mode and site, by quarter of the order; ``None`` where it would arrive too late."""

    decisions: tuple[Decision | None, ...]
    accepted: tuple[str, ...]
    licensed: bool = False

    @property
    def legal(self) -> tuple[bool, ...]:
        """Whether each quarter is open."""
        return tuple(d is not None and is_open(d, self.accepted, licensed=self.licensed) for d in self.decisions)

    @property
    def codes(self) -> tuple[str, ...]:
        """The outcome code of each quarter."""
        return tuple("" if d is None else d.code for d in self.decisions)

    @property
    def rules(self) -> tuple[tuple[str, ...], ...]:
        """The rules that fired in each quarter."""
        return tuple(() if d is None else tuple(d.rules) for d in self.decisions)


def legality(scenario: Scenario, chip: Chip, site: Site, mode: str, lead: int) -> Legality:
    """Decide every quarter of an order for one chip, mode and site.

    The transaction is dated by its arrival. Rules are those announced by the knowledge date, as they then stood, and
    an order is open only if it is so on the first and on the last day of the quarter of arrival: the stricter counts.
    """
    from outlay.policy import item_of

    item = item_of(chip)
    quarters = scenario.horizon.all
    decisions: list[Decision | None] = []
    for start in range(len(quarters)):
        if start + lead >= len(quarters):
            decisions.append(None)
            continue
        arrival = quarters[start + lead]
        days = sorted({max(arrival.start, scenario.knowledge_date), max(arrival.end, scenario.knowledge_date)})
        answers = [_decide(scenario, item, site, mode, day) for day in days]
        decisions.append(max(answers, key=lambda answer: SEVERITY.index(answer.verdict)))
    licensed = site.country in scenario.policy.licences
    return Legality(tuple(decisions), tuple(scenario.policy.accept), licensed)


def is_open(decision: Decision, accepted: Sequence[str], *, licensed: bool) -> bool:
    """Return whether a decision leaves a way open: by its verdict, or by a licence the scenario takes as granted."""
    return decision.verdict in accepted or (licensed and decision.code.startswith("LICENCE"))


def _decide(scenario: Scenario, item: Item, site: Site, mode: str, day: date) -> Decision:
    from outlay.policy import Transaction, decide

    transaction = Transaction(
        on=day,
        destination=site.country,
        buyer_hq=scenario.buyer.headquarters,
        parent_hq=scenario.buyer.parent,
        mode="lease" if mode == "lease" else "buy",
        owner_hq=site.owner_headquarters if mode == "lease" else None,
        state_funded=scenario.buyer.state_funded,
        new_site=site.new_build,
    )
    return decide(item, transaction, known_on=scenario.knowledge_date, flags=scenario.policy.flags)


def blocked_ways(quarters: Sequence[Quarter], ways: Sequence[tuple[str, Chip, str, str, Legality]]) -> list[Blocked]:
    """Return the ways the rules closed, each system, mode and country once, with the quarters and the reason.

    ``ways`` holds (system, chip, mode, country, legality).
    """
    seen: dict[tuple[str, str, str, str, str], Blocked] = {}
    for system, chip, mode, country, found in ways:
        by_code: dict[str, list[int]] = {}
        for t, decision in enumerate(found.decisions):
            if decision is not None and not found.legal[t]:
                by_code.setdefault(decision.code, []).append(t)
        for code, closed in by_code.items():
            decision = found.decisions[closed[0]]
            assert decision is not None
            span = str(quarters[closed[0]]) if len(closed) == 1 else f"{quarters[closed[0]]} to {quarters[closed[-1]]}"
            last = decision.firings[-1] if decision.firings else None
            words = last.title if last else code
            key = (system, mode, country, code, span)
            seen.setdefault(key, Blocked(system, chip.name, mode, country, span, code, decision.rules, words))
    return list(seen.values())
