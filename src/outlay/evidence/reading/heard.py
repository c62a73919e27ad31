"""The claims of one sentence: its figures, dates, answers, statements and lists, each with who says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from outlay.evidence.reading import chinese, subjects
from outlay.evidence.reading.periods import Period, periods
from outlay.evidence.reading.quantities import Mention, quantities
from outlay.evidence.reading.records import Article, Attribution, ClaimStatus, Lexicon, Quoted, StoryClaim
from outlay.evidence.reading.sentences import Sentence
from outlay.evidence.reading.speakers import STATUS, Comment, Voice, comments, voice_at, voices


@dataclass(frozen=True)
class Heard:
    """A sentence with all that the grammars hear in it.

    Attributes
    ----------
    carried
        Whom "it" or "the company" means here.
    counted
        Unit of the last count of the sentences before, which a bare number takes.
    """

    sentence: Sentence
    article: Article
    lexicon: Lexicon
    carried: str
    counted: str
    voices: tuple[Voice, ...]
    comments: tuple[Comment, ...]
    periods: tuple[Period, ...]
    mentions: tuple[Mention, ...]

    def voice(self, position: int) -> Attribution | None:
        """Return who says what stands at a character."""
        return voice_at(self.voices, position)

    def status(self, position: int) -> ClaimStatus:
        """Return how sure what stands at a character is, by who says it."""
        voice = self.voice(position)
        return STATUS[voice.kind] if voice else "reported"

    def subject(self, mention: Mention) -> str:
        """Return whose a quantity is."""
        return subjects.subject_of(self.sentence, mention, self.carried)

    def claim(self, mention: Mention, end: int | None = None, **fields: Any) -> StoryClaim:
        """Return a claim at a mention: what all kinds of claims have, with the fields of its own."""
        sentence, voice = self.sentence, self.voice(mention.start)
        common: dict[str, Any] = {
            "id": "",
            "kind": mention.kind,
            "quantity": mention.value,
            "unit": mention.unit,
            "attribution": voice or Attribution(),
            "status": self.status(mention.start),
            "sentence": sentence.text,
            "sentence_number": sentence.number,
            "sentence_start": sentence.start,
            "span": (sentence.start + mention.start, sentence.start + (end or mention.end)),
            "article": self.article.name,
            "told_by": (self.article.name,),
        }
        return StoryClaim(**{**common, **fields})


def heard(
    sentence: Sentence, article: Article, lexicon: Lexicon, carried: str, before: list[StoryClaim], *, in_chinese: bool
) -> Heard:
    """Run the grammars of the story's language over a sentence."""
    counted = [claim.unit for claim in before[-6:] if claim.kind == "count"]
    spoken = (chinese.voices if in_chinese else voices)(sentence)
    earlier = next((c.attribution for c in reversed(before[-9:]) if c.attribution.kind != "none"), Attribution())
    if earlier.kind in {"official", "analyst"}:
        spoken = [
            replace(voice, attribution=earlier) if voice.attribution.who.casefold() in {"he", "she"} else voice
            for voice in spoken
        ]
    if not spoken and before and subjects.OBLIGES.search(sentence.text):
        spoken = _ruling(sentence, before[-1])
    return Heard(
        sentence,
        article,
        lexicon,
        carried,
        counted[-1] if counted else "",
        tuple(spoken),
        tuple((chinese.comments if in_chinese else comments)(sentence)),
        tuple((chinese.periods if in_chinese else periods)(sentence.text, article.date)),
        tuple((chinese.quantities if in_chinese else quantities)(sentence.text)),
    )


def claims_of(found: Heard) -> Iterator[StoryClaim]:
    """Yield every claim of a sentence."""
    for comment in found.comments:
        yield _answer(found, comment)
    for mention in found.mentions:
        if not any(comment.start <= mention.start < comment.end for comment in found.comments):
            yield _figure(found, mention)
    yield from _dates(found)
    yield from _statements(found)
    if not found.comments and not _introduced_by_count(found):
        yield from _lists(found)


