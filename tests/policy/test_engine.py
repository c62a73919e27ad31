"""What the engine promises: boundaries, order, what was known when, leases, and the two clocks."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.policy import VERDICTS, Item, Transaction, all_rules, decide, rule
from outlay.policy.metrics import performance_density, tpp

H20 = Item("H20 96GB", "Nvidia", "US", {8: 296.0, 16: 148.0}, 814.0, 900.0, 4000.0, True)
H100 = Item("H100 SXM", "Nvidia", "US", {8: 1979.0, 16: 989.0}, 814.0, 900.0, 3350.0, True)
H200 = replace(H100, name="H200 SXM", dram_gbps=4800.0)
ASCEND = Item("Ascend 910B3", "Huawei", "CN", {16: 313.0, 8: 640.0}, 665.6, 392.0, 1600.0, True)
CONSUMER = Item("boundary card", "", "US", {8: 600.0}, 600.0, None, 1000.0, False)
ANNOUNCED = date(2025, 1, 22)
STRICTER = ["NONE", "INDETERMINATE", "3A090.b", "3A090.a"]


def deal(on, to="CN", hq="CN", parent=None, **more):
    """Return a transaction on a day, in China for a Chinese buyer unless said."""
    return Transaction(date.fromisoformat(on), to, hq, parent or hq, **more)


def part(value, die=None, **more):
    """Return a data-centre part of a given TPP and die area."""
    return replace(H100, name="boundary", tops={1: float(value)}, die_area_mm2=die, **more)


def test_arithmetic_is_spelled_out():
    """The rates, the bit length and the side of the limit are there to be checked."""
    assert tpp(H20).against(2400) == "TPP = 296 TOPS x 8 bit = 2368 < 2400"
    assert performance_density(H20).text == "PD = 2368 / 814 mm2 = 2.909"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (part(4800, 3000), "3A090.a"),
        (part(4799.9, 3000), "NONE"),
        (part(4799, 2999), "3A090.b"),
        (part(1600, 1600 / 5.92), "3A090.a"),
        (part(1600, 1600 / 5.919), "3A090.b"),
        (part(1600, 500), "3A090.b"),
        (part(1599.9, 100), "NONE"),
        (part(2400, 1500), "3A090.b"),
        (part(2399.9, 1500), "NONE"),
        (part(4800, None), "3A090.a"),
        (part(1599, None), "NONE"),
        (part(4799, 100, datacenter=False), "NONE"),
        (part(4800, 100, datacenter=False), "3A090.a"),
        (part(4799, 100, datacenter=None), "INDETERMINATE"),
    ],
)
def test_class_of_2023_at_its_boundaries(item, expected):
    """4800, 1600, 5.92, 2400, 1.6 and 3.2 are inclusive; note 2 frees parts not for data centres below 4800."""
    assert decide(item, deal("2024-01-01")).control_class == expected


@pytest.mark.parametrize(
    ("io", "performance", "expected"), [(600, 4800, "LICENCE"), (599, 4800, "NLR"), (600, 4799, "NLR")]
)
def test_rule_of_2022_needs_both_limbs(io, performance, expected):
    """600 GB/s and 4800 are inclusive, and one without the other is free."""
    item = part(performance, 800, interconnect_gbps=float(io))
    assert decide(item, deal("2022-12-01")).code == expected


@pytest.mark.parametrize(
    ("performance", "dram", "exporter", "code"),
    [
        (20999, 6499, "US", "LICENCE_CBC"),
        (21000, 6499, "US", "LICENCE_PD"),
        (20999, 6500, "US", "LICENCE_PD"),
        (20999, 6499, "TW", "LICENCE_PD"),
        (20999, 6499, None, "LICENCE_PD"),
        (20999, None, "US", "LICENCE_PD"),
    ],
)
def test_case_by_case_lines_are_strict(performance, dram, exporter, code):
    """21000 and 6500 themselves stay under a presumption of denial, as does any route but from the United States."""
    item = part(performance, 800, dram_gbps=dram)
    assert decide(item, deal("2026-02-01", exporter=exporter)).code == code


def test_case_by_case_is_conditional_only_with_certifications():
    """A licence one has not got is a denial; the flag says its conditions are met."""
    transaction = deal("2026-04-01", exporter="US")
    assert decide(H200, transaction).verdict == "denied"
    assert decide(H200, transaction, flags=["certifications"]).verdict == "conditional"


@pytest.mark.parametrize(
    ("dram", "io", "code"),
    [(1399, 300, "NLR"), (1400, 0, "LETTER_LICENCE"), (0.5, 1100, "LETTER_LICENCE"), (1300, 400, "LETTER_LICENCE")],
)
def test_reported_line_of_the_letters(dram, io, code):
    """DRAM of 1400, I/O of 1100 or a sum of 1700 GB/s, each inclusive."""
    item = part(1000, 800, dram_gbps=float(dram), interconnect_gbps=float(io))
    assert decide(item, deal("2025-06-01")).code == code


def test_other_reading_of_the_letters_by_flag():
    """At the H20's own line a part of 3000 and 800 GB/s is free; the H20 itself is named under both."""
    item = part(1000, 800, dram_gbps=3000.0, interconnect_gbps=800.0)
    assert decide(item, deal("2025-06-01")).code == "LETTER_LICENCE"
    assert decide(item, deal("2025-06-01"), flags=["letter_2025_h20_line"]).code == "NLR"
    assert decide(H20, deal("2025-06-01"), flags=["letter_2025_h20_line"]).code == "LETTER_LICENCE"


