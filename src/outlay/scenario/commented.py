"""YAML whose lines carry a comment: where a value is from stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """A value with the comment of its line."""

    value: Any
    comment: str


def commented(value: Any) -> Any:
    """Return plain tables and lists as YAML nodes, each :class:`Line` with its comment at its end."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        made = CommentedMap()
        for key, item in value.items():
            plain = item.value if isinstance(item, Line) else item
            made[key] = _flow(plain) if isinstance(item, Line) else commented(plain)
            if isinstance(item, Line) and item.comment:
                made.yaml_add_eol_comment(f"# {item.comment}", key)
        return made
    if isinstance(value, list):
        return CommentedSeq([commented(item) for item in value])
    return value


def _flow(value: Any) -> Any:
    """Return lists and small tables as they stand on one line, so that a comment can stand beside them."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, list):
        listed = CommentedSeq(value)
        listed.fa.set_flow_style()
        return listed
    if isinstance(value, dict):
        table = CommentedMap({key: _flow(item) for key, item in value.items()})
        table.fa.set_flow_style()
        return table
    return value
