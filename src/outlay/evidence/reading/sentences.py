"""Sentences of a story with the names in them, by spaCy's rule pipelines: no model, nothing to download."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from outlay.evidence.reading.words import word_set, words

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Span

    from outlay.evidence.reading.records import Article, Lexicon

NameKind = Literal["company", "outlet", "analyst", "official", "place", "product", "person", "name"]

_OFFICIAL_SUFFIX = re.compile(
    r"\b(?:Ministry|Department|Commission|Bureau|Agency|Authority|Council|Parliament|Customs)\b"
)
_ANALYST_SUFFIX = re.compile(r"\b(?:Research|Insights?|Intelligence|Securities|Advisory|Consulting|Analytics)$")
_OUTLET_SUFFIX = re.compile(
    r"\b(?:Times|Post|Journal|News|Herald|Ledger|Gazette|Tribune|Chronicle|Review|Observer|Telegraph|Wire|Daily)$"
)
_CHINESE_FIRM = re.compile(
    r"(?<![一-鿿])[一-鿿]{2,6}?(?:科技|集团|云|银行|资本|半导体|数据|智能|网络|股份|控股|实验室|电子|通信|信息|微电子|智算)(?=[一-鿿，（(、]|$)"
)
_TITLE = re.compile(
    r"\b(?:CEO|CFO|COO|CTO|[Cc]hair(?:man|woman|person)?|[Pp]resident|[Ff]ounder|"
    r"[Cc]hief(?: [a-z]+){0,2}(?: officer| executive| scientist| "
    r"economist)?|[Dd]irector|[Mm]inister|[Ss]ecretary|[Ss]pokes(?:man|woman|person)|[Aa]nalyst|"
    r"[Ee]xecutive|[Hh]ead|[Gg]overnor|"
    r"Mr|Ms|Dr|Senator|Vice President)\s$"
)


@dataclass(frozen=True)
class Name:
    """A name in a sentence; ``start`` and ``end`` are characters of the sentence."""

    text: str
    kind: NameKind
    start: int
    end: int
    meaning: str
    """The name the lexicon has for it; the text itself where it has none."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a body: its text, its first character in the body, and the names in it."""

    text: str
    start: int
    number: int
    names: tuple[Name, ...]

    @property
    def clauses(self) -> tuple[tuple[int, int], ...]:
        """Spans that semicolons part."""
        cuts = [match.end() for match in re.finditer(r"[;；]\s?", self.text)]
        return tuple(zip([0, *cuts], [*cuts, len(self.text)], strict=True))

    def clause_at(self, position: int) -> tuple[int, int]:
        """Return the clause that holds a character."""
        return next(
            clause for clause in self.clauses if clause[0] <= position < clause[1] or clause == self.clauses[-1]
        )


def is_chinese(text: str) -> bool:
    """Return whether a text is mostly in Chinese characters."""
    return len(re.findall(r"[一-鿿]", text)) > 0.2 * max(1, len(text))


@functools.cache
def _pipeline(chinese: bool) -> Language:
    import spacy

    nlp = spacy.blank("zh" if chinese else "en")
    marks = ["。", "！", "？", "!", "?"] if chinese else None
    nlp.add_pipe("sentencizer", config={"punct_chars": marks} if marks else {})
    if not chinese:
        tokenizer: Any = nlp.tokenizer
        for short in ("a.m.", "p.m.", "Inc.", "Corp.", "Ltd.", "Co.", "No.", "approx.", "vs.", "n.d.", "sq.", "est."):
            tokenizer.add_special_case(short, [{"ORTH": short}])
        for unit in ("kW", "kWh", "MWh", "GWh", "TWh", "GPUs", "TPUs"):
            tokenizer.add_special_case(f"{unit}.", [{"ORTH": unit}, {"ORTH": "."}])
    return nlp


