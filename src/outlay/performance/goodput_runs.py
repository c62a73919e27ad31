"""Published failures and effective training times against the model, each predicted from other clusters alone."""

from __future__ import annotations

from outlay.performance.goodput import STATE_BYTES, cluster_rates, failure_rate, figures, goodput

_PUBLISHED_PARAMETERS = {"Llama 3.1 405B pre-training": 405e9}
"""Of published runs; those of the others are taken as 175e9, MegaScale's and OPT's size."""
CHIP_DAYS = 24e3


def published_rates() -> list[tuple[str, str, str, str, str, str]]:
    """Return, of each measured cluster: name, family, interruptions per 1,000 chip-days, and what the others predict.

    The last columns are the prediction with its band from the other clusters alone, predicted over measured, and
    whether the band holds it.
    """
    table = []
    for name, (family, measured) in cluster_rates().items():
        blind = failure_rate(family or "not named", without=name)
        low, value, high = (rate * CHIP_DAYS for rate in (blind.low, blind.value, blind.high))
        inside = "yes" if blind.low <= measured <= blind.high else "no"
        told = f"{value:.2g} ({low:.2g} to {high:.2g})"
        table.append(
            (name, family or "not named", f"{measured * CHIP_DAYS:.2g}", told, f"{blind.value / measured:.2f}", inside)
        )
    return table


def published_runs() -> list[tuple[str, str, str, str, str]]:
    """Return, of each run that published its effective training time: name, chips, published, and predicted twice.

    First with its own measured interruptions, where it tells them, then from other clusters alone.
    """
    table: list[tuple[str, str, str, str, str]] = []
    for row in figures():
        if row["figure"] != "ettr" or not row["chips"]:
            continue
        chips, name = int(row["chips"]), row["cluster"]
        days, state = float(row["days"] or 60.0), STATE_BYTES * _PUBLISHED_PARAMETERS.get(name, 175e9)
        own = {row["figure"]: row for row in figures() if row["cluster"] == name}
        rate = None
        if "interruptions" in own:
            rate = float(own["interruptions"]["value"]) / (chips * days * 24.0)
        elif "mtti" in own:
            rate = 1.0 / (float(own["mtti"]["value"] or own["mtti"]["low"]) * chips)
        told = (
            "-"
            if rate is None
            else f"{goodput(row['family'], chips, days, state, failures_per_chip_hour=rate).ettr:.3f}"
        )
        blind = failure_rate(row["family"] or "not named", without=name.removesuffix(" 1024-GPU jobs"))
        low, mid, high = (
            goodput(row["family"], chips, days, state, failures_per_chip_hour=value).ettr
            for value in (blind.high, blind.value, blind.low)
        )
        stated = f"> {row['low']}" if row["low"] else f"{row['value']} ({row['status']})"
        table.append((name, f"{chips:,}", stated, told, f"{mid:.3f} ({low:.3f} to {high:.3f})"))
    return table
