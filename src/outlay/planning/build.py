"""From a scenario to the planning problem in numbers: prices, power, rules, rates and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.errors import CatalogError, MissingFigureError, ScenarioError
from outlay.planning.contracts import Owned, building, discount_rate, owned, price_factors, staff
from outlay.planning.credit import credits_of
from outlay.planning.dominance import undominated
from outlay.planning.futures.events import may_open
from outlay.planning.instance import Block, Budget, Instance, Option, Run, Service, Site, Sourcing, Supply
from outlay.planning.legality import Law, Legality, blocked_ways
from outlay.planning.result import Blocked
from outlay.planning.work import Work, place_blocks, rate_services, service_demand, training_blocks
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip, Model, System
    from outlay.evidence import Figure
    from outlay.finance.pricing import Market, Priced
    from outlay.scenario import schema
    from outlay.scenario.schema import Scenario, Selection

HOURS_PER_QUARTER = 8766 / 4
MONTHS_PER_QUARTER = 3


@dataclass(frozen=True)
class Problem:
    """An instance and everything needed to tell what its numbers mean.

    Attributes
    ----------
    prices, power
        By (system, mode, market) and by system: the figures used.
    not_offered
        By (system, mode, country): why it could not be planned with.
    """

    scenario: Scenario
    catalog: Catalog
    instance: Instance
    work: Work
    prices: Mapping[tuple[str, str, str], Priced]
    power: Mapping[str, Figure]
    fx: Mapping[str, float]
    fx_figures: Mapping[str, Figure]
    blocked: tuple[Blocked, ...]
    not_offered: Mapping[tuple[str, str, str], str]
    models: Mapping[str, Model]


def build(
    scenario: Scenario, catalog: Catalog | None = None, progress: Callable[[str], None] = lambda _: None
) -> Problem:
    """Turn a scenario into a planning problem.

    Raises
    ------
    ScenarioError
        If a budget, a site or a model of the scenario leaves nothing to choose from.
    """
    from outlay.catalog import Catalog
    from outlay.finance.pricing import fx_rates

    catalog = catalog or Catalog.load(Path(scenario.catalog) if scenario.catalog else None)
    fx = fx_rates(catalog, scenario.knowledge_date, scenario.fx)
    progress("prices, power and rules")
    maker = _OptionMaker(scenario, catalog, fx)
    options = maker.options()
    if not options:
        why = "; ".join(dict.fromkeys(maker.not_offered.values())) or "the rules close every way"
        msg = f"scenario {scenario.name}: nothing can be bought or leased anywhere. {why}"
        raise ScenarioError(msg)
    sites = tuple(_site(scenario, site) for site in scenario.sites)
    models = {name: _model(scenario, catalog, name) for name in _model_names(scenario)}
    work = Work()
    services = _services(scenario, catalog, options, models, work, fx, progress)
    runs, blocks = _runs(scenario, catalog, options, sites, models, work, fx, progress)
    instance = Instance(
        quarters=scenario.horizon.all,
        currency=scenario.currency,
        rate={currency: fx[scenario.currency] / per_dollar for currency, per_dollar in fx.items()},
        discount=discount_rate(scenario),
        salvage_per_year=scenario.objective.salvage_per_year,
        reserve_value=scenario.objective.reserve_value,
        objective=scenario.objective.maximise or scenario.objective.minimise or "value",
        options=options,
        sites=sites,
        budgets=_budgets(scenario, options),
        supply=_supply(scenario, catalog, options),
        sourcing=(),
        services=services,
        runs=runs,
        blocks=blocks,
        credits=credits_of(scenario),
    )
    return Problem(
        scenario=scenario,
        catalog=catalog,
        instance=undominated(replace(instance, sourcing=_sourcing(scenario, instance))),
        work=work,
        prices=maker.prices,
        power=maker.power,
        fx=fx,
        fx_figures=_rates_used(scenario, catalog, options),
        blocked=tuple(blocked_ways(scenario.horizon.all, maker.ways)),
        not_offered=maker.not_offered,
        models=models,
    )


def _rates_used(scenario: Scenario, catalog: Catalog, options: tuple[Option, ...]) -> dict[str, Figure]:
    """Return the table's rates of the currencies in use, those the scenario gives itself left out."""
    from outlay.finance.pricing import fx_figures

    used = {scenario.currency} | {option.currency for option in options}
    used |= {budget.amount.currency for budget in scenario.budgets}
    used |= {site.energy_price.currency for site in scenario.sites}
    known = fx_figures(catalog, scenario.knowledge_date)
    return {name: known[name] for name in sorted(used - set(scenario.fx)) if name in known}


