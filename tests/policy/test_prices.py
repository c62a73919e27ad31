"""What the rules do to prices, for those who know prices."""

from datetime import date

import pytest

from outlay.policy import Item, PriceFactor, Transaction, deadline, price_factors

H20 = Item("H20 96GB", "Nvidia", "US", {8: 296.0}, 814.0, 900.0, 4000.0, True)
H200 = Item("H200 SXM", "Nvidia", "US", {8: 1979.0}, 814.0, 900.0, 4800.0, True)
ASCEND = Item("Ascend 910B", "Huawei", "CN", {8: 640.0}, 665.6, 392.0, 1600.0, True)


def china(on, **more):
    """Return a purchase in China by a Chinese buyer."""
    return Transaction(date.fromisoformat(on), "CN", "CN", "CN", **more)


def test_tariff_is_a_factor_of_the_hardware():
    """25 % on the licensed way through the United States; nothing before, nothing for a part outside the bands."""
    (paid,) = price_factors(H200, china("2026-04-01", exporter="US"))
    assert (paid.rule, paid.kind, paid.applies_to, paid.rate, paid.multiplier()) == (
        *("US-12", "tariff", "hardware", 0.25, 1.25),
    )
    assert price_factors(H200, china("2026-01-14", exporter="US")) == ()
    assert price_factors(H20, china("2025-05-01")) == ()


def test_revenue_share_is_the_sellers_until_he_passes_it_on():
    """15 % of the revenue: at most 1 / 0.85 on the buyer's price."""
    (share,) = price_factors(H20, china("2025-09-01"))
    assert (share.rule, share.kind, share.rate) == ("US-13", "revenue-share", 0.15)
    assert (share.multiplier(0.0), share.multiplier(1.0)) == (1.0, pytest.approx(1 / 0.85))


def test_power_subsidy_is_a_factor_of_the_energy():
    """Up to half the price of power for domestic chips."""
    (subsidy,) = price_factors(ASCEND, china("2025-12-01"))
    assert (subsidy.rule, subsidy.applies_to, subsidy.multiplier()) == ("CN-07", "energy", 0.5)
    assert price_factors(ASCEND, china("2025-12-01"), known_on=date(2025, 11, 3)) == ()


def test_burden_shared_lies_between():
    """Half a tariff passed on is half of it on the price."""
    assert PriceFactor("tariff", "hardware", 0.25, "").multiplier(0.5) == 1.125


@pytest.mark.parametrize(
    ("day", "until", "slips"),
    [
        (date(2024, 4, 1), None, ()),
        (date(2025, 1, 19), date(2025, 1, 19), ()),
        (date(2025, 1, 22), date(2025, 4, 5), (75,)),
        (date(2025, 4, 4), date(2025, 6, 19), (75, 75)),
        (date(2025, 6, 19), date(2025, 9, 17), (75, 75, 90)),
        (date(2025, 9, 20), date(2025, 12, 16), (75, 75, 90, 90)),
        (date(2025, 9, 25), date(2026, 1, 23), (75, 75, 90, 90, 38)),
        (date(2026, 1, 22), None, (75, 75, 90, 90, 38)),
    ],
)
def test_deadline_stood_where_its_last_order_had_put_it(day, until, slips):
    """It moved five times, by 75, 75, 90, 90 and 38 days, and then was settled."""
    found = deadline(day)
    assert (found.until, found.slips_days) == (until, slips)
