"""The front of two goals for programs and for the page: a record, a chart, what a step from plan to plan costs."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from outlay.report.charts import GREY, PALETTE, Chart, label
from outlay.report.document import finite
from outlay.units import human

if TYPE_CHECKING:
    from outlay.planning.pareto import Front, Goal, Point
    from outlay.planning.result import Plan

SCHEMA_VERSION = 1


def reached(goal: Goal, amount: float) -> str:
    """Return what is reached in a goal as text."""
    return human(amount) if abs(amount) >= 0.5 or not amount else f"{amount:.2g}"


def systems(point: Point) -> list[tuple[str, int]]:
    """Return (chip, chips ordered) of a plan, most first."""
    chips: dict[str, int] = defaultdict(int)
    for purchase in point.plan.purchases:
        chips[purchase.chip] += purchase.chips
    return sorted(chips.items(), key=lambda item: (-item[1], item[0]))


def exchange(front: Front, before: Point, after: Point) -> str:
    """Return in words what a step along the front gives and takes."""
    one, two = abs(after.first - before.first), abs(after.second - before.second)
    rate = one / two if two else float("inf")
    return (
        f"{reached(front.second, two)} {front.second.unit} better in {front.second.name} for "
        f"{reached(front.first, one)} {front.first.unit} of {front.first.name}: {rate:.3g} {front.first.unit} each"
    )


def front_record(front: Front) -> dict[str, Any]:
    """Return the front as plain lists and dictionaries; each plan by its orders, training runs and budgets."""
    record: dict[str, Any] = finite(
        {
            "schema_version": SCHEMA_VERSION,
            "scenario": front.scenario,
            "currency": front.currency,
            "first": asdict(front.first),
            "second": asdict(front.second),
            "asked": front.asked,
            "points": [
                {
                    "first": point.first,
                    "second": point.second,
                    "gap": point.gap,
                    "chips": dict(systems(point)),
                    "purchases": [asdict(purchase) for purchase in point.plan.purchases],
                    "training": [asdict(run) for run in point.plan.training],
                    "budgets": [asdict(budget) for budget in point.plan.budgets],
                    "audit_ok": point.plan.audit.ok,
                }
                for point in front.points
            ],
        }
    )
    return record


def to_json(front: Front) -> str:
    """Return the front as JSON text."""
    return json.dumps(front_record(front), indent=2, ensure_ascii=False, allow_nan=False)


def chart(plan: Plan) -> Chart | None:
    """Return the chart of the front a plan carries under ``extra``; ``None`` where it carries none."""
    return of_record(plan.extra["front"]) if "front" in plan.extra else None


def of_record(record: dict[str, Any]) -> Chart:
    """Return the chart of a front from its record: a point a plan, joined; the plans' chips as hover text."""
    one, two = record["first"], record["second"]
    points = record["points"]
    words = [", ".join(f"{chips:,} {name}" for name, chips in point["chips"].items()) or "nothing" for point in points]
    rows = [
        [human(point["first"]), human(point["second"]), f"{point['gap']:.2%}", what]
        for point, what in zip(points, words, strict=True)
    ]
    ends = f"from {human(points[0]['first'])} {one['unit']} at {human(points[0]['second'])} {two['unit']}"
    ends += f" to {human(points[-1]['first'])} at {human(points[-1]['second'])}" if len(points) > 1 else ""
    return Chart(
        id="front",
        title=f"What {two['name']} costs in {one['name']}",
        alt=f"Plans that no other beats in both {one['name']} and {two['name']}: {ends}.",
        data=[
            {
                "type": "scatter",
                "mode": "lines+markers",
                "x": [point["second"] for point in points],
                "y": [point["first"] for point in points],
                "hovertext": [
                    label(f"{row[0]} {one['unit']}, {row[1]} {two['unit']}: {what}")
                    for row, what in zip(rows, words, strict=True)
                ],
                "hoverinfo": "text",
                "marker": {"color": PALETTE[0], "size": 10},
                "line": {"color": GREY, "dash": "dot", "width": 1.5},
            }
        ],
        layout={
            "height": 340,
            "showlegend": False,
            "xaxis": {"title": {"text": f"{two['name']}, {two['unit']}"}},
            "yaxis": {"title": {"text": f"{one['name']}, {one['unit']}"}},
            "margin": {"l": 64, "r": 8, "t": 8, "b": 48},
        },
        columns=[f"{one['name']}, {one['unit']}", f"{two['name']}, {two['unit']}", "proven within", "chips"],
        rows=rows,
    )