def power_of(scenario: Scenario, catalog: Catalog, system: System) -> Figure:
    """Return the IT power of one system in watts: the scenario's own figure, or the catalogue's."""
    from outlay.evidence import Figure, Source
    from outlay.finance.pricing import system_power

    for own in scenario.system_power:
        if catalog.system(own.system).name == system.name:
            told = own.evidence.get("power") or own.evidence.get("*")
            source = Source(told.by, told.address) if told else Source("the scenario", "")
            return Figure(own.power, "W", told.status if told else "assumed", source, told.reason if told else "")
    return system_power(catalog, system)


def selects(selection: Selection, site: Site, option: Option | None = None) -> bool:
    """Return whether a selection takes a site, and an option at it where one is given."""
    if selection.countries and site.country not in selection.countries:
        return False
    if site.country in selection.not_countries or (selection.sites and site.name not in selection.sites):
        return False
    if option is None:
        return True
    return (
        (not selection.vendors or option.vendor in selection.vendors)
        and (not selection.vendor_countries or option.vendor_country in selection.vendor_countries)
        and (not selection.chips or option.chip in selection.chips)
    )


class _OptionMaker:
    """Makes the options of a scenario, keeping the figures used and the reasons for what is left out."""

    def __init__(self, scenario: Scenario, catalog: Catalog, fx: Mapping[str, float]) -> None:
        self.scenario, self.catalog, self.fx = scenario, catalog, fx
        self.prices: dict[tuple[str, str, str], Priced] = {}
        self.power: dict[str, Figure] = {}
        self.not_offered: dict[tuple[str, str, str], str] = {}
        self.ways: list[tuple[str, Chip, str, str, Legality]] = []

    def options(self) -> tuple[Option, ...]:
        names = self.scenario.systems or list(self.catalog.systems)
        self.law = Law(self.scenario, [self.catalog.chip(self.catalog.resolve_system(name).chip) for name in names])
        made: list[Option] = []
        for name in names:
            system = self.catalog.resolve_system(name)
            chip = self.catalog.chip(system.chip)
            for index, site in enumerate(self.scenario.sites):
                for mode in site.modes:
                    option = self._option(system, chip, index, site, mode)
                    if option is not None:
                        made += self._under_contracts(chip, site, option, len(made))
        return tuple(made)

    def _option(self, system: System, chip: Chip, index: int, site: schema.Site, mode: str) -> Option | None:
        lead = self._lead(chip, site, mode)
        found = self.law.of(chip, site, mode, lead)
        self.ways.append((system.name, chip, mode, site.country, found))
        if not any(found.legal) and not may_open(self.scenario, chip, site, mode):
            return None
        compute = chip.peak("bf16") or chip.peak("fp16")
        try:
            if system.name not in self.power:
                self.power[system.name] = power_of(self.scenario, self.catalog, system)
            price, currency = self._price(system, chip, site, mode)
            if compute is None:
                msg = f"chip {chip.name!r}: no source gives its bf16 or fp16 peak"
                raise MissingFigureError(msg)  # noqa: TRY301  one place notes why a system is left out
        except (MissingFigureError, CatalogError) as error:
            self.not_offered[system.name, mode, site.country] = str(error)
            return None
        watts = float(self.power[system.name].value)
        energy, hosting = self._running(site, watts, mode)
        had = owned(self.scenario, system, site, price, watts) if mode == "buy" else Owned(price, 0.0, 0.0)
        built, lasting = building(self.scenario, site, watts) if mode == "buy" else (0.0, 1.0)
        into = self._per(site.build_cost.currency) / self._per(currency) if site.build_cost else 0.0
        staffed = staff(self.scenario, watts) * self._per("USD") if mode == "buy" else 0.0
        return Option(
            mode="lease" if mode == "lease" else "buy",
            system=system.name,
            chip=chip.name,
            vendor=chip.vendor,
            vendor_country=chip.vendor_country,
            site=index,
            chips=system.chips,
            watts=watts,
            compute=compute * system.chips,
            price=had.capital,
            currency=currency,
            lead=lead,
            term=self.scenario.lease_quarters if mode == "lease" else None,
            running=energy + hosting,
            energy_share=energy / (energy + hosting) if energy + hosting else 0.0,
            legal=found.legal,
            codes=found.codes,
            rules=found.rules,
            upkeep=had.upkeep * self._per(currency) + staffed,
            resale=had.resale,
            building=built * into,
            building_years=lasting,
            price_factors=price_factors(self.scenario, self._levies(chip, site, lead)) if mode == "buy" else (),
        )

    def _levies(self, chip: Chip, site: schema.Site, lead: int) -> list[float]:
        """Return what the rules make of the price of a chip bought, by quarter of the order; one after the horizon."""
        quarters = self.scenario.horizon.all
        borne = self.scenario.finance.passed_on if self.scenario.finance else 0.0
        return [
            self.law.price_multiplier(chip, site, "buy", quarters[t + lead], borne) if t + lead < len(quarters) else 1.0
            for t in range(len(quarters))
        ]

    def _under_contracts(self, chip: Chip, site: schema.Site, option: Option, place: int) -> list[Option]:
        """Return an option under each contract the scenario offers, keeping the rents used."""
        from outlay.planning.contracts import IN_WORDS, expand

        made, rents, left_out = expand(self.scenario, self.catalog, chip, site, option, place)
        market = "CN" if site.country == "CN" else "world"
        for kind, priced in rents.items():
            self.prices[option.system, IN_WORDS.get(kind, "rent ahead"), market] = priced
        for kind, why in left_out.items():
            self.not_offered[option.system, kind, site.country] = why
        return made

    def _lead(self, chip: Chip, site: schema.Site, mode: str) -> int:
        """Return quarters from order to use; rented machines stand already, unless their supply says otherwise."""
        for supply in self.scenario.supply:
            named = self.catalog.chip(supply.chip).name == chip.name
            here = selects(supply.where, _site(self.scenario, site))
            if named and here and supply.mode in {mode, "both"} and supply.lead_quarters is not None:
                return supply.lead_quarters
        return 0 if mode == "lease" else self.scenario.lead_quarters

    def _price(self, system: System, chip: Chip, site: schema.Site, mode: str) -> tuple[float, str]:
        """Return the price of one unit, or its rent for one quarter, and the currency it is in."""
        from outlay.finance.pricing import purchase_price, rental_price

        market: Market = "CN" if site.country == "CN" else "world"
        day = self.scenario.knowledge_date
        if mode == "buy":
            key = (system.name, "buy", market)
            if key not in self.prices:
                self.prices[key] = purchase_price(self.catalog, system, day, market=market)
            return self.prices[key].amount, self.prices[key].currency
        for lease in self.scenario.leases:
            if self.catalog.chip(lease.chip).name == chip.name and (not lease.sites or site.name in lease.sites):
                return lease.price.amount * system.chips * HOURS_PER_QUARTER, lease.price.currency
        key = (system.name, "lease", market)
        if key not in self.prices:
            self.prices[key] = rental_price(self.catalog, chip, day)
        return self.prices[key].amount * system.chips * HOURS_PER_QUARTER, self.prices[key].currency

    def _running(self, site: schema.Site, watts: float, mode: str) -> tuple[float, float]:
        """Return energy and hosting of one unit for one quarter; rent of machines covers both."""
        if mode == "lease":
            return 0.0, 0.0
        kilowatts = watts / 1e3
        energy = site.energy_price.amount * kilowatts * site.pue * HOURS_PER_QUARTER
        energy *= self._per(site.energy_price.currency)
        if site.hosting_price is None:
            return energy, 0.0
        hosting = site.hosting_price.amount * kilowatts * MONTHS_PER_QUARTER
        return energy, hosting * self._per(site.hosting_price.currency)

    def _per(self, currency: str) -> float:
        return self.fx[self.scenario.currency] / self.fx[currency]


