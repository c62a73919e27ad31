"""The best way to serve a model on a system under latency targets: every configuration and batch as arrays."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError, MissingFigureError, NoFitError, unknown
from outlay.performance.chip import chip_model
from outlay.performance.serving import operations
from outlay.performance.serving.configurations import (
    ServingTimes,
    Space,
    Workload,
    apart,
    between,
    learnt,
    replica_times,
    replicas_of,
    searched,
)
from outlay.performance.serving.engines import basis, deviation_of, engine, known_engines, usual_engine, width
from outlay.performance.serving.hardware import Device, family_of, network_of, published_name, run_by, vendors
from outlay.performance.serving.latency import Engine
from outlay.performance.serving.layouts import GIB
from outlay.performance.serving.lengths import Lengths
from outlay.performance.serving.models import ACCEPTANCE, Served, served
from outlay.performance.serving.operations import Precision, Replicas
from outlay.performance.serving.options import FrontPoint, Options, Setup
from outlay.performance.serving.places import unmeasured
from outlay.performance.serving.residuals import points

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Model, System
    from outlay.performance.transformer import Architecture

Array = NDArray[np.float64]
DTYPES = ("bf16", "fp8", "int8", "int4", "fp4")
KV_TYPES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0}
SPREAD_CHIPS = 64
"""Most chips of a replica where a system has fewer: experts spread over servers (arXiv:2412.19437, section 3.4)."""
STAGES = (1, 2, 4, 8)
"""Pipeline stages of a replica: the fewest that hold the model, since more only add to the time of a token."""


@dataclass(frozen=True)
class ServingEstimate:
    """The best configuration and what it does.

    Attributes
    ----------
    batch
        Requests in decode at once on one replica.
    tokens_per_s_per_chip
        Input and output tokens together.
    low, high
        Factors on the rates that hold 90 % of published runs.
    front
        The fastest configurations for each time of a token, targets aside.
    """

    chips_per_replica: int
    strategy: str
    batch: int
    ttft_s: float
    tpot_s: float
    output_tokens_per_s_per_chip: float
    tokens_per_s_per_chip: float
    low: float
    high: float
    power_w_per_chip: float | None
    energy_j_per_token: float | None
    memory_bytes: dict[str, float]
    basis: str
    warnings: tuple[str, ...]
    engine: str = ""
    ttft_band_s: tuple[float, float] = (0.0, 0.0)
    tpot_band_s: tuple[float, float] = (0.0, 0.0)
    reading_chips_share: float = 0.0
    front: tuple[FrontPoint, ...] = ()
    reading_chip_s: float = 0.0
    """Seconds of one chip that the prompt of a request takes."""
    hottest_experts: float = 1.0
    """Expected tokens of the chip with the most of an expert group over those of a mean one, in decode."""
    setup: Setup | None = field(default=None, repr=False, compare=False)


@functools.cache
def model_key(name: str) -> str:
    """Return the name under which published runs group a model."""
    from outlay.catalog.store import folded
    from outlay.performance.serving.rows import bundled

    keys = {folded(row.model): row.group.partition("|")[2].strip() for row in bundled()}
    return keys.get(folded(name), name.casefold())


def traits_of(model: Served, where: Device, precision: Precision, software: str) -> dict[str, str]:
    """Return the names by which a configuration resembles published runs."""
    return {
        "chip": published_name(where.chip.name),
        "unmeasured": unmeasured(where, published_name(where.chip.name)),
        "family": where.family,
        **vendors(where.family),
        "engine": software,
        "release": f"{software} asked for",
        "model": model_key(model.arch.name),
        "kind": model.kind,
        "types": f"{precision.weights}/{precision.compute}",
        "load": "online",
        "group": "asked for",
        "source": "asked for",
    }


def best_serving(
    model: Model | Architecture,
    system: System,
    *,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float,
    tpot_s: float,
    dtype: str = "fp8",
    kv: str | None = None,
    chips: int | None = None,
    batch: int | None = None,
    software: str | None = None,
    cached: float = 0.0,
    drafts: int = 0,
    acceptance: float = ACCEPTANCE,
    pools: bool = False,
    lengths: Lengths | None = None,
    cp: int | None = None,
    redundant: int | Literal["search"] | None = None,
    skew: float | None = None,
    catalog: Catalog | None = None,
) -> ServingEstimate:
    """Return the configuration that serves the most tokens a second and chip within the targets.

    Parameters
    ----------
    ttft_s, tpot_s
        Targets of the mean time to first token and per output token.
    kv
        Type of the KV cache; fp8 with narrow weights where the chip has it, else bf16.
    chips
        Most chips of one replica; by default what one system or its scale-up domain holds, or :data:`SPREAD_CHIPS`
        where that is more.
    batch
        Requests on a replica at once, where the search shall not choose them.
    software
        Engine; by default the one the chip's family is usually served with.
    cached
        Share of a prompt found in the prefix cache.
    drafts, acceptance
        Speculative decoding: tokens drafted a step, and the share accepted.
    pools
        Whether to try pools of chips of their own for prompts, too.
    lengths
        How requests differ in length, if they do; the lengths before are then their means.
    cp
        Attention groups that read a prompt together; searched where it is left out and prompts are longer than a step
        reads.
    redundant
        Copies of experts that a balancer places, or ``"search"``; without a balancer where it is left out.
    skew
        Gini index of the popularity of experts; where left out, ``experts.GINI`` with copies of experts,
        else even routing, which is what the engines' numbers were fitted with.

    Raises
    ------
    InputError
        If a length, a target or the type makes no sense.
    NoFitError
        If the weights fit no replica, or the targets cannot be met; says what is short or what could be reached.
    """
    from outlay.catalog import Catalog

    _check(
        dtype,
        kv,
        software,
        input=input_tokens,
        output=output_tokens,
        ttft=ttft_s,
        tpot=tpot_s,
        chips=chips,
        batch=batch,
    )
    _check_shares(cached, drafts, acceptance)
    of = served(model)
    arch = of.arch
    work = Workload(input_tokens, output_tokens, cached, drafts, acceptance, lengths)
    _check_context(arch, work)
    catalog = catalog or Catalog.load()
    where = device_of(catalog, system)
    name = software or usual_engine(where.family)
    where = run_by(where, name)
    precision = _precision(where, of, dtype, kv)
    most = chips or max(system.chips, system.scaleup_domain, SPREAD_CHIPS)
    numbers = engine(name)
    space = searched(arch, work, most, cp, redundant, skew)
    traits = traits_of(of, where, precision, name)

    def tried(replicas: Replicas, plain: ServingTimes, near: Array, step: Array) -> _Tried:
        found = learnt(plain, near, traits, work, replicas.batch)
        every = [found]
        if pools:
            alone = step * found.tpot_s / plain.tpot_s
            every.append(apart(of, where, replicas, found, work, precision, numbers, alone, space.widths))
        return _Tried(Options(of, where, replicas, every, work, most), plain, found, near)

    coarse = tried(*_fewest_stages(of, where, space, most, batch, work, precision, numbers))
    best = coarse.options.best(ttft_s, tpot_s)
    if best is None:
        raise NoFitError(_why_not(coarse.options, catalog.chip(system.chip).name, ttft_s, tpot_s))
    chosen = coarse
    if batch is None:
        finer = between(coarse.options.replicas, coarse.options.within(best, ttft_s, tpot_s))
        nearer = tried(finer, *replica_times(of, where, finer, work, precision, numbers))
        at = nearer.options.best(ttft_s, tpot_s)
        if at is not None:  # what runs show is interpolated over other batches there, by which a target may be missed
            chosen, best = nearer, at
    front = coarse.options.front()
    spread = _spread(traits, where.family, np.vstack([chosen.near([best]), coarse.near(front)]))
    estimate = _estimate(
        chosen.options, best, chosen.options.setup(best, precision, numbers, chosen.plain, chosen.found),
        {metric: float(of[0]) for metric, of in spread.items()}, system, dtype, name, _power(catalog, system),
    )  # fmt: skip
    return replace(estimate, front=coarse.options.points(front, spread["tpot"][1:]))


@dataclass(frozen=True)
class _Tried:
    """Configurations as arrays, their times by the formulas and by what runs show, and their places among those."""

    options: Options
    plain: ServingTimes
    found: ServingTimes
    places: Array

    def near(self, which: list[int]) -> Array:
        """Return the places of some configurations."""
        return np.asarray(self.places.reshape(-1, self.places.shape[-1])[[self.options.cell(at) for at in which]])


def _fewest_stages(
    model: Served,
    where: Device,
    space: Space,
    most: int,
    batch: int | None,
    work: Workload,
    precision: Precision,
    numbers: Engine,
) -> tuple[Replicas, ServingTimes, Array, Array]:
    """Return layouts of the fewest pipeline stages that hold the model with what they do, or of the most there are."""
    found = None
    for pp in (pp for pp in STAGES if pp <= most and (batch is None or pp <= batch)):
        replicas = replicas_of(model.arch, int(where.fabric.domain_chips), most // pp, batch, pp=pp, space=space)
        if not replicas.tp.size:
            break
        found = (replicas, *replica_times(model, where, replicas, work, precision, numbers))
        if found[1].fits.any():
            break
    if found is None:
        msg = f"no layout of up to {most:,} chips has both that context parallelism and those redundant experts"
        raise InputError(msg)
    return found


def _estimate(
    options: Options,
    best: int,
    setup: Setup,
    spread: dict[str, float],
    system: System,
    dtype: str,
    name: str,
    power: float | None,
) -> ServingEstimate:
    """Return what the chosen configuration does, in words and numbers."""
    of, where, work, precision = setup.model, setup.where, setup.work, setup.precision
    warnings = [*where.fabric.warnings, *of.arch.assumptions, *of.assumptions]
    if precision.compute != dtype:
        warnings.append(f"{where.chip.name} multiplies {dtype} weights at its {precision.compute} rate")
    if options.chips[best] > max(system.chips, system.scaleup_domain):
        warnings.append(f"a replica spans {math.ceil(options.chips[best] / system.chips)} of {system.name}")
    over = 0.0 if work.lengths is None or not of.arch.context else work.lengths.above(of.arch.context)
    if over > 0.001:
        warnings.append(f"{over:.1%} of the requests are longer than the {of.arch.context:,} tokens the model reads")
    output = float(options.rate[best])
    total = output * (work.input_tokens + work.output_tokens) / work.output_tokens
    ttft, tpot = float(options.ttft_s[best]), float(options.tpot_s[best])
    return ServingEstimate(
        chips_per_replica=math.ceil(options.chips[best] - 1e-9),
        strategy=options.strategy(best),
        batch=int(options.batch[best]),
        ttft_s=ttft,
        tpot_s=tpot,
        output_tokens_per_s_per_chip=output,
        tokens_per_s_per_chip=total,
        low=1.0 / spread["tpot"],
        high=spread["tpot"],
        power_w_per_chip=power,
        energy_j_per_token=None if power is None else power / total,
        memory_bytes=options.memory(best),
        basis=f"{name}; {basis('tpot', where.family)}; kernels {where.chip.provenance}",
        warnings=tuple(warnings),
        engine=name,
        ttft_band_s=(ttft / spread["ttft"], ttft * spread["ttft"]),
        tpot_band_s=(tpot / spread["tpot"], tpot * spread["tpot"]),
        reading_chips_share=options.reading_share(best),
        reading_chip_s=options.reading_chip_s(best, precision, setup.software),
        hottest_experts=options.hottest(best),
        setup=setup,
    )


def device_of(catalog: Catalog, system: System) -> Device:
    """Return the chip of a system with the system's own network."""
    record = catalog.chip(system.chip)
    chip = chip_model(record)
    return Device(chip, network_of(system, record), family_of(chip.family))


