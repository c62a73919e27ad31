"""What must hold between the parts of a scenario: names, quarters and limits that fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.errors import CatalogError, MissingFigureError, unknown
from outlay.scenario.check_finance import FINANCE_CHECKS
from outlay.scenario.reasons import unreasoned
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.load import Problem
    from outlay.scenario.schema import Evidence, Scenario, Selection, Site, Sourcing
    from outlay.scenario.tree import Location


def check(scenario: Scenario, catalog: Catalog | None = None) -> list[Problem]:
    """Return everything wrong between the parts of a scenario; an empty list where nothing is."""
    from outlay.catalog import Catalog
    from outlay.scenario.load import Problem

    catalog = catalog or Catalog.load(Path(scenario.catalog) if scenario.catalog else None)
    return [Problem(where, what) for rule in CHECKS for where, what in rule(scenario, catalog)]


Found = Iterator[tuple["Location", str]]


def selections(scenario: Scenario) -> Iterator[tuple[Location, Selection]]:
    """Return every selection of sites, vendors and chips with its place."""
    for i, budget in enumerate(scenario.budgets):
        yield ("budgets", i, "where"), budget.where
    for i, rule in enumerate(scenario.sourcing):
        yield ("sourcing", i, "of"), rule.of
    for i, supply in enumerate(scenario.supply):
        yield ("supply", i, "where"), supply.where
    for i, run in enumerate(scenario.training):
        yield ("training", i, "where"), run.where
    for i, service in enumerate(scenario.services):
        yield ("services", i, "where"), service.where


def _names_in_catalogue(scenario: Scenario, catalog: Catalog) -> Found:
    """Chips, systems and models exist, or are defined under `models`."""
    wanted: list[tuple[Location, str, Callable[[str], Any]]] = []
    wanted += [(("systems", i), name, catalog.resolve_system) for i, name in enumerate(scenario.systems)]
    wanted += [
        (("system_power", i, "system"), own.system, catalog.system) for i, own in enumerate(scenario.system_power)
    ]
    wanted += [(("supply", i, "chip"), supply.chip, catalog.chip) for i, supply in enumerate(scenario.supply)]
    wanted += [(("leases", i, "chip"), lease.chip, catalog.chip) for i, lease in enumerate(scenario.leases)]
    for where, selection in selections(scenario):
        wanted += [((*where, "chips", i), name, catalog.chip) for i, name in enumerate(selection.chips)]
    used: list[tuple[Location, str]] = [
        (("training", i, "model"), run.model) for i, run in enumerate(scenario.training)
    ]
    used += [(("services", i, "model"), service.model) for i, service in enumerate(scenario.services)]
    wanted += [(where, name, catalog.model) for where, name in used if name not in scenario.models]
    for name, own in scenario.models.items():
        if own.like is not None:
            wanted.append((("models", name, "like"), own.like, catalog.model))
    for where, name, look_up in wanted:
        try:
            look_up(name)
        except CatalogError as error:
            yield where, str(error)


def _own_models(scenario: Scenario, catalog: Catalog) -> Found:
    """Dimensions of the scenario's own models are known ones, within reason, and enough to count operations by."""
    from outlay.catalog.store import schema
    from outlay.performance.transformer import architecture
    from outlay.scenario.models import own_model

    dimensions = schema()["model"]
    for name, own in scenario.models.items():
        wrong = False
        for field, value in own.fields.items():
            known = dimensions.get(field)
            what = ""
            if known is None:
                what = unknown("field", field, dimensions)
            elif known.number and (
                isinstance(value, bool | str) or not (known.low or 0) <= value <= (known.high or inf)
            ):
                what = f"{field} is {value!r}; expected a number from {known.low:g} to {known.high:g}"
            if what:
                wrong = True
                yield ("models", name, "fields", field), what
        try:
            if not wrong:
                architecture(own_model(name, own, catalog))
        except CatalogError:
            continue  # what it is like is told of by its name
        except MissingFigureError as error:
            yield ("models", name), str(error)