def _site(scenario: Scenario, site: schema.Site) -> Site:
    quarters = scenario.horizon.all
    by_quarter = _stepped(site.power, quarters)
    power = tuple(0.0 if q < site.ready else w for q, w in zip(quarters, by_quarter, strict=True))
    return Site(site.name, site.country, site.pue, power)


def _stepped(value: float | Mapping[Quarter, float], quarters: tuple[Quarter, ...]) -> tuple[float, ...]:
    """Return a value by quarter: the same in all, or that of the latest quarter given up to each, zero before any."""
    if not isinstance(value, Mapping):
        return (float(value),) * len(quarters)
    given = sorted(value.items())
    return tuple(([0.0] + [amount for q, amount in given if q <= quarter])[-1] for quarter in quarters)


def _budgets(scenario: Scenario, options: tuple[Option, ...]) -> tuple[Budget, ...]:
    quarters = scenario.horizon.all
    made: list[Budget] = []
    for budget in scenario.budgets:
        window = [
            t
            for t, quarter in enumerate(quarters)
            if (budget.first is None or quarter >= budget.first) and (budget.last is None or quarter <= budget.last)
        ]
        sites = [_site(scenario, site) for site in scenario.sites]
        orders = {
            (k, t)
            for k, option in enumerate(options)
            if option.mode in budget.pays_for
            and option.booked in budget.books
            and selects(budget.where, sites[option.site], option)
            for t in window
        }
        running = {
            (s, t, kind)
            for s, site in enumerate(sites)
            if selects(budget.where, site)
            for t in window
            for kind in ("energy", "hosting", "upkeep")
            if kind in budget.pays_for and not any((s, t, kind) in earlier.running for earlier in made)
        }
        made.append(
            Budget(
                name=budget.name,
                limit=float(budget.amount.amount),
                currency=budget.amount.currency,
                at_least=budget.spend_at_least,
                orders=frozenset(orders),
                running=frozenset(running),
            )
        )
    return tuple(made)