def _ruling(sentence: Sentence, before: StoryClaim) -> list[Voice]:
    """Return the public body that spoke in the sentence before as the voice of one that tells what must be done."""
    if before.status != "official" or before.sentence_number != sentence.number - 1:
        return []
    return [Voice(Attribution("official", str(before.attribution)), 0, len(sentence.text), 0)]


def _answer(found: Heard, comment: Comment) -> StoryClaim:
    """Return a denial, a refusal to comment, a silence or a failed check as a claim."""
    sentence = found.sentence
    who = ", ".join(comment.who) or found.carried
    pointed = not comment.who or re.match(r"(?:the|its|their|an?)\s", comment.who[0], re.IGNORECASE)
    kind: Literal["company", "outlet"] = "company" if comment.status in {"denied", "declined"} else "outlet"
    speaker = re.search(r"spokes(?:man|woman|person)|representative", sentence.text)
    if comment.status == "denied" and speaker:
        who = f"{who} {speaker[0]}"
    return found.claim(
        Mention("comment", None, "", comment.start, comment.end),
        subject=found.carried if pointed else comment.who[0],
        about=f"{who} on being asked",
        status=comment.status,
        attribution=Attribution(kind, who),
        words=sentence.text[comment.start : comment.end],
    )


def _figure(found: Heard, mention: Mention) -> StoryClaim:
    """Return a quantity as a claim, with what it is of and who says it."""
    sentence, subject = found.sentence, found.subject(mention)
    measure, place = subjects.measure_of(sentence, mention), subjects.place_of(sentence, mention)
    objects = tuple(name for name in subjects.objects_of(sentence, mention, found.mentions) if name != subject)
    what = " ".join(part for part in (measure, mention.noun) if part) or mention.kind
    about = f"{subject}: {what}" if subject else what
    about += f" ({', '.join(objects)})" if objects else ""
    about += f", {place}" if place else ""
    return found.claim(
        mention,
        (mention.quoted or (mention,))[-1].end,
        unit=mention.unit or (found.counted if mention.kind == "count" else ""),
        bound=mention.bound,
        upper=mention.upper,
        words=mention.words,
        about=about,
        subject=subject,
        measure=measure,
        objects=objects,
        place=place,
        period=_period_of(found, mention),
        modality=subjects.modality_of(sentence, mention),
        quoted=_quoted(found, mention),
        **_witness(found, mention, measure),
    )


def _witness(found: Heard, mention: Mention, measure: str) -> dict[str, Any]:
    """Return status and attribution of a figure where its kind decides them, rather than who speaks."""
    voice = found.voice(mention.start)
    quoted_market = mention.kind in {"change", "money", "share", "ratio"} and measure in {"market value", "share price"}
    if quoted_market and not (voice and voice.kind == "anonymous"):
        return {"status": "market data"}
    if mention.kind == "money" and subjects.expected_by_analysts(found.sentence, mention):
        return {"status": "analyst estimate", "attribution": Attribution("analyst", "analysts")}
    if voice is None and subjects.decided_before(found.sentence, mention.start):
        return {"status": "official"}
    return {}


def _quoted(found: Heard, mention: Mention) -> tuple[Quoted, ...]:
    """Return the other currencies of an amount, each with the implied rate and the month's where it is known."""
    made = []
    for other in mention.quoted:
        if not (isinstance(other.value, float) and isinstance(mention.value, float) and other.value):
            continue
        known, day = None, found.article.date
        if mention.kind == "money" and day is not None:
            rates = [found.lexicon.rate(unit.split("/")[0], day) for unit in (mention.unit, other.unit)]
            known = rates[0] / rates[1] if rates[0] and rates[1] else None
        made.append(Quoted(other.value, other.unit, mention.value / other.value, known))
    return tuple(made)