def test_h20_is_free_before_its_letter_and_closed_after():
    """January 2025 open, May 2025 closed; asked by what January knew, May is open too."""
    assert decide(H20, deal("2025-01-22")).verdict == "allowed"
    assert decide(H20, deal("2025-05-01")).verdict == "denied"
    assert decide(H20, deal("2025-05-01"), known_on=ANNOUNCED).verdict == "allowed"


@pytest.mark.parametrize(
    ("to", "hq", "known_on", "code"),
    [
        ("MY", "MY", ANNOUNCED, "LICENCE"),
        ("JP", "US", ANNOUNCED, "AIA"),
        ("JP", "MY", ANNOUNCED, "LICENCE"),
        ("CN", "CN", ANNOUNCED, "LICENCE_PD"),
        ("MY", "MY", None, "NOT_ENFORCED"),
        ("MY", "MY", date(2025, 1, 12), "NLR"),
        ("MY", "MY", date(2025, 5, 13), "NOT_ENFORCED"),
    ],
)
def test_ai_diffusion_by_what_was_known(to, hq, known_on, code):
    """Between publication and non-enforcement a plan must count on the rule; before and after it must not."""
    assert decide(H100, deal("2025-07-01", to, hq), known_on=known_on).code == code


def test_low_volume_is_not_a_way_for_a_fleet():
    """License Exception LPP ends at 26.9 million TPP a year, and without a number of chips nothing fits under it."""
    fleet = decide(H100, deal("2025-07-01", "MY", "MY"), known_on=ANNOUNCED)
    assert fleet.verdict == "denied"
    assert any("1699 chips" in line for line in fleet.arithmetic)
    few = decide(H100, deal("2025-07-01", "MY", "MY", units=1699), known_on=ANNOUNCED)
    assert (few.code, few.verdict) == ("LPP", "conditional")


def test_low_volume_is_free_in_all_of_tier_two():
    """Saudi Arabia is in D:4 and in tier 2: few chips need no licence where the rule is enforced, many do."""
    few = deal("2025-07-01", "SA", "SA", units=1000)
    assert decide(H100, few, flags=["diffusion_enforced"]).code == "LPP"
    assert decide(H100, replace(few, units=2000), flags=["diffusion_enforced"]).code == "LICENCE"
    assert decide(H100, few).code == "LICENCE"
    assert decide(H100, replace(few, parent_hq="CN"), flags=["diffusion_enforced"]).code == "LICENCE_PD"


