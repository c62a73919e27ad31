"""Plans read back from the JSON that `outlay plan --json` writes, and what changed between two."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.planning.result import Plan

LARGEST_BYTES = 200_000_000


def read_document(path: Path) -> dict[str, Any]:
    """Return the JSON of a plan, of one future or of many.

    Raises
    ------
    InputError
        If the file cannot be read, is no JSON, or is no plan.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            msg = f"{path}: larger than any plan"
            raise InputError(msg)
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputError(msg) from None
    except json.JSONDecodeError as error:
        msg = f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}"
        raise InputError(msg) from None
    if not isinstance(found, dict) or not ({"purchases", "orders"} & set(found)):
        msg = f"{path}: no plan; expected what `outlay plan --json` prints"
        raise InputError(msg)
    return found


def read_plan(path: Path) -> Plan:
    """Return a plan of one future from the file of its JSON.

    Raises
    ------
    InputError
        If the file is no such plan.
    """
    return plan_of(read_document(path), str(path))


def plan_of(document: dict[str, Any], path: str) -> Plan:
    """Return a plan of one future from its JSON document; ``path`` is how errors call it.

    Raises
    ------
    InputError
        If the document is no such plan.
    """
    from pydantic import TypeAdapter, ValidationError

    from outlay.planning.result import Plan

    found = dict(document)
    if "purchases" not in found:
        msg = f"{path}: a plan over futures; give one from `outlay plan --json` without --futures"
        raise InputError(msg)
    works = found.pop("workloads", [])
    found["training"] = [{k: v for k, v in work.items() if k != "kind"} for work in works if work["kind"] == "training"]
    found["services"] = [{k: v for k, v in work.items() if k != "kind"} for work in works if work["kind"] == "service"]
    found["flows"] = [tuple(flow.values()) for flow in found.get("flows", [])]
    try:
        return TypeAdapter(Plan).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        msg = f"{path}: not a plan this version reads: {place}: {first['msg']}"
        raise InputError(msg) from None


@dataclass(frozen=True)
class Change:
    """An order that differs between two plans: chips in each."""

    what: str
    before: int
    after: int


@dataclass(frozen=True)
class Difference:
    """What changed from one plan to another."""

    before: str
    after: str
    objective_before: float
    objective_after: float
    currency: str
    orders: list[Change]
    training: list[str]
    moved: float
    """Part of the chips of both plans that differs."""


def difference(before: dict[str, Any], after: dict[str, Any]) -> Difference:
    """Compare two plans order by order.

    Raises
    ------
    InputError
        If they count in different currencies.
    """
    if before["currency"] != after["currency"]:
        msg = f"the plans count in {before['currency']} and {after['currency']}; plan both in one currency"
        raise InputError(msg)
    old, new = _orders(before), _orders(after)
    changes = [
        Change(key, old.get(key, 0), new.get(key, 0))
        for key in sorted({*old, *new})
        if old.get(key, 0) != new.get(key, 0)
    ]
    total = sum(old.values()) + sum(new.values())
    moved = sum(abs(change.after - change.before) for change in changes)
    return Difference(
        _name(before),
        _name(after),
        float(before["objective"]),
        float(after["objective"]),
        before["currency"],
        sorted(changes, key=lambda change: -abs(change.after - change.before)),
        _training(before, after),
        moved / total if total else 0.0,
    )


def _name(plan: dict[str, Any]) -> str:
    kind = f", {len(plan['futures'])} futures" if "futures" in plan else ""
    return f"{plan['scenario']} of {plan['knowledge_date']}{kind}"


def _orders(plan: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for order in plan.get("purchases", []) or plan.get("orders", []):
        condition = f" if {', '.join(order['known'])}" if order.get("known") else ""
        found[f"{order['quarter']} {order['mode']} {order['system']} at {order['site']}{condition}"] += int(
            order["chips"]
        )
    return dict(found)


def _training(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    def runs(plan: dict[str, Any]) -> dict[str, str]:
        if "workloads" in plan:
            return {
                work["name"]: "; ".join(
                    f"{s['chips']:,} chips, {s['system']} at {s['site']}, {s['first']} to {s['last']}"
                    for s in work["stages"]
                )
                or "not run"
                for work in plan["workloads"]
                if work["kind"] == "training"
            }
        return {
            r["name"]: f"{r['chips']:,} chips, {r['system']} at {r['site']}, {r['first']} to {r['last']}"
            for r in plan["training"]
        }

    old, new = runs(before), runs(after)
    return [
        f"{name}: {old.get(name, 'not run')} -> {new.get(name, 'not run')}"
        for name in sorted({*old, *new})
        if old.get(name, "not run") != new.get(name, "not run")
    ]
