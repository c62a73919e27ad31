"""Drafts a scenario from the claims of a story: every line names its claim or says what is assumed, and asks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from outlay.errors import InputError
from outlay.evidence import Status
from outlay.evidence.reading.checks import parts_of
from outlay.evidence.reading.records import ClaimStatus, Lexicon, Question, Reading, StoryClaim
from outlay.evidence.reading.shares import is_spending
from outlay.scenario.commented import Line, commented
from outlay.units import Quarter

if TYPE_CHECKING:
    from outlay.catalog import Catalog

STATUSES: dict[ClaimStatus, Status] = {
    "reported": "press-report",
    "company statement": "company",
    "official": "official",
    "analyst estimate": "analyst-estimate",
    "market data": "press-report",
    "denied": "denied",
    "declined": "press-report",
    "no response": "press-report",
    "not verified": "press-report",
    "under consideration": "press-report",
}
MACHINES_USD_PER_W = 25.0
"""Machines that draw a watt cost about this: a GB200 rack of 132 kW at 3.7 million USD is 28, an H20 server less."""
ENERGY = "0.08 USD/kWh"
PUE = 1.3
AFTER_QUARTERS = 4
LONGEST_QUARTERS = 12
ABROAD = "MY"
"""Where a site abroad is drafted when the story names no country: the catalogue knows sites and tariffs there."""


@dataclass(frozen=True)
class Draft:
    """A scenario as YAML, and what it asks."""

    text: str
    questions: tuple[Question, ...]


class _Writer:
    """Collects the parts of a scenario with the comment of each line, and the questions that arise."""

    def __init__(self, reading: Reading, lexicon: Lexicon, by_hand: frozenset[str]) -> None:
        self.reading, self.lexicon, self.by_hand = reading, lexicon, by_hand
        self.questions: list[Question] = []

    def ask(self, text: str, *claims: str) -> str:
        """Add a question and return the comment that points at it."""
        self.questions.append(Question(text, claims))
        return f"assumed: question {len(self.questions)}"

    def evidence(self, claim: StoryClaim) -> dict[str, Any]:
        """Return the evidence of a field that a claim gives."""
        if claim.id in self.by_hand:
            reason = f"{claim.attribution} has it otherwise"
            return {
                "status": "assumed",
                "by": "set by hand",
                "reason": reason,
                "claim": claim.id,
                "quote": claim.sentence,
            }
        article = next(item for item in self.reading.articles if item.name == claim.article)
        by = f"{claim.attribution}, in {article.outlet or article.title or article.name}"
        found = {
            "status": STATUSES[claim.status],
            "by": by,
            "denied_by": claim.denied_by if claim.status == "denied" else "",
            "date": article.date.isoformat() if article.date else "",
            "address": article.address,
            "claim": claim.id,
            "quote": claim.sentence,
        }
        return {key: value for key, value in found.items() if value}

    @staticmethod
    def assumed(reason: str, by: str = "the story does not say") -> dict[str, str]:
        """Return the evidence of a field that no claim gives."""
        return {"status": "assumed", "by": by, "reason": reason}


def draft(reading: Reading, lexicon: Lexicon, catalog: Catalog, *, by_hand: frozenset[str] = frozenset()) -> Draft:
    """Return a scenario drafted from what was read, which loads and plans as it is.

    Parameters
    ----------
    by_hand
        Claims whose amount is a person's and not the story's; their evidence says so.

    Raises
    ------
    InputError
        If no claim is of money that somebody means to spend: there is nothing to plan with.
    """
    writer = _Writer(reading, lexicon, by_hand)
    chosen = _budget_claims(writer)
    buyer = chosen[0].subject or "the buyer"
    home = _home(writer, buyer)
    day, day_note = _knowledge(writer, chosen)
    first, last = _window(chosen, day)
    quarters = min(LONGEST_QUARTERS, last - first + 1 + AFTER_QUARTERS)
    countries = {claim.id: _country(writer, claim, home[0]) for claim in chosen}
    tree: dict[str, Any] = {
        "outlay": 1,
        "name": _slug(buyer, first.year),
        "title": reading.articles[0].title or f"{buyer}, as told by {reading.articles[0].name}",
        "knowledge_date": Line(day.isoformat(), day_note),
        "horizon": {"start": str(first), "quarters": quarters},
        "currency": "USD",
        **_rates(writer, chosen, day, catalog),
        "buyer": _buyer(writer, buyer, home),
        "budgets": [_budget(writer, claim, countries[claim.id], home[0], (first, last)) for claim in chosen],
        **_sourcing(writer, chosen, home[0]),
        "sites": _sites(writer, chosen, countries, home[0], (first, day)),
        "objective": {
            "maximise": Line(
                "compute",
                writer.ask(
                    "What is it all for: which models are to be trained and served, and what are they worth? No "
                    "workload is told; the plan makes the most compute."
                ),
            )
        },
        **_deadlines(writer),
        "evidence": _of_whole(writer),
    }
    writer.ask("How many chips of each kind can be had in each quarter? No supply is told; it is taken as unlimited.")
    _asked_of_rest(writer, chosen)
    return Draft(_text(tree, writer, reading), (*reading.questions, *writer.questions))


def _budget_claims(writer: _Writer) -> list[StoryClaim]:
    """Return the money to plan with: the parts of a total where both are told, else the first sum."""
    own = [claim for claim in writer.reading.claims if not claim.arithmetic]
    spending = [
        claim for claim in own if is_spending(claim) and isinstance(claim.quantity, float) and claim.quantity > 1e6
    ]
    meant = [
        claim
        for claim in spending
        if claim.modality == "plan" or claim.measure in {"capital expenditure", "investment"}
    ]
    if not meant:
        msg = "no claim is of money that somebody means to spend, so there is no budget and no scenario to draft"
        raise InputError(msg)
    parts = parts_of(meant)
    for total, found in parts.items():
        listed = ", ".join(claim.id for claim in found)
        writer.ask(
            f"{total} is the total of {listed}; the parts are planned with. Is there more in the total than its parts?",
            total,
        )
        return found
    return meant[:1]


def _asked_of_rest(writer: _Writer, chosen: list[StoryClaim]) -> None:
    """Ask about money of the same buyer that the draft leaves out, rather than adding or dropping it unsaid."""
    used = {claim.id for claim in chosen} | set(parts_of(list(writer.reading.claims)))
    for claim in writer.reading.claims:
        if is_spending(claim) and not claim.arithmetic and claim.id not in used and isinstance(claim.quantity, float):
            amount = f"{claim.quantity / 1e9:,.4g} bn {claim.unit}"
            writer.ask(
                f"{claim.id} ({amount}, {claim.about}) is not in the budgets: is it part of them, "
                "besides them, or another telling?",
                claim.id,
            )


def _home(writer: _Writer, buyer: str) -> tuple[str, str]:
    known = writer.lexicon.homes.get(buyer)
    if known and len(known) == 2:
        return known, "the catalogue"
    places = [writer.lexicon.homes.get(claim.place, "") for claim in writer.reading.claims if claim.place]
    found = next((code for code in places if len(code) == 2), "US")
    return found, writer.ask(
        f"Where are {buyer} and its ultimate parent headquartered? The story does not say; the rules need it."
    )


def _of_whole(writer: _Writer) -> dict[str, Any]:
    """Return the evidence of what no block holds: the day, where the story has none, and what the plan is best at."""
    found = {"objective": writer.assumed("compute is what the money buys, whatever it is for")}
    if not any(article.date for article in writer.reading.articles):
        found["knowledge_date"] = writer.assumed("the first day of the year the money is for")
    return found


def _knowledge(writer: _Writer, chosen: list[StoryClaim]) -> tuple[date, str]:
    told = [article.date for article in writer.reading.articles if article.date]
    if told:
        return max(told), "the story's date"
    years = [int(match[0]) for claim in chosen if (match := re.search(r"20\d\d", claim.period))]
    year = min(years) if years else date.today().year
    return date(year, 1, 1), writer.ask(
        "On which day are rules and prices to be taken as known? The story has no date; --date gives one."
    )


def _window(chosen: list[StoryClaim], day: date) -> tuple[Quarter, Quarter]:
    """Return the first and the last quarter the money may be spent in."""
    now = Quarter.of(day)
    spans = [_span(claim.period) for claim in chosen if claim.period]
    known = [span for span in spans if span]
    if not known:
        return now, now + 3
    last = max(end for _, end in known)
    first = max(now, min(start for start, _ in known))
    return (first, last) if last >= first else (now, now + 3)


def _span(period: str) -> tuple[Quarter, Quarter] | None:
    text = period.removeprefix("by ")
    if match := re.fullmatch(r"(20\d\d)Q([1-4])", text):
        quarter = Quarter(int(match[1]), int(match[2]))
        return quarter, quarter
    if match := re.fullmatch(r"(20\d\d)H([12])", text):
        return Quarter(int(match[1]), 2 * int(match[2]) - 1), Quarter(int(match[1]), 2 * int(match[2]))
    if match := re.search(r"20\d\d", text):
        return Quarter(int(match[0]), 1), Quarter(int(match[0]), 4)
    return None


def _country(writer: _Writer, claim: StoryClaim, home: str) -> str:
    """Return the country a claim's money is spent in; a site abroad is drafted where the catalogue knows most."""
    if not claim.place or _outside(claim):
        if not claim.place:
            writer.ask(
                f"Where is the money of {claim.id} spent? The story names no place; the buyer's own country is taken.",
                claim.id,
            )
            return home
        other = ABROAD if home != ABROAD else "SG"
        writer.ask(
            f"In which countries abroad is the money of {claim.id} spent? None is named; {other} is taken.", claim.id
        )
        return other
    return writer.lexicon.homes.get(claim.place, home)