def test_chinese_group_may_rent_abroad_what_it_may_not_buy():
    """Purchase in Malaysia is denied by headquarters; renting from a Malaysian owner asks for a knowledge check."""
    bought = decide(H100, deal("2025-03-01", "MY", "MY", "CN"))
    assert (bought.code, bought.verdict) == ("LICENCE_PD", "denied")
    rented = decide(H100, deal("2025-03-01", "MY", "CN", mode="lease", owner_hq="MY"))
    assert (rented.code, rented.verdict) == ("NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK", "conditional")


def test_lease_fails_where_the_owner_may_not_have_the_machines():
    """An owner of Chinese headquarters abroad, and any owner in China, is denied the hardware."""
    for place, owner in (("MY", "CN"), ("CN", "SG")):
        decision = decide(H100, deal("2025-03-01", place, "CN", mode="lease", owner_hq=owner))
        assert (decision.code, decision.verdict) == ("LICENCE_PD", "denied")
    assert decide(H100, deal("2025-03-01", "MY", "CN", mode="lease")).missing == ("owner_hq",)


def test_lease_of_an_uncontrolled_part_is_free_until_a_letter_names_it():
    """The H20 abroad for a Chinese tenant: free in 2024; asked about once the tenant could not buy it."""
    lease = deal("2024-06-01", "SG", "CN", mode="lease", owner_hq="SG")
    free = decide(H20, lease)
    assert (free.code, free.verdict) == ("NLR", "allowed")
    named = decide(H20, replace(lease, on=date(2025, 5, 1)))
    assert (named.code, named.verdict) == ("NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK", "conditional")


def test_tier_one_takes_a_lease_and_tier_two_does_not_by_what_january_2025_knew():
    """Renting an H100 after 15 May 2025: Norway's owner may have it, Malaysia's may not."""
    norway = deal("2025-07-01", "NO", "CN", mode="lease", owner_hq="NO")
    malaysia = replace(norway, destination="MY", owner_hq="MY")
    assert decide(H100, norway, known_on=ANNOUNCED).verdict == "conditional"
    assert decide(H100, malaysia, known_on=ANNOUNCED).verdict == "denied"
    assert decide(H100, malaysia).verdict == "conditional"
    assert decide(H100, deal("2025-02-01", "NO")).code == "LICENCE_PD"


def test_middle_east_has_a_presumption_of_approval_before_the_diffusion_rule():
    """Saudi Arabia in 2024: a licence, presumed to be granted; from 15 May 2025 on the review policy is not known."""
    before = decide(H100, deal("2024-06-01", "SA", "SA"))
    assert (before.code, before.verdict) == ("LICENCE_PA", "conditional")
    after = decide(H100, deal("2025-06-01", "SA", "SA"))
    assert (after.code, after.verdict) == ("LICENCE", "denied")


def test_remote_access_law_closes_leases():
    """The proposal counts only where its flag is set."""
    lease = deal("2026-06-01", "MY", "CN", mode="lease", owner_hq="MY")
    assert decide(H100, lease).verdict == "conditional"
    assert decide(H100, lease, flags=["remote_access_enacted"]).code == "PROPOSED_DENY"


def test_general_prohibition_ten_spares_a_purely_chinese_use():
    """An Ascend in China for a Chinese buyer carries a risk; anywhere else it is presumed a violation."""
    assert decide(ASCEND, deal("2025-06-01")).verdict == "conditional"
    assert decide(ASCEND, deal("2025-06-01", "MY", "MY")).verdict == "denied"
    assert decide(ASCEND, deal("2025-05-12")).code == "NLR"


