"""China's guidance on the local share of chips."""

from datetime import date

from outlay.policy.rules._reported import reported

RULE = reported(
    1,
    "Guidance: at least 30 % of chips from domestic suppliers",
    date(2025, 1, 22),
    (
        "DevDiscourse of 22 January 2025, after the Financial Times",
        "https://www.devdiscourse.com/article/technology/3234231-bytedance-bets-big-a-12-billion-ai-infrastructure-investment",
    ),
    scope="technology companies; by value or by chips is not said; ByteDance denies the report",
    note="A share of a plan, not an answer about one item: a scenario's `sourcing` holds it. The value of orders is "
    "the default base.",
)
