"""The reading of a story behind the page: names and catalogue loaded once, stories read, drafts made again."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.evidence.reading import Lexicon, Reading
    from outlay.scenario.draft import Draft
    from outlay.scenario.revised import Verdict


@dataclass
class Told:
    """A story in hand: what was given, what was read, and what a person says of each claim."""

    given: str
    reading: Reading
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    draft: Draft | None = None
    why_not: str = ""


@functools.cache
def _known() -> tuple[Lexicon, Catalog]:
    from outlay.catalog import Catalog
    from outlay.catalog.lexicon import lexicon

    catalog = Catalog.load()
    return lexicon(catalog), catalog


def tell(story: dict[str, Any], day: str, *, fetch: bool) -> Told:
    """Read a story and draft its scenario.

    Parameters
    ----------
    story
        ``text``, or ``name`` and ``base64`` of a file, or ``address``.
    day
        When it was told, as 2025-01-22, where it does not say itself; else empty.
    fetch
        Whether an address may be fetched.

    Raises
    ------
    InputError
        If it is empty, no text, too long, or may not be fetched.
    """
    from outlay.evidence.reading import read
    from outlay.evidence.reading.article import article_of
    from outlay.evidence.reading.fetch import Page, get

    try:
        told = date.fromisoformat(day) if day else None
    except ValueError:
        msg = f"{day!r} is not a date; expected year, month and day, such as 2025-01-22"
        raise InputError(msg) from None
    if story.get("address"):
        if not fetch:
            msg = "this server fetches no addresses; paste the story instead"
            raise InputError(msg)
        address = str(story["address"])
        if not address.startswith(("http://", "https://")):
            msg = f"{address!r}: expected an address that begins with http:// or https://"
            raise InputError(msg)
        page = get(address)
    elif "base64" in story:
        page = Page(base64.b64decode(story["base64"]), str(story.get("name", "file"))[:200])
    else:
        page = Page(str(story.get("text", "")).encode(), "story", charset="utf-8")
    article = article_of(page.data, page.name, address=page.address, told=told, charset=page.charset)
    names, _ = _known()
    found = Told(str(story.get("text", "")), read([article], names))
    draft_again(found)
    return found


def draft_again(told: Told) -> None:
    """Draft the scenario of a story as a person has gone over it; where there is none, say why."""
    from outlay.scenario.revised import redrafted

    names, catalog = _known()
    try:
        told.draft, told.why_not = redrafted(told.reading, told.verdicts, names, catalog), ""
    except InputError as error:
        told.draft, told.why_not = None, str(error)
