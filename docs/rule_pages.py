"""Hook of MkDocs: a page for every rule, written from its record when the documentation is built."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

CHIPS = ("H20", "H100", "H200", "A800", "L20", "RTX 4090", "RTX 4090D", "MI308", "Ascend 910C")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the files of the site."""
    from mkdocs.structure.files import File

    from outlay.policy.pages import pages

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, "rules/status.svg", content=_status()))
    return files


def _status() -> str:
    """Return the picture of the status over time of chips bought in China from the United States."""
    from outlay.catalog import Catalog
    from outlay.policy import Transaction, item_of
    from outlay.policy.timeline import chart, timeline

    catalog, deal = Catalog.load(), Transaction(date.min, "CN", "CN", "CN", exporter="US")
    chips = [catalog.chip(name) for name in CHIPS]
    title = "What may be bought in China, from the United States, by a Chinese group"
    return chart([(chip.name, timeline(item_of(chip), deal)) for chip in chips], title)
