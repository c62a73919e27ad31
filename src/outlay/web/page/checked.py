"""A scenario's text looked over: what it says, and everything that is wrong with it by line and by field."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlay.errors import ScenarioError
from outlay.scenario.load import LARGEST_BYTES, scenario_of
from outlay.scenario.tree import Location, dotted, parse, place, plain

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.schema import Scenario

NAME = "scenario.yaml"


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong: where, in which line (``None`` where there is none), and what."""

    where: Location
    line: int | None
    what: str


@dataclass(frozen=True)
class Checked:
    """A text looked over.

    Attributes
    ----------
    tree, values
        The tree with its places, and plain values; ``None`` where the text is no YAML.
    scenario
        Where nothing is wrong.
    """

    text: str
    tree: Any = None
    values: dict[str, Any] | None = None
    scenario: Scenario | None = None
    troubles: tuple[Trouble, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether the text is YAML with fields."""
        return self.values is not None

    def at(self, where: Location) -> list[str]:
        """Return what is wrong at a field: messages that speak of it, or that it is missing."""
        name = dotted(where)
        return [one.what for one in self.troubles if one.where == where or one.what.startswith(f"{name} is missing")]

    def below(self, where: Location) -> int:
        """Return how many things are wrong in a block."""
        name = dotted(where)
        return sum(
            1
            for one in self.troubles
            if one.where[: len(where)] == where or one.what.startswith((f"{name}.", f"{name}[", f"{name} is missing"))
        )


@functools.cache
def _catalog() -> Catalog:
    from outlay.catalog import Catalog

    return Catalog.load()


def look_over(text: str) -> Checked:
    """Read a scenario's text and say everything that is wrong; takes a few tenths of a second for a long one."""
    if len(text.encode()) > LARGEST_BYTES:
        return Checked(text, troubles=(Trouble((), None, f"a scenario file has at most {LARGEST_BYTES:,} bytes"),))
    try:
        tree = parse(text, NAME)
        values = plain(tree, NAME)
    except ScenarioError as error:
        return Checked(text, troubles=(Trouble((), error.line, _bare(error)),))
    try:
        scenario = scenario_of(tree, NAME, catalog=_catalog(), files=False)
    except ScenarioError as error:
        troubles = [Trouble(where, place(tree, where)[0], what) for where, what in error.problems]
        troubles = troubles or [Trouble((), error.line, _bare(error))]
        return Checked(text, tree, values, troubles=tuple(sorted(troubles, key=lambda one: one.line or 0)))
    return Checked(text, tree, values, scenario)


def _bare(error: ScenarioError) -> str:
    """Return the message without the name of the file, which the page gave it itself."""
    place = ":".join(str(part) for part in (error.path, error.line, error.column) if part is not None)
    return str(error).removeprefix(f"{place}: ")
