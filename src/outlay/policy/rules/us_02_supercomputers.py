"""Supercomputers of Chinese end users."""

from datetime import date

from outlay.policy import sources as at
from outlay.policy.rule import Rule

RULE = Rule(
    id="US-02.supercomputers",
    title="Supercomputer end use (section 744.23)",
    issuer="US BIS",
    stage="party",
    announced=date(2022, 10, 7),
    effective_from=date(2022, 10, 21),
    status="final",
    confidence="high",
    scope="items for machines of 100 PFLOPS at 64 bit or 200 PFLOPS at 32 bit within 41,600 cubic feet, in China",
    citations=(at.SUPERCOMPUTERS,),
    note="Asks for the rate and the volume of a whole machine, which no scenario holds; not asked.",
)
