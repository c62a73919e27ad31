"""Quantities, money and quarters: read them as people write them, hold them in SI, print them for people."""

from __future__ import annotations

import calendar
import functools
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from outlay.errors import UnitError, nearest

if TYPE_CHECKING:
    import pint

GB = 1e9
GIB = 2.0**30
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 86400.0

SCALES = {
    "thousand": Decimal(10) ** 3,
    "k": Decimal(10) ** 3,
    "million": Decimal(10) ** 6,
    "mn": Decimal(10) ** 6,
    "m": Decimal(10) ** 6,
    "billion": Decimal(10) ** 9,
    "bn": Decimal(10) ** 9,
    "b": Decimal(10) ** 9,
    "trillion": Decimal(10) ** 12,
    "trn": Decimal(10) ** 12,
    "tn": Decimal(10) ** 12,
    "t": Decimal(10) ** 12,
}
SYMBOLS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "RM": "MYR", "RMB": "CNY", "yuan": "CNY"}
LARGEST_EXPONENT = 40
_NUMBER = r"[+-]?(?:(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d[\d_]*(?!,?\d))(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
EXAMPLES = {
    "W": "power, such as 30 MW",
    "s": "a time, such as 50 ms",
    "token": "tokens, such as 15 trillion tokens",
    "token/s": "tokens over time, such as 12 trillion tokens/day",
    "kWh": "energy, such as 1 MWh",
    "": "a number, such as 20000 or 60%",
}
PRICES = {
    "token": "2 CNY/million tokens",
    "kWh": "0.36 CNY/kWh",
    "kW*month": "120 USD/kW/month",
    "chip*hour": "2.20 USD/chip/hour",
}
COMMON_UNITS = ("W", "kW", "MW", "GW", "kWh", "MWh", "ms", "s", "min", "hour", "day", "month", "year", "tokens", "chip")
USUAL = {
    ("kW", "W"): 1e3,
    ("MW", "W"): 1e6,
    ("GW", "W"): 1e9,
    ("ms", "s"): 1e-3,
    ("tokens", "token"): 1.0,
    ("tokens/s", "token/s"): 1.0,
    ("tokens/day", "token/s"): 1 / SECONDS_PER_DAY,
}
"""What scenarios are usually written in, as Pint has it: to load Pint takes half a second."""
_UNITS = r"[A-Za-zµ]+(?:\^[123])?(?:\s*[*/·]\s*[A-Za-zµ]+(?:\^[123])?)*"


