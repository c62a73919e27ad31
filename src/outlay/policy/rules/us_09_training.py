"""Policy statement on training models: a licence where restricted uses are known of."""

from collections.abc import Iterator
from datetime import date

from outlay.policy import sources as at
from outlay.policy.codes import CONTROLLED
from outlay.policy.columns import Case
from outlay.policy.rule import Branch, Rule


def predicate(case: Case) -> Iterator[Branch]:
    """Training on 3A090 items, rented ones too, for parties of D:5."""
    yield Branch(
        case.restricted_buyer & case.is_class(*CONTROLLED),
        "a licence where the owner knows the models serve weapons or military-intelligence uses",
        warnings=("leasing abroad by a group with headquarters in D:5 or Macau: high risk that the rules change",),
    )


RULE = Rule(
    id="US-09.training",
    title="Policy statement on training models",
    issuer="US BIS",
    stage="lease",
    announced=date(2025, 5, 13),
    effective_from=date(2025, 5, 13),
    status="guidance",
    confidence="medium",
    scope="3A090 items, cloud access and support by US persons for parties headquartered in D:5",
    citations=(at.TRAINING_2025,),
    predicate=predicate,
)