def _rates(writer: _Writer, chosen: list[StoryClaim], day: date, catalog: Catalog) -> dict[str, Any]:
    """Return a rate for each currency the catalogue has none of for the month: the one the story's pair implies."""
    rates: dict[str, Any] = {}
    for claim in chosen:
        if claim.unit == "USD" or claim.unit in rates or writer.lexicon.rate(claim.unit, day):
            continue
        implied = next((other.implied_rate for other in claim.quoted if other.unit == "USD"), None)
        if implied is None:
            msg = (
                f"no rate of {claim.unit} for {day:%Y-%m} is known and the story quotes none; give --date "
                "with another day"
            )
            raise InputError(msg)
        rates[claim.unit] = Line(float(f"{implied:.6g}"), f"{claim.id}: implied by the pair the story quotes")
    return {"fx": rates} if rates else {}


def _buyer(writer: _Writer, buyer: str, home: tuple[str, str]) -> dict[str, Any]:
    known = home[1] == "the catalogue"
    evidence = (
        {"status": "official", "by": "the catalogue's list of companies"}
        if known
        else writer.assumed("the rules need one; a place of the story is taken")
    )
    return {
        "name": Line(buyer, "the subject of the claims below"),
        "headquarters": Line(home[0], home[1]),
        "parent": Line(home[0], home[1]),
        "evidence": {"headquarters": evidence},
    }


