"""Ways to have one system at one site: bought, on a finance lease, rented for a term, paid ahead; as options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outlay.errors import MissingFigureError
from outlay.finance.ownership import HOURS_PER_QUARTER, Machine, annuity, landed_price, price_later
from outlay.finance.terms import Terms, load_terms

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip, System
    from outlay.finance.pricing import Priced
    from outlay.finance.renting import RentKind
    from outlay.planning.instance import Option
    from outlay.scenario.finance import Contract
    from outlay.scenario.schema import Scenario, Site

FINANCE_LEASE_QUARTERS, PREPAID_QUARTERS = 12, 4
TERMS: dict[str, int] = {"on demand": 1, "1 year": 4, "3 years": 12}
IN_WORDS = {"on demand": "rent on demand", "1 year": "rent for 1 year", "3 years": "rent for 3 years"}


@dataclass(frozen=True)
class Owned:
    """What buying one system comes to beyond its quote, in the quote's currency; upkeep is for a quarter."""

    capital: float
    resale: float
    upkeep: float


def terms_of(scenario: Scenario) -> Terms:
    """Return the terms of owning with the scenario's own in their place."""
    return load_terms().given(scenario.finance.terms if scenario.finance else {}, "the scenario")


def owned(scenario: Scenario, system: System, site: Site, price: float, watts: float) -> Owned:
    """Return what buying one system comes to: its quote alone where the scenario counts no upkeep.

    Levies come on top by quarter, see :func:`price_factors`. Staff is paid in US dollars per kW: ``upkeep`` leaves it
    out; see :func:`staff`.
    """
    if scenario.finance is None or not scenario.finance.upkeep:
        return Owned(price, price, 0.0)
    terms = terms_of(scenario)
    parts = landed_price(Machine(system.name, system.chips, watts, price), site.country, terms)
    servers = sum(parts.values()) - parts["freight"]
    extra = sum(terms.value(name) for name in ("network", "storage", "spares")) * servers
    capital = servers + parts["freight"] + extra
    yearly = terms.value("maintenance") * (servers + extra) + terms.value("insurance") * capital
    return Owned(capital, servers, yearly / 4)


def staff(scenario: Scenario, watts: float) -> float:
    """Return what staff for one system costs in a quarter, in US dollars; nothing where no upkeep is counted."""
    if scenario.finance is None or not scenario.finance.upkeep:
        return 0.0
    return terms_of(scenario).value("staff") * watts / 1e3 / 4


def building(scenario: Scenario, site: Site, watts: float) -> tuple[float, float]:
    """Return what building and power plant for one system cost, in the site's currency, and the years they last."""
    if site.build_cost is None:
        return 0.0, 1.0
    terms = terms_of(scenario)
    premium = 1 + terms.value("build_premium")
    return site.build_cost.amount * watts * premium, terms.value("build_life")


def rented(scenario: Scenario, catalog: Catalog, chip: Chip, site: Site, kind: RentKind) -> Priced:
    """Return the rent of a chip for an hour under a term: the scenario's, or the catalogue's.

    A rent under ``leases`` is for one year; other terms stand to it as price lists that give both say.

    Raises
    ------
    MissingFigureError
        If no rent is known, or none of that term can be derived.
    """
    from outlay.evidence import Figure, Source
    from outlay.finance.pricing import Priced
    from outlay.finance.renting import rent, term_ratio

    day = scenario.knowledge_date
    for lease in scenario.leases:
        if catalog.chip(lease.chip).name == chip.name and (not lease.sites or site.name in lease.sites):
            ratio = None if kind == "1 year" else term_ratio(catalog, day, kind, "1 year")
            amount = lease.price.amount * (1.0 if ratio is None else float(ratio.value))
            told = Figure(lease.price.amount, f"{lease.price.currency} per chip-hour", "assumed", Source("leases", ""))
            evidence = (told,) if ratio is None else (told, ratio)
            return Priced(amount, amount, amount, lease.price.currency, str(day), kind, evidence)
    return rent(catalog, chip, day, kind)


def contract_for(scenario: Scenario, catalog: Catalog, chip: str, site: str, kind: str) -> Contract | None:
    """Return the scenario's contract of a kind for a chip at a site; the first that fits."""
    for contract in scenario.finance.contracts if scenario.finance else []:
        chips = [catalog.chip(name).name for name in contract.chips]
        if contract.kind == kind and (not chips or chip in chips) and (not contract.sites or site in contract.sites):
            return contract
    return None


@dataclass(frozen=True)
class Payments:
    """What one system costs under a contract, by quarter from the order, in ``currency``."""

    amounts: tuple[float, ...]
    currency: str
    term: int | None
    owed: bool
    refund: float
    priced: Priced | None = None


