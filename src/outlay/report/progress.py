"""The search as it goes: the best plan found and the best still possible, closing in on each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from outlay.report import facts
from outlay.report.charts import PALETTE, Chart

MOST_POINTS = 400


def progress_chart(standings: Sequence[Mapping[str, Any]], unit: str) -> Chart:
    """Return how the gap shrinks over time.

    Parameters
    ----------
    standings
        Where the search stood, oldest first: ``seconds``, ``incumbent``, ``bound`` and ``gap``, the last three ``None``
        until known, and ``step``. Several searches follow each other: where their seconds begin anew they are put end
        to end, and the lines part between two steps.
    unit
        What incumbent and bound are in.
    """
    points = _thinned(_end_to_end(standings))
    seconds = [point["seconds"] for point in points]
    found, bound = [point["incumbent"] for point in points], [point["bound"] for point in points]
    gaps = [point["gap"] for point in points]
    last = next((gap for gap in reversed(gaps) if gap is not None), None)
    words = (
        "No plan is found yet." if last is None else f"The plan found is within {facts.percent(last, 2)} of the best."
    )
    line: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "x": seconds,
        "hovertemplate": "%{y:.4s}<extra></extra>",
    }
    return Chart(
        id="progress",
        title="The gap closes",
        alt=words,
        data=[
            {**line, "y": bound, "name": "best still possible",
             "line": {"color": PALETTE[1], "dash": "dash", "width": 2}},
            {**line, "y": found, "name": "best plan found",
             "line": {"color": PALETTE[0], "width": 2.5, "shape": "hv"}},
            {**line, "y": [None if not gap else 100 * gap for gap in gaps], "name": "gap", "yaxis": "y2",
             "hovertemplate": "%{y:.2f} %<extra></extra>", "line": {"color": PALETTE[2], "width": 2.5}},
            {**_between(points), "type": "scatter", "mode": "none", "fill": "toself",
             "fillcolor": "rgba(0,114,178,0.14)", "hoverinfo": "skip", "showlegend": False},
        ],
        layout={
            "height": 320,
            "uirevision": "progress",
            "xaxis": {"title": {"text": "seconds"}, "rangemode": "tozero", "anchor": "y2"},
            "yaxis": {"title": {"text": unit}, "domain": [0.46, 1.0]},
            "yaxis2": {"title": {"text": "gap, %"}, "type": "log", "domain": [0.0, 0.36], "nticks": 4},
            "margin": {"l": 64, "r": 12, "t": 8, "b": 40},
        },
        columns=["seconds", "best plan found", "best still possible", "gap"],
        rows=[_row(point) for point in points[-12:]],
    )  # fmt: skip


def _row(point: Mapping[str, Any]) -> list[str]:
    gap = facts.percent(point["gap"], 2)
    return [f"{point['seconds']:.1f}", _shown(point["incumbent"]), _shown(point["bound"]), gap]


def _end_to_end(standings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    before, offset = 0.0, 0.0
    for point in standings:
        seconds = float(point["seconds"])
        if seconds < before:
            offset += before
        before = seconds
        if made and point.get("step") != made[-1].get("step"):
            made.append({"seconds": offset + seconds, "incumbent": None, "bound": None, "gap": None})  # the lines part
        made.append({**point, "seconds": offset + seconds})
    return made


def _between(points: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Return the outline of what lies between plan and bound, a closed area for each stretch that knows both."""
    x: list[float | None] = []
    y: list[float | None] = []
    for known, stretch in groupby(points, lambda point: point["incumbent"] is not None and point["bound"] is not None):
        if not known:
            continue
        of = list(stretch)
        seconds = [point["seconds"] for point in of]
        # The plan found holds until a better one is: a staircase there, and the bound's line back.
        x += [seconds[0], *(at for at in seconds[1:] for _ in range(2)), *reversed(seconds), None]
        y += [level for point in of[:-1] for level in (point["incumbent"],) * 2] + [of[-1]["incumbent"]]
        y += [*(point["bound"] for point in reversed(of)), None]
    return {"x": x, "y": y}


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    step = max(1, len(points) // MOST_POINTS)
    return points[::step] + (points[-1:] if len(points) % step != 1 and step > 1 else [])


def _shown(value: float | None) -> str:
    return facts.MISSING if value is None else facts.shown(value)
