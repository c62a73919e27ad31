"""What binds and what it costs, as bars: each limit's worth over a step of it that one can picture."""

from __future__ import annotations

from outlay.planning.result import Limit, Plan
from outlay.report import facts
from outlay.report.charts import PALETTE, Chart, label

STEPS = {"chip": (100.0, "100 chips"), "MW": (1.0, "1 MW"), "percentage point": (1.0, "1 point")}
"""The step shown, by the unit of the limit; one unit of any other."""


def limits_chart(plan: Plan) -> Chart | None:
    """Return a bar a limit: what one step more of it is worth (to the right) or costs (to the left)."""
    if not plan.limits:
        return None
    found = sorted(plan.limits, key=lambda limit: abs(_worth(plan, limit)))
    values = [_worth(plan, limit) for limit in found]
    unit = plan.currency if _in_money(plan) else plan.objective_name
    return Chart(
        id="limits",
        title=f"What one step more of each limit is worth, {unit}",
        alt=f"{len(found)} limits bind; the dearest is {found[-1].name}: {found[-1].words}.",
        data=[
            {
                "type": "bar",
                "orientation": "h",
                "x": values,
                "y": [label(f"{limit.name}, {_step(limit)[1]}") for limit in found],
                "text": [f"{'+' if value > 0 else '−'}{facts.shown(abs(value))}" for value in values],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertext": [label(limit.words) for limit in found],
                "hoverinfo": "text",
                "marker": {
                    "color": [PALETTE[2] if value > 0 else PALETTE[1] for value in values],
                    "pattern": {"shape": ["" if value > 0 else "/" for value in values], "solidity": 0.15},
                },
            }
        ],
        layout={
            "height": 90 + 34 * len(found),
            "showlegend": False,
            "xaxis": {"zeroline": True, "showticklabels": False, "range": _room(values)},
            "yaxis": {"automargin": True},
            "margin": {"l": 8, "r": 8, "t": 8, "b": 16},
        },
        columns=["limit", "kind", "what more is worth"],
        rows=[[limit.name, limit.family, limit.words] for limit in reversed(found)],
        least_width=560,
    )


def _worth(plan: Plan, limit: Limit) -> float:
    scale = 1e6 if _in_money(plan) else 1.0
    return limit.dual * _step(limit)[0] * scale


def _in_money(plan: Plan) -> bool:
    return plan.objective_name in {"value", "cost"}


def _step(limit: Limit) -> tuple[float, str]:
    return STEPS.get(limit.unit, (1.0, f"1 {limit.unit}"))


def _room(values: list[float]) -> list[float]:
    """Return the range of the bars with room for the words at their ends."""
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.18 * (high - low or 1.0)
    return [low - (room if low < 0 else 0.0), high + room]
