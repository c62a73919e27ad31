"""Figures of the view of chips and rules: legal status over time, the roofline, chips side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from outlay.report import facts
from outlay.report.charts import PALETTE, PATTERNS, Chart, label
from outlay.report.tables import Cell, Page, link, number

if TYPE_CHECKING:
    from outlay.catalog import Chip
    from outlay.evidence import Figure
    from outlay.performance.roofline import Operation, Roofline
    from outlay.policy.timeline import Stretch

Say = Callable[..., str]
LANE_PX = 19
VERDICTS = {
    "allowed": ("#2E8B6B", ""),
    "conditional": ("#E3A72F", "/"),
    "unknown": ("#8C7BB5", "."),
    "denied": ("#C8553D", "x"),
}
"""Colour and pattern of each verdict: either alone tells them apart."""
ROOM_PX_A_DAY = 0.42
LETTER_PX = 6.0
COMPARED: Mapping[str, tuple[float, str]] = {
    "bf16_tflops": (1e12, "TFLOP/s"),
    "fp8_tflops": (1e12, "TFLOP/s"),
    "fp4_tflops": (1e12, "TFLOP/s"),
    "memory_gb": (1e9, "GB"),
    "memory_bw_tbs": (1e12, "TB/s"),
    "scaleup_gbs_total": (1e9, "GB/s"),
    "tdp_w": (1.0, "W"),
}
"""Figures by which chips are drawn beside each other, and the unit they are told in."""


def lanes(names: Sequence[str], rows: Sequence[Sequence[Stretch]], say: Say) -> Chart:
    """Return the legal status of chips over time: a lane a chip, coloured and hatched by verdict."""
    data: list[dict[str, Any]] = []
    for verdict, (colour, pattern) in VERDICTS.items():
        found = [(name, one) for name, row in zip(names, rows, strict=True) for one in row if one.verdict == verdict]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": say(f"chips.verdict.{verdict}"),
                "y": [label(name) for name, _ in found],
                "base": [one.first.isoformat() for _, one in found],
                "x": [_milliseconds(one) for _, one in found],
                "text": [one.code if _fits(one) else "" for _, one in found],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "insidetextfont": {"size": 9, "color": "#10161d" if verdict == "conditional" else "#ffffff"},
                "constraintext": "none",
                "textangle": 0,
                "hovertext": [label(_told(name, one, say)).replace("\n", "<br>") for name, one in found],
                "hoverinfo": "text",
                "marker": {
                    "color": colour,
                    "line": {"width": 0.7, "color": "rgba(255,255,255,0.85)"},
                    "pattern": {
                        "shape": pattern,
                        "fillmode": "overlay",
                        "fgcolor": "rgba(255,255,255,0.32)",
                        "size": 6,
                        "solidity": 0.18,
                    },
                },
            }
        )
    last = max((row[-1].last for row in rows if row), default=date.today())
    open_now = [name for name, row in zip(names, rows, strict=True) if row and row[-1].verdict == "allowed"]
    shut = [name for name, row in zip(names, rows, strict=True) if row and row[-1].verdict == "denied"]
    return Chart(
        id="chips-lanes",
        title=say("chips.lanes.title"),
        alt=say("chips.lanes.alt", day=last.isoformat(), open=len(open_now), shut=len(shut), all=len(names)),
        data=data,
        layout={
            "height": 72 + LANE_PX * len(names),
            "barmode": "overlay",
            "bargap": 0.16,
            "xaxis": {"type": "date", "side": "top", "dtick": "M6", "tickformat": "%Y-%m", "showgrid": True},
            "yaxis": {
                "autorange": False,
                "range": [len(names) - 0.4, -0.6],
                "automargin": True,
                "tickfont": {"size": 11},
                "categoryorder": "array",
                "categoryarray": [label(name) for name in names],
                "showgrid": False,
            },
            "legend": {"y": 1 + 26 / (LANE_PX * len(names)), "yanchor": "bottom"},
            "margin": {"l": 8, "r": 8, "t": 64, "b": 8},
        },
        columns=[say(f"chips.{key}") for key in ("chip", "from", "until", "verdict_word", "code", "class", "rules")],
        rows=[_row(name, one, say) for name, row in zip(names, rows, strict=True) for one in row],
        least_width=820,
    )


def _milliseconds(one: Stretch) -> float:
    """Return the length of a bar on an axis of dates, whose unit is a millisecond."""
    return (one.last - one.first + timedelta(days=1)).total_seconds() * 1e3


def _fits(one: Stretch) -> bool:
    return ((one.last - one.first).days + 1) * ROOM_PX_A_DAY > LETTER_PX * len(one.code)


def _told(name: str, one: Stretch, say: Say) -> str:
    rules = ", ".join(one.rules) or say("chips.no_rule")
    return (
        f"{name}\n{one.first} – {one.last}\n{one.code}: {say(f'chips.verdict.{one.verdict}')}\n"
        f"{say('chips.class')} {one.control_class}\n{rules}"
    )


def _row(name: str, one: Stretch, say: Say) -> list[str]:
    verdict = say(f"chips.verdict.{one.verdict}")
    return [
        name,
        one.first.isoformat(),
        one.last.isoformat(),
        verdict,
        one.code,
        one.control_class,
        ", ".join(one.rules),
    ]


def roofline(shown: Sequence[tuple[Roofline, Sequence[Operation]]], say: Say) -> Chart:
    """Return ceilings of some chips on two logarithmic axes, with the operations of a model under them."""
    points = [operation for _, operations in shown for operation in operations]
    ridges = [ceiling.ridge for ceiling, _ in shown]
    names = ("chip", "operation", "shape", "intensity", "reached", "allowed", "time")
    low = min([0.5, *(operation.intensity for operation in points)]) / 2
    high = max([*(ridge * 8 for ridge in ridges), *(operation.intensity for operation in points)]) * 2
    data: list[dict[str, Any]] = []
    for at, (ceiling, operations) in enumerate(shown):
        colour = PALETTE[at % len(PALETTE)]
        data += _ceilings(ceiling, low, high, colour, say)
        data.append(_points(ceiling, operations, colour, at, say))
    binding = [op for ceiling, operations in shown for op in operations if op.intensity < ceiling.ridge]
    return Chart(
        id="chips-roofline",
        title=say("chips.roofline.title"),
        alt=say("chips.roofline.alt", memory=len(binding), all=len(points), chips=", ".join(c.chip for c, _ in shown)),
        data=data,
        layout={
            "height": 460,
            "hovermode": "closest",
            "xaxis": {
                "type": "log",
                "title": {"text": say("chips.roofline.x")},
                "range": [np.log10(low), np.log10(high)],
            },
            "yaxis": {"type": "log", "title": {"text": "TFLOP/s"}},
            "margin": {"l": 64, "r": 10, "t": 8, "b": 48},
        },
        columns=[say(f"chips.{name}") for name in names],
        rows=[_operation(c, op, say) for c, operations in shown for op in operations],
        values=[
            [c.chip, op.name, op.shape, op.intensity, op.rate, c.attainable(op.intensity), op.seconds]
            for c, operations in shown for op in operations
        ],
    )  # fmt: skip


def _operation(ceiling: Roofline, op: Operation, say: Say) -> list[str]:
    rates = (op.rate, ceiling.attainable(op.intensity))
    told = (f"{facts.shown(rate / 1e12)} TFLOP/s" for rate in rates)
    name = say_operation(op.name, say)
    return [ceiling.chip, name, op.shape, f"{op.intensity:,.3g}", *told, f"{op.seconds * 1e6:,.3g} µs"]


def say_operation(name: str, say: Say) -> str:
    """Return the name of an operation in the reader's language."""
    return say(f"chips.operations.{name.replace(' ', '_')}")


