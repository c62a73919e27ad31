"""Rents by term, and whether to rent or to buy."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, MissingFigureError
from outlay.finance.ownership import HOURS_PER_QUARTER, Machine, Place
from outlay.finance.pricing import Priced
from outlay.finance.renting import Comparison, RentKind, Way, compare, lease_payments, rent, term_ratio
from outlay.finance.terms import load_terms

CATALOG = Catalog.load()
DAY = date(2025, 3, 31)
TERMS = load_terms()
PLACE = Place("Home", "US", 1.25, 0.08, colocation=120.0)
MACHINE = Machine("box", 8, 1e4, 280_000.0)


def priced(amount: float) -> Priced:
    """A rent of so much an hour."""
    return Priced(amount, amount, amount, "USD", "2025", "test", ())


RENTS: dict[RentKind, Priced] = {"on demand": priced(3.0), "1 year": priced(2.2), "3 years": priced(1.7)}


def way(found: Comparison, name: str) -> Way:
    """One way of a comparison."""
    return next(each for each in found.ways if each.name == name)


def test_terms_stand_in_the_order_a_market_gives_them() -> None:
    """Google's list of March 2025: on demand over one year over three; the ratios of all lists agree in sign."""
    chip = CATALOG.chip("H100")
    three, one, none = (rent(CATALOG, chip, DAY, kind).amount for kind in ("3 years", "1 year", "on demand"))
    assert three == pytest.approx(4.86)
    assert one == pytest.approx(7.67)
    assert none > 0
    assert float(term_ratio(CATALOG, DAY, "3 years", "1 year").value) < 1
    assert float(term_ratio(CATALOG, DAY, "on demand", "1 year").value) > 1


def test_a_missing_term_is_derived_and_marked() -> None:
    """No list gives an H800 for three years; its price on demand times the ratio of those that give both."""
    chip = CATALOG.chip("H800")
    found = rent(CATALOG, chip, DAY, "3 years")
    ratio = term_ratio(CATALOG, DAY, "3 years", "on demand")
    assert found.amount == pytest.approx(3.42 * float(ratio.value))
    assert [figure.status for figure in found.evidence][-1] == "derived"
    with pytest.raises(MissingFigureError, match="no rent per hour"):
        rent(CATALOG, CATALOG.chip("H20"), DAY, "1 year")
    with pytest.raises(MissingFigureError, match="no price list known"):
        term_ratio(CATALOG, date(2000, 1, 1), "3 years", "1 year")


def test_renting_on_demand_pays_for_hours_used_only() -> None:
    """Four thousand hours in a year at three dollars, discounted over it."""
    found = compare(MACHINE, PLACE, TERMS.given({"cost_of_capital": 0.0}), RENTS, hours=4000, years=1)
    assert way(found, "on demand").present == pytest.approx(12_000)
    assert way(found, "1 year").present == pytest.approx(2.2 * 4 * HOURS_PER_QUARTER)
    assert way(found, "1 year").idle == pytest.approx(4 * HOURS_PER_QUARTER - 4000)
    assert way(found, "prepaid").present == pytest.approx(2.2 * 4 * HOURS_PER_QUARTER * 0.9)
    assert way(found, "buy").booking == way(found, "finance lease").booking == "capital"
    assert way(found, "on demand").booking == "operating"


def test_a_term_longer_than_the_time_needed_asks_what_becomes_of_the_rest() -> None:
    """Three years for one: not compared until said; paid in full costs three times what handing over does."""
    free = TERMS.given({"cost_of_capital": 0.0})
    asked = way(compare(MACHINE, PLACE, free, RENTS, hours=8000, years=1), "3 years")
    assert "its term of 12 quarters runs 8 on after the 4 asked for" in asked.why_not
    paid = way(compare(MACHINE, PLACE, free, RENTS, hours=8000, years=1, rest="pay"), "3 years")
    handed = way(compare(MACHINE, PLACE, free, RENTS, hours=8000, years=1, rest="hand over"), "3 years")
    assert paid.present == pytest.approx(3 * handed.present)


def test_a_finance_lease_at_the_cost_of_capital_costs_what_buying_does() -> None:
    """Level payments discounted at their own rate are the price."""
    same = TERMS.given({"finance_lease_rate": TERMS.value("cost_of_capital")})
    found = compare(MACHINE, PLACE, same, RENTS, hours=20_000, years=3)
    assert way(found, "finance lease").present == pytest.approx(way(found, "buy").present)
    assert lease_payments(1200.0, 0.0, 12) == pytest.approx(100.0)
    assert way(found, "finance lease").cash.sum() > way(found, "buy").cash.sum()


@settings(max_examples=30)
@given(hours=st.floats(500, 25_000))
def test_break_even_parts_owning_from_renting(hours: float) -> None:
    """Above the break-even owning costs less than renting on demand, below it more."""
    found = compare(MACHINE, PLACE, TERMS, RENTS, hours=hours, years=3, rest="pay")
    assert found.break_even is not None
    cheaper = way(found, "buy").present < way(found, "on demand").present
    assert cheaper == (hours > found.break_even)
    assert found.best.present == min(each.present for each in found.ways)


def test_hours_that_do_not_fit_are_refused() -> None:
    """A year has no ten thousand hours."""
    with pytest.raises(InputError, match="a chip can work at most 8,503 in them"):
        compare(MACHINE, PLACE, TERMS, RENTS, hours=10_000, years=1)