def _supply(scenario: Scenario, catalog: Catalog, options: tuple[Option, ...]) -> tuple[Supply, ...]:
    quarters = scenario.horizon.all
    sites = [_site(scenario, site) for site in scenario.sites]
    made: list[Supply] = []
    for supply in scenario.supply:
        name = catalog.chip(supply.chip).name
        taken = frozenset(
            k
            for k, option in enumerate(options)
            if option.chip == name
            and supply.mode in {option.mode, "both"}
            and selects(supply.where, sites[option.site], option)
        )
        label = name if supply.mode == "both" else f"{name} to {supply.mode}"
        made.append(Supply(label, taken, _stepped(supply.chips, quarters)))
    if scenario.default_supply is not None:
        named = {k for supply in made for k in supply.options}
        for chip in dict.fromkeys(option.chip for option in options):
            rest = frozenset(k for k, option in enumerate(options) if option.chip == chip and k not in named)
            if rest:
                made.append(Supply(chip, rest, (scenario.default_supply,) * len(quarters)))
    return tuple(made)


def _sourcing(scenario: Scenario, instance: Instance) -> tuple[Sourcing, ...]:
    made = []
    for rule in scenario.sourcing:
        counted = frozenset(
            k for k, option in enumerate(instance.options) if selects(rule.of, instance.sites[option.site], option)
        )
        over = frozenset(
            (k, b)
            for k in range(len(instance.options))
            for b, budget in enumerate(instance.budgets)
            if rule.budget is None or budget.name == rule.budget
        )
        weights = tuple(_weight(rule.base, option, instance.rate) for option in instance.options)
        made.append(Sourcing(rule.name, rule.kind, rule.base, rule.share, counted, over, weights))
    return tuple(made)


def _weight(base: str, option: Option, rate: Mapping[str, float]) -> float:
    """Return what one unit weighs in a base: chips, bf16 FLOP/s, or money (a quarter's rent for leases)."""
    if base == "chips":
        return float(option.chips)
    return option.compute if base == "compute" else option.price * rate[option.currency]


