"""Makes the item the rules test from a chip of the catalogue or from a user's own figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from outlay.errors import InputError, unknown
from outlay.policy.countries import place
from outlay.policy.decision import Die, Item, Kind

if TYPE_CHECKING:
    from outlay.catalog.records import Chip

BITS = {
    "fp4_tflops": 4,
    "fp6_tflops": 6,
    "fp8_tflops": 8,
    "int8_tops": 8,
    "fp16_tflops": 16,
    "bf16_tflops": 16,
    "fp32_tflops": 32,
    "fp64_tflops": 64,
}
# TF32 is stored in 32 bits and multiplied in about 19; the text does not say which counts, so it is left out.
TESTED = (*BITS, "die_area_mm2", "scaleup_gbs_total", "scaleup_gbs_per_dir", "memory_bw_tbs")
CONSUMER = re.compile(r"^(GeForce )?RTX \d{4}", re.IGNORECASE)
"""Names of cards sold for games and desks; every other part of the catalogue is sold for data centres."""
PCIE_GBPS = {"4": 64.0, "5": 128.0}
"""GB/s in both directions of x16, by generation."""
LAST_PLANAR_NM = 16.0
"""Logic above this node is planar and counts for no die area; at and below it is FinFET or gate-all-around."""
SPARSE_RATIO = 3.5
"""Dense rates double from one bit length to half of it, at most triple; a 2:4 sparsity figure beside dense ones is four
times as high."""


def item_of(chip: Chip) -> Item:
    """Return a chip as the rules see it: dense rates by bit length, die area, links and memory bandwidth.

    Missing figures stay ``None``.
    """
    tops: dict[int, float] = {}
    for field, bits in BITS.items():
        rate = chip.number(field)
        if rate is not None:
            tops[bits] = max(tops.get(bits, 0.0), rate / 1e12)
    dram = chip.number("memory_bw_tbs")
    return Item(
        name=chip.name,
        vendor=chip.vendor,
        vendor_country=chip.vendor_country,
        tops=tops,
        die_area_mm2=chip.number("die_area_mm2"),
        interconnect_gbps=_interconnect(chip),
        dram_gbps=None if dram is None else dram / 1e9,
        datacenter=not CONSUMER.match(chip.name),
        planar=(_node(chip) or 0.0) > LAST_PLANAR_NM,
        node_nm=_node(chip),
        no_link=_linkless(chip),
        has_hbm="HBM" in (chip.text("mem_type") or "").upper() if chip.text("mem_type") else None,
    )


def _node(chip: Chip) -> float | None:
    """Return the process node in nanometres, as foundries name it: TSMC 4N is 4, SMIC N+2 is 7."""
    process = chip.text("process") or ""
    if re.search(r"N\+[23]", process):
        return 7.0
    found = re.search(r"(\d+(?:\.\d+)?) ?nm", process) or re.search(r"\bN?(\d+)[A-Z]*\b", process)
    return float(found[1]) if found else None


def _linkless(chip: Chip) -> bool:
    """Return whether a chip is known to have no scale-up link."""
    return re.match(r"1(\.0)?( \(no NVLink\))?$", chip.text("scaleup_domain") or "") is not None


def _interconnect(chip: Chip) -> float | None:
    """Return chip-to-chip bandwidth, both directions, GB/s; a part without a scale-up link has its host link."""
    total, one_way = chip.number("scaleup_gbs_total"), chip.number("scaleup_gbs_per_dir")
    if total is not None:
        return total / 1e9
    if one_way is not None:
        return 2 * one_way / 1e9
    if not _linkless(chip):
        return None
    generation = re.search(r"PCIe ?(\d)", chip.text("host_link") or "")
    return PCIE_GBPS.get(generation[1]) if generation else None


def competing(chip: Chip) -> Iterator[tuple[str, Item]]:
    """Yield the item once for each competing value of a figure the rules test, with what differs in words."""
    for field in TESTED:
        figure = chip.figures.get(field)
        for other in figure.alternatives if figure else ():
            if isinstance(other.value, str):
                continue
            assert figure is not None
            changed = replace(figure, value=other.value, unit=other.unit, alternatives=())
            words = f"{field} {other.value:g} {other.unit} ({other.source.title}) instead of {figure.value}"
            yield words, item_of(replace(chip, figures={**chip.figures, field: changed}))


def read_spec(path: Path) -> Item:
    """Read an item from a YAML or JSON file with the fields of :class:`Item`; ``tops`` maps bit lengths to TOPS.

    Raises
    ------
    InputError
        If the file cannot be read, a field is unknown, or a value is not what the field holds.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        raw: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputError(msg) from None
    except YAMLError as error:
        msg = f"{path}: not YAML: {' '.join(str(error).split())}"
        raise InputError(msg) from None
    if not isinstance(raw, dict):
        msg = f"{path}: expected fields such as name, vendor_country, tops: {{8: 296}}, die_area_mm2"
        raise InputError(msg)
    known = [field.name for field in fields(Item)]
    for key in raw:
        if "spars" in str(key).casefold():
            msg = f"{path}: {key}: the rules count dense rates; give `tops` without sparsity (half of a 2:4 figure)"
            raise InputError(msg)
        if key not in known and key != "dense":
            raise InputError(f"{path}: " + unknown("field", str(key), [*known, "dense"]))
    values = {name: _spec_value(path, name, raw[name]) for name in known if raw.get(name) is not None}
    _check_dense(path, values.get("tops", {}), raw.get("dense"))
    missing = dict.fromkeys(("die_area_mm2", "interconnect_gbps", "dram_gbps", "datacenter"))
    unnamed: dict[str, Any] = {"name": path.stem, "vendor": "", "vendor_country": "US", "tops": {}}
    return Item(**(unnamed | missing | values))


