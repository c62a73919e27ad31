"""China's advice on the energy efficiency of chips."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Hold the H20 against the site it goes to."""
    h20 = imported(case) & case.named("H20", "H20-3e")
    yield Branch(
        h20 & case.deal("new_site"),
        "advised against in new and expanded data centres; not strictly enforced",
        verdict="conditional",
    )
    yield Branch(h20, "advised against in new and expanded data centres; this one is not said to be new")


RULE = reported(
    2,
    "Energy-efficiency advice that leaves out the H20",
    date(2025, 3, 26),
    (
        "4News of 26 March 2025, after the Financial Times",
        "https://4nownews.com/technology-and-it-market-news/china-to-hit-nvidia-with-new-environmental-regulations-the-company-will-lose-up-to-17-billion-in-revenue-per-year/amp",
    ),
    predicate,
    scope="new and expanded data centres; introduced in 2024",
    note="The number behind it was not found; inspections and fines are possible.",
)
