"""Prices, rents and power: which observation counts on a day, and what is derived from it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import MissingFigureError
from outlay.finance.pricing import fx_rates, purchase_price, rental_price, system_power

CATALOG = Catalog.load()
DAY = date(2025, 1, 22)


def test_a_server_quote_in_china_counts_whole() -> None:
    """The last dealer quote of an eight-card H20 server known in January 2025."""
    price = purchase_price(CATALOG, CATALOG.resolve_system("H20"), DAY, market="CN")
    assert (price.amount, price.currency, price.date) == (1_200_000, "CNY", "2024-07")
    assert not price.after_knowledge


def test_a_card_price_is_raised_to_a_server() -> None:
    """120,000 yuan a card, eight cards, times the ratio of an H20 server to its cards."""
    price = purchase_price(CATALOG, CATALOG.resolve_system("910B"), DAY, market="CN")
    assert price.amount == pytest.approx(120_000 * 8 * 1.59)
    assert price.currency == "CNY"
    assert [figure.status for figure in price.evidence] == ["press-report", "derived"]


def test_the_market_decides_the_currency_where_it_can() -> None:
    """Abroad, a dollar quote of the same card goes before the yuan one."""
    assert purchase_price(CATALOG, CATALOG.resolve_system("910B"), DAY).currency == "USD"


def test_a_price_published_later_is_marked() -> None:
    """No MI300X price was out in January 2025."""
    assert purchase_price(CATALOG, CATALOG.resolve_system("MI300X"), DAY).after_knowledge


def test_no_price_is_an_error_not_a_zero() -> None:
    """No source prices a P800."""
    with pytest.raises(MissingFigureError, match="no source gives a price"):
        purchase_price(CATALOG, CATALOG.resolve_system("P800"), DAY)
    with pytest.raises(MissingFigureError, match="the price list has no rent per hour"):
        rental_price(CATALOG, CATALOG.chip("H20"), DAY)


def test_rent_prefers_one_year_terms() -> None:
    """3.62 USD an hour for a year was the H100 offer known then."""
    rent = rental_price(CATALOG, CATALOG.chip("H100"), DAY)
    assert (rent.amount, rent.currency) == (3.62, "USD")


def test_power_of_a_system_or_from_its_chips() -> None:
    """A DGX H100 has its own figure; an H20 server's follows from 400 W chips."""
    assert system_power(CATALOG, CATALOG.resolve_system("H100")).value == pytest.approx(10_200)
    derived = system_power(CATALOG, CATALOG.resolve_system("H20"))
    assert derived.value == pytest.approx(8 * 400 * 1.82)
    assert derived.status == "derived"
    with pytest.raises(MissingFigureError, match="no source gives its power"):
        system_power(CATALOG, CATALOG.resolve_system("MLU590"))


@given(day=st.dates(date(2022, 1, 1), date(2026, 6, 1)))
def test_a_price_known_on_a_day_is_never_younger(day: date) -> None:
    """Unless marked, the observation is dated on or before the day."""
    from outlay.units import end_of_period

    price = purchase_price(CATALOG, CATALOG.resolve_system("H100"), day)
    assert price.after_knowledge == (end_of_period(price.date) > day)
    assert price.low <= price.amount <= price.high


def test_overrides_take_the_place_of_the_table() -> None:
    """A scenario may fix its own rate."""
    assert fx_rates(CATALOG, DAY, {"CNY": 7.27})["CNY"] == 7.27
    assert fx_rates(CATALOG, DAY, {})["CNY"] == 7.2957
    assert "CNY" not in fx_rates(CATALOG, date(2035, 1, 1), {})
