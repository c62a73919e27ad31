"""Currencies over time: rates by quarter from data, from a path given, or by interest parity; exposure and hedges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError, MissingFigureError, nearest
from outlay.finance.returns import checked_rate, present_value
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Catalog

Floats = NDArray[np.float64]
Method = Literal["flat", "parity", "path", "history"]


@dataclass(frozen=True)
class Rates:
    """Units of each currency per US dollar, by quarter.

    Attributes
    ----------
    per_dollar
        By currency, of shape (quarter,).
    basis
        By currency: what its rates rest on, in words.
    """

    quarters: tuple[Quarter, ...]
    per_dollar: Mapping[str, Floats]
    basis: Mapping[str, str]

    def of(self, currency: str) -> Floats:
        """Return a currency's units per dollar, or refuse one without a rate.

        Raises
        ------
        InputError
            If the currency has no rate; names those that have.
        """
        if currency not in self.per_dollar:
            close = nearest(currency, self.per_dollar)
            known = f"nearest: {', '.join(close)}" if close else f"known: {', '.join(sorted(self.per_dollar))}"
            msg = f"no exchange rate of {currency} is known; give one under `fx`, units per US dollar ({known})"
            raise InputError(msg)
        return self.per_dollar[currency]

    def convert(self, amounts: Sequence[float] | Floats, source: str, target: str) -> Floats:
        """Return amounts of shape (quarter,) in another currency, at each quarter's rate."""
        return np.asarray(np.asarray(amounts, float) * self.of(target) / self.of(source), dtype=np.float64)


def parity(spot: float, interest: float, dollar_interest: float, years: Sequence[float] | Floats) -> Floats:
    """Return forward rates by covered interest parity, units per dollar.

    ``F(t) = S ((1 + i) / (1 + i_USD))**t`` (Hull, Options, Futures and Other Derivatives, section 5.10, with annual
    compounding): the currency with the higher interest is worth less forward.

    Examples
    --------
    >>> [round(float(rate), 4) for rate in parity(7.30, 0.015, 0.045, [0.0, 1.0])]
    [7.3, 7.0904]
    """
    ratio = (1 + checked_rate(interest, "interest")) / (1 + checked_rate(dollar_interest, "interest of the US dollar"))
    return np.asarray(spot * ratio ** np.asarray(years, float), dtype=np.float64)


def rates(
    spot: Mapping[str, float],
    quarters: tuple[Quarter, ...],
    *,
    interest: Mapping[str, float] | None = None,
    paths: Mapping[str, Mapping[Quarter, float]] | None = None,
) -> Rates:
    """Return rates by quarter from today's: along a path given, else by interest parity, else flat.

    Parameters
    ----------
    spot
        Units per dollar on the first day.
    interest
        Per year by currency. Parity needs the currency's and the dollar's.
    paths
        By currency, units per dollar from given quarters on, held until the next.
    """
    interest, paths = interest or {}, paths or {}
    middle = (np.arange(len(quarters)) + 0.5) / 4
    found: dict[str, Floats] = {}
    basis: dict[str, str] = {}
    for currency, rate in {**spot, "USD": 1.0}.items():
        if not rate > 0:
            msg = f"the rate of {currency} is {rate:g} per US dollar; expected more than zero"
            raise InputError(msg)
        if paths.get(currency):
            given = sorted(paths[currency].items())
            if any(not level > 0 for _, level in given):
                msg = f"a rate of {currency} on its path is not above zero"
                raise InputError(msg)
            found[currency] = np.array(
                [([rate] + [level for q, level in given if q <= quarter])[-1] for quarter in quarters]
            )
            basis[currency] = "a path given"
        elif currency != "USD" and {currency, "USD"} <= set(interest):
            found[currency] = parity(rate, interest[currency], interest["USD"], middle)
            basis[currency] = f"interest parity, {interest[currency]:.2%} against {interest['USD']:.2%}"
        else:
            found[currency] = np.full(len(quarters), float(rate))
            basis[currency] = "as on the first day"
    return Rates(quarters, found, basis)


def history(catalog: Catalog, currency: str, quarters: tuple[Quarter, ...]) -> dict[Quarter, float]:
    """Return the mean of the monthly rates of each quarter all three months of which the table has."""
    found = {}
    for quarter in quarters:
        try:
            months = [catalog.fx(currency, date(quarter.year, 3 * quarter.number - back, 1)) for back in (2, 1, 0)]
        except MissingFigureError:
            continue
        found[quarter] = float(np.mean([float(month.value) for month in months]))
    return found


def volatility(catalog: Catalog, currency: str, until: date, months: int = 12) -> float:
    """Return the standard deviation of a currency's rate to the dollar, per year, from monthly averages up to a day.

    The root of twelve times the variance of the monthly log changes (Hull, section 15.4). Averages of a month move less
    than closing rates, by about a fifth, so this is a lower estimate.

    Raises
    ------
    MissingFigureError
        If fewer than four months are known.
    """
    if currency == "USD":
        return 0.0
    seen: list[float] = []
    for back in range(months + 1):
        index = until.year * 12 + until.month - 1 - back
        try:
            seen.append(float(catalog.fx(currency, date(index // 12, index % 12 + 1, 1)).value))
        except MissingFigureError:
            continue
    if len(seen) < 4:
        msg = f"fewer than four monthly rates of {currency} are known up to {until}; its volatility is not"
        raise MissingFigureError(msg)
    changes = np.diff(np.log(np.array(seen)))
    return float(math.sqrt(12) * np.std(changes, ddof=1))


@dataclass(frozen=True)
class Exposure:
    """What a plan owes or earns in one currency that is not its own.

    Attributes
    ----------
    net
        Money in less money out, by quarter, in the currency.
    worth
        Present value in the plan's currency, at the rates of the plan.
    swing
        What a move of one standard deviation of the rate does to that value: at ``volatility`` times the root of the
        years until each flow.
    hedge
        What selling or buying every flow forward, at parity, is worth against the rates of the plan; the swing goes
        away with it.
    """

    currency: str
    net: tuple[float, ...]
    worth: float
    swing: float | None
    hedge: float | None


def exposure(
    currency: str,
    net: Sequence[float],
    plan: Rates,
    into: str,
    discount: float,
    *,
    volatility: float | None,
    forward: Floats | None,
) -> Exposure:
    """Return the exposure to one currency.

    Parameters
    ----------
    net
        Of shape (quarter,), in the currency.
    volatility
        Of the currency to ``into``, per year; ``None`` where not known.
    forward
        Units of the currency per unit of ``into`` one can lock in today, by quarter; ``None`` where none is known.
    """
    flows = np.asarray(net, float)
    home = plan.convert(flows, currency, into)
    years = (np.arange(len(flows)) + 0.5) / 4
    swing = None if volatility is None else abs(present_value(discount, home * np.sqrt(years))) * volatility
    hedge = None if forward is None else present_value(discount, flows / forward - home)
    return Exposure(currency, tuple(map(float, flows)), present_value(discount, home), swing, hedge)
