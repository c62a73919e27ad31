"""View 7, Training and serving: strategies, memory bars and step times; fronts of throughput against latency."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from outlay.errors import InputError, OutlayError
from outlay.report import facts
from outlay.report.tables import Cell, Page, number
from outlay.units import GB, human
from outlay.web.page import figures_explorers
from outlay.web.page.controls import Field, Select, Tabs
from outlay.web.page.parts import Notice, busy, button, el, figure, grid, headline, section, session, t
from outlay.web.page.running import aside
from outlay.web.page.shown import Command, shown

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.performance.search import TrainingEstimate
    from outlay.performance.serving.search import ServingEstimate

DRAWN = 6
"""Strategies drawn beside each other."""
STACKS_FIRST = "current"
SERVING_TYPES = ("fp8", "bf16", "int8", "int4", "fp4")
NONE = ""


async def show() -> None:
    """Show the view."""
    with el("div", "title"), el("div"):
        el("h1", "", t("explorers.title"))
        el("p", "lead", t("explorers.lead"))
    tabs = Tabs(
        t("explorers.title"),
        {
            "train": (t("explorers.train"), lambda: Training().search()),
            "serve": (t("explorers.serve"), lambda: Serving().search()),
        },
        "train",
    )
    await tabs.open("train")


def catalog() -> Catalog:
    """Return the bundled catalogue."""
    from outlay.catalog import Catalog

    return Catalog.load()


def _kept(name: str, first: dict[str, str]) -> dict[str, str]:
    """Return what the form held when it was last left."""
    kept: dict[str, str] = session().kept.setdefault(f"explorers-{name}", {})
    return {**first, **kept}


class Training:
    """Which strategy trains a model fastest on some chips."""

    first: dict[str, str] = {  # noqa: RUF012  the values a form begins with, never changed
        "model": "Llama-3.1-405B", "on": "H100 SXM", "chips": "16384", "tokens": "15.6T", "seq": "8192", "batch": "",
        "dtype": "bf16", "strategy": "", "stack": STACKS_FIRST,
    }  # fmt: skip

    def __init__(self) -> None:
        from outlay.performance.strategy import stacks
        from outlay.report.training import DTYPES

        self.catalog, kept = catalog(), _kept("train", self.first)
        places = [*self.catalog.systems, *self.catalog.chips]
        with section(t("explorers.train")), el("div", "form"):
            f = self.fields = {
                "model": Field(t("explorers.model"), kept["model"], options=list(self.catalog.models)),
                "on": Field(t("explorers.on"), kept["on"], options=places),
                "chips": Field(t("explorers.chips_label"), kept["chips"], inputmode="decimal"),
                "tokens": Field(t("explorers.tokens"), kept["tokens"]),
                "seq": Field(t("explorers.seq"), kept["seq"]),
                "batch": Field(t("explorers.batch"), kept["batch"], hint=t("explorers.hint_by_chips")),
                "strategy": Field(t("explorers.fix"), kept["strategy"], hint=t("explorers.hint_searched")),
            }
            self.dtype = Select(t("explorers.dtype"), {name: name for name in DTYPES}, kept["dtype"])
            self.stack = Select(t("explorers.stack"), {name: name for name in stacks()}, kept["stack"])
            button(t("explorers.search"), self.search, "main", id="search-training")
            for field in f.values():
                field.input.on("keydown.enter", self.search)
        self.notice = Notice()
        self.place = el("div", "stack")

    async def search(self) -> None:
        """Search, and show what was found; say at its field what is wrong with it."""
        from outlay.report.training import TrainQuestion, train

        self.notice.clear()
        values = {name: field.value.strip() for name, field in self.fields.items()}
        values |= {"dtype": self.dtype.value, "stack": self.stack.value}
        session().kept["explorers-train"] = values
        try:
            self._check()
        except OutlayError:
            return
        question = TrainQuestion(
            model=values["model"],
            on=[f"{values['on']}:{values['chips']}"],
            tokens=values["tokens"] or None,
            seq=values["seq"],
            batch=values["batch"] or None,
            dtype=values["dtype"],
            strategy=values["strategy"] or None,
            stack=values["stack"],
        )
        words = {"model": question.model, "chips": values["chips"], "system": values["on"]}
        began = time.perf_counter()
        try:
            async with busy(t("explorers.searching_training", **words)):
                estimate, whole = await aside(train, self.catalog, question)
                others = await aside(self._others, estimate, question)
        except OutlayError as error:
            if not self.place.is_deleted:
                self._complain(error)
            return
        if self.place.is_deleted:  # another tab was opened meanwhile
            return
        self._show(estimate, whole, others, time.perf_counter() - began)
        shown().command("train", Command(_train_words(question)))

    def _check(self) -> None:
        """Read each field by itself, so that what is wrong is said where it stands."""
        from outlay.performance import search
        from outlay.report.training import count, parse_place

        f = self.fields
        wrong: OutlayError | None = None
        readers: dict[str, Any] = {
            "model": self.catalog.model,
            "on": self.catalog.resolve_system,
            "chips": lambda text: parse_place(f"x:{text}"),
            "tokens": lambda text: count(text, t("explorers.tokens")) if text else None,
            "seq": lambda text: count(text, t("explorers.seq")),
            "batch": lambda text: count(text, t("explorers.batch")) if text else None,
            "strategy": lambda text: search.parse_strategy(text) if text else None,
        }
        for name, reader in readers.items():
            try:
                f[name].read(reader)
            except OutlayError as error:
                wrong = wrong or error
        if wrong is not None:
            self.notice.clear()
            raise wrong

    def _complain(self, error: OutlayError) -> None:
        """Say what is wrong with the whole question; where the strategy was fixed, at its field."""
        self.place.clear()
        if isinstance(error, InputError) and self.fields["strategy"].value.strip():
            self.fields["strategy"].wrong(str(error))
        else:
            self.notice.say("error", str(error))

    def _others(self, estimate: TrainingEstimate, question: Any) -> list[TrainingEstimate]:
        """Return what the runners-up hold and spend, by the same model as the best."""
        from outlay.performance import search

        system = self.catalog.resolve_system(self.fields["on"].value.strip())
        options: dict[str, Any] = {"sequence": estimate.sequence, "dtype": estimate.dtype, "stack": question.stack}
        return [
            search.best_training(
                self.catalog.model(question.model),
                system,
                choice.chips,
                batch_tokens=estimate.batch_sequences * estimate.sequence,
                fixed=search.parse_strategy(choice.strategy),
                chip=self.catalog.chip(system.chip),
                space="usual",
                **options,
            )
            for choice in estimate.runners_up[: DRAWN - 1]
        ]

    def _show(
        self, estimate: TrainingEstimate, whole: dict[str, Any], others: list[TrainingEstimate], seconds: float
    ) -> None:
        self.place.clear()
        with self.place:
            told = _training_facts(estimate, whole)
            headline(told)
            shown().facts = [(name, value) for name, value, _ in told]
            with section(t("explorers.strategies.title"), note=_searched(estimate)):
                grid(figures_explorers.strategies(estimate, t), classes="wide-table", most=12)
            with section(t("explorers.memory.title")):
                figure(figures_explorers.memory([estimate, *others], t), hide_title=True)
            with section(t("explorers.steps.title")):
                figure(figures_explorers.breakdown([estimate, *others], t), hide_title=True)
            _mind(estimate.warnings, estimate.basis)
        self.place.props["data-seconds"] = f"{seconds:.3f}"


def _searched(estimate: TrainingEstimate) -> str:
    counts = {"strategies": f"{estimate.strategies:,}", "feasible": f"{estimate.feasible:,}"}
    return t("explorers.searched", **counts, cpu=f"{estimate.cpu_s:.2f}")


def _training_facts(estimate: TrainingEstimate, whole: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the headline figures of a training run: name, value, remark."""
    used = sum(estimate.memory.values())
    rate = estimate.tokens_per_s
    found = [
        (
            t("explorers.step_time"),
            f"{estimate.step_time_s:.2f} s",
            t("explorers.band", low=f"{estimate.step_low_s:.2f}", high=f"{estimate.step_high_s:.2f} s"),
        ),
        (t("explorers.mfu"), f"{estimate.mfu:.1%}", t("explorers.of_peak", peak=estimate.mfu_peak)),
        (t("explorers.tokens_per_s"), human(rate), t("explorers.a_chip", rate=f"{rate / estimate.chips:,.0f}")),
        (
            t("explorers.memory_chip"),
            f"{used / GB:.1f} GB",
            t("explorers.of_peak", peak=f"{estimate.memory_limit / GB:.0f} GB"),
        ),
    ]
    if whole:
        found += _whole_facts(whole)
    return found


