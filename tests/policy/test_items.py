"""Items from the catalogue and from a user's file."""

from datetime import date

import pytest

from outlay.catalog import Catalog, Chip
from outlay.errors import InputError
from outlay.evidence import Alternative, Figure, Source
from outlay.policy import Transaction, competing, decide, item_of, read_spec

SOURCE = Source("datasheet", "https://example.org/datasheet")


def figure(value, unit, *others):
    """Return a figure with competing values."""
    found = tuple(Alternative(other, unit, "press-report", Source("press", "")) for other in others)
    return Figure(value, unit, "datasheet", SOURCE, alternatives=found)


def chip(**figures):
    """Return a chip with these figures alone."""
    return Chip("part", figures, vendor="Nvidia", vendor_country="US")


def test_catalogue_units_become_the_rules_units():
    """TFLOP/s by bit length, mm2, GB/s; links one way count twice; the faster of two rates of one length counts."""
    item = item_of(
        chip(
            int8_tops=figure(300.0, "TOP/s"),
            fp8_tflops=figure(296.0, "TFLOP/s"),
            die_area_mm2=figure(814.0, "mm2"),
            scaleup_gbs_per_dir=figure(450.0, "GB/s"),
            memory_bw_tbs=figure(4.0, "TB/s"),
        )
    )
    assert (item.tops, item.die_area_mm2, item.interconnect_gbps) == ({8: 300.0}, 814.0, 900.0)
    assert item.dram_gbps == pytest.approx(4000.0)


def test_missing_figures_stay_missing():
    """A chip without figures gives an item without figures."""
    item = item_of(chip())
    assert item.tops == {}
    assert (item.die_area_mm2, item.interconnect_gbps, item.dram_gbps) == (None, None, None)


def test_cards_for_games_are_not_for_data_centres():
    """The GeForce names are consumer parts; the RTX Pro server card and the accelerators are not."""
    catalog = Catalog.load()
    found = {name: item_of(catalog.chip(name)).datacenter for name in ("RTX 4090", "RTX Pro 6000", "H20", "L40S")}
    assert found == {"RTX 4090": False, "RTX Pro 6000": True, "H20": True, "L40S": True}


def test_every_chip_of_the_catalogue_can_be_asked():
    """No record of the catalogue makes the rules fail, and the H20 and H100 get the classes they are known for."""
    catalog = Catalog.load()
    transaction = Transaction(date(2024, 6, 1), "CN", "CN", "CN")
    found = {name: decide(item_of(record), transaction).control_class for name, record in catalog.chips.items()}
    assert (found["H20 96GB"], found["H100 SXM"], found["L20"]) == ("NONE", "3A090.a", "NONE")


def test_competing_figures_are_tried_one_at_a_time():
    """A part whose class hangs on its die gives another class with the other area."""
    part = chip(fp8_tflops=figure(239.0, "TFLOP/s"), die_area_mm2=figure(609.0, "mm2", 590.0))
    transaction = Transaction(date(2024, 6, 1), "CN", "CN", "CN")
    (words, other), *rest = competing(part)
    assert not rest
    assert "die_area_mm2 590 mm2" in words
    assert (decide(item_of(part), transaction).code, decide(other, transaction).control_class) == ("NLR", "3A090.b")


def test_spec_file_is_read(tmp_path):
    """YAML and JSON both do; what is left out is missing."""
    path = tmp_path / "mine.json"
    path.write_text('{"name": "mine", "tops": {"8": 296}, "die_area_mm2": 814, "datacenter": true}')
    item = read_spec(path)
    assert (item.name, item.tops, item.die_area_mm2, item.dram_gbps) == ("mine", {8: 296.0}, 814, None)


def test_dies_are_added_up_without_planar_ones(tmp_path):
    """Chiplets count each, planar I/O dies do not; of planar dies alone no density can be told."""
    from outlay.policy.metrics import performance_density

    path = tmp_path / "mine.yaml"
    path.write_text(
        "tops: {8: 400}\ndies: [{area_mm2: 115, count: 8}, {area_mm2: 370, planar: true}]\ndatacenter: true\n"
    )
    assert performance_density(read_spec(path)).text == "PD = 3200 / (8 x 115) mm2 = 3.478"
    path.write_text("tops: {8: 400}\ndies: [{area_mm2: 370, planar: true}]\ndatacenter: true\n")
    decision = decide(read_spec(path), Transaction(date(2024, 6, 1), "CN", "CN", "CN"))
    assert (decision.control_class, decision.missing) == ("INDETERMINATE", ("die_area_mm2",))


def test_density_of_memory_comes_from_bandwidth_and_area(tmp_path):
    """With the arithmetic, against both lines."""
    path = tmp_path / "stack.yaml"
    path.write_text("kind: memory\nvendor_country: KR\ndram_gbps: 819\ndie_area_mm2: 110\n")
    decision = decide(read_spec(path), Transaction(date(2025, 1, 15), "CN", "CN", "CN"))
    assert (decision.code, decision.control_class) == ("LICENCE", "3A090.c")
    assert decision.arithmetic[0] == "memory bandwidth density = 819 / 110 = 7.445 GB/s/mm2 > 2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("die_area: 800", "unknown field 'die_area'; nearest: die_area_mm2"),
        ("die_area_mm2: large", "die_area_mm2 is 'large'; expected a number"),
        ("tops: {8: fast}", "expected dense TOPS by bit length"),
        ("dies: [{area: 100}]", "dies holds {'area': 100}; expected a list such as"),
        ("dies: [{area_mm2: wide}]", "expected a list such as"),
        ("- 1", "expected fields such as"),
        ("a: [", "not YAML"),
    ],
)
def test_spec_file_that_is_wrong_is_refused(tmp_path, text, message):
    """The message names the file, the field, what it holds and what was expected."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(path)
    assert "mine.yaml" in str(caught.value)
    assert message in str(caught.value)
