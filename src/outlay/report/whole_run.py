"""Days, energy and cost of a whole training run, on one kind of chip or several."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from outlay.errors import OutlayError
from outlay.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.performance.mixed_search import MixedEstimate
    from outlay.performance.search import TrainingEstimate


def whole_run(
    estimate: TrainingEstimate | MixedEstimate, chips: Mapping[str, int], tokens: float, catalog: Catalog
) -> dict[str, Any]:
    """Return days of pure progress and by the calendar, and energy and cost of the latter.

    Parameters
    ----------
    chips
        How many the run takes, by the name of the chip.

    Notes
    -----
    The calendar's band takes the low end of the step time with the low end of the failure rate, and the high ends
    together, so it is wider than either.
    """
    days = tokens / estimate.tokens_per_s / SECONDS_PER_DAY
    low, high = (days * end / estimate.step_time_s for end in (estimate.step_low_s, estimate.step_high_s))
    calendar = _calendar(chips, estimate.parameters, (low, days, high))
    hours = None if calendar["days"] is None else calendar["days"] * SECONDS_PER_DAY / SECONDS_PER_HOUR
    power = estimate.power_w
    return {
        "tokens": tokens,
        "days": days,
        "days_low": low,
        "days_high": high,
        "calendar": calendar,
        "chip_hours": None if hours is None else hours * sum(chips.values()),
        "energy_mwh": None if power is None or hours is None else power * hours / 1e6,
        "cost": _cost(catalog, {chip: count * hours for chip, count in chips.items()} if hours else {}),
    }


def _calendar(chips: Mapping[str, int], parameters: float, days: tuple[float, float, float]) -> dict[str, Any]:
    """Return the expected days with failures, checkpoints and restarts; None where they never end."""
    from outlay.performance.goodput import STATE_BYTES, fleet_rate, goodput

    name, rate, state = " + ".join(chips), fleet_rate(chips), STATE_BYTES * parameters
    low, run, high = (goodput(name, sum(chips.values()), one, state, failures_per_chip_hour=rate) for one in days)

    def ends(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "days": ends(run.expected_days),
        "days_low": ends(low.low_days),
        "days_high": ends(high.high_days),
        "effective_time_ratio": run.ettr,
        "mtti_hours": ends(run.mtti_hours),
        "interruptions": ends(run.interruptions),
        "checkpoint_interval_s": run.checkpoint_interval_s,
        "checkpoint_stall_s": run.checkpoint_stall_s,
        "restart_s": run.restart_s,
        "basis": run.basis,
        "notes": list(run.notes),
    }


def _cost(catalog: Catalog, chip_hours: Mapping[str, float]) -> dict[str, Any]:
    """Return the cost at the rents known today with their basis, or why there is none."""
    from outlay.finance.pricing import rental_price

    if not chip_hours:
        return {"amount": None, "reason": "the run never ends"}
    try:
        prices = {name: rental_price(catalog, catalog.chip(name), date.today()) for name in chip_hours}
    except OutlayError as error:
        return {"amount": None, "reason": str(error)}
    currencies = {price.currency for price in prices.values()}
    if len(currencies) > 1:
        return {"amount": None, "reason": f"rents are in several currencies: {', '.join(sorted(currencies))}"}
    low, amount, high = (
        sum(getattr(price, end) * chip_hours[name] for name, price in prices.items())
        for end in ("low", "amount", "high")
    )
    return {
        "amount": amount,
        "low": low,
        "high": high,
        "currency": currencies.pop(),
        "per_chip_hour": amount / sum(chip_hours.values()),
        "basis": "; ".join(dict.fromkeys(price.basis for price in prices.values())),
        "date": max(price.date for price in prices.values()),
    }
