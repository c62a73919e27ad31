"""Sums over claims: parts and totals, shares, quoted rates, headline against body, units, and the calendar."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import permutations

from outlay.evidence.reading.quantities import quantities
from outlay.evidence.reading.records import Article, Check, Lexicon, StoryClaim
from outlay.evidence.reading.sentences import is_chinese
from outlay.evidence.reading.shares import is_spending

TOLERANCE = {
    "exactly": 0.0,
    "about": 0.05,
    "more than": 0.10,
    "at least": 0.10,
    "up to": 0.10,
    "less than": 0.10,
    "range": 0.10,
}
"""Room a hedge leaves, as a share of the figure, besides the rounding of the figure itself."""
RATE_ROOM = 0.02
"""Room of a quoted rate besides rounding: a month's average against the rate of a day."""
_PRESIDENTS = [("Biden", date(2021, 1, 20), date(2025, 1, 20)), ("Trump", date(2025, 1, 20), date(2029, 1, 20))]
"""US administrations by surname, first and last day (the Twentieth Amendment sets noon of 20 January)."""


def checks(claims: list[StoryClaim], article: Article, lexicon: Lexicon) -> list[Check]:
    """Return every sum that can be done over the claims of a story, those that hold too."""
    own = [claim for claim in claims if not claim.arithmetic]
    return [
        *_rates(own),
        *_parts(own, article, lexicon),
        *_shares(own),
        *_floors(own, article, lexicon),
        *_inside(own),
        *_headline(own, article),
        *_products(own),
        *_calendar(article),
    ]


def rounding(value: float) -> float:
    """Return half a unit of the last digit a figure shows, as a share of it.

    Examples
    --------
    >>> round(rounding(12e9), 4), round(rounding(5.5e9), 4), round(rounding(20.64e9), 5)
    (0.0417, 0.0091, 0.00024)
    """
    if not value:
        return 0.0
    digits = f"{abs(value):.6g}"
    mantissa = f"{abs(value):.5e}".split("e")[0].rstrip("0").rstrip(".")
    exponent = math.floor(math.log10(abs(value)))
    shown = len(mantissa.replace(".", "")) - 1
    # Round tens and hundreds of a scale are exact figures: 40 billion has its last digit at one billion.
    step = 10.0 ** (exponent - shown) if shown else 10.0 ** (3 * math.floor(exponent / 3))
    return min(0.5 * step / abs(value), 0.1) if digits else 0.0


def room(claim: StoryClaim) -> float:
    """Return how far a figure may be from what a sum gives, as a share of it."""
    return (rounding(claim.quantity) if isinstance(claim.quantity, float) else 0.0) + TOLERANCE[claim.bound]


def _rates(claims: list[StoryClaim]) -> Iterator[Check]:
    for claim in claims:
        for other in claim.quoted:
            if claim.kind != "money" or not isinstance(claim.quantity, float):
                continue
            pair = f"{claim.unit} per {other.unit}"
            if other.month_rate is None:
                yield Check(
                    "quoted rate",
                    True,
                    f"{other.implied_rate:.4g} {pair} is implied; no rate of the month is known to hold it against",
                    (claim.id,),
                )
                continue
            off = other.implied_rate / other.month_rate - 1
            allowed = rounding(claim.quantity) + rounding(other.quantity) + RATE_ROOM
            words = (
                f"{other.implied_rate:.4g} {pair} is implied, {other.month_rate:.4g} was the month's "
                f"average: {off:+.1%}, room {allowed:.1%}"
            )
            yield Check("quoted rate", abs(off) <= allowed, words, (claim.id,))


def _in(claim: StoryClaim, unit: str, day: date | None, lexicon: Lexicon) -> float | None:
    """Return a claim's amount in a currency: as the story quotes it, else by the month's rate."""
    if not isinstance(claim.quantity, float):
        return None
    if claim.unit == unit:
        return claim.quantity
    quoted = next((other.quantity for other in claim.quoted if other.unit == unit), None)
    if quoted is not None:
        return quoted
    rates = [lexicon.rate(code, day) for code in (claim.unit, unit)] if day else [None, None]
    return claim.quantity / rates[0] * rates[1] if rates[0] and rates[1] else None


