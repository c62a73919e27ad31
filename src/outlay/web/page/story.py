"""View 1, Story: an article with its claims marked, each to accept, edit or reject, and the draft scenario beside."""

from __future__ import annotations

import asyncio
from typing import Any

from nicegui import ui

from outlay.errors import OutlayError
from outlay.evidence.reading.article import LARGEST_BYTES, LONGEST_TEXT
from outlay.evidence.reading.records import StoryClaim
from outlay.report.claims import TONES, amount_of
from outlay.scenario.revised import Verdict, edited, marked
from outlay.web.page import jobs
from outlay.web.page.parts import Notice, busy, button, el, p, reword, section, session, t
from outlay.web.page.reading import Told, draft_again, tell
from outlay.web.page.shown import Command, shown
from outlay.web.page.story_box import StoryBox
from outlay.web.page.text_box import TextBox


def show() -> None:
    """Show the story in hand, or the box for one."""
    _View()


class _View:
    def __init__(self) -> None:
        self.now = session()
        self.day = ""
        self.address = ""
        with el("div", "title"), el("div"):
            el("h1", "", t("story.title"))
            el("p", "lead", t("story.lead"))
        self.box_place = el("div")
        self.notice = Notice()
        self.found = el("div", "story-grid")
        told: Told | None = self.now.kept.get("story")
        with self.box_place:
            self._box(told.given if told else "", is_open=told is None)
        if told is not None:
            self._show(told)

    def _box(self, text: str, *, is_open: bool) -> None:
        with el("details", "block card", open=is_open) as self.box_details:
            with el("summary"):
                el("span", "block-title", t("story.give"))
            with el("div", "stack"):
                self.box = StoryBox(
                    text,
                    self.read,
                    self.too_large,
                    label=t("story.box"),
                    placeholder=t("story.placeholder"),
                    areaid="story",
                    fileid="story-file",
                    openlabel=t("story.open"),
                    longest=LONGEST_TEXT,
                    largest=LARGEST_BYTES,
                )
                with el("div", "row"):
                    button(t("story.read"), lambda: self.box.send(), "main", id="read")
                    with el("label", "field"):
                        el("span", "", t("story.day"))
                        TextBox("", lambda text: setattr(self, "day", text), placeholder="2025-01-22", id="story-day")
                    if jobs.server().settings.fetch:
                        with el("label", "field grow"):
                            el("span", "", t("story.address"))
                            TextBox("", lambda text: setattr(self, "address", text), placeholder="https://…",
                                    id="story-address")  # fmt: skip
                        button(t("story.fetch"), self.fetch, "", id="fetch")

    async def fetch(self) -> None:
        """Read the story at the address given."""
        await self.read({"address": self.address.strip() or "–"})

    def too_large(self, size: int) -> None:
        """Refuse what is too large; it never left the browser."""
        self.notice.say("error", t("story.too_large", size=f"{size:,}", most=f"{LONGEST_TEXT:,}"))

    async def read(self, story: dict[str, Any]) -> None:
        """Read a story and show its claims."""
        self.notice.say("info", t("story.reading_now"))
        try:
            await jobs.admitted()
            async with busy(t("story.reading")):
                told = await asyncio.to_thread(tell, story, self.day.strip(), fetch=jobs.server().settings.fetch)
                await jobs.keep_reading(told, self.now.owner)
        except OutlayError as error:
            self.notice.say("error", str(error))
            return
        if not told.reading.claims:
            self.notice.say("warn", t("story.no_claims"))
            return
        self.notice.clear()
        self.now.kept["story"] = told
        self.box_details.props.pop("open", None)
        self.box_details.update()
        self._show(told)

    def _show(self, told: Told) -> None:
        article = told.reading.articles[0]
        words = ["outlay", "read", "story.txt", *(["--date", article.date.isoformat()] if article.date else [])]
        shown().command("read", Command([*words, "--scenario", "draft.yaml"], {"story.txt": article.body}))
        self.found.clear()
        with self.found:
            _Found(self, told)


