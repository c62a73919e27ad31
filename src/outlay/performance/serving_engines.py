"""What engines and chips add to the operations of serving: the numbers fitted to published runs, and their bands."""

from __future__ import annotations

import functools
from dataclasses import fields

from outlay.performance.chip import rows
from outlay.performance.serving import Engine

PRIOR = "all"
NUMBERS = tuple(field.name for field in fields(Engine))
BAND = ("low", "high", "figures", "groups")
"""What is stored of the band of each metric."""
USUAL = "vLLM"
"""Engine of a chip whose vendor is not known for one of its own."""
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
ENGINES = {
    "AMD Instinct": "vLLM ROCm",
    "Ascend 910B": "vllm-ascend",
    "Ascend 910C": "vllm-ascend",
    "Gaudi": "Optimum Habana",
    "TPU": "vLLM TPU",
    "AWS Neuron": "Neuron",
}
"""The engine a family is usually served with, where it is not :data:`USUAL`."""


@functools.cache
def _stored() -> dict[tuple[str, str, str], dict[str, str]]:
    return {(row["fold"], row["part"], row["name"]): row for row in rows("engines.csv")}


@functools.cache
def engine(software: str, family: str, fold: int | None = None) -> Engine:
    """Return an engine on a family of chips: the numbers of all, times the factors of the engine and of the family.

    With a ``fold``, as fitted without the runs of that fold.
    """
    table, of = _stored(), "" if fold is None else str(fold)
    parts = [table[of, PRIOR, PRIOR], table.get((of, "engine", software)), table.get((of, "family", family))]
    product = dict.fromkeys(NUMBERS, 1.0)
    for part in (part for part in parts if part is not None):
        for name in NUMBERS:
            product[name] *= float(part[name])
    return Engine(**product)


def usual_engine(family: str) -> str:
    """Return the name of the engine a family of chips is usually served with."""
    return ENGINES.get(family, USUAL)


def band(family: str, metric: str = "throughput") -> tuple[float, float, str]:
    """Return the factors on a speed that hold 80 % of published figures out of sample, and what they rest on.

    ``metric`` is ``throughput``, ``tpot`` or ``ttft``; the speed of a latency is one over it.
    """
    low, high, figures, groups = (f"{metric}_{column}" for column in BAND)
    table = {name: row for (_, _, name), row in _stored().items() if row[low]}
    if family in table:
        row = table[family]
        words = f"{row[figures]} published figures of {metric} in {row[groups]} groups of {family}"
        return float(row[low]), float(row[high]), words
    widest = (min(float(row[low]) for row in table.values()), max(float(row[high]) for row in table.values()))
    return *widest, f"too few published figures of {metric} on {family} for a band of its own: the widest band"


def family_of(name: str) -> str:
    """Return the family of published serving runs a chip belongs to; its own name where there is none."""
    words = set(name.replace("/", " ").replace("-", " ").split()) | {name}
    return next((family for family, parts in FAMILIES.items() if words & set(parts)), name)
