"""Finds every quantity in a sentence: money, power, shares, changes, times, areas, counts, and words for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from outlay.evidence.reading import units
from outlay.evidence.reading.numerals import FRACTIONS, NUMBER, scaled_like, value_of
from outlay.evidence.reading.records import Bound, Kind
from outlay.evidence.reading.words import word_set, words


@dataclass(frozen=True)
class Mention:
    """A quantity where it stands in a sentence; ``start`` and ``end`` are characters of the sentence."""

    kind: Kind
    value: float | str | None
    unit: str
    start: int
    end: int
    bound: Bound = "exactly"
    upper: float | None = None
    words: str = ""
    noun: str = ""
    quoted: tuple[Mention, ...] = ()


HEDGES: list[tuple[str, Bound]] = [
    (
        r"more than|over|above|exceed(?:s|ed|ing)?|in excess of|upwards? of|greater than|north of|topp(?:ed|ing)|"
        r"surpass(?:es|ed|ing)?",
        "more than",
    ),
    (r"at least|no less than|not less than|no fewer than|a minimum of|minimum", "at least"),
    (r"up to|as much as|as many as|at most|no more than|not more than|a maximum of|capped at|maximum", "up to"),
    (r"less than|fewer than|under|below|short of", "less than"),
    (
        r"about|around|roughly|approximately|approx\.?|some|nearly|almost|close to|near|an estimated|estimated|circa|"
        r"roughly about|approach(?:es|ing)?|likely|just over|just under|~|an average of|in the region of",
        "about",
    ),
]
_FILL = r"(?:\s(?:an?|the|another|additional|further|some|total|estimated|of|its|their|about|around|roughly))*\s?[(]?$"
_AFTER: list[tuple[str, Bound]] = [
    (r"\s?(?:or more|and more|or above|or higher|plus\b|\+)", "at least"),
    (r"\s?(?:at most|or less|or fewer|or below)", "up to"),
    (r"\s?(?:or so)", "about"),
]
_NOT_NUMBER = r"(?<![\w.])(?<![\w)]-)(?<!\d,)"
_SOURCES = re.compile(
    r"(?:people|persons?|sources?|insiders?|executives|officials|analysts|economists|traders)\b", re.IGNORECASE
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)\w*\.?"
_DOWN = re.compile(
    r"\b(?:narrow\w+|fell|fall(?:s|en|ing)?|dropp?(?:s|ed|ing)?|declin(?:e|es|ed|ing)|down|decreas\w+|"
    r"lower|lost|losing|slid|"
    r"slump\w*|shr[aiu]nk|plung\w+|cut|reduc\w+|contract(?:ed|ing)|tumbl\w+|slipp\w+|dipp\w+|shed)\b(?! to)",
    re.IGNORECASE,
)
_UP = re.compile(
    r"\b(?:rose|ris(?:e|es|en|ing)|up|grew|grow(?:s|n|ing|th)?|increas\w+|climb\w+|jump\w+|gain\w*|higher|soar\w*|"
    r"surg\w+|expand\w*|advanc\w+|more|add(?:ed|ing)|clos(?:ed|ing)|accelerat(?:es|ed|ing)|swell\w*|rall(?:y|ied))\b",
    re.IGNORECASE,
)
_LEVEL = re.compile(r"\b(?:to|at|of)\s(?:\w+\s){0,2}$", re.IGNORECASE)


@cache
def _amount() -> re.Pattern[str]:
    return re.compile(
        rf"(?:(?<!\w)(?P<before>{units.CURRENCY_BEFORE})\s?|(?P<minus>(?<![\w)])[-−](?=\d))|"
        rf"{_NOT_NUMBER})(?P<first>{NUMBER})"
        rf"(?:\s?(?:-|–|—|to)\s?(?:{units.CURRENCY_BEFORE}\s?)?(?P<second>{NUMBER}))?"
        rf"(?:[\s-]?(?P<after>{units.CURRENCY_AFTER})|[\s-]?(?P<unit>{units.UNIT}))?",
    )


def quantities(sentence: str) -> list[Mention]:
    """Return the quantities of a sentence in order; one amount in two currencies is one mention."""
    found = [*_vague(sentence), *_fractions(sentence), *_ratios(sentence), *_single(sentence)]
    kept = [
        mention
        for mention in _amounts(sentence)
        if not any(mention.start < other.end and other.start < mention.end for other in found)
    ]
    ordered = sorted([*found, *kept], key=lambda mention: (mention.start, -mention.end))
    whole = _nouns_filled(_ranges(sentence, [m for m in ordered if not _time_of_change(sentence, m, ordered)]))
    return [_hedged(sentence, mention) for mention in paired(sentence, whole)]


def _time_of_change(sentence: str, mention: Mention, others: list[Mention]) -> bool:
    """Return whether a time only says over how long something changed: up 140% in twelve months."""
    if mention.kind != "time":
        return False
    change = [o for o in others if o.kind in {"change", "ratio"} and o.end <= mention.start]
    return (
        bool(change)
        and re.fullmatch(r"\s(?:in|over|within)\s(?:the\s)?", sentence[change[-1].end : mention.start]) is not None
    )


def _nouns_filled(mentions: list[Mention]) -> list[Mention]:
    """Give a count without a noun the one of the count before it, or else after it, in the sentence."""
    named = [mention for mention in mentions if mention.kind == "count" and mention.unit]
    filled = []
    for mention in mentions:
        if mention.kind == "count" and not mention.unit and named:
            before = [other for other in named if other.start < mention.start]
            like = before[-1] if before else named[0]
            filled.append(replace(mention, unit=like.unit, noun=like.noun))
        else:
            filled.append(mention)
    return filled


def _amounts(sentence: str) -> Iterator[Mention]:
    for match in _amount().finditer(sentence):
        first, second = match["first"], match["second"]
        low = value_of(first) if second is None else scaled_like(first, second)
        high = None if second is None else value_of(second)
        start, end = match.start(), match.end()
        currency = match["before"] or match["after"]
        if match["unit"] and not match["before"]:
            yield from _measured(sentence, match, low, high)
        elif currency:
            if match["unit"]:
                end = match.start("unit")
            per = units.per_of(sentence[end:]) or _rate_before(sentence[:start])
            unit = units.currency_of(currency) + (f"/{per}" if per else "")
            yield Mention("money", low, unit, start, end, upper=high)
        else:
            yield from _counted(sentence, match, low, high)


def _rate_before(before: str) -> str:
    return "year" if re.search(r"\bannual(?:i[sz]ed)?(?:\s\w+){0,2}\s(?:of|at)\s$", before) else ""


def _measured(sentence: str, match: re.Match[str], low: float, high: float | None) -> Iterator[Mention]:
    kind, unit, size = units.unit_of(match["unit"])
    before, after = sentence[: match.start()], sentence[match.end() :]
    if kind == "time" and (
        re.match(r"\s(?:ago|earlier|old|later|of age)\b|-old\b", after)
        or (re.match(r"\s(?:before|after)\b", after) and not re.search(r"\b(?:in|over|for) the\s$", before))
        or re.search(r"\b(?:past|last|previous|recent|another|first|every)\s(?:\w+\s)?$", before)
        or (match["unit"] in {"days", "hours"} and low <= 3)
    ):
        return
    low, high = _sized(low, size), None if high is None else _sized(high, size)
    if kind == "power" and unit == "MW" and low < 1:
        unit, low, high = "kW", low * 1e3, None if high is None else high * 1e3
    if kind == "share":
        if match["minus"]:
            low = -low
        yield _share(sentence, Mention("share", low, "share", match.start(), match.end(), upper=high))
        return
    if kind in {"area", "length", "time"} and re.match(r"-?\s?(?:long|wide)?\s?race\b", after):
        return
    yield Mention(kind, low, unit, match.start(), match.end(), upper=high)


def _sized(value: float, size: float) -> float:
    return float(f"{value * size:.12g}")


def _share(sentence: str, mention: Mention) -> Mention:
    """Tell a change (up 8 percent) from a share (8 percent of it), and give a fall its sign."""
    before, after = sentence[: mention.start], sentence[mention.end :]
    near = re.split(r"[;,](?!\d)| and | while | but ", before)[-1][-70:]
    following = re.split(r"[;,.]", after)[0][:60]
    of = re.match(
        r"\s(?:(?:share\s|stake\s)?of|stake in)\s(?!(?:a|the) year|\d{4}|the (?:first|second|third|fourth|quarter))",
        after,
    )
    trend = [(m.end(), sign) for pattern, sign in ((_DOWN, -1.0), (_UP, 1.0)) for m in pattern.finditer(near)]
    tail = re.match(
        r"\s(?:[\w-]+\s)?(?:from|than|higher|lower|year[- ]on[- ]year|on[- ]year|rise|increase|growth|jump|"
        r"gain|"
        r"drop|fall|decline|decrease|cut|more|less|fewer)\b",
        following,
    )
    if not trend and not tail:
        return mention
    if of and not tail and not re.search(r"\b(?:up|rose|down|fell)\s\S*\s?$", near):
        return mention
    if trend and not tail and _LEVEL.search(near) and not re.search(r"\bgrowth (?:of|was)\s(?:\w+\s){0,2}$", near):
        last_to = re.search(r"\bto\s(?:\w+\s){0,2}$", near)
        if last_to:
            return mention
    sign = max(trend)[1] if trend else 1.0
    if tail and re.search(r"\b(?:lower|drop|fall|decline|decrease|cut|less|fewer)\b", tail[0]):
        sign = -1.0
    value = mention.value
    assert isinstance(value, float)
    return replace(mention, kind="change", value=abs(value) * sign if value > 0 else value)


_NAMES_A_PART = re.compile(
    rf"{_MONTH}\s$|\b(?:No\.|Phase|Series|Model|Level|Article|Chapter|Tier|Type|Q|FY|Gen|Top|top)\s?$"
)
_SPOKEN_OF = re.compile(r"\b(?:the|these|those|all|both|other|first|last|next)\s$", re.IGNORECASE)
_IN_PASSING = re.compile(r"\b(?:for|of|in|on|at|to|from|with|between|across|over|into|by)\s$")
_MAKE = re.compile(r"\b(?:racks|servers|systems|nodes|groups|boxes|pods|batches|units|clusters) of\s$")
_OF_ALL = re.compile(rf"\s(?:out\s)?of\s(?:the\s)?(?:{NUMBER})(?=\s[a-z])")


def _counted(sentence: str, match: re.Match[str], low: float, high: float | None) -> Iterator[Mention]:
    """Read a number with the noun it counts, where a noun follows within a few words."""
    text, before, follows = match["first"], sentence[: match.start()], sentence[match.end() :]
    year = re.fullmatch(r"(?:19|20)\d\d", text) and (high is None or 1900 <= high < 2100)
    joined = follows[:1] in {"-", "/", ":", "."} and follows[1:2].isalnum()
    if year or joined or _NAMES_A_PART.search(before) or re.search(r"\d\s(?:out\s)?of\s(?:the\s)?$", before):
        return
    end = match.end()
    if (of_all := _OF_ALL.match(follows)) and _noun(follows[of_all.end() :]):  # 42 of 63 applications
        end += of_all.end()
    noun = _noun(sentence[end:])
    part = re.match(r"\s(?:[A-Z][a-z]+\s)?[A-Z]{1,4}\d{2,4}[A-Z]?s?\b(?!\s[a-z]+s\b)", follows)
    if part and low >= 100:  # 20,000 H200
        yield Mention("count", low, "chips", match.start(), end + part.end(), upper=high, noun=part[0].strip())
        return
    if noun is None:
        if low >= 1000 and not re.match(r"\s?[A-Z]", follows):  # the noun is left out: from 90,000 in 2025
            yield Mention("count", low, "", match.start(), end, upper=high)
        return
    words, head = noun
    end += len(words)
    says = low < 30 and re.match(r"\s(?:said|say|told)\b", sentence[end:])  # three suppliers said
    if says or (high is None and _no_figure(text, low, head, before)):
        return
    per = units.per_of(sentence[end:])
    unit = units.counted_unit(head) + (f"/{per}" if per in {"month", "quarter", "week", "day"} else "")
    yield Mention("count", low, unit, match.start(), end, upper=high, noun=head)


def _no_figure(text: str, number: float, head: str, before: str) -> bool:
    """Return whether a count is none of the story's figures: one of a thing, witnesses, what was spoken of before."""
    return bool(
        (number < 2 and not re.search(r"illion|thousand", text))
        or (number < 30 and _SOURCES.fullmatch(head))
        or (number < 10 and _SPOKEN_OF.search(before))
        or (number < 6 and text.isalpha() and _IN_PASSING.search(before))
        or (number < 100 and _MAKE.search(before))
    )


