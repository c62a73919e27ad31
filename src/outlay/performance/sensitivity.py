"""By what per cent a step gets longer or shorter where a figure of the hardware is 1 % higher.

The elasticity of the step time t in a figure x, d ln t / d ln x, by one reverse pass of JAX through
:func:`outlay.performance.training.evaluate`. The formulas are the ones NumPy runs. JAX is an optional dependency and
counts in 64 bits here without changing what the rest of the process does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from outlay.errors import InputError
from outlay.performance.arrays import Number
from outlay.performance.chip import ChipModel
from outlay.performance.network import Fabric
from outlay.performance.strategy import PARTS, Strategy
from outlay.performance.sweep import Task

CHIP: Mapping[str, str] = {
    "memory bandwidth": "memory_bandwidth",
    "memory efficiency": "memory_efficiency",
    "grouped GEMM efficiency": "grouped_efficiency",
    "attention forward efficiency": "flash_forward",
    "attention backward efficiency": "flash_backward",
    "kernel launch latency": "launch_s",
}
FABRIC: Mapping[str, str] = {
    "scale-up bandwidth": "domain_bandwidth",
    "scale-up latency": "domain_latency",
    "scale-up hop latency": "hop_latency",
    "scale-out bandwidth": "scaleout_bandwidth",
    "scale-out latency": "scaleout_latency",
    "all-gather efficiency": "gather_efficiency",
    "all-reduce efficiency": "reduce_efficiency",
    "all-to-all efficiency": "all_to_all_efficiency",
    "scale-out efficiency": "scaleout_efficiency",
    "oversubscription": "oversubscription",
}
"""Figures of a chip and of a network by what people call them; peaks and GEMM curves come per data type."""
CURVE: Mapping[str, str] = {"GEMM efficiency": "efficiency", "GEMM launch latency": "launch_s"}


@dataclass(frozen=True)
class Elasticity:
    """What 1 % more of a figure does to the step time.

    Attributes
    ----------
    value
        The figure in SI units, as the model uses it.
    per_cent
        Change of the step time in per cent, for small changes; negative where more of the figure is faster.
    """

    figure: str
    value: float
    per_cent: float


def figures(chip: ChipModel, fabric: Fabric) -> dict[str, float]:
    """Return the hardware figures of a prediction by name."""
    found = {f"peak {dtype}": float(value) for dtype, value in chip.peak.items()}
    found |= {name: float(getattr(chip, field)) for name, field in CHIP.items()}
    for dtype, curve in chip.curves.items():
        found |= {f"{name} {dtype}": float(getattr(curve, field)) for name, field in CURVE.items()}
    return found | {name: float(getattr(fabric, field)) for name, field in FABRIC.items()}


def with_figures(task: Task, values: Mapping[str, Number]) -> Task:
    """Return a task whose hardware has these figures, by the names of :func:`figures`."""
    curves = {
        dtype: replace(curve, **{field: values[f"{name} {dtype}"] for name, field in CURVE.items()})
        for dtype, curve in task.chip.curves.items()
    }
    chip = replace(
        task.chip,
        peak={dtype: values[f"peak {dtype}"] for dtype in task.chip.peak},
        curves=curves,
        **{field: values[name] for name, field in CHIP.items()},
    )
    fabric = replace(task.fabric, **{field: values[name] for name, field in FABRIC.items()})
    return replace(task, chip=chip, fabric=fabric)


def elasticities(task: Task, strategy: Strategy) -> tuple[Elasticity, ...]:
    """Return what each figure does to the step time of one strategy, the largest effect first.

    Figures the step does not depend on are left out: those of operations and links that the strategy does not use, or
    that hide behind others.

    Raises
    ------
    InputError
        If JAX is not installed; the text says what to install.
    """
    jax = _jax()
    base = figures(task.chip, task.fabric)
    one = {name: float(getattr(strategy, name).ravel()[0]) for name in PARTS}

    def log_step(logs: Mapping[str, Any]) -> Any:
        values = {name: base[name] * jax.numpy.exp(log) for name, log in logs.items()}
        step = with_figures(task, values).evaluate(Strategy.of(**one)).step_time_s
        return jax.numpy.log(step.reshape(()))

    with jax.enable_x64(True):
        slopes = jax.grad(log_step)({name: jax.numpy.zeros(()) for name in base})
    found = [Elasticity(name, value, float(slopes[name])) for name, value in base.items()]
    # Rounded, so that figures with the same effect stay in the order of the table.
    return tuple(sorted((one for one in found if one.per_cent), key=lambda one: -round(abs(one.per_cent), 9)))


def _jax() -> Any:
    try:
        import jax
    except ImportError:
        msg = "sensitivities are gradients by JAX, which is not installed; install: pip install 'outlay[sensitivity]'"
        raise InputError(msg) from None
    return jax
