"""The golden cases: facts with sources, the class and code each must give."""

import csv
from datetime import date
from pathlib import Path

import pytest

from outlay.policy import Item, Transaction, decide

OPEN = {
    "G129": "memory packaged with logic: the item's kind is not asked yet",
    "G134": "model weights (4E091): no item kind for them yet",
    "G135": "ownership by listed parties: not part of a transaction yet",
    "G137": "ownership by listed parties: not part of a transaction yet",
    "G138": "the file answers for the bill alone; decide says that the April 2025 letter still holds",
    "G140": "no figures are given, so the American side is unknown; a permit alone is no pass, and MY-01 is named",
    "G141": "model training compute in the European Union: no item kind for it yet",
    "G142": "model training compute in the European Union: no item kind for it yet",
}
CASES = list(csv.DictReader((Path(__file__).parent / "golden_cases.csv").read_text(encoding="utf-8").splitlines()))


def number(text):
    """Return a cell as a number, or nothing where it is empty."""
    return float(text) if text else None


def answer(case):
    """Ask the question of a row."""
    item = Item(
        name=case["item"],
        vendor=case["vendor"],
        vendor_country=case["vendor_country"],
        tops={int(case["bits"]): float(case["tops"])} if case["tops"] else {},
        die_area_mm2=number(case["die_area_mm2"]),
        interconnect_gbps=number(case["interconnect_gbps"]),
        dram_gbps=number(case["dram_gbps"]),
        datacenter={"yes": True, "no": False, "": None}[case["datacenter"]],
        hbm_density=number(case["hbm_density"]),
    )
    transaction = Transaction(
        on=date.fromisoformat(case["on"]),
        destination=case["destination"],
        buyer_hq=case["buyer_hq"],
        parent_hq=case["parent_hq"],
        exporter=case["exporter"] or None,
        mode=case["mode"],
        owner_hq=case["owner_hq"] or None,
        state_funded=case["state_funded"] == "yes",
        units=int(case["units"]) if case["units"] else None,
    )
    return decide(item, transaction, flags=[case["flag"]] if case["flag"] else [])


@pytest.mark.parametrize("case", [c for c in CASES if c["case_id"] not in OPEN], ids=lambda case: case["case_id"])
def test_golden_case_gets_its_code_and_class(case):
    """Every case that can be asked gives the known code and, where one is stated, the known class."""
    decision = answer(case)
    assert decision.code == case["expected_code"]
    assert case["expected_class"] in {"", decision.control_class}


@pytest.mark.parametrize("case", [c for c in CASES if c["case_id"] in OPEN], ids=lambda case: case["case_id"])
def test_open_case_is_open(case):
    """A case leaves the list of open ones the day its answer is right."""
    assert answer(case).code != case["expected_code"] or case["expected_class"] not in {
        "",
        answer(case).control_class,
    }


def test_every_case_has_sources():
    """No case is asserted without an address or a document."""
    assert len(CASES) == 85
    assert all(case["sources"] for case in CASES)
