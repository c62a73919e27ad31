"""The map of sites, drawn from outlines in the package: no tiles and no shapes are asked of any server."""

from __future__ import annotations

import functools
import json
import math
from importlib import resources
from typing import Any

from outlay.planning.result import Plan, SiteUse
from outlay.report import facts
from outlay.report.charts import PALETTE, Chart, label

A1, A2, A3, A4 = 1.340264, -0.081106, 0.000893, 0.003796
LARGEST_PX = 34.0
SMALLEST_PX = 8.0
LAND = "rgba(128,140,155,0.28)"
MARGIN = 0.12
"""Room around the sites, of the width they take."""
LEAST_WIDTH = 1.1
"""Least width shown, in the projection's units: about a quarter of the way round."""
ASPECT = 2.1
LETTER = 0.0078
"""Width of a letter over that of the map, as drawn about 900 pixels wide."""
SOUTH, NORTH = -1.0, 1.32
"""What is shown of the world at most, in the projection's units: without Antarctica."""

Point = tuple[float, float]


def project(longitude: float, latitude: float) -> Point:
    """Return a place on the Equal Earth map, in radii of the sphere.

    Šavrič, Patterson and Jenny (2019), "The Equal Earth map projection", International Journal of Geographical
    Information Science 33(3), equation (13) with its coefficients.

    Examples
    --------
    >>> project(0.0, 0.0)
    (0.0, 0.0)
    """
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    t2, t6 = theta**2, theta**6
    slope = 9 * A4 * t6 * t2 + 7 * A3 * t6 + 3 * A2 * t2 + A1
    x = 2 * math.sqrt(3) / 3 * math.radians(longitude) * math.cos(theta) / slope
    return x, theta * (A4 * t6 * t2 + A3 * t6 + A2 * t2 + A1)


@functools.cache
def land() -> dict[str, list[list[Point]]]:
    """Return the outlines of each country on the map, by its ISO 3166 code, the largest ring first."""
    text = resources.files("outlay.report").joinpath("data/land.json").read_text(encoding="utf-8")
    found: dict[str, list[list[float]]] = json.loads(text)["land"]
    rings = {
        name: [
            [project(longitude, latitude) for longitude, latitude in zip(flat[::2], flat[1::2], strict=True)]
            for flat in flats
        ]
        for name, flats in found.items()
    }
    return {name: sorted(of, key=lambda ring: -abs(_area(ring)[0])) for name, of in rings.items()}


def middle(country: str) -> Point | None:
    """Return the middle of a country's largest piece of land; ``None`` where the map has no such country."""
    rings = land().get(country)
    return _area(rings[0])[1] if rings else None


def _area(ring: list[Point]) -> tuple[float, Point]:
    """Return the signed area of a ring and the centre of its mass."""
    total, x, y = 0.0, 0.0, 0.0
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        cross = x0 * y1 - x1 * y0
        total, x, y = total + cross / 2, x + (x0 + x1) * cross / 6, y + (y0 + y1) * cross / 6
    return total, (x / total, y / total) if total else ring[0]


def site_map(plan: Plan) -> Chart | None:
    """Return the map of sites: discs as large as the power in use, rings as large as the power there is.

    A site whose coordinates are not given stands in the middle of its country, with a mark of its own.
    """
    placed = [(site, place) for site in plan.sites if (place := _place(site)) is not None]
    if not placed:
        return None
    top = max(max(site.limit.values(), default=0.0) for site, _ in placed) or 1.0
    used = [max(site.power.values(), default=0.0) for site, _ in placed]
    limits = [max(site.limit.values(), default=0.0) for site, _ in placed]
    shown = [label(_words(site)) for site, _ in placed]
    x, y = [place[0] for _, place in placed], [place[1] for _, place in placed]
    xs, ys = _window(x, y)
    names = [site.name for site, _ in placed]
    exact = [site.latitude is not None for site, _ in placed]
    base: dict[str, Any] = {"type": "scatter", "x": x, "y": y, "hovertext": shown, "hoverinfo": "text"}
    rings = {**base, "mode": "markers", "name": "power of the site", "marker": {
        "symbol": ["circle-open" if known else "diamond-open" for known in exact], "size": _sizes(limits, top),
        "color": PALETTE[1], "line": {"width": 1.6}}}  # fmt: skip
    discs = {**base, "mode": "markers+text", "name": "power in use at its peak", "marker": {
        "symbol": ["circle" if known else "diamond" for known in exact], "size": _sizes(used, top, least=0.0),
        "color": PALETTE[0], "opacity": 0.85, "line": {"width": 0}},
        "text": [label(name) for name in names], "textposition": _positions(x, y, names, xs[1] - xs[0]),
        "textfont": {"size": 12}, "cliponaxis": False}  # fmt: skip
    return Chart(
        id="map",
        title="Where the sites are",
        alt="; ".join(_words(site) for site, _ in placed) + ".",
        data=[_land(), rings, discs],
        layout={
            "height": 380,
            "margin": {"l": 0, "r": 0, "t": 8, "b": 0},
            "xaxis": {"visible": False, "range": xs, "scaleanchor": "y", "constrain": "domain"},
            "yaxis": {"visible": False, "range": ys, "constrain": "domain"},
            "hovermode": "closest",
        },
        columns=["site", "country", "degrees north", "degrees east", "peak power, MW", "limit, MW", "peak chips"],
        rows=[_row(site) for site in plan.sites],
    )


