"""A question in people's units: one home for the fields that the command, the page and the queue ask with."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from outlay.errors import InputError

Words = Annotated[str, Field(max_length=400)]
Q = TypeVar("Q", bound=BaseModel)


class Question(BaseModel):
    """Fields of every question; none is changed once it is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def asked(kind: type[Q], what: str, fields: dict[str, Any]) -> Q:
    """Return a question with every default filled in.

    Raises
    ------
    InputError
        If a field is wrong; names it, after ``what`` was asked, and says what was expected.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise InputError(complaint(what, error)) from None


def complaint(what: str, error: ValidationError) -> str:
    """Return one message for everything that is wrong in some fields, in the project's manner."""
    words = []
    for one in error.errors()[:10]:
        place = ".".join(str(part) for part in one["loc"])
        said = one["msg"][0].lower() + one["msg"][1:]
        got = repr(one.get("input"))
        shown = "" if one["type"] == "missing" else f": got {got[:57] + '...' if len(got) > 60 else got}"
        words.append(f"{what}: {place or 'body'}{shown}; {said}")
    return "\n".join(words)
