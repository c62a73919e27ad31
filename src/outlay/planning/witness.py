"""The figures a plan rests on, each with its source, and what a reader of the plan must know beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from outlay.planning.result import EvidenceItem, Purchase, ServiceResult, TrainingResult
from outlay.planning.work import EFFECTIVE_TRAINING_TIME
from outlay.units import Money, UnitPrice, human

if TYPE_CHECKING:
    from outlay.evidence import Figure
    from outlay.planning.build import Problem
    from outlay.scenario.schema import Evidence


def evidence(problem: Problem, bought: list[Purchase]) -> list[EvidenceItem]:
    """Return every figure behind the plan: the scenario's, then the prices, power and rates of what was bought."""
    systems = {purchase.system for purchase in bought}
    items = list(_of_scenario(problem))
    for (system, mode, market), price in problem.prices.items():
        if system in systems:
            what = f"price to {mode} {system}" + (f" ({market} market)" if mode == "buy" else ", per chip-hour")
            items += [_of_figure(what, figure) for figure in price.evidence]
    items += [_of_figure(f"power of {name}", problem.power[name]) for name in sorted(systems & set(problem.power))]
    for currency, figure in problem.fx_figures.items():
        items.append(_of_figure(f"{currency} per USD", figure))
    if problem.scenario.training:
        items.append(_of_figure("share of the time a training run makes progress", EFFECTIVE_TRAINING_TIME))
    return items


def _of_figure(what: str, figure: Figure) -> EvidenceItem:
    value = figure.value if isinstance(figure.value, str) else f"{figure.value:,.6g}"
    return EvidenceItem(
        what=what,
        value=f"{value} {figure.unit}".strip(),
        status=figure.status,
        source=" ".join(part for part in (figure.source.title, figure.source.locator) if part),
        address=figure.source.address,
        note=figure.note,
    )


def _of_scenario(problem: Problem) -> Iterator[EvidenceItem]:
    scenario = problem.scenario
    for field, found in scenario.evidence.items():
        yield _of_claim(field, getattr(scenario, field, ""), found)
    named: list[tuple[str, Any]] = [("buyer", scenario.buyer), ("policy", scenario.policy)]
    named += [(f"budget {budget.name}", budget) for budget in scenario.budgets]
    named += [(f"sourcing {rule.name}", rule) for rule in scenario.sourcing]
    named += [(f"site {site.name}", site) for site in scenario.sites]
    named += [(f"supply of {supply.chip}", supply) for supply in scenario.supply]
    named += [(f"rent of {lease.chip}", lease) for lease in scenario.leases]
    named += [(f"power of {own.system}", own) for own in scenario.system_power]
    named += [(f"training run {run.name}", run) for run in scenario.training]
    named += [(f"service {service.name}", service) for service in scenario.services]
    for name, block in named:
        for field, found in block.evidence.items():
            whole = field == "*"
            yield _of_claim(name if whole else f"{name}: {field}", "" if whole else getattr(block, field, ""), found)
    for name, model in scenario.models.items():
        yield _of_claim(f"model {name}", f"like {model.like}" if model.like else "", model.evidence)
    for deadline in scenario.deadlines:
        yield _of_claim(deadline.name, deadline.date, deadline.evidence)


def _of_claim(what: str, value: object, found: Evidence) -> EvidenceItem:
    source = ", ".join(part for part in (found.by, found.date) if part)
    return EvidenceItem(
        what, _printed(value), found.status, source, found.address, found.reason, found.denied_by,
        date=found.date, claim=found.claim, quote=found.quote,
    )  # fmt: skip


def _printed(value: object) -> str:
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, UnitPrice):
        return f"{human(value.amount)} {value.currency} per {value.per}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_printed(item)}" for key, item in value.items())
    if isinstance(value, BaseModel):
        return "; ".join(f"{key} {_printed(item)}" for key, item in value.model_dump(exclude_defaults=True).items())
    if isinstance(value, list):
        return ", ".join(map(_printed, value))
    if isinstance(value, float):
        return human(value)
    return str(value)


def notes(
    problem: Problem,
    bought: list[Purchase],
    runs: list[TrainingResult],
    services: list[ServiceResult],
    items: list[EvidenceItem],
) -> list[str]:
    """Return what a reader must know: ways round a rule, disputes, assumptions, what is missing, how wide bands are."""
    made = list(_ways_round(problem, bought))
    denied = sorted({item.what for item in items if item.denied_by})
    if denied:
        made.append(f"Denied by those they speak of, and planned with all the same: {', '.join(denied)}.")
    assumed = [item.what for item in items if item.status == "assumed"]
    if assumed:
        made.append(f"{len(assumed)} of {len(items)} figures are assumed, each with its reason in the evidence.")
    made += _late_prices(problem, bought)
    for run in runs:
        if run.runs and run.days and run.days_low and run.days_high:
            made.append(
                f"{run.name}: {run.days:,.0f} days, between {run.days_low:,.0f} and {run.days_high:,.0f}; {run.basis}."
            )
        elif not run.runs:
            made.append(f"{run.name} does not run: {run.why_not}.")
    warned: dict[str, set[str]] = defaultdict(set)
    for service in services:
        for system in service.rates:
            for warning in problem.work.serving[service.name, system].warnings:
                warned[warning].add(f"{service.name} on {system}")
    made += [f"{', '.join(sorted(where))}: {warning}" for warning, where in warned.items()]
    made += list(_left_out(problem))
    made.append("Legal readings are simplified and no legal advice; prices stay as known on the knowledge date.")
    return made


def _left_out(problem: Problem) -> Iterator[str]:
    """Say which systems could not be planned with and why, one line a reason."""
    by_reason: dict[str, dict[str, None]] = defaultdict(dict)
    for (system, mode, country), reason in problem.not_offered.items():
        if mode == "lease":
            by_reason["no rent of them is known, nor given under `leases`"][system] = None
        else:
            by_reason[reason][f"{system} in {country}"] = None
    for reason, ways in by_reason.items():
        yield f"Not on offer: {', '.join(ways)}: {reason}."


def _ways_round(problem: Problem, bought: list[Purchase]) -> Iterator[str]:
    leased: dict[tuple[str, str], int] = defaultdict(int)
    for purchase in bought:
        if purchase.mode == "lease":
            leased[purchase.system, purchase.country] += purchase.chips
    for (system, country), chips in leased.items():
        for way in problem.blocked:
            if (way.system, way.mode, way.country) == (system, "buy", country):
                yield (
                    f"Buying {system} in {country} is closed to {problem.scenario.buyer.name} ({way.code}, "
                    f"{', '.join(way.rules)}); the plan rents it there from others instead, {chips:,} chips in all."
                )
                break


def _late_prices(problem: Problem, bought: list[Purchase]) -> list[str]:
    day = problem.scenario.knowledge_date
    systems = {purchase.system for purchase in bought}
    late = {(system, mode) for (system, mode, _), price in problem.prices.items() if price.after_knowledge}
    return [
        f"The price to {mode} {system} was published only after {day}; none was found from before."
        for system, mode in sorted(late)
        if system in systems
    ]
