"""Units and currencies as stories write them, and what they are in one spelling."""

from __future__ import annotations

import re

from outlay.evidence.reading.records import Kind
from outlay.evidence.reading.words import word_set

SYMBOLS = {
    "US$": "USD",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD",
    "CA$": "CAD",
    "S$": "SGD",
    "SG$": "SGD",
    "HK$": "HKD",
    "NT$": "TWD",
    "NZ$": "NZD",
    "R$": "BRL",
    "RMB": "CNY",
    "CN¥": "CNY",
    "RM": "MYR",
    "Rs": "INR",
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "₩": "KRW",
    "₹": "INR",
    "฿": "THB",
    "₫": "VND",
    "Dh": "AED",
}
CODES = [
    "USD",
    "EUR",
    "GBP",
    "CNY",
    "CNH",
    "JPY",
    "KRW",
    "TWD",
    "HKD",
    "SGD",
    "MYR",
    "AUD",
    "NZD",
    "CAD",
    "CHF",
    "SEK",
    "NOK",
    "DKK",
    "INR",
    "IDR",
    "THB",
    "VND",
    "PHP",
    "BRL",
    "MXN",
    "AED",
    "SAR",
    "QAR",
    "KWD",
    "ILS",
    "TRY",
    "ZAR",
    "PLN",
    "CZK",
    "CLP",
]
CURRENCY_WORDS = {
    r"(?:U\.?S\.? |American )dollars?": "USD",
    r"Australian dollars?": "AUD",
    r"Canadian dollars?": "CAD",
    r"Singapore dollars?": "SGD",
    r"Hong Kong dollars?": "HKD",
    r"(?:New )?Taiwan(?:ese)? dollars?": "TWD",
    r"New Zealand dollars?": "NZD",
    r"dollars?": "USD",
    r"(?:Chinese )?yuan": "CNY",
    r"renminbi": "CNY",
    r"euros?": "EUR",
    r"(?:British )?pounds?": "GBP",
    r"(?:pounds )?sterling": "GBP",
    r"(?:Malaysian )?ringgit": "MYR",
    r"(?:Japanese )?yen": "JPY",
    r"(?:South Korean |Korean )?won": "KRW",
    r"(?:Indian )?rupees?": "INR",
    r"(?:Thai )?baht": "THB",
    r"(?:Brazilian )?rea(?:is|l)": "BRL",
    r"(?:UAE |Emirati )?dirhams?": "AED",
    r"(?:Saudi )?riyals?": "SAR",
    r"Swiss francs?": "CHF",
    r"(?:Norwegian )kroner?": "NOK",
    r"(?:Swedish )kron(?:or|a)": "SEK",
    r"(?:Danish )kroner?": "DKK",
    r"(?:Indonesian )?rupiah": "IDR",
    r"(?:Vietnamese )?dong": "VND",
    r"(?:Mexican |Philippine )pesos?": "MXN",
    r"(?:South African )?rand": "ZAR",
}
CURRENCY_BEFORE = (
    "(?:" + "|".join(re.escape(s) for s in sorted(SYMBOLS, key=len, reverse=True)) + "|(?:" + "|".join(CODES) + r")\b)"
)
CURRENCY_AFTER = "(?:" + "|".join([*CURRENCY_WORDS, *CODES]) + r")\b"

