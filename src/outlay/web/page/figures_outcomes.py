"""Figures of what comes of a plan over futures: the fan of outcomes, regret, a plan held through sampled futures."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from outlay.report import facts
from outlay.report.charts import GREY, PALETTE, SCALES, Chart, label

if TYPE_CHECKING:
    from outlay.planning.futures.result import HedgedPlan, SimplePlan
    from outlay.planning.futures.stress import Stress

Say = Callable[..., str]
BANDS = ((0.05, 0.95, 0.14), (0.25, 0.75, 0.28))
"""Quantiles between which a band of the fan lies, and how strong its colour is."""
BLUE = "0, 114, 178"


def weighted_quantiles(values: Sequence[float], weights: Sequence[float], levels: Sequence[float]) -> list[float]:
    """Return the values below which given parts of the weight lie: each the least that reaches its level.

    Examples
    --------
    >>> weighted_quantiles([3.0, 1.0, 2.0], [0.25, 0.5, 0.25], [0.1, 0.5, 0.9])
    [1.0, 1.0, 3.0]
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(np.asarray(weights, dtype=float)[order])
    at = np.searchsorted(reached, np.asarray(levels) * reached[-1] - 1e-12)
    return [float(values[order[min(i, len(order) - 1)]]) for i in at]


def fan(plan: HedgedPlan, say: Say) -> Chart | None:
    """Return the fan of what is served over the quarters, over all futures; ``None`` where nothing is asked for."""
    quarters = [q for q in plan.quarters if any(q in future.served_by_quarter for future in plan.futures)]
    if not quarters:
        return None
    levels = sorted({level for low, high, _ in BANDS for level in (low, high)} | {0.5})
    weights = [future.probability for future in plan.futures]
    table = {
        quarter: weighted_quantiles(
            [future.served_by_quarter.get(quarter, 1.0) * 100 for future in plan.futures], weights, levels
        )
        for quarter in quarters
    }
    at = {level: [table[quarter][i] for quarter in quarters] for i, level in enumerate(levels)}
    data: list[dict[str, Any]] = []
    for low, high, strength in BANDS:
        name = say("futures.band", low=f"{low:.0%}", high=f"{high:.0%}")
        data += _band(quarters, at[low], at[high], name, strength)
    data.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": say("futures.median"),
            "x": quarters,
            "y": at[0.5],
            "line": {"width": 2.5, "color": f"rgb({BLUE})"},
            "hovertemplate": "%{x}: %{y:.1f} %<extra></extra>",
        }
    )
    lowest = min(quarters, key=lambda quarter: table[quarter][0])
    return Chart(
        id="futures-fan",
        title=say("futures.fan.title"),
        alt=say(
            "futures.fan.alt",
            quarter=lowest,
            low=f"{table[lowest][0]:.0f} %",
            middle=f"{at[0.5][quarters.index(lowest)]:.0f} %",
        ),
        data=data,
        layout={
            "height": 320,
            "xaxis": {"type": "category"},
            "yaxis": {"title": {"text": say("futures.fan.axis")}, "range": [0, 103], "ticksuffix": " %"},
            "margin": {"l": 62, "r": 10, "t": 8, "b": 36},
        },
        columns=[say("futures.quarter"), *(f"{level:.0%}" for level in levels)],
        rows=[[quarter, *(f"{value:.1f} %" for value in table[quarter])] for quarter in quarters],
        values=[[quarter, *(value / 100 for value in table[quarter])] for quarter in quarters],
    )


def _band(
    x: Sequence[str], low: Sequence[float], high: Sequence[float], name: str, strength: float
) -> list[dict[str, Any]]:
    edge = {"type": "scatter", "mode": "lines", "x": list(x), "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        {**edge, "y": list(low), "showlegend": False},
        {**edge, "y": list(high), "name": name, "fill": "tonexty", "fillcolor": f"rgba({BLUE}, {strength})"},
    ]


