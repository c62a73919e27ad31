"""The audit's view of money beyond prices: contracts priced afresh, loans run through again, cash summed again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from outlay.planning.result import AuditCheck, Purchase
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.finance.cashflow import LoanUse
    from outlay.planning.audit import Book
    from outlay.scenario.finance import Loan
    from outlay.scenario.schema import Scenario, Site

CLOSE = 1e-6
"""Relative."""


def paid_by_quarter(book: Book, purchase: Purchase) -> dict[Quarter, float]:
    """Return what one unit of a purchase pays in each quarter of the horizon, priced afresh, in its budget's currency.

    A plain purchase or lease is paid when it is ordered; a contract when its terms say.
    """
    ordered, first = Quarter.parse(purchase.quarter), Quarter.parse(purchase.in_use)
    cash, currency = _cash_price(book, purchase) if purchase.mode == "buy" else (0.0, "")
    if purchase.contract in {"", "purchase"} and purchase.mode == "buy":
        made = {ordered: cash}
    elif purchase.contract == "finance lease":
        made = {first + t: amount for t, amount in enumerate(_lease(book, purchase, cash))}
    else:
        made, currency = _rents(book, purchase, ordered, first)
    factor = _later(book.scenario, ordered) * _levy(book, purchase) if purchase.mode == "buy" else 1.0
    rate = factor * book.rate[currency] / book.rate[purchase.currency]
    found = {quarter: amount * rate for quarter, amount in made.items() if quarter <= book.quarters[-1]}
    found[ordered] = found.get(ordered, 0.0) + _building(book, purchase)
    return found


def _building(book: Book, purchase: Purchase) -> float:
    """Return what building and power plant for one unit cost, in the currency of its budget."""
    cost = book.sites[purchase.site].build_cost
    if purchase.mode != "buy" or cost is None:
        return 0.0
    from outlay.planning.build import power_of
    from outlay.planning.contracts import terms_of

    watts = float(power_of(book.scenario, book.catalog, book.catalog.system(purchase.system)).value)
    dear = 1 + terms_of(book.scenario).value("build_premium")
    return cost.amount * watts * dear * book.rate[cost.currency] / book.rate[purchase.currency]


def _later(scenario: Scenario, ordered: Quarter) -> float:
    """Return what the scenario's price path makes of a price by the first day of a quarter."""
    path = scenario.finance.price_path if scenario.finance else None
    if path is None:
        return 1.0
    return float((1 + path) ** (max(0, (ordered.start - scenario.knowledge_date).days) / 365.25))


def _levy(book: Book, purchase: Purchase) -> float:
    """Return what tariffs and revenue shares make of a price, the most over the days of the quarter of arrival."""
    scenario = book.scenario
    if scenario.finance is None or scenario.finance.passed_on == 0:
        return 1.0
    from outlay.policy import Transaction, item_of, price_factors

    site, arrival = book.sites[purchase.site], Quarter.parse(purchase.in_use)
    item = item_of(book.catalog.chip(purchase.chip))
    most = 1.0
    for offset in range(arrival.days):
        day = max(arrival.start + timedelta(days=offset), scenario.knowledge_date)
        deal = Transaction(
            on=day,
            destination=site.country,
            buyer_hq=scenario.buyer.headquarters,
            parent_hq=scenario.buyer.parent,
            state_funded=scenario.buyer.state_funded,
            new_site=site.new_build,
        )
        level = 1.0
        for found in price_factors(item, deal, known_on=scenario.knowledge_date, flags=scenario.policy.flags):
            if found.applies_to == "hardware":
                level *= found.multiplier(scenario.finance.passed_on)
        most = max(most, level)
    return most


def _cash_price(book: Book, purchase: Purchase) -> tuple[float, str]:
    """Return what one unit costs bought outright, with what goes with it, and its currency."""
    from outlay.finance.pricing import purchase_price

    system, site = book.catalog.system(purchase.system), book.sites[purchase.site]
    market = "CN" if site.country == "CN" else "world"
    quote = purchase_price(book.catalog, system, book.scenario.knowledge_date, market=market)  # type: ignore[arg-type]
    return quote.amount * _on_top(book.scenario, site), quote.currency


