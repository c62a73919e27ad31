"""The figures of the page, as plain data for plotly.js, each with a text and a table that say the same."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Any

from outlay.planning.result import Plan, ServiceResult, SiteUse
from outlay.report import facts
from outlay.report.document import finite
from outlay.units import SECONDS_PER_DAY, Quarter

# Okabe and Ito's colours, told apart with any kind of colour vision; patterns and labels repeat what colour says.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#8C6D31")
PATTERNS = ("", "/", ".", "\\", "x", "-", "|", "+")
GREY = "#8A94A0"
SCALES = ((1e12, "trn"), (1e9, "bn"), (1e6, "m"), (1e3, "k"))
FULL = 0.995
"""A limit used to this part counts as full."""


@dataclass(frozen=True)
class Chart:
    """A figure for plotly.js with its text alternative and the numbers behind it."""

    id: str
    title: str
    alt: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    columns: list[str]
    rows: list[list[str]]
    least_width: int = 0
    """Pixels it needs; in a narrower window its frame scrolls sideways."""
    values: list[list[Any]] = field(default_factory=list)
    """The rows with numbers in full, for a file; empty where the rows say it all."""

    @property
    def figure(self) -> dict[str, Any]:
        """What plotly.js reads."""
        return {"data": self.data, "layout": self.layout}


def label(name: str) -> str:
    """Return a name as plotly.js prints it unchanged: it reads markup in texts."""
    return escape(name, quote=False)


def orders(plan: Plan) -> Chart:
    """Return the value of orders by quarter and vendor; a lease counts in full in the quarter it is signed."""
    return _stacked(
        plan,
        chart_id="orders",
        title=f"Orders placed, by vendor, {plan.currency}",
        alt="Value of orders by quarter and vendor; a lease counts with all its rent within the horizon.",
        series=facts.by_vendor_and_quarter(plan),
        unit=plan.currency,
    )


def spending(plan: Plan) -> Chart:
    """Return the money spent by quarter and budget."""
    series = {
        budget.name: {
            quarter: facts.converted(plan, amount, budget.currency) for quarter, amount in budget.by_quarter.items()
        }
        for budget in plan.budgets
    }
    return _stacked(
        plan,
        chart_id="spending",
        title=f"Money spent, by budget, {plan.currency}",
        alt="Money spent by quarter and budget.",
        series=series,
        unit=plan.currency,
    )


def chips(plan: Plan) -> Chart:
    """Return the chips in service by quarter and kind."""
    return _stacked(
        plan,
        chart_id="chips",
        title="Chips in service, by kind",
        alt="Chips in service by quarter and kind.",
        series=facts.in_service(plan),
        unit="chips",
    )


def _stacked(
    plan: Plan, *, chart_id: str, title: str, alt: str, series: Mapping[str, Mapping[str, float]], unit: str
) -> Chart:
    columns = [sum(values.get(quarter, 0.0) for values in series.values()) for quarter in plan.quarters]
    size, word = _scale(max(columns, default=0.0))
    data = []
    for at, (name, values) in enumerate(series.items()):
        amounts = [values.get(quarter, 0.0) for quarter in plan.quarters]
        data.append(
            {
                "type": "bar",
                "name": label(name),
                "x": plan.quarters,
                "y": [amount / size for amount in amounts],
                "text": [facts.shown(amount / size, 2) if amount else "" for amount in amounts],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "textangle": 0,
                "hovertext": [
                    label(f"{name}, {q}: {facts.shown(a)} {unit}") for q, a in zip(plan.quarters, amounts, strict=True)
                ],
                "hoverinfo": "text",
                "marker": _marker(at),
            }
        )
    peak = max(columns, default=0.0)
    return Chart(
        id=chart_id,
        title=title,
        alt=f"{alt} The largest quarter is {plan.quarters[columns.index(peak)]} with {facts.shown(peak)} {unit}."
        if peak
        else alt,
        data=data,
        layout={
            "height": 340,
            "barmode": "stack",
            "yaxis": {"title": {"text": f"{word} {unit}".strip()}, "rangemode": "tozero"},
            "xaxis": _time_axis(plan.quarters),
            "uniformtext": {"minsize": 9, "mode": "hide"},
            "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
        },
        columns=["", *plan.quarters],
        rows=[
            [name, *(facts.shown(values.get(quarter, 0.0)) for quarter in plan.quarters)]
            for name, values in series.items()
        ],
        values=[[name, *(values.get(quarter, 0.0) for quarter in plan.quarters)] for name, values in series.items()],
    )


def _time_axis(quarters: Sequence[str]) -> dict[str, Any]:
    """Return an axis of quarters that names each year once."""
    years = [quarter[:4] for quarter in quarters]
    words = [
        q[4:] + (f"<br>{year}" if year not in years[:at] else "")
        for at, (q, year) in enumerate(zip(quarters, years, strict=True))
    ]
    return {"type": "category", "tickmode": "array", "tickvals": list(quarters), "ticktext": words, "tickangle": 0}


def _scale(top: float) -> tuple[float, str]:
    return next(((size, word) for size, word in SCALES if top >= size), (1.0, ""))


def _marker(at: int) -> dict[str, Any]:
    return {
        "color": PALETTE[at % len(PALETTE)],
        "pattern": _pattern(PATTERNS[at % len(PATTERNS)]),
        "line": {"width": 0},
    }


def _pattern(shape: str | list[str]) -> dict[str, Any]:
    return {"shape": shape, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.45)", "size": 9, "solidity": 0.12}


def power(plan: Plan) -> list[Chart]:
    """Return one small chart a site in use: its power by quarter against its limit."""
    return [_site_power(plan, site) for site in plan.sites if any(site.power.values())]


def _site_power(plan: Plan, site: SiteUse) -> Chart:
    used = [site.power.get(quarter, 0.0) / 1e6 for quarter in plan.quarters]
    limit = [site.limit[quarter] / 1e6 if quarter in site.limit else None for quarter in plan.quarters]
    shares = [use / most if most else 0.0 for use, most in zip(used, limit, strict=True)]
    full = [quarter for quarter, share in zip(plan.quarters, shares, strict=True) if share >= FULL]
    peak = f"At most {facts.shown(max(used))} MW, {facts.percent(max(shares))} of the limit"
    bars = {
        "type": "bar",
        "name": "power",
        "x": plan.quarters,
        "y": used,
        "hovertemplate": "%{x}: %{y:.1f} MW<extra></extra>",
        "marker": {"color": PALETTE[0], "pattern": _pattern(["/" if share >= FULL else "" for share in shares])},
    }
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "limit",
        "x": plan.quarters,
        "y": limit,
        "line": {"color": PALETTE[1], "dash": "dash", "shape": "hvh", "width": 2},
        "hovertemplate": "limit in %{x}: %{y:.1f} MW<extra></extra>",
    }
    return Chart(
        id=f"power-{plan.sites.index(site)}",
        title=f"{site.name}, {site.country}",
        alt=f"{peak}; full in {', '.join(full)}." if full else f"{peak}.",
        data=[bars, line],
        layout={
            "height": 190,
            "showlegend": False,
            "yaxis": {"title": {"text": "MW"}, "rangemode": "tozero"},
            "xaxis": _time_axis(plan.quarters),
            "margin": {"l": 48, "r": 8, "t": 8, "b": 36},
        },
        columns=["", *plan.quarters],
        rows=[
            ["power, MW", *(facts.shown(use) for use in used)],
            ["limit, MW", *(facts.MISSING if most is None else facts.shown(most) for most in limit)],
            ["chips", *(f"{site.chips.get(quarter, 0):,}" for quarter in plan.quarters)],
        ],
        values=[["power, MW", *used], ["limit, MW", *limit], ["chips", *(site.chips.get(q, 0) for q in plan.quarters)]],
    )


def training(plan: Plan) -> Chart | None:
    """Return the Gantt chart of training runs, with the dates that hang over the plan."""
    runs = [run for run in plan.training if run.runs]
    if not runs:
        return None
    rows = [(run, stage) for run in runs for stage in run.stages]
    sites = sorted({stage.site for _, stage in rows})
    data: list[dict[str, Any]] = []
    for at, site in enumerate(sites):
        here = [(run, stage) for run, stage in rows if stage.site == site]
        words = [f"{stage.chips:,} {facts.chip_of(plan, stage.system)}" for _, stage in here]
        spans = [_span(plan.quarters, stage.first, stage.last) for _, stage in here]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": label(site),
                "y": [_wrapped(run.name) for run, _ in here],
                "base": [first for first, _ in spans],
                "x": [length for _, length in spans],
                "text": [label(word) for word in words],
                "textposition": "inside",
                "insidetextanchor": "middle",
                "hovertext": [
                    label(f"{run.name}: {word} at {site}, {stage.first} to {stage.last}")
                    for (run, stage), word in zip(here, words, strict=True)
                ],
                "hoverinfo": "text",
                "marker": _marker(at),
            }
        )
    shapes, notes = _dates(plan)
    return Chart(
        id="gantt",
        title="Training runs, by site",
        alt="; ".join(f"{run.name} from {run.stages[0].first} to {run.stages[-1].last}" for run in runs if run.stages)
        + ".",
        data=data,
        layout={
            "height": 130 + 62 * len(runs),
            "barmode": "overlay",
            "bargap": 0.35,
            "xaxis": {
                "tickvals": [at + 0.5 for at in range(len(plan.quarters))],
                "ticktext": _time_axis(plan.quarters)["ticktext"],
                "range": [0, len(plan.quarters)],
                "zeroline": False,
            },
            "yaxis": {"autorange": "reversed", "automargin": True},
            "shapes": shapes,
            "annotations": notes,
            "legend": {"y": -0.3, "yanchor": "top"},
            "margin": {"l": 8, "r": 8, "t": 40, "b": 40},
        },
        columns=["run", "site", "how", "system", "chips", "first", "last"],
        rows=[[run.name, s.site, s.mode, s.system, f"{s.chips:,}", s.first, s.last] for run, s in rows],
        values=[[run.name, s.site, s.mode, s.system, s.chips, s.first, s.last] for run, s in rows],
        least_width=720,
    )


def _span(quarters: Sequence[str], first: str, last: str) -> tuple[int, int]:
    start = Quarter.parse(first) - Quarter.parse(quarters[0])
    return start, Quarter.parse(last) - Quarter.parse(first) + 1


def _wrapped(name: str, width: int = 18) -> str:
    return "<br>".join(label(line) for line in textwrap.wrap(name, width)) or label(name)


def _dates(plan: Plan) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a line and a name for each deadline that is a day within the horizon."""
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for deadline in plan.deadlines:
        at = _moment(plan.quarters, deadline["date"])
        if at is None:
            continue
        shapes.append({"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1,
                       "line": {"dash": "dot", "width": 1.5, "color": GREY}})  # fmt: skip
        notes.append({"x": at, "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "left", "showarrow": False,
                      "yshift": 15 * (len(notes) % 2), "font": {"size": 11},
                      "text": f"{label(deadline['name'])}, {deadline['date']}"})  # fmt: skip
    return shapes, notes


