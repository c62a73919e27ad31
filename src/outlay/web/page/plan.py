"""View 3, Plan: solves the scenario in hand, shows the gap closing, and the finished plan with what it rests on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from nicegui import ui

from outlay.errors import InputError, OutlayError
from outlay.report import facts
from outlay.report.progress import progress_chart
from outlay.web.page import jobs, plan_body
from outlay.web.page.exports import scenario_files
from outlay.web.page.finished import finished
from outlay.web.page.parts import Notice, busy, button, choice, drawn, el, figure, p, reword, session, t
from outlay.web.page.shown import Command, shown
from outlay.web.page.sources import Sources
from outlay.web.page.state import Session

if TYPE_CHECKING:
    from outlay.planning.result import Plan
    from outlay.runs.record import Run

LOOK_S = 0.3
"""How often the page looks how a run goes."""
GAPS = {"0.02": "2 %", "0.01": "1 %", "0.005": "0.5 %", "0.001": "0.1 %"}
LIMITS_S = {"30": "30 s", "120": "2 min", "600": "10 min"}


async def show() -> None:
    """Show the plan of the scenario in hand; where there is none yet, offer to make it."""
    view = _View(session())
    await view.begin()


class _View:
    def __init__(self, now: Session) -> None:
        self.now = now
        self.gap, self.limit = "0.005", "120"
        self.root = el("div")
        with self.root:
            self.title = el("div", "title")
            self.notice = Notice()
            self.solving = el("div", "solving")
            self.body = el("div", "stack")

    async def begin(self) -> None:
        """Show what there is: the plan in hand, a packaged one, or a run that goes on."""
        now = self.now
        if now.plan is None or now.plan_text != now.text:
            async with busy(t("plan.opening")):
                plan = await asyncio.to_thread(finished, now.text)
            if plan is not None:
                now.plan, now.plan_text = plan, now.text
        self.heading()
        if now.run and now.kept.get("run_open"):
            self.follow(now.run)
        if now.plan is None:
            if not now.kept.get("run_open"):
                self.notice.say("info", t("plan.none_yet"))
            return
        if now.plan_text != now.text:
            self.notice.say("warn", t("plan.stale"))
        await self.render(now.plan)

    def heading(self) -> None:
        """Place the title and what can be done."""
        plan, now = self.now.plan, self.now
        self.title.clear()
        with self.title:
            with el("div"):
                el("h1", "", plan.title if plan else now.name)
                if plan:
                    first, last = plan.quarters[0], plan.quarters[-1]
                    el("p", "note", t("plan.facts", scenario=plan.scenario, day=plan.knowledge_date, first=first,
                                      last=last, currency=plan.currency))  # fmt: skip
            with el("div", "row actions"):
                choice(t("plan.gap"), GAPS, self.gap, lambda value: setattr(self, "gap", value))
                choice(t("plan.time_limit"), LIMITS_S, self.limit, lambda value: setattr(self, "limit", value))
                button(t("plan.solve_again") if plan else t("plan.solve"), self.solve, "main", id="solve")

    async def solve(self) -> None:
        """Check the scenario in hand and hand it in."""
        now = self.now
        self.notice.clear()
        try:
            async with busy(t("plan.handing_in")):
                inputs = {"scenario": now.name, "text": now.text, "gap": float(self.gap)}
                inputs["time_limit_s"] = float(self.limit)
                run = await jobs.submit("plan", inputs, title=now.name, owner=now.owner)
        except OutlayError as error:
            self.notice.say("error", str(error))
            return
        now.run, now.kept["run_open"], now.kept["run_text"] = run.id, True, now.text
        self.follow(run.id)

    def follow(self, run: str) -> None:
        """Show how a run goes until it ends."""
        self.solving.clear()
        with self.solving:
            _Live(self, jobs.Followed(run, self.now.owner))

    async def ended(self, run: Run, followed: jobs.Followed) -> None:
        """Show what a run came to."""
        now = self.now
        now.kept["run_open"] = False
        self.solving.clear()
        if run.status == "cancelled":
            self.notice.say("info", t("plan.cancelled"))
        elif run.status == "lost":
            self.notice.say("error", t("plan.lost", why=run.message))
        elif run.status == "failed":
            self.notice.say("error", run.message)
        else:
            async with busy(t("plan.opening")):
                document = await followed.result()
                await self._answered(run, document)

    async def _answered(self, run: Run, document: dict[str, Any] | None) -> None:
        from outlay.planning.futures.stored import plan_of

        now = self.now
        if document is None:
            self.notice.say("error", t("plan.no_answer"))
            return
        if run.code:
            self._infeasible(document)
            return
        plan = await asyncio.to_thread(plan_of, document, run.id)
        now.plan, now.plan_text = plan, now.kept.get("run_text", now.text)
        self.heading()
        self.notice.say("good", t("plan.solved", gap=facts.percent(plan.gap, 2), seconds=f"{plan.solve_s:.1f}"))
        await self.render(plan)

    def _infeasible(self, document: dict[str, Any]) -> None:
        """Say which limits clash and the cheapest ways out."""
        self.notice.say("error", f"{t('plan.infeasible')}\n{document.get('message', '')}")
        with self.solving, el("section", "card", aria_label=t("plan.infeasible")):
            el("h2", "", t("plan.clash"))
            with el("ul", "plain"):
                for limit in document.get("conflict", []):
                    el("li", "", limit)
            el("h2", "", t("plan.ways_out"))
            with el("ol", "plain"):
                for way in document.get("relaxations", []):
                    el("li", "", way)

    async def render(self, plan: Plan) -> None:
        """Place the plan, what is seen first first; the rest follows at once."""
        self._exported(plan)
        self.body.clear()
        with self.body:
            sources = Sources(plan)
            plan_body.headline(plan, sources)
            plan_body.money(plan, sources)
            rest = el("div", "stack")

        def more() -> None:
            if rest.is_deleted:
                return
            with rest:
                for part in (plan_body.orders, plan_body.work, plan_body.places, plan_body.limits):
                    part(plan, sources)
                plan_body.grounds_of_all(plan)

        with rest:
            ui.timer(0.05, more, once=True)

    def _exported(self, plan: Plan) -> None:
        """Note what the view can be taken away as: the plan's own page and workbook, and its command line."""
        from outlay.report.html import cards, to_html
        from outlay.report.workbook import to_workbook

        seen, now = shown(), self.now
        seen.facts = [(p(card.name), card.value) for card in cards(plan)]
        seen.report, seen.workbook = lambda: to_html(plan), lambda: to_workbook(plan)
        name, files = scenario_files(now.name, now.plan_text)
        gap, limit = f"{float(self.gap):.1%}", self.limit
        seen.command("plan", Command(["outlay", "plan", name, "--gap", gap, "--time-limit", limit], files))


