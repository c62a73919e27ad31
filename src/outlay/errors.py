"""Every error outlay raises on purpose.

::

    OutlayError
    ├── InputError                the user's input is wrong: exit code 2
    │   ├── UnitError             a quantity, an amount of money, a date or a quarter cannot be read
    │   ├── CatalogError          a catalogue record is unknown or malformed
    │   └── ScenarioError         a scenario file is wrong; carries file, line and column
    ├── StoreError                the run store cannot be read or written
    ├── MissingFigureError        a figure the question needs is in no source
    ├── NoFitError                a model fits no strategy on a system: exit code 1
    └── PlanError                 a plan could not be made
        ├── InfeasibleError       the limits cannot hold together: exit code 1
        ├── StoppedError          somebody asked to stop
        ├── SolverError           the solver stopped without an answer it can vouch for
        └── AuditError            a finished plan breaks a limit; a defect of outlay
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class OutlayError(Exception):
    """Root of every error raised on purpose; its text is meant for a person."""


class InputError(OutlayError):
    """The user's input is wrong; the text says what, where, what was expected and the nearest valid choice."""


class UnitError(InputError):
    """A quantity, an amount of money, a date or a quarter cannot be read."""


class CatalogError(InputError):
    """A catalogue record is unknown or malformed."""


class ScenarioError(InputError):
    """A scenario file is wrong.

    Attributes
    ----------
    path, line, column
        Where: the file as the user named it, and 1-based line and column; ``None`` where there is none.
    problems
        Everything that is wrong in it: keys and indices that lead to the value, and what is wrong; empty for a text
        that cannot be read at all.
    """

    problems: tuple[tuple[tuple[str | int, ...], str], ...] = ()

    def __init__(
        self, message: str, *, path: str | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.path, self.line, self.column = path, line, column
        place = ":".join(str(part) for part in (path, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)


class StoreError(OutlayError):
    """The run store cannot be read or written: a full disk, a database that does not answer, a file that is none."""


class MissingFigureError(OutlayError):
    """A figure the question needs is in no source; missing is not zero."""


class NoFitError(OutlayError):
    """A model fits no allowed strategy on a system; the text says which kind of memory overflows and what would fit."""


class PlanError(OutlayError):
    """A plan could not be made."""


class InfeasibleError(PlanError):
    """The limits cannot hold together.

    Attributes
    ----------
    conflict
        The smallest set of limits found that cannot hold together, in words.
    relaxations
        The cheapest ways out, in words, cheapest first.
    """

    def __init__(self, message: str, conflict: Sequence[str] = (), relaxations: Sequence[str] = ()) -> None:
        self.conflict, self.relaxations = tuple(conflict), tuple(relaxations)
        super().__init__(message)


class StoppedError(PlanError):
    """Somebody asked to stop before there was an answer."""


class SolverError(PlanError):
    """The solver stopped without an answer it can vouch for."""


class AuditError(PlanError):
    """A finished plan breaks a limit it was made under; a defect of outlay, never of the user's input."""


def nearest(name: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """Return the candidates that look most like ``name``, best first, ignoring case.

    Examples
    --------
    >>> nearest("h200 sxn", ["H100 SXM", "H200 SXM", "MI300X"], limit=1)
    ['H200 SXM']
    """
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    wanted = name.casefold()
    close = difflib.get_close_matches(wanted, by_folded, n=limit, cutoff=0.5)
    close += [folded for folded in by_folded if wanted and wanted in folded and folded not in close]
    return [by_folded[folded] for folded in close[:limit]]


def unknown(kind: str, name: str, candidates: Iterable[str], *, see: str = "") -> str:
    """Return the message for an unknown name: what, and the nearest valid choices.

    Examples
    --------
    >>> unknown("chip", "H20O", ["H200 SXM", "H20 96GB"])
    "unknown chip 'H20O'; nearest: H200 SXM, H20 96GB"
    """
    close = nearest(name, candidates)
    hint = f"nearest: {', '.join(close)}" if close else "nothing close to it is known"
    return f"unknown {kind} {name!r}; {hint}" + (f" ({see})" if see else "")
