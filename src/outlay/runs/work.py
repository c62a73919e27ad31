"""Does a run: the same functions as the commands, from inputs alone, telling how it goes and stopping when asked."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.errors import InfeasibleError, InputError, StoppedError

if TYPE_CHECKING:
    from outlay.catalog import Catalog
    from outlay.planning.linear import Standing
    from outlay.scenario.schema import Scenario


@dataclass(frozen=True)
class Tell:
    """Where a run tells how it goes.

    Attributes
    ----------
    words
        Called with a few words of what is being done.
    standing
        Called with where the solver stands.
    stop
        Whether the run shall stop.
    """

    words: Callable[[str], None] = lambda _: None
    standing: Callable[[Standing], None] = lambda _: None
    stop: Callable[[], bool] = lambda: False

    def say(self, words: str) -> None:
        """Tell what is being done; raise :class:`StoppedError` where the run shall stop."""
        if self.stop():
            msg = f"stopped before {words}, as asked"
            raise StoppedError(msg)
        self.words(words)

    def watch(self, standing: Standing) -> bool:
        """Tell where the solver stands, and answer whether it shall stop."""
        self.standing(standing)
        return self.stop()


@dataclass(frozen=True)
class Answer:
    """What a run came to.

    Attributes
    ----------
    document
        As the command's ``--json`` prints it.
    code
        0 done, 1 the answer is no.
    message
        Why it is no.
    inputs
        To keep in place of those given, where a story was fetched: asked again, it is the same story.
    """

    document: dict[str, Any]
    code: int = 0
    message: str = ""
    inputs: dict[str, Any] | None = None


Work = Callable[[dict[str, Any], Tell], Answer]
QUIET = Tell()


def do(kind: str, inputs: dict[str, Any], tell: Tell = QUIET) -> Answer:
    """Do a run of a kind from its inputs (:mod:`outlay.runs.inputs`).

    Raises
    ------
    OutlayError
        What the command would say.
    StoppedError
        If ``tell.stop`` asked for it.
    """
    return WORKS[kind](inputs, tell)


@contextmanager
def _records_file(inputs: dict[str, Any]) -> Iterator[Path | None]:
    """Give the file of somebody's own records for as long as the work needs one."""
    if inputs.get("records") is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="outlay-") as folder:
        path = Path(folder) / "records.yaml"
        path.write_text(inputs["records"], encoding="utf-8")
        yield path


@contextmanager
def scenario_of(inputs: dict[str, Any]) -> Iterator[Scenario]:
    """Give the scenario of some inputs; its own records stand in a file while it is used.

    Raises
    ------
    ScenarioError
        Names line and column of what is wrong.
    """
    from outlay.scenario.load import read_scenario

    name = inputs["scenario"]
    shown = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    with _records_file(inputs) as records:
        yield read_scenario(inputs["text"], shown, records=records, files=False)


@contextmanager
def catalog_of(inputs: dict[str, Any]) -> Iterator[Catalog]:
    """Give the catalogue with somebody's own records over it."""
    from outlay.catalog import Catalog

    with _records_file(inputs) as records:
        yield Catalog.load(records)


