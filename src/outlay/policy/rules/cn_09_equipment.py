"""China's share of domestic equipment in new wafer fabs."""

from datetime import date

from outlay.policy.rules._reported import reported

RULE = reported(
    9,
    "New wafer capacity: at least 50 % domestic equipment",
    date(2025, 12, 30),
    (
        "CNA of 30 December 2025, after Reuters",
        "https://www.channelnewsasia.com/east-asia/china-mandates-50-percent-domestic-equipment-chipmakers-ai-5769851",
    ),
    scope="makers of chips, for approval of new capacity; relaxed for advanced lines",
    note="Speaks of the tools of a fab, not of an item a build-out buys.",
)
