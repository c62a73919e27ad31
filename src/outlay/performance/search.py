"""The best training strategy of a model on some chips: every strategy of the space at once, memory before time."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outlay.catalog.records import Chip, Model, System
from outlay.errors import InputError, NoFitError, nearest
from outlay.performance import chip as chips_
from outlay.performance import network, training
from outlay.performance.chip import ChipModel, rows
from outlay.performance.network import Fabric
from outlay.performance.strategy import RECOMPUTE, Strategy
from outlay.performance.training import TrainingTimes
from outlay.performance.transformer import Architecture, architecture, parameters
from outlay.units import GB, SECONDS_PER_DAY

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Array = NDArray[np.float64]

ALIASES = {"mbs": "micro_batch", "sp": "sequence_parallel"}
MICRO_BATCHES = (1, 2, 4, 8)
INTERLEAVING = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
LONG_SEQUENCE = 16384
"""Sequences from here on are also cut over context-parallel ranks."""
TOKENS_PER_CHIP, LEAST_BATCH, MOST_BATCH = 2048, 2**22, 2**26
"""The batch where none is given: 2,048 tokens a chip between 4 and 64 million. Runs had 16 million on 16,384 chips
(Llama 3.1 405B, arXiv:2407.21783) and 63 million on 2,048 (DeepSeek-V3, arXiv:2412.19437)."""
OVERHEAD_OF_SERVER = 1.82
"""System power over the chips' TDP where no source gives the system's: that of a DGX H100, 10.2 kW over 8 x 700 W."""


@dataclass(frozen=True)
class TrainingEstimate:
    """The best strategy and what it does.

    Attributes
    ----------
    step_time_s, step_low_s, step_high_s
        The prediction and its band: eight of ten measured runs of chips of this family lay within it.
    mfu
        Over the dense peak that ``mfu_peak`` names.
    memory
        Bytes by kind on the fullest chip.
    parameters
        Of the model.
    power_w
        Of all systems with these chips at full load; ``None`` where no source gives it.
    """

    model: str
    system: str
    chip: str
    chips: int
    strategy: str
    sequence: int
    batch_sequences: int
    dtype: str
    step_time_s: float
    step_low_s: float
    step_high_s: float
    mfu: float
    mfu_peak: str
    hfu: float
    memory: Mapping[str, float]
    memory_limit: float
    breakdown: Mapping[str, float]
    tokens_per_s: float
    parameters: float
    power_w: float | None
    basis: str
    strategies: int
    feasible: int
    warnings: tuple[str, ...] = ()

    def days(self, tokens: float) -> float:
        """Return the days of uninterrupted training on ``tokens`` tokens."""
        return tokens / self.tokens_per_s / SECONDS_PER_DAY

    def days_band(self, tokens: float) -> tuple[float, float]:
        """Return the low and high end of :meth:`days`."""
        days = self.days(tokens)
        return days * self.step_low_s / self.step_time_s, days * self.step_high_s / self.step_time_s


def parse_strategy(text: str) -> dict[str, float]:
    """Read ``tp=8,pp=16,recompute=full`` into the parts it fixes.

    Raises
    ------
    InputError
        If a part is no ``name=value``, a name is unknown or a value is out of range.
    """
    known = [*(field.name for field in fields(Strategy)), *ALIASES]
    fixed: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            msg = f"strategy {text!r}: {part.strip()!r} is not name=value; expected parts such as tp=8,pp=16,mbs=1"
            raise InputError(msg)
        if name not in known:
            close = nearest(name, known) or known
            msg = f"strategy {text!r}: unknown part {name!r}; nearest: {', '.join(close)}"
            raise InputError(msg)
        if ALIASES.get(name, name) in fixed:
            msg = f"strategy {text!r}: {name!r} is given twice"
            raise InputError(msg)
        fixed[ALIASES.get(name, name)] = _part(text, name, value)
    return fixed


def _part(text: str, name: str, value: str) -> float:
    words = {"recompute": {word: float(i) for i, word in enumerate(RECOMPUTE)}, "sp": {"on": 1.0, "off": 0.0}}
    words["sequence_parallel"] = words["sp"]
    if name in words:
        if value not in words[name]:
            msg = f"strategy {text!r}: {name} is {value!r}; expected one of {', '.join(words[name])}"
            raise InputError(msg)
        return words[name][value]
    least, most = (0, 3) if name == "zero" else (1, 10**7)
    if not value.isdigit() or not least <= int(value) <= most:
        msg = f"strategy {text!r}: {name} is {value!r}; expected a whole number from {least}" + (
            " to 3" if least == 0 else ""
        )
        raise InputError(msg)
    return float(value)


def candidates(
    arch: Architecture,
    chips: int,
    fabric: Fabric,
    batch_sequences: int,
    sequence: int,
    fixed: Mapping[str, float] | None = None,
) -> Strategy:
    """Return every strategy of the space that multiplies to the chips and divides heads, layers, experts and batch.

    Parameters
    ----------
    fixed
        Parts the user fixes; the others are searched.
    """
    fixed = fixed or {}

    def choices(name: str, values: Sequence[float]) -> Array:
        return np.array([fixed[name]] if name in fixed else values, dtype=float)

    divisors = _divisors(chips)
    widest = min(max(fabric.node_chips, 8), fabric.domain_chips, chips)
    long = sequence >= LONG_SEQUENCE
    experts = _divisors(arch.experts) if arch.experts else [1]
    axes = {
        "tp": choices("tp", [t for t in (1, 2, 4, 8, 16) if t <= widest and arch.heads % t == 0] or [1]),
        "pp": choices("pp", [p for p in divisors if p <= min(arch.layers, 64)]),
        "vpp": choices("vpp", INTERLEAVING),
        "cp": choices("cp", [1, 2, 4, 8, 16] if long else [1]),
        "ep": choices("ep", experts),
        "micro_batch": choices("micro_batch", MICRO_BATCHES),
        "recompute": choices("recompute", [0, 1, 2]),
        "zero": choices("zero", [1, 3]),
        "sequence_parallel": choices("sequence_parallel", [1]),
        "etp": choices("etp", [1]),
        **{name: choices(name, [0]) for name in ("schedule", "offload", "context", "shard")},
    }
    grid = dict(zip(axes, (axis.ravel() for axis in np.meshgrid(*axes.values(), indexing="ij")), strict=True))
    grid["dp"] = chips / (grid["tp"] * grid["pp"] * grid["cp"])
    if "dp" in fixed:
        grid = _keep(grid, grid["dp"] == fixed["dp"])
    st = Strategy(**grid)
    keep = _divides(arch, st, batch_sequences)
    if "zero" not in fixed:
        keep &= (st.zero < 3) | ((st.pp == 1) & (st.vpp == 1))
    return Strategy(**_keep(grid, keep))


def _keep(grid: Mapping[str, Array], mask: NDArray[np.bool_]) -> dict[str, Array]:
    return {name: values[mask] for name, values in grid.items()}


def _divides(arch: Architecture, st: Strategy, batch: int) -> NDArray[np.bool_]:
    micro = batch / (st.dp * st.micro_batch)
    # Embedding and output head may stand as one layer each: the 126 layers of Llama 3.1 405B (arXiv:2407.21783, 3.3).
    chunks = st.pp * st.vpp
    even = (arch.layers % chunks == 0) | ((arch.layers + 2) % chunks == 0)
    interleaves = (st.vpp == 1) | ((st.pp > 1) & even & (micro % st.pp == 0))
    experts = (st.ep == 1) | ((st.tp * st.cp * st.dp) % (st.ep * st.etp) == 0)
    cuts = (arch.heads % st.tp == 0) & (max(arch.experts, 1) % st.ep == 0) & (chunks <= arch.layers)
    return np.asarray(cuts & (st.dp >= 1) & (st.dp % 1 == 0) & (micro >= 1) & (micro % 1 == 0) & interleaves & experts)


def _divisors(number: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(max(number, 1)) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def default_batch(chips: int, sequence: int) -> int:
    """Return the sequences of a step where the user gives none, near the usual and with the factors of the chips."""
    tokens = min(max(TOKENS_PER_CHIP * chips, LEAST_BATCH), MOST_BATCH)
    return divisible_batch(tokens / sequence, chips)


def divisible_batch(sequences: float, chips: int) -> int:
    """Return the whole number of sequences within 6 % that has the odd factors of the chips and most factors of two.

    Examples
    --------
    >>> divisible_batch(16e6 / 8192, 16384), divisible_batch(1024, 3072)
    (2048, 1056)
    """
    odd = chips // (chips & -chips)
    low, high = math.ceil(0.94 * sequences / odd), math.floor(1.06 * sequences / odd)
    if low > high or low < 1:
        return max(1, round(sequences / odd)) * odd
    return odd * max(range(low, high + 1), key=lambda count: (count & -count, -abs(count * odd - sequences)))


def _batch(chips: int, sequence: int, tokens: float | None) -> tuple[int, str]:
    """Return the sequences of a step, and what to tell the user of them."""
    if tokens is None:
        batch = default_batch(chips, sequence)
        return batch, f"batch not given: {batch * sequence / 1e6:.1f} million tokens a step assumed"
    if tokens % sequence == 0:
        return int(tokens // sequence), ""
    batch = divisible_batch(tokens / sequence, chips)
    return (
        batch,
        f"batch of {tokens / 1e6:.1f} million tokens taken as {batch:,} whole sequences, "
        f"{batch * sequence / 1e6:.1f} million",
    )


def best_training(
    model: Model | Architecture,
    system: System,
    chips: int,
    *,
    sequence: int = 4096,
    batch_tokens: float | None = None,
    dtype: str = "bf16",
    fixed: Mapping[str, float] | None = None,
    stack: str = "current",
    chip: Chip | None = None,
    catalog: Catalog | None = None,
) -> TrainingEstimate:
    """Return the fastest strategy that fits the memory.

    Parameters
    ----------
    fixed
        Parts of the strategy that are given (see :func:`parse_strategy`); the others are searched.
    stack
        Software generation, a name of :func:`strategy.stacks`.
    chip, catalog
        The system's chip, or the catalogue to find it in; the bundled catalogue where neither is given.

    Raises
    ------
    InputError
        If the chips, the batch or the fixed parts of the strategy contradict each other.
    MissingFigureError
        If a figure of the chip or the model is in no source.
    NoFitError
        If no strategy fits the chips' memory; the text says which kind overflows and what would fit.
    """
    _positive(chips=chips, sequence=sequence, batch_tokens=batch_tokens)
    arch = model if isinstance(model, Architecture) else architecture(model)
    if arch.context and sequence > arch.context:
        msg = f"sequence {sequence:,} is longer than {arch.name}'s context of {arch.context:,} tokens"
        raise InputError(msg)
    chip = chip or (catalog or default_catalog()).chip(system.chip)
    chip_model, fabric = _hardware(chip, system, stack)
    batch, told = _batch(chips, sequence, batch_tokens)
    strategies = candidates(arch, chips, fabric, batch, sequence, fixed)
    if not len(strategies):
        raise InputError(_no_candidate(arch, chips, batch, fixed or {}))
    slowdown, low, high, envelope, basis = _band(chip_model, dtype)
    times = training.evaluate(arch, chip_model, fabric, strategies, batch, sequence, dtype, slowdown=slowdown)
    if not times.fits.any():
        raise NoFitError(_no_fit(arch, chip_model, fabric, system, times, strategies, chips, batch, sequence, fixed))
    best = int(np.argmin(np.where(times.fits, times.step_time_s, np.inf)))
    step = float(times.step_time_s[best])
    warnings = [*([told] if told else []), *fabric.warnings, *chip_model.notes, *arch.assumptions]
    mfu = float(times.mfu[best])
    if envelope and mfu > envelope:
        warnings.append(f"MFU {mfu:.0%} is above the best measured run of this chip family, {envelope:.0%}")
    power = _power(system, chip_model, chips, warnings)
    return TrainingEstimate(
        model=arch.name,
        system=system.name,
        chip=chip.name,
        chips=chips,
        strategy=strategies.text(best),
        sequence=sequence,
        batch_sequences=batch,
        dtype=dtype,
        step_time_s=step,
        step_low_s=step * low,
        step_high_s=step * high,
        mfu=mfu,
        mfu_peak=f"{chip_model.peak_of(dtype) / 1e12:,.0f} TFLOP/s dense {dtype}",
        hfu=float(times.hfu[best]),
        memory={kind: float(values[best]) for kind, values in times.memory.items()},
        memory_limit=chip_model.memory_bytes,
        breakdown={kind: float(values[best]) for kind, values in times.breakdown.items()},
        tokens_per_s=batch * sequence / step,
        parameters=float(parameters(arch).total),
        power_w=power,
        basis=basis,
        strategies=len(strategies),
        feasible=int(times.fits.sum()),
        warnings=tuple(warnings),
    )


def default_catalog() -> Catalog:
    """Return the bundled catalogue."""
    from outlay.catalog import Catalog

    return Catalog.load()


def _positive(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and value <= 0:
            msg = f"{name.replace('_', ' ')} must be above zero, not {value:g}"
            raise InputError(msg)


def _hardware(chip: Chip, system: System, stack: str) -> tuple[ChipModel, Fabric]:
    """Return the models of a chip and its system; kept, because a planner asks for the same ones again and again."""
    key = (stack, id(chip), id(system))
    if key not in _HARDWARE:
        if len(_HARDWARE) > 256:
            _HARDWARE.clear()
        _HARDWARE[key] = (chips_.chip_model(chip, stack), network.fabric(system, chip), (chip, system))
    return _HARDWARE[key][:2]


_HARDWARE: dict[tuple[str, int, int], tuple[ChipModel, Fabric, tuple[Chip, System]]] = {}


@functools.cache
def _bands() -> dict[str, dict[str, str]]:
    return {row["family"]: row for row in rows("bands.csv")}


def _band(chip: ChipModel, dtype: str) -> tuple[float, float, float, float, str]:
    """Return slowdown, low and high end of the band over the prediction, best measured MFU, and the basis in words."""
    table = _bands()
    row = table.get(chip.family)
    if row is None:
        near = chip.generation if chip.generation in table else chips_.PRIOR
        prior = table[near]
        basis = f"no measured training run of {chip.family}; slowdown of the {near}, band of chips never measured"
        return float(prior["slowdown"]), float(prior["low"]), float(prior["high"]), 0.0, basis
    basis = f"{row['rows']} measured runs in {row['groups']} groups of {chip.family}; kernels {chip.provenance}"
    envelope = row["best_mfu" if dtype in ("bf16", "fp16") else "best_mfu_narrow"]
    return float(row["slowdown"]), float(row["low"]), float(row["high"]), float(envelope or 0), basis


def _power(system: System, chip: ChipModel, chips: int, warnings: list[str]) -> float | None:
    whole = system.number("system_power_kw")
    if whole is not None and system.chips:
        return whole / system.chips * chips
    if chip.tdp_w is None:
        warnings.append(f"power: no source gives that of {system.name} or the TDP of {chip.name}")
        return None
    warnings.append(f"power of {system.name} is in no source; assumed {OVERHEAD_OF_SERVER} times its chips' TDP")
    return float(chip.tdp_w * OVERHEAD_OF_SERVER * chips)


def _no_candidate(arch: Architecture, chips: int, batch: int, fixed: Mapping[str, float]) -> str:
    given = {name: fixed[name] for name in ("tp", "pp", "cp", "dp") if name in fixed}
    product = math.prod(given.values())
    parts = " x ".join(f"{name} {value:.0f}" for name, value in given.items())
    if given and chips % product:
        return f"{parts} = {product:.0f} does not divide {chips:,} chips"
    if "dp" in given and product != chips and len(given) >= 3:
        return f"{parts} = {product:.0f} is not {chips:,} chips"
    for name, whole, what in (("tp", arch.heads, "heads"), ("ep", max(arch.experts, 1), "experts")):
        if name in fixed and whole % fixed[name]:
            return f"{name} {fixed[name]:.0f} does not divide the {whole} {what} of {arch.name}"
    if fixed.get("pp", 1) * fixed.get("vpp", 1) > arch.layers:
        chunks = fixed.get("pp", 1) * fixed.get("vpp", 1)
        return f"pp x vpp = {chunks:.0f} is more than the {arch.layers} layers of {arch.name}"
    return (
        f"no strategy divides {chips:,} chips, {arch.layers} layers, {arch.heads} heads"
        + (f", {arch.experts} experts" if arch.experts else "")
        + f" and a batch of {batch:,} sequences without a rest; "
        + f"try a batch that is a multiple of {chips:,} / (tp x pp) sequences"
    )


def _no_fit(
    arch: Architecture,
    chip: ChipModel,
    fabric: Fabric,
    system: System,
    times: TrainingTimes,
    strategies: Strategy,
    chips: int,
    batch: int,
    sequence: int,
    fixed: Mapping[str, float] | None,
) -> str:
    used = times.memory_bytes
    leanest = int(np.argmin(used))
    kinds = {kind: float(values[leanest]) for kind, values in times.memory.items()}
    largest = max(kinds, key=lambda kind: kinds[kind])
    msg = (
        f"{arch.name} does not fit on {chips:,} x {chip.name} ({system.name}): the leanest strategy, "
        f"{strategies.text(leanest)}, needs {used[leanest] / GB:,.0f} GB a chip of {chip.memory_bytes / GB:,.0f} GB, "
        f"most of it {largest} ({kinds[largest] / GB:,.0f} GB)"
    )
    for factor in (2, 4, 8, 16, 32, 64, 128):
        more = candidates(arch, chips * factor, fabric, batch * factor, sequence, fixed)
        if len(more) and training.evaluate(arch, chip, fabric, more, batch * factor, sequence).fits.any():
            return f"{msg}; {chips * factor:,} chips would do"
    return f"{msg}; no number of chips up to {chips * 128:,} would do"
