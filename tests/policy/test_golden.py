"""The golden cases: facts with sources, the class and code each must give."""

import csv
from pathlib import Path

import pytest

from outlay.catalog import Catalog
from outlay.policy.cases import answer, read_cases

FILE = Path(__file__).parent / "golden_cases.csv"
ROWS = list(csv.DictReader(FILE.read_text(encoding="utf-8").splitlines()))
QUESTIONS = {question.case_id: question for question in read_cases(FILE, Catalog.load())}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["case_id"])
def test_golden_case_gets_its_code_and_class(row):
    """Every case gives the known code and the known class; the class is N/A where it is not what is asked."""
    found = answer(QUESTIONS[row["case_id"]])
    assert (found.code, found.control_class) == (row["expected_code"], row["expected_class"])
    assert found.mark == "right"


@pytest.mark.parametrize("row", [row for row in ROWS if row["tpp"]], ids=lambda row: row["case_id"])
def test_arithmetic_of_a_case_agrees_with_its_row(row):
    """Total processing performance and density come out as the row states them."""
    from outlay.policy.metrics import performance_density, tpp

    item = QUESTIONS[row["case_id"]].item
    assert tpp(item).value == pytest.approx(float(row["tpp"]), rel=1e-3)
    if row["pd"]:
        assert performance_density(item).value == pytest.approx(float(row["pd"]), rel=1e-3)


def test_every_case_has_sources():
    """No case is asserted without an address or a document."""
    assert len(ROWS) == len(QUESTIONS) == 85
    assert all(row["sources"] for row in ROWS)
