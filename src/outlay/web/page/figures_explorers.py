"""Figures of the explorers: memory and step time of training strategies, what serving gives at which latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outlay.report import facts
from outlay.report.charts import GREY, PALETTE, PATTERNS, Chart, label
from outlay.report.tables import Cell, Page, number
from outlay.units import GB

if TYPE_CHECKING:
    from outlay.performance.search import TrainingEstimate
    from outlay.performance.serving.options import FrontPoint
    from outlay.performance.serving.search import ServingEstimate

Say = Callable[..., str]
LEAST_SHARE = 0.001
"""Parts of a step below this share are left out of the figure; the table has them."""


def memory(estimates: Sequence[TrainingEstimate], say: Say) -> Chart:
    """Return the bytes by kind on the fullest chip, a bar a strategy, with the chip's memory as a line."""
    best = estimates[0]
    used = sum(best.memory.values())
    largest = max(best.memory, key=lambda kind: best.memory[kind])
    return _bars(
        estimates,
        chart_id="training-memory",
        title=say("explorers.memory.title"),
        alt=say(
            "explorers.memory.alt",
            used=f"{used / GB:.1f} GB",
            limit=f"{best.memory_limit / GB:.0f} GB",
            largest=say(f"explorers.kind.{_key(largest)}"),
            most=f"{best.memory[largest] / GB:.1f} GB",
        ),
        parts={kind: [one.memory.get(kind, 0.0) / GB for one in estimates] for kind in best.memory},
        prefix="explorers.kind",
        axis=say("explorers.memory.axis"),
        unit="GB",
        line=(best.memory_limit / GB, say("explorers.memory.limit", limit=f"{best.memory_limit / GB:.0f} GB")),
        say=say,
    )


def breakdown(estimates: Sequence[TrainingEstimate], say: Say) -> Chart:
    """Return what a step's time goes to, a bar a strategy; the band of the prediction is a line through its end."""
    best = estimates[0]
    kinds = [
        kind
        for kind in best.breakdown
        if any(one.breakdown[kind] >= LEAST_SHARE * one.step_time_s for one in estimates)
    ]
    largest = max(kinds, key=lambda kind: best.breakdown[kind])
    chart = _bars(
        estimates,
        chart_id="training-steps",
        title=say("explorers.steps.title"),
        alt=say(
            "explorers.steps.alt",
            step=f"{best.step_time_s:.2f} s",
            low=f"{best.step_low_s:.2f}",
            high=f"{best.step_high_s:.2f} s",
            largest=say(f"explorers.part.{_key(largest)}"),
            share=facts.percent(best.breakdown[largest] / best.step_time_s),
        ),
        parts={kind: [one.breakdown[kind] for one in estimates] for kind in kinds},
        prefix="explorers.part",
        axis=say("explorers.steps.axis"),
        unit="s",
        line=None,
        say=say,
    )
    chart.data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": say("explorers.steps.band"),
            "y": [_numbered(at, one.strategy) for at, one in enumerate(estimates)],
            "x": [one.step_time_s for one in estimates],
            "marker": {"symbol": "line-ns-open", "size": 11, "color": GREY, "line": {"width": 2}},
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [one.step_high_s - one.step_time_s for one in estimates],
                "arrayminus": [one.step_time_s - one.step_low_s for one in estimates],
                "color": GREY,
                "thickness": 1.6,
                "width": 5,
            },
            "hovertext": [
                f"{one.step_time_s:.3g} s ({one.step_low_s:.3g} – {one.step_high_s:.3g})" for one in estimates
            ],
            "hoverinfo": "text",
        }
    )
    return chart


