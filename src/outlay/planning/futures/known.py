"""What was known of a scenario on a past day, and what then happened to it: the figures a company stated, by day."""

from __future__ import annotations

import csv
import math
from datetime import date
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from outlay.errors import InputError
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.scenario.schema import Event, Scenario

COUNTRY = "CN"
"""The country whose budgets, sites and services are played: what the rules struck and the figures speak of."""
ANSWERS = ("reserve", "cancel", "resell", "move")
"""Left out: orders alone are played, for the terms of no other deal of the buyer are public."""


def read_actual(name: str) -> list[tuple[date, float]]:
    """Return (day, tokens per second) as stated, by day.

    Raises
    ------
    InputError
        If there is no such record; names the scenarios that have one.
    """
    folder = resources.files("outlay.planning.futures").joinpath("data")
    known = sorted(
        entry.name.removeprefix("actual_").removesuffix(".csv")
        for entry in folder.iterdir()
        if entry.name.startswith("actual_")
    )
    if name not in known:
        msg = f"no record of what happened in scenario {name!r}; there is one of: {', '.join(known)}"
        raise InputError(msg)
    text = folder.joinpath(f"actual_{name}.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return sorted((date.fromisoformat(row["date"]), float(row["tokens_per_day"]) / 86400) for row in rows)


def narrowed(scenario: Scenario) -> Scenario:
    """Return the part of a scenario that is in one country: what the rules struck and the figures speak of."""
    sites = [site for site in scenario.sites if site.country == COUNTRY]
    budgets = [budget for budget in scenario.budgets if COUNTRY in budget.where.countries]
    names = {budget.name for budget in budgets}
    services = [service for service in scenario.services if COUNTRY in service.where.countries]
    last = scenario.horizon.all[-1]
    return scenario.model_copy(
        update={
            "sites": sites,
            "budgets": [budget.model_copy(update={"last": min(budget.last or last, last)}) for budget in budgets],
            "sourcing": [rule for rule in scenario.sourcing if rule.budget in names],
            "services": services,
            "training": [],
            "deadlines": [],
            "finance": None,  # plain purchases and leases: no contract of the buyer is public
            "futures": scenario.futures.model_copy(update=dict.fromkeys(ANSWERS)) if scenario.futures else None,
        }
    )


def free(scenario: Scenario, last: Quarter) -> Scenario:
    """Return the scenario without the reported split and its least spending, orders open to a later quarter."""
    budgets = [budget.model_copy(update={"spend_at_least": 0.0, "last": last}) for budget in scenario.budgets]
    return scenario.model_copy(
        update={"budgets": budgets, "sourcing": [rule for rule in scenario.sourcing if rule.kind == "floor"]}
    )


def as_of(scenario: Scenario, day: date, actual: list[tuple[date, float]]) -> Scenario:
    """Return the scenario as it could be written on a day: rules, prices, demand and events by what was known."""
    services = [
        service.model_copy(update={"demand": _forecast(service.demand, scenario.horizon.all, day, actual)})
        for service in scenario.services
    ]
    assert scenario.futures is not None
    past = [e for e in scenario.futures.events if any(scenario.knowledge_date < d <= day for d in e.history)]
    gone = {event.name for event in past}
    events = [
        _adopted(event, gone)
        for event in scenario.futures.events
        if event.name not in gone and (event.since is not None or not _over(event, day))
    ]
    futures = scenario.futures.model_copy(update={"events": events})
    return scenario.model_copy(update={"knowledge_date": day, "services": services, "futures": futures})


def _over(event: Event, day: date) -> bool:
    """Return whether the quarters in which an event could come have all passed."""
    return event.when is not None and all(quarter.end < day for quarter in event.when)


def _adopted(event: Event, gone: set[str]) -> Event:
    return event.model_copy(update={"after": None}) if event.after in gone else event


def _forecast(
    planned: dict[Quarter, float], quarters: tuple[Quarter, ...], day: date, actual: list[tuple[date, float]]
) -> dict[Quarter, float]:
    """Scale the planned path so that it goes through the latest figure known on a day, and through all before."""
    path = {q: max((given, rate) for given, rate in planned.items() if given <= q)[1] for q in quarters}
    known = [(when, rate) for when, rate in actual if when <= day]
    when, rate = known[-1]
    if when < quarters[0].start:
        return path
    at = Quarter.of(when)
    return {q: stated_rate(q, known) if q <= at else rate * path[q] / path[at] for q in quarters}


def stated_rate(quarter: Quarter, actual: list[tuple[date, float]]) -> float:
    """Return tokens/s in the middle of a quarter, growing evenly in the logarithm between the days stated."""
    middle = (quarter.start + (quarter.end - quarter.start) / 2).toordinal()
    days = [when.toordinal() for when, _ in actual]
    return math.exp(float(np.interp(middle, days, [math.log(rate) for _, rate in actual])))
