"""Write the tables of the documentation from the code: `python docs/tables.py`.

A page marks a table with `<!-- table package.module:function -->` and `<!-- end of table -->`; its header stays, and
its rows become what the function returns, one tuple of texts a row.
"""

import importlib
import re
import sys
from pathlib import Path

MARKED = re.compile(r"(<!-- table ([\w.]+):(\w+) -->\n(?:\|.*\n){2})(?:\|.*\n)*(<!-- end of table -->)")


def filled(text: str) -> str:
    """Return a page with the rows of its marked tables as the code gives them now."""

    def table(match: re.Match[str]) -> str:
        rows = getattr(importlib.import_module(match[2]), match[3])()
        return match[1] + "".join(f"| {' | '.join(row)} |\n" for row in rows) + match[4]

    return MARKED.sub(table, text)


def main() -> int:
    """Rewrite every page that has a marked table; return 0."""
    for page in sorted(Path(__file__).parent.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (now := filled(text)) != text:
            page.write_text(now, encoding="utf-8")
            sys.stdout.write(f"{page.name}: tables rewritten\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
