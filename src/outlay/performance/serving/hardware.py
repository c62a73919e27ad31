"""Chips as serving runs name them: catalogue chips and chips of published runs the catalogue lacks, with their links.

An engine counts ranks, not packages: two dies of an Ascend 910C, two NeuronCores of a Trainium1, two TensorCores of a
TPU v7 are ranks of their own. A :class:`Device` is one rank. ``data/served_chips.csv`` gives the numbers for
what the catalogue does not have, each with its source, or said to be assumed.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from outlay.catalog.records import Chip, System
from outlay.catalog.store import folded
from outlay.errors import CatalogError
from outlay.evidence import Figure, Source
from outlay.performance.chip import ChipModel, chip_model, rows
from outlay.performance.network import Fabric, fabric
from outlay.performance.serving.kernels import USUAL, Fusions, fusions

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.evidence import Status

FAMILIES = {
    "A100/A800": ("A100", "A800"),
    "H100/H800/GH200": ("H100", "H800", "GH200"),
    "H200": ("H200",),
    "H20": ("H20",),
    "B200/B300": ("B200", "B300"),
    "GB200/GB300": ("GB200", "GB300"),
    "AMD Instinct": ("MI300X", "MI325X", "MI355X", "MI350X", "MI300X/MI325X", "350X/355X"),
    "Ascend 910B": ("910B",),
    "Ascend 910C": ("910C",),
    "Gaudi": ("Gaudi", "Gaudi2", "Gaudi3"),
    "TPU": ("TPU", "TPU7x"),
    "AWS Neuron": ("Trainium1", "Trainium2", "Trainium3"),
    "Ada datacentre (L40S, L4, RTX 6000 Ada)": ("L40S", "L4"),
    "Blackwell workstation (RTX PRO 6000, 5090, DGX Spark)": ("6000", "5090"),
}
"""Families of the published runs, by a word in what the training model calls the chip's family."""
OTHER_VENDORS = {
    "AMD Instinct": "AMD",
    "Ascend 910B": "Huawei",
    "Ascend 910C": "Huawei",
    "Gaudi": "Intel Gaudi",
    "Intel Arc": "Intel",
    "TPU": "Google",
    "AWS Neuron": "AWS",
    "other Chinese": "other Chinese",
}
"""Vendors of the families that are not Nvidia's."""
SUMS = (
    ("TensorRT-LLM 2024", 0.0, 4e6, 1.0),
    ("TensorRT-LLM 0.17", 0.0, 4e6, 1.0),
    ("TensorRT-LLM", 128.0, 0.0, 1.0),
    ("vLLM 2023", 0.0, 0.0, 0.0),
    ("vLLM TPU", 0.0, 0.0, 1.0),
    ("vLLM", 0.0, 2.0**21, 1.0),
    ("SGLang", 0.0, 2.0**21, 1.0),
    ("Optimum Habana", 0.0, 0.0, 1.0),
)
"""How engines sum over ranks, by the beginning of their names: tokens, and bytes times ranks, up to which whole values
go to every rank, and whether ranks read each other's with nothing to start.

1 MB over 4 ranks and 500 kB over 8 (TensorRT-LLM, ``selectImplementation`` of 2024); 128 tokens (its
allReduceFusionKernels.h since, ``kOneShotMaxToken``); 512 and 256 KiB (vLLM, csrc/custom_all_reduce.cuh, which SGLang
took over). XLA's programs for few TPUs and HPU graphs between Gaudis, each linked to each, have no calls; other engines
call NCCL, HCCL or rings of their own.
"""
APART = ("vLLM 2023", "vLLM 2025", "SGLang", "Chitu")
"""Engines, by the beginning of their names, that read prompts in steps of their own: vLLM's first engine and SGLang by
default (``enable_chunked_prefill``, ``enable_mixed_chunk``). The others' steps answer requests and read prompts."""
_FIELDS = {
    "memory_gb": ("memory_gb", "GB"),
    "memory_tbs": ("memory_bw_tbs", "TB/s"),
    "bf16": ("bf16_tflops", "TFLOP/s"),
    "fp8": ("fp8_tflops", "TFLOP/s"),
    "int8": ("int8_tops", "TOP/s"),
    "fp4": ("fp4_tflops", "TFLOP/s"),
    "tdp_w": ("tdp_w", "W"),
}


@dataclass(frozen=True)
class Device:
    """One rank of an engine: a chip or its share of one, and the network between ranks.

    Attributes
    ----------
    ranks
        Ranks a chip counts as.
    fusions
        What its engine fuses and captures.
    mixes
        Whether a step of its engine answers requests and reads prompts, 1 or 0.
    """

    chip: ChipModel
    fabric: Fabric
    family: str
    ranks: float = 1.0
    fusions: Fusions = USUAL
    mixes: float = 1.0


def family_of(name: str) -> str:
    """Return the family of published serving runs a chip belongs to; its own name where there is none."""
    words = set(name.replace("/", " ").replace("-", " ").split()) | {name}
    return next((family for family, parts in FAMILIES.items() if words & set(parts)), name)


