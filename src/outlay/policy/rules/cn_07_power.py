"""China's subsidy of power for sites with domestic chips."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.decision import PriceFactor
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import reported

UP_TO = 0.5


def predicate(case: Case) -> Iterator[Branch]:
    """Up to half the price of power, for domestic chips."""
    yield Branch(
        case.at("destination", "CN") & case.at("maker", "CN") & case.kind("chip"),
        "a site of domestic chips alone in Gansu, Guizhou or Inner Mongolia pays up to 50 % less for power",
        factor=PriceFactor("subsidy", "energy", UP_TO, "up to 50 %, in three provinces, where all chips are domestic"),
    )


RULE = reported(
    7,
    "Power subsidy of up to 50 % for sites with domestic chips",
    date(2025, 11, 4),
    (
        "InvestingLive of 4 November 2025, after the Financial Times",
        "https://investinglive.com/news/"
        "china-offers-big-power-subsidies-to-boost-local-ai-chips-at-bytedance-alibaba-tencent-20251104",
    ),
    predicate,
    scope="Gansu, Guizhou, Inner Mongolia; sites with foreign chips are left out",
    note="An upper bound; about 0.4 yuan a kWh is reported. That a site holds no foreign chip is for the caller to "
    "see to.",
)