class SentenceReader:
    """Splits bodies into sentences and finds names, by a lexicon handed over and by capital letters."""

    def __init__(self, lexicon: Lexicon, *, chinese: bool = False) -> None:
        self.nlp = _pipeline(chinese)
        self.chinese = chinese
        self.meanings: dict[tuple[str, str], str] = {}
        self.matcher = self._matcher(lexicon)

    def _matcher(self, lexicon: Lexicon) -> PhraseMatcher:
        from spacy.matcher import PhraseMatcher

        matcher = PhraseMatcher(self.nlp.vocab)
        tables: list[tuple[NameKind, Iterable[tuple[str, str]]]] = [
            ("company", lexicon.companies.items()),
            ("product", lexicon.products.items()),
            ("place", lexicon.places.items()),
            ("outlet", ((name, name) for name in words("outlets"))),
            ("analyst", ((name, name) for name in words("analysts"))),
            ("official", ((name, name) for name in words("officials"))),
        ]
        for kind, names in tables:
            pairs = list(names)
            matcher.add(kind, [self.nlp.make_doc(written) for written, _ in pairs])
            self.meanings.update({(kind, written): meaning for written, meaning in pairs})
        return matcher

    def sentences(self, article: Article) -> list[Sentence]:
        """Return the sentences of the body, in order."""
        found: list[Sentence] = []
        docs: list[tuple[int, Any]] = []
        position = 0
        for paragraph in article.body.split("\n"):
            if paragraph.strip():
                docs.append((position, self.nlp(paragraph)))
            position += len(paragraph) + 1
        inside = {name.text for _, doc in docs for span in doc.sents for name in self._capitals(span, frozenset())}
        for offset, doc in docs:
            listed = self.matcher(doc)
            for span in doc.sents:
                text = span.text.strip()
                if text:
                    start = offset + span.start_char + (len(span.text) - len(span.text.lstrip()))
                    found.append(
                        Sentence(text, start, len(found) + 1, tuple(self._names(span, listed, frozenset(inside))))
                    )
        return found

    def _names(self, span: Span, matches: list[tuple[int, int, int]], known: frozenset[str]) -> list[Name]:
        shift = len(span.text) - len(span.text.lstrip())
        listed: list[Name] = []
        for label, start, end in matches:
            if not (span.start <= start and end <= span.end):
                continue
            kind: Any = self.nlp.vocab.strings[label]
            piece = span.doc[start:end]
            at = piece.start_char - span.start_char - shift
            listed.append(Name(piece.text, kind, at, at + len(piece.text), self.meanings[kind, piece.text]))
        if self.chinese:
            free = [Name(m[0], "name", m.start(), m.end(), m[0]) for m in _CHINESE_FIRM.finditer(span.text.lstrip())]
        else:
            free = [self._moved(name, shift) for name in self._capitals(span, known)]
        return _without_overlaps(listed, free, span.text.lstrip())

    @staticmethod
    def _moved(name: Name, shift: int) -> Name:
        return Name(name.text, name.kind, name.start - shift, name.end - shift, name.meaning)

    def _capitals(self, span: Span, known: frozenset[str]) -> list[Name]:
        """Return runs of capitalised words; a lone word that opens the sentence only where it is a name elsewhere."""
        runs: list[list[Any]] = []
        tokens = [token for token in span if not token.is_space]
        for i, token in enumerate(tokens):
            capital = (
                token.text[:1].isupper()
                and token.text.strip(".") not in word_set("not_names")
                and token.text not in word_set("not_names")
                and not re.search(r"\$|^RM\d", token.text)
            )
            if capital and runs and runs[-1][-1] is tokens[i - 1]:
                runs[-1].append(token)
            elif capital:
                runs.append([token])
            elif (
                runs
                and runs[-1][-1] is tokens[i - 1]
                and token.lower_ in word_set("connectors")
                and i + 1 < len(tokens)
                and tokens[i + 1].text[:1].isupper()
            ):
                runs[-1].append(token)
        names = []
        for run in runs:
            if run[0] is tokens[0]:
                lone = len(run) == 1
                after = tokens[1].lower_ if len(tokens) > 1 else ""
                follows = [token.text for token in tokens[1:5]]
                listed = (
                    len(follows) > 3
                    and follows[1][:1].isupper()
                    and (follows[0] == "and" or (follows[0] == "," and {",", "and"} & set(follows[2:])))
                )
                named = run[0].text in known or after in word_set("speech") or after in {"'s", "’s"} or listed
                if lone and not (named and not run[0].is_stop):
                    continue
                if run[0].is_stop:
                    run = run[1:]
            while run and run[-1].lower_ in word_set("connectors"):
                run = run[:-1]
            if run:
                start, end = run[0].idx - span.start_char, run[-1].idx + len(run[-1].text) - span.start_char
                end += len(re.match(r"(?:-\w+)*", span.text[end:])[0])  # type: ignore[index]
                text = span.text[start:end]
                names.append(Name(text, _kind_of(text, span.text[:start]), start, end, text))
        return names


def _kind_of(text: str, before: str) -> NameKind:
    if _TITLE.search(before):
        return "person"
    if _OFFICIAL_SUFFIX.search(text):
        return "official"
    if _ANALYST_SUFFIX.search(text):
        return "analyst"
    if _OUTLET_SUFFIX.search(text):
        return "outlet"
    placed = re.search(
        r"\b(?:in|near|at|across|outside|from)\s(?:the\s|northern\s|southern\s|eastern\s|western\s)?$", before
    )
    if text in word_set("capitals") and not placed:
        return "official"
    if placed:
        return "place"
    if re.search(r"\d", text):
        return "product"
    return "name"


def _without_overlaps(listed: list[Name], free: list[Name], text: str) -> list[Name]:
    """Prefer the longer of two names in one place, and a listed one where they are as long."""
    kept: list[Name] = []
    for name in sorted([*listed, *free], key=lambda n: (n.start - n.end, n not in listed)):
        inside = [other for other in kept if name.start < other.end and other.start < name.end]
        if not inside:
            kept.append(name)
    return sorted(kept, key=lambda name: name.start)
