"""`outlay read`: a news story in, claims with their witnesses, checks, questions and a draft scenario out."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlay.cli.keep import keeping, store_option
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.evidence.reading import Article, Lexicon, Reading
    from outlay.scenario.draft import Draft

EXIT_NO = 1
COLOURS = {
    "denied": "red",
    "reported": "yellow",
    "official": "green",
    "company statement": "cyan",
    "not verified": "magenta",
}


@click.command()
@click.argument("sources", nargs=-1, metavar="[FILE|URL|-]...")
@click.option(
    "--date", "day", metavar="DAY", help="When the story was told, as 2025-01-22, where it does not say itself."
)
@click.option("--scenario", "out", metavar="FILE", help="Write a draft scenario.")
@click.option("--check", "folder", metavar="FOLDER", help="Score the reader against the folder's claims.jsonl.")
@click.option("--second", metavar="URL", help="Ask an OpenAI-compatible endpoint for claims that were missed.")
@click.option("--second-model", metavar="NAME", help="The model to ask there.")
@click.option("--catalog", "extra", type=click.Path(path_type=Path), help="A file of your own records.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/reading.md).")
@store_option
def command(
    sources: tuple[str, ...],
    day: str | None,
    out: str | None,
    folder: str | None,
    second: str | None,
    second_model: str | None,
    extra: Path | None,
    as_json: bool,
    store: bool,
) -> int:
    r"""Read stories: what is claimed, by whom, how sure, what is only arithmetic, and what is left open.

    Several stories are merged where they are one telling. Exit 0: read; 1: no claims, or the score is below its bars.

    \b
    outlay read story.txt --date 2025-01-22 --scenario draft.yaml
    outlay read https://example.com/story.html --json
    """
    from outlay.catalog import Catalog
    from outlay.catalog.lexicon import lexicon
    from outlay.evidence.reading.fetch import get
    from outlay.report.reading import NO_CLAIMS, articles_of, document, drafted, story_of

    catalog = Catalog.load(extra)
    if folder is not None:
        if sources or out or second:
            msg = "--check scores the stories of its folder; give no other story with it"
            raise InputError(msg)
        return _check(Path(folder), lexicon(catalog), as_json=as_json)
    if not sources:
        msg = "name a story: a file, an address, or - for standard input"
        raise InputError(msg)
    if (second is None) != (second_model is None):
        msg = "--second URL and --second-model NAME go together"
        raise InputError(msg)
    told = _day(day) if day else None
    with keeping("read", store=store) as kept:
        pages = [get(source) for source in sources]
        asked = {"stories": [story_of(page) for page in pages], "date": day, "records": _text_of(extra)}
        second_reader = None if second is None else {"url": second, "model": second_model}
        kept.asked({**asked, "second": second_reader}, pages[0].name)
        reading = _read(articles_of(pages, told), lexicon(catalog), second, second_model)
        wanted = out is not None or as_json or store
        made, why_not = drafted(reading, lexicon(catalog), catalog) if wanted else (None, "")
        answer = document(reading, made, why_not)
        kept.answered(answer, 0 if reading.claims else EXIT_NO, "" if reading.claims else NO_CLAIMS)
        if as_json:
            click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        else:
            _print(reading)
        return _written(reading, made, why_not, out, quiet=as_json)


def _text_of(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8")


def _written(reading: Reading, made: Draft | None, why_not: str, out: str | None, *, quiet: bool) -> int:
    """Write the draft where one is asked for, and return the exit code."""
    if not reading.claims:
        from outlay.report.reading import NO_CLAIMS

        click.echo(NO_CLAIMS, err=True)
        return EXIT_NO
    if out is None:
        return 0
    if made is None:
        click.echo(f"no scenario: {why_not}", err=True)
        return EXIT_NO
    try:
        Path(out).write_text(made.text, encoding="utf-8")
    except OSError as error:
        msg = f"{out}: cannot be written: {error.strerror}"
        raise InputError(msg) from None
    if not quiet:
        click.echo(f"\nwrote {out}; its first lines ask what the story leaves open")
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"--date {text!r} is not a date; expected year, month and day, such as 2025-01-22"
        raise InputError(msg) from None


def _read(articles: list[Article], names: Lexicon, second: str | None, model: str | None) -> Reading:
    from outlay.evidence.reading import read

    reading = read(articles, names)
    if second is not None and model is not None:
        from outlay.evidence.reading.second import with_second_reader

        return with_second_reader(reading, names, second, model)
    return reading


def _print(reading: Reading) -> None:
    """Print claims, checks, questions and what was ignored."""
    for article in reading.articles:
        click.secho(f"{article.title or article.name}  ·  {article.date or 'no date'}", bold=True)
    for claim in reading.claims:
        size = _size(claim)
        click.echo(f"\n{claim.id:>6}  ", nl=False)
        click.secho(size, bold=True, nl=False)
        click.echo(f"  {claim.about}", nl=False)
        click.echo(f", {claim.period}" if claim.period and claim.kind != "date" else "")
        click.secho(f"        {claim.status}", fg=COLOURS.get(claim.status), nl=False)
        of = f" · of {claim.share_of}" if claim.share_of else ""
        parents = f" · derived from {', '.join(claim.derived_from)}" if claim.derived_from else ""
        denied = f" · denied by {claim.denied_by}" if claim.denied_by else ""
        told = f" · told by {len(claim.told_by)}" if len(claim.told_by) > 1 else ""
        click.echo(f" · {claim.attribution}{denied}{of}{parents}{told}")
        if not claim.arithmetic:
            click.secho(f'        "{claim.sentence}" [{claim.span[0]}:{claim.span[1]}]', dim=True)
    if reading.checks:
        click.secho("\nSums", bold=True)
    for check in reading.checks:
        click.secho(
            f"  {'holds' if check.ok else 'MIND '}  {check.what}: {check.detail}", fg=None if check.ok else "yellow"
        )
    if reading.questions:
        click.secho("\nLeft open", bold=True)
    for question in reading.questions:
        click.echo(f"  ? {question.text}" + (f" [{', '.join(question.claims)}]" if question.claims else ""))
    ignored = [(article, item) for article in reading.articles for item in article.ignored]
    if ignored:
        click.secho(f"\nIgnored, {len(ignored)} pieces that are not the story", bold=True)
    for _, item in ignored:
        click.secho(f"  - {item.text[:110]} ({item.reason})", dim=True)


def _size(claim: Any) -> str:
    if claim.quantity is None:
        return str(claim.words)
    if isinstance(claim.quantity, str):
        return claim.quantity
    numbers = [claim.quantity] if claim.upper is None else [claim.quantity, claim.upper]
    if claim.kind in {"share", "change"}:
        text = " to ".join(
            f"{number:+.4g}%" if claim.kind == "change" else f"{number:.4g}%" for number in (100 * n for n in numbers)
        )
    else:
        text = " to ".join(f"{number:,.15g}" for number in numbers) + f" {claim.unit}"
    quoted = "".join(f" (= {other.quantity:,.15g} {other.unit})" for other in claim.quoted)
    return f"{'' if claim.bound in {'exactly', 'range'} else claim.bound + ' '}{text}{quoted}"


PRECISION, RECALL = 0.95, 0.85
"""The bars of a score."""


def _check(folder: Path, names: Lexicon, *, as_json: bool) -> int:
    """Score the reader on a folder of stories with their claims."""
    import time

    from outlay.evidence.reading.article import article_of
    from outlay.evidence.reading.fetch import get
    from outlay.evidence.reading.score import Score, score, stories
    from outlay.evidence.reading.story import read_story

    total, words, seconds = Score(), 0, 0.0
    for path, labels in stories(folder):
        page = get(str(path))
        began = time.process_time()
        article = article_of(page.data, page.name)
        claims = read_story(article, names)
        seconds += time.process_time() - began
        words += len(article.body.split())
        score(claims, labels, names, path.name, total)
    if not total.labels:
        msg = f"{folder}: no story with claims to score by"
        raise InputError(msg)
    good = total.precision >= PRECISION and total.recall >= RECALL
    if as_json:
        record = {
            "precision": total.precision,
            "recall": total.recall,
            "claims": total.claims,
            "right": total.right,
            "labels": total.labels,
            "found": total.hits,
            "missed": total.missed,
            "wrong": total.wrong,
            "statements": total.statements,
            "statements_found": total.statements_found,
            "words": words,
            "cpu_s": seconds,
        }
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return 0 if good else EXIT_NO
    click.echo(
        f"precision {total.precision:.3f}  {total.right} of {total.claims} claims match a label (bar {PRECISION})"
    )
    click.echo(
        f"recall    {total.recall:.3f}  {total.hits} of {total.labels} labels with a quantity or an "
        f"answer are found (bar {RECALL})"
    )
    click.echo(
        f"          labels that are neither, and are not scored: {total.statements_found} of "
        f"{total.statements} found as statements"
    )
    click.echo(f"speed     {words} words in {seconds:.2f} s of CPU, imports of the first story among them")
    for heading, lines in (("missed", total.missed), ("wrong", total.wrong)):
        for line in lines:
            click.echo(f"{heading}: {line}")
    return 0 if good else EXIT_NO
