"""Every text the page asks for by name is there, and none is left over in the files of the explorers."""

import ast
from pathlib import Path

import outlay.web.page
from outlay.web.page.texts import texts

FOLDER = Path(outlay.web.page.__file__).parent
FILES = ("futures", "chips", "explorers", "accuracy", "exports", "running")


def _asked():
    """Return all text constants, and the beginnings of keys that are put together."""
    whole, begun = set(), set()
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begun.add(str(node.values[0].value))
    return whole, begun


def test_texts_of_the_explorers_are_asked_for():
    """A text nobody shows is deleted: each key stands in the code, whole or as a beginning and its last part."""
    whole, begun = _asked()

    def used(key):
        start, _, last = key.rpartition(".")
        data = start.count(".") > 0 and f"{start}." in begun  # its last part is a name of the model, not of the page
        return key in whole or data or (f"{start}." in begun and last in whole)

    known = [key for key in texts() if key.split(".")[0] in FILES]
    assert len(known) > 200
    assert [key for key in known if not used(key)] == []


def test_texts_asked_for_are_there():
    """A key written out in the code has its text."""
    whole, _ = _asked()
    asked = [key for key in whole if key.split(".")[0] in FILES and key.count(".") and not key.endswith(".")]
    asked = [key for key in asked if key.replace(".", "").replace("_", "").isalpha()]
    assert len(asked) > 60
    tables = {key.rpartition(".")[0] for key in texts()}
    assert [key for key in asked if key not in texts() and key not in tables] == []
