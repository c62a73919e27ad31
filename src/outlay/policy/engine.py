"""Decides questions: folds the rules in force over them, in order, one or a million at a time."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError, unknown
from outlay.policy.codes import CLASSES, CODES, FLAGS, STRICTNESS, UNLICENSED, Verdict
from outlay.policy.columns import Case, Mask, rank
from outlay.policy.decision import ANYWHERE, UNION, Decision, Firing, Item, PriceFactor, Transaction
from outlay.policy.metrics import arithmetic, check_item
from outlay.policy.rule import Branch, Rule
from outlay.policy.rules import FOUNDRY, HARDWARE, LEASES

CONFIDENCES = ("low", "medium", "high")
FIRST_RULE = date(2022, 8, 26)
SOURCES_REACH = date(2026, 9, 18)
"""The last day any source read speaks of; nothing newer was searched for."""


@dataclass(frozen=True)
class Fired:
    """A rule's branch and where it holds, shape (item, transaction)."""

    rule: Rule
    branch: Branch
    where: Mask


NO_OWNER = Branch(np.array(True), "no owner is given", code="UNKNOWN", control_class="INDETERMINATE")
"""What a lease without an owner is answered with; no rule says so."""


class Grid:
    """The answers to every item with every transaction.

    Attributes
    ----------
    code, control_class, verdict, law
        Numbers of shape (item, transaction): positions in :data:`outlay.policy.codes.CODES`, ``CLASSES`` and twice
        ``STRICTNESS``.
    """

    def __init__(self, case: Case, fired: Sequence[Fired]) -> None:
        self._case, self._fired = case, fired
        self.code, self.control_class = case.code, case.control
        self.verdict, self.law = case.verdict, case.law

    def code_at(self, item: int, deal: int) -> str:
        """Return the outcome code of one answer."""
        return CODES[int(self.code[item, deal])]

    def verdict_at(self, item: int, deal: int) -> Verdict:
        """Return the verdict of one answer."""
        return STRICTNESS[int(self.verdict[item, deal])]

    def fired_at(self, item: int, deal: int) -> list[Fired]:
        """Return the rules that apply to one answer, in order, with the branch each took."""
        return [fired for fired in self._fired if fired.where[item, deal]]

    def rules_at(self, item: int, deal: int) -> list[str]:
        """Return the identifiers of the rules that apply to one answer, in order."""
        return [fired.rule.id for fired in self.fired_at(item, deal)]

    def reason_at(self, item: int, deal: int) -> str:
        """Return the rule that decides one answer by title and identifier, with the figures that are missing."""
        fired, code, verdict = self.fired_at(item, deal), self.code_at(item, deal), self.verdict_at(item, deal)
        deciding = [one for one in fired if one.branch.code == code or one.branch.verdict == verdict]
        if not deciding:
            return code
        missing = list(dict.fromkeys(name for one in fired for name in one.branch.missing))
        words = f"{deciding[-1].rule.title} ({deciding[-1].rule.id})"
        return f"{words}; missing: {', '.join(missing)}" if verdict == "unknown" and missing else words

    def price_multiplier(self, applies_to: str = "hardware", passed_on: float = 1.0) -> NDArray[np.float64]:
        """Return what the rules multiply a price by, shape (item, transaction); 1 where they leave it.

        Parameters
        ----------
        applies_to
            ``hardware`` or ``energy``.
        passed_on
            How much of a tariff or a revenue share the buyer bears, 0 to 1.
        """
        found = np.ones(self.code.shape)
        for fired in self._fired:
            factor = fired.branch.factor
            if factor is not None and factor.applies_to == applies_to:
                found[fired.where] *= factor.multiplier(passed_on)
        return found


def decide_grid(
    items: Sequence[Item],
    transactions: Sequence[Transaction],
    *,
    known_on: date | Sequence[date | None] | None = None,
    flags: Collection[str] | Sequence[Collection[str]] = (),
    moved: Mapping[str, date] | None = None,
) -> Grid:
    """Decide every item with every transaction at once.

    Parameters
    ----------
    items, transactions
        What, and who gets it, where, when and how.
    known_on
        Only rules announced by this day exist, as they then stood: one day for all, or one for each transaction.
    flags
        Readings and futures by name, see :data:`outlay.policy.codes.FLAGS`: one set for all, or one for each
        transaction.

    moved
        Another first day for some rules, by identifier: what if they came earlier or later. Their later days move with
        them; what was known when does not.

    Raises
    ------
    InputError
        If a flag or a country is unknown, or a figure of an item is not a positive number.

    Notes
    -----
    A lease asks two things: may the owner have the hardware there on that day, and is renting it to the buyer
    restricted. That the owner had received it earlier, under older rules, is not assumed. A part that is not controlled
    and that the buyer could buy there without a licence is answered as a purchase by the owner. A service (a cloud)
    asks the second thing alone.
    """
    _check(items, transactions, flags)
    first = Case(items, [_to_owner(deal) for deal in transactions], known_on, flags, moved)
    made = first.deal("mode", "foundry")
    fired = _fold(first, HARDWARE, ~made)
    if made.any():
        fired += _fold(first, FOUNDRY, made)
    rented = first.deal("mode", "lease") | first.deal("mode", "service")
    if rented.any():
        fired = _rent(first, fired, Case(items, transactions, known_on, flags, moved))
    return Grid(first, fired)


