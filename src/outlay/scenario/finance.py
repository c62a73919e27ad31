"""What a scenario says of money beyond prices: contracts, loans, cost of capital, currencies over time, upkeep.

``schema.py`` ends by importing this module, since both use its types; import it through there.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, WrapValidator

from outlay.errors import UnitError
from outlay.scenario.schema import (
    Amount,
    Currency,
    ExchangeRate,
    Factor,
    Name,
    PriceOfChipHour,
    QuarterText,
    Share,
    _quarters_once,
    _Sourced,
    _Text,
)
from outlay.units import quantity

ContractKind = Literal["purchase", "finance lease", "on demand", "1 year", "3 years", "prepaid"]


def _rate(text: Any) -> float:
    value = quantity(text, "")
    if not math.isfinite(value) or value <= -1:
        msg = f"{text!r} is not a rate a year; expected one above -100%, such as 4.3%"
        raise UnitError(msg)
    return value


Rate = Annotated[float, _Text(_rate, "4.3%", "A rate a year, above -100%.")]


class Contract(_Sourced):
    """A way to have machines that the plan may choose."""

    kind: ContractKind
    chips: list[str] = Field(default_factory=list, description="Chips by name; all when empty.")
    sites: list[str] = Field(default_factory=list, description="Sites by name; all when empty.")
    price: PriceOfChipHour | None = Field(
        default=None, description="Rent of a chip, for contracts that rent; the catalogue's for that term by default."
    )
    rate: Rate | None = Field(default=None, description="Interest of a finance lease; the table's by default.")
    term_quarters: int | None = Field(
        default=None, strict=True, ge=1, le=40, description="Term of a finance lease or of prepaid capacity."
    )
    off: Share | None = Field(default=None, description="Share off the rent for paying ahead; the table's by default.")
    rest: Literal["pay", "hand over"] | None = Field(
        default=None,
        description="What becomes of a term that runs on after the horizon: pay for it all the same, or hand it over.",
    )


class Loan(_Sourced):
    """A loan that adds to a budget as it is drawn."""

    name: Name
    amount: Amount
    budget: str = Field(description="The budget it adds to.")
    base_rate: Rate = Field(description="Reference rate, such as SOFR or the loan prime rate.")
    margin: Rate = Field(description="On top of the reference rate.")
    tenor_quarters: int = Field(strict=True, ge=1, le=200, description="From the first quarter planned to the end.")
    grace_quarters: int = Field(default=0, strict=True, ge=0, description="Interest only, and draws may come.")
    amortisation: Literal["annuity", "straight", "bullet"] = "annuity"
    upfront_fee: Share = Field(default=0.0, description="Of the facility, when signed.")
    commitment_fee: Share = Field(default=0.0, description="A year, on what is not drawn while draws may come.")
    share_of_cost: Share = Field(default=1.0, description="Most it lends of what its budget pays in a quarter.")
    coverage: Factor | None = Field(
        default=None, description="Least debt service cover ratio; the plan reports quarters that break it."
    )
    service_from: str | None = Field(
        default=None, description="Budget that pays interest, repayments and fees; income does by default."
    )


class CostOfCapital(_Sourced):
    """Weighted cost of capital after tax, in place of `objective.discount_rate`."""

    debt_share: Share
    cost_of_debt: Rate
    cost_of_equity: Rate
    tax: Share = 0.0


class Currencies(_Sourced):
    """How exchange rates go on from those of the first day."""

    interest: dict[Currency, Rate] = Field(
        default_factory=dict, description="Interest by currency: rates then follow interest parity to the US dollar."
    )
    history: bool = Field(
        default=False, strict=True, description="Take the table's monthly rates where it has them, also later ones."
    )
    path: dict[Currency, Annotated[dict[QuarterText, ExchangeRate], WrapValidator(_quarters_once)]] = Field(
        default_factory=dict, description="Units per US dollar from given quarters on, in place of parity."
    )


class Finance(_Sourced):
    """Money beyond prices."""

    upkeep: bool = Field(
        default=True,
        description="Count network, storage, spares, freight, maintenance, staff and insurance of machines bought.",
    )
    terms: dict[str, float] = Field(
        default_factory=dict, description="Terms of owning in place of the table's, such as {network: 0.12}."
    )
    contracts: list[Contract] = Field(
        default_factory=list, description="Ways to have machines; plain purchases and leases when empty."
    )
    loans: list[Loan] = Field(default_factory=list)
    cost_of_capital: CostOfCapital | None = None
    inflation: Rate = 0.0
    price_path: Rate | None = Field(default=None, description="Yearly change of the prices of machines ordered later.")
    passed_on: Share = Field(
        default=1.0, description="What the buyer bears of tariffs and revenue shares the rules put on machines bought."
    )
    currencies: Currencies = Field(default_factory=Currencies)
