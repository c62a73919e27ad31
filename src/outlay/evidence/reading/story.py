"""One story to its claims: sentence by sentence, then what only the whole story can settle."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from outlay.evidence.reading.heard import claims_of, heard
from outlay.evidence.reading.records import NUMBERLESS, Article, Lexicon, StoryClaim
from outlay.evidence.reading.sentences import Sentence, SentenceReader, is_chinese
from outlay.evidence.reading.shares import derived, with_bases
from outlay.evidence.reading.statuses import with_defaults, with_denials


def read_story(article: Article, lexicon: Lexicon) -> list[StoryClaim]:
    """Return the claims of an article, named ``c1``, ``c2`` ... in order; those only derived are ``d1`` ..."""
    in_chinese = is_chinese(article.body)
    reader = _reader(lexicon, in_chinese)
    found: list[StoryClaim] = []
    carried, told = "", list[tuple[int, str]]()
    for sentence in reader.sentences(article):
        now = heard(sentence, article, lexicon, carried, found, in_chinese=in_chinese)
        of_sentence = list(claims_of(now))
        found += of_sentence
        if not now.comments:
            told += [(sentence.number, voice.attribution.kind) for voice in now.voices if not voice.weak]
            if not now.voices and any(claim.status == "official" for claim in of_sentence):
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
        remarks = (*first.remarks, f"told again: {claim.sentence!r}")
        kept[twin] = replace(first, bound=bound, quoted=quoted, period=period, remarks=remarks)
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
    return alike and meant and shared and a.kind != "share"


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
