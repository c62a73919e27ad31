"""What a series of cash flows is worth: present value, internal rate of return, payback, cost of capital."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outlay.errors import InputError

Floats = NDArray[np.float64]
LOWEST_RATE, HIGHEST_RATE = -0.99, 1e3
"""Per period; outside them a rate of return says nothing a person could use."""


def checked_rate(rate: float, name: str) -> float:
    """Return a rate per year, or refuse one that would turn money into less than nothing.

    Raises
    ------
    InputError
        If the rate is -100 % or below, or no number.
    """
    if not math.isfinite(rate) or rate <= -1:
        shown = f"{rate:.4g} ({rate:.0%})" if math.isfinite(rate) else f"{rate}"
        msg = f"{name} is {shown} a year; expected a rate above -100%, such as 8%"
        raise InputError(msg)
    return rate


def per_period(annual: float, periods: int = 4, name: str = "rate") -> float:
    """Return the rate of one period that compounds to an annual rate.

    Examples
    --------
    >>> round(per_period(0.10), 6)
    0.024114
    """
    return float((1 + checked_rate(annual, name)) ** (1 / periods) - 1)


def npv(rate: float, values: ArrayLike) -> float:
    """Return the net present value of cash flows one period apart, the first of them now.

    Parameters
    ----------
    rate
        Per period.
    values
        Of shape (period,), money in is positive.

    Examples
    --------
    >>> round(npv(0.08, [-40000, 8000, 9200, 10000, 12000, 14500]), 2)
    1922.06
    """
    import numpy_financial

    return float(numpy_financial.npv(checked_rate(rate, "discount rate"), np.asarray(values, float)))


def irr(values: ArrayLike) -> float | None:
    """Return the internal rate of return per period, or ``None`` where no single rate exists.

    A series that changes its sign more than once can have several rates at which its value is zero; any one of them
    would mislead, so it has none here (Brealey, Myers and Allen, Principles of Corporate Finance, section 5.3).

    Examples
    --------
    >>> round(irr([-70000, 12000, 15000, 18000, 21000, 26000]), 4)
    0.0866
    >>> irr([-100, 230, -132]) is None
    True
    """
    import numpy_financial

    flows = np.trim_zeros(np.asarray(values, float))
    signs = np.sign(flows[flows != 0])
    changes = int((signs[1:] != signs[:-1]).sum())
    if changes == 0:
        return None
    if changes == 1:
        found = float(numpy_financial.irr(flows))
        return found if math.isfinite(found) else None
    roots = all_rates(flows)
    return roots[0] if len(roots) == 1 else None


def all_rates(values: ArrayLike) -> list[float]:
    """Return every rate per period at which a series is worth nothing, the lowest first.

    By bracketing on a grid even in log(1 + rate), from ``LOWEST_RATE`` to ``HIGHEST_RATE``.
    """
    from scipy.optimize import brentq

    flows = np.asarray(values, float)
    powers = np.arange(len(flows))
    grid = np.expm1(np.linspace(math.log1p(LOWEST_RATE), math.log1p(HIGHEST_RATE), 4001))
    worth = (flows * (1 + grid[:, None]) ** -powers).sum(axis=1)
    crossings = np.flatnonzero(np.sign(worth[1:]) != np.sign(worth[:-1]))
    return [
        float(brentq(lambda rate: float((flows * (1 + rate) ** -powers).sum()), grid[i], grid[i + 1]))
        for i in crossings
    ]


def payback(values: ArrayLike) -> float | None:
    """Return the periods until money put in is back for good, or ``None`` where it never is.

    Flows come evenly through their period, so the last period is counted in part. The first flow is at time zero.

    Examples
    --------
    >>> payback([-1000, 400, 400, 400])
    2.5
    """
    flows = np.asarray(values, float)
    total = np.cumsum(flows)
    if not len(total) or total[-1] < 0 or (total >= 0).all():
        return 0.0 if len(total) and (total >= 0).all() else None
    last = int(np.flatnonzero(total < 0)[-1])
    return float(last - total[last] / flows[last + 1])


def cost_of_capital(debt_share: float, cost_of_debt: float, cost_of_equity: float, tax: float = 0.0) -> float:
    """Return the weighted average cost of capital after tax, per year.

    ``WACC = D/V (1 - tax) r_D + E/V r_E`` (Brealey, Myers and Allen, section 19.1).

    Examples
    --------
    >>> round(cost_of_capital(0.4, 0.06, 0.124, 0.35), 4)
    0.09
    """
    for name, share in (("debt share", debt_share), ("tax rate", tax)):
        if not 0 <= share <= 1:
            msg = f"{name} is {share:.4g}; expected a share from 0% to 100%"
            raise InputError(msg)
    debt, equity = checked_rate(cost_of_debt, "cost of debt"), checked_rate(cost_of_equity, "cost of equity")
    return debt_share * (1 - tax) * debt + (1 - debt_share) * equity


def real_rate(nominal: float, inflation: float) -> float:
    """Return a rate with inflation taken out (Fisher): ``(1 + nominal) / (1 + inflation) - 1``.

    Examples
    --------
    >>> round(real_rate(0.10, 0.03), 4)
    0.068
    """
    return (1 + checked_rate(nominal, "nominal rate")) / (1 + checked_rate(inflation, "inflation")) - 1


def deflated(values: ArrayLike, inflation: float, periods: int = 4) -> Floats:
    """Return nominal cash flows in the money of the first day; each flow falls in the middle of its period."""
    flows = np.asarray(values, float)
    when = (np.arange(len(flows)) + 0.5) / periods
    return np.asarray(flows * (1 + checked_rate(inflation, "inflation")) ** -when, dtype=np.float64)


def discount_factors(annual: float, length: int, periods: int = 4) -> Floats:
    """Return the present value of one unit of money in the middle of each period, counted from the first day."""
    when = (np.arange(length) + 0.5) / periods
    return np.asarray((1 + checked_rate(annual, "discount rate")) ** -when, dtype=np.float64)


def present_value(annual: float, values: Sequence[float] | Floats, periods: int = 4) -> float:
    """Return the value on the first day of flows that fall in the middle of their periods."""
    rate = per_period(annual, periods, "discount rate")
    return npv(rate, values) * (1 + rate) ** -0.5 if len(values) else 0.0
