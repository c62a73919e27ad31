"""The picture of a back-test: what each way to plan gained, and what its orders came to quarter by quarter."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.units import human

if TYPE_CHECKING:
    from outlay.planning.futures.backtest import BackTest

WIDTH, ROW, TOP, LEFT, BAR = 900, 74, 64, 120, 18
FONT, BOLD = 'font-family="sans-serif" font-size="13"', 'font-size="16" font-weight="bold"'
COLOURS = {"reported": "#b4553d", "blind": "#c79a2f", "outlay": "#1f7a6d", "foresight": "#5b6b7d"}


def chart(found: BackTest) -> str:
    """Return the picture as SVG: a bar of the gain for each way to plan, with money ordered and let in by quarter."""
    most = max(abs(outcome.gain) for outcome in found.outcomes) or 1.0
    peak = max((step.ordered for outcome in found.outcomes for step in outcome.steps), default=1.0)
    quarters = sorted({step.quarter for outcome in found.outcomes for step in outcome.steps})
    height = TOP + ROW * len(found.outcomes) + 40
    half = 420
    cell = (WIDTH - LEFT - half - 40) / max(1, len(quarters))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" {BOLD}>{escape(found.scenario)}, {found.first} to {found.last}</text>',
        f'<text x="{LEFT}" y="48" fill="#555">gain over ordering nothing, {found.currency}</text>',
        f'<text x="{LEFT + half + 20}" y="48" fill="#555">ordered (outline) and let in (filled) by quarter</text>',
    ]
    for i, outcome in enumerate(found.outcomes):
        y = TOP + i * ROW
        colour = COLOURS.get(outcome.name, "#444444")
        wide = max(2.0, (half - 110) * abs(outcome.gain) / most)
        parts += [
            f'<text x="16" y="{y + 34}" font-weight="bold">{escape(outcome.name)}</text>',
            f'<rect x="{LEFT}" y="{y + 20}" width="{wide:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LEFT + wide + 8:.1f}" y="{y + 34}">{human(outcome.gain)}</text>',
        ]
        by_quarter = {step.quarter: step for step in outcome.steps}
        for q, quarter in enumerate(quarters):
            x = LEFT + half + 20 + q * cell
            step = by_quarter.get(quarter)
            if step is not None:
                for amount, fill in ((step.ordered, "none"), (step.delivered, colour)):
                    tall = 46 * amount / peak
                    parts.append(
                        f'<rect x="{x:.1f}" y="{y + 54 - tall:.1f}" width="{cell - 10:.1f}" height="{tall:.1f}" '
                        f'fill="{fill}" stroke="{colour}"/>'
                    )
    for q, quarter in enumerate(quarters):
        parts.append(f'<text x="{LEFT + half + 20 + q * cell:.1f}" y="{height - 16}" font-size="11">{quarter}</text>')
    return "\n".join([*parts, "</svg>", ""])


def write_chart(found: BackTest, path: str) -> None:
    """Write the picture to a file."""
    Path(path).write_text(chart(found), encoding="utf-8")
