"""What `outlay train` answers: a run on one kind of chip or several, from a question in people's units, as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from outlay.errors import InputError, UnitError, unknown
from outlay.report.question import Question, Words
from outlay.report.whole_run import whole_run
from outlay.units import quantity

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.performance.mixed import Link
    from outlay.performance.mixed_search import MixedEstimate
    from outlay.performance.search import TrainingEstimate

DTYPES = ("bf16", "fp16", "fp8", "fp8_block", "fp4", "int8")
SCHEMA = 1
LINK_PARTS = ("rate", "trunk", "latency", "host")
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(b|bit|B)(?:/s|ps)\s*")
_SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


class TrainQuestion(Question):
    """A question as people write it.

    Attributes
    ----------
    model
        Its name in the catalogue.
    on
        ``SYSTEM:CHIPS`` once for each kind or site.
    tokens, seq, batch
        Tokens to train on, of a sequence and of a step; the first and last may be left out.
    dtype, stack
        Type of the numbers, and software generation.
    strategy
        Parts of the strategy to fix, where there is one kind of chip.
    link, mix, outer_steps
        What joins several kinds, and how they share the run.
    sensitivity
        Whether to say what 1 % more of each hardware figure does.
    """

    model: Words
    on: Annotated[list[Words], Field(min_length=1, max_length=20)]
    tokens: Words | None = None
    seq: Words = "4096"
    batch: Words | None = None
    dtype: Words = "bf16"
    strategy: Words | None = None
    stack: Words = "current"
    link: Words | None = None
    mix: Words | None = None
    outer_steps: Words | None = None
    sensitivity: bool = False


def train(catalog: Catalog, question: TrainQuestion) -> tuple[TrainingEstimate | MixedEstimate, dict[str, Any]]:
    """Return the best way to train, and days, energy and cost of the whole run where tokens are given.

    Raises
    ------
    InputError
        If a part of the question cannot be read, or does not go with another.
    NoFitError
        If the model fits no strategy there.
    """
    from outlay.performance import search
    from outlay.performance.strategy import stacks

    if question.dtype not in DTYPES:
        raise InputError(unknown("data type", question.dtype, DTYPES))
    if question.stack not in stacks():
        raise InputError(unknown("software generation", question.stack, stacks()))
    fleet = [parse_place(place) for place in question.on]
    wanted = None if question.tokens is None else count(question.tokens, "--tokens")
    options: dict[str, Any] = {
        "sequence": int(count(question.seq, "--seq")),
        "batch_tokens": None if question.batch is None else count(question.batch, "--batch"),
        "dtype": question.dtype,
        "stack": question.stack,
    }
    _fits(question)
    if len(fleet) > 1:
        mixed = _mixed(catalog, question, fleet, options)
        return mixed, whole_run(mixed, _chips(mixed), wanted, catalog) if wanted else {}
    system = catalog.resolve_system(fleet[0][0])
    chip = catalog.chip(system.chip)
    estimate = search.best_training(
        catalog.model(question.model),
        system,
        fleet[0][1],
        fixed=search.parse_strategy(question.strategy) if question.strategy else None,
        chip=chip,
        sensitivity=question.sensitivity,
        **options,
    )
    return estimate, whole_run(estimate, {chip.name: estimate.chips}, wanted, catalog) if wanted else {}


def _fits(question: TrainQuestion) -> None:
    """Refuse parts of a question that do not go together."""
    if len(question.on) > 1:
        if question.strategy:
            msg = "--strategy is of one kind of chip; with several --on each kind's is searched, so leave it out"
            raise InputError(msg)
        if question.sensitivity:
            msg = "--sensitivity is of one kind of chip; with several --on leave it out"
            raise InputError(msg)
        return
    mixing = {"--link": question.link, "--mix": question.mix, "--outer-steps": question.outer_steps}
    for option, value in mixing.items():
        if value is not None:
            msg = f"{option} is of several kinds or sites; give --on once for each"
            raise InputError(msg)


def _mixed(
    catalog: Catalog, question: TrainQuestion, fleet: Sequence[tuple[str, int]], options: dict[str, Any]
) -> MixedEstimate:
    from outlay.performance import mixed_search

    ways = mixed_search.WAYS[:2]
    if question.mix is not None and question.mix not in ways:
        raise InputError(unknown("--mix", question.mix, ways))
    steps = 1.0 if question.outer_steps is None else count(question.outer_steps, "--outer-steps")
    if steps != int(steps):
        msg = f"--outer-steps {question.outer_steps!r} is not a whole number of steps"
        raise InputError(msg)
    places = []
    for name, chips in fleet:
        system = catalog.resolve_system(name)
        places.append(mixed_search.Place(system, catalog.chip(system.chip), chips))
    return mixed_search.best_mixed(
        catalog.model(question.model),
        places,
        parse_link(question.link) if question.link else None,
        ways=(question.mix,) if question.mix else mixed_search.WAYS,
        outer_steps=int(steps),
        **options,
    )


def _chips(estimate: MixedEstimate) -> dict[str, int]:
    """Return the chips a run takes, by name; two sites may have the same."""
    found: dict[str, int] = {}
    for kind in estimate.kinds:
        found[kind.chip] = found.get(kind.chip, 0) + kind.chips
    return found


def document(estimate: TrainingEstimate | MixedEstimate, whole: dict[str, Any]) -> dict[str, Any]:
    """Return what :func:`train` returned as plain lists and dictionaries."""
    values = asdict(estimate)
    if "strategies" not in values:
        return {"schema": SCHEMA, **values, "run": whole or None}
    search = {name: values.pop(name) for name in ("strategies", "feasible", "cpu_s")}
    return {"schema": SCHEMA, **values, "search": search, "run": whole or None}


def parse_place(text: str) -> tuple[str, int]:
    """Read ``H100 SXM:16384`` into a name and a number of chips."""
    name, colon, number = text.rpartition(":")
    if not colon or not name.strip():
        msg = f"--on {text!r} is not SYSTEM:CHIPS; expected a system or chip and a number, such as 'H100 SXM:16384'"
        raise InputError(msg)
    chips = count(number, "--on chips")
    if chips != int(chips):
        msg = f"--on {text!r}: {number!r} is not a whole number of chips"
        raise InputError(msg)
    return name.strip(), int(chips)


def count(text: str, option: str) -> float:
    """Read a number above zero as people write it: 15T, 16M, 8192, 15 trillion tokens."""
    try:
        plain = not any(letter.isalpha() for letter in text.replace("e", "").replace("E", ""))
        value = quantity(text, "") if plain else quantity(text if "token" in text else f"{text} tokens", "token")
    except UnitError as error:
        msg = f"{option}: {error}"
        raise InputError(msg) from None
    if value <= 0:
        msg = f"{option} must be above zero, not {text!r}"
        raise InputError(msg)
    return value


def parse_link(text: str) -> Link:
    """Read ``rate=200Gb/s,trunk=1.6Tb/s,latency=20ms,host=yes``, or a rate alone.

    Examples
    --------
    >>> parse_link("200Gb/s").bandwidth
    25000000000.0
    """
    from outlay.performance.mixed import Link

    given: dict[str, str] = {}
    for part in text.split(",") if "=" in text else [f"rate={text}"]:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            msg = (
                f"--link {text!r}: {part.strip()!r} is not name=value; expected parts such as rate=200Gb/s,latency=20ms"
            )
            raise InputError(msg)
        if name not in LINK_PARTS:
            raise InputError(f"--link {text!r}: " + unknown("part", name, LINK_PARTS))
        if name in given:
            msg = f"--link {text!r}: {name!r} is given twice"
            raise InputError(msg)
        given[name] = value
    if "rate" not in given and "trunk" not in given:
        msg = f"--link {text!r} says nothing of bandwidth; give rate, trunk or both"
        raise InputError(msg)
    if given.get("host", "no") not in ("yes", "no"):
        msg = f"--link {text!r}: host is {given['host']!r}; expected yes or no"
        raise InputError(msg)
    rates = {name: bytes_per_second(given[name], f"--link {name}") for name in ("rate", "trunk") if name in given}
    endless = float("inf")
    latency = _seconds(given["latency"]) if "latency" in given else 0.0
    return Link(rates.get("rate", endless), latency, rates.get("trunk", endless), given.get("host") == "yes")


def _seconds(text: str) -> float:
    try:
        seconds = quantity(text, "s")
    except UnitError as error:
        msg = f"--link latency: {error}"
        raise InputError(msg) from None
    if seconds < 0:
        msg = f"--link latency must not be below zero, not {text!r}"
        raise InputError(msg)
    return float(seconds)


def bytes_per_second(text: str, option: str) -> float:
    """Read a rate as people write it: 200Gb/s, 25 GB/s, 1.6Tbps.

    Examples
    --------
    >>> bytes_per_second("200Gb/s", "--link rate")
    25000000000.0
    """
    match = _RATE.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        msg = f"{option} {text!r} is not a rate above zero; expected bits or bytes over time, such as 200Gb/s or 25GB/s"
        raise InputError(msg)
    return float(match[1]) * _SCALES[match[2]] / (1 if match[3] == "B" else 8)
