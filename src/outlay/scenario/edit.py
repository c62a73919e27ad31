"""Changes one value of a scenario's YAML and leaves everything else, comments and layout, as it stands."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from outlay.errors import InputError
from outlay.scenario.tree import Location, at, has, parse

NAME = "scenario"
UNREADABLE = object()
"""Stands for what YAML cannot read as a value."""


def with_value(text: str, where: Location, value: Any, tree: Any = None) -> str:
    """Return the text with another value at a place; blocks on the way that are missing are made.

    Parameters
    ----------
    value
        Text as a person writes it, read as YAML reads it; or a bool, a list or a table.
    tree
        What :func:`outlay.scenario.tree.parse` gives for the text, where it is at hand.

    Raises
    ------
    ScenarioError
        If the text cannot be read.
    """
    tree = parse(text, NAME) if tree is None else tree
    if isinstance(value, str) and _is_scalar(tree, where):
        replaced = _in_place(text, tree, where, value)
        if replaced is not None:
            return replaced
    node = tree
    for part, following in itertools.pairwise(where):
        if not has(node, part):
            node[part] = [] if isinstance(following, int) else {}
        node = node[part]
    node[where[-1]] = _node(value)
    return dump(tree, text)


def without(text: str, where: Location) -> str:
    """Return the text without a field or an item of a list; blocks left empty go too, lists stay.

    Raises
    ------
    ScenarioError
        If the text cannot be read.
    """
    tree = parse(text, NAME)
    if not _there(tree, where):
        return text
    del at(tree, where[:-1])[where[-1]]
    for end in range(len(where) - 1, 0, -1):
        block = at(tree, where[:end])
        if block or not isinstance(where[end - 1], str) or not isinstance(block, Mapping):
            break
        del at(tree, where[: end - 1])[where[end - 1]]
    return dump(tree, text)


def with_item(text: str, where: Location, value: Any) -> str:
    """Return the text with one more item at the end of a list.

    Raises
    ------
    ScenarioError
        If the text cannot be read.
    InputError
        If there is no list at the place.
    """
    tree = parse(text, NAME)
    if not _there(tree, where):
        return with_value(text, where, [value], tree)
    items = at(tree, where)
    if not isinstance(items, list):
        msg = f"{where[-1]} is not a list"
        raise InputError(msg)
    if not items:
        return with_value(text, where, [value], tree)
    items.append(_node(value))
    return dump(tree, text)


def dump(tree: Any, like: str) -> str:
    """Return a tree as YAML, indented as another text is."""
    from ruamel.yaml import YAML

    for node in _nodes(tree):
        anchor = node.yaml_anchor() if hasattr(node, "yaml_anchor") else None
        if anchor is not None:
            anchor.always_dump = True
    writer = YAML(typ="rt")
    writer.preserve_quotes = True
    writer.width = 10**6
    offset = _dash_offset(like)
    writer.indent(mapping=2, sequence=2 + offset, offset=offset)
    _keep_days_plain(writer)
    out = io.StringIO()
    writer.dump(tree, out)
    return out.getvalue()


def _keep_days_plain(writer: Any) -> None:
    """Write days as they were read, as text without quotes: the reader of scenarios takes them so."""

    def scalar(representer: Any, text: str) -> Any:
        day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)
        tag = "tag:yaml.org,2002:timestamp" if day else "tag:yaml.org,2002:str"
        return representer.represent_scalar(tag, text)

    class Plain(writer.Representer):  # type: ignore[misc]  # the class is only known at run time
        pass

    Plain.add_representer(str, scalar)
    writer.Representer = Plain


def _dash_offset(text: str) -> int:
    """Return how far the dashes of lists stand in from their key, as the first list of a text has it."""
    found = re.search(r"^( *)[^\s#-][^\n#]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", text, re.MULTILINE)
    return 2 if found is None else max(0, len(found[2]) - len(found[1]))


def _nodes(node: Any) -> list[Any]:
    found, waiting, seen = [], [node], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        found.append(one)
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, Sequence) and not isinstance(one, str):
            waiting += one
    return found


def _there(tree: Any, where: Location) -> bool:
    node = tree
    for part in where:
        if not has(node, part):
            return False
        node = node[part]
    return True


def _is_scalar(tree: Any, where: Location) -> bool:
    return _there(tree, where) and not isinstance(at(tree, where), Mapping | list)


def _in_place(text: str, tree: Any, where: Location, value: str) -> str | None:
    """Return the text with a scalar on one line replaced where it stands; ``None`` where that cannot be done safely."""
    parent = at(tree, where[:-1])
    marks = getattr(parent, "lc", None)
    if marks is None or (isinstance(parent, Mapping) and where[-1] not in (marks.data or {})):
        return None
    row, column = marks.item(where[-1]) if isinstance(parent, list) else marks.value(where[-1])
    lines = text.splitlines(keepends=True)
    if row >= len(lines):
        return None
    line = lines[row]
    flow = parent.fa.flow_style() is True
    end = _scalar_end(line, column, flow=flow)
    if end is None or not _reads_as(line[column:end], at(tree, where)):
        return None
    written = _written(value, flow=flow)
    if written is None:
        return None
    lines[row] = line[:column] + written + line[end:]
    return "".join(lines)


def _scalar_end(line: str, start: int, *, flow: bool) -> int | None:
    """Return where a scalar ends that begins in a line; ``None`` for anchors, blocks and what goes on below."""
    rest = line[start:]
    if not rest or rest[0] in "&*|>!{[\n":
        return None
    if rest[0] in "\"'":
        found = re.match(r'"(?:[^"\\]|\\.)*"' if rest[0] == '"' else r"'(?:[^']|'')*'", rest)
        return start + found.end() if found else None
    found = re.match(r"[^,\[\]{}\n]*?(?=\s*(?:[,\]}]|\s#|$))" if flow else r"[^\n]*?(?=\s*(?:\s#|$))", rest)
    return start + found.end() if found and found.end() else None


def _reads_as(written: str, value: Any) -> bool:
    """Return whether a piece of text is the whole scalar that was read: it may go on in the next line."""
    read = _read(written)
    return read is not UNREADABLE and str(read) == str(value)


def _written(value: str, *, flow: bool) -> str | None:
    """Return a value as it stands in a line: as typed where YAML reads it so, else in quotes."""
    if "\n" in value:
        return None
    plain = value.strip()
    special = any(mark in plain for mark in ",[]{}") if flow else plain[:1] in {"[", "{"}
    read = _read(plain)
    if not plain or special or read is UNREADABLE or isinstance(read, Mapping | list) or not _same(read, plain):
        return "'" + plain.replace("'", "''") + "'"
    return plain


def _read(written: str) -> Any:
    """Return what YAML reads a piece of text as behind a key; ``UNREADABLE`` where it is no value there."""
    try:
        return parse(f"a: {written}\n", NAME).get("a", UNREADABLE)
    except InputError:
        return UNREADABLE


def _same(read: Any, plain: str) -> bool:
    """Return whether a scalar reads as what was typed, no comment or anchor lost."""
    return not isinstance(read, str) or read == plain


def _node(value: Any) -> Any:
    """Return a value as a node: text is read as YAML reads it, lists and small tables stand on one line."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, str):
        read = _read(value)
        if read is None or read is UNREADABLE or isinstance(read, Mapping | list) or not _same(read, value):
            return value
        return read
    if isinstance(value, Mapping):
        made = CommentedMap({key: _node(item) for key, item in value.items()})
        if all(re.fullmatch(r"\d{4}Q[1-4]", str(key)) for key in made):
            made.fa.set_flow_style()
        return made
    if isinstance(value, list):
        items = CommentedSeq([_node(item) for item in value])
        if not any(isinstance(item, Mapping | list) for item in value):
            items.fa.set_flow_style()
        return items
    return value
