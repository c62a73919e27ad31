"""Tables of the documentation are what the code gives."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
TABLES = runpy.run_path(str(DOCS / "tables.py"))


@pytest.mark.parametrize(
    "page",
    [
        page.name
        for page in sorted(DOCS.glob("*.md"))
        if "<!-- table " in page.read_text() or "<!-- output " in page.read_text()
    ],
)
def test_tables_are_up_to_date(page: str):
    """`make docs` would change nothing."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert len(TABLES["MARKED"].findall(text)) == text.count("<!-- table ")
    assert len(TABLES["PRINTED"].findall(text)) == text.count("<!-- output ")
    assert TABLES["filled"](text) == text