def test_reported_practice_is_a_second_clock():
    """China-side reports deny without changing the American code, and can be left out."""
    stopped = deal("2026-01-20", exporter="US")
    decision = decide(H200, stopped, flags=["certifications"])
    assert (decision.code, decision.verdict, "CN-10" in decision.rules) == ("LICENCE_CBC", "denied", True)
    assert decide(H200, stopped, flags=["certifications", "ignore_reported"]).verdict == "conditional"
    allowed = replace(CONSUMER, tops={8: 100.0})
    public = deal("2025-12-01", state_funded=True, new_site=True)
    assert decide(allowed, public).verdict == "denied"
    assert decide(allowed, replace(public, state_funded=False)).verdict == "allowed"
    assert decide(ASCEND, public).verdict == "conditional"


def test_missing_figures_are_named():
    """Nothing known, no die area, and no memory bandwidth each say what to supply."""
    nothing = replace(H100, name="unknown part", tops={}, dram_gbps=None)
    assert decide(nothing, deal("2024-06-01")).missing == ("tops",)
    assert decide(part(3000), deal("2024-06-01")).missing == ("die_area_mm2",)
    assert decide(part(1000, dram_gbps=None), deal("2025-06-01")).missing == ("dram_gbps",)


def test_bad_input_is_refused():
    """An unknown flag names the nearest; a figure of zero or less is no figure."""
    with pytest.raises(InputError, match="nearest: diffusion_enforced"):
        decide(H100, deal("2025-06-01"), flags=["difusion_enforced"])
    with pytest.raises(InputError, match="die_area_mm2 is 0"):
        decide(replace(H100, die_area_mm2=0.0), deal("2025-06-01"))
    with pytest.raises(InputError, match="unknown rule 'CN-1'; nearest: CN-1"):
        rule("CN-1")


def test_dates_beyond_the_sources_are_said():
    """Before the first rule and after the sources' reach the answer carries a warning."""
    assert any("before the first rule" in text for text in decide(H100, deal("2022-01-01")).warnings)
    assert any("after what the sources reach" in text for text in decide(H100, deal("2026-12-01")).warnings)


def test_every_rule_can_be_looked_up_and_cites_something():
    """Identifiers are unique; each rule has a document with a section and an address."""
    rules = all_rules()
    assert len({entry.id for entry in rules}) == len(rules)
    for entry in rules:
        assert entry.citations
        assert all(c.document and c.section and c.address.startswith("https://") for c in entry.citations)
        assert entry.effective_to is None or entry.end_announced is not None
    assert rule("CN-01").title.startswith("Guidance: at least 30 %")


@given(tops=st.floats(1, 40000), more=st.floats(0, 20000), die=st.none() | st.floats(50, 4000), center=st.booleans())
def test_more_tops_never_loosen_the_class(tops, more, die, center):
    """With all else equal a faster part is never in a looser class."""
    slow = decide(part(tops, die, datacenter=center), deal("2024-06-01")).control_class
    fast = decide(part(tops + more, die, datacenter=center), deal("2024-06-01")).control_class
    assert STRICTER.index(fast) >= STRICTER.index(slow)


@given(tops=st.floats(1, 40000), die=st.floats(50, 4000), more=st.floats(0, 4000))
def test_a_larger_die_never_tightens_the_class(tops, die, more):
    """Performance density falls with area."""
    small = decide(part(tops, die), deal("2024-06-01")).control_class
    large = decide(part(tops, die + more), deal("2024-06-01")).control_class
    assert STRICTER.index(large) <= STRICTER.index(small)


@given(tops=st.floats(1, 40000), die=st.floats(50, 4000))
def test_a_missing_die_area_is_never_a_pass(tops, die):
    """Without the area a part is free only where it would be free at any area."""
    if decide(part(tops), deal("2024-06-01")).verdict == "allowed":
        assert decide(part(tops, die), deal("2024-06-01")).verdict == "allowed"