def _readings(scenario: Scenario, catalog: Catalog) -> Found:
    """Require readings that the rules know."""
    from outlay.policy import FLAGS
    from outlay.policy.rules import all_rules

    known = [rule.id for rule in all_rules()] if scenario.policy.dates else []
    for name in scenario.policy.dates:
        if name not in known:
            yield (
                ("policy", "dates", name),
                unknown("rule", name, known, see="`outlay check` names the rules that fire"),
            )
    for i, flag in enumerate(scenario.policy.flags):
        if flag not in FLAGS:
            yield ("policy", "flags", i), unknown("policy flag", flag, FLAGS, see=f"flags: {', '.join(FLAGS)}")


def _names_in_file(scenario: Scenario, catalog: Catalog) -> Found:
    """Sites, budgets and vendors that are spoken of are there."""
    sites = [site.name for site in scenario.sites]
    budgets = [budget.name for budget in scenario.budgets]
    vendors = sorted({chip.vendor for chip in catalog.chips.values()})
    for where, selection in selections(scenario):
        for field, names, known in (("sites", selection.sites, sites), ("vendors", selection.vendors, vendors)):
            for i, name in enumerate(names):
                if name not in known:
                    yield (*where, field, i), unknown(field[:-1], name, known)
    for i, lease in enumerate(scenario.leases):
        for j, name in enumerate(lease.sites):
            if name not in sites:
                yield ("leases", i, "sites", j), unknown("site", name, sites)
    for i, rule in enumerate(scenario.sourcing):
        if rule.base == "budget-value" and rule.budget is None:
            yield ("sourcing", i), f"sourcing {rule.name!r} counts the value of one budget; name it under `budget`"
        if rule.budget is not None and rule.budget not in budgets:
            yield ("sourcing", i, "budget"), unknown("budget", rule.budget, budgets)


def _names_once(scenario: Scenario, catalog: Catalog) -> Found:
    """No two blocks of a kind share a name."""
    for kind in ("budgets", "sourcing", "sites", "training", "services"):
        seen: set[str] = set()
        for i, block in enumerate(getattr(scenario, kind)):
            if block.name in seen:
                yield (kind, i, "name"), f"two {kind} are named {block.name!r}"
            seen.add(block.name)
    both = {run.name for run in scenario.training} & {service.name for service in scenario.services}
    for i, service in enumerate(scenario.services):
        if service.name in both:
            yield ("services", i, "name"), f"a training run and a service are both named {service.name!r}"


def _one_of_each(scenario: Scenario, catalog: Catalog) -> Found:
    """No chip has two rents at a site, no system two powers; what is given twice cannot both hold."""
    try:
        rents = [(catalog.chip(lease.chip).name, set(lease.sites)) for lease in scenario.leases]
        powers = [catalog.system(own.system).name for own in scenario.system_power]
    except CatalogError:
        return  # told of by their names
    for (i, (a, here)), (j, (b, there)) in combinations(enumerate(rents), 2):
        if a == b and (not here or not there or here & there):
            yield ("leases", j, "chip"), f"the rent of {b} is given twice for a site, in leases[{i}] and leases[{j}]"
    for i, name in enumerate(powers):
        if name in powers[:i]:
            yield ("system_power", i, "system"), f"the power of {name} is given twice"


def _takes(selection: Selection, site: Site) -> bool:
    return (
        (not selection.countries or site.country in selection.countries)
        and site.country not in selection.not_countries
        and (not selection.sites or site.name in selection.sites)
    )


def _somewhere(scenario: Scenario, catalog: Catalog) -> Found:
    """Every selection takes a site, and every budget has a site where what it pays for is on offer."""
    for where, selection in selections(scenario):
        if not any(_takes(selection, site) for site in scenario.sites):
            owner = getattr(scenario, str(where[0]))[where[1]]
            name = getattr(owner, "name", getattr(owner, "chip", ""))
            yield where[:2], f"{where[0]} {name!r}: no site of the scenario is in its terms"
    for i, budget in enumerate(scenario.budgets):
        orders = {"buy", "lease"} & set(budget.pays_for)
        offered = {mode for site in scenario.sites if _takes(budget.where, site) for mode in site.modes}
        if orders and offered and not orders & offered:
            here = f"its sites only {' and '.join(sorted(offered))}"
            yield ("budgets", i, "pays_for"), f"budget {budget.name!r} pays to {', '.join(sorted(orders))}, but {here}"