class _Found:
    """What was read of a story: its text, its claims, the draft."""

    def __init__(self, view: _View, told: Told) -> None:
        self.view, self.told = view, told
        article = told.reading.articles[0]
        self.marks: dict[str, list[Any]] = {}
        self.cards: dict[str, Any] = {}
        with el("section", "card article", aria_label=t("story.article"), tabindex="0"):
            el("h2", "", article.title or article.name)
            facts = [article.outlet, article.date.isoformat() if article.date else t("story.no_date")]
            el("p", "note", " · ".join(part for part in facts if part))
            self._legend()
            self._text(article.body)
            self._ignored(article.ignored)
        with section(t("story.claims"), note=t("story.claims_note"), classes="claims"):
            for claim in told.reading.claims:
                self.cards[claim.id] = el("article", "claim", id=f"claim-{claim.id}", aria_label=claim.id)
                self._card(claim)
        with el("div", "stack"):
            self.draft = el("section", "card", aria_label=t("story.draft"))
            self.asked = section(t("story.open_questions"))
            if told.reading.checks:
                with section(t("story.sums")), el("ul", "plain"):
                    for check in told.reading.checks:
                        tone, sign = ("good", "✓") if check.ok else ("warn", "!")
                        with el("li"):
                            el("span", f"tag {tone}", f"{sign} {t('story.holds' if check.ok else 'story.mind')}")
                            el("span", "", f" {check.what}: {check.detail}")
        self._draft()

    def _legend(self) -> None:
        statuses = dict.fromkeys(claim.status for claim in self.told.reading.claims)
        with el("div", "row legend"):
            for status in statuses:
                tone, sign = TONES[status]
                el("span", f"tag {tone}", f"{sign} {p(status)}")

    def _text(self, body: str) -> None:
        """Place the article with its claims marked; a mark leads to its claim."""
        named = {claim.id: claim for claim in self.told.reading.claims}
        with el("div", "body"):
            line = el("p")
            for text, names in marked(body, list(self.told.reading.claims)):
                for at, part in enumerate(text.split("\n")):
                    if at:
                        line = el("p")
                    if part:
                        with line:
                            self._piece(part, [named[name] for name in names])

    def _piece(self, text: str, claims: list[StoryClaim]) -> None:
        if not claims:
            el("span", "", text)
            return
        first = claims[0]
        tone, sign = TONES[first.status]
        words = ", ".join(f"{claim.id} {p(claim.status)}" for claim in claims)
        made = el("button", f"claim-mark {tone}", type="button", title=words, aria_label=f"{text} ({words})")
        with made:
            el("span", "", text)
            el("sup", "", f"{sign}{first.id}", aria_hidden="true")
        made.on(
            "click",
            js_handler=f"""() => {{
          const card = document.getElementById("claim-{first.id}");
          card?.scrollIntoView({{block: "nearest", behavior: "smooth"}});
          card?.querySelector("button")?.focus({{preventScroll: true}});
          card?.classList.remove("seen"); void card?.offsetWidth; card?.classList.add("seen");
        }}""",
        )
        for claim in claims:
            self.marks.setdefault(claim.id, []).append(made)

    def _ignored(self, ignored: Any) -> None:
        if not ignored:
            return
        with el("details"):
            el("summary", "", t("story.ignored", count=len(ignored)))
            with el("ul", "plain"):
                for item in ignored:
                    el("li", "note", f"{item.text[:160]} ({item.reason})")

    def _card(self, claim: StoryClaim) -> None:
        """Place a claim with what a person may say of it."""
        card, verdict = self.cards[claim.id], self.told.verdicts.get(claim.id)
        card.clear()
        card.classes(replace=f"claim {verdict.what if verdict else ''}")
        tone, sign = TONES[claim.status]
        with card:
            with el("div", "row"):
                el("span", "note", claim.id)
                el("span", f"tag {tone}", f"{sign} {p(claim.status)}")
                el("strong", "", verdict.amount if verdict and verdict.what == "edited" else amount_of(claim))
                if verdict:
                    el("span", "tag info", t(f"story.{verdict.what}"))
            about = " · ".join(part for part in (claim.subject, claim.about, claim.place, claim.period) if part)
            el("p", "", about)
            said = t("story.derived", of=", ".join(claim.derived_from)) if claim.arithmetic else str(claim.attribution)
            el("p", "note", said + (f" · {t('plan.denied_by', who=claim.denied_by)}" if claim.denied_by else ""))
            with el("div", "row") as actions:
                self._actions(claim, verdict, actions)

    def _actions(self, claim: StoryClaim, verdict: Verdict | None, place: Any) -> None:
        if claim.arithmetic:
            return

        async def say(what: Any) -> None:
            if verdict is not None and verdict.what == what:
                self.told.verdicts.pop(claim.id)
            else:
                self.told.verdicts[claim.id] = Verdict(what)
            await self._changed(claim)

        for what in ("accepted", "rejected"):
            pressed = "true" if verdict and verdict.what == what else "false"
            label = t({"accepted": "story.accept", "rejected": "story.reject"}[what])
            made = button(label, lambda _, what=what: say(what), "small", aria_pressed=pressed)
            made.props["aria-label"] = f"{label} {claim.id}"
        if isinstance(claim.quantity, float):
            made = button(t("story.edit"), lambda: self._edit(claim, place), "small")
            made.props["aria-label"] = f"{t('story.edit')} {claim.id}"

    def _edit(self, claim: StoryClaim, place: Any) -> None:
        """Let a person type another amount."""
        place.clear()
        typed = {"amount": amount_of(claim, plain=True)}
        with place:
            label = t("story.amount", claim=claim.id)
            TextBox(typed["amount"], lambda text: typed.update(amount=text), aria_label=label, id=f"amount-{claim.id}")
            wrong = el("p", "wrong", role="alert")

            async def done() -> None:
                try:
                    edited(claim, typed["amount"])
                except OutlayError as error:
                    reword(wrong, f"✕ {error}")
                    return
                self.told.verdicts[claim.id] = Verdict("edited", typed["amount"].strip())
                await self._changed(claim)

            button(t("story.use"), done, "small main")
            button(t("story.cancel"), lambda: self._card(claim), "small")
        ui.run_javascript(f"setTimeout(() => document.getElementById('amount-{claim.id}')?.select(), 30)")

    async def _changed(self, claim: StoryClaim) -> None:
        """Show a verdict at the claim and in the text, and draft again."""
        self._card(claim)
        verdict = self.told.verdicts.get(claim.id)
        for mark in self.marks.get(claim.id, []):
            mark.classes(remove="accepted rejected edited")
            if verdict:
                mark.classes(verdict.what)
        with self.cards[claim.id]:  # the button pressed is gone: its card was drawn anew
            async with busy(t("story.drafting")):
                await asyncio.to_thread(draft_again, self.told)
            self._draft()

    def _draft(self) -> None:
        """Place the draft scenario, and what it asks."""
        told = self.told
        self.draft.clear()
        with self.draft:
            with el("div", "row spread"):
                el("h2", "", t("story.draft"))
                if told.draft is not None:
                    button(t("story.take"), self._take, "main", id="take-draft")
            if told.draft is None:
                place = Notice()
                place.say("warn", t("story.no_draft", why=told.why_not))
            else:
                el("p", "note", t("story.draft_note"))
                el("pre", "yaml-shown", told.draft.text, tabindex="0", role="region", aria_label=t("story.draft"))
        self.asked.clear()
        with self.asked:
            el("h2", "", t("story.open_questions"))
            with el("ol", "plain"):
                for question in told.draft.questions if told.draft else told.reading.questions:
                    of = f" [{', '.join(question.claims)}]" if question.claims else ""
                    el("li", "", f"{question.text}{of}")

    def _take(self) -> None:
        """Take the draft in hand and go on to the scenario."""
        if self.told.draft is not None:
            now = self.view.now
            name = self.told.reading.articles[0].title[:60] or t("story.draft")
            now.open_text(name, self.told.draft.text)
            ui.navigate.to("/scenario")