def parts_of(claims: list[StoryClaim]) -> dict[str, list[StoryClaim]]:
    """Return the parts of each total: money of one subject, spent here and there, told after a sum without a place."""
    found: dict[str, list[StoryClaim]] = {}
    spending = [claim for claim in claims if is_spending(claim) and isinstance(claim.quantity, float)]
    for total in spending:
        parts = [
            claim
            for claim in spending
            if claim.span > total.span
            and claim.subject
            and claim.subject in total.subject
            and claim.place
            and not total.place
            and claim.period in {total.period, ""}
            and claim.article == total.article
        ]
        if len({claim.place for claim in parts}) >= 2:
            found[total.id] = parts
    return found


def _parts(claims: list[StoryClaim], article: Article, lexicon: Lexicon) -> Iterator[Check]:
    by_id = {claim.id: claim for claim in claims}
    for name, parts in parts_of(claims).items():
        total = by_id[name]
        amounts = [_in(part, total.unit, article.date, lexicon) for part in parts]
        known = [amount for amount in amounts if amount is not None]
        if len(known) < len(parts) or not isinstance(total.quantity, float):
            continue
        off = sum(known) / total.quantity - 1
        allowed = room(total) + max(room(part) for part in parts)
        sums = " + ".join(f"{amount / 1e9:.4g}" for amount in known)
        words = (
            f"{sums} = {sum(known) / 1e9:.4g} bn {total.unit} against {total.quantity / 1e9:.4g}: "
            f"{off:+.1%}, room {allowed:.1%}"
        )
        yield Check("parts against total", abs(off) <= allowed, words, (total.id, *(part.id for part in parts)))


def _shares(claims: list[StoryClaim]) -> Iterator[Check]:
    groups: dict[str, list[StoryClaim]] = defaultdict(list)
    ids = {claim.id for claim in claims}
    for claim in claims:
        if claim.kind == "share" and claim.share_of in ids and claim.modality != "encouraged":
            groups[claim.share_of].append(claim)
    for base, group in groups.items():
        if len(group) < 2:
            continue
        total = sum(float(claim.quantity) for claim in group if isinstance(claim.quantity, float))
        words = " + ".join(f"{claim.quantity:.0%}" for claim in group) + f" = {total:.0%} of {base}"
        hedged = any(claim.bound != "exactly" for claim in group)
        yield Check(
            "shares against 100%", total <= 1 + (0.05 if hedged else 0.005), words, tuple(claim.id for claim in group)
        )


def _floors(claims: list[StoryClaim], article: Article, lexicon: Lexicon) -> Iterator[Check]:
    """Hold a floor whose base is not told against a plan's share: over its own base, and over all the money."""
    by_id = {claim.id: claim for claim in claims}
    floors = [
        c
        for c in claims
        if c.kind == "share"
        and c.modality == "encouraged"
        and c.bound in {"at least", "more than"}
        and c.share_of not in by_id
    ]
    plans = [c for c in claims if c.kind == "share" and c.modality != "encouraged" and c.share_of in by_id]
    for floor in floors:
        for plan in plans[:1]:
            base = by_id[plan.share_of]
            if not (
                isinstance(floor.quantity, float)
                and isinstance(plan.quantity, float)
                and isinstance(base.quantity, float)
            ):
                continue
            words = f"a floor of {floor.quantity:.0%} against {plan.quantity:.0%} of {base.id}"
            yield Check(
                "floor against plan, base as planned", plan.quantity >= floor.quantity, words, (floor.id, plan.id)
            )
            for total, parts in parts_of(claims).items():
                amounts = {part.id: _in(part, by_id[total].unit, article.date, lexicon) for part in parts}
                if base.id not in amounts or None in amounts.values():
                    continue
                whole = sum(amount for amount in amounts.values() if amount is not None)
                reached = plan.quantity * float(amounts[base.id] or 0.0) / whole
                words = (
                    f"of all the money, {' + '.join(amounts)}, the plan's share is {reached:.1%} against a "
                    f"floor of {floor.quantity:.0%}"
                )
                yield Check(
                    "floor against plan, base all money", reached >= floor.quantity, words, (floor.id, plan.id, total)
                )


def _inside(claims: list[StoryClaim]) -> Iterator[Check]:
    """Hold an amount that a story puts inside another one ("including") against it."""
    sentences: dict[tuple[str, int, str], list[StoryClaim]] = defaultdict(list)
    for claim in claims:
        if claim.kind == "money" and isinstance(claim.quantity, float):
            sentences[claim.article, claim.sentence_start, claim.unit].append(claim)
    for whole, part in (pair for money in sentences.values() for pair in permutations(money, 2)):
        between = part.sentence[whole.span[1] - whole.sentence_start : part.span[0] - part.sentence_start]
        if part.span > whole.span and re.fullmatch(r"[^;]*\b(?:includ(?:es?|ing)|of which)\b[^;]*", between):
            ours, theirs = float(part.quantity or 0.0), float(whole.quantity or 0.0)
            words = f"{ours / 1e9:.4g} bn inside {theirs / 1e9:.4g} bn {whole.unit}"
            yield Check("part inside whole", ours <= theirs, words, (part.id, whole.id))


