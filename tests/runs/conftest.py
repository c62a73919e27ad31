"""A store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outlay.runs import Queue, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Store."""
    opened = Store.open(str(tmp_path / "runs.db"))
    yield opened
    opened.close()


@pytest.fixture
def queue(store: Store) -> Queue:
    """Queue."""
    return Queue(store)
