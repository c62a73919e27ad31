"""View 8, Accuracy: predicted against published by chip, live from the validation; errors in and out of sample."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from outlay.report import facts
from outlay.report.tables import Cell, Page, number
from outlay.web.page import figures_accuracy
from outlay.web.page.controls import Select
from outlay.web.page.drawing import Drawing
from outlay.web.page.jobs import queue
from outlay.web.page.parts import Notice, el, figure, grid, section, session, t
from outlay.web.page.running import Running, aside
from outlay.web.page.shown import Command, shown

if TYPE_CHECKING:
    from outlay.performance.serving.validation import ServingReport
    from outlay.performance.validation import Report
    from outlay.web.page.state import Session

KINDS = ("training", "serving")
METRICS = {"training": ("step_time_s",), "serving": ("tpot", "ttft", "throughput", "prefill_throughput")}
RECENT = 20
"""Runs of the store looked through for one that answers already."""
SAMPLES = ("out_of_sample", "in_sample")
_REPORTS: dict[str, Any] = {}
"""Validations of this process by kind: the package's rows and model stay the same while it runs."""


def report_of(document: dict[str, Any]) -> Report | ServingReport:
    """Return a validation from its document, as `outlay validate --json` prints it."""
    from outlay.performance.serving.validation import ServingReport, ServingRow
    from outlay.performance.validation import Regret, Report, ValidationRow

    shown_ = document["reports"][0]
    refused = tuple((one["id"], one["family"], one["reason"]) for one in shown_["refused"])
    if shown_["kind"] == "training":
        regrets = tuple(Regret(**one) for one in shown_["regret"])
        return Report("training", tuple(ValidationRow(**row) for row in shown_["rows"]), refused, regrets)
    rows = tuple(ServingRow(**row) for row in shown_["rows"])
    asked = round(len(refused) / (1 - shown_["answered"])) if refused else len({row.id for row in rows})
    return ServingReport(rows, refused, asked)


def earlier_run(kind: str, owner: str) -> dict[str, Any] | None:
    """Return what the run store keeps of the same validation by the same code and data; ``None`` where it has none."""
    from outlay.runs.inputs import checked
    from outlay.runs.record import catalogue_hash, code_hash

    store, asked = queue().store, checked("validate", {"what": [kind]})
    for run in store.runs(owner=owner, kind="validate", status="done", limit=RECENT):
        same = (run.code_hash, run.catalogue_hash) == (code_hash(), catalogue_hash())
        if same and store.inputs(run.id) == asked:
            return store.result(run.id)
    return None


async def show() -> None:
    """Show the view."""
    with el("div", "title"), el("div"):
        el("h1", "", t("accuracy.title"))
        el("p", "lead", t("accuracy.lead"))
    await _Accuracy(session()).update()


