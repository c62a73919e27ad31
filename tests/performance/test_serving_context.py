"""Prompts that several attention groups read together: by hand, what it costs and spares, how wide it is searched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError
from outlay.performance.network import all_gather, all_to_all, direct
from outlay.performance.serving.configurations import Space, replicas_of
from outlay.performance.serving.context import turned, widths
from outlay.performance.serving.models import served
from outlay.performance.serving.operations import Precision, Replicas, kv_bytes, prefill_parts, weight_bytes
from outlay.performance.serving.search import best_serving, device_of

CATALOG = Catalog.load()
LLAMA = served(CATALOG.model("Llama-3.1-70B"))
WHERE = device_of(CATALOG, CATALOG.resolve_system("DGX H100"))
FP8 = Precision("fp8", "fp8", 2.0)
ONE = np.ones((1, 1))


def replica(tp=1.0, cp=1.0, ep=1.0, batch=1.0):
    """Return one layout."""
    return Replicas(tp * ONE, ep * ONE, batch * ONE, 1.0, cp * ONE)


def test_a_ring_that_nothing_hides_takes_its_bytes():
    """Two chips pass half of 1 GB of keys and values each; queries of 100 GB are not passed instead."""
    found = turned(WHERE.fabric, 1e9 * ONE, 1e11 * ONE, replica(cp=2.0), 0.0 * ONE)
    bare = direct(WHERE.fabric)
    assert found == pytest.approx(all_gather(WHERE.fabric, 1e9, 2.0, 1.0))
    assert turned(bare, 1e9 * ONE, 1e11 * ONE, replica(cp=2.0), 0.0 * ONE)[0, 0] == pytest.approx(
        0.5e9 / (WHERE.fabric.domain_bandwidth * WHERE.fabric.gather_efficiency)
    )


def test_attention_hides_all_but_the_first_block():
    """Of cp blocks of attention, cp - 1 run beside the ring."""
    seconds = float(all_gather(WHERE.fabric, 1e9, 4.0, 1.0))
    half = turned(WHERE.fabric, 1e9 * ONE, 1e12 * ONE, replica(cp=4.0), seconds / 2 / 0.75 * ONE)
    assert half == pytest.approx(seconds / 2)
    assert turned(WHERE.fabric, 1e9 * ONE, 1e12 * ONE, replica(cp=4.0), 2 * seconds * ONE) == 0


def test_short_queries_go_round_instead():
    """With a long cache and few queries the queries are passed, and their outputs come back."""
    found = turned(WHERE.fabric, 1e10 * ONE, 1e7 * ONE, replica(cp=4.0), 0.0 * ONE)
    asked = all_gather(WHERE.fabric, 1e7 * 4 / 2, 4.0, 1.0) + all_to_all(WHERE.fabric, 5e6, 4.0, 1.0)
    assert found == pytest.approx(asked)


def test_one_group_passes_nothing():
    """A width of one is a prompt read as ever."""
    assert turned(WHERE.fabric, 1e9 * ONE, 1e9 * ONE, replica(cp=1.0), 0.0 * ONE) == 0
    plain = Replicas(ONE, ONE, ONE)
    one, other = (prefill_parts(LLAMA, WHERE.chip, WHERE.fabric, r, 50_000.0, FP8) for r in (plain, replica()))
    assert one.total == other.total


def test_attention_of_a_long_prompt_is_shared_out_evenly():
    """FLOPs fall by the width: attention of 128k tokens on 8 groups takes an eighth."""
    one, eight = (prefill_parts(LLAMA, WHERE.chip, WHERE.fabric, replica(cp=cp), 131_072.0, FP8) for cp in (1.0, 8.0))
    assert float((one.attention / eight.attention)[0, 0]) == pytest.approx(8.0, rel=0.01)
    assert 6.5 < float((one.total / eight.total)[0, 0]) < 8.0


@settings(max_examples=40, deadline=None)
@given(tokens=st.floats(10_000, 1_000_000), tp=st.sampled_from([1.0, 2.0, 4.0]), cp=st.sampled_from([1.0, 2.0, 4.0]))
def test_twice_as_wide_is_quicker_but_not_by_more_than_half(tokens, tp, cp):
    """Time to read a long prompt falls with the width; chip-seconds do not."""
    one, two = (
        float(prefill_parts(LLAMA, WHERE.chip, WHERE.fabric, replica(tp, wide), tokens, FP8).total[0, 0])
        for wide in (cp, 2 * cp)
    )
    assert two < one <= 2.0 * two * 1.02


def test_groups_that_read_together_hold_their_own_weights_and_caches():
    """Weights are whole in every group; a request's cache lies with the group that answers it."""
    one, four = replica(tp=2.0, batch=4.0), replica(tp=2.0, cp=4.0, batch=16.0)
    assert weight_bytes(LLAMA, one, 1.0) == weight_bytes(LLAMA, four, 1.0)
    assert kv_bytes(LLAMA, one, 1000.0) == kv_bytes(LLAMA, four, 1000.0)
    assert four.chips == 8


