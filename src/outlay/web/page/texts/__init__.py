"""Every text of the page, in English and Chinese side by side: one TOML file a view."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any

from outlay.errors import unknown

LANGUAGES = {"en": "English", "zh": "中文"}


@functools.cache
def texts() -> dict[str, dict[str, str]]:
    """Return every text by its key, such as ``"plan.title"``, and language."""
    found: dict[str, dict[str, str]] = {}
    for entry in sorted(resources.files(__name__).iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            found |= _flat(entry.name.removesuffix(".toml"), tomllib.loads(entry.read_text(encoding="utf-8")))
    return found


def _flat(prefix: str, table: dict[str, Any]) -> dict[str, dict[str, str]]:
    if table and all(isinstance(value, str) for value in table.values()):
        return {prefix: table}
    return {key: text for name, inner in table.items() for key, text in _flat(f"{prefix}.{name}", inner).items()}


def say(key: str, language: str, **values: object) -> str:
    """Return a text in a language with its values filled in.

    Raises
    ------
    KeyError
        If there is no such text; names the nearest. A defect of the page, never of a person's input.
    """
    try:
        text = texts()[key][language]
    except KeyError:
        raise KeyError(unknown("text", f"{key} ({language})", texts())) from None
    return text.format(**values) if values else text
