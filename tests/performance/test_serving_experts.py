"""The hottest chip of an expert group: by hand, against drawn routing, and what copies of experts cost and spare."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError
from outlay.performance.serving.configurations import Space, replicas_of
from outlay.performance.serving.experts import GINI, balanced, hottest, popularity
from outlay.performance.serving.models import served
from outlay.performance.serving.operations import Precision, Replicas, decode_parts, prefill_parts, weight_bytes
from outlay.performance.serving.search import best_serving, device_of

CATALOG = Catalog.load()
ONE = np.ones((1, 1))


def test_popularity_has_the_gini_index_asked_for():
    """Of many experts, half the mean difference of two over the mean."""
    loads = popularity(2000, GINI)
    order = np.arange(1, 2001)
    gini = 2 * (order * np.sort(loads)).sum() / (2000 * loads.sum()) - 2001 / 2000
    assert loads.mean() == pytest.approx(1.0)
    assert gini == pytest.approx(GINI, rel=0.01)


def test_a_balancer_by_hand():
    """Loads 4, 2, 1, 1: 4 + 1 and 2 + 1 on two chips; two copies go to the first, 4/3 each, and 13/3 and 11/3 is it."""
    loads = np.array([4.0, 2.0, 1.0, 1.0])
    assert sorted(balanced(loads, 2, 0)) == [3.0, 5.0]
    assert sorted(balanced(loads, 2, 2)) == pytest.approx([11 / 3, 13 / 3])
    assert balanced(loads, 4, 0).max() == 4.0


def test_even_routing_of_many_tokens_is_even():
    """Chance dies out as one over the square root of the tokens of a chip."""
    few, many = (float(hottest(256, 8, n, 8.0, -1.0, 0.0)) for n in (1e4, 1e6))
    assert many - 1 == pytest.approx((few - 1) / 10, rel=0.05)
    assert few == pytest.approx(1 + 1.42 * math.sqrt((256 - 8) / 255 / 1e4), rel=0.01)


def test_one_token_lies_on_as_many_chips_as_it_has_experts():
    """Eight experts on 64 chips: the hottest has one of a mean of an eighth, or more."""
    assert float(hottest(256, 8, 1.0, 64.0, -1.0, 0.0)) >= 8.0


def drawn(experts, top_k, tokens, ranks, redundant, gini, times, draw):
    """Return the mean of the hottest chip over the mean one of drawn tokens, each with different experts.

    Experts are drawn in one turn of a wheel with a pin every 1/k (systematic sampling), so that each is drawn as often
    as its popularity says; of its copies a token takes any.
    """
    loads, found = popularity(experts, gini), []
    copies = np.ones(experts, dtype=int)
    for _ in range(max(redundant, 0)):
        copies[np.argmax(loads / copies)] += 1
    parts = np.repeat(loads / copies, copies)
    chip, room, held = np.zeros(len(parts), dtype=int), np.full(ranks, len(parts) // ranks), np.zeros(ranks)
    for slot in np.argsort(-parts, kind="stable"):
        chip[slot] = np.argmin(np.where(room > 0, held, np.inf))
        held[chip[slot]] += parts[slot]
        room[chip[slot]] -= 1
    for _ in range(times):
        counts = np.zeros(experts)
        for _ in range(tokens):
            order = draw.permutation(experts)
            edges = np.cumsum(loads[order]) * top_k / experts
            pins = draw.random() + np.arange(top_k)
            counts[order[np.minimum(np.searchsorted(edges, pins, side="right"), experts - 1)]] += 1
        if redundant < 0:
            chips = counts[draw.permutation(experts)].reshape(ranks, -1).sum(1)
        else:
            of_one = np.repeat(np.cumsum(copies) - copies, counts.astype(int))
            slots = of_one + draw.integers(0, np.repeat(copies, counts.astype(int)))
            chips = np.bincount(chip[slots], minlength=ranks)
        found.append(chips.max() / chips.mean())
    return float(np.mean(found))


@pytest.mark.parametrize("redundant", [-1, 0, 64])
@pytest.mark.parametrize("gini", [0.0, GINI, 0.4])
@pytest.mark.parametrize(("experts", "top_k"), [(256, 8), (128, 8), (64, 6)])
@pytest.mark.parametrize(("ranks", "tokens"), [(8, 16), (8, 512), (32, 128), (64, 512)])
def test_the_hottest_chip_agrees_with_drawn_routing(experts, top_k, ranks, tokens, gini, redundant):
    """Within 10 % of what is drawn, of chance and popularity, with a balancer and without."""
    times = 40 if tokens < 200 else 15
    simulated = drawn(experts, top_k, tokens, ranks, redundant, gini, times, np.random.default_rng(2))
    assert float(hottest(experts, top_k, tokens, ranks, redundant, gini)) == pytest.approx(simulated, rel=0.10)


@given(
    tokens=st.floats(1, 1e5),
    ranks=st.sampled_from([2, 4, 8, 16, 32, 64, 128]),
    gini=st.floats(0.0, 0.6),
    redundant=st.sampled_from([-1, 0, 128]),
)
@settings(max_examples=60, deadline=None)
def test_no_chip_is_colder_than_the_mean_nor_has_all(tokens, ranks, gini, redundant):
    """Between the mean and everything; never less where experts are asked for less evenly."""
    found = float(hottest(256, 8, tokens, ranks, redundant, gini))
    assert 1.0 <= found <= ranks
    assert found <= float(hottest(256, 8, tokens, ranks, redundant, gini + 0.2)) * 1.01


@given(tokens=st.floats(16, 1e5), ranks=st.sampled_from([2, 8, 32, 128]), gini=st.floats(0.0, 0.4))
@settings(max_examples=40, deadline=None)
def test_copies_never_heat(tokens, ranks, gini):
    """A balancer is no worse than none, nor a copy for each chip than none of them: within the 10 % of the formulas."""
    none, arranged, copied = (float(hottest(256, 8, tokens, ranks, copies, gini)) for copies in (-1, 0, ranks))
    assert copied <= arranged * 1.03
    assert arranged <= none * 1.10


V3 = served(CATALOG.model("DeepSeek-V3"))
FP8 = Precision("fp8", "fp8", 2.0)


def replica(copies=-1.0, skew=0.0, batch=1024.0):
    """Return DeepSeek-V3 on 32 chips."""
    return Replicas(ONE, 32 * ONE, batch * ONE, 1.0, 1.0, copies * ONE, skew)


def test_a_copy_takes_the_memory_of_an_expert():
    """32 copies over 32 chips: one expert of 3 x 7168 x 2048 weights in each of 58 layers, 2.6 GB in fp8."""
    one, other = (float(weight_bytes(V3, replica(copies), 1.0)[0, 0]) for copies in (-1.0, 32.0))
    assert other - one == pytest.approx(58 * 3 * 7168 * 2048)


def test_hot_experts_slow_their_layer_and_nothing_else():
    """GEMMs and the way to the experts take longer, attention as long; copies shorten the way, and are read."""
    where = device_of(CATALOG, CATALOG.resolve_system("DGX H200"))
    even, hot, copied = (
        decode_parts(V3, where.chip, where.fabric, replica(*asked), 2000.0, FP8)
        for asked in ((-1.0, 0.0), (-1.0, 0.4), (32.0, 0.4))
    )
    assert hot.gemm > even.gemm
    assert copied.gemm > even.gemm
    assert hot.network > copied.network > even.network
    assert hot.attention == even.attention


def test_a_prefill_of_many_tokens_waits_for_the_popular_experts():
    """Compute-bound experts take as much longer as the hottest chip has more tokens."""
    where = device_of(CATALOG, CATALOG.resolve_system("DGX H200"))
    even, hot = (prefill_parts(V3, where.chip, where.fabric, replica(-1.0, skew), 8192.0, FP8) for skew in (0.0, GINI))
    factor = float(hottest(256, 8, 8192.0 * 32, 32.0, -1.0, GINI))
    assert float((hot.gemm / even.gemm)[0, 0]) < factor
    assert float((hot.gemm / even.gemm)[0, 0]) > 1 + 0.3 * (factor - 1)


def test_copies_are_searched_as_whole_slots_of_every_chip():
    """None, one and two more on each chip, where experts are spread; as many slots everywhere."""
    found = replicas_of(V3.arch, 8, 64, space=Space(redundant="search", skew=GINI))
    spread = found.ep > 1
    assert set((found.copies / found.ep)[spread]) == {0.0, 1.0, 2.0}
    assert (found.copies[~spread] == 0).all()
    given_copies = replicas_of(V3.arch, 8, 64, space=Space(redundant=32, skew=GINI))
    assert ((256 + 32) % given_copies.ep == 0).all()
    assert (given_copies.ep > 1).all()


def best(model="DeepSeek-V3", **wanted):
    """Search with usual lengths and targets."""
    asked = {"input_tokens": 2000, "output_tokens": 500, "ttft_s": 5.0, "tpot_s": 0.1, "chips": 64} | wanted
    return best_serving(CATALOG.model(model), CATALOG.resolve_system("DGX H200"), catalog=CATALOG, **asked)


def test_the_search_over_copies_is_no_worse_than_any_of_them():
    """The best of all, and uneven experts never serve more than even ones."""
    whole = best(redundant="search").output_tokens_per_s_per_chip
    assert all(best(redundant=n).output_tokens_per_s_per_chip <= whole * 1.0001 for n in (0, 32, 64))
    assert whole <= best().output_tokens_per_s_per_chip
    found = best(redundant=32)
    assert "redundant=32" in found.strategy
    assert found.hottest_experts > 1.0
    assert best().hottest_experts == 1.0


@pytest.mark.parametrize(
    ("model", "asked", "words"),
    [
        ("Llama-3.1-70B", {"redundant": 8}, "Llama-3.1-70B has no experts"),
        ("Llama-3.1-70B", {"skew": 0.2}, "Llama-3.1-70B has no experts"),
        ("DeepSeek-V3", {"redundant": 33}, r"got 33 redundant experts; nearest: 3[24]$"),
        ("DeepSeek-V3", {"redundant": 5000}, r"got 5000 redundant experts; nearest: 1022$"),
        ("DeepSeek-V3", {"redundant": 32, "chips": 1}, r"2 chips or more .* got 1; nearest: 2$"),
        ("DeepSeek-V3", {"skew": -0.1}, r"got -0\.1; nearest: 0$"),
        ("DeepSeek-V3", {"skew": 1.0}, r"got 1; nearest: 0\.9$"),
    ],
)
def test_copies_that_cannot_be_are_refused(model, asked, words):
    """One message with the nearest choice."""
    with pytest.raises(InputError, match=words):
        best(model, **asked)
