"""What `outlay serve` answers: the best configuration and its fleet, from a question in people's units, as JSON."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from outlay.errors import CatalogError, InputError, MissingFigureError, NoFitError, OutlayError
from outlay.report.question import Question, Words
from outlay.units import share

if TYPE_CHECKING:
    from outlay.catalog import Catalog, System
    from outlay.performance.serving.lengths import Lengths
    from outlay.performance.serving.search import ServingEstimate


class ServeQuestion(Question):
    """A question as people write it.

    Attributes
    ----------
    model
        Its name in the catalogue.
    on
        ``SYSTEM`` or ``SYSTEM:CHIPS``.
    input, output
        Tokens of a prompt and of an answer; means where they differ.
    input_cv, output_cv
        Coefficients of variation of the two, lognormal.
    lengths
        Text of a CSV of requests, columns ``input`` and ``output``, in place of the four before.
    ttft, tpot
        Targets of the mean time to first token and per output token.
    rate
        Requests over time.
    share
        Share of the requests that shall meet the targets; else their mean does.
    batch
        Requests on a replica at once, where the search shall not choose them.
    dtype, kv
        Types of the weights and of the KV cache.
    engine
        By default the one its family of chips is usually served with.
    cached
        Share of a prompt found in the prefix cache.
    draft, acceptance
        Tokens that speculative decoding drafts a step, and the share accepted.
    pools
        Whether to try chips of their own for prompts.
    cp
        Attention groups that read a prompt together; searched for long prompts where left out.
    redundant_experts
        Copies of experts that a balancer places, or ``search``; none and no balancer where left out.
    expert_skew
        Gini index of the popularity of experts.
    """

    model: Words
    on: Words
    input: Words | None = None
    output: Words | None = None
    ttft: Words = "2 s"
    tpot: Words = "50 ms"
    rate: Words | None = None
    share: Words | None = None
    batch: Words | None = None
    dtype: Words = "fp8"
    kv: Words | None = None
    engine: Words | None = None
    cached: Words = "0"
    draft: Annotated[int, Field(0, ge=0, le=64)]
    acceptance: Words | None = None
    pools: bool = False
    input_cv: Words | None = None
    output_cv: Words | None = None
    lengths: Annotated[str | None, Field(None, max_length=2_000_000)]
    cp: Words | None = None
    redundant_experts: Words | None = None
    expert_skew: Words | None = None


def serve(catalog: Catalog, question: ServeQuestion) -> tuple[System, ServingEstimate, dict[str, Any]]:
    """Return the system, its best configuration, and the fleet: its size, what it serves, what tokens cost.

    Raises
    ------
    InputError
        If a part of the question cannot be read.
    NoFitError
        If nothing meets the targets there.
    """
    from outlay.performance.serving.search import best_serving
    from outlay.units import quantity

    name, _, count = question.on.partition(":")
    system = catalog.resolve_system(name)
    chips = _whole("the number of chips of --on", count) if count else None
    mixed, lengths = _lengths(question)
    requests = None if question.rate is None else _rate(question.rate)
    targets = quantity(question.ttft, "s"), quantity(question.tpot, "s")
    found = best_serving(
        catalog.model(question.model),
        system,
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        ttft_s=targets[0],
        tpot_s=targets[1],
        dtype=question.dtype,
        kv=question.kv,
        chips=chips,
        batch=None if question.batch is None else _whole("--batch", question.batch),
        software=question.engine,
        cached=cached(question.cached),
        drafts=question.draft,
        acceptance=accepted(question.acceptance),
        pools=question.pools,
        lengths=mixed,
        cp=None if question.cp is None else _whole("--cp", question.cp),
        redundant=_redundant(question.redundant_experts),
        skew=None if question.expert_skew is None else _number("--expert-skew", question.expert_skew),
        catalog=catalog,
    )
    wanted = None if question.share is None else share("--share", question.share)
    return system, found, _fleet(catalog, system, found, chips, requests, lengths, targets, wanted)


def cached(text: str) -> float:
    """Return the share of a prompt that ``--cached`` says is found in the prefix cache; the last token never is."""
    value = share("--cached", text)
    if value == 1:
        msg = f"--cached {text!r}: expected a share from 0% to below 100%"
        raise InputError(msg)
    return value


def accepted(text: str | None) -> float:
    """Return the share of drafted tokens that ``--acceptance`` gives, or that engines measured where it is left out."""
    from outlay.performance.serving.models import ACCEPTANCE

    return ACCEPTANCE if text is None else share("--acceptance", text)


def document(model: str, system: System, found: ServingEstimate, answer: dict[str, Any]) -> dict[str, Any]:
    """Return what :func:`serve` returned as plain lists and dictionaries."""
    shown = asdict(replace(found, setup=None))
    del shown["setup"]
    return {"schema": 1, "model": model, "system": system.name, **answer, **shown}


def _lengths(question: ServeQuestion) -> tuple[Lengths | None, tuple[float, float]]:
    """Return how requests differ in length, if they do, and the means of prompts and answers."""
    from outlay.performance.serving.lengths import listed, lognormal

    given = {
        name: value
        for name, value in (
            ("--input", question.input),
            ("--output", question.output),
            ("--input-cv", question.input_cv),
            ("--output-cv", question.output_cv),
        )
        if value is not None
    }
    if question.lengths is not None:
        if given:
            msg = f"--lengths says how long requests are; leave out {' and '.join(given)}"
            raise InputError(msg)
        mixed = listed(question.lengths)
        return mixed, (mixed.input, mixed.output)
    missing = [name for name in ("--input", "--output") if name not in given]
    if missing:
        msg = f"{' and '.join(missing)} must be given, such as --input 3000 --output 500, or --lengths FILE.csv"
        raise InputError(msg)
    means = _whole("--input", given["--input"]), _whole("--output", given["--output"])
    if len(given) == len(means):
        return None, means
    spreads = (_number(name, given.get(name, "0")) for name in ("--input-cv", "--output-cv"))
    return lognormal(*means, *spreads), means


def _number(name: str, text: str) -> float:
    """Read a number such as 0.8 or 80%."""
    from outlay.units import quantity

    try:
        return quantity(text, "")
    except OutlayError:
        msg = f"{name} must be a number, such as 0.8; got {text}"
        raise InputError(msg) from None


def _redundant(text: str | None) -> int | Literal["search"] | None:
    """Read copies of experts: a whole number from 0, or the word search."""
    if text is None or text.strip() == "search":
        return None if text is None else "search"
    value = text.strip()
    if not value.isdecimal():
        close = "0" if value.startswith("-") else "search"
        msg = f"--redundant-experts must be a whole number from 0, or search; got {text}; nearest: {close}"
        raise InputError(msg)
    return int(value)


def _whole(name: str, text: str) -> int:
    from outlay.units import quantity

    value = quantity(text, "token") if "tok" in text else quantity(text, "")
    if value < 1 or value != int(value):
        msg = f"{name} must be a whole number of one or more; got {text}"
        raise InputError(msg)
    return int(value)


def _rate(text: str) -> float:
    """Read requests over time, such as 50/s or 3,000 requests/min, as requests a second."""
    from outlay.units import quantity

    number, _, period = text.partition("/")
    count = number.strip().removesuffix("requests").removesuffix("req")
    if not period:
        msg = f"--rate {text!r} is not requests over time; expected a rate such as 50/s"
        raise InputError(msg)
    value = quantity(count, "") / quantity(f"1 {period}", "s")
    if value <= 0:
        msg = f"--rate must be more than zero; got {text}"
        raise InputError(msg)
    return value


def _fleet(
    catalog: Catalog,
    system: System,
    found: ServingEstimate,
    chips: int | None,
    requests: float | None,
    lengths: tuple[float, float],
    targets: tuple[float, float],
    share: float | None,
) -> dict[str, Any]:
    """Return the fleet: its size, what it serves, whether that is enough, its latencies, and what tokens cost."""
    from outlay.performance.serving.fleet import bears, load_at, replicas_for

    per_replica, load = found.output_tokens_per_s_per_chip * found.chips_per_replica / lengths[1], None
    assert found.setup is not None
    if requests is not None or share is not None:
        load = bears(found.setup, *targets, 1.2 * per_replica, share)
        if load is None:
            msg = f"no load keeps {share or 0.5:.0%} of the requests within the targets; loosen --ttft or --tpot"
            raise NoFitError(msg)
        per_replica = load.requests_per_s
    if chips is None:
        replicas = 1 if requests is None or load is None else replicas_for(requests, load)
    else:
        replicas = chips // found.chips_per_replica
    enough = None if requests is None else replicas * per_replica >= requests
    if load is not None and requests is not None and enough:
        load = load_at(found.setup, requests / replicas)
    return {
        "chips": replicas * found.chips_per_replica,
        "replicas": replicas,
        "requests_per_s": replicas * per_replica,
        "tokens_per_s": replicas * per_replica * sum(lengths),
        "enough": enough,
        "load": None if load is None else asdict(load),
        **_cost(catalog, system, found, per_replica / found.chips_per_replica, lengths),
    }


def _cost(
    catalog: Catalog, system: System, found: ServingEstimate, requests_per_chip: float, lengths: tuple[float, float]
) -> dict[str, Any]:
    """Return what tokens cost at the rent of a chip: input tokens pay for the time their prompts take."""
    from outlay.finance.pricing import rental_price

    names = ("cost_per_million_tokens", "cost_per_million_input_tokens", "cost_per_million_output_tokens")
    try:
        rent = rental_price(catalog, catalog.chip(system.chip), date.max)
    except (MissingFigureError, CatalogError) as error:
        return {**dict.fromkeys(names), "cost_basis": str(error)}
    second = rent.amount / 3600
    whole = 1.0 / requests_per_chip
    reading = min(found.reading_chip_s, whole)
    costs = whole / sum(lengths), reading / lengths[0], (whole - reading) / lengths[1]
    return {
        **{name: cost * second * 1e6 for name, cost in zip(names, costs, strict=True)},
        "cost_basis": f"{rent.amount:g} {rent.currency} per chip-hour, {rent.date}, {rent.basis}",
    }