class _Accuracy:
    def __init__(self, now: Session) -> None:
        self.now = now
        self.kept: dict[str, str] = now.kept.setdefault("accuracy", {"kind": "training", "sample": SAMPLES[0]})
        self.choices = el("div", "stack")  # empty until the first validation says what there is to choose
        self.notice = Notice()
        self.running = Running(now, "accuracy-run", self.notice, self._answered)
        with el("div", "stack", id="accuracy-results"):
            self.first = el("div")
            self.place = el("div", "stack")
        self.drawing: Drawing | None = None
        self.shown_kind = ""
        self.listed: tuple[str, ...] = ()
        self.controls: dict[str, Select] = {}

    async def update(self) -> None:
        """Show the validation; where this process has not made it yet, make it, and say so meanwhile."""
        self.kept |= {name: control.value for name, control in self.controls.items()}
        kind = self.kept["kind"]
        if kind != self.shown_kind:
            self.first.clear()
            self.place.clear()
            self.drawing, self.shown_kind, self.listed = None, "", ()
        if kind in _REPORTS:
            if not self.shown_kind:
                self._form(_REPORTS[kind])
                self.shown_kind = kind
            self._show(_REPORTS[kind])
            return
        earlier = await aside(earlier_run, kind, self.now.owner)
        if earlier is not None:
            await self._answered(earlier)
            return
        await self.running.hand_in("validate", {"what": [kind]}, t("accuracy.validating"), kind)
        self.notice.say("info", t("accuracy.first_time"))

    async def _answered(self, document: dict[str, Any]) -> None:
        report = await aside(report_of, document)
        _REPORTS[report.kind] = report
        if self.place.is_deleted:
            return
        self.notice.clear()
        await self.update()

    def _form(self, report: Report | ServingReport) -> None:
        from importlib import import_module

        from outlay.report.validation import REPORTS

        kind = self.kept["kind"]
        parts = import_module(REPORTS[kind]).BY
        families = Counter(row.family for row in report.rows)
        choices = {
            "kind": (t("accuracy.kind"), {name: t(f"accuracy.{name}") for name in KINDS}),
            "metric": (t("accuracy.metric_word"), {name: t(f"accuracy.metric.{name}") for name in METRICS[kind]}),
            "sample": (t("accuracy.sample"), {name: t(f"accuracy.{name}") for name in SAMPLES}),
            "family": (
                t("accuracy.family_word"),
                {"": t("accuracy.every_family")}
                | {name: f"{name} ({count})" for name, count in families.most_common()},
            ),
            "by": (t("accuracy.by_word"), {name: t(f"accuracy.by.{name}") for name in parts}),
        }
        self.choices.clear()
        with self.choices, section(t("accuracy.choices")), el("div", "form"):
            for name, (label, options) in choices.items():
                value = self.kept.get(name, "")
                self.kept[name] = value if value in options else next(iter(options))
                self.controls[name] = Select(label, options, self.kept[name], self.update)

    def _show(self, report: Report | ServingReport) -> None:
        kept = self.kept
        metric, family = kept["metric"], kept["family"]
        part = report.of_family(family) if family else report
        rows = [row for row in part.rows if not family or row.family == family]
        out_of_sample = kept["sample"] == "out_of_sample"
        chart = figures_accuracy.scatter(rows, metric, out_of_sample=out_of_sample, say=t)
        if self.drawing is None:
            with self.first, section(t("accuracy.metric_word"), note=_answered(report)):
                self.drawing = Drawing()
        self.drawing.show(chart)
        listed = (metric, family, kept["by"])
        if listed != self.listed:
            self.listed = listed
            self._list(report, part)
        words = ["outlay", "validate", kept["kind"], "--by", kept["by"]]
        shown().command("validate", Command([*words, "--family", family] if family else words))

    def _list(self, report: Report | ServingReport, part: Report | ServingReport) -> None:
        """Place what does not hang on the sample: errors by part, rankings, and what was not predicted."""
        metric, family, by = self.kept["metric"], self.kept["family"], self.kept["by"]
        self.place.clear()
        with self.place:
            if not family:
                with section(t("accuracy.by_word")):
                    figure(figures_accuracy.by_part(report, metric, by, t))
            with section(t("accuracy.errors.title", what=t(f"accuracy.metric.{metric}"))):
                grid(figures_accuracy.errors(part, metric, by, t), classes="wide-table", most=24)
            if getattr(part, "regrets", ()) and not family:
                with section(t("accuracy.regret"), note=t("accuracy.regret_note")):
                    grid(_regrets(part), most=12)
            if part.refused:
                with section(t("accuracy.refused")):
                    grid(_refused(part), most=12)


def _answered(report: Report | ServingReport) -> str:
    return t("accuracy.answered", answered=f"{report.asked - len(report.refused):,}", asked=f"{report.asked:,}")


def _regrets(report: Any) -> Page:
    rows = [
        [
            Cell(one.source),
            Cell(one.case),
            number(one.strategies, str(one.strategies)),
            number(one.regret, facts.percent(one.regret, 1)),
            number(one.ordered, facts.percent(one.ordered, 1)),
        ]
        for one in report.regrets
    ]
    names = ("source", "case", "strategies", "regret_word", "ordered")
    return Page("accuracy-regret", t("accuracy.regret"), [t(f"accuracy.{name}") for name in names], rows)


def _refused(report: Any) -> Page:
    counts = Counter(reason for _, _, reason in report.refused).most_common()
    rows = [[Cell(reason), number(count, str(count))] for reason, count in counts]
    return Page("accuracy-refused", t("accuracy.refused"), [t("accuracy.reason"), t("accuracy.rows")], rows)