def _noun(follows: str) -> tuple[str, str] | None:
    """Return the words up to the counted noun, and the noun."""
    opened = re.match(r"\s(?:of\s(?:its|the|their|these|those|his|such)\s)?", follows)
    if not opened:
        return None
    position, best = opened.end(), None
    for count, word in enumerate(
        re.finditer(r"(?:[A-Za-z]|\d+[A-Za-z])[\w'’./-]*(?=([,;:.)\s]|$))", follows[position:])
    ):
        token, at = word[0].rstrip("."), position + word.start()
        if count > 5 or (word.start() and follows[at - 1 : at] != " ") or token.casefold() in word_set("stops"):
            break
        if token.casefold() in _counted_nouns() or (token == "sq"):
            best = (follows[: at + len(token)], token)
        elif best is not None:
            break
        elif _plural(token) and count <= 3:
            best = (follows[: at + len(token)], token)
        if word[0].endswith(".") or word[1] in {",", ";", ":", ".", ")"}:
            break
    return best


@cache
def _counted_nouns() -> frozenset[str]:
    return frozenset(noun.casefold() for noun in words("counted"))


def _plural(token: str) -> bool:
    """Return whether a word looks like a plural noun that may be counted."""
    ending = token.endswith("s") and not token.endswith(("ss", "us", "is", "ous"))
    return token.islower() and len(token) > 3 and ending and token not in word_set("not_counted")


