"""Who says it: people familiar, papers, companies, officials, analysts; and who denies, declines or does not answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outlay.evidence.reading.records import Attribution, ClaimStatus
from outlay.evidence.reading.sentences import Name, Sentence

SAY = (
    r"(?:said|says|say|told|announced|announces|announcing|confirmed|confirms|disclosed|stated|states|added|adds|wrote|"
    r"revealed|noted|explained|unveiled|spoke|declared|posted|pledged|guided|lowered|raised its|"
    r"expects?|expected|forecasts?|reiterated|reported)"
)
_WITNESS = r"(?:people|persons?|sources?|insiders?|executives)"
_INFORMED = r"(?:familiar|briefed|(?:with|having) (?:\w+ )?knowledge|close to|involved|aware|who (?:asked|declined))"
_KNOWS = (
    r"(?:familiar|briefed|(?:with|having) (?:\w+ )?knowledge|close to|involved|aware|who (?:asked|declined|"
    r"spoke)|told|said|say|says|added)"
)
ANONYMOUS = re.compile(
    r"\b(?P<who>(?:(?:an?|one|two|three|four|five|six|several|some|the|another|two of the|three of the|"
    r"one of the|unnamed|anonymous|unidentified)\s)*"
    rf"(?:{_WITNESS}|(?:suppliers|officials|bankers|employees|managers|engineers|staff|"
    rf"traders)(?=\s(?:\w+\s){{0,2}}?{_INFORMED})))"
    rf"\s(?:\w+\s){{0,2}}?{_KNOWS}|(?:according to|citing|"
    rf"cited)\s(?:\w+\s){{0,4}}?(?P<cited>(?:\w+\s)?{_WITNESS})\b"
    rf"|\b(?P<one>another|one)\s(?:of them\s)?(?:said|put|added)\b|\b(?P<anon>anonymously sourced)"
    r"|\b(?P<trade>(?:(?:two|three|four|five|several|some)\s)?(?:bankers|traders|dealers|"
    r"lawyers|suppliers|(?:industry )?executives|insiders))\s(?:say|said)\b",
    re.IGNORECASE,
)
REPORT = re.compile(
    r"\b(?:the (?:report|newspaper|paper|outlet|magazine|agency)\b|reportedly|local media|state media|media reports?|"
    r"it (?:was|is) reported|reports? (?:said|suggest)|(?:the )?documents (?:show|showed|said|seen|reviewed))",
    re.IGNORECASE,
)
COMPANY_PRONOUN = re.compile(
    r"\b(?:the (?:company|firm|group|companies|firms|lab|operator|startup|supplier|developer|lender|"
    rf"maker|two companies)|it|they|he|she)\s(?:also\s|had\s|has\s|have\s)?{SAY}\b",
    re.IGNORECASE,
)
EXECUTIVE = re.compile(
    r"\b(?:CEO|CFO|COO|CTO|[Cc]hair(?:man|woman)|[Cc]hief executive|[Cc]hief financial officer|"
    r"[Ff]inance chief|[Pp]resident|"
    r"[Cc]o-founder|[Ff]ounder|[Cc]hief scientist|[Ss]pokes(?:man|woman|person)|representative)\b"
)
STATEMENT = re.compile(
    r"\b(?:in a (?:statement|filing|blog post|release|post|letter)|on an? (?:earnings )?call|press release|"
    r"(?:filings?|prospectus|statement|accounts|annual report) (?:showed|shows|said|says)|"
    r"according to (?:an?|its|the) (?:\w+\s)?(?:filing|statement|prospectus|presentation|press release|"
    r"annual report))\b"
)
_GOVERNMENT = re.compile(
    r"\b(?:[Mm]inistry|[Mm]inisters?|[Rr]egulators?|[Gg]overnment|[Aa]dministration|[Oo]fficials?|"
    r"[Cc]ounty|[Ss]enators?|"
    r"[Ll]awmakers|[Aa]uthorit(?:y|ies)|[Cc]ustoms|executive order|[Cc]ourt|[Cc]ouncil|[Cc]ommission|"
    r"[Gg]overnor|[Pp]olice|[Ee]mbassy|investment board|official (?:figures|data)|[Ss]tate)\b"
)
_ANALYST = re.compile(r"\b[Aa]nalysts?\b(?! call)")
ESTIMATES = r"(?:estimat\w+|forecasts?|projects|projected|puts?|reckons?|calculat\w+|expects?|sees|predicts?)"
_DENIES = re.compile(
    r"\b(?:den(?:ied|ies|ying)|refut(?:ed|es|ing)|disput(?:ed|es|ing)|reject(?:ed|s|ing)|dismiss(?:ed|"
    r"es|ing)|contest(?:ed|s))\b"
    r"(?=\s(?:(?:the|these|those|this|that|any|all|such|its|media|press|earlier)\s)*(?:\w+\s)?"
    r"(?:claims?|reports?|reporting|information|figures?|numbers?|allegations?|accounts?|story|details|"
    r"it|having|plans?|planning|speculation|amounts?)\b|[,.;]|$)"
    r"|\b(?:is|are|was|were|as|be)\s(?:\w+\s)?[\"“'‘]?(?:inaccurate|incorrect|untrue|not true|"
    r"not accurate|not correct|false|wrong|unfounded|baseless|"
    r"without foundation|misleading|fabricated|inconsistent with the facts)"
    r"|\bcall(?:ed|s|ing)\b[^.;]{0,60}?[\"“'‘]?(?:inaccurate|incorrect|untrue|not true|not accurate|"
    r"false|wrong|baseless|unfounded|misleading|speculative)",
    re.IGNORECASE,
)
_ABOUT_NUMBERS = re.compile(
    r"\b(?:claims?|reports?|reporting|information|figures?|numbers?|allegations?|story|speculation|"
    r"details|amounts?|spending|account|it)\b",
    re.IGNORECASE,
)
_DECLINES = re.compile(
    r"\b(?:declin(?:ed|es|ing) to|refus(?:ed|es) to|would not|won't)\s(?:immediately\s|further\s)?"
    r"(?:comment|elaborate|give|say|discuss|specify|provide|disclose|be drawn|confirm or deny|make (?:\w+\s)?comment)\b"
    r"|\b(?:(?:do|does|did) not|doesn't|didn't)\s(?:comment|elaborate)\b"
    r"|\b(?:had|offered|gave) no comment\b|\bdeclined comment\b",
    re.IGNORECASE,
)
_SILENT = re.compile(
    r"\bdid not immediately comment\b|"
    r"\b(?:(?:did|do|does|had|has|have) not|didn't|hasn't|haven't|hadn't|had yet to|has yet to|"
    r"have yet to|failed to)\s(?:\w+\s){0,2}?"
    r"(?:respond(?:ed)?|repl(?:y|ied)|answer(?:ed)?|return(?:ed)?)\b|"
    r"\bcould not\s(?:\w+\s)?be (?:\w+\s)?(?:reached|contacted)\b"
    r"|\b(?:was|were) (?:not (?:immediately )?available|unavailable) (?:for|to) comment|\b(?:requests?|"
    r"emails?|calls?|messages?)\b[^.;]{0,50}\b(?:unanswered|not (?:immediately )?(?:answered|returned))",
    re.IGNORECASE,
)
_UNVERIFIED = re.compile(
    r"\b(?:could|can|has|have|had|was|were|is|are)(?:\s?not|n't)\s(?:been\s|be\s)?(?:immediately\s|"
    r"yet\s)?(?:been\s|be\s)?(?:independently\s|immediately\s|separately\s)?(?:been\s|be\s)?"
    r"(?:verif(?:y|ied)|confirm(?:ed)?|corroborated?)\b|\bunable to (?:\w+\s)?(?:verify|confirm|"
    r"corroborate)\b|\bnot (?:been )?(?:independently )?verified\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Comment:
    """A denial, a refusal to comment, a silence, or a figure nobody could verify."""

    status: ClaimStatus
    who: tuple[str, ...]
    start: int
    end: int


def comments(sentence: Sentence) -> Iterator[Comment]:
    """Yield what is said about being asked, each with those it is said of."""
    for start, end in sentence.clauses:
        text = sentence.text[start:end]
        found = [
            (match.start(), match.end(), status)
            for pattern, status in (
                (_UNVERIFIED, "not verified"),
                (_SILENT, "no response"),
                (_DECLINES, "declined"),
            )
            for match in pattern.finditer(text)
        ]
        denial = _DENIES.search(text)
        if denial and _ABOUT_NUMBERS.search(text) and _speaker_before(sentence, start, start + denial.start()):
            found.append((denial.start(), denial.end(), "denied"))
        taken = 0
        for low, high, status in sorted(found):
            if low < taken:
                continue
            who = _who(sentence, start + taken, start + low)
            taken = high
            yield Comment(status, who, start + low, start + high)  # type: ignore[arg-type]


def _speaker_before(sentence: Sentence, low: int, high: int) -> bool:
    """Return whether somebody who could deny is named or pointed at before a denial."""
    before = sentence.text[low:high]
    named = any(low <= name.start < high and name.kind not in {"outlet", "place", "product"} for name in sentence.names)
    return named or bool(
        EXECUTIVE.search(before)
        or _GOVERNMENT.search(before)
        or re.search(r"\b(?:the (?:company|firm|group|lab|startup|supplier)|it|he|she|they)\b", before, re.IGNORECASE)
    )


def _who(sentence: Sentence, low: int, high: int) -> tuple[str, ...]:
    names = [name.meaning for name in sentence.names if low <= name.start < high and name.kind != "place"]
    if names:
        return tuple(dict.fromkeys(names))
    words = re.findall(
        r"\b(?:[Tt]he|[Ii]ts|[Tt]heir|A|An|a|an)\s(?:[\w-]+\s){0,2}(?=$|did|had|has|have|could|was|were|"
        r"declin|refus|would|does|do\b)",
        sentence.text[low:high],
    )
    return (words[-1].strip(),) if words else ()


@dataclass(frozen=True)
class Voice:
    """An attribution and the stretch of the sentence it stands for."""

    attribution: Attribution
    start: int
    end: int
    at: int
    weak: bool = False
    """Whether it only says what somebody expects, which is no sign of who told the story."""


def voices(sentence: Sentence) -> list[Voice]:
    """Return the attributions of a sentence, each with the clause it stands for."""
    found: list[Voice] = []
    for start, end in sentence.clauses:
        found += _of_clause(sentence, start, end)
    return found


def _of_clause(sentence: Sentence, start: int, end: int) -> list[Voice]:
    text = sentence.text[start:end]
    names = [name for name in sentence.names if start <= name.start < end]
    outlet = _outlet(text, start, names)
    made: list[Voice] = []
    anonymous = ANONYMOUS.search(text)
    if anonymous:
        who = next((part for name in ("who", "cited", "one", "trade") if (part := anonymous[name])), "sources")
        told = Attribution("anonymous", who.strip(), outlet)
        made.append(Voice(told, start, end, start + anonymous.start()))
    for name in names:
        voice = _named(sentence, name, start, end)
        if voice and not (anonymous and abs(name.start - (start + anonymous.start())) < 3):
            made.append(voice)
    if made:
        return made
    report = REPORT.search(text)
    if outlet or report:
        who = outlet or (report[0].casefold() if report else "")
        at = text.find(outlet) if outlet else report.start()  # type: ignore[union-attr]
        return [Voice(Attribution("outlet", who), start, end, start + at)]
    if pronoun := COMPANY_PRONOUN.search(text):
        who, verb = pronoun[0].rsplit(" ", 1)
        weak = verb.startswith("expect")
        return [Voice(Attribution("company", who), start, end, start + pronoun.start(), weak)]
    if analyst := re.search(rf"\b[Aa]nalysts?\b.{{0,40}}\b(?:{ESTIMATES}|said)\b", text):
        return [Voice(Attribution("analyst", "analysts"), start, end, start + analyst.start())]
    if official := re.search(
        rf"{_GOVERNMENT.pattern}(?:\s\w+){{0,3}}?\s(?:{SAY}|shows?|showed|signed|ordered|told|has told)\b", text
    ):
        return [Voice(Attribution("official", official[0].split()[0]), start, end, start + official.start())]
    if statement := STATEMENT.search(text):
        return [Voice(Attribution("company", statement[0]), start, end, start + statement.start())]
    return []


def _outlet(text: str, start: int, names: list[Name]) -> str:
    """Return the paper a clause is told through, where the words say that it is told."""
    for name in names:
        if name.kind != "outlet":
            continue
        before, after = text[: name.start - start], text[name.end - start :]
        if re.search(
            r"\b(?:according to|told|citing|cited by|reported by|report by|seen by|reviewed by|"
            r"obtained by|per)\s(?:the\s)?$",
            before,
            re.IGNORECASE,
        ) or re.match(rf"(?:'s|’s)?\s(?:\w+\s){{0,2}}?(?:{SAY}|report)\b", after):
            return name.meaning
    return ""


def _named(sentence: Sentence, name: Name, start: int, end: int) -> Voice | None:
    """Return the voice of a named speaker: a company, an executive, an official, an analyst."""
    if name.kind in {"outlet", "product"}:
        return None
    after, before = sentence.text[name.end : end], sentence.text[start : name.start]
    says = re.match(
        r"(?:,\s(?:which|who|whose|an?|the)\s[^,;.]{2,60},)?(?:['’]s)?,?\s(?:(?:analysts?|economists?|"
        r"spokes\w+|executives?|officials?|also|CEO|Chief|"
        rf"on \w+day|President)\s)*(?:[A-Z]\w+\s){{0,2}}?"
        rf"(?:(?:has|have|had|formally|later|earlier)\s)*(?P<verb>{SAY}|{ESTIMATES}|signed|ordered)\b",
        after,
    )
    cited = re.search(
        r"\b(?:[Aa]ccording to|[Ee]stimates? (?:by|from|of)|[Dd]ata from)\s(?:the\s)?(?:[a-z]+\s){0,3}$", before
    )
    if not (says or cited) or (name.kind == "place" and re.search(r"\b(?:in|at|near|from|of|to)\s$", before)):
        return None
    who = name.meaning
    if name.kind in {"official", "place"} or (name.kind == "person" and _GOVERNMENT.search(before[-40:])):
        kind = "official"
    elif (
        name.kind == "analyst"
        or _ANALYST.search(before[-25:])
        or re.search(
            r"\b(?:research(?:er)? (?:firm|house|group|company|body)|consultanc?\w*|researcher|[Ee]stimates? \w+)\s$",
            before,
        )
        or _ANALYST.match(after.lstrip())
        or re.match(r"(?:['’]s)?\sanalysts?\b", after)
    ) or (says and re.match(r"estimat|reckon|calculat", says["verb"]) and name.kind == "name"):
        kind = "analyst"
    elif _GOVERNMENT.search(before[-25:]):
        kind = "official"
    else:
        kind = "company"
    return Voice(Attribution(kind, who), start, end, name.start, bool(says and says["verb"].startswith("expect")))  # type: ignore[arg-type]


def voice_at(found: Sequence[Voice], position: int) -> Attribution | None:
    """Return the attribution a character falls to: that of its clause, else of a clause before."""
    inside = [voice for voice in found if voice.start <= position < voice.end]
    if inside:
        before = [voice for voice in inside if voice.at <= position]
        named = [voice for voice in inside if voice.attribution.kind == "anonymous"]
        return (named or before or inside)[-1].attribution
    earlier = [voice for voice in found if voice.end <= position and not voice.weak]
    return earlier[-1].attribution if earlier else None


STATUS: dict[str, ClaimStatus] = {
    "anonymous": "reported",
    "outlet": "reported",
    "company": "company statement",
    "official": "official",
    "analyst": "analyst estimate",
    "none": "reported",
}
