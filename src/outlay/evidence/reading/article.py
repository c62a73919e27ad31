"""A page or a text to a story: its body, title and date; what is not the story is listed as ignored."""

from __future__ import annotations

import re
from datetime import date
from pathlib import PurePath
from typing import Any

from outlay.errors import InputError
from outlay.evidence.reading.records import Article, Ignored

LARGEST_BYTES = 5_000_000
LONGEST_TEXT = 200_000
"""Characters, about 30,000 words; what is longer is no news story."""
_SENTENCE_END = re.compile(r"[.!?。！？…][\"'”’)\]）」]*$")
_BOILERPLATE = re.compile(
    r"^(?:\(?(?:reporting|editing|writing|additional reporting|compiled|translated) by\b|©|copyright\b|"
    r"all rights reserved|share (?:on|this|via)\b|"
    r"sign up\b|subscribe\b|read (?:more|also|next)\b|related\b|click here|follow us|download (?:the|"
    r"our) app|advertisement|sponsored|photo(?:graph)?:|"
    r"image:|file photo|caption\b|source:|credit:|tags?:|newsletter|get the latest|most (?:read|"
    r"popular)|recommended|trending|cookies?\b|"
    r"we use cookies|accept (?:all|cookies)|log ?in|register\b|terms of (?:use|service)|privacy policy|"
    r"skip to|menu\b|disclaimer\b|"
    r"编辑[:：]|责任编辑|来源[:：]|版权|点击|扫码|关注|相关阅读|延伸阅读|推荐阅读|免责声明|图[:：])",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"\b(?:is seen|are seen|is pictured|are pictured|in this (?:illustration|photo|picture|file)|"
    r"REUTERS/|Getty Images|AFP/|/File Photo|Shutterstock)\b"
)
_DATELINE = re.compile(
    r"^(?:[A-Z][A-Z .,/]+(?:,\s\w+\.?\s\d{1,2})?\s)?\((?:Reuters|AP|AFP|Bloomberg|Xinhua)\)\s?[-–—]+\s?"
)


def article_of(data: bytes, name: str, *, address: str = "", told: date | None = None, charset: str = "") -> Article:
    """Return the story of a page or a text.

    Parameters
    ----------
    told
        The story's date, where the caller knows it; else one in the page, or in a header of ``# `` lines, is taken.

    Raises
    ------
    InputError
        If there is no text, it is binary, too long, or in no known encoding.
    """
    text = _decoded(data, name, charset)
    if not text.strip():
        msg = f"{name}: empty; expected a story as text or HTML"
        raise InputError(msg)
    title, found_date, outlet, ignored = "", None, "", list[Ignored]()
    if _is_html(text):
        text, title, found_date, outlet, ignored = _main_text(text, name)
    if len(text) > LONGEST_TEXT:
        msg = f"{name}: {len(text):,} characters of text; a story has at most {LONGEST_TEXT:,}"
        raise InputError(msg)
    header, text = _header(text)
    title = header.get("title", title)
    found_date = _day(header.get("date", "")) or found_date
    body, in_text, ignored_lines = _body(text)
    return Article(
        name=PurePath(name).name or name,
        body=body,
        title=title or in_text,
        address=address or header.get("address", ""),
        date=told or found_date,
        outlet=outlet,
        ignored=(*ignored, *ignored_lines),
    )


def _decoded(data: bytes, name: str, charset: str) -> str:
    if len(data) > LARGEST_BYTES:
        msg = f"{name}: {len(data):,} bytes; a story has at most {LARGEST_BYTES:,}"
        raise InputError(msg)
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if data.startswith(mark):
            return _checked(data.decode(encoding, errors="strict"), name)
    if b"\x00" in data[:4096]:
        msg = f"{name}: binary; expected a story as text or HTML"
        raise InputError(msg)
    declared = re.search(rb"<meta[^>]+charset=[\"']?([\w-]+)", data[:4096], re.IGNORECASE)
    tries = [
        charset,
        declared[1].decode("ascii") if declared else "",
        "utf-8",
        "gb18030" if _looks_gbk(data) else "",
        "cp1252",
    ]
    for encoding in filter(None, tries):
        try:
            return _checked(data.decode(encoding), name)
        except (UnicodeDecodeError, LookupError):
            continue
    msg = f"{name}: in no known encoding; save it as UTF-8"
    raise InputError(msg)