def test_widths_are_searched_for_prompts_longer_than_a_step():
    """Up to 16 on enough chips, one where a step reads the prompt."""
    assert widths(None, 8192.0, 8192.0, 64) == (1,)
    assert widths(None, 100_000.0, 8192.0, 64) == (1, 2, 4, 8, 16)
    assert widths(None, 100_000.0, 8192.0, 4) == (1, 2, 4)
    assert widths(8, 3000.0, 8192.0, 64) == (8,)


@pytest.mark.parametrize(("cp", "tokens", "close"), [(3, 3000.0, 2), (128, 3000.0, 64), (0, 3000.0, 1), (8, 8.0, 4)])
def test_a_width_that_does_not_divide_is_refused(cp, tokens, close):
    """Not a power of two, more than the chips, or blocks of less than a token: the nearest that does."""
    with pytest.raises(InputError, match=rf"got {cp}; nearest: {close}$"):
        widths(cp, tokens, 8192.0, 64)


def test_layouts_of_every_width_fit_the_chips():
    """As many chips as tp x cp where experts are not spread, else as many as hold them."""
    arch = served(CATALOG.model("DeepSeek-V3")).arch
    found = replicas_of(arch, 8, 64, space=Space(widths=(1, 2, 4)))
    assert (found.chips == np.maximum(found.tp * found.cp, found.ep)).all()
    assert found.chips.max() <= 64
    assert set(np.ravel(found.cp)) == {1.0, 2.0, 4.0}


def best(**wanted):
    """Search for a prompt of 100,000 tokens."""
    asked = {"input_tokens": 100_000, "output_tokens": 500, "ttft_s": 60.0, "tpot_s": 0.1} | wanted
    model = CATALOG.model("Llama-3.1-70B")
    return best_serving(model, CATALOG.resolve_system("DGX H200"), catalog=CATALOG, **asked)


def test_a_tight_first_token_of_a_long_prompt_is_met_by_width():
    """Three seconds for 100,000 tokens cannot be had of one group; several together have it, pools or not."""
    with_cp = best(ttft_s=3.0)
    assert with_cp.ttft_s <= 3.0
    assert "cp=" in with_cp.strategy
    loose = best()
    assert loose.output_tokens_per_s_per_chip > with_cp.output_tokens_per_s_per_chip
    assert best(ttft_s=3.0, pools=True).output_tokens_per_s_per_chip >= with_cp.output_tokens_per_s_per_chip


def test_a_search_over_widths_is_no_worse_than_any():
    """The best of all widths is not below that of one."""
    whole = best(ttft_s=10.0).output_tokens_per_s_per_chip
    assert all(best(ttft_s=10.0, cp=cp).output_tokens_per_s_per_chip <= whole * 1.0001 for cp in (2, 8, 16))
