"""Dated rules on who may get which chip where; answers with citations and arithmetic. Not legal advice."""

from outlay.policy.codes import CODES, FLAGS, VERDICTS, Verdict
from outlay.policy.deadline import deadline
from outlay.policy.decision import Decision, Firing, Item, Mode, PriceFactor, Transaction
from outlay.policy.engine import SOURCES_REACH, Grid, decide, decide_grid, price_factors
from outlay.policy.items import competing, item_of, read_spec
from outlay.policy.rules import all_rules, rule

__all__ = [
    "CODES",
    "FLAGS",
    "SOURCES_REACH",
    "VERDICTS",
    "Decision",
    "Firing",
    "Grid",
    "Item",
    "Mode",
    "PriceFactor",
    "Transaction",
    "Verdict",
    "all_rules",
    "competing",
    "deadline",
    "decide",
    "decide_grid",
    "item_of",
    "price_factors",
    "read_spec",
    "rule",
]
