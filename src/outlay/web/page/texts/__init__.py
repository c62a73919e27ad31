"""Every text of the page, in English and Chinese side by side: one TOML file a view."""

from __future__ import annotations

import functools
import re
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


@functools.cache
def _phrases() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Return what the reports say in English with its Chinese: whole texts, and patterns with places to fill."""
    whole: dict[str, str] = {}
    patterns: list[tuple[re.Pattern[str], str]] = []
    for entry in sorted(resources.files("outlay.web.page").joinpath("phrases").iterdir(), key=lambda entry: entry.name):
        for english, chinese in tomllib.loads(entry.read_text(encoding="utf-8")).items():
            english, chinese = (
                english.replace("{{", "\0").replace("}}", "\1"),
                chinese.replace("{{", "{").replace("}}", "}"),
            )
            if "{" in english:
                parts = re.split(r"\{(\d)\}", english)
                found = "".join(
                    f"(?P<p{part}>.+?)" if at % 2 else re.escape(_braces(part)) for at, part in enumerate(parts)
                )
                patterns.append((re.compile(found, re.DOTALL), chinese))
            else:
                whole[_braces(english)] = chinese
    return whole, sorted(patterns, key=lambda pair: -len(pair[0].pattern))


def _braces(text: str) -> str:
    """Return a text with the braces that stand for themselves, written double in the phrase book."""
    return text.replace("\0", "{").replace("\1", "}")


@functools.lru_cache(maxsize=8192)
def phrase(text: str, language: str) -> str:
    """Return a text of the reports in a language; what the phrase book does not know stays in English.

    Examples
    --------
    >>> phrase("assumed", "zh"), phrase("assumed", "en")
    ('假定', 'assumed')
    """
    if language == "en" or not text:
        return text
    whole, patterns = _phrases()
    if text in whole:
        return whole[text]
    for pattern, chinese in patterns:
        if match := pattern.fullmatch(text):
            parts = {f"{{{name[1:]}}}": phrase(part, language) for name, part in match.groupdict().items()}
            return "".join(parts.get(piece, piece) for piece in re.split(r"(\{\d\})", chinese))
    return text
