"""Quantities, money, quarters and dates as people write them."""

from __future__ import annotations

import doctest
import math
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import outlay.errors
import outlay.units
from outlay.errors import UnitError
from outlay.units import Money, Quarter, UnitPrice, country_code, currency_code, end_of_period, human, quantity


@pytest.mark.parametrize("module", [outlay.units, outlay.errors])
def test_examples_in_docstrings_hold(module: object) -> None:
    """Every example does what it prints."""
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("40 billion CNY", "40000000000", "CNY"),
        ("USD 6.8bn", "6800000000", "USD"),
        ("$5.5 billion", "5500000000", "USD"),
        ("1,250 EUR", "1250", "EUR"),
        ("0.5 trn JPY", "500000000000", "JPY"),
    ],
)
def test_money_as_people_write_it(text: str, amount: str, currency: str) -> None:
    """Scale words, symbols and codes on either side."""
    assert Money.parse(text) == Money(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("forty billion", "expected a number and a currency"),
        ("40 billion", "has no currency"),
        ("40 billion CNZ", "unknown currency 'CNZ'; expected an ISO 4217 code, nearest: .*CNY"),
        ("40 zillion CNY", "unknown currency 'zillion'"),
        ("10 to 20 million USD", "expected one number, such as 40 billion CNY"),
        ("1,5 million USD", "expected one number"),
        ("5 USD CNY", "'CNY' is neither a scale nor a second currency"),
        ("1e999999999 million USD", "too large or too small"),
    ],
)
def test_money_refused_with_a_way_out(text: str, message: str) -> None:
    """What is wrong and what was expected."""
    with pytest.raises(UnitError, match=message):
        Money.parse(text)


@given(
    value=st.integers(1, 10**6),
    scale=st.sampled_from([("k", 1e3), ("million", 1e6), ("billion", 1e9), ("trillion", 1e12)]),
)
def test_units_scale(value: int, scale: tuple[str, float]) -> None:
    """A quantity in thousands is a thousand times one in units, and per second 86,400 less than per day."""
    word, factor = scale
    assert quantity(f"{value} {word} tokens", "token") == pytest.approx(value * factor)
    assert quantity(f"{value} {word} tokens/day", "token/s") == pytest.approx(value * factor / 86400)
    assert quantity(f"{value} MW", "W") == pytest.approx(1000 * quantity(f"{value} kW", "W"))


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("30", "W", "'30' has no unit"),
        ("30 MW", "s", "'30 MW' is not a time, such as 50 ms"),
        ("fast", "s", "'fast' is not a quantity; expected a time, such as 50 ms"),
        ("30 flurbs", "W", "'30 flurbs': unknown unit 'flurbs'; expected power, such as 30 MW"),
        ("30 KW", "W", "'30 KW': unknown unit 'KW'; nearest: kW; expected power, such as 30 MW"),
        ("5 kW/month", "W", "'5 kW/month' is not power, such as 30 MW"),
        ("20 degC", "W", "'20 degC' is not power"),
        ("1,5 MW", "W", "'1,5 MW' is not a quantity"),
        ("5 W**9**9**9", "W", "is not a quantity"),
        ("1e400 MW", "W", "'1e400' is not a number, or one too large or too small"),
        ("1e99999999999999999999 MW", "W", "is not a number, or one too large or too small"),
    ],
)
def test_quantities_refused(text: str, unit: str, message: str) -> None:
    """A wrong dimension is refused, not converted."""
    with pytest.raises(UnitError, match=message):
        quantity(text, unit)


@given(start=st.integers(0, 400), step=st.integers(-40, 40))
def test_quarters_add_and_subtract(start: int, step: int) -> None:
    """Going there and back."""
    quarter = Quarter(2000, 1) + start
    assert (quarter + step) - quarter == step
    assert Quarter.parse(str(quarter)) == quarter
    assert (quarter + 1).start == quarter.end + timedelta(days=1)
    assert quarter.days in {90, 91, 92}


@given(day=st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_day_is_in_its_quarter(day: date) -> None:
    """First and last day bound it."""
    assert Quarter.of(day).start <= day <= Quarter.of(day).end


@pytest.mark.parametrize("text", ["2025Q5", "2025", "Q1", ""])
def test_what_is_no_quarter_is_refused(text: str) -> None:
    """Five quarters make no year."""
    with pytest.raises(UnitError, match="is not a quarter"):
        Quarter.parse(text)


def test_prices_per_something() -> None:
    """Per million tokens, per kWh, per kW and month."""
    assert UnitPrice.parse("120 USD/kW/month", "kW*month").amount == pytest.approx(120)
    assert UnitPrice.parse("2.20 USD/chip/hour", "chip*hour").amount == pytest.approx(2.2)
    assert UnitPrice.parse("2 CNY per million tokens", "token").amount == pytest.approx(2e-6)
    assert UnitPrice.parse("2 USD/1,000 tokens", "token").amount == pytest.approx(2e-3)
    assert UnitPrice.parse("2.20 USD per chip-hour", "chip*hour").amount == pytest.approx(2.2)


@pytest.mark.parametrize("text", ["2 CNY", "2 CNY/", "2 CNY/kWh", "2 CNY/0 tokens", "2 CNY/million"])
def test_what_is_no_price_per_token_is_refused(text: str) -> None:
    """Without a unit, in another one, per nothing."""
    with pytest.raises(UnitError, match=r"is not a price per .*; expected one such as 2 CNY/million tokens"):
        UnitPrice.parse(text, "token")


@given(text=st.text(alphabet="0123456789.,_-+eE %/*^()kMWhst USDCNYtokens", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is written, the answer is a finite number or a UnitError, never another error."""
    for read in (
        lambda: quantity(text, "W"),
        lambda: quantity(text, ""),
        lambda: UnitPrice.parse(text, "token").amount,
        lambda: float(Money.parse(text).amount),
    ):
        try:
            assert math.isfinite(read())
        except UnitError:
            continue


def test_countries_and_currencies_by_name_or_code() -> None:
    """Names, codes and what people call them; a miss names the nearest."""
    assert country_code("Norway") == "NO"
    assert country_code("UAE") == "AE"
    assert currency_code("RM") == "MYR"
    with pytest.raises(UnitError, match=r"nearest: .*Norway"):
        country_code("Norwayy")


def test_a_period_is_known_at_its_end() -> None:
    """A year's price is known when the year is over."""
    assert end_of_period("2025") == date(2025, 12, 31)
    assert end_of_period("2024-02") == date(2024, 2, 29)
    assert end_of_period("2024-01-29") == date(2024, 1, 29)
    with pytest.raises(UnitError, match="is not a date"):
        end_of_period("soon")


def test_numbers_for_people() -> None:
    """Three significant digits and a word."""
    assert [human(x) for x in (0, 0.0123, 999.6, 1e6, 2.5e12)] == ["0", "0.012", "1,000", "1.00 m", "2.50 trn"]


@pytest.mark.parametrize(("written", "unit"), [*outlay.units.USUAL, ("kWh", "kWh"), ("chip*hour", "chip*hour")])
def test_what_is_usually_written_has_the_size_pint_gives(written: str, unit: str) -> None:
    """To the last digit: the table only saves the time to load Pint."""
    assert quantity(f"1 {written}", unit) == outlay.units._by_pint(written, unit, "", "")


def test_a_bundled_scenario_is_read_without_pint() -> None:
    """In a process of its own, as commands are."""
    read = "import sys, outlay; outlay.load('bytedance-2025'); sys.exit('pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", read], check=False).returncode == 0