def _budget(
    writer: _Writer, claim: StoryClaim, country: str, home: str, window: tuple[Quarter, Quarter]
) -> dict[str, Any]:
    outside = _outside(claim)
    pays = _pays_for(claim, country, home)
    where: dict[str, Any] = {"not_countries": [home]} if outside else {"countries": [country]}
    vendors = [name for name in claim.objects if name in writer.lexicon.vendors]
    if vendors and outside:
        where["vendors"] = vendors
    hedge = "" if claim.bound == "exactly" else f" ({claim.bound})"
    evidence: dict[str, Any] = {"amount": writer.evidence(claim)}
    evidence["pays_for"] = writer.assumed(
        "buying, renting and running are all allowed where the story does not say which"
    )
    if claim.place:
        evidence["where"] = writer.evidence(claim)
    return {
        "name": _part_name(claim),
        "amount": Line(_money(claim), f"{claim.id}{hedge}"),
        "pays_for": Line(pays, "assumed: the kind of spending is asked above"),
        "where": Line(where, claim.id if claim.place else "assumed: no place is told"),
        "first": Line(str(window[0]), f"{claim.id}: {claim.period or 'no time is told'}"),
        "last": Line(str(window[1]), f"{claim.id}: {claim.period or 'no time is told; a year from the first'}"),
        "evidence": evidence,
    }


