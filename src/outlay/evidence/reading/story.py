"""One story to its claims: sentence by sentence, then what only the whole story can settle."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from outlay.evidence.reading import chinese, subjects
from outlay.evidence.reading.periods import Period, periods
from outlay.evidence.reading.quantities import Mention, quantities
from outlay.evidence.reading.records import NUMBERLESS, Article, Attribution, ClaimStatus, Lexicon, Quoted, StoryClaim
from outlay.evidence.reading.sentences import Sentence, SentenceReader, is_chinese
from outlay.evidence.reading.shares import derived, with_bases
from outlay.evidence.reading.speakers import STATUS, Comment, Voice, comments, voice_at, voices
from outlay.evidence.reading.statuses import with_defaults, with_denials


def read_story(article: Article, lexicon: Lexicon) -> list[StoryClaim]:
    """Return the claims of an article, named ``c1``, ``c2`` ... in order; those only derived are ``d1`` ..."""
    in_chinese = is_chinese(article.body)
    reader = _reader(lexicon, in_chinese)
    found: list[StoryClaim] = []
    carried, told = "", list[tuple[int, str]]()
    for sentence in reader.sentences(article):
        of_sentence = list(_of_sentence(sentence, article, lexicon, carried, found, in_chinese=in_chinese))
        found += of_sentence
        if not any(claim.kind == "comment" for claim in of_sentence):
            spoken = chinese.voices(sentence) if in_chinese else voices(sentence)
            told += [(sentence.number, voice.attribution.kind) for voice in spoken if not voice.weak]
            if not spoken and any(claim.status == "official" for claim in of_sentence):
                told.append((sentence.number, "official"))
        carried = _carried(sentence, of_sentence, carried)
    found = _named(_told_once([claim for claim in found if claim.unit or claim.kind in NUMBERLESS]))
    found = with_denials(with_defaults(with_bases(_periods_inherited(found)), told))
    return [*found, *derived(found)]


_READERS: dict[tuple[int, bool], tuple[Lexicon, SentenceReader]] = {}


def _reader(lexicon: Lexicon, in_chinese: bool) -> SentenceReader:
    """Return the reader of a lexicon, made once."""
    key = (id(lexicon), in_chinese)
    if key not in _READERS:
        _READERS[key] = (lexicon, SentenceReader(lexicon, chinese=in_chinese))
    return _READERS[key][1]


def _carried(sentence: Sentence, found: list[StoryClaim], before: str) -> str:
    """Return whom the next sentence's "it" or "the company" means."""
    for claim in found:
        if claim.kind != "comment" and any(
            n.meaning == claim.subject and n.kind in {"company", "name"} for n in sentence.names
        ):
            return claim.subject
    first = next((name for name in sentence.names if name.kind in {"company", "name"}), None)
    if first and first.start < 40 and not re.search(r"declined|did not|respond|拒绝", sentence.text):
        return first.meaning
    return before


def _of_sentence(
    sentence: Sentence, article: Article, lexicon: Lexicon, carried: str, before: list[StoryClaim], *, in_chinese: bool
) -> Iterator[StoryClaim]:
    spoken = chinese.voices(sentence) if in_chinese else voices(sentence)
    if not spoken and before and subjects.OBLIGES.search(sentence.text):
        spoken = _ruling(sentence, before[-1])
    said = list(chinese.comments(sentence) if in_chinese else comments(sentence))
    times = chinese.periods(sentence.text, article.date) if in_chinese else periods(sentence.text, article.date)
    mentions = chinese.quantities(sentence.text) if in_chinese else quantities(sentence.text)
    for comment in said:
        yield _comment(sentence, article, comment, carried)
    for mention in mentions:
        if any(comment.start <= mention.start < comment.end for comment in said):
            continue
        yield _claim(sentence, article, lexicon, mention, (spoken, times, carried, before), mentions)
    yield from _dates(sentence, article, spoken, times, carried)
    yield from _statements(sentence, article, spoken, times, carried)
    if not said and not _introduced_by_count(sentence, mentions):
        yield from _lists(sentence, article, spoken, carried)