def _bars(
    estimates: Sequence[TrainingEstimate],
    *,
    chart_id: str,
    title: str,
    alt: str,
    parts: Mapping[str, Sequence[float]],
    prefix: str,
    axis: str,
    unit: str,
    line: tuple[float, str] | None,
    say: Say,
) -> Chart:
    names = [_numbered(at, one.strategy) for at, one in enumerate(estimates)]
    data: list[dict[str, Any]] = []
    for at, (kind, amounts) in enumerate(parts.items()):
        said = say(f"{prefix}.{_key(kind)}")
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": said,
                "y": names,
                "x": list(amounts),
                "hovertext": [
                    label(f"{said}: {amount:.3g} {unit}") + f"<br>{label(one.strategy)}"
                    for amount, one in zip(amounts, estimates, strict=True)
                ],
                "hoverinfo": "text",
                "marker": {
                    "color": PALETTE[at % len(PALETTE)],
                    "line": {"width": 0},
                    "pattern": {"shape": PATTERNS[at % len(PATTERNS)], "fillmode": "overlay",
                                "fgcolor": "rgba(255,255,255,0.4)", "size": 7, "solidity": 0.14},
                },
            }
        )  # fmt: skip
    layout = _bars_layout(len(estimates), parts, axis, line)
    return Chart(
        id=chart_id,
        title=title,
        alt=alt,
        data=data,
        layout=layout,
        columns=[say("explorers.strategy"), *(f"{say(f'{prefix}.{_key(kind)}')}, {unit}" for kind in parts)],
        rows=[
            [one.strategy, *(f"{amounts[at]:.3g}" for amounts in parts.values())] for at, one in enumerate(estimates)
        ],
        values=[[one.strategy, *(amounts[at] for amounts in parts.values())] for at, one in enumerate(estimates)],
    )


def _bars_layout(
    count: int, parts: Mapping[str, Sequence[float]], axis: str, line: tuple[float, str] | None
) -> dict[str, Any]:
    """Return the layout of ``count`` stacked bars, with a mark where a line is wanted."""
    layout: dict[str, Any] = {
        "height": 118 + 30 * count,
        "barmode": "stack",
        "bargap": 0.3,
        "xaxis": {"title": {"text": axis}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "automargin": True, "tickfont": {"size": 11}},
        "margin": {"l": 8, "r": 14, "t": 8, "b": 44},
    }
    if line is not None:
        place, words = line
        layout["shapes"] = [
            {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "yref": "paper",
             "line": {"dash": "dash", "width": 2, "color": PALETTE[1]}}
        ]  # fmt: skip
        layout["annotations"] = [
            {"x": place, "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "right", "showarrow": False,
             "text": words, "font": {"size": 11}}
        ]  # fmt: skip
        layout["legend"] = {"y": 1.1 + 0.2 / count}
        layout["margin"] = {"l": 8, "r": 14, "t": 26, "b": 44}
        layout["xaxis"]["range"] = [
            0,
            1.06 * max(place, *(sum(column) for column in zip(*parts.values(), strict=True))),
        ]
    return layout


def _key(name: str) -> str:
    return name.replace(" ", "_")


def _numbered(at: int, strategy: str) -> str:
    """Return a short name for a strategy: its place and the parts in which layouts differ most."""
    parts = dict(part.split("=", 1) for part in strategy.split(",") if "=" in part)
    kept = [f"{name}{parts[name]}" for name in ("tp", "pp", "cp", "ep", "dp") if parts.get(name, "1") != "1"]
    return f"{at + 1}  {' '.join(kept)}"


def strategies(estimate: TrainingEstimate, say: Say) -> Page:
    """Return the best strategy, what came close, the front with memory and chips, and what is faster on paper."""
    used = sum(estimate.memory.values())
    rows = [
        _strategy(
            "best", estimate.strategy, estimate.chips, estimate.step_time_s, estimate.mfu, used, True, estimate, say
        )
    ]
    seen = {(estimate.strategy, estimate.chips)}
    for role, choices in (
        ("runner_up", estimate.runners_up),
        ("front", estimate.front),
        ("on_paper", estimate.on_paper),
    ):
        for choice in choices:
            if (choice.strategy, choice.chips) not in seen:
                seen.add((choice.strategy, choice.chips))
                made = (
                    choice.strategy,
                    choice.chips,
                    choice.step_time_s,
                    choice.mfu,
                    choice.memory_bytes,
                    choice.tried,
                )
                rows.append(_strategy(role, *made, estimate, say))
    names = ("role_word", "strategy", "chips", "step", "to_best", "mfu", "memory_chip", "covered")
    return Page(
        "training-strategies", say("explorers.strategies.title"), [say(f"explorers.{name}") for name in names], rows
    )


