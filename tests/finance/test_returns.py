"""Present values, rates of return, payback and cost of capital, against worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.finance.returns import (
    cost_of_capital,
    deflated,
    discount_factors,
    irr,
    npv,
    payback,
    per_period,
    present_value,
    real_rate,
)


@pytest.mark.parametrize(
    ("rate", "flows", "worth"),
    [
        # Microsoft, documentation of NPV: 10 %, -10,000 after a year, then 3,000, 4,200 and 6,800 is 1,188.44.
        (0.10, [0, -10000, 3000, 4200, 6800], 1188.44),
        # The same page: 8 %, 40,000 now, then 8,000 to 14,500 is 1,922.06; with a loss of 9,000 in year six -3,749.47.
        (0.08, [-40000, 8000, 9200, 10000, 12000, 14500], 1922.06),
        (0.08, [-40000, 8000, 9200, 10000, 12000, 14500, -9000], -3749.47),
    ],
)
def test_present_values_to_the_cent(rate: float, flows: list[float], worth: float) -> None:
    """Worked examples of a spreadsheet's manual."""
    assert round(npv(rate, flows), 2) == worth


@pytest.mark.parametrize(
    ("flows", "rate"),
    [
        # Microsoft, documentation of IRR: after four years -2.1 %, after five 8.7 %.
        ([-70000, 12000, 15000, 18000, 21000], -0.0212),
        ([-70000, 12000, 15000, 18000, 21000, 26000], 0.0866),
        # numpy-financial, documentation of irr.
        ([-100, 39, 59, 55, 20], 0.28095),
    ],
)
def test_rates_of_return(flows: list[float], rate: float) -> None:
    """Worked examples; the rate makes the series worth nothing."""
    found = irr(flows)
    assert found is not None
    assert found == pytest.approx(rate, abs=5e-5)
    assert npv(found, flows) == pytest.approx(0.0, abs=1e-6)


def test_a_series_with_two_rates_has_none() -> None:
    """-100, 230, -132 is worth nothing at 10 % and at 20 %: any one of them would mislead."""
    assert irr([-100, 230, -132]) is None
    assert irr([100, 200]) is None
    assert irr([]) is None


def test_a_series_that_turns_twice_may_still_have_one_rate() -> None:
    """A repair on the way does not take the rate away where only one root exists."""
    found = irr([-100, 60, -5, 70])
    assert found is not None
    assert npv(found, [-100, 60, -5, 70]) == pytest.approx(0.0, abs=1e-9)


def test_payback_counts_the_last_period_in_part() -> None:
    """1,000 back at 400 a year is two and a half years; never, where it is not; at once, where nothing is put in."""
    assert payback([-1000, 400, 400, 400]) == 2.5
    assert payback([-1000, 400]) is None
    assert payback([5, 5]) == 0.0
    assert payback([-10, 20, -15, 20]) == pytest.approx(2 + 5 / 20)


def test_cost_of_capital_and_real_rates() -> None:
    """Brealey, Myers and Allen: Sangria Corporation, 40 % debt at 6 %, equity at 12.4 %, tax 35 % is 9.0 %."""
    assert cost_of_capital(0.4, 0.06, 0.124, 0.35) == pytest.approx(0.09, abs=1e-9)
    assert real_rate(0.10, 0.03) == pytest.approx(1.10 / 1.03 - 1)


@pytest.mark.parametrize("rate", [-1.0, -1.5, float("nan"), float("inf")])
def test_rates_of_minus_100_percent_and_below_are_refused(rate: float) -> None:
    """The message names the rate and what was expected."""
    with pytest.raises(InputError, match="expected a rate above -100%"):
        npv(rate, [1.0])
    with pytest.raises(InputError, match="cost of equity"):
        cost_of_capital(0.5, 0.05, rate)
    with pytest.raises(InputError):
        per_period(rate)


@given(
    rate=st.floats(-0.5, 1.0),
    inflation=st.floats(-0.2, 0.5),
    flows=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40),
)
def test_real_cash_at_the_real_rate_is_worth_the_same(rate: float, inflation: float, flows: list[float]) -> None:
    """Nominal at nominal equals real at real."""
    nominal = present_value(rate, flows)
    real = present_value(real_rate(rate, inflation), deflated(flows, inflation))
    assert real == pytest.approx(nominal, rel=1e-6, abs=1e-3)


@given(rate=st.floats(-0.3, 0.5), gain=st.floats(1.0, 1e6), length=st.integers(1, 30))
def test_an_annuity_bought_at_its_worth_returns_its_rate(rate: float, gain: float, length: int) -> None:
    """Paying the present value of level payments earns the rate they were valued at."""
    assume(abs(rate) > 1e-3)
    price = npv(rate, [0.0] + [gain] * length)
    found = irr([-price] + [gain] * length)
    assert found == pytest.approx(rate, abs=1e-6)


def test_factors_fall_in_the_middle_of_quarters() -> None:
    """The first quarter's money comes after an eighth of a year."""
    assert discount_factors(0.21, 2) == pytest.approx([1.21**-0.125, 1.21**-0.375])
    assert per_period(0.21, 2) == pytest.approx(0.1)
    assert np.all(np.diff(discount_factors(0.1, 8)) < 0)
