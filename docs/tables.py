"""Write the tables of the documentation from the code: `python docs/tables.py`.

A page marks a table with `<!-- table package.module:function -->` and `<!-- end of table -->`; its header stays, and
its rows become what the function returns, one tuple of texts a row. What a command prints stands between
`<!-- output of outlay ... -->` and `<!-- end of output -->`; with `, drawn to images/X.svg` after it the command
has a `--chart`, and draws it there.
"""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

MARKED = re.compile(r"(<!-- table ([\w.]+):(\w+) -->\n(?:\|.*\n){2})(?:\|.*\n)*(<!-- end of table -->)")
PRINTED = re.compile(
    r"(<!-- output of outlay (.+?)(?:, drawn to (\S+))? -->\n```text\n)(?:(?!```).*\n)*(```\n<!-- end of output -->)"
)


def filled(text: str, pictures: Path | None = None) -> str:
    """Return a page with the rows of its marked tables, and what its commands print, as they are now.

    Charts are drawn below the folder ``pictures`` where one is given.
    """

    def table(match: re.Match[str]) -> str:
        rows = getattr(importlib.import_module(match[2]), match[3])()
        return match[1] + "".join(f"| {' | '.join(row)} |\n" for row in rows) + match[4]

    def printed(match: re.Match[str]) -> str:
        command = [sys.executable, "-m", "outlay.cli.main", *shlex.split(match[2])]
        if match[3] and pictures is not None:
            command += ["--chart", str(pictures / match[3])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return match[1] + done.stdout.strip() + "\n" + match[4]

    return PRINTED.sub(printed, MARKED.sub(table, text))


def main() -> int:
    """Rewrite every page that has a mark; return 0."""
    for page in sorted(Path(__file__).parent.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (now := filled(text, page.parent)) != text:
            page.write_text(now, encoding="utf-8")
            sys.stdout.write(f"{page.name}: tables rewritten\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