def _check_dense(path: Path, tops: Mapping[int, float], dense: object) -> None:
    """Ask back where a rate looks like one with sparsity, or is said to be."""
    if dense not in {None, True, False}:
        msg = f"{path}: dense is {dense!r}; expected true or false"
        raise InputError(msg)
    if dense is False:
        msg = f"{path}: the rules count dense rates; halve figures with 2:4 sparsity and leave `dense` out"
        raise InputError(msg)
    for bits, rate in tops.items():
        twice = tops.get(2 * bits)
        if dense is None and twice and rate / twice > SPARSE_RATIO and bits < 16:
            msg = (
                f"{path}: {rate:g} TOPS at {bits} bit is {rate / twice:.3g} times the {twice:g} at {2 * bits} bit; "
                f"is it a figure with sparsity? Give the dense one ({rate / 2:g} if 2:4), or say `dense: true`"
            )
            raise InputError(msg)


def _dies(path: Path, value: list[Any], words: str) -> tuple[Die, ...]:
    known = [field.name for field in fields(Die)]
    found = []
    for entry in value:
        if not isinstance(entry, dict) or set(entry) - set(known) or "area_mm2" not in entry:
            msg = f"{path}: dies holds {entry!r}; expected {words}"
            raise InputError(msg)
        try:
            found.append(Die(float(entry["area_mm2"]), int(entry.get("count", 1)), bool(entry.get("planar", False))))
        except (TypeError, ValueError):
            msg = f"{path}: dies holds {entry!r}; expected {words}"
            raise InputError(msg) from None
    return tuple(found)


_SPEC: dict[str, tuple[Any, str]] = {
    "name": (str, "text"),
    "vendor": (str, "text"),
    "vendor_country": (str, "a country code"),
    "datacenter": (bool, "true or false"),
    "available_in_us": (bool, "true or false"),
    "planar": (bool, "true or false"),
    "processing_dominant": (bool, "true or false"),
    "open_weights": (bool, "true or false"),
    "has_hbm": (bool, "true or false"),
    "kind": (str, ", ".join(get_args(Kind))),
    "dies": (list, "a list such as [{area_mm2: 115, count: 8}, {area_mm2: 370, count: 4, planar: true}]"),
    "tops": (dict, "dense TOPS by bit length, such as {8: 296, 16: 148}"),
}


def _spec_value(path: Path, name: str, value: Any) -> Any:
    """Return a value of a spec file as the item's field holds it."""
    kind, words = _SPEC.get(name, ((int, float), "a number"))
    wrong = not isinstance(value, kind) or (name not in _SPEC and isinstance(value, bool))
    if wrong or (name == "kind" and value not in get_args(Kind)):
        msg = f"{path}: {name} is {value!r}; expected {words}"
        raise InputError(msg)
    if name == "vendor_country":
        return place(value)
    if name == "dies":
        return _dies(path, value, words)
    if name != "tops":
        return value
    try:
        return {int(bits): float(rate) for bits, rate in value.items()}
    except (TypeError, ValueError):
        msg = f"{path}: tops is {value!r}; expected {words}"
        raise InputError(msg) from None
