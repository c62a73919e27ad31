"""The search for a strategy: what it returns divides, fits and is best; what cannot be is refused with a way out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError, NoFitError
from outlay.performance import training
from outlay.performance.chip import chip_model, rows
from outlay.performance.envelope import warning
from outlay.performance.families import FamilyFit
from outlay.performance.network import fabric
from outlay.performance.search import best_training, default_batch, divisible_batch, on_stack
from outlay.performance.space import candidates, tried, whole
from outlay.performance.strategy import PARTS, Strategy, parse_strategy, stacks
from outlay.performance.sweep import Task, pieces, sweep
from outlay.performance.transformer import architecture

CATALOG = Catalog.load()
DGX = CATALOG.system("DGX H100")
LLAMA_70B = CATALOG.model("Llama-3-70B")


def best(model="Llama-3-70B", system="DGX H100", chips=256, **options):
    """Return the best strategy on catalogue records."""
    return best_training(CATALOG.model(model), CATALOG.system(system), chips, catalog=CATALOG, **options)


@pytest.mark.parametrize("model", ["Llama-3-70B", "DeepSeek-V3"])
@pytest.mark.parametrize("chips", [64, 96, 1024])
def test_candidates_multiply_and_divide(model: str, chips: int):
    """Each uses all chips and cuts layers, heads, experts and batch without a rest."""
    arch = architecture(CATALOG.model(model))
    chip = CATALOG.chip("H100 SXM")
    batch = default_batch(chips, 4096)
    found = candidates(arch, chips, fabric(DGX, chip), batch, 4096)
    assert len(found) > 10
    assert np.all(found.chips == chips)
    assert np.all(batch % (found.dp * found.micro_batch) == 0)
    assert np.all(arch.heads % found.tp == 0)
    assert np.all((found.tp * found.cp * found.dp) % found.ep == 0)
    interleaved = found.vpp > 1
    chunks = (found.pp * found.vpp)[interleaved]
    assert np.all((arch.layers % chunks == 0) | ((arch.layers + 2) % chunks == 0))


def plainly(estimate, arch, system=DGX, dtype="bf16"):
    """Return the whole space of an estimate and what the formulas say of each strategy, in one call without chunks."""
    chip = CATALOG.chip(estimate.chip)
    network = fabric(system, chip)
    arch, stack = on_stack(arch, "current", dtype)
    found = whole(arch, estimate.chips, network, estimate.batch_sequences, estimate.sequence).strategies()
    times = training.evaluate(
        arch, chip_model(chip, stack), network, found, estimate.batch_sequences, estimate.sequence, dtype
    )
    return found, times, tried(found, network, estimate.sequence, {}, stacks()[stack])


def test_what_is_assumed_of_experts_is_said():
    """Under which generation they run, and how much of their launches graphs replay; of a dense model nothing is."""
    experts, dense = (architecture(CATALOG.model(name)) for name in ("Qwen3-30B-A3B", "Llama-3-8B"))
    for dtype, stack, part in (("bf16", "megatron-2025", "20%"), ("fp8_block", "current", "100%")):
        arch, used = on_stack(experts, "current", dtype)
        said = arch.assumptions[len(experts.assumptions) :]
        assert (used, len(said)) == (stack, 2 if stack == "megatron-2025" else 1)
        assert said[-1].startswith(f"CUDA graphs replay {part} of what the host launches for experts")
    assert on_stack(dense, "current", "bf16") == (dense, "current")


@pytest.mark.parametrize("model", ["Llama-3-70B", "Qwen3-30B-A3B"])
def test_the_best_is_the_fastest_that_fits(model: str):
    """Of all strategies with tried parts alone; with the ten after it, the count, and the front against every other."""
    estimate = best(model, chips=64, batch_tokens=256 * 4096)
    found, times, known = plainly(estimate, architecture(CATALOG.model(model)))
    assert (estimate.strategies, estimate.feasible) == (len(found), times.fits.sum())
    order = np.sort(times.step_time_s[times.fits & known])
    assert estimate.step_time_s == pytest.approx(order[0], rel=1e-9)
    assert [choice.step_time_s for choice in estimate.runners_up] == pytest.approx(order[1:11], rel=1e-9)
    assert all(choice.tried for choice in estimate.runners_up)
    fastest = times.step_time_s[times.fits].min()
    assert min(choice.step_time_s for choice in estimate.front) == pytest.approx(fastest, rel=1e-9)
    assert sum(estimate.memory.values()) <= estimate.memory_limit
    assert estimate.step_low_s < estimate.step_time_s < estimate.step_high_s
    mine = [choice for choice in estimate.front if choice.chips == 64]
    for choice in mine:
        no_more = times.fits & (times.memory_bytes <= choice.memory_bytes * (1 - 1e-9))
        assert np.all(times.step_time_s[no_more] > choice.step_time_s)


def test_nothing_on_the_front_beats_another():
    """In time, memory and chips at once; fewer chips are on it, each within the memory."""
    estimate = best(chips=256)
    points = np.array([(c.step_time_s, c.memory_bytes, c.chips) for c in estimate.front])
    no_worse = (points[:, None] <= points[None]).all(axis=2)
    assert np.array_equal(no_worse, np.eye(len(points), dtype=bool))
    assert {choice.chips for choice in estimate.front} == {256, 128, 64, 32}
    assert points[:, 1].max() <= estimate.memory_limit


def test_what_no_run_has_tried_is_told_apart():
    """Faster strategies with untried parts are named and never the best; a part the user gives is the user's."""
    estimate = best("Llama-3.1-405B", chips=16384, sequence=8192)
    assert estimate.on_paper
    for choice in estimate.on_paper:
        assert choice.step_time_s < estimate.step_time_s
        assert not choice.tried
    given = best("Llama-3.1-405B", chips=16384, sequence=8192, fixed=parse_strategy("schedule=zero-bubble,cp=1"))
    assert "schedule=zero-bubble" in given.strategy