def _pools(options: tuple[Option, ...]) -> list[int]:
    """Return the options that stand for their machines, under whatever contract they are had."""
    return [k for k, option in enumerate(options) if option.pool is None]


def _model_names(scenario: Scenario) -> list[str]:
    names = [service.model for service in scenario.services] + [run.model for run in scenario.training]
    return list(dict.fromkeys(names))


def _model(scenario: Scenario, catalog: Catalog, name: str) -> Model:
    from outlay.scenario.models import own_model

    if name in scenario.models:
        return own_model(name, scenario.models[name], catalog)
    return catalog.model(name)


def _services(
    scenario: Scenario,
    catalog: Catalog,
    options: tuple[Option, ...],
    models: Mapping[str, Model],
    work: Work,
    fx: Mapping[str, float],
    progress: Callable[[str], None],
) -> tuple[Service, ...]:
    sites = [_site(scenario, site) for site in scenario.sites]
    may = {
        service.name: [k for k in _pools(options) if selects(service.where, sites[options[k].site], options[k])]
        for service in scenario.services
    }
    systems = {
        name: [catalog.system(system) for system in dict.fromkeys(options[k].system for k in where)]
        for name, where in may.items()
    }
    rate_services(scenario, catalog, systems, models, work, progress)
    for service in scenario.services:
        _require_fit(work, "service", service.name, service.model, [system.name for system in systems[service.name]])
    made = []
    for service in scenario.services:
        rates = {
            k: work.serving[service.name, options[k].system].tokens_per_s_per_chip * options[k].chips
            for k in may[service.name]
            if (service.name, options[k].system) in work.serving
        }
        penalty = service.unmet_penalty
        made.append(
            Service(
                name=service.name,
                demand=service_demand(service, scenario.horizon.all),
                peak_factor=service.peak_factor,
                price=service.price.amount * fx[scenario.currency] / fx[service.price.currency],
                penalty=None if penalty is None else penalty.amount * fx[scenario.currency] / fx[penalty.currency],
                rates=rates,
            )
        )
    return tuple(made)


def _runs(
    scenario: Scenario,
    catalog: Catalog,
    options: tuple[Option, ...],
    sites: tuple[Site, ...],
    models: Mapping[str, Model],
    work: Work,
    fx: Mapping[str, float],
    progress: Callable[[str], None],
) -> tuple[tuple[Run, ...], tuple[Block, ...]]:
    runs, blocks = [], list[Block]()
    for r, run in enumerate(scenario.training):
        value = 0.0 if run.value is None else float(run.value.amount) * fx[scenario.currency] / fx[run.value.currency]
        runs.append(Run(run.name, value, run.must))
        may = [k for k in _pools(options) if selects(run.where, sites[options[k].site], options[k])]
        most = {k: _most_units(options[k], sites[options[k].site]) for k in may}
        for name in dict.fromkeys(options[k].system for k in may):
            progress(f"training {run.name} on {name}")
            here = [k for k in may if options[k].system == name]
            ceiling = max(most[k] for k in here)
            sizes = training_blocks(run, models[run.model], catalog.system(name), catalog, ceiling, work)
            for k in here:
                blocks += place_blocks(r, run, scenario.horizon.all, k, most[k], sizes)
        _require_fit(work, "training run", run.name, run.model, list(dict.fromkeys(options[k].system for k in may)))
    return tuple(runs), tuple(blocks)


def _require_fit(work: Work, kind: str, name: str, model: str, systems: list[str]) -> None:
    """Refuse a workload whose model fits none of the systems on offer where it may run."""
    reasons = [work.reasons[name, system] for system in systems if (name, system) in work.reasons]
    if len(reasons) == len(systems):
        why = "; ".join(dict.fromkeys(reasons)) or "none is on offer where it may run"
        msg = f"{kind} {name!r}: model {model!r} fits no system on offer: {why}"
        raise ScenarioError(msg)


def _most_units(option: Option, site: Site) -> int:
    """Return the units the site's power could ever carry."""
    return int(max(site.power) / (option.watts * site.pue))
