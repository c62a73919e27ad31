"""What a number of a plan rests on: the figures behind it, found by what the number is about."""

from __future__ import annotations

from collections.abc import Iterable

from outlay.planning.result import EvidenceItem, Limit, Plan, Purchase

Subject = str
"""The beginning of what a figure is called, such as ``budget china-chips`` or ``price to buy GB200 NVL72 rack``."""


def evidence_of(plan: Plan, subjects: Iterable[Subject]) -> list[EvidenceItem]:
    """Return the figures of some subjects, in the order of the subjects, each once."""
    found: dict[int, EvidenceItem] = {}
    for subject in subjects:
        for at, item in enumerate(plan.evidence):
            if item.what == subject or item.what.startswith((f"{subject}:", f"{subject} (", f"{subject},")):
                found.setdefault(at, item)
    return list(found.values())


def of_purchase(plan: Plan, bought: Purchase) -> list[Subject]:
    """Return what an order rests on: its price, its supply, its power, the site and the budget."""
    system = f"price to {bought.mode} {bought.system}"
    chips = [*_of_chip(plan, "supply of", bought.chip), *_of_chip(plan, "rent of", bought.chip)]
    power = f"power of {bought.system}"
    return [system, *chips, power, f"site {bought.site}", f"budget {bought.budget}", f"{bought.currency} per USD"]


def _of_chip(plan: Plan, kind: str, chip: str) -> list[Subject]:
    """Return the blocks that speak of a chip; a scenario may call it by a shorter name than the catalogue."""
    named = {item.what.removeprefix(f"{kind} ").split(":")[0] for item in plan.evidence if item.what.startswith(kind)}
    return [f"{kind} {name}" for name in sorted(named) if name in chip or chip in name]


def of_spending(plan: Plan) -> list[Subject]:
    """Return what the money spent rests on: budgets, the prices of what is bought, exchange rates."""
    prices = dict.fromkeys(f"price to {bought.mode} {bought.system}" for bought in plan.purchases)
    rates = dict.fromkeys(f"{code} per USD" for code in plan.fx)
    return [*(f"budget {budget.name}" for budget in plan.budgets), *prices, *rates]


def of_chips(plan: Plan) -> list[Subject]:
    """Return what the number of chips rests on: supply, rents, prices, budgets."""
    made = dict.fromkeys(subject for bought in plan.purchases for subject in of_purchase(plan, bought))
    wanted = ("supply of", "rent of", "price to", "budget")
    return [subject for subject in made if subject.startswith(wanted)] + ["default_supply"]


def of_workload(plan: Plan, name: str) -> list[Subject]:
    """Return what a training run or a service rests on: what is asked, its model, and the machines it runs on."""
    models = [run.model for run in plan.training if run.name == name]
    models += [service.model for service in plan.services if service.name == name]
    sites = [stage.site for run in plan.training if run.name == name for stage in run.stages]
    sites += [
        key.split(" @ ")[1].removesuffix(" (lease)") for s in plan.services if s.name == name for key in s.by_system
    ]
    systems = [stage.system for run in plan.training if run.name == name for stage in run.stages]
    systems += [key.split(" @ ")[0] for s in plan.services if s.name == name for key in s.by_system]
    runs = ["share of the time a training run makes progress"] if any(r.name == name for r in plan.training) else []
    subjects = [f"training run {name}", f"service {name}", *(f"model {model}" for model in models)]
    subjects += [f"site {site}" for site in sites] + [f"power of {system}" for system in systems]
    return list(dict.fromkeys([*subjects, *runs]))


def of_limit(plan: Plan, limit: Limit) -> list[Subject]:
    """Return what a limit rests on."""
    name = limit.name
    if limit.family == "power":
        return [f"site {name.removeprefix('power at ')}"]
    if limit.family == "demand":
        return [f"service {name.removeprefix('demand of ')}"]
    if limit.family == "supply":
        chip = name.removeprefix("supply of ").rsplit(" to ", 1)[0]
        return [*_of_chip(plan, "supply of", chip), *_of_chip(plan, "rent of", chip), "default_supply"]
    if limit.family == "sourcing":
        rule = name.removeprefix("sourcing ")
        return [f"sourcing {rule}", *(f"budget {budget.name}" for budget in plan.budgets)]
    return [f"budget {budget.name}" for budget in plan.budgets if budget.name in name] or [name]


def of_names(plan: Plan, words: str) -> list[Subject]:
    """Return what the things named in some words rest on: budgets, systems, sites and workloads of the plan."""
    found = [f"budget {budget.name}" for budget in plan.budgets if budget.name in words]
    for bought in plan.purchases:
        if bought.system in words or bought.vendor in words:
            found += [
                s for s in of_purchase(plan, bought) if s.startswith(("price to", "supply of", "rent of", "power of"))
            ]
    found += [f"site {site.name}" for site in plan.sites if site.name in words]
    for name in (*(run.name for run in plan.training), *(service.name for service in plan.services)):
        if name in words:
            found += of_workload(plan, name)
    return list(dict.fromkeys(found))


def denied(plan: Plan) -> list[Subject]:
    """Return the figures that somebody denies."""
    return [item.what for item in plan.evidence if item.status == "denied" or item.denied_by]