def vendors(family: str) -> dict[str, str]:
    """Return the vendor of a family of published runs, and ``rare``: its name again, '' for Nvidia with many runs.

    A family that none belongs to is its own vendor.
    """
    nvidia = family in FAMILIES or "NVIDIA" in family
    vendor = OTHER_VENDORS.get(family, "Nvidia" if nvidia else family)
    return {"vendor": vendor, "rare": "" if vendor == "Nvidia" else vendor}


def device(catalog: Catalog, name: str, spread: float = 1.0) -> Device:
    """Return the device that published runs call ``name``; a name of the catalogue will do too.

    Its network is that of the system it is usually sold in, or of the smallest whose scale-up domain holds a group of
    ``spread`` ranks, where there is one.

    Raises
    ------
    CatalogError
        If neither knows it.
    """
    row = _table().get(folded(name))
    record = catalog.chip(row["name"] if row and row["name"] else name) if not row or row["name"] else Chip(name)
    figures = dict(record.figures)
    for column, (field, unit) in _FIELDS.items():
        if row and row[column]:
            figures[field] = _figure(row, column, unit)
    record = replace(record, figures=figures)
    ranks = float(row["ranks"]) if row else 1.0
    try:
        system = _system(catalog, record, spread / ranks)
    except CatalogError:
        domain = int(row["domain"]) if row else 8
        system = System(
            f"{record.name} box", chip=record.name, chips=domain, chips_per_node=domain, scaleup_domain=domain
        )
    donor = row["kernels"] if row else ""
    chip = chip_model(record) if not donor else _lent(catalog, record, donor)
    family = row["family"] if row else family_of(chip.family)
    return _rank(chip, network_of(system, record), family, ranks)


def network_of(system: System, chip: Chip) -> Fabric:
    """Return the network of a system, with what serving knows of its links beside the catalogue."""
    row = _table().get(folded(published_name(chip.name)), {})
    if not row.get("link_gbs"):
        return fabric(system, chip)
    bare = {k: v for k, v in system.figures.items() if k != "scaleup_gbs_per_chip_dir"}
    link = _figure(row, "link_gbs", "GB/s")
    network = fabric(
        replace(system, figures=bare), replace(chip, figures={**chip.figures, "scaleup_gbs_per_dir": link})
    )
    if not row["mesh"]:
        return network
    achieved = float(row["mesh"])
    return replace(
        network,
        mesh=True,
        few_loss=0.0,
        gather_efficiency=achieved,
        reduce_efficiency=achieved,
        all_to_all_efficiency=achieved,
    )


def run_by(where: Device, engine: str, release: str | None = None) -> Device:
    """Return a device as an engine uses it: how it sums over ranks, what it fuses and captures, whether it mixes."""
    tokens, size, peers = next((how for name, *how in SUMS if engine.startswith(name)), (0.0, 0.0, 0.0))
    network = replace(where.fabric, whole_tokens=tokens, whole_bytes=size, peers=peers)
    mixes = float(not engine.startswith(APART))
    return replace(where, fabric=network, fusions=fusions(engine, where.family, release), mixes=mixes)


def _figure(row: dict[str, str], column: str, unit: str) -> Figure:
    status = cast("Status", row["status"] or "assumed")
    return Figure(float(row[column]), unit, status, Source(row["source"], row["source"], ""))


def _system(catalog: Catalog, chip: Chip, wanted: float) -> System:
    usual = catalog.usual_system(chip)
    sold = [one for one in catalog.systems.values() if one.chip == chip.name and one.scaleup_domain >= wanted]
    if usual.scaleup_domain >= wanted or not sold:
        return usual
    return min(sold, key=lambda system: system.scaleup_domain)


@functools.cache
def published_name(name: str) -> str:
    """Return what published runs call a chip of the catalogue; its own name where none does."""
    return next((row["chip"] for row in rows("served_chips.csv") if name in (row["name"], row["chip"])), name)


@functools.cache
def _table() -> dict[str, dict[str, str]]:
    return {folded(row["chip"]): row for row in rows("served_chips.csv")}


def _lent(catalog: Catalog, record: Chip, donor: str) -> ChipModel:
    """Return the model of a chip with the efficiency curves of another one of its architecture."""
    like, own = chip_model(catalog.chip(donor)), chip_model(record)
    return replace(
        own,
        curves=like.curves,
        memory_efficiency=like.memory_efficiency,
        grouped_efficiency=like.grouped_efficiency,
        attention_forward=like.attention_forward,
        notes=(f"efficiency curves of {donor}, whose architecture it shares",),
    )


def _rank(chip: ChipModel, network: Fabric, family: str, ranks: float) -> Device:
    """Return one of ``ranks`` equal parts of a chip as a device."""
    if ranks == 1:
        return Device(chip, network, family)
    part = replace(
        chip,
        peak={dtype: value / ranks for dtype, value in chip.peak.items()},
        memory_bytes=chip.memory_bytes / ranks,
        memory_bandwidth=chip.memory_bandwidth / ranks,
    )
    split = replace(
        network,
        node_chips=network.node_chips * ranks,
        domain_chips=network.domain_chips * ranks,
        domain_bandwidth=network.domain_bandwidth / ranks,
        scaleout_bandwidth=network.scaleout_bandwidth / ranks,
    )
    return Device(part, split, family, ranks)