def payments(
    scenario: Scenario, catalog: Catalog, chip: Chip, chips: int, site: Site, contract: Contract, cash_price: float,
    currency: str, lead: int,
) -> Payments:  # fmt: skip
    """Return what one system of some chips costs under a contract.

    Parameters
    ----------
    cash_price, currency
        Of the system bought outright.
    lead
        Quarters from order to use; payments of leases and rents start with use.
    """
    terms = terms_of(scenario)
    wait = (0.0,) * lead
    if contract.kind == "purchase":
        return Payments((cash_price,), currency, None, owed=False, refund=0.0)
    if contract.kind == "finance lease":
        term = contract.term_quarters or FINANCE_LEASE_QUARTERS
        rate = terms.value("finance_lease_rate") if contract.rate is None else contract.rate
        level = cash_price * annuity(rate, term)
        return Payments(wait + (level,) * term, currency, None, owed=True, refund=0.0)
    if contract.kind == "prepaid":
        term = contract.term_quarters or PREPAID_QUARTERS
        kind: RentKind = "3 years" if term >= TERMS["3 years"] else "1 year"
    else:
        term, kind = TERMS[contract.kind], contract.kind
    priced = _priced(scenario, catalog, chip, site, contract, kind)
    quarterly = priced.amount * chips * HOURS_PER_QUARTER
    if contract.kind != "prepaid":
        return Payments(
            wait + (quarterly,) * term, priced.currency, term, owed=contract.rest == "pay", refund=0.0, priced=priced
        )
    off = terms.value("prepaid_discount") if contract.off is None else contract.off
    refund = 0.0 if contract.rest == "pay" else quarterly * (1 - off)
    return Payments((*wait, quarterly * (1 - off) * term), priced.currency, term, False, refund, priced)


def _priced(scenario: Scenario, catalog: Catalog, chip: Chip, site: Site, contract: Contract, kind: RentKind) -> Priced:
    from outlay.evidence import Figure, Source
    from outlay.finance.pricing import Priced

    if contract.price is None:
        return rented(scenario, catalog, chip, site, kind)
    told = contract.evidence.get("price") or contract.evidence.get("*")
    source = Source(told.by, told.address) if told else Source("the scenario", "")
    amount, currency = contract.price.amount, contract.price.currency
    status = told.status if told else "assumed"
    figure = Figure(amount, f"{currency} per chip-hour", status, source, told.reason if told else "")
    return Priced(amount, amount, amount, currency, str(scenario.knowledge_date), kind, (figure,))


def expand(
    scenario: Scenario, catalog: Catalog, chip: Chip, site: Site, base: Option, place: int
) -> tuple[list[Option], dict[str, Priced], dict[str, str]]:
    """Return an option once for each contract the scenario has for it; the first is the pool the others join.

    Parameters
    ----------
    place
        Index the first of them will have among all options.

    Returns
    -------
    tuple
        The options; the rents used, by kind of contract; and why contracts of a kind are left out.
    """
    if scenario.finance is None or not scenario.finance.contracts:
        return [base], {}, {}
    kinds = ("purchase", "finance lease") if base.mode == "buy" else ("1 year", "on demand", "3 years", "prepaid")
    made: list[Option] = []
    rents: dict[str, Priced] = {}
    left_out: dict[str, str] = {}
    for kind in kinds:
        contract = contract_for(scenario, catalog, chip.name, site.name, kind)
        if contract is None:
            continue
        try:
            found = payments(scenario, catalog, chip, base.chips, site, contract, base.price, base.currency, base.lead)
        except MissingFigureError as error:
            left_out[kind] = str(error)
            continue
        if found.priced is not None:
            rents[kind] = found.priced
        made.append(
            replace(
                base,
                contract=kind,
                currency=found.currency,
                payments=found.amounts,
                term=found.term,
                owed=found.owed,
                refund=found.refund,
                pool=None if not made else place,
            )
        )
    return made, rents, left_out


def price_factors(scenario: Scenario, levies: Sequence[float]) -> tuple[float, ...]:
    """Return what prices of machines are multiplied by, by quarter of the order.

    Parameters
    ----------
    levies
        What tariffs and revenue shares of the rules make of a price, by quarter of the order.
    """
    if scenario.finance is None:
        return ()
    path, known = scenario.finance.price_path or 0.0, scenario.knowledge_date
    years = [max(0, (quarter.start - known).days) / 365.25 for quarter in scenario.horizon.all]
    factors = tuple(price_later(levy, path, ahead) for ahead, levy in zip(years, levies, strict=True))
    return () if all(factor == 1.0 for factor in factors) else factors


def discount_rate(scenario: Scenario) -> float:
    """Return the rate a plan is discounted at: its weighted cost of capital, or the rate of its objective."""
    from outlay.finance.returns import cost_of_capital

    capital = scenario.finance.cost_of_capital if scenario.finance else None
    if capital is None:
        return scenario.objective.discount_rate
    return cost_of_capital(capital.debt_share, capital.cost_of_debt, capital.cost_of_equity, capital.tax)