def _on_top(scenario: Scenario, site: Site) -> float:
    """Return capital over quote: lost VAT, freight, network, storage and spares, where the scenario counts them."""
    if scenario.finance is None or not scenario.finance.upkeep:
        return 1.0
    from outlay.planning.contracts import terms_of

    terms = terms_of(scenario)
    vat = terms.find("vat", site.country)
    lost = 0.0 if vat is None else vat.value * (1 - terms.value("vat_recovered"))
    freight = terms.value("freight")
    servers = 1 + lost * (1 + freight)
    return servers * (1 + sum(terms.value(name) for name in ("network", "storage", "spares"))) + freight


def _lease(book: Book, purchase: Purchase, cash: float) -> list[float]:
    from outlay.planning.contracts import FINANCE_LEASE_QUARTERS, contract_for, terms_of

    told = contract_for(book.scenario, book.catalog, purchase.chip, purchase.site, "finance lease")
    term = (told and told.term_quarters) or FINANCE_LEASE_QUARTERS
    rate = terms_of(book.scenario).value("finance_lease_rate") if told is None or told.rate is None else told.rate
    worth = sum((1 + rate) ** (-(t + 0.5) / 4) for t in range(term))
    return [cash / worth] * term


def _rents(book: Book, purchase: Purchase, ordered: Quarter, first: Quarter) -> tuple[dict[Quarter, float], str]:
    from outlay.finance.pricing import rental_price
    from outlay.planning.build import HOURS_PER_QUARTER
    from outlay.planning.contracts import PREPAID_QUARTERS, TERMS, contract_for, rented, terms_of

    scenario, site, chip = book.scenario, book.sites[purchase.site], book.catalog.chip(purchase.chip)
    chips = book.catalog.system(purchase.system).chips
    if not purchase.contract:
        own = [
            lease.price
            for lease in scenario.leases
            if book.catalog.chip(lease.chip).name == chip.name and (not lease.sites or site.name in lease.sites)
        ]
        found = rental_price(book.catalog, chip, scenario.knowledge_date) if not own else own[0]
        quarters = len(book.working(purchase))
        return {ordered: found.amount * chips * HOURS_PER_QUARTER * quarters}, found.currency
    told = contract_for(scenario, book.catalog, chip.name, site.name, purchase.contract)
    term = TERMS.get(purchase.contract) or (told and told.term_quarters) or PREPAID_QUARTERS
    kind = purchase.contract
    if kind == "prepaid":
        kind = "3 years" if term >= TERMS["3 years"] else "1 year"
    rent = told.price if told and told.price else rented(scenario, book.catalog, chip, site, kind)  # type: ignore[arg-type]
    quarterly = rent.amount * chips * HOURS_PER_QUARTER
    if purchase.contract == "prepaid":
        off = terms_of(scenario).value("prepaid_discount") if told is None or told.off is None else told.off
        return {first: quarterly * term * (1 - off)}, rent.currency
    return {first + t: quarterly for t in range(term)}, rent.currency


def upkeep(book: Book, site: Site, quarter: Quarter) -> float:
    """Return maintenance, staff and insurance of machines bought at a site in a quarter, in the plan's currency."""
    if book.scenario.finance is None or not book.scenario.finance.upkeep:
        return 0.0
    from outlay.planning.build import power_of
    from outlay.planning.contracts import terms_of

    terms, total = terms_of(book.scenario), 0.0
    for purchase in book.plan.purchases:
        if purchase.site != site.name or purchase.mode != "buy" or quarter not in book.working(purchase):
            continue
        capital, currency = _cash_price(book, purchase)
        hardware = capital * (1 - terms.value("freight") / _on_top(book.scenario, site))
        watts = float(power_of(book.scenario, book.catalog, book.catalog.system(purchase.system)).value)
        yearly = terms.value("maintenance") * hardware + terms.value("insurance") * capital
        staff = terms.value("staff") * watts / 1e3
        total += purchase.units * (yearly * book.rate[currency] + staff * book.rate["USD"]) / 4
    return total


def debt_of(book: Book, budget: str) -> tuple[float, float]:
    """Return what loans add to a budget and what their service takes from it, in the plan's currency."""
    drawn = service = 0.0
    for told, loan in _loans(book):
        rate = book.rate[loan.currency]
        if told.budget == budget:
            drawn += sum(loan.draws) * rate
        if told.service_from == budget:
            service += (sum(loan.interest) + sum(loan.principal) + sum(loan.fees)) * rate
    return drawn, service


