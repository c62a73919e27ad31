"""Pages from templates: one file each that needs no network."""

from __future__ import annotations

from typing import Any


def rendered(template: str, values: dict[str, Any]) -> str:
    """Return a page with its values filled in and the script in it that draws its figures."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("outlay.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values, plotly_js=get_plotlyjs())
