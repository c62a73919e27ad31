"""Names the reader of stories is handed: companies, products and places, in English and in Chinese, and rates."""

from __future__ import annotations

import csv
import functools
import gettext
import io
import re
from collections.abc import Iterator
from datetime import date
from importlib import resources

from outlay.catalog.store import Catalog
from outlay.errors import MissingFigureError
from outlay.evidence.reading.records import Lexicon


@functools.cache
def lexicon(catalog: Catalog | None = None) -> Lexicon:
    """Return the names of a catalogue, of countries and of well-known buyers."""
    catalog = catalog or Catalog.load()
    companies, homes, vendors = dict[str, str](), dict[str, str](), set[str]()
    for records in (catalog.chips, catalog.systems, catalog.models):
        for record in records.values():
            if "/" in record.vendor:
                continue
            name = re.sub(r"\s*\(.*\)", "", record.vendor)
            companies[name] = name
            homes.setdefault(name, record.vendor_country)
    vendors |= {re.sub(r"\s*\(.*\)", "", chip.vendor) for chip in catalog.chips.values()}
    products = {written: name for name, chip in catalog.chips.items() for written in _chip_names(name, chip.aliases)}
    places = dict[str, str]()
    tables = {"company": companies, "product": products, "place": places}
    for kind, written, name, country in [*_countries(), *_names()]:
        tables[kind].setdefault(written, name)
        if country:
            homes.setdefault(name, country)
    for name, site in catalog.sites.items():
        places.setdefault(name, name)
        homes.setdefault(name, site.country)

    def rate(currency: str, day: date) -> float | None:
        try:
            return float(catalog.fx(currency, day).value)
        except MissingFigureError:
            return None

    return Lexicon(companies, products, places, homes, frozenset(vendors), rate)


def _chip_names(name: str, aliases: tuple[str, ...]) -> Iterator[str]:
    """Yield the ways to write a chip that are long enough to be told from other words."""
    for written in (re.sub(r"\s*\(.*\)", "", name), *aliases):
        if re.search(r"\d", written) and len(written) >= 3 and not re.fullmatch(r"[\d.]+\w?", written):
            yield written


def _names() -> Iterator[tuple[str, str, str, str]]:
    """Yield kind, way to write, name and country of companies, products and places from `data/names.csv`."""
    text = resources.files("outlay.catalog").joinpath("data/names.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(text)):
        yield row["kind"], row["written"], row["name"], row["country"]


def _countries() -> Iterator[tuple[str, str, str, str]]:
    """Yield the countries of ISO 3166, in English and in Chinese."""
    import pycountry

    try:
        chinese = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["zh_CN"])
    except OSError:
        chinese = None
    for country in pycountry.countries:
        name = getattr(country, "common_name", country.name).split(",")[0]
        yield "place", name, name, country.alpha_2
        written = chinese.gettext(country.name) if chinese else country.name
        if written != country.name and len(written) >= 2:
            yield "place", written, name, country.alpha_2
