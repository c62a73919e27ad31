"""Reads scenario files: YAML in, a checked scenario out, every error with file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.errors import ScenarioError, nearest, unknown

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.schema import Scenario

LARGEST_BYTES = 2_000_000
LARGEST_NODES = 50_000
Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """Something wrong in a file: where, as a path of keys, and what."""

    where: Location
    what: str


def bundled() -> list[str]:
    """Return the names of the scenarios that come with the package."""
    folder = resources.files("outlay.scenario").joinpath("bundled")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def bundled_text(name: str) -> str:
    """Return the text of a bundled scenario."""
    return resources.files("outlay.scenario").joinpath(f"bundled/{name}.yaml").read_text(encoding="utf-8")


def load_scenario(name_or_path: str | Path, catalog: Catalog | None = None) -> Scenario:
    """Load a bundled scenario by name, or a file by path.

    Parameters
    ----------
    catalog
        The catalogue names are looked up in; by default the bundled one, with the scenario's own records over it.

    Raises
    ------
    ScenarioError
        Names file, line and column, the value, what was expected, and the nearest valid name; where several things are
        wrong, each has a line.
    """
    if str(name_or_path) in bundled():
        return read_scenario(bundled_text(str(name_or_path)), f"{name_or_path}.yaml", catalog=catalog)
    path = Path(name_or_path)
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            msg = f"{size:,} bytes; a scenario file has at most {LARGEST_BYTES:,}"
            raise ScenarioError(msg, path=str(path))
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        close = nearest(str(name_or_path), bundled())
        hint = f"nearest bundled scenario: {close[0]}" if close else f"bundled scenarios: {', '.join(bundled())}"
        msg = f"no such scenario file; {hint}"
        raise ScenarioError(msg, path=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot be read as text: {error}"
        raise ScenarioError(msg, path=str(path)) from None
    return read_scenario(text, str(path), catalog=catalog)


def read_scenario(text: str, name: str, *, catalog: Catalog | None = None) -> Scenario:
    """Read a scenario from YAML text; ``name`` is how errors call it."""
    from pydantic import ValidationError

    from outlay.scenario.check import check
    from outlay.scenario.schema import Scenario

    tree = _parse(text, name)
    try:
        scenario = Scenario.model_validate(_plain(tree, name))
    except ValidationError as error:
        _refuse(tree, name, _problems(error.errors(), tree))
        raise
    if scenario.catalog is not None:
        beside = Path(name).parent / scenario.catalog
        if not beside.is_file():
            _refuse(tree, name, [Problem(("catalog",), f"no such catalogue file: {beside}")])
        scenario = scenario.model_copy(update={"catalog": str(beside)})
    _refuse(tree, name, check(scenario, catalog))
    return scenario


def _parse(text: str, name: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        words = str(error.problem).split(" with value")[0].replace("found duplicate key", "duplicate key")
        msg = f"{words}: each field is given once"
        raise ScenarioError(msg, path=name, line=mark.line + 1, column=mark.column + 1) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        msg = f"not YAML: {what}"
        raise ScenarioError(msg, path=name, line=line, column=column) from None
    if tree is None:
        msg = "empty; `outlay init` writes a scenario to start from"
        raise ScenarioError(msg, path=name)
    if not isinstance(tree, dict):
        msg = "expected fields such as `name:` and `budgets:`; `outlay init` writes a scenario to start from"
        raise ScenarioError(msg, path=name, line=1, column=1)
    return tree


def _plain(tree: Any, name: str) -> Any:
    """Return the tree as plain dicts and lists; refuse one that anchors and aliases blow up."""
    count = 0

    def walk(node: Any, depth: int) -> Any:
        nonlocal count
        count += 1
        if count > LARGEST_NODES or depth > 30:
            msg = f"too large: more than {LARGEST_NODES:,} values, or nested deeper than 30"
            raise ScenarioError(msg, path=name)
        if isinstance(node, Mapping):
            return {key: walk(value, depth + 1) for key, value in node.items()}
        if isinstance(node, Sequence) and not isinstance(node, str):
            return [walk(value, depth + 1) for value in node]
        return node

    return walk(tree, 0)


def _problems(errors: Sequence[Any], tree: Any) -> list[Problem]:
    """Turn the validator's errors into our words, one for each value that is wrong."""
    found: dict[Location, Problem] = {}
    meant = [error for error in errors if not _other_reading(error["loc"], tree)]
    for error in meant or errors:
        where, inner = _locate(error["loc"], tree)
        value = _get(tree, where)
        found.setdefault((*where, inner), Problem(where, _words(error, where, inner, value)))
    return list(found.values())


