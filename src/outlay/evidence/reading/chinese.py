"""The same grammars for stories in Chinese: 亿 and 万, 约 and 超过, who says it and who denies it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from outlay.evidence.reading.periods import Period
from outlay.evidence.reading.quantities import Mention, paired
from outlay.evidence.reading.records import Attribution, Bound, Kind
from outlay.evidence.reading.sentences import Sentence
from outlay.evidence.reading.speakers import Comment, Voice

SCALES = {
    "千亿": 10**11,
    "百亿": 10**10,
    "万亿": 10**12,
    "亿": 10**8,
    "千万": 10**7,
    "百万": 10**6,
    "十万": 10**5,
    "万": 10**4,
    "千": 10**3,
    "百": 100,
}
_DIGIT = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_SCALE = "|".join(SCALES)
_NUMBER = rf"(?:(?:\d[\d,]*(?:\.\d+)?)\s?(?:{_SCALE})?|[一二两三四五六七八九十百千]+(?:{_SCALE})?)"
CURRENCIES = {
    "人民币": "CNY",
    "元人民币": "CNY",
    "美元": "USD",
    "欧元": "EUR",
    "英镑": "GBP",
    "日元": "JPY",
    "韩元": "KRW",
    "港元": "HKD",
    "港币": "HKD",
    "新台币": "TWD",
    "台币": "TWD",
    "新加坡元": "SGD",
    "新元": "SGD",
    "林吉特": "MYR",
    "令吉": "MYR",
    "澳元": "AUD",
    "加元": "CAD",
    "泰铢": "THB",
    "卢比": "INR",
    "元": "CNY",
}
_CURRENCY = "|".join(sorted(CURRENCIES, key=len, reverse=True))
_COUNTED = {
    "芯片": "chips",
    "GPU": "chips",
    "加速卡": "chips",
    "显卡": "chips",
    "处理器": "chips",
    "加速器": "chips",
    "TPU": "chips",
    "昇腾": "chips",
    "H20": "chips",
    "裸片": "dies",
    "晶粒": "dies",
    "晶圆": "wafers",
    "模组": "modules",
    "服务器": "servers",
    "机柜": "racks",
    "机架": "racks",
    "超节点": "supernodes",
    "数据中心": "data centres",
    "员工": "people",
    "人": "people",
    "岗位": "jobs",
    "客户": "customers",
    "用户": "users",
    "公司": "companies",
    "企业": "companies",
    "供应商": "suppliers",
    "参数": "parameters",
    "机房": "halls",
    "家": "companies",
}
_CLASSIFIER = {
    "张": "chips",
    "块": "chips",
    "颗": "chips",
    "枚": "chips",
    "片": "chips",
    "台": "servers",
    "家": "companies",
    "名": "people",
}
_UNITS: list[tuple[str, Kind, str, float]] = [
    (r"%|％|个百分点", "share", "share", 0.01),
    (r"成(?!本|立|为|功|都|交|果)", "share", "share", 0.1),
    (r"吉瓦|GW", "power", "MW", 1e3),
    (r"兆瓦|MW", "power", "MW", 1.0),
    (r"千瓦时", "energy", "kWh", 1.0),
    (r"千瓦|kW", "power", "kW", 1.0),
    (r"平方公里", "area", "km2", 1.0),
    (r"平方米", "area", "m2", 1.0),
    (r"亩", "area", "mu", 1.0),
    (r"公里", "length", "km", 1.0),
    (r"年(?!度|初|底|中|末|间|前|[一二三四上下]|第|\d)", "time", "years", 1.0),
    (r"个月", "time", "months", 1.0),
    (r"天|日(?!元)", "time", "days", 1.0),
    (r"倍", "ratio", "x", 1.0),
]
_UNIT = "|".join(pattern for pattern, *_ in _UNITS)
_HEDGES: list[tuple[str, Bound]] = [
    (r"至少|不低于|不少于|不得低于", "at least"),
    (r"超过|逾|超|高于|多于|突破|大于", "more than"),
    (r"最多|至多|高达|多达|不超过|上限为?|最高", "up to"),
    (r"低于|不足|少于|不到", "less than"),
    (r"约为?|大约|大概|近|将近|接近|左右|上下|估计|约合|折合", "about"),
]
_DOWN, _UP = (
    re.compile(r"收窄|下降|下滑|减少|降低|下跌|缩减|跌|同比降"),
    re.compile(r"增长|上升|增加|提高|上涨|涨|同比增|增幅"),
)
_AMOUNT = re.compile(
    rf"(?<![\d.A-Za-z])(?P<first>{_NUMBER})(?:\s?(?:至|到|-|—|"
    rf"~)\s?(?P<second>{_NUMBER}))?\s?(?:(?P<money>{_CURRENCY})|(?P<unit>{_UNIT})"
    r"|"
    rf"(?P<classifier>[张块颗枚片台家名个])?(?P<noun>(?:[A-Za-z0-9]+\s?)?[一-鿿A-Za-z0-9]{{0,10}}?(?:{'|'.join(_COUNTED)})(?:\d+[A-Z]?)?(?:芯片|"
    r"加速卡|服务器)?)|"
    r"(?P<alone>[张块颗枚片台]))"
)


def value_of(text: str) -> float:
    """Return the value of a number as Chinese stories write it.

    Examples
    --------
    >>> value_of("400亿"), value_of("3万"), value_of("三"), value_of("十二"), value_of("1.2万亿")
    (40000000000.0, 30000.0, 3.0, 12.0, 1200000000000.0)
    """
    text = text.replace(",", "").replace(" ", "")
    scale = next(
        (name for name in sorted(SCALES, key=len, reverse=True) if text.endswith(name) and len(text) > len(name)), ""
    )
    body = text[: len(text) - len(scale)] if scale else text
    factor = Decimal(SCALES[scale]) if scale else Decimal(1)
    if re.fullmatch(r"[\d.]+", body):
        return float(Decimal(body) * factor)
    total, part = 0, 0
    for sign in body:
        if sign in _DIGIT:
            part = _DIGIT[sign]
        else:
            total += (part or 1) * {"十": 10, "百": 100, "千": 1000}[sign]
            part = 0
    return float((total + part) * factor)


def quantities(sentence: str) -> list[Mention]:
    """Return the quantities of a sentence in order; one amount in two currencies is one mention."""
    found = [mention for match in _AMOUNT.finditer(sentence) if (mention := _mention(sentence, match))]
    halves, doubles = re.finditer(r"一半|半数", sentence), re.finditer(r"翻了?一?(?:番|倍)", sentence)
    found += [Mention("share", 0.5, "share", match.start(), match.end()) for match in halves]
    found += [Mention("ratio", 2.0, "x", match.start(), match.end()) for match in doubles]
    ordered = sorted(found, key=lambda mention: mention.start)
    return [_hedged(sentence, mention) for mention in paired(sentence, ordered, _AGAIN, _AGAIN)]


def _mention(sentence: str, match: re.Match[str]) -> Mention | None:
    low = value_of(match["first"])
    high = value_of(match["second"]) if match["second"] else None
    start, end, before = match.start(), match.end(), sentence[: match.start()]
    if high is not None and low < 1000 <= high:
        low *= next(
            (SCALES[name] for name in sorted(SCALES, key=len, reverse=True) if str(match["second"]).endswith(name)), 1
        )
    if match["money"]:
        return Mention("money", low, CURRENCIES[match["money"]], start, end, upper=high)
    if match["unit"]:
        kind, unit, size = next(
            (kind, unit, size) for pattern, kind, unit, size in _UNITS if re.fullmatch(pattern, match["unit"])
        )
        if kind == "time" and (
            low > 100
            or re.search(r"过去|近$|第$|[月年]$", before[-3:])
            or (unit == "days" and low <= 31 and re.search(r"月$", before))
        ):
            return None
        value = float(f"{low * size:.12g}")
        if kind == "ratio" and re.search(r"(?:增长|增加|提高|上升|多)(?:了)?(?:约|近|超过|逾)?$", before):
            value += 1.0  # what grows by one time is twice as much
        if kind == "share":
            near = re.split(r"[，,；;]", before)[-1]
            down, up = _DOWN.search(near), _UP.search(near)
            if (down or up) and not re.search(r"[至到]约?$", near):
                return Mention("change", -value if down else value, unit, start, end)
        return Mention(kind, value, unit, start, end, upper=None if high is None else high * size)
    if match["alone"]:
        return Mention("count", low, _CLASSIFIER.get(match["alone"], ""), start, end, upper=high, noun=match["alone"])
    if re.match(r"[A-Z]", match["noun"]) and not match["classifier"] and re.fullmatch(r"\d+", match["first"]):
        return None  # the name of a part: 910C
    noun = next(word for word in sorted(_COUNTED, key=len, reverse=True) if match["noun"].endswith(word))
    if low < 2 or (noun in {"人", "公司", "企业"} and low < 10) or re.match(r"士", sentence[end:]):
        return None
    return Mention("count", low, _COUNTED[noun], start, end, upper=high, noun=noun)


_AGAIN = r"\s?[（(，,、或]\s?(?:或)?(?:约合?|折合|大约|相当于|合)?(?:为)?"


def _hedged(sentence: str, mention: Mention) -> Mention:
    if mention.upper is not None:
        return replace(mention, bound="range")
    before, after = sentence[: mention.start], sentence[mention.end :]
    for pattern, bound in _HEDGES:
        if re.search(rf"(?:{pattern})\s?$", before):
            return replace(mention, bound=bound)
    if re.match(r"以上", after):
        return replace(mention, bound="at least")
    if re.match(r"左右|上下|余", after):
        return replace(mention, bound="about")
    return mention


_ANONYMOUS = re.compile(
    r"(?:知情人士|消息人士|知情者|内部人士|接近\w{0,8}?的人士|(?:两|三|多)名?(?:知情|消息)?人士|据悉|据报道|报道称|据了解)"
)
_ANALYST = re.compile(
    r"([一-鿿A-Za-z]{0,10}?(?:咨询|证券|研究|投行|机构|分析师))[^，。]{0,6}?(?:估计|预计|预测|表示|认为|称)"
)
_OFFICIAL = re.compile(
    r"((?:工信部|发改委|商务部|网信办|美国商务部|白宫|国务院|监管部门|[一-鿿]{2,6}部|政府))[^，。]{0,8}?(?:表示|宣布|称|要求|发布|说)"
)
_COMPANY = re.compile(
    r"(?P<who>[一-鿿A-Za-z]{2,12}?)(?:周[一二三四五六日天]|今日|今天|昨日|\d+日|在[^，。]{0,10}中)?(?:表示|宣布|公布|称|披露|透露|说)(?!，?有关消息)"
)


_OUTLET = re.compile(
    r"(?P<who>[一-鿿]{2,8}?(?:时报|日报|晚报|早报|新闻|财经|周刊|社|网|路透|彭博))[^，。]{0,6}?(?:报道|称|援引|获悉)"
)


def voices(sentence: Sentence) -> list[Voice]:
    """Return the attributions of a sentence, each from where it stands to the next one."""
    text = sentence.text
    kinds = (
        (_ANONYMOUS, "anonymous"),
        (_OUTLET, "outlet"),
        (_ANALYST, "analyst"),
        (_OFFICIAL, "official"),
        (_COMPANY, "company"),
    )
    found: list[tuple[int, int, str, str]] = []
    for pattern, kind in kinds:
        for match in pattern.finditer(text):
            if not any(match.start() < end and start < match.end() for start, end, _, _ in found):
                found.append((match.start(), match.end(), kind, match[match.lastindex or 0]))
    found.sort()
    if not found:
        return []
    ends = [*(start for start, *_ in found[1:]), len(text)]
    return [
        Voice(Attribution(kind, who), start if index else 0, end, start)  # type: ignore[arg-type]
        for index, ((start, _, kind, who), end) in enumerate(zip(found, ends, strict=True))
    ]


_COMMENTS: list[tuple[str, str]] = [
    ("denied", r"否认|不实|不属实|不准确|有误|失实|并非事实|不真实|谣言"),
    ("declined", r"拒绝(?:置评|评论|透露|回应)|不予置评|未予置评|不作评论|不予评论"),
    (
        "no response",
        r"(?:没有|未|尚未|并未|暂未)(?:立即|立刻|马上|及时|就此)?(?:回应|回复|答复|作出回应|予以回应)|无法联系",
    ),
    ("not verified", r"(?:无法|未能|尚未)(?:独立|立即)?(?:核实|证实|验证)"),
]


def comments(sentence: Sentence) -> Iterator[Comment]:
    """Yield denials, refusals to comment, silences and figures that could not be verified."""
    for status, pattern in _COMMENTS:
        match = re.search(pattern, sentence.text)
        if match:
            before = sentence.text[: match.start()]
            who = re.match(
                r"(?:不过|但|然而)?，?([一-鿿A-Za-z]{2,10}?)(?=发言人|方面|公司|表示|拒绝|否认|没有|未|尚未|对|不予)",
                before + match[0],
            )
            named = tuple(name.meaning for name in sentence.names if name.start < match.start())
            yield Comment(status, named or ((who[1],) if who else ()), match.start(), match.end())  # type: ignore[arg-type]


def periods(sentence: str, told: date | None) -> list[Period]:
    """Return the times of a sentence in order."""
    relative = {"今年": 0, "本年": 0, "明年": 1, "去年": -1, "后年": 2, "年内": 0, "年底": 0}
    found: list[Period] = []
    pattern = re.compile(
        r"(?:(?P<year>20\d\d)年|(?P<rel>今年|本年|明年|去年|后年|年内|年底))?(?:第?(?P<quarter>[一二三四1-4])季度|"
        r"(?P<half>[上下])半年|(?P<month>\d{1,2})月(?:(?P<day>\d{1,2})日)?|(?P<end>底|末|中|初))?"
    )
    for match in pattern.finditer(sentence):
        if (
            not match[0]
            or match[0] in {"底", "末", "中", "初"}
            or (match["end"] and not (match["year"] or match["rel"]))
        ):
            continue
        year = match["year"] or (str(told.year + relative.get(match["rel"] or "今年", 0)) if told else "XXXX")
        text = year
        if match["quarter"]:
            text = f"{year}Q{_DIGIT.get(match['quarter']) or match['quarter']}"
        elif match["half"]:
            text = f"{year}H{1 if match['half'] == '上' else 2}"
        elif match["month"]:
            text = f"{year}-{int(match['month']):02d}" + (f"-{int(match['day']):02d}" if match["day"] else "")
        elif match["end"]:
            text = {"底": "end-", "末": "end-", "中": "mid-", "初": "early-"}[match["end"]] + year
        by = match["rel"] in {"年底", "年内"} or sentence[match.end() : match.end() + 1] == "前"
        found.append(Period(text, match.start(), match.end(), by))
    return found