def _precision(where: Device, model: Served, dtype: str, kv: str | None) -> Precision:
    compute = operations.compute_dtype(where.chip, "bf16" if dtype == "int4" else dtype, model)
    narrow = KV_TYPES[kv] if kv else 2.0
    return Precision(dtype, compute, narrow)


def _spread(traits: dict[str, str], family: str, near: Array) -> dict[str, Array]:
    """Return by latency the factor either way that holds nine of ten published figures near some configurations."""
    where = points([traits] * len(near), near)
    return {metric: np.exp(deviation_of(metric, where) * width(metric, family)) for metric in ("ttft", "tpot")}


def _check(dtype: str, kv: str | None, software: str | None, **numbers: float | None) -> None:
    for name, value in numbers.items():
        if value is not None and not 0 < value < math.inf:
            msg = f"{name} must be more than zero; got {value:g}"
            raise InputError(msg)
    if dtype not in DTYPES:
        raise InputError(unknown("type of weights", dtype, DTYPES))
    if kv is not None and kv not in KV_TYPES:
        raise InputError(unknown("type of KV cache", kv, KV_TYPES))
    if software is not None and software not in known_engines():
        raise InputError(unknown("engine", software, known_engines()))


def _check_context(arch: Architecture, work: Workload) -> None:
    """Refuse requests longer than the model reads: of one length, on the mean, or the longest of a list."""
    longest = 0.0 if work.lengths is None or math.isinf(work.lengths.longest) else work.lengths.longest
    tokens = max(work.input_tokens + work.output_tokens, longest)
    if arch.context and tokens > arch.context:
        msg = f"{arch.name} reads {arch.context:,} tokens; prompt and answer have {tokens:,.0f}"
        raise NoFitError(msg)


