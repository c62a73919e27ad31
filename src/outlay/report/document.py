"""The plan as JSON: one documented, versioned form for programs (docs/json.md)."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from outlay.errors import InfeasibleError
from outlay.planning.result import SCHEMA_VERSION, Plan

ORDER = (
    "schema_version",
    "scenario",
    "title",
    "status",
    "gap",
    "solve_s",
    "build_s",
    "solver",
    "objective",
    "objective_name",
    "bound",
    "currency",
    "fx",
    "knowledge_date",
    "quarters",
    "purchases",
    "budgets",
    "sourcing",
    "workloads",
    "sites",
    "limits",
    "blocked",
    "money",
    "accounts",
    "flows",
    "audit",
    "evidence",
    "notes",
    "deadlines",
    "input_hash",
    "version",
    "extra",
)
FLOW = ("budget", "vendor", "system", "site", "workload", "amount")


def document(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain lists and dictionaries, keys in the order of ``ORDER``.

    Training runs and services stand together under ``workloads``, told apart by ``kind``. A number that is not finite
    becomes ``None``: JSON has no word for it.
    """
    record = asdict(plan)
    training = [{"kind": "training", **run} for run in record.pop("training")]
    services = [{"kind": "service", **service} for service in record.pop("services")]
    record["workloads"] = training + services
    record["flows"] = [dict(zip(FLOW, flow, strict=True)) for flow in plan.flows]
    ordered: dict[str, Any] = finite({key: record[key] for key in ORDER})
    return ordered


def to_json(plan: Plan) -> str:
    """Return the plan as JSON text; the same plan gives the same text."""
    return _text(document(plan))


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the document, from the types of the plan's records."""
    from pydantic import TypeAdapter

    plan = TypeAdapter(Plan).json_schema()
    definitions, properties = plan["$defs"], plan["properties"]
    for kind, name in (("training", "TrainingResult"), ("service", "ServiceResult")):
        definitions[name]["properties"] = {"kind": {"const": kind}, **definitions[name]["properties"]}
    works = [properties[key]["items"] for key in ("training", "services")]
    properties["workloads"] = {"type": "array", "items": {"anyOf": works}}
    cells = dict(zip(FLOW, properties["flows"]["items"]["prefixItems"], strict=True))
    properties["flows"]["items"] = {"type": "object", "properties": cells, "required": list(FLOW)}
    properties["schema_version"] = {"const": SCHEMA_VERSION}
    plan["properties"] = {key: properties[key] for key in ORDER}
    for record in (plan, *definitions.values()):
        record["required"] = list(record["properties"])
    schema: dict[str, Any] = _nullable(plan)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _nullable(schema: Any) -> Any:
    """Allow null where a number stands: one that is not finite is written so."""
    if isinstance(schema, list):
        return [_nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    wider = {"type": ["number", "null"]} if schema.get("type") == "number" else {}
    return {key: _nullable(part) for key, part in schema.items()} | wider


def infeasible(error: InfeasibleError, scenario: str) -> dict[str, Any]:
    """Return the answer "no plan": what cannot hold together and the cheapest ways out."""
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": scenario,
        "status": "infeasible",
        "message": str(error),
        "conflict": list(error.conflict),
        "relaxations": list(error.relaxations),
    }


def infeasible_to_json(error: InfeasibleError, scenario: str) -> str:
    """Return the answer "no plan" as JSON text."""
    return _text(infeasible(error, scenario))


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)


def finite(value: Any) -> Any:
    """Return a nested value with ``None`` for each number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value
