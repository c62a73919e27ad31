"""What each kind of run is asked: everything needed to ask it again, on any machine, without a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from outlay.errors import InputError, unknown
from outlay.report.question import Words, asked
from outlay.report.serving import ServeQuestion
from outlay.report.training import TrainQuestion

LONGEST = 500_000
Text = Annotated[str, Field(max_length=LONGEST)]
Records = Annotated[str | None, Field(None, max_length=2_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]


class Inputs(BaseModel):
    """Fields of every kind of run."""

    model_config = ConfigDict(extra="forbid")


class ScenarioInputs(Inputs):
    """A scenario by its text.

    Attributes
    ----------
    scenario
        Its name, or what to call it in messages.
    text
        Its YAML; for a bundled scenario ``None`` is filled in with the bundled text.
    records
        YAML of one's own records over the catalogue: the text of the file that ``catalog:`` would name.
    """

    scenario: Words
    text: Text | None = None
    records: Records = None


class FuturesInputs(Inputs):
    """How to plan over futures; ``None`` takes what the scenario says."""

    draws: Annotated[int | None, Field(None, ge=1, le=4096)]
    branches: Annotated[int | None, Field(None, ge=1, le=2000)]
    seed: Annotated[int | None, Field(None, ge=0, le=2**62)]
    risk_weight: Share = 0.0
    risk_level: Annotated[float, Field(0.9, gt=0, lt=1)]
    regret: bool = False
    method: Literal["auto", "extensive", "benders"] = "auto"
    explain: bool = True


class FrontInputs(Inputs):
    """Two goals that are weighed against each other: `outlay plan --front`."""

    first: Words
    second: Words
    points: Annotated[int, Field(7, ge=2, le=50)]


class PlanInputs(ScenarioInputs):
    """A plan: `outlay plan`.

    ``before`` is the document of the plan in force (`--from`); with ``front`` the answer is a front, not one plan.
    """

    gap: Annotated[float, Field(0.005, ge=0, lt=1)]
    time_limit_s: Annotated[float, Field(120.0, gt=0, le=86_400)]
    without: Annotated[list[Words], Field(default_factory=list, max_length=20)]
    claims: Annotated[list[Words], Field(default_factory=list, max_length=100)]
    futures: FuturesInputs | None = None
    before: dict[str, Any] | None = None
    front: FrontInputs | None = None


class StressInputs(ScenarioInputs):
    """A stress test: `outlay stress`. ``plan`` is a plan's document; today's best where left out."""

    plan: dict[str, Any] | None = None
    count: Annotated[int, Field(2000, ge=10, le=100_000)]
    seed: Annotated[int, Field(1, ge=0, le=2**62)]


class Story(Inputs):
    """One telling: its text or page, or an http(s) address it is fetched from when the run begins."""

    name: Words = "story"
    text: Annotated[str | None, Field(None, max_length=4_000_000)]
    base64: Annotated[str | None, Field(None, max_length=8_000_000)]
    address: Annotated[str, Field("", max_length=2000)]
    charset: Annotated[str, Field("", max_length=40)]


class ReadInputs(Inputs):
    """A reading: `outlay read`."""

    stories: Annotated[list[Story], Field(min_length=1, max_length=20)]
    date: Annotated[str | None, Field(None, max_length=10, pattern=r"^\d{4}-\d{2}-\d{2}$")]
    records: Records = None


class SecondReader(Inputs):
    """An OpenAI-compatible endpoint asked for claims that were missed."""

    url: Words
    model: Words


class KeptReadInputs(ReadInputs):
    """A reading as the command keeps it; the queue takes no second reader, whose address a server would call."""

    second: SecondReader | None = None


class ValidateInputs(Inputs):
    """A validation: `outlay validate`. ``rows`` is the text of a CSV file to predict instead of the package's rows."""

    what: Annotated[list[Literal["training", "serving"]], Field(default_factory=list, max_length=2)]
    family: Words | None = None
    rows: Annotated[str | None, Field(None, max_length=2_000_000)]


class TrainInputs(TrainQuestion, Inputs):
    """A question of `outlay train`, each part as its option takes it: see :mod:`outlay.report.training`."""

    records: Records = None


class ServeInputs(ServeQuestion, Inputs):
    """A question of `outlay serve`, each part as its option takes it: see :mod:`outlay.report.serving`."""

    records: Records = None


class CheckInputs(Inputs):
    """A question of `outlay check`, each part as its option takes it: see :mod:`outlay.report.legality`.

    ``day`` is ``--date``, ``destination`` ``--to``, ``exporter`` ``--from``, ``everything`` ``--all``, ``flags``
    ``--flag``; the others are called as their options.
    """

    chips: Annotated[list[Words], Field(default_factory=list, max_length=40)]
    everything: bool = False
    destination: Words | None = None
    day: Words | None = None
    timeline: bool = False
    diff: Annotated[list[Words] | None, Field(None, min_length=2, max_length=2)]
    margin: bool = False
    buyer_hq: Words | None = None
    parent_hq: Words | None = None
    owned_by_listed: Words | None = None
    public_buyer: bool = False
    exporter: Words | None = None
    onward: Words | None = None
    lease: bool = False
    owner_hq: Words | None = None
    service: bool = False
    foundry: bool = False
    use: Literal["datacenter", "consumer", "analysis"] = "datacenter"
    state_funded: bool = False
    new_site: bool = False
    progress: Words | None = None
    units: Annotated[int | None, Field(None, ge=1, le=10**12)]
    known_on: Words | None = None
    flags: Annotated[list[Words], Field(default_factory=list, max_length=40)]
    law_only: bool = False
    records: Records = None


MODELS: dict[str, type[Inputs]] = {
    "plan": PlanInputs,
    "stress": StressInputs,
    "read": ReadInputs,
    "validate": ValidateInputs,
    "train": TrainInputs,
    "serve": ServeInputs,
    "check": CheckInputs,
}
"""By kind of run."""


def checked(kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs of a run with every default filled in.

    Raises
    ------
    InputError
        If a field is wrong; names it and what was expected.
    """
    model = asked(MODELS[kind], kind, inputs)
    if isinstance(model, ScenarioInputs) and model.text is None:
        from outlay.scenario.load import bundled, bundled_text

        if model.scenario not in bundled():
            raise InputError(unknown("scenario", model.scenario, bundled()))
        model = model.model_copy(update={"text": bundled_text(model.scenario)})
    return model.model_dump(mode="json")
