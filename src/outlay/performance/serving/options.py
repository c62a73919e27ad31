"""Configurations of a search for the best serving as flat arrays: the best, those no other beats, and their words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.performance.serving import operations
from outlay.performance.serving.configurations import ServingTimes, Workload
from outlay.performance.serving.experts import hottest
from outlay.performance.serving.hardware import Device
from outlay.performance.serving.kernels import to_read
from outlay.performance.serving.latency import Engine, reading_time
from outlay.performance.serving.models import Served
from outlay.performance.serving.operations import CHUNK, Precision, Replicas

Array = NDArray[np.float64]


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


class Options:
    """Configurations as flat arrays: those whose chips read prompts too, then those with pools."""

    def __init__(
        self, model: Served, where: Device, replicas: Replicas, every: list[ServingTimes], work: Workload, most: int
    ) -> None:
        self.model, self.where, self.replicas, self.work, self.most = model, where, replicas, work, most
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
        rate = np.where(self._meeting(ttft_s, tpot_s), self.rate, -1.0)
        at = int(np.argmax(rate))
        return at if rate[at] > 0 else None

    def _meeting(self, ttft_s: float, tpot_s: float) -> NDArray[np.bool_]:
        return np.asarray(self.fits & (self.ttft_s <= ttft_s) & (self.tpot_s <= tpot_s))

    def within(self, at: int, ttft_s: float, tpot_s: float) -> NDArray[np.bool_]:
        """Return which layouts and batches meet the targets, (layouts, batches), prompts read as in ``at``."""
        good = self._meeting(ttft_s, tpot_s)
        if at < self.cells:
            return good[: self.cells].reshape(self.shape)
        return np.asarray(good[self.cells :].reshape(*self.shape, -1).any(axis=-1))

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
        tp, cp, ep = (np.full((1, 1), value) for value in pools[(at - self.cells) % len(pools)])
        return Replicas(tp, ep, np.ones((1, 1)), cp=cp)

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
        fresh, read = self.work.fresh, self.reading(at) or self.layout(at)
        together = max(CHUNK / fresh, 1.0)
        chip, network = self.where.chip, self.where.fabric
        parts = operations.prefill_parts(
            self.model, chip, network, read, fresh, precision, together, self.work.attended
        )
        launched = to_read(self.model, read, precision, self.where.fusions, together * fresh)
        whole = reading_time(software, parts.total / together, launched / together)
        return float((whole * read.tp * read.cp)[0, 0])

    def setup(self, at: int, precision: Precision, software: Engine, plain: ServingTimes, moved: ServingTimes) -> Setup:
        """Return a configuration with what its latencies under another load need."""
        ttft, tpot = ((moved.ttft_s / plain.ttft_s).ravel(), (moved.tpot_s / plain.tpot_s).ravel())
        cell = self.cell(at)
        factors = float(ttft[cell]), float(tpot[cell])
        reading, readers = self.reading(at), 1.0
        if reading is not None:
            readers = float(self.reading_share(at) * self.chips[at] / (reading.tp * reading.cp)[0, 0])
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
