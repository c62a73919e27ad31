"""Numbers as stories write them: digits with scales, words, ranges, and those that are only words."""

from __future__ import annotations

import re
from decimal import Decimal

UNITS = {
    word: n
    for n, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
TENS = {
    word: 10 * n
    for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}
SCALES = {
    "hundred": 100,
    "dozen": 12,
    "thousand": 10**3,
    "k": 10**3,
    "lakh": 10**5,
    "million": 10**6,
    "mln": 10**6,
    "mn": 10**6,
    "m": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "bln": 10**9,
    "bn": 10**9,
    "b": 10**9,
    "trillion": 10**12,
    "trn": 10**12,
    "tn": 10**12,
    "t": 10**12,
}
FRACTIONS = {"half": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "tenth": 10}

_SMALL = "|".join([*UNITS, *TENS])
_LONG = "hundred|thousand|lakh|million|crore|billion|trillion|mln|bln|mn|bn|trn|tn"
DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
NUMBER = (
    rf"(?:(?:{DIGITS})(?:(?:[ -]?(?:{_LONG})|[mkbt])(?![A-Za-z])(?: (?:thousand|million|billion|trillion|crore)\b)?)?"
    rf"|(?i:half an? |an? (?=(?:{_LONG}|dozen)\b)|"
    rf"(?:{_SMALL})\b(?:[ -](?:{_SMALL})\b)*(?:[ -](?=(?:{_LONG}|dozen)\b))?)"
    rf"(?i:(?:{_LONG}|dozen)\b(?:(?: and)? (?:(?:{_SMALL})\b(?:[ -](?:{_SMALL})\b)*[ -]?)?(?:thousand|"
    r"million|billion|trillion)\b)?)?)"
)
"""Any number; read it with :func:`value_of`."""


def value_of(text: str) -> float:
    """Return the value of a number as written.

    Examples
    --------
    >>> value_of("20.64 billion"), value_of("1,400"), value_of("two hundred thousand"), value_of("half a million")
    (20640000000.0, 1400.0, 200000.0, 500000.0)
    >>> value_of("7bn"), value_of("a dozen"), value_of("twenty-five")
    (7000000000.0, 12.0, 25.0)
    """
    folded = text.strip().casefold().replace("-", " ")
    match = re.match(DIGITS, folded)
    if match:
        total = Decimal(match[0].replace(",", ""))
        for word in re.findall(r"[a-z]+", folded[match.end() :]):
            total *= SCALES[word]
        return float(total)
    half = folded.startswith("half")
    total, part = Decimal(0), Decimal(0)
    for word in folded.split():
        if word in UNITS or word in TENS:
            part += UNITS.get(word) or TENS.get(word) or 0
        elif word in {"hundred", "dozen"}:
            part = (part or Decimal(1)) * SCALES[word]
        elif word in SCALES:
            total += (part or Decimal(1)) * SCALES[word]
            part = Decimal(0)
    return float((total + part) / 2) if half else float(total + part)


def scaled_like(first: str, second: str) -> float:
    """Return the first number of a range, which takes the scale of the second where it has none: 300 to 500 million."""
    value = value_of(first)
    scale = re.search(rf"(?:{_LONG})\b|(?<=\d)[mkbt]\b", second.casefold())
    bare = re.fullmatch(r"[\d.,]+", first.strip())
    return value * SCALES[scale[0]] if bare and scale and value < 1000 else value
