"""A file of cases with known answers: reads the questions as people write them, asks them, and counts who is right."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from outlay.errors import InputError
from outlay.policy.countries import members
from outlay.policy.decision import ANYWHERE, UNION, Decision, Item, Transaction
from outlay.policy.engine import check_question, decide
from outlay.policy.items import item_of
from outlay.policy.rules import rule

if TYPE_CHECKING:
    from outlay.catalog import Catalog, Chip

NEEDED = ("case_id", "chip", "as_of_date", "destination", "end_user_hq")
NO_CLASS = "N/A"
CLASSLESS = (
    *("TARIFF_25", "TARIFF_NONE", "NO_HARDWARE_EXPORT_KNOWLEDGE_CHECK", "PRESUMED_SYSTEMIC", "NOT_PRESUMED"),
    *("REPORT_YEARLY", "TREATED_AS_LISTED", "TREATED_AS_LISTED_UNVERIFIED", "SUSPENDED"),
)
"""Codes that answer something else than what an item is."""
BY_NAME = ("LETTER_LICENCE", "GP10_PRESUMED")
"""Codes that reach an item by its name, whatever it is."""
Mark = Literal["right", "wrong", "indeterminate", ""]


@dataclass(frozen=True)
class Question:
    """A row of the file as the rules take it, with the answer it expects; '' where it expects none.

    ``notes`` say what was taken for what; ``problem`` says why a row cannot be asked.
    """

    case_id: str
    item: Item
    transaction: Transaction
    flags: tuple[str, ...]
    expected_code: str
    expected_class: str
    confidence: str
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to a row and whether it is the one expected."""

    question: Question
    code: str
    control_class: str
    decision: Decision
    mark: Mark


def read_cases(path: Path, catalog: Catalog) -> list[Question]:
    """Read a CSV file of cases.

    Columns: ``case_id, chip, as_of_date, destination, end_user_hq``, and where there are such figures ``export_from,
    datacenter_marketed, dense_tops, bits, tpp, die_area_mm2, pd, interconnect_gbps, dram_bw_gbps, scenario_flag,
    expected_code, expected_class, confidence``; others are left alone. Places, parties and items may be written in
    words. Figures are those of the row alone, but for a number of chips of the catalogue ("1,699 x H100"). A row with a
    cell that cannot be understood is a question with a ``problem`` that names file, line and cell.

    Raises
    ------
    InputError
        If the file cannot be read or a column is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if lacking:
                msg = f"{path}: no column {', '.join(lacking)}; expected {', '.join(NEEDED)}"
                raise InputError(msg)
            return [_question(row, f"{path}:{reader.line_num}", catalog) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputError(msg) from None
    except csv.Error as error:
        msg = f"{path}: not CSV: {error}"
        raise InputError(msg) from None


def answer(question: Question) -> Answer:
    """Ask one question.

    A row under a proposal's switch asks what the proposal says. A row about machines in a place that their owner rents
    out asks whether the machines may go there.
    """
    if question.problem:
        unasked = Decision("UNKNOWN", "INDETERMINATE", "unknown", (), warnings=(question.problem,), law="unknown")
        return Answer(question, unasked.code, unasked.control_class, unasked, _mark(question, "UNKNOWN", ""))
    decision = decide(question.item, question.transaction, flags=question.flags)
    decision = replace(decision, warnings=(*question.notes, *decision.warnings))
    code = decision.hardware_code or decision.code
    control = decision.control_class
    proposed = [firing.says for firing in decision.firings if rule(firing.rule).status == "proposed" and firing.says]
    if proposed:
        code = proposed[-1]
    if proposed or code in CLASSLESS or question.item.kind == "any" or (code in BY_NAME and not question.item.tops):
        control = NO_CLASS
    return Answer(question, code, control, decision, _mark(question, code, control))


def _mark(question: Question, code: str, control: str) -> Mark:
    if not question.expected_code:
        return ""
    known_class = question.expected_class not in {"", NO_CLASS}
    if code == question.expected_code and (not known_class or control == question.expected_class):
        return "right"
    return "indeterminate" if code == "UNKNOWN" else "wrong"


# Rows -----------------------------------------------------------------------------------------------------------------


def _question(row: Mapping[str, str | None], where: str, catalog: Catalog) -> Question:
    cells = {name: text.strip() for name, text in row.items() if isinstance(name, str) and isinstance(text, str)}
    nothing = Item(cells.get("chip", ""), "", "US", {}, None, None, None, None, kind="any")
    asked = Question(
        case_id=cells.get("case_id", ""),
        item=nothing,
        transaction=Transaction(date.min, ANYWHERE, ANYWHERE, ANYWHERE),
        flags=(),
        expected_code=cells.get("expected_code", ""),
        expected_class=cells.get("expected_class", ""),
        confidence=cells.get("confidence", ""),
    )
    try:
        item, units = _item(cells, catalog)
        deal, notes = _transaction(cells)
        flags = tuple(re.split(r"[;,\s]+", cells["scenario_flag"])) if cells.get("scenario_flag") else ()
        check_question(item, deal, flags)
    except InputError as error:
        return replace(asked, problem=f"{where}: {error}")
    except KeyError as error:
        return replace(asked, problem=f"{where}: the row has no cell for {error.args[0]}")
    return replace(asked, item=item, transaction=replace(deal, units=units), flags=flags, notes=notes)


def _number(cells: Mapping[str, str], name: str) -> float | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        return float(text.replace(",", ""))
    except ValueError:
        msg = f"{name} is {text!r}; expected a number, or nothing where it is missing"
        raise InputError(msg) from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"as_of_date is {text!r}; expected year, month and day, such as 2025-03-01"
        raise InputError(msg) from None


# Places and parties ---------------------------------------------------------------------------------------------------


@functools.cache
def _places() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of all names of places, nationalities and known groups, and the country of each."""
    import pycountry

    known = {
        name.casefold(): country.alpha_2
        for country in pycountry.countries
        for name in (country.name, getattr(country, "common_name", country.name))
    }
    text = resources.files("outlay.policy").joinpath("data/words.csv").read_text(encoding="utf-8")
    known |= {row["word"].casefold(): row["country"] for row in csv.DictReader(text.splitlines())}
    names = sorted(known, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE), known


