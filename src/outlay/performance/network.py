"""Time of a collective on a scale-up domain and the scale-out network between domains.

Alpha-beta model (Thakur et al., doi:10.1177/1094342005051521; the ring and all-to-all volumes of its sections 3 and 4):
a collective of ``ranks`` chips takes

    steps * latency + bytes on the wire / achieved bandwidth

with a start and a hop between neighbours for latency. Achieved bandwidth rises with the ranks, as 1 - c / ranks; and
libraries take the faster of two protocols, one that loses a fraction of it and one that takes longer to start (NCCL,
src/graph/tuning.cc: LL128 and Simple).

The ranks of a group sit ``stride`` chips apart, so ``domain // stride`` of them share a scale-up domain. A group
within one domain runs on its links; a group across domains runs at the lesser of the domain's links and of the NICs
its members in a domain have together, as NCCL's rings do with one NIC a chip. Achieved fractions and latencies are
fitted to measured collectives.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from outlay.catalog.records import Chip, System
from outlay.errors import MissingFigureError
from outlay.performance.arrays import Number, namespace
from outlay.performance.chip import PRIOR, rows, silicon_names

GBPS = 1e9 / 8
DISPATCH_EFFICIENCY = 0.77
RING_HOP = 14e-6
"""Seconds of one step of a ring between domains (NCCL, src/graph/tuning.cc, hwLat: ring, simple protocol, network)."""
RING_RANKS = 8
"""Ranks in a domain up to which rings were measured; of more, a tree takes a hop for each doubling."""
DISPATCH_NEAR_S, DISPATCH_FAR_S = 10e-6, 30e-6
"""Seconds of a dispatch or combine of few tokens beside what it moves, in a domain and across. Across by the table of
DeepEP's low-latency kernels (docs/legacy.md of commit dd758ca, 128 tokens to 16 to 256 chips: 37 us + bytes / 45 GB/s
and 19 us + bytes / 42 GB/s); in a domain three kernels' time."""


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
    domain_latency, hop_latency, scaleout_latency
        Seconds to start a collective within a domain, of a hop between two of its ranks, and of one more step between
        domains.
    scaleout_bandwidth
        Bytes/s of a chip into the network between domains, one direction.
    oversubscription
        How many times the network's leaves take in more than its spine carries; 1 is a full bisection.
    mesh
        Whether the domain is a mesh of direct links, where a group of r chips reaches only r - 1 of a chip's links.
    gather_efficiency, reduce_efficiency, all_to_all_efficiency, scaleout_efficiency
        Achieved over nominal bandwidth of all-gather and reduce-scatter, all-reduce (above 1 with in-switch reduction),
        all-to-all and anything between domains; within a domain, those of many ranks and large sizes.
    few_loss
        What of it two ranks lose, doubled: r ranks reach 1 - few_loss / r.
    quick_efficiency, thorough_latency
        Fraction of that bandwidth which the protocol for small sizes reaches, and seconds that the one for large sizes
        takes beyond the latency.
    call_s
        Seconds the host takes to call a collective.
    whole_tokens, whole_bytes
        Tokens, and bytes of a value times ranks, up to which the engine's all-reduces send whole values to every rank.
    peers
        Whether an engine's ranks read each other's values in decode, with nothing to start: see :func:`direct`.
    """

    node_chips: Number
    domain_chips: Number
    domain_bandwidth: Number
    domain_latency: Number
    scaleout_bandwidth: Number
    scaleout_latency: Number
    oversubscription: Number = 1.0
    mesh: Number = False
    gather_efficiency: Number = 0.75
    reduce_efficiency: Number = 0.75
    all_to_all_efficiency: Number = 0.7
    scaleout_efficiency: Number = 0.8
    hop_latency: Number = 0.0
    few_loss: Number = 0.0
    quick_efficiency: Number = 1.0
    thorough_latency: Number = 0.0
    call_s: Number = 0.0
    whole_tokens: Number = 0.0
    whole_bytes: Number = 0.0
    peers: Number = 0.0
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
    row = _link_row(chip.name)
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
        hop_latency=float(row["hop_s"]),
        few_loss=float(row["few_loss"]),
        quick_efficiency=float(row["quick_efficiency"]),
        thorough_latency=float(row["thorough_s"]),
        call_s=float(row["call_s"]),
        provenance=row["basis"],
        warnings=tuple(warnings),
    )


def direct(fabric: Fabric) -> Fabric:
    """Return a network as the all-reduces of engines for few tokens see it.

    Each rank reads all others' values at once from a captured graph, with nothing to start, no hops and no protocol
    (vLLM, csrc/custom_all_reduce.cuh; TensorRT-LLM, customAllReduceKernels.cu).
    """
    return replace(fabric, domain_latency=0.0, hop_latency=0.0, few_loss=0.0, quick_efficiency=1.0)


def _scaleup(system: System, chip: Chip, domain: int, warnings: list[str]) -> float:
    for found in (system.number("scaleup_gbs_per_chip_dir"), chip.number("scaleup_gbs_per_dir")):
        if found is not None:
            return found
    total = chip.number("scaleup_gbs_total")
    if total is not None:
        return total / 2
    assumed = float(_link_row(chip.name)["assumed_bandwidth"])
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
def _link_row(chip: str) -> dict[str, str]:
    table = {row["chip"]: row for row in rows("links.csv")}
    prior = table[PRIOR]
    known = next(table[name] for name in (chip, *silicon_names(chip)) if name in table)
    return {key: value or prior[key] for key, value in known.items()}


def in_domain(fabric: Fabric, ranks: Number, stride: Number = 1) -> Number:
    """Return how many ranks of a group that sit ``stride`` chips apart share a scale-up domain."""
    xp = namespace(ranks, stride)
    ranks = xp.asarray(ranks, dtype=float)
    return xp.clip(xp.floor(fabric.domain_chips / xp.asarray(stride, dtype=float)), 1.0, xp.maximum(ranks, 1.0))


def _nic(fabric: Fabric) -> Number:
    """Return the bytes/s a chip moves between domains."""
    return fabric.scaleout_bandwidth * fabric.scaleout_efficiency / fabric.oversubscription


def _links(fabric: Fabric, inside: Number, efficiency: Number) -> Number:
    """Return the bytes/s of a chip's links within its domain; in a mesh, of those to the ``inside`` ranks there."""
    xp = namespace(fabric.domain_bandwidth, inside)
    reached = xp.minimum(1.0, xp.maximum(inside - 1, 1.0) / xp.maximum(xp.asarray(fabric.domain_chips) - 1.0, 1.0))
    return fabric.domain_bandwidth * efficiency * xp.where(xp.asarray(fabric.mesh) > 0, reached, 1.0)


