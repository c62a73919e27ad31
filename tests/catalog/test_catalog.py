"""The catalogue: complete, every figure with unit, source and status, found by forgiving names."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog, folded, schema
from outlay.errors import CatalogError, MissingFigureError
from outlay.evidence import STATUSES
from outlay.units import end_of_period

CATALOG = Catalog.load()
KINDS = ("chips", "systems", "models", "sites")
EVERY = [(kind, name) for kind in KINDS for name in getattr(CATALOG, kind)]


def test_everything_sourced_is_there() -> None:
    """All chips, systems, models, prices, supply, costs and rates that were collected."""
    assert len(CATALOG.chips) == 88
    assert len(CATALOG.systems) >= 45
    assert len(CATALOG.models) == 81
    assert len(CATALOG.prices()) >= 302
    assert len(CATALOG.supply()) == 79
    assert len(CATALOG.costs) == 110
    assert len(CATALOG.currencies) == 14


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_figure_has_source_status_and_range(kind: str, name: str) -> None:
    """No figure without a witness, none outside what its field can be."""
    record = getattr(CATALOG, kind)[name]
    fields = schema()[record.kind]
    for field, figure in record.figures.items():
        assert figure.status in STATUSES
        assert figure.source.title or figure.source.address, (name, field)
        if field in fields:
            assert fields[field].number == isinstance(figure.value, float) or not fields[field].number, (name, field)
        if field in fields and fields[field].number:
            assert fields[field].low <= figure.value <= fields[field].high, (name, field)  # type: ignore[operator]


def test_every_field_is_in_the_schema() -> None:
    """What a record can have is written down once; claims no source settles end in `_claimed`."""
    for kind, name in EVERY:
        record = getattr(CATALOG, kind)[name]
        extra = {field for field in record.figures if not field.endswith("_claimed")} - set(schema()[record.kind])
        assert not extra, name


def test_numbers_have_a_unit_where_they_measure_something() -> None:
    """A number's unit is the one its field is kept in, so that no formula mixes two."""
    for kind, name in EVERY:
        record = getattr(CATALOG, kind)[name]
        for field, figure in record.figures.items():
            known = schema()[record.kind].get(field)
            if known is not None and known.unit:
                assert figure.unit == known.unit, (name, field)


def test_sources_can_be_looked_up() -> None:
    """Nearly every source has an address; none is a bare number of a file or says that it is not known."""
    sources = CATALOG.sources.values()
    assert sum(bool(source.address) for source in sources) > 0.95 * len(sources)
    for source in sources:
        assert source.title
        assert "http" not in source.title
        assert "not recorded" not in source.title


def test_disputes_keep_the_losing_values() -> None:
    """The H20's rated power is told three ways, and why one is preferred."""
    figure = CATALOG.chip("H20").figures["tdp_w"]
    assert figure.value == 400
    assert {other.value for other in figure.alternatives} == {550, 500}
    assert figure.reason
    disputed = [f for chip in CATALOG.chips.values() for f in chip.figures.values() if f.alternatives]
    assert len(disputed) >= 20


def test_a_missing_figure_is_missing() -> None:
    """Nothing is filled in: what no source gives is listed, and asking for it raises."""
    chip = CATALOG.chip("MLU590")
    assert "tdp_w" in CATALOG.missing(chip)
    assert chip.number("tdp_w") is None
    with pytest.raises(MissingFigureError, match="no source gives tdp_w"):
        chip.need("tdp_w")


def test_systems_belong_to_chips_and_have_sizes() -> None:
    """Every system names a chip of the catalogue and how many of it one buys."""
    for system in CATALOG.systems.values():
        assert system.chip in CATALOG.chips
        assert system.chips > 0, system.name
    assert CATALOG.resolve_system("GB200").chips == 72
    assert CATALOG.resolve_system("CloudMatrix 384").chips == 384
    assert CATALOG.resolve_system("h100 sxm").chips == 8


@given(
    record=st.sampled_from(EVERY),
    upper=st.booleans(),
    joint=st.sampled_from([" ", "-", "", "_", "  "]),
)
def test_names_are_forgiving(record: tuple[str, str], upper: bool, joint: str) -> None:
    """Case, spaces and punctuation do not matter."""
    kind, name = record
    written = joint.join((name.upper() if upper else name.lower()).split())
    found = getattr(CATALOG, kind.removesuffix("s"))(written)
    assert found.name == name


