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
    direct,
    dispatch,
    fabric,
    few_reduced,
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
    """An all-gather of 1 TB in a DGX: 7/8 TB over 450 GB/s times the achieved fraction, and half that for pairs."""
    reached = 450e9 * (1 - H100.few_loss / 8)
    assert all_gather(H100, 1e12, 8) == pytest.approx(7 / 8 * 1e12 / (reached * H100.gather_efficiency), rel=1e-3)
    assert all_reduce(H100, 1e12, 8) == pytest.approx(2 * 7 / 8 * 1e12 / (reached * H100.reduce_efficiency), rel=1e-3)
    pair = 450e9 * (1 - H100.few_loss / 2) * H100.gather_efficiency
    assert all_gather(H100, 1e12, 2) == pytest.approx(0.5e12 / pair, rel=1e-3)


def test_a_ring_of_many_ranks_in_a_domain_gives_way_to_a_tree():
    """Of 2, 8 and 64 ranks in a domain of 72: 1 and 7 hops of a ring, then one more for each doubling."""
    domain = replace(H100, domain_chips=72)
    times = [float(all_gather(domain, 0.0, ranks)) for ranks in (2, 8, 64)]
    assert times == pytest.approx([H100.domain_latency + hops * H100.hop_latency for hops in (1, 7, 10)])


def test_small_sizes_take_the_quick_protocol_and_large_ones_the_thorough():
    """At the size where both cost the same, the loss of one is the latency of the other; it stays from there on."""
    links = H100.domain_bandwidth * H100.gather_efficiency * (1 - H100.few_loss / 8)
    equal = H100.thorough_latency / (1 / H100.quick_efficiency - 1)
    start = H100.domain_latency + 7 * H100.hop_latency
    for part in (0.25, 1.0, 4.0):
        size = 8 / 7 * part * equal * links
        late = min(part, 1.0) * H100.thorough_latency
        assert float(all_gather(H100, size, 8)) == pytest.approx(start + part * equal + late)


def test_ranks_that_read_each_other_pay_for_bytes_alone():
    """Eight ranks of an engine's own kernel: 2 x 7/8 of the bytes at the bandwidth of many ranks."""
    wire = 2 * 7 / 8 * 1e5 / (H100.domain_bandwidth * H100.reduce_efficiency)
    assert float(all_reduce(direct(H100), 1e5, 8)) == pytest.approx(wire)


def test_measured_collectives_are_met():
    """All-gathers of 64 KiB to 512 MiB over 2 and 8 H100, measured in GB/s of bus bandwidth."""
    measured = {2: (5, 46, 150, 229, 258), 8: (4.4, 54, 213, 299, 335)}
    for ranks, rates in measured.items():
        for size, rate in zip((2**16, 2**20, 2**24, 2**27, 2**29), rates, strict=True):
            bus = size * (1 - 1 / ranks) / float(all_gather(H100, size, ranks))
            assert bus == pytest.approx(rate * 1e9, rel=0.2)


def test_leaving_the_domain_costs():
    """Sixteen chips four apart sit in eight servers of two each, but in one NVL72."""
    assert all_gather(H100, 1e9, 16, 4) > 2 * all_gather(H100, 1e9, 2, 4)
    assert all_gather(NVL72, 1e9, 16, 4) < 2 * all_gather(NVL72, 1e9, 2, 4)
    assert all_to_all(H100, 1e9, 64) > 4 * all_to_all(NVL72, 1e9, 64)


def test_a_strided_group_has_one_nic_a_chip():
    """Data-parallel ranks eight apart each sit alone in their server: one 400 Gb/s NIC each."""
    assert in_domain(H100, 16, 8) == 1
    expected = 15 / 16 * 1e9 / (50e9 * H100.scaleout_efficiency)
    turn = H100.domain_latency + 15 * RING_HOP
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
    pair, eight = (size / float(all_gather(mesh, 1e12, ranks)) for ranks, size in ((2, 0.5e12), (8, 7 / 8 * 1e12)))
    assert pair == pytest.approx(eight / 7, rel=1e-3)


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


def test_few_tokens_are_summed_in_one_stage_of_whole_values_and_more_in_two():
    """Eight H100: to 128 tokens of 16 KiB each rank reads 7 x 2 MiB, of 129 tokens 2 x 7/8 x 2.0 MiB; 9 are too far."""
    engine = replace(direct(H100), whole_tokens=128.0)
    links, size = 450e9, 8192 * 2.0
    whole = 7 * 128 * size / (links * H100.gather_efficiency)
    assert few_reduced(engine, 128.0, 128 * size, 8) == pytest.approx(whole)
    assert few_reduced(engine, 129.0, 129 * size, 8) == all_reduce(engine, 129 * size, 8)
    assert few_reduced(engine, 129.0, 129 * size, 8) < whole / 3
    assert few_reduced(engine, 1.0, size, 16) == all_reduce(engine, size, 16)
    assert few_reduced(engine, 1.0, size, 1) == 0.0


def test_the_size_up_to_which_whole_values_are_sent_falls_with_the_ranks():
    """vLLM: under 512 KiB over four ranks and under 256 KiB over eight."""
    engine = replace(direct(H100), whole_bytes=2.0**21)
    for ranks, most in ((4, 2**19), (8, 2**18)):
        below, at = (few_reduced(engine, 1.0, float(size), ranks) for size in (most - 16, most))
        assert at == all_reduce(engine, float(most), ranks)
        assert below == pytest.approx((ranks - 1) * (most - 16) / (450e9 * H100.gather_efficiency))
