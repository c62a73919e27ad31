"""Questions as columns: every item down, every transaction across, so that a predicate decides them all at once."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from outlay.policy.codes import CLASSES, CODES, STRICTNESS, VERDICTS, Verdict
from outlay.policy.countries import Membership, memberships
from outlay.policy.decision import Item, Transaction
from outlay.policy.metrics import FIGURES
from outlay.policy.rule import Branch, Rule

Mask = NDArray[np.bool_]
Column = NDArray[np.float64]

T = TypeVar("T", bound=np.generic)
FOREVER = date.max.toordinal()
PLACES = ("destination", "buyer", "parent", "exporter", "maker")
_CODE = {code: index for index, code in enumerate(CODES)}
_CLASS = {name: index for index, name in enumerate(CLASSES)}
_RANK = {verdict: index for index, verdict in enumerate(STRICTNESS)}
_VERDICT_OF = np.array([_RANK[VERDICTS[code]] for code in CODES], dtype=np.int8)


class Case:
    """What predicates see: the questions and what the rules before have found.

    Attributes of items have shape (item, 1), of transactions (transaction,), what is found (item, transaction); a
    predicate combines them by broadcasting.

    Parameters
    ----------
    items, deals
        What, and who gets it, where, when and how.
    known_on
        The day of knowledge, one for all or one a transaction; ``None`` is all that happened.
    flags
        Readings and futures by name, one set for all or one a transaction.
    moved
        Another first day for a rule, by its identifier; its later days move with it.
    """

    def __init__(
        self,
        items: Sequence[Item],
        deals: Sequence[Transaction],
        known_on: date | Sequence[date | None] | None = None,
        flags: Collection[str] | Sequence[Collection[str]] = (),
        moved: Mapping[str, date] | None = None,
    ) -> None:
        self.items, self.deals, self.moved = items, deals, dict(moved or {})
        known = [known_on] * len(deals) if known_on is None or isinstance(known_on, date) else list(known_on)
        self.on = np.array([deal.on.toordinal() for deal in deals], dtype=np.int32)
        self.known_on = np.array([FOREVER if day is None else day.toordinal() for day in known], dtype=np.int32)
        self._flags = _flag_columns(flags, len(deals))
        self._countries: dict[str, int] = {}
        self._where: dict[str, NDArray[np.intp]] = {
            "destination": self._index(deal.destination for deal in deals),
            "buyer": self._index(deal.buyer_hq for deal in deals),
            "parent": self._index(deal.parent_hq for deal in deals),
            "exporter": self._index(deal.exporter or "" for deal in deals),
            "maker": self._index(item.vendor_country for item in items)[:, None],
        }
        self._figures: dict[str, Column] = {}
        self._cache: dict[tuple[str, ...], Mask] = {}
        shape = (len(items), len(deals))
        self.code = np.zeros(shape, dtype=np.int8)
        self.control = np.zeros(shape, dtype=np.int8)
        self.floor_law = np.zeros(shape, dtype=np.int8)
        self.floor_practice = np.zeros(shape, dtype=np.int8)

    def seen_by(self, rule: Rule) -> Case:
        """Return the case as a rule sees it: where its days are moved, the days of the questions move against it."""
        if rule.id not in self.moved:
            return self
        view = copy.copy(self)  # what is found is one array for both
        view.on = self.on - (self.moved[rule.id] - rule.effective_from).days
        view._cache = {}
        return view

    def _index(self, codes: Iterable[str]) -> NDArray[np.intp]:
        """Return a number for each country, in the order they are met."""
        return np.array([self._countries.setdefault(code, len(self._countries)) for code in codes], dtype=np.intp)

    # Items -----------------------------------------------------------------------------------------------------------

    def figure(self, name: str) -> Column:
        """Return a figure of the items, NaN where it is missing."""
        if name not in self._figures:
            found = [FIGURES[name](item) for item in self.items]
            self._figures[name] = _down((np.nan if one is None else one.value for one in found), np.float64)
        return self._figures[name]

    def missing(self, name: str) -> Mask:
        """Return where a figure is missing."""
        return np.isnan(self.figure(name))

    def fact(self, name: str, value: object = True) -> Mask:
        """Return where an attribute of the items is a value; a missing one is neither true nor false."""
        key = ("fact", name, str(value))
        if key not in self._cache:
            self._cache[key] = _down((getattr(item, name) is value for item in self.items), np.bool_)
        return self._cache[key]

    def kind(self, *kinds: str) -> Mask:
        """Return where the items are of one of these kinds."""
        key = ("kind", *kinds)
        if key not in self._cache:
            self._cache[key] = _down((item.kind in kinds for item in self.items), np.bool_)
        return self._cache[key]

    def named(self, *patterns: str) -> Mask:
        """Return where an item's name holds one of these as whole words, ignoring case."""
        key = ("named", *patterns)
        if key not in self._cache:
            search = re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)", re.IGNORECASE).search
            known = {name: search(name) is not None for name in {item.name for item in self.items}}
            self._cache[key] = _down((known[item.name] for item in self.items), np.bool_)
        return self._cache[key]

    def made_by(self, vendor: str) -> Mask:
        """Return where the vendor is a company."""
        key = ("vendor", vendor)
        if key not in self._cache:
            self._cache[key] = _down((item.vendor.casefold() == vendor.casefold() for item in self.items), np.bool_)
        return self._cache[key]

    # Transactions ----------------------------------------------------------------------------------------------------

    def deal(self, name: str, value: object = True) -> Mask:
        """Return where an attribute of the transactions is a value."""
        key = ("deal", name, str(value))
        if key not in self._cache:
            self._cache[key] = np.array([getattr(deal, name) == value for deal in self.deals], dtype=np.bool_)
        return self._cache[key]

    def amount(self, name: str) -> Column:
        """Return a number of the transactions, NaN where it is missing."""
        found = (getattr(deal, name) for deal in self.deals)
        return np.array([np.nan if one is None else float(one) for one in found], dtype=np.float64)

    def flag(self, name: str) -> Mask:
        """Return where a switch is set."""
        return self._flags.get(name, np.zeros(len(self.deals), dtype=bool))

    def since(self, day: date) -> Mask:
        """Return where the transaction is on a day or later."""
        found: Mask = self.on >= day.toordinal()
        return found

    # Places ----------------------------------------------------------------------------------------------------------

    def at(self, who: str, *countries: str) -> Mask:
        """Return where a place (see ``PLACES``) is one of these countries; no country at all is ''."""
        key = ("at", who, *countries)
        if key not in self._cache:
            self._cache[key] = self._among(countries)[self._where[who]]
        return self._cache[key]

    def _among(self, countries: Collection[str]) -> Mask:
        """Return which of the numbered countries are among these."""
        return np.array([code in countries for code in self._countries], dtype=np.bool_)

    def within(self, who: str, *groups: str) -> Mask:
        """Return where a place is in one of these country groups on the day."""
        key = ("within", who, *groups)
        if key not in self._cache:
            index = self._where[who]
            found = np.zeros(np.broadcast_shapes(index.shape, self.on.shape), dtype=bool)
            for entry in memberships():
                if entry.group not in groups:
                    continue
                found |= self._among(entry.countries)[index] & self._holds(entry)
            self._cache[key] = found
        return self._cache[key]

    def _holds(self, entry: Membership) -> Mask:
        """Return where a membership holds on the day, by what was public on the day of knowledge."""
        held: Mask = self.on > 0
        if entry.first is not None and entry.announced is not None:
            held = held & (self.on >= entry.first.toordinal()) & (self.known_on >= entry.announced.toordinal())
        if entry.last is not None and entry.end_announced is not None:
            held = held & ~((self.on > entry.last.toordinal()) & (self.known_on >= entry.end_announced.toordinal()))
        return held

    def embargoed(self, who: str) -> Mask:
        """Return where a place is Macau or in Country Group D:5, the line most of these rules draw."""
        return self.within(who, "D:5") | self.at(who, "MO")

    @property
    def restricted_buyer(self) -> Mask:
        """Where the buyer or its ultimate parent is headquartered in D:5 or Macau."""
        return self.embargoed("buyer") | self.embargoed("parent")

    @property
    def restricted(self) -> Mask:
        """Where the destination or the headquarters test reaches D:5 or Macau."""
        return self.embargoed("destination") | self.restricted_buyer

    @property
    def chinese_made(self) -> Mask:
        """Where the maker is headquartered in D:5 or Macau, so that no American export is asked about."""
        return self.embargoed("maker")

    @property
    def exported(self) -> Mask:
        """Where it is an export at all: a foreign destination, of something whose maker is not under embargo itself."""
        return ~self.at("destination", "US") & ~self.chinese_made

    # What is found ---------------------------------------------------------------------------------------------------

    def is_code(self, *codes: str) -> Mask:
        """Return where the code is one of these so far."""
        found: Mask = self.code == _CODE[codes[0]]
        for code in codes[1:]:
            found |= self.code == _CODE[code]
        return found

    def is_class(self, *classes: str) -> Mask:
        """Return where the class is one of these so far."""
        found: Mask = self.control == _CLASS[classes[0]]
        for name in classes[1:]:
            found |= self.control == _CLASS[name]
        return found

    def note(self, hit: Mask, branch: Branch, *, practice: bool) -> None:
        """Write down what a branch finds where it holds."""
        if branch.code is not None:
            self.code[hit] = _CODE[branch.code]
        if branch.control_class is not None:
            self.control[hit] = _CLASS[branch.control_class]
        if branch.verdict is not None:
            floor = self.floor_practice if practice else self.floor_law
            floor[hit] = np.maximum(floor[hit], _RANK[branch.verdict])

    @property
    def law(self) -> NDArray[np.int8]:
        """The verdict of the law alone, as a rank in :data:`outlay.policy.codes.STRICTNESS`."""
        return np.maximum(_VERDICT_OF[self.code], self.floor_law)

    @property
    def verdict(self) -> NDArray[np.int8]:
        """The verdict of both clocks, as a rank in :data:`outlay.policy.codes.STRICTNESS`."""
        return np.maximum(self.law, self.floor_practice)


def _down(values: Iterable[object], kind: type[T]) -> NDArray[T]:
    """Return values of the items as a column."""
    return np.array(list(values), dtype=kind)[:, None]


def rank(verdict: Verdict) -> int:
    """Return the rank of a verdict, stricter ones higher."""
    return _RANK[verdict]


def _flag_columns(flags: Collection[str] | Sequence[Collection[str]], count: int) -> dict[str, Mask]:
    alone = {one for one in flags if isinstance(one, str)}
    sets = [alone] * count if len(alone) == len(flags) else [set(one) for one in flags]
    return {
        name: np.array([name in one for one in sets], dtype=np.bool_) for name in {name for one in sets for name in one}
    }
