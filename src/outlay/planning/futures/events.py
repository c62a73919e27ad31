"""Courses of events: which happen when, how likely each course is, and how many are worth keeping."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.planning.futures.ensemble import Floats
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Chip
    from outlay.planning.instance import Instance, Option
    from outlay.scenario.schema import Event, Futures, Scenario, Selection, Site

DATES = 3
"""Dates an event whose quarter follows from its rate is given: the middles of equally likely stretches."""
PRIOR_EVENTS = 0.5
"""Jeffreys' prior for the rate of a Poisson process: half an event in no time."""


@dataclass(frozen=True)
class Course:
    """One way the events turn out: the quarter each takes effect in, by name, for those that happen."""

    probability: float
    quarter: dict[str, int]


def may_open(scenario: Scenario, chip: Chip, site: Site, mode: str) -> bool:
    """Return whether an event of the scenario's futures would open a way that the rules close today."""
    if scenario.futures is None:
        return False
    return any(
        effect.opens and effect.mode in (mode, "both") and _takes_way(effect.where, chip, site)
        for event in scenario.futures.events
        for effect in event.effects
    )


def _takes_way(selection: Selection, chip: Chip, site: Site) -> bool:
    wanted = [
        not selection.countries or site.country in selection.countries,
        site.country not in selection.not_countries,
        not selection.sites or site.name in selection.sites,
        not selection.vendors or chip.vendor in selection.vendors,
        not selection.vendor_countries or chip.vendor_country in selection.vendor_countries,
        not selection.chips or chip.name in selection.chips,
    ]
    return all(wanted)


def touched(where: Selection, mode: str, instance: Instance) -> NDArray[np.bool_]:
    """Return which options a selection takes, of shape (K,)."""
    from outlay.planning.build import selects

    def takes(option: Option) -> bool:
        return mode in (option.mode, "both") and selects(where, instance.sites[option.site], option)

    return np.array([takes(option) for option in instance.options], dtype=bool)


def rate_per_quarter(event: Event, scenario: Scenario) -> float:
    """Return the events a quarter to expect, from those seen up to the knowledge date.

    The posterior mean of a Poisson rate under Jeffreys' prior: (events + 1/2) / quarters watched (Gelman et al.,
    Bayesian Data Analysis, 3rd ed., section 2.8, gives the family; the prior is in section 2.9).
    """
    assert event.since is not None
    known = [day for day in event.history if day <= scenario.knowledge_date]
    watched = (scenario.knowledge_date - event.since).days / 91.3125
    return (len(known) + PRIOR_EVENTS) / max(watched, 1.0)


def chances(event: Event, scenario: Scenario, start: int) -> list[tuple[int | None, float]]:
    """Return (quarter it takes effect in, or ``None``, probability), from quarter ``start`` on."""
    quarters = scenario.horizon.all
    if event.when is not None and event.happens is not None:
        found = [(quarters.index(q), event.happens * share) for q, share in sorted(event.when.items()) if share > 0]
        before = sum(share for t, share in found if t < start)
        never = 1.0 - event.happens
        if before >= 1.0:
            return [(None, 1.0)]
        kept = [(t, share / (1.0 - before)) for t, share in found if t >= start and share > 0]
        chosen: list[tuple[int | None, float]] = [*kept]
        return [*chosen, (None, never / (1.0 - before))] if never > 0 else chosen or [(None, 1.0)]
    rate = rate_per_quarter(event, scenario)
    left = len(quarters) - start
    if left <= 0:
        return [(None, 1.0)]
    survives = math.exp(-rate)
    share = np.array([survives**i * (1 - survives) for i in range(left)])
    within = float(share.sum())
    reached = np.cumsum(share) / within
    groups = min(DATES, left)
    chosen = []
    edges = [0, *(int(np.searchsorted(reached, (g + 1) / groups - 1e-12)) + 1 for g in range(groups))]
    for low, high in pairwise(edges):
        if high > low:
            part = share[low:high]
            middle = low + int(np.searchsorted(np.cumsum(part), part.sum() / 2))
            chosen.append((start + middle, float(part.sum())))
    return [*chosen, (None, 1.0 - within)]


def first_open_quarter(scenario: Scenario) -> int:
    """Return the first quarter an event can still take effect in: the one after that of the knowledge date."""
    quarters = scenario.horizon.all
    now = Quarter.of(scenario.knowledge_date)
    return max(0, min(len(quarters), now - quarters[0] + 1))


def in_order(events: Sequence[Event]) -> list[Event]:
    """Return events so that each comes after the one it needs."""
    done: list[Event] = []
    names: set[str] = set()
    left = list(events)
    while left:
        ready = [event for event in left if event.after is None or event.after in names]
        done += ready
        names |= {event.name for event in ready}
        left = [event for event in left if event.name not in names]
    return done


def courses(scenario: Scenario, futures: Futures) -> list[Course]:
    """Return every course of events with its probability; they sum to one."""
    ordered = in_order(futures.events)
    start = first_open_quarter(scenario)

    def grow(course: Course, rest: Sequence[Event]) -> Iterator[Course]:
        if not rest:
            yield course
            return
        event = rest[0]
        begin = start
        if event.after is not None:
            if event.after not in course.quarter:
                yield from grow(course, rest[1:])
                return
            begin = course.quarter[event.after] + 1
        for quarter, share in chances(event, scenario, begin):
            happened = course.quarter if quarter is None else {**course.quarter, event.name: quarter}
            if share > 0:
                yield from grow(Course(course.probability * share, happened), rest[1:])

    found = list(grow(Course(1.0, {}), ordered))
    total = sum(course.probability for course in found)
    return [Course(course.probability / total, course.quarter) for course in found]


def distances(found: Sequence[Course], events: Sequence[Event], quarters: int) -> Floats:
    """Return how far courses lie apart: by event the quarters between them over the horizon, never as one more."""
    apart = np.zeros((len(found), len(found)))
    for event in events:  # one at a time: thousands of courses are gigabytes over all events at once
        date = np.array([course.quarter.get(event.name, quarters) for course in found], dtype=float)
        apart += np.abs(date[:, None] - date[None, :])
    return apart / quarters if quarters else apart


def reduce(found: list[Course], events: Sequence[Event], quarters: int, most: int) -> tuple[list[Course], float]:
    """Keep at most ``most`` courses and give each the probability of those nearest to it.

    Fast forward selection: Heitsch and Roemisch, Scenario reduction algorithms in stochastic programming, Comput.
    Optim. Appl. 24 (2003), algorithm 2.4.

    Returns
    -------
    courses, error
        The error is the Kantorovich distance to all courses, over that of keeping a single one.
    """
    if len(found) <= most:
        return found, 0.0
    apart = distances(found, events, quarters)
    weight = np.array([course.probability for course in found])
    nearest = np.full(len(found), np.inf)
    kept: list[int] = []
    alone = 0.0
    for step in range(most):
        missed = weight @ np.minimum(nearest[:, None], apart)
        missed[kept] = np.inf
        chosen = int(np.argmin(missed))
        kept.append(chosen)
        nearest = np.minimum(nearest, apart[:, chosen])
        if step == 0:
            alone = float(weight @ nearest)
    owner = np.argmin(apart[:, kept], axis=1)
    owner[kept] = np.arange(len(kept))
    share = np.bincount(owner, weights=weight, minlength=len(kept))
    chosen_courses = [Course(float(share[i]), found[k].quarter) for i, k in enumerate(kept)]
    return chosen_courses, float(weight @ nearest) / max(alone, 1e-12)
