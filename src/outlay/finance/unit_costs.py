"""Costs in the units people argue in: an H100-equivalent hour, a training run, a million input and output tokens."""

from __future__ import annotations

from dataclasses import dataclass

from outlay.errors import InputError

SECONDS_PER_HOUR = 3600.0
MILLION = 1e6
H100_BF16 = 989e12
"""Dense bf16 peak of an H100 SXM, FLOP/s: the measure of an H100-equivalent (Nvidia, H100 data sheet)."""


@dataclass(frozen=True)
class TokenCost:
    """What tokens cost to serve, per million, in the currency of the chip-hour.

    Attributes
    ----------
    input, output
        Of a million tokens of prompts, cache hits counted among them, and of answers.
    both
        Of a million tokens, prompts and answers in the mix served.
    """

    input: float
    output: float
    both: float


def per_h100_hour(per_chip_hour: float, peak: float, h100_peak: float = H100_BF16) -> float:
    """Return what as much dense bf16 peak as an H100 has costs for an hour."""
    return per_chip_hour * _positive(h100_peak, "peak of an H100") / _positive(peak, "peak")


def training_run(per_chip_hour: float, chips: int, days: float) -> float:
    """Return what a run costs: every chip, every hour of its days, repairs and restarts included in the days."""
    return per_chip_hour * chips * days * 24


def per_million(per_chip_hour: float, tokens_per_s_per_chip: float) -> float:
    """Return what a million tokens cost at a rate a chip serves.

    Examples
    --------
    >>> round(per_million(2.0, 14_800 / 8), 4)
    0.3003
    """
    return per_chip_hour / SECONDS_PER_HOUR / _positive(tokens_per_s_per_chip, "tokens a second") * MILLION


def pools(per_chip_hour: float, input_rate: float, output_rate: float, input_per_output: float) -> TokenCost:
    """Return what tokens cost where prompts and answers are worked on by chips of their own.

    Parameters
    ----------
    input_rate, output_rate
        Tokens a second and chip of the prefill and of the decode pool; the first with cache hits counted in.
    input_per_output
        Input tokens per output token of the mix.
    """
    prompt, answer = per_million(per_chip_hour, input_rate), per_million(per_chip_hour, output_rate)
    mix = _positive(input_per_output, "input tokens per output token")
    return TokenCost(prompt, answer, (prompt * mix + answer) / (mix + 1))


def shared(
    per_chip_hour: float, requests_rate: float, prompts_rate: float, input_tokens: float, output_tokens: float
) -> TokenCost:
    """Return what tokens cost where the same chips work on prompts and answers.

    A prompt costs what it would on chips that do nothing else; the answer costs the rest of its request.

    Parameters
    ----------
    requests_rate
        Requests a second and chip, whole.
    prompts_rate
        Requests a second and chip if only their prompts were worked on.

    Raises
    ------
    InputError
        If prompts alone would cost more than whole requests.
    """
    request = per_chip_hour / SECONDS_PER_HOUR / _positive(requests_rate, "requests a second")
    prompt = per_chip_hour / SECONDS_PER_HOUR / _positive(prompts_rate, "prompts a second")
    if prompt > request:
        msg = f"prompts alone ({prompts_rate:g}/s a chip) are slower than whole requests ({requests_rate:g}/s)"
        raise InputError(msg)
    return TokenCost(
        prompt / input_tokens * MILLION,
        (request - prompt) / output_tokens * MILLION,
        request / (input_tokens + output_tokens) * MILLION,
    )


def _positive(value: float, name: str) -> float:
    if not value > 0:
        msg = f"{name} is {value:g}; expected more than zero"
        raise InputError(msg)
    return value