class _Live:
    """How a run goes: the gap, what is being done, how long already, and how to stop it."""

    def __init__(self, view: _View, followed: jobs.Followed) -> None:
        self.view, self.followed, self.began = view, followed, time.monotonic()
        self.shown = 0
        with el("section", "card", aria_label=t("plan.solving")):
            with el("div", "row spread"):
                el("h2", "", t("plan.solving"))
                button(t("plan.stop"), self.stop, "small", id="stop")
            self.words = el("p", "note", t("plan.waiting"), role="status", aria_live="polite")
            self.place = el("div")
        self.plot: Any = None
        self.timer = ui.timer(LOOK_S, self.look)

    async def stop(self) -> None:
        """Ask the run to stop."""
        reword(self.words, t("plan.stopping"))
        await jobs.cancel(self.followed.id)

    async def look(self) -> None:
        """Show what was said since the last look."""
        try:
            run = await self.followed.look()
        except InputError as error:
            self.timer.cancel()
            self.view.now.kept["run_open"] = False
            self.view.solving.clear()
            self.view.notice.say("error", t("plan.gone", why=str(error)))
            return
        if self.view.root.is_deleted:
            return  # the person went on to another view meanwhile
        if not run.open:
            self.timer.cancel()
            with self.view.root:  # what goes on must not end with this part, which is taken away
                ui.timer(0, lambda: self.view.ended(run, self.followed), once=True)
            return
        said = self.followed.words[-1] if self.followed.words else ""
        waits = t("plan.queued") if run.status == "queued" else p(said) if said else t("plan.waiting")
        reword(self.words, t("plan.so_far", what=waits, seconds=f"{time.monotonic() - self.began:.0f}"))
        if len(self.followed.standings) > self.shown:
            self.shown = len(self.followed.standings)
            chart = progress_chart(self.followed.standings, self._unit())
            if self.plot is None:
                with self.place:
                    self.plot = figure(chart)
            else:
                self.plot.show(drawn(chart))
                reword(self.plot.caption, p(chart.alt))

    def _unit(self) -> str:
        plan = self.view.now.plan
        return plan.currency if plan and plan.objective_name in {"value", "cost"} else ""
