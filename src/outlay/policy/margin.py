"""How far an item is from each line of the rules, and what would have to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from outlay.policy.decision import Item
from outlay.policy.metrics import FIGURES, WORDS, arithmetic, plain, tpp
from outlay.policy.rule import Line, Rule
from outlay.policy.rules import all_rules


@dataclass(frozen=True)
class Margin:
    """A figure of an item against a line of a rule.

    Attributes
    ----------
    value
        The figure; ``None`` where it is missing.
    relative
        How far it is from the line, as a share of the line; negative below it.
    arithmetic
        The figure against the line, spelled out.
    change
        What would put it on the other side.
    """

    rule: str
    line: Line
    value: float | None
    relative: float | None
    arithmetic: str
    change: str


def margins(item: Item, on: date, flags: frozenset[str] = frozenset()) -> list[Margin]:
    """Return the item's distance from every line of the rules in force on a day, nearest first; missing ones last.

    Bills count where their switch is set.
    """
    found = [
        _margin(item, rule, line)
        for rule in all_rules()
        if _asked(rule, on, flags) and _concerns(rule, item)
        for line in rule.lines
    ]
    once = {(one.rule, one.line): one for one in found}
    return sorted(once.values(), key=lambda one: abs(one.relative) if one.relative is not None else float("inf"))


def _asked(rule: Rule, on: date, flags: frozenset[str]) -> bool:
    ended = rule.effective_to is not None and on > rule.effective_to
    return rule.effective_from <= on and not ended and (not rule.switch or rule.switch in flags)


def _concerns(rule: Rule, item: Item) -> bool:
    figures = {line.figure for line in rule.lines}
    if item.kind == "chip":
        return rule.stage != "foundry" and figures <= {"tpp", "pd", "io", "dram", "dram_io"}
    return any(FIGURES[name](item) is not None for name in figures)


def _margin(item: Item, rule: Rule, line: Line) -> Margin:
    metric = FIGURES[line.figure](item)
    if metric is None:
        return Margin(
            rule.id, line, None, None, f"{WORDS[line.figure]} is missing; the line is at {plain(line.at)}", ""
        )
    relative = (metric.value - line.at) / line.at
    return Margin(rule.id, line, metric.value, relative, arithmetic(item, line), "; or ".join(_changes(item, line)))


def _changes(item: Item, line: Line) -> Iterator[str]:
    """Say which figure of a datasheet would have to be what for the item to stand on the line."""
    performance = tpp(item)
    if line.figure in {"tpp", "pd"} and performance is not None:
        bits = max(item.tops, key=lambda length: (item.tops[length] * length, -length))
        needed = line.at if line.figure == "tpp" else line.at * (item.die_area_mm2 or 0.0)
        yield f"{item.tops[bits]:g} TOPS at {bits} bit would have to be {needed / bits:.6g}"
        if line.figure == "pd":
            yield f"the die would have to be {performance.value / line.at:.4g} mm2 instead of {item.die_area_mm2:g}"
    elif line.figure == "dram_io" and item.dram_gbps is not None:
        rest = FIGURES["io"](item)
        if rest is not None and line.at > rest.value:
            yield f"memory bandwidth would have to be {plain(line.at - rest.value)} GB/s"
    elif line.figure != "pd":
        yield f"it would have to be {plain(line.at)}"


def flips(item: Item, on: date) -> list[str]:
    """Return in words which line of a class the item's die area decides, and at which area.

    Empty where the area does not matter: no rate, below 1600, 4800 or more, or no die area.
    """
    performance = tpp(item)
    if performance is None or item.die_area_mm2 is None or item.datacenter is False or on < date(2023, 11, 17):
        return []
    value = performance.value
    if not 1600 <= value < 4800:
        return []
    lines = [(5.92, "3A090.a"), (3.2, "3A090.b")] if value < 2400 else [(5.92, "3A090.a"), (1.6, "3A090.b")]
    words = [f"{name} at or below {value / at:.4g} mm2" for at, name in lines]
    return [f"die area {item.die_area_mm2:g} mm2: {words[0]}, {words[1]}, not controlled above that"]
