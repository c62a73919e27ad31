"""Many decisions at once are the same as one at a time, and more of what is controlled never frees."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.policy import FLAGS, Item, Transaction, decide, decide_grid
from outlay.policy.codes import CLASSES, STRICTNESS

COUNTRIES = ["US", "CN", "HK", "MO", "RU", "MY", "SA", "AE", "IL", "JP", "VN", "ZZ", "EU"]
FIGURE = st.none() | st.floats(1, 12000)
ITEMS = st.builds(
    Item,
    name=st.sampled_from(["part", "H20", "H200 SXM", "A100", "MI308X", "Ascend 910C", "RTX 5090 D V2", "HBM3 stack"]),
    vendor=st.sampled_from(["Nvidia", "AMD", "Huawei"]),
    vendor_country=st.sampled_from(["US", "CN", "TW"]),
    tops=st.dictionaries(st.sampled_from([4, 8, 16]), st.floats(1, 9000), max_size=2),
    die_area_mm2=st.none() | st.floats(50, 4000),
    interconnect_gbps=st.none() | st.floats(0, 3000),
    dram_gbps=FIGURE,
    datacenter=st.none() | st.booleans(),
    hbm_density=st.none() | st.floats(0.5, 12),
    kind=st.sampled_from(["chip", "chip", "chip", "memory", "weights", "model", "any"]),
    training_operations=st.none() | st.sampled_from([1e24, 1e25, 2e25, 1e26, 3e26]),
    transistors=st.none() | st.floats(1e9, 1e11),
    node_nm=st.none() | st.floats(2, 28),
)
DEALS = st.builds(
    Transaction,
    on=st.dates(date(2022, 7, 1), date(2027, 6, 30)),
    destination=st.sampled_from(COUNTRIES),
    buyer_hq=st.sampled_from(COUNTRIES),
    parent_hq=st.sampled_from(COUNTRIES),
    exporter=st.none() | st.sampled_from(COUNTRIES),
    mode=st.sampled_from(["buy", "buy", "lease", "service", "foundry"]),
    owner_hq=st.none() | st.sampled_from(COUNTRIES),
    state_funded=st.booleans(),
    new_site=st.booleans(),
    public_buyer=st.booleans(),
    progress=st.none() | st.floats(0, 1),
    units=st.none() | st.integers(1, 5000),
    listed_share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
SWITCHES = st.lists(st.sampled_from(list(FLAGS)), unique=True, max_size=3)


@given(
    items=st.lists(ITEMS, min_size=1, max_size=4),
    deals=st.lists(DEALS, min_size=1, max_size=4),
    known_on=st.none() | st.dates(date(2022, 7, 1), date(2027, 6, 30)),
    data=st.data(),
)
def test_grid_agrees_with_single_decisions(items, deals, known_on, data):
    """Code, class, both verdicts and the rules of each cell are those of the question asked alone."""
    flags = data.draw(st.lists(SWITCHES, min_size=len(deals), max_size=len(deals)))
    grid = decide_grid(items, deals, known_on=known_on, flags=flags)
    for i, item in enumerate(items):
        for j, deal in enumerate(deals):
            alone = decide(item, deal, known_on=known_on, flags=flags[j])
            assert grid.code_at(i, j) == alone.code
            assert CLASSES[grid.control_class[i, j]] == alone.control_class
            assert (grid.verdict_at(i, j), STRICTNESS[grid.law[i, j]]) == (alone.verdict, alone.law)
            assert grid.rules_at(i, j) == alone.rules
            multiplier = np.prod([f.multiplier() for f in alone.factors if f.applies_to == "hardware"])
            assert grid.price_multiplier()[i, j] == pytest.approx(multiplier)


@given(item=ITEMS, deal=DEALS, flags=SWITCHES)
def test_reports_only_ever_tighten(item, deal, flags):
    """The second clock adds to the law and takes nothing away; without it both verdicts are one."""
    both = decide(item, deal, flags=flags)
    assert STRICTNESS.index(both.verdict) >= STRICTNESS.index(both.law)
    alone = decide(item, deal, flags=[*flags, "ignore_reported"])
    assert alone.law == both.law


@given(
    tops=st.floats(1, 40000),
    more=st.floats(0, 20000),
    area=st.floats(50, 4000),
    deal=DEALS.filter(lambda deal: deal.mode == "buy"),
    center=st.booleans(),
)
def test_more_tpp_never_frees_a_chip(tops, more, area, deal, center):
    """With all else equal a faster chip is never better off, on any day, to any place."""
    slow = Item("part", "Nvidia", "US", {1: tops}, area, 500.0, 1000.0, center)
    fast = replace(slow, tops={1: tops + more})
    ranks = [STRICTNESS.index(decide(item, deal).law) for item in (slow, fast)]
    tariff = deal.destination == "US" or "US-12" in {*decide(slow, deal).rules, *decide(fast, deal).rules}
    assert ranks[1] >= ranks[0] or tariff  # a tariff's band ends where a faster part begins


@given(figure=st.sampled_from(["dram_gbps", "interconnect_gbps"]), more=st.floats(0, 8000), deal=DEALS, data=st.data())
def test_faster_memory_and_links_never_free_a_chip(figure, more, deal, data):
    """Nor do memory bandwidth and speed between chips, where they are tested."""
    slow = Item("part", "Nvidia", "US", {1: data.draw(st.floats(1, 20000))}, 800.0, 300.0, 900.0, True)
    fast = replace(slow, **{figure: getattr(slow, figure) + more})
    before, after = decide(slow, deal), decide(fast, deal)
    if "US-12" not in {*before.rules, *after.rules}:
        assert STRICTNESS.index(after.law) >= STRICTNESS.index(before.law)


@given(item=ITEMS, deal=DEALS, known_on=st.dates(date(2022, 7, 1), date(2027, 6, 30)))
def test_what_was_not_announced_does_not_exist(item, deal, known_on):
    """A decision of a day rests on what was public by then."""
    from outlay.policy import rule

    assert all(rule(name).announced <= known_on for name in decide(item, deal, known_on=known_on).rules)


def test_bad_questions_are_refused():
    """A country that is none, and sets of flags that do not fit the transactions."""
    item = Item("part", "", "US", {8: 100.0}, None, None, None, None)
    deal = Transaction(date(2025, 1, 1), "CN", "CN", "CN")
    with pytest.raises(InputError, match="unknown country 'XX'"):
        decide(item, replace(deal, destination="XX"))
    with pytest.raises(InputError, match="2 sets of flags for 1 transactions"):
        decide_grid([item], [deal], flags=[[], ["certifications"]])


def test_no_items_and_no_transactions_give_no_answers():
    """An empty grid is a grid."""
    deal = Transaction(date(2025, 1, 1), "CN", "CN", "CN")
    item = Item("part", "", "US", {8: 100.0}, None, None, None, None)
    assert decide_grid([], [deal]).code.shape == (0, 1)
    assert decide_grid([item], []).code.shape == (1, 0)