def _ceilings(ceiling: Roofline, low: float, high: float, colour: str, say: Say) -> list[dict[str, Any]]:
    """Return the line of the figures and, dashed, what measured kernels reach of them."""
    lines = []
    for peak, bandwidth, dash, key in (
        (ceiling.peak, ceiling.bandwidth, "solid", "figures"),
        (ceiling.best_peak, ceiling.best_bandwidth, "dash", "measured"),
    ):
        x = [low, peak / bandwidth, high]
        y = [min(peak, bandwidth * intensity) / 1e12 for intensity in x]
        name = f"{ceiling.chip}: {say(f'chips.roofline.{key}')}"
        words = f"{name}<br>{peak / 1e12:,.0f} TFLOP/s {ceiling.dtype}, {bandwidth / 1e12:.3g} TB/s"
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": label(name),
                "x": x,
                "y": y,
                "line": {"color": colour, "width": 2.4 if dash == "solid" else 1.6, "dash": dash},
                "hovertext": [words] * 3,
                "hoverinfo": "text",
            }
        )
    return lines


def _points(ceiling: Roofline, operations: Sequence[Operation], colour: str, at: int, say: Say) -> dict[str, Any]:
    symbols = ("circle", "diamond", "square", "triangle-up", "cross")
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label(f"{ceiling.chip}: {say('chips.roofline.operations')}"),
        "x": [op.intensity for op in operations],
        "y": [op.rate / 1e12 for op in operations],
        "marker": {
            "color": colour,
            "symbol": symbols[at % len(symbols)],
            "size": 10,
            "line": {"width": 1.2, "color": "rgba(255,255,255,0.9)"},
        },
        "hovertext": [
            f"{say_operation(op.name, say)}<br>{op.shape}<br>"
            f"{op.intensity:,.3g} FLOP/byte, {op.rate / 1e12:,.4g} TFLOP/s"
            f"<br>{facts.percent(op.rate / ceiling.attainable(op.intensity))} {say('chips.roofline.of_allowed')}"
            for op in operations
        ],
        "hoverinfo": "text",
    }


