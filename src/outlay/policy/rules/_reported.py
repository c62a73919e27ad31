"""What the reported rules of the Chinese side share."""

from datetime import date

from outlay.policy.columns import Case, Mask
from outlay.policy.rule import Citation, Predicate, Rule


def imported(case: Case) -> Mask:
    """Return where a foreign chip comes to China."""
    return case.at("destination", "CN") & ~case.at("maker", "CN") & case.kind("chip")


def reported(
    number: int,
    title: str,
    day: date,
    source: tuple[str, str],
    predicate: Predicate | None = None,
    *,
    scope: str,
    note: str = "",
    end: date | None = None,
    weak: bool = False,
) -> Rule:
    """Return a rule that no official text holds, on the clock of practice."""
    document, address = source
    return Rule(
        id=f"CN-{number:02}",
        title=title,
        issuer="China, as reported",
        stage="china",
        announced=day,
        effective_from=day,
        effective_to=end,
        end_announced=end,
        status="reported",
        confidence="low" if weak else "medium",
        scope=scope,
        citations=(Citation(document, "press report; no official text", address),),
        predicate=predicate,
        switch_off="ignore_reported",
        clock="practice",
        note=note,
    )
