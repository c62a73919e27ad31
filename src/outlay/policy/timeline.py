"""An item's status over time: the days on which the answer changes, as records, as text and as a picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from html import escape

from outlay.policy.codes import CLASSES, Verdict
from outlay.policy.countries import memberships
from outlay.policy.decision import Decision, Item, Transaction
from outlay.policy.engine import FIRST_RULE, SOURCES_REACH, Grid, decide, decide_grid
from outlay.policy.rules import all_rules

COLOURS: dict[Verdict, str] = {
    "allowed": "#2e8540",
    "conditional": "#e0a30c",
    "unknown": "#7a5fa8",
    "denied": "#c0392b",
}
SIGNS: dict[Verdict, str] = {"allowed": "=", "conditional": "~", "unknown": "?", "denied": "#"}
"""What each verdict is drawn with where there is no colour."""


@dataclass(frozen=True)
class Span:
    """Days, both included, on which the answer is one."""

    first: date
    last: date
    decision: Decision


def days_of_change(moved: Mapping[str, date] | None = None) -> list[date]:
    """Return every day on which any rule, or any country group, begins or has just ended.

    ``moved`` gives another first day for some rules, by identifier; their later days move with it.
    """
    days = {FIRST_RULE}
    for rule in all_rules():
        by = (moved or {}).get(rule.id, rule.effective_from) - rule.effective_from
        days |= {day + by for day in (rule.effective_from, *rule.steps)}
        days |= {rule.effective_to + by + timedelta(days=1)} if rule.effective_to else set()
    for entry in memberships():
        days |= {entry.first} if entry.first else set()
        days |= {entry.last + timedelta(days=1)} if entry.last else set()
    return sorted(day for day in days if day >= FIRST_RULE)


def timeline(
    item: Item,
    transaction: Transaction,
    *,
    known_on: date | None = None,
    flags: Collection[str] = (),
    first: date | None = None,
    last: date = SOURCES_REACH,
) -> list[Span]:
    """Return the spans of days on which code, class, verdict and rules stay as they are.

    Parameters
    ----------
    item, transaction, known_on, flags
        As for :func:`outlay.policy.decide`; the day of the transaction does not count.
    first, last
        The days to look at: by default from a month before the first rule, and never earlier, to what the sources
        reach.
    """
    (stretches,) = lanes([item], transaction, known_on=known_on, flags=flags, firsts=[first], last=last)
    return [
        Span(one.first, one.last, decide(item, replace(transaction, on=one.first), known_on=known_on, flags=flags))
        for one in stretches
    ]


@dataclass(frozen=True)
class Stretch:
    """Days, both included, on which the answer is one, without the rules' arithmetic."""

    first: date
    last: date
    code: str
    control_class: str
    verdict: Verdict
    rules: tuple[str, ...]


def lanes(
    items: Sequence[Item],
    transaction: Transaction,
    *,
    known_on: date | None = None,
    flags: Collection[str] = (),
    firsts: Sequence[date | None] | None = None,
    last: date = SOURCES_REACH,
) -> list[list[Stretch]]:
    """Return the timelines of many items, put to the rules all at once.

    Parameters
    ----------
    items, transaction, known_on, flags, last
        As for :func:`timeline`.
    firsts
        For each item the first day to look at, as for :func:`timeline`.
    """
    earliest = FIRST_RULE - timedelta(days=30)
    starts = [max(first or date.min, earliest) for first in firsts or [None] * len(items)]
    days = sorted({*starts, *(day for day in days_of_change() if earliest < day <= last)})
    grid = decide_grid(items, [replace(transaction, on=day) for day in days], known_on=known_on, flags=flags)
    return [_lane(grid, i, days, start, last) for i, start in enumerate(starts)]


def _lane(grid: Grid, item: int, days: Sequence[date], start: date, last: date) -> list[Stretch]:
    found: list[Stretch] = []
    for i, day in enumerate(days):
        if day < start or day > last:
            continue
        rules = tuple(grid.rules_at(item, i))
        now = Stretch(
            day, last, grid.code_at(item, i), CLASSES[grid.control_class[item, i]], grid.verdict_at(item, i), rules
        )
        if not found or _differ(found[-1], now):
            if found:
                found[-1] = replace(found[-1], last=day - timedelta(days=1))
            found.append(now)
    return found


def _differ(one: Stretch, other: Stretch) -> bool:
    return (one.code, one.control_class, one.verdict, one.rules) != (
        other.code,
        other.control_class,
        other.verdict,
        other.rules,
    )


def strip(spans: Sequence[Span], width: int = 72) -> str:
    """Return the verdicts as one line of signs from the first day to the last, each a slice of time."""
    first, last = spans[0].first.toordinal(), spans[-1].last.toordinal()
    at = [first + (last - first) * i // (width - 1) for i in range(width)]
    return "".join(SIGNS[_on(spans, day).decision.verdict] for day in at)


def _on(spans: Sequence[Span], ordinal: int) -> Span:
    return next(span for span in reversed(spans) if span.first.toordinal() <= ordinal)


def chart(rows: Sequence[tuple[str, Sequence[Span]]], title: str) -> str:
    """Return the picture of some timelines, one under another, as an SVG document.

    Each row is a name and its spans. A bar is coloured by verdict, marked with its code where there is room, and
    tells days, code and rules when pointed at.
    """
    left, width, height, top = 150, 900, 34, 46
    first = min(spans[0].first for _, spans in rows).toordinal()
    scale = width / (max(spans[-1].last for _, spans in rows).toordinal() - first + 1)
    bottom = top + len(rows) * height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {bottom + 62}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<text x="10" y="22" font-size="15" font-weight="bold" fill="#777">{escape(title)}</text>',
    ]
    for index, (name, spans) in enumerate(rows):
        y = top + index * height
        parts.append(f'<text x="10" y="{y + 18}" fill="#777">{escape(name)}</text>')
        parts += [_bar(span, left + (span.first.toordinal() - first) * scale, y, scale) for span in spans]
    parts += _axis(first, scale, left, top, bottom, width)
    for index, (verdict, colour) in enumerate(COLOURS.items()):
        x = left + index * 130
        parts.append(f'<rect x="{x}" y="{bottom + 36}" width="14" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="{bottom + 48}" fill="#777">{verdict}</text>')
    return "\n".join((*parts, "</svg>", ""))


def _bar(span: Span, x: float, y: int, scale: float) -> str:
    decision, wide = span.decision, (span.last.toordinal() - span.first.toordinal() + 1) * scale
    told = (
        f"{span.first} to {span.last}: {decision.code} ({decision.verdict}); {', '.join(decision.rules) or 'no rule'}"
    )
    colour = COLOURS[decision.verdict]
    label = decision.code if wide > 7 * len(decision.code) else ""
    return (
        f'<g><title>{escape(told)}</title><rect x="{x:.1f}" y="{y}" width="{max(wide, 1):.1f}" height="26" '
        f'fill="{colour}" stroke="#fff" stroke-width="0.6"/>'
        f'<text x="{x + 4:.1f}" y="{y + 17}" font-size="10" fill="#fff">{escape(label)}</text></g>'
    )


def _axis(first: int, scale: float, left: int, top: int, bottom: int, width: int) -> list[str]:
    parts = []
    for year in range(date.fromordinal(first).year + 1, date.fromordinal(int(first + width / scale)).year + 1):
        x = left + (date(year, 1, 1).toordinal() - first) * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 6}" y2="{bottom}" stroke="#888" stroke-dasharray="2 3"/>'
        )
        parts.append(f'<text x="{x - 14:.1f}" y="{bottom + 16}" fill="#777">{year}</text>')
    return parts
