"""The texts of the page: both languages say everything, with the same values filled in."""

import re
import string

import pytest

from outlay.web.page.texts import LANGUAGES, say, texts


def _fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", texts())
def test_each_text_is_there_in_both_languages_with_the_same_fields(key):
    """No language lacks a text, and both name the same values."""
    found = texts()[key]
    assert set(found) == set(LANGUAGES)
    assert all(text.strip() for text in found.values())
    assert _fields(found["en"]) == _fields(found["zh"])


def test_chinese_is_written_in_chinese():
    """Every Chinese text has Chinese characters, but for names and numbers."""
    latin = [key for key, found in texts().items() if not re.search(r"[\u4e00-\u9fff]", found["zh"])]
    assert latin == []


def test_unknown_text_names_the_nearest():
    """A wrong key is a defect that says where to look."""
    with pytest.raises(KeyError, match=r"nearest: shell\.skip"):
        say("shell.skp", "en")
