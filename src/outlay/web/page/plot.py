"""A figure on the page: drawn by the plotly.js that NiceGUI brings, when it comes near the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nicegui.element import Element
from nicegui.elements import plotly as bundled_plotly

STATIC = Path(__file__).parent / "static"
DIST = Path(bundled_plotly.__file__ or "").parent / "dist"


class Plot(Element, component=STATIC / "plot.js", esm={"nicegui-plotly": str(DIST)}):
    """A figure; ``pick`` is emitted with the curve and the point a person clicks on."""

    def __init__(self, figure: dict[str, Any]) -> None:
        super().__init__()
        self._props["figure"] = figure

    def show(self, figure: dict[str, Any]) -> None:
        """Draw another figure in its place; what moves, moves."""
        self._props["figure"] = figure
        self.update()

    def save_picture(self, name: str, form: str = "png") -> None:
        """Have the browser save the figure as ``png`` or ``svg``."""
        self.run_method("picture", form, name)