def _ruling(sentence: Sentence, before: StoryClaim) -> list[Voice]:
    """Return the public body that spoke in the sentence before as the voice of one that tells what must be done."""
    if before.status != "official" or before.sentence_number != sentence.number - 1:
        return []
    return [Voice(Attribution("official", str(before.attribution)), 0, len(sentence.text), 0)]


def _base_fields(sentence: Sentence, article: Article, start: int, end: int) -> dict[str, object]:
    return {
        "id": "",
        "sentence": sentence.text,
        "sentence_number": sentence.number,
        "sentence_start": sentence.start,
        "span": (sentence.start + start, sentence.start + end),
        "article": article.name,
        "told_by": (article.name,),
    }


def _comment(sentence: Sentence, article: Article, comment: Comment, carried: str) -> StoryClaim:
    who = ", ".join(comment.who) or carried
    pointed = not comment.who or re.match(r"(?:the|its|their|an?)\s", comment.who[0], re.IGNORECASE)
    firm = carried if pointed else comment.who[0]
    kind: Literal["company", "outlet"] = "company" if comment.status in {"denied", "declined"} else "outlet"
    speaker = re.search(r"spokes(?:man|woman|person)|representative", sentence.text)
    if comment.status == "denied" and speaker:
        who = f"{who} {speaker[0]}"
    return StoryClaim(
        kind="comment",
        quantity=None,
        unit="",
        subject=firm,
        about=f"{who} on being asked",
        status=comment.status,
        attribution=Attribution(kind, who),
        words=sentence.text[comment.start : comment.end],
        **_base_fields(sentence, article, comment.start, comment.end),  # type: ignore[arg-type]
    )


def _claim(
    sentence: Sentence,
    article: Article,
    lexicon: Lexicon,
    mention: Mention,
    around: tuple[list[Voice], list[Period], str, list[StoryClaim]],
    mentions: list[Mention],
) -> StoryClaim:
    spoken, times, carried, before = around
    subject, _ = subjects.subject_of(sentence, mention, carried)
    measure = subjects.measure_of(sentence, mention)
    voice = voice_at(spoken, mention.start)
    status: ClaimStatus = STATUS[voice.kind] if voice else "reported"
    if (
        measure in {"market value", "share price"}
        and mention.kind in {"change", "money", "share", "ratio"}
        and not (voice and voice.kind == "anonymous")
    ):
        status = "market data"
    elif mention.kind == "money" and subjects.expected_by_analysts(sentence, mention):
        status, voice = "analyst estimate", Attribution("analyst", "analysts")
    elif voice is None and subjects.decided_before(sentence, mention.start):
        status = "official"
    period, place = _period_of(sentence, mention, times), subjects.place_of(sentence, mention)
    objects = tuple(name for name in subjects.objects_of(sentence, mention, mentions) if name != subject)
    unit = mention.unit
    if mention.kind == "count" and not unit:
        counted = [claim for claim in before[-6:] if claim.kind == "count"]
        unit = counted[-1].unit if counted else ""
    what = " ".join(part for part in (measure, mention.noun) if part) or mention.kind
    about = f"{subject}: {what}" if subject else what
    about += f" ({', '.join(objects)})" if objects else ""
    about += f", {place}" if place else ""
    return StoryClaim(
        kind=mention.kind,
        quantity=mention.value,
        unit=unit,
        bound=mention.bound,
        upper=mention.upper,
        words=mention.words,
        about=about,
        subject=subject,
        measure=measure,
        objects=objects,
        place=place,
        period=period,
        modality=subjects.modality_of(sentence, mention),
        attribution=voice or Attribution(),
        status=status,
        quoted=_quoted(mention, lexicon, article),
        **_base_fields(sentence, article, mention.start, (mention.quoted or (mention,))[-1].end),  # type: ignore[arg-type]
    )