@dataclass(frozen=True, order=True)
class Quarter:
    """A calendar quarter, written 2025Q1.

    Examples
    --------
    >>> str(Quarter.parse("2025Q4") + 1)
    '2026Q1'
    >>> Quarter.parse("2026Q1") - Quarter.parse("2025Q1")
    4
    """

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Quarter:
        """Read ``2025Q1``; raise :class:`UnitError` otherwise."""
        match = re.fullmatch(r"\s*(\d{4})\s*-?\s*[Qq]([1-4])\s*", str(text))
        if not match:
            msg = f"{text!r} is not a quarter; expected a year and a quarter from 1 to 4, such as 2025Q1"
            raise UnitError(msg)
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Quarter:
        """Return the quarter that holds a day."""
        return cls(day.year, (day.month - 1) // 3 + 1)

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"

    def __add__(self, quarters: int) -> Quarter:
        index = self.year * 4 + self.number - 1 + quarters
        return Quarter(index // 4, index % 4 + 1)

    def __sub__(self, other: Quarter) -> int:
        return (self.year - other.year) * 4 + self.number - other.number

    @property
    def start(self) -> date:
        """First day."""
        return date(self.year, self.number * 3 - 2, 1)

    @property
    def end(self) -> date:
        """Last day."""
        month = self.number * 3
        return date(self.year, month, calendar.monthrange(self.year, month)[1])

    @property
    def days(self) -> int:
        """Days in the quarter, 90 to 92."""
        return (self.end - self.start).days + 1


@dataclass(frozen=True)
class Money:
    """An amount in a currency (ISO 4217).

    Examples
    --------
    >>> Money.parse("40 billion CNY")
    Money(amount=Decimal('40000000000'), currency='CNY')
    >>> str(Money.parse("$5.5bn"))
    '5.50 bn USD'
    """

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str) -> Money:
        """Read ``40 billion CNY``, ``USD 6.8bn`` or ``$5.5bn``; raise :class:`UnitError` otherwise."""
        raw = str(text).strip()
        number = re.search(_NUMBER, raw)
        if not number:
            msg = f"{raw!r} is not an amount of money; expected a number and a currency, such as 40 billion CNY"
            raise UnitError(msg)
        rest = raw[: number.start()] + " " + raw[number.end() :]
        if re.search(r"\d", rest):
            msg = f"{raw!r} is not an amount of money; expected one number, such as 40 billion CNY or 1,250.50 USD"
            raise UnitError(msg)
        words = rest.split()
        scale, currency = Decimal(1), None
        for word in words:
            if word.casefold() in SCALES:
                scale *= SCALES[word.casefold()]
            elif currency is None:
                currency = currency_code(word)
            else:
                msg = f"{raw!r} is not an amount of money: {word!r} is neither a scale nor a second currency"
                raise UnitError(msg)
        if currency is None:
            msg = f"{raw!r} has no currency; write it out, such as {raw} USD"
            raise UnitError(msg)
        return cls(_decimal(number[0]) * scale, currency)

    def __str__(self) -> str:
        return f"{human(float(self.amount))} {self.currency}"


def currency_code(text: str) -> str:
    """Return the ISO 4217 code of a currency; raise :class:`UnitError` with the nearest code otherwise."""
    if text in SYMBOLS:
        return SYMBOLS[text]
    code = text.upper()
    known = _currencies()
    if code not in known:
        close = nearest(code, sorted(known))
        msg = f"unknown currency {text!r}; expected an ISO 4217 code" + (
            f", nearest: {', '.join(close)}" if close else ""
        )
        raise UnitError(msg)
    return code


@functools.cache
def _currencies() -> frozenset[str]:
    import pycountry

    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def country_code(text: str) -> str:
    """Return the ISO 3166 alpha-2 code of a country; raise :class:`UnitError` with the nearest name otherwise.

    Examples
    --------
    >>> country_code("Malaysia"), country_code("cn"), country_code("UAE")
    ('MY', 'CN', 'AE')
    """
    import pycountry

    aliases = {
        "UAE": "AE",
        "UK": "GB",
        "HONG KONG": "HK",
        "MACAU": "MO",
        "TAIWAN": "TW",
        "SOUTH KOREA": "KR",
        "USA": "US",
    }
    wanted = aliases.get(str(text).strip().upper(), str(text).strip())
    try:
        return str(pycountry.countries.lookup(wanted).alpha_2)
    except LookupError:
        close = nearest(wanted, [country.name for country in pycountry.countries])
        msg = f"unknown country {text!r}; expected a name or an ISO 3166 code" + (
            f", nearest: {', '.join(close)}" if close else ""
        )
        raise UnitError(msg) from None


def quantity(text: str | float, unit: str) -> float:
    """Read a quantity and return its size in ``unit``.

    Parameters
    ----------
    text
        ``"30 MW"``, ``"12 trillion tokens/day"``, ``"30 ms"``, ``"60%"``, ``"128k tokens"``.
    unit
        The unit wanted, in pint's notation, ``"token/s"`` for example; ``""`` for a pure number.

    Raises
    ------
    UnitError
        If the text is no quantity, or of another dimension.

    Examples
    --------
    >>> quantity("30 MW", "W"), quantity("60%", ""), quantity("8.64 trillion tokens/day", "token/s")
    (30000000.0, 0.6, 100000000.0)
    """
    raw = str(text).strip()
    match = re.fullmatch(rf"({_NUMBER})\s*(.*)", raw)
    expected = f"expected {EXAMPLES.get(unit, f'a quantity in {unit}')}"
    if not match:
        msg = f"{raw!r} is not a quantity; {expected}"
        raise UnitError(msg)
    value = _decimal(match[1])
    rest = match[2].strip()
    scale = re.match(
        r"(thousand|million|billion|trillion|trn|bn|mn|k|[mbt](?=\s+tokens?))(?![A-Za-z/])\s*", rest, re.IGNORECASE
    )
    if scale:
        value *= SCALES[scale[1].casefold()]
        rest = rest[scale.end() :]
    if rest == "%":
        value, rest = value / 100, ""
    if rest.startswith("/"):
        rest = f"1{rest}"  # 50/s
    if not rest and not unit:
        return float(value)
    if not rest:
        msg = f"{raw!r} has no unit; {expected}"
        raise UnitError(msg)
    return float(value) * _unit_size(rest, unit, raw, expected)


def _unit_size(written: str, unit: str, raw: str, expected: str) -> float:
    """Return how many ``unit`` one of the written unit is; an error speaks of ``raw`` and of what was expected."""
    if not re.fullmatch(_UNITS, written):  # pint would work out any expression, however long it takes
        msg = f"{raw!r} is not a quantity; {expected}"
        raise UnitError(msg)
    if written == unit:
        return 1.0
    return USUAL.get((written, unit)) or _by_pint(written, unit, raw, expected)


def _by_pint(written: str, unit: str, raw: str, expected: str) -> float:
    import pint

    try:
        return float(_registry().Quantity(1.0, written.replace("·", "*")).to(unit or "dimensionless").magnitude)
    except pint.UndefinedUnitError as error:
        wrong = str(error).split("'")[1]
        close = nearest(wrong, COMMON_UNITS, limit=1)
        msg = f"{raw!r}: unknown unit {wrong!r}; {f'nearest: {close[0]}; ' if close else ''}{expected}"
        raise UnitError(msg) from None
    except (pint.PintError, ArithmeticError, ValueError):
        msg = f"{raw!r} is not {expected.removeprefix('expected ')}"
        raise UnitError(msg) from None


def share(option: str, text: str) -> float:
    """Read the share, such as 90% or 0.9, that an option was given.

    Raises
    ------
    UnitError
        If it is no number from 0 to 1.
    """
    try:
        value = quantity(text, "")
    except UnitError:
        value = -1.0
    if not 0 <= value <= 1:
        msg = f"{option} {text!r} is not a share; expected 0% to 100%"
        raise UnitError(msg)
    return value


@dataclass(frozen=True)
class UnitPrice:
    """A price per something, such as 2 CNY per million tokens or 0.09 USD per kWh.

    ``amount`` is per one base unit of ``per`` (one token, one joule, one chip-second, one watt-second ...).
    """

    amount: float
    currency: str
    per: str

    @classmethod
    def parse(cls, text: str, per: str) -> UnitPrice:
        """Read ``0.8 CNY/million tokens`` and return the price per one ``per`` (pint notation).

        Examples
        --------
        >>> UnitPrice.parse("2 CNY/million tokens", "token").amount
        2e-06
        >>> UnitPrice.parse("0.36 CNY/kWh", "kWh").amount
        0.36
        """
        money, slash, unit = str(text).replace(" per ", "/").partition("/")
        expected = f"expected one such as {PRICES.get(per, f'2 USD/{per}')}"
        if not slash:
            msg = f"{text!r} is not a price per unit; {expected}"
            raise UnitError(msg)
        parsed = Money.parse(money)
        unit = unit.strip().replace("/", "*").replace("-", "*")  # 120 USD/kW/month is per kW and month
        try:
            size = quantity(unit if unit[:1].isdigit() else f"1 {unit}", per)
        except UnitError:
            size = 0.0
        if size <= 0:
            msg = f"{text!r} is not a price per {per}; {expected}"
            raise UnitError(msg)
        return cls(float(parsed.amount) / size, parsed.currency, per)


@functools.cache
def _registry() -> pint.UnitRegistry[Any]:
    import pint

    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(cache_folder=None)
    registry.define("token = [token] = tok = tokens")
    registry.define("chip = [chip] = chips")
    registry.define("flop = [flop] = FLOP")
    return registry


def _decimal(text: str) -> Decimal:
    plain = text.replace(",", "").replace("_", "")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or (value and abs(value.adjusted()) > LARGEST_EXPONENT):
        msg = f"{text!r} is not a number, or one too large or too small to mean anything here"
        raise UnitError(msg)
    return value


def end_of_period(text: str) -> date:
    """Return the last day of a date as sources write it: a day, a month, a quarter, a year or a span of these.

    A figure about a period is known at its end, not before.

    Examples
    --------
    >>> end_of_period("2024-07"), end_of_period("2025Q2"), end_of_period("2024-25"), end_of_period("2022-09/2025-03")
    (datetime.date(2024, 7, 31), datetime.date(2025, 6, 30), datetime.date(2025, 12, 31), datetime.date(2025, 3, 31))
    """
    last = re.split(r"/(?=\d{4})", text.strip())[-1]
    if match := re.fullmatch(r"(\d{4})Q([1-4])", last):
        return Quarter(int(match[1]), int(match[2])).end
    if match := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", last):
        return date(int(match[1]), int(match[2]), int(match[3]))
    if match := re.fullmatch(r"(\d{4})-(\d{4})", last):
        return date(int(match[2]), 12, 31)
    if match := re.fullmatch(r"(\d{4})-(\d{2})", last):
        year, number = int(match[1]), int(match[2])
        if number > 12:  # 2024-25 is a span of years
            return date(year // 100 * 100 + number, 12, 31)
        return date(year, number, calendar.monthrange(year, number)[1])
    if match := re.fullmatch(r"(\d{4})", last):
        return date(int(match[1]), 12, 31)
    msg = f"{text!r} is not a date; expected 2024-07-31, 2024-07, 2024Q3, 2024 or a span of these"
    raise UnitError(msg)


def human(value: float, digits: int = 3) -> str:
    """Print a number for people: three significant digits and k, m, bn or trn.

    Examples
    --------
    >>> human(40e9), human(1234.5), human(0.25)
    ('40.0 bn', '1,234', '0.250')
    """
    rounded = float(f"{value:.{digits - 1}e}")  # 999.97 bn rounds to 1.00 trn
    for limit, word in ((1e12, "trn"), (1e9, "bn"), (1e6, "m")):
        if abs(rounded) >= limit:
            return f"{_significant(rounded / limit, digits)} {word}"
    if abs(rounded) >= 1000:
        return f"{value:,.0f}"
    return _significant(rounded, digits)


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, digits - whole)}f}"
