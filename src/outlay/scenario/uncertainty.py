"""What must hold between the events and drifts of a scenario's futures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

from outlay.errors import CatalogError, unknown
from outlay.scenario.reasons import unreasoned
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.schema import Effect, Event, Futures, Scenario, Selection
    from outlay.scenario.tree import Location

Found = Iterator[tuple["Location", str]]
CRITERIA = ("countries", "sites", "vendors", "vendor_countries", "chips")


def check_futures(scenario: Scenario, catalog: Catalog) -> Found:
    """Yield everything wrong in the futures of a scenario, with its place."""
    if scenario.futures is None:
        return
    yield from _names(scenario, scenario.futures, catalog)
    yield from _chances(scenario, scenario.futures)
    yield from _order(scenario.futures)
    yield from _effects(scenario.futures)
    yield from _contradictions(scenario.futures)
    yield from _evidence(scenario.futures)
    yield from _free(scenario.futures)


def _names(scenario: Scenario, futures: Futures, catalog: Catalog) -> Found:
    events = [event.name for event in futures.events]
    services = [service.name for service in scenario.services]
    sites = [site.name for site in scenario.sites]
    vendors = sorted({chip.vendor for chip in catalog.chips.values()})
    places: list[tuple[Location, Any]] = [(("futures", "drifts", i), drift) for i, drift in enumerate(futures.drifts)]
    for i, event in enumerate(futures.events):
        places += [(("futures", "events", i, "effects", j), effect) for j, effect in enumerate(event.effects)]
        if event.name in events[:i]:
            yield ("futures", "events", i, "name"), f"two events are named {event.name!r}"
        if event.after is not None and event.after not in events:
            yield ("futures", "events", i, "after"), unknown("event", event.after, events)
    for where, block in places:
        for j, name in enumerate(block.services):
            if name not in services:
                yield (*where, "services", j), unknown("service", name, services)
        for field, names, known in (
            ("sites", block.where.sites, sites),
            ("vendors", block.where.vendors, vendors),
        ):
            for j, name in enumerate(names):
                if name not in known:
                    yield (*where, "where", field, j), unknown(field[:-1], name, known)
        for j, name in enumerate(block.where.chips):
            try:
                catalog.chip(name)
            except CatalogError as error:
                yield (*where, "where", "chips", j), str(error)


def _chances(scenario: Scenario, futures: Futures) -> Found:
    first, last = scenario.horizon.all[0], scenario.horizon.all[-1]
    for i, event in enumerate(futures.events):
        where: Location = ("futures", "events", i)
        by_hand = event.happens is not None or event.when is not None
        by_history = event.since is not None
        if by_hand == by_history:
            yield where, f"event {event.name!r}: give `happens` and `when`, or `since` and `history`, and not both"
        if by_hand and (event.happens is None or event.when is None):
            missing = "when" if event.when is None else "happens"
            yield where, f"event {event.name!r}: `{missing}` is missing"
        if event.history and event.since is None:
            yield where, f"event {event.name!r}: a history needs the day it is watched from, `since`"
        if event.when is not None:
            total = sum(event.when.values())
            if abs(total - 1) > 1e-9:
                yield (
                    (*where, "when"),
                    f"event {event.name!r}: the probabilities of its quarters sum to {total:.6g}, not 1",
                )
            for quarter in event.when:
                if quarter > last:
                    yield (
                        (*where, "when", str(quarter)),
                        f"event {event.name!r}: {quarter} is after the horizon, {first} to {last}",
                    )
                elif quarter < first:
                    yield (
                        (*where, "when", str(quarter)),
                        f"event {event.name!r}: {quarter} is before the horizon, {first} to {last}",
                    )
        if event.since is not None:
            for j, day in enumerate(event.history):
                if day < event.since:
                    yield (*where, "history", j), f"event {event.name!r}: {day} is before `since`, {event.since}"
            if event.since >= scenario.knowledge_date:
                yield (
                    (*where, "since"),
                    f"event {event.name!r}: `since` {event.since} must be before the knowledge date, "
                    f"{scenario.knowledge_date}",
                )
    for i, drift in enumerate(futures.drifts):
        if drift.low >= drift.high:
            yield ("futures", "drifts", i), f"drift {drift.name!r}: low {drift.low:g} is not below high {drift.high:g}"
        if drift.name in [other.name for other in futures.drifts[:i]]:
            yield ("futures", "drifts", i, "name"), f"two drifts are named {drift.name!r}"


def ancestors(event: Event, events: list[Event]) -> list[str]:
    """Return the events that must have happened before one, nearest first; stops at a name already seen."""
    by_name = {other.name: other for other in events}
    found: list[str] = []
    name = event.after
    while name is not None and name not in found:
        found.append(name)
        name = by_name[name].after if name in by_name else None
    return found


def _order(futures: Futures) -> Found:
    for i, event in enumerate(futures.events):
        if event.name in ancestors(event, futures.events):
            yield ("futures", "events", i, "after"), f"event {event.name!r} comes after itself"


def _effects(futures: Futures) -> Found:
    for i, event in enumerate(futures.events):
        for j, effect in enumerate(event.effects):
            where: Location = ("futures", "events", i, "effects", j)
            if effect.closes and effect.opens:
                yield where, f"event {event.name!r} closes and opens the same machines"
            given = effect.model_fields_set - {"where", "mode", "services"}
            if not given:
                yield where, f"event {event.name!r}: an effect that does nothing; give closes, opens, price, supply ..."


def _overlap(a: Selection, b: Selection) -> bool:
    """Return whether two selections may take the same machine."""
    for field in CRITERIA:
        left, right = getattr(a, field), getattr(b, field)
        if left and right and not set(left) & set(right):
            return False
    for one, other in ((a, b), (b, a)):
        if one.countries and set(one.countries) <= set(other.not_countries):
            return False
    return True


def _same_machines(a: Effect, b: Effect) -> bool:
    return _overlap(a.where, b.where) and (a.mode == b.mode or "both" in (a.mode, b.mode))


def _quarters(event: Event) -> set[Quarter] | None:
    """Return the quarters an event may take effect in; ``None`` where it may be any."""
    return None if event.when is None else {quarter for quarter, share in event.when.items() if share > 0}


def _contradictions(futures: Futures) -> Found:
    """Refuse two events that could close and open the same machines in the same quarter of one future."""
    for (_, a), (j, b) in combinations(enumerate(futures.events), 2):
        if a.name in ancestors(b, futures.events) or b.name in ancestors(a, futures.events):
            continue  # the later one undoes the earlier
        here, there = _quarters(a), _quarters(b)
        if here is not None and there is not None and not here & there:
            continue
        for x in a.effects:
            for y in b.effects:
                if ((x.closes and y.opens) or (x.opens and y.closes)) and _same_machines(x, y):
                    closing, opening = (a, b) if x.closes else (b, a)
                    yield (
                        ("futures", "events", j),
                        f"in one future {closing.name!r} would close and {opening.name!r} open the same "
                        f"machines in the "
                        f"same quarter; let one come `after` the other, or in other quarters",
                    )


def _answers(futures: Futures) -> list[tuple[str, Any]]:
    found = [(name, getattr(futures, name)) for name in ("reserve", "cancel", "resell", "move")]
    return [(name, block) for name, block in found if block is not None]


def _free(futures: Futures) -> Found:
    """Refuse answers that cost nothing where that would make every order worth placing and giving back."""
    for name, field in (("reserve", "fee"), ("cancel", "fee"), ("resell", "discount")):
        block = getattr(futures, name)
        if block is None:
            continue
        amount = getattr(block, field)
        if not 0 < amount < 1:
            yield ("futures", name, field), f"{name}: {field} {amount:.0%}; expected more than 0% and less than 100%"


def _evidence(futures: Futures) -> Found:
    blocks: list[tuple[Location, Any]] = [(("futures",), futures)]
    blocks += [(("futures", "events", i), event) for i, event in enumerate(futures.events)]
    blocks += [(("futures", "drifts", i), drift) for i, drift in enumerate(futures.drifts)]
    blocks += [(("futures", name), block) for name, block in _answers(futures)]
    yield from unreasoned(blocks)