def test_a_prediction_above_every_measured_run_at_its_scale_says_so():
    """The envelope: best MFU of the family on half the chips or more; and no such run."""
    above = warning("NVIDIA H100", "bf16", 16384, 0.45)
    assert "above the best measured run of NVIDIA H100 at this scale, 42%" in above
    assert warning("NVIDIA H100", "bf16", 512, 0.45) == ""
    assert "the largest had 16,384" in warning("NVIDIA H100", "bf16", 65536, 0.2)
    assert warning("never measured", "bf16", 64, 0.9) == ""


def test_the_envelope_is_a_staircase():
    """Per family and precision, more chips never have a better MFU; all are possible."""
    steps: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in rows("envelope.csv"):
        steps.setdefault((row["family"], row["precision"]), []).append((int(row["chips"]), float(row["mfu"])))
    assert len(steps) > 10
    for of in steps.values():
        assert [chips for chips, _ in of] == sorted({chips for chips, _ in of}, reverse=True)
        assert [mfu for _, mfu in of] == sorted({mfu for _, mfu in of})
        assert all(0 < mfu < 1 for _, mfu in of)


MODELS = st.sampled_from(["Llama-3-8B", "Llama-3-70B", "Mixtral-8x7B", "DeepSeek-V3", "gpt-oss-120b"])
PLACES = st.sampled_from([("DGX H100", "H100 SXM"), ("DGX A100", "A100 SXM 80GB"), ("GB200 NVL72", "GB200 (per GPU)")])


@settings(max_examples=8)
@given(
    MODELS, PLACES, st.sampled_from([8, 16, 24, 64]), st.sampled_from([16, 48, 96]), st.sampled_from([2048, 4096]),
    st.sampled_from(["current", "megatron-2021", "dualpipe-2024"]), st.sampled_from([300, 4096, 10**6]),
)  # fmt: skip
def test_chunks_give_what_one_plain_call_gives(model, place, chips, batch, sequence, stack, chunk):
    """Every strategy's time, memory and fit, however the space is cut, to 1e-9; and the counts and the front."""
    arch, chip = architecture(CATALOG.model(model)), CATALOG.chip(place[1])
    network = fabric(CATALOG.system(place[0]), chip)
    task = Task(arch, FamilyFit(1.2, 1.1, 0.8).on(chip_model(chip, stack)), network, batch, sequence, "bf16")
    space = whole(arch, chips, network, batch, sequence, {"micro_batch": 1.0, "shard": 0.0}, task.stack)

    large = replace(task, chip=replace(task.chip, memory_bytes=1e18))
    cut = list(pieces(large, space, chunk))
    assert sum(len(piece.part) for piece in cut) == len(space)
    together = Strategy(*(np.concatenate(parts) for parts in zip(*(columns(piece) for piece in cut), strict=True)))
    plain = large.evaluate(together)
    for name in ("step_time_s", "memory_bytes", "fits"):
        seen = np.concatenate([getattr(piece, name).ravel() for piece in cut])
        assert seen == pytest.approx(getattr(plain, name), rel=1e-9)

    plain, found = task.evaluate(space.strategies()), sweep(task, space, chunk=chunk)
    assert (found.strategies, found.feasible) == (len(space), plain.fits.sum())
    if found.feasible:
        times = plain.step_time_s[plain.fits]
        assert found.fastest.step_time_s == pytest.approx(np.sort(times)[: len(found.fastest)], rel=1e-9)
        assert found.front.memory_bytes.min() == pytest.approx(plain.memory_bytes[plain.fits].min(), rel=1e-9)
        assert np.all(np.diff(found.front.step_time_s) >= 0)
        assert np.all(np.diff(found.front.memory_bytes) < 0)


