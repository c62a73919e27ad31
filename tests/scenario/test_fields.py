"""The form's fields come from the schema: all of them, each of a kind a form can show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from outlay.scenario.fields import Field, complaint, fields_of, read_entry, scenario_fields, shown_entry, starter
from outlay.scenario.load import bundled, bundled_text, read_scenario
from outlay.scenario.schema import Budget, Event, Evidence, Horizon, Scenario, Service, Site, TrainingRun
from outlay.scenario.tree import parse, plain


def _models(model, seen):
    seen.add(model)
    for field in fields_of(model).values():
        if field.model is not None and field.model not in seen:
            _models(field.model, seen)
    return seen


def test_every_field_of_the_schema_is_there_and_every_block_is_reached():
    """No field is left out of the form, however deep."""
    models = _models(Scenario, set())
    defined = {part["title"] for part in Scenario.model_json_schema()["$defs"].values() if "properties" in part}
    assert {model.__name__ for model in models} == defined | {"Scenario"}
    for model in models:
        assert list(fields_of(model)) == list(model.model_fields)


@pytest.mark.parametrize(
    ("model", "name", "kind", "example"),
    [
        (Budget, "amount", "text", "40 billion CNY"),
        (Budget, "pays_for", "choices", ""),
        (Budget, "where", "block", ""),
        (Site, "power", "table", "30 MW, or 2025Q1: 30 MW"),
        (Site, "pue", "number", ""),
        (Site, "new_build", "flag", ""),
        (Service, "demand", "table", "2025Q1: 12 trillion tokens/day"),
        (TrainingRun, "dtype", "choice", ""),
        (Evidence, "status", "choice", ""),
        (Horizon, "start", "text", "2025Q1"),
        (Scenario, "sites", "blocks", ""),
        (Scenario, "models", "named", ""),
        (Scenario, "fx", "table", "USD: 7.27"),
    ],
)
def test_kinds_and_units_come_from_the_types(model, name, kind, example):
    """An amount shows how money is written, a choice its options, a power both ways to give it."""
    field = fields_of(model)[name]
    assert (field.kind, field.example) == (kind, example)


@pytest.mark.parametrize("model", [Budget, Site, Service, TrainingRun, Event], ids=lambda model: model.__name__)
def test_a_new_block_is_valid_by_itself(model):
    """What `add` puts in can be read; only names it speaks of may be unknown."""
    assert isinstance(model.model_validate(starter(model)), BaseModel)


def test_new_names_do_not_clash():
    """Two new blocks have two names."""
    assert starter(Budget, {"new-1"})["name"] == "new-2"


@pytest.mark.parametrize(
    ("model", "name", "value", "words"),
    [
        (Budget, "amount", "40 billion", "amount: '40 billion' has no currency; write it out, such as 40 billion USD"),
        (Site, "power", "30", "power: '30' has no unit; expected power, such as 30 MW"),
        (Site, "pue", "x", "pue: got 'x'; expected a number"),
        (TrainingRun, "dtype", "fp4", "dtype: unknown value 'fp4'; nearest: fp8 (expected one of bf16, fp8)"),
        (Budget, "amount", "40 billion CNY", ""),
        (Site, "power", {"2025Q1": "60 MW"}, ""),
    ],
)
def test_a_field_says_what_is_wrong_with_it_in_the_loaders_words(model, name, value, words):
    """The message as one types is the one `outlay plan` prints."""
    assert complaint(model, name, value) == words


@given(st.lists(st.text("abcXYZ019 -", min_size=1).map(str.strip).filter(bool), max_size=5))
def test_lists_are_typed_and_shown_alike(names):
    """A list survives being shown and typed again."""
    assert read_entry(Field("x", "names"), shown_entry(names)) == names


@pytest.mark.parametrize("name", bundled())
def test_the_values_of_a_bundled_scenario_survive_the_form(name):
    """Every value shown in the form and typed again reads as it did."""
    tree = plain(parse(bundled_text(name), name), name)

    def check(model, block):
        for key, value in block.items():
            field = fields_of(model)[key]
            if field.kind == "block":
                check(field.model, value)
            elif field.kind == "blocks":
                for item in value:
                    check(field.model, item)
            elif field.kind == "named":
                for item in value.values():
                    check(field.model, item)
            elif field.kind in {"names", "table"} and ":" not in str(list(value) if isinstance(value, list) else ""):
                assert shown_entry(read_entry(field, shown_entry(value))) == shown_entry(value)

    check(Scenario, tree)
    assert set(tree) <= set(scenario_fields())
    assert read_scenario(bundled_text(name), name).name == name