def _plan(inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.planning import plan
    from outlay.planning.futures.stored import plan_of
    from outlay.report.document import document, infeasible

    with scenario_of(inputs) as scenario:
        try:
            if inputs.get("futures"):
                return _plan_futures(scenario, inputs, tell)
            scenario = _changed(scenario, inputs, tell)
            if inputs.get("front"):
                return _front(scenario, inputs, tell)
            before = None if inputs.get("before") is None else plan_of(inputs["before"], "before")
            made = plan(
                scenario,
                gap=inputs["gap"],
                time_limit_s=inputs["time_limit_s"],
                before=before,
                progress=tell.say,
                watch=tell.watch,
            )
        except InfeasibleError as error:
            return Answer(infeasible(error, inputs["scenario"]), 1, str(error))
    return Answer(document(made))


def _changed(scenario: Scenario, inputs: dict[str, Any], tell: Tell) -> Scenario:
    """Return a scenario with what ``without`` and ``claims`` change."""
    if not (inputs["without"] or inputs["claims"]):
        return scenario
    from outlay.scenario.what_if import what_if

    scenario, changed = what_if(scenario, tuple(inputs["without"]), tuple(inputs["claims"]))
    for words in changed:
        tell.say(words)
    return scenario


def _front(scenario: Scenario, inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.planning.pareto import front
    from outlay.report.front import front_record

    how = inputs["front"]
    found = front(
        scenario,
        how["first"],
        how["second"],
        points=how["points"],
        gap=inputs["gap"],
        time_limit_s=inputs["time_limit_s"],
        progress=tell.say,
    )
    return Answer(front_record(found))


def _plan_futures(scenario: Scenario, inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.planning.futures.plan import plan_futures
    from outlay.planning.futures.risk import Risk
    from outlay.planning.futures.solve import Settings
    from outlay.report.futures import to_json

    scenario = _changed(scenario, inputs, tell)
    how = inputs["futures"]
    settings = Settings(
        gap=inputs["gap"],
        risk=Risk(how["risk_weight"], how["risk_level"]),
        method=how["method"],
        goal="regret" if how["regret"] else "value",
        time_limit_s=inputs["time_limit_s"],
        name=scenario.name,
    )
    hedged = plan_futures(
        scenario,
        settings,
        draws=how["draws"],
        branches=how["branches"],
        seed=how["seed"],
        explain=how["explain"],
        progress=tell.say,
    )
    return Answer(json.loads(to_json(hedged.plan)))


def _stress(inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.planning.futures.stored import plan_of
    from outlay.planning.futures.stress import stress
    from outlay.report.futures import to_json

    with scenario_of(inputs) as scenario:
        fixed = None if inputs["plan"] is None else plan_of(inputs["plan"], "plan")
        found = stress(scenario, fixed, count=inputs["count"], seed=inputs["seed"], progress=tell.say)
    return Answer(json.loads(to_json(found)))


def _read(inputs: dict[str, Any], tell: Tell) -> Answer:
    from datetime import date

    from outlay.catalog.lexicon import lexicon
    from outlay.evidence.reading import read
    from outlay.report.reading import NO_CLAIMS, articles_of, document, drafted, page_of, story_of

    try:
        told = date.fromisoformat(inputs["date"]) if inputs["date"] else None
    except ValueError:
        msg = f"date {inputs['date']!r} is no day; expected year, month and day, such as 2025-01-22"
        raise InputError(msg) from None
    with catalog_of(inputs) as catalog:
        tell.say("getting the stories")
        pages = [page_of(story) for story in inputs["stories"]]
        articles = articles_of(pages, told)
        names = lexicon(catalog)
        tell.say("reading")
        reading = read(articles, names)
        if inputs.get("second"):
            from outlay.evidence.reading.second import with_second_reader

            tell.say("asking the second reader")
            reading = with_second_reader(reading, names, inputs["second"]["url"], inputs["second"]["model"])
        tell.say("drafting a scenario")
        made, why_not = drafted(reading, names, catalog)
    said = "" if reading.claims else NO_CLAIMS
    kept = {**inputs, "stories": [story_of(page) for page in pages]}
    return Answer(document(reading, made, why_not), 0 if reading.claims else 1, said, kept)


def _validate(inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.report.validation import validation

    rows = inputs["rows"]
    if rows is None:
        return Answer(validation(inputs["what"], inputs["family"], progress=tell.say))
    with tempfile.TemporaryDirectory(prefix="outlay-") as folder:
        path = Path(folder) / "rows.csv"
        path.write_text(rows, encoding="utf-8")
        return Answer(validation(inputs["what"], inputs["family"], path, progress=tell.say))


def _train(inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.report.training import TrainQuestion, document, train

    question = TrainQuestion(**{name: value for name, value in inputs.items() if name != "records"})
    with catalog_of(inputs) as catalog:
        tell.say("searching strategies")
        return Answer(document(*train(catalog, question)))


def _serve(inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.report.serving import ServeQuestion, document, serve

    question = ServeQuestion(**{name: value for name, value in inputs.items() if name != "records"})
    with catalog_of(inputs) as catalog:
        tell.say("searching configurations")
        system, found, answer = serve(catalog, question)
    no = "not enough for the rate asked for" if answer["enough"] is False else ""
    return Answer(document(question.model, system, found, answer), int(bool(no)), no)


def _check(inputs: dict[str, Any], tell: Tell) -> Answer:
    from outlay.report.legality import check

    asked = {name: value for name, value in inputs.items() if name != "records"}
    with catalog_of(inputs) as catalog:
        found, code = check(catalog, asked)
    return Answer(found if isinstance(found, dict) else {"rows": found}, code)


WORKS: dict[str, Work] = {
    "plan": _plan,
    "stress": _stress,
    "read": _read,
    "validate": _validate,
    "train": _train,
    "serve": _serve,
    "check": _check,
}
