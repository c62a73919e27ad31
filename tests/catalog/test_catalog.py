"""The catalogue: complete, every figure with unit, source and status, found by forgiving names."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog, schema
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
    assert len(CATALOG.models) == 79
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
        if field in fields and not isinstance(figure.value, str) and fields[field].low is not None:
            assert fields[field].low <= figure.value <= fields[field].high, (name, field)  # type: ignore[operator]


def test_every_field_is_in_the_schema() -> None:
    """What a record can have is written down once; claims no source settles end in `_claimed`."""
    for kind, name in EVERY:
        record = getattr(CATALOG, kind)[name]
        extra = {field for field in record.figures if not field.endswith("_claimed")} - set(schema()[record.kind])
        assert not extra, name


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
        ("a: [", "not YAML"),
        ("- 1", "expected a mapping"),
    ],
)
def test_a_users_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """Each error names the file, the line, what is wrong and the nearest valid choice."""
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=message):
        Catalog.load(file)
