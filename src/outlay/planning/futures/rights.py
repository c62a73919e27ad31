"""Which answers to what happens a plan may count on, and what each costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outlay.scenario.schema import Futures


@dataclass(frozen=True)
class Rights:
    """Which answers there are, and what they cost; ``None`` where there is none of a kind.

    Attributes
    ----------
    reserve
        Share of the price of today paid ahead for the right to order at that price; it counts towards the price.
    hold
        Quarters a reservation may be called in after its own.
    cancel
        Share of its price that an order costs which is cancelled before it arrives, that quarter included.
    resell
        Share below what a machine is worth by then that a buyer pays.
    move
        Cost of moving a machine to another site, over its price of today.
    still
        Quarters a machine that is moved stands still.
    """

    reserve: float | None = None
    hold: int = 0
    cancel: float | None = None
    resell: float | None = None
    move: float | None = None
    still: int = 0


NONE = Rights()


def rights_of(futures: Futures) -> Rights:
    """Return the answers a scenario's futures allow."""
    return Rights(
        reserve=futures.reserve.fee if futures.reserve else None,
        hold=futures.reserve.hold_quarters if futures.reserve else 0,
        cancel=futures.cancel.fee if futures.cancel else None,
        resell=futures.resell.discount if futures.resell else None,
        move=futures.move.cost if futures.move else None,
        still=futures.move.still_quarters if futures.move else 0,
    )
