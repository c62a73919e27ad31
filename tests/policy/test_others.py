"""Tariff and permits beside the licence."""

from datetime import date

import pytest

from outlay.policy import Item, Transaction, decide

H200 = Item("H200 SXM", "Nvidia", "US", {8: 1979.0}, 814.0, 900.0, 4800.0, True)
IN_FORCE = date(2026, 2, 1)


def part(performance, dram):
    """Return a data-centre part of a given TPP and memory bandwidth."""
    return Item("boundary", "", "US", {1: float(performance)}, 800.0, 900.0, float(dram), True)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (part(14000, 4500), "TARIFF_25"),
        (part(17500, 5000), "TARIFF_25"),
        (part(13999, 4800), "TARIFF_NONE"),
        (part(15000, 5001), "TARIFF_NONE"),
        (part(20919, 6000), "TARIFF_25"),
        (part(20919, 5300), "TARIFF_NONE"),
    ],
)
def test_tariff_has_two_bands(item, code):
    """A part passing through the United States pays only where both figures lie in one band."""
    assert decide(item, Transaction(IN_FORCE, "US", "CN", "CN", onward="CN")).code == code


def test_use_in_american_data_centres_is_exempt():
    """Whoever uses it there pays nothing, and before the tariff nothing is said of it."""
    assert decide(H200, Transaction(IN_FORCE, "US", "CN", "CN")).code == "TARIFF_NONE"
    assert decide(H200, Transaction(IN_FORCE, "US", "US", "US")).code == "TARIFF_NONE"
    assert decide(H200, Transaction(date(2026, 1, 14), "US", "US", "US")).code == "NLR"
    assert decide(H200, Transaction(IN_FORCE, "US", "US", "US"), known_on=date(2026, 1, 13)).code == "NLR"


def test_missing_figure_is_named_where_the_tariff_hangs_on_it():
    """Without memory bandwidth a part with the TPP of a band cannot be told; bought for use there, nothing is asked."""
    item = Item("boundary", "", "US", {1: 15000.0}, 800.0, 900.0, None, True)
    decision = decide(item, Transaction(IN_FORCE, "US", "CN", "CN", onward="CN"))
    assert (decision.verdict, decision.missing) == ("conditional", ("dram_gbps",))
    assert decide(item, Transaction(IN_FORCE, "US", "US", "US")).verdict == "allowed"


def test_tariff_lies_over_the_licence_without_replacing_it():
    """An H200 for China from the United States keeps its code and names the tariff."""
    decision = decide(H200, Transaction(date(2026, 4, 1), "CN", "CN", "CN", exporter="US"))
    assert (decision.code, "US-12" in decision.rules) == ("LICENCE_CBC", True)


def test_malaysian_permit_never_loosens_the_american_answer():
    """Out of Malaysia a free part needs a permit; a denied one stays denied; staying there needs none."""
    day = date(2025, 8, 1)
    assert decide(H200, Transaction(day, "ID", "ID", "ID", exporter="MY")).code == "PERMIT_NOTICE_30D"
    denied = decide(H200, Transaction(day, "CN", "CN", "CN", exporter="MY"))
    assert (denied.code, denied.verdict, "MY-01" in denied.rules) == ("LICENCE_PD", "denied", True)
    assert "MY-01" not in decide(H200, Transaction(day, "MY", "MY", "MY", exporter="MY")).rules
    bare = Item("no figures", "", "US", {}, None, None, None, None)
    assert decide(bare, Transaction(day, "CN", "CN", "CN", exporter="MY")).verdict == "unknown"
