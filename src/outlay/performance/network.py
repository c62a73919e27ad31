"""Time of a collective on a scale-up domain and the scale-out network between domains.

Alpha-beta model (Thakur et al., doi:10.1177/1094342005051521; the ring and all-to-all volumes of its sections 3 and 4):
a collective of ``ranks`` chips takes

    steps * latency + bytes on the wire / achieved bandwidth

The ranks of a group sit ``stride`` chips apart, so ``domain // stride`` of them share a scale-up domain. A group
within one domain runs on its links; a group across domains runs at the lesser of the domain's links and of the NICs
its members in a domain have together, as NCCL's rings do with one NIC a chip. Achieved fractions and latencies are
fitted to measured collectives.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.catalog.records import Chip, System
from outlay.errors import MissingFigureError
from outlay.performance.chip import PRIOR, rows, silicon_names

Array = NDArray[np.float64]
GBPS = 1e9 / 8
DISPATCH_EFFICIENCY = 0.77


@dataclass(frozen=True)
class Fabric:
    """What the formulas need of a network, in SI units.

    Attributes
    ----------
    node_chips
        Chips under one host.
    domain_chips
        Chips in one scale-up domain.
    domain_bandwidth
        Bytes/s of a chip into its domain, one direction.
    domain_latency, scaleout_latency
        Seconds of a collective of two ranks within a domain, and of one more step between domains.
    scaleout_bandwidth
        Bytes/s of a chip into the network between domains, one direction.
    oversubscription
        How many times the network's leaves take in more than its spine carries; 1 is a full bisection.
    mesh
        Whether the domain is a mesh of direct links, where a group of r chips reaches only r - 1 of a chip's links.
    gather_efficiency, reduce_efficiency, all_to_all_efficiency, scaleout_efficiency
        Achieved over nominal bandwidth of all-gather and reduce-scatter, all-reduce (above 1 with in-switch reduction),
        all-to-all and anything between domains.
    """

    node_chips: int
    domain_chips: int
    domain_bandwidth: float
    domain_latency: float
    scaleout_bandwidth: float
    scaleout_latency: float
    oversubscription: float = 1.0
    mesh: bool = False
    gather_efficiency: float = 0.75
    reduce_efficiency: float = 0.75
    all_to_all_efficiency: float = 0.7
    scaleout_efficiency: float = 0.8
    provenance: str = ""
    warnings: tuple[str, ...] = ()


def fabric(system: System, chip: Chip, *, oversubscription: float = 1.0) -> Fabric:
    """Return the network of a catalogue system; what no source gives is assumed and named in ``warnings``.

    Raises
    ------
    MissingFigureError
        If neither the size of its scale-up domain nor that of its node is known.
    """
    domain = system.scaleup_domain or system.chips_per_node or system.chips
    if not domain:
        msg = f"system {system.name!r}: no source gives the size of its scale-up domain or of its node"
        raise MissingFigureError(msg)
    warnings: list[str] = []
    scaleup = _scaleup(system, chip, domain, warnings)
    scaleout = system.number("scaleout_gbps_per_chip")
    if scaleout is None:
        scaleout = _assumed_scaleout(chip)
        warnings.append(
            f"scale-out bandwidth of {system.name} is in no source; "
            f"assumed {scaleout / GBPS:.0f} Gb/s a chip, as chips of its class have"
        )
    row = _links(chip.name)
    return Fabric(
        node_chips=system.chips_per_node or domain,
        domain_chips=domain,
        domain_bandwidth=scaleup,
        domain_latency=float(row["latency_s"]),
        scaleout_bandwidth=scaleout,
        scaleout_latency=float(row["scaleout_latency_s"]),
        oversubscription=oversubscription,
        mesh=row["mesh"] == "yes",
        gather_efficiency=float(row["gather_efficiency"]),
        reduce_efficiency=float(row["reduce_efficiency"]),
        all_to_all_efficiency=float(row["all_to_all_efficiency"]),
        scaleout_efficiency=float(row["scaleout_efficiency"]),
        provenance=row["basis"],
        warnings=tuple(warnings),
    )


def _scaleup(system: System, chip: Chip, domain: int, warnings: list[str]) -> float:
    for found in (system.number("scaleup_gbs_per_chip_dir"), chip.number("scaleup_gbs_per_dir")):
        if found is not None:
            return found
    total = chip.number("scaleup_gbs_total")
    if total is not None:
        return total / 2
    assumed = float(_links(chip.name)["assumed_bandwidth"])
    if domain > 1:
        warnings.append(
            f"scale-up bandwidth of {system.name} is in no source; "
            f"assumed {assumed / 1e9:.0f} GB/s a chip and direction"
        )
    return assumed


def _assumed_scaleout(chip: Chip) -> float:
    peak = chip.peak("bf16") or chip.peak("fp16") or 0.0
    return (400.0 if peak > 400e12 else 200.0) * GBPS


@functools.cache
def _links(chip: str) -> dict[str, str]:
    table = {row["chip"]: row for row in rows("links.csv")}
    prior = table[PRIOR]
    known = next(table[name] for name in (chip, *silicon_names(chip)) if name in table)
    return {key: value or prior[key] for key, value in known.items()}


def in_domain(fabric: Fabric, ranks: ArrayLike, stride: ArrayLike = 1) -> Array:
    """Return how many ranks of a group that sit ``stride`` chips apart share a scale-up domain."""
    ranks, stride = np.asarray(ranks, dtype=float), np.asarray(stride, dtype=float)
    return np.clip(np.floor(fabric.domain_chips / stride), 1.0, np.maximum(ranks, 1.0))


def _bandwidth(fabric: Fabric, ranks: Array, inside: Array, efficiency: float) -> Array:
    """Return the bytes/s one member of a ring moves: the domain's links, or the NICs of the members in the domain."""
    links = np.asarray(fabric.domain_bandwidth * efficiency)
    if fabric.mesh:
        links = links * np.minimum(1.0, np.maximum(inside - 1, 1.0) / max(fabric.domain_chips - 1, 1))
    nic = fabric.scaleout_bandwidth * fabric.scaleout_efficiency / fabric.oversubscription
    return np.where(ranks <= inside, links, np.minimum(np.where(inside > 1, links, np.inf), nic * inside))


