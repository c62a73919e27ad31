"""The reader's word lists, from `data/words.toml`."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources


@functools.cache
def words(name: str) -> tuple[str, ...]:
    """Return a word list by its name."""
    return tuple(_all()[name])


@functools.cache
def word_set(name: str) -> frozenset[str]:
    """Return a word list as a set."""
    return frozenset(words(name))


@functools.cache
def _all() -> dict[str, list[str]]:
    text = resources.files("outlay.evidence.reading").joinpath("data/words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