def _period_of(found: Heard, mention: Mention) -> str:
    """Return the time of a figure: the next one told after it in its clause, else the first, else one before."""
    text = found.sentence.text
    low, high = found.sentence.clause_at(mention.start)
    near = [period for period in found.periods if low <= period.start < high]
    near = near or [period for period in found.periods if period.start < mention.start]
    after = [
        period
        for period in near
        if period.start >= mention.end
        and not re.search(r"\bfrom\s(?:\w+\s){0,3}?$|;", text[mention.end : period.start])
    ]
    if not near:
        return ""
    chosen = after[0] if after else near[0]
    return ("by " if chosen.by else "") + chosen.text


def _dates(found: Heard) -> Iterator[StoryClaim]:
    """Read when something opens, starts, takes effect or was decided."""
    sentence = found.sentence
    for period in found.periods:
        event = _event(sentence, period)
        opening = re.fullmatch(r"\d{4}-W\d\d|\d{4}", period.text) and period.start == 0
        if event is None or opening or re.search(r"\bsince\s$", sentence.text[: period.start]):
            continue
        words, official = event
        mention = Mention("date", period.text, "date", period.start, period.end)
        subject = found.subject(mention)
        yield found.claim(
            mention,
            bound="up to" if period.by else "exactly",
            subject=subject,
            about=f"{subject}: {words}".lstrip(": "),
            measure=words,
            place=subjects.place_of(sentence, mention),
            period=period.text,
            modality=subjects.modality_of(sentence, mention),
            status="official" if official else found.status(period.start),
        )


def _event(sentence: Sentence, period: Period) -> tuple[str, bool] | None:
    """Return what happens at a time in words, and whether a public body decided it; ``None`` where nothing does."""
    low, high = sentence.clause_at(period.start)
    decisions = subjects.DECISION.finditer(sentence.text, low, period.start)
    decided = [match for match in decisions if period.start - match.end() < 40]
    near = [
        match
        for match in subjects.EVENT.finditer(sentence.text, low, high)
        if min(abs(period.start - match.end()), abs(match.start() - period.end)) < 45
        or (match.start() < period.start and ", and" in sentence.text[match.end() : period.start])
    ]
    follows = [match for match in near if match.start() >= period.end and match.start() - period.end < 10]
    if decided and not follows and subjects.governs(sentence, low, decided[-1].start()):
        return decided[-1][0].strip(), True
    return (near[-1][0].strip(), False) if near else None


def _statements(found: Heard) -> Iterator[StoryClaim]:
    """Read what stands without a quantity: what public bodies let or forbid, and what is only talked about."""
    sentence = found.sentence
    kinds: tuple[tuple[Literal["decision", "talks"], re.Pattern[str]], ...] = (
        ("decision", subjects.DECISION),
        ("talks", subjects.TALKS),
    )
    for kind, pattern in kinds:
        for match in pattern.finditer(sentence.text):
            low, high = sentence.clause_at(match.start())
            dated = any(low <= period.start < high and period.start - match.end() < 40 for period in found.periods)
            if kind == "decision" and (dated or not subjects.governs(sentence, low, match.start())):
                continue
            mention = Mention(kind, None, "", match.start(), match.end())
            yield found.claim(
                mention,
                subject=found.subject(mention),
                words=match[0],
                about=sentence.text[low:high].strip(" .;"),
                status="under consideration" if kind == "talks" else found.status(match.start()),
            )
            break


def _introduced_by_count(found: Heard) -> bool:
    """Return whether a count already says how many are listed: three platforms: TPU, Trainium, Nvidia GPUs."""
    text = found.sentence.text
    few = [m for m in found.mentions if m.kind == "count" and isinstance(m.value, float) and m.value < 20]
    return any(text[mention.end : mention.end + 1] == ":" for mention in few)


def _lists(found: Heard) -> Iterator[StoryClaim]:
    """Read a list of organisations as a count of them, which is arithmetic over the names."""
    for names in subjects.lists_of(found.sentence):
        mention = Mention("list", float(len(names)), "companies", names[0].start, names[-1].end)
        listed = tuple(name.meaning for name in names)
        yield found.claim(
            mention,
            subject=found.carried,
            objects=listed,
            about=", ".join(listed),
            modality=subjects.modality_of(found.sentence, mention),
            remarks=("counted from the names listed",),
        )