def _quoted(mention: Mention, lexicon: Lexicon, article: Article) -> tuple[Quoted, ...]:
    """Return the other currencies of an amount, each with the implied rate and the month's where it is known."""
    made = []
    for other in mention.quoted:
        if not (isinstance(other.value, float) and isinstance(mention.value, float) and other.value):
            continue
        known = None
        if mention.kind == "money" and article.date is not None:
            rates = [lexicon.rate(unit.split("/")[0], article.date) for unit in (mention.unit, other.unit)]
            if rates[0] and rates[1]:
                known = rates[0] / rates[1]
        made.append(Quoted(other.value, other.unit, mention.value / other.value, known))
    return tuple(made)


def _period_of(sentence: Sentence, mention: Mention, times: list[Period]) -> str:
    low, high = sentence.clause_at(mention.start)
    near = [period for period in times if low <= period.start < high] or [p for p in times if p.start < mention.start]
    if not near:
        return ""
    after = [
        period
        for period in near
        if period.start >= mention.end
        and not re.search(r"\bfrom\s(?:\w+\s){0,3}?$|;", sentence.text[mention.end : period.start])
    ]
    chosen = after[0] if after else near[0]
    return ("by " if chosen.by else "") + chosen.text


def _dates(
    sentence: Sentence, article: Article, spoken: list[Voice], times: list[Period], carried: str
) -> Iterator[StoryClaim]:
    """Read when something opens, starts, takes effect or was decided."""
    for period in times:
        if re.fullmatch(r"\d{4}-W\d\d|\d{4}", period.text) and period.start == 0:
            continue
        low, high = sentence.clause_at(period.start)
        events = list(subjects.EVENT.finditer(sentence.text, low, high))
        near = [
            e
            for e in events
            if min(abs(period.start - e.end()), abs(e.start() - period.end)) < 45
            or (e.start() < period.start and ", and" in sentence.text[e.end() : period.start])
        ]
        decided = [
            d for d in subjects.DECISION.finditer(sentence.text, low, period.start) if period.start - d.end() < 40
        ]
        official = bool(decided) and subjects.governs(sentence, low, decided[-1].start())
        if not near and not official:
            continue
        if re.search(r"\bsince\s$", sentence.text[: period.start]):
            continue
        event = (decided if official else near)[-1]
        mention = Mention("date", period.text, "date", period.start, period.end)
        subject, _ = subjects.subject_of(sentence, mention, carried)
        voice = voice_at(spoken, period.start)
        status: ClaimStatus = "official" if official else STATUS[voice.kind] if voice else "reported"
        yield StoryClaim(
            kind="date",
            quantity=period.text,
            unit="date",
            bound="up to" if period.by else "exactly",
            subject=subject,
            about=f"{subject}: {event[0].strip()}".lstrip(": "),
            measure=event[0].strip(),
            place=subjects.place_of(sentence, mention),
            period=period.text,
            modality=subjects.modality_of(sentence, mention),
            attribution=voice or Attribution(),
            status=status,
            **_base_fields(sentence, article, period.start, period.end),  # type: ignore[arg-type]
        )


def _statements(
    sentence: Sentence, article: Article, spoken: list[Voice], times: list[Period], carried: str
) -> Iterator[StoryClaim]:
    """Read what stands without a quantity: what public bodies let or forbid, and what is only talked about."""
    for kind, pattern in (("decision", subjects.DECISION), ("talks", subjects.TALKS)):
        for match in pattern.finditer(sentence.text):
            low, high = sentence.clause_at(match.start())
            dated = any(low <= period.start < high and period.start - match.end() < 40 for period in times)
            if kind == "decision" and (dated or not subjects.governs(sentence, low, match.start())):
                continue
            mention = Mention(kind, None, "", match.start(), match.end())  # type: ignore[arg-type]
            voice = voice_at(spoken, match.start())
            told: ClaimStatus = STATUS[voice.kind] if voice else "reported"
            yield StoryClaim(
                kind=mention.kind,
                quantity=None,
                unit="",
                subject=subjects.subject_of(sentence, mention, carried)[0],
                words=match[0],
                about=sentence.text[low:high].strip(" .;"),
                attribution=voice or Attribution(),
                status="under consideration" if kind == "talks" else told,
                **_base_fields(sentence, article, match.start(), match.end()),  # type: ignore[arg-type]
            )
            break