def _to_owner(deal: Transaction) -> Transaction:
    """Return the question whether the owner of leased machines may have them."""
    if deal.mode != "lease" or deal.owner_hq is None:
        return deal
    return replace(deal, buyer_hq=deal.owner_hq, parent_hq=deal.owner_hq)


def _rent(owned: Case, fired: list[Fired], tenant: Case) -> list[Fired]:
    """Ask whether renting is restricted where the owner may have the machines; returns all that fired."""
    lease, service = tenant.deal("mode", "lease"), tenant.deal("mode", "service")
    _fold(tenant, HARDWARE, lease)
    shut = owned.verdict >= rank("unknown")
    free = owned.is_class("NONE") & owned.is_code(*UNLICENSED) & tenant.is_code(*UNLICENSED)
    asked = (lease & ~shut & ~free) | service
    orphan = lease & tenant.deal("owner_hq", None)
    # No hardware moves for a service, and none can be judged without an owner: what was found of it counts for nothing.
    void = orphan | service
    fired = [Fired(one.rule, one.branch, one.where & ~void) for one in fired]
    for column in (owned.code, owned.floor_law, owned.floor_practice):
        column[:, void] = 0
    tenant.code, tenant.control = owned.code, owned.control
    tenant.floor_law, tenant.floor_practice = owned.floor_law, owned.floor_practice
    fired += _fold(tenant, LEASES, asked & ~orphan)
    everything = np.broadcast_to(orphan, owned.code.shape)
    owned.note(everything, NO_OWNER, practice=False)
    return fired


def _fold(case: Case, rules: Iterable[Rule], asked: Mask) -> list[Fired]:
    """Apply the rules in force in order where they are asked; each sees what those before it found."""
    fired: list[Fired] = []
    for rule in rules:
        seen = case.seen_by(rule)
        if rule.predicate is None or not (force := rule.in_force(seen)).any():
            continue
        left = np.broadcast_to(force & asked, case.code.shape)
        for branch in rule.predicate(seen):
            hit = left & branch.when
            if hit.any():
                case.note(hit, branch, practice=rule.clock == "practice")
                fired.append(Fired(rule, branch, hit))
                left = left & ~hit
    return fired


def decide(
    item: Item,
    transaction: Transaction,
    *,
    known_on: date | None = None,
    flags: Collection[str] = (),
    moved: Mapping[str, date] | None = None,
) -> Decision:
    """Decide whether an item may go to a buyer, with the rules, their citations and the arithmetic.

    See :func:`decide_grid` for the parameters and for leases.
    """
    grid = decide_grid([item], [transaction], known_on=known_on, flags=flags, moved=moved)
    fired = grid.fired_at(0, 0)
    words = _words(item, transaction)
    firings = tuple(_firing(one, item, transaction, words) for one in fired)
    warnings = [text.format(**words) for one in fired for text in one.branch.warnings]
    orphan = ("owner_hq",) if transaction.mode == "lease" and transaction.owner_hq is None else ()
    hardware_code = ""
    if transaction.mode == "lease" and not orphan:
        hardware_code, said = _hardware(item, transaction, known_on, flags, moved)
        warnings += said
    return Decision(
        code=grid.code_at(0, 0),
        control_class=CLASSES[grid.control_class[0, 0]],
        verdict=grid.verdict_at(0, 0),
        law=STRICTNESS[grid.law[0, 0]],
        firings=firings,
        arithmetic=tuple(line for firing in firings for line in firing.arithmetic),
        confidence=min(["high", *(one.rule.confidence for one in fired)], key=CONFIDENCES.index),
        warnings=tuple(dict.fromkeys((*warnings, *_notes(item, transaction, known_on)))),
        missing=tuple(dict.fromkeys((*orphan, *(name for one in fired for name in one.branch.missing)))),
        hardware_code=hardware_code,
    )


