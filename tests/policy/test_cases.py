"""A file of cases: words are read as their writer meant them, and what cannot be read is refused by line."""

from datetime import date

import pytest

from outlay.catalog import Catalog
from outlay.errors import InputError
from outlay.policy.cases import answer, places_in, read_cases

COLUMNS = (
    "case_id,chip,as_of_date,destination,end_user_hq,export_from,datacenter_marketed,dense_tops,bits,die_area_mm2,"
    "interconnect_gbps,dram_bw_gbps,scenario_flag,expected_code,expected_class,confidence"
)
H100 = "yes,1979,8,814,900,3350"
H200 = "yes,1979,8,814,900,4800"
CARD_4090 = "no,660.5,8,608,64,1010"


@pytest.fixture(scope="module")
def catalog():
    """Return the catalogue once."""
    return Catalog.load()


def read(folder, catalog, *rows):
    """Return the questions of some rows."""
    path = folder / "cases.csv"
    path.write_text("\n".join((COLUMNS, *rows)) + "\n", encoding="utf-8")
    return read_cases(path, catalog)


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("China (ByteDance, Alibaba, Tencent)", ["CN"]),
        ("United States (import, re-export to China)", ["US", "CN"]),
        ("Malaysian owner, rents to ByteDance", ["MY", "CN"]),
        ("any non-PRC", []),
        ("South Korea", ["KR"]),
        ("North Korea", ["KP"]),
        ("Hong Kong", ["HK"]),
        ("Moldova and Kazakhstan", ["MD", "KZ"]),
    ],
)
def test_places_are_found_in_words(text, countries):
    """Names, nationalities and known groups stand for countries; a negated one does not."""
    assert places_in(text) == countries


@pytest.mark.parametrize(
    ("row", "code", "control"),
    [
        (f"a,A100 SXM,2022-08-01,China,China,,{H100},,,,", "NLR", "NONE"),
        (f"a,H100 SXM,2022-12-01,Russia,Russia,,{H100},,,,", "LETTER_LICENCE", "3A090 (2022)"),
        (
            f"a,H100 SXM,2024-06-01,Malaysia,Malaysian subsidiary of a Chinese group,,{H100},,,,",
            "LICENCE_PD",
            "3A090.a",
        ),
        (f"a,H100 SXM,2024-06-01,Israel,Israel,,{H100},,,,", "NLR", "3A090.a"),
        (f"a,H100 SXM,2024-06-01,UAE,UAE,,{H100},,,,", "LICENCE_PA", "3A090.a"),
        (f"a,H100 SXM,2025-03-01,Malaysia,Malaysia,,{H100},,,,", "COMPLIANCE_PENDING", "3A090.a"),
        (f"a,RTX 4090,2023-12-01,Vietnam,Vietnam,,{CARD_4090},,,,", "NAC_OR_LICENCE", "3A090.a"),
        (f"a,RTX 4090,2024-05-01,Vietnam,Vietnam,,{CARD_4090},,,,", "ACA", "3A090.a"),
        (f"a,H200 SXM,2026-02-01,China,China,Taiwan (re-export),{H200},,,,", "LICENCE_PD", "3A090.a"),
        (f"a,H200 SXM,2026-02-01,Macau,Macau,US,{H200},,,,", "LICENCE_CBC", "3A090.a"),
        (f"a,H200 SXM,2026-02-01,Russia,Russia,US,{H200},,,,", "LICENCE_PD", "3A090.a"),
        (f'a,H200 SXM,2026-02-01,"US (import for testing, then China)",China,,{H200},,,,', "TARIFF_25", "N/A"),
        (f"a,H200 SXM,2026-02-01,US (US data centre),US,,{H200},,,,", "TARIFF_NONE", "N/A"),
        (f"a,H100 SXM,2026-06-15,Malaysia,Malaysian owner (rents to ByteDance),,{H100},,,,", "NOT_ENFORCED", "3A090.a"),
        ("a,Ascend 910C,2025-05-20,Germany,Germany,,,,,,,,,,,", "GP10_PRESUMED", "N/A"),
        ("a,Ascend 910C,2025-05-20,US,US (destructive testing),,,,,,,,,,,", "NLR", "INDETERMINATE"),
        ("a,any EAR item,2026-03-01,any,60 % owned by Entity List party,,,,,,,,,,,", "SUSPENDED", "N/A"),
        ("a,any EAR item,2025-10-15,any,49 % owned by Entity List party,,,,,,,,,,,", "NLR", "N/A"),
        ("a,Open model weights trained with 2e26 operations,2025-06-01,any,any,,,,,,,,,,,", "NLR", "NONE"),
        (
            "a,Closed model weights trained with 2e26 operations,2025-02-01,any,any,,,,,,,,,,,",
            "COMPLIANCE_PENDING",
            "4E091",
        ),
        ("a,GPAI model trained with 2e25 FLOP,2025-03-01,EU market,any,,,,,,,,,,,", "COMPLIANCE_PENDING", "NONE"),
        ("a,Data centre of 600 kW,2026-03-01,EU market,any,,,,,,,,,,,", "REPORT_YEARLY", "N/A"),
        ("a,HBM2 stack,2025-06-01,China,China,,,,,,,,,,,", "HBM_EXCEPTION_OR_LICENCE", "3A090.c"),
        (
            "a,US-origin AI chip meeting directive parameters,2025-08-01,Malaysia,Malaysia,Malaysia,,,,,,,,,,",
            "NLR",
            "N/A",
        ),
    ],
)
def test_neighbours_of_the_golden_cases(tmp_path, catalog, row, code, control):
    """Cases the file does not hold, next to those it does."""
    found = answer(read(tmp_path, catalog, row)[0])
    assert (found.code, found.control_class) == (code, control)


