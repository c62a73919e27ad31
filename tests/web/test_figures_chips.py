"""Figures of chips and rules, of the explorers and of accuracy say what the rules and the model say."""

from datetime import date
from itertools import pairwise

import pytest

from outlay.catalog import Catalog
from outlay.errors import InputError, MissingFigureError
from outlay.performance import search
from outlay.performance.chip import chip_model, gemm_time
from outlay.performance.roofline import operations, roofline
from outlay.performance.serving.search import best_serving
from outlay.performance.transformer import architecture
from outlay.performance.validation import Report, ValidationRow
from outlay.policy import Transaction, item_of
from outlay.policy.timeline import lanes, timeline
from outlay.web.page import figures_accuracy, figures_chips, figures_explorers
from outlay.web.page.texts import say

CATALOG = Catalog.load()
TO_CHINA = Transaction(on=date.min, destination="CN", buyer_hq="CN", parent_hq="CN")
SOME = ["H20 96GB", "H100 SXM", "Ascend 910C", "RTX Pro 6000D / B40"]


def english(key, **values):
    """Return a text in English."""
    return say(key, "en", **values)


@pytest.mark.parametrize("name", SOME)
def test_lanes_of_many_are_the_timelines_of_each(name):
    """Asked all at once, the rules answer each chip as they answer it alone."""
    items = [item_of(chip) for chip in CATALOG.chips.values()]
    at = list(CATALOG.chips).index(name)
    alone = timeline(items[at], TO_CHINA)
    together = lanes(items, TO_CHINA)[at]
    assert [(one.first, one.last, one.code, one.verdict, list(one.rules)) for one in together] == [
        (span.first, span.last, span.decision.code, span.decision.verdict, span.decision.rules) for span in alone
    ]


def test_a_lane_starts_where_it_is_asked_to():
    """Days before a chip was announced are left out."""
    (lane,) = lanes([item_of(CATALOG.chip("H20 96GB"))], TO_CHINA, firsts=[date(2023, 11, 10)])
    assert lane[0].first == date(2023, 11, 10)
    assert all(one.last < other.first for one, other in pairwise(lane))


def test_every_stretch_has_its_bar():
    """Bars of all verdicts together are the stretches; each starts on its day and is as long."""
    rows = lanes([item_of(CATALOG.chip(name)) for name in SOME], TO_CHINA)
    chart = figures_chips.lanes(SOME, rows, english)
    bars = [
        (y, base, x) for trace in chart.data for y, base, x in zip(trace["y"], trace["base"], trace["x"], strict=True)
    ]
    stretches = [
        (name, one.first.isoformat(), ((one.last - one.first).days + 1) * 86_400_000)
        for name, row in zip(SOME, rows, strict=True)
        for one in row
    ]
    assert sorted(bars) == sorted(stretches)
    assert len(chart.rows) == len(stretches)
    assert len({trace["marker"]["pattern"]["shape"] for trace in chart.data}) == 4


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("model", ["Llama-3.1-70B", "DeepSeek-V3"])
def test_no_operation_is_above_the_roofline(model, decode):
    """What is reached never exceeds what the figures allow, and the ridge is where both ceilings meet."""
    chip = chip_model(CATALOG.chip("H100 SXM"))
    ceiling = roofline(chip, "bf16")
    assert ceiling.attainable(ceiling.ridge) == pytest.approx(ceiling.peak)
    found = operations(chip, architecture(CATALOG.model(model)), tokens=512, context=4096, dtype="bf16", decode=decode)
    assert len({one.name for one in found}) == len(found) >= 6
    for one in found:
        assert 0 < one.rate <= ceiling.attainable(one.intensity)


def test_products_take_the_time_of_the_model():
    """A plain product is timed by the same formula as in training."""
    chip = chip_model(CATALOG.chip("H100 SXM"))
    found = operations(chip, architecture(CATALOG.model("Llama-3.1-70B")), tokens=4096, context=1, dtype="bf16")
    (down,) = [one for one in found if one.name == "ffn down"]
    assert down.seconds == pytest.approx(float(gemm_time(chip, 4096.0, 8192.0, 28672.0, "bf16")))
    assert down.flops == 2 * 4096 * 8192 * 28672


def test_roofline_refuses_what_it_cannot_say():
    """A missing peak and a size of zero are refused by name."""
    chip = chip_model(CATALOG.chip("H100 SXM"))
    with pytest.raises(MissingFigureError, match="fp4"):
        roofline(chip, "fp4")
    with pytest.raises(InputError, match="tokens must be above zero"):
        operations(chip, architecture(CATALOG.model("Llama-3.1-70B")), tokens=0, context=1, dtype="bf16")


def test_comparison_has_no_bar_for_what_no_source_gives():
    """A missing figure is a gap with a word, not a zero."""
    chips = [CATALOG.chip(name) for name in ("H100 SXM", "Ascend 910C")]
    chart = figures_chips.comparison(chips, english)
    at = chart.data[1]["y"].index("fp8, dense")
    assert chart.data[1]["x"][at] is None
    assert chart.data[0]["x"] == [1.0] * len(chart.data[0]["x"])
    assert "No source gives: Ascend 910C (fp8, dense)" in chart.alt


