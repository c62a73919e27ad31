"""The box a story is pasted or dropped into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nicegui.element import Element

STATIC = Path(__file__).parent / "static"


class StoryBox(Element, component=STATIC / "story_box.js"):
    """A text area that takes files too; ``on_story`` gets ``text``, or ``name`` and ``base64``."""

    def __init__(
        self, text: str, on_story: Callable[[dict[str, Any]], Any], on_too_large: Callable[[int], Any], **props: object
    ) -> None:
        super().__init__()
        self._props.update({"initial": text, **props})
        self.on("story", lambda event: on_story(dict(event.args)))
        self.on("toolarge", lambda event: on_too_large(int(event.args)))

    def send(self) -> None:
        """Have the browser hand in what stands in the box."""
        self.run_method("send")