def places_in(text: str) -> list[str]:
    """Return the countries a text names, in order, each once; "non-PRC" names none.

    Examples
    --------
    >>> places_in("ByteDance rents from a Malaysian owner")
    ['CN', 'MY']
    """
    pattern, known = _places()
    spoken = re.sub(r"\bnon[- ]\w+", " ", text, flags=re.IGNORECASE)
    return list(dict.fromkeys(known[found[0].casefold()] for found in pattern.finditer(spoken)))


def _transaction(cells: Mapping[str, str]) -> tuple[Transaction, tuple[str, ...]]:
    """Return the transaction of a row, and what was taken for what."""
    day, place, hq = _day(cells["as_of_date"]), cells["destination"], cells["end_user_hq"]
    service = re.search(r"\bcloud|\bservice\b|remote access", place, re.IGNORECASE) is not None
    destination = _destination(place, service=service)
    parties = places_in(hq)
    notes: tuple[str, ...] = ()
    if not parties and not re.search(r"\bany\b|owned|non-", hq, re.IGNORECASE):
        notes = (f"end_user_hq {hq!r} names no country, nationality or known group; taken as of the destination",)
    restricted = next((party for party in parties if party in {*members("D:5", day), "MO"}), None)
    free = next((party for party in parties if party != restricted), None)
    renting = not service and re.search(r"\bleas|\brent|\btenant|\bhost", hq, re.IGNORECASE) is not None
    buyer = parties[0] if parties else ANYWHERE if destination == UNION else destination
    if renting and restricted:
        buyer = restricted
    share = re.search(r"(\d+(?:\.\d+)?) ?% (?:or more )?owned", hq)
    deal = Transaction(
        on=day,
        destination=destination,
        buyer_hq=buyer,
        parent_hq=restricted or buyer,
        exporter=_exporter(cells.get("export_from", ""), place),
        mode="service" if service else "lease" if renting else "buy",
        owner_hq=(free or destination) if renting else None,
        listed_share=float(share[1]) / 100 if share else 0.0,
        onward=_onward(place, destination, parties),
    )
    return _site(deal, f"{place} {hq}"), notes


def _site(deal: Transaction, words: str) -> Transaction:
    """Return a transaction with what its words say of the site, the buyer's kind and the use."""

    def says(pattern: str) -> bool:
        return re.search(pattern, words, re.IGNORECASE) is not None

    return replace(
        deal,
        end_use="analysis" if says("technical analysis|destructive") else "datacenter",
        state_funded=says("state[- ]funded|public money"),
        new_site=says(r"\bnew\b"),
        public_buyer=says(r"\bSOEs?\b|state[- ]owned|public bod|government"),
    )


def _destination(text: str, *, service: bool) -> str:
    outside = re.sub(r"\(.*?\)", " ", text)
    if re.search(r"\bEU\b|European Union", outside):
        return UNION
    found = places_in(outside) or places_in(text)
    if found and not re.search(r"\bany\b", outside, re.IGNORECASE):
        return found[0]
    if service or re.search(r"\bany\b|\bworldwide\b|\bnon-", text, re.IGNORECASE):
        return ANYWHERE
    msg = f"destination {text!r} names no country; write a country, 'EU market', 'cloud service' or 'any'"
    raise InputError(msg)


def _onward(text: str, destination: str, parties: list[str]) -> str | None:
    """Return where goods imported into the destination go on to: a place named beside it, or to the end user abroad."""
    if not re.search(r"import|re-?export|transit", text, re.IGNORECASE) or destination in {ANYWHERE, UNION}:
        return None
    named = [country for country in (*places_in(text), *parties) if country != destination]
    return named[0] if named else None


