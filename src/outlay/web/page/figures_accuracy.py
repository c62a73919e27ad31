"""Figures of the view of accuracy: predicted against published by chip, and the errors, in and out of sample apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from outlay.report import facts
from outlay.report.charts import GREY, PALETTE, Chart, label
from outlay.report.tables import Cell, Page, number

if TYPE_CHECKING:
    from outlay.performance.accuracy import Errors
    from outlay.performance.serving.validation import ServingReport, ServingRow
    from outlay.performance.validation import Report, ValidationRow

    Row = ValidationRow | ServingRow

Say = Callable[..., str]
SHOWN = 7
"""Families with a colour of their own; the others share one."""
LISTED = 25
"""Rows under the figure, the largest errors first; the file has all."""
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "circle-open")
UNITS = {
    "step_time_s": ("s", 1.0),
    "ttft": ("s", 1.0),
    "tpot": ("ms", 1e3),
    "throughput": ("tokens/s a chip", 1.0),
    "prefill_throughput": ("tokens/s a chip", 1.0),
}
"""What a metric is shown in, and how many of it are one in SI."""


def scatter(rows: Sequence[Row], metric: str, *, out_of_sample: bool, say: Say) -> Chart:
    """Return predicted against published figures of one metric on logarithmic axes, with the line where they agree.

    Parameters
    ----------
    out_of_sample
        Whether to show the predictions by fits that saw none of a row's group, of the rows that have one.
    """
    unit, times = UNITS[metric]
    pairs = [(row, _value(row, out_of_sample)) for row in rows if row.metric == metric]
    points = [(row, value) for row, value in pairs if value is not None]
    counts = Counter(row.family for row, _ in points)
    own = [family for family, _ in counts.most_common(SHOWN)]
    groups = [*own, *([""] if len(counts) > SHOWN else [])]
    data: list[dict[str, Any]] = []
    for at, family in enumerate(groups):
        some = [(row, value) for row, value in points if (row.family if row.family in own else "") == family]
        name = family or say("accuracy.others", count=len(counts) - SHOWN)
        data.append(_cloud(some, f"{name} ({len(some)})", at, unit, times, say))
    data.append(_diagonal(points, times, say))
    errors = np.array([abs(value / row.measured - 1) for row, value in points]) if points else np.zeros(0)
    kind = say("accuracy.out_of_sample" if out_of_sample else "accuracy.in_sample")
    what = say(f"accuracy.metric.{metric}")
    alt = (
        say(
            "accuracy.scatter.alt",
            kind=kind,
            count=f"{len(points):,}",
            median=f"{np.median(errors):.1%}",
            p90=f"{np.quantile(errors, 0.9):.1%}",
        )
        if points
        else say("accuracy.scatter.none", kind=kind)
    )
    return Chart(
        id="accuracy-scatter",
        title=say("accuracy.scatter.title", what=what, kind=kind),
        alt=alt,
        data=data,
        layout={
            "height": 540,
            "hovermode": "closest",
            "xaxis": {
                "type": "log",
                "title": {"text": say("accuracy.scatter.x", what=what, unit=unit)},
                "automargin": False,
            },
            "yaxis": {
                "type": "log",
                "title": {"text": say("accuracy.scatter.y", what=what, unit=unit)},
                "automargin": False,
            },
            "margin": {"l": 70, "r": 10, "t": 70, "b": 52},
        },
        columns=[say(f"accuracy.{key}") for key in ("id", "family", "measured", "predicted", "error", "band")],
        rows=[_row(row, value, unit, times) for row, value in _worst_first(points)[:LISTED]],
        values=[
            [row.id, row.family, row.measured, value, value / row.measured - 1, row.low, row.high]
            for row, value in points
        ],
    )


def _worst_first(points: Sequence[tuple[Row, float]]) -> list[tuple[Row, float]]:
    return sorted(points, key=lambda pair: -abs(pair[1] / pair[0].measured - 1))


def _row(row: Row, value: float, unit: str, times: float) -> list[str]:
    both = (f"{one * times:.4g} {unit}" for one in (row.measured, value))
    band = f"{row.low * times:.3g} – {row.high * times:.3g} {unit}"
    return [row.id, row.family, *both, f"{value / row.measured - 1:+.1%}", band]


def _value(row: Row, out_of_sample: bool) -> float | None:
    return row.out_of_sample if out_of_sample else row.predicted


def _cloud(
    points: Sequence[tuple[Row, float]], name: str, at: int, unit: str, times: float, say: Say
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(name),
        "x": [row.measured * times for row, _ in points],
        "y": [value * times for _, value in points],
        "marker": {
            "color": PALETTE[at % len(PALETTE)] if at < SHOWN else GREY,
            "symbol": SYMBOLS[at % len(SYMBOLS)],
            "size": 6,
            "opacity": 0.62,
        },
        "hovertext": [
            f"{label(row.id)}<br>{label(row.group)}<br>{row.measured * times:.4g} → {value * times:.4g} {label(unit)}"
            f" ({value / row.measured - 1:+.1%})"
            for row, value in points
        ],
        "hoverinfo": "text",
    }


def _diagonal(points: Sequence[tuple[Row, float]], times: float, say: Say) -> dict[str, Any]:
    values = [side * times for row, value in points for side in (row.measured, value)] or [1.0]
    ends = [min(values) / 1.3, max(values) * 1.3]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": say("accuracy.agree"),
        "x": ends,
        "y": ends,
        "line": {"color": GREY, "dash": "dash", "width": 1.5},
        "hoverinfo": "skip",
    }


def errors(report: Report | ServingReport, metric: str, by: str, say: Say) -> Page:
    """Return the errors of one metric as a table, in sample and out of sample apart."""
    rows = [_errors(one) for one in report.errors(by) if one.metric == metric]
    inside = [say(f"accuracy.{key}") for key in ("median", "mean", "p90", "in_band")]
    columns = [
        say(f"accuracy.by.{by}"),
        say("accuracy.figures"),
        say("accuracy.groups"),
        *(f"{name}, {say('accuracy.in_sample')}" for name in inside),
        *(f"{name}, {say('accuracy.out_of_sample')}" for name in inside),
    ]
    return Page("accuracy-errors", say("accuracy.errors.title", what=say(f"accuracy.metric.{metric}")), columns, rows)


def _errors(one: Errors) -> list[Cell]:
    inside = (one.median, one.mean, one.p90, one.in_band)
    outside = (one.median_out_of_sample, one.mean_out_of_sample, one.p90_out_of_sample, one.in_band_out_of_sample)
    return [
        Cell(one.part),
        number(one.rows, f"{one.rows:,}"),
        number(one.groups, f"{one.groups:,}"),
        *(number(value, facts.percent(value, 1)) for value in (*inside, *outside)),
    ]


def by_part(report: Report | ServingReport, metric: str, by: str, say: Say) -> Chart:
    """Return the median and the 90th percentile of the absolute error by chip family or another part, as bars."""
    found = sorted(
        (one for one in report.errors(by) if one.metric == metric and one.part != "all"), key=lambda one: -one.rows
    )[:16]
    names = [label(f"{one.part} ({one.rows})") for one in found]
    bars = (
        ("in_sample", "median", PALETTE[0], "", 1.0),
        ("out_of_sample", "median_out_of_sample", PALETTE[1], "/", 1.0),
    )
    worst = max(found, key=lambda one: one.median_out_of_sample or 0.0) if found else None
    return Chart(
        id="accuracy-parts",
        title=say("accuracy.parts.title", by=say(f"accuracy.by.{by}")),
        alt=say("accuracy.parts.alt", part=worst.part, error=facts.percent(worst.median_out_of_sample, 1))
        if worst
        else say("accuracy.scatter.none", kind=""),
        data=[
            {
                "type": "bar",
                "orientation": "h",
                "name": f"{say('accuracy.median')}, {say(f'accuracy.{kind}')}",
                "y": names,
                "x": [None if getattr(one, field) is None else getattr(one, field) * 100 for one in found],
                "text": ["" if getattr(one, field) is None else f"{getattr(one, field):.1%}" for one in found],
                "textposition": "outside",
                "textfont": {"size": 10},
                "cliponaxis": False,
                "hovertemplate": "%{y}: %{x:.1f} %<extra></extra>",
                "marker": {
                    "color": colour,
                    "pattern": {"shape": shape, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.45)"},
                },
            }
            for kind, field, colour, shape, _ in bars
        ],
        layout={
            "height": 90 + 38 * len(found),
            "barmode": "group",
            "bargap": 0.25,
            "xaxis": {"title": {"text": say("accuracy.parts.axis")}, "ticksuffix": " %", "rangemode": "tozero"},
            "yaxis": {"autorange": "reversed", "automargin": True, "tickfont": {"size": 11}},
            "margin": {"l": 8, "r": 14, "t": 8, "b": 44},
        },
        columns=[
            say(f"accuracy.by.{by}"),
            say("accuracy.figures"),
            say("accuracy.in_sample"),
            say("accuracy.out_of_sample"),
        ],
        rows=[
            [one.part, str(one.rows), facts.percent(one.median, 1), facts.percent(one.median_out_of_sample, 1)]
            for one in found
        ],
        values=[[one.part, one.rows, one.median, one.median_out_of_sample] for one in found],
    )
