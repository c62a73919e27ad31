"""The Sankey diagram of the page: money from budgets over vendors, systems and sites to workloads."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from outlay.planning.result import Plan
from outlay.report import facts
from outlay.report.charts import GREY, PALETTE, Chart, label

LAYERS = ("budget", "vendor", "system", "site", "workload")
NAME_LENGTH = 22
HEIGHT, NODE_HEIGHT, PAD = 440, 34, 14
"""Pixels: of the whole at least, a node needs for its name, between two nodes."""
MARGIN = {"l": 8, "r": 210, "t": 28, "b": 12}

Node = tuple[int, str]
"""Layer and name."""
Links = Mapping[tuple[Node, Node, str], float]
"""Amount by source, target and the budget it comes from."""


def money_flow(plan: Plan) -> Chart | None:
    """Return the Sankey diagram from budget to workload, or ``None`` where no money flows."""
    flows = sorted((flow for flow in plan.flows if flow[-1] > 0), key=lambda flow: -flow[-1])
    if not flows:
        return None
    links = _links(flows)
    centre = _centres(links)
    total = facts.money(sum(flow[-1] for flow in flows), plan.currency)
    return Chart(
        id="flow",
        title=f"Where the money goes, {plan.currency}",
        alt=f"Flow of {total} from budgets over vendors, systems and sites to workloads.",
        data=[_trace(plan, links, centre)],
        layout={"height": _height(links), "margin": MARGIN, "annotations": [*_heads(), *_ends(links, centre)]},
        columns=[*LAYERS, plan.currency],
        rows=[[*map(str, path), facts.shown(amount)] for *path, amount in flows],
        values=[[*map(str, path), amount] for *path, amount in flows],
        least_width=1000,
    )


def _links(flows: list[tuple[str, str, str, str, str, float]]) -> Links:
    links: dict[tuple[Node, Node, str], float] = defaultdict(float)
    for *path, amount in flows:
        stops = [
            (layer, str(name)) for layer, name in enumerate(path) if name
        ]  # energy has no vendor: that stop is left out
        for source, target in itertools.pairwise(stops):
            links[source, target, str(path[0])] += amount
    return links


def _trace(plan: Plan, links: Links, centre: Mapping[Node, float]) -> dict[str, Any]:
    nodes, size = list(centre), _sizes(links)
    index = {node: at for at, node in enumerate(nodes)}
    budgets = [name for layer, name in nodes if layer == 0]
    colour = {name: PALETTE[at % len(PALETTE)] for at, name in enumerate(budgets)}
    amounts = [facts.money(size[node], plan.currency) for node in nodes]
    return {
        "type": "sankey",
        "arrangement": "fixed",
        "node": {
            "label": ["" if node[0] == len(LAYERS) - 1 else _words(node, size) for node in nodes],
            "customdata": [
                label(f"{LAYERS[layer]} {name}: {amount}") for (layer, name), amount in zip(nodes, amounts, strict=True)
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
            "x": [0.001 + 0.998 * layer / (len(LAYERS) - 1) for layer, _ in nodes],
            "y": [centre[node] for node in nodes],
            "color": [colour[name] if layer == 0 else GREY for layer, name in nodes],
            "pad": PAD,
            "thickness": 14,
        },
        "link": {
            "source": [index[source] for source, _, _ in links],
            "target": [index[target] for _, target, _ in links],
            "value": list(links.values()),
            "color": [_faint(colour[budget]) for _, _, budget in links],
            "customdata": [
                label(f"{budget}: {source[1]} to {target[1]}, {facts.money(value, plan.currency)}")
                for (source, target, budget), value in links.items()
            ],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    }


def _heads() -> list[dict[str, Any]]:
    last = len(LAYERS) - 1
    anchors = {0: "left", last: "right"}
    place = {"y": 1.02, "xref": "paper", "yref": "paper", "yanchor": "bottom", "showarrow": False}
    return [
        {**place, "x": at / last, "xanchor": anchors.get(at, "center"), "text": f"<b>{name}</b>"}
        for at, name in enumerate(LAYERS)
    ]


def _ends(links: Links, centre: Mapping[Node, float]) -> list[dict[str, Any]]:
    """Return the names of the last layer, right of it; plotly.js would print them over the links."""
    size, last = _sizes(links), len(LAYERS) - 1
    place = {
        "x": 1,
        "xshift": 6,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "middle",
        "showarrow": False,
    }
    return [{**place, "y": 1 - centre[node], "text": _words(node, size)} for node in centre if node[0] == last]


def _words(node: Node, size: Mapping[Node, float]) -> str:
    return f"{label(_cut(node[1]))}  {facts.shown(size[node])}"


def _height(links: Links) -> int:
    layers = Counter(layer for layer, _ in _sizes(links))
    return max(HEIGHT, MARGIN["t"] + MARGIN["b"] + NODE_HEIGHT * max(layers.values()))


def _sizes(links: Links) -> dict[Node, float]:
    incoming: dict[Node, float] = defaultdict(float)
    outgoing: dict[Node, float] = defaultdict(float)
    for (source, target, _), value in links.items():
        outgoing[source] += value
        incoming[target] += value
    return {node: max(incoming[node], outgoing[node]) for node in sorted({*incoming, *outgoing})}


def _centres(links: Links) -> dict[Node, float]:
    """Return the height of each node's middle, 0 at the top; layers are ordered by what flows in: few links cross."""
    size = _sizes(links)
    layers = [[node for node in size if node[0] == layer] for layer in range(len(LAYERS))]
    total = max(sum(size[node] for node in layer) for layer in layers)
    room = _height(links) - MARGIN["t"] - MARGIN["b"]
    scale = 1 - PAD * (max(map(len, layers)) - 1) / room  # as plotly.js scales them
    centre: dict[Node, float] = {}
    for layer in layers:
        gap = (1 - scale * sum(size[node] for node in layer) / total) / max(1, len(layer))
        top = 0.0
        for node in sorted(layer, key=lambda node: (_pull(node, links, centre), -size[node], node)):
            height = scale * size[node] / total
            centre[node] = min(0.999, max(0.001, top + gap / 2 + height / 2))
            top += gap + height
    return centre


def _pull(node: Node, links: Links, centre: Mapping[Node, float]) -> float:
    """Return the mean height of what flows into a node."""
    inflow = [(centre[source], value) for (source, target, _), value in links.items() if target == node]
    weight = sum(value for _, value in inflow)
    return sum(height * value for height, value in inflow) / weight if weight else 0.0


def _cut(name: str) -> str:
    """Return a name with its middle left out where it is long; names of one family differ at their ends."""
    half = NAME_LENGTH // 2
    return name if len(name) <= NAME_LENGTH else f"{name[:half].rstrip()}…{name[1 - half :].lstrip()}"


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.38)"
