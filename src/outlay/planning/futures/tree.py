"""From a scenario's futures to an ensemble: courses of events as a tree of knowledge, drifts drawn along each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from outlay.errors import InputError
from outlay.planning.futures.ensemble import Ensemble, Floats, certain, number
from outlay.planning.futures.events import Course, courses, in_order, reduce, touched
from outlay.planning.futures.rights import rights_of
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.planning.instance import Instance
    from outlay.scenario.schema import Drift, Event, Futures, Scenario

NORMAL_TENTH = 1.2815515655446004
"""Quantile of the standard normal at 90 %."""


@dataclass(frozen=True)
class Made:
    """An ensemble and how it was made.

    Attributes
    ----------
    courses, of_courses
        Courses of events kept, and how many there were.
    error
        Of leaving out the others, over that of keeping one (Kantorovich distance).
    course
        By future: the index of its course.
    """

    ensemble: Ensemble
    courses: list[Course]
    of_courses: int
    error: float
    course: list[int]


def required(scenario: Scenario) -> Futures:
    """Return the futures of a scenario, or refuse one without."""
    if scenario.futures is None:
        msg = f"scenario {scenario.name}: it has no `futures:`; docs/futures.md says how to write them"
        raise InputError(msg)
    return scenario.futures


def make(
    scenario: Scenario,
    instance: Instance,
    *,
    draws: int | None = None,
    branches: int | None = None,
    seed: int | None = None,
) -> Made:
    """Return the futures of a scenario.

    Raises
    ------
    InputError
        If the scenario has no futures.
    """
    futures = required(scenario)
    events = in_order(futures.events)
    found = courses(scenario, futures)
    quarters = len(instance.quarters)
    kept, error = reduce(found, events, quarters, branches or futures.branches)
    each = (draws or futures.draws) if futures.drifts else 1
    normal = _normal(len(kept) * each, len(futures.drifts), futures.seed if seed is None else seed)
    course = [c for c in range(len(kept)) for _ in range(each)]
    ensemble = _ensemble(scenario, instance, futures, kept, course, normal)
    return Made(ensemble, kept, len(found), error, course)


def _normal(count: int, dimensions: int, seed: int) -> Floats:
    """Return standard normal points of shape (count, dimensions): a scrambled Sobol sequence (Owen 1998)."""
    if not dimensions:
        return np.zeros((count, 0))
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = qmc.Sobol(dimensions, scramble=True, rng=seed).random_base2(max(1, math.ceil(math.log2(count))))[:count]
    return np.asarray(ndtri(np.clip(points, 1e-9, 1 - 1e-9)))


def _ensemble(
    scenario: Scenario, instance: Instance, futures: Futures, kept: list[Course], course: list[int], normal: Floats
) -> Ensemble:
    events = in_order(futures.events)
    parts = [_of_course(instance, events, one) for one in kept]
    at = np.array(course, dtype=np.int64)
    share, price, delay, demand, power = (np.stack([part[i] for part in parts])[at] for i in range(5))
    probability = np.array([kept[c].probability for c in course]) / np.bincount(at)[at]
    for d, drift in enumerate(futures.drifts):
        factor = _factor(drift, normal[:, d], len(instance.quarters), scenario, instance)
        if drift.of == "demand":
            named = np.array([not drift.services or s.name in drift.services for s in instance.services])
            demand = np.where(named[:, None], demand * factor[:, None, :], demand)
            continue
        hit = touched(drift.where, "both", instance)
        if drift.of == "price":
            price = np.where(hit[:, None], price * factor[:, None, :], price)
        else:
            share = np.where(hit[:, None], share * np.minimum(1.0, factor)[:, None, :], share)
    happened = tuple(_in_words(events, kept[c], instance) for c in course)
    histories = [tuple(sorted(kept[c].quarter.items())) for c in course]
    names = tuple(f"{c + 1}.{i + 1}" for c, i in zip(course, _count(course), strict=True))
    return Ensemble(
        names=names,
        probability=probability / probability.sum(),
        share=share,
        price=price,
        delay=delay.astype(np.int64),
        demand=demand,
        power=power,
        node=_nodes(events, [kept[c] for c in course], len(instance.quarters)),
        happenings=happened,
        refund=futures.refund,
        rights=rights_of(futures),
        history=tuple(histories),
    )


def _count(course: list[int]) -> list[int]:
    seen: dict[int, int] = {}
    found = []
    for c in course:
        found.append(seen.get(c, 0))
        seen[c] = found[-1] + 1
    return found


def _factor(drift: Drift, z: Floats, quarters: int, scenario: Scenario, instance: Instance) -> Floats:
    """Return the factor by future and quarter: lognormal, its spread growing with the root of the time from now."""
    middle = (math.log(drift.low) + math.log(drift.high)) / 2
    spread = (math.log(drift.high) - math.log(drift.low)) / 2 / NORMAL_TENTH
    now = Quarter.of(scenario.knowledge_date) - instance.quarters[0]
    ahead = np.clip(np.arange(quarters) - now, 0, None) / max(1, quarters - 1 - now)
    return np.asarray(np.exp(middle * ahead + spread * np.sqrt(ahead) * z[:, None]))


def _of_course(
    instance: Instance, events: list[Event], course: Course
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return share, price, delay, demand and power of one course of events."""
    from outlay.planning.build import selects

    base = certain(instance)
    share, price, delay = base.share[0].copy(), base.price[0].copy(), base.delay[0].astype(float)
    demand, power = base.demand[0].copy(), base.power[0].copy()
    quarters = len(instance.quarters)
    order = np.arange(quarters)
    lead = np.array([option.lead for option in instance.options])
    arrival = order[None, :] + lead[:, None]
    reaches = arrival < quarters
    happening = [
        (course.quarter[event.name], i, event) for i, event in enumerate(events) if event.name in course.quarter
    ]
    for quarter, _, event in sorted(happening, key=lambda item: item[:2]):
        for effect in event.effects:
            hit = touched(effect.where, effect.mode, instance)[:, None]
            late = hit & (arrival >= quarter)
            if effect.closes:
                share = np.where(late, 0.0, share)
            if effect.opens:
                share = np.where(hit & (order >= quarter) & reaches, 1.0, share)
            if effect.supply is not None:
                share = np.where(late, share * effect.supply, share)
            if effect.price is not None:
                price = np.where(hit & (order >= quarter), price * effect.price, price)
            if effect.delay_quarters:
                delay = np.where(late, delay + effect.delay_quarters, delay)
            if effect.demand is not None:
                named = np.array([not effect.services or s.name in effect.services for s in instance.services])
                demand = np.where(named[:, None] & (order >= quarter), demand * effect.demand, demand)
            if effect.power is not None:
                at = np.array([selects(effect.where, site) for site in instance.sites])
                power = np.where(at[:, None] & (order >= quarter), power * effect.power, power)
    return share, price, delay, demand, power