def _of_few(fabric: Fabric, inside: Number) -> Number:
    """Return what of the bandwidth of many ranks those ``inside`` a domain reach."""
    return 1.0 - fabric.few_loss / namespace(inside, fabric.few_loss).maximum(inside, 2.0)


def _bandwidth(fabric: Fabric, ranks: Number, inside: Number, efficiency: Number) -> Number:
    """Return the bytes/s one member of a ring moves: the domain's links, or the NICs of the members in the domain."""
    xp = namespace(ranks, inside, fabric)
    links = _links(fabric, inside, efficiency) * _of_few(fabric, inside)
    across = _nic(fabric) * inside
    return xp.where(ranks <= inside, links, xp.where(inside > 1, xp.minimum(links, across), across))


def _hops(inside: Number) -> Number:
    """Return the hops of a pass over the ranks of a domain: a ring of few, a tree of many."""
    xp = namespace(inside)
    near = xp.clip(inside, 1.0, RING_RANKS)
    return near - 1.0 + xp.log2(xp.maximum(inside, RING_RANKS) / RING_RANKS)


def _latency(fabric: Fabric, ranks: Number, inside: Number, passes: int = 1) -> Number:
    """Return the latency of passes over the ranks in a domain, and of a step between domains per doubling (tree)."""
    domains = _domains(ranks, inside)
    xp = namespace(domains, fabric)
    near = fabric.domain_latency + passes * fabric.hop_latency * _hops(inside)
    return xp.where(ranks > 1, near + fabric.scaleout_latency * xp.log2(domains), 0.0)


