"""Quantities in sentences: numbers, units, hedges, pairs, ranges, and what is no quantity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.evidence.reading import chinese
from outlay.evidence.reading.numerals import value_of
from outlay.evidence.reading.quantities import quantities


def found(sentence, reader=quantities):
    """Return what a sentence holds, as (kind, value, unit, bound)."""
    return [(m.kind, m.value, m.unit, m.bound) for m in reader(sentence)]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It will spend more than $3.2bn on chips.", ("money", 3.2e9, "USD", "more than")),
        ("A budget of up to 40 billion yuan.", ("money", 40e9, "CNY", "up to")),
        ("It plans Rs 2 lakh crore of sites.", ("money", 2e12, "INR", "exactly")),
        ("The halls cost NT$4.5 billion.", ("money", 4.5e9, "TWD", "exactly")),
        ("It pays $41 per megawatt-hour.", ("money", 41.0, "USD/MWh", "exactly")),
        ("Revenue ran at an annualised rate of about $2 billion a year.", ("money", 2e9, "USD/year", "about")),
        ("The campus needs nearly 1.5 gigawatts.", ("power", 1500.0, "MW", "about")),
        ("Over a gigawatt comes online.", ("power", 1000.0, "MW", "more than")),
        ("Each rack draws 132 kW.", ("power", 132.0, "kW", "exactly")),
        ("At least 30% of their chips are local.", ("share", 0.3, "share", "at least")),
        ("Two thirds of the sum goes abroad.", ("share", 2 / 3, "share", "exactly")),
        ("Sales fell 12 percent.", ("change", -0.12, "share", "exactly")),
        ("Output was down 7 per cent on the year.", ("change", -0.07, "share", "exactly")),
        ("The margin rose to 57%.", ("share", 0.57, "share", "exactly")),
        ("Capacity will grow sevenfold.", ("ratio", 7.0, "x", "exactly")),
        ("It took a 15-year lease.", ("time", 15.0, "years", "exactly")),
        ("The land covers 875 acres.", ("area", 875.0, "acres", "exactly")),
        ("It lies 45 km away.", ("length", 45.0, "km", "exactly")),
        ("It ordered 600,000 of its 910C Ascend chips.", ("count", 600000.0, "chips", "exactly")),
        ("As many as 1.6 million dies will be made.", ("count", 1.6e6, "dies", "up to")),
        ("Eight buildings stand there.", ("count", 8.0, "buildings", "exactly")),
        ("Half a million chips were sold.", ("count", 500000.0, "chips", "exactly")),
    ],
)
def test_one_quantity(sentence, expected):
    """Value, unit and hedge of the quantity in a sentence."""
    assert found(sentence) == [expected]


@pytest.mark.parametrize(
    "sentence",
    [
        "The plan was told in 2025.",
        "Two people familiar with the matter said so.",
        "The 910C and the H20 are accelerators.",
        "It trains on GPT-4 and Model 3 in Q3.",
        "The three companies did not respond.",
        "It was founded 12 years ago.",
        "The loan can be extended twice.",
        "Demand came in the second half of the year.",
        "It is a third source of income.",
        "An 8-GPU server is sold.",
    ],
)
def test_no_quantity(sentence):
    """Years, witnesses, names of parts and things spoken of before are no figures."""
    assert found(sentence) == []


def test_amount_in_three_currencies_is_one():
    """A pair in brackets is the same money."""
    (mention,) = quantities("It set aside 150 billion yuan (US$20.64 billion or RM91.46 billion) for it.")
    assert (mention.value, mention.unit) == (150e9, "CNY")
    assert [(other.value, other.unit) for other in mention.quoted] == [(20.64e9, "USD"), (91.46e9, "MYR")]


def test_two_amounts_stay_two():
    """An amount beside another is not its conversion."""
    assert [m.unit for m in quantities("It has 40 billion yuan at home and $6.8 billion abroad.")] == ["CNY", "USD"]


@pytest.mark.parametrize(
    ("sentence", "low", "high", "unit"),
    [
        ("It will spend $22 billion to $24 billion.", 22e9, 24e9, "USD"),
        ("Between 250,000 and 300,000 units come.", 250000.0, 300000.0, "units"),
        ("It needs 300 to 500 megawatts.", 300.0, 500.0, "MW"),
        ("A part costs between $10,000 and $12,000 apiece.", 10000.0, 12000.0, "USD/chip"),
        ("It ships 8,000-10,000 racks.", 8000.0, 10000.0, "racks"),
    ],
)
def test_ranges(sentence, low, high, unit):
    """Both ends of a range, in the unit of the second."""
    (mention,) = quantities(sentence)
    assert (mention.value, mention.upper, mention.unit, mention.bound) == (low, high, unit, "range")


@pytest.mark.parametrize(
    ("sentence", "words", "unit"),
    [
        ("A deal worth tens of billions of dollars.", "tens of billions", "USD"),
        ("It has hundreds of thousands of chips.", "hundreds of thousands", "chips"),
        ("Growth was in the low teens.", "low teens", "share"),
        ("It grew at triple digits.", "triple digits", "share"),
    ],
)
def test_sizes_in_words_stay_words(sentence, words, unit):
    """No number is made up where the story has none."""
    (mention,) = quantities(sentence)
    assert mention.value is None
    assert (words in mention.words, mention.unit) == (True, unit)


@given(
    st.integers(1, 999), st.sampled_from([("thousand", 1e3), ("million", 1e6), ("billion", 1e9), ("trillion", 1e12)])
)
def test_scales_multiply(number, scale):
    """A number with a scale is the product."""
    word, size = scale
    assert value_of(f"{number} {word}") == pytest.approx(number * size)
    assert value_of(f"{number:,}") == number


@given(st.integers(1, 10**12))
def test_grouped_digits_read_back(number):
    """Digits with commas are the number."""
    (mention,) = quantities(f"It paid ${number:,} for it.")
    assert mention.value == number


@given(st.text(max_size=80))
def test_any_text_is_read(text):
    """No text stops the grammars, and every mention lies in it."""
    for reader in (quantities, chinese.quantities):
        for mention in reader(text):
            assert 0 <= mention.start < mention.end <= len(text)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("公司将投资超过400亿元人民币。", ("money", 400e8, "CNY", "more than")),
        ("总额约55亿美元。", ("money", 55e8, "USD", "about")),
        ("营收同比增长8%。", ("change", 0.08, "share", "exactly")),
        ("开支同比下降12%。", ("change", -0.12, "share", "exactly")),
        ("其中七成来自贷款。", ("share", 0.7, "share", "exactly")),
        ("功率为120兆瓦。", ("power", 120.0, "MW", "exactly")),
        ("部署至少3万张芯片。", ("count", 30000.0, "chips", "at least")),
        ("部署1.6万张昇腾910C芯片。", ("count", 16000.0, "chips", "exactly")),
        ("为期三年。", ("time", 3.0, "years", "exactly")),
    ],
)
def test_chinese(sentence, expected):
    """亿 is 1e8 and 万 is 1e4; hedges and falls as in English."""
    assert found(sentence, chinese.quantities) == [expected]


@given(st.integers(1, 9999))
def test_yi_and_billions_agree(number):
    """The same sum in both languages is the same money."""
    (ours,) = chinese.quantities(f"投资{number}亿元。")
    (theirs,) = quantities(f"It invests {number / 10:.1f} billion yuan.")
    assert ours.value == pytest.approx(theirs.value)
