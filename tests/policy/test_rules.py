"""Every rule: a record that can be looked up, and an example on which it speaks."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.policy import FLAGS, Item, Transaction, all_rules, decide, rule
from outlay.policy.columns import Case
from outlay.policy.rule import Citation
from outlay.policy.rules import FOUNDRY, HARDWARE, LEASES

H20 = Item("H20 96GB", "Nvidia", "US", {8: 296.0}, 814.0, 900.0, 4000.0, True)
A100 = Item("A100 SXM", "Nvidia", "US", {8: 624.0}, 826.0, 600.0, 2039.0, True)
A800 = replace(A100, name="A800 SXM", interconnect_gbps=400.0)
H100 = Item("H100 SXM", "Nvidia", "US", {8: 1979.0}, 814.0, 900.0, 3350.0, True)
H200 = replace(H100, name="H200 SXM", dram_gbps=4800.0)
CARD = Item("RTX 4090", "Nvidia", "US", {8: 660.5}, 608.0, None, 1010.0, False)
CARD_V2 = Item("RTX 5090 D V2", "Nvidia", "US", {4: 1187.5}, 750.0, None, 1344.0, False)
PRO_6000D = Item("RTX Pro 6000D", "Nvidia", "US", {8: 190.0}, 750.0, None, 1398.0, True)
ASCEND = Item("Ascend 910B", "Huawei", "CN", {8: 640.0}, 665.6, 392.0, 1600.0, True)
MEMORY = Item("HBM stack", "", "KR", {}, None, None, None, None, hbm_density=2.5)
WEIGHTS = Item("weights", "", "US", {}, None, None, None, None, kind="weights", training_operations=2e26)
MODEL = Item("model", "", "US", {}, None, None, None, None, kind="model", training_operations=2e26)
SITE = Item("hall", "", "DE", {}, None, None, None, None, kind="site", it_power_kw=600.0)
ANYTHING = Item("any item", "", "US", {}, None, None, None, None, kind="any")
DESIGN = Item("design", "", "CN", {8: 900.0}, 700.0, None, None, True, node_nm=7.0, transistors=50e9)


def deal(on, to="CN", hq="CN", **more):
    """Return a transaction on a day."""
    return Transaction(date.fromisoformat(on), to, hq, hq, **more)


RENTED = {"mode": "lease", "owner_hq": "MY"}
EXAMPLES = {
    "US-01": (A100, deal("2022-09-15"), (), "LETTER_LICENCE"),
    "US-01.2023": (H100, deal("2023-08-30", "SA", "SA"), (), "LETTER_LICENCE"),
    "US-02": (A100, deal("2022-11-01"), (), ""),
    "US-02.scope": (A100, deal("2023-02-01", "MO", "MO"), (), "LICENCE"),
    "US-03": (H100, deal("2023-11-17"), (), ""),
    "US-03.notice": (A800, deal("2023-10-25"), (), "LETTER_LICENCE"),
    "US-03.scope": (H100, deal("2024-06-01", "MY"), (), "LICENCE_PD"),
    "US-04": (CARD, deal("2024-05-01", "VN", "VN"), (), "ACA"),
    "US-05": (MEMORY, deal("2025-01-15"), (), "HBM_EXCEPTION_OR_LICENCE"),
    "US-06": (H100, deal("2025-06-01", "IN", "IN"), ("diffusion_enforced",), "LICENCE"),
    "US-06.review": (H100, deal("2025-06-01", "SA", "SA"), (), "LICENCE"),
    "US-06.unenforced": (H100, deal("2025-06-01", "IN", "IN"), (), "NOT_ENFORCED"),
    "US-06.weights": (WEIGHTS, deal("2025-06-01", "ZZ", "ZZ"), (), "NOT_ENFORCED"),
    "US-07": (DESIGN, deal("2025-06-01", "TW", "CN", mode="foundry"), (), "LICENCE_PD"),
    "US-08": (H20, deal("2025-04-09"), (), "LETTER_LICENCE"),
    "US-08.licences": (H20, deal("2025-07-15"), (), ""),
    "US-09": (ASCEND, deal("2025-05-20", "MY", "MY"), (), "GP10_PRESUMED"),
    "US-09.training": (H100, deal("2025-06-01", "MY", "CN", **RENTED), (), ""),
    "US-10": (ANYTHING, deal("2025-10-15", "ZZ", "ZZ", listed_share=0.5), (), "TREATED_AS_LISTED"),
    "US-11": (H200, deal("2026-02-01", exporter="US"), (), "LICENCE_CBC"),
    "US-11.announced": (H200, deal("2025-12-10"), (), "LICENCE"),
    "US-11.licences": (H200, deal("2026-03-01", exporter="US"), (), ""),
    "US-12": (H200, deal("2026-02-01", "US", "CN", onward="CN"), (), "TARIFF_25"),
    "US-13": (H20, deal("2025-09-01"), (), ""),
    "US-15": (MODEL, deal("2024-06-01", "US", "US"), (), "REPORT_YEARLY"),
    "US-LEASE": (H100, deal("2024-06-01", "MY", "CN", **RENTED), (), "NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK"),
    "US-P1": (H200, deal("2026-02-01"), ("safe_chips_enacted",), "PROPOSED_DENY"),
    "US-P2": (H100, deal("2026-06-01", "MY", "CN", **RENTED), ("remote_access_enacted",), "PROPOSED_DENY"),
    "US-P3": (H200, deal("2026-02-01"), ("gain_enacted",), "PROPOSED_CONDITION"),
    "US-P4": (H100, deal("2026-10-01", "NO", "NO"), ("chip_security_enacted",), "PROPOSED_CONDITION"),
    "US-P5": (H200, deal("2026-02-01"), ("overwatch_enacted",), "PROPOSED_CONDITION"),
    "MY-01": (H100, deal("2025-08-01", "ID", "ID", exporter="MY"), (), "PERMIT_NOTICE_30D"),
    "EU-01": (MODEL, deal("2025-09-01", "FR", "FR"), (), "PRESUMED_SYSTEMIC"),
    "EU-02": (SITE, deal("2025-09-01", "DE", "DE"), (), "REPORT_YEARLY"),
    "CN-02": (H20, deal("2025-04-01", new_site=True), (), ""),
    "CN-03": (H20, deal("2025-08-01"), (), ""),
    "CN-04": (PRO_6000D, deal("2025-10-01"), (), ""),
    "CN-05": (H20, deal("2025-10-10"), (), ""),
    "CN-06": (CARD_V2, deal("2025-12-01", state_funded=True, new_site=True), (), ""),
    "CN-07": (ASCEND, deal("2025-12-01"), (), ""),
    "CN-08": (CARD_V2, deal("2025-12-10", public_buyer=True), (), ""),
    "CN-10": (H200, deal("2026-01-20"), (), ""),
    "CN-11": (H200, deal("2026-02-01"), (), ""),
    "CN-12": (CARD_V2, deal("2026-05-15"), (), ""),
}
"""For each rule that decides: an item, a transaction, switches, and the code the rule itself gives ('' for none)."""
DECIDING = [entry.id for entry in all_rules() if entry.predicate is not None]


def test_every_deciding_rule_has_an_example():
    """A rule is added with a case on which it speaks."""
    assert sorted(EXAMPLES) == sorted(DECIDING)


@pytest.mark.parametrize("identifier", DECIDING)
def test_rule_speaks_on_its_example(identifier):
    """It fires, says its code, and says it in words without gaps."""
    item, transaction, flags, code = EXAMPLES[identifier]
    firing = next(one for one in decide(item, transaction, flags=flags).firings if one.rule == identifier)
    assert firing.says == code
    assert firing.outcome
    assert "{" not in firing.outcome


@pytest.mark.parametrize("identifier", DECIDING)
def test_rule_is_silent_before_its_day_and_before_it_is_known(identifier):
    """The day before it takes effect, and to those who ask before it was announced, it does not exist."""
    item, transaction, flags, _ = EXAMPLES[identifier]
    entry = rule(identifier)
    early = replace(transaction, on=date.fromordinal(entry.effective_from.toordinal() - 1))
    assert identifier not in decide(item, early, flags=flags).rules
    unknown = date.fromordinal(entry.announced.toordinal() - 1)
    assert identifier not in decide(item, transaction, known_on=unknown, flags=flags).rules


@pytest.mark.parametrize("identifier", [name for name in DECIDING if rule(name).effective_to])
def test_rule_ends_on_its_last_day(identifier):
    """The day after its end it is silent."""
    item, transaction, flags, _ = EXAMPLES[identifier]
    late = replace(transaction, on=date.fromordinal(rule(identifier).effective_to.toordinal() + 1))
    assert identifier not in decide(item, late, flags=flags).rules


@pytest.mark.parametrize("entry", all_rules(), ids=lambda entry: entry.id)
def test_record_is_whole(entry):
    """A citation with document, section and address; an end with the day it became known; a reason where it is mute."""
    assert entry.citations
    for cited in entry.citations:
        assert isinstance(cited, Citation)
        assert cited.document
        assert cited.section
        assert cited.address.startswith("https://")
    assert entry.effective_to is None or (entry.end_announced and entry.effective_to >= entry.effective_from)
    assert entry.predicate is not None or entry.note
    assert {entry.switch, entry.switch_off} - {""} <= set(FLAGS)
    assert all(entry.effective_from <= step for step in entry.steps)


def test_identifiers_are_unique_and_rules_are_in_one_list_each():
    """A rule is asked once."""
    assert len({entry.id for entry in all_rules()}) == len(all_rules())
    assert len(HARDWARE) + len(FOUNDRY) + len(LEASES) == len(all_rules())


@given(
    identifier=st.sampled_from(DECIDING),
    later=st.integers(0, 400),
    earlier=st.integers(0, 400),
    on=st.dates(date(2022, 7, 1), date(2027, 1, 1)),
)
def test_tighter_window_never_makes_a_rule_speak(identifier, later, earlier, on):
    """A rule that begins later and ends earlier binds on a subset of its days."""
    entry = rule(identifier)
    begin = entry.effective_from + timedelta(days=later)
    end = (entry.effective_to or date(2027, 1, 1)) - timedelta(days=earlier)
    tighter = replace(entry, effective_from=begin, effective_to=end, end_announced=entry.announced)
    item, transaction, _, _ = EXAMPLES[identifier]
    case = Case([item], [replace(transaction, on=on)], None, list(FLAGS))
    wide = replace(entry, switch_off="").in_force(case)
    assert not (replace(tighter, switch_off="").in_force(case) & ~wide).any()


@pytest.mark.parametrize("identifier", DECIDING)
def test_days_a_rule_turns_on_are_among_its_steps(identifier):
    """A date that a predicate asks about is a step of the record, so that timelines and plans look at that day."""
    asked = set()

    class Spy(Case):
        def since(self, day):
            asked.add(day)
            return super().since(day)

    item, transaction, flags, _ = EXAMPLES[identifier]
    entry = rule(identifier)
    list(entry.predicate(Spy([item], [transaction], None, flags)))
    assert asked <= {*entry.steps, entry.effective_from}


def test_every_switch_changes_an_answer():
    """No flag is idle: each turns the code or the verdict of some example."""
    turned = set()
    for item, transaction, _, _ in EXAMPLES.values():
        for flag in FLAGS:
            for day in (transaction.on, date(2026, 11, 15)):
                asked = replace(transaction, on=day)
                plain, switched = decide(item, asked), decide(item, asked, flags=[flag])
                if (plain.code, plain.verdict, plain.rules) != (switched.code, switched.verdict, switched.rules):
                    turned.add(flag)
    assert turned >= set(FLAGS) - {"letter_2025_h20_line"}  # the line is asked about in test_engine
