"""The search for the best replica, its refusals, and published runs within the stated tolerance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, NoFitError
from outlay.performance.serving.configurations import FINER, _readers, between, replicas_of
from outlay.performance.serving.hardware import family_of
from outlay.performance.serving.operations import Replicas
from outlay.performance.serving.search import best_serving
from outlay.performance.transformer import architecture

CATALOG = Catalog.load()


def best(model="Llama-3.1-70B", system="DGX H100", **wanted):
    """Search with usual lengths and targets where none are given."""
    asked = {"input_tokens": 2000, "output_tokens": 500, "ttft_s": 2.0, "tpot_s": 0.05} | wanted
    return best_serving(CATALOG.model(model), CATALOG.resolve_system(system), catalog=CATALOG, **asked)


def test_the_best_replica_meets_the_targets_within_memory():
    """Latencies stay below the targets, memory below what an engine takes, and the rates agree with each other."""
    found = best()
    assert found.ttft_s <= 2.0
    assert found.tpot_s <= 0.05
    assert sum(found.memory_bytes.values()) <= 0.9 * 80 * 2**30
    assert found.tokens_per_s_per_chip == pytest.approx(found.output_tokens_per_s_per_chip * 2500 / 500)
    assert found.low < 1 < found.high


def test_no_layout_of_the_space_serves_more():
    """The best of every fixed batch is not above the best of all."""
    whole = best().output_tokens_per_s_per_chip
    assert all(best(batch=n).output_tokens_per_s_per_chip <= whole * 1.0001 for n in (1, 8, 64))


def test_batches_between_one_that_meets_the_targets_and_the_next():
    """Nine steps from 64 requests of a group to the 76 that are too many; none within starts at one each."""
    coarse = replicas_of(architecture(CATALOG.model("Llama-3.1-8B")), 8, 8)
    within = coarse.group_batch <= 64
    within[1] = False
    finer = between(coarse, within)
    assert finer.tp.shape == finer.batch.shape == (len(within), FINER)
    steps = [math.floor(64 * (76 / 64) ** (k / FINER)) for k in range(FINER)]
    assert finer.group_batch[0].tolist() == steps
    assert steps[0] == 64
    assert steps[-1] < 76
    assert finer.group_batch[1].tolist() == [1.0] * FINER


@pytest.mark.parametrize(("model", "pools"), [("Llama-3.1-70B", False), ("DeepSeek-V3", True)])
def test_the_batch_comes_near_the_target_that_binds(model: str, pools: bool):
    """Batches are two per cent apart there, so the time of a token comes within 4 % of its target."""
    found = best(model, "H200", tpot_s=0.03, pools=pools)
    assert 0.96 * 0.03 < found.tpot_s <= 0.03


@settings(max_examples=25, deadline=None)
@given(tight=st.floats(0.012, 0.1), looser=st.floats(1.0, 3.0), chip=st.sampled_from(["DGX H100", "H20", "MI300X"]))
def test_tighter_targets_never_serve_more(tight, looser, chip):
    """A tighter TPOT admits fewer configurations."""

    def rate(tpot_s):
        try:
            return best(system=chip, tpot_s=tpot_s).output_tokens_per_s_per_chip
        except NoFitError:
            return 0.0

    assert rate(tight) <= rate(tight * looser)


def test_experts_are_spread_only_where_they_divide():
    """Every layout keeps tp in the domain, and experts on a number of chips that divides them."""
    replicas = replicas_of(architecture(CATALOG.model("DeepSeek-V3")), 8, 64)
    assert replicas.tp.max() == 8
    assert replicas.chips.max() == 64
    assert (256 % replicas.ep == 0).all()
    assert (np.diff(replicas.batch, axis=1) > 0).all()


def test_stages_hold_what_a_server_cannot():
    """Llama-3.1-405B in bf16 has 811 GB: two stages over two servers of 640 GB hold it; in fp8 one server does."""
    lengths = {"ttft_s": 5.0, "tpot_s": 0.1}
    found = best("Llama-3.1-405B", dtype="bf16", **lengths)
    assert "pp=2" in found.strategy
    assert found.chips_per_replica == 16
    assert sum(found.memory_bytes.values()) <= 0.9 * 80 * 2**30
    assert any("spans 2 of" in warning for warning in found.warnings)
    assert "pp=" not in best("Llama-3.1-405B", dtype="fp8", **lengths).strategy
    with pytest.raises(NoFitError, match=r"fits no replica of up to 8 H100.*16 would do"):
        best("Llama-3.1-405B", dtype="bf16", chips=8, **lengths)


def test_weights_that_fit_nowhere_are_refused_by_kind():
    """The refusal names the weights and the memory of a chip."""
    with pytest.raises(NoFitError, match=r"DeepSeek-V3 fits no replica of up to 4 H20 96GB: .*weights 1\d\d GB"):
        best("DeepSeek-V3", "H20", chips=4)


def test_targets_that_cannot_be_met_name_the_best():
    """The refusal says which TTFT and TPOT can be reached."""
    with pytest.raises(NoFitError, match=r"cannot meet a TTFT of 2 s and a TPOT of 0.1 ms; the best are .* ms"):
        best(tpot_s=1e-4)


def test_a_prompt_longer_than_the_context_is_refused():
    """The refusal names both lengths."""
    with pytest.raises(NoFitError, match=r"reads 131,072 tokens; prompt and answer have 200,500"):
        best(input_tokens=200_000)


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "ttft_s", "tpot_s", "chips", "batch"])
@pytest.mark.parametrize("value", [0, -1])
def test_nothing_may_be_zero_or_negative(name, value):
    """Lengths, targets and counts are above zero."""
    with pytest.raises(InputError, match="must be more than zero"):
        best(**{name: value})


def test_an_unknown_type_names_the_nearest():
    """A type nobody has is refused with those there are."""
    with pytest.raises(InputError, match=r"fp7.*fp8"):
        best(dtype="fp7")


def test_replicas_over_servers_and_borrowed_types_are_said():
    """DeepSeek-V3 spans servers of 64 GB chips, and multiplies in int8 where there is no fp8."""
    found = best("DeepSeek-V3", "Ascend 910B3", tpot_s=0.2, ttft_s=10)
    assert any("a replica spans" in warning for warning in found.warnings)
    assert any("multiplies fp8 weights at its" in warning for warning in found.warnings)


def test_pools_spread_experts_or_read_a_prompt_on_several_groups():
    """Of ranks that cut layers one way each: alone, on two groups, and with the experts spread as decoding has them."""
    one = np.ones((1, 1))
    found = _readers(Replicas(np.array([[1.0], [8.0]]), np.array([[32.0], [1.0]]), one), (1, 2))
    layouts = set(zip(found.tp.ravel(), np.ravel(found.cp), found.ep.ravel(), strict=True))
    assert layouts == {(1.0, 1.0, 1.0), (1.0, 2.0, 1.0), (8.0, 1.0, 1.0), (8.0, 2.0, 1.0), (1.0, 1.0, 32.0)}


def test_spread_experts_need_their_prompts_read_elsewhere():
    """A prompt of one group holds the others up: with pools DeepSeek-V3 makes half as many tokens again on H200s."""
    asked = {"chips": 64, "input_tokens": 3000, "output_tokens": 1000, "tpot_s": 0.05, "ttft_s": 5.0}
    mixed, pooled = (best("DeepSeek-V3", "H200", **asked, pools=apart) for apart in (False, True))
    assert "ep=1," not in pooled.strategy
    assert "prompts apart" in pooled.strategy
    assert pooled.tokens_per_s_per_chip > 1.5 * mixed.tokens_per_s_per_chip


def test_every_group_of_a_pool_reads_a_prompt():
    """The chips that read prompts are groups of their tp, however many of them share the experts."""
    found = best("DeepSeek-V3", "H200", chips=64, input_tokens=2000, output_tokens=500, pools=True)
    reading = found.setup.reading
    assert float(reading.ep[0, 0]) > 1
    chips = found.reading_chips_share * found.chips_per_replica
    assert found.setup.readers == pytest.approx(chips / float((reading.tp * reading.cp)[0, 0]), rel=0.1)


def test_pools_of_their_own_leave_decoding_alone():
    """With pools to choose from no fewer tokens are served, and the chips that read prompts are counted."""
    alone, pools = (best("DeepSeek-V3", "H200", chips=64, input_tokens=8000, pools=apart) for apart in (False, True))
    assert pools.output_tokens_per_s_per_chip >= alone.output_tokens_per_s_per_chip
    assert 0 <= pools.reading_chips_share < 1


def test_the_front_rises_in_time_and_tokens():
    """No point of the front is beaten by another in both."""
    front = best().front
    assert len(front) > 5
    assert (np.diff([point.tpot_s for point in front]) > 0).all()
    assert (np.diff([point.tokens_per_s_per_chip for point in front]) > 0).all()


@pytest.mark.parametrize("wrong", [{"cached": 1.0}, {"cached": -0.1}, {"drafts": -1}, {"acceptance": 1.5}])
def test_shares_stay_shares(wrong):
    """A share of the prompt, drafted tokens and their acceptance have bounds."""
    with pytest.raises(InputError, match="must be"):
        best(**wrong)


def test_an_unknown_engine_names_the_known():
    """An engine no published run used is refused with those there are."""
    with pytest.raises(InputError, match=r"vlm.*vLLM"):
        best(software="vlm")


def test_families_are_found_by_what_chips_are_called():
    """The training model's family names lead to those of published serving runs."""
    assert family_of("NVIDIA H20") == "H20"
    assert family_of("AMD MI300X/MI325X") == "AMD Instinct"
    assert family_of("TPU v6e") == "TPU"
    assert family_of("Cambricon MLU590") == "Cambricon MLU590"