_UNITS: list[tuple[str, Kind, str, float]] = [
    (r"%|per ?cent(?:age points?)?\b|percent(?:age points?)?\b|pct\b", "share", "share", 0.01),
    (r"basis points?\b|bps\b", "share", "share", 0.0001),
    (r"(?:kWh|kilowatt[- ]hours?)\b", "energy", "kWh", 1.0),
    (r"(?:MWh|megawatt[- ]hours?)\b", "energy", "MWh", 1.0),
    (r"(?:GWh|gigawatt[- ]hours?)\b", "energy", "MWh", 1e3),
    (r"(?:TWh|terawatt[- ]hours?)\b", "energy", "MWh", 1e6),
    (r"(?:kW|KW|[Kk]ilowatts?)\b", "power", "kW", 1.0),
    (r"(?:MW|[Mm]egawatts?)\b", "power", "MW", 1.0),
    (r"(?:GW|[Gg]igawatts?)\b", "power", "MW", 1e3),
    (r"(?:TW|[Tt]erawatts?)\b", "power", "MW", 1e6),
    (r"watts?\b|W\b", "power", "kW", 1e-3),
    (r"square[- ]kilomet(?:er|re)s?\b|sq\.?[- ]?km\b|km2\b|km²", "area", "km2", 1.0),
    (r"square[- ]met(?:er|re)s?\b|sq\.?[- ]?m(?:et(?:er|re)s?)?\b|sqm\b|m2\b|m²", "area", "m2", 1.0),
    (r"square[- ](?:feet|foot)\b|sq\.?[- ]?(?:ft|feet)\b", "area", "square feet", 1.0),
    (r"square[- ]miles?\b|sq\.?[- ]?mi(?:les?)?\b", "area", "square miles", 1.0),
    (r"acres?\b", "area", "acres", 1.0),
    (r"hectares?\b|ha\b", "area", "hectares", 1.0),
    (r"mu\b", "area", "mu", 1.0),
    (r"kilomet(?:er|re)s?\b|km\b", "length", "km", 1.0),
    (r"miles?\b", "length", "miles", 1.0),
    (r"met(?:er|re)s?\b", "length", "m", 1.0),
    (r"(?:gigabytes?|GB)(?:/s| per second)?(?!\w)", "data", "GB", 1.0),
    (r"(?:terabytes?|TB)(?:/s| per second)?(?!\w)", "data", "TB", 1.0),
    (r"(?:petabytes?|PB)(?:/s| per second)?(?!\w)", "data", "PB", 1.0),
    (r"(?:exabytes?|EB)(?:/s| per second)?(?!\w)", "data", "EB", 1.0),
    (r"(?:TFLOPS|TFLOP/s|teraflops?)(?!\w)", "data", "TFLOP/s", 1.0),
    (r"(?:PFLOPS|PFLOP/s|petaflops?)(?!\w)", "data", "PFLOP/s", 1.0),
    (r"(?:EFLOPS|EFLOP/s|exaflops?)(?!\w)", "data", "EFLOP/s", 1.0),
    (r"years?\b", "time", "years", 1.0),
    (r"months?\b", "time", "months", 1.0),
    (r"weeks?\b", "time", "weeks", 1.0),
    (r"days?\b", "time", "days", 1.0),
    (r"hours?\b", "time", "hours", 1.0),
    (r"decades?\b", "time", "years", 10.0),
    (r"-?fold\b|times\b(?! earnings)|x\b|×", "ratio", "x", 1.0),
]
UNIT = "(?:" + "|".join(pattern for pattern, *_ in _UNITS) + ")"
PER = {
    r"(?:per|an|a|each) kilowatt[- ]hour|per kWh|/kWh": "kWh",
    r"(?:per|a|each) megawatt[- ]hour|per MWh|/MWh": "MWh",
    r"(?:per|an|each) hour|hourly|/(?:hour|hr|h)\b": "hour",
    r"per (?:GPU|chip|card)[- ]hour": "chip/hour",
    r"(?:per|a|each) month|monthly|/month": "month",
    r"(?:per|a|each) year|annually|per annum|yearly|in annual|of annual|annualized|annualised|"
    r"run[- ]rate|/year": "year",
    r"(?:per|a|each) quarter|quarterly": "quarter",
    r"(?:per|a|each) week|weekly": "week",
    r"(?:per|a|each) day|daily|/day": "day",
    r"(?:per|a|each) (?:GPU|chip|card|accelerator|unit|piece)|apiece": "chip",
    r"(?:per|a|each) (?:server|rack|system|node)": "system",
    r"(?:per|a|each) share": "share",
    r"(?:per|a|each) million tokens": "million tokens",
    r"(?:per|a|each) (?:kW|kilowatt)\b": "kW",
    r"(?:per|a|each) (?:MW|megawatt)\b": "MW",
}


def currency_of(written: str) -> str:
    """Return the ISO 4217 code of a currency as written before or after an amount."""
    if written in SYMBOLS:
        return SYMBOLS[written]
    if written in CODES:
        return "CNY" if written == "CNH" else written
    return next(code for pattern, code in CURRENCY_WORDS.items() if re.fullmatch(pattern, written))


def unit_of(written: str) -> tuple[Kind, str, float]:
    """Return kind, spelling and size of a unit as written."""
    return next((kind, name, size) for pattern, kind, name, size in _UNITS if re.fullmatch(pattern, written))


def per_of(following: str) -> str:
    """Return what an amount is per, from the words right after it; nothing where it is not a rate."""
    for pattern, name in PER.items():
        if re.match(rf"\s?(?:,\s)?(?:{pattern})(?!\s(?:ago|earlier|before|later))", following):
            return name
    return ""


def counted_unit(noun: str) -> str:
    """Return the unit of a counted noun: accelerators under any name are chips, the rest stays as written."""
    folded = noun.casefold()
    if folded in word_set("chips") - {"units", "cards"}:
        return "chips"
    return {"datacentres": "data centres", "datacenters": "data centres", "centers": "centres"}.get(folded, folded)
