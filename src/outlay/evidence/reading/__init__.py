"""The reader: a story in, claims with their witnesses out, and what it leaves open. Grammars, no model weights."""

from __future__ import annotations

from outlay.evidence.reading.records import Article, Lexicon, Reading, StoryClaim

__all__ = ["Article", "Lexicon", "Reading", "StoryClaim", "read"]


def read(articles: list[Article], lexicon: Lexicon) -> Reading:
    """Read one story or several.

    Parameters
    ----------
    articles
        As :func:`outlay.evidence.reading.article.article_of` gives them.
    lexicon
        Names of companies, products and places, and exchange rates: this room knows none.

    Returns
    -------
    Reading
        Claims, checks and questions; claims of several stories are merged where they are one telling.
    """
    from outlay.evidence.reading.checks import checks
    from outlay.evidence.reading.merge import merged
    from outlay.evidence.reading.questions import questions
    from outlay.evidence.reading.story import read_story

    stories = [read_story(article, lexicon) for article in articles]
    if len(stories) == 1:
        (article,), (claims,) = articles, stories
        return Reading(
            (article,), tuple(claims), tuple(checks(claims, article, lexicon)), tuple(questions(claims, article))
        )
    together, asked = merged(stories)
    done = [
        check
        for article in articles
        for check in checks([c for c in together if c.article == article.name], article, lexicon)
    ]
    for article in articles:
        asked += questions([claim for claim in together if claim.article == article.name], article)
    return Reading(tuple(articles), tuple(together), tuple(done), tuple(asked))
