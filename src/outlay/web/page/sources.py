"""The evidence behind a number: a button that opens it, and the dialog that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nicegui import ui

from outlay.report import facts
from outlay.report.grounds import Subject, evidence_of
from outlay.report.tables import link
from outlay.web.page.parts import el, p, t

if TYPE_CHECKING:
    from nicegui.element import Element

    from outlay.planning.result import EvidenceItem, Plan

MARKS = {"denied": ("bad", "✕"), "press-report": ("warn", "◐"), "analyst-estimate": ("warn", "◐"),
         "vendor-claim": ("warn", "◐"), "assumed": ("warn", "?")}  # fmt: skip
SURE = ("good", "✓")


def status_tag(status: str, *, doubted: bool = False) -> Element:
    """Place a status with its colour and its sign."""
    tone, sign = MARKS["denied"] if doubted else MARKS.get(status, SURE)
    return el("span", f"tag {tone}", f"{sign} {p(status)}")


class Sources:
    """The dialog of a view's plan; ``number`` places a number that opens it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dialog = el("dialog", "sources", aria_label=t("plan.sources"))

    def number(self, text: str, subjects: Sequence[Subject], about: str, classes: str = "") -> Element:
        """Place a number as a button that opens what it rests on."""
        made = el("button", f"number {classes}", text, type="button", title=t("plan.open_sources", about=about))
        made.props["aria-haspopup"] = "dialog"
        made.on("click", lambda: self.open(text, subjects, about))
        return made

    def opener(self, text: str, subjects: Sequence[Subject], about: str) -> Callable[[], None]:
        """Return what opens the dialog for a number, to be called on a click elsewhere."""
        return lambda: self.open(text, subjects, about)

    def open(self, text: str, subjects: Sequence[Subject], about: str) -> None:
        """Show what a number rests on."""
        found = evidence_of(self.plan, subjects)
        self.dialog.clear()
        with self.dialog:
            with el("div", "row spread"):
                el("h2", "", f"{about}: {text}" if text else about)
                shut = el("button", "button small", t("shell.close"), type="button")
                shut.on("click", js_handler='(e) => e.target.closest("dialog").close()')
            el("p", "note", t("plan.rests_on", count=len(found)) if found else t("plan.rests_on_nothing"))
            for item in found:
                evidence(item)
        ui.run_javascript(f"document.getElementById('{self.dialog.html_id}').showModal()")


def evidence(item: EvidenceItem) -> None:
    """Place one figure with its status, its source and who denies it."""
    with el("article", "source"):
        with el("div", "row"):
            status_tag(item.status, doubted=bool(item.denied_by))
            el("strong", "", p(item.what))
            if item.value:
                el("span", "value", item.value)
        address = link(item.address)
        if address:
            el("a", "", item.source or address, href=address, target="_blank", rel="noopener noreferrer")
        else:
            el("p", "", item.source or facts.MISSING)
        if item.note:
            el("p", "note", item.note)
        if item.quote:
            el("blockquote", "", f"“{item.quote}”")
        if item.denied_by:
            el("p", "denied", t("plan.denied_by", who=item.denied_by))
