"""What owning costs: by hand, within what is published, and as inputs move."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, MissingFigureError
from outlay.finance.ownership import (
    Machine,
    Ownership,
    Place,
    annuity,
    own,
    price_later,
    sensitivities,
    straight_line,
    volume_discount,
)
from outlay.finance.places import place_of, rate_near
from outlay.finance.pricing import purchase_price, system_power
from outlay.finance.terms import load_terms, published

CATALOG = Catalog.load()
TERMS = load_terms()
BARE = TERMS.given(
    dict.fromkeys(["network", "storage", "spares", "freight", "maintenance", "staff", "insurance"], 0.0)
    | {"cost_of_capital": 0.0, "salvage_per_year": 0.0, "availability": 1.0, "load": 1.0}
)
HOME = Place("Home", "US", 1.25, 0.08, colocation=100.0)


def owned(name: str, place: Place = HOME) -> Ownership:
    """A system of the catalogue at its price of mid 2026."""
    system = CATALOG.resolve_system(name)
    price = purchase_price(CATALOG, system, date(2026, 6, 1))
    assert price.currency == "USD"
    watts = float(system_power(CATALOG, system).value)
    return own(Machine(system.name, system.chips, watts, price.amount), place, TERMS)


def test_a_machine_without_extras_by_hand() -> None:
    """80,000 over four years and eight chips, 10 kW: price, space and energy per hour are divisions."""
    found = own(Machine("box", 8, 1e4, 80_000.0), HOME, BARE, life=4)
    per_hour = {part.name: part.per_chip_hour for part in found.components}
    assert per_hour["servers"] == pytest.approx(80_000 / (8 * 4 * 8766))
    assert per_hour["colocation"] == pytest.approx(100 * 10 * 12 / (8 * 8766))
    assert per_hour["energy"] == pytest.approx(10 * 1.25 * 0.08 / 8)
    assert found.per_chip_hour == pytest.approx(sum(per_hour.values()))
    assert found.book_per_chip_hour == pytest.approx(found.per_chip_hour)  # no cost of capital: both are the same
    assert found.cash.sum() == pytest.approx(found.present)


def test_a_building_pays_back_over_its_own_life() -> None:
    """At no interest the machine carries its years of the building's life; at interest an annuity."""
    place = Place("Own", "US", 1.25, 0.08, build_cost=10.0)
    found = own(Machine("box", 8, 1e4, 80_000.0), place, BARE.given({"build_premium": 0.0}), life=4)
    building = next(part for part in found.components if part.name == "building")
    assert building.present == pytest.approx(10.0 * 1e4 * 4 / 14)
    assert building.booking == "capital"


def test_tariffs_vat_and_freight_add_to_the_price() -> None:
    """25 % tariff, 13 % VAT of which half is lost, 1 % freight on the quote, network on the landed price."""
    terms = TERMS.given({"vat_recovered": 0.5})
    machine = Machine("box", 8, 1e4, 100_000.0, {"tariff": 1.25}, discount=0.1)
    place = Place("Datong", "CN", 1.25, 0.06, colocation=90.0)
    parts = {part.name: part.present for part in own(machine, place, TERMS).components}
    assert parts["servers"] == pytest.approx(90_000)
    assert parts["tariff"] == pytest.approx(22_500)
    assert parts["freight"] == pytest.approx(900)
    assert "VAT not recovered" not in parts
    lost = {part.name: part.present for part in own(machine, place, terms).components}
    assert lost["VAT not recovered"] == pytest.approx(0.13 * 0.5 * (112_500 + 900))
    assert lost["network"] == pytest.approx(0.11 * (112_500 + lost["VAT not recovered"]))


@pytest.mark.parametrize("chip", ["H100", "H200", "B200"])
@pytest.mark.parametrize("place", ["colocation", "own building"])
def test_cost_per_chip_hour_lies_within_what_is_published(chip: str, place: str) -> None:
    """Sources disagree by three times and more; ours lies inside for both kinds of site."""
    here = (
        Place("colo", "US", 1.25, 0.08, colocation=184.06)
        if place == "colocation"
        else Place("own", "US", 1.2, 0.091, build_cost=10.0)
    )
    found = owned(chip, here)
    said = published(CATALOG.resolve_system(chip).chip)
    assert len(said) >= 3
    assert min(row.low for row in said) <= found.per_chip_hour <= max(row.high for row in said)


def test_the_h100_lies_between_break_even_and_a_stock_market_return() -> None:
    """Latent Space: below 1.65 USD of rent an H100 never pays back, 2.85 beats the market; costs.csv holds both."""
    found = owned("H100", Place("colo", "US", 1.25, 0.08, colocation=184.06))
    assert 1.57 <= found.per_chip_hour <= 2.85