def _hardware(
    item: Item, deal: Transaction, known_on: date | None, flags: Collection[str], moved: Mapping[str, date] | None
) -> tuple[str, list[str]]:
    """Return the code of the way of leased machines to their owner, and what is to be said of it."""
    owner = replace(_to_owner(deal), mode="buy")
    grid = decide_grid([item], [owner], known_on=known_on, flags=flags, moved=moved)
    if grid.verdict_at(0, 0) in {"allowed", "conditional"}:
        return grid.code_at(0, 0), []
    text = (
        f"the owner (headquarters {deal.owner_hq}) may not get the hardware there on that day, so it cannot be rented"
    )
    return grid.code_at(0, 0), [text]


def price_factors(
    item: Item, transaction: Transaction, *, known_on: date | None = None, flags: Collection[str] = ()
) -> tuple[PriceFactor, ...]:
    """Return what the rules do to the price of a purchase: tariffs, revenue shares, subsidies of its energy.

    Parameters
    ----------
    item, transaction, known_on, flags
        As for :func:`decide`.

    Returns
    -------
    tuple of PriceFactor
        In the order of the rules; empty where they leave the price. The buyer's price is multiplied by
        :meth:`PriceFactor.multiplier` of each factor that applies to it. No currency and no price is known here.

    Examples
    --------
    >>> h200 = Item("H200 SXM", "Nvidia", "US", {8: 1979.0}, 814.0, 900.0, 4800.0, True)
    >>> deal = Transaction(date(2026, 4, 1), "CN", "CN", "CN", exporter="US")
    >>> [(factor.rule, factor.kind, factor.multiplier()) for factor in price_factors(h200, deal)]
    [('US-12', 'tariff', 1.25)]
    """
    return decide(item, transaction, known_on=known_on, flags=flags).factors


def _words(item: Item, deal: Transaction) -> dict[str, str]:
    """Return what the texts of branches leave open."""
    return {
        "name": item.name,
        "destination": deal.destination,
        "buyer": deal.buyer_hq,
        "parent": deal.parent_hq,
        "exporter": deal.exporter or "a place not given",
    }


def _firing(fired: Fired, item: Item, deal: Transaction, words: dict[str, str]) -> Firing:
    rule, branch = fired.rule, fired.branch
    sums = [arithmetic(item, line) for line in branch.lines]
    if branch.working is not None:
        sums.append(branch.working(item, deal))
    return Firing(
        rule=rule.id,
        title=rule.title,
        outcome=branch.outcome.format(**words),
        citations=tuple(str(citation) for citation in rule.citations),
        arithmetic=tuple(filter(None, sums)),
        status=rule.status,
        confidence=rule.confidence,
        says=branch.says or branch.code or "",
        clock=rule.clock,
        factor=None if branch.factor is None else replace(branch.factor, rule=rule.id),
    )


def _notes(item: Item, deal: Transaction, known_on: date | None) -> list[str]:
    on, notes = deal.on, []
    if on < FIRST_RULE:
        notes.append(f"{on} is before the first rule held here ({FIRST_RULE})")
    if on > SOURCES_REACH and known_on is None:
        notes.append(f"{on} is after what the sources reach ({SOURCES_REACH}); later rules are not known here")
    if deal.end_use == "consumer" and item.datacenter:
        notes.append("consumer use changes nothing: note 2 of 3A090 asks how the part is designed and marketed")
    return notes


def check_question(item: Item, transaction: Transaction, flags: Collection[str] = ()) -> None:
    """Raise :class:`InputError` where a question cannot be asked: a flag, a country or a figure is none."""
    _check([item], [transaction], flags)


def _check(
    items: Sequence[Item], deals: Sequence[Transaction], flags: Collection[str] | Sequence[Collection[str]]
) -> None:
    for item in items:
        check_item(item)
    given = {name for one in flags for name in ([one] if isinstance(one, str) else one)}
    for flag in sorted(given):
        if flag not in FLAGS:
            raise InputError(unknown("policy flag", flag, FLAGS, see=f"flags: {', '.join(FLAGS)}"))
    if not all(isinstance(one, str) for one in flags) and len(flags) != len(deals):
        msg = f"{len(flags)} sets of flags for {len(deals)} transactions; give one set, or one for each"
        raise InputError(msg)
    named = {code for deal in deals for code in (deal.destination, deal.buyer_hq, deal.parent_hq)}
    named |= {code for deal in deals for code in (deal.exporter, deal.owner_hq, deal.onward) if code is not None}
    for code in sorted(named - {ANYWHERE, UNION}):
        if code not in _codes():
            msg = f"unknown country {code!r}; expected an ISO 3166 alpha-2 code such as CN, or ZZ for anywhere"
            raise InputError(msg)


@functools.cache
def _codes() -> frozenset[str]:
    """Return the codes of all countries."""
    import pycountry

    return frozenset(country.alpha_2 for country in pycountry.countries)