def columns(piece):
    """Return the parts of each strategy of a piece."""
    every = piece.part.at(np.arange(len(piece.part)))
    return [getattr(every, part) for part in PARTS]


@settings(max_examples=8)
@given(MODELS, st.sampled_from([8, 12, 64]), st.sampled_from([16, 48]), st.sampled_from([2048, 32768]))
def test_no_strategy_is_in_the_space_twice_or_divides_with_a_rest(model, chips, batch, sequence):
    """Of the whole space: each is there once, multiplies to the chips and divides what it cuts."""
    arch = architecture(CATALOG.model(model))
    space = whole(arch, chips, fabric(DGX, CATALOG.chip("H100 SXM")), batch, sequence)
    found = space.strategies()
    table = np.stack([getattr(found, part) for part in PARTS], axis=1)
    assert len(np.unique(table, axis=0)) == len(table) == len(space)
    assert np.all(found.chips == chips)
    assert np.all(batch % (found.dp * found.micro_batch) == 0)
    assert np.all(arch.heads % found.tp == 0)
    assert np.all((found.context == 0) | (arch.heads % (found.tp * found.cp) == 0))
    assert np.all(max(arch.experts, 1) % found.ep == 0)
    assert np.all((found.shard == 0) | ((found.dp % np.maximum(found.shard, 1) == 0) & (found.shard < chips)))
    assert np.all((found.schedule == 0) | ((found.pp > 1) & (found.vpp == 1)))
    assert np.all((found.zero < 3) | (found.pp == 1))


def test_an_old_stack_searches_what_was_known_then():
    """In 2021 nobody had selective recomputation, sequence or context parallelism, FSDP of parts, or a zero bubble."""
    arch = architecture(LLAMA_70B)
    found = whole(
        arch, 64, fabric(DGX, CATALOG.chip("H100 SXM")), 64, 4096, None, stacks()["megatron-2021"]
    ).strategies()
    assert set(found.recompute) == {0.0, 2.0}
    assert set(found.sequence_parallel) == {0.0}
    assert set(found.schedule) == set(found.shard) == set(found.context) == {0.0}
    assert set(found.cp) == {1.0}
    front = best("GPT-3 175B", "DGX A100", 1024, sequence=2048, stack="megatron-2021").front
    assert {choice.chips for choice in front} > {1024}
    assert not any("selective" in choice.strategy or "sp=off" not in choice.strategy for choice in front)


@pytest.mark.parametrize(
    ("model", "system"), [("Llama-3-70B", "DGX H100"), ("DeepSeek-V3", "GB200 NVL72"), ("Qwen3-30B-A3B", "DGX A100")]
)
def test_more_chips_are_never_slower_at_the_same_batch(model: str, system: str):
    """Doubling the chips does not lengthen the best step."""
    steps = [best(model, system, chips, batch_tokens=2048 * 4096).step_time_s for chips in (512, 1024, 2048)]
    assert steps == sorted(steps, reverse=True)


def test_days_and_tokens_agree():
    """Tokens over tokens a second."""
    estimate = best()
    assert estimate.tokens_per_s == estimate.batch_sequences * 4096 / estimate.step_time_s
    assert estimate.days(1e12) == pytest.approx(1e12 / estimate.tokens_per_s / 86400)
    low, high = estimate.days_band(1e12)
    assert low < estimate.days(1e12) < high


