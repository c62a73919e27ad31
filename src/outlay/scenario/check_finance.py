"""What must hold of a scenario's money: loans that can be repaid, contracts that end, currencies with rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from outlay.errors import CatalogError, InputError, MissingFigureError, unknown

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.schema import Scenario
    from outlay.scenario.tree import Location

Found = Iterator[tuple["Location", str]]
LONGEST = {"on demand": 1, "1 year": 4, "3 years": 12}


def blocks(scenario: Scenario) -> Iterator[tuple[Location, str, Any]]:
    """Return every block of a scenario's finance with its place and what a person would call it."""
    if scenario.finance is None:
        return
    yield ("finance",), "finance", scenario.finance
    for i, contract in enumerate(scenario.finance.contracts):
        yield ("finance", "contracts", i), f"contract {contract.kind}", contract
    for i, loan in enumerate(scenario.finance.loans):
        yield ("finance", "loans", i), f"loan {loan.name}", loan
    if scenario.finance.cost_of_capital is not None:
        yield ("finance", "cost_of_capital"), "cost of capital", scenario.finance.cost_of_capital
    yield ("finance", "currencies"), "currencies", scenario.finance.currencies


def _contracts(scenario: Scenario, catalog: Catalog) -> Found:
    """Contracts name chips and sites that are there, end within the horizon or say what becomes of the rest."""
    sites = [site.name for site in scenario.sites]
    length = scenario.horizon.quarters
    for i, contract in enumerate(scenario.finance.contracts if scenario.finance else []):
        where: Location = ("finance", "contracts", i)
        for j, name in enumerate(contract.chips):
            try:
                catalog.chip(name)
            except CatalogError as error:
                yield (*where, "chips", j), str(error)
        for j, name in enumerate(contract.sites):
            if name not in sites:
                yield (*where, "sites", j), unknown("site", name, sites)
        term = contract.term_quarters or LONGEST.get(contract.kind, 4 if contract.kind == "prepaid" else 0)
        if contract.kind in {*LONGEST, "prepaid"} and term > length and contract.rest is None:
            yield (
                where,
                f"contract {contract.kind!r} runs {term} quarters, longer than the horizon of {length}; say what "
                "becomes of the rest under `rest`: pay (it is paid all the same) or hand over (someone takes it on)",
            )
        rents = contract.kind in {*LONGEST, "prepaid"}
        if contract.price is not None and not rents:
            yield (*where, "price"), f"a {contract.kind} has no rent; its price is that of the system"
        if contract.rate is not None and contract.kind != "finance lease":
            yield (*where, "rate"), f"a rate of interest is of a finance lease, not of {contract.kind!r}"
        if contract.term_quarters is not None and contract.kind in {*LONGEST, "purchase"}:
            yield (*where, "term_quarters"), f"the term of {contract.kind!r} is in its name"
        if contract.off is not None and contract.kind != "prepaid":
            yield (*where, "off"), "a share off for paying ahead is of prepaid capacity"


def _loans(scenario: Scenario, catalog: Catalog) -> Found:
    """Loans can be repaid, belong to budgets that are there, and bear different names."""
    budgets = [budget.name for budget in scenario.budgets]
    seen: set[str] = set()
    for i, loan in enumerate(scenario.finance.loans if scenario.finance else []):
        where: Location = ("finance", "loans", i)
        if loan.name in seen:
            yield (*where, "name"), f"two loans are named {loan.name!r}"
        seen.add(loan.name)
        if loan.tenor_quarters <= loan.grace_quarters:
            yield (
                (*where, "tenor_quarters"),
                f"loan {loan.name!r}: its tenor of {loan.tenor_quarters} quarters is not longer than its grace of "
                f"{loan.grace_quarters}; nothing would be left to repay in",
            )
        if loan.base_rate + loan.margin <= -1:
            yield (*where, "margin"), f"loan {loan.name!r}: base rate and margin are -100% or less together"
        for field in ("budget", "service_from"):
            name = getattr(loan, field)
            if name is not None and name not in budgets:
                yield (*where, field), unknown("budget", name, budgets)


def _rates(scenario: Scenario, catalog: Catalog) -> Found:
    """Currencies of loans, contracts and paths have a rate on the first day; parity has the dollar's interest."""
    if scenario.finance is None:
        return
    used: list[tuple[Location, str]] = [
        (("finance", "loans", i, "amount"), loan.amount.currency) for i, loan in enumerate(scenario.finance.loans)
    ]
    used += [
        (("finance", "contracts", i, "price"), contract.price.currency)
        for i, contract in enumerate(scenario.finance.contracts)
        if contract.price is not None
    ]
    told = scenario.finance.currencies
    used += [(("finance", "currencies", "path", code), code) for code in told.path]
    for where, currency in used:
        if currency in scenario.fx or currency == "USD":
            continue
        try:
            catalog.fx(currency, scenario.knowledge_date)
        except MissingFigureError as error:
            yield where, f"{error}; give a rate under `fx`, such as {currency}: 7.27 (units per US dollar)"
    if told.interest and "USD" not in told.interest:
        yield ("finance", "currencies", "interest"), "interest parity is to the US dollar; give USD its interest too"
    if "USD" in told.path:
        yield ("finance", "currencies", "path", "USD"), "rates are per US dollar; USD itself has none"
    for code, path in told.path.items():
        for quarter in path:
            if not scenario.horizon.all[0] <= quarter <= scenario.horizon.all[-1]:
                yield ("finance", "currencies", "path", code, str(quarter)), f"{quarter} is outside the horizon"


def _terms(scenario: Scenario, catalog: Catalog) -> Found:
    """Terms are known ones within what they can be; the discount rate is said once."""
    if scenario.finance is None:
        return
    from outlay.finance.terms import load_terms

    for name, value in scenario.finance.terms.items():
        try:
            load_terms().given({name: value})
        except InputError as error:
            yield ("finance", "terms", name), str(error)
    if scenario.finance.cost_of_capital is not None and "discount_rate" in scenario.objective.model_fields_set:
        yield (
            ("objective", "discount_rate"),
            "the rate is given twice, here and by finance.cost_of_capital; leave one out",
        )


def _budgets(scenario: Scenario, catalog: Catalog) -> Found:
    """Refuse budgets that pay for nothing they may book."""
    for i, budget in enumerate(scenario.budgets):
        orders = {"buy", "lease"} & set(budget.pays_for)
        booked = {"buy": "capital", "lease": "operating"}
        if orders and not {booked[mode] for mode in orders} & set(budget.books):
            kinds = " and ".join(sorted(orders))
            msg = (
                f"budget {budget.name!r} pays to {kinds}, booked as {booked[min(orders)]}, and covers {budget.books[0]}"
            )
            yield ("budgets", i, "books"), msg


def _reasons(scenario: Scenario, catalog: Catalog) -> Found:
    """Require a reason for what is assumed, and evidence only of fields that are there."""
    for where, _, block in blocks(scenario):
        for field, evidence in block.evidence.items():
            if field != "*" and field not in type(block).model_fields:
                yield (*where, "evidence", field), unknown("field", field, [*type(block).model_fields, "*"])
            if evidence.status == "assumed" and not evidence.reason:
                yield (*where, "evidence", field), f"{field} is assumed; say why under `reason`"


FINANCE_CHECKS = (_contracts, _loans, _rates, _terms, _budgets, _reasons)
