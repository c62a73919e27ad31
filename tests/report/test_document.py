"""The JSON form of a plan: complete, stable, finite, and as documented."""

import dataclasses
import json
import re
import types
import typing
from dataclasses import replace
from pathlib import Path

import pytest

from outlay.errors import InfeasibleError
from outlay.planning import result
from outlay.report.document import FLOW, document, infeasible_to_json, json_schema, to_json

DOCS = Path(__file__).parents[2] / "docs" / "json.md"
PROMISED = {
    "": [
        "scenario",
        "status",
        "gap",
        "solve_s",
        "purchases",
        "budgets",
        "sourcing",
        "workloads",
        "limits",
        "audit",
        "evidence",
    ],
    "purchases": [
        *("mode", "system", "chip", "vendor", "vendor_country", "site"),
        *("quarter", "units", "chips", "cost", "currency", "budget"),
    ],
    "budgets": ["name", "limit", "spent", "currency"],
    "sourcing": ["name", "base", "required", "achieved"],
    "limits": ["name", "dual", "words"],
}


def _documented():
    """Keys of the pages's tables, in two parts: the plan and the answer that there is none."""
    plan, rest = DOCS.read_text(encoding="utf-8").split("## Where there is no plan")
    no_plan = rest.partition("## A plan over futures")[0]
    return [set(re.findall(r"^\| `([^`]+)` \|", part, flags=re.MULTILINE)) for part in (plan, no_plan)]


def _keys(kind, prefix=""):
    """Key paths of a record, by its types: what any plan can hold, not only the sample."""
    for name, hint in typing.get_type_hints(kind).items():
        if kind is result.Plan and name in ("training", "services"):
            continue
        listed = typing.get_origin(hint) is list
        inner = typing.get_args(hint)[0] if listed or typing.get_origin(hint) is types.UnionType else hint
        path = f"{prefix}{name}"
        yield path
        if dataclasses.is_dataclass(inner):
            yield from _keys(inner, f"{path}{'[].' if listed else '.'}")


def test_promised_keys_are_there(plan):
    """Programs find the keys the format promises, in every record."""
    record = json.loads(to_json(plan))
    for part, keys in PROMISED.items():
        for row in [record] if not part else record[part]:
            assert set(keys) <= set(row)
    assert record["schema_version"] == result.SCHEMA_VERSION
    assert [work["kind"] for work in record["workloads"]] == ["training"] * 3 + ["service"] * 2


def test_every_key_is_documented_and_every_documented_key_exists():
    """The page and the records hold the same keys."""
    work = {f"workloads[].{key}" for kind in (result.TrainingResult, result.ServiceResult) for key in _keys(kind)}
    flows = {f"flows[].{name}" for name in FLOW}
    expected = {*_keys(result.Plan), "workloads", "workloads[].kind", *work, *flows}
    assert _documented()[0] == expected


def test_answer_without_plan_is_documented():
    """The keys of "infeasible" are on the page too."""
    error = InfeasibleError("the limits cannot hold", ["floor of 30 %"], ["lower the floor to 26.8 %"])
    record = json.loads(infeasible_to_json(error, "mine"))
    assert set(record) == _documented()[1]
    assert record["status"] == "infeasible"
    assert record["conflict"] == ["floor of 30 %"]


def test_text_reads_back_as_the_plan(plan):
    """Nothing is lost on the way: the records can be built again from the text."""
    record = json.loads(to_json(plan))
    assert record == document(plan)
    assert [result.Purchase(**row) for row in record["purchases"]] == plan.purchases
    services = [row for row in record["workloads"] if row.pop("kind") == "service"]
    assert [result.ServiceResult(**row) for row in services] == plan.services
    assert [tuple(flow.values()) for flow in record["flows"]] == plan.flows


def test_same_plan_gives_same_text_in_documented_order(plan):
    """The text does not change from run to run, and its keys stand in the order of the page."""
    assert to_json(plan) == to_json(replace(plan))
    page = DOCS.read_text(encoding="utf-8").split("## Purchases")[0]
    assert list(document(plan)) == re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_become_null(plan, value):
    """JSON has no NaN; what is not finite is written as null, at any depth."""
    limits = [replace(plan.limits[0], dual=value)]
    record = json.loads(to_json(replace(plan, bound=value, limits=limits, extra={"deep": [{"x": value}]})))
    assert record["bound"] is None
    assert record["limits"][0]["dual"] is None
    assert record["extra"] == {"deep": [{"x": None}]}


def _fits(value, schema, root):
    """Whether a value fits a schema, for the words our schemas use."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        return any(_fits(value, part, root) for part in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return value in schema.get("enum", [schema.get("const")])
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    types["null"] = type(None)
    wanted = schema.get("type", list(types))
    if not any(isinstance(value, types[name]) for name in ([wanted] if isinstance(wanted, str) else wanted)):
        return False
    if isinstance(value, list):
        return all(_fits(part, schema.get("items", {}), root) for part in value)
    if isinstance(value, dict):
        known, rest = schema.get("properties", {}), schema.get("additionalProperties", {})
        parts = [(part, known.get(key, {} if rest is True else rest)) for key, part in value.items()]
        return set(schema.get("required", [])) <= set(value) and all(_fits(part, kind, root) for part, kind in parts)
    return True


def test_schema_fits_every_plan_and_no_broken_one(plan):
    """The JSON schema takes what is written, null for infinite included, and refuses a missing key or a wrong type."""
    schema = json_schema()
    assert list(schema["properties"]) == list(document(plan))
    assert _fits(document(plan), schema, schema)
    assert _fits(document(replace(plan, bound=float("inf"))), schema, schema)
    for path, broken in ((("gap",), "small"), (("purchases", 0, "mode"), "steal"), (("workloads", 0, "kind"), "toy")):
        record = document(plan)
        *parents, last = path
        place = record
        for step in parents:
            place = place[step]
        place[last] = broken
        assert not _fits(record, schema, schema), path
        del place[last]
        assert not _fits(record, schema, schema), path