def _nodes(events: list[Event], kept: list[Course], quarters: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return what is known when the orders of each quarter are placed, as numbers; equal for what is not told apart."""
    notice = {event.name: event.notice_quarters for event in events}
    columns = []
    for t in range(quarters):
        known = [
            tuple(sorted((name, q) for name, q in course.quarter.items() if q - notice[name] <= t)) for course in kept
        ]
        columns.append(number(known))
    return np.stack(columns, axis=1)


def _in_words(events: list[Event], course: Course, instance: Instance) -> tuple[str, ...]:
    return tuple(
        f"{event.title or event.name} in {instance.quarters[course.quarter[event.name]]}"
        for event in events
        if event.name in course.quarter
    )


def sample(scenario: Scenario, instance: Instance, count: int, seed: int) -> Ensemble:
    """Return sampled futures, all equally likely, in which nothing is learnt: for judging a plan, not for making one.

    Courses are drawn in proportion to their probability by stratified sampling, drifts by a Sobol sequence.

    Raises
    ------
    InputError
        If the scenario has no futures.
    """
    futures = required(scenario)
    found = courses(scenario, futures)
    draw = np.random.default_rng(seed)
    reached = np.cumsum([course.probability for course in found])
    levels = (np.arange(count) + draw.random(count)) / count
    course = np.minimum(np.searchsorted(reached, levels), len(found) - 1)
    used = np.unique(course)
    place = {int(c): i for i, c in enumerate(used)}
    normal = draw.permutation(_normal(count, len(futures.drifts), seed))
    made = _ensemble(scenario, instance, futures, [found[c] for c in used], [place[int(c)] for c in course], normal)
    return replace(made, probability=np.full(count, 1.0 / count)).blind()
