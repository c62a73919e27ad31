"""Check a chip: whether it may go somewhere on a day for a buyer, by which rules, with the arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outlay.errors import OutlayError
from outlay.report.tables import Cell, Page, number
from outlay.web.page import asking
from outlay.web.page.controls import Field, Select, Tick
from outlay.web.page.parts import el, grid, section, session, t
from outlay.web.page.shown import Command, shown

if TYPE_CHECKING:
    from outlay.policy import Decision, Item, Transaction
    from outlay.policy.margin import Margin

WAYS = ("buy", "lease", "service", "foundry")
USES = ("datacenter", "consumer", "analysis")
TONES = {"allowed": "good", "conditional": "warn", "unknown": "info", "denied": "bad"}
FIRST = "H20 96GB"


class Check:
    """The form and its answer; the answer follows every change."""

    def __init__(self) -> None:
        from outlay.catalog import Catalog

        self.catalog = Catalog.load()
        place, buyer, parent, day = asking.buyer_of(session())
        names = [*self.catalog.chips, *self.catalog.systems]
        with section(t("chips.tab.check")), el("div", "form"):
            self.chip = Field(t("chips.chip"), FIRST, self.update, options=names)
            self.to = Field(t("chips.destination"), place, self.update, hint=t("chips.country_hint"))
            self.day = Field(t("chips.day"), day.isoformat(), self.update, hint=t("chips.date_hint"))
            self.buyer = Field(t("chips.buyer"), buyer, self.update, hint=t("chips.same_as_destination"))
            self.parent = Field(t("chips.parent"), parent, self.update, hint=t("chips.same_as_buyer"))
            self.mode = Select(t("chips.mode"), {way: t(f"chips.way.{way}") for way in WAYS}, "buy", self.update)
            self.owner = Field(t("chips.owner"), "", self.update, hint=t("chips.country_hint"))
            self.use = Select(t("chips.use"), {use: t(f"chips.uses.{use}") for use in USES}, USES[0], self.update)
            self.known = Field(t("chips.known_on"), "", self.update, hint=t("chips.today"))
            self.law = Tick(t("chips.law_only"), False, self.update)
        self.place = el("section", "card", aria_label=t("chips.tab.check"), aria_live="polite")

    async def update(self) -> None:
        """Answer what is asked; say at its field what is wrong with it."""
        from outlay.policy import decide
        from outlay.policy.margin import margins
        from outlay.report.legality import depends_on, named

        self.owner.box.set_visibility(self.mode.value == "lease")
        try:
            chip, item = self.chip.read(lambda text: named(self.catalog, asking.given(text)))
            deal = self._deal()
            known_on = self.known.read(asking.maybe_day)
        except OutlayError:
            return
        asked: dict[str, Any] = {"known_on": known_on, "flags": ("ignore_reported",) if self.law.value else ()}
        decision = decide(item, deal, **asked)
        depends = depends_on(chip, item, deal, asked, decision)
        lines = margins(item, deal.on, frozenset(asked["flags"]))
        self.place.clear()
        with self.place:
            _answer(item, deal, decision)
            _rules(decision, depends)
            grid(_margins(lines), most=12)
        verdict = t(f"chips.verdict.{decision.verdict}")
        shown().facts = [(t("chips.code"), decision.code), (t("chips.verdict_word"), verdict)]
        shown().command("check", Command(self._words(deal, known_on)))

    def _deal(self) -> Transaction:
        from outlay.policy import Transaction

        to = self.to.read(asking.country)
        buyer = self.buyer.read(asking.maybe_country) or to
        return Transaction(
            on=self.day.read(asking.day),
            destination=to,
            buyer_hq=buyer,
            parent_hq=self.parent.read(asking.maybe_country) or buyer,
            mode=self.mode.value,  # type: ignore[arg-type]
            owner_hq=self.owner.read(asking.country) if self.mode.value == "lease" else None,
            end_use=self.use.value,  # type: ignore[arg-type]
        )

    def _words(self, deal: Transaction, known_on: Any) -> list[str]:
        words = ["outlay", "check", self.chip.value.strip(), "--to", deal.destination, "--date", deal.on.isoformat()]
        words += ["--buyer-hq", deal.buyer_hq, "--parent-hq", deal.parent_hq]
        words += ["--lease", "--owner-hq", deal.owner_hq] if deal.owner_hq else []
        words += [f"--{deal.mode}"] if deal.mode in {"service", "foundry"} else []
        words += ["--use", deal.end_use] if deal.end_use != USES[0] else []
        words += ["--known-on", known_on.isoformat()] if known_on else []
        words += ["--law-only"] if self.law.value else []
        return [*words, "--margin"]


def _answer(item: Item, deal: Transaction, decision: Decision) -> None:
    how = t(f"chips.way.{deal.mode}")
    el("h2", "", t("chips.question", item=item.name, place=deal.destination, day=deal.on, how=how))
    with el("p", "verdict"):
        el("span", f"tag {TONES[decision.verdict]}", t(f"chips.verdict.{decision.verdict}"))
        el("strong", "", decision.code)
        el("span", "note", t("chips.class_words", name=decision.control_class))
        if decision.confidence:
            el("span", "note", t("chips.confidence", level=decision.confidence))
    if decision.law != decision.verdict:
        el("p", "note", t("chips.by_law", verdict=t(f"chips.verdict.{decision.law}")))
    if decision.hardware_code:
        el("p", "note", t("chips.hardware_way", code=decision.hardware_code))


def _rules(decision: Decision, depends: list[str]) -> None:
    with el("div", "stack"):
        el("h3", "", t("chips.rules_fired") if decision.firings else t("chips.none_fired"))
        for firing in decision.firings:
            with el("div", "firing"):
                el("h4", "", f"{firing.rule} · {firing.title}")
                el("p", "", firing.outcome)
                for line in firing.arithmetic:
                    el("p", "arithmetic", line)
                if firing.factor is not None:
                    factor = firing.factor
                    words = {"what": factor.applies_to, "factor": f"{factor.multiplier():.4g}", "words": factor.words}
                    el("p", "", t("chips.price_of", **words))
                el("p", "cite", f"{firing.status} · {t('chips.confidence', level=firing.confidence)}")
                for citation in firing.citations:
                    el("p", "cite", citation)
        with el("ul", "plain-list"):
            for key, lines in (("missing", decision.missing), ("depends", depends), ("mind", decision.warnings)):
                for line in lines:
                    el("li", "", t(f"chips.{key}", what=line))


def _margins(lines: list[Margin]) -> Page:
    """Return how far each figure is from each line, nearest first."""
    rows = [
        [
            number(one.relative, "" if one.relative is None else f"{one.relative:+.1%}"),
            Cell(one.rule),
            Cell(one.arithmetic),
            Cell(one.change),
        ]
        for one in lines
    ]
    names = ("distance", "rule", "arithmetic", "change")
    return Page("chips-margins", t("chips.margins.title"), [t(f"chips.margins.{name}") for name in names], rows)
