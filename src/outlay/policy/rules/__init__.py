"""Every rule, one module each, in the order of evaluation: by stage, then by the day it was announced.

A module of this package that does not begin with an underscore holds one ``RULE``; adding a rule is adding a module.
"""

from __future__ import annotations

import importlib
import pkgutil

from outlay.errors import InputError, unknown
from outlay.policy.rule import STAGES, Rule

__all__ = ["FOUNDRY", "HARDWARE", "LEASES", "all_rules", "rule"]


def _load() -> tuple[Rule, ...]:
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    found: list[Rule] = [importlib.import_module(f"{__name__}.{name}").RULE for name in names]
    return tuple(sorted(found, key=lambda one: (STAGES.index(one.stage), one.announced, one.id)))


_RULES = _load()
HARDWARE: tuple[Rule, ...] = tuple(one for one in _RULES if one.stage not in {"foundry", "lease"})
FOUNDRY: tuple[Rule, ...] = tuple(one for one in _RULES if one.stage == "foundry")
LEASES: tuple[Rule, ...] = tuple(one for one in _RULES if one.stage == "lease")


def all_rules() -> tuple[Rule, ...]:
    """Return every rule, in the order of evaluation."""
    return _RULES


def rule(identifier: str) -> Rule:
    """Return a rule by its identifier; raise :class:`InputError` naming the nearest where there is none."""
    by_id = {entry.id: entry for entry in _RULES}
    if identifier not in by_id:
        raise InputError(unknown("rule", identifier, by_id))
    return by_id[identifier]
