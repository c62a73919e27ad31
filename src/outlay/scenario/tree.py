"""YAML text into plain values that know their line and column; refuses text built to be slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlay.errors import ScenarioError

LARGEST_NODES = 20_000
DEEPEST = 30
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
    except _RefusedError as error:
        raise _at(error.problem_mark, str(error.problem), name) from None
    except MarkedYAMLError as error:
        what = str(error.problem or error.context or "cannot be read")
        raise _at(error.problem_mark or error.context_mark, f"not YAML: {what}", name) from None
    except ReaderError as error:
        before = text[: error.position]
        msg = f"not YAML: a character that is not allowed, U+{error.character:04X}"
        place = {"line": before.count("\n") + 1, "column": error.position - before.rfind("\n")}
        raise ScenarioError(msg, path=name, **place) from None
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