def _quarters_in_horizon(scenario: Scenario, catalog: Catalog) -> Found:
    """Quarters spoken of lie in the horizon; windows begin before they end."""
    first, last = scenario.horizon.all[0], scenario.horizon.all[-1]

    def outside(quarter: Quarter | None) -> bool:
        return quarter is not None and not first <= quarter <= last

    for kind, ends in (("budgets", ("first", "last")), ("training", ("first", "deadline"))):
        for i, block in enumerate(getattr(scenario, kind)):
            start, end = (getattr(block, field) for field in ends)
            for field in ends:
                if outside(getattr(block, field)):
                    yield (kind, i, field), f"{getattr(block, field)} is outside the horizon, {first} to {last}"
            if start is not None and end is not None and end < start:
                yield (kind, i, ends[1]), f"{ends[1]} {end} is before {ends[0]} {start}"
    for i, service in enumerate(scenario.services):
        for quarter in service.demand:
            if outside(quarter):
                yield ("services", i, "demand", str(quarter)), f"{quarter} is outside the horizon, {first} to {last}"
    for i, supply in enumerate(scenario.supply):
        for quarter in supply.chips if isinstance(supply.chips, dict) else ():
            if outside(quarter):
                yield ("supply", i, "chips", str(quarter)), f"{quarter} is outside the horizon, {first} to {last}"
    for i, site in enumerate(scenario.sites):
        for quarter in site.power if isinstance(site.power, dict) else ():
            if quarter > last:  # before the horizon is where a site's power may well begin
                yield ("sites", i, "power", str(quarter)), f"{quarter} is after the horizon, {first} to {last}"
        if site.ready > last:
            yield ("sites", i, "ready"), f"ready in {site.ready}, after the horizon ends in {last}"
    if Quarter.of(scenario.knowledge_date) > last:
        yield ("knowledge_date",), f"{scenario.knowledge_date} is after the horizon ends in {last}"


def _shares_agree(scenario: Scenario, catalog: Catalog) -> Found:
    """Refuse a floor and an exact share of the same thing over the same base that contradict."""
    for (i, a), (j, b) in combinations(enumerate(scenario.sourcing), 2):
        if (a.base, a.budget, a.of) != (b.base, b.budget, b.of):
            continue
        exact = [rule for rule in (a, b) if rule.kind == "exact"]
        floor = [rule for rule in (a, b) if rule.kind == "floor"]
        if len(exact) == 2 and a.share != b.share:
            yield ("sourcing", j, "share"), f"{b.name!r} asks exactly {b.share:.1%}, {a.name!r} exactly {a.share:.1%}"
        elif exact and floor and floor[0].share > exact[0].share:
            at = j if b is floor[0] else i
            told = f"{exact[0].name!r} fixes exactly {exact[0].share:.1%}"
            yield ("sourcing", at, "share"), f"floor {floor[0].name!r} of {floor[0].share:.1%}, but {told}"
    yield from _shares_within_all(scenario)


def _shares_within_all(scenario: Scenario) -> Found:
    """Refuse shares of one base from vendors of different countries that are over 100 % together."""
    groups: dict[tuple[str, str | None], list[tuple[int, Sourcing]]] = {}
    for i, rule in enumerate(scenario.sourcing):
        if rule.of.vendor_countries and rule.of.model_fields_set == {"vendor_countries"}:
            groups.setdefault((rule.base, rule.budget), []).append((i, rule))
    for group in groups.values():
        countries = [country for _, rule in group for country in rule.of.vendor_countries]
        together = sum(rule.share for _, rule in group)
        if len(set(countries)) == len(countries) and together > 1 + 1e-9:
            said = " and ".join(f"{rule.name!r} {rule.share:.1%}" for _, rule in group)
            yield ("sourcing", group[-1][0], "share"), f"shares of one base over 100%: {said}"


