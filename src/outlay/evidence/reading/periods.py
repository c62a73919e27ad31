"""When: years, quarters, halves, months and days as stories write them, settled by the story's date where it can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = (
    r"(?P<month>Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?|"
    r"Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_ORDINAL = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}


@dataclass(frozen=True)
class Period:
    """A time in a sentence, as ISO-like text: ``2025``, ``2025Q3``, ``2027H2``, ``mid-2026``, ``2025-01-19``.

    A part the story does not give is ``X``: ``XXXX-01-19``.
    """

    text: str
    start: int
    end: int
    by: bool = False
    """The end of a stretch (by 2027) rather than the stretch itself."""


_YEAR = r"(?P<year>(?:19|20)\d\d)"
_REL = r"(?P<rel>this|next|last|current|the current|the same) year"
_OF = rf"(?:\s(?:of\s)?(?:{_YEAR}|{_REL}))?"
_PATTERNS: list[tuple[str, str]] = [
    (
        "day",
        rf"\b{_MONTH}\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s?(?:%|percent|billion|million|MW|"
        r"chips))(?:,?\s(?P<year>(?:19|20)\d\d))?",
    ),
    ("day", rf"\b(?P<day>\d{{1,2}})\s{_MONTH}(?![a-z])(?:\s(?P<year>(?:19|20)\d\d))?"),
    ("iso", r"\b(?P<year>20\d\d)-(?P<mm>\d\d)-(?P<dd>\d\d)\b"),
    ("quarter", rf"\b(?:the\s)?(?P<ord>first|second|third|fourth|1st|2nd|3rd|4th)[ -]quarter{_OF}"),
    ("quarter", r"\bQ(?P<num>[1-4])(?:\s?(?P<year>(?:19|20)\d\d))?\b"),
    ("half", rf"\b(?:the\s)?(?P<ord>first|second)[ -]half{_OF}"),
    ("half", r"\bH(?P<num>[12])(?:\s?(?P<year>(?:19|20)\d\d))?\b"),
    (
        "part",
        r"\b(?P<part>mid|late|early|the end of|end of|year-end|end-|the start of|"
        rf"the middle of)[ -]?(?:{_YEAR}|{_REL})",
    ),
    ("month", rf"\b{_MONTH}(?![a-z])(?:,?\s(?:of\s)?(?:(?P<year>(?:19|20)\d\d)|(?P<rel>this|next|last) year))?"),
    ("relmonth", r"\b(?P<rel>this|next|last)\s(?P<what>month|quarter|week)\b"),
    ("rel", rf"\b(?:{_REL}|the year (?P<ago>before|earlier))\b"),
    ("year", rf"(?<![\w$€£¥,.]){_YEAR}(?![\w,]\d|\s?(?:MW|chips|GPUs))\b"),
]
_COMPILED = [(kind, re.compile(pattern)) for kind, pattern in _PATTERNS]


def periods(sentence: str, told: date | None) -> list[Period]:
    """Return the times of a sentence in order; relative ones stay open (``XXXX``) where the story has no date."""
    found: list[Period] = []
    for kind, pattern in _COMPILED:
        for match in pattern.finditer(sentence):
            if kind == "month" and match["month"] == "May" and not _is_month(sentence, match):
                continue
            if any(match.start() < other.end and other.start < match.end() for other in found):
                continue
            by = re.search(r"\b(?:by|until|before|through)\s(?:the\s)?$", sentence[: match.start()]) is not None
            found.append(Period(_text(kind, match, told), match.start(), match.end(), by))
    return sorted(found, key=lambda period: period.start)


def _is_month(sentence: str, match: re.Match[str]) -> bool:
    return bool(
        match["year"]
        or re.search(r"\b(?:in|by|since|until|from|of|last|next|late|early|mid)\s$", sentence[: match.start()])
    )


def _text(kind: str, match: re.Match[str], told: date | None) -> str:
    groups = match.groupdict()
    year = _year(groups, told)
    if kind == "iso":
        return match[0]
    if kind == "day":
        month, day = _month(groups["month"]), int(groups["day"])
        return f"{year or _nearest_year(month, day, told)}-{month:02d}-{day:02d}"
    if kind == "quarter":
        number = int(groups["num"]) if groups.get("num") else _ORDINAL[groups["ord"]]
        return f"{year or _latest_year(number * 3, told)}Q{number}"
    if kind == "half":
        number = int(groups["num"]) if groups.get("num") else _ORDINAL[groups["ord"]]
        return f"{year or (told.year if told else 'XXXX')}H{number}"
    if kind == "part":
        part = {"mid": "mid-", "the middle of": "mid-", "late": "late-", "early": "early-", "the start of": "early-"}
        return f"{part.get(groups['part'], 'end-')}{year or 'XXXX'}"
    if kind == "month":
        month = _month(groups["month"])
        return f"{year or _latest_year(month, told)}-{month:02d}"
    if kind == "relmonth":
        return _relative(groups["rel"], groups["what"], told)
    return str(year or "XXXX")


def _year(groups: dict[str, str | None], told: date | None) -> str:
    if groups.get("year"):
        return str(groups["year"])
    relative, ago = groups.get("rel"), groups.get("ago")
    if told is None or not (relative or ago):
        return ""
    step = -1 if ago else {"next": 1, "last": -1}.get(str(relative), 0)
    return str(told.year + step)


def _month(word: str | None) -> int:
    start = str(word).casefold().rstrip(".")[:3]
    return next(i for i, name in enumerate(MONTHS, start=1) if name.startswith(start))


def _nearest_year(month: int, day: int, told: date | None) -> str:
    """Return the year that puts a day nearest to the story's date."""
    if told is None:
        return "XXXX"
    day = min(day, 28) if month == 2 else day
    years = (told.year - 1, told.year, told.year + 1)
    return str(min(years, key=lambda year: abs((date(year, month, min(day, 30)) - told).days)))


def _latest_year(month: int, told: date | None) -> str:
    """Return the year of the last such month that had begun when the story was told."""
    if told is None:
        return "XXXX"
    return str(told.year if month <= told.month else told.year - 1)


def _relative(which: str, what: str, told: date | None) -> str:
    if told is None:
        return "XXXX"
    step = {"this": 0, "next": 1, "last": -1}[which]
    if what == "week":
        return (told + timedelta(weeks=step)).strftime("%G-W%V")
    months = told.year * 12 + told.month - 1 + step * (3 if what == "quarter" else 1)
    year, month = months // 12, months % 12 + 1
    return f"{year}Q{(month + 2) // 3}" if what == "quarter" else f"{year}-{month:02d}"


def open_years(found: list[Period]) -> Iterator[Period]:
    """Yield the times whose year the story leaves open."""
    return (period for period in found if period.text.startswith("XXXX"))
