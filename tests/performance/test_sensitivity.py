"""Sensitivities: gradients by JAX against finite differences in NumPy, and what is left as it was."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import Catalog
from outlay.errors import InputError
from outlay.performance.chip import chip_model
from outlay.performance.families import FamilyFit
from outlay.performance.network import fabric
from outlay.performance.search import best_training
from outlay.performance.sensitivity import elasticities, figures, with_figures
from outlay.performance.strategy import Strategy, parse_strategy
from outlay.performance.sweep import Task
from outlay.performance.transformer import architecture

CATALOG = Catalog.load()
CASES = [
    ("Llama-3.1-405B", "DGX H100", "bf16", 2048, "tp=8,pp=16,cp=1,dp=128,vpp=2"),
    ("DeepSeek-V3", "DGX H100", "fp8", 15360, "tp=2,pp=16,ep=64,dp=64,recompute=selective,sp=on"),
    ("Mixtral-8x7B", "GB200 NVL72", "bf16", 1152, "tp=4,pp=1,ep=8,dp=18,zero=3,recompute=full,offload=activations"),
    ("Llama-3-8B", "Atlas 800T A2 training server", "bf16", 64, "tp=2,cp=4,dp=8,context=ulysses,sp=off,pp=2"),
]


def task_of(model: str, system: str, dtype: str, batch: int, stack: str = "current") -> Task:
    """Return a task on catalogue records."""
    place = CATALOG.system(system)
    chip = CATALOG.chip(place.chip)
    arch, network = architecture(CATALOG.model(model)), fabric(place, chip)
    return Task(arch, FamilyFit(1.2, 1.1, 0.8).on(chip_model(chip, stack)), network, batch, 4096, dtype)


@pytest.mark.parametrize(("model", "system", "dtype", "batch", "text"), CASES, ids=[case[0] for case in CASES])
def test_gradients_equal_finite_differences(model: str, system: str, dtype: str, batch: int, text: str):
    """Of every hardware figure, central differences of the NumPy formulas at one part in a million."""
    task, strategy = task_of(model, system, dtype, batch), Strategy.of(**parse_strategy(text))
    base = figures(task.chip, task.fabric)
    found = {one.figure: one.per_cent for one in elasticities(task, strategy)}
    step = float(task.evaluate(strategy).step_time_s)
    assert len(found) > 8
    for name, value in base.items():
        ends = [
            float(with_figures(task, {**base, name: value * (1 + h)}).evaluate(strategy).step_time_s)
            for h in (1e-6, -1e-6)
        ]
        assert found.get(name, 0.0) == pytest.approx((ends[0] - ends[1]) / (2e-6 * step), rel=1e-4, abs=1e-8), name


@settings(max_examples=20)
@given(st.floats(0.5, 2.0))
def test_the_figures_of_a_task_are_its_own(factor: float):
    """Put back unchanged they give the same step; all rates higher and latencies lower by a factor, a step shorter."""
    task, strategy = task_of(*CASES[0][:4]), Strategy.of(**parse_strategy(CASES[0][4]))
    base = figures(task.chip, task.fabric)
    step = task.evaluate(strategy).step_time_s
    assert with_figures(task, base).evaluate(strategy).step_time_s == step
    faster = {name: value / factor if "latency" in name else value * factor for name, value in base.items()}
    changed = with_figures(task, faster | {"oversubscription": 1.0}).evaluate(strategy).step_time_s
    assert (changed <= step) == (factor >= 1)


def test_rates_shorten_and_latencies_lengthen_a_step():
    """The sign of each, the largest first; of an fp8 run its peak and its memory, each worth less than the step."""
    task, strategy = task_of(*CASES[1][:4]), Strategy.of(**parse_strategy(CASES[1][4]))
    found = elasticities(task, strategy)
    sizes = [round(abs(one.per_cent), 9) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    for one in found:
        slower = "latency" in one.figure or one.figure == "oversubscription"
        assert (one.per_cent > 0) == slower, one
    worth = {one.figure: one.per_cent for one in found[:4]}
    assert {"peak fp8", "memory bandwidth"} <= set(worth)
    assert all(-1 < worth[figure] < -0.2 for figure in ("peak fp8", "memory bandwidth"))


def test_the_process_still_counts_in_32_bits_after():
    """JAX's own default is left as it was."""
    import jax.numpy as jnp

    elasticities(task_of(*CASES[0][:4]), Strategy.of(**parse_strategy(CASES[0][4])))
    assert jnp.ones(1).dtype == jnp.float32


def test_without_jax_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    """A refusal by name; the answer without sensitivities does not need it."""
    monkeypatch.setitem(sys.modules, "jax", None)
    ask = {"catalog": CATALOG, "space": "usual"}
    with pytest.raises(InputError, match=r"JAX, which is not installed; install: pip install 'outlay\[sens"):
        best_training(CATALOG.model("Llama-3-8B"), CATALOG.system("DGX H100"), 64, sensitivity=True, **ask)
    assert best_training(CATALOG.model("Llama-3-8B"), CATALOG.system("DGX H100"), 64, **ask).sensitivity is None
