"""The tables of the finance page are those of the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_tables_of_the_page_are_made_by_code() -> None:
    """`python docs/finance_tables.py` would change nothing."""
    spec = importlib.util.spec_from_file_location("finance_tables", DOCS / "finance_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (DOCS / "finance.md").read_text(encoding="utf-8")
    assert page.count("<!-- end -->") == len(module.TABLES)
    assert module.written(page) == page
