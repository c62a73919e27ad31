"""A reading as JSON: the stories, their claims, checks and questions, and a draft scenario."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from outlay.errors import InputError

if TYPE_CHECKING:
    from datetime import date

    from outlay.catalog import Catalog
    from outlay.evidence.reading import Article, Lexicon, Reading
    from outlay.evidence.reading.fetch import Page
    from outlay.scenario.draft import Draft


NO_CLAIMS = "no claims: the story has no figure, no denial and no decision in it"


def story_of(page: Page) -> dict[str, Any]:
    """Return the bytes of a story as inputs, so that it can be read again without its file or address."""
    try:
        text = page.data.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    whole = None if text is not None else base64.b64encode(page.data).decode("ascii")
    return {
        "name": page.name[:400],
        "text": text,
        "base64": whole,
        "address": page.address,
        "charset": page.charset,
    }


def page_of(story: dict[str, Any]) -> Page:
    """Return the bytes of a story that is given or has an address; never those of a file of this machine.

    Raises
    ------
    InputError
        If it is neither, or its address is none to be fetched (:mod:`outlay.evidence.reading.fetch`).
    """
    from outlay.evidence.reading.fetch import Page, get

    if story["text"] is not None:
        return Page(story["text"].encode(), story["name"], story["address"], story["charset"])
    if story["base64"] is not None:
        try:
            data = base64.b64decode(story["base64"], validate=True)
        except ValueError:
            msg = f"story {story['name']!r}: its base64 cannot be read"
            raise InputError(msg) from None
        return Page(data, story["name"], story["address"], story["charset"])
    address = story["address"]
    if not address.startswith(("http://", "https://")):
        msg = f"story {story['name']!r}: give its text, or an address that begins with http:// or https://"
        raise InputError(msg)
    return get(address)


def articles_of(pages: Sequence[Page], told: date | None) -> list[Article]:
    """Return the stories in some pages; ``told`` is the day of those that do not say."""
    from outlay.evidence.reading.article import article_of

    articles: list[Article] = []
    for page in pages:
        article = article_of(page.data, page.name, address=page.address, told=told, charset=page.charset)
        if any(other.name == article.name for other in articles):
            article = replace(article, name=page.name)
        articles.append(article)
    return articles


def drafted(reading: Reading, names: Lexicon, catalog: Catalog) -> tuple[Draft | None, str]:
    """Return the draft scenario of a reading, or ``None`` and why there is none."""
    from outlay.scenario.draft import draft

    if not reading.claims:
        return None, ""
    try:
        return draft(reading, names, catalog), ""
    except InputError as error:
        return None, str(error)


def document(reading: Reading, made: Draft | None, why_not: str) -> dict[str, Any]:
    """Return a reading as plain lists and dictionaries (docs/reading.md)."""
    from outlay.scenario.tree import parse, plain

    return {
        "articles": [
            {
                "name": article.name,
                "title": article.title,
                "address": article.address,
                "outlet": article.outlet,
                "date": article.date.isoformat() if article.date else None,
                "body": article.body,
            }
            for article in reading.articles
        ],
        "claims": [claim.as_dict() for claim in reading.claims],
        "ignored": [
            {"article": a.name, "text": item.text, "reason": item.reason}
            for a in reading.articles
            for item in a.ignored
        ],
        "checks": [asdict(check) for check in reading.checks],
        "questions": [asdict(question) for question in (made.questions if made else reading.questions)],
        "scenario": plain(parse(made.text, "draft"), "draft") if made else None,
        "scenario_missing": why_not,
    }
