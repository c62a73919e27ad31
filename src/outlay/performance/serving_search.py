"""The best way to serve a model on a system under latency targets: every configuration and batch as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from outlay.errors import InputError, MissingFigureError, NoFitError, unknown
from outlay.performance.chip import chip_model
from outlay.performance.network import fabric
from outlay.performance.serving import Replicas, ServingTimes, compute_dtype, steady_state
from outlay.performance.serving_engines import band, engine, family_of, usual_engine
from outlay.performance.transformer import Architecture, architecture

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Model, System

DTYPES = ("bf16", "fp8", "int8", "fp4")
BATCHES = np.unique(np.round(2.0 ** np.arange(0, 13.01, 0.25)))

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
        Factors on the rates that hold 80 % of published runs.
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


def replicas_of(arch: Architecture, domain: int, chips: int, batch: int | None = None, *, pp: int = 1) -> Replicas:
    """Return every replica of a system: tp in powers of two in the domain, experts cut by it or spread over chips.

    ``chips`` are the most of one of ``pp`` stages, each of which has a micro-batch in flight. Shapes are (layouts,
    batches); a given ``batch`` is the only one.
    """
    shapes = []
    for tp in (2**i for i in range(7)):
        if tp > min(domain, chips) or arch.heads % tp:
            continue
        shapes.append((tp, 1))
        if arch.experts:
            spread = [ep for ep in (2**i for i in range(1, 9)) if tp < ep <= min(chips, 256) and arch.experts % ep == 0]
            shapes += [(tp, ep) for ep in spread]
    tp, ep = (np.array(column, dtype=float)[:, None] for column in zip(*shapes, strict=True))
    groups = np.maximum(tp, ep) / tp
    requests = BATCHES[None, :] * groups * pp if batch is None else batch + 0.0 * groups
    return Replicas(tp + 0 * requests, ep + 0 * requests, requests, float(pp))


def best_serving(
    model: Model | Architecture,
    system: System,
    *,
    input_tokens: float,
    output_tokens: float,
    ttft_s: float,
    tpot_s: float,
    dtype: str = "fp8",
    chips: int | None = None,
    batch: int | None = None,
    catalog: Catalog | None = None,
) -> ServingEstimate:
    """Return the configuration that serves the most tokens a second and chip within the targets.

    Parameters
    ----------
    ttft_s, tpot_s
        Targets of the mean time to first token and per output token.
    chips
        Most chips of one replica; by default what one system or its scale-up domain holds, or :data:`SPREAD_CHIPS`
        where that is more.
    batch
        Requests on a replica at once, where the search shall not choose them.

    Raises
    ------
    InputError
        If a length, a target or the type makes no sense.
    NoFitError
        If the weights fit no replica, or the targets cannot be met; says what is short or what could be reached.
    """
    from outlay.catalog import Catalog

    _check(dtype, input=input_tokens, output=output_tokens, ttft=ttft_s, tpot=tpot_s, chips=chips, batch=batch)
    arch = model if isinstance(model, Architecture) else architecture(model)
    if arch.context and input_tokens + output_tokens > arch.context:
        msg = f"{arch.name} reads {arch.context:,} tokens; prompt and answer have {input_tokens + output_tokens:,.0f}"
        raise NoFitError(msg)
    catalog = catalog or Catalog.load()
    record = catalog.chip(system.chip)
    chip, network = chip_model(record), fabric(system, record)
    family = family_of(chip.family)
    software = usual_engine(family)
    most = chips or max(system.chips, system.scaleup_domain, SPREAD_CHIPS)
    for pp in (pp for pp in STAGES if pp <= most and (batch is None or pp <= batch)):
        replicas = replicas_of(arch, network.domain_chips, most // pp, batch, pp=pp)
        found = steady_state(
            arch,
            chip,
            network,
            replicas,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            dtype=dtype,
            engine=engine(software, family),
        )
        if found.fits.any():
            break
    meets = (found.ttft_s <= ttft_s) & (found.tpot_s <= tpot_s)
    rate = np.where(found.fits & meets, found.output_tokens_per_s / replicas.chips, -1.0)
    best = np.unravel_index(int(np.argmax(rate)), rate.shape)
    if rate[best] < 0:
        raise NoFitError(_why_not(arch, chip.name, chip.memory_bytes, replicas, found, ttft_s, tpot_s))
    low, high, basis = band(family, "throughput")
    used = compute_dtype(chip, dtype)
    warnings = [*network.warnings, *arch.assumptions]
    if used != dtype:
        warnings.append(f"{chip.name} has no {dtype} rate in any source; multiplied at its {used} rate")
    if replicas.chips[best] > max(system.chips, system.scaleup_domain):
        warnings.append(f"a replica spans {math.ceil(replicas.chips[best] / system.chips)} of {system.name}")
    output = float(rate[best])
    total = output * (input_tokens + output_tokens) / output_tokens
    stages = f"pp={pp}," if pp > 1 else ""
    layout = f"tp={int(replicas.tp[best])},ep={int(replicas.ep[best])},{stages}batch={int(replicas.batch[best])}"
    power = _power(catalog, system)
    return ServingEstimate(
        chips_per_replica=int(replicas.chips[best]),
        strategy=layout,
        batch=int(replicas.batch[best]),
        ttft_s=float(found.ttft_s[best]),
        tpot_s=float(found.tpot_s[best]),
        output_tokens_per_s_per_chip=output,
        tokens_per_s_per_chip=total,
        low=low,
        high=high,
        power_w_per_chip=power,
        energy_j_per_token=None if power is None else power / total,
        memory_bytes={kind: float(np.broadcast_to(value, rate.shape)[best]) for kind, value in found.memory.items()},
        basis=f"{software}; {basis}; kernels {chip.provenance}",
        warnings=tuple(warnings),
    )


def _check(dtype: str, **numbers: float | None) -> None:
    for name, value in numbers.items():
        if value is not None and not value > 0:
            msg = f"{name} must be more than zero; got {value:g}"
            raise InputError(msg)
    if dtype not in DTYPES:
        raise InputError(unknown("type of weights", dtype, DTYPES))


def _why_not(
    arch: Architecture,
    chip: str,
    memory_bytes: float,
    replicas: Replicas,
    found: ServingTimes,
    ttft_s: float,
    tpot_s: float,
) -> str:
    """Say which memory overflows, or the best latency that can be reached."""
    if not found.fits.any():
        spread = int(np.argmin(found.memory["weights"].max(axis=1)))
        need = {
            kind: float(np.broadcast_to(value, found.fits.shape)[spread, 0]) for kind, value in found.memory.items()
        }
        parts = ", ".join(f"{kind} {size / 1e9:.0f} GB" for kind, size in need.items())
        return (
            f"{arch.name} fits no replica of up to {int(replicas.chips.max())} {chip}: a chip would hold {parts} "
            f"of {memory_bytes / 1e9:.0f} GB"
        )
    return (
        f"{arch.name} on {chip} cannot meet a TTFT of {ttft_s:g} s and a TPOT of {tpot_s * 1e3:g} ms; the best are "
        f"{found.ttft_s[found.fits].min():.3g} s and {found.tpot_s[found.fits].min() * 1e3:.3g} ms, not all at once"
    )


def _power(catalog: Catalog, system: System) -> float | None:
    from outlay.finance.pricing import system_power

    try:
        return float(system_power(catalog, system).value) / system.chips
    except MissingFigureError:
        return None
