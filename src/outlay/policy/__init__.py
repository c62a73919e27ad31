"""Dated rules on who may get which chip where; answers with citations and arithmetic. Not legal advice."""

from outlay.policy.decision import Decision, Firing, Item, Mode, Transaction, Verdict
from outlay.policy.engine import FLAGS, VERDICTS, decide
from outlay.policy.items import competing, item_of, read_spec
from outlay.policy.rules import all_rules, rule

__all__ = [
    "FLAGS",
    "VERDICTS",
    "Decision",
    "Firing",
    "Item",
    "Mode",
    "Transaction",
    "Verdict",
    "all_rules",
    "competing",
    "decide",
    "item_of",
    "read_spec",
    "rule",
]