def _vague(sentence: str) -> Iterator[Mention]:
    """Read what has a size in words only: tens of billions of dollars, hundreds of thousands of chips, low teens."""
    pattern = re.compile(
        r"\b((?:low|mid|high|mid-to-high|low-to-mid)[ -](?:(?:single|double|triple)[ -]digits?|teens|twenties|thirties)"
        r"|(?:single|double|triple)[- ]digits?)\b(?:\s(?:percent(?:age)?|per cent|%))?"
        r"|\b((?:tens|hundreds|thousands|dozens|scores|several|a few|multiple|many|billions|millions)(?:\sof)?"
        r"(?:\s(?:hundred|thousand|million|billion|trillion|dozen)s?)*)\b",
        re.IGNORECASE,
    )
    for match in pattern.finditer(sentence):
        words = match[0]
        if match[1]:
            yield Mention("change", None, "share", match.start(), match.end(), words=words)
            continue
        if not re.search(r"hundred|thousand|million|billion|trillion|dozen|tens", words, re.IGNORECASE):
            continue
        follows = sentence[match.end() :]
        money = re.match(rf"(?:\sof)?\s({units.CURRENCY_AFTER})", follows)
        unit = re.match(rf"(?:\sof)?\s({units.UNIT})", follows)
        noun = _noun(re.sub(r"^\sof", "", follows))
        thing = re.match(r"\sof\s(?:the|this|that)\s[a-z]+", follows)
        if money:
            end = match.end() + money.end()
            yield Mention("money", None, units.currency_of(money[1]), match.start(), end, words=words)
        elif unit:
            kind, name, _ = units.unit_of(unit[1])
            if kind in {"power", "area", "length"}:
                yield Mention(kind, None, name, match.start(), match.end() + unit.end(), words=words)
        elif thing:
            yield Mention("count", None, "units", match.start(), match.end() + thing.end(), words=words)
        elif noun is None and re.search(r"hundred|thousand|million", words, re.IGNORECASE) and not words.endswith("of"):
            yield Mention("count", None, "", match.start(), match.end(), words=words)
        elif noun and not _SOURCES.fullmatch(noun[1]):
            end = match.end() + len(follows) - len(re.sub(r"^\sof", "", follows)) + len(noun[0])
            yield Mention("count", None, units.counted_unit(noun[1]), match.start(), end, words=words, noun=noun[1])