def test_a_given_strategy_is_evaluated_as_given():
    """Every fixed part stands in the answer."""
    estimate = best(fixed=parse_strategy("tp=4,pp=8,mbs=2,recompute=full,zero=1"))
    assert estimate.strategy.startswith("tp=4,pp=8,")
    assert "mbs=2,recompute=full,zero=1" in estimate.strategy


def test_chips_never_measured_get_the_class_band_and_say_so():
    """And assumed network figures are named."""
    estimate = best("Llama-3-8B", "trn2.48xlarge / Trn2 UltraServer", 64)
    assert "no measured training run" in estimate.basis
    assert any("no kernel of this chip was measured" in warning for warning in estimate.warnings)


@pytest.mark.parametrize(
    ("sequences", "chips", "expected"),
    [(16e6 / 8192, 16384, 2048), (1024, 3072, 1056), (1000, 1000, 1000), (1, 16384, 1), (15381, 2048, 15360)],
)
def test_batches_get_the_factors_of_the_chips(sequences: float, chips: int, expected: int):
    """Within 6 % of what was asked for, where that can be."""
    assert divisible_batch(sequences, chips) == expected


def test_what_does_not_fit_says_what_overflows_and_what_would_fit():
    """405B on 16 chips: the optimiser states; 128 chips would do."""
    with pytest.raises(
        NoFitError, match=r"does not fit on 16 x H100 SXM .* most of it optimiser .*; \d+ chips would do"
    ):
        best("Llama-3.1-405B", chips=16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chips": 0}, "chips must be above zero, not 0"),
        ({"chips": -8}, "chips must be above zero, not -8"),
        ({"sequence": 0}, "sequence must be above zero"),
        ({"batch_tokens": -1.0}, "batch tokens must be above zero"),
        ({"sequence": 1_000_000}, "longer than Llama-3-70B's context"),
        ({"fixed": {"tp": 3.0}}, "tp 3 does not divide 256 chips"),
        ({"fixed": {"tp": 8.0, "pp": 4.0, "dp": 4.0, "cp": 1.0}}, "tp 8 x pp 4 x cp 1 x dp 4 = 128 is not 256 chips"),
        ({"fixed": {"pp": 128.0}}, "pp x vpp = 128 is more than the 80 layers of Llama-3-70B"),
        ({"fixed": {"tp": 128.0, "pp": 1.0}}, "tp 128 does not divide the 64 heads"),
        ({"fixed": {"ep": 2.0}}, "ep 2 does not divide the 1 experts"),
        (
            {"batch_tokens": 4096 * 7.0, "fixed": {"pp": 1.0, "cp": 1.0}},
            "no strategy divides 256 chips, 80 layers, 64 heads and a batch of 7",
        ),
    ],
)
def test_contradictions_are_refused(options: dict, message: str):
    """Each names what is wrong."""
    with pytest.raises(InputError, match=message):
        best(**options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tp", "'tp' is not name=value"),
        ("tpp=8", "unknown part 'tpp'; nearest: .*tp"),
        ("tp=0", "tp is '0'; expected a whole number from 1"),
        ("tp=eight", "tp is 'eight'"),
        ("zero=4", "zero is '4'; expected a whole number from 0 to 3"),
        ("recompute=some", "expected one of none, selective, full, attention, ffn"),
        ("schedule=gpipe", "schedule is 'gpipe'; expected one of 1f1b, zero-bubble, dualpipe"),
        ("offload=all", "offload is 'all'; expected one of none, optimiser, activations"),
        ("context=star", "context is 'star'; expected one of ring, ulysses"),
        ("sp=maybe", "sp is 'maybe'; expected one of off, on"),
        ("shard=-8", "shard is '-8'; expected a whole number from 0"),
        ("etp=0", "etp is '0'; expected a whole number from 1"),
        ("sp=on,sequence_parallel=off", "'sequence_parallel' is given twice"),
        ("tp=8,tp=4", "'tp' is given twice"),
        ("", "is not name=value"),
    ],
)
def test_malformed_strategies_are_refused(text: str, message: str):
    """With the nearest valid part."""
    with pytest.raises(InputError, match=message):
        parse_strategy(text)


def test_every_part_a_strategy_prints_can_be_given():
    """What ``Strategy.text`` writes is read back to the same values."""
    text = "tp=8,pp=4,vpp=1,cp=2,ep=4,dp=8,mbs=2,recompute=ffn,zero=2,sp=off,etp=2,schedule=dualpipe,offload=optimiser"
    text += ",context=ulysses,shard=4"
    fixed = parse_strategy(text)
    assert set(fixed) == set(PARTS)
    assert Strategy.of(**fixed).text() == text


