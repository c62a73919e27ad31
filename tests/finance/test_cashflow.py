"""Accounts over lines in several currencies: totals, value, tornado."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.finance.cashflow import Line, Reading, account, at_rate, discounted, scaled, tornado
from outlay.finance.currency import rates
from outlay.finance.returns import present_value
from outlay.units import Quarter

QUARTERS = tuple(Quarter(2025, 1) + ahead for ahead in range(4))
RATES = rates({"CNY": 8.0}, QUARTERS, paths={"CNY": {Quarter(2025, 3): 4.0}})
LINES = [
    Line("purchase of boxes", "purchases", "capital", "CNY", [-800.0, 0.0, 0.0, 0.0]),
    Line("revenue of chat", "revenue", "income", "USD", [0.0, 60.0, 60.0, 60.0]),
    Line("energy at Home", "energy", "operating", "CNY", [0.0, -8.0, -8.0, -8.0]),
]


def test_accounts_by_hand() -> None:
    """Eight yuan a dollar, four from the third quarter on."""
    found = account(LINES, RATES, "USD", discount=0.0)
    assert found.net == pytest.approx([-100.0, 59.0, 58.0, 58.0])
    assert found.value == pytest.approx(75.0)
    assert found.by_currency()["CNY"] == [-800.0, -8.0, -8.0, -8.0]
    assert found.total("capital") == pytest.approx(-100.0)
    assert found.total("operating") == pytest.approx(-5.0)
    assert found.payback_quarters == pytest.approx(1 + 41 / 58)
    assert found.rate_of_return is not None
    quarterly = (1 + found.rate_of_return) ** 0.25
    assert sum(amount * quarterly**-t for t, amount in enumerate(found.net)) == pytest.approx(0.0, abs=1e-6)


@given(rate=st.floats(-0.5, 1.0), factor=st.floats(0.0, 3.0))
def test_readings_are_what_a_new_account_gives(rate: float, factor: float) -> None:
    """Scaling a kind, moving a currency and discounting otherwise agree with accounts made afresh."""
    base = account(LINES, RATES, "USD", discount=0.08)
    dearer = [
        Line(
            x.name, x.kind, x.booking, x.currency, [a * factor for a in x.amounts] if x.kind == "energy" else x.amounts
        )
        for x in LINES
    ]
    assert scaled("energy", factor)(base) == pytest.approx(account(dearer, RATES, "USD", discount=0.08).value)
    assert discounted(rate)(base) == pytest.approx(present_value(rate, base.net))
    both = scaled("purchases", factor)(base) - base.value + scaled("energy", factor)(base)
    assert at_rate("CNY", factor)(base) == pytest.approx(both)


def test_the_tornado_has_its_widest_bar_first_and_no_bar_that_does_not_move() -> None:
    """Purchases of 100 move more than energy of 5; rents that are not there are left out."""
    base = account(LINES, RATES, "USD", discount=0.0)
    readings = [
        Reading("energy", "-20%", "+20%", scaled("energy", 0.8), scaled("energy", 1.2)),
        Reading("prices", "-20%", "+20%", scaled("purchases", 0.8), scaled("purchases", 1.2)),
        Reading("rents", "-20%", "+20%", scaled("rent", 0.8), scaled("rent", 1.2)),
    ]
    swings = tornado(base, readings)
    assert [swing.name for swing in swings] == ["prices", "energy"]
    assert swings[0].width == pytest.approx(40.0)
    assert swings[0].at_low > base.value > swings[0].at_high