def _strategy(
    role: str, strategy: str, chips: int, step: float, mfu: float, held: float, tried: bool,
    estimate: TrainingEstimate, say: Say,
) -> list[Cell]:  # fmt: skip
    slower = step / estimate.step_time_s - 1
    return [
        Cell(say(f"explorers.role.{role}"), mark={"best": "good", "on_paper": "warn"}.get(role, "")),
        Cell(strategy),
        number(chips, f"{chips:,}"),
        number(step, f"{step:.3g} s"),
        number(slower, f"{slower:+.1%}"),
        number(mfu, f"{mfu:.1%}"),
        number(held / GB, f"{held / GB:.1f} GB"),
        Cell(say("explorers.yes") if tried else say("explorers.no"), mark="" if tried else "warn"),
    ]


def _front_of(at: int, name: str, estimate: ServingEstimate, say: Say) -> list[dict[str, Any]]:
    """Return one system's front: its band, its points, and the configuration chosen."""
    colour = PALETTE[at % len(PALETTE)]
    points = sorted(estimate.front, key=lambda point: point.tpot_s)
    x = [point.tpot_s * 1e3 for point in points]
    y = [point.tokens_per_s_per_chip for point in points]
    low = [rate / point.factor for rate, point in zip(y, points, strict=True)]
    high = [rate * point.factor for rate, point in zip(y, points, strict=True)]
    edge = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    return [
        {**edge, "x": x, "y": low},
        {**edge, "x": x, "y": high, "fill": "tonexty", "fillcolor": _faint(colour)},
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": label(name),
            "x": x,
            "y": y,
            "line": {"color": colour, "width": 2.2},
            "marker": {"symbol": ("circle", "diamond", "square", "triangle-up")[at % 4], "size": 8},
            "hovertext": [
                f"{label(name)}: {label(point.strategy)}<br>{point.tokens_per_s_per_chip:,.0f} tokens/s "
                f"({least:,.0f} – {most:,.0f})<br>{point.tpot_s * 1e3:.3g} ms, {point.ttft_s:.3g} s"
                for point, least, most in zip(points, low, high, strict=True)
            ],
            "hoverinfo": "text",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": say("explorers.chosen", name=name),
            "x": [estimate.tpot_s * 1e3],
            "y": [estimate.tokens_per_s_per_chip],
            "marker": {"symbol": "star", "size": 15, "color": colour, "line": {"width": 1, "color": "#ffffff"}},
            "hovertext": [f"{label(name)}: {label(estimate.strategy)}"],
            "hoverinfo": "text",
        },
    ]


