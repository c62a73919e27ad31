"""China's checks at ports."""

from collections.abc import Iterator
from datetime import date

from outlay.policy.columns import Case
from outlay.policy.rule import Branch
from outlay.policy.rules._reported import imported, reported


def predicate(case: Case) -> Iterator[Branch]:
    """Ask of a foreign chip that the report speaks of."""
    yield Branch(
        imported(case) & (case.named("H20", "H20-3e", "RTX Pro 6000D") | case.is_class("3A090.a", "3A090.b")),
        "checked at ports: the import is at risk",
        verdict="conditional",
    )


RULE = reported(
    5,
    "Customs checks of advanced chips at ports",
    date(2025, 10, 10),
    (
        "Outlook Business of October 2025, after the Financial Times",
        "https://www.outlookbusiness.com/technology/china-tightens-the-screws-on-nvidias-ai-chips-import-as-tech-war-deepens",
    ),
    predicate,
    scope="H20, RTX Pro 6000D, then all advanced chips that break US controls; date approximate",
)
