"""View 5, Futures: the tree of what may happen, what to do now and what to wait for, the fan of outcomes, regret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outlay.errors import OutlayError
from outlay.report import facts
from outlay.web.page import asking, figures_futures, figures_outcomes, tables_futures
from outlay.web.page.controls import Field
from outlay.web.page.exports import scenario_files
from outlay.web.page.finished import finished_futures
from outlay.web.page.parts import Notice, busy, button, el, figure, grid, headline, section, session, t
from outlay.web.page.running import Running, aside
from outlay.web.page.shown import Command, shown

if TYPE_CHECKING:
    from outlay.planning.futures.result import HedgedPlan
    from outlay.planning.futures.stress import Stress
    from outlay.scenario.schema import Scenario
    from outlay.web.page.state import Session

PERCENT = 100.0
PLAN_S = 600.0
GAP = 0.005


async def show() -> None:
    """Show the view."""
    await _Futures(session()).begin()


class _Futures:
    def __init__(self, now: Session) -> None:
        self.now = now
        self.kept: dict[str, Any] = now.kept.setdefault("futures", {})
        self.planned = False
        with el("div", "title"), el("div"):
            el("h1", "", t("futures.title"))
            el("p", "lead", t("futures.lead", name=now.name))
        self.notice = Notice()
        self.body = el("div", "stack")

    async def begin(self) -> None:
        """Show what the scenario says may happen, and the plan over it where there is one."""
        async with busy(t("shell.opening")):
            scenario, why = await aside(_read, self.now)
        if self.body.is_deleted:
            return
        if scenario is None:
            self.notice.say("error", t("futures.broken", why=why))
            return
        if scenario.futures is None or not scenario.futures.events:
            self.notice.say("info", t("futures.none"))
            return
        with self.body:
            self.results = el("div", "stack", id="futures-plan")
            self.before = el("div", "stack")
            self.forms = el("div", "stack")
            self.stressed = el("div", "stack", id="futures-stress")
        with self.forms:
            self._forms(scenario)
        self._plan_there_is()
        await self._before(scenario)
        if self.kept.get("stress") and self.kept.get("stress_text") == self.now.text:
            await self._stress_answered(self.kept["stress"])

    async def _before(self, scenario: Scenario) -> None:
        """Place what may happen: the tree, where no plan shows it already, and the events with their odds."""
        quarters = [str(quarter) for quarter in scenario.horizon.all]
        outcomes = None
        if not self.planned:
            async with busy(t("futures.growing")):
                outcomes = await aside(figures_futures.outcomes_of_scenario, scenario)
        if self.before.is_deleted:
            return
        with self.before, section(t("futures.what_may.title"), note=t("futures.what_may.note")):
            if outcomes is not None:
                figure(figures_futures.tree(outcomes, quarters, scenario.currency, t))
            grid(tables_futures.events(scenario, t), classes="wide-table")

    def _forms(self, scenario: Scenario) -> None:
        futures = scenario.futures
        assert futures is not None
        with section(t("futures.again"), note=t("futures.plan_note")), el("div", "form"):
            self.draws = Field(t("futures.draws"), str(futures.draws), inputmode="numeric")
            self.branches = Field(t("futures.branches"), str(futures.branches), inputmode="numeric")
            self.seed = Field(t("futures.seed"), str(futures.seed), inputmode="numeric")
            self.risk = Field(t("futures.risk_weight"), "0", inputmode="numeric")
            button(t("futures.plan_button"), self.plan, "main", id="plan-futures")
        self.planning = Running(self.now, "futures-plan", self.notice, self._plan_answered)
        with section(t("futures.section.stress"), note=t("futures.stress_note")), el("div", "form"):
            self.count = Field(t("futures.count"), "2000", inputmode="numeric")
            self.stress_seed = Field(t("futures.seed"), "1", inputmode="numeric")
            button(t("futures.stress_button"), self.stress, "main", id="stress-plan")
        self.stressing = Running(self.now, "futures-stress", self.notice, self._stress_answered)

    async def plan(self) -> None:
        """Hand in a plan over the futures."""
        try:
            asked = {
                "draws": self.draws.read(lambda text: asking.whole(text, 1, 4096)),
                "branches": self.branches.read(lambda text: asking.whole(text, 1, 2000)),
                "seed": self.seed.read(lambda text: asking.whole(text, 0, 2**31)),
                "risk_weight": self.risk.read(lambda text: asking.whole(text, 0, 100)) / PERCENT,
            }
        except OutlayError:
            return
        self.kept["asked"], self.kept["text"] = asked, self.now.text
        inputs = {
            "scenario": self.now.name,
            "text": self.now.text,
            "gap": GAP,
            "time_limit_s": PLAN_S,
            "futures": asked,
        }
        await self.planning.hand_in("plan", inputs, t("futures.planning", name=self.now.name))

    async def stress(self) -> None:
        """Hand in a stress test."""
        try:
            count = self.count.read(lambda text: asking.whole(text, 10, 100_000))
            seed = self.stress_seed.read(lambda text: asking.whole(text, 0, 2**31))
        except OutlayError:
            return
        self.kept["stress_text"] = self.now.text
        inputs = {"scenario": self.now.name, "text": self.now.text, "count": count, "seed": seed}
        await self.stressing.hand_in("stress", inputs, t("futures.stressing", name=self.now.name))

    def _plan_there_is(self) -> None:
        document, text = self.kept.get("plan"), self.kept.get("plan_text")
        if document is not None and text == self.now.text:
            self._show_plan(hedged_of(document), self.kept.get("plan_asked", {}))
            return
        packaged = finished_futures(self.now.text)
        if packaged is not None:
            self._show_plan(packaged, {}, packaged=True)

    async def _plan_answered(self, document: dict[str, Any]) -> None:
        self.kept |= {"plan": document, "plan_text": self.kept.get("text", self.now.text)}
        self.kept["plan_asked"] = self.kept.get("asked", {})
        self._show_plan(hedged_of(document), self.kept["plan_asked"])

    def _show_plan(self, plan: HedgedPlan, asked: dict[str, Any], *, packaged: bool = False) -> None:
        self.planned = True
        self.results.clear()
        with self.results:
            _headline(plan)
            if packaged:
                el("p", "note", t("futures.packaged", version=plan.version))
            with section(t("futures.now.title"), note=t("futures.now.note")):
                grid(tables_futures.now_or_wait(plan, t), classes="wide-table", most=14)
            with section(t("futures.tree.title")):
                outcomes = figures_futures.outcomes_of_plan(plan)
                figure(figures_futures.tree(outcomes, plan.quarters, plan.currency, t), hide_title=True)
            with el("div", "two"):
                _boxed(figures_outcomes.fan(plan, t))
                _boxed(figures_outcomes.distribution(plan, t))
                _boxed(figures_outcomes.regret(plan, t))
                if plan.knowing:
                    with section(t("futures.knowing.title")):
                        grid(tables_futures.knowing(plan, t))
            with section(t("futures.orders.title")):
                grid(tables_futures.orders(plan, t), classes="wide-table", most=12)
            if plan.notes:
                with section(t("futures.notes")), el("ul", "plain-list"):
                    for note in plan.notes:
                        el("li", "", note)
        shown().facts = [(name, value) for name, value, _ in told(plan)]
        name, files = scenario_files(self.now.name, self.now.text)
        shown().command("plan", Command(["outlay", "plan", name, "--futures", *_options(asked)], files))

    async def _stress_answered(self, document: dict[str, Any]) -> None:
        self.kept["stress"] = document
        found = stress_of(document)
        self.stressed.clear()
        with self.stressed, section(t("futures.section.stress")):
            with el("div", "two"):
                figure(figures_outcomes.quantiles(found, t))
                figure(figures_outcomes.events(found, t))
            if found.mends:
                el("h3", "", t("futures.mends.title"))
                grid(tables_futures.mends(found, t))
        name, files = scenario_files(self.now.name, self.now.text)
        words = ["outlay", "stress", name, "--count", str(found.futures), "--seed", str(found.seed)]
        shown().command("stress", Command(words, files))


def _read(now: Session) -> tuple[Scenario | None, str]:
    """Return the scenario in hand, or why it cannot be read."""
    from outlay.scenario.load import read_scenario

    try:
        return read_scenario(now.text, now.name, files=False), ""
    except OutlayError as error:
        return None, str(error)


def hedged_of(document: dict[str, Any]) -> HedgedPlan:
    """Return a plan over futures from its document."""
    from pydantic import TypeAdapter

    from outlay.planning.futures.result import HedgedPlan

    return TypeAdapter(HedgedPlan).validate_python(document)


def stress_of(document: dict[str, Any]) -> Stress:
    """Return a stress test from its document."""
    from pydantic import TypeAdapter

    from outlay.planning.futures.stress import Stress

    return TypeAdapter(Stress).validate_python(document)


def _options(asked: dict[str, Any]) -> list[str]:
    """Return the options of a plan over futures; what the scenario says already is left out by its owner."""
    words = []
    for option in ("draws", "branches", "seed"):
        if asked.get(option) is not None:
            words += [f"--{option}", str(asked[option])]
    return [*words, "--risk-weight", f"{asked['risk_weight']:.0%}"] if asked.get("risk_weight") else words


def told(plan: HedgedPlan) -> list[tuple[str, str, str]]:
    """Return the headline figures of a plan over futures: name, value, remark."""
    tail = facts.percent(1 - plan.risk_level)
    many = t("futures.of_futures", count=len(plan.futures), courses=plan.courses, all=f"{plan.courses_before:,}")
    found = [
        (t("futures.expected"), facts.money(plan.expected, plan.currency), many),
        (t("futures.tail", share=tail), facts.money(plan.cvar, plan.currency), ""),
        (t("futures.worst"), facts.money(plan.worst, plan.currency), ""),
    ]
    if plan.stochastic_value is not None:
        note = t("futures.planning_gains_note")
        found.append((t("futures.planning_gains"), facts.money(plan.stochastic_value, plan.currency), note))
    if plan.perfect_value is not None:
        found.append((t("futures.perfect"), facts.money(plan.perfect_value, plan.currency), ""))
    remark = t("futures.gap_remark", method=plan.method, cpu=f"{plan.cpu_s:.0f}")
    found.append((t("futures.gap_word"), facts.percent(plan.gap, 2), remark))
    return found


def _headline(plan: HedgedPlan) -> None:
    with section(t("futures.section.plan")):
        headline(told(plan))
        good = sum(check.ok for check in plan.audit.checks)
        el("p", "note", t("futures.audit", good=good, all=len(plan.audit.checks)))


def _boxed(chart: Any) -> None:
    if chart is not None:
        with section(chart.title):
            figure(chart, hide_title=True)
