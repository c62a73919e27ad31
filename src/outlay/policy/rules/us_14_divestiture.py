"""The divestiture deadline that kept moving."""

from datetime import date

from outlay.policy import sources as at
from outlay.policy.rule import Rule

RULE = Rule(
    id="US-14",
    title="Divestiture of TikTok (PAFACA)",
    issuer="US Congress and President",
    stage="party",
    announced=date(2024, 4, 24),
    effective_from=date(2025, 1, 19),
    effective_to=date(2026, 1, 22),
    end_announced=date(2026, 1, 22),
    status="final",
    confidence="high",
    scope="the app's owner; no item. Its deadline was moved five times: see outlay.policy.deadline",
    citations=(at.PAFACA, at.EO_14258, at.EO_14350),
    note="Decides nothing about one item. The day of 5 April 2025 is counted from the order's 75 days. It ended with a "
    "joint venture in which ByteDance keeps 19.9 %.",
)
