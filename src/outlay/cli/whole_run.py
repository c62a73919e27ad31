"""Days, energy and cost of a whole training run as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay.units import human


def show(facts: Any, run: Mapping[str, Any], power_w: float | None) -> None:
    """Add what :func:`outlay.report.whole_run.whole_run` returned to the table of facts."""
    calendar, cost = run["calendar"], run["cost"]
    facts.add_row(
        "days",
        f"{run['days']:.1f} ({run['days_low']:.1f} to {run['days_high']:.1f}) without interruptions, "
        f"for {human(run['tokens'])} tokens",
    )
    if calendar["days"] is None:
        facts.add_row("with failures", f"never ends: {calendar['basis']}")
        return
    until = "no end" if calendar["days_high"] is None else f"{calendar['days_high']:.1f}"
    facts.add_row(
        "with failures",
        f"{calendar['days']:.1f} ({calendar['days_low']:.1f} to {until}) days: {calendar['interruptions']:,.0f} "
        f"interruptions, one in {calendar['mtti_hours']:.1f} h; a checkpoint every "
        f"{calendar['checkpoint_interval_s'] / 60:.1f} min, {calendar['restart_s'] / 60:.0f} min to restart; "
        f"{calendar['effective_time_ratio']:.1%} of the time makes progress ({calendar['basis']})",
    )
    facts.add_row("chip-hours", human(run["chip_hours"]))
    if run["energy_mwh"] is None:
        facts.add_row("energy", "not known: no source gives the power")
    else:
        facts.add_row("energy", f"{human(run['energy_mwh'])} MWh at {human((power_w or 0) / 1e6)} MW, cooling apart")
    if cost["amount"] is None:
        facts.add_row("cost", f"not known: {cost['reason']}")
    else:
        rent = f"{cost['per_chip_hour']:.2f} {cost['currency']} a chip-hour"
        facts.add_row("cost", f"{human(cost['amount'])} {cost['currency']} at a rent of {rent} ({cost['basis']})")