def test_a_vendor_may_stand_before_the_name() -> None:
    """As people write it; and a way to write a name stands for one record only."""
    assert CATALOG.chip("Nvidia H100").name == "H100 SXM"
    assert CATALOG.chip("AMD MI300X").name == "MI300X"
    assert CATALOG.chip("Intel Gaudi2").name == "Gaudi 2"
    assert CATALOG.chip("Huawei Ascend 910C").name == "Ascend 910C"
    for kind in KINDS:
        written = [
            (folded(text), name)
            for name, record in getattr(CATALOG, kind).items()
            for text in {folded(name), *map(folded, record.aliases)}
        ]
        assert len(dict(written)) == len(written)


def test_a_miss_offers_the_nearest() -> None:
    """The message holds the name asked for and ones like it."""
    with pytest.raises(CatalogError, match=r"unknown chip 'H20O'; nearest: .*H20"):
        CATALOG.chip("H20O")
    with pytest.raises(CatalogError, match="no system of chip"):
        CATALOG.usual_system(CATALOG.chip("L20"))


@given(day=st.dates(date(2021, 1, 1), date(2026, 6, 30)))
def test_prices_of_a_day_were_known_then(day: date) -> None:
    """A price about a period is known at its end."""
    assert all(end_of_period(price.date) <= day for price in CATALOG.prices(until=day))


def test_prices_are_of_a_chip_or_an_item() -> None:
    """A chip's name gives its prices; another name gives the items that hold it; a third is refused."""
    assert {price.chip for price in CATALOG.prices("H100")} == {"H100 SXM"}
    assert {price.item for price in CATALOG.prices("GH200")} == {"NVIDIA GH200"}
    with pytest.raises(CatalogError, match="unknown chip or priced item 'H2000'; nearest: H200"):
        CATALOG.prices("H2000")


@given(day=st.dates(date(2021, 1, 1), date(2026, 12, 31)))
def test_supply_of_a_day_was_said_by_then(day: date) -> None:
    """A statement without a date is left out; an earlier day never gives more of them."""
    said = CATALOG.supply(until=day)
    assert all(any(digit.isdigit() for digit in record.date) for record in said)
    assert all(record in CATALOG.supply(until=date(2027, 1, 1)) for record in said)
    assert not any(str(day.year + 1) in record.date for record in said)


def test_rates_are_of_the_month_or_refused() -> None:
    """Yuan per dollar in January 2025; a month without data names the nearest."""
    assert CATALOG.fx("CNY", date(2025, 1, 22)).value == 7.2957
    assert CATALOG.fx("USD", date(1999, 1, 1)).value == 1.0
    with pytest.raises(
        MissingFigureError, match="no exchange rate of CNY for 2030-01; the nearest month known is 2026"
    ):
        CATALOG.fx("CNY", date(2030, 1, 1))
    with pytest.raises(MissingFigureError, match="no exchange rate of CHF is known"):
        CATALOG.fx("CHF", date(2025, 1, 1))


OVERLAY = """
chips:
  My Chip:
    like: H100 SXM
    vendor: Me
    figures:
      bf16_tflops: {value: 500, unit: TFLOP/s, status: assumed, source: a drawing}
  H20 96GB:
    figures:
      tdp_w: {value: 550, status: measured, source: my own meter}
prices:
  - {item: My Chip, chip: H100, low: 1, high: 2, currency: USD, unit: per chip, date: 2025-01-01, kind: quote,
     status: assumed, source: a friend}
"""


PRICE = """prices:
  - {{item: X, chip: H100, low: {low}, high: 2, currency: {currency}, date: {day}, unit: per chip, kind: quote,
     status: assumed, source: a friend}}
"""


def test_a_users_file_adds_and_overrides(tmp_path: Path) -> None:
    """A record of one's own takes over what it does not give; an overridden figure keeps the old one."""
    file = tmp_path / "mine.yaml"
    file.write_text(OVERLAY, encoding="utf-8")
    own = Catalog.load(file)
    chip = own.chip("my chip")
    assert chip.peak("bf16") == 500e12
    assert chip.peak("fp8") == CATALOG.chip("H100").peak("fp8")
    figure = own.chip("H20").figures["tdp_w"]
    assert figure.value == 550
    assert 400 in {other.value for other in figure.alternatives}
    assert len(own.prices()) == len(CATALOG.prices()) + 1
    assert CATALOG.chip("H20").figures["tdp_w"].value == 400


