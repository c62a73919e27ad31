"""What a story leaves open, as questions that name their claims: nothing is settled silently."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outlay.evidence.reading.records import Article, Question, StoryClaim
from outlay.evidence.reading.shares import is_spending

_OPEN_LIST = re.compile(r"\b(?:like|such as|including|among them)\b|等|例如")


def questions(claims: list[StoryClaim], article: Article) -> list[Question]:
    """Return the questions of one story."""
    own = [claim for claim in claims if not claim.arithmetic]
    return [*_of_dates(own, article), *_of_shares(own), *_of_money(own), *_of_denials(own), *_of_sizes(own)]


def _of_dates(claims: list[StoryClaim], article: Article) -> Iterator[Question]:
    if article.date is None:
        yield Question(
            "When was the story told? It has no date; give --date, by which relative times and rates are read."
        )
    for claim in claims:
        if claim.kind == "date" and str(claim.quantity).startswith("XXXX"):
            yield Question(f"Which year is {claim.quantity} of ({claim.about})? The sentence has none.", (claim.id,))
        if claim.kind == "date" and re.search(
            r"\b(?:delayed|postponed|put off|extended|pushed back)\b", claim.sentence
        ):
            yield Question(f"Until when was it put off ({claim.about})? No new date is told.", (claim.id,))


def _of_shares(claims: list[StoryClaim]) -> Iterator[Question]:
    ids = {claim.id for claim in claims}
    for claim in claims:
        if claim.kind != "share" or not isinstance(claim.quantity, float):
            continue
        if claim.share_of not in ids:
            of = f" than that it is of {claim.share_of!r}" if claim.share_of else ""
            yield Question(f"What is the {claim.quantity:.0%} a share of? No more is told{of}.", (claim.id,))
        elif claim.modality != "encouraged":
            yield Question(
                f"Is the {claim.quantity:.0%} of {claim.share_of} by value or by units, of orders or of deliveries?",
                (claim.id,),
            )
        if _OPEN_LIST.search(claim.sentence) and claim.objects:
            yield Question(f"Who else besides {', '.join(claim.objects)}? The list is open.", (claim.id,))


def _of_money(claims: list[StoryClaim]) -> Iterator[Question]:
    spending = [claim for claim in claims if is_spending(claim) and claim.modality == "plan"]
    for claim in spending:
        if not claim.period:
            yield Question(f"When is the money of {claim.id} to be spent? No time is told.", (claim.id,))
    if spending:
        ids = tuple(claim.id for claim in spending)
        yield Question(
            f"Is the money of {', '.join(ids)} capital spending, leases or cloud rent, and commitments "
            "or cash? Not told.",
            ids,
        )


def _of_denials(claims: list[StoryClaim]) -> Iterator[Question]:
    for denial in claims:
        if denial.kind == "comment" and denial.status == "denied":
            reached = tuple(claim.id for claim in claims if claim.status == "denied" and claim.kind != "comment")
            named = ", ".join(reached) or "nothing that was read"
            yield Question(
                f"What does {denial.attribution.who} deny ({denial.words!r}): the numbers, one of them, "
                f"or the sourcing? Taken as {named}.",
                (denial.id, *reached),
            )


def _of_sizes(claims: list[StoryClaim]) -> Iterator[Question]:
    for claim in claims:
        if claim.quantity is None and claim.words and claim.unit:
            yield Question(f"How many {claim.unit} are {claim.words!r} ({claim.about})?", (claim.id,))
