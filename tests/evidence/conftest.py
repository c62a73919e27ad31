"""What the tests of the reader share: the names it is handed, and a way to read a text."""

from datetime import date

import pytest

from outlay.catalog.lexicon import lexicon
from outlay.evidence.reading import Article, read
from outlay.evidence.reading.article import article_of


@pytest.fixture(scope="session")
def names():
    """The lexicon of the catalogue."""
    return lexicon()


@pytest.fixture
def told(names):
    """Read texts as stories told on a day."""

    def reading(*texts, day=date(2025, 1, 22)):
        articles = [article_of(text.encode(), f"story-{i}", told=day) for i, text in enumerate(texts, start=1)]
        return read(articles, names)

    return reading


@pytest.fixture
def article():
    """Make an article of a body."""
    return lambda body, day=date(2025, 1, 22): Article("story", body, date=day)
