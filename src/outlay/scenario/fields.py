"""The fields of a scenario as a form needs them, worked out from the schema: kinds, units, choices, what is needed."""

from __future__ import annotations

import functools
import types
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from outlay.scenario.schema import Scenario, _Text

Kind = Literal["text", "number", "flag", "choice", "choices", "names", "table", "block", "blocks", "named"]


@dataclass(frozen=True)
class Field:
    """A field of a block.

    Attributes
    ----------
    kind
        ``text`` and ``number`` are typed; ``flag`` is yes or no; ``choice`` is one of ``options``, ``choices`` some of
        them; ``names`` is a list of texts; ``table`` has a text for each quarter or name; ``block`` holds fields,
        ``blocks`` is a list of such, ``named`` a table of such by name.
    example
        How it is written, with its unit; empty where any text does.
    model
        What the block, or each of the blocks, holds.
    """

    name: str
    kind: Kind
    description: str = ""
    example: str = ""
    options: tuple[str, ...] = ()
    needed: bool = False
    default: str = ""
    model: type[BaseModel] | None = None


@functools.cache
def fields_of(model: type[BaseModel]) -> dict[str, Field]:
    """Return the fields of a block in the order of the schema."""
    return {name: _field(name, info) for name, info in model.model_fields.items()}


def scenario_fields() -> dict[str, Field]:
    """Return the fields a scenario has itself."""
    return fields_of(Scenario)


def _field(name: str, info: FieldInfo) -> Field:
    found = _kind(_annotation(info))
    default = "" if info.is_required() or info.default is PydanticUndefined else _shown(info.default)
    description = info.description or found.description
    example = found.example or (str(info.examples[0]) if info.examples else "")
    return Field(name, found.kind, description, example, found.options, info.is_required(), default, found.model)


def _annotation(info: FieldInfo) -> Any:
    """Return a field's annotation with what pydantic keeps beside it."""
    annotation: Any = info.annotation
    for extra in info.metadata:
        annotation = Annotated[annotation, extra]
    return annotation


def _kind(annotation: Any) -> Field:
    """Return the kind of a field from its annotation."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        text = next((extra for extra in args[1:] if isinstance(extra, _Text)), None)
        if text is not None:
            return Field("", "text", text.description, text.example)
        inner = _kind(args[0])
        examples = [extra.examples[0] for extra in args[1:] if isinstance(extra, FieldInfo) and extra.examples]
        return replace(inner, example=str(examples[0])) if examples else inner
    if origin in {Union, types.UnionType}:
        return _union([part for part in args if part is not types.NoneType])
    if origin is Literal:
        return Field("", "choice", options=tuple(str(option) for option in args))
    if origin is list:
        inner = _kind(args[0])
        if inner.kind == "block":
            return Field("", "blocks", model=inner.model)
        return Field("", "choices" if inner.options else "names", options=inner.options, example=inner.example)
    if origin is dict:
        inner = _kind(args[1])
        if inner.kind == "block":
            return Field("", "named", model=inner.model)
        key = _kind(args[0]).example
        return Field("", "table", example=f"{key or 'name'}: {inner.example or '1'}", description=inner.description)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Field("", "block", (annotation.__doc__ or "").strip(), model=annotation)
    if annotation is bool:
        return Field("", "flag")
    return Field("", "number" if annotation in {int, float} else "text")


def _union(parts: list[Any]) -> Field:
    """Return the kind of a field that takes several: one value, or one for each quarter, is a table."""
    kinds = [_kind(part) for part in parts]
    table = next((kind for kind in kinds if kind.kind == "table"), None)
    if table is None or len(kinds) == 1:
        return kinds[0]
    one = kinds[0].example
    return Field("", "table", kinds[0].description, f"{one}, or {table.example}")


def _shown(value: Any) -> str:
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def starter(model: type[BaseModel], taken: set[str] | None = None) -> dict[str, Any]:
    """Return a block to begin from: what it needs, each with an example of how it is written."""
    made: dict[str, Any] = {}
    for name, field in fields_of(model).items():
        if not field.needed:
            continue
        if name == "name":
            names = (f"new-{number}" for number in range(1, 10_000))
            made[name] = next(text for text in names if text not in (taken or set()))
        elif field.kind == "block" and field.model is not None:
            made[name] = starter(field.model)
        elif field.kind == "blocks" and field.model is not None:
            made[name] = [starter(field.model)]
        elif field.kind == "choices":
            made[name] = [field.options[0]]
        elif field.kind == "choice":
            made[name] = field.options[0]
        elif field.kind == "table":
            key, _, value = field.example.rpartition(", or ")[2].partition(": ")
            made[name] = {key: value}
        elif field.kind == "number":
            made[name] = 1
        else:
            made[name] = field.example
    return made


def complaint(model: type[BaseModel], name: str, value: Any) -> str:
    """Return what is wrong with a value for a field by itself, in the words of the loader; empty where nothing is."""
    from outlay.scenario.load import problems_in

    info = model.model_fields[name]
    try:
        TypeAdapter(_annotation(info)).validate_python(value)
    except ValidationError as error:
        found = problems_in(error.errors(), name, value)
        return found[0] if found else str(error.errors()[0]["msg"])
    return ""


def read_entry(field: Field, typed: str) -> Any:
    """Return what a person typed into a field as the value the YAML gets: text, a list, or a table.

    Examples
    --------
    >>> read_entry(Field("where", "names"), "US, NO")
    ['US', 'NO']
    >>> read_entry(Field("power", "table"), "2025Q1: 60 MW, 2025Q4: 100 MW")
    {'2025Q1': '60 MW', '2025Q4': '100 MW'}
    >>> read_entry(Field("power", "table"), "60 MW")
    '60 MW'
    """
    typed = typed.strip()
    if field.kind == "names":
        return [part.strip() for part in typed.split(",") if part.strip()]
    if field.kind == "table" and ":" in typed:
        pairs = [part.partition(":") for part in typed.strip("{}").split(",") if part.strip()]
        return {key.strip(): value.strip() for key, _, value in pairs}
    return typed


def shown_entry(value: Any) -> str:
    """Return a value of the YAML as a person types it into a field; the reverse of :func:`read_entry`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown_entry(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(shown_entry(item) for item in value)
    return str(value).strip()
