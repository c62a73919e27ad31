"""From events and drifts to futures: probabilities, what is known when, what each effect does, what is kept."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import outlay
from outlay.planning.build import build
from outlay.planning.futures.events import Course, chances, courses, distances, rate_per_quarter, reduce
from outlay.planning.futures.tree import Made, make, sample
from outlay.planning.instance import Instance
from outlay.scenario.schema import Event, Scenario

SMALL = Path(__file__).with_name("small.yaml")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Return the small scenario: the H200 stops in 2025Q2 or Q3 (20 % each), may be back in 2025Q4."""
    return outlay.load(SMALL)


@pytest.fixture(scope="module")
def instance(scenario: Scenario) -> Instance:
    """Return its planning problem."""
    return build(scenario).instance


@pytest.fixture(scope="module")
def made(scenario: Scenario, instance: Instance) -> Made:
    """Return its futures."""
    return make(scenario, instance)


def test_courses_have_the_probabilities_given(scenario: Scenario) -> None:
    """Five courses: stopped in two quarters, back or not, or nothing: 10 % four times and 60 %."""
    assert scenario.futures is not None
    found = {tuple(sorted(c.quarter.items())): c.probability for c in courses(scenario, scenario.futures)}
    assert found == pytest.approx(
        {
            (): 0.6,
            (("h200-stop", 1),): 0.1,
            (("h200-stop", 2),): 0.1,
            (("h200-back", 3), ("h200-stop", 1)): 0.1,
            (("h200-back", 3), ("h200-stop", 2)): 0.1,
        }
    )


def test_an_order_for_a_closed_part_fails_from_its_arrival_on(made: Made, instance: Instance) -> None:
    """A stop in 2025Q2 takes what arrives then, ordered a quarter before, and the price of the other part rises."""
    h200, h100 = (
        next(k for k, o in enumerate(instance.options) if o.chip == chip) for chip in ("H200 SXM", "H100 SXM")
    )
    n = next(i for i, h in enumerate(made.ensemble.history) if dict(h) == {"h200-stop": 1})
    assert instance.options[h200].lead == 1
    assert made.ensemble.share[n, h200].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert made.ensemble.price[n, h100].tolist() == [1.0, 1.2, 1.2, 1.2]
    later = next(i for i, h in enumerate(made.ensemble.history) if dict(h) == {"h200-stop": 2})
    assert made.ensemble.share[later, h200].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_futures_are_told_apart_by_what_has_happened(made: Made) -> None:
    """In the first quarter nothing is known; the stop of 2025Q2 is known in that quarter, that of 2025Q3 not yet."""
    node, history = made.ensemble.node, made.ensemble.history
    assert len(set(node[:, 0])) == 1
    for t in range(made.ensemble.quarters):
        for n in range(len(made.ensemble)):
            for m in range(len(made.ensemble)):
                known = [{e: q for e, q in dict(history[i]).items() if q <= t} for i in (n, m)]
                assert (node[n, t] == node[m, t]) == (known[0] == known[1])


def test_probabilities_sum_to_one_and_draws_share_them(made: Made) -> None:
    """Each course gives its probability to its draws in equal parts."""
    assert made.ensemble.probability.sum() == pytest.approx(1.0)
    for c, course in enumerate(made.courses):
        mine = [made.ensemble.probability[n] for n in range(len(made.ensemble)) if made.course[n] == c]
        assert sum(mine) == pytest.approx(course.probability)
        assert len(set(np.round(mine, 12))) == 1


def test_drift_points_are_those_asked_for(scenario: Scenario, instance: Instance) -> None:
    """A tenth of futures end below the low factor, a tenth above the high one, none moves in the first quarter."""
    found = sample(scenario, instance, 2000, 3)
    asked = np.array(instance.services[0].demand)
    factor = found.demand[:, 0] / asked
    assert (factor[:, 0] == 1.0).all()
    assert np.mean(factor[:, -1] < 0.7) == pytest.approx(0.1, abs=0.01)
    assert np.mean(factor[:, -1] > 1.6) == pytest.approx(0.1, abs=0.01)
    stopped = np.mean(["h200-stop" in dict(h) for h in found.history])
    assert stopped == pytest.approx(0.4, abs=0.01)


def test_the_same_seed_gives_the_same_futures(scenario: Scenario, instance: Instance) -> None:
    """Draws depend on the seed alone."""
    once, again, other = (make(scenario, instance, draws=4, seed=s).ensemble for s in (5, 5, 6))
    assert np.array_equal(once.demand, again.demand)
    assert not np.array_equal(once.demand, other.demand)


def event(**changes: object) -> Event:
    """Return an event whose rate follows from its history."""
    base = {
        "name": "stop",
        "since": "2022-01-22",
        "history": ["2023-01-01", "2026-01-01"],
        "effects": [{"closes": True}],
    }
    return Event.model_validate({**base, **changes})


def test_the_rate_counts_only_what_was_known(scenario: Scenario) -> None:
    """One event in the twelve quarters before 2025-01-22; that of 2026 is not known yet: (1 + 1/2) / 12."""
    assert rate_per_quarter(event(), scenario) == pytest.approx(1.5 / 12.0, rel=1e-2)
    later = scenario.model_copy(update={"knowledge_date": date(2026, 1, 22)})
    assert rate_per_quarter(event(), later) == pytest.approx(2.5 / 16.0, rel=1e-2)


def test_dates_from_a_rate_keep_its_probability(scenario: Scenario) -> None:
    """However few dates stand for all quarters, never has the probability that no event comes."""
    found = chances(event(), scenario, 1)
    rate = rate_per_quarter(event(), scenario)
    assert sum(p for _, p in found) == pytest.approx(1.0)
    assert found[-1] == (None, pytest.approx(np.exp(-3 * rate)))
    assert all(q is None or 1 <= q <= 3 for q, _ in found)


@given(
    st.lists(st.tuples(st.floats(0.01, 1.0), st.integers(0, 7), st.integers(0, 7)), min_size=2, max_size=12),
    st.integers(1, 6),
)
@settings(max_examples=40)
def test_reduction_keeps_probability_and_its_error_falls(
    given_courses: list[tuple[float, int, int]], most: int
) -> None:
    """Probabilities still sum to one; more courses kept never leave a larger distance; all kept leave none."""
    total = sum(p for p, _, _ in given_courses)
    found = [Course(p / total, {"a": a, "b": b}) for p, a, b in given_courses]
    events = [event(name="a"), event(name="b")]
    kept, error = reduce(found, events, 8, most)
    assert sum(course.probability for course in kept) == pytest.approx(1.0)
    assert len(kept) == min(most, len(found))
    more, smaller = reduce(found, events, 8, most + 1)
    assert smaller <= error + 1e-9 or len(more) == len(found)
    assert reduce(found, events, 8, len(found)) == (found, 0.0)
    assert (distances(found, events, 8) >= 0).all()