def _land() -> dict[str, Any]:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for rings in land().values():
        for ring in rings:
            xs += [*(round(x, 4) for x, _ in ring), None]
            ys += [*(round(y, 4) for _, y in ring), None]
    return {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "fill": "toself", "fillcolor": LAND,
            "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}  # fmt: skip


def _place(site: SiteUse) -> Point | None:
    if site.latitude is not None and site.longitude is not None:
        return project(site.longitude, site.latitude)
    return middle(site.country)


def _sizes(watts: list[float], top: float, *, least: float = SMALLEST_PX) -> list[float]:
    """Return diameters in pixels whose areas go as the power."""
    return [round(max(least if power else 0.0, LARGEST_PX * math.sqrt(power / top)), 1) for power in watts]


def _positions(x: list[float], y: list[float], names: list[str], width: float) -> list[str]:
    """Return where each name stands, by turns tried below, above, right and left: clear of marks and other names.

    Lengths are in the map's units; a letter is taken for ``LETTER`` of its width.
    """
    letter, line, reach = LETTER * width, 2.4 * LETTER * width, 2.6 * LETTER * width
    sides = {
        "bottom center": (0.0, -1.0),
        "top center": (0.0, 1.0),
        "middle right": (1.0, 0.0),
        "middle left": (-1.0, 0.0),
    }
    marks = [(px, py, reach, reach) for px, py in zip(x, y, strict=True)]
    taken: list[tuple[float, float, float, float]] = []
    chosen: list[str] = []
    for px, py, name in zip(x, y, names, strict=True):
        half = len(name) * letter / 2
        boxes = {
            side: (px + dx * (reach + half), py + dy * (reach + line / 2), half, line / 2)
            for side, (dx, dy) in sides.items()
        }
        best = min(boxes, key=lambda side: sum(_overlap(boxes[side], other) for other in (*taken, *marks)))
        taken.append(boxes[best])
        chosen.append(best)
    return chosen


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Return the area two boxes share; each is its middle and its half width and height."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0] - one[2], other[0] - other[2])
    along = min(one[1] + one[3], other[1] + other[3]) - max(one[1] - one[3], other[1] - other[3])
    return max(0.0, across) * max(0.0, along)


def _window(x: list[float], y: list[float]) -> tuple[list[float], list[float]]:
    """Return the part of the world to show: all sites, with room around them."""
    width = max((max(x) - min(x)) * (1 + 2 * MARGIN), (max(y) - min(y)) * (1 + 4 * MARGIN) * ASPECT, LEAST_WIDTH)
    width = min(width, (NORTH - SOUTH) * ASPECT)
    height = width / ASPECT
    centre_x, centre_y = (max(x) + min(x)) / 2, (max(y) + min(y)) / 2
    centre_y = min(max(centre_y, SOUTH + height / 2), NORTH - height / 2)
    return [centre_x - width / 2, centre_x + width / 2], [centre_y - height / 2, centre_y + height / 2]


def _words(site: SiteUse) -> str:
    peak, limit = max(site.power.values(), default=0.0), max(site.limit.values(), default=0.0)
    where = "" if site.latitude is not None else ", somewhere in the country"
    return f"{site.name}, {site.country}{where}: {facts.shown(peak / 1e6)} of {facts.shown(limit / 1e6)} MW"


def _row(site: SiteUse) -> list[str]:
    degrees = [facts.MISSING if value is None else f"{value:.2f}" for value in (site.latitude, site.longitude)]
    peak, limit = max(site.power.values(), default=0.0), max(site.limit.values(), default=0.0)
    chips = max(site.chips.values(), default=0)
    return [site.name, site.country, *degrees, facts.shown(peak / 1e6), facts.shown(limit / 1e6), f"{chips:,}"]
