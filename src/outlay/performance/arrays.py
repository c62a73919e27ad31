"""Runs one formula on NumPy, JAX or CuPy arrays, and stacks records of numbers into one record of arrays."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Number = Any
"""A float, or an array of any library: one entry a run or strategy."""
Record = TypeVar("Record")

_LIBRARIES = {"jax": "jax.numpy", "jaxlib": "jax.numpy", "cupy": "cupy"}


@functools.cache
def _library(kind: type) -> str | None:
    return _LIBRARIES.get(kind.__module__.partition(".")[0])


@functools.cache
def _holds(kind: type) -> bool:
    """Whether values of a type hold numbers by name."""
    return is_dataclass(kind) or issubclass(kind, dict)


def namespace(*values: Any) -> Any:
    """Return the array library of the values: that of the first which is not NumPy's, else NumPy.

    JAX and CuPy name their functions as NumPy does, so a formula says ``xp.maximum`` and runs on all three. Floats,
    lists and NumPy arrays may stand beside arrays of another library, which takes them up. Of a record, and of the
    records within it, each number counts.
    """
    if _LIBRARIES.keys().isdisjoint(sys.modules.keys()):  # asked hundreds of times a prediction
        return np
    return _first(values) or np


def _first(values: Iterable[Any]) -> Any:
    for value in values:
        kind: Any = type(value)
        if kind is float or kind is np.ndarray:
            continue
        if (library := _library(kind)) is not None:
            return sys.modules[library]
        if _holds(kind) and (within := _first(_values(value))) is not None:
            return within
    return None


def _values(record: Any) -> Iterable[Any]:
    return (record if isinstance(record, dict) else vars(record)).values()


def as_number(value: Any) -> Number:
    """Return an array without axes as a float, which other libraries' arrays take up, and any other as it is."""
    return float(value) if np.ndim(value) == 0 else value


def numbers(record: Any) -> list[Any]:
    """Return the numbers and arrays of a record, those of the records within it too."""
    found: list[Any] = []
    for value in _values(record):
        kind: Any = type(value)
        if _holds(kind):
            found += numbers(value)
        elif not isinstance(value, str | tuple):
            found.append(value)
    return found


def stacked(records: Sequence[Record]) -> Record:
    """Return one record whose numbers are arrays with an entry for each of the records; texts are those of the first.

    Records within a record, and in a mapping of one, are stacked alike; a mapping keeps the keys that all share.
    """
    first: Any = records[0]
    values = {field.name: _column([getattr(record, field.name) for record in records]) for field in fields(first)}
    return type(first)(**values)  # type: ignore[no-any-return]


def _column(values: Sequence[Any]) -> Any:
    first = values[0]
    if is_dataclass(first):
        return stacked(values)
    if isinstance(first, dict):
        shared = [key for key in first if all(key in value for value in values)]
        return {key: _column([value[key] for value in values]) for key in shared}
    if isinstance(first, str | tuple):
        return first
    if any(value is None for value in values):
        return None
    return np.array([np.asarray(value, dtype=float).reshape(()) for value in values])