def _looks_gbk(data: bytes) -> bool:
    """Return whether bytes that are no UTF-8 decode as Chinese text."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return len(re.findall(r"[一-鿿]", text)) > 0.3 * len(text)


def _checked(text: str, name: str) -> str:
    odd = sum(1 for sign in text[:20_000] if ord(sign) < 32 and sign not in "\n\r\t\f") + text[:20_000].count("\ufffd")
    if odd > 0.02 * min(len(text), 20_000):
        msg = f"{name}: binary, or in an unknown encoding; expected a story as text or HTML"
        raise InputError(msg)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_html(text: str) -> bool:
    return re.search(r"<(?:!doctype html|html|head|body|article|div|p)\b", text[:5000], re.IGNORECASE) is not None


def _main_text(html: str, name: str) -> tuple[str, str, date | None, str, list[Ignored]]:
    """Return main text, title, date and site of a page, and what of its text was left out."""
    import trafilatura
    from lxml import html as parser

    found: Any = trafilatura.bare_extraction(
        html, include_comments=False, include_tables=False, favor_precision=True, with_metadata=True
    )
    if found is None or not getattr(found, "text", None):
        msg = f"{name}: a page without a story in it"
        raise InputError(msg)
    text = str(found.text)
    kept = set(text.split("\n"))
    ignored = []
    try:
        tree = parser.fromstring(html)
    except (ValueError, parser.etree.ParserError):
        tree = None
    if tree is not None:
        for node in tree.iter("li", "p", "h1", "h2", "h3", "h4", "figcaption", "a", "td"):
            words = " ".join(node.text_content().split())
            if words and len(words) < 400 and not any(words in line for line in kept):
                ignored.append(Ignored(words, f"<{node.tag}> outside the story"))
    unique = {item.text: item for item in ignored}
    return text, str(found.title or ""), _day(str(found.date or "")), str(found.sitename or ""), list(unique.values())


def _header(text: str) -> tuple[dict[str, str], str]:
    """Return title, address and date from opening lines that begin with ``# ``, and the text after them."""
    lines = text.lstrip("\ufeff\n").split("\n")
    header: dict[str, str] = {}
    count = 0
    for line in lines:
        if not line.startswith("# "):
            break
        count += 1
        value = line[2:].strip()
        if re.fullmatch(r"https?://\S+", value):
            header.setdefault("address", value)
        elif re.fullmatch(r"\d{4}-\d{2}(?:-\d{2})?(?:\s\(.*\))?", value):
            header.setdefault("date", value)
        else:
            header.setdefault("title", value)
    return header, "\n".join(lines[count:])


def _day(text: str) -> date | None:
    """Return a day; of a month without one, its last day that any month has, since a story is known at its end."""
    match = re.match(r"(\d{4})-(\d{2})(?:-(\d{2}))?", text)
    if not match:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3] or 28))
    except ValueError:
        return None


def _body(text: str) -> tuple[str, str, list[Ignored]]:
    """Return the story's paragraphs, its headline where the text opens with one, and the lines that are neither."""
    kept: list[str] = []
    ignored: list[Ignored] = []
    title = ""
    for raw in _joined(text.split("\n")):
        line = raw.strip()
        if not line:
            continue
        reason = _not_story(line)
        if reason == "headline" and not kept and not title:
            title = line
            continue
        if reason:
            ignored.append(Ignored(line, reason))
        else:
            kept.append(_DATELINE.sub("", line))
    return "\n".join(kept), title, ignored


def _joined(lines: list[str]) -> list[str]:
    """Join the lines of hard-wrapped paragraphs: a line that does not end a sentence and is followed by lower case."""
    joined: list[str] = []
    for line in lines:
        last = joined[-1] if joined else ""
        wrapped = last.strip() and line.strip() and not _SENTENCE_END.search(last.strip()) and len(last) > 50
        if wrapped and (
            line.lstrip()[:1].islower() or line.lstrip()[:1].isdigit() or (len(last) > 60 and _prose(last))
        ):
            joined[-1] = f"{last.rstrip()} {line.strip()}"
        else:
            joined.append(line)
    return joined


def _prose(line: str) -> bool:
    """Return whether a line is running text: most of its words are in small letters."""
    words = re.findall(r"[A-Za-z][\w'’-]*", line)
    return len(words) >= 6 and sum(word[0].islower() for word in words) > 0.6 * len(words)


def _not_story(line: str) -> str:
    """Return why a line is not part of the story; nothing where it is."""
    if _BOILERPLATE.match(line):
        return "boilerplate"
    if _CAPTION.search(line) and len(line) < 300:
        return "caption"
    words = re.findall(r"[A-Za-z][\w'’-]*", line)
    chinese = re.findall(r"[一-鿿]", line)
    if len(chinese) > 10 and len(chinese) > len(words):
        return "" if _SENTENCE_END.search(line) else "headline"
    if not _SENTENCE_END.search(line):
        return "headline"
    if len(words) < 4:
        return "fragment"
    capital = sum(word[0].isupper() for word in words)
    if len(words) >= 5 and capital > 0.7 * len(words):
        return "headline"
    return ""