def _outside(claim: StoryClaim) -> bool:
    """Return whether a claim's money is spent abroad, no country named."""
    return claim.place == "abroad" or claim.place.startswith("outside ")


def _pays_for(claim: StoryClaim, country: str, home: str) -> list[str]:
    """Return what money pays for: machines bought at home where the story speaks of buying, else whatever they cost."""
    bought = re.search(r"\bpurchas|\bbuy|\bchips?\b|采购", claim.sentence)
    return ["buy"] if country == home and bought else ["buy", "lease", "hosting", "energy"]


def _part_name(claim: StoryClaim) -> str:
    return re.sub(r"[^a-z0-9]+", "-", (claim.place or "all").casefold()).strip("-") or "all"


def _money(claim: StoryClaim) -> str:
    amount = float(claim.quantity or 0.0)
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if amount >= size:
            return f"{amount / size:.10g} {word} {claim.unit}"
    return f"{amount:.10g} {claim.unit}"


def _sourcing(writer: _Writer, chosen: list[StoryClaim], home: str) -> dict[str, Any]:
    """Return the sourcing shares: planned ones over their own budget, asked-for floors over the budget at home."""
    budgets = {claim.id: _part_name(claim) for claim in chosen}
    rules: list[dict[str, Any]] = []
    for claim in writer.reading.claims:
        if claim.kind != "share" or claim.arithmetic or not isinstance(claim.quantity, float) or claim.derived_from:
            continue
        of = _counts(writer, claim, home)
        if claim.share_of in budgets and of:
            rules.append(_rule(writer, claim, "exact", budgets[claim.share_of], of, f"share of {claim.share_of}"))
        elif claim.modality == "encouraged" and of == {"vendor_countries": [home]}:
            at_home = next(
                (
                    budgets[c.id]
                    for c in chosen
                    if writer.lexicon.homes.get(c.place, home) == home and c.place not in {"abroad"}
                ),
                None,
            )
            if at_home:
                note = writer.ask(
                    f"What is the floor of {claim.id} a share of? Taken of budget {at_home} by value; "
                    "`base: all-value` counts all the money.",
                    claim.id,
                )
                rules.append(_rule(writer, claim, "floor", at_home, of, note))
    used: set[tuple[str, str]] = set()
    once = []
    for rule in rules:  # two exact shares of one base that make it whole say one thing
        key = (rule["budget"], rule["kind"])
        if rule["kind"] == "floor" or key not in used:
            once.append(rule)
        used.add(key)
    return {"sourcing": once} if once else {}


def _counts(writer: _Writer, claim: StoryClaim, home: str) -> dict[str, Any]:
    """Return whose parts a share speaks of: those of the buyer's country, or of named vendors."""
    if re.search(r"\b(?:domestic|local(?:ly)?|home-?made|homegrown|home-grown|indigenous)\b|国产|本土", claim.sentence):
        return {"vendor_countries": [home]}
    vendors = [name for name in claim.objects if name in writer.lexicon.vendors]
    countries = {writer.lexicon.homes[name] for name in vendors}
    if vendors and countries == {home}:
        return {"vendor_countries": [home]}
    return {"vendors": vendors} if vendors else {}


def _rule(writer: _Writer, claim: StoryClaim, kind: str, budget: str, of: dict[str, Any], note: str) -> dict[str, Any]:
    return {
        "name": f"{'floor' if kind == 'floor' else 'share'}-{claim.id.replace('.', '-')}",
        "share": Line(f"{float(claim.quantity or 0) * 100:.6g}%", claim.id),
        "kind": kind,
        "base": Line("budget-value", f"{note}; by value or by units is asked"),
        "budget": budget,
        "of": Line(of, claim.id),
        "evidence": {
            "share": writer.evidence(claim),
            "base": writer.assumed("the value of orders is taken; the story does not say"),
        },
    }