def _ring_latency(fabric: Fabric, ranks: Number, inside: Number) -> Number:
    """Return the latency of one turn of a ring, which passes through every domain and from each to the next."""
    domains = _domains(ranks, inside)
    xp = namespace(domains, fabric)
    turn = fabric.domain_latency + fabric.hop_latency * _hops(inside) * domains + RING_HOP * (domains - 1)
    return xp.where(ranks > 1, turn, 0.0)


def _domains(ranks: Number, inside: Number) -> Number:
    xp = namespace(ranks, inside)
    return xp.maximum(xp.ceil(ranks / inside), 1.0)


def _wire(fabric: Fabric, size: Number, ranks: Number, inside: Number, efficiency: Number) -> Number:
    """Return the seconds in which each member moves ``size`` times (n-1)/n bytes round the ring, by either protocol."""
    seconds = size * (1 - 1 / ranks) / _bandwidth(fabric, ranks, inside, efficiency)
    xp = namespace(seconds, fabric)
    slower = xp.minimum(seconds * (1 / fabric.quick_efficiency - 1), fabric.thorough_latency)
    return seconds + xp.where(ranks <= inside, slower, 0.0)


def all_gather(fabric: Fabric, size: Number, ranks: Number, stride: Number = 1, pieces: Number = 1) -> Number:
    """Return the seconds to gather ``size`` bytes in all onto each of ``ranks`` chips: (n-1)/n size on the wire.

    Parameters
    ----------
    pieces
        How many collectives do it, one after the other; each waits for its own turn of the ring.
    """
    ranks = namespace(ranks).asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks, stride)
    each = _wire(fabric, size / pieces, ranks, inside, fabric.gather_efficiency) + _ring_latency(fabric, ranks, inside)
    return pieces * each


def reduce_scatter(fabric: Fabric, size: Number, ranks: Number, stride: Number = 1, pieces: Number = 1) -> Number:
    """Return the seconds to sum ``size`` bytes over ``ranks`` chips, each keeping its share."""
    return all_gather(fabric, size, ranks, stride, pieces)


def all_reduce(fabric: Fabric, size: Number, ranks: Number, stride: Number = 1) -> Number:
    """Return the seconds to sum ``size`` bytes over ``ranks`` chips: 2 (n-1)/n size on the wire."""
    ranks = namespace(ranks).asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks, stride)
    wire = _wire(fabric, 2.0 * size, ranks, inside, fabric.reduce_efficiency)
    return wire + _latency(fabric, ranks, inside, passes=2)


def few_reduced(fabric: Fabric, tokens: Number, size: Number, ranks: Number) -> Number:
    """Return the seconds to sum the ``size`` bytes of a few ``tokens`` over ``ranks`` chips, as engines do in decode.

    Notes
    -----
    Within a domain kernels of one stage read the whole value from each other rank, (n-1) size on the wire, up to
    ``whole_tokens`` or ``whole_bytes``; beyond that a reduce-scatter and an all-gather move 2 (n-1)/n of it (vLLM,
    csrc/custom_all_reduce.cuh; TensorRT-LLM, allReduceFusionKernels.cu).
    """
    ranks = namespace(ranks).asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks)
    xp = namespace(tokens, size, ranks, fabric)
    small = (tokens <= fabric.whole_tokens) | (size * ranks < fabric.whole_bytes)
    whole = size * (ranks - 1.0) / _links(fabric, inside, fabric.gather_efficiency)
    return xp.where(small & (ranks <= inside), whole, all_reduce(fabric, size, ranks))


