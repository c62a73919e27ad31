"""Figures of the view of futures: the tree of what may happen, the fan of outcomes, what an event does to a plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from outlay.report import facts
from outlay.report.charts import GREY, PALETTE, Chart, label

if TYPE_CHECKING:
    from outlay.planning.futures.result import HedgedPlan
    from outlay.planning.futures.stress import Stress
    from outlay.scenario.schema import Scenario

Say = Callable[..., str]
"""Returns the text of a key in the reader's language, with values filled in."""
LEAF_PX = 24
NARROWEST_PX, WIDEST_PX = 1.5, 26.0
LONGEST = 52
"""Letters of a branch's name; the whole is told where it is pointed at."""
TOLD = 0.035
"""Branches less likely than this are named only where pointed at: their names would cover each other."""
BANDS = ((0.05, 0.95, 0.14), (0.25, 0.75, 0.28))
"""Quantiles between which a band of the fan lies, and how strong its colour is."""
FAN_COLOUR = "0, 114, 178"


@dataclass(frozen=True)
class Outcome:
    """A course of events: how likely, what happens in which quarter, and what a plan is worth in it where one is known.

    Attributes
    ----------
    value, low, high
        Mean, least and most over the draws of what drifts, in the plan's currency.
    """

    probability: float
    events: tuple[tuple[str, str], ...]
    """Quarter and name, in the order of the quarters."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    served: float | None = None

    def known_by(self, quarter: str) -> tuple[tuple[str, str], ...]:
        """Return what has happened by the end of a quarter."""
        return tuple(event for event in self.events if event[0] <= quarter)


def outcomes_of_plan(plan: HedgedPlan) -> list[Outcome]:
    """Return the courses of events of a plan over futures with what they come to, draws of one course together."""
    courses: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for future in plan.futures:
        courses[tuple(future.happenings)].append(future)
    found = []
    for happenings, draws in courses.items():
        weight = np.array([draw.probability for draw in draws])
        value = np.array([draw.value for draw in draws])
        share = weight / weight.sum()
        served = float(share @ np.array([draw.served for draw in draws]))
        events = tuple(sorted(_dated(words) for words in happenings))
        found.append(
            Outcome(
                float(weight.sum()), events, float(share @ value), float(value.min()), float(value.max()), served
            )
        )
    return found


def _dated(words: str) -> tuple[str, str]:
    name, _, quarter = words.rpartition(" in ")
    return quarter, name


def outcomes_of_scenario(scenario: Scenario, branches: int | None = None) -> list[Outcome]:
    """Return the courses of events that a scenario's futures hold, before anything is planned.

    Raises
    ------
    InputError
        If the scenario has no futures.
    """
    from outlay.planning.futures.events import courses, in_order, reduce
    from outlay.planning.futures.tree import required

    futures = required(scenario)
    quarters = [str(quarter) for quarter in scenario.horizon.all]
    titles = {event.name: event.title or event.name for event in futures.events}
    kept, _ = reduce(
        courses(scenario, futures), in_order(futures.events), len(quarters), branches or futures.branches
    )
    return [
        Outcome(
            course.probability, tuple(sorted((quarters[at], titles[name]) for name, at in course.quarter.items()))
        )
        for course in kept
    ]


def tree(outcomes: Sequence[Outcome], quarters: Sequence[str], currency: str, say: Say) -> Chart:
    """Return the tree of policy futures: a line for each course of events, as wide as it is likely.

    Time runs from left to right; a line parts where an event tells futures apart. Where a plan is known, the end of a
    line says what the plan is worth in it, and its colour how that compares with the others.
    """
    ordered = sorted(outcomes, key=lambda one: tuple(one.known_by(quarter) for quarter in quarters))
    height = _heights(ordered)
    data: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for branch in _branches(ordered, height, quarters):
        words = _listed(branch.events) or say("futures.nothing_more")
        data.append(_line(branch, f"{words}: {facts.percent(branch.probability, 1)}"))
        if branch.events and branch.probability >= TOLD:
            notes.append(_name_of(branch))
    data.append(_ends(ordered, height, len(quarters), currency, say))
    worst = min((one for one in ordered if one.value is not None), key=lambda one: one.value or 0.0, default=None)
    likely = max(ordered, key=lambda one: one.probability)
    alt = say("futures.tree.alt", count=len(ordered), likely=facts.percent(likely.probability), course=_words(likely, say))
    if worst is not None:
        alt += " " + say("futures.tree.worst", value=facts.money(worst.value or 0.0, currency), course=_words(worst, say))
    return Chart(
        id="futures-tree",
        title=say("futures.tree.title"),
        alt=alt,
        data=data,
        layout={
            "height": int(90 + LEAF_PX * (max(height) + 1)),
            "showlegend": False,
            "hovermode": "closest",
            "xaxis": {
                "tickvals": list(range(len(quarters) + 1)),
                "ticktext": [say("futures.today"), *quarters],
                "range": [-0.15, len(quarters) + 1.5],
                "side": "top",
                "showgrid": True,
                "zeroline": False,
            },
            "yaxis": {"visible": False, "range": [max(height) + 1, -1]},
            "annotations": notes,
            "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
        },
        columns=[say("futures.course"), say("futures.probability"), say("futures.value"), say("futures.served")],
        rows=[
            [
                _words(one, say),
                facts.percent(one.probability, 1),
                facts.MISSING if one.value is None else facts.money(one.value, currency),
                facts.percent(one.served, 1),
            ]
            for one in ordered
        ],
        values=[[_words(one, say), one.probability, one.value, one.served] for one in ordered],
        least_width=760,
    )


def _heights(ordered: Sequence[Outcome]) -> list[float]:
    """Return where each line ends, in lines of text from the top; likely ones get more room."""
    found, at = [], 0.0
    for one in ordered:
        room = 1.0 + one.probability * WIDEST_PX / LEAF_PX
        found.append(at + room / 2)
        at += room
    return found


@dataclass(frozen=True)
class _Branch:
    """A stretch of the tree on which some courses of events are not told apart.

    Attributes
    ----------
    start, end
        Points of the time axis: 0 is today, 1 the end of the first quarter.
    parent
        Height of the branch it comes from, at ``start - 1``; ``None`` for the trunk.
    events
        What sets it apart from its siblings.
    """

    start: int
    end: int
    height: float
    parent: float | None
    probability: float
    events: tuple[tuple[str, str], ...]


def _branches(ordered: Sequence[Outcome], height: Sequence[float], quarters: Sequence[str]) -> list[_Branch]:
    """Return every branch of the tree, the trunk first."""
    axis = ["", *quarters]
    found: list[_Branch] = []

    def grow(members: list[int], start: int, parent: float | None, events: tuple[tuple[str, str], ...]) -> None:
        share = sum(ordered[i].probability for i in members)
        middle = sum(height[i] * ordered[i].probability for i in members) / share
        for at in range(start + 1, len(axis)):
            parts = [list(group) for _, group in groupby(members, key=lambda i: ordered[i].known_by(axis[at]))]
            news = [tuple(one for one in ordered[part[0]].events if one[0] == axis[at]) for part in parts]
            if any(news):
                found.append(_Branch(start, at - 1, middle, parent, share, events))
                for part, new in zip(parts, news, strict=True):
                    grow(part, at, middle, new)
                return
        found.append(_Branch(start, len(axis) - 1, middle, parent, share, events))

    grow(list(range(len(ordered))), 0, None, ())
    return found


def _line(branch: _Branch, told: str) -> dict[str, Any]:
    x, y = [branch.start, branch.end], [branch.height] * 2
    if branch.parent is not None:
        x, y = [branch.start - 1, branch.start - 0.45, *x], [branch.parent, branch.height, *y]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {
            "color": f"rgba({FAN_COLOUR}, 0.55)",
            "width": NARROWEST_PX + (WIDEST_PX - NARROWEST_PX) * branch.probability,
        },
        "hoverinfo": "text",
        "hovertext": [label(told)] * len(x),
    }


def _name_of(branch: _Branch) -> dict[str, Any]:
    names = ", ".join(name for _, name in branch.events)
    return {
        "x": branch.start - 0.45,
        "y": branch.height,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": (NARROWEST_PX + (WIDEST_PX - NARROWEST_PX) * branch.probability) / 2,
        "showarrow": False,
        "text": label(names if len(names) <= LONGEST else f"{names[: LONGEST - 1]}…"),
        "font": {"size": 10},
        "align": "left",
    }


def _ends(
    ordered: Sequence[Outcome], height: Sequence[float], last: int, currency: str, say: Say
) -> dict[str, Any]:
    values = [one.value for one in ordered]
    known = [value for value in values if value is not None]
    texts = [
        facts.percent(one.probability, 0 if one.probability >= 0.01 else 1)
        + ("" if one.value is None else f"  {facts.money(one.value, currency)}")
        for one in ordered
    ]
    marker: dict[str, Any] = {"size": 9, "color": f"rgb({FAN_COLOUR})", "line": {"width": 1, "color": GREY}}
    if len(known) == len(values) and known:
        marker |= {"color": known, "colorscale": "Cividis", "showscale": False}
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [last] * len(ordered),
        "y": list(height),
        "text": [label(text) for text in texts],
        "textposition": "middle right",
        "textfont": {"size": 11},
        "marker": marker,
        "hoverinfo": "text",
        "hovertext": [label(_hover(one, currency, say)).replace("\n", "<br>") for one in ordered],
        "cliponaxis": False,
    }


def _hover(one: Outcome, currency: str, say: Say) -> str:
    lines = [f"{quarter}  {name}" for quarter, name in one.events] or [say("futures.nothing")]
    lines.append(f"{say('futures.probability')}: {facts.percent(one.probability, 1)}")
    if one.value is not None and one.low is not None and one.high is not None:
        spread = f" ({facts.shown(one.low)} – {facts.shown(one.high)})" if one.low < one.high else ""
        lines.append(f"{say('futures.value')}: {facts.money(one.value, currency)}{spread}")
    if one.served is not None:
        lines.append(f"{say('futures.served')}: {facts.percent(one.served, 1)}")
    return "\n".join(lines)


def _words(one: Outcome, say: Say) -> str:
    return _listed(one.events) or say("futures.nothing")


def _listed(events: Sequence[tuple[str, str]]) -> str:
    return "; ".join(f"{name} ({quarter})" for quarter, name in events)


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
            "line": {"width": 2.5, "color": f"rgb({FAN_COLOUR})"},
            "hovertemplate": "%{x}: %{y:.1f} %<extra></extra>",
        }
    )
    lowest = min(quarters, key=lambda quarter: table[quarter][0])
    return Chart(
        id="futures-fan",
        title=say("futures.fan.title"),
        alt=say("futures.fan.alt", quarter=lowest, low=f"{table[lowest][0]:.0f} %", middle=f"{at[0.5][quarters.index(lowest)]:.0f} %"),
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


def _band(x: Sequence[str], low: Sequence[float], high: Sequence[float], name: str, strength: float) -> list[dict[str, Any]]:
    edge = {"type": "scatter", "mode": "lines", "x": list(x), "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        {**edge, "y": list(low), "showlegend": False},
        {**edge, "y": list(high), "name": name, "fill": "tonexty", "fillcolor": f"rgba({FAN_COLOUR}, {strength})"},
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
                "line": {"shape": "vh", "width": 2.5, "color": f"rgb({FAN_COLOUR})"},
                "name": say("futures.value"),
                "hovertext": ["", *(label(f"{f.name}: {facts.money(f.value, plan.currency)}, {facts.percent(f.probability, 1)}") for f in ordered)],
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
        columns=[say("futures.future"), say("futures.probability"), say("futures.value"), say("futures.served"), say("futures.course")],
        rows=[
            [f.name, facts.percent(f.probability, 1), facts.money(f.value, plan.currency), facts.percent(f.served, 1), "; ".join(f.happenings) or say("futures.nothing")]
            for f in ordered
        ],
        values=[[f.name, f.probability, f.value, f.served, "; ".join(f.happenings)] for f in ordered],
    )


def _scale(values: Sequence[float]) -> tuple[float, str]:
    from outlay.report.charts import SCALES

    top = max((abs(value) for value in values), default=0.0)
    return next(((size, word) for size, word in SCALES if top >= size), (1.0, ""))


def regret(plan: HedgedPlan, say: Say) -> Chart | None:
    """Return mean and worst regret of the plan and of simple ones as bars; ``None`` where they were not asked for."""
    if not plan.simple:
        return None
    size, word = _scale([one.worst_regret for one in plan.simple])
    names = [one.name for one in plan.simple]
    bars = (("futures.mean_regret", "mean_regret", PALETTE[0], ""), ("futures.worst_regret", "worst_regret", PALETTE[1], "/"))
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
                "marker": {"color": colour, "pattern": {"shape": shape, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.45)"}},
                "hovertext": [label(f"{one.name}: {say(key)} {facts.money(getattr(one, field), plan.currency)}; {one.words}") for one in plan.simple],
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
        columns=[say("futures.plan"), say("futures.mean_regret"), say("futures.worst_regret"), say("futures.expected"), say("futures.worst")],
        rows=[[one.name, *(facts.money(value, plan.currency) for value in _regrets(one))] for one in plan.simple],
        values=[[one.name, *_regrets(one)] for one in plan.simple],
    )


def _regrets(one: Any) -> tuple[float, float, float, float]:
    return one.mean_regret, one.worst_regret, one.expected, one.worst


def events(found: Stress, say: Say) -> Chart:
    """Return what each event does to a plan held through sampled futures: mean value with it and without it."""
    size, word = _scale([value for one in found.events for value in (one.value_with, one.value_without)])
    names = [f"{one.event} ({facts.percent(one.share)})" for one in found.events]
    wrapped = [_wrapped(name) for name in names]
    ends = (("futures.without_event", "value_without", PALETTE[2], "circle"), ("futures.with_event", "value_with", PALETTE[1], "diamond"))
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
        alt=say("futures.events.alt", event=found.events[0].event, broken=facts.percent(found.events[0].broken_with)) if found.events else say("futures.events.none"),
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
                    "hovertext": [label(f"{one.event}: {say(key)} {facts.money(getattr(one, field), found.currency)}") for one in found.events],
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
        columns=[say("futures.event"), say("futures.how_often"), say("futures.with_event"), say("futures.without_event"), say("futures.broken_with"), say("futures.broken_without")],
        rows=[
            [one.event, facts.percent(one.share), facts.money(one.value_with, found.currency), facts.money(one.value_without, found.currency), facts.percent(one.broken_with), facts.percent(one.broken_without)]
            for one in found.events
        ],
        values=[[one.event, one.share, one.value_with, one.value_without, one.broken_with, one.broken_without] for one in found.events],
    )


def quantiles(found: Stress, say: Say) -> Chart:
    """Return what a plan held through sampled futures is worth, by quantile, against what it is worth as known today."""
    levels = [float(name.rstrip("%")) for name in found.quantiles]
    values = list(found.quantiles.values())
    size, word = _scale([*values, found.as_known])
    return Chart(
        id="stress-quantiles",
        title=say("futures.quantiles.title", count=f"{found.futures:,}"),
        alt=say("futures.quantiles.alt", broken=facts.percent(found.broken, 1), served=facts.percent(found.served, 1), tail=facts.money(found.worst_tenth, found.currency)),
        data=[
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": say("futures.value"),
                "x": levels,
                "y": [value / size for value in values],
                "line": {"width": 2.5, "color": f"rgb({FAN_COLOUR})"},
                "hovertext": [label(f"{name}: {facts.money(value, found.currency)}") for name, value in found.quantiles.items()],
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
    import textwrap

    return "<br>".join(label(line) for line in textwrap.wrap(name, width))