def _sites(
    writer: _Writer, chosen: list[StoryClaim], countries: dict[str, str], home: str, since: tuple[Quarter, date]
) -> list[dict[str, Any]]:
    """Return a site for each country money is spent in, with the power the story tells, or enough for the money."""
    sites = []
    for country in dict.fromkeys(countries.values()):
        money = [claim for claim in chosen if countries[claim.id] == country]
        power, evidence = _power(writer, money, country, since[1])
        leased = any("lease" in _pays_for(claim, country, home) for claim in money)
        owner = Line(country, "assumed: owners of leased machines are at home there")
        sites.append(
            {
                "name": f"site-{country.casefold()}",
                "country": Line(country, ", ".join(claim.id for claim in money)),
                "power": power,
                "pue": Line(PUE, "assumed"),
                "energy_price": Line(ENERGY, "assumed"),
                "ready": Line(str(since[0]), "assumed: the money can be used from the first quarter"),
                "modes": Line(["buy", "lease"] if leased else ["buy"], "as the budgets pay"),
                **({"owner_headquarters": owner} if leased else {}),
                "evidence": {
                    "power": evidence,
                    "pue": writer.assumed("new sites of large operators run at 1.1 to 1.4"),
                    "energy_price": writer.assumed("industrial tariffs in the catalogue are 0.05 to 0.12 USD a kWh"),
                },
            }
        )
    return sites


def _power(writer: _Writer, money: list[StoryClaim], country: str, day: date) -> tuple[Line, dict[str, Any]]:
    """Return the power of a country's site with its evidence: the most that is told of there, or room for the money."""
    told = [
        (claim.quantity, claim)
        for claim in writer.reading.claims
        if claim.kind == "power" and claim.unit == "MW" and isinstance(claim.quantity, float)
    ]
    there = [pair for pair in told if writer.lexicon.homes.get(pair[1].place, country) == country]
    if there:
        size, claim = max(there, key=lambda pair: pair[0])
        return Line(f"{size:g} MW", claim.id), writer.evidence(claim)
    asked = writer.ask(f"How much power do the sites in {country} have? None is told; enough for the money is taken.")
    reason = f"room for the money at {MACHINES_USD_PER_W:g} USD of machines a watt, so that power does not bind"
    return Line(f"{max(10.0, _megawatts(writer, money, day)):.0f} MW", asked), writer.assumed(reason)


def _megawatts(writer: _Writer, money: list[StoryClaim], day: date) -> float:
    usd = 0.0
    for claim in money:
        quoted = next((other.quantity for other in claim.quoted if other.unit == "USD"), None)
        rate = 1.0 if claim.unit == "USD" else writer.lexicon.rate(claim.unit, day)
        usd += quoted if quoted is not None else float(claim.quantity or 0.0) / (rate or 1.0)
    return PUE * usd / MACHINES_USD_PER_W / 1e6


def _deadlines(writer: _Writer) -> dict[str, Any]:
    """Return the dates that hang over the plan: bans and deadlines whose year is known."""
    found = []
    for claim in writer.reading.claims:
        day = claim.kind == "date" and re.fullmatch(r"20\d\d-\d\d-\d\d", str(claim.quantity))
        if day and re.search(r"\b(?:ban|deadline|divest)", claim.measure + claim.sentence, re.IGNORECASE):
            found.append(
                {
                    "name": claim.measure,
                    "date": Line(claim.quantity, claim.id),
                    "note": claim.sentence,
                    "evidence": writer.evidence(claim),
                }
            )
    return {"deadlines": found} if found else {}


def _slug(buyer: str, year: int) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", buyer.casefold()).strip("-") or "buyer"
    return f"{words}-{year}"


def _text(tree: dict[str, Any], writer: _Writer, reading: Reading) -> str:
    """Return the scenario as YAML with a comment on each line that a claim or an assumption gives."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 150
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    out.write(
        "# Drafted by `outlay read`. c-numbers are claims of the story; what no claim gives is assumed "
        "and asked here.\n"
    )
    for article in reading.articles:
        out.write(f"# Story: {article.title or article.name}{f', {article.date}' if article.date else ', no date'}\n")
    out.write("#\n# Questions of the draft:\n")
    for number, question in enumerate(writer.questions, start=1):
        out.write(f"# {number}. {question.text}\n")
    if reading.questions:
        out.write("# Questions of the story:\n")
    for question in reading.questions:
        named = f" [{', '.join(question.claims)}]" if question.claims else ""
        out.write(f"# - {question.text}{named}\n")
    yaml.dump(commented(tree), out)
    return out.getvalue()
