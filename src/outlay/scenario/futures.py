"""What a scenario says may come: events, drifts, and what may be done in answer.

``schema.py`` ends by importing this module, since both use its types; import it through there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WrapValidator

from outlay.scenario.schema import (
    Day,
    Factor,
    QuarterText,
    Selection,
    Share,
    _Block,
    _quarters_once,
    _Sourced,
)


class Effect(_Block):
    """What an event does, from the quarter it takes effect in."""

    where: Selection = Field(default_factory=Selection, description="Which machines it bears on.")
    mode: Literal["buy", "lease", "both"] = "both"
    services: list[str] = Field(default_factory=list, description="Services by name, for demand; all when empty.")
    closes: bool = Field(default=False, strict=True, description="Machines that arrive from then on are not delivered.")
    opens: bool = Field(
        default=False, strict=True, description="Orders from then on are delivered, whatever was known."
    )
    price: Factor | None = Field(default=None, description="Price over the price known now.")
    supply: Share | None = Field(default=None, description="Part of each order that is delivered.")
    delay_quarters: int = Field(default=0, strict=True, ge=0, le=12)
    demand: Factor | None = Field(default=None, description="Demand over the demand planned with.")
    power: Share | None = Field(default=None, description="Part of the power planned with that the sites have.")


class Event(_Sourced):
    """Something that may happen: whether, when, and what it does."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = ""
    happens: Share | None = Field(default=None, description="Probability that it happens at all.")
    when: Annotated[dict[QuarterText, Share], WrapValidator(_quarters_once)] | None = Field(
        default=None, description="If it happens, the probability of each quarter; they sum to 100%."
    )
    since: Day | None = Field(default=None, description="Day from which such events have been watched for.")
    history: list[Day] = Field(
        default_factory=list,
        description="Days of such events; those up to the knowledge date give the rate per quarter.",
    )
    after: str | None = Field(default=None, description="It can happen only once this event has, and then undoes it.")
    notice_quarters: int = Field(default=0, strict=True, ge=0, le=12, description="Quarters before, that it is known.")
    effects: list[Effect] = Field(min_length=1)


class Drift(_Sourced):
    """A figure that moves: its factor at the end of the horizon, lognormal, spreading with the root of time."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    of: Literal["demand", "price", "supply"]
    where: Selection = Field(default_factory=Selection)
    services: list[str] = Field(default_factory=list)
    low: Factor = Field(description="Factor that is undercut with a probability of 10%.")
    high: Factor = Field(description="Factor that is exceeded with a probability of 10%.")


class Reserve(_Sourced):
    """The right to order later at the price of today, for a part of that price paid ahead."""

    fee: Share = Field(default=0.1, description="Part of the price paid ahead; it counts towards it when called.")
    hold_quarters: int = Field(default=4, strict=True, ge=1, le=12, description="Longest it may be held.")


class Cancel(_Sourced):
    """Orders that have not arrived may be given back."""

    fee: Share = Field(default=0.1, description="Part of the price that is lost.")


class Resell(_Sourced):
    """Machines bought may be sold."""

    discount: Share = Field(default=0.3, description="Below what they are worth by then.")


class Move(_Sourced):
    """Machines bought may go to another site that buys the same system."""

    cost: Share = Field(default=0.05, description="Of the price of today.")
    still_quarters: int = Field(default=1, strict=True, ge=0, le=4, description="Quarters they stand still.")


class Futures(_Sourced):
    """What may come: events and drifts, from which the futures are made, and what may be done in answer."""

    events: list[Event] = Field(default_factory=list)
    drifts: list[Drift] = Field(default_factory=list)
    branches: int = Field(
        default=24, strict=True, ge=1, le=2000, description="Courses of events kept; others are merged."
    )
    draws: int = Field(
        default=4, strict=True, ge=1, le=4096, description="Draws of the drifts for each course of events."
    )
    seed: int = Field(default=1, strict=True, ge=0)
    reserve: Reserve | None = None
    cancel: Cancel | None = None
    resell: Resell | None = None
    move: Move | None = None
    refund: Share = Field(default=0.9, description="Part of the price that comes back for what is not delivered.")
    waiver: Share = Field(
        default=0.1, description="Price of missing an exact share or a least spending, over the amount missed."
    )
