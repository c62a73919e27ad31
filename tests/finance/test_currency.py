"""Exchange rates over time, exposure and hedges."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, MissingFigureError
from outlay.finance.currency import exposure, history, parity, rates, volatility
from outlay.units import Quarter

CATALOG = Catalog.load()
QUARTERS = tuple(Quarter(2025, 1) + ahead for ahead in range(4))


def test_parity_by_hand() -> None:
    """7.30 yuan today at 1.5 % against 4.5 %: 7.0904 in a year."""
    assert parity(7.30, 0.015, 0.045, [1.0])[0] == pytest.approx(7.30 * 1.015 / 1.045)


@given(spot=st.floats(0.01, 1e4), home=st.floats(-0.05, 0.3), away=st.floats(-0.05, 0.3), years=st.floats(0, 10))
def test_parity_leaves_no_free_lunch(spot: float, home: float, away: float, years: float) -> None:
    """A dollar lent at home is worth what it is worth changed, lent abroad and changed back forward."""
    forward = parity(spot, away, home, [years])[0]
    assert spot * (1 + away) ** years / forward == pytest.approx((1 + home) ** years, rel=1e-9)


def test_rates_follow_a_path_then_parity_then_stay() -> None:
    """What the user gives goes first; interest next; else today's rate."""
    found = rates(
        {"CNY": 7.3, "MYR": 4.5, "NOK": 11.3},
        QUARTERS,
        interest={"CNY": 0.015, "MYR": 0.03, "USD": 0.045},
        paths={"CNY": {Quarter(2025, 3): 7.0}},
    )
    assert list(found.of("CNY")) == [7.3, 7.3, 7.0, 7.0]
    assert np.all(np.diff(found.of("MYR")) < 0)
    assert list(found.of("NOK")) == [11.3] * 4
    assert found.basis["MYR"].startswith("interest parity")
    assert found.convert([7.3] * 4, "CNY", "USD")[0] == pytest.approx(1.0)


def test_a_currency_without_a_rate_is_refused() -> None:
    """With what is known and where to give it."""
    with pytest.raises(InputError, match="no exchange rate of EUR is known; give one under `fx`"):
        rates({"CNY": 7.3}, QUARTERS).of("EUR")
    with pytest.raises(InputError, match="expected more than zero"):
        rates({"CNY": 0.0}, QUARTERS)
    with pytest.raises(InputError, match="above -100%"):
        rates({"CNY": 7.3}, QUARTERS, interest={"CNY": -1.5, "USD": 0.04})


def test_history_is_the_mean_of_the_months() -> None:
    """January to March 2025: 7.2957, 7.2734 and 7.2493; quarters the table lacks are left out."""
    found = history(CATALOG, "CNY", (*QUARTERS[:1], Quarter(2035, 1)))
    assert found == {QUARTERS[0]: pytest.approx((7.2957 + 7.2734 + 7.2493) / 3)}


def test_the_yuan_moves_less_than_the_krone() -> None:
    """A managed currency against a floating one, by their monthly rates of a year."""
    day = date(2025, 1, 22)
    assert 0 < volatility(CATALOG, "CNY", day) < volatility(CATALOG, "NOK", day) < 0.2
    assert volatility(CATALOG, "USD", day) == 0.0
    with pytest.raises(MissingFigureError, match="fewer than four"):
        volatility(CATALOG, "CNY", date(2030, 1, 1))


def test_what_a_hedge_is_worth() -> None:
    """Owing 7.3 m yuan a quarter at a flat rate: locked in at 7.1 it costs more dollars, by hand."""
    flat = rates({"CNY": 7.3}, QUARTERS)
    found = exposure("CNY", [-7.3e6] * 4, flat, "USD", 0.0, volatility=0.05, forward=np.full(4, 7.1))
    assert found.worth == pytest.approx(-4e6)
    assert found.hedge == pytest.approx(-4 * 7.3e6 / 7.1 + 4e6)
    assert found.swing == pytest.approx(0.05 * 1e6 * sum(np.sqrt((np.arange(4) + 0.5) / 4)))
    assert exposure("CNY", [1.0] * 4, flat, "USD", 0.0, volatility=None, forward=None).hedge is None
