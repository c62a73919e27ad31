"""The planner: from a scenario to an audited plan, with the worth of every limit and the reason where there is none."""

from outlay.planning.plan import plan
from outlay.planning.result import Plan

__all__ = ["Plan", "plan"]
