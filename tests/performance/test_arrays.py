"""The same formulas on NumPy and JAX, and records stacked into arrays."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from outlay.catalog import Catalog
from outlay.performance import network
from outlay.performance.arrays import namespace, stacked
from outlay.performance.chip import attention_time, chip_model, gemm_time, grouped_gemm_time, memory_time
from outlay.performance.network import fabric
from outlay.performance.space import usual, whole
from outlay.performance.strategy import PARTS, Strategy
from outlay.performance.training import evaluate
from outlay.performance.transformer import architecture, forward_flops_per_token, layer_gemms

CATALOG = Catalog.load()
H100 = CATALOG.chip("H100 SXM")
CHIP, NETWORK = chip_model(H100), fabric(CATALOG.system("DGX H100"), H100)


@pytest.fixture(autouse=True)
def _in_64_bits():
    """Count as NumPy does."""
    with jax.enable_x64(True):
        yield


def test_the_library_is_that_of_the_first_value_that_is_not_numpy():
    """Floats and NumPy arrays stand beside JAX's; traced values are JAX's too."""
    assert namespace(1.0, np.ones(2)) is np
    assert namespace(1.0, jnp.ones(2)) is jnp
    assert namespace(CHIP, NETWORK) is np
    bf16 = replace(CHIP.curves["bf16"], half=jnp.ones(2))
    assert namespace(1.0, replace(CHIP, curves={**CHIP.curves, "bf16": bf16})) is jnp
    seen = []
    jax.grad(lambda x: seen.append(namespace(2.0, x)) or x * x)(1.0)
    assert seen == [jnp]


@pytest.mark.parametrize(
    ("model", "dtype"), [("Llama-3-70B", "bf16"), ("DeepSeek-V3", "fp8"), ("gpt-oss-120b", "bf16")]
)
@pytest.mark.parametrize("stack", ["current", "megatron-2021", "dualpipe-2024"])
def test_steps_are_the_same_on_jax(model: str, dtype: str, stack: str):
    """Times, memory and fit of a spread of strategies, to the last digits, and the result is a JAX array."""
    arch, chip = architecture(CATALOG.model(model)), chip_model(H100, stack)
    space = whole(arch, 64, NETWORK, 64, 4096).strategies()
    some = space.take(np.linspace(0, len(space) - 1, 400).astype(int))
    plain = evaluate(arch, chip, NETWORK, some, 64, 4096, dtype)
    other = evaluate(
        arch, chip, NETWORK, Strategy(*(jnp.asarray(getattr(some, part)) for part in PARTS)), 64, 4096, dtype
    )
    assert isinstance(other.step_time_s, jax.Array)
    assert np.asarray(other.step_time_s) == pytest.approx(plain.step_time_s, rel=1e-12)
    assert np.asarray(other.mfu) == pytest.approx(plain.mfu, rel=1e-12)
    assert np.asarray(other.memory_bytes) == pytest.approx(plain.memory_bytes, rel=1e-12)
    assert np.array_equal(np.asarray(other.fits), plain.fits)
    for kind, seconds in plain.breakdown.items():
        assert np.asarray(other.breakdown[kind]) == pytest.approx(seconds, rel=1e-12, abs=1e-12), kind


def test_a_compiled_step_is_the_same():
    """Under ``jax.jit``, with the bandwidths as arguments."""
    arch = architecture(CATALOG.model("Llama-3-70B"))
    some = usual(arch, 64, NETWORK, 64, 4096).strategies()

    @jax.jit
    def step(peak, bandwidth):
        from dataclasses import replace

        chip = replace(CHIP, peak={**CHIP.peak, "bf16": peak}, memory_bandwidth=bandwidth)
        return evaluate(arch, chip, NETWORK, some, 64, 4096).step_time_s

    plain = evaluate(arch, CHIP, NETWORK, some, 64, 4096).step_time_s
    assert np.asarray(step(CHIP.peak["bf16"], CHIP.memory_bandwidth)) == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("name", ["all_gather", "reduce_scatter", "all_reduce", "all_to_all"])
def test_collectives_are_the_same_on_jax(name: str):
    """Over sizes, ranks and strides."""
    collective = getattr(network, name)
    size, ranks, stride = np.array([1e3, 1e6, 1e9]), np.array([2.0, 8.0, 64.0]), np.array([1.0, 4.0, 8.0])
    plain = collective(NETWORK, size, ranks, stride)
    assert np.asarray(collective(NETWORK, *map(jnp.asarray, (size, ranks, stride)))) == pytest.approx(plain, rel=1e-12)


def test_operations_and_counts_are_the_same_on_jax():
    """GEMMs, attention, operators that move memory, FLOPs a token, GEMMs of a layer."""
    size = np.array([64.0, 1024.0, 8192.0])
    other = jnp.asarray(size)
    arch = architecture(CATALOG.model("Mixtral-8x7B"))
    for of in (
        lambda n: gemm_time(CHIP, n, 4096, 4096, "bf16"),
        lambda n: grouped_gemm_time(CHIP, 8, n, 4096, 4096, "fp8"),
        lambda n: attention_time(CHIP, 1e9 * n, 1e3 * n, fraction=CHIP.flash_backward),
        lambda n: memory_time(CHIP, n - 64),
        lambda n: forward_flops_per_token(arch, n).total,
        lambda n: sum(gemm.flops for gemm in layer_gemms(arch, n, 2, 4, moe=True)),
    ):
        assert np.asarray(of(other)) == pytest.approx(of(size), rel=1e-12)


def test_stacked_records_are_evaluated_side_by_side():
    """One call on two models and chips gives what two calls give."""
    archs = [architecture(CATALOG.model(name)) for name in ("Llama-3-70B", "Mixtral-8x7B")]
    chips = [chip_model(CATALOG.chip(name)) for name in ("H100 SXM", "A100 SXM 80GB")]
    strategy = Strategy.of(tp=[2, 4], pp=2, dp=4, recompute=1)
    together = evaluate(stacked(archs), stacked(chips), NETWORK, strategy, 64, 4096)
    for i in (0, 1):
        alone = evaluate(archs[i], chips[i], NETWORK, strategy.take([i]), 64, 4096)
        assert together.step_time_s[i] == pytest.approx(alone.step_time_s[0], rel=1e-12)
        assert together.memory_bytes[i] == pytest.approx(alone.memory_bytes[0], rel=1e-12)
