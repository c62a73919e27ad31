"""Loans: textbook schedules to the cent, draws, fees, covenants, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.finance.debt import Amortisation, Loan, breaches, capacity, coverage, schedule


def loan(**changes: object) -> Loan:
    """A million at 8 % over five years in quarters, one of grace."""
    terms = {"name": "term", "currency": "USD", "amount": 1e6, "base_rate": 0.05, "margin": 0.03, "tenor": 20}
    return Loan(**{**terms, **changes})  # type: ignore[arg-type]


def test_payments_of_a_mortgage_to_the_cent() -> None:
    """200,000 at 6.5 % over thirty years: 1,264.14 a month, of it 1,083.33 interest in the first."""
    found = schedule(loan(amount=200_000, base_rate=0.065, margin=0.0, tenor=360, periods=12))
    assert {round(float(paid), 2) for paid in found.service} == {1264.14}
    assert round(float(found.interest[0]), 2) == 1083.33
    assert round(float(found.principal[0]), 2) == 180.80
    assert found.balance[-1] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("amount", "rate", "months", "period", "principal", "interest"),
    [
        # Microsoft, documentation of PPMT: 2,000 at 10 % over two years: 75.62 of the first month is principal.
        (2000, 0.10, 24, 0, 75.62, None),
        # Documentation of IPMT: 8,000 at 10 % over three years: 66.67 interest in the first month.
        (8000, 0.10, 36, 0, None, 66.67),
    ],
)
def test_parts_of_payments_to_the_cent(
    amount: float, rate: float, months: int, period: int, principal: float | None, interest: float | None
) -> None:
    """Worked examples of a spreadsheet's manual."""
    found = schedule(loan(amount=amount, base_rate=rate, margin=0.0, tenor=months, periods=12))
    if principal is not None:
        assert round(float(found.principal[period]), 2) == principal
    if interest is not None:
        assert round(float(found.interest[period]), 2) == interest


def test_grace_straight_and_bullet() -> None:
    """Interest only at first; equal repayments; everything at the end."""
    waiting = schedule(loan(grace=4))
    assert waiting.principal[:4] == pytest.approx([0.0] * 4)
    assert waiting.interest[:4] == pytest.approx([20_000.0] * 4)
    assert np.ptp(waiting.service[4:]) == pytest.approx(0.0, abs=1e-6)
    straight = schedule(loan(grace=4, amortisation="straight"))
    assert straight.principal[4:] == pytest.approx([1e6 / 16] * 16)
    bullet = schedule(loan(amortisation="bullet"))
    assert bullet.principal[-1] == pytest.approx(1e6)
    assert bullet.interest == pytest.approx([20_000.0] * 20)


def test_fees_raise_the_all_in_rate() -> None:
    """Without fees the effective rate is the quarterly rate compounded; fees come on top."""
    bare = schedule(loan()).effective_rate
    assert bare == pytest.approx(1.02**4 - 1)
    dear = schedule(loan(upfront_fee=0.02)).effective_rate
    assert dear is not None
    assert dear > bare


def test_commitment_fees_are_for_what_is_not_drawn_while_it_may_be() -> None:
    """Half drawn in the first quarter, half in the third, of a grace of four."""
    found = schedule(loan(grace=4, commitment_fee=0.01), [5e5, 0, 5e5])
    assert found.fees[:5] == pytest.approx([1250.0, 1250.0, 0.0, 0.0, 0.0])
    assert found.interest[:4] == pytest.approx([10_000.0, 10_000.0, 20_000.0, 20_000.0])


@given(
    kind=st.sampled_from(["annuity", "straight", "bullet"]),
    tenor=st.integers(1, 40),
    data=st.data(),
    rate=st.floats(-0.02, 0.3),
)
def test_every_schedule_repays_what_was_drawn(kind: Amortisation, tenor: int, data: st.DataObject, rate: float) -> None:
    """Repayments sum to draws, nothing is owed at the end, and service discounted at the loan's rate is the draws."""
    grace = data.draw(st.integers(0, tenor - 1))
    terms = loan(base_rate=rate, margin=0.0, tenor=tenor, grace=grace, amortisation=kind)
    shares = data.draw(st.lists(st.floats(0.0, 1.0), min_size=terms.available, max_size=terms.available))
    draws = [share * terms.amount / len(shares) for share in shares]
    found = schedule(terms, draws)
    assert found.principal.sum() == pytest.approx(sum(draws), abs=1e-3)
    assert found.balance[-1] == pytest.approx(0.0, abs=1e-3)
    quarterly = 1 + terms.rate / 4
    worth = sum(float(paid) * quarterly ** -(t + 1) for t, paid in enumerate(found.service))
    drawn = sum(amount * quarterly**-t for t, amount in enumerate(draws))
    assert worth == pytest.approx(drawn, rel=1e-6, abs=1e-3)


def test_the_cover_covenant_sizes_and_is_watched() -> None:
    """At 1.3 times cover the tightest quarter decides; one dollar more breaks it."""
    terms = loan(coverage=1.3, grace=2)
    cash = np.full(20, 60_000.0)
    cash[10] = 50_000.0
    size = capacity(terms, cash)
    found = schedule(terms, [size])
    assert float(np.nanmin(coverage(cash[2:], found.service[2:]))) == pytest.approx(1.3)
    assert breaches(terms, cash, found.service) == []
    assert breaches(terms, cash, schedule(terms, [size * 1.001]).service) == [10]
    assert np.isnan(coverage([5.0], [0.0]))[0]


@pytest.mark.parametrize(
    ("changes", "draws", "message"),
    [
        ({"tenor": 4, "grace": 4}, None, "its tenor of 4 periods is not longer than its grace of 4"),
        ({"tenor": 4, "grace": 8}, None, "nothing would be left to repay in"),
        ({"base_rate": -1.2}, None, "expected a rate above -100%"),
        ({"amount": 0.0}, None, "expected more than zero"),
        ({}, [2e6], "exceed its 1,000,000"),
        ({"grace": 2}, [0, 0, 0, 1.0], "after the first 2; draws come within the grace"),
        ({}, [-1.0], "a draw below zero"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], draws: list[float] | None, message: str) -> None:
    """Tenor shorter than grace, rates below -100 %, draws beyond the facility: named, with the way out."""
    with pytest.raises(InputError, match=message):
        schedule(loan(**changes), draws)
    with pytest.raises(InputError, match="no cover ratio"):
        capacity(loan(), [1.0])
