"""YAML text into plain values that know their line and column; refuses text built to be slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlay.errors import ScenarioError

LARGEST_NODES = 20_000
DEEPEST = 30
TOO_LARGE = f"too large: more than {LARGEST_NODES:,} values, or nested deeper than {DEEPEST}"
REFUSED = "refused"
Location = tuple[str | int, ...]


def parse(text: str, name: str) -> Any:
    """Return the tree of a YAML text whose nodes carry their place; ``name`` is how errors call the text.

    Raises
    ------
    ScenarioError
        If the text is not YAML, is empty, is no set of fields, gives one twice, or is too large or too deep.
    """
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        tree = _yaml().load(text)
    except DuplicateKeyError as error:
        words = str(error.problem).split(" with value")[0].replace("found duplicate key", "duplicate key")
        raise _at(error.problem_mark, f"{words}: each field is given once", name) from None
    except MarkedYAMLError as error:
        what = str(error.problem or error.context or "cannot be read")
        what = what if error.context == REFUSED else f"not YAML: {what}"
        raise _at(error.problem_mark or error.context_mark, what, name) from None
    except ReaderError as error:
        before = text[: error.position]
        msg = f"not YAML: a character that is not allowed, U+{error.character:04X}"
        row, column = before.count("\n") + 1, error.position - before.rfind("\n")
        raise ScenarioError(msg, path=name, line=row, column=column) from None
    if tree is None:
        msg = "empty; `outlay init` writes a scenario to start from"
        raise ScenarioError(msg, path=name)
    if not isinstance(tree, dict):
        msg = "expected fields such as `name:` and `budgets:`; `outlay init` writes a scenario to start from"
        raise ScenarioError(msg, path=name, line=1, column=1)
    return tree


def _at(mark: Any, msg: str, name: str) -> ScenarioError:
    line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
    return ScenarioError(msg, path=name, line=line, column=column)


def _yaml() -> Any:
    """Return a reader that keeps places, leaves dates as text, and refuses tags and what is too large or too deep."""
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import Composer
    from ruamel.yaml.constructor import RoundTripConstructor

    class Bounded(Composer):
        warn_double_anchors = False

        def __init__(self, loader: Any = None) -> None:
            super().__init__(loader=loader)
            self.nodes = 0
            self.level = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.parser.peek_event()
            self.nodes += 1
            self.level += 1
            if self.nodes > LARGEST_NODES or self.level > DEEPEST:
                raise _refused(TOO_LARGE, event.start_mark)
            if getattr(event, "ctag", None) is not None:
                msg = f"a tag such as {event.ctag} has no meaning here; give the plain value"
                raise _refused(msg, event.start_mark)
            node = super().compose_node(parent, index)
            self.level -= 1
            return node

    class Plain(RoundTripConstructor):
        def construct_yaml_timestamp(self, node: Any, values: Any = None) -> Any:
            return node.value

        def construct_yaml_int(self, node: Any) -> Any:
            try:
                return super().construct_yaml_int(node)
            except ValueError:
                msg = "a number with too many digits"
                raise _refused(msg, node.start_mark) from None

    Plain.add_constructor("tag:yaml.org,2002:timestamp", Plain.construct_yaml_timestamp)
    Plain.add_constructor("tag:yaml.org,2002:int", Plain.construct_yaml_int)
    reader = YAML(typ="rt")
    reader.preserve_quotes = True
    reader.Composer, reader.Constructor = Bounded, Plain
    return reader


def _refused(what: str, mark: Any) -> Exception:
    """Return the error for text that is YAML and yet not taken."""
    from ruamel.yaml.composer import ComposerError

    return ComposerError(REFUSED, None, what, mark)


def plain(tree: Any, name: str) -> Any:
    """Return the tree as plain dicts and lists; refuse one that anchors and aliases blow up."""
    count = 0

    def walk(node: Any, depth: int) -> Any:
        nonlocal count
        count += 1
        if count > LARGEST_NODES or depth > DEEPEST:
            raise ScenarioError(TOO_LARGE, path=name)
        if isinstance(node, Mapping):
            return {key: walk(value, depth + 1) for key, value in node.items()}
        if isinstance(node, Sequence) and not isinstance(node, str):
            return [walk(value, depth + 1) for value in node]
        return node

    return walk(tree, 0)


def has(node: Any, part: Any) -> bool:
    """Return whether a part of a location leads on from a node."""
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict) and part in node


def at(tree: Any, where: Location) -> Any:
    """Return the value at a location."""
    for part in where:
        tree = tree[part]
    return tree


def place(tree: Any, where: Location) -> tuple[int, int]:
    """Return 1-based line and column of a value, or of the nearest block around it."""
    line, column = 0, 0
    node: Any = tree
    for part in where:
        if not has(node, part):
            break
        marks = getattr(node, "lc")  # noqa: B009  round-trip nodes carry their place, their base types do not
        if isinstance(node, list):
            line, column = marks.item(part)
        elif part in (marks.data or {}):  # a value merged in from an anchor has no place of its own
            line, column = marks.key(part) if isinstance(node[part], dict | list) else marks.value(part)
        node = node[part]
    return line + 1, column + 1


def dotted(where: Location) -> str:
    """Return a location as people write it.

    Examples
    --------
    >>> dotted(("budgets", 0, "amount"))
    'budgets[0].amount'
    """
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"