def distribution(plan: HedgedPlan, say: Say) -> Chart:
    """Return what the plan is worth over all futures, worst first, against how much of the probability is worse."""
    ordered = sorted(plan.futures, key=lambda future: future.value)
    reached = np.cumsum([future.probability for future in ordered])
    size, word = _scale([future.value for future in ordered])
    value = [future.value / size for future in ordered]
    marks = [("futures.expected", plan.expected, PALETTE[2]), ("futures.tail", plan.cvar, PALETTE[1])]
    tail = facts.percent(1 - plan.risk_level)
    return Chart(
        id="futures-values",
        title=say("futures.values.title"),
        alt=say(
            "futures.values.alt",
            expected=facts.money(plan.expected, plan.currency),
            tail=facts.money(plan.cvar, plan.currency),
            share=tail,
            worst=facts.money(plan.worst, plan.currency),
        ),
        data=[
            {
                "type": "scatter",
                "mode": "lines",
                "x": [0.0, *(float(share) * 100 for share in reached)],
                "y": [value[0], *value],
                "line": {"shape": "vh", "width": 2.5, "color": f"rgb({BLUE})"},
                "name": say("futures.value"),
                "hovertext": [
                    "",
                    *(
                        label(f"{f.name}: {facts.money(f.value, plan.currency)}, {facts.percent(f.probability, 1)}")
                        for f in ordered
                    ),
                ],
                "hoverinfo": "text",
            },
            *(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [0, 100],
                    "y": [amount / size] * 2,
                    "name": f"{say(key, share=tail)} {facts.money(amount, plan.currency)}",
                    "line": {"dash": "dash" if key == "futures.expected" else "dot", "width": 2, "color": colour},
                    "hoverinfo": "name",
                }
                for key, amount, colour in marks
            ),
        ],
        layout={
            "height": 320,
            "xaxis": {"title": {"text": say("futures.values.axis")}, "range": [0, 100], "ticksuffix": " %"},
            "yaxis": {"title": {"text": f"{word} {plan.currency}".strip()}},
            "margin": {"l": 62, "r": 10, "t": 8, "b": 44},
        },
        columns=[
            say("futures.future"),
            say("futures.probability"),
            say("futures.value"),
            say("futures.served"),
            say("futures.course"),
        ],
        rows=[
            [
                f.name,
                facts.percent(f.probability, 1),
                facts.money(f.value, plan.currency),
                facts.percent(f.served, 1),
                "; ".join(f.happenings) or say("futures.nothing"),
            ]
            for f in ordered
        ],
        values=[[f.name, f.probability, f.value, f.served, "; ".join(f.happenings)] for f in ordered],
    )


def _scale(values: Sequence[float]) -> tuple[float, str]:
    top = max((abs(value) for value in values), default=0.0)
    return next(((size, word) for size, word in SCALES if top >= size), (1.0, ""))


def regret(plan: HedgedPlan, say: Say) -> Chart | None:
    """Return mean and worst regret of the plan and of simple ones as bars; ``None`` where they were not asked for."""
    if not plan.simple:
        return None
    size, word = _scale([one.worst_regret for one in plan.simple])
    names = [one.name for one in plan.simple]
    bars = (
        ("futures.mean_regret", "mean_regret", PALETTE[0], ""),
        ("futures.worst_regret", "worst_regret", PALETTE[1], "/"),
    )
    least = min(plan.simple, key=lambda one: one.mean_regret)
    return Chart(
        id="futures-regret",
        title=say("futures.regret.title"),
        alt=say("futures.regret.alt", name=least.name, mean=facts.money(least.mean_regret, plan.currency)),
        data=[
            {
                "type": "bar",
                "orientation": "h",
                "name": say(key),
                "y": [label(name) for name in names],
                "x": [getattr(one, field) / size for one in plan.simple],
                "text": [facts.shown(getattr(one, field)) for one in plan.simple],
                "textposition": "auto",
                "marker": {
                    "color": colour,
                    "pattern": {"shape": shape, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.45)"},
                },
                "hovertext": [
                    label(f"{one.name}: {say(key)} {facts.money(getattr(one, field), plan.currency)}; {one.words}")
                    for one in plan.simple
                ],
                "hoverinfo": "text",
            }
            for key, field, colour, shape in bars
        ],
        layout={
            "height": 90 + 46 * len(names),
            "barmode": "group",
            "xaxis": {"title": {"text": f"{word} {plan.currency}".strip()}, "rangemode": "tozero"},
            "yaxis": {"autorange": "reversed", "automargin": True},
            "margin": {"l": 8, "r": 10, "t": 8, "b": 44},
        },
        columns=[
            say("futures.plan"),
            say("futures.mean_regret"),
            say("futures.worst_regret"),
            say("futures.expected"),
            say("futures.worst"),
        ],
        rows=[[one.name, *(facts.money(value, plan.currency) for value in _regrets(one))] for one in plan.simple],
        values=[[one.name, *_regrets(one)] for one in plan.simple],
    )