def _introduced_by_count(sentence: Sentence, mentions: list[Mention]) -> bool:
    """Return whether a count already says how many are listed: three platforms: TPU, Trainium, Nvidia GPUs."""
    return any(
        m.kind == "count" and isinstance(m.value, float) and m.value < 20 and sentence.text[m.end : m.end + 1] == ":"
        for m in mentions
    )


def _lists(sentence: Sentence, article: Article, spoken: list[Voice], carried: str) -> Iterator[StoryClaim]:
    """Read a list of organisations as a count of them, which is arithmetic over the names."""
    for names in subjects.lists_of(sentence):
        mention = Mention("list", float(len(names)), "companies", names[0].start, names[-1].end)
        voice = voice_at(spoken, names[0].start)
        listed = tuple(name.meaning for name in names)
        yield StoryClaim(
            kind="list",
            quantity=float(len(names)),
            unit="companies",
            subject=carried,
            objects=listed,
            about=", ".join(listed),
            modality=subjects.modality_of(sentence, mention),
            attribution=voice or Attribution(),
            remarks=("counted from the names listed",),
            status=STATUS[voice.kind] if voice else "reported",
            **_base_fields(sentence, article, mention.start, mention.end),  # type: ignore[arg-type]
        )


_WEIGHT = {"analyst": 3, "official": 3, "company": 2, "anonymous": 2, "outlet": 1, "none": 0}


def _told_once(claims: list[StoryClaim]) -> list[StoryClaim]:
    """Drop what a story says again; the telling that names a better witness lends its words."""
    kept: list[StoryClaim] = []
    places: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for claim in claims:
        alike = places[claim.kind, claim.unit, claim.quantity, claim.upper, claim.words]
        twin = next((i for i in alike if _same_figure(kept[i], claim)), None)
        if twin is None:
            alike.append(len(kept))
            kept.append(claim)
            continue
        first = kept[twin]
        if _WEIGHT[claim.attribution.kind] > _WEIGHT[first.attribution.kind]:
            first = replace(first, attribution=claim.attribution, status=claim.status)
        bound = first.bound if first.bound != "exactly" else claim.bound
        period, quoted = first.period or claim.period, first.quoted or claim.quoted
        kept[twin] = replace(first, bound=bound, quoted=quoted, period=period)
    return kept


def _same_figure(a: StoryClaim, b: StoryClaim) -> bool:
    """Return whether two claims of a story, of one kind and size, are one figure told twice: never by size alone."""
    if a.kind in NUMBERLESS | {"change"}:
        return False
    if a.sentence_start == b.sentence_start:
        return a.span == b.span
    if a.kind == "date":
        return a.subject == b.subject or not a.subject or not b.subject or "online" in a.measure or "live" in b.measure
    alike = a.subject == b.subject or not a.subject or not b.subject
    meant = a.measure == b.measure or not a.measure or not b.measure
    shared = bool(set(a.objects) & set(b.objects)) or not a.objects or not b.objects
    large = isinstance(a.quantity, float) and abs(a.quantity) >= 1000 and a.kind in {"count", "money", "power"}
    return (alike and meant and shared and a.kind != "share") or (large and shared and a.kind == "count")


def _periods_inherited(claims: list[StoryClaim]) -> list[StoryClaim]:
    """Give money that names no time the time of the same subject's money before it."""
    done: list[StoryClaim] = []
    for claim in claims:
        if claim.kind == "money" and not claim.period and claim.modality == "plan":
            earlier = [
                other for other in done if other.kind == "money" and other.period and other.subject == claim.subject
            ]
            if earlier:
                claim = replace(
                    claim, period=earlier[-1].period, remarks=(*claim.remarks, f"period taken from {earlier[-1].id}")
                )
        done.append(claim)
    return done


def _named(claims: list[StoryClaim]) -> list[StoryClaim]:
    ordered = sorted(claims, key=lambda claim: (claim.span, claim.kind))
    return [replace(claim, id=f"c{number}") for number, claim in enumerate(ordered, start=1)]