def _whole_facts(whole: dict[str, Any]) -> list[tuple[str, str, str]]:
    calendar, cost = whole["calendar"], whole["cost"]
    band = t("explorers.band", low=f"{whole['days_low']:.1f}", high=f"{whole['days_high']:.1f}")
    found = [(t("explorers.days"), f"{whole['days']:.1f}", band)]
    if calendar["days"] is None:
        found.append((t("explorers.calendar"), facts.MISSING, calendar["basis"]))
    else:
        high = "∞" if calendar["days_high"] is None else f"{calendar['days_high']:.1f}"
        low = f"{calendar['days_low']:.1f}"
        found.append((t("explorers.calendar"), f"{calendar['days']:.1f}", t("explorers.band", low=low, high=high)))
    energy = whole["energy_mwh"]
    found.append((t("explorers.energy"), facts.MISSING if energy is None else f"{human(energy)} MWh", ""))
    if cost["amount"] is None:
        found.append((t("explorers.cost"), facts.MISSING, cost["reason"]))
    else:
        found.append((t("explorers.cost"), f"{human(cost['amount'])} {cost['currency']}", cost["basis"]))
    return found


def _mind(warnings: tuple[str, ...], basis: str) -> None:
    with section(t("explorers.mind")), el("ul", "plain-list"):
        el("li", "", f"{t('explorers.rests_on')}: {basis}")
        for warning in warnings:
            el("li", "", warning)


