"""The best way to serve a model on a system under latency targets: every configuration and batch as arrays."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError, MissingFigureError, NoFitError, unknown
from outlay.performance import serving_operations as operations
from outlay.performance.chip import chip_model
from outlay.performance.serving import Engine
from outlay.performance.serving_configurations import (
    ServingTimes,
    Workload,
    apart,
    learnt,
    replica_times,
    replicas_of,
    searched,
)
from outlay.performance.serving_engines import basis, deviation_of, engine, known_engines, usual_engine, width
from outlay.performance.serving_experts import hottest
from outlay.performance.serving_hardware import Device, family_of, network_of, published_name, vendors
from outlay.performance.serving_layouts import GIB
from outlay.performance.serving_lengths import Lengths
from outlay.performance.serving_models import ACCEPTANCE, Served, served
from outlay.performance.serving_operations import CHUNK, Precision, Replicas
from outlay.performance.serving_residuals import points

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
class FrontPoint:
    """A configuration that no other one beats in both a token's time and the tokens of a chip.

    ``factor`` is that either way of its time per token and its rate which holds nine of ten published figures.
    """

    strategy: str
    ttft_s: float
    tpot_s: float
    tokens_per_s_per_chip: float
    factor: float = 1.0


@dataclass(frozen=True)
class Setup:
    """A chosen configuration with all that its latencies under another load need.

    Attributes
    ----------
    layout
        One replica, of which the batch does not matter.
    ttft_factor, tpot_factor
        What published runs show beyond the formulas.
    reads_apart
        Whether a pool of its own reads the prompts.
    reading, readers
        The layout that reads them there, and how many of it a replica has.
    """

    model: Served
    where: Device
    layout: Replicas
    work: Workload
    precision: Precision
    software: Engine
    ttft_factor: float
    tpot_factor: float
    reads_apart: bool
    reading: Replicas | None = None
    readers: float = 1.0


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
    from outlay.performance.serving_rows import bundled

    keys = {folded(row.model): row.group.partition("|")[2].strip() for row in bundled()}
    return keys.get(folded(name), name.casefold())


def traits_of(model: Served, where: Device, precision: Precision, software: str) -> dict[str, str]:
    """Return the names by which a configuration resembles published runs."""
    arch = model.arch
    kind = "latent" if arch.kv_lora else "linear" if model.full_every > 1 else "window" if arch.window else "plain"
    return {
        "chip": published_name(where.chip.name),
        "family": where.family,
        **vendors(where.family),
        "engine": software,
        "release": f"{software} asked for",
        "model": model_key(arch.name),
        "kind": ("moe " if arch.experts else "dense ") + kind,
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
        Gini index of the popularity of experts; where left out, :data:`serving_experts.GINI` with copies of experts,
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
    precision = _precision(where, dtype, kv)
    most = chips or max(system.chips, system.scaleup_domain, SPREAD_CHIPS)
    numbers = engine(name)
    space = searched(arch, work, most, cp, redundant, skew)
    for pp in (pp for pp in STAGES if pp <= most and (batch is None or pp <= batch)):
        replicas = replicas_of(arch, int(where.fabric.domain_chips), most // pp, batch, pp=pp, space=space)
        if not replicas.tp.size:
            if pp > 1:
                break
            msg = f"no layout of up to {most:,} chips has both that context parallelism and those redundant experts"
            raise InputError(msg)
        plain, near, step = replica_times(of, where, replicas, work, precision, numbers)
        if plain.fits.any():
            break
    traits = traits_of(of, where, precision, name)
    found = learnt(plain, near, traits, work, replicas.batch)
    every = [found]
    if pools:
        step = step * found.tpot_s / plain.tpot_s
        every.append(apart(of, where, replicas, found, work, precision, numbers, step, space.widths))
    options = _Options(of, where, replicas, every, work, most)
    best = options.best(ttft_s, tpot_s)
    if best is None:
        raise NoFitError(_why_not(options, catalog.chip(system.chip).name, ttft_s, tpot_s))
    front = options.front()
    cells = near.reshape(-1, near.shape[-1])[[options.cell(at) for at in (best, *front)]]
    spread = _spread(traits, where.family, cells)
    setup = options.setup(best, precision, numbers, plain, found)
    estimate = _estimate(
        options, best, setup, {metric: float(of[0]) for metric, of in spread.items()}, system, dtype, name,
        _power(catalog, system),
    )  # fmt: skip
    return replace(estimate, front=options.points(front, spread["tpot"][1:]))


def _estimate(
    options: _Options,
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


class _Options:
    """Every configuration of a search as flat arrays: those whose chips read prompts too, then those with pools."""

    def __init__(
        self, model: Served, where: Device, replicas: Replicas, every: list[ServingTimes], work: Workload, most: int
    ) -> None:
        self.model, self.where, self.work, self.most = model, where, work, most
        self.shape = every[0].fits.shape
        self.cells = every[0].fits.size
        self.kinds = every
        flat = {
            name: np.concatenate([np.asarray(getattr(kind, name)).ravel() for kind in every])
            for name in ("ttft_s", "tpot_s", "requests_per_s", "chips", "fits")
        }
        self.ttft_s, self.tpot_s, self.chips, self.fits = (flat[name] for name in ("ttft_s", "tpot_s", "chips", "fits"))
        self.rate = flat["requests_per_s"] * work.output_tokens / flat["chips"]
        index = np.arange(len(self.rate))
        pools = every[1].fits.shape[-1] if len(every) > 1 else 1
        self._cell = np.where(index < self.cells, index, (index - self.cells) // max(pools, 1))
        self.tp, self.ep, self.batch, self.cp, self.redundant = (
            np.broadcast_to(value, self.shape).ravel()[self._cell]
            for value in (replicas.tp, replicas.ep, replicas.batch, replicas.cp, replicas.redundant)
        )
        self.pp, self.skew = float(np.max(replicas.pp)), replicas.skew

    def cell(self, at: int) -> int:
        """Return the layout and batch of a configuration as one index."""
        return int(self._cell[at])

    def best(self, ttft_s: float, tpot_s: float) -> int | None:
        """Return the configuration with the most tokens a chip within the targets, or ``None``."""
        good = self.fits & (self.ttft_s <= ttft_s) & (self.tpot_s <= tpot_s)
        rate = np.where(good, self.rate, -1.0)
        at = int(np.argmax(rate))
        return at if rate[at] > 0 else None

    def strategy(self, at: int) -> str:
        """Return a configuration in words."""
        stages = f"pp={self.pp:g}," if self.pp > 1 else ""
        stages += f"cp={self.cp[at]:g}," if self.cp[at] > 1 else ""
        stages += f"redundant={self.redundant[at]:g}," if self.redundant[at] >= 0 else ""
        text = f"tp={self.tp[at]:g},ep={self.ep[at]:g},{stages}batch={self.batch[at]:g}"
        share, reader = self.reading_share(at), self.reading(at)
        if reader is None:
            return text
        wide = f" with cp={float(np.max(reader.cp)):g}" if np.max(reader.cp) > 1 else ""
        return f"{text},prompts apart on {share:.0%} of the chips{wide}"

    def reading(self, at: int) -> Replicas | None:
        """Return the layout of the chips that only read prompts."""
        if at < self.cells:
            return None
        pools = self.kinds[1].readers
        tp, cp = (np.full((1, 1), value) for value in pools[(at - self.cells) % len(pools)])
        return Replicas(tp, np.ones((1, 1)), np.ones((1, 1)), cp=cp)

    def hottest(self, at: int) -> float:
        """Return the tokens of the hottest chip of experts over the mean."""
        arch, one = self.model.arch, self.layout(at)
        if not arch.experts or (self.skew == 0 and self.redundant[at] < 0):
            return 1.0
        tokens = self.batch[at] / self.pp * (1.0 + self.work.drafts)
        return float(hottest(arch.experts, arch.top_k, tokens, one.ep, one.redundant, self.skew)[0, 0])

    def reading_share(self, at: int) -> float:
        """Return the share of the chips that only read prompts."""
        decode = np.maximum(self.tp * self.cp, self.ep)[at] * self.pp
        return float(1.0 - decode / self.chips[at]) if at >= self.cells else 0.0

    def memory(self, at: int) -> dict[str, float]:
        """Return the bytes by kind on a chip that decodes."""
        return {
            kind: float(np.broadcast_to(value, self.shape).ravel()[self.cell(at)])
            for kind, value in self.kinds[0].memory.items()
        }

    def layout(self, at: int) -> Replicas:
        """Return the replica of a configuration."""
        one = np.ones((1, 1))
        tp, ep, batch, cp, copies = (
            column[at] * one for column in (self.tp, self.ep, self.batch, self.cp, self.redundant)
        )
        return Replicas(tp, ep, batch, self.pp, cp, copies, self.skew)

    def reading_chip_s(self, at: int, precision: Precision, software: Engine) -> float:
        """Return the seconds of one chip that a prompt takes among others."""
        fresh, read = self.work.fresh, self.layout(at)
        together = max(CHUNK / fresh, 1.0)
        chip, network = self.where.chip, self.where.fabric
        parts = operations.prefill_parts(
            self.model, chip, network, read, fresh, precision, together, self.work.attended
        )
        return float(software.prefill * parts.total[0, 0] / together * self.tp[at] * self.cp[at])

    def setup(self, at: int, precision: Precision, software: Engine, plain: ServingTimes, moved: ServingTimes) -> Setup:
        """Return a configuration with what its latencies under another load need."""
        ttft, tpot = ((moved.ttft_s / plain.ttft_s).ravel(), (moved.tpot_s / plain.tpot_s).ravel())
        cell = self.cell(at)
        factors = float(ttft[cell]), float(tpot[cell])
        reading, readers = self.reading(at), 1.0
        if reading is not None:
            readers = float(self.reading_share(at) * self.chips[at] / reading.chips[0, 0])
        apart = reading is not None
        return Setup(
            self.model, self.where, self.layout(at), self.work, precision, software, *factors, apart, reading, readers
        )

    def front(self, most: int = 12) -> list[int]:
        """Return the configurations that no other beats in both tokens a chip and the time of a token."""
        order = np.lexsort((-self.rate, self.tpot_s))
        order = order[self.fits[order]]
        ahead = np.maximum.accumulate(np.r_[-1.0, self.rate[order][:-1]])
        kept = order[self.rate[order] > ahead]
        if len(kept) > most:
            kept = kept[np.unique(np.round(np.linspace(0, len(kept) - 1, most)).astype(int))]
        return [int(at) for at in kept]

    def points(self, front: list[int], factors: Array) -> tuple[FrontPoint, ...]:
        """Return configurations of the front with the factor of each one's band."""
        whole = (self.work.input_tokens + self.work.output_tokens) / self.work.output_tokens
        return tuple(
            FrontPoint(
                self.strategy(i), float(self.ttft_s[i]), float(self.tpot_s[i]), float(self.rate[i] * whole), float(wide)
            )
            for i, wide in zip(front, factors, strict=True)
        )


def device_of(catalog: Catalog, system: System) -> Device:
    """Return the chip of a system with the system's own network."""
    record = catalog.chip(system.chip)
    chip = chip_model(record)
    return Device(chip, network_of(system, record), family_of(chip.family))


def _precision(where: Device, dtype: str, kv: str | None) -> Precision:
    compute = operations.compute_dtype(where.chip, "bf16" if dtype == "int4" else dtype)
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


def _why_not(options: _Options, chip: str, ttft_s: float, tpot_s: float) -> str:
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
