"""What systems do for the work of a scenario: rates of services, blocks of training runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from outlay.errors import InputError, MissingFigureError, NoFitError
from outlay.evidence import Figure, Source
from outlay.planning.instance import Block
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Model, System
    from outlay.performance.search import TrainingEstimate
    from outlay.performance.serving.search import ServingEstimate
    from outlay.scenario.schema import Scenario, Service, TrainingRun

EFFECTIVE_TRAINING_TIME = Figure(
    value="by chip, chips and days",
    unit="",
    status="derived",
    source=Source(
        "Daly, A higher order estimate of the optimum checkpoint interval",
        "https://doi.org/10.1016/j.future.2004.11.016",
        "eq. 13",
    ),
    note="failure rates of measured clusters, see docs/goodput.md",
)
LONGEST_RUN_QUARTERS = 4


@dataclass
class Work:
    """What was found, and what was not.

    Attributes
    ----------
    serving
        By (service, system); absent where the model does not fit or misses its latency targets there.
    training
        By (run, system, units).
    reasons
        Why a (workload, system) pair has no answer.
    """

    serving: dict[tuple[str, str], ServingEstimate] = field(default_factory=dict)
    training: dict[tuple[str, str, int], TrainingEstimate] = field(default_factory=dict)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: dict[tuple[object, ...], TrainingEstimate | str] = field(default_factory=dict)
    """What was asked of the performance model and its answer, or why there is none: runs may ask alike."""


def rate_services(
    scenario: Scenario,
    catalog: Catalog,
    systems: Mapping[str, Sequence[System]],
    models: Mapping[str, Model],
    work: Work,
    progress: Callable[[str], None],
) -> None:
    """Find the best serving configuration of every service on every system it may run on; ``systems`` is by service."""
    from outlay.performance.serving.search import best_serving

    for service in scenario.services:
        for system in systems[service.name]:
            progress(f"serving {service.name} on {system.name}")
            try:
                work.serving[service.name, system.name] = best_serving(
                    models[service.model],
                    system,
                    input_tokens=service.input_tokens,
                    output_tokens=service.output_tokens,
                    ttft_s=service.ttft,
                    tpot_s=service.tpot,
                    dtype=service.dtype,
                    pools=True,
                    catalog=catalog,
                )
            except (NoFitError, MissingFigureError) as error:
                work.reasons[service.name, system.name] = str(error)


def block_sizes(most: int) -> list[int]:
    """Return the numbers of units tried for one training block: 1, 2, 3, 4, 6, 8, 12 ... up to ``most``.

    Halves and thirds of powers of two keep the chips divisible by the usual parallel sizes.
    """
    sizes = sorted({2**i * factor for i in range(16) for factor in (2, 3)} | {1})
    return [size for size in sizes if size <= most]


def training_blocks(
    run: TrainingRun,
    model: Model,
    system: System,
    catalog: Catalog,
    most_units: int,
    work: Work,
) -> dict[int, int]:
    """Return, by whole quarters, the fewest units on which a run ends within them.

    Days come from the performance model, failures and restarts included (:func:`run_days`). Block sizes are searched by
    bisection, since more units hardly ever take longer.
    """
    sizes = block_sizes(most_units)

    def days(units: int) -> float:
        key = (run.name, system.name, units)
        if key not in work.training:
            answer = _asked(run, model, system, units, catalog, work)
            if isinstance(answer, str):
                work.reasons.setdefault((run.name, system.name), answer)
                return float("inf")
            work.training[key] = answer
        return run_days(work.training[key], run.tokens)

    found: dict[int, int] = {}
    for quarters in range(1, LONGEST_RUN_QUARTERS + 1):
        low, high = 0, len(sizes) - 1
        while high >= 0 and days(sizes[high]) == float("inf"):
            high -= 1  # the batch of a run cannot be spread over any number of chips
        if high < 0 or days(sizes[high]) > quarters * 90:
            continue
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if days(sizes[middle]) <= quarters * 90 else (middle + 1, high)
        if sizes[low] not in found.values():
            found[quarters] = sizes[low]
    if found:
        work.reasons.pop((run.name, system.name), None)
    return found


def _asked(
    run: TrainingRun, model: Model, system: System, units: int, catalog: Catalog, work: Work
) -> TrainingEstimate | str:
    """Return the estimate of a run on some units, or why there is none; what was asked before is not worked out again.

    Of a run only what its step is made of is asked for: runs of one model that read unlike many tokens ask alike.
    """
    from outlay.performance.search import best_training

    key = (run.model, run.sequence, run.batch_tokens, run.dtype, system.name, units)
    if key not in work.asked:
        try:
            work.asked[key] = best_training(
                model,
                system,
                units * system.chips,
                sequence=run.sequence,
                batch_tokens=run.batch_tokens,
                dtype=run.dtype,
                catalog=catalog,
                space="usual",
            )
        except (NoFitError, MissingFigureError, InputError) as error:
            work.asked[key] = str(error)
    return work.asked[key]


def run_days(estimate: TrainingEstimate, tokens: float) -> float:
    """Return the expected calendar days of a run, with failures, checkpoints and restarts."""
    from outlay.performance.goodput import STATE_BYTES, goodput

    state = STATE_BYTES * estimate.parameters
    return goodput(estimate.chip, estimate.chips, estimate.days(tokens), state).expected_days


def place_blocks(
    r: int,
    run: TrainingRun,
    quarters: Sequence[Quarter],
    option: int,
    most_units: int,
    sizes: Mapping[int, int],
) -> list[Block]:
    """Return every start of a run's block sizes on one option that its window and deadline allow."""
    last = run.deadline or quarters[-1]
    return [
        Block(r, option, start, length, units)
        for length, units in sizes.items()
        if units <= most_units
        for start in range(len(quarters) - length + 1)
        if (run.first is None or quarters[start] >= run.first) and quarters[start + length - 1] <= last
    ]


def service_demand(service: Service, quarters: Sequence[Quarter]) -> tuple[float, ...]:
    """Return the average tokens/s of each quarter: the value given for the latest quarter up to it, zero before any."""
    given = sorted(service.demand.items())
    return tuple(
        max([(q, rate) for q, rate in given if q <= quarter], default=(quarter, 0.0))[1] for quarter in quarters
    )
