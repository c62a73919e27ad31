"""What changed from one plan to another, as numbers with their change and as bars: a difference, not two pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outlay.planning.result import Plan
from outlay.report import facts
from outlay.report.charts import GREY, PALETTE, Chart, label
from outlay.units import SECONDS_PER_DAY

MOST_BARS = 16


@dataclass(frozen=True)
class Change:
    """A number of two plans: what it is, both values as printed, and the change with its sign.

    Attributes
    ----------
    better
        Whether the change is one to be glad of; ``None`` where that is not for us to say.
    """

    what: str
    before: str
    after: str
    change: str
    better: bool | None = None


def changes(base: Plan, other: Plan) -> list[Change]:
    """Return the headline figures of two plans that count in one currency, with their changes."""
    maximised = base.objective_name not in {"cost", "finish"}
    made = [_number(f"{base.objective_name} of the plan", base.objective, other.objective, base, gain=maximised)]
    made.append(_number("money spent", facts.spent(base), facts.spent(other), base))
    for mode, words in (("buy", "chips bought"), ("lease", "chips leased")):
        one, two = (sum(p.chips for p in plan.purchases if p.mode == mode) for plan in (base, other))
        made.append(Change(words, f"{one:,}", f"{two:,}", _signed(two - one, f"{abs(two - one):,}")))
    reached = {use.name: use.achieved for use in base.sourcing}
    made += [
        _share(f"share {use.name}", reached[use.name], use.achieved) for use in other.sourcing if use.name in reached
    ]
    done = [sum(run.runs for run in plan.training) for plan in (base, other)]
    if base.training or other.training:
        change = _signed(done[1] - done[0], str(abs(done[1] - done[0])))
        counts = (f"{done[0]} of {len(base.training)}", f"{done[1]} of {len(other.training)}")
        made.append(Change("training runs done", *counts, change, _better(done[1] - done[0])))
    served = {service.name: facts.served_share(service) for service in base.services}
    return made + [
        _share(f"{service.name} served", served[service.name], facts.served_share(service), gain=True)
        for service in other.services
        if service.name in served
    ]


def _number(what: str, before: float, after: float, plan: Plan, *, gain: bool | None = None) -> Change:
    printed = [facts.objective(plan, value) if gain is not None else facts.money(value, plan.currency)
               for value in (before, after, abs(after - before))]  # fmt: skip
    better = None if gain is None else _better(after - before if gain else before - after)
    return Change(what, printed[0], printed[1], _signed(after - before, printed[2]), better)


def _share(what: str, before: float | None, after: float | None, *, gain: bool | None = None) -> Change:
    if before is None or after is None:
        return Change(what, facts.percent(before, 1), facts.percent(after, 1), facts.MISSING)
    points = round((after - before) * 100, 1)
    change = _signed(points, f"{abs(points):.1f} points")
    return Change(what, facts.percent(before, 1), facts.percent(after, 1), change, _better(points) if gain else None)


def _signed(change: float, printed: str) -> str:
    return "=" if not change else f"{'+' if change > 0 else '−'}{printed}"


def _better(change: float) -> bool | None:
    return None if not change else change > 0


def orders_change(base: Plan, other: Plan) -> Chart | None:
    """Return a bar for each chip and site whose orders differ: chips more to the right, fewer to the left."""
    before, after = _ordered(base), _ordered(other)
    rows = {key: after[key] - before[key] for key in {*before, *after} if after[key] != before[key]}
    if not rows:
        return None
    shown = sorted(rows, key=lambda key: (-abs(rows[key]), key))[:MOST_BARS][::-1]
    more, fewer = sum(v for v in rows.values() if v > 0), -sum(v for v in rows.values() if v < 0)
    every = sorted(rows, key=lambda key: (-abs(rows[key]), key))
    return Chart(
        id="orders-change",
        title="Orders that change, chips",
        alt=f"{more:,} chips more and {fewer:,} fewer, over {len(rows)} kinds and sites.",
        data=[_bars(shown, [float(rows[key]) for key in shown])],
        layout=_layout([rows[key] for key in shown]),
        columns=["order", "before", "after", "change"],
        rows=[[key, f"{before[key]:,}", f"{after[key]:,}", _signed(rows[key], f"{abs(rows[key]):,}")] for key in every],
        values=[[key, before[key], after[key], rows[key]] for key in every],
        least_width=520,
    )


def _ordered(plan: Plan) -> Counter[str]:
    found: Counter[str] = Counter()
    for bought in plan.purchases:
        found[f"{bought.mode} {bought.chip}, {bought.site} {bought.country}"] += bought.chips
    return found


def _bars(names: list[str], values: list[float]) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "y": [label(name) for name in names],
        "x": values,
        "text": [_signed(value, f"{abs(value):,.0f}") for value in values],
        "textposition": "outside",
        "cliponaxis": False,
        "hoverinfo": "y+text",
        "marker": {
            "color": [PALETTE[0] if value > 0 else PALETTE[1] for value in values],
            "pattern": {"shape": ["" if value > 0 else "/" for value in values], "solidity": 0.15},
        },
    }


def _layout(values: list[int]) -> dict[str, Any]:
    low, high = min(0, *values, 0), max(0, *values, 0)
    room = 0.16 * (high - low)  # for the numbers at the ends of the bars
    return {
        "height": 70 + 30 * len(values),
        "showlegend": False,
        "xaxis": {"zeroline": True, "showticklabels": False, "range": [low - room, high + room]},
        "yaxis": {"automargin": True},
        "margin": {"l": 8, "r": 64, "t": 8, "b": 16},
    }


def served_change(base: Plan, other: Plan) -> Chart | None:
    """Return tokens a day more or fewer served, by quarter and service."""
    per_service = {service.name: service.served for service in base.services}
    series: dict[str, list[float]] = {}
    for service in other.services:
        before = per_service.get(service.name, {})
        change = [(service.served.get(q, 0.0) - before.get(q, 0.0)) * SECONDS_PER_DAY for q in other.quarters]
        if any(abs(value) > 1e6 for value in change):
            series[service.name] = change
    return _by_quarter("served-change", "Tokens a day served, change", "trn tokens a day", other, series, 1e12)


def spending_change(base: Plan, other: Plan) -> Chart | None:
    """Return money more or less ordered, by quarter and vendor."""
    before, after = facts.by_vendor_and_quarter(base), facts.by_vendor_and_quarter(other)
    series = {}
    for vendor in [*after, *(name for name in before if name not in after)]:
        one, two = before.get(vendor, {}), after.get(vendor, {})
        change = [two.get(quarter, 0.0) - one.get(quarter, 0.0) for quarter in other.quarters]
        if any(abs(value) > 1.0 for value in change):
            series[vendor] = change
    return _by_quarter("orders-money-change", f"Orders placed, change in bn {other.currency}", "bn", other, series, 1e9)


def _by_quarter(
    chart_id: str, title: str, unit: str, plan: Plan, series: Mapping[str, list[float]], size: float
) -> Chart | None:
    if not series:
        return None
    data = [
        {
            "type": "bar",
            "name": label(name),
            "x": plan.quarters,
            "y": [value / size for value in values],
            "hovertemplate": f"{label(name)}, %{{x}}: %{{y:+.3g}} {unit}<extra></extra>",
            "marker": {"color": PALETTE[at % len(PALETTE)]},
        }
        for at, (name, values) in enumerate(series.items())
    ]
    totals = {name: sum(values) for name, values in series.items()}
    most = max(totals, key=lambda name: abs(totals[name]))
    return Chart(
        id=chart_id,
        title=title,
        alt=f"{most} changes most, by {_signed(totals[most], facts.shown(abs(totals[most])))} over all quarters.",
        data=data,
        layout={
            "height": 300,
            "barmode": "relative",
            "yaxis": {"title": {"text": unit}, "zeroline": True, "zerolinecolor": GREY},
            "xaxis": {"type": "category"},
            "margin": {"l": 56, "r": 8, "t": 8, "b": 40},
        },
        columns=["", *plan.quarters],
        rows=[
            [name, *(_signed(value, facts.shown(abs(value))) for value in values)] for name, values in series.items()
        ],
        values=[[name, *values] for name, values in series.items()],
    )


@dataclass(frozen=True)
class Measure:
    """Something a plan is judged by: how it is worked out, and whether more of it is better."""

    name: str
    unit: str
    more: bool

    def of(self, plan: Plan) -> float | None:
        """Return its value in a plan; ``None`` where the plan has none."""
        if self.name == "objective":
            return plan.objective
        if self.name == "spent":
            return facts.spent(plan)
        if self.name == "chips":
            return float(sum(bought.chips for bought in plan.purchases))
        kind, _, name = self.name.partition(" ")
        if kind == "share":
            return next((use.achieved for use in plan.sourcing if use.name == name), None)
        return next((facts.served_share(service) for service in plan.services if service.name == name), None)

    def printed(self, value: float | None, plan: Plan) -> str:
        """Return a value of it for people."""
        if value is None:
            return facts.MISSING
        if self.unit == "%":
            return facts.percent(value, 1)
        if self.name == "objective":
            return facts.objective(plan, value)
        return facts.money(value, plan.currency) if self.name == "spent" else f"{value:,.0f}"


def measures(plan: Plan) -> list[Measure]:
    """Return what plans like this one can be judged by."""
    found = [Measure("objective", "", plan.objective_name not in {"cost", "finish"}), Measure("spent", "", False)]
    found.append(Measure("chips", "", True))
    found += [Measure(f"share {use.name}", "%", True) for use in plan.sourcing]
    return found + [Measure(f"served {service.name}", "%", True) for service in plan.services]


def front(points: list[tuple[float, float]], *, more_x: bool, more_y: bool) -> list[int]:
    """Return which points no other is better than in both, in the order of x.

    Examples
    --------
    >>> front([(1.0, 1.0), (2.0, 3.0), (3.0, 2.0)], more_x=True, more_y=True)
    [1, 2]
    """
    signed = [(x if more_x else -x, y if more_y else -y) for x, y in points]
    kept = [
        i
        for i, (x, y) in enumerate(signed)
        if not any((u >= x and v >= y) and (u > x or v > y) for j, (u, v) in enumerate(signed) if j != i)
    ]
    return sorted(kept, key=lambda i: points[i])


def front_chart(plans: list[tuple[str, Plan]], across: Measure, up: Measure, chosen: int | None = None) -> Chart | None:
    """Return plans as points by two measures, those on the front joined; each can be clicked on.

    Parameters
    ----------
    plans
        What each was asked, and the plan.
    chosen
        The plan shown now, by its place in the list.
    """
    placed = [(i, x, y) for i, (_, plan) in enumerate(plans)
              if (x := across.of(plan)) is not None and (y := up.of(plan)) is not None]  # fmt: skip
    if not placed:
        return None
    on_front = front([(x, y) for _, x, y in placed], more_x=across.more, more_y=up.more)
    plan = plans[0][1]
    words = [
        label(f"{plans[i][0]}: {_named(across)} {across.printed(x, plan)}, {_named(up)} {up.printed(y, plan)}")
        for i, x, y in placed
    ]
    line = {"type": "scatter", "mode": "lines", "name": "front", "x": [placed[i][1] for i in on_front],
            "y": [placed[i][2] for i in on_front], "line": {"color": PALETTE[0], "width": 1.5, "shape": "linear"},
            "hoverinfo": "skip"}  # fmt: skip
    dots = {"type": "scatter", "mode": "markers+text", "name": "plan", "x": [x for _, x, _ in placed],
            "y": [y for _, _, y in placed], "text": [label(plans[i][0]) for i, _, _ in placed],
            "textposition": "top center", "hovertext": words, "hoverinfo": "text", "cliponaxis": False,
            "marker": {"size": [15 if i == chosen else 11 for i, _, _ in placed],
                       "symbol": ["circle" if at in on_front else "circle-open" for at in range(len(placed))],
                       "color": [PALETTE[1] if i == chosen else PALETTE[0] for i, _, _ in placed]}}  # fmt: skip
    return Chart(
        id="front",
        title=f"{_named(up)} against {_named(across)}",
        alt=f"{len(placed)} plans, {len(on_front)} of them on the front: no other is better in both.",
        data=[line, dots],
        layout={
            "height": 360,
            "showlegend": False,
            "xaxis": {"title": {"text": _named(across)}, "tickformat": ".0%" if across.unit else "~s"},
            "yaxis": {"title": {"text": _named(up)}, "tickformat": ".0%" if up.unit else "~s"},
            "hovermode": "closest",
            "margin": {"l": 64, "r": 24, "t": 20, "b": 48},
        },
        columns=["asked", _named(across), _named(up), "on the front"],
        rows=[
            [plans[i][0], across.printed(x, plan), up.printed(y, plan), "yes" if at in on_front else "no"]
            for at, (i, x, y) in enumerate(placed)
        ],
        values=[[plans[i][0], x, y, "yes" if at in on_front else "no"] for at, (i, x, y) in enumerate(placed)],
    )


def _named(measure: Measure) -> str:
    return {"objective": "objective", "spent": "money spent", "chips": "chips"}.get(measure.name, measure.name)
