"""Calendar time of a training run: failures, checkpoints, restarts and stragglers on top of its step time."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.errors import InputError, MissingFigureError
from outlay.performance.arrays import Number, namespace
from outlay.performance.chip import rows

SECONDS_PER_HOUR, SECONDS_PER_DAY = 3600.0, 86400.0
CHIPS_PER_NODE = 8
STATE_BYTES = 14.0
"""Bytes a parameter in a checkpoint: bf16 weight, fp32 master weight, two fp32 moments (arXiv:1910.02054, 3.1)."""
EIGHT_OF_TEN = 1.2816
"""Standard deviations each side of the mean of a normal distribution between which eight of ten values lie."""
_MEASURED_PARAMETERS = 405e9


@dataclass(frozen=True)
class FailureRate:
    """Interruptions per chip-hour: the value, the band eight of ten clusters lie in, and what it rests on."""

    value: float
    low: float
    high: float
    basis: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Costs:
    """What a checkpoint and a restart cost, in seconds.

    Attributes
    ----------
    stall
        Training stops this long at each checkpoint.
    write
        Until the checkpoint is durable; equals ``stall`` where writing blocks.
    read
        To load the latest checkpoint.
    """

    stall: Number
    write: Number
    read: Number


@dataclass(frozen=True)
class Goodput:
    """The calendar time of a run, its band by the failure rate's, and what it is made of.

    Attributes
    ----------
    expected_days, low_days, high_days
        Calendar days; the ends are those at the low and high failure rate, each with its own best interval.
    ettr
        Effective training time ratio: days of pure progress over calendar days.
    mtti_hours
        Mean time to interruption of all chips; infinite where nothing fails.
    interruptions
        Expected over the run.
    checkpoint_interval_s
        Training time between two checkpoints.
    checkpoint_write_s, checkpoint_stall_s
        Until a checkpoint is durable, and how long training stops for it.
    restart_s
        From failure to training again: detection, waiting for a spare node, restart and reading the checkpoint.
    straggler_factor
        Already in the days; one where no jitter was given.
    basis
        What the failure rate rests on.
    """

    expected_days: float
    low_days: float
    high_days: float
    ettr: float
    mtti_hours: float
    interruptions: float
    checkpoint_interval_s: float
    checkpoint_write_s: float
    checkpoint_stall_s: float
    restart_s: float
    straggler_factor: float
    basis: str
    notes: tuple[str, ...]


def young_interval(stall: Number, mtti: Number) -> Number:
    """Return the checkpoint interval in seconds to first order, sqrt(2 stall mtti) (Young 1974, CACM 17(9))."""
    return namespace(stall, mtti).sqrt(2.0 * stall * mtti)


def daly_interval(stall: Number, mtti: Number) -> Number:
    """Return the interval in seconds to higher order (Daly 2006, doi:10.1016/j.future.2004.11.016, eq. 37)."""
    xp = namespace(stall, mtti)
    half = stall / (2.0 * mtti)
    series = xp.sqrt(2.0 * stall * mtti) * (1.0 + xp.sqrt(half) / 3.0 + half / 9.0) - stall
    return xp.where(half < 1.0, series, mtti)


def best_interval(stall: Number, mtti: Number) -> Number:
    """Return the interval in seconds at which :func:`expected_time` is least; ``stall`` must be above zero.

    Notes
    -----
    The derivative of Daly's eq. 13 is zero where v + exp(-v) - 1 = stall / mtti with interval / mtti = 1 - exp(-v).
    The left side rises and is convex in v, so Newton's steps from beyond the root come down on it; stall / mtti plus
    the lesser of one and sqrt(2 stall / mtti) lies beyond.
    """
    xp = namespace(stall, mtti)
    d = stall / mtti
    v = d + xp.minimum(xp.sqrt(2.0 * d), 1.0)
    for _ in range(12):
        v = v + (v + xp.expm1(-v) - d) / xp.expm1(-v)
    return -mtti * xp.expm1(-v)


def expected_time(work: Number, interval: Number, stall: Number, restart: Number, failures_per_s: Number) -> Number:
    """Return the expected seconds to do ``work`` seconds of training.

    Parameters
    ----------
    work, interval, stall, restart
        Seconds. Failures may also strike during a stall and a restart.
    failures_per_s
        Of all chips together; zero is allowed.

    Notes
    -----
    Daly 2006, eq. 13, exact for exponential failures and whole intervals:
    T = M exp(R / M) (exp((interval + stall) / M) - 1) work / interval.
    """
    xp = namespace(work, interval, stall, restart, failures_per_s)
    period = interval + stall
    rate = xp.where(failures_per_s > 0, failures_per_s, 1.0)
    segment = xp.where(failures_per_s > 0, xp.expm1(rate * period) / rate, period)
    return xp.exp(failures_per_s * restart) * segment * work / interval


def checkpoint_costs(state_bytes: Number, chips: Number, *, blocking: bool = False, bandwidth: Number = None) -> Costs:
    """Return what a checkpoint costs.

    Parameters
    ----------
    state_bytes
        Of the whole model: weights and optimiser states, once.
    blocking
        Whether training waits for the storage; otherwise only while the state is copied to the hosts.
    bandwidth
        Of the storage in bytes/s, all chips together, for writing and reading; where not given, it and that of the copy
        grow with the chips from those measured with 405 billion parameters on 8,960 GPUs (arXiv:2407.20143, table 8).
    """
    seconds = {
        row["figure"]: float(row["value"]) / (STATE_BYTES * _MEASURED_PARAMETERS / float(row["chips"]))
        for row in figures()
        if row["cluster"] == "ByteCheckpoint 405B"
    }
    share = state_bytes / chips
    write = share * seconds["checkpoint write"] if bandwidth is None else state_bytes / bandwidth
    read = share * seconds["checkpoint read"] if bandwidth is None else state_bytes / bandwidth
    stall = write if blocking else share * seconds["checkpoint stall"]
    return Costs(
        stall, namespace(stall, write).maximum(write, stall), read
    )  # storage cannot outrun the copy to the hosts


def straggler_factor(chips: Number, jitter: Number) -> Number:
    """Return by how much the slowest of ``chips`` stretches a step whose time on a chip varies by ``jitter``.

    Parameters
    ----------
    jitter
        Standard deviation of a chip's step time over its mean, drawn anew and normal in each step.

    Notes
    -----
    1 + jitter E[max of n standard normals], with Blom's (1958) approximation Phi^-1((n - 3/8) / (n + 1/4)).
    """
    from scipy.special import ndtri

    return 1.0 + jitter * ndtri((chips - 0.375) / (chips + 0.25))


def repair_wait(failures_per_s: Number, repair: Number, spare_nodes: Number) -> Number:
    """Return the mean seconds an interruption waits for a node where spares may have run out.

    Notes
    -----
    Nodes in repair are Poisson with mean failures_per_s * repair (Palm's theorem for M/G/infinity). Where all spares
    are among them, the wait is for the first of spare_nodes + 1 exponential repairs: a lower bound when more are out.
    """
    from scipy.special import pdtrc

    spares = np.asarray(spare_nodes, dtype=float)
    out = np.where(spares > 0, pdtrc(np.maximum(spares - 1.0, 0.0), failures_per_s * repair), 1.0)
    return out * repair / (spares + 1.0)


def cluster_rates() -> dict[str, tuple[str, float]]:
    """Return, by cluster, its chip family and its measured interruptions per chip-hour.

    One rate a cluster; vendor claims and machines that trained no models are left out.
    """
    found: dict[str, tuple[str, float]] = {}
    for row in figures():
        rate = _rate(row)
        if rate is not None and row["status"] == "measured":
            found[row["cluster"]] = (row["family"], rate)
    return {name: rate for name, rate in found.items() if name != "RSC-1 1024-GPU jobs"}


def _rate(row: dict[str, str]) -> float | None:
    """Return the failures per chip-hour a row tells, if it does; a range counts with its geometric mean."""
    if row["figure"] in ("unexpected interruptions", "failures"):
        return float(row["value"]) / (float(row["chips"]) * float(row["days"]) * 24.0)
    if row["figure"] == "failure rate":
        return float(row["value"]) / (CHIPS_PER_NODE * 24.0)
    if row["figure"] == "GPU failures per week":
        return math.sqrt(float(row["low"]) * float(row["high"])) / (float(row["chips"]) * 168.0)
    if row["figure"] == "mtti" and row["value"]:
        return 1.0 / (float(row["value"]) * float(row["chips"]))
    return None


def failure_rate(chip: str, *, without: str = "") -> FailureRate:
    """Return the interruptions per chip-hour of a chip or chip family.

    Parameters
    ----------
    chip
        A chip's name or its family's; its clusters' geometric mean, else that of its generation, else of all.
    without
        A cluster to leave out, to predict it.

    Notes
    -----
    The band takes rates as lognormal between clusters, with the standard deviation of all of them: one cluster of a
    family tells nothing of how much the next differs.
    """
    clusters = {name: found for name, found in cluster_rates().items() if name != without}
    family, generation = _lineage(chip)
    levels = (
        (f"measured on {family}", [name for name, (f, _) in clusters.items() if f == family]),
        (
            f"measured on {generation} chips",
            [name for name, (f, _) in clusters.items() if _lineage(f)[1] == generation],
        ),
        ("class prior of all measured clusters", list(clusters)),
    )
    level, chosen = next((text, names) for text, names in levels if names)
    value = math.exp(np.mean([math.log(clusters[name][1]) for name in chosen]))
    spread = math.exp(EIGHT_OF_TEN * float(np.std([math.log(rate) for _, rate in clusters.values()], ddof=1)))
    basis = f"failure rate {level}: {', '.join(chosen)}"
    notes = () if level == levels[0][0] else (f"no cluster of {chip} was measured: failures are those of others",)
    return FailureRate(value, value / spread, value * spread, basis, notes)


def fleet_rate(chips: Mapping[str, float]) -> FailureRate:
    """Return the interruptions per chip-hour of a run over several kinds of chip, given how many it has of each.

    The run stops when any of them fails, so rates add up; the ends of the band are those of all kinds at once.
    """
    rates = {chip: failure_rate(chip) for chip in chips}
    total = sum(chips.values())
    value, low, high = (
        sum(getattr(rates[chip], end) * count for chip, count in chips.items()) / total
        for end in ("value", "low", "high")
    )
    basis = dict.fromkeys(rate.basis for rate in rates.values())
    return FailureRate(
        value, low, high, "; ".join(basis), tuple(note for rate in rates.values() for note in rate.notes)
    )


def goodput(
    chip_family: str,
    chips: int,
    work_days: float,
    state_bytes: float,
    *,
    interval_s: float | None = None,
    blocking: bool = False,
    storage_bandwidth: float | None = None,
    restart_s: float | None = None,
    failures_per_chip_hour: float | FailureRate | None = None,
    spare_nodes: int | None = None,
    repair_hours: float | None = None,
    jitter: float = 0.0,
) -> Goodput:
    """Return the calendar days of a run of ``work_days`` of pure progress, and the best checkpoint interval.

    Parameters
    ----------
    chip_family
        A chip's name or its family's.
    state_bytes
        Weights and optimiser states of the model, once: ``STATE_BYTES`` a parameter in mixed precision.
    interval_s
        Between checkpoints; the best one where not given. One shorter than a write is refused.
    blocking, storage_bandwidth
        See :func:`checkpoint_costs`.
    restart_s
        Detection and restart without reading the checkpoint; where not given, the geometric mean of the 5 to 20
        minutes of arXiv:2410.21680.
    failures_per_chip_hour
        Instead of that of the chip's clusters; the band closes where a number is given.
    spare_nodes, repair_hours
        Given together; a spare is taken to be at hand where neither is.
    jitter
        See :func:`straggler_factor`; zero adds nothing to a step time that was measured at scale.

    Raises
    ------
    InputError
        If a number is out of its range, or the interval shorter than a checkpoint takes to write.
    """
    given: dict[str, float | None] = {"chips": chips, "work_days": work_days, "state_bytes": state_bytes}
    given |= {"interval_s": interval_s, "storage_bandwidth": storage_bandwidth, "restart_s": restart_s}
    given |= {"spare_nodes": spare_nodes, "repair_hours": repair_hours, "jitter": jitter}
    _check_given(given, failures_per_chip_hour)
    rate, notes = _given_rate(chip_family, failures_per_chip_hour)
    notes += _assumed(restart_s, storage_bandwidth, spare_nodes)
    costs = checkpoint_costs(state_bytes, chips, blocking=blocking, bandwidth=storage_bandwidth)
    factor = float(straggler_factor(chips, jitter)) if jitter else 1.0
    work = work_days * SECONDS_PER_DAY * factor

    failures = np.array([rate.value, rate.low, rate.high]) * chips / SECONDS_PER_HOUR
    stopped = np.full(3, (_usual_restart()[0] if restart_s is None else restart_s) + costs.read)
    if spare_nodes is not None and repair_hours is not None:
        stopped = stopped + repair_wait(failures, repair_hours * SECONDS_PER_HOUR, spare_nodes)
    interval = _interval(interval_s, costs, failures, work)
    days = _days(work, interval, costs, stopped, failures)
    if not np.isfinite(days).all():
        notes.append(
            "at the high end of the failure rate the run never ends" if math.isfinite(days[0]) else "never ends"
        )
    return Goodput(
        expected_days=float(days[0]),
        low_days=float(days[1]),
        high_days=float(days[2]),
        ettr=float(work_days / days[0]),
        mtti_hours=float(1.0 / (rate.value * chips)) if rate.value else math.inf,
        interruptions=float(failures[0] * days[0] * SECONDS_PER_DAY),
        checkpoint_interval_s=float(interval[0]),
        checkpoint_write_s=float(costs.write),
        checkpoint_stall_s=float(costs.stall),
        restart_s=float(stopped[0]),
        straggler_factor=factor,
        basis=rate.basis,
        notes=tuple(notes),
    )


def _assumed(restart_s: float | None, bandwidth: float | None, spare_nodes: int | None) -> list[str]:
    """Return in words what was taken where it was not given."""
    told = {
        _usual_restart()[1]: restart_s,
        "checkpoint times scaled by bytes a chip from those measured on 8,960 GPUs (arXiv:2407.20143)": bandwidth,
        "assumed: a spare node is at hand at every failure": spare_nodes,
    }
    return [words for words, given in told.items() if given is None]


def _check_given(given: dict[str, float | None], rate: float | FailureRate | None) -> None:
    """Refuse numbers out of their range, and a half of what is given in pairs."""
    given = {**given, "failures_per_chip_hour": rate.value if isinstance(rate, FailureRate) else rate}
    _check(given, zero=("restart_s", "repair_hours", "failures_per_chip_hour", "spare_nodes", "jitter"))
    if (given["spare_nodes"] is None) != (given["repair_hours"] is None):
        msg = "spare_nodes and repair_hours belong together: give both, or neither where a spare is always at hand"
        raise InputError(msg)


def _days(work: float, interval: Any, costs: Costs, stopped: Any, failures: Any) -> Any:
    """Return the calendar days at each failure rate; infinite where the run never ends.

    A failure within the write of a checkpoint falls back to the one before: ``write - stall`` more work on average.
    """
    lost = costs.write - costs.stall
    with np.errstate(over="ignore"):
        return expected_time(work, interval, costs.stall, stopped + lost, failures) / SECONDS_PER_DAY


def _interval(given: float | None, costs: Costs, failures: Any, work: float) -> Any:
    """Return an interval for each failure rate: the one given, or the best that the storage keeps up with."""
    shortest = float(costs.write - costs.stall)
    if given is not None:
        if given < shortest:
            msg = f"a checkpoint every {given:g} s: one takes {shortest:.3g} s more to write than it stalls; give more"
            raise InputError(msg)
        return np.full(failures.shape, given)
    mtti = 1.0 / np.where(failures > 0, failures, 1.0)
    best = np.where(failures > 0, best_interval(costs.stall, mtti), work)
    return np.minimum(np.maximum(best, shortest), work)


def _given_rate(chip: str, given: float | FailureRate | None) -> tuple[FailureRate, list[str]]:
    if given is None or isinstance(given, FailureRate):
        rate = given or failure_rate(chip)
        return rate, list(rate.notes)
    return FailureRate(given, given, given, "failure rate given"), []


def _usual_restart() -> tuple[float, str]:
    row = _figure("RSC-1", "restart")
    low, high = float(row["low"]), float(row["high"])
    return math.sqrt(
        low * high
    ) * 60.0, f"assumed: restart in the geometric mean of {low:g} to {high:g} min, as on RSC-1"


def _check(numbers: dict[str, float | None], zero: tuple[str, ...]) -> None:
    """Refuse a number that is not finite and above zero, or zero for those in ``zero``; ``None`` was not given."""
    for name, value in numbers.items():
        if value is None or (math.isfinite(value) and (value > 0 or (value == 0 and name in zero))):
            continue
        msg = f"{name} is {value:g}; expected a finite number, {'zero or more' if name in zero else 'above zero'}"
        raise InputError(msg)


@functools.cache
def figures() -> tuple[dict[str, str], ...]:
    """Return the rows of the data file."""
    return tuple(rows("failures.csv"))


def _figure(cluster: str, figure: str) -> dict[str, str]:
    for row in figures():
        if (row["cluster"], row["figure"]) == (cluster, figure):
            return row
    msg = f"no {figure!r} of {cluster!r} in failures.csv"
    raise MissingFigureError(msg)


@functools.cache
def _lineage(chip: str) -> tuple[str, str]:
    """Return a chip's family and generation; a chip of no known silicon stands alone."""
    for row in rows("silicon.csv"):
        if chip.casefold() in (row["chip"].casefold(), row["family"].casefold()):
            return row["family"], row["generation"]
    return chip, chip