def test_every_figure_shown_has_its_source():
    """Each row with a value names status and source."""
    chips = [CATALOG.chip(name) for name in SOME]
    page = figures_chips.sources(chips, ["memory_gb", "bf16_tflops", "tdp_w"], english)
    assert len(page.rows) == 3 * len(chips)
    for row in page.rows:
        assert row[2].text == "–" or (row[3].text and row[4].text)


@pytest.fixture(scope="module")
def estimates():
    """The best way to train a model on some chips, and the second best."""
    model, system = CATALOG.model("Llama-3.1-70B"), CATALOG.resolve_system("H100 SXM")
    best = search.best_training(model, system, 512, sequence=4096, catalog=CATALOG)
    fixed = search.parse_strategy(best.runners_up[0].strategy)
    other = search.best_training(model, system, 512, sequence=4096, fixed=fixed, space="usual", catalog=CATALOG)
    return [best, other]


def test_memory_bars_add_up_to_what_a_chip_holds(estimates):
    """The kinds of a bar are the estimate's, and the line is the chip's memory."""
    chart = figures_explorers.memory(estimates, english)
    for at, estimate in enumerate(estimates):
        assert sum(trace["x"][at] for trace in chart.data) * 1e9 == pytest.approx(sum(estimate.memory.values()))
    assert chart.layout["shapes"][0]["x0"] == pytest.approx(estimates[0].memory_limit / 1e9)


def test_step_bars_add_up_to_the_step_and_carry_its_band(estimates):
    """Parts left out are below a thousandth; the band is that of the prediction."""
    chart = figures_explorers.breakdown(estimates, english)
    *bars, band = chart.data
    for at, estimate in enumerate(estimates):
        assert sum(trace["x"][at] for trace in bars) == pytest.approx(estimate.step_time_s, rel=0.011)
        assert band["x"][at] + band["error_x"]["array"][at] == pytest.approx(estimate.step_high_s)
        assert band["x"][at] - band["error_x"]["arrayminus"][at] == pytest.approx(estimate.step_low_s)


def test_strategy_table_begins_with_the_best(estimates):
    """The best is first, each strategy stands once, and the runners-up are slower."""
    page = figures_explorers.strategies(estimates[0], english)
    assert page.rows[0][0].text == "best"
    assert page.rows[0][1].text == estimates[0].strategy
    shown = [(row[1].text, row[2].sort) for row in page.rows]
    assert len(shown) == len(set(shown))
    assert all(row[4].sort >= 0 for row in page.rows if row[0].text == "runner-up")


def test_front_lies_in_its_band():
    """Each point has its own band, and the chosen configuration is within the target."""
    system = CATALOG.resolve_system("H100 SXM")
    found = best_serving(
        CATALOG.model("Llama-3.1-70B"), system, input_tokens=3000, output_tokens=500, ttft_s=1, tpot_s=0.03,
        catalog=CATALOG,
    )  # fmt: skip
    chart = figures_explorers.front([("H100 SXM", found)], 0.03, english)
    assert len(chart.values) == len(found.front) > 5
    for _, _, tpot, _, rate, low, high in chart.values:
        assert tpot > 0
        assert 0 < low < rate < high
    assert chart.data[3]["x"][0] <= 30.0
    limit = CATALOG.chip("H100 SXM").need("memory_gb")
    bars = figures_explorers.serving_memory([("H100 SXM", found)], [limit], english)
    assert sum(trace["x"][0] for trace in bars.data[:-1]) * 1e9 == pytest.approx(sum(found.memory_bytes.values()))


def _row(number, *, predicted, out, family="F"):
    return ValidationRow(
        id=f"r{number}", metric="step_time_s", family=family, source="s", group=f"g{number}", quality="A", measured=2.0,
        predicted=predicted, low=predicted / 2, high=predicted * 2, fitted=True, out_of_sample=out,
    )  # fmt: skip


ROWS = (_row(1, predicted=2.0, out=2.2), _row(2, predicted=2.1, out=3.0, family="G"), _row(3, predicted=1.9, out=None))


def test_scatter_shows_in_and_out_of_sample_apart():
    """Out of sample shows only rows that were held out, and their errors."""
    inside = figures_accuracy.scatter(ROWS, "step_time_s", out_of_sample=False, say=english)
    outside = figures_accuracy.scatter(ROWS, "step_time_s", out_of_sample=True, say=english)
    assert [len(chart.values) for chart in (inside, outside)] == [3, 2]
    assert [row[4] for row in outside.values] == pytest.approx([0.1, 0.5])
    assert outside.rows[0][0] == "r2"
    assert "30.0%" in outside.alt
    empty = figures_accuracy.scatter((), "step_time_s", out_of_sample=True, say=english)
    assert empty.alt == "No figures out of sample."


def test_errors_by_part_are_those_of_the_report():
    """The table and the bars hold the report's own errors."""
    report = Report("training", ROWS, ())
    page = figures_accuracy.errors(report, "step_time_s", "family", english)
    assert [row[0].text for row in page.rows] == ["all", "F", "G"]
    assert page.rows[0][3].sort == pytest.approx(report.errors()[0].median)
    chart = figures_accuracy.by_part(report, "step_time_s", "family", english)
    assert {row[0]: row[1] for row in chart.values} == {"F": 2, "G": 1}
