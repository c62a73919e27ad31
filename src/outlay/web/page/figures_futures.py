"""The tree of policy futures: courses of events over time, as wide as they are likely, with what a plan is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import numpy as np

from outlay.report import facts
from outlay.report.charts import GREY, Chart, label

if TYPE_CHECKING:
    from outlay.planning.futures.result import HedgedPlan
    from outlay.scenario.schema import Scenario

Say = Callable[..., str]
"""Returns the text of a key in the reader's language, with values filled in."""
LEAF_PX = 24
KEY_PX = 19
NARROWEST_PX, WIDEST_PX = 1.5, 26.0
LETTERS_A_QUARTER = 14
"""How many letters of a branch's name have room along a quarter; the whole is told where it is pointed at."""
LEAST_NAME = 10
"""A name with room for fewer letters is left out; the letter of the event stays."""
TOLD = 0.035
"""Branches less likely than this are named only where pointed at: their names would cover each other."""
BLUE = "0, 114, 178"


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
            Outcome(float(weight.sum()), events, float(share @ value), float(value.min()), float(value.max()), served)
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
    kept, _ = reduce(courses(scenario, futures), in_order(futures.events), len(quarters), branches or futures.branches)
    return [
        Outcome(course.probability, tuple(sorted((quarters[at], titles[name]) for name, at in course.quarter.items())))
        for course in kept
    ]


def tree(outcomes: Sequence[Outcome], quarters: Sequence[str], currency: str, say: Say) -> Chart:
    """Return the tree of policy futures: a line for each course of events, as wide as it is likely.

    Time runs from left to right; a line parts where an event tells futures apart. Where a plan is known, the end of a
    line says what the plan is worth in it, and its colour how that compares with the others.
    """
    ordered = sorted(outcomes, key=lambda one: tuple(one.known_by(quarter) for quarter in quarters))
    height = _heights(ordered)
    signs = _signs(ordered)
    data: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for branch in _branches(ordered, height, quarters):
        words = _listed(branch.events) or say("futures.nothing_more")
        data.append(_line(branch, f"{words}: {facts.percent(branch.probability, 1)}"))
        if branch.events and branch.probability >= TOLD:
            notes.append(_name_of(branch, signs))
    data += [_key(sign, name) for name, sign in signs.items()]
    data.append(_ends(ordered, height, len(quarters), currency, say))
    worst = min((one for one in ordered if one.value is not None), key=lambda one: one.value or 0.0, default=None)
    likely = max(ordered, key=lambda one: one.probability)
    alt = say(
        "futures.tree.alt", count=len(ordered), likely=facts.percent(likely.probability), course=_words(likely, say)
    )
    if worst is not None:
        alt += " " + say(
            "futures.tree.worst", value=facts.money(worst.value or 0.0, currency), course=_words(worst, say)
        )
    return Chart(
        id="futures-tree",
        title=say("futures.tree.title"),
        alt=alt,
        data=data,
        layout={
            "height": int(90 + LEAF_PX * (max(height) + 1) + KEY_PX * len(signs)),
            "legend": {"orientation": "v", "y": 0, "yanchor": "top", "itemclick": False, "itemdoubleclick": False},
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
            "margin": {"l": 8, "r": 8, "t": 34, "b": 8 + KEY_PX * len(signs)},
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
    x, y = [float(branch.start), float(branch.end)], [branch.height] * 2
    if branch.parent is not None:
        x, y = [branch.start - 1, branch.start - 0.45, *x], [branch.parent, branch.height, *y]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "line": {
            "color": f"rgba({BLUE}, 0.55)",
            "width": NARROWEST_PX + (WIDEST_PX - NARROWEST_PX) * branch.probability,
        },
        "showlegend": False,
        "hoverinfo": "text",
        "hovertext": [label(told)] * len(x),
    }


def _signs(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return a letter for each event, the first to happen first."""
    dated = sorted({(quarter, name) for one in outcomes for quarter, name in one.events})
    names = list(dict.fromkeys(name for _, name in dated))
    return {name: ascii_uppercase[at % len(ascii_uppercase)] for at, name in enumerate(names)}


def _key(sign: str, name: str) -> dict[str, Any]:
    """Return an entry of the legend that says what a letter stands for."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [None],
        "y": [None],
        "marker": {"color": "rgba(0,0,0,0)"},
        "name": f"<b>{sign}</b>  {label(name)}",
        "hoverinfo": "skip",
    }


def _name_of(branch: _Branch, signs: dict[str, str]) -> dict[str, Any]:
    letters = " ".join(signs[name] for _, name in branch.events)
    room = int((branch.end - branch.start + 0.45) * LETTERS_A_QUARTER) - len(letters) - 1
    names = ", ".join(name for _, name in branch.events)
    short = names if len(names) <= room else f"{names[: room - 1].rstrip()}…"
    told = len(branch.events) == 1 and room >= LEAST_NAME
    return {
        "x": branch.start - 0.45,
        "y": branch.height,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": (NARROWEST_PX + (WIDEST_PX - NARROWEST_PX) * branch.probability) / 2,
        "showarrow": False,
        "text": f"<b>{letters}</b>" + (f" {label(short)}" if told else ""),
        "font": {"size": 10},
        "align": "left",
    }


def _ends(ordered: Sequence[Outcome], height: Sequence[float], last: int, currency: str, say: Say) -> dict[str, Any]:
    values = [one.value for one in ordered]
    known = [value for value in values if value is not None]
    texts = [
        facts.percent(one.probability, 0 if one.probability >= 0.01 else 1)
        + ("" if one.value is None else f"  {facts.money(one.value, currency)}")
        for one in ordered
    ]
    marker: dict[str, Any] = {"size": 9, "color": f"rgb({BLUE})", "line": {"width": 1, "color": GREY}}
    if len(known) == len(values) and known:
        marker |= {"color": known, "colorscale": "Cividis", "showscale": False}
    return {
        "type": "scatter",
        "mode": "markers+text",
        "showlegend": False,
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