def _moment(quarters: Sequence[str], day: str) -> float | None:
    try:
        when = date.fromisoformat(day)
    except ValueError:
        return None
    quarter = Quarter.of(when)
    at = quarter - Quarter.parse(quarters[0]) + (when - quarter.start).days / quarter.days
    return at if 0 <= at <= len(quarters) else None


def services(plan: Plan) -> list[Chart]:
    """Return one chart a service: what is served, by system, under the demand; the table has the sites too."""
    return [_service(plan, at, service) for at, service in enumerate(plan.services)]


def _service(plan: Plan, number: int, service: ServiceResult) -> Chart:
    per_day = {name: _daily(plan, rates) for name, rates in service.by_system.items()}
    by_kind = _by_kind(per_day)
    demand = _daily(plan, service.demand)
    size, word = _scale(max([*demand, *(sum(column) for column in zip(*per_day.values(), strict=True))], default=0.0))
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": label(name),
            "x": plan.quarters,
            "y": [rate / size for rate in rates],
            "hovertext": [
                label(f"{name}, {q}: {facts.shown(r)} tokens a day") for q, r in zip(plan.quarters, rates, strict=True)
            ],
            "hoverinfo": "text",
            "marker": _marker(at),
        }
        for at, (name, rates) in enumerate(by_kind.items())
    ]
    data.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "demand",
            "x": plan.quarters,
            "y": [rate / size for rate in demand],
            "hovertext": [
                f"demand, {q}: {facts.shown(r)} tokens a day" for q, r in zip(plan.quarters, demand, strict=True)
            ],
            "hoverinfo": "text",
            "line": {"dash": "dash", "width": 2, "color": GREY},
        }
    )
    share = facts.percent(facts.served_share(service))
    return Chart(
        id=f"service-{number}",
        title=f"{service.name}: {share} of the demand is served",
        alt=f"Tokens a day served by {service.name}, by system, under the demand (dashed).",
        data=data,
        layout={
            "height": 340,
            "barmode": "stack",
            "yaxis": {"title": {"text": f"{word} tokens a day".strip()}, "rangemode": "tozero"},
            "xaxis": _time_axis(plan.quarters),
            "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
        },
        columns=["tokens a day", *plan.quarters],
        rows=[
            ["demand", *map(facts.shown, demand)],
            ["served", *map(facts.shown, _daily(plan, service.served))],
            *([name, *map(facts.shown, rates)] for name, rates in per_day.items()),
        ],
        values=[
            ["demand", *demand],
            ["served", *_daily(plan, service.served)],
            *([name, *rates] for name, rates in per_day.items()),
        ],
    )


def _by_kind(per_day: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return what each system serves over all its sites: few enough names for a legend."""
    found: dict[str, list[float]] = {}
    for name, rates in per_day.items():
        system = name.split(" @ ")[0] + (" (lease)" if name.endswith(" (lease)") else "")
        found[system] = [one + other for one, other in zip(found.get(system, [0.0] * len(rates)), rates, strict=True)]
    return dict(sorted(found.items(), key=lambda item: -sum(item[1])))


def _daily(plan: Plan, rates: Mapping[str, float]) -> list[float]:
    return [rates.get(quarter, 0.0) * SECONDS_PER_DAY for quarter in plan.quarters]


def all_of(charts: Iterable[Chart | None]) -> dict[str, Any]:
    """Return the figures by id, those that there are, ready to become JSON."""
    figures: dict[str, Any] = finite({chart.id: chart.figure for chart in charts if chart is not None})
    return figures