def all_to_all(fabric: Fabric, size: Number, ranks: Number, stride: Number = 1) -> Number:
    """Return the seconds in which each chip sends ``size`` bytes, evenly over ``ranks`` chips, itself among them.

    Notes
    -----
    What stays in the domain and what leaves it move at the same time on different links.
    """
    ranks = namespace(ranks).asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks, stride)
    near, far = size * (inside - 1) / ranks, size * (ranks - inside) / ranks
    return _near_and_far(fabric, near, far, ranks, inside, fabric.all_to_all_efficiency * _of_few(fabric, inside))


def dispatch(fabric: Fabric, size: Number, top_k: Number, ranks: Number, stride: Number = 1) -> Number:
    """Return the seconds in which each chip sends ``size`` bytes of tokens to ``top_k`` experts on ``ranks`` chips.

    Notes
    -----
    A token goes once to a chip however many of its experts are there, and once to a domain, which hands it on inside:
    with even routing k picks among n reach n (1 - (1 - 1/n)**k) of them. The achieved fraction in a domain is that of
    the published dispatch kernels (DeepEP, normal kernels: 153 to 158 of 200 GB/s on H800).
    """
    ranks = namespace(ranks).asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks, stride)
    domains = namespace(ranks).maximum(ranks / inside, 1.0)
    near = size * _reached(ranks, top_k) * (1 - 1 / ranks)
    far = size * _reached(domains, top_k) * (1 - 1 / domains)
    return _near_and_far(fabric, near, far, ranks, inside, DISPATCH_EFFICIENCY)


def decode_dispatch(fabric: Fabric, size: Number, top_k: Number, ranks: Number) -> Number:
    """Return the seconds in which each chip sends ``size`` bytes of few tokens to ``top_k`` experts on ``ranks`` chips.

    Notes
    -----
    Low-latency kernels send a token to each of its experts straight away, without the detour that spares copies.
    """
    ranks = namespace(ranks).asarray(ranks, dtype=float)
    inside = in_domain(fabric, ranks)
    near, far = size * top_k * (inside - 1) / ranks, size * top_k * (ranks - inside) / ranks
    at_home, away = near / _links(fabric, inside, DISPATCH_EFFICIENCY), far / _nic(fabric)
    xp = namespace(at_home, away)
    return xp.maximum(at_home, away) + xp.where(ranks > inside, DISPATCH_FAR_S, DISPATCH_NEAR_S)


def _near_and_far(
    fabric: Fabric, near: Number, far: Number, ranks: Number, inside: Number, efficiency: Number
) -> Number:
    """Return the seconds of bytes that stay in the domain and bytes that leave it, moved at the same time."""
    at_home, away = near / _links(fabric, inside, efficiency), far / _nic(fabric)
    return namespace(at_home, away).maximum(at_home, away) + _latency(fabric, ranks, inside)


def _reached(places: Number, picks: Number) -> Number:
    return places * (1 - (1 - 1 / places) ** picks)


def p2p(fabric: Fabric, size: Number, spans_domain: Number) -> Number:
    """Return the seconds to send ``size`` bytes to one chip, in the domain or (``spans_domain``) across domains."""
    xp = namespace(size, spans_domain, fabric.domain_bandwidth, fabric.scaleout_bandwidth)
    spans = xp.asarray(spans_domain, dtype=bool)
    nic = fabric.scaleout_bandwidth * fabric.scaleout_efficiency
    rate = xp.where(spans, nic, _links(fabric, 2.0, fabric.gather_efficiency) * _of_few(fabric, 2.0))
    latency = xp.where(spans, fabric.scaleout_latency, fabric.domain_latency + fabric.hop_latency)
    return xp.where(xp.asarray(size) > 0, size / rate + latency, 0.0)