def test_a_users_system_may_hold_a_users_chip(tmp_path: Path) -> None:
    """Names are as forgiving as elsewhere, and what is added is found like the rest."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "systems: {My Box: {chip: my chip, chips: 4, chips_per_node: 4, scaleup_domain: 4}}\n"
        "chips: {My Chip: {like: h100}, h20: {figures: {tdp_w: {value: 1, status: assumed, source: a}}}}",
        encoding="utf-8",
    )
    own = Catalog.load(file)
    assert own.system("MY-BOX").chip == "My Chip"
    assert own.resolve_system("my chip").chips == 4
    assert own.chip("H20").number("tdp_w") == 1
    assert len(own.chips) == len(CATALOG.chips) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chips: {X: {colour: red}}", r"mine.yaml:1:13: unknown field 'colour'"),
        (
            "chips:\n  X:\n    figures:\n      tpd_w: {value: 1}",
            r"mine.yaml:4:7: unknown figure of a chip 'tpd_w'; nearest: tdp_w",
        ),
        ("chips:\n  X:\n    figures:\n      tdp_w: {value: 700, status: assumed}", "tdp_w has no source"),
        (
            "chips:\n  X:\n    figures:\n      tdp_w: {value: -5, status: assumed, source: a}",
            "must be a number from 1 to 3000; got -5",
        ),
        (
            "chips:\n  X:\n    figures:\n      tdp_w: {value: 7, unit: kW, status: assumed, source: a}",
            "is kept in W; got kW",
        ),
        ("chips: {X: {like: H1000}}", "unknown chip 'H1000'"),
        ("chups: {}", "unknown section 'chups'; nearest: chips"),
        ("prices: [{item: X}]", "needs chip"),
        ("chips:", r"mine.yaml:1:1: chips must be a mapping of names to records"),
        ("prices: 3", r"mine.yaml:1:1: prices must be a list"),
        ("chips: {X: {figures: 3}}", r"mine.yaml:1:13: figures must be a mapping"),
        ("chips: {X: {aliases: H}}", r"mine.yaml:1:13: aliases must be a list of names; got 'H'"),
        ("chips: {X: {vendor_country: Mars}}", r"mine.yaml:1:13: vendor_country: unknown country 'Mars'"),
        ("chips: {h100: {like: H20}}", r"mine.yaml:1:16: 'H100 SXM' is known already and is changed in place"),
        ("systems: {S: {vendor: a}}", r"mine.yaml:1:11: system 'S' needs chip, a chip's name, and chips"),
        ("systems: {S: {chip: H1000, chips: 8}}", r"mine.yaml:1:15: unknown chip 'H1000'"),
        ("systems: {S: {chip: H100, chips: -8}}", "chips must be a whole number of zero or more; got -8"),
        (
            "chips: {X: {figures: {fp8_tflops: {value: much, status: assumed, source: a}}}}",
            "fp8_tflops must be a number from 1 to 100000; got 'much'",
        ),
        (
            "chips: {X: {figures: {tdp_w: {value: 7, status: assumed, source: a, unti: W}}}}",
            "unknown part of a figure 'unti'; nearest: unit",
        ),
        (PRICE.format(low="abc", currency="USD", day="2025-01-01"), r"mine.yaml:2:27: low: 'abc' is not a number"),
        (PRICE.format(low="nan", currency="USD", day="2025-01-01"), "low: 'nan' is not a finite number"),
        (PRICE.format(low=3, currency="USD", day="2025-01-01"), "low 3 is above high 2"),
        (PRICE.format(low=1, currency="UDS", day="2025-01-01"), "currency: unknown currency 'UDS'"),
        (PRICE.format(low=1, currency="USD", day="soon"), "date: 'soon' is not a date"),
        ("a: [", "not YAML"),
        ("[" * 5000 + "]" * 5000, "nested too deep to be an overlay"),
        ("- 1", "expected a mapping"),
    ],
)
def test_a_users_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """Each error names the file, the line, what is wrong and the nearest valid choice."""
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=message):
        Catalog.load(file)
