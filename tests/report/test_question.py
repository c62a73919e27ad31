"""What is asked in words: shares, and the one usual share."""

import pytest

from outlay.errors import InputError
from outlay.performance.serving.models import ACCEPTANCE
from outlay.report.serving import accepted
from outlay.units import share


@pytest.mark.parametrize(("text", "value"), [("90%", 0.9), (" 0.9 ", 0.9), ("0", 0.0), ("100%", 1.0)])
def test_a_share_is_read(text: str, value: float):
    """As people write it."""
    assert share("--share", text) == value


@pytest.mark.parametrize("text", ["101%", "-1%", "half", "", "nan", "3 W"])
def test_what_is_no_share_is_refused_by_its_option(text: str):
    """With what was given and what was expected."""
    with pytest.raises(InputError, match=f"--cached {text!r} is not a share; expected 0% to 100%"):
        share("--cached", text)


def test_acceptance_left_out_is_that_of_engines():
    """The one constant of the performance model."""
    assert accepted(None) == ACCEPTANCE
    assert accepted("85%") == 0.85