def _loans(book: Book) -> Iterator[tuple[Loan, LoanUse]]:
    if book.scenario.finance is None or book.plan.accounts is None:
        return
    yield from zip(book.scenario.finance.loans, book.plan.accounts.loans, strict=True)


def loans(book: Book) -> Iterator[AuditCheck]:
    """Check each loan: within its facility, against what its budget paid, and its interest and repayments run again."""
    for told, loan in _loans(book):
        limit = float(told.amount.amount)
        drawn = sum(loan.draws)
        yield AuditCheck(
            f"loan {loan.name}", drawn <= limit * (1 + CLOSE), f"{drawn:,.6g} of at most {limit:,.6g} {loan.currency}"
        )
        paid: dict[Quarter, float] = defaultdict(float)
        for purchase in book.plan.purchases:
            if purchase.budget == told.budget:
                into = book.rate[purchase.currency] / book.rate[loan.currency]
                for quarter, amount in paid_by_quarter(book, purchase).items():
                    paid[quarter] += purchase.units * amount * into
        over = [
            str(quarter)
            for quarter, draw in zip(book.quarters, loan.draws, strict=True)
            if draw > told.share_of_cost * paid[quarter] + CLOSE * limit
        ]
        yield AuditCheck(f"loan {loan.name}, share of cost", not over, ", ".join(over) or f"{told.share_of_cost:.0%}")
        off = _run_again(told, loan)
        yield AuditCheck(f"loan {loan.name}, interest and repayments", off <= CLOSE * limit, f"off by {off:,.6g}")


def _run_again(told: Loan, loan: LoanUse) -> float:
    """Return the largest difference between a loan as told and the same draws run through its terms."""
    quarterly = loan.rate / 4
    owed = worst = 0.0
    for t, draw in enumerate(loan.draws):
        owed += draw
        interest, left, repaid = owed * quarterly, told.tenor_quarters - t, 0.0
        if left == 1:
            repaid = owed
        elif t >= told.grace_quarters and left > 0 and told.amortisation == "straight":
            repaid = owed / left
        elif t >= told.grace_quarters and left > 0 and told.amortisation == "annuity":
            growth = (1 + quarterly) ** left
            repaid = owed / left if quarterly == 0 else owed * quarterly / (growth - 1)
        owed -= repaid
        told_now = (loan.interest[t], loan.principal[t], loan.balance[t])
        worst = max([worst, *(abs(a - b) for a, b in zip((interest, repaid, owed), told_now, strict=True))])
    return worst


def cash(book: Book) -> Iterator[AuditCheck]:
    """Check that the cash of the plan adds up, and that what it pays for orders is what the purchases cost."""
    accounts = book.plan.accounts
    if accounts is None:
        return
    rates = accounts.rates
    sums = [
        sum(line.amounts[t] * rates[line.currency][t] for line in accounts.lines) for t in range(len(accounts.quarters))
    ]
    size = max(1.0, *(abs(amount) for amount in sums))
    off = max(abs(a - b) for a, b in zip(sums, accounts.net, strict=True))
    yield AuditCheck("cash, net by quarter", off <= CLOSE * size, f"off by {off:,.6g} {accounts.currency}")
    worth = sum(amount * (1 + accounts.discount) ** (-(t + 0.5) / 4) for t, amount in enumerate(sums))
    same = abs(worth - accounts.value) <= CLOSE * size
    yield AuditCheck("cash, present value", same, f"{accounts.value:,.6g} against {worth:,.6g} {accounts.currency}")
    spot = {name: book.rate[name] for name in {line.currency for line in accounts.lines} if name in book.rate}
    ordered = -sum(
        sum(line.amounts) * spot[line.currency]
        for line in accounts.lines
        if line.kind in {"purchases", "rent", "building"}
    )
    bought = sum(purchase.cost * book.rate[purchase.currency] for purchase in book.plan.purchases)
    close = abs(ordered - bought) <= CLOSE * max(1.0, bought)
    yield AuditCheck("cash, orders", close, f"{ordered:,.6g} against {bought:,.6g} {accounts.currency}")


MONEY_FAMILIES = (loans, cash)
