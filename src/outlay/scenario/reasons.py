"""What is assumed must say why: a check that every block of a scenario with evidence shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from outlay.errors import unknown

if TYPE_CHECKING:
    from outlay.scenario.tree import Location


def unreasoned(blocks: Iterable[tuple[Location, Any]]) -> Iterator[tuple[Location, str]]:
    """Yield where evidence speaks of a field that is not there, and what is assumed without a reason."""
    for where, block in blocks:
        for field, evidence in block.evidence.items():
            if field != "*" and field not in type(block).model_fields:
                yield (*where, "evidence", field), unknown("field", field, [*type(block).model_fields, "*"])
            if evidence.status == "assumed" and not evidence.reason:
                yield (*where, "evidence", field), f"{field} is assumed; say why under `reason`"