@given(factor=st.floats(1.01, 3.0), what=st.sampled_from(["price", "energy", "pue", "space", "capital"]))
def test_dearer_inputs_never_cost_less(factor: float, what: str) -> None:
    """Each input moves the cost its way."""
    machine, place, terms = Machine("box", 8, 1e4, 300_000.0), HOME, TERMS
    base = own(machine, place, terms).per_chip_hour
    if what == "price":
        machine = Machine("box", 8, 1e4, 300_000.0 * factor)
    elif what == "capital":
        terms = TERMS.given({"cost_of_capital": TERMS.value("cost_of_capital") * factor})
    else:
        energy, pue, space = (factor if what == name else 1.0 for name in ("energy", "pue", "space"))
        place = Place("Home", "US", 1.25 * pue, 0.08 * energy, colocation=100.0 * space)
    assert own(machine, place, terms).per_chip_hour > base


@given(cost=st.floats(1, 1e9), life=st.floats(0.25, 40), salvage=st.floats(0, 1))
def test_straight_line_writes_off_all_but_salvage(cost: float, life: float, salvage: float) -> None:
    """Equal parts that sum to the cost less what is left."""
    parts = straight_line(cost, life, cost * salvage)
    assert parts.sum() == pytest.approx(cost * (1 - salvage))
    assert np.all(parts >= -1e-9)


def test_price_path_and_volume_terms() -> None:
    """11 % a year off for two years; the largest step an order reaches."""
    assert price_later(100.0, -0.11, 2) == pytest.approx(100 * 0.89**2)
    assert volume_discount(5000, [(1000, 0.02), (4000, 0.05), (10_000, 0.1)]) == 0.05
    assert volume_discount(10, [(1000, 0.02)]) == 0.0
    assert annuity(0.0, 4) == pytest.approx(0.25)


def test_what_moves_the_cost_most_comes_first() -> None:
    """Price and years over energy; each end is what owning costs at that reading."""
    machine = Machine("box", 8, 1e4, 300_000.0)
    found = sensitivities(machine, HOME, TERMS)
    widths = [each.width for each in found]
    assert widths == sorted(widths, reverse=True)
    names = [each.name for each in found]
    assert names.index("server life") < names.index("price of energy")
    years = next(each for each in found if each.name == "server life")
    assert years.at_high == pytest.approx(own(machine, HOME, TERMS, life=6).per_chip_hour)
    assert "pue" not in names  # the site has its own
    assert not [each for each in sensitivities(machine, HOME, TERMS, life=4) if each.name == "server life"]


@pytest.mark.parametrize("life", [0.0, -1.0])
def test_a_life_of_zero_is_refused(life: float) -> None:
    """By the schedule, by owning and by the terms."""
    with pytest.raises(InputError, match=r"useful life of .* expected more than zero"):
        straight_line(1.0, life)
    with pytest.raises(InputError, match="useful life"):
        own(Machine("box", 8, 1e4, 1.0), HOME, TERMS, life=life)
    with pytest.raises(InputError, match="server_life is"):
        TERMS.given({"server_life": life})


def test_terms_refuse_what_they_do_not_know() -> None:
    """With the nearest name, and the range."""
    with pytest.raises(InputError, match="unknown term 'netwrok'; nearest: network"):
        TERMS.given({"netwrok": 0.1})
    with pytest.raises(InputError, match=r"cost_of_capital is -1.5; expected from"):
        TERMS.given({"cost_of_capital": -1.5})
    with pytest.raises(InputError, match="give either the rent of space"):
        Place("x", "US", 1.2, 0.1)
    with pytest.raises(InputError, match=r"PUE is 0.9"):
        Place("x", "US", 0.9, 0.1, colocation=100.0)
    with pytest.raises(MissingFigureError, match="no source gives build in BR"):
        TERMS.need("build", "BR")


def test_every_term_has_a_source_or_a_reason() -> None:
    """Assumed terms say why; others say where; the value lies in its own range."""
    for name, _, term in TERMS.rows():
        assert term.low <= term.value <= term.high, name
        assert term.figure.source.title, name
        assert term.figure.source.address or term.figure.note, name


def test_sites_of_the_catalogue() -> None:
    """Johor has all figures; Abilene lacks a PUE and says so; Hamar has no price of energy and is refused."""
    day = date(2025, 1, 22)
    johor, notes, figures = place_of(CATALOG, CATALOG.site("Johor"), TERMS, day)
    assert johor.pue == 1.5
    assert johor.energy_price == pytest.approx(0.4562 / rate_near(CATALOG, "MYR", day).per_dollar)
    assert johor.build_cost == 8.78
    assert not notes
    assert set(figures) == {"energy", "PUE", "building"}
    _, notes, _ = place_of(CATALOG, CATALOG.site("Abilene"), TERMS, day)
    assert any("survey average 1.56" in note for note in notes)
    with pytest.raises(MissingFigureError, match="--energy"):
        place_of(CATALOG, CATALOG.site("Hamar"), TERMS, day)


def test_a_rate_after_the_table_ends_is_named() -> None:
    """The last month known counts, and is said to."""
    late = rate_near(CATALOG, "CNY", date(2026, 11, 1))
    assert "its rate of 2026-06, the last known" in late.note
    with pytest.raises(MissingFigureError):
        rate_near(CATALOG, "CNY", date(2035, 1, 1))