_PARTS = "|".join(part for part in FRACTIONS if part != "half")
_FRACTION = re.compile(
    rf"\b(?:(?P<half>half)|(?P<count>an?|one|two|three|four)[ -](?P<part>{_PARTS})s?)\b"
    r"(?=\s(?:of|its|their|is|are|was|were|will|would|goes|going|to|in|comes|should|share|this|next|"
    r"from)\b|,|\.|$| the )",
    re.IGNORECASE,
)
_HALF_OF_TIME = re.compile(r"\s(?:of\s(?:19|20)\d\d|of (?:this|next|last) year|in\b)")
_NUMERATORS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4}


def _fractions(sentence: str) -> Iterator[Mention]:
    """Read half, a third, two thirds, three quarters; and by how much something changed: cut by a quarter."""
    for match in _FRACTION.finditer(sentence):
        before, after = sentence[: match.start()], sentence[match.end() :]
        part = "half" if match["half"] else match["part"].casefold()
        count = 1 if match["half"] else _NUMERATORS[match["count"].casefold()]
        by = re.search(r"\b(?:by|lost|shed|loses|gained)\s(?:(?:about|almost|nearly|over|more than)\s)?$", before)
        trend = [(m.end(), sign) for pattern, sign in ((_DOWN, -1.0), (_UP, 1.0)) for m in pattern.finditer(before)]
        if by and trend:
            yield Mention("change", max(trend)[1] * count / FRACTIONS[part], "share", match.start(), match.end())
            continue
        told_of_time = part == "quarter" and not re.match(r"\sof\s(?!(?:19|20)\d\d)", after)
        half_year = part == "half" and (
            re.search(r"\b(?:first|second|latter|other|and a|by|in)\s$", before, re.IGNORECASE)
            or _HALF_OF_TIME.match(after)
        )
        if not (by or told_of_time or half_year):
            yield Mention("share", count / FRACTIONS[part], "share", match.start(), match.end())


