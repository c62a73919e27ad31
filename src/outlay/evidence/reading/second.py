"""A second reader behind any OpenAI-compatible endpoint: its claims must quote the story and pass the same grammars."""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

from outlay.errors import InputError
from outlay.evidence.reading.records import Article, Attribution, Check, Lexicon, Question, Reading, StoryClaim

KEY = "OUTLAY_READER_KEY"
"""Environment variable with the endpoint's key, where it wants one."""
TIMEOUT_S = 120.0
_ASK = (
    "List every figure the news story claims. Answer with a JSON array alone; each item has: quote "
    "(copied exactly from the story, the "
    "number with its unit), subject, about, speaker, status (reported, company statement, official, "
    "analyst estimate, market data, denied)."
)
_STATUSES = {"reported", "company statement", "official", "analyst estimate", "market data", "denied"}


def with_second_reader(reading: Reading, lexicon: Lexicon, endpoint: str, model: str) -> Reading:
    """Return a reading with the claims a second reader adds, marked; what it says without a quote is refused.

    Raises
    ------
    InputError
        If the endpoint does not answer, or not in the form asked for.
    """
    claims, done, asked = list(reading.claims), list(reading.checks), list(reading.questions)
    for article in reading.articles:
        answer = _asked(endpoint, model, article)
        taken, agreed, refused = _adopted(answer, article, claims)
        claims += taken
        words = f"{len(agreed)} claims found by both, {len(taken)} added, {len(refused)} refused"
        done.append(Check("second reader", not refused, words, tuple(claim.id for claim in taken)))
        asked += [Question(f"The second reader claims {text!r}, which is refused: {why}.") for text, why in refused]
    return replace(reading, claims=tuple(claims), checks=tuple(done), questions=tuple(asked))


def _asked(endpoint: str, model: str, article: Article) -> list[Any]:
    """Return the items of the endpoint's answer."""
    address = endpoint.rstrip("/")
    address += "" if address.endswith("/chat/completions") else "/chat/completions"
    if not re.match(r"https?://", address):
        msg = f"--second {endpoint!r}: expected an http or https address, such as http://localhost:8000/v1"
        raise InputError(msg)
    body = {
        "model": model,
        "temperature": 0,
        "messages": [
            {"role": "system", "content": _ASK},
            {"role": "user", "content": f"{article.title}\n\n{article.body}"},
        ],
    }
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            text = json.load(response)["choices"][0]["message"]["content"]
        found = json.loads(re.sub(r"^```(?:json)?|```$", "", text.strip()).strip())
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        msg = f"{address}: the second reader does not answer: {error}"
        raise InputError(msg) from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        msg = (
            f"{address}: the second reader answers in no form that can be read; expected a chat completion "
            "with a JSON array"
        )
        raise InputError(msg) from None
    if not isinstance(found, list):
        msg = f"{address}: the second reader answers with no list of claims"
        raise InputError(msg)
    return found


def _adopted(
    answer: list[Any], article: Article, claims: list[StoryClaim]
) -> tuple[list[StoryClaim], list[str], list[tuple[str, str]]]:
    """Return claims to add, names of those both found, and what is refused with the reason."""
    added: list[StoryClaim] = []
    agreed: list[str] = []
    refused: list[tuple[str, str]] = []
    for item in answer:
        quote = str(item.get("quote", "")) if isinstance(item, dict) else ""
        start = article.body.find(quote) if quote.strip() else -1
        if start < 0:
            refused.append((quote or str(item)[:80], "it quotes nothing that stands in the story"))
            continue
        known = next(
            (c for c in claims if c.article == article.name and c.span[0] < start + len(quote) and start < c.span[1]),
            None,
        )
        if known is not None:
            agreed.append(known.id)
            continue
        claim = _read_again(item, quote, start, article, len(added) + 1)
        if claim is None:
            refused.append((quote, "no quantity can be read in it"))
        else:
            added.append(claim)
    return added, agreed, refused


def _read_again(item: dict[str, Any], quote: str, start: int, article: Article, number: int) -> StoryClaim | None:
    """Return a quote as a claim, its figure read by the grammars and never taken on the second reader's word."""
    from outlay.evidence.reading import chinese
    from outlay.evidence.reading.quantities import quantities
    from outlay.evidence.reading.sentences import is_chinese

    found = [m for m in (chinese.quantities(quote) if is_chinese(quote) else quantities(quote)) if m.unit]
    if not found:
        return None
    mention = found[0]
    opened = max((article.body.rfind(mark, 0, start) for mark in (". ", "。", "\n")), default=-1) + 1
    closed = (
        min(
            (at for mark in (". ", "。", "\n") if (at := article.body.find(mark, start)) >= 0),
            default=len(article.body) - 1,
        )
        + 1
    )
    status = str(item.get("status", ""))
    return StoryClaim(
        id=f"s{number}",
        kind=mention.kind,
        quantity=mention.value,
        unit=mention.unit,
        bound=mention.bound,
        upper=mention.upper,
        words=mention.words,
        about=str(item.get("about", "")),
        subject=str(item.get("subject", "")),
        attribution=Attribution("none", str(item.get("speaker", ""))),
        status=status if status in _STATUSES else "reported",  # type: ignore[arg-type]
        sentence=article.body[opened:closed].strip(),
        sentence_start=opened,
        span=(start + mention.start, start + mention.end),
        article=article.name,
        told_by=(article.name,),
        remarks=("found by the second reader",),
    )