def _regrets(one: SimplePlan) -> tuple[float, float, float, float]:
    return one.mean_regret, one.worst_regret, one.expected, one.worst


def events(found: Stress, say: Say) -> Chart:
    """Return what each event does to a plan held through sampled futures: mean value with it and without it."""
    size, word = _scale([value for one in found.events for value in (one.value_with, one.value_without)])
    names = [f"{one.event} ({facts.percent(one.share)})" for one in found.events]
    wrapped = [_wrapped(name) for name in names]
    ends = (
        ("futures.without_event", "value_without", PALETTE[2], "circle"),
        ("futures.with_event", "value_with", PALETTE[1], "diamond"),
    )
    lines = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for one in found.events for x in (one.value_with / size, one.value_without / size, None)],
        "y": [y for name in wrapped for y in (name, name, None)],
        "line": {"color": GREY, "width": 3},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return Chart(
        id="stress-events",
        title=say("futures.events.title"),
        alt=say("futures.events.alt", event=found.events[0].event, broken=facts.percent(found.events[0].broken_with))
        if found.events
        else say("futures.events.none"),
        data=[
            lines,
            *(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": say(key),
                    "x": [getattr(one, field) / size for one in found.events],
                    "y": wrapped,
                    "marker": {"color": colour, "symbol": symbol, "size": 12},
                    "hovertext": [
                        label(f"{one.event}: {say(key)} {facts.money(getattr(one, field), found.currency)}")
                        for one in found.events
                    ],
                    "hoverinfo": "text",
                }
                for key, field, colour, symbol in ends
            ),
        ],
        layout={
            "height": 110 + 52 * max(1, len(names)),
            "xaxis": {"title": {"text": f"{word} {found.currency}".strip()}},
            "yaxis": {"autorange": "reversed", "automargin": True},
            "margin": {"l": 8, "r": 10, "t": 8, "b": 44},
        },
        columns=[
            say("futures.event"),
            say("futures.how_often"),
            say("futures.with_event"),
            say("futures.without_event"),
            say("futures.broken_with"),
            say("futures.broken_without"),
        ],
        rows=[
            [
                one.event,
                facts.percent(one.share),
                facts.money(one.value_with, found.currency),
                facts.money(one.value_without, found.currency),
                facts.percent(one.broken_with),
                facts.percent(one.broken_without),
            ]
            for one in found.events
        ],
        values=[
            [one.event, one.share, one.value_with, one.value_without, one.broken_with, one.broken_without]
            for one in found.events
        ],
    )


def quantiles(found: Stress, say: Say) -> Chart:
    """Return what a plan held through sampled futures is worth, by quantile, against its worth as known today."""
    levels = [float(name.rstrip("%")) for name in found.quantiles]
    values = list(found.quantiles.values())
    size, word = _scale([*values, found.as_known])
    return Chart(
        id="stress-quantiles",
        title=say("futures.quantiles.title", count=f"{found.futures:,}"),
        alt=say(
            "futures.quantiles.alt",
            broken=facts.percent(found.broken, 1),
            served=facts.percent(found.served, 1),
            tail=facts.money(found.worst_tenth, found.currency),
        ),
        data=[
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": say("futures.value"),
                "x": levels,
                "y": [value / size for value in values],
                "line": {"width": 2.5, "color": f"rgb({BLUE})"},
                "hovertext": [
                    label(f"{name}: {facts.money(value, found.currency)}") for name, value in found.quantiles.items()
                ],
                "hoverinfo": "text",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": say("futures.as_known"),
                "x": [0, 100],
                "y": [found.as_known / size] * 2,
                "line": {"dash": "dash", "width": 2, "color": PALETTE[2]},
                "hoverinfo": "name",
            },
        ],
        layout={
            "height": 300,
            "xaxis": {"title": {"text": say("futures.values.axis")}, "range": [0, 100], "ticksuffix": " %"},
            "yaxis": {"title": {"text": f"{word} {found.currency}".strip()}},
            "margin": {"l": 62, "r": 10, "t": 8, "b": 44},
        },
        columns=[say("futures.quantile"), say("futures.value")],
        rows=[[name, facts.money(value, found.currency)] for name, value in found.quantiles.items()],
        values=[[level / 100, value] for level, value in zip(levels, values, strict=True)],
    )


def _wrapped(name: str, width: int = 34) -> str:
    return "<br>".join(label(line) for line in textwrap.wrap(name, width))
