"""Reads scenario files: YAML in, a checked scenario out, every error with file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.errors import ScenarioError, nearest, unknown
from outlay.scenario.tree import Location, at, dotted, has, parse, place, plain

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.scenario.schema import Scenario

LARGEST_BYTES = 500_000


FORMAT = 1
"""Version of the file format."""
MOST_PROBLEMS = 20
EXPECTED = {
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "dict_type": "expected a value for each name, such as {{2025Q1: ..., 2025Q3: ...}}",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "greater_than_equal": "expected {ge:g} or more",
    "int_from_float": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "less_than_equal": "expected {le:g} or less",
    "list_type": "expected a list, such as [a, b]",
    "model_type": "expected fields, such as {{name: ...}}",
    "string_pattern_mismatch": "expected small letters, digits and hyphens",
    "string_type": "expected text",
    "string_too_short": "expected some text",
    "too_short": "expected at least one",
}
"""What was expected, by the validator's kind of error."""


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
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        text = data.decode("utf-8")
    except FileNotFoundError:
        close = nearest(path.stem, bundled())
        hint = f"nearest bundled scenario: {close[0]}" if close else f"bundled scenarios: {', '.join(bundled())}"
        msg = f"no such scenario file; {hint}"
        raise ScenarioError(msg, path=str(path)) from None
    except OSError as error:
        msg = f"cannot be read: {error.strerror}"
        raise ScenarioError(msg, path=str(path)) from None
    except UnicodeDecodeError:
        msg = "cannot be read as text in UTF-8"
        raise ScenarioError(msg, path=str(path)) from None
    if len(data) > LARGEST_BYTES:
        msg = f"a scenario file has at most {LARGEST_BYTES:,} bytes"
        raise ScenarioError(msg, path=str(path))
    return read_scenario(text, str(path), catalog=catalog)


def read_scenario(
    text: str, name: str, *, catalog: Catalog | None = None, records: Path | None = None, files: bool = True
) -> Scenario:
    """Read a scenario from YAML text; ``name`` is how errors call it.

    Parameters
    ----------
    records
        Stands for the file of records that ``catalog:`` names, where the text comes without that file.
    files
        Whether the text may name a file of records on this machine.
    """
    return scenario_of(parse(text, name), name, catalog=catalog, records=records, files=files)


def scenario_of(
    tree: Any, name: str, *, catalog: Catalog | None = None, records: Path | None = None, files: bool = True
) -> Scenario:
    """Return the scenario of a tree that :func:`outlay.scenario.tree.parse` gave; see :func:`read_scenario`."""
    from pydantic import ValidationError

    from outlay.scenario.check import check
    from outlay.scenario.schema import Scenario

    try:
        scenario = Scenario.model_validate(plain(tree, name))
    except ValidationError as error:
        _refuse(tree, name, _problems(error.errors(), tree))
        raise
    if records is not None:
        scenario = scenario.model_copy(update={"catalog": str(records)})
    elif scenario.catalog is not None and not files:
        said = "names a file, which is not read here; send its text beside the scenario's"
        _refuse(tree, name, [Problem(("catalog",), f"catalog {said}")])
    elif scenario.catalog is not None:
        beside = Path(name).parent / scenario.catalog
        if not beside.is_file():
            _refuse(tree, name, [Problem(("catalog",), f"no such catalogue file: {beside}")])
        scenario = scenario.model_copy(update={"catalog": str(beside)})
    _refuse(tree, name, check(scenario, catalog))
    return scenario


def _problems(errors: Sequence[Any], tree: Any) -> list[Problem]:
    """Turn the validator's errors into our words, one for each value that is wrong."""
    found: dict[Location, Problem] = {}
    meant = [error for error in errors if not _other_reading(error["loc"], tree)]
    for error in meant or errors:
        where, inner = _locate(error["loc"], tree)
        value = at(tree, where)
        found.setdefault((*where, inner), Problem(where, _words(error, where, inner, value)))
    return list(found.values())


def problems_in(errors: Sequence[Any], name: str, value: Any) -> list[str]:
    """Return what is wrong with the value of one field, from the validator's errors, in our words."""
    placed = [{**error, "loc": (name, *error["loc"])} for error in errors]
    return [problem.what for problem in _problems(placed, {name: value})]


def _other_reading(loc: Sequence[Any], tree: Any) -> bool:
    """Return whether an error is of the reading not meant: one value where quarters are given, or the reverse."""
    node = tree
    for part in loc:
        if has(node, part):
            node = node[part]
        elif str(part).startswith("dict["):
            return not isinstance(node, Mapping)
        elif str(part).startswith("function-"):
            return isinstance(node, Mapping)
    return False


def _locate(loc: Sequence[Any], tree: Any) -> tuple[Location, str]:
    """Return the part of the validator's location that is in the file, and the field asked for below it."""
    where: list[str | int] = []
    node = tree
    inner = ""
    for part in loc:
        if has(node, part):
            node = node[part]
            where.append(part)
        else:
            inner = str(part)
    return tuple(where), inner


def _words(error: Any, where: Location, inner: str, value: Any) -> str:
    kind, name = error["type"], dotted(where)
    if where == ("outlay",) and isinstance(value, int) and value > FORMAT:
        return f"outlay: made for format {value} by a newer version; this one reads format {FORMAT}: upgrade outlay"
    if kind == "missing":
        return f"{dotted((*where, inner))} is missing"
    if kind == "extra_forbidden":
        return f"{name}: {unknown('field', str(where[-1]), _fields_of(where[:-1]))}"
    if kind == "value_error":
        return f"{name}: {error['ctx']['error']}"
    if kind in {"literal_error", "enum"}:
        expected = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{name}: {unknown('value', str(value), expected, see='expected one of ' + ', '.join(expected))}"
    if kind == "invalid_key":
        return f"{inner or where[-1]} is not the name of a field; names are text"
    expected = EXPECTED.get(kind) or f"expected a value that fits ({error['msg']})"
    return f"{name}: got {_short(value)}; {expected.format_map(error.get('ctx', {}))}"


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


def _refuse(tree: Any, name: str, problems: Sequence[Problem]) -> None:
    """Raise one error for everything that is wrong, the first in the file first."""
    if not problems:
        return
    placed = sorted((place(tree, problem.where), problem.what) for problem in problems)
    (line, column), first = placed[0]
    more = [f"{name}:{row}:{col}: {what}" for (row, col), what in placed[1:MOST_PROBLEMS]]
    if len(placed) > MOST_PROBLEMS:
        more.append(f"and {len(placed) - MOST_PROBLEMS} more")
    error = ScenarioError("\n".join([first, *more]), path=name, line=line, column=column)
    error.problems = tuple((problem.where, problem.what) for problem in problems)
    raise error
