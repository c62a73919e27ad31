"""The YAML of a scenario as text one can type in, with line numbers and marks at lines that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nicegui.element import Element

STATIC = Path(__file__).parent / "static"


class YamlEditor(Element, component=STATIC / "yaml.js"):
    """A text area; ``on_typed`` is called with the text a moment after a person stops typing."""

    def __init__(
        self,
        text: str,
        *,
        label: str,
        largest: int,
        on_typed: Callable[[str], Any],
        on_too_large: Callable[[int], Any],
        area_id: str,
    ) -> None:
        super().__init__()
        self.text = text
        self._props.update({"value": text, "label": label, "largest": largest, "marks": [], "areaid": area_id})
        self.on("typed", lambda event: self._typed(str(event.args), on_typed))
        self.on("toolarge", lambda event: on_too_large(int(event.args)))

    def _typed(self, text: str, on_typed: Callable[[str], Any]) -> Any:
        self.text = text
        self._props["value"] = text  # what the browser has already; told so that a later change is one
        return on_typed(text)

    def put(self, text: str) -> None:
        """Show another text."""
        if text != self.text:
            self.text = text
            self._props["value"] = text
            self.run_method("take", text)  # the browser may show another text than it was last given

    def mark_lines(self, lines: Sequence[int]) -> None:
        """Mark lines as wrong."""
        if self._props["marks"] != list(lines):
            self._props["marks"] = list(lines)
            self.update()

    def go_to(self, line: int) -> None:
        """Put the cursor into a line."""
        self.run_method("goto", line)