def _check_shares(cached: float, drafts: int, acceptance: float) -> None:
    if not 0 <= cached < 1:
        msg = f"the share of a prompt found in the prefix cache must be from 0 to below 1; got {cached:g}"
        raise InputError(msg)
    if drafts < 0 or not 0 <= acceptance <= 1:
        msg = f"drafted tokens must be 0 or more and their acceptance from 0 to 1; got {drafts} and {acceptance:g}"
        raise InputError(msg)


def _why_not(options: Options, chip: str, ttft_s: float, tpot_s: float) -> str:
    """Say which memory overflows and how many chips would do, or the best latency that can be reached."""
    name, fits = options.model.arch.name, options.fits
    if not fits.any():
        memory = {kind: np.broadcast_to(value, options.shape) for kind, value in options.kinds[0].memory.items()}
        need = np.sum([value[:, 0] for value in memory.values()], axis=0)
        at = int(np.argmin(need))
        parts = ", ".join(f"{kind} {value[at, 0] / 1e9:.0f} GB" for kind, value in memory.items())
        held = options.where.chip.memory_bytes
        usable = operations.USABLE_MEMORY * held * GIB - operations.ACTIVATION_BYTES
        ranks = options.chips.max()
        enough = 2 ** math.ceil(math.log2(max(need[at] * ranks / usable, 2.0)))
        return (
            f"{name} fits no replica of up to {ranks:g} {chip}: a chip would hold {parts} of {held / 1e9:.0f} GB; "
            f"{enough:g} would do"
        )
    return (
        f"{name} on {chip} cannot meet a TTFT of {ttft_s:g} s and a TPOT of {tpot_s * 1e3:g} ms; the best are "
        f"{options.ttft_s[fits].min():.3g} s and {options.tpot_s[fits].min() * 1e3:.3g} ms, not all at once"
    )


def _power(catalog: Catalog, system: System) -> float | None:
    from outlay.finance.pricing import system_power

    try:
        return float(system_power(catalog, system).value) / system.chips
    except MissingFigureError:
        return None
