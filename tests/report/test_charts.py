"""The figures of the page: valid for plotly, complete, and told in words too."""

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from outlay.report import charts, facts
from outlay.report.flow import LAYERS, money_flow


def _all(plan):
    single = [money_flow(plan), charts.orders(plan), charts.spending(plan), charts.chips(plan), charts.training(plan)]
    return [chart for chart in [*single, *charts.power(plan), *charts.services(plan)] if chart is not None]


def test_every_figure_is_valid_and_has_words_and_numbers(plan):
    """Plotly's own schema accepts each figure; each has a text and a table beside it."""
    for chart in _all(plan):
        go.Figure(chart.figure)
        assert chart.alt.endswith(".")
        assert chart.rows
        assert {len(row) for row in chart.rows} == {len(chart.columns)}


def test_numbers_in_full_are_those_that_are_shown(plan):
    """A file gets the numbers that the table rounds, cell by cell."""
    for chart in _all(plan):
        for shown, full in zip(chart.rows, chart.values, strict=True):
            assert len(shown) == len(full)
            for text, value in zip(shown, full, strict=True):
                told = {str(value), facts.MISSING if value is None else ""}
                if isinstance(value, int | float):
                    told |= {facts.shown(value), f"{value:,}"}
                assert text in told


def test_flow_conserves_money(plan):
    """What enters a node leaves it, and every layer carries all the money."""
    (trace,) = money_flow(plan).data
    link = trace["link"]
    total = sum(amount for *_, amount in plan.flows)
    for layer in range(len(LAYERS) - 1):
        at = {index for index, x in enumerate(trace["node"]["x"]) if round(x * (len(LAYERS) - 1)) == layer}
        out = sum(v for source, v in zip(link["source"], link["value"], strict=True) if source in at)
        assert out == pytest.approx(total)


def test_flow_leaves_out_empty_stops(plan):
    """Energy has no vendor and no system: it goes from the budget to the site."""
    (trace,) = money_flow(replace(plan, flows=[("b", "", "", "s", "w", 5.0), ("b", "", "", "s", "w", 0.0)])).data
    assert [node.split("  ")[0] for node in trace["node"]["label"]] == ["b", "s", ""]
    assert trace["link"]["value"] == [5.0, 5.0]


def test_flow_nodes_do_not_overlap(plan):
    """The nodes of a layer stand one below the other."""
    (trace,) = money_flow(plan).data
    by_layer = {}
    for x, y in zip(trace["node"]["x"], trace["node"]["y"], strict=True):
        by_layer.setdefault(x, []).append(y)
    for heights in by_layer.values():
        assert heights == sorted(heights)
        assert len(set(heights)) == len(heights)


def test_bars_add_up_to_the_orders(plan):
    """The bars hold all that is ordered, at the plan's rates, no more and no less."""
    bars = sum(sum(values.values()) for values in facts.by_vendor_and_quarter(plan).values())
    direct = sum(p.cost / (7.27 if p.currency == "CNY" else 1.0) for p in plan.purchases)
    assert bars == pytest.approx(direct)


def test_leases_leave_service_when_they_end(plan):
    """Chips count from their first quarter to the last of their lease."""
    chips = facts.in_service(plan)["H100 SXM"]
    assert chips == {"2025Q1": 8192, "2025Q2": 8192, "2025Q3": 8192, "2025Q4": 8192}


def test_names_are_printed_not_read_as_markup(plan):
    """Plotly reads tags in labels; ours are escaped."""
    hostile = replace(plan, flows=[("<b>x</b>", "v", "s", "<script>", "w", 1.0)])
    (trace,) = money_flow(hostile).data
    assert not any("<" in text for text in trace["node"]["label"])


def test_empty_plan_has_no_flow_and_no_gantt(plan):
    """Nothing is drawn where there is nothing."""
    empty = replace(plan, flows=[], purchases=[], training=[], services=[])
    assert money_flow(empty) is None
    assert charts.training(empty) is None
    assert charts.services(empty) == []
    go.Figure(charts.orders(empty).figure)


def test_missing_rate_is_an_error(plan):
    """A currency without a rate is refused, not counted as dollars."""
    from outlay.errors import MissingFigureError

    with pytest.raises(MissingFigureError, match="no exchange rate for CNY"):
        charts.spending(replace(plan, fx={}))


@pytest.mark.parametrize(
    ("kind", "required", "achieved", "tolerance", "verdict"),
    [
        ("floor", 0.3, 0.3, 0.0, "met"),
        ("floor", 0.3, 0.6, 0.0, "met"),
        ("floor", 0.3, 0.29, 0.0, "missed"),
        ("exact", 0.6, 0.61, 0.02, "met"),
        ("exact", 0.6, 0.63, 0.02, "missed"),
        ("exact", 0.6, None, 0.02, "nothing bought"),
    ],
)
def test_share_is_judged_by_its_kind(plan, kind, required, achieved, tolerance, verdict):
    """A floor may be exceeded, an exact share may not; none is met by buying nothing."""
    use = replace(plan.sourcing[0], kind=kind, required=required, achieved=achieved, tolerance=tolerance)
    assert facts.sourcing_verdict(use) == verdict