def _train_words(question: Any) -> list[str]:
    words = ["outlay", "train", question.model, "--on", question.on[0], "--seq", question.seq]
    for option, value in (
        ("--tokens", question.tokens),
        ("--batch", question.batch),
        ("--strategy", question.strategy),
    ):
        words += [option, value] if value else []
    words += ["--dtype", question.dtype]
    return [*words, "--stack", question.stack] if question.stack != STACKS_FIRST else words


class Serving:
    """What some chips serve of a model within targets of latency."""

    first: dict[str, str] = {  # noqa: RUF012  the values a form begins with, never changed
        "model": "Llama-3.1-70B", "on": "H100 SXM", "other": "H200 SXM", "input": "3000", "output": "500",
        "ttft": "1 s", "tpot": "30 ms", "dtype": "fp8",
    }  # fmt: skip

    def __init__(self) -> None:
        self.catalog, kept = catalog(), _kept("serve", self.first)
        places = [*self.catalog.systems, *self.catalog.chips]
        with section(t("explorers.serve")), el("div", "form"):
            f = self.fields = {
                "model": Field(t("explorers.model"), kept["model"], options=list(self.catalog.models)),
                "on": Field(t("explorers.on"), kept["on"], options=places),
                "other": Field(t("explorers.and_on"), kept["other"], options=places),
                "input": Field(t("explorers.input"), kept["input"], inputmode="decimal"),
                "output": Field(t("explorers.output"), kept["output"], inputmode="decimal"),
                "ttft": Field(t("explorers.ttft_target"), kept["ttft"]),
                "tpot": Field(t("explorers.tpot_target"), kept["tpot"]),
            }
            self.dtype = Select(t("explorers.weights"), {name: name for name in SERVING_TYPES}, kept["dtype"])
            button(t("explorers.search"), self.search, "main", id="search-serving")
            for field in f.values():
                field.input.on("keydown.enter", self.search)
        self.notice = Notice()
        self.place = el("div", "stack")

    async def search(self) -> None:
        """Search, and show the fronts; say at its field what is wrong with it."""
        from outlay.report.serving import ServeQuestion
        from outlay.units import quantity

        self.notice.clear()
        values = {name: field.value.strip() for name, field in self.fields.items()} | {"dtype": self.dtype.value}
        session().kept["explorers-serve"] = values
        try:
            self._check()
        except OutlayError:
            return
        on = [name for name in (values["on"], values["other"]) if name]
        parts: dict[str, Any] = {name: values[name] for name in ("model", "input", "output", "ttft", "tpot", "dtype")}
        questions = [ServeQuestion(on=name, **parts) for name in on]
        found, told = [], []
        async with busy(t("explorers.searching_serving", model=values["model"], system=" + ".join(on))):
            for question in questions:
                try:
                    found.append((question, await aside(self._served, question)))
                except OutlayError as error:
                    told.append(f"{question.on}: {error}")
        if self.place.is_deleted:  # another tab was opened meanwhile
            return
        if told:
            self.notice.say("error" if not found else "warn", "\n".join(told))
        self.place.clear()
        if found:
            self._show(found, float(quantity(values["tpot"], "s")))
        shown().commands.clear()
        for question, _ in found:
            shown().command(f"serve {question.on}", Command(_serve_words(question)))

    def _check(self) -> None:
        from outlay.units import quantity
        from outlay.web.page.asking import whole

        def time_of(text: str) -> float:
            value = float(quantity(text, "s"))
            if value <= 0:
                msg = f"expected a time above zero, such as 30 ms, not {text!r}"
                raise InputError(msg)
            return value

        readers: dict[str, Any] = {
            "model": self.catalog.model,
            "on": self.catalog.resolve_system,
            "other": lambda text: self.catalog.resolve_system(text) if text else None,
            "input": lambda text: whole(text, 1, 10_000_000),
            "output": lambda text: whole(text, 1, 10_000_000),
            "ttft": time_of,
            "tpot": time_of,
        }
        wrong: OutlayError | None = None
        for name, reader in readers.items():
            try:
                self.fields[name].read(reader)
            except OutlayError as error:
                wrong = wrong or error
        if wrong is not None:
            raise wrong

    def _served(self, question: Any) -> tuple[Any, ServingEstimate, dict[str, Any]]:
        from outlay.report.serving import serve

        return serve(self.catalog, question)

    def _show(self, found: list[tuple[Any, tuple[Any, ServingEstimate, dict[str, Any]]]], tpot_s: float) -> None:
        named = [(question.on, estimate) for question, (_, estimate, _) in found]
        limits = [self.catalog.chip(system.chip).need("memory_gb") for _, (system, _, _) in found]
        with self.place:
            with section(t("explorers.answers")):
                grid(_serving(found), classes="wide-table")
            with section(t("explorers.front.title")):
                figure(figures_explorers.front(named, tpot_s, t), hide_title=True)
            with section(t("explorers.serving_memory.title")):
                figure(figures_explorers.serving_memory(named, limits, t), hide_title=True)
            with section(t("explorers.mind")), el("ul", "plain-list"):
                for name, estimate in named:
                    for words in (f"{t('explorers.rests_on')} {estimate.basis}", *estimate.warnings):
                        el("li", "", f"{name}: {words}")


