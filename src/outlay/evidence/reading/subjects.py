"""What a quantity is about: whose it is, what it measures, of what, where, and whether it is plan or fact."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from outlay.evidence.reading.quantities import Mention
from outlay.evidence.reading.sentences import Name, Sentence

MEASURES = {
    "market value": r"\b(?:company|firm|group|it) is (?:now )?worth\b|market (?:value|cap(?:italiz|italis)ation|cap)\b|"
    r"市值",
    "valuation": r"valuation|valu(?:ed|ing|es)\b|worth of the company|估值",
    "share price": r"\b(?:shares|stock|share price|stock price)\b|股价|股份",
    "revenue": r"\brevenues?\b|\bsales\b|turnover|营收|收入|营业额",
    "profit": r"net (?:income|profit|loss)|\bprofits?\b|\bearnings\b|operating (?:income|loss)|\bEBITDA\b|利润|净利",
    "backlog": r"backlog|order book|remaining performance obligations|在手订单",
    "capital expenditure": r"cap(?:ital)?[ -]?(?:ex|expenditures?|spending|outlays?|expenses)\b|资本开支|资本支出",
    "financing": r"\bloans?\b|\bdebt\b|\bequity\b|\btranches?\b|\bbonds?\b|\bborrow\w*|\bfinanc\w+|\brais(?:e|ed|"
    r"ing)\b|\bfunding\b|"
    r"\bround\b|credit|贷款|融资|债",
    "price": r"\bprices?d?\b|\bcosts? (?:about |around )?(?:per|each)\b|\bapiece\b|per (?:chip|GPU|unit|kilowatt|"
    r"megawatt|hour)|单价|售价",
    "deal": r"\bdeals?\b|\bcontracts?\b|\bagreements?\b|\borders?\b|合同|协议|订单",
    "investment": r"\binvest\w*|\bspen[dt]\w*|\ballocat\w*|\bearmark\w*|\bbudget\w*|\bset aside\b|\bplan(?:s|ned)?\b|"
    r"\bpour\w*|\bpledg\w*|\bannounc\w*|\bcommit\w*|"
    r"\bpurchas\w*|\bbuy\w*|\bbuild\w*|投资|投入|预算|采购|支出",
    "cost": r"\bcosts?\b|\bbill\b|成本|费用",
    "growth": r"\bgrowth\b|\bgrew\b|\bgrow\b|增长",
    "power": r"\bpower\b|\bcapacity\b|功率|电力",
    "output": r"\boutput\b|\bproduc\w+|\bmake\b|\bmanufactur\w+|产量|产能|生产",
    "shipments": r"\bship\w*|\bdeliver\w*|出货|交付",
}
_PREPOSITION = r"(?:on|in|for|with|to|at|by|from|of|that|which|while|as|is|are|said|will)\b"
_BODY = re.compile(
    r"\b(?:[Tt]he\s)?(?:[A-Z][\w.]*(?:['’]s)?\s)?(?:[a-z]+\s)?(?:ministry|regulators?|government|"
    r"administration|commission|authorit(?:y|ies)|county|"
    r"customs|court|council|agency)\b"
)
RESULTS = frozenset({"revenue", "profit", "backlog"})
"""Measures that companies themselves publish."""
SPENDING = frozenset({"investment", "capital expenditure", "cost", "deal"})
_PLAN = re.compile(
    r"\b(?:plans?|planned|planning|will|would|could|may|might|to be|aims?|expects?|expected|weigh\w*|"
    r"consider\w*|gearing up|set aside|"
    r"earmark\w*|intends?|wants?|target\w*|is to|are to|set to|due|allocate|proposed|seeks?|should|"
    r"projected|forecast\w*)\b|"
    r"计划|将|预计|拟|打算"
)
_ENCOURAGED = re.compile(
    r"\b(?:encourag\w+|urg(?:e|ed|es|ing)|guid(?:ance|ed)|asks?|asked|told|tells|requir\w+|order(?:ed|"
    r"s)|instruct\w+|mandat\w+|request\w+|"
    r"recommend\w+|direct(?:ed|s))\b(?:\s[\w-]+){0,6}?\s(?:to|that)\b|\b(?:quota|must|required to)\b|鼓励|要求|指导"
)
OBLIGES = re.compile(r"\b(?:must|have to|has to|(?:is|are) required to|shall)\b")
EVENT = re.compile(
    r"\bopen(?:s|ed|ing)?\b(?! talks)|\bonline\b|\b(?:go(?:es)?|going|went) live\b|\boperational\b|"
    r"\bin operation\b|\brunning by\b|\b(?:to be|be|being) (?:delivered|handed over)\b|"
    r"\b(?:begin|start|commence)(?:s|ning|ing)?\s(?:\w+\s){0,2}?(?:operati\w+|production|service|"
    r"construction|deliver\w+)|\bcomplet(?:e|ed|ion)\b|"
    r"\bready (?:by|in)\b|\b(?:enter|come)(?:s)? (?:into )?service\b|\bcommissioned\b|\benergi[sz]ed\b|"
    r"\b(?:start|begin|commence)(?:s|ed)?\b(?= (?:as early as|in|by|next|this)\b)|\blaunch(?:es|ed)?\b|"
    r"\bbuilt by\b|\bfinish\w*\b|"
    r"\b(?:construction|work) (?:begins|starts|is to start)\b|"
    r"\b(?:ban|deadline|law|rule|order|quota)\b[^.;]{0,30}\b(?:set for|due|effective|takes? effect|"
    r"expires?)\b|\btakes? effect\b|"
    r"投入运营|投入使用|投产|建成|上线|启用|竣工",
    re.IGNORECASE,
)
DECISION = re.compile(
    r"\b(?:approved|cleared|authori[sz]ed|permitted|granted|licensed|allowed|banned|blocked|refused|"
    r"rejected|rescinded|revoked|"
    r"halted|suspended|waived|lifted|exempted|imposed|not permitted)\b|批准|禁止|叫停|取消"
)
TALKS = re.compile(
    r"\b(?:in (?:advanced |early |first )?(?:talks|discussions|negotiations)|(?:is|are|was|"
    r"were) (?:also )?(?:weighing|considering|exploring|"
    r"negotiating|mulling)|memorandum of understanding|letter of intent)\b|洽谈|磋商|商谈|考虑"
)
_GOVERNS = re.compile(
    r"\b(?:The US|The U\.S\.|US|U\.S\.|county|ministry|regulators?|government|administration|customs|"
    r"commission|council|authorit\w+|"
    r"department|officials|court|state|city|senate|parliament|grid operator|operator)\b"
)
ABROAD = re.compile(
    r"\b(?:overseas|abroad|outside (?:of )?(?:mainland )?(?P<land>[A-Z]\w+)|internationally)\b|海外|境外"
)
CARRIED = re.compile(
    r"\b(?:it|its|they|their|he|she|the (?:company|firm|group|lab|companies|startup|supplier|developer|"
    r"operator|chipmaker|project|campus|site|plant))\b|"
    r"该公司|其|公司",
    re.IGNORECASE,
)


def measure_of(sentence: Sentence, mention: Mention) -> str:
    """Return what a mention measures, by the nearest word for it in its clause; words before count double."""
    low, high = sentence.clause_at(mention.start)
    if mention.kind == "power":
        return "power"
    best: tuple[float, str] | None = None
    for name, pattern in MEASURES.items():
        for match in re.finditer(pattern, sentence.text[low:high], re.IGNORECASE):
            at = low + match.start()
            if mention.start <= at < mention.end and mention.kind != "money":
                continue
            gap = sentence.text[min(at, mention.start) : max(at, mention.end)]
            distance = (mention.start - at) if at < mention.start else 1.6 * (at - mention.end)
            distance += 40 * len(re.findall(r",\s(?!\d)|\band\b|，", gap))
            distance += 1000 if name == "growth" else 0  # growth is of something, where the clause says of what
            if best is None or distance < best[0]:
                best = (distance, name)
    return best[1] if best else ""


def subject_of(sentence: Sentence, mention: Mention, carried: str) -> str:
    """Return whose a quantity is; ``carried`` where the sentence names nobody."""
    low, _ = sentence.clause_at(mention.start)
    names = [name for name in sentence.names if name.kind in {"company", "name", "official", "analyst"}]
    after = sentence.text[mention.end :]
    owner = [
        n
        for n in names
        if n.start >= mention.end and re.fullmatch(r"\s(?:\w+\s)?of\s(?:the\s)?", sentence.text[mention.end : n.start])
    ]
    if owner and mention.kind in {"share", "change"} and re.match(r"['’]s?|$", sentence.text[owner[0].end :][:2]):
        return owner[0].meaning
    acting = _acting(sentence, [name for name in names if name.start < mention.start])
    in_clause = [name for name in acting if name.start >= low and name.kind != "analyst"]
    if in_clause:
        return _list_of(sentence, in_clause[0], in_clause)
    if body := _BODY.search(sentence.text, low, mention.start):
        return body[0]
    earlier = [name for name in acting if name.kind != "analyst"]
    if earlier:
        return earlier[0].meaning
    if by := re.match(r"[^.;]{0,40}?(?<!arranged )(?<!led )\bby\s", after):
        follow = [n for n in names if n.start == mention.end + by.end()]
        if follow:
            return follow[0].meaning
    return carried


def is_body(subject: str) -> bool:
    """Return whether a subject is a public body, which is no company whoever tells the story."""
    return _BODY.search(subject) is not None


def _acting(sentence: Sentence, names: list[Name]) -> list[Name]:
    """Leave out names that only tell what something is for, of or by, and those listed beside them."""
    acting: list[Name] = []
    last: Name | None = None
    for name in names:
        listed = last is not None and re.fullmatch(
            r",\s|,?\s(?:and|plus)\s|、|和", sentence.text[last.end : name.start]
        )
        if listed or _only_object(sentence, name):
            last = name if not listed or last not in acting else None
            if listed and last is None:
                acting.append(name)
            continue
        acting.append(name)
        last = name
    return acting


def _list_of(sentence: Sentence, first: Name, names: list[Name]) -> str:
    """Return the subject with those listed beside it: ByteDance, Alibaba and Tencent."""
    listed = [first]
    for name in names[1:]:
        if re.fullmatch(r",\s|,?\s(?:and|plus)\s|、|和", sentence.text[listed[-1].end : name.start]):
            listed.append(name)
        else:
            break
    ends = len(listed) > 1 and re.search(r"and|plus|、|和", sentence.text[listed[-2].end : listed[-1].start])
    return ", ".join(name.meaning for name in listed) if ends else first.meaning


def _only_object(sentence: Sentence, name: Name) -> bool:
    """Return whether a name only tells what something is for, of or by, so that it owns no figure."""
    before = sentence.text[: name.start]
    return (
        re.search(
            r"\b(?:on|for|with|to|from|led by|arranged by|using|owner of|like|including|via|under|at|in|"
            r"into)\s(?:the\s|US\s|advanced\s|its\s)*$|[为自向从给由对与]$",
            before,
        )
        is not None
    )


def objects_of(sentence: Sentence, mention: Mention, mentions: Sequence[Mention]) -> tuple[str, ...]:
    """Return the names a quantity is for or of: those after it in its clause, up to the next of its kind."""
    _, high = sentence.clause_at(mention.start)
    high = min(
        [high, *(other.start for other in mentions if other.start >= mention.end and other.kind == mention.kind)]
    )
    found = [
        name.meaning
        for name in sentence.names
        if name.kind in {"company", "product", "name"} and mention.start <= name.start < high
    ]
    return tuple(dict.fromkeys(found))


def place_of(sentence: Sentence, mention: Mention) -> str:
    """Return where: the nearest place in the clause, one after the quantity first; abroad where the story says so."""
    low, high = sentence.clause_at(mention.start)
    spots = [(n.start, n.meaning) for n in sentence.names if n.kind == "place" and low <= n.start < high]
    for match in ABROAD.finditer(sentence.text, low, high):
        spots = [spot for spot in spots if not match.start() <= spot[0] < match.end()]
        spots.append((match.start(), f"outside {match['land']}" if match["land"] else "abroad"))
    if not spots:
        return ""
    return min(
        spots,
        key=lambda spot: abs(spot[0] - mention.end) if spot[0] >= mention.start else 2 * (mention.start - spot[0]),
    )[1]


def modality_of(sentence: Sentence, mention: Mention) -> Literal["stated", "plan", "encouraged"]:
    """Return whether a figure is a fact as told, a plan, or what an authority asks for."""
    low, high = sentence.clause_at(mention.start)
    text = sentence.text[low:high]
    if mention.kind == "share" and _ENCOURAGED.search(text):
        return "encouraged"
    return "plan" if _PLAN.search(text) else "stated"


def governs(sentence: Sentence, low: int, position: int) -> bool:
    """Return whether a public body acts before a position of a clause."""
    named = any(low <= n.start < position and n.kind in {"official", "place"} for n in sentence.names)
    return named or _GOVERNS.search(sentence.text[low:position]) is not None


_EXPECTED = re.compile(
    r"^[^;.]{0,40}?\banalysts (?:had |have |on average )?(?:expected|forecast|estimated|predicted|polled)|"
    r"^[^;.]{0,40}?\b(?:average|consensus) (?:estimate|forecast)"
)


def expected_by_analysts(sentence: Sentence, mention: Mention) -> bool:
    """Return whether a figure is what analysts had expected, beside what came: above the $5bn analysts expected."""
    return _EXPECTED.search(sentence.text[mention.end :]) is not None


def decided_before(sentence: Sentence, position: int) -> bool:
    """Return whether a public body has let or forbidden something before a position of its clause."""
    low, _ = sentence.clause_at(position)
    decided = DECISION.search(sentence.text, low, position)
    return decided is not None and governs(sentence, low, decided.start())


def lists_of(sentence: Sentence) -> list[list[Name]]:
    """Return the lists of three or more organisations in a sentence."""
    names = [
        name
        for name in sentence.names
        if name.kind in {"company", "name"}
        or (name.kind == "product" and name.text[-1:].isdigit() and name.text.isalnum())
    ]
    runs: list[list[Name]] = []
    for name in names:
        gap = sentence.text[runs[-1][-1].end : name.start] if runs else ""
        if runs and re.fullmatch(
            r"(?:\sof\s[A-Z]\w+(?:\s[A-Z]\w+)?)?(?:,|,?\s(?:and|plus|or|as well as)|、|和|以及|及)\s?"
            rf"(?:(?!{_PREPOSITION})(?:[a-z]+|US|U\.S\.)\s){{0,2}}",
            gap,
        ):
            runs[-1].append(name)
        else:
            runs.append([name])
    return [run for run in runs if len(run) >= 3]
