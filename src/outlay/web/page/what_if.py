"""View 4, What if: levers for shares, budgets, prices and dates; the change as a difference; fronts to click on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nicegui import ui

from outlay.errors import OutlayError
from outlay.planning.futures.stored import plan_of
from outlay.report.difference import (
    Measure,
    changes,
    front_chart,
    measures,
    orders_change,
    served_change,
    spending_change,
)
from outlay.scenario.levers import Lever, levers, rules_of, turned
from outlay.web.page import jobs
from outlay.web.page.checked import look_over
from outlay.web.page.exports import scenario_files
from outlay.web.page.finished import finished
from outlay.web.page.parts import Notice, busy, button, choice, el, figure, p, reword, section, session, t
from outlay.web.page.shown import Command, shown
from outlay.web.page.state import Session

if TYPE_CHECKING:
    from nicegui.element import Element

    from outlay.planning.result import Plan

LOOK_S = 0.4
GAP = 0.01
TIME_LIMIT_S = 120.0
STEPS = {"3": "3", "5": "5", "7": "7"}


@dataclass
class Tried:
    """A plan tried: what was asked, its text, its run, and the plan once it is there."""

    label: str
    text: str
    run: str
    followed: jobs.Followed
    plan: Plan | None = None
    failed: str = ""

    @property
    def open(self) -> bool:
        """Whether it is still waited for."""
        return self.plan is None and not self.failed


@dataclass
class Asked:
    """What one asks of a base plan: where the levers stand, and what was tried."""

    text: str
    values: dict[str, float] = field(default_factory=dict)
    tried: Tried | None = None
    front: list[Tried] = field(default_factory=list)
    across: str = "spent"
    up: str = "objective"
    lever: str = ""
    steps: str = "5"


async def show() -> None:
    """Show the levers of the scenario in hand beside what they change."""
    now = session()
    with el("div", "title"), el("div"):
        el("h1", "", t("what_if.title"))
        el("p", "lead", t("what_if.lead"))
    notice = Notice()
    async with busy(t("plan.opening")):
        if now.plan is None or now.plan_text != now.text:
            plan = await asyncio.to_thread(finished, now.text)
            if plan is not None:
                now.plan, now.plan_text = plan, now.text
        found = await asyncio.to_thread(look_over, now.text)
    if now.plan is None or now.plan_text != now.text:
        notice.say("warn", t("what_if.no_base"))
        el("a", "button main", t("shell.view.plan"), href="/plan")
        return
    if found.scenario is None or found.values is None:
        notice.say("error", found.troubles[0].what)
        return
    asked = now.kept.get("what_if")
    if asked is None or asked.text != now.text:
        asked = now.kept["what_if"] = Asked(now.text)
    rules = rules_of(now.plan)[:4]
    _View(now, notice, asked, now.plan, levers(found.scenario, found.values, rules))


class _View:
    def __init__(self, now: Session, notice: Notice, asked: Asked, base: Plan, found: list[Lever]) -> None:
        self.now, self.notice, self.asked, self.base, self.levers = now, notice, asked, base, found
        self.front_plot: Any = None
        self.shown: Tried | None = None
        self.root = el("div", "what-if")
        with self.root:
            with el("div", "stack"):
                self._sliders()
            with el("div", "stack"):
                self.result = el("div", "stack", aria_live="polite")
                self._front()
        self._show_result()
        self.timer = ui.timer(LOOK_S, self.look, active=self._waiting())

    # Levers

    def _sliders(self) -> None:
        with section(t("what_if.levers"), note=t("what_if.levers_note")):
            for group in ("shares", "budgets", "prices", "dates"):
                members = [lever for lever in self.levers if lever.group == group]
                if not members:
                    continue
                with el("fieldset", "levers"):
                    el("legend", "", t(f"what_if.group.{group}"))
                    for lever in members:
                        self._slider(lever)
            with el("div", "row"):
                button(t("what_if.try"), self.ask, "main", id="try")
                button(t("what_if.reset"), self.reset, "", id="reset")

    def _slider(self, lever: Lever) -> None:
        at = self.asked.values.get(lever.id, lever.base)
        name = f"lever-{lever.id.replace(' ', '-')}"
        with el("div", "lever"):
            el("label", "", p(lever.id), for_=name)
            slider = el("input", "", type="range", id=name, min=lever.low, max=lever.high, step=lever.step, value=at,
                        aria_valuetext=lever.shown(at))  # fmt: skip
            out = el("output", "", self._words(lever, at), for_=name)

            def move(raw: Any) -> None:
                value = float(raw)
                self.asked.values[lever.id] = value
                reword(out, self._words(lever, value))
                slider.props["value"] = value
                slider.props["aria-valuetext"] = lever.shown(value)

            slider.on("input", lambda event: move(event.args), js_handler="(e) => emit(e.target.value)", throttle=0.05)

    def _words(self, lever: Lever, at: float) -> str:
        if at == lever.base:
            return lever.shown(at)
        return f"{lever.shown(lever.base)} → {lever.shown(at)}"

    async def reset(self) -> None:
        """Put every lever back."""
        self.asked.values.clear()
        self.asked.tried = None
        await ui.context.client.sub_pages_router.refresh()

    # Trying

    async def ask(self) -> None:
        """Plan with the levers as they stand."""
        changed = [lever for lever in self.levers if self._turned(lever)]
        if not changed:
            self.notice.say("info", t("what_if.nothing_turned"))
            return
        label = "; ".join(f"{p(lever.id)} {lever.shown(self.asked.values[lever.id])}" for lever in changed)
        tried = await self._submit(label, self.asked.values)
        if tried is not None:
            self.asked.tried = tried
            self._show_result()

    def _turned(self, lever: Lever) -> bool:
        return self.asked.values.get(lever.id, lever.base) != lever.base

    async def _submit(self, label: str, values: dict[str, float]) -> Tried | None:
        """Hand in the scenario with levers turned; say what is wrong where it cannot be."""
        self.notice.clear()
        try:
            async with busy(t("plan.handing_in")):
                text = await asyncio.to_thread(turned, self.asked.text, self.levers, dict(values))
                found = await asyncio.to_thread(look_over, text)
                if found.troubles:
                    self.notice.say("error", "\n".join(one.what for one in found.troubles[:4]))
                    return None
                inputs = {"scenario": self.now.name, "text": text, "gap": GAP, "time_limit_s": TIME_LIMIT_S}
                run = await jobs.submit("plan", inputs, title=f"{self.now.name}: {label}"[:200], owner=self.now.owner)
        except OutlayError as error:
            self.notice.say("error", str(error))
            return None
        self.timer.active = True
        return Tried(label, text, run.id, jobs.Followed(run.id, self.now.owner))

    def _waiting(self) -> bool:
        tried = [*self.asked.front, *([self.asked.tried] if self.asked.tried else [])]
        return any(one.open for one in tried)

    async def look(self) -> None:
        """Take in what the runs came to."""
        ended = [one for one in self.asked.front if one.open and await self._ended(one)]
        if self._gone():
            return
        if ended:
            self._draw_front()
        tried = self.asked.tried
        if tried is not None and tried.open:
            over = await self._ended(tried)
            if self._gone():
                return
            if over:
                self._show_result()
            elif self.words is not None:
                said = tried.followed.words[-1] if tried.followed.words else t("plan.waiting")
                gap = next((s["gap"] for s in reversed(tried.followed.standings) if s["gap"] is not None), None)
                reword(self.words, p(said) + (f" · {t('what_if.gap', gap=f'{gap:.2%}')}" if gap is not None else ""))
        if not self._waiting():
            self.timer.active = False

    def _gone(self) -> bool:
        """Return whether the person went on to another view meanwhile."""
        return self.root.is_deleted

    async def _ended(self, one: Tried) -> bool:
        try:
            run = await one.followed.look()
            if run.open:
                return False
            document = await one.followed.result()
            if run.status == "done" and run.code == 0 and document is not None:
                one.plan = await asyncio.to_thread(plan_of, document, run.id)
            else:
                one.failed = run.message or t(f"what_if.{run.status}")
        except OutlayError as error:
            one.failed = str(error)
        return True

    # Showing

    words: Element | None = None

    def _show_result(self) -> None:
        """Show what changes, what is waited for, or how to begin."""
        tried, self.words = self.shown or self.asked.tried, None
        self.result.clear()
        with self.result, section(t("what_if.change")):
            if tried is None:
                el("p", "note", t("what_if.begin"))
                return
            el("p", "", tried.label)
            if tried.open:
                with el("div", "row spread"):
                    self.words = el("p", "note", t("plan.waiting"), role="status")
                    button(t("plan.stop"), lambda: jobs.cancel(tried.run), "small", id="stop")
            elif tried.plan is None:
                place = Notice()
                place.say("error", f"{t('what_if.no_plan')}\n{tried.failed}")
            else:
                self._difference(tried, tried.plan)

    def _difference(self, tried: Tried, plan: Plan) -> None:
        name, files = scenario_files(self.now.name, self.asked.text)
        other, more = scenario_files(f"{self.now.name}-changed", tried.text)
        shown().command("in hand", Command(["outlay", "plan", name, "--json"], files))
        shown().command("changed", Command(["outlay", "plan", other, "--gap", f"{GAP:.0%}", "--json"], more))
        shown().command("difference", Command(["outlay", "diff", "in-hand.json", "changed.json"]))
        with el("table", "changes"):
            el("caption", "hidden", t("what_if.change"))
            with el("thead"), el("tr"):
                for name in ("", t("what_if.base"), t("what_if.now"), t("what_if.delta")):
                    el("th", "numeric" if name else "", name, scope="col")
            with el("tbody"):
                for change in changes(self.base, plan):
                    tone = {True: "good", False: "bad", None: ""}[change.better]
                    with el("tr"):
                        el("th", "", p(change.what), scope="row")
                        el("td", "numeric", change.before)
                        el("td", "numeric", change.after)
                        with el("td", "numeric"):
                            el("span", f"tag {tone}" if tone else "delta", change.change)
        for chart in (orders_change(self.base, plan), spending_change(self.base, plan), served_change(self.base, plan)):
            if chart is not None:
                figure(chart)
        with el("div", "row"):
            button(t("what_if.take"), lambda: self._take(tried), "main", id="take")

    def _take(self, tried: Tried) -> None:
        """Take the scenario tried and its plan in hand."""
        now = self.now
        now.history.put(tried.text)
        now.plan, now.plan_text, now.run = tried.plan, tried.text, tried.run
        ui.navigate.to("/plan")

    # Front

    def _front(self) -> None:
        """Place what traces a front: one lever over its range, each step a plan."""
        asked = self.asked
        found = {measure.name: self._measure_name(measure) for measure in measures(self.base)}
        options = {lever.id: p(lever.id) for lever in self.levers}
        asked.lever = asked.lever if asked.lever in options else next(iter(options), "")
        with section(t("what_if.front"), note=t("what_if.front_note")):
            with el("div", "row"):
                choice(t("what_if.over"), options, asked.lever, lambda value: setattr(asked, "lever", value), id="over")
                choice(t("what_if.steps"), STEPS, asked.steps, lambda value: setattr(asked, "steps", value), id="steps")
                button(t("what_if.trace"), self.trace, "", id="trace")
            with el("div", "row"):
                choice(t("what_if.across"), found, asked.across, lambda value: self._axis("across", value), id="across")
                choice(t("what_if.up"), found, asked.up, lambda value: self._axis("up", value), id="up")
            self.front_state = el("p", "note", role="status")
            self.front_place = el("div")
        self._draw_front()

    def _measure_name(self, measure: Measure) -> str:
        return p({"objective": "objective", "spent": "money spent", "chips": "chips"}.get(measure.name, measure.name))

    def _axis(self, which: str, value: str) -> None:
        setattr(self.asked, which, value)
        self._draw_front()

    async def trace(self) -> None:
        """Hand in a plan for each step of the lever."""
        lever = next(lever for lever in self.levers if lever.id == self.asked.lever)
        count = int(self.asked.steps)
        self.asked.front = []
        width = (lever.high - lever.low) / (count - 1)
        for number in range(count):
            at = round((lever.low + number * width) / lever.step) * lever.step
            values = {**self.asked.values, lever.id: at}
            tried = await self._submit(lever.shown(at), values)
            if tried is None:
                return
            self.asked.front.append(tried)
            self._draw_front()

    def _draw_front(self) -> None:
        tried = self.asked.front
        done = [one for one in tried if one.plan is not None]
        failed = [one for one in tried if one.failed]
        lines = [t("what_if.traced", done=len(done), count=len(tried))] if tried else []
        lines += [t("what_if.step_failed", step=one.label, why=one.failed.splitlines()[0]) for one in failed]
        reword(self.front_state, " ".join(lines) or None)
        by_name = {measure.name: measure for measure in measures(self.base)}
        plans = [(t("what_if.base"), self.base), *((one.label, one.plan) for one in done if one.plan)]
        chosen = next((at for at, one in enumerate(done, start=1) if one is self.shown), None)
        across, up = (by_name.get(name, measures(self.base)[0]) for name in (self.asked.across, self.asked.up))
        chart = front_chart(plans, across, up, chosen) if done else None
        if chart is None:
            self.front_place.clear()
            self.front_plot = None
            return

        def pick(curve: int, point: int, _: bool) -> None:
            if curve == 1 and point > 0:
                self._load(done[point - 1])

        self.front_place.clear()
        with self.front_place:
            self.front_plot = figure(chart, on_pick=pick, hide_title=True)
            with el("div", "row", role="group", aria_label=t("what_if.load")):
                for one in done:
                    made = button(one.label, lambda _, one=one: self._load(one), "small load",
                                  aria_pressed="true" if one is self.shown else "false")  # fmt: skip
                    made.props["title"] = t("what_if.load")

    def _load(self, one: Tried) -> None:
        """Show a plan of the front as the difference."""
        self.shown = one
        self._show_result()
        self._draw_front()