def _other_reading(loc: Sequence[Any], tree: Any) -> bool:
    """Return whether an error is of the reading not meant: one value where quarters are given, or the reverse."""
    where, _ = _locate(loc, tree)
    reading = "function-plain" if isinstance(_get(tree, where), Mapping) else "dict["
    return any(str(part).startswith(reading) for part in loc)


def _locate(loc: Sequence[Any], tree: Any) -> tuple[Location, str]:
    """Return the part of the validator's location that is in the file, and the field asked for below it."""
    where: list[str | int] = []
    node = tree
    inner = ""
    for part in loc:
        if _has(node, part):
            node = node[part]
            where.append(part)
        else:
            inner = str(part)
    return tuple(where), inner


def _has(node: Any, part: Any) -> bool:
    if isinstance(node, list):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, dict) and part in node


def _words(error: Any, where: Location, inner: str, value: Any) -> str:
    kind, name = error["type"], dotted(where)
    if kind == "missing":
        return f"{dotted((*where, inner))} is missing"
    if kind == "extra_forbidden":
        return f"{name}: {unknown('field', str(where[-1]), _fields_of(where[:-1]))}"
    if kind == "value_error":
        return f"{name}: {error['ctx']['error']}"
    if kind in {"literal_error", "enum"}:
        expected = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{name}: {unknown('value', str(value), expected, see='expected one of ' + ', '.join(expected))}"
    said = (
        error["msg"].replace("Input should be", "expected").replace("String should match pattern", "expected text like")
    )
    return f"{name}: got {_short(value)}; {said[0].lower()}{said[1:]}"


def _fields_of(where: Location) -> list[str]:
    """Return the fields of the block at a place of the schema."""
    from pydantic import BaseModel

    from outlay.scenario.schema import Scenario

    model: type[BaseModel] = Scenario
    for part in where:
        if isinstance(part, str) and part in model.model_fields:
            inside = _model_in(model.model_fields[part].annotation)
            if inside is None:
                return []
            model = inside
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    from typing import get_args

    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def dotted(where: Location) -> str:
    """Return a place as people write it.

    Examples
    --------
    >>> dotted(("budgets", 0, "amount"))
    'budgets[0].amount'
    """
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def _get(tree: Any, where: Location) -> Any:
    for part in where:
        tree = tree[part]
    return tree


def _place(tree: Any, where: Location) -> tuple[int, int]:
    """Return 1-based line and column of a value, or of the nearest block around it."""
    line, column = 0, 0
    node: Any = tree
    for part in where:
        if not _has(node, part):
            break
        marks = getattr(node, "lc")  # noqa: B009  round-trip nodes carry their place, their base types do not
        if isinstance(node, list):
            line, column = marks.item(part)
        else:
            line, column = marks.value(part) if _scalar(node[part]) else marks.key(part)
        node = node[part]
    return line + 1, column + 1


def _scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _refuse(tree: Any, name: str, problems: Sequence[Problem]) -> None:
    """Raise one error for everything that is wrong, the first in the file first."""
    if not problems:
        return
    placed = sorted((_place(tree, problem.where), problem.what) for problem in problems)
    (line, column), first = placed[0]
    more = [f"{name}:{row}:{col}: {what}" for (row, col), what in placed[1:]]
    raise ScenarioError("\n".join([first, *more]), path=name, line=line, column=column)