def _exporter(text: str, place: str) -> str | None:
    shipped = re.search(
        r"(?:shipped|exported|transit(?:ed)?|transhipped) (?:from|through|via) ([^)]+)", place, re.IGNORECASE
    )
    if shipped:
        return (places_in(shipped[1]) or [ANYWHERE])[0]
    if not text or re.search(r"\bor\b|\bany\b", re.sub(r"\(.*?\)", " ", text), re.IGNORECASE):
        return None
    found = places_in(text)
    return found[0] if found else ANYWHERE


# Items ----------------------------------------------------------------------------------------------------------------


def _item(cells: Mapping[str, str], catalog: Catalog) -> tuple[Item, int | None]:
    """Return the item of a row, and how many a year where it says so."""
    name = cells["chip"]
    counted = re.match(r"([\d,]+) ?x (.+?)(?: \(.*\))?$", name)
    if counted and not cells.get("dense_tops"):
        return replace(item_of(catalog.chip(counted[2])), name=name), int(counted[1].replace(",", ""))
    tops = _tops(cells)
    vendor, country = _maker(name, catalog)
    item = Item(
        name=name,
        vendor=vendor,
        vendor_country=country,
        tops=tops,
        die_area_mm2=_area(cells, tops),
        interconnect_gbps=_number(cells, "interconnect_gbps"),
        dram_gbps=_number(cells, "dram_bw_gbps"),
        datacenter=_yes_or_no(cells, "datacenter_marketed"),
    )
    if tops:
        return replace(item, planar=re.search(r"\bplanar\b", name, re.IGNORECASE) is not None), None
    return _described(item, known=bool(vendor)), None


def _tops(cells: Mapping[str, str]) -> dict[int, float]:
    rate, bits, total = _number(cells, "dense_tops"), _number(cells, "bits"), _number(cells, "tpp")
    if rate is not None and bits is not None:
        return {int(bits): rate}
    return {1: total} if total is not None else {}


def _area(cells: Mapping[str, str], tops: Mapping[int, float]) -> float | None:
    area, density = _number(cells, "die_area_mm2"), _number(cells, "pd")
    if area is None and density and tops:
        return max(bits * rate for bits, rate in tops.items()) / density
    return area


def _yes_or_no(cells: Mapping[str, str], name: str) -> bool | None:
    text = cells.get(name, "").casefold()
    if text not in {"yes", "no", ""}:
        msg = f"{name} is {text!r}; expected yes, no, or nothing where it is not known"
        raise InputError(msg)
    return {"yes": True, "no": False}.get(text)


def _described(item: Item, *, known: bool) -> Item:
    """Return an item without rates by what its name says it is."""
    name = item.name
    operations = re.search(r"(\d+(?:\.\d+)?e\d+|10\^\d+)", name)
    count = float(operations[1].replace("10^", "1e")) if operations else None
    if re.search(r"\bweights?\b", name, re.IGNORECASE):
        is_open = re.search(r"\bopen\b|\bpublished\b", name, re.IGNORECASE) is not None
        return replace(item, kind="weights", training_operations=count, open_weights=is_open)
    if re.search(r"\bmodel\b", name, re.IGNORECASE):
        return replace(item, kind="model", training_operations=count)
    power = re.search(r"(\d+(?:\.\d+)?) ?(kW|MW)\b", name)
    if power:
        return replace(item, kind="site", it_power_kw=float(power[1]) * (1000 if power[2] == "MW" else 1))
    if re.search(r"\bHBM", name):
        density = re.search(r"density\D{0,6}(\d+(?:\.\d+)?)", name)
        return replace(
            item,
            kind="memory",
            hbm_density=float(density[1]) if density else None,
            processing_dominant=re.search(r"co-?packaged|processing dominant", name, re.IGNORECASE) is not None,
        )
    return item if known else replace(item, kind="any")


@functools.cache
def _families(catalog: Catalog) -> dict[str, set[tuple[str, str]]]:
    """Return the makers of each family of names: the letters a chip's first word begins with, and the vendor's name."""
    found: dict[str, set[tuple[str, str]]] = {}
    for chip in catalog.chips.values():
        maker = (chip.vendor, chip.vendor_country)
        for name in (chip.name, *chip.aliases):
            found.setdefault(_family(name), set()).add(maker)
        for word in chip.vendor.split():
            found.setdefault(word.casefold(), set()).add(maker)
    return found


def _family(name: str) -> str:
    letters = re.match(r"[A-Za-z]+", name)
    return letters[0].casefold() if letters else ""


def _maker(name: str, catalog: Catalog) -> tuple[str, str]:
    """Return who makes a chip by its name, and where it is headquartered; an American nobody where it is not known."""
    for makers in _candidates(name, catalog):
        if len(makers) == 1:
            return next(iter(makers))
    return "", "US"


def _candidates(name: str, catalog: Catalog) -> Iterator[set[tuple[str, str]]]:
    chips: list[Chip] = [chip for chip in catalog.chips.values() if chip.name.casefold() == name.casefold()]
    yield {(chip.vendor, chip.vendor_country) for chip in chips}
    families = _families(catalog)
    for word in re.findall(r"[A-Za-z][\w.-]*", name):
        yield families.get(word.casefold(), set())
        if re.search(r"\d", word) or word == name.split()[0]:
            yield families.get(_family(word), set())