@given(
    tops=st.dictionaries(st.sampled_from([4, 8, 16]), st.floats(1, 9000)),
    die=st.none() | st.floats(50, 4000),
    io=st.none() | st.floats(0, 3000),
    dram=st.none() | st.floats(1, 12000),
    center=st.none() | st.booleans(),
    maker=st.sampled_from(["US", "CN", "TW"]),
    on=st.dates(date(2022, 1, 1), date(2027, 12, 31)),
    known_on=st.none() | st.dates(date(2022, 1, 1), date(2027, 12, 31)),
    places=st.lists(st.sampled_from(["US", "CN", "MO", "MY", "SA", "AE", "IL", "JP"]), min_size=4, max_size=4),
    lease=st.booleans(),
)
def test_every_question_has_an_answer(tops, die, io, dram, center, maker, on, known_on, places, lease):
    """Any mixture of figures, dates and places gives a code of the table, and no rule from after the knowledge date."""
    item = Item("part", "", maker, tops, die, io, dram, center)
    to, hq, parent, owner = places
    transaction = Transaction(on, to, hq, parent, mode="lease" if lease else "buy", owner_hq=owner if lease else None)
    decision = decide(item, transaction, known_on=known_on)
    assert decision.code in VERDICTS
    assert known_on is None or all(rule(name).announced <= known_on for name in decision.rules)


def test_letters_warn_beside_an_exception():
    """A card of 3A090.a with fast memory keeps its exception by class, and is told of the letters' line."""
    card = Item("RTX 5090", "Nvidia", "US", {16: 419.0}, 750.0, 128.0, 1792.0, False)
    before, after = decide(card, deal("2025-03-01")), decide(card, deal("2025-06-01"))
    assert (before.code, after.code) == ("NAC_OR_LICENCE", "NAC_OR_LICENCE")
    assert not before.warnings
    assert any("letters of April 2025" in text for text in after.warnings)


def test_law_is_told_from_practice():
    """What is only reported tightens the verdict and leaves the law's."""
    decision = decide(replace(CONSUMER, tops={8: 100.0}), deal("2025-12-01", state_funded=True, new_site=True))
    assert (decision.code, decision.law, decision.verdict) == ("NLR", "allowed", "denied")


@pytest.mark.parametrize(
    ("node", "count", "hbm", "on", "where", "code"),
    [
        (28, None, None, "2025-06-01", "TW", "NLR"),
        (7, 29e9, None, "2025-06-01", "TW", "NLR"),
        (7, 30e9, None, "2025-06-01", "TW", "LICENCE_PD"),
        (7, None, None, "2025-06-01", "TW", "UNKNOWN"),
        (None, 50e9, None, "2025-06-01", "TW", "UNKNOWN"),
        (7, 29e9, None, "2025-06-01", "CN", "LICENCE_PD"),
        (7, 34e9, False, "2027-02-01", "TW", "NLR"),
        (7, 34e9, True, "2027-02-01", "TW", "LICENCE_PD"),
        (7, 39e9, False, "2029-02-01", "TW", "NLR"),
        (7, 50e9, None, "2025-01-20", "TW", "COMPLIANCE_PENDING"),
    ],
)
def test_foundry_presumption(node, count, hbm, on, where, code):
    """By node, by transistors and their year, by where it is packaged; nothing is taken for a missing figure."""
    design = Item("design", "", "CN", {}, None, None, None, True, node_nm=node, transistors=count, has_hbm=hbm)
    assert decide(design, deal(on, where, "CN", mode="foundry")).code == code


def test_foundry_serves_authorised_designers():
    """A designer with no tie to D:5 or Macau is authorised until the end of 2026; then it must apply."""
    design = Item("design", "", "US", {}, None, None, None, True, node_nm=3.0, transistors=1e11)
    assert decide(design, deal("2026-06-01", "TW", "US", mode="foundry")).verdict == "allowed"
    assert decide(design, deal("2027-02-01", "TW", "US", mode="foundry")).verdict == "conditional"