def front(found: Sequence[tuple[str, ServingEstimate]], tpot_s: float, say: Say) -> Chart:
    """Return the fronts of speed against the time of a token of some systems, each point with its band."""
    data = [trace for at, (name, of) in enumerate(found) for trace in _front_of(at, name, of, say)]
    name, first = found[0]
    names = ("system", "strategy", "tpot", "ttft", "rate", "rate_low", "rate_high")
    every = [(one, point) for one, estimate in found for point in estimate.front]
    return Chart(
        id="serving-front",
        title=say("explorers.front.title"),
        alt=say(
            "explorers.front.alt",
            name=name,
            rate=f"{first.tokens_per_s_per_chip:,.0f}",
            low=f"{first.low * first.tokens_per_s_per_chip:,.0f}",
            high=f"{first.high * first.tokens_per_s_per_chip:,.0f}",
            tpot=f"{first.tpot_s * 1e3:.3g} ms",
        ),
        data=data,
        layout={
            "height": 440,
            "hovermode": "closest",
            "xaxis": {"title": {"text": say("explorers.front.x")}, "type": "log"},
            "yaxis": {"title": {"text": say("explorers.front.y")}, "rangemode": "tozero"},
            "shapes": [
                {
                    "type": "line",
                    "x0": tpot_s * 1e3,
                    "x1": tpot_s * 1e3,
                    "y0": 0,
                    "y1": 1,
                    "yref": "paper",
                    "line": {"dash": "dot", "width": 1.6, "color": GREY},
                }
            ],
            "margin": {"l": 66, "r": 10, "t": 8, "b": 48},
        },
        columns=[say(f"explorers.{key}") for key in names],
        rows=[
            [
                one,
                point.strategy,
                f"{point.tpot_s * 1e3:.3g} ms",
                f"{point.ttft_s:.3g} s",
                *_rates(point, "{:,.0f}".format),
            ]
            for one, point in every
        ],
        values=[[one, point.strategy, point.tpot_s, point.ttft_s, *_rates(point, float)] for one, point in every],
    )


def _rates(point: FrontPoint, shown: Callable[[float], Any]) -> list[Any]:
    """Return the rate of a point of the front and both ends of its band."""
    rate = point.tokens_per_s_per_chip
    return [shown(value) for value in (rate, rate / point.factor, rate * point.factor)]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.16)"


def serving_memory(found: Sequence[tuple[str, ServingEstimate]], limits: Sequence[float], say: Say) -> Chart:
    """Return the bytes by kind on a chip of the chosen configurations, with the chip's memory as a mark."""
    kinds = list(dict.fromkeys(kind for _, estimate in found for kind in estimate.memory_bytes))
    names = [label(name) for name, _ in found]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": say(f"explorers.kind.{_key(kind)}"),
            "y": names,
            "x": [estimate.memory_bytes.get(kind, 0.0) / GB for _, estimate in found],
            "hovertemplate": f"{say(f'explorers.kind.{_key(kind)}')}: %{{x:.1f}} GB<extra></extra>",
            "marker": {
                "color": PALETTE[at % len(PALETTE)],
                "pattern": {"shape": PATTERNS[at % len(PATTERNS)], "fillmode": "overlay",
                            "fgcolor": "rgba(255,255,255,0.4)", "size": 7, "solidity": 0.14},
            },
        }
        for at, kind in enumerate(kinds)
    ]  # fmt: skip
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": say("explorers.memory.limit_short"),
            "y": names,
            "x": [limit / GB for limit in limits],
            "marker": {"symbol": "line-ns-open", "size": 26, "color": PALETTE[1], "line": {"width": 3}},
            "hovertemplate": "%{x:.0f} GB<extra></extra>",
        }
    )
    name, first = found[0]
    return Chart(
        id="serving-memory",
        title=say("explorers.serving_memory.title"),
        alt=say(
            "explorers.serving_memory.alt",
            name=name,
            used=f"{sum(first.memory_bytes.values()) / GB:.1f} GB",
            limit=f"{limits[0] / GB:.0f} GB",
        ),
        data=data,
        layout={
            "height": 120 + 44 * len(found),
            "barmode": "stack",
            "bargap": 0.35,
            "xaxis": {"title": {"text": say("explorers.memory.axis")}, "rangemode": "tozero"},
            "yaxis": {"autorange": "reversed", "automargin": True},
            "margin": {"l": 8, "r": 14, "t": 8, "b": 44},
        },
        columns=[say("explorers.system"), *(f"{say(f'explorers.kind.{_key(kind)}')}, GB" for kind in kinds)],
        rows=[
            [one, *(f"{estimate.memory_bytes.get(kind, 0.0) / GB:.1f}" for kind in kinds)] for one, estimate in found
        ],
        values=[[one, *(estimate.memory_bytes.get(kind, 0.0) / GB for kind in kinds)] for one, estimate in found],
    )