def _serving(found: list[tuple[Any, tuple[Any, ServingEstimate, dict[str, Any]]]]) -> Page:
    """Return what each system serves within the targets, with its bands, replica and cost."""
    rows = []
    for question, (_, one, answer) in found:
        low, high = one.low * one.tokens_per_s_per_chip, one.high * one.tokens_per_s_per_chip
        cost = answer["cost_per_million_tokens"]
        rows.append(
            [
                Cell(question.on),
                _banded(one.tokens_per_s_per_chip, "{:,.0f}", low, high),
                _banded(one.tpot_s * 1e3, "{:.3g}", *(end * 1e3 for end in one.tpot_band_s), unit=" ms"),
                _banded(one.ttft_s, "{:.3g}", *one.ttft_band_s, unit=" s"),
                Cell(f"{t('explorers.replica_words', chips=one.chips_per_replica)} · {one.strategy}"),
                number(cost, None if cost is None else f"{cost:.3g} {answer['cost_basis'].split(' ')[1]}"),
                Cell(answer["cost_basis"]),
            ]
        )
    names = ("system", "rate", "tpot", "ttft", "replica", "cost_tokens", "cost_basis")
    return Page("serving-answers", t("explorers.answers"), [t(f"explorers.{name}") for name in names], rows)


def _banded(value: float, form: str, low: float, high: float, *, unit: str = "") -> Cell:
    """Return a figure with its band; it sorts by the figure."""
    band = t("explorers.band", low=form.format(low), high=form.format(high))
    return number(value, f"{form.format(value)}{unit} ({band})")


def _serve_words(question: Any) -> list[str]:
    words = ["outlay", "serve", question.model, "--on", question.on, "--input", question.input]
    words += ["--output", question.output, "--ttft", question.ttft, "--tpot", question.tpot]
    return [*words, "--dtype", question.dtype, "--front"]