@pytest.mark.parametrize(
    ("written", "part", "value"),
    [
        ("sp=1", "sequence_parallel", 1.0),
        ("sp=false", "sequence_parallel", 0.0),
        ("offload=optimizer", "offload", 1.0),
        ("schedule=ZB-H1", "schedule", 1.0),
        ("schedule=zero_bubble", "schedule", 1.0),
        ("schedule=interleaved", "schedule", 0.0),
        ("shard=0", "shard", 0.0),
    ],
)
def test_other_spellings_are_read(written: str, part: str, value: float):
    """Of both sides of the ocean, and as frameworks print them."""
    assert parse_strategy(written) == {part: value}


def test_experts_are_cut_by_what_a_stage_has():
    """Expert ranks that do not fit in a stage are named with its chips."""
    with pytest.raises(InputError, match="ep 64 does not divide the 32 chips of one of 8 stages"):
        best("Qwen3-30B-A3B", chips=256, fixed=parse_strategy("ep=64,pp=8"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schedule=dualpipe,vpp=2", "schedule dualpipe does not interleave; vpp 2 needs 1f1b"),
        ("schedule=dualpipe,pp=1", "pp 1 is not even"),
        ("schedule=zero-bubble,pp=1", "schedule zero-bubble needs pp above 1"),
        ("pp=1,vpp=2", "vpp 2 interleaves pipeline stages; it needs pp above 1"),
        ("context=ulysses,tp=8,cp=16,pp=1", "tp x cp must divide the 64 heads of Llama-3-70B"),
        ("dp=32,shard=3,tp=8,pp=1,cp=1", "shard 3 does not divide the 32 data-parallel ranks"),
        ("dp=32,mbs=3,tp=8,pp=1", "dp 32 x mbs 3 = 96 does not divide the batch of 1,024 sequences"),
        ("tp=4,pp=1,cp=1,mbs=32", "dp 64 x mbs 32 = 2048 does not divide the batch of 1,024 sequences"),
        ("pp=8,vpp=7", "pp x vpp = 56 chunks do not divide the 80 layers of Llama-3-70B, nor the 82 with embedding"),
        (
            "tp=1,pp=8,cp=1,schedule=dualpipe,mbs=8",
            "dualpipe needs 16 micro-batches a step; a data rank has 4",
        ),
        ("tp=1,pp=8,cp=1,vpp=2,mbs=8", "interleaving needs micro-batches in multiples of pp 8; .* has 4"),
        ("cp=3", "cp 3 does not divide 256 chips"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(text: str, message: str):
    """Each says what it needs."""
    with pytest.raises(InputError, match=message):
        best(fixed=parse_strategy(text), batch_tokens=1024 * 4096)


def test_more_chips_than_the_system_joins_are_refused():
    """Where a source gives the most, that; elsewhere what the largest fat tree has ports for."""
    system = replace(
        DGX, figures={**DGX.figures, "cluster_max_chips": replace(DGX.figures["nics_per_node"], value=512)}
    )
    with pytest.raises(InputError, match="1,024 chips are more than the 512 that DGX H100 / HGX H100 joins"):
        best_training(LLAMA_70B, system, 1024, catalog=CATALOG)
    with pytest.raises(
        InputError, match=r"1,000,000 chips are more than the 524,288 .* three tiers of 128-port switches"
    ):
        best_training(LLAMA_70B, DGX, 1_000_000, catalog=CATALOG)


def test_offload_is_held_against_the_memory_of_the_host():
    """Master weights and moments of 405B on 16 chips are 304 GB each; a share of a host has 125 GB."""
    estimate = best("Llama-3-70B", chips=64, fixed=parse_strategy("offload=optimizer"))
    assert any("host's memory taken as 125 GB" in warning for warning in estimate.warnings)
    with pytest.raises(NoFitError, match="keeps 304 GB a chip on its host, which has 125 GB for it"):
        best("Llama-3.1-405B", chips=16, fixed=parse_strategy("offload=optimiser,zero=3,tp=16"))


def test_a_chip_never_measured_takes_the_slowdown_of_its_silicon():
    """H20 is Hopper: no published training run, but many of H100."""
    assert "numbers of the Hopper" in best(system="H20 8-GPU server (HGX H20)", chips=512).basis
