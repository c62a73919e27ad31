"""The divestiture deadline that hung over the plan: as it stood on a day, and by how much it has slipped."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date

from outlay.policy import sources as at
from outlay.policy.rule import Citation

SETTLED = date(2026, 1, 22)
"""The day the joint venture was established."""


@dataclass(frozen=True)
class Slip:
    """A day on which the deadline was set to another one.

    Attributes
    ----------
    announced, until
        When it was said, and the deadline from then on.
    """

    announced: date
    until: date
    citation: Citation


@dataclass(frozen=True)
class Deadline:
    """The deadline as known on a day; ``until`` is ``None`` once the divestiture is done.

    ``slips_days`` are the days by which each move so far put it off, counted from the deadline it moved, or from the
    order itself where that had passed: the history a planner can draw the next from.
    """

    until: date | None
    slips_days: tuple[int, ...]
    history: tuple[Slip, ...]


SLIPS = (
    Slip(date(2024, 4, 24), date(2025, 1, 19), at.PAFACA),
    Slip(date(2025, 1, 20), date(2025, 4, 5), at.PAFACA),
    Slip(date(2025, 4, 4), date(2025, 6, 19), at.PAFACA),
    Slip(date(2025, 6, 19), date(2025, 9, 17), at.EO_14258),
    Slip(date(2025, 9, 16), date(2025, 12, 16), at.EO_14350),
    Slip(date(2025, 9, 25), date(2026, 1, 23), at.EO_OF_SEPTEMBER),
)


def deadline(known_on: date) -> Deadline:
    """Return the deadline as it stood on a day.

    Examples
    --------
    >>> found = deadline(date(2025, 1, 22))
    >>> found.until, found.slips_days
    (datetime.date(2025, 4, 5), (75,))
    """
    history = tuple(slip for slip in SLIPS if slip.announced <= known_on)
    slips = tuple((new.until - max(old.until, new.announced)).days for old, new in itertools.pairwise(history))
    until = history[-1].until if history and known_on < SETTLED else None
    return Deadline(until, slips, history)