def comparison(chips: Sequence[Chip], say: Say) -> Chart:
    """Return figures of chips beside each other, each as a multiple of the first chip's; a missing one has no bar."""
    first = chips[0]
    fields = [field for field in COMPARED if first.number(field)]
    data = []
    for at, chip in enumerate(chips):
        ratios = [_ratio(chip, first, field) for field in fields]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": label(chip.name),
                "y": [say(f"chips.field.{field}") for field in fields],
                "x": ratios,
                "text": ["" if chip.number(field) is None else _amount(chip, field) for field in fields],
                "textposition": "outside",
                "textfont": {"size": 11},
                "constraintext": "none",
                "cliponaxis": False,
                "hovertext": [label(f"{chip.name}: {_figure_words(chip.figures.get(field), say)}") for field in fields],
                "hoverinfo": "text",
                "marker": {
                    "color": PALETTE[at % len(PALETTE)],
                    "pattern": {"shape": PATTERNS[at % len(PATTERNS)], "fillmode": "overlay",
                                "fgcolor": "rgba(255,255,255,0.4)", "size": 7, "solidity": 0.14},
                },
            }
        )  # fmt: skip
    lacking = [(chip, field) for chip in chips for field in fields if chip.number(field) is None]
    missing = ", ".join(f"{chip.name} ({say(f'chips.field.{field}')})" for chip, field in lacking)
    others = ", ".join(chip.name for chip in chips[1:]) or first.name
    alt = say("chips.compare.alt", first=first.name, chips=others)
    most = max((chip.number(field) or 0.0) / (first.number(field) or 1.0) for chip in chips for field in fields)
    return Chart(
        id="chips-compare",
        title=say("chips.compare.title", first=first.name),
        alt=f"{alt} {say('chips.compare.missing', what=missing)}" if missing else alt,
        data=data,
        layout={
            "height": 70 + len(fields) * (16 + 17 * len(chips)),
            "barmode": "group",
            "bargap": 0.25,
            "xaxis": {"title": {"text": say("chips.compare.axis", first=first.name)}, "range": [0, 1.16 * most]},
            "yaxis": {"autorange": "reversed", "automargin": True},
            "margin": {"l": 8, "r": 10, "t": 8, "b": 44},
        },
        columns=[say("chips.figure"), *(chip.name for chip in chips)],
        rows=[[say(f"chips.field.{field}"), *(_amount(chip, field) for chip in chips)] for field in fields],
        values=[[field, *(chip.number(field) for chip in chips)] for field in fields],
    )


def _ratio(chip: Chip, first: Chip, field: str) -> float | None:
    own, base = chip.number(field), first.number(field)
    return own / base if own is not None and base else None


def _amount(chip: Chip, field: str) -> str:
    size, unit = COMPARED[field]
    value = chip.number(field)
    return facts.MISSING if value is None else f"{value / size:,.4g} {unit}"


def _figure_words(figure: Figure | None, say: Say) -> str:
    if figure is None:
        return say("chips.not_known")
    others = "; ".join(
        f"{one.value:,} {one.unit} ({one.status})" if isinstance(one.value, float) else str(one.value)
        for one in figure.alternatives
    )
    value = f"{figure.value:,}" if isinstance(figure.value, float) else figure.value
    words = f"{value} {figure.unit} · {figure.status} · {figure.source.title}"
    return f"{words} · {say('chips.others', what=others)}" if others else words


def sources(chips: Sequence[Chip], fields: Sequence[str], say: Say) -> Page:
    """Return every figure of some chips with its status and source, and the values that compete with it."""
    rows = []
    for field in fields:
        for chip in chips:
            figure = chip.figures.get(field)
            if figure is None:
                rows.append(
                    [
                        Cell(_field(field, say)),
                        Cell(chip.name),
                        number(None, say("chips.not_known")),
                        Cell(""),
                        Cell(""),
                        Cell(""),
                    ]
                )
                continue
            value = figure.value
            shown = f"{value:,.6g}" if isinstance(value, int | float) else str(value)
            others = "; ".join(
                f"{one.value} {one.unit} ({one.status}, {one.source.title})" for one in figure.alternatives
            )
            rows.append(
                [
                    Cell(_field(field, say)),
                    Cell(chip.name),
                    Cell(f"{shown} {figure.unit}".strip(), float(value))
                    if isinstance(value, int | float)
                    else Cell(shown),
                    Cell(figure.status, mark="warn" if figure.status in facts.DOUBTFUL else "good"),
                    Cell(figure.source.title, href=link(figure.source.address)),
                    Cell(others),
                ]
            )
    names = ("figure", "chip", "value", "status", "source", "competing")
    return Page("chips-sources", say("chips.sources.title"), [say(f"chips.{name}") for name in names], rows)


def _field(field: str, say: Say) -> str:
    return say(f"chips.field.{field}") if field in COMPARED else field.replace("_", " ")