def _headline(claims: list[StoryClaim], article: Article) -> Iterator[Check]:
    """Hold the headline's figures against the body's: a factor of ten is a slip of one of them."""
    if not article.title or is_chinese(article.title):
        return
    for mention in quantities(article.title):
        if mention.kind not in {"money", "power", "count"} or not isinstance(mention.value, float) or not mention.unit:
            continue
        amounts: list[tuple[str, float]] = []
        for claim in claims:
            for quantity, unit in [
                (claim.quantity, claim.unit),
                *((other.quantity, other.unit) for other in claim.quoted),
            ]:
                if unit == mention.unit and isinstance(quantity, float) and quantity > 0:
                    amounts.append((claim.id, quantity))
        if not amounts:
            continue
        name, nearest = min(amounts, key=lambda pair: abs(math.log(pair[1] / float(mention.value))))  # type: ignore[arg-type]
        said = article.title[mention.start : mention.end]
        if abs(nearest / mention.value - 1) <= 0.15:
            yield Check("headline against body", True, f"{said!r} in the headline is {name}", (name,))
            continue
        for factor in (10, 100, 1000):
            slip = next(
                (
                    pair
                    for pair in amounts
                    if abs(max(pair[1], mention.value) / min(pair[1], mention.value) / factor - 1) < 0.15
                ),
                None,
            )
            if slip:
                yield Check(
                    "headline against body",
                    False,
                    f"{said!r} in the headline is {factor} times off {slip[0]}",
                    (slip[0],),
                )
                break


def _products(claims: list[StoryClaim]) -> Iterator[Check]:
    """Hold so many servers of so many kilowatts against the megawatts of the story, and money against chips."""
    each = [
        c
        for c in claims
        if c.kind == "power"
        and c.unit == "kW"
        and re.match(r"\s(?:per|a|an|each)\b|.{0,20}\beach\b", c.sentence[c.span[1] - c.sentence_start :])
    ]
    each += [
        c
        for c in claims
        if c.kind == "power" and c.unit == "kW" and re.search(r"\b[Ee]ach\b", c.sentence) and c not in each
    ]
    holders = [c for c in claims if c.kind == "count" and c.unit in {"servers", "racks", "systems", "cabinets"}]
    sites = [c for c in claims if c.kind == "power" and c.unit == "MW"]
    for one in each:
        for many in holders:
            if (
                not (isinstance(one.quantity, float) and isinstance(many.quantity, float))
                or not sites
                or many.article != one.article
            ):
                continue
            total = one.quantity * many.quantity / 1e3
            near = min(
                sites,
                key=lambda c: (
                    abs(math.log(total / float(c.quantity)))
                    if isinstance(c.quantity, float) and c.quantity > 0
                    else 99.0
                ),
            )
            off = total / float(near.quantity) - 1  # type: ignore[arg-type]
            words = (
                f"{many.quantity:,.0f} x {one.quantity:g} kW = {total:,.4g} MW against {near.quantity:g} MW: {off:+.1%}"
            )
            yield Check("units", abs(off) <= 0.1 + room(near), words, (one.id, many.id, near.id))


def _calendar(article: Article) -> Iterator[Check]:
    """Flag an administration that was not in office when the story was told; it is not used as policy."""
    for surname, first, last in _PRESIDENTS:
        pattern = rf"(?:President (?:\w+ )?{surname}(?:['’]s)?(?: administration)?|{surname}(?:['’]s)? administration)"
        match = re.search(pattern, article.body)
        before = article.body[max(0, match.start() - 40) : match.start()].casefold() if match else ""
        if not match or re.search(r"\b(?:former|previous|then|ex)\W*$", before):
            continue
        if article.date is None:
            yield Check(
                "calendar", False, f"{match[0]!r}: the story has no date to hold this against; not used as policy", ()
            )
        elif not first <= article.date < last:
            words = f"{match[0]!r} on {article.date}: in office from {first} to {last}; not used as policy"
            yield Check("calendar", False, words, ())