def _leases_have_owners(scenario: Scenario, catalog: Catalog) -> Found:
    """Where machines are leased, the rules need to know whose they are."""
    for i, site in enumerate(scenario.sites):
        if "lease" in site.modes and site.owner_headquarters is None:
            yield (
                ("sites", i),
                f"site {site.name!r} leases machines; give their owner's headquarters (owner_headquarters)",
            )


def _rates_known(scenario: Scenario, catalog: Catalog) -> Found:
    """Every currency used has a rate in the month of the knowledge date, or under `fx`."""
    used: dict[str, Location] = {scenario.currency: ("currency",)}
    for i, budget in enumerate(scenario.budgets):
        used.setdefault(budget.amount.currency, ("budgets", i, "amount"))
    for i, site in enumerate(scenario.sites):
        used.setdefault(site.energy_price.currency, ("sites", i, "energy_price"))
        if site.hosting_price is not None:
            used.setdefault(site.hosting_price.currency, ("sites", i, "hosting_price"))
        if site.build_cost is not None:
            used.setdefault(site.build_cost.currency, ("sites", i, "build_cost"))
    for i, run in enumerate(scenario.training):
        if run.value is not None:
            used.setdefault(run.value.currency, ("training", i, "value"))
    for i, service in enumerate(scenario.services):
        used.setdefault(service.price.currency, ("services", i, "price"))
        if service.unmet_penalty is not None:
            used.setdefault(service.unmet_penalty.currency, ("services", i, "unmet_penalty"))
    for i, lease in enumerate(scenario.leases):
        used.setdefault(lease.price.currency, ("leases", i, "price"))
    if "USD" in scenario.fx:
        yield ("fx", "USD"), "rates are per US dollar; USD itself has none"
    for currency, where in used.items():
        if currency in scenario.fx:
            continue
        try:
            catalog.fx(currency, scenario.knowledge_date)
        except MissingFigureError as error:
            yield where, f"{error}; give a rate under `fx`, such as {currency}: 7.27 (units per US dollar)"


def _work_has_worth(scenario: Scenario, catalog: Catalog) -> Found:
    """Require one objective, and a worth of every run that need not be done."""
    objective = scenario.objective
    if (objective.maximise is None) == (objective.minimise is None):
        yield ("objective",), "give exactly one of maximise and minimise"
    for i, run in enumerate(scenario.training):
        if run.value is None and not run.must and objective.minimise != "finish":
            yield ("training", i), f"training run {run.name!r} needs a value, or `must: true`"


def _assumptions_have_reasons(scenario: Scenario, catalog: Catalog) -> Found:
    """Require a reason for what is assumed, and evidence only of fields that are there."""
    blocks: list[tuple[Location, Any]] = [((), scenario), (("buyer",), scenario.buyer), (("policy",), scenario.policy)]
    for kind in ("budgets", "sourcing", "sites", "leases", "system_power", "supply", "training", "services"):
        blocks += [((kind, i), block) for i, block in enumerate(getattr(scenario, kind))]
    yield from unreasoned(blocks)
    single: list[tuple[Location, str, Evidence]] = [
        (("models", name), name, own.evidence) for name, own in scenario.models.items()
    ]
    single += [(("deadlines", i), day.name, day.evidence) for i, day in enumerate(scenario.deadlines)]
    for where, name, evidence in single:
        if evidence.status == "assumed" and not evidence.reason:
            yield (*where, "evidence"), f"{name!r} is assumed; say why under `reason`"


def _futures(scenario: Scenario, catalog: Catalog) -> Found:
    """Events and drifts of the futures fit together."""
    from outlay.scenario.uncertainty import check_futures

    yield from check_futures(scenario, catalog)


CHECKS = (
    _names_in_catalogue,
    _own_models,
    _readings,
    _names_in_file,
    _names_once,
    _one_of_each,
    _somewhere,
    _quarters_in_horizon,
    _shares_agree,
    _leases_have_owners,
    _rates_known,
    _work_has_worth,
    _assumptions_have_reasons,
    *FINANCE_CHECKS,
    _futures,
)
