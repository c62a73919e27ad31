"""Times of collectives: limits, growth, and the difference a scale-up domain makes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.catalog.records import System
from outlay.errors import MissingFigureError
from outlay.performance.network import (
    RING_HOP,
    all_gather,
    all_reduce,
    all_to_all,
    dispatch,
    fabric,
    in_domain,
    p2p,
    reduce_scatter,
)

CATALOG = Catalog.load()
H100 = fabric(CATALOG.system("DGX H100"), CATALOG.chip("H100 SXM"))
NVL72 = fabric(CATALOG.system("GB200 NVL72"), CATALOG.chip("GB200 (per GPU)"))
COLLECTIVES = [all_gather, reduce_scatter, all_reduce, all_to_all]


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_one_chip_alone_needs_no_time(collective):
    """A group of one is free."""
    assert collective(H100, 1e9, 1) == 0.0


@pytest.mark.parametrize("collective", COLLECTIVES)
@given(st.floats(1, 1e11), st.floats(1, 10), st.sampled_from([2, 8, 64, 1024]))
def test_a_larger_message_is_never_faster(collective, size: float, factor: float, ranks: int):
    """Time grows with bytes."""
    assert collective(H100, size * factor, ranks) >= collective(H100, size, ranks)


def test_large_messages_reach_the_fitted_bandwidth():
    """An all-gather of 1 GB in a DGX: 7/8 GB over 450 GB/s times the achieved fraction."""
    wire = 7 / 8 * 1e9 / (450e9 * H100.gather_efficiency)
    assert all_gather(H100, 1e9, 8) == pytest.approx(wire + H100.domain_latency)
    assert all_reduce(H100, 1e9, 8) == pytest.approx(
        2 * 7 / 8 * 1e9 / (450e9 * H100.reduce_efficiency) + H100.domain_latency
    )


def test_measured_collectives_are_met():
    """512 MiB all-gather over 8 H100: measured 335.2 GB/s bus bandwidth, 1 MiB 53.6 GB/s."""
    for size, measured in ((2**29, 335.2e9), (2**20, 53.6e9)):
        bus = size * 7 / 8 / float(all_gather(H100, size, 8))
        assert bus == pytest.approx(measured, rel=0.35)


def test_leaving_the_domain_costs():
    """Sixteen chips four apart sit in eight servers of two each, but in one NVL72."""
    assert all_gather(H100, 1e9, 16, 4) > 2 * all_gather(H100, 1e9, 2, 4)
    assert all_gather(NVL72, 1e9, 16, 4) < 2 * all_gather(NVL72, 1e9, 2, 4)
    assert all_to_all(H100, 1e9, 64) > 4 * all_to_all(NVL72, 1e9, 64)


def test_a_strided_group_has_one_nic_a_chip():
    """Data-parallel ranks eight apart each sit alone in their server: one 400 Gb/s NIC each."""
    assert in_domain(H100, 16, 8) == 1
    expected = 15 / 16 * 1e9 / (50e9 * H100.scaleout_efficiency)
    turn = 16 * H100.domain_latency + 15 * RING_HOP
    assert all_gather(H100, 1e9, 16, 8) == pytest.approx(expected + turn)


def test_oversubscription_slows_what_leaves_the_domain_only():
    """A 3:1 network triples the time between domains and leaves the inside alone."""
    thin = replace(H100, oversubscription=3.0)
    assert all_gather(thin, 1e10, 16, 8) == pytest.approx(3 * all_gather(H100, 1e10, 16, 8), rel=0.02)
    assert all_gather(thin, 1e10, 8) == all_gather(H100, 1e10, 8)


def test_a_mesh_gives_a_pair_only_its_link():
    """910B: two chips of a mesh of eight reach a seventh of what eight reach."""
    mesh = fabric(CATALOG.system("Atlas 800T A2 training server"), CATALOG.chip("Ascend 910B3"))
    assert mesh.mesh
    pair = 0.5e9 / (float(all_gather(mesh, 1e9, 2)) - mesh.domain_latency)
    eight = 7 / 8 * 1e9 / (float(all_gather(mesh, 1e9, 8)) - mesh.domain_latency)
    assert pair == pytest.approx(eight / 7)


def test_dispatch_sends_a_token_once_to_a_domain():
    """Eight experts on 64 chips of 8 domains: fewer bytes leave than with a copy an expert."""
    assert dispatch(H100, 1e9, 8, 64) < all_to_all(H100, 8e9, 64)
    assert dispatch(H100, 1e9, 8, 1) == 0.0


def test_sending_to_a_stage():
    """Nothing costs nothing; another domain is slower."""
    assert p2p(H100, 0.0, True) == 0.0
    assert p2p(H100, 1e8, True) > p2p(H100, 1e8, False)


def test_what_no_source_gives_is_assumed_by_name():
    """A system without a NIC gets its class's and a warning; one without any size is refused."""
    assumed = fabric(CATALOG.system("A800 server"), CATALOG.chip("A800 SXM 80GB"))
    assert any("scale-out bandwidth" in warning and "assumed 200 Gb/s" in warning for warning in assumed.warnings)
    with pytest.raises(MissingFigureError, match="scale-up domain"):
        fabric(System("box"), CATALOG.chip("H100 SXM"))
