"""What a number rests on: the figures of its budget, its site, its machines, and no others."""

import pytest

from outlay.report import grounds
from outlay.scenario.load import bundled, bundled_text
from outlay.web.page.finished import finished


@pytest.fixture(scope="module", params=bundled())
def bought(request):
    """The plan of each bundled scenario."""
    return finished(bundled_text(request.param))


def test_every_order_and_limit_rests_on_figures(bought):
    """No number of an order is without evidence; what is found is about the order."""
    for purchase in bought.purchases:
        found = grounds.evidence_of(bought, grounds.of_purchase(bought, purchase))
        assert any("price" in item.what or "rent of" in item.what for item in found)
        assert not any(item.what.startswith("service ") for item in found)
    for limit in bought.limits:
        assert isinstance(grounds.of_limit(bought, limit), list)


def test_a_subject_is_not_taken_for_a_longer_name(plan):
    """Evidence of site A is not that of site AB."""
    names = {item.what for item in grounds.evidence_of(plan, ["site"])}
    assert names == set()


def test_a_workload_rests_on_its_demand_and_where_it_runs(bought):
    """A service's figures are among those behind it."""
    for service in bought.services:
        subjects = grounds.of_workload(bought, service.name)
        assert f"service {service.name}" in subjects
        found = grounds.evidence_of(bought, subjects)
        assert len({id(item) for item in found}) == len(found)


def test_figures_denied_are_those_somebody_denies(bought):
    """The card of denied figures opens exactly these."""
    found = grounds.evidence_of(bought, grounds.denied(bought))
    wanted = [item for item in bought.evidence if item.status == "denied" or item.denied_by]
    assert len(found) >= len(wanted)
    assert all(item in found for item in wanted)


def test_names_in_words_lead_to_their_figures(bought):
    """A node of the Sankey diagram opens what its name is about."""
    budget = bought.budgets[0].name
    assert f"budget {budget}" in grounds.of_names(bought, f"budget {budget}: 1 bn USD")
    assert grounds.of_names(bought, "nothing of the plan") == []