def test_answer_is_marked(tmp_path, catalog):
    """Right, wrong and indeterminate are told apart; a row without an expectation is only answered."""
    asked = f"H100 SXM,2024-06-01,China,China,,{H100},"
    marks = [
        answer(question).mark
        for question in read(
            tmp_path,
            catalog,
            f"a,{asked},LICENCE_PD,3A090.a,high",
            f"b,{asked},LICENCE_PD,3A090.b,high",
            f"c,{asked},NLR,,high",
            "d,TPU v5e,2024-06-01,China,China,,yes,393,8,,200,800,,LICENCE_PD,3A090.a,high",
            f"e,{asked},,,",
        )
    ]
    assert marks == ["right", "wrong", "wrong", "indeterminate", ""]


def test_row_is_read_into_a_transaction(tmp_path, catalog):
    """Route, parent, public money and the switch of a row reach the question."""
    (question,) = read(
        tmp_path,
        catalog,
        f'a,H200,2026-02-01,"China (new state-funded data centre, shipped from Malaysia)",ByteDance,US,{H200},'
        "safe_chips_enacted,,,",
    )
    deal = question.transaction
    assert (deal.on, deal.destination, deal.exporter) == (date(2026, 2, 1), "CN", "MY")
    assert (deal.state_funded, deal.new_site, question.flags) == (True, True, ("safe_chips_enacted",))
    assert (question.item.vendor, question.item.vendor_country) == ("Nvidia", "US")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,H100,2024-13-01,China,China,,,,,,,,,,,", "as_of_date is '2024-13-01'"),
        ("a,H100,2024-06-01,Atlantis,China,,,,,,,,,,,", "destination 'Atlantis' names no country"),
        ("a,H100,2024-06-01,China,China,,maybe,,,,,,,,,", "datacenter_marketed is 'maybe'; expected yes, no"),
        ("a,H100,2024-06-01,China,China,,yes,fast,8,,,,,,,", "dense_tops is 'fast'; expected a number"),
        (f"a,H100,2024-06-01,China,China,,{H100},difusion_enforced,,,", "nearest: diffusion_enforced"),
        ("a,H100,2024-06-01", "the row has no cell for destination"),
        ("a,9 x H1O0,2024-06-01,China,China,,,,,,,,,,,", "unknown chip 'H1O0'"),
    ],
)
def test_row_that_cannot_be_read_says_so_and_stops_no_other(tmp_path, catalog, row, message):
    """The problem names the line, the cell and what was expected; the answer is unknown, and the next row is asked."""
    good = f"b,H100,2024-06-01,China,China,,{H100},,LICENCE_PD,3A090.a,high"
    first, second = (answer(question) for question in read(tmp_path, catalog, row, good))
    assert message in first.question.problem
    assert "cases.csv:2: " in first.question.problem
    assert (first.code, second.mark) == ("UNKNOWN", "right")


def test_party_of_no_known_country_is_taken_as_of_the_destination_with_a_note(tmp_path, catalog):
    """Nothing is taken silently."""
    (question,) = read(tmp_path, catalog, f"a,H100,2024-06-01,Malaysia,Some Holding,,{H100},,,,")
    found = answer(question)
    assert (question.transaction.buyer_hq, found.code) == ("MY", "NLR")
    assert "'Some Holding' names no country" in found.decision.warnings[0]


def test_file_that_is_no_file_of_cases_is_refused(tmp_path, catalog):
    """A missing file and a missing column are said."""
    with pytest.raises(InputError, match="cannot be read"):
        read_cases(tmp_path / "none.csv", catalog)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no column case_id, chip, as_of_date"):
        read_cases(tmp_path / "other.csv", catalog)