def _latency(fabric: Fabric, ranks: Array, inside: Array) -> Array:
    """Return the latency of one pass: constant in a domain, and one step between domains per doubling (tree)."""
    domains = np.maximum(np.ceil(ranks / inside), 1.0)
    return np.where(ranks > 1, fabric.domain_latency + fabric.scaleout_latency * np.log2(domains), 0.0)


def all_gather(fabric: Fabric, size: ArrayLike, ranks: ArrayLike, stride: ArrayLike = 1) -> Array:
    """Return the seconds to gather ``size`` bytes in all onto each of ``ranks`` chips: (n-1)/n size on the wire."""
    size, ranks = np.asarray(size, dtype=float), np.asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks, stride)
    wire = size * (ranks - 1) / np.maximum(ranks, 1.0)
    return np.asarray(
        wire / _bandwidth(fabric, ranks, inside, fabric.gather_efficiency) + _latency(fabric, ranks, inside)
    )


def reduce_scatter(fabric: Fabric, size: ArrayLike, ranks: ArrayLike, stride: ArrayLike = 1) -> Array:
    """Return the seconds to sum ``size`` bytes over ``ranks`` chips, each keeping its share."""
    return all_gather(fabric, size, ranks, stride)


def all_reduce(fabric: Fabric, size: ArrayLike, ranks: ArrayLike, stride: ArrayLike = 1) -> Array:
    """Return the seconds to sum ``size`` bytes over ``ranks`` chips: 2 (n-1)/n size on the wire."""
    size, ranks = np.asarray(size, dtype=float), np.asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks, stride)
    wire = 2.0 * size * (ranks - 1) / np.maximum(ranks, 1.0)
    return np.asarray(
        wire / _bandwidth(fabric, ranks, inside, fabric.reduce_efficiency) + _latency(fabric, ranks, inside)
    )


def all_to_all(fabric: Fabric, size: ArrayLike, ranks: ArrayLike, stride: ArrayLike = 1) -> Array:
    """Return the seconds in which each chip sends ``size`` bytes, evenly over ``ranks`` chips, itself among them.

    Notes
    -----
    What stays in the domain and what leaves it move at the same time on different links.
    """
    size, ranks = np.asarray(size, dtype=float), np.asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks, stride)
    near = size * (inside - 1) / np.maximum(ranks, 1.0)
    far = size * (ranks - inside) / np.maximum(ranks, 1.0)
    links = _bandwidth(fabric, inside, inside, fabric.all_to_all_efficiency)
    nic = fabric.scaleout_bandwidth * fabric.scaleout_efficiency / fabric.oversubscription
    return np.asarray(np.maximum(near / links, far / nic) + _latency(fabric, ranks, inside))


def dispatch(fabric: Fabric, size: ArrayLike, top_k: ArrayLike, ranks: ArrayLike) -> Array:
    """Return the seconds in which each chip sends ``size`` bytes of tokens to ``top_k`` experts on ``ranks`` chips.

    Notes
    -----
    A token goes once to a chip however many of its experts are there, and once to a domain, which hands it on inside:
    with even routing k picks among n reach n (1 - (1 - 1/n)**k) of them. The achieved fraction in a domain is that of
    the published dispatch kernels (DeepEP, normal kernels: 153 to 158 of 200 GB/s on H800).
    """
    size, k, ranks = (np.asarray(value, dtype=float) for value in (size, top_k, ranks))
    inside = in_domain(fabric, ranks)
    domains = np.maximum(ranks / inside, 1.0)
    near = size * _reached(ranks, k) * (1 - 1 / np.maximum(ranks, 1.0))
    far = size * _reached(domains, k) * (1 - 1 / domains)
    links = _bandwidth(fabric, inside, inside, DISPATCH_EFFICIENCY)
    nic = fabric.scaleout_bandwidth * fabric.scaleout_efficiency / fabric.oversubscription
    return np.asarray(np.maximum(near / links, far / nic) + _latency(fabric, ranks, inside))


def _reached(places: Array, picks: Array) -> Array:
    return np.asarray(places * (1 - (1 - 1 / np.maximum(places, 1.0)) ** picks))


def p2p(fabric: Fabric, size: ArrayLike, spans_domain: ArrayLike) -> Array:
    """Return the seconds to send ``size`` bytes to one chip, in the domain or (``spans_domain``) across domains."""
    size, spans = np.asarray(size, dtype=float), np.asarray(spans_domain, dtype=bool)
    links = _bandwidth(fabric, np.asarray(2.0), np.asarray(2.0), fabric.gather_efficiency)
    nic = fabric.scaleout_bandwidth * fabric.scaleout_efficiency
    latency = np.where(spans, fabric.scaleout_latency, fabric.domain_latency)
    return np.where(size > 0, size / np.where(spans, nic, links) + latency, 0.0)
