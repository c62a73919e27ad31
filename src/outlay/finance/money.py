"""Amounts of money as people read them, in the signs and digits of their currency."""

from __future__ import annotations

import functools

from outlay.units import human


@functools.cache
def _digits(currency: str) -> int:
    from babel.numbers import get_currency_precision

    return int(get_currency_precision(currency))


def exact(amount: float, currency: str) -> str:
    """Return an amount to the smallest coin of its currency.

    Examples
    --------
    >>> exact(1234567.891, "USD"), exact(-1234567.8, "JPY")
    ('1,234,567.89 USD', '-1,234,568 JPY')
    """
    from babel.numbers import format_decimal

    digits = _digits(currency)
    pattern = "#,##0" + (f".{'0' * digits}" if digits else "")
    return f"{format_decimal(amount, format=pattern, locale='en_US')} {currency}"


def small(amount: float, currency: str, digits: int = 3) -> str:
    """Return a price of something small to some significant digits.

    Examples
    --------
    >>> small(0.06031, "USD"), small(12.5, "CNY")
    ('0.0603 USD', '12.5 CNY')
    """
    return (
        f"{amount:#.{digits}g}".rstrip(".") + f" {currency}"
        if abs(amount) < 1e6
        else f"{human(amount, digits)} {currency}"
    )
