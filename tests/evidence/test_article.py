"""Pages and texts to stories: what is kept, what is ignored, what is refused."""

from datetime import date

import pytest

from outlay.errors import InputError
from outlay.evidence.reading.article import article_of

BODY = "Orla said it will spend 40 billion yuan on chips. The money is for the coming year, it added."
PAGE = f"""<!doctype html><html><head><title>Orla plans chips</title>
<meta property="article:published_time" content="2025-03-04"></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/t">Tamsin raises $9 billion for its launch</a></li></ul></nav>
<article><h1>Orla plans chips</h1><p>{BODY}</p>
<p>Analysts had looked for less than that, given how little power the sites have at hand in the two provinces.</p>
<p>The firm has been buying machines since the spring, and its rivals have done the same all over the country.</p>
</article><aside><h3>Most read</h3><p>Visa moves its seat to the wharf</p></aside></body></html>"""


def test_html_gives_the_story_and_lists_the_rest():
    """Main text, title and date of a page; links and side columns are ignored, by name."""
    article = article_of(PAGE.encode(), "page.html")
    assert article.body.startswith(BODY)
    assert "Tamsin" not in article.body
    assert (article.title, article.date) == ("Orla plans chips", date(2025, 3, 4))
    assert any("Tamsin raises" in item.text for item in article.ignored)


def test_header_lines_give_title_address_and_date():
    """A text may open with lines of `# `."""
    article = article_of(f"# A plan\n# https://example.com/a\n# 2025-03\n\n{BODY}\n".encode(), "a.txt")
    assert (article.title, article.address, article.date) == ("A plan", "https://example.com/a", date(2025, 3, 28))
    assert article.body == BODY


def test_day_of_the_caller_goes_before_the_pages():
    """Who names the day knows it."""
    assert article_of(PAGE.encode(), "page.html", told=date(2025, 5, 6)).date == date(2025, 5, 6)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Banks Consider $38 Billion Funding Boost for Oracle", "headline"),
        ("Reporting by A. Person; editing by B. Person.", "boilerplate"),
        ("A server is seen in this illustration taken in May. REUTERS/A. Person", "caption"),
        ("Share on Facebook and elsewhere.", "boilerplate"),
        ("© 2025 The Paper. All rights reserved.", "boilerplate"),
        ("版权所有，未经许可不得转载。", "boilerplate"),
    ],
)
def test_what_is_no_story_is_ignored_with_its_reason(line, reason):
    """Nothing is lost: each line left out is listed."""
    article = article_of(f"{BODY}\n\n{line}\n".encode(), "a.txt")
    assert article.body == BODY
    assert [(item.text, item.reason) for item in article.ignored] == [(line, reason)]


def test_hard_wrapped_lines_are_joined():
    """A paragraph that ends its lines early is one paragraph."""
    text = "Orla said on Monday that it will spend some 40 billion yuan on chips\nfor its sites in the coming year.\n"
    assert article_of(text.encode(), "a.txt").body == text.strip().replace("\n", " ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_known_encodings(encoding):
    """Chinese text in the encodings of Chinese sites."""
    text = "公司宣布将投资四百亿元人民币建设数据中心，并计划在明年投产。"
    assert article_of(text.encode(encoding), "a.txt").body == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.txt: empty; expected a story as text or HTML"),
        (b"   \n", "a.txt: empty; expected a story as text or HTML"),
        (b"\x7fELF\x00\x00\x01", "a.txt: binary; expected a story as text or HTML"),
        (bytes(range(1, 32)) * 40, "a.txt: binary, or in an unknown encoding; expected a story as text or HTML"),
        (b"a" * 5_000_001, "a.txt: 5,000,001 bytes; a story has at most 5,000,000"),
    ],
)
def test_what_cannot_be_a_story_is_refused(data, message):
    """Empty, binary and huge input names what was expected."""
    with pytest.raises(InputError) as refusal:
        article_of(data, "a.txt")
    assert str(refusal.value) == message
