"""The packaged plans are of the scenarios as they are, whole, and what the planner makes."""

import hashlib

import pytest

import outlay
from outlay.report.document import document
from outlay.scenario.load import bundled, bundled_text
from outlay.web.page.finished import finished

TIMES = ("build_s", "solve_s")


@pytest.mark.parametrize("name", bundled())
def test_a_packaged_plan_is_of_its_scenario_and_holds(name):
    """The hash of its input is that of the scenario as it is bundled now; every check of its audit holds."""
    made = finished(bundled_text(name))
    scenario = outlay.load(name)
    assert made.input_hash == hashlib.sha256(scenario.model_dump_json().encode()).hexdigest()[:16]
    assert made.audit.ok
    assert made.gap <= 0.005


def test_another_text_has_no_packaged_plan():
    """One changed letter is another scenario."""
    assert finished(bundled_text("us-lab-2025") + " ") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["us-lab-2025", "gulf-sovereign-2025"])
def test_a_packaged_plan_is_what_the_planner_makes(planned, name):
    """`make plans` gives the same plan, but for the seconds it takes."""
    packed, made = document(finished(bundled_text(name))), document(planned(name))
    for record in (packed, made):
        for key in TIMES:
            record.pop(key)
    assert packed == made