def _ratios(sentence: str) -> Iterator[Mention]:
    """Read doubled, tripled, twice, sevenfold."""
    pattern = re.compile(
        r"\b(?:(?P<two>doubl(?:e|es|ed|ing)(?! down|[- ]digit)|twice)|(?P<three>tripl(?:e|es|ed|"
        r"ing)(?![- ]digit)|treble[sd]?)"
        r"|(?P<four>quadrupl\w+)|(?P<five>quintupl\w+)|(?P<half>halv(?:e|ed|ing))"
        r"|(?P<fold>two|three|four|five|six|seven|eight|nine|ten|twelve|twenty)[- ]?fold"
        r"|(?P<times>two|three|four|five|six|seven|eight|nine|ten|twelve) times)\b",
        re.IGNORECASE,
    )
    sizes = {"two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "half": 0.5}
    for match in pattern.finditer(sentence):
        name = next(key for key, text in match.groupdict().items() if text)
        value = sizes.get(name) or value_of(match[name])
        if match[0].casefold() == "twice" and not re.match(
            r"\s(?:the|as|what|that|its|last|this)\b", sentence[match.end() :]
        ):
            continue
        yield Mention("ratio", value, "x", match.start(), match.end())


def _single(sentence: str) -> Iterator[Mention]:
    """Read "over a gigawatt" and "within a decade": one of a unit, without a number."""
    for match in re.finditer(
        r"\b(?:an?|one)[ -](giga|mega|tera)watt\b(?![- ]hour|\scosts?\b)", sentence, re.IGNORECASE
    ):
        size = {"giga": 1e3, "mega": 1.0, "tera": 1e6}[match[1].casefold()]
        yield Mention("power", size, "MW", match.start(), match.end())
    for match in re.finditer(r"(?<!for )\b(?:over|within) (a|the (?:next|coming)) decade\b", sentence, re.IGNORECASE):
        yield Mention("time", 10.0, "years", match.start(1), match.end())


def _ranges(sentence: str, mentions: list[Mention]) -> list[Mention]:
    """Join two mentions of a unit that a story gives as a range: between $1bn and $2bn, 300 MW to 500 MW."""
    joined: list[Mention] = []
    for mention in mentions:
        last = joined[-1] if joined else None
        alike = last and last.kind == mention.kind and last.unit in {mention.unit, mention.unit.split("/")[0], ""}
        if last and alike and last.upper is None:
            gap, before = sentence[last.end : mention.start], sentence[: last.start]
            between = re.search(r"\b[Bb]etween\s$", before) and re.fullmatch(r"\sand\s", gap)
            to = re.fullmatch(r"\s?(?:to|-|–|—)\s?", gap) and not re.search(r"\bfrom\s(?:\w+\s){0,2}$", before)
            if (between or to) and isinstance(last.value, float) and isinstance(mention.value, float):
                joined[-1] = replace(mention, value=last.value, upper=mention.value, start=last.start, bound="range")
                continue
        joined.append(mention)
    return joined


_HEDGE = r"(?:about|around|roughly|approximately|some|nearly|almost|or|equal to|equivalent to|worth|or about)?"
_AGAIN = rf"\s?\(\s?{_HEDGE}\s?|,?\s(?:or|equivalent to|equal to|the equivalent of)\s(?:about\s|around\s)?"
_AND_AGAIN = rf"{_AGAIN}|\s?(?:or|,|;|/|and)\s?(?:or\s)?(?:about\s)?"
"""What stands between an amount and the same in another unit, and before a third."""


def paired(sentence: str, mentions: list[Mention], again: str = _AGAIN, and_again: str = _AND_AGAIN) -> list[Mention]:
    """Fold an amount given again in another currency or unit into the first."""
    kept: list[Mention] = []
    for mention in mentions:
        first = kept[-1] if kept else None
        alike = first and mention.kind == first.kind and mention.kind in {"money", "area", "length"}
        if first and alike and mention.unit != first.unit and isinstance(mention.value, float):
            gap = sentence[(first.quoted or (first,))[-1].end : mention.start]
            if re.fullmatch(and_again if first.quoted else again, gap):
                kept[-1] = replace(first, quoted=(*first.quoted, mention))
                continue
        kept.append(mention)
    return kept


def _hedged(sentence: str, mention: Mention) -> Mention:
    if mention.upper is not None:
        return replace(mention, bound="range")
    before, after = sentence[: mention.start][-60:], sentence[mention.end :]
    for pattern, bound in _AFTER:
        if re.match(pattern, after):
            return replace(mention, bound=bound)
    nearest: tuple[int, Bound] | None = None
    for pattern, bound in HEDGES:
        match = re.search(rf"(?:^|[\s(])(?:{pattern}){_FILL}", before, re.IGNORECASE)
        if match and (nearest is None or match.start() < nearest[0]):
            nearest = (match.start(), bound)
    if nearest is None or (mention.kind == "time" and nearest[1] == "more than"):
        return mention
    return replace(mention, bound=nearest[1])
