"""The search for a strategy: what it returns divides, fits and is best; what cannot be is refused with a way out."""

import numpy as np
import pytest

from outlay.catalog import Catalog
from outlay.errors import InputError, NoFitError
from outlay.performance import training
from outlay.performance.chip import chip_model
from outlay.performance.network import fabric
from outlay.performance.search import best_training, candidates, default_batch, divisible_batch, parse_strategy
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


def test_the_best_is_the_fastest_that_fits():
    """No candidate that fits is faster; the best one fits."""
    estimate = best()
    arch, chip = architecture(LLAMA_70B), CATALOG.chip("H100 SXM")
    model = chip_model(chip)
    network = fabric(DGX, chip)
    found = candidates(arch, 256, network, estimate.batch_sequences, 4096)
    times = training.evaluate(arch, model, network, found, estimate.batch_sequences, 4096)
    assert estimate.feasible == times.fits.sum()
    assert sum(estimate.memory.values()) <= estimate.memory_limit
    assert estimate.step_low_s < estimate.step_time_s < estimate.step_high_s


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
        ({"fixed": {"tp": 3.0}}, "tp 3 = 3 does not divide 256 chips"),
        ({"fixed": {"tp": 8.0, "pp": 4.0, "dp": 4.0, "cp": 1.0}}, "tp 8 x pp 4 x cp 1 x dp 4 = 128 is not 256 chips"),
        ({"fixed": {"pp": 128.0}}, "pp x vpp = 128 is more than the 80 layers of Llama-3-70B"),
        ({"fixed": {"tp": 128.0, "pp": 1.0}}, "tp 128 does not divide the 64 heads"),
        ({"fixed": {"ep": 2.0}}, "ep 2 does not divide the 1 experts"),
        (
            {"batch_tokens": 4096 * 7.0, "fixed": {"pp": 1.0}},
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
        ("recompute=some", "expected one of none, selective, full"),
        ("tp=8,tp=4", "'tp' is given twice"),
        ("", "is not name=value"),
    ],
)
def test_malformed_strategies_are_refused(text: str, message: str):
    """With the nearest valid part."""
    with pytest.raises(InputError, match=message):
        parse_strategy(text)


def test_a_chip_never_measured_takes_the_slowdown_of_its_silicon():
    """H20 is Hopper: no published training run, but many of H100."""
    assert "slowdown of the Hopper" in best(system="H20 8-GPU server (HGX H20)", chips=512).basis
