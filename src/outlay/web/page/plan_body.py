"""A finished plan on the page: its numbers, figures and limits, each with what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from outlay.report import charts, facts, grounds
from outlay.report.flow import money_flow
from outlay.report.html import Card, cards, shares
from outlay.report.world_map import site_map
from outlay.report.worth import limits_chart
from outlay.web.page.parts import el, figure, p, section, t
from outlay.web.page.sources import Sources, evidence, status_tag

if TYPE_CHECKING:
    from nicegui.element import Element

    from outlay.planning.result import EvidenceItem, Plan
    from outlay.report.charts import Chart


def headline(plan: Plan, sources: Sources) -> None:
    """Place the headline and the cards, each of which opens what it rests on."""
    el("p", "lead", " ".join(p(sentence) for sentence in facts.sentences(plan)))
    behind = _behind_cards(plan)
    with el("ul", "cards", aria_label=t("plan.headline")):
        for card in cards(plan):
            with el("li", f"cardlet {card.mark}"):
                sources.number(card.value, behind(card), p(card.name))
                el("span", "name", p(card.name))
                if card.remark:
                    el("small", "", p(card.remark))


def _behind_cards(plan: Plan) -> Callable[[Card], Sequence[str]]:
    def behind(card: Card) -> Sequence[str]:
        if card.name == "spent":
            return grounds.of_spending(plan)
        if card.name == "chips bought":
            return grounds.of_chips(plan)
        if card.name == "training runs done":
            return [subject for run in plan.training for subject in grounds.of_workload(plan, run.name)]
        if card.name.endswith("demand served"):
            return grounds.of_workload(plan, plan.services[0].name)
        if card.name == "figures denied by their subject":
            return grounds.denied(plan)
        if plan.sourcing and card.name == plan.sourcing[0].name:
            return [f"sourcing {card.name}", *(f"budget {budget.name}" for budget in plan.budgets)]
        return [item.what for item in plan.evidence]

    return behind


def money(plan: Plan, sources: Sources) -> None:
    """Place the flow of money and the budgets."""
    with section(t("plan.money")):
        flow = money_flow(plan)
        if flow is None:
            el("p", "note", t("plan.nothing_spent"))
        else:
            figure(flow, on_pick=_flow_picker(plan, flow, sources), hide_title=True)
        with el("div", "bars"):
            for budget in plan.budgets:
                share = facts.budget_share(budget) or 0.0
                subjects = [f"budget {budget.name}"]
                with el("div", "barline"):
                    el("span", "name", budget.name)
                    with el("div", "bar", aria_hidden="true"):
                        el("span").style(f"width:{min(1.0, share) * 100:.2f}%")
                    spent = facts.money(budget.spent, budget.currency)
                    sources.number(spent, subjects, budget.name)
                    limit = facts.money(budget.limit + budget.drawn, budget.currency)
                    el("span", "note", t("plan.of_limit", limit=limit, share=facts.percent(share, 1)))
                    item = next(iter(grounds.evidence_of(plan, [f"budget {budget.name}: amount"])), None)
                    if item is not None:
                        status_tag(item.status, doubted=bool(item.denied_by))


def _flow_picker(plan: Plan, flow: Chart, sources: Sources) -> Callable[[int, int, bool], None]:
    """Return what opens the sources of a node or a link of the Sankey diagram."""
    node, link = flow.data[0]["node"], flow.data[0]["link"]

    def pick(_: int, point: int, is_link: bool) -> None:
        words = str((link if is_link else node)["customdata"][point])
        sources.open("", grounds.of_names(plan, words), words)

    return pick


def orders(plan: Plan, sources: Sources) -> None:
    """Place purchases by quarter: their value, the chips in service, and every order with its sources."""
    with section(t("plan.purchases"), note=t("plan.purchases_note")):
        with el("div", "grid"):
            figure(
                charts.orders(plan), on_pick=lambda *_: sources.open("", grounds.of_spending(plan), t("plan.purchases"))
            )
            figure(charts.chips(plan), on_pick=lambda *_: sources.open("", grounds.of_chips(plan), t("plan.chips")))
        names = ["how", "chip", "site", "ordered", "in use", "systems", "chips", "cost", "rules"]
        with _table(t("plan.orders_table"), names, ("systems", "chips", "cost")):
            for bought in plan.purchases:
                with el("tr"):
                    el("td", "", p(bought.mode))
                    el("th", "", bought.chip, scope="row")
                    el("td", "", f"{bought.site}, {bought.country}")
                    el("td", "", bought.quarter)
                    el("td", "", t("plan.from_to", first=bought.in_use, last=bought.until or "…"))
                    el("td", "numeric", f"{bought.units:,}")
                    subjects = grounds.of_purchase(plan, bought)
                    about = f"{p(bought.mode)} {bought.chip}, {bought.site}, {bought.quarter}"
                    with el("td", "numeric"):
                        sources.number(f"{bought.chips:,}", subjects, about)
                    with el("td", "numeric"):
                        sources.number(facts.money(bought.cost, bought.currency), subjects, about)
                    el("td", "note", f"{bought.decision} {', '.join(bought.rules)}".strip())  # fmt: skip


def work(plan: Plan, sources: Sources) -> None:
    """Place the Gantt chart of training runs, and what is served of the demand."""
    with section(t("plan.training")):
        gantt = charts.training(plan)
        if gantt is None:
            el("p", "note", t("plan.no_training"))
        else:
            figure(gantt, on_pick=lambda *_: sources.open("", _of_runs(plan), t("plan.training")), hide_title=True)
        with el("ul", "runs"):
            for run in plan.training:
                with el("li"):
                    el("strong", "", run.name)
                    if run.runs:
                        sources.number(facts.days(run), grounds.of_workload(plan, run.name), run.name)
                        el("span", "note", f"{run.model} · MFU {facts.percent(run.mfu, 1)} · {run.basis}")
                    else:
                        el("span", "tag warn", t("plan.not_run", why=run.why_not))
    if plan.services:
        with section(t("plan.services")), el("div", "grid"):
            for service, chart in zip(plan.services, charts.services(plan), strict=True):
                subjects = grounds.of_workload(plan, service.name)
                figure(chart, on_pick=lambda *_, name=service.name, of=subjects: sources.open("", of, name))


def _of_runs(plan: Plan) -> list[str]:
    return [subject for run in plan.training for subject in grounds.of_workload(plan, run.name)]


def places(plan: Plan, sources: Sources) -> None:
    """Place the map and the power of each site in use."""
    with section(t("plan.sites"), note=t("plan.sites_note")):
        chart = site_map(plan)
        if chart is not None:
            placed = [row[0] for row in chart.rows]

            def pick(curve: int, point: int, _: bool) -> None:
                if curve > 0 and point < len(placed):
                    sources.open("", [f"site {placed[point]}"], placed[point])

            figure(chart, on_pick=pick, hide_title=True)
        used = [site for site in plan.sites if any(site.power.values())]
        with el("div", "grid small"):
            for site, power in zip(used, charts.power(plan), strict=True):
                figure(power, on_pick=lambda *_, name=site.name: sources.open("", [f"site {name}"], name), level=3)


def limits(plan: Plan, sources: Sources) -> None:
    """Place which limits bind and what they cost, the sourcing shares, and the ways the rules close."""
    with section(t("plan.limits"), note=t("plan.limits_note")):
        chart = limits_chart(plan)
        if chart is None:
            el("p", "note", t("plan.no_limits"))
        else:
            ordered = {row[0]: at for at, row in enumerate(reversed(chart.rows))}
            by_place = {at: name for name, at in ordered.items()}
            named = {limit.name: limit for limit in plan.limits}

            def pick(_: int, point: int, __: bool) -> None:
                limit = named[by_place[point]]
                sources.open("", grounds.of_limit(plan, limit), p(limit.words))

            figure(chart, on_pick=pick)
        with el("ul", "plain"):
            for limit in plan.limits:
                with el("li"):
                    sources.number(p(limit.words), grounds.of_limit(plan, limit), limit.name, "words")
    if plan.sourcing:
        with section(t("plan.sourcing"), note=t("plan.sourcing_note")), el("div", "bars"):
            for share in shares(plan):
                with el("div", "barline"):
                    el("span", "name", share.name)
                    with el("div", "bar", aria_hidden="true"):
                        el("span").style(f"width:{share.reached * 100:.2f}%")
                        el("i").style(f"left:{share.wanted * 100:.2f}%")
                    sources.number(p(share.words), [f"sourcing {share.name}"], share.name, "words")
    closed = facts.closed_ways(plan)
    if closed:
        with (
            section(t("plan.rules"), note=t("plan.rules_note", day=plan.knowledge_date)),
            _table(t("plan.rules"), ["way", "chips", "countries", "quarters", "code", "why, and what the plan does"]),
        ):
            for way in closed:
                with el("tr"):
                    el("td", "", p(way.mode))
                    el("th", "", ", ".join(way.chips), scope="row")
                    el("td", "", ", ".join(way.countries))
                    el("td", "", way.quarters)
                    with el("td"):
                        el("span", "tag bad", way.code)
                    el("td", "", way.words)  # fmt: skip


def grounds_of_all(plan: Plan) -> None:
    """Place the notes, every figure with its status, and how the plan was found and checked."""
    if plan.notes:
        with section(t("plan.notes")), el("ul", "plain"):
            for note in plan.notes:
                el("li", "", p(note))
    with section(t("plan.evidence"), note=t("plan.evidence_note", count=len(plan.evidence))):
        with el("div", "row"):
            for status, count in facts.statuses(plan).items():
                status_tag(status)
                el("span", "note", str(count))
        _all_evidence(plan.evidence)
    good = sum(check.ok for check in plan.audit.checks)
    with section(t("plan.audit")):
        el("p", "", t("plan.audit_words", good=good, count=len(plan.audit.checks), gap=facts.percent(plan.gap, 2),
                      build=f"{plan.build_s:.1f}", solve=f"{plan.solve_s:.1f}", solver=plan.solver))  # fmt: skip


def _all_evidence(items: Sequence[EvidenceItem]) -> None:
    """Place every figure, built when it is asked for."""
    with el("details") as details:
        el("summary", "", t("plan.every_figure"))
    built: list[bool] = []

    def build() -> None:
        if not built:
            built.append(True)
            with details:
                for item in items:
                    evidence(item)

    details.on("toggle", build)


def _table(caption: str, columns: Sequence[str], numeric: Sequence[str] = ()) -> Element:
    """Return the body of a table, to be filled in as a context."""
    frame = el("div", "frame tall", tabindex="0", role="region", aria_label=t("shell.scrolls", what=caption))
    with frame, el("table"):
        el("caption", "hidden", caption)
        with el("thead"), el("tr"):
            for name in columns:
                el("th", "numeric" if name in numeric else "", p(name), scope="col")
        return el("tbody")
