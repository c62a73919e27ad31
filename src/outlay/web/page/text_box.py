"""A line of text to type in; what is typed is never overwritten by a late answer of the server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui.element import Element

STATIC = Path(__file__).parent / "static"


class TextBox(Element, component=STATIC / "text_box.js"):
    """An input; ``on_typed`` is called with its text a moment after a person stops typing."""

    def __init__(self, text: str, on_typed: Callable[[str], Any], **attributes: object) -> None:
        super().__init__()
        self._props["initial"] = text
        for name, value in attributes.items():
            if value is not None:
                self._props[name.rstrip("_").replace("_", "-")] = value
        self.on("typed", lambda event: on_typed(str(event.args)))

    def put(self, text: str) -> None:
        """Show another text."""
        self._props["initial"] = text
        self.run_method("put", text)
