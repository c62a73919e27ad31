"""View 6, Chips and rules: legal status over time, check a chip, the roofline, chips beside each other."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from outlay.errors import OutlayError
from outlay.web.page import asking, chips_check, figures_chips
from outlay.web.page.controls import Field, Select, Several, Tabs
from outlay.web.page.parts import Notice, el, figure, grid, section, session, t
from outlay.web.page.shown import Command, shown

if TYPE_CHECKING:
    from outlay.catalog import Catalog

WAYS = ("buy", "lease", "service")
FIRST_CHIPS = ["H100 SXM", "H20 96GB", "Ascend 910C"]
FIRST_MODEL = "DeepSeek-V3"
MOST_CHIPS = 5


async def show() -> None:
    """Show the view."""
    with el("div", "title"), el("div"):
        el("h1", "", t("chips.title"))
        el("p", "lead", t("chips.lead"))
    tabs = Tabs(
        t("chips.title"),
        {
            "status": (t("chips.tab.status"), lambda: _Status().update()),
            "check": (t("chips.tab.check"), lambda: chips_check.Check().update()),
            "roofline": (t("chips.tab.roofline"), lambda: _Roofline().update()),
            "compare": (t("chips.tab.compare"), lambda: _Compare().update()),
        },
        "status",
    )
    await tabs.open("status")


def catalog() -> Catalog:
    """Return the bundled catalogue."""
    from outlay.catalog import Catalog

    return Catalog.load()


class _Status:
    """Legal status of chips over time."""

    def __init__(self) -> None:
        self.catalog = catalog()
        place, buyer, parent, _ = asking.buyer_of(session())
        every = list(self.catalog.chips.values())
        groups = {"": t("chips.all_vendors", count=len(every))} | {
            code: t("chips.of_country", country=code, count=count)
            for code, count in asking.vendors_by_country(every).items()
        }
        with section(t("chips.tab.status"), note=t("chips.not_advice", day=_reach())), el("div", "form"):
            self.to = Field(t("chips.destination"), place, self.update, hint=t("chips.country_hint"))
            self.buyer = Field(t("chips.buyer"), buyer, self.update, hint=t("chips.same_as_destination"))
            self.parent = Field(t("chips.parent"), parent, self.update, hint=t("chips.same_as_buyer"))
            self.mode = Select(t("chips.mode"), {way: t(f"chips.way.{way}") for way in WAYS}, "buy", self.update)
            self.owner = Field(t("chips.owner"), "", self.update, hint=t("chips.country_hint"))
            self.known = Field(t("chips.known_on"), "", self.update, hint=t("chips.today"))
            self.which = Select(t("chips.which"), groups, "", self.update)
        self.notice = Notice()
        self.place = el("section", "card", aria_label=t("chips.lanes.title"))

    async def update(self) -> None:
        """Draw the lanes of what is asked; say at its field what is wrong with it."""
        from outlay.policy import Transaction, item_of
        from outlay.policy.timeline import lanes
        from outlay.report.legality import announced

        self.owner.box.set_visibility(self.mode.value == "lease")
        self.notice.clear()
        try:
            to = self.to.read(asking.country)
            buyer = self.buyer.read(asking.maybe_country) or to
            deal = Transaction(
                on=date.min,
                destination=to,
                buyer_hq=buyer,
                parent_hq=self.parent.read(asking.maybe_country) or buyer,
                mode=self.mode.value,  # type: ignore[arg-type]
                owner_hq=self.owner.read(asking.country) if self.mode.value == "lease" else None,
            )
            known_on = self.known.read(asking.maybe_day)
            chips = [chip for chip in self.catalog.chips.values() if self.which.value in ("", chip.vendor_country)]
            firsts = [announced(chip) for chip in chips]
            rows = lanes([item_of(chip) for chip in chips], deal, known_on=known_on, firsts=firsts)
        except OutlayError:
            return
        kept = [(chip.name, row) for chip, row in zip(chips, rows, strict=True) if row]
        chart = figures_chips.lanes([name for name, _ in kept], [row for _, row in kept], t)
        self.place.clear()
        with self.place:
            figure(chart)
        words = ["outlay", "check", *(name for name, _ in kept), "--to", to, "--buyer-hq", buyer]
        words += ["--parent-hq", deal.parent_hq, "--timeline"]
        words += ["--lease", "--owner-hq", deal.owner_hq] if deal.owner_hq else []
        words += ["--service"] if deal.mode == "service" else []
        words += ["--known-on", known_on.isoformat()] if known_on else []
        shown().command("lanes", Command(words))


def _reach() -> date:
    from outlay.policy import SOURCES_REACH

    return SOURCES_REACH


class _Roofline:
    """The roofline of some chips with the operations of a model under it."""

    def __init__(self) -> None:
        self.catalog = catalog()
        names = sorted(name for name, chip in self.catalog.chips.items() if _drawable(chip))
        kept = session().kept.setdefault("chips", {})
        self.chosen: list[str] = kept.setdefault("roofline", FIRST_CHIPS[:2])
        models = sorted(self.catalog.models)
        with section(t("chips.tab.roofline")):
            with el("div", "form"):
                with el("div", "wide"):
                    Several(t("chips.chips_shown"), names, self.chosen, self.update, MOST_CHIPS)
                types = {name: name for name in ("bf16", "fp8", "fp4", "int8")}
                self.dtype = Select(t("chips.data_type"), types, "bf16", self.update)
                self.model = Select(t("chips.model"), {name: name for name in models}, FIRST_MODEL, self.update)
                doings = {key: t(f"chips.doings.{key}") for key in ("prefill", "decode")}
                self.doing = Select(t("chips.doing"), doings, "prefill", self.update)
                self.tokens = Field(t("chips.tokens"), "4096", self.update, inputmode="decimal")
                self.context = Field(t("chips.context"), "4096", self.update, inputmode="decimal")
            self.notice = Notice()
            self.place = el("div")

    async def update(self) -> None:
        """Draw what is chosen; say which chip has no such data type."""
        from outlay.performance.chip import chip_model
        from outlay.performance.roofline import operations, roofline
        from outlay.performance.transformer import architecture

        decode = self.doing.value == "decode"
        self.context.box.set_visibility(decode)
        self.notice.clear()
        try:
            tokens, context = self.tokens.read(asking.above_zero), self.context.read(asking.above_zero)
        except OutlayError:
            return
        drawn, told = [], []
        for name in self.chosen:
            try:
                model = chip_model(self.catalog.chip(name))
                arch = architecture(self.catalog.model(self.model.value))
                ceiling = roofline(model, self.dtype.value)
                size: dict[str, Any] = {"tokens": tokens, "context": context, "dtype": self.dtype.value}
                drawn.append((ceiling, operations(model, arch, **size, decode=decode)))
            except OutlayError as error:
                told.append(str(error))
        if told:
            self.notice.say("warn", "\n".join(told))
        self.place.clear()
        if not drawn:
            return
        with self.place:
            figure(figures_chips.roofline(drawn, t))
            with el("ul", "plain-list note"):
                for ceiling, _ in drawn:
                    basis = t(f"chips.provenance.{ceiling.provenance.replace(' ', '_')}")
                    el("li", "", t("chips.roofline.basis", chip=ceiling.chip, provenance=basis))
        words = [
            "outlay",
            "roofline",
            *(ceiling.chip for ceiling, _ in drawn),
            "--dtype",
            self.dtype.value,
            "--model",
            self.model.value,
        ]
        words += ["--tokens", self.tokens.value, *(["--decode", "--context", self.context.value] if decode else [])]
        shown().command("roofline", Command(words))


def _drawable(chip: Any) -> bool:
    return chip.number("memory_bw_tbs") is not None and (chip.peak("bf16") or chip.peak("fp16")) is not None


class _Compare:
    """Chips beside each other, every figure with its status and source."""

    def __init__(self) -> None:
        self.catalog = catalog()
        kept = session().kept.setdefault("chips", {})
        self.chosen: list[str] = kept.setdefault("compare", list(FIRST_CHIPS))
        with section(t("chips.tab.compare")):
            Several(t("chips.chips_shown"), sorted(self.catalog.chips), self.chosen, self.update, MOST_CHIPS)
            self.place = el("div")
        self.sources = el("section", "card", aria_label=t("chips.sources.title"))

    async def update(self) -> None:
        """Draw the chips chosen and list their figures."""
        from outlay.catalog import schema

        chips = [self.catalog.chip(name) for name in self.chosen]
        chart = figures_chips.comparison(chips, t)
        self.place.clear()
        with self.place:
            figure(chart)
        fields = [field for field in schema()["chip"] if any(field in chip.figures for chip in chips)]
        self.sources.clear()
        with self.sources:
            el("h2", "", t("chips.sources.title"))
            grid(figures_chips.sources(chips, fields, t), classes="wide-table", most=40)
        shown().commands.clear()
        for chip in chips:
            shown().command(f"catalog {chip.name}", Command(["outlay", "catalog", "chip", chip.name]))
